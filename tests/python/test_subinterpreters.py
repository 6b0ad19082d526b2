"""Sub-interpreters, started from hot loops and running hot loops themselves: Serigraph is in the main one only."""

import sys

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = """
import sys
def loop(n):
    total = 0
    for i in range(n):
        total += i * 2
    return total
assert [loop(100) for _ in range(20)] == [9900] * 20
import dis
assert loop.__code__._co_code_adaptive
def tracer(frame, event, arg):
    frame.f_trace_opcodes = True
    return tracer
sys.settrace(tracer)
assert loop(50) == 2450
sys.settrace(None)
class A: pass
for i in range(100):
    A.x = i
    globals()["name%d" % i] = i
print(A.x, loop(1000), flush=True)
"""


def run(identity, code):
    if hasattr(interpreters, "run_string"):
        return interpreters.run_string(identity, code)
    return interpreters.exec(identity, code)


def several(count):
    total = 0
    for i in range(count):
        identity = interpreters.create()
        for k in range(40):
            total += k
        run(identity, CODE)
        interpreters.destroy(identity)
        for k in range(40):
            total += k * i
    return total


def with_threads(count):
    import threading

    def work(identity, results, index):
        run(identity, CODE.replace("print(A.x, loop(1000), flush=True)", "assert loop(1000) == 999000"))
        total = 0
        for i in range(200):
            total += i
        results[index] = total

    identities = [interpreters.create() for _ in range(count)]
    results = [None] * count
    threads = [
        threading.Thread(target=work, args=(identity, results, index)) for index, identity in enumerate(identities)
    ]
    for thread in threads:
        thread.start()
    total = 0
    for i in range(20000):
        total += i
    for thread in threads:
        thread.join()
    for identity in identities:
        interpreters.destroy(identity)
    return total, results


sys.stdout.flush()
print(several(4), flush=True)
print(with_threads(3), flush=True)
