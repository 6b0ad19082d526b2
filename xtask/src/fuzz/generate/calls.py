"""Functions: arguments of all sorts, closures, recursion, callbacks from C."""

from .constants import int_literal
from .grammar import definition, expression, prelude, statement

prelude(__name__, '''\
import functools
import itertools


def defaults(a, b=2, *, c=3):
    return a + b * c


def star(*args, **names):
    return len(args) + sum(names.values())


def positional(a, /, b, c=0):
    if a:
        return b
    return c


def counter(start):
    def step(by=1):
        nonlocal start
        start += by
        return start

    def peek():
        return start

    return step, peek


def deep(n):
    """Pure recursion."""
    if n <= 0:
        return 0
    return deep(n - 1) + 1


def deep_loop(n):
    """A loop in each level."""
    total = 0
    for k in range(3):
        total += k
        if k == 1 and n > 0:
            total += deep_loop(n - 1)
    return total


def deep_key(n):
    """Recursion through a callback of C code."""
    if n <= 0:
        return 0
    return sorted([n - 1], key=deep_key)[0] + 1


def deep_map(n):
    return 1 + next(map(deep_map, (n - 1,))) if n > 0 else 0


def deep_reduce(n):
    return functools.reduce(lambda x, y: deep_reduce(n - 1) + 1, (0, 1)) if n > 0 else 0


class DeepAdd:
    def __init__(self, n):
        self.n = n

    def __add__(self, other):
        return self.n if self.n <= 0 else DeepAdd(self.n - 1) + 1


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def overflow(function, x):
    """Recursion to the limit."""
    try:
        return function(x)
    except RecursionError as error:
        return str(error)[:33]
''')


@definition
def helper(w):
    """Small functions of numbers, at times with a loop, a branch, an exception."""
    for _ in range(w.random.randint(1, 3)):
        name, count = w.fresh("h"), w.random.randint(1, 3)
        defaults = w.chance(0.2) and count > 1
        names = ["a", "b", "c"][:count]
        w.line(0, "def %s(%s):" % (name, ", ".join(names[:-1] + [names[-1] + "=4"] if defaults else names)))
        for missing in ["b", "c"][count - 1:]:
            w.line(1, "%s = %s" % (missing, int_literal(w)))
        w.line(1, "d, e, s, t, x, p, q = 1.5, -0.5, 'ab', 'c', None, a, b")
        w.line(1, "i = 3")
        w.line(1, "items, reals, kept, table = [a, b, c, 1, 2, 3], [d, 2.0, -0.5, 1e9, e, 3.0], [], {0: 1, 1: 2, 2: 3}")
        if w.chance(0.4):
            w.line(1, "for i in range(%s):" % w.pick("4", "a % 5 if type(a) is int else 2", "3, 0, -1"))
            w.line(2, "%s = %s" % (w.pick("a", "b", "c"), w.expr("int", 2)))
            if w.chance(0.3):
                w.line(2, "if %s: %s" % (w.condition(2), w.pick("break", "continue", "return a", "raise ValueError(i)" if w.chance(0.3) else "return b")))
        if w.chance(0.5):
            w.line(1, "if %s:" % w.condition(1))
            w.line(2, "return %s" % w.expr("int", 2))
        w.line(1, "return %s" % w.expr(w.pick("int", "int", "float"), 1))
        w.line(0, "")
        w.line(0, "")
        w.helpers.append((name, count))


def call_text(w, kind, depth):
    name, count = w.random.choice(w.helpers)
    return "%s(%s)" % (name, ", ".join(w.expr(kind, depth) for _ in range(count)))


@expression("int", 5)
def call_helper(w, depth):
    return call_text(w, "int", depth + 1) if w.helpers else "defaults(a)"


@expression("float", 2)
def call_with_floats(w, depth):
    return call_text(w, "float", depth + 1) if w.helpers else "defaults(d)"


@expression("int", 4)
def call_forms(w, depth):
    x = w.expr("int", depth)
    return w.pick("defaults(%s)" % x, "defaults(%s, c=i)" % x, "defaults(b=%s, a=1)" % x, "defaults(*(%s, 2))" % x, "defaults(**{'a': %s})" % x,
                  "star(%s, i)" % x, "star(*items[:3], k=%s)" % x, "star()", "positional(i & 1, %s)" % x, "positional(0, b=%s, c=a)" % x,
                  "(lambda y, z=i: y + z)(%s)" % x, "functools.partial(defaults, b=1)(%s)" % x, "positional(%s, 1, 2, 3)" % x if w.chance(0.05) else "star(1)",
                  "step()", "step(i)", "peek()", "smaller(%s, i)" % x if "numbers" in w.themes else "peek()")


@expression("int", 3)
def callback(w, depth):
    return w.pick("sorted(items[:6], key=lambda y: -y if type(y) is int else 0)[0]", "sum(map(lambda y: y + i, items[:4]))", "len(list(filter(lambda y: y > a, items[:6])))",
                  "functools.reduce(lambda y, z: y + z, items[:4], i)", "max(items[:4], key=lambda y: y % 5)", "next(filter(None, items[:5]), a)",
                  "len(list(itertools.takewhile(lambda y: y < b, items[:6])))", "sum(itertools.accumulate(items[:4], lambda y, z: z - y))",
                  "min(map(defaults, items[:3]))", "sorted(pairs, key=lambda y: (y[0] + i) % 5)[0][1]", "(lambda: a + i)()", "functools.reduce(defaults, (1, 2, i))")


@expression("int", 1)
def recursive(w, depth):
    return w.pick("deep(%d)", "deep_loop(%d)", "deep_key(%d)", "deep_map(%d)", "deep_reduce(%d)", "(DeepAdd(%d) + 1)") % w.pick(1, 3, 6) if w.chance(0.8) else "fib(%d)" % w.pick(2, 5)


@statement(0.6)
def to_the_limit(w, depth):
    """The recursion limit is reached, and how deep it is."""
    w.line(depth, "if i == %d: log(%s)" % (w.pick(9, 19, 25), w.pick(
        "overflow(deep, 5000)", "deep(%d)" % w.pick(100, 600, 900), "overflow(deep_loop, 5000)", "deep_loop(%d)" % w.pick(100, 600, 900), "overflow(deep, %d)" % w.pick(940, 960, 970, 980, 990))))


@statement(1.5)
def closures(w, depth):
    w.line(depth, w.pick("step, peek = counter(%s)" % w.expr("int", 1), "a = step(%s)" % w.expr("int", 1), "x = lambda: (a, i)", "b = peek()",
                         "inner = lambda y, z=a: y + b", "a = inner(i)", "x = [lambda: i for i in (1, 2)][0]()"))


@statement(1)
def nested_function(w, depth):
    """Makes cells of some of the variables."""
    name = w.fresh("nested")
    w.line(depth, "def %s(y%s):" % (name, w.pick("", "=3", ", *z", ", z=i")))
    if w.chance(0.4):
        w.line(depth + 1, "nonlocal a")
        w.line(depth + 1, "a = %s" % w.pick("y", "b + 1", "i"))
    w.line(depth + 1, "return %s" % w.pick("y", "a", "b + 1", "(y, i)", "c", "y + d", "len(items)"))
    w.line(depth, "%s = %s(%s)" % (w.pick("b", "c", "x"), name, w.expr("int", 1)))
