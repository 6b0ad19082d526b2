"""range loops: steps, empty ranges, edges, big ints, and what the variable is afterwards."""


def total(*arguments):
    count = last = acc = 0
    for i in range(*arguments):
        count += 1
        last = i
        acc += i
    return count, last, acc


def nested(n, step):
    out = 0
    for i in range(n):
        for j in range(i, n, step):
            out += i * j
        for j in range(n, i, -step):
            out -= j
    return out


def over_object(r, rounds):
    out = 0
    for _ in range(rounds):
        for i in r:
            out += i
    return out


def variable_rebound(n):
    seen = 0
    for i in range(n):
        i = i * 2
        seen += i
        i = "text"
    return seen, i


def bound_changes(n):
    out = 0
    m = n
    for i in range(m):
        m = 0
        out += 1
    return out, m


def iterator_shared(n):
    it = iter(range(n))
    pairs = []
    for a in it:
        b = next(it, None)
        pairs.append((a, b))
    return pairs[-2:], len(pairs)


def iterator_left(n):
    """A loop that is left leaves the iterator where it is."""
    it = iter(range(n))
    for i in it:
        if i == n // 2:
            break
    rest = list(it)
    return i, rest[0], rest[-1], len(rest)


def iterator_copied(n):
    import copy

    it = iter(range(n))
    out = []
    for i in it:
        if i == n // 2:
            other = copy.copy(it)
            out.append(sum(other))
    return out


def lengths(n):
    it = iter(range(n))
    hints = []
    for i in it:
        if i % 50 == 0:
            hints.append(it.__length_hint__())
    return hints


def inner_loops(n):
    """Loops over ranges that are made in another loop, of every form; many are empty."""
    out = []
    acc = 0
    true = True
    for i in range(n):
        count = 0
        for j in range(i % 7):
            count += j
        for j in range(i % 5, 4):
            count += 10 * j
        for j in range(9, i % 11, -2):
            count += 100 * j
        for j in range(0, i % 30, 7):
            count += 1000 * j
        for j in range(true, 3):
            count += 1
        for j in range(-3, -i % 3 - 2):
            count -= j
        else:
            count += 7
        for j in range(0, -i, -(i % 4 + 1)):
            if j < -20:
                break
            count -= j
        acc += count
        if i % 60 == 0:
            out.append((i, count, j))
    return out, acc


def bounds_leave_the_machine(n):
    count = 0
    start = 2**62 - n // 2
    for i in range(n):
        for j in range(start + i, start + i + 3):
            count += j & 1
        for j in range(-start - i, -start - i - 5, -2):
            count += j & 3
        for j in range(0, 2**40 * i, 2**31 + i * 2**35):
            count += 1
    return count, j


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Int(int):
    pass


def bounds_change_type(n):
    out = []
    bounds = [5] * n
    bounds[n // 2] = Index(6)
    bounds[n // 2 + 5] = Int(7)
    bounds[n // 2 + 9] = True
    bounds[n - 5] = 2**70
    bounds[n - 3] = "three"
    for bound in bounds:
        count = 0
        try:
            for j in range(2, bound):
                count += j
                if j > 10:
                    break
        except TypeError as error:
            count = str(error)
        if count != 9:
            out.append(count)
    return out


def step_becomes_zero(n):
    count = 0
    try:
        for i in range(n):
            for j in range(0, 10, n - 1 - i):
                count += 1
    except ValueError as error:
        return count, i, str(error)


def range_is_another(n):
    real = numbers = range
    count = 0
    for i in real(n):
        if i == n // 2:
            numbers = lambda *bounds: real(2)
        for j in numbers(i % 4):
            count += 1
    return count


def iterators_seen(n):
    import gc
    import sys

    seen = []
    for i in range(n):
        for j in range(i % 3, 3):
            if i % 50 == 0 and j == 2:
                frame = sys._getframe()
                seen.append((frame.f_locals["i"], frame.f_lineno > 0))
                gc.collect()
        it = iter(range(i % 3, 5))
        seen.append((it.__length_hint__(), next(it), it.__length_hint__(), it.__reduce__()[1]) if i % 40 == 0 else None)
    return [s for s in seen if s]


def comprehended(n):
    out = 0
    for i in range(n):
        row = [j * i for j in range(i % 6)]
        out += sum(row) + sum(j for j in range(1, i % 4))
    return out, row


for arguments in [
    (0,), (1,), (2,), (100,), (-5,), (3, 60), (60, 3), (60, 3, -1), (0, 100, 7), (100, 0, -7),
    (5, 6, 100), (2**31 - 20, 2**31 + 20), (2**62, 2**62 + 30), (2**63 - 40, 2**63 - 1),
    (2**63 - 20, 2**63 + 20), (2**64, 2**64 + 30), (-(2**63), -(2**63) + 30), (-(2**63) - 20, -(2**63) + 20),
    (0, 2**63 - 1, 2**58), (2**63 - 1, -(2**63), -(2**58)), (0, -(2**63), -(2**58)), (True, 40), (10**20, 10**20 + 40),
]:
    print(arguments, total(*arguments))
print(nested(40, 3), over_object(range(0, 50, 3), 20), over_object(range(10**30, 10**30 + 5), 20))
print(variable_rebound(100), bound_changes(100), iterator_shared(101), iterator_left(101))
print(iterator_copied(100), lengths(300))
print(inner_loops(400), bounds_leave_the_machine(300), bounds_change_type(300))
print(step_becomes_zero(300), range_is_another(300), iterators_seen(300), comprehended(300))
for step in (0, "a", 1.5):
    try:
        for i in range(0, 10, step):
            pass
    except (ValueError, TypeError) as error:
        print(type(error).__name__, error)
