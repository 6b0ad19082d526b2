"""Makes and drops functions, classes, modules and closures that are compiled, for as long as it is told to.

soak.py SECONDS    prints a line for each round: bytes of memory, traces, bytes of code
"""

import gc
import sys
import time
import types


def functions(count):
    total = 0
    for i in range(count):
        space = {}
        exec("def f(n, k):\n    t = 0\n    for i in range(n):\n        t += i * k\n        if i %% 3 == %d: t -= 1\n    return t" % (i % 3), space)
        total += space["f"](60, i)
    return total


def classes(count):
    total = 0
    for i in range(count):

        class Thing:
            scale = i

            def __init__(self, value):
                self.value = value
                self.itself = self

            def step(self, by):
                self.value += by * self.scale
                return self.value

        thing = Thing(1)
        for k in range(60):
            total += thing.step(k)
        Thing.scale = 2
        for k in range(60):
            total += thing.step(k)
    return total


def modules(count):
    total = 0
    for i in range(count):
        module = types.ModuleType("soaked")
        exec("limit = 50\ndef helper(x):\n    return x + limit\ndef run(n):\n    t = 0\n    for x in range(n):\n        t += helper(x)\n    return t", module.__dict__)
        total += module.run(60)
        module.limit = i
        total += module.run(60)
        module.helper = lambda x: x
        total += module.run(60)
    return total


def closures(count):
    total = 0.0
    for i in range(count):
        items = [float(k) for k in range(40)]

        def run():
            nonlocal total
            for item in items:
                total += item * i

        run()
        run()
    return total


def errors(count):
    seen = 0
    for i in range(count):
        def run(n):
            t = 0
            for k in range(n):
                t += 10 // (k - 40)
            return t

        try:
            run(60)
        except ZeroDivisionError:
            seen += 1
    return seen


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def main(seconds):
    serigraph = sys.modules.get("serigraph")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        functions(60)
        classes(30)
        modules(30)
        closures(60)
        errors(30)
        gc.collect()
        stats = serigraph.stats() if serigraph else {"traces": [], "code_bytes": 0}
        print(resident(), len(stats["traces"]), stats["code_bytes"], flush=True)


main(float(sys.argv[1]))
