"""bdb, pdb, profile, cProfile and trace, started and stopped inside hot loops; opcode events; what dis shows."""

import bdb
import cProfile
import dis
import io
import pdb
import profile
import pstats
import sys
import trace


def helper(i):
    return i * 2


def loop(n):
    total = 0
    for i in range(n):
        total += helper(i)
        total -= 1
    return total


class Recorder(bdb.Bdb):
    def __init__(self):
        super().__init__()
        self.seen = []

    def user_line(self, frame):
        name = frame.f_code.co_name
        if name in ("loop", "helper"):
            self.seen.append((name, frame.f_lineno - frame.f_code.co_firstlineno, frame.f_locals.get("i")))
        self.set_continue()


def breakpoints(n):
    loop(n)
    recorder = Recorder()
    line = loop.__code__.co_firstlineno + 4
    recorder.set_break(__file__, line, cond="i % 10 == 7")
    recorder.set_break(__file__, helper.__code__.co_firstlineno + 1, cond="i == n - 2 if 'n' in dir() else i == 5")
    result = recorder.runcall(loop, n)
    return result, recorder.seen, loop(n)


def pdb_in_loop(n, commands):
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO(commands), stdout=out, nosigint=True, readrc=False)
    total = 0
    for i in range(n):
        total += helper(i)
        if i == n // 2:
            debugger.set_trace()
        total += 1
    sys.settrace(None)
    text = out.getvalue().replace(__file__, "FILE")
    return total, text


class Steps(bdb.Bdb):
    """Stops at once, also in the middle of a line."""

    def __init__(self, limit):
        super().__init__()
        self.seen = []
        self.limit = limit

    def stop(self, kind, frame):
        self.seen.append((kind, frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        if len(self.seen) < self.limit:
            self.set_step()
        else:
            self.set_quit_quietly()

    def set_quit_quietly(self):
        self.set_continue()
        sys.settrace(None)

    def user_line(self, frame):
        self.stop("line", frame)

    def user_opcode(self, frame):
        self.stop("opcode", frame)


def stepping(n):
    steps = Steps(12)
    total = 0
    for i in range(n):
        if i == n // 2:
            steps.set_trace()
        total += helper(i)
    return total, steps.seen


def opcodes(n):
    events = []

    def tracer(frame, event, arg):
        events.append((event, frame.f_lineno - first))
        return tracer

    def start():
        frame = sys._getframe(1)
        frame.f_trace_opcodes = True
        frame.f_trace = tracer
        sys.settrace(tracer)

    def body():
        total = 0
        for i in range(n):
            if i == n - 2:
                start()
            total += i
        return total

    first = body.__code__.co_firstlineno
    total = body()
    sys.settrace(None)
    return total, events


def shown(n):
    def body():
        total = 0
        i = 0
        while i < n:
            i += 1
            if i % 3:
                continue
            total += i
        return total

    total = body()
    return total, [i.opname for i in dis.get_instructions(body, adaptive=True) if "JUMP" in i.opname]


def profiled(n, profiler):
    loop(n)
    total = 0
    for i in range(n):
        if i == n // 3:
            profiler.enable()
        total += helper(i)
        if i == 2 * n // 3:
            profiler.disable()
    total += loop(n)
    stats = pstats.Stats(profiler, stream=io.StringIO()).stats
    return total, sorted((key[2], value[:2]) for key, value in stats.items() if "disable" not in key[2])


def old_profiler(n):
    profiler = profile.Profile()
    result = profiler.runcall(loop, n)
    profiler.create_stats()
    names = [(key[2].partition(" at ")[0], value[:2]) for key, value in profiler.stats.items() if "profile" not in key[2]]
    return result, sorted(names)


def counted_lines(n):
    loop(n)
    tracer = trace.Trace(count=1, trace=0)
    result = tracer.runfunc(loop, n)
    counts = tracer.results().counts
    first = helper.__code__.co_firstlineno
    return result, sorted((line - first, count) for (file, line), count in counts.items() if file == __file__)


print(breakpoints(60))
print(pdb_in_loop(60, "p i\nn\nn\np total\nb 16\nc\nw\nclear 1\nc\n"))
print(stepping(60))
print(opcodes(40))
print(shown(60))
print(profiled(90, cProfile.Profile()))
print(old_profiler(60))
print(counted_lines(60))
