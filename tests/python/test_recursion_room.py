"""A path that is reached by a side trace or a link may call more deeply than the one that was entered: the limit holds all the same."""

import sys

DEPTH = 11
exec("def f0(x):\n    return x + 1")
for level in range(1, DEPTH):
    exec(f"def f{level}(x):\n    return f{level - 1}(x) + 1")


def branching(k):
    total = 0
    for x in range(k):
        if x & 1:
            total += f10(x)
        else:
            total += x
    return total


def linked(k):
    total = 0
    for x in range(k):
        total += x
        if x % 100 == 99:
            for y in range(3):
                total += f10(y)
    return total


def late(k):
    total = 0
    for x in range(k):
        if x >= k - 500:
            total += f10(x)
        else:
            total += x
    return total


def deep(n, loop, k):
    return deep(n - 1, loop, k) if n else loop(k)


def outcome(n, loop):
    try:
        return deep(n, loop, 2000)
    except RecursionError as error:
        return str(error)


sys.setrecursionlimit(200)
for loop in branching, linked, late:
    for n in (0, 10, 100, *range(170, 200)):
        print(loop.__name__, n, outcome(n, loop))
