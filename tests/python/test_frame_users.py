"""C functions that look at the frame that calls them, in functions and methods that hot loops call."""

import builtins
import collections
import contextvars
import copy
import enum
import functools
import gc
import inspect
import io
import logging
import operator
import re
import sys
import traceback
import types
import typing
import warnings

EXPRESSIONS = """\
locals()
sorted(vars())
dir()
eval("x + 1")
eval("y", {"y": x})
eval("x + y", None, {"x": 1, "y": x})
exec("z = x") or x
globals()["__name__"]
sys._getframe().f_code.co_name
sys._getframe(1).f_code.co_name
sys._getframe().f_lineno
sys._getframe().f_back.f_lineno
sorted(sys._getframe().f_locals)
sorted(sys._getframe(1).f_locals)
sys._getframe().f_globals is globals()
sys._getframe().f_builtins is vars(builtins)
sys._getframemodulename(0)
sys._getframemodulename(1)
[f.function for f in inspect.stack(0)][:2]
inspect.getframeinfo(inspect.currentframe()).lineno
[f.name for f in traceback.extract_stack()][-2:]
[f.lineno for f in traceback.extract_stack()][-2:]
warnings.warn("here", stacklevel=1)
warnings.warn("there", stacklevel=2)
logger.warning("hi") or logged[-1]
collections.namedtuple("N", "a b").__module__
typing.NamedTuple("N", [("a", int)]).__module__
enum.Enum("E", "A B").__module__
typing.TypeVar("T").__module__
type("C", (), {}).__module__
(lambda: locals())()
(lambda: sys._getframe(1).f_code.co_name)()
[sys._getframe().f_code.co_name for _ in (1,)]
[sorted(k for k in locals() if k[0] != ".") for _ in (1,)]
list(sys._getframe().f_code.co_name for _ in (1,))
sys.exc_info()
raising(x)
caught(x)
nested(x)
with_manager(x)
generated(x)
variable.set(x) and variable.get() == x
contextvars.copy_context().run(variable.get) is not None
functools.reduce(lambda a, b: a + len(locals()), range(4))
sorted([3, 1, 2], key=lambda v: (v, len(sys._getframe(1).f_locals)))
list(map(lambda v: sys._getframe(1).f_code.co_name, (1,)))
operator.call(locals)
operator.call(vars)
functools.partial(locals)()
functools.partial(eval, "x")()
(locals if x % 2 else globals)().get("x")
[*map(eval, ["x", "x + 1"])]
[*map(exec, ["q = 1"])]
list(map(sys._getframe, (0,)))[0].f_code.co_name
copy.copy(locals())
gc.is_tracked(locals())
sys.call_tracing(eval, ("1 + 1",))
sys._getframe().f_locals["x"]
sys._getframe().f_locals == locals()
locals() is locals()
vars() is locals()
sys._getframe().f_locals is sys._getframe().f_locals
sys._getframe() is sys._getframe()
len(locals()) + len(locals())
re.sub("a", lambda m: sys._getframe(1).f_code.co_name, "a")
Derived().who()
Derived().name()
"%(x)s" % locals()
"{x}".format_map(locals())
eval(compile("x + 2", "f", "eval"))
dict(**locals()), {**locals()}, [*locals()]
sum(v for v in locals().values() if type(v) is int)
"""

PROGRAM = """
def asks(x):
    y = x * 2
    return {0}


class Asker:
    def asks(self, x):
        y = x * 2
        return {0}


def functions(n):
    seen = {{}}
    for i in range(n):
        note(seen, asks(i % 4))
    return seen


def methods(n):
    asker, seen = Asker(), {{}}
    for i in range(n):
        note(seen, asker.asks(i % 4))
    return seen
"""

logged = []
logger = logging.getLogger("frames")
handler = logging.Handler()
handler.emit = lambda record: logged.append((record.funcName, record.lineno))
logger.addHandler(handler)
logger.propagate = False
variable = contextvars.ContextVar("variable", default=1)


class Base:
    def who(self):
        return "base"


class Derived(Base):
    def who(self):
        parent = super
        return parent().who() + super().who()

    def name(self):
        return __class__.__name__


def raising(x):
    try:
        raise ValueError(x)
    except ValueError as error:
        return error.__traceback__.tb_lineno, sys.exc_info()[0].__name__, sys._getframe().f_lineno


def caught(x):
    try:
        x / 0
    except ZeroDivisionError:
        return type(sys.exception()).__name__, sorted(locals())


def nested(x):
    try:
        x / 0
    except ZeroDivisionError:
        return raising(x), type(sys.exception()).__name__


class Manager:
    def __enter__(self):
        return sorted(sys._getframe(1).f_locals)

    def __exit__(self, *error):
        return True


def with_manager(x):
    with Manager() as names:
        x / 0
    return names, sys.exception()


def generated(x):
    def generator():
        yield sorted(locals())
        yield sys._getframe(1).f_code.co_name

    return list(generator())


def note(seen, value):
    text = re.sub("0x[0-9a-f]+", "0x", repr(value))[:200]
    seen[text] = seen.get(text, 0) + 1


def ask(expression, turns):
    namespace = dict(globals())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(PROGRAM.format(expression), "program", "exec"), namespace)
        for name in ("functions", "methods"):
            namespace[name](4)
            gc.collect()
            before = len(gc.get_objects())
            seen = namespace[name](turns)
            places = collections.Counter((warning.filename == "program", warning.lineno) for warning in caught)
            caught.clear()
            logged.clear()
            gc.collect()
            stays = len(gc.get_objects()) - before > turns // 2
            print(expression, name, sorted(seen.items()), sorted(places.items()), stays)


for line in EXPRESSIONS.splitlines():
    ask(line, 150)
ask("locals() is locals(), sorted(locals())", 4000)
