"""Signals, alarms and KeyboardInterrupt arriving in hot loops."""

import os
import signal
import threading
import time


# Whoever starts the tests in the background has Ctrl-C ignored, and Python keeps that.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Alarm(Exception):
    pass


def ring(number, frame):
    raise Alarm(number)


def until_alarm():
    """A loop whose turns call nothing is stopped by an exception from a handler."""
    i = 0
    try:
        while True:
            i += 1
            if i == 2000:
                signal.setitimer(signal.ITIMER_REAL, 0.05)
    except Alarm:
        return i >= 2000


def float_loop_until_alarm():
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    x = 0.0
    try:
        while True:
            for k in range(1000):
                x = x * 0.5 + k
    except Alarm as error:
        tb = error.__traceback__
        return tb.tb_frame.f_code.co_name, tb.tb_next.tb_frame.f_code.co_name


def counted():
    """A handler that returns lets the loop go on where it was."""
    hits = []

    def handler(number, frame):
        hits.append(frame.f_code.co_name)

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    total = 0
    i = 0
    while len(hits) < 3:
        total += i
        i += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    # One more may have come before the timer was stopped.
    return total == i * (i - 1) // 2, hits[:3]


def interrupted():
    """Ctrl-C."""
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    i = 0
    try:
        while True:
            i += 1
            if i == 2000:
                timer.start()
    except KeyboardInterrupt:
        timer.join()
        return i >= 2000


def handler_changes_locals():
    state = {"stop": False}

    def handler(number, frame):
        state["stop"] = True

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    i = 0
    while not state["stop"]:
        i += 1
    return i > 0


def handler_sees_locals():
    found = []

    def handler(number, frame):
        if len(found) == 3:
            # One more, that came before the timer was stopped: another frame may be running.
            return
        local = frame.f_locals
        found.append(local["total"] == local["i"] * 3 or local["total"] == (local["i"] - 1) * 3)

    i = total = 0
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    while len(found) < 3:
        i += 1
        total += 3
    signal.setitimer(signal.ITIMER_REAL, 0)
    return found[:3]


def in_called_function():
    def inner(n):
        x = 0
        for i in range(n):
            x += i
        return x

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    names = []
    try:
        while True:
            inner(10000)
    except Alarm as error:
        tb = error.__traceback__
        while tb:
            names.append(tb.tb_frame.f_code.co_name)
            tb = tb.tb_next
    return names[0], names[-1]


def raised_directly(n):
    signal.signal(signal.SIGUSR1, ring)
    caught = 0
    for i in range(n):
        try:
            if i % 10 == 0:
                signal.raise_signal(signal.SIGUSR1)
            x = i
        except Alarm:
            caught += 1
    return caught


signal.signal(signal.SIGALRM, ring)
print(until_alarm(), float_loop_until_alarm())
print(counted(), interrupted(), handler_changes_locals(), handler_sees_locals())
print(in_called_function(), raised_directly(100))
# Ends by Ctrl-C, as programs do.
threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        pass
except KeyboardInterrupt:
    print("interrupted")
time.sleep(0.01)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
