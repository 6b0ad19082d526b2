"""All code that exists is found: of functions, generators, running frames, and nested in constants; and whether it loops."""
import threading

import live_probe

live_probe.start()


def loops():
    for _ in ():
        pass


def straight():
    def nested_and_never_made():
        while True:
            loops()
    return 1


def generator():
    yield 1


class C:
    def method(self):
        return [x for x in ()]


suspended = (yielded for yielded in [1, 2])
next(suspended)


def run_by_hand():
    """A generator whose function is gone."""
    def made():
        while True:
            yield
    g = made()
    next(g)
    return g


orphan = run_by_hand()
run_by_hand.__code__ = straight.__code__

inside, leave = threading.Event(), threading.Event()
source = 'inside.set()\nfor _ in range(2): leave.wait()'
thread = threading.Thread(target=exec, args=(source, globals()))
thread.start()
inside.wait()
found = {code: bool(loop) for code, loop in live_probe.heap()}
leave.set()
thread.join()
assert len(found) > 500
assert found[loops.__code__] and not found[straight.__code__] and not found[generator.__code__]
names = {code.co_qualname: loop for code, loop in found.items() if code.co_filename == __file__}
assert names['straight.<locals>.nested_and_never_made'] and names['C.method'] and names['<genexpr>'], names
assert names['run_by_hand.<locals>.made'], names
assert any(code.co_filename == '<string>' and loop for code, loop in found.items()), 'the frame of another thread'
