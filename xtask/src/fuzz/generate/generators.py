"""Generators: hot loops inside them and around them, closed, thrown into and sent to in mid-loop."""

from .grammar import definition, expression, prelude, statement

prelude(__name__, '''\
def upto(n):
    k = 0
    while k < n:
        yield k
        k += 1


def guarded(n):
    try:
        for k in range(n):
            yield k * 2
    except ValueError as error:
        log("thrown", str(error))
        yield -1
    finally:
        log("closed", n)


def echo():
    got = 0
    total = 0
    while True:
        got = yield total
        if got is None:
            got = 1
        total += got


def chained(n):
    yield from upto(n)
    got = yield from guarded(2)
    return got


def pairwise(values):
    before = None
    for value in values:
        yield before, value
        before = value


async def coroutine(n):
    total = 0
    for k in range(n):
        total += k
    return total


def run(c):
    try:
        c.send(None)
    except StopIteration as stop:
        return stop.value
''')


@definition
def own(w):
    w.line(0, "def source(n, a, b):")
    w.line(1, "for k in range(n):")
    w.line(2, "if k %% %d == %d: %s" % (w.pick(2, 5, 9), w.pick(0, 1), w.pick("a += b", "yield b", "continue", "b = k")))
    w.line(2, "%s %s" % (w.pick("yield", "yield", "x = yield"), w.pick("a", "k", "(k, a)", "a + k", "[k]")))
    w.line(2, "a = %s" % w.pick("b", "a + 1", "k", "a ^ k"))
    w.line(1, "return a")
    w.line(0, "")
    w.line(0, "")


@expression("int", 2)
def consumed(w, depth):
    return w.pick("sum(upto(%s))", "len(list(guarded(%s)))", "max(upto(%s), default=0)", "next(upto(%s), 7)", "sum(y for y in upto(%s) if y != a)",
                  "len([y for y in chained(%s)])", "run(coroutine(%s))", "len(list(source(%s, 1, i)))") % w.pick("2", "3", "i % 5", "7")


@statement(3)
def consume(w, depth):
    variable = w.pick("a", "b", "x")
    count = w.pick("3", "i % 9", "25")
    w.line(depth, "for %s in %s:" % (variable, w.pick("upto(%s)", "guarded(%s)", "chained(%s)", "source(%s, a, i)", "(y + i for y in range(%s))",
                                                      "enumerate(upto(%s))", "pairwise(upto(%s))", "zip(upto(%s), items)") % count))
    w.line(depth + 1, "c = %s" % w.expr("int", 1))
    if w.chance(0.5):
        w.line(depth + 1, "if %s: %s" % (w.condition(1), w.pick("break", "continue", "break")))


@statement(1.5)
def drive(w, depth):
    """A generator that lives longer than a turn of the loop."""
    w.line(depth, w.pick("a = next(gen, 5)", "x = gen.send(None)", "gen.close()", "x = gen.throw(ValueError('t'))", "b = next(gen)", "gen = guarded(9)", "gen = upto(6)",
                         "gen = echo(); next(gen); a = gen.send(i)", "a = gen.send(b)", "gen = source(20, 1, i)", "x = list(gen)[:4]",
                         "for b in gen: break", "a = gen.gi_frame is None", "x = gen.gi_frame.f_lineno if gen.gi_frame else 0",
                         "x = gen.gi_frame and sorted(k for k in gen.gi_frame.f_locals)"))


@statement(0.7)
def guarded_drive(w, depth):
    w.line(depth, "try:")
    w.line(depth + 1, w.pick("a = next(gen)", "gen.throw(ValueError)", "gen.throw(KeyError, KeyError('k'))", "gen.close()", "a = gen.send(3)"))
    w.line(depth, "except (StopIteration, ValueError, KeyError, TypeError) as error:")
    w.line(depth + 1, w.pick("gen = upto(4)", "log(type(error).__name__, i)", "gen = guarded(3)"))
