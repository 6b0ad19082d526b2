"""Exits that get hot, traces that link to traces, and values that cross the links."""


def two_ways(n):
    ints = 0
    floats = 0.0
    for i in range(n):
        if i % 2:
            ints += i
        else:
            floats += i * 0.5
    return ints, floats


def four_ways(n):
    a = b = c = d = 0
    for i in range(n):
        if i & 1:
            if i & 2:
                a += i
            else:
                b += i * 2
        else:
            if i & 4:
                c -= i
            else:
                d ^= i
    return a, b, c, d


def swap_in_branch(n):
    x, y, z = 1, 2.0, 3
    for i in range(n):
        if i % 3 == 0:
            x, z = z, x
        elif i % 3 == 1:
            y = y + x
        else:
            x, y, z = z, x + 0.5, x
        if isinstance(x, float):
            x = int(x) % 1000
    return x, y, z


def inner_lengths(n):
    total = 0
    for i in range(n):
        k = 0
        while k < i % 11:
            total += k * i
            k += 1
        total -= k
    return total


def inner_exit_values(n):
    total = 0
    for i in range(n):
        last = None
        for j in range(i % 9):
            last = j * 1.5
            if j == 6:
                break
        if last is None:
            total += 1
        else:
            total += last
    return total


def three_deep(n):
    count = 0
    for i in range(n):
        for j in range(n):
            if (i + j) % 3 == 0:
                continue
            for k in range(3):
                if k == j % 3:
                    count += i
                    break
                count -= k
    return count


def polymorphic(values, rounds):
    out = 0
    for _ in range(rounds):
        for value in values:
            if value is None:
                out += 1
            elif value is True or value is False:
                out += 2
            else:
                out = out + value
    return out


def phases(n):
    """The type of everything changes from phase to phase."""
    total = 0
    step = 1
    for phase in range(6):
        for i in range(n):
            total = total + step
        step = [1.5, 10**18, 0.25, True, -3, 2**70][phase]
        if phase == 3:
            total = int(total)
    return total


def overflowing(n):
    """Leaves the machine word, and comes back."""
    x = 1
    seen = 0
    for i in range(n):
        x = x * 5
        if x > 2**80:
            x = x % 1000 + 1
            seen += 1
    return x, seen


def shared_callee(n):
    def f(x):
        total = 0
        for k in range(x % 6):
            total += k
        return total

    total = 0
    for i in range(n):
        total += f(i)
        if i % 4 == 0:
            total += f(i * 3 + 1)
        for j in range(3):
            total -= f(j)
    return total


def rare(n):
    """Exits of every frequency from one loop."""
    counts = [0] * 12
    for i in range(1, n):
        k = 0
        while i % 2 == 0:
            i //= 2
            k += 1
        counts[k if k < 12 else 11] += 1
    return counts


def while_chain(n):
    i = j = k = 0
    while i < n:
        i += 1
        while j < i:
            j += 2
            while k < j:
                k += 3
                if k % 5 == 0:
                    i += 1
    return i, j, k


def many_live(n):
    a, b, c, d, e, f, g, h = 1, 2, 3, 4, 5, 6, 7, 8
    p, q, r, s, t, u, v, w = 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5
    for i in range(n):
        a, b, c, d = b + i, c - a, d ^ i, a & 1023
        e, f, g, h = f + a, g - e, h | 1, e % 100003
        p, q, r, s = q + 0.5, r - p, s * 0.5, p / 3.0
        t, u, v, w = u + p, v - t * 0.125, w * 0.25, t / 7.0
        if i % 5 == 0:
            a, e = e % 1000, a % 1000
            p, t = t, p
        if i % 7 == 0:
            b, q = b % 100, float(b % 100)
    return (a, b, c, d, e, f, g, h), [repr(x) for x in (p, q, r, s, t, u, v, w)]


def operands_below(n):
    """An outer loop that goes on in an inner one while a call's operands, some of which cannot die, are on the stack."""
    items = list(range(20))
    results = []
    for i in range(n):
        results.append(("name", None, i, [k + i for k in items if k > 3], {k: "x" for k in items}))
    return len(results), results[-1][:3], sum(results[n // 2][3])


print(two_ways(400), four_ways(400), swap_in_branch(300))
print(inner_lengths(300), inner_exit_values(200), three_deep(30))
print(polymorphic([1, 2.5, None, True, 7, False, 2**65, -3], 40), polymorphic([1, 2, 3], 40), polymorphic([None] * 3, 20))
print(phases(60), overflowing(400), shared_callee(100), rare(1000), while_chain(200), many_live(200))
print(operands_below(60))
