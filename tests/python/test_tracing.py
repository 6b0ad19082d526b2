"""sys.settrace, sys.setprofile and sys.monitoring started and stopped while loops are hot."""

import sys


def work(n, at, start, stop):
    total = 0
    for i in range(n):
        total += i
        if i == at:
            start()
        total += helper(i)
        if i == at + 3:
            stop()
    return total


def helper(i):
    return i * 2


def traced(n):
    events = []

    def tracer(frame, event, arg):
        events.append((event, frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        return tracer

    def start():
        sys.settrace(tracer)
        sys._getframe(1).f_trace = tracer

    def stop():
        sys.settrace(None)
        sys._getframe(1).f_trace = None

    total = work(n, n // 2, start, stop)
    return total, events


def profiled(n):
    events = []

    def profiler(frame, event, arg):
        events.append((event, frame.f_code.co_name, getattr(arg, "__name__", None)))

    total = work(n, n // 2, lambda: sys.setprofile(profiler), lambda: sys.setprofile(None))
    return total, events


def monitored(n):
    mon = sys.monitoring
    tool = 3
    events = []
    mon.use_tool_id(tool, "test")
    mon.register_callback(tool, mon.events.LINE, lambda code, line: events.append((code.co_name, line - code.co_firstlineno)))
    mon.register_callback(tool, mon.events.PY_START, lambda code, at: events.append((code.co_name, "start", at)))
    mon.register_callback(tool, mon.events.PY_RETURN, lambda code, at, value: events.append((code.co_name, "return", value)))

    def start():
        mon.set_events(tool, mon.events.LINE | mon.events.PY_START | mon.events.PY_RETURN)

    def stop():
        mon.set_events(tool, 0)

    total = work(n, n // 2, start, stop)
    mon.free_tool_id(tool)
    return total, events


def local_monitoring(n):
    mon = sys.monitoring
    tool = 4
    jumps = []
    mon.use_tool_id(tool, "local")
    mon.register_callback(tool, mon.events.JUMP, lambda code, a, b: jumps.append(a > b))
    mon.register_callback(tool, mon.events.LINE, lambda code, line: jumps.append(line - code.co_firstlineno))

    def start():
        mon.set_local_events(tool, work.__code__, mon.events.JUMP | mon.events.LINE)

    def stop():
        mon.set_local_events(tool, work.__code__, 0)

    total = work(n, n // 2, start, stop)
    mon.free_tool_id(tool)
    return total, jumps


def whole_run(n):
    """Traced from before the loop to after it."""
    lines = {}

    def tracer(frame, event, arg):
        if event == "line":
            key = frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno
            lines[key] = lines.get(key, 0) + 1
        return tracer

    nothing = lambda: None
    work(n, n // 2, nothing, nothing)
    sys.settrace(tracer)
    total = work(n, n // 2, nothing, nothing)
    sys.settrace(None)
    total += work(n, n // 2, nothing, nothing)
    return total, sorted(lines.items())


def jumping(n):
    """A debugger moves the line of a hot loop."""
    log = []

    def body():
        total = 0
        for i in range(n):
            total += i
            if i == n // 2:
                begin()
            total += 1000
            total += 1
        return total

    def begin():
        def tracer(frame, event, arg):
            if event == "line" and frame.f_lineno == first + 6:
                frame.f_lineno = first + 7
                frame.f_trace = None
                sys.settrace(None)
                log.append("jumped")
            return tracer

        sys.settrace(tracer)
        sys._getframe(1).f_trace = tracer

    first = body.__code__.co_firstlineno
    return body(), log


def instructions(n, everywhere):
    """One tool has INSTRUCTION events, another gets JUMP events later: the first goes on."""
    mon = sys.monitoring
    seen = []
    for tool in (3, 4):
        mon.use_tool_id(tool, "tool %d" % tool)
    mon.register_callback(3, mon.events.INSTRUCTION, lambda code, at: code is body.__code__ and seen.append(at))
    mon.register_callback(4, mon.events.JUMP, lambda code, a, b: None)

    def body():
        total = 0
        for i in range(n):
            total += i
            if i == n // 2:
                if everywhere:
                    mon.set_events(3, mon.events.INSTRUCTION)
                else:
                    mon.set_local_events(3, body.__code__, mon.events.INSTRUCTION)
            if i == n // 2 + 4:
                mon.set_local_events(4, body.__code__, mon.events.JUMP)
        return total

    total = body()
    for tool in (3, 4):
        mon.set_events(tool, 0)
        mon.set_local_events(tool, body.__code__, 0)
        mon.free_tool_id(tool)
    return total, len(seen), seen[:3], seen[-3:]


print(traced(60))
print(profiled(60))
print(monitored(60))
print(local_monitoring(60))
print(whole_run(40))
print(jumping(60))
def disabled(n):
    """A tool disables its LINE events, one by one; those of a tracer that comes later begin anew."""
    mon = sys.monitoring
    seen = []

    def on_line(code, line):
        if code is body.__code__:
            seen.append(line - code.co_firstlineno)
        return mon.DISABLE

    def body():
        total = 0
        for i in range(n):
            total += i
            if i == n // 3:
                mon.set_events(1, mon.events.LINE | mon.events.JUMP)
            if i == n // 2:
                sys.settrace(lambda frame, event, arg: None)
        return total

    mon.use_tool_id(1, "lines")
    mon.register_callback(1, mon.events.LINE, on_line)
    mon.register_callback(1, mon.events.JUMP, lambda code, a, b: None)
    total = body()
    sys.settrace(None)
    mon.set_events(1, 0)
    mon.free_tool_id(1)
    return total, seen


def switched(n):
    """Events that a tool has disabled in a function begin anew when it gives them up and takes them again."""
    mon = sys.monitoring
    seen = []

    def on_return(code, at, value):
        if code is helper.__code__:
            seen.append(value)
        return mon.DISABLE

    def body(on, off):
        total = 0
        for i in range(n, 0, -1):
            total += helper(i)
            if i == on:
                mon.set_events(1, mon.events.PY_RETURN)
            if i == off:
                mon.set_events(1, 0)
        return total

    mon.use_tool_id(1, "returns")
    mon.register_callback(1, mon.events.PY_RETURN, on_return)
    total = [body(n // 2, n // 2 + 2) for _ in range(3)] + [body(n // 2, n // 3) for _ in range(3)]
    mon.set_events(1, 0)
    mon.free_tool_id(1)
    return total, seen


print(instructions(60, False))
print(instructions(60, True))
print(disabled(60))
print(switched(60))
print(switched(3000))
print(traced(60))
