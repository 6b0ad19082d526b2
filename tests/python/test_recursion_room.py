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


def lowered(limits):
    """The limit is set in each turn, and at the end lower than what the turn is about to call."""
    total = 0
    for limit in limits:
        sys.setrecursionlimit(limit)
        total += f10(limit)
    return total


class Lowering:
    def __init__(self, limit):
        self.limit = limit

    def __eq__(self, other):
        sys.setrecursionlimit(self.limit)
        return True


def lowered_by_method(items):
    """The same by a method that C code calls."""
    total = 0
    for item in items:
        total += [item].count(1)
        total += f10(total)
    return total


def lower(room):
    here = 0
    frame = sys._getframe()
    while frame:
        here, frame = here + 1, frame.f_back
    for loop, items in (lowered, [400] * 1500), (lowered_by_method, [Lowering(400)] * 1500):
        last = here + room if loop is lowered else Lowering(here + room)
        try:
            print(loop.__name__, room, loop(items + [last]))
        except RecursionError as error:
            depth, tb = 0, error.__traceback__
            while tb:
                depth, tb = depth + 1, tb.tb_next
            print(loop.__name__, room, error, depth)
        sys.setrecursionlimit(400)


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

for room in range(1, 20):
    lower(room)
