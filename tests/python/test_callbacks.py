"""C code that calls back into hot Python code: ctypes, sort keys, sys hooks."""

import ctypes
import functools
import sys

COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
libc = ctypes.CDLL(None)
libc.qsort.restype = None


def sorted_by_c(n):
    calls = 0

    def compare(left, right):
        nonlocal calls
        calls += 1
        weight = 0
        for step in range(5):
            weight += step * (left[0] - right[0])
        return (weight > 0) - (weight < 0)

    numbers = [(i * 7919) % 101 for i in range(n)]
    array = (ctypes.c_int * n)(*numbers)
    libc.qsort(array, n, ctypes.sizeof(ctypes.c_int), COMPARE(compare))
    return list(array) == sorted(numbers), calls > n


def raising_in_callback(n):
    seen = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda raised: seen.append(str(raised.exc_value))
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

    @kind
    def callback(i):
        total = 0
        for k in range(10):
            total += k
            if i == 17 and k == 5:
                raise ValueError("in callback %d" % i)
        return total + i

    total = 0
    for i in range(n):
        value = callback(i)
        # What C gets from a callback that raised is not defined.
        total += value if i != 17 else 0
    sys.unraisablehook = hook
    return total, seen


def nested(n, depth):
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

    @kind
    def down(level):
        total = level
        for i in range(12):
            total += i
        if level:
            for i in range(2):
                total += down(level - 1)
        return total & 0xFFFF

    total = 0
    for i in range(n):
        total += down(depth)
    return total


def by_python_object(n):
    kind = ctypes.CFUNCTYPE(ctypes.py_object, ctypes.py_object)
    identity = kind(lambda value: value)
    total = 0.0
    kept = []
    for i in range(n):
        value = i * 1.5
        again = identity(value)
        kept.append(again is value)
        total += again
    return total, all(kept)


def sort_keys(n):
    class Item:
        def __init__(self, weight):
            self.weight = weight

        def __lt__(self, other):
            total = 0
            for i in range(6):
                total += i
            return self.weight + total < other.weight + total

    items = sorted(Item((i * 31) % 17) for i in range(n))
    reduced = functools.reduce(lambda left, item: left * 3 % 1000003 + item.weight, items, 1)
    return [item.weight for item in items[:5]], reduced


def with_gil_released(n):
    usleep = libc.usleep
    total = 0
    for i in range(n):
        usleep(1)
        total += i
    return total


print(sorted_by_c(80))
print(raising_in_callback(60))
print(nested(10, 4))
print(by_python_object(60))
print(sort_keys(80))
print(with_gil_released(60))
