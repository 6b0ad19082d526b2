"""Our tool: claiming, JUMP callbacks that move the frame, other tools, DISABLE, and 3.12's superinstructions."""
import dis
import sys

import live_probe

live_probe.start()
M = sys.monitoring

# Somebody else has the id.
M.use_tool_id(M.OPTIMIZER_ID, 'another jit')
try:
    live_probe.claim()
except RuntimeError as error:
    assert "in use by 'another jit'" in str(error), error
else:
    raise AssertionError('claimed twice')
M.free_tool_id(M.OPTIMIZER_ID)
live_probe.claim()
assert M.get_tool(M.OPTIMIZER_ID) == 'live probe'


def loop(n):
    total = 0
    for i in range(n):
        total += i
    return total, n


code = loop.__code__
instructions = list(dis.get_instructions(code))
jump = next(i.offset // 2 for i in instructions if i.opname == 'JUMP_BACKWARD')
header = next(i.offset // 2 for i in instructions if i.opname == 'FOR_ITER')
for _ in range(20):
    loop(5)
before = live_probe.adaptive(code)
live_probe.events(code, 1)
after = live_probe.adaptive(code)
changed = [(a, b) for a, b in zip(before, after) if a != b]
assert len(changed) == 1 and 'Instrumented(Some(JumpBackward))' in changed[0][1], changed
live_probe.taken_log()
assert loop(3) == (3, 3)
assert live_probe.taken_log() == [f'jump loop {jump} {header}'] * 3

# Move: leave the loop at the first jump, to the return, with a value on the stack.
returns = next(i.offset // 2 for i in instructions if i.opname == 'RETURN_VALUE')
live_probe.plan_move(code, returns, ('moved',))
assert loop(1000) == 'moved'
assert len(live_probe.taken_log()) == 1

# DISABLE lasts until the events are set anew.
live_probe.plan_disable(code)
assert loop(5) == (10, 5)
assert len(live_probe.taken_log()) == 1
loop(5)
assert live_probe.taken_log() == []
live_probe.events(code, 0)
live_probe.events(code, 1)
loop(2)
assert len(live_probe.taken_log()) == 2

# Start events.
live_probe.events(code, 3)
loop(1)
start, = [event for event in live_probe.taken_log() if event.startswith('start')]
assert start == 'start loop 0', start
live_probe.events(code, 1)

# Calls made in the callback deliver the events of other tools.
lines = []
M.use_tool_id(1, 'coverage')
M.register_callback(1, M.events.LINE, lambda code, line: lines.append(code.co_name))


def helper():
    return 1


M.set_local_events(1, helper.__code__, M.events.LINE)
live_probe.plan_call(code, helper)
loop(2)
assert lines == ['helper'], lines

# What other tools do is seen, and only that.
assert live_probe.others(code) == 0
assert live_probe.others(helper.__code__) == 1
M.set_local_events(1, helper.__code__, 0)
assert live_probe.others(helper.__code__) == 0
M.set_local_events(1, code, M.events.PY_RETURN)
assert live_probe.others(code) == 1
M.set_local_events(1, code, 0)
for event in ('LINE', 'RAISE', 'PY_UNWIND', 'CALL'):
    M.set_events(1, getattr(M.events, event))
    assert live_probe.others(code) == 1, event
    M.set_events(1, 0)
    assert live_probe.others(code) == 0, event
sys.settrace(lambda *arguments: None)
traced = live_probe.others(code)
sys.settrace(None)
assert traced == 1 and live_probe.others(code) == 0
sys.setprofile(lambda *arguments: None)
traced = live_probe.others(code)
sys.setprofile(None)
assert traced == 1 and live_probe.others(code) == 0

# An exception of a call in the callback leaves the frame; with handlers there is the raiser.
def fail():
    raise KeyError('left')


live_probe.plan_call(code, fail)
try:
    loop(3)
except KeyError as error:
    assert error.args == ('left',)
else:
    raise AssertionError('no exception')

live_probe.taken_log()
live_probe.release()
assert M.get_tool(M.OPTIMIZER_ID) is None
loop(3)
assert live_probe.taken_log() == []
live_probe.claim()
live_probe.release()
