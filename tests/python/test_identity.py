"""Identities that a program can see: small ints, shared boxes, bools, None, NaN in containers."""

NAN = float("nan")


def small_ints(n):
    same = different = 0
    for i in range(n):
        a = i - 20
        b = i - 20
        if a is b:
            same += 1
        else:
            different += 1
    return same, different


def names_share(n):
    """b = a, then both are the same object however they were computed."""
    wrong = 0
    for i in range(n):
        a = i * 1000003
        b = a
        if a is not b:
            wrong += 1
        c = +a
        if c is not a:
            wrong += 1
        x = i * 0.5
        y = x
        if x is not y:
            wrong += 1
        z = +x
        if z is x:
            wrong += 100
    return wrong


def stored(n):
    """A number that is put in two places is one object."""
    items = []
    others = []
    for i in range(n):
        value = i * i + 1000
        items.append(value)
        others.append(value)
    fl, gl = [], []
    for i in range(n):
        x = i / 7
        fl.append(x)
        gl.append(x)
    return all(a is b for a, b in zip(items, others)), all(a is b for a, b in zip(fl, gl))


def carried(n):
    """The object that comes out of the loop is the one that was stored in it."""
    kept = None
    x = 0
    for i in range(n):
        x = i * 12345
        if i == n // 2:
            kept = x
            half = x
    last = x
    return kept is half, last is x


def carried_floats(n):
    x = 1.0
    saved = []
    for i in range(n):
        x = x * 1.000001
        if i % 10 == 0:
            saved.append(x)
            y = x
    return y is saved[-1], len(set(map(id, saved))) == len(saved)


def unchanged(n):
    """A value that only passes through the loop stays the object it was."""
    big = 10**25
    number = 123456789
    real = 2.5
    a, b, c = big, number, real
    for i in range(n):
        a, b, c = a, b, c
        d = b + i
    return a is big, b is number, c is real, d


def nan_in_list(n):
    found = equal = 0
    holder = [NAN]
    for i in range(n):
        x = NAN
        if x in [x]:
            found += 1
        if x in holder:
            found += 1
        y = x * 1
        if y in holder:
            equal += 1
        if [x] == holder:
            found += 1
        if (x,) == (NAN,):
            found += 1
        if x == x:
            equal += 1000
    return found, equal


def bools(n):
    kinds = {"True": 0, "False": 0, "other": 0}
    for i in range(n):
        t = i % 3 == 0
        if t is True:
            kinds["True"] += 1
        elif t is False:
            kinds["False"] += 1
        else:
            kinds["other"] += 1
    total = 0
    for i in range(n):
        b = i > 5
        total += b
        s = b + b
        if s is True or s is False:
            total += 10000
        c = b & True
        if type(c) is bool:
            total += 2
        d = b | 4
        if type(d) is bool:
            total += 10000
        e = not b
        if e is (not b):
            total += 3
        f = ~i ^ b
        total += f
    return kinds, total


def nones(n):
    last = None
    count = 0
    for i in range(n):
        if last is None:
            count += 1
            last = i
        elif i % 4 == 0:
            last = None
    return count, last


def plus_zero(n):
    """x + 0 and x * 1 make new objects of floats, and the interpreter's own of small ints."""
    out = []
    for i in range(n):
        x = i * 300.5
        y = x + 0.0
        out.append(y is x)
        k = i % 5
        m = k + 0
        out.append(m is k)
    return out.count(True), out.count(False)


def by_id(n):
    seen = 0
    for i in range(n):
        a = i * 100000
        b = a
        if id(a) == id(b):
            seen += 1
    return seen


def constants(n):
    same = 0
    for i in range(n):
        a = 100000
        b = 100000
        if a is b:
            same += 1
        c = 1.5
        d = 1.5
        if c is d:
            same += 1
        e = (1, 2, 3)
        f = (1, 2, 3)
        if e is f:
            same += 1
    return same


def extremes(n):
    """-5 to 256 are single objects however they are made."""
    wrong = 0
    ones = [one for one in range(-5, 257)]
    for i in range(n):
        for one in ones:
            x = one + i
            y = x - i
            if y is not one:
                wrong += 1
    return wrong


print(small_ints(400))
print(names_share(400))
print(stored(400))
print(carried(400), carried_floats(400), unchanged(400))
print(nan_in_list(100))
print(bools(100), nones(100))
print(plus_zero(100))
print(by_id(300), constants(100), extremes(20))
