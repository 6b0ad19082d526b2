"""The running frames are seen as they are, and a frame built by hand runs from the middle."""
import dis
import sys
import traceback

import live_probe

assert live_probe.start().startswith('CPython %d.%d.%d ' % sys.version_info[:3])
assert live_probe.start(), 'a second start is fine'


def unit(function, name, nth=0):
    return [i.offset // 2 for i in dis.get_instructions(function) if i.opname == name][nth]


def inner():
    return live_probe.frames()


def outer():
    return [inner()][0]


frames = outer()
assert [name for name, _ in frames[:3]] == ['inner', 'outer', '<module>'], frames
assert frames[0][1] == unit(inner, 'CALL')
# In 3.12 a frame whose callee is inlined is at the last cache of its CALL.
assert frames[1][1] == unit(outer, 'CALL') + (3 if sys.version_info < (3, 13) else 0), frames
generator_frames = next(live_probe.frames() for _ in [0])
assert 'genexpr' in generator_frames[0][0]

seen = []


def look(x):
    frame = sys._getframe(1)
    seen.append((frame.f_lineno - callee.__code__.co_firstlineno, frame.f_locals.copy(), frame.f_back.f_code.co_name))
    return x


def callee(a, b):
    y = a * b
    y = look(y) + 1
    if b == 99:
        raise ValueError('in callee')
    return y


def caller(*arguments):
    return live_probe.nested(*arguments)


at = unit(callee, 'LOAD_GLOBAL')
assert caller(callee, (7, 3, 21), (), at) == 22
assert seen == [(2, {'a': 7, 'b': 3, 'y': 21}, 'caller')], seen
# From the middle of an expression: `41 + 1`.
assert caller(callee, (7, 3, 21), (41,), unit(callee, 'LOAD_CONST')) == 42
before = sys.getrefcount(callee), sys.getrefcount(callee.__code__)
for _ in range(1000):
    seen.clear()
    caller(callee, (7, 3, ...), (), 0)
seen.clear()
assert before == (sys.getrefcount(callee), sys.getrefcount(callee.__code__))
try:
    caller(callee, (7, 99, 1), (), at)
except ValueError as error:
    lines = [(entry.name, entry.lineno - callee.__code__.co_firstlineno) for entry in traceback.extract_tb(error.__traceback__)]
    assert [name for name, _ in lines] == ['<module>', 'caller', 'callee'] and lines[2][1] == 4, lines
else:
    raise AssertionError('no exception')


def deep(a, b):
    return deep(a, b) + 1


try:
    caller(deep, (1, 2), (), 0)
except RecursionError:
    pass
assert caller(callee, (7, 3, 21), (), at) == 22


def many_locals():
    pass


huge = many_locals.__code__.replace(co_stacksize=100_000)
many_locals.__code__ = huge
# A frame that the data stack has no room for goes to a chunk of its own.
assert caller(many_locals, (), (), 0) is None
for refused, arguments in [('misfit', (callee, (1,) * 9, (), 0)), ('misfit', ((lambda: (yield)), (), (), 0)),
                           ('misfit', (callee, (), (), 10_000))]:
    try:
        caller(*arguments)
    except RuntimeError as error:
        assert str(error) == refused, error
    else:
        raise AssertionError(refused)

left = live_probe.stack_left()
assert 10_000 < left < 1 << 40, left
