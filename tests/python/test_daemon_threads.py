"""Daemon threads in hot loops while the interpreter shuts down; atexit handlers that loop."""

import atexit
import sys
import threading
import time


def spin(started):
    total = 0
    started.set()
    while True:
        for i in range(1000):
            total += i
        total &= 0xFFFF


def sleep(started):
    total = 0
    started.set()
    while True:
        time.sleep(0.001)
        for i in range(100):
            total += i


def at_exit():
    total = 0
    for i in range(200):
        total += i
    print("at exit", total)
    sys.stdout.flush()


class Last:
    def __del__(self):
        total = 0
        for i in range(200):
            total += i


last = Last()
atexit.register(at_exit)
for target in (spin, spin, sleep, sleep):
    started = threading.Event()
    threading.Thread(target=target, args=(started,), daemon=True).start()
    started.wait()
total = 0
for i in range(30000):
    total += i
print(total)
