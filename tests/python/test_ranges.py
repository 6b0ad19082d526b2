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
for step in (0, "a", 1.5):
    try:
        for i in range(0, 10, step):
            pass
    except (ValueError, TypeError) as error:
        print(type(error).__name__, error)
