"""Daemon threads that the interpreter ends in the middle of a call, at shutdown, wherever in a loop's life that call is."""

import atexit
import sys
import threading
import time

LONG = 0.3


def sleep_by(seconds):
    time.sleep(seconds)


class Slow:
    """Sleeps in whatever is done with it."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __add__(self, other):
        time.sleep(self.seconds)
        return other

    def __getitem__(self, key):
        time.sleep(self.seconds)
        return key

    def __contains__(self, key):
        time.sleep(self.seconds)
        return True

    def __eq__(self, other):
        time.sleep(self.seconds)
        return True

    def __format__(self, spec):
        time.sleep(self.seconds)
        return spec

    @property
    def attribute(self):
        time.sleep(self.seconds)
        return self


class Dying:
    def __init__(self, seconds):
        self.seconds = seconds

    def __del__(self):
        time.sleep(self.seconds)


def by_call(seconds):
    for s in seconds:
        time.sleep(s)


def by_function(seconds):
    for s in seconds:
        sleep_by(s)


def by_names(seconds):
    for s in seconds:
        sleep_by(seconds=s)


def by_stars(seconds):
    for s in seconds:
        sleep_by(*(s,), **{})


def by_callback(seconds):
    for s in seconds:
        sorted([s], key=sleep_by)


def by_iterator(seconds):
    for _ in map(time.sleep, seconds):
        pass


def by_operator(seconds):
    for s in seconds:
        Slow(s) + 1


def by_subscript(seconds):
    for s in seconds:
        Slow(s)[1]


def by_contains(seconds):
    for s in seconds:
        1 in Slow(s)


def by_comparison(seconds):
    for s in seconds:
        if Slow(s) == 1:
            pass


def by_format(seconds):
    for s in seconds:
        f"{Slow(s):8}"


def by_attribute(seconds):
    for s in seconds:
        Slow(s).attribute


def by_death(seconds):
    for s in seconds:
        Dying(s)


def by_list(seconds):
    for s in seconds:
        [*map(time.sleep, (s,))]


def by_nothing(seconds):
    total = 0
    for s in seconds:
        pass
    while True:
        for i in range(1000):
            total += i
        total &= 0xFFFF


WAYS = (
    by_call,
    by_function,
    by_names,
    by_stars,
    by_callback,
    by_iterator,
    by_operator,
    by_subscript,
    by_contains,
    by_comparison,
    by_format,
    by_attribute,
    by_death,
    by_list,
    by_nothing,
)


def durations(turns, ready):
    """Some short turns, then long ones until the end."""
    yield from [0] * turns
    ready.release()
    while True:
        yield LONG


def listed(turns, ready):
    """The same as a list."""
    ready.release()
    return [0] * turns + [LONG] * 1000


class Last:
    """Dies when the interpreter shuts down. While it sleeps, each thread wants the GIL back, and is ended."""

    def __del__(self, sleep=time.sleep):
        total = 0
        for i in range(200):
            total += i
        sleep(3 * LONG)


def at_exit():
    total = 0
    for i in range(200):
        total += i
    print("at exit", total)
    sys.stdout.flush()


sys.last_to_die = Last()
atexit.register(at_exit)
ready = threading.Semaphore(0)
count = 0
for way in WAYS:
    for turns in (0, 1, 2, 3, 6):
        make = listed if way is by_nothing or turns % 2 else durations
        if way is by_nothing and turns > 1:
            continue
        seconds = make(turns, ready)
        threading.Thread(target=way, args=(seconds,), daemon=True).start()
        count += 1
for _ in range(count):
    ready.acquire()
total = 0
for i in range(30000):
    total += i
print(count, total)
