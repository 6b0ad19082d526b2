"""What can be seen of frames while loops are hot: locals(), f_lineno, f_back, stacks, writes."""

import inspect
import sys
import traceback


def caller_locals():
    frame = sys._getframe(1)
    return dict(frame.f_locals), frame.f_lineno - frame.f_code.co_firstlineno


def seen_by_callee(n):
    total = 0
    seen = []
    for i in range(n):
        total += i * 2
        x = total / 2
        if i % 40 == 39:
            seen.append(caller_locals()[0]["total"])
            seen.append(caller_locals()[0]["x"])
            seen.append(caller_locals()[1])
        y = i
    return seen


def depth():
    count = 0
    frame = sys._getframe()
    while frame is not None:
        count += 1
        frame = frame.f_back
    return count


def names():
    out = []
    frame = sys._getframe(1)
    while frame is not None:
        out.append((frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        frame = frame.f_back
    return out


def inner(i):
    k = i + 1
    if i % 50 == 49:
        return names()
    return None


def middle(i):
    a = i
    result = inner(a)
    return result


def inlined_frames(n):
    seen = []
    for i in range(n):
        found = middle(i)
        if found:
            seen.append(found)
    return seen


def depths(n):
    found = set()
    for i in range(n):
        found.add(depth())
    return len(found)


def own_locals(n):
    total = 0
    snapshots = []
    for i in range(n):
        total += i
        if i % 30 == 29:
            snapshots.append(sorted((k, v) for k, v in locals().items() if k != "snapshots"))
    return snapshots


def own_lines(n):
    lines = set()
    for i in range(n):
        lines.add(sys._getframe().f_lineno)
        lines.add(
            sys._getframe().f_lineno
        )
    first = sys._getframe().f_code.co_firstlineno
    return sorted(line - first for line in lines)


def kept_frames(n):
    """Frame objects of calls that are over keep their locals."""
    frames = []

    def make(i):
        value = i * 10
        if i % 20 == 0:
            frames.append(sys._getframe())
        value += 1
        return value

    total = 0
    for i in range(n):
        total += make(i)
    return total, [(frame.f_locals["i"], frame.f_locals["value"], frame.f_back is None) for frame in frames]


def eval_names(n):
    a = 1
    total = 0
    for i in range(n):
        a += i
        total += eval("a + i")
        exec("a = 0")
    return total


def stack_text(n):
    texts = set()
    for i in range(n):
        if i % 25 == 24:
            texts.add(tuple((s.name, s.line) for s in traceback.extract_stack(limit=2)))
    return sorted(texts)


def inspected(n):
    out = []
    for i in range(n):
        v = i * 3
        if i == n - 2:
            info = inspect.getargvalues(inspect.currentframe())
            out.append(sorted((k, x) for k, x in info.locals.items() if k in "niv"))
            out.append(inspect.stack()[0].function)
    return out


def traceback_frames(n):
    """Locals in the frames of a traceback."""
    kept = []

    def fails(i, j):
        k = i * j
        if i == n - 1:
            raise RuntimeError(k)
        return k

    total = 0
    for i in range(n):
        try:
            total += fails(i, total % 7)
        except RuntimeError as error:
            tb = error.__traceback__
            while tb:
                local = tb.tb_frame.f_locals
                kept.append({k: local[k] for k in ("i", "j", "k", "total") if k in local})
                tb = tb.tb_next
    return kept


def cleared(n):
    """A frame that is cleared by its callee's caller keeps the loop going."""
    total = 0
    for i in range(n):
        frame = sys._getframe()
        try:
            frame.clear()
        except RuntimeError as error:
            total += len(str(error)) > 0
    return total


print(seen_by_callee(200))
print(inlined_frames(200))
print(depths(100), own_locals(95), own_lines(60))
print(kept_frames(70))
print(eval_names(100), stack_text(90), inspected(60))
print(traceback_frames(80), cleared(60))
if sys.version_info >= (3, 13):

    def poke(name, value):
        sys._getframe(1).f_locals[name] = value

    def written_through(n):
        total = 0
        step = 1
        for i in range(n):
            total += step
            if i == n // 2:
                poke("step", 10)
            if i == n - 5:
                poke("total", 0.5)
        return total

    print(written_through(100) == 0.5 + 4 * 10)
else:
    print(True)
