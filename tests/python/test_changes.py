"""Expressions in hot loops, and what a program can do in the middle to change what they mean: each with each.

A spread of the pairs; `whole` as the first argument means all of them.
"""

import builtins
import re
import sys

EXPRESSIONS = """\
o.a
o.a + o.b
o.m(i)
o.c
o.p
C.k
C.s(i)
o.cm(i)
C.cm(i)
o.a.bit_length()
o(i)
o[i]
o + i
i + o
-o
o == i
o < i
i in o
len(o)
bool(o)
1 if o else 2
[x for x in o]
list(o)
str(o)
repr(o)
f(i)
f(i, 3)
f(x=i)
g(i)
mod.v
mod.fn(i)
gv
gv + i
len(l)
l[i % 3]
d["k"]
d.get("k")
[*d]
abs(-i)
max(i, 3)
sum(l)
h(i)
C(i).a
C(a=i).a
isinstance(o, C)
issubclass(D, C)
type(o).__name__
o.__class__.__name__
getattr(o, "a")
hasattr(o, "zz")
o.zz
sl.a
sl.m(i)
nt.a
nt[0]
lam(i)
par(i)
bm(i)
kw(a=i)
kw(i, b=i, **e)
star(*l)
defaulted()
closure(i)
o.prop
o.cached
o.chain.chain.a
super_user.m(i)
o @ i
o ^ i
f"{o}"
f"{i:{w}}"
setattr(o, "t", i) or o.t
o.inc(1)
next(iter(o))
(lambda: o.a)()
[o.m(j) for j in (i,)]
tuple(o.m(j) for j in (i,))
dict(a=o.a)
o.a if o.a else o.b
range(i % 4).__len__()
w.join(("a", "b"))
(i, o.a)[1]
sorted([i, 3], key=f)
i.real
st.upper()
st + w
st * 2
st[i % 3]
0.5 * gf
gf + i
mod.Inner(i).z
o.a; o.a = i; o.a
"""

CHANGES = """\
C.a = 77
o.a = "str"
del o.a
o.__dict__["a"] = 5
o.__dict__ = {"a": 9, "b": 8, "chain": o}
o.__class__ = D
C.m = lambda self, x: ("new", x)
del C.m
o.m = lambda x: ("inst", x)
C.p = property(lambda self: "prop2")
C.a = property(lambda self: "dataprop")
C.k = "k2"
C.s = staticmethod(lambda x: ("s2", x))
C.cm = classmethod(lambda c, x: ("cm2", x))
C.__getattr__ = lambda self, n: ("ga", n)
C.__getattribute__ = lambda self, n: ("gat", n)
C.__call__ = lambda self, x: ("call2", x)
C.__getitem__ = lambda self, x: ("item2", x)
C.__add__ = lambda self, x: ("add2", x)
C.__radd__ = lambda self, x: ("radd2", x)
C.__eq__ = lambda self, x: "eq2"
C.__lt__ = lambda self, x: "lt2"
C.__contains__ = lambda self, x: True
C.__len__ = lambda self: 0
C.__bool__ = lambda self: False
C.__iter__ = lambda self: iter("xy")
C.__str__ = lambda self: "str2"
C.__repr__ = lambda self: "repr2"
C.__format__ = lambda self, s: "fmt2"
C.__init__ = lambda self, *a, **k: setattr(self, "a", "init2")
C.__new__ = lambda cls, *a, **k: object.__new__(D)
C.__bases__ = (B2,)
C.__class__ = Meta2
C.__hash__ = None
C.__neg__ = lambda self: "neg2"
C.__setattr__ = lambda self, n, v: object.__setattr__(self, n, ("set", v))
Meta.__call__ = lambda cls, *a, **k: ("metacall", a)
Meta.__instancecheck__ = lambda cls, x: "ic"
Meta.__getattribute__ = lambda cls, n: ("mga", n)
B.inherited = 3; B.m = lambda self, x: ("bm", x)
f.__code__ = f2.__code__
f.__defaults__ = (9,)
f.__kwdefaults__ = {"z": 9}
g.__code__ = f2.__code__
g.__defaults__ = None
globals().__setitem__("f", f2)
globals().__setitem__("gv", "text")
globals().__setitem__("gv", 10**30)
globals().__delitem__("gv")
globals().__setitem__("len", lambda x: "len2")
globals().__setitem__("abs", lambda x: "abs2")
builtins.len = lambda x: "blen"
builtins.abs = lambda x: "babs"
builtins.max = lambda *x: "bmax"
builtins.isinstance = lambda *x: "bis"
builtins.range = lambda *x: [1, 2]
mod.v = "v2"
mod.fn = lambda x: ("fn2", x)
del mod.v
mod.__class__ = ModSub
mod.Inner.__init__ = lambda self, x: setattr(self, "z", "z2")
l.clear()
l.append("s")
l.__init__([1.5, 2.5, 3.5])
d.clear()
d.update({n: n for n in range(100)})
d.__setitem__("k", "k2")
Slots.a = 5
del sl.a
sl.a = "text"
Slots.m = lambda self, x: ("slm", x)
NT.a = "nta"
kw.__kwdefaults__ = {"b": "kb"}
star.__code__ = (lambda *a: ("star2", len(a))).__code__
defaulted.__defaults__ = ("d2",)
closure.__closure__[0].cell_contents = "cell2"
closure.__code__ = closure2.__code__
Desc.__get__ = lambda self, o, t=None: "desc2"
del Desc.__get__
Desc.__set__ = lambda self, o, v: None
SuperUser.__bases__ = (B2,)
B.m = lambda self, x: ("B.m2", x)
globals().__setitem__("super_user", SuperUser2())
o.chain = D(3)
o.chain.chain = None
globals().__setitem__("w", "5")
globals().__setitem__("st", b"bytes")
globals().__setitem__("gf", 1+2j)
globals().__setitem__("gf", 10**400)
globals().__setitem__("o", D(5))
globals().__setitem__("C", D)
sys.setrecursionlimit(900)
C.inc = lambda self, n: ("inc2", n)
type.__setattr__(C, "zz", "zz2")
h.__code__ = f2.__code__
h.__wrapped__ = f2
collect()
sys.setswitchinterval(0.001)
types.FunctionType(f2.__code__, {"__builtins__": {}})
exec("gv = 'exec'", globals())
sys.modules.pop("mod", None)
globals().update(f=lambda *a, **k: ("upd", a, tuple(k)))
C.a = Desc()
C.cached = Desc()
"""

# What the expressions and the changes name, made anew for each pair.
NAMES = '''\
import builtins
import functools
import gc
import sys
import types
from collections import namedtuple


def collect():
    gc.collect()


class Meta(type):
    pass


class Meta2(Meta):
    pass


class Desc:
    def __get__(self, o, t=None):
        return "desc"


class B:
    inherited = 1

    def m(self, x):
        return ("B.m", x)


class B2:
    inherited = 2

    def m(self, x):
        return ("B2.m", x)


class C(B, metaclass=Meta):
    k = 4
    c = Desc()

    def __init__(self, a=1, b=2):
        self.a = a
        self.b = b
        self.chain = self

    def m(self, x):
        return self.a, x

    @property
    def p(self):
        return self.a

    @property
    def prop(self):
        return self.b * 2

    @functools.cached_property
    def cached(self):
        return "cached"

    @staticmethod
    def s(x):
        return x + 1

    @classmethod
    def cm(cls, x):
        return cls.__name__, x

    def __call__(self, x):
        return x * 2

    def __getitem__(self, x):
        return x * 3

    def __add__(self, x):
        return x + 10

    def __radd__(self, x):
        return x + 20

    def __neg__(self):
        return -1

    def __eq__(self, x):
        return x == 41

    def __lt__(self, x):
        return x < 41

    def __hash__(self):
        return 5

    def __contains__(self, x):
        return x % 2

    def __len__(self):
        return 3

    def __iter__(self):
        return iter([1, 2])

    def __matmul__(self, x):
        return "mm", x

    def __xor__(self, x):
        return x ^ 5

    def __str__(self):
        return "C-str"

    def inc(self, n):
        self.b += n
        return self.b


class D(C):
    def m(self, x):
        return ("D.m", x)


class SuperUser(B):
    def m(self, x):
        return super().m(x)


class SuperUser2(B2):
    def m(self, x):
        return super().m(x)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self):
        self.a = 1
        self.b = 2

    def m(self, x):
        return self.a, x
NT = namedtuple("NT", "a b")
nt = NT(1, 2)
sl = Slots()
super_user = SuperUser()
o = C()


def f(x=0, y=1, *, z=2):
    return x + y + z


def f2(x=0, y=1, *, z=2):
    return "f2", x, y, z


def g(x, y=5):
    return f(x, y)


def deco(fn):

    @functools.wraps(fn)

    def inner(*a, **k):
        return fn(*a, **k)
    return inner


@deco
def h(x):
    return x + 1
mod = types.ModuleType("mod")
mod.v = 3
exec("def fn(x): return x * v\\n\\nclass Inner:\\n    def __init__(self, x): self.z = x", vars(mod))


class ModSub(types.ModuleType):
    def __getattribute__(self, n):
        return ("modsub", n)
gv = 7
gf = 2.5
w = "3"
st = "abc"
l = [1, 2, 3]
d = {"k": 1}
e = {"c": 3}
lam = lambda x: x + gv
par = functools.partial(f, 1)
bm = o.m


def kw(a, *, b=2, **r):
    return a, b, tuple(r)


def star(*a):
    return a


def defaulted(v="d1"):
    return v


def mk(c):
    def closure(x):
        return c, x
    return closure
closure = mk("c1")


def mk2(c):
    def closure(x):
        return "cl2", c
    return closure
closure2 = mk2("c2")
'''

LOOPS = """
def called(n, at, first):
    seen = []
    for i in range(n):
        if first and i == at:
            change()
        try:
            if not first:
                at_turn(i)
            seen.append(expression(i))
        except Exception as error:
            seen.append((type(error).__name__, str(error)[:40]))
    return seen


def inside(n, at, first):
    seen = []
    for i in range(n):
        if first and i == at:
            change()
        if not first:
            maximum((i,), key=at_turn)
        try:
            {before}result = {expression}
            seen.append(result)
        except Exception as error:
            seen.append((type(error).__name__, str(error)[:40]))
    return seen


def expression(i):
    {before}return {expression}


def change():
    {change}


def at_turn(i):
    if i == AT:
        change()
    return i
"""

AT = 25
MAXIMUM = max
BUILTINS = dict(vars(builtins))
LIMIT, INTERVAL = sys.getrecursionlimit(), sys.getswitchinterval()
PREPARED = compile(NAMES, "names", "exec")


def seen(expression, change):
    """What the expression gives before and after the change, in a function and in the loop itself; the change made by the loop, and
    by what it calls."""
    before, _, last = expression.rpartition("; ")
    loops = compile(LOOPS.format(before=before + "; " if before else "", expression=last, change=change), "loops", "exec")
    for loop in ("called", "inside"):
        for first in (True, False):
            namespace = {"__name__": "program", "AT": AT, "maximum": MAXIMUM}
            try:
                exec(PREPARED, namespace)
                exec(loops, namespace)
                yield [re.sub("0x[0-9a-f]+", "0x", repr(value)) for value in namespace[loop](AT + 15, AT, first)]
            except Exception as error:
                yield repr(error)[:60]
            finally:
                vars(builtins).update(BUILTINS)
                sys.setrecursionlimit(LIMIT)
                sys.setswitchinterval(INTERVAL)


pairs = [(e, c) for e in EXPRESSIONS.splitlines() for c in CHANGES.splitlines()]
for pair in pairs if sys.argv[1:2] == ["whole"] else pairs[::29]:
    print(*pair, sep="; ")
    for turns in seen(*pair):
        # The turns that differ from the one before.
        print("   ", [(i, turn) for i, turn in enumerate(turns) if i in (0, AT) or turn != turns[i - 1]])
