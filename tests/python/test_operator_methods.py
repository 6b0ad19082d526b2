"""Operators of Python classes in hot loops: which method is called, what it sees, and what happens when it gives up or raises."""

import sys
import traceback


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __sub__(self, other):
        return Vector(self.x - other.x, self.y - other.y)

    def __mul__(self, k):
        if type(k) is Vector:
            return self.x * k.x + self.y * k.y
        return Vector(self.x * k, self.y * k)

    def __rmul__(self, k):
        return Vector(k * self.x, k * self.y)

    def __iadd__(self, other):
        self.x += other.x
        self.y += other.y
        return self

    def __pow__(self, n, modulus=None):
        return self.x**n + self.y**n

    def __rtruediv__(self, k):
        return k / self.x

    def __matmul__(self, other):
        return NotImplemented

    def __floordiv__(self, other):
        return NotImplemented if other == 7 else self.x // other

    def __xor__(self, other):
        if other == 3:
            raise ValueError("three")
        return self.x ^ other

    def __lshift__(self, other):
        return sys._getframe(1).f_code.co_name, sys._getframe(1).f_lineno - sys._getframe(1).f_code.co_firstlineno

    def __and__(self, other):
        return sys.getrefcount(self), sys.getrefcount(other)


class Sub(Vector):
    __slots__ = ()

    def __radd__(self, other):
        return "reflected"


class Money(float):
    def __add__(self, other):
        return Money(float(self) + float(other))


def arithmetic(n):
    v = Vector(0, 0)
    d = Vector(1, 2)
    total = 0
    for i in range(n):
        v = v + d * 2 - d
        v = 1 * v
        v += d
        total += v * d + 3 / d + d**2
    return v.x, v.y, round(total, 6)


def temporaries(n):
    total = 0
    for i in range(n):
        total += (Vector(i, 1) + Vector(2, i) + Vector(i, i)).x
        total += (Vector(i, 1) * Vector(2, i)) + (2 * Vector(i, i)).y
    return total


def subclass(n):
    out = []
    v, s = Vector(1, 2), Sub(3, 4)
    for i in range(n):
        r = v + (s if i % 9 == 8 else v)
        out.append(r if type(r) is str else r.x)
    return out[:20]


def gives_up(n):
    errors = []
    v = Vector(6, 2)
    for i in range(n):
        try:
            if i == n - 3:
                v @ v
            elif i == n - 4:
                v @ 5
            elif i == n - 2:
                v //= 7
            else:
                v // (7 if i == n - 1 else 2)
        except TypeError as error:
            errors.append((str(error), len(traceback.extract_tb(error.__traceback__))))
    return errors


def late_surrender(n):
    errors = []
    v = Vector(9, 2)
    for i in range(n):
        k = 7 if i % 20 == 19 else 2
        try:
            v // k
        except TypeError as error:
            errors.append(str(error))
    return errors


def raises(n):
    places = []
    v = Vector(6, 2)
    total = 0
    for i in range(n):
        try:
            total += v ^ (i % 8)
        except ValueError as error:
            tb = error.__traceback__
            while tb:
                places.append((tb.tb_frame.f_code.co_name, tb.tb_lineno - tb.tb_frame.f_code.co_firstlineno, tb.tb_lasti))
                tb = tb.tb_next
    return total, places[-2:], len(places)


def inner_raise(v, k):
    return v ^ k


def raises_deeper(n):
    places = []
    v = Vector(6, 2)
    total = 0
    for i in range(n):
        try:
            total += inner_raise(v, i % 8)
        except ValueError as error:
            places.append([(t.name, t.line) for t in traceback.extract_tb(error.__traceback__)])
    return total, places[-1]


def seen(n):
    v = Vector(1, 1)
    return {v << i for i in range(n)}, {tuple(v & 1000 for _ in range(2)) for i in range(n)}


def counts(n):
    v = Vector(1, 1)
    big = 10**9
    out = set()
    for i in range(n):
        out.add(v & big)
        w = v
        out.add(v & w)
    return sorted(out)


def floats(n):
    m = Money(1.5)
    for i in range(n):
        m = m + 0.25
    return m, type(m).__name__


def changed(n):
    v = Vector(1, 2)
    total = 0
    for i in range(n):
        total += v * v
        if i == n // 2:
            Vector.__mul__ = lambda self, k: -1
    return total


def with_numbers(n):
    v = Vector(1.5, 2)
    total = 0.0
    for i in range(n):
        total += (v * 0.5 + 2.0 * v).x
        if i == n - 2:
            try:
                "a" * v
            except TypeError as error:
                print(error)
    return total


N = 60
print(arithmetic(N))
print(temporaries(N))
print(subclass(N))
print(gives_up(N))
print(late_surrender(N))
print(raises(N))
print(raises_deeper(N))
print(seen(N))
print(counts(N))
print(floats(N))
print(with_numbers(N))
print(changed(N))
