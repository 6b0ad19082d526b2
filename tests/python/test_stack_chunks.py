"""Inlined functions whose frames have to be made where the chunk of the data stack ends, at every depth around it."""

import sys

LOOP = """
def callee(i, last):
    a = b = c = d = e = i
    if i == last:
        for k in range(3):
            a += k
        a += WHAT
    return a + b

def loop(n):
    total = 0
    for i in range(n):
        total += callee(i, n - 1)
        total += callee(i + 1, n)
    return total
"""


BRANCHES = """
def small(i):
    return i + 1

def inner(i, last, a, b, c, d, e, f, g, h):
    j = k = l = m = n = o = p = q = r = s = i
    if i == last:
        a = a * 2 - len(str(a))
    return i + a

def large(i, last):
    a = b = c = d = e = f = g = h = i
    j = k = l = m = n = o = p = q = r = s = i
    return inner(i, last, a, b, c, d, e, f, g, h) + a + b

def loop(n):
    total = 0
    for i in range(n):
        if i % 4 != 3:
            total += small(i)
        else:
            total += large(i, n - 1)
    return total
"""


def side_traces(depths):
    """The trace that is entered needs little room; the one that goes on from its exit needs more."""
    space = {}
    exec(BRANCHES, space)
    for _ in range(10):
        space["loop"](200)
    return {deep(depth, space["loop"], 60) for depth in depths}


def fresh(what):
    """New functions with new code: they are recorded where they run."""
    space = {"WHAT": what}
    exec(LOOP, space)
    return space["loop"]


def deep(depth, function, argument):
    if depth == 0:
        try:
            return function(argument)
        except TypeError as error:
            return str(error)
    return deep(depth - 1, function, argument)


def deep_with_more(depth, function, argument, a=1, b=2):
    c, d, e = a, b, depth
    if depth == 0:
        return deep(3, function, argument)
    return deep_with_more(depth - 1, function, argument, c, d)


def everywhere(deep, depths):
    """Recorded deep in the stack, then entered there."""
    results = set()
    for depth in depths:
        results.add(deep(depth, fresh(1), 6))
        results.add(deep(depth, fresh(None), 3))
        known = fresh(2)
        known(12)
        results.add(deep(depth, known, 12))
    return sorted(map(str, results))


def in_generators(depths):
    def run(function, argument):
        yield function(argument)

    return [deep(depth, lambda n, f=fresh(1): sum(run(f, n)), 8) for depth in depths][-1]


sys.setrecursionlimit(3000)
print(everywhere(deep, range(0, 330)))
print(everywhere(deep_with_more, range(0, 220)))
print(in_generators(range(60, 200)))
print(side_traces(range(400)))
