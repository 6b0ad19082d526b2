"""Runs a hot loop until it is told to stop, for tools that look at a running process."""

import sys
import threading

stop = threading.Event()


def listen():
    sys.stdin.readline()
    stop.set()


def inner_step(i):
    return i & 3


def busy_loop():
    rounds = 0
    total = 0
    while not stop.is_set():
        for i in range(20000):
            total += inner_step(i)
        rounds += 1
    return total == rounds * 30000


threading.Thread(target=listen, daemon=True).start()
print("ready", flush=True)
print("right" if busy_loop() else "wrong")
