"""A whole program: definitions, a function with hot loops, calls of it with values of several kinds."""

import random

from . import calls, constants, containers, control, generators, hostile, identity, lifetimes, numbers, objects, signatures, strings, watching  # noqa: F401
from .control import loop
from .grammar import DEFINITIONS, PRELUDES, Writer

THEMES = ["strings", "containers", "objects", "calls", "generators", "hostile", "lifetimes", "watching", "identity", "signatures"]

BASE = '''\
import sys

NAN, INF = float("nan"), float("inf")
# On 3.12 where in a call a frame stands depends on whether the call is specialised yet.
EXACT = sys.version_info >= (3, 13)
logged = []


def log(*what):
    logged.append(what)
    if len(logged) > 400:
        del logged[200:]


def where():
    return [logged and logged[-1][0]]


def show(value, depth=0):
    """Text that does not depend on addresses."""
    kind = type(value)
    if kind is int and abs(value) > 10**60:
        return "int of %d bits, %d" % (value.bit_length(), value % 1000003)
    if kind in (list, tuple) and depth < 3:
        same = [[i for i, y in enumerate(value) if y is x][0] for x in value if x == x] if depth == 0 and all(type(x) in (int, float) for x in value) else ""
        return "%s(%s)%s" % (kind.__name__, ", ".join([show(x, depth + 1) for x in value[:40]]), same)
    if kind is dict and depth < 3:
        return "{%s}" % ", ".join([show(k, depth + 1) + ": " + show(v, depth + 1) for k, v in value.items()])
    if kind in (int, float, str, bool, type(None), bytes, range, slice, bytearray):
        return repr(value)
    if kind in (set, frozenset):
        return "set of %d" % len(value)
    if hasattr(kind, "__slots__"):
        return "%s(%s)" % (kind.__name__, ", ".join([show(getattr(value, k, None), depth + 1) for k in kind.__slots__])) if depth < 2 else kind.__name__
    if kind.__module__ == "__main__" and depth < 2 and "__dict__" in dir(kind):
        return "%s%s" % (kind.__name__, show(dict(sorted(object.__getattribute__(value, "__dict__").items(), key=str)), depth + 1))
    return kind.__name__


def report(function, *makers):
    """Calls it and prints all there is to see."""
    for make in makers:
        for again in range(REPEAT):
            try:
                print(function.__name__, show(function(*make())))
            except Exception as error:
                while error is not None:
                    places = []
                    tb = error.__traceback__.tb_next if error.__traceback__ else None
                    while tb and len(places) < 8:
                        names = [] if tb.tb_frame.f_code.co_name == "<module>" else tb.tb_frame.f_locals.items()
                        places.append((tb.tb_frame.f_code.co_name, tb.tb_lineno, EXACT and tb.tb_lasti, sorted([(k, show(v)) for k, v in names if k in "abcdeist"])))
                        tb = tb.tb_next
                    print(function.__name__, type(error).__name__, str(error), places)
                    error = error.__context__
            for line in logged:
                print(" ", show(line) if type(line) is tuple else line)
            logged.clear()
'''


def arguments(w, plain):
    """A text that makes the arguments anew."""
    def of(kind):
        if not plain and w.chance(0.15):
            kind = w.pick("int", "float", "str", "obj")
        if kind == "obj":
            return w.pick("Point(1, 2)", "Sub(3, 4)", "Slots(5, 6)", "Lazy(7)", "Point(1.5, 2)") if "objects" in w.themes else w.pick("None", "7", "'p'", "2.5")
        return constants.literal(w, kind) if kind != "int" or w.chance(0.5) else repr(w.random.randrange(-9, 300))

    values = [of(kind) for kind in ("int", "int", "int", "float", "float", "str", "str", "obj", "obj")]
    items = "[%s]" % ", ".join(constants.int_literal(w) if not w.chance(0.02) else "2.5" for _ in range(6))
    reals = "[%s]" % ", ".join(w.random.choice(constants.FLOATS) if not w.chance(0.02) else "3" for _ in range(6))
    return "lambda: (%s, %s, %s)" % (", ".join(values), items, reals)


def program(seed):
    """The text of program number `seed`."""
    chooser = random.Random("themes %d" % seed)
    themes = {"numbers", "control"}
    themes.update(chooser.sample(THEMES, chooser.choice((0, 1, 1, 2, 2, 2, 3, 4, 10))))
    w = Writer(seed, themes)
    w.inside = 0
    w.loops = 0
    w.level = 0
    for theme in ["numbers", "control"] + THEMES:
        if theme in themes and theme in PRELUDES:
            w.lines += PRELUDES[theme].splitlines() + ["", ""]
    for theme, define in DEFINITIONS:
        if theme in themes:
            define(w)
    w.line(0, "def f(a, b, c, d, e, s, t, p, q, items, reals):")
    w.line(1, "global g0, g1, g2")
    w.line(1, "g0, g1, g2 = 3, 0.5, -7")
    w.line(1, "i = 0")
    w.line(1, "x = None")
    w.line(1, "kept = []")
    w.line(1, "table = {0: 1, 1: 2, 2: 3}")
    w.line(1, "pair = (a, d)")
    w.line(1, "pairs = [(y, 7 - y) for y in range(9)]")
    if "calls" in themes:
        w.line(1, "step, peek = counter(3)")
        w.line(1, "inner = lambda y: y")
    if "generators" in themes:
        w.line(1, "gen = upto(30)")
    if "hostile" in themes:
        w.line(1, "sly = Sly(4)")
    for _ in range(w.random.randint(1, 2)):
        loop(w, 1, 0)
    if w.chance(0.5):
        w.line(1, "pass")
    w.line(1, "return [a, b, c, d, e, i, s, t, p, q, x, items, reals, table, kept, g0, g1, g2]")
    w.line(0, "")
    w.line(0, "")
    makers = [arguments(w, number == 0) for number in range(w.random.randint(1, 4))]
    w.line(0, "report(f, %s)" % ", ".join(makers))
    for theme, closing in (("watching", "trace_off(); profile_off(); monitor_off()"), ):
        if theme in themes:
            w.line(0, closing)
    base = BASE.replace("REPEAT", w.pick("1", "1", "2", "3"))
    return base + "\n\n" + "\n".join(w.lines) + "\n"
