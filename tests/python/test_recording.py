"""Things that happen while a loop is being recorded: the first rounds after it gets hot."""

import gc
import sys
import threading


def exception_at(round_number):
    """An exception in each of the first rounds."""
    total = 0
    for i in range(40):
        try:
            if i == round_number:
                raise ValueError(i)
            total += i
        except ValueError:
            total += 100
    return total


def leaves_at(round_number):
    total = 0
    for i in range(40):
        total += i
        if i == round_number:
            break
        total += 2
    else:
        total += 1000
    return total


def returns_at(round_number):
    for i in range(40):
        if i == round_number:
            return i * 10
    return -1


def type_changes_at(round_number):
    value = 0
    for i in range(40):
        value = value + 1
        if i == round_number:
            value = value + 0.5
    return value


def rebinds_at(round_number):
    global helper
    helper = lambda x: x
    total = 0
    for i in range(40):
        total += helper(i)
        if i == round_number:
            helper = lambda x: -x
    return total


def collects_at(round_number):
    total = 0
    items = []
    for i in range(40):
        items.append((i, [i]))
        if i == round_number:
            gc.collect()
        total += len(items)
    return total


def recurses_at(round_number, depth=0):
    total = 0
    for i in range(20):
        total += i
        if i == round_number and depth < 3:
            total += recurses_at(round_number, depth + 1)
    return total


def traces_at(round_number):
    lines = []

    def tracer(frame, event, arg):
        lines.append(event)
        return tracer

    total = 0
    for i in range(40):
        if i == round_number:
            sys.settrace(tracer)
        total += i
        if i == round_number + 2:
            sys.settrace(None)
    sys.settrace(None)
    return total, len(lines)


def thread_at(round_number):
    results = []

    def other():
        t = 0
        for k in range(100):
            t += k
        results.append(t)

    total = 0
    for i in range(40):
        total += i
        if i == round_number:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
    return total, results


def generator_at(round_number):
    def numbers():
        for k in range(30):
            yield k

    total = 0
    source = numbers()
    for i in range(29):
        total += i
        if i >= round_number:
            total += next(source)
    return total


def nested_hot_at(round_number):
    total = 0
    for i in range(40):
        if i >= round_number:
            for j in range(30):
                total += j
                if j == round_number:
                    continue
        total += 1
    return total


def code_replaced_at(round_number):
    def one():
        return 1

    def two():
        return 2

    total = 0
    for i in range(40):
        total += one()
        if i == round_number:
            one.__code__ = two.__code__
    return total


def mutates_at(round_number):
    items = [1] * 40
    total = 0
    for item in items:
        total += item
        if len(items) == 40 - round_number:
            items[:] = [2.5] * 40
        elif total == round_number:
            items.append(3)
    return total


for function in (exception_at, leaves_at, returns_at, type_changes_at, rebinds_at, collects_at, recurses_at,
                 traces_at, thread_at, generator_at, nested_hot_at, code_replaced_at, mutates_at):
    print(function.__name__, [function(k) for k in list(range(8)) + [15, 16, 17, 18, 19, 31, 32, 33]])
