"""Callers of functions that run inside a trace: where they stand, and what they call when it changes on the way."""

import sys


def fail(number):
    if number % 3 == 0:
        return 1 // (number % 2)
    return [1, 2][number % 4]


def entries(error):
    found = []
    traceback = error.__traceback__
    while traceback:
        found.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno, traceback.tb_lasti))
        traceback = traceback.tb_next
    return found


def tracebacks(n):
    found = []
    for i in range(n):
        try:
            found.append(fail(i))
        except (ZeroDivisionError, IndexError) as error:
            found.append(entries(error))
    return found


def look(number):
    total = number + 1
    if number % 5 == 4:
        frame = sys._getframe(1)
        return frame.f_lineno, frame.f_lasti
    return total


def through(number):
    return look(number)


def positions(n):
    found = []
    for i in range(n):
        found.append(through(i))
    return found


def scale(number, factor=1):
    return number * factor


def defaults(n):
    """The default is replaced in the very iteration that is recorded."""
    found = []
    for i in range(n):
        found.append(scale(i))
        if i % 10 == 9:
            scale.__defaults__ = (i,)
    return found


print(tracebacks(60))
print(positions(60))
print(defaults(80))
