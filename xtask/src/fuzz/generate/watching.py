"""Those who look at frames: callees, other threads, tracers that are switched on inside a loop."""

from .grammar import expression, prelude, statement

prelude(__name__, '''\
import sys
import threading
import traceback

LOOKED = {"a", "b", "c", "d", "e", "s", "i", "k", "n", "total"}


def look(depth=1):
    """What the callers' frames say."""
    frame = sys._getframe(depth)
    seen = []
    while frame and frame.f_code.co_filename == __file__ and len(seen) < 4:
        values = frame.f_locals if frame.f_code.co_name != "<module>" else {}
        seen.append((frame.f_code.co_name, frame.f_lineno, EXACT and frame.f_lasti, sorted((k, show(v)) for k, v in values.items() if k in LOOKED)))
        frame = frame.f_back
    log(*seen)
    return 1


def look_inside(a):
    b = a
    return look(1) + b if a else look(2)


def write_back(value):
    """On 3.13 this changes the caller's variable."""
    sys._getframe(1).f_locals["a"] = value
    return 2


def keep_frame():
    frames.append(sys._getframe(1))
    del frames[:-2]
    return 3


def look_from_thread():
    me = threading.get_ident()

    def run():
        frame = sys._current_frames()[me]
        while frame and frame.f_code.co_name != "look_from_thread":
            frame = frame.f_back
        look_at = frame.f_back
        log("thread", look_at.f_code.co_name, look_at.f_lineno, sorted((k, show(v)) for k, v in look_at.f_locals.items() if k in LOOKED))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return 4


def stack():
    return [(f.name, f.lineno) for f in traceback.extract_stack() if f.filename == __file__][-3:]


class Looker:
    """Looks when it dies and when it is asked for its truth."""

    def __del__(self):
        look(1)

    def __bool__(self):
        look(1)
        return True

    def __getattr__(self, name):
        look(1)
        return 5


frames = []
events = []


def tracer(frame, event, arg):
    if frame.f_code.co_filename != __file__ or frame.f_code.co_name in ("log", "show", "trace_off", "profile_off", "monitor_off"):
        return None
    events.append((event, frame.f_code.co_name, frame.f_lineno, show(frame.f_locals.get("a", 0))))
    if len(events) > 60:
        sys.settrace(None)
        frame.f_trace = None
    return tracer


def profiler(frame, event, arg):
    if frame.f_code.co_filename == __file__:
        events.append((event, frame.f_code.co_name, frame.f_lineno, getattr(arg, "__name__", None) if event.startswith("c_") else None))
        if len(events) > 60:
            sys.setprofile(None)


def trace_on(here):
    sys.settrace(tracer)
    if here:
        sys._getframe(1).f_trace = tracer
    return 5


def trace_off():
    sys.settrace(None)
    log("traced", len(events), *events[:40])
    del events[:]
    return 6


def profile_on():
    sys.setprofile(profiler)
    return 7


def profile_off():
    sys.setprofile(None)
    log("profiled", len(events), *events[:40])
    del events[:]
    return 8


def monitor_on(code, kinds, tool=3, once=False):
    """Of a code object, or everywhere; `once`: each event is disabled where it has happened."""
    if sys.monitoring.get_tool(tool) is None:
        sys.monitoring.use_tool_id(tool, "fuzz")
    E = sys.monitoring.events

    def on_event(code, *args):
        if code.co_filename == __file__ and len(events) < 60:
            events.append((tool, code.co_name) + tuple(x for x in args if type(x) is int))
        return sys.monitoring.DISABLE if once else None

    for event in (E.LINE, E.JUMP, E.BRANCH, E.PY_START, E.PY_RETURN, E.PY_YIELD, E.INSTRUCTION):
        sys.monitoring.register_callback(tool, event, on_event if event & kinds else None)
    if code is None:
        sys.monitoring.set_events(tool, kinds)
    else:
        sys.monitoring.set_local_events(tool, code, kinds)
    return 9


def monitor_off(*tools):
    for tool in tools or (1, 3, 4):
        if sys.monitoring.get_tool(tool) is not None:
            sys.monitoring.set_events(tool, 0)
            for code in list(looked_at):
                sys.monitoring.set_local_events(tool, code, 0)
            sys.monitoring.free_tool_id(tool)
    log("monitored", len(events), *events[:40])
    del events[:]
    return 10


looked_at = []
''')


@expression("int", 2)
def look(w, depth):
    return w.pick("look()", "look_inside(i & 1)", "look_inside(1)", "write_back(i)", "keep_frame()", "len(stack())", "(1 if Looker() else 2)", "Looker().x", "sys._getframe().f_lineno",
                  "len(sys._getframe().f_locals)", "(sys._getframe().f_back is not None)", "[look() for y in (1, 2)][0]", "(lambda: look(1))()", "sorted([1], key=lambda y: look(2))[0]",
                  "sys._getframe().f_locals['a']", "len(locals())")


@statement(2)
def look_at_times(w, depth):
    w.line(depth, "if %s: %s" % (w.pick("i % 9 == 8", "i == 20", "i % 30 == 17", "i & 3 == 1"), w.pick(
        "look()", "c = look_inside(i)", "look_from_thread()", "b = write_back(i)", "keep_frame()", "log(*stack())", "x = Looker()", "x = None", "log(sorted(k for k in locals() if k in LOOKED))",
        "sys._getframe().f_locals['b'] = 7", "frames and log(frames[-1].f_lineno, show(frames[-1].f_locals.get('a')))", "frames.clear()", "x = sys._getframe()", "x = locals()")))


@statement(1)
def trace(w, depth):
    at = w.pick(10, 18, 25)
    w.line(depth, "if i == %d: trace_on(%s)" % (at, w.pick("True", "False")))
    if w.chance(0.9):
        w.line(depth, "if i == %d: trace_off()" % (at + w.pick(0, 1, 2, 6)))


@statement(1)
def profile(w, depth):
    at = w.pick(10, 18, 25)
    w.line(depth, "if i == %d: profile_on()" % at)
    if w.chance(0.9):
        w.line(depth, "if i == %d: profile_off()" % (at + w.pick(0, 1, 2, 6)))


@statement(1)
def monitor(w, depth):
    at, tool = w.pick(10, 18, 25), w.pick(1, 3, 3, 4)
    kinds = " | ".join("sys.monitoring.events." + w.pick("LINE", "JUMP", "BRANCH", "INSTRUCTION", "PY_START", "PY_RETURN", "PY_YIELD") for _ in range(w.pick(1, 1, 2, 3)))
    w.line(depth, "if i == %d: looked_at.append(sys._getframe().f_code); monitor_on(%s, %s, %d, %s)" % (
        at, w.pick("looked_at[-1]", "looked_at[-1]", "None"), kinds, tool, w.pick("False", "False", "True")))
    w.line(depth, "if i == %d: monitor_off(%s)" % (at + w.pick(1, 2, 6), w.pick("", "", tool)))
    if w.chance(0.2):
        w.line(depth, "if i == %d: sys.monitoring.restart_events()" % (at + 3))
