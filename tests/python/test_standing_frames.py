"""Inlined functions that call code which looks at frames: it finds a frame for each, and what it does to them counts."""

import functools
import gc
import sys
import traceback


class Looker:
    """Looks at frames when it is compared, called through C, or dies."""

    def __init__(self, value, look=None):
        self.value = value
        self.look = look

    def __lt__(self, other):
        if self.look:
            self.look()
        return self.value < other.value

    def __add__(self, other):
        if self.look:
            self.look()
        return self.value + other

    def __bool__(self):
        if self.look:
            self.look()
        return self.value > 3


def chain():
    frame = sys._getframe(2)
    names = []
    while frame is not None and frame.f_code.co_name != "<module>":
        names.append((frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        frame = frame.f_back
    return names


def added(a, b):
    c = b + 1
    return a + c


def outer(a, b):
    d = (
        b * 2
    )
    return added(a, d) + d


def who_is_there():
    seen = []
    plain = Looker(5)
    looking = Looker(5, lambda: seen.append(chain()))
    total = 0
    for i in range(40):
        total += outer(looking if i in (3, 30, 39) else plain, i)
    print("who", total, seen)


def locals_seen():
    seen = []

    def look():
        frame = sys._getframe(2)
        seen.append((sorted(n for n in frame.f_locals if n != "a"), frame.f_locals["c"]))
        back = frame.f_back
        seen.append((sorted(n for n in back.f_locals if n != "a"), back.f_locals["d"]))

    plain, looking = Looker(1), Looker(2, look)
    total = 0
    for i in range(30):
        total += outer(looking if i % 11 == 10 else plain, i)
    print("locals", total, seen)


def locals_written():
    def look():
        frame = sys._getframe(2)
        try:
            frame.f_locals["b"] = 1000
            frame.f_locals["c"] = [1, 2]
            frame.f_back.f_locals["d"] = 5
        except Exception as error:
            print(error)

    def late(a, b):
        c = b
        r = a + c
        return r, b, c

    def middle(a, b):
        d = b
        r = late(a, d)
        return r, d

    plain, looking = Looker(1), Looker(2, look)
    out = []
    for i in range(30):
        r = middle(looking if i in (7, 25) else plain, i)
        out.append(r)
    # What 3.12 does with such writes it does here too.
    print("written", out[6:9], out[24:27])


def raising():
    def look():
        raise ValueError("from look")

    plain, bad = Looker(1), Looker(2, look)
    out = 0
    for i in range(40):
        try:
            out += outer(bad if i % 13 == 12 else plain, i)
        except ValueError as error:
            tb = error.__traceback__
            places = []
            while tb:
                places.append((tb.tb_frame.f_code.co_name, tb.tb_lineno - tb.tb_frame.f_code.co_firstlineno, tb.tb_lasti))
                tb = tb.tb_next
            print("raised", places)
            print(traceback.format_exc().count("return"))
    print("raising", out)


def handled_inside():
    def look():
        raise KeyError(1)

    def guarded(a, b):
        try:
            return a + b
        except KeyError as error:
            return len(traceback.extract_tb(error.__traceback__)) * 100 + b

    def middle(a, b):
        return guarded(a, b) + 1

    plain, bad = Looker(1), Looker(2, look)
    out = 0
    for i in range(40):
        out += middle(bad if i % 7 == 6 else plain, i)
    print("handled", out)


def kept_frames():
    frames = []
    plain = Looker(1)
    looking = Looker(2, lambda: frames.append(sys._getframe(2)))
    total = 0
    for i in range(30):
        total += outer(looking if i in (9, 10, 28) else plain, i)
    for frame in frames:
        print("kept", frame.f_code.co_name, frame.f_locals["b"], frame.f_locals["c"], frame.f_back.f_code.co_name, frame.f_back.f_locals["d"])
    print(total)


class Dying:
    log = []

    def __init__(self, number):
        self.number = number

    def __del__(self):
        frame = sys._getframe(1)
        Dying.log.append((self.number, frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))


def replaced(n, make):
    x = make(n)
    x = None
    y = make(-n)
    y = 3
    return y


def dies_in_return(n, make):
    z = make(n + 100)
    return n


def finalisers():
    make = functools.partial(Dying)
    for i in range(12):
        replaced(i, make)
        dies_in_return(i, make)
    print("del", Dying.log)


def collected():
    def look():
        gc.collect()
        objects = gc.get_objects()
        del objects

    plain, looking = Looker(1), Looker(2, look)
    total = 0
    for i in range(24):
        total += outer(looking if i in (5, 20) else plain, i)
    print("gc", total)


def recursion_limit():
    depths = []

    def deep():
        def down(n):
            try:
                return down(n + 1)
            except RecursionError:
                return n

        depths.append(down(0))

    plain, looking = Looker(1), Looker(2, deep)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(150)
    try:
        total = 0
        for i in range(24):
            total += outer(looking if i in (5, 6, 20) else plain, i)
    finally:
        sys.setrecursionlimit(limit)
    print("recursion", total, depths)


def tracing_switched_on():
    events = []

    def tracer(frame, event, arg):
        events.append((event, frame.f_code.co_name))
        return None

    def helper(x):
        return x + 1

    def switching(f, x):
        f()
        return helper(x)

    # One kind of callable, so that nothing but the call itself is different when tracing begins.
    calls = [functools.partial(bool)] * 20 + [functools.partial(sys.settrace, tracer)] + [functools.partial(int)] * 3
    total = 0
    for i, f in enumerate(calls):
        total += switching(f, i)
    for i, f in enumerate(calls[20:]):
        f()
        total += helper(i)
    sys.settrace(None)
    print("trace", total, events)


def count_in_callee(count, o, keep):
    p = o
    return count(p), keep


def counted():
    """Reference counts are what the interpreter would show."""
    counts = []
    thing = object()
    for i in range(12):
        counts.append(count_in_callee(sys.getrefcount, thing, i)[0])
    print("counts", counts)


def generators():
    def gen(n):
        for k in range(n):
            yield (k, sys._getframe(1).f_code.co_name)

    def step(g, pull):
        return pull(g)

    g = gen(30)
    print("gen", [step(g, next) for i in range(0)], end=" ")
    out = []
    for i in range(30):
        out.append(step(g, next))
    print(out[0], out[-1], len(set(out)))


def truth():
    seen = []

    def look():
        seen.append(chain())

    def pick(a, b):
        if a:
            return b
        return -b

    values = [Looker(9), Looker(1), Looker(9, look)]
    total = 0
    for i in range(40):
        total += pick(values[2 if i == 33 else i % 2], i)
    print("truth", total, seen)


def sorts_inside():
    def key(r):
        return -r

    def sorted_again(values):
        first = sorted(values, key=key)
        return first[0], max(values, key=key)

    out = []
    for i in range(20):
        out.append(sorted_again([i, 5, 9]))
    print("sorts", out[-1], len(out))


def exec_inside():
    def run(text, n):
        a = n
        scope = {"n": n}
        exec(text, scope)
        return scope["r"] + a

    total = 0
    for i in range(20):
        total += run("r = n * 2", i)
    print("exec", total)


def locals_function():
    def inside(a, b):
        c = a + b
        return sorted(locals().items())

    out = None
    for i in range(20):
        out = inside(i, 1)
    print("locals()", out)


def locals_twice():
    """Before 3.13 a frame has one dict of its locals, for as long as it runs."""

    def inside(a):
        b = a + 1
        first = locals()
        second = locals()
        return first is second, len(first), len(dir()), eval("b") - b, sorted(vars())

    def hot(turns):
        seen = {}
        for i in range(turns):
            key = str(inside(i))
            seen[key] = seen.get(key, 0) + 1
        return seen

    gc.collect()
    hot(10)
    before = len(gc.get_objects())
    seen = hot(3000)
    gc.collect()
    print("locals() twice", seen, len(gc.get_objects()) < before + 100)


who_is_there()
locals_seen()
locals_written()
raising()
handled_inside()
kept_frames()
finalisers()
collected()
recursion_limit()
tracing_switched_on()
counted()
generators()
truth()
sorts_inside()
exec_inside()
locals_function()
locals_twice()
