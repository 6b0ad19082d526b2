"""Code that comes and goes: exec, reload, functions whose code is replaced, modules dropped."""

import gc
import importlib
import os
import sys
import tempfile
import types


def executed(n):
    results = []
    for i in range(n):
        space = {"step": i}
        exec("total = 0\nfor k in range(30):\n    total += k * step\n", space)
        results.append(space["total"])
    return sum(results), results[-1]


def evaluated(n):
    factor = 3
    total = 0
    for i in range(n):
        total += eval("sum(k * factor for k in range(10))", {"factor": factor + i % 2})
    return total


def reloaded(rounds):
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        path = os.path.join(folder, "reloaded_module.py")
        write = sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        for i in range(rounds):
            with open(path, "w") as file:
                file.write("STEP = %d\ndef helper(i):\n    return i * STEP + %d\n" % (i, i * i))
                file.write("def loop(n):\n    total = 0\n    for i in range(n):\n        total += helper(i)\n    return total\n")
            importlib.invalidate_caches()
            if i == 0:
                import reloaded_module as module
            else:
                module = importlib.reload(module)
            old = module.loop if i == 0 else old
            results.append((module.loop(50), old(50)))
            module.STEP = -1
            results.append((module.loop(50), old(50)))
        sys.dont_write_bytecode = write
        sys.path.remove(folder)
        del sys.modules["reloaded_module"]
    return results


def replaced_code(n):
    def first(n):
        total = 0
        for i in range(n):
            total += i
        return total

    def second(n):
        total = 1
        for i in range(n):
            total += 2 * i
        return total

    codes = (first.__code__, second.__code__)
    results = []
    for i in range(n):
        first.__code__ = codes[i % 2]
        results.append(first(40))
    return results


def new_functions(n):
    total = 0
    for i in range(n):
        code = compile("def f(n):\n    t = %d\n    for k in range(n):\n        t += k\n    return t\n" % i, "made", "exec")
        space = {}
        exec(code, space)
        total += space["f"](20)
        copy = types.FunctionType(space["f"].__code__.replace(co_name="copy"), {})
        total += copy(20)
    del code, space, copy
    gc.collect()
    return total


def new_modules(n):
    results = []
    for i in range(n):
        module = types.ModuleType("module%d" % i)
        exec("x = %d\ndef loop(n):\n    t = 0\n    for k in range(n):\n        t += x\n    return t" % i, module.__dict__)
        results.append(module.loop(30))
        loop = module.loop
        del module
        results.append(loop(30))
    return sum(results)


class Watched(types.ModuleType):
    def __getattribute__(self, name):
        return "asked for " + name


shared = types.ModuleType("shared")
shared.value = 3


def other_class(n):
    """A module gets another class in the middle of a loop, by the loop and by what it calls."""

    def turn(i):
        if i == n // 2:
            shared.__class__ = Watched
        return i

    results = []
    for _ in range(2):
        seen = {}
        for i in range(n):
            max((i,), key=turn)
            value = shared.value
            seen[value] = seen.get(value, 0) + 1
        results.append(seen)
        object.__setattr__(shared, "__class__", types.ModuleType)
    return results


print(executed(60))
print(evaluated(60))
print(reloaded(4))
print(replaced_code(20))
print(new_functions(40))
print(new_modules(30))
print(other_class(60))
print(other_class(3000))
