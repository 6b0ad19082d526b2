"""The program itself uses the tool id that is reserved for optimisers, while loops are hot."""

import sys

monitoring = sys.monitoring
TOOL = monitoring.OPTIMIZER_ID


def quietly(function, *arguments):
    """Calls what succeeds or fails depending on who has the tool."""
    try:
        function(*arguments)
    except ValueError:
        pass


def hot(n, action):
    total = 0
    for i in range(n):
        total += i
        if i == n // 2:
            action()
        total ^= helper(i)
    for i in range(n):
        total += i * 2
    return total


def helper(i):
    return i + 1


def callback(*arguments):
    return None


def register():
    monitoring.register_callback(TOOL, monitoring.events.JUMP, callback)


def unregister():
    monitoring.register_callback(TOOL, monitoring.events.JUMP, None)


def global_events():
    quietly(monitoring.set_events, TOOL, monitoring.events.JUMP | monitoring.events.PY_START)
    quietly(monitoring.set_events, TOOL, 0)


def local_events():
    quietly(monitoring.set_local_events, TOOL, hot.__code__, 0)
    quietly(monitoring.set_local_events, TOOL, helper.__code__, monitoring.events.PY_START)


def restart():
    monitoring.restart_events()


def free():
    monitoring.free_tool_id(TOOL)


def take():
    quietly(monitoring.use_tool_id, TOOL, "somebody else")
    print(monitoring.get_tool(TOOL))
    quietly(monitoring.set_local_events, TOOL, hot.__code__, monitoring.events.JUMP)


def disabling():
    monitoring.register_callback(TOOL, monitoring.events.JUMP, lambda *arguments: monitoring.DISABLE)


for action in (restart, global_events, local_events, unregister, register, free, take, disabling, restart, free):
    print(action.__name__, hot(60, action), hot(60, restart))
