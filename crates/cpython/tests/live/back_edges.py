"""The events of back edges, set without the interpreter: as the interpreter sets them, jumps forward apart."""
import sys

import live_probe

live_probe.start()
M = sys.monitoring
live_probe.claim()
M.use_tool_id(1, 'coverage')


def both(a, b):
    count = 0
    while a:
        a -= 1
        for c in b:
            if c:
                count += 1
            else:
                count -= 1
        b = b or [c for c in b]
    try:
        for c in b:
            count += c
    finally:
        count += 1
    return count


# A jump with a prefix.
text = 'def far(n):\n count = 0\n for i in range(n):\n' + '  count += i * n\n' * 200 + ' return count'
namespace = {}
exec(text, namespace)


def turns_taken():
    """The back edges since this was asked last."""
    jumps = [event.split()[-2:] for event in live_probe.taken_log()]
    return [jump for jump in jumps if int(jump[1]) <= int(jump[0])]


def jumps_back(code):
    """The back edges as the interpreter has them."""
    return [unit for unit in live_probe.adaptive(code) if 'JumpBackward' in unit]


for function, arguments in ((both, (4, [0, 1, 2])), (namespace['far'], (5,))):
    expected = function(*arguments)
    theirs, ours = function.__code__.replace(), function.__code__.replace()
    plain = live_probe.adaptive(ours)
    live_probe.events(theirs, 1)
    assert live_probe.back_edge_events(ours) == 1
    different = {
        (a.split(' ')[-1], b.split(' ')[-1])
        for a, b in zip(live_probe.adaptive(theirs), live_probe.adaptive(ours))
        if a != b
    }
    assert different <= {('Instrumented(Some(JumpForward))', 'Base(JumpForward)')}, different
    assert M.get_local_events(M.OPTIMIZER_ID, ours) == M.events.JUMP
    assert live_probe.taken_log() == []
    function.__code__ = theirs
    assert function(*arguments) == expected
    turns = turns_taken()
    assert len(turns) >= 5
    assert ours.co_code == theirs.co_code == function.__code__.co_code
    assert live_probe.others(ours) == 0
    function.__code__ = ours
    for _ in range(2):
        assert function(*arguments) == expected
        assert turns_taken() == turns
    # One back edge is not reported any more, until the events are set anew.
    before = jumps_back(ours)
    live_probe.plan_disable(ours)
    assert function(*arguments) == expected
    assert 1 <= len(turns_taken()) < len(turns)
    assert jumps_back(ours) != before
    assert live_probe.renew_events(ours) == 1
    assert jumps_back(ours) == before
    assert function(*arguments) == expected
    assert turns_taken() == turns
    # With a second tool, and without it again.
    M.register_callback(1, M.events.JUMP, lambda code, start, end: jumps.append(start))
    jumps = []
    M.set_local_events(1, ours, M.events.JUMP)
    assert function(*arguments) == expected
    assert turns_taken() == turns and len(jumps) >= len(turns)
    assert live_probe.renew_events(ours) == 0, 'the interpreter does it'
    M.set_local_events(1, ours, 0)
    live_probe.plan_disable(ours)
    assert function(*arguments) == expected
    turns_taken()
    assert live_probe.renew_events(ours) == 0, 'there are tools of each instruction'
    assert function(*arguments) == expected
    assert turns_taken() == turns
    # Switched off, on by the interpreter, and off for good.
    live_probe.events(ours, 0)
    assert live_probe.adaptive(ours) != live_probe.adaptive(theirs)
    assert function(*arguments) == expected and live_probe.taken_log() == []
    live_probe.events(ours, 1)
    assert function(*arguments) == expected
    assert turns_taken() == turns
    live_probe.events(ours, 0)
    assert M.get_local_events(M.OPTIMIZER_ID, ours) == 0

# The interpreter does it where it has to: with monitoring data, with global events, with a code object that is behind.
assert live_probe.back_edge_events(ours) == 0
M.set_events(1, M.events.JUMP)
assert live_probe.back_edge_events(both.__code__.replace()) == 0
M.set_events(1, 0)
behind = both.__code__.replace()
assert live_probe.back_edge_events(behind) == 0
assert M.get_local_events(M.OPTIMIZER_ID, behind) == M.events.JUMP
M.register_callback(1, M.events.JUMP, None)

live_probe.release()
