"""One code object in many namespaces: names are looked up where the running frame looks them up."""

import builtins
import types

MODULE = compile(
    """
def helper(x):
    return x + K
total = 0
for x in range(n):
    total += helper(x)
for x in range(n):
    for y in range(3):
        total += K if y else len("abc")
def run(n):
    t = 0
    for x in range(n):
        t += helper(x)
    return t
def branchy(n):
    t = 0
    for x in range(n):
        if x % 3 == 0:
            t += helper(x)
        else:
            t -= K
    return t
""",
    "shared",
    "exec",
)


def namespaces():
    return [{"K": k, "n": 2500} for k in (1, 1000, 7)]


def in_modules():
    spaces = namespaces()
    for space in spaces + spaces:
        exec(MODULE, space)
    return [space["total"] for space in spaces]


def in_functions():
    spaces = namespaces()
    for space in spaces:
        exec(MODULE, space)
    results = []
    for name in ("run", "branchy"):
        code = spaces[0][name].__code__
        functions = [types.FunctionType(code, space) for space in spaces]
        for n in (2500, 10, 2500):
            results += [function(n) for function in functions]
    return results


def in_builtins():
    def count(n):
        t = 0
        for x in range(n):
            t += len("four")
        return t

    results = []
    for length in (len, lambda text: 100, lambda text: -1):
        own = dict(vars(builtins), len=length)
        function = types.FunctionType(count.__code__, {"__builtins__": own})
        results += [function(2500), function(3)]
    return results + [count(2500)]


def in_locals():
    code = compile("for x in range(n):\n    total = total + step", "shared", "exec")
    results = []
    apart = {"step": 5, "total": 0, "n": 2500}
    for space in ({"step": 1, "total": 0, "n": 2500}, {"step": 3, "total": 0, "n": 2500}):
        exec(code, space)
        exec(code, space, apart)
        results += [space["total"], apart["total"]]
    return results


def dying():
    results = []
    for k in range(6):
        space = {"K": k, "n": 2500}
        exec(MODULE, space)
        results.append((space["total"], space["run"](2500)))
        del space
    return results


for case in (in_modules, in_functions, in_builtins, in_locals, dying):
    print(case.__name__, case(), case())
