"""When objects die, how often they are counted, and C code that reads the counts."""

from .grammar import expression, prelude, statement

prelude(__name__, '''\
import functools
import gc
import sys
import weakref


class Noisy:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        log("del", show(self.name))

    def __add__(self, other):
        return Noisy((self.name, "+"))

    def pass_on(self, x):
        return x


class Cyclic(Noisy):
    def __init__(self, name):
        self.name = name
        self.me = self


def refs(x):
    return sys.getrefcount(x)


def through(x, y=None):
    z = x
    return z
''')


@expression("int", 3)
def count(w, depth):
    return w.pick("sys.getrefcount(p)", "refs(p)", "sys.getrefcount(items)", "refs(x)", "sys.getrefcount(a)", "sys.getrefcount(s)", "sys.getrefcount([])", "refs((i, a))",
                  "refs(d)", "sys.getrefcount(i * 1000003)", "refs(through(p))", "sys.getrefcount(pair)", "refs(d + 1.5)", "sys.getrefcount(reals[0])",
                  "sys.getrefcount(kept)", "sys.getrefcount(object())", "max(sys.getrefcount(p), refs(q))") if w.chance(0.98) else "gc.collect()"


@statement(4)
def noisy(w, depth):
    w.line(depth, w.pick("x = Noisy(i)", "p = Noisy(('p', i))", "Noisy(i)", "x = None", "p, q = q, p", "p, q = Noisy(1), p", "items = [Noisy(i)] and items", "x = through(Noisy(i), Noisy('y'))",
                         "kept.append(Noisy(i)); del kept[3:]", "x = (Noisy(1), Noisy(2))", "x = Noisy(i) + Noisy(2)", "q = Noisy(i).pass_on(a)", "table['n'] = Noisy(i); table = {}",
                         "x = Cyclic(i)", "x = [Noisy(i)]; x[0] = 5", "del x; x = 1", "log('here', i)", "x = weakref.ref(p) if isinstance(p, Noisy) else x", "a = (x() is None) if isinstance(x, weakref.ref) else b"))


@statement(1.5)
def reused_tuples(w, depth):
    """zip, enumerate and items() use their tuple again when nobody else has it."""
    w.line(depth, "for x in %s:" % w.pick("zip(items[:4], reals)", "enumerate(items[:4])", "table.items()", "zip(items[:3])", "list(zip('abc', items))"))
    w.line(depth + 1, w.pick("kept.append(x)", "t, c = str(x), x[0]", "a, *y = x", "q = x", "b = sys.getrefcount(x)", "pair = x", "kept.append(x) if i & 1 else None"))
    w.line(depth, "del kept[20:]")


@statement(1.5)
def resized(w, depth):
    w.line(depth, w.pick("x = tuple(y for y in items[:3])", "x = functools.reduce(lambda y, z: (y, z) if i & 1 else (z,), items[:4])", "x = bytes(2) + bytes([i & 7])", "pair = pair + (i,); pair = pair[-3:]",
                         "s = s + 'q'; s = s[-9:]", "t = s; s += 'w'; s = s[-9:]", "x = ''.join(str(y) for y in items[:3])", "kept += kept[:2]; del kept[20:]", "x = (*pair, *items[:2])"))


@statement(0.6)
def collect(w, depth):
    w.line(depth, "if %s: log('gc', gc.collect())" % w.pick("i == 17", "i % 50 == 49", "i == 2"))
