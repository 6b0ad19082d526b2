"""The eval breaker shows what is pending, and only that; validation is quick."""
import sys
import threading

import live_probe

live_probe.start()

# The start leaves a pending call; calls of Python functions handle it.
for _ in range(3):
    (lambda: None)()
assert live_probe.wait_pending(0.02) == 0

stop = []


def other():
    while not stop:
        sum(range(1000))


thread = threading.Thread(target=other)
thread.start()
# The other thread asks for the GIL after 5 ms.
assert live_probe.wait_pending(10.0) == 1
stop.append(1)
thread.join()
assert live_probe.wait_pending(0.02) == 0

before = live_probe.monitoring_version()
sys.settrace(lambda *arguments: None)
traced = live_probe.monitoring_version()
sys.settrace(None)
assert traced[0] != before[0], (before, traced)
if sys.version_info >= (3, 13):
    assert traced[1] != before[1], (before, traced)
else:
    assert traced[1] == before[1] == 0

import argparse
code = argparse.ArgumentParser._parse_known_args.__code__
count = len(live_probe.validate(code)[0])
assert count > 100
nanoseconds = live_probe.validate_time(code)
print(nanoseconds / count, 'ns per instruction')
assert nanoseconds / count < 500
