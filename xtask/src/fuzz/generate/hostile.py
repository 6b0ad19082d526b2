"""Objects that change, from where nobody expects it, what the loop reads; names that are bound anew."""

from .grammar import expression, prelude, statement

prelude(__name__, '''\
import builtins

real_range, real_len, real_abs, real_int = range, len, abs, int
shared = [1, 2, 3, 4, 5, 6, 7]
state = {"n": 0, "on": True}
flag = 3


def pure(x):
    return x


def other(x):
    return 17


def mischief():
    """Changes what somebody may have taken for constant."""
    global flag, pure
    state["n"] += 1
    n = state["n"]
    if n % 5 == 0:
        shared.append(n)
        del shared[12:]
    if n % 7 == 0:
        del shared[3:]
        shared.extend((n, 2, 3))
    if n % 11 == 0:
        flag = flag + 1 if n % 2 else 2.5
    if n % 17 == 0:
        pure, globals()["other"] = other, pure
    if n % 23 == 0:
        Sly.value = n


class Sly:
    value = 4

    def __init__(self, x):
        self.x = x

    def __del__(self):
        mischief()

    def __eq__(self, other):
        mischief()
        return self.x == other

    def __lt__(self, other):
        mischief()
        return self.x < 5

    __hash__ = object.__hash__

    def __getattr__(self, name):
        mischief()
        if name == "gone":
            raise AttributeError(name)
        return self.x

    def __index__(self):
        mischief()
        return 2

    def __bool__(self):
        mischief()
        return self.x % 2 == 0

    def __add__(self, other):
        mischief()
        return 5

    __radd__ = __mul__ = __iadd__ = __add__

    def __neg__(self):
        mischief()
        return 1

    def __call__(self):
        mischief()
        return flag

    def __repr__(self):
        return "Sly(%r)" % self.x

    def __iter__(self):
        mischief()
        return iter((1, 2))


class Int(int):
    def __add__(self, other):
        mischief()
        return int(self) + 1


class Float(float):
    def __mul__(self, other):
        return 0.5


class List(list):
    def __getitem__(self, key):
        mischief()
        return list.__getitem__(self, key)

    def __iter__(self):
        return iter((9, 8))


class Dict(dict):
    def __missing__(self, key):
        mischief()
        return key
''')


@expression("int", 4)
def sly_value(w, depth):
    return w.pick("flag", "pure(%s)", "pure(i)", "shared[0]", "shared[-1]", "len(shared)", "(sly + %s)", "sly.value", "sly.anything", "sly()", "(-sly)",
                  "shared[sly] if len(shared) > 2 else 1", "other(%s)", "Int(3) + 1", "(Int(i) + 2)", "List([1, 2])[i & 1]", "Dict()[i]", "state['n']", "sum(sly)").replace(
                      "%s", w.expr("int", depth))


@expression("bool", 2)
def sly_question(w, depth):
    return w.pick("(sly == %s)", "(sly in shared)", "bool(sly)", "(not sly)", "(sly < %s)", "(3 in [sly, 3])", "(%s == sly)", "hasattr(sly, 'gone')", "(Float(2.5) * d == %s)",
                  "(i in [sly] * 2)").replace("%s", w.expr("int", depth))


@statement(3)
def use_sly(w, depth):
    w.line(depth, w.pick("sly = Sly(i)", "sly = None; sly = Sly(2)", "x = sly", "x = [Sly(1)]", "items[0] = Sly(i) and 4", "a = Int(i)", "d = Float(1.5)", "Sly(i)", "a += sly",
                         "kept.append(Sly(3)); del kept[2:]", "table[Sly(1)] = 2; table = {}", "x = (Sly(1), Sly(2))", "q = p = Sly(5); q = None", "mischief()",
                         "p, x = Sly(i), p", "b, *x = sly", "x = Dict()", "x = List((1, 2))", "items = List((1, 2, 3, 4, 5, 6)); items = list(range(6))"))


@statement(1.5)
def over_shared(w, depth):
    counter = w.fresh("n")
    w.line(depth, "%s = 0" % counter)
    w.line(depth, "for %s in %s:" % (w.pick("a", "x", "b"), w.pick("shared", "enumerate(shared)", "zip(shared, items)", "shared[:]", "map(pure, shared)", "sly")))
    w.line(depth + 1, "%s += 1" % counter)
    w.line(depth + 1, "if %s > 12: break" % counter)
    w.line(depth + 1, w.pick("mischief()", "c = sly + i", "x = Sly(1)", "b = pure(i)", "if sly == b: shared.append(1); del shared[9:]", "c = flag"))


@statement(1)
def rebind_global(w, depth):
    when = w.pick("i == 18", "i % 40 == 20", "i == 33", "i == 4")
    w.line(depth, "if %s: %s" % (when, w.pick("globals()['flag'] = i", "globals()['flag'] = None if i == 33 else 3", "globals()['pure'] = other", "globals()['pure'] = abs",
                                              "pure.__code__ = other.__code__", "globals()['other'] = lambda x: x", "pure.__defaults__ = (5,)", "globals().pop('flag', 0)",
                                              "globals().setdefault('flag', 9)", "globals()['len'] = lambda x: 77", "globals().pop('len', 0)", "globals()['g0'] = 2.5",
                                              "globals()['range'] = lambda *y: real_range(3)", "globals().pop('range', 0)", "exec('flag = 12', globals())")))


@statement(0.7)
def rebind_builtin(w, depth):
    name = w.pick("len", "abs", "int", "range")
    fake = {"len": "lambda x: 6", "abs": "lambda x: 3", "int": "float", "range": "lambda *y: real_range(2)"}[name]
    w.line(depth, "if %s: builtins.%s = %s" % (w.pick("i == 16", "i % 32 == 10"), name, fake))
    w.line(depth, "a = %s" % w.pick("len(items)", "abs(i)", "int(i)", "len(range(3))"))
    w.line(depth, "if %s: builtins.%s = real_%s" % (w.pick("i == 22", "i % 32 == 12", "i == 16"), name, name))
