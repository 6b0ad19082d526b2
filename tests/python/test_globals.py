"""Globals and builtins that change while a loop that uses them is hot."""

import builtins
import sys

factor = 2
items = [1, 2, 3]


def read_global(n):
    global factor
    factor = 2
    total = 0
    for i in range(n):
        total += i * factor
        if i == n // 2:
            factor = 3
        elif i == n // 2 + 10:
            factor = 0.5
        elif i == n - 5:
            factor = 10**20
    return total


def set_factor(value):
    global factor
    factor = value


def changed_by_callee(n):
    set_factor(1)
    total = 0
    for i in range(n):
        if i % 50 == 49:
            set_factor(i)
        total += factor
    return total


def changed_through_dict(n):
    namespace = globals()
    namespace["factor"] = 1
    total = 0
    for i in range(n):
        if i == n // 2:
            namespace["factor"] = 7
        if i == n - 10:
            namespace.update(factor=-1)
        total += factor
    return total


def deleted(n):
    global factor
    factor = 1
    total = 0
    try:
        for i in range(n):
            total += factor
            if i == n - 3:
                del factor
    except NameError as error:
        return total, str(error)
    finally:
        factor = 2
    return total


def shadow_builtin(n):
    """A global that comes to hide a builtin, and goes again."""
    total = 0
    for i in range(n):
        total += len(items)
        if i == n // 3:
            globals()["len"] = lambda x: 100
        if i == 2 * n // 3:
            del globals()["len"]
    return total


def patch_builtin(n):
    original = builtins.abs
    total = 0
    try:
        for i in range(n):
            total += abs(-i)
            if i == n // 2:
                builtins.abs = lambda x: 1
    finally:
        builtins.abs = original
    return total, abs(-3)


def new_builtin(n):
    total = 0
    for i in range(n):
        try:
            total += brand_new
        except NameError:
            total += 1
        if i == n // 2:
            builtins.brand_new = 1000
    del builtins.brand_new
    return total


def count_calls(n):
    global counter
    counter = 0
    for i in range(n):
        counter += 1
        bump()
    return counter


def bump():
    global counter
    counter += i_am_global


i_am_global = 5


def write_only(n):
    global written
    for i in range(n):
        written = i * i
    return written


def module_attribute(n):
    sys.some_number = 1
    total = 0
    for i in range(n):
        total += sys.some_number
        if i == n // 2:
            sys.some_number = 4
    del sys.some_number
    return total


def growing_namespace(n):
    """The dict of globals is resized while the loop reads from it."""
    namespace = globals()
    total = 0
    for i in range(n):
        namespace["made_up_%d" % i] = i
        total += i_am_global
    for i in range(n):
        del namespace["made_up_%d" % i]
        total += i_am_global
    return total


def executed(n):
    """Code with a dict of its own for globals, and with one that is not a plain dict."""
    source = "t = 0\nfor i in range(n):\n    t += i * k\n    if i == n - 9: k = 5\n"
    first = {"n": n, "k": 2}
    exec(source, first)

    class Names(dict):
        def __missing__(self, name):
            if name != "k":
                raise KeyError(name)
            return 3

    second = Names(n=n)
    exec(source, {"range": range}, second)
    code = compile("sum_ = 0\nfor i in range(n):\n    sum_ += abs(i) + missing\n", "x", "exec")
    third = {"n": n, "missing": 1, "__builtins__": {"range": range, "abs": lambda x: 2}}
    exec(code, third)
    return first["t"], second["t"], third["sum_"]


class Body:
    total = 0
    for i in range(200):
        total += i
        locals()["k%d" % (i % 3)] = i


print(read_global(200), changed_by_callee(300), changed_through_dict(200), deleted(100))
print(shadow_builtin(99), patch_builtin(100), new_builtin(100), count_calls(100), write_only(100))
print(module_attribute(100), growing_namespace(200), executed(100))
print(Body.total, Body.k0, Body.k1, Body.k2)
total = 0
for number in range(300):
    total += number * factor
    if number == 150:
        factor = 9
    if number == 290:
        range = None
        del range
print(total)
