"""Attributes, classes that change, dicts, strings and other things that loops meet."""

import collections
import math


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return self.x == other.x

    def __lt__(self, other):
        return self.x < other.x

    def __hash__(self):
        return hash(self.x)


class Body:
    kind = "body"

    def __init__(self, i):
        self.mass = i
        self.speed = i / 2

    def move(self, dt):
        self.speed += dt * self.mass
        return self.speed


def attributes(n):
    bodies = [Body(i) for i in range(5)]
    total = 0.0
    for i in range(n):
        for body in bodies:
            total += body.move(0.25)
            body.mass += 1
            if body.kind == "body":
                total += 1
        if i == n // 2:
            bodies[2].kind = "other"
        if i == n - 9:
            Body.kind = "changed"
        if i == n - 5:
            Body.move = lambda self, dt: 1000
    Body.kind = "body"
    return total, vars(bodies[2])


def slots(n):
    points = [Point(i, -i) for i in range(7)]
    total = 0
    for i in range(n):
        for p in points:
            p.x, p.y = p.y, p.x + 1
            total += p.x * p.y
            if p == points[0] or p < points[1]:
                total += 1
    del points[0].x
    try:
        for p in points * 3:
            total += p.x
    except AttributeError as error:
        return total, str(error)


def new_class_each_round(n):
    total = 0
    for i in range(n):

        class Local:
            value = i

            def get(self):
                return self.value + 1

        total += Local().get()
    return total


def changing_class(n):
    class A:
        def f(self):
            return 1

    class B:
        def f(self):
            return 100

    thing = A()
    total = 0
    for i in range(n):
        total += thing.f()
        if i == n // 2:
            thing.__class__ = B
        if i == n - 10:
            B.f = A.f
        if i == n - 5:
            thing.f = lambda: 7
    return total


def getattr_hooks(n):
    class Hook:
        def __getattr__(self, name):
            return len(name)

        def __setattr__(self, name, value):
            log.append(name)

    log = []
    hook = Hook()
    total = 0
    for i in range(n):
        total += hook.abc
        hook.x = i
        total += getattr(hook, "abcdef")
    return total, len(log)


def dicts(n):
    counts = {}
    for i in range(n):
        key = i * 7919 % 13
        counts[key] = counts.get(key, 0) + 1
        if key in counts and "x" not in counts:
            counts[-key] = i
        if i % 5 == 0:
            counts.pop(-key, None)
    total = 0
    for key in counts:
        total += key * counts[key]
    for key, value in counts.items():
        total += key - value
    grouped = collections.defaultdict(list)
    for i in range(n):
        grouped[i % 4].append(i)
    try:
        for key in counts:
            counts[key + 1000] = 0
    except RuntimeError as error:
        text = str(error)
    return total, sorted(map(len, grouped.values())), text


def strings(n):
    text = ""
    out = []
    for i in range(n):
        text += chr(97 + i % 26)
        if text[-1] == "e" or text.endswith("k"):
            out.append(text[i // 2 :].upper())
        out.append(f"{i:03d}-{i / 7:.2f}")
        out.append("%s:%d" % (text[0], i))
    joined = ",".join(out)
    vowels = 0
    for char in joined:
        if char in "aeiou":
            vowels += 1
        elif char < "5":
            vowels -= 1
    return len(joined), vowels, hash(joined) == hash(",".join(out)), text[::5], b"".join(bytes([i % 250]) for i in range(n))[:5]


def builtins_used(n):
    total = 0
    for i in range(n):
        total += len(str(i)) + abs(-i) + min(i, 5) + max(i, 3, 8) + pow(i, 2, 7) + int("12") + ord("a")
        total += sum([i, 1, 2]) + round(i / 3) + divmod(i, 7)[1] + bool(i) + hash(i) + len(list(map(abs, [i, -i])))
        total += isinstance(i, int) + isinstance(i, (str, float)) + callable(len) + (type(i) is int)
        total += math.gcd(i, 12) + math.floor(i / 2) + (i).bit_length() + int(math.isclose(i, i + 1e-12))
        for k, v in enumerate((i, 1)):
            total += k * v
        for a, b in zip([i, 2], (3, 4)):
            total += a * b
        for x in sorted([3, i, 1]):
            total = total * 2 + x
        for x in reversed([1, 2, 3]):
            total += x
        total %= 10**12
    return total


def sets(n):
    seen = set()
    total = 0
    for i in range(n):
        seen.add(i * i % 31)
        if i in seen:
            total += 1
        seen ^= {i % 7}
        total += len(seen & {1, 2, 3}) + len(seen | {100})
    return total, sorted(seen)


def operators(n):
    class V:
        def __init__(self, v):
            self.v = v

        def __add__(self, other):
            return V(self.v + (other.v if isinstance(other, V) else other))

        __radd__ = __add__

        def __mul__(self, other):
            if isinstance(other, V):
                return NotImplemented
            return V(self.v * other)

        def __neg__(self):
            return V(-self.v)

        def __bool__(self):
            return self.v % 3 == 0

        def __index__(self):
            return self.v % 3

        def __iadd__(self, other):
            self.v += other
            return self

        def __contains__(self, x):
            return x == self.v

    total = 0
    items = [10, 20, 30]
    v = V(1)
    for i in range(n):
        v = v + 1
        v = 1 + v
        v += 2
        w = -(v * 2)
        if w:
            total += 1
        total += items[v] + (i in v)
        try:
            v * v
        except TypeError:
            total += 1000
    return total, v.v, w.v


def int_subclass(n):
    class Int(int):
        def __add__(self, other):
            return "added"

    class Float(float):
        pass

    values = [1] * 20 + [Int(5), True, 2.5, Float(1.5)] * 3
    out = []
    for _ in range(n):
        out = []
        for value in values:
            out.append(value + 1)
            out.append(type(value * 2).__name__)
            out.append(type(-value).__name__)
    return out[-24:]


def enumerates(n):
    items = [i / 2 for i in range(n)]
    total = 0.0
    for i, x in enumerate(items):
        total += i * x
    for i, (x, y) in enumerate(zip(items, items[1:])):
        total += i - x * y
    for i, x in enumerate(items, 10):
        items[i % n] = i
        total += x
    return total


class Before:
    __slots__ = ("x",)

    def name(self):
        return "before"


class After:
    __slots__ = ("x",)

    def name(self):
        return "after"


class Changer:
    """Gives an object another class when it dies."""

    def __init__(self, thing):
        self.thing = thing

    def __del__(self):
        if self.thing is not None:
            self.thing.__class__ = After


def slots_changed(n):
    """Between two calls of the same object's method, which have one type to guard."""
    seen = {}
    thing = Before()
    for i in range(n):
        first = thing.name()
        changer = Changer(thing if i == n - 5 else None)
        changer = None
        pair = first, thing.name()
        seen[pair] = seen.get(pair, 0) + 1
    return seen


print(attributes(60))
print(slots(60), new_class_each_round(60), changing_class(60), getattr_hooks(60))
print(dicts(120), strings(80))
print(builtins_used(100), sets(100), operators(60), int_subclass(20), enumerates(100))
print(slots_changed(60), slots_changed(3000))
