"""Loops in loops, in every order of getting hot; numbers that move from name to name; iterators of every type."""

import weakref


def gcds(n):
    total = 0
    for a in range(1, n):
        for b in range(1, n):
            x = a
            y = b
            while y:
                x, y = y, x % y
            total += x
    return total


def sieve(n):
    flags = [True] * (n + 1)
    i = 2
    while i * i <= n:
        if flags[i]:
            j = i * i
            while j <= n:
                flags[j] = False
                j += i
        i += 1
    return sum(flags)


def product(n):
    a = [[(i * 3 + j) % 7 / 7.0 for j in range(n)] for i in range(n)]
    b = [[(i * 5 + j) % 11 / 11.0 for j in range(n)] for i in range(n)]
    c = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += a[i][k] * b[k][j]
            c[i][j] = total
    return c[3][4], c[n - 1][n - 2]


def four_deep(n):
    count = 0
    for a in range(n):
        b = 0
        while b < n:
            for c in range(b, n):
                d = c
                while d > a:
                    count += d
                    d -= 1
            b += 1
    return count


def inner_short(n):
    """The inner loop runs 0, 1 or 2 times."""
    total = 0
    for i in range(n):
        for j in range(i % 3):
            total += i * j + 1
        total -= i & 1
    return total


def inner_called(n):
    def inner(m):
        t = 0
        for k in range(m):
            t += k
        return t

    total = 0
    for i in range(n):
        for j in range(i % 7):
            total += inner(j)
    return total


def words(text):
    out = []
    i = 0
    n = len(text)
    while i < n:
        c = text[i]
        if c == " ":
            i += 1
        elif c.isdigit():
            start = i
            while i < n and text[i].isdigit():
                i += 1
            out.append(int(text[start:i]))
        else:
            start = i
            while i < n and text[i].isalpha():
                i += 1
            out.append(text[start:i])
    return out


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a, b


def three_names(n):
    a, b, c = 1, 2, 3
    seen = []
    for i in range(n):
        a, b, c = b, c, (a + b + c) % 100003
        if i % 37 == 0:
            seen.append((a, b, c))
    return seen[-3:]


def rotated_floats(n):
    previous, current = 0.5, 1.5
    for i in range(n):
        previous, current = current, current * 0.5 + previous * 0.25 + i
    return previous, current


class Marker(float):
    pass


def who_is_who(n):
    """What came from outside stays that object while the names move on."""
    first, second = float("1000.5"), float("2000.5")
    kept = [first, second]
    log = []
    a, b = first, second
    for i in range(n):
        log.append((a is kept[0], a is kept[1], b is kept[1], a is b))
        a, b = b, a + b
    x = y = 12345.0 + n
    for i in range(n):
        log.append((x is y,))
        x, y = y, x
    p = q = 10**6 + n
    while n > 0:
        q, p = p, q - 1
        n -= 1
        log.append((p is q, p == q))
    return log[:3], log[-3:], [line for line in log if line[0]][:5], p, q


def left_early(n, stop):
    """Leaves the loop in its first turns, where the names still hold what came from outside."""
    results = []
    for i in range(n):
        a, b = i, i + 1000
        c = b
        while True:
            if a >= stop:
                break
            a, b = b, a + 1
        results.append((b is c, a, b))
    return results[:3], results[-3:]


def changing_types(n):
    out = 0
    for i in range(n):
        x = 1
        y = 2 if i % 5 else 2.5
        for _ in range(4):
            x, y = y, x + y
        out += y
    return out


def overflowing(n):
    results = []
    for i in range(n):
        a, b = 1, 2**40 + i
        for _ in range(60):
            a, b = b, a + b
        results.append(b)
    return results[-1], results[0]


def enumerated(items):
    total = 0
    for i, item in enumerate(items):
        total += i * item
    return total


def zipped(a, b):
    total = 0
    for x, y in zip(a, b):
        if x > y:
            total += x
        else:
            total -= y
    return total


def over_dicts(d):
    keys = values = 0
    for key in d:
        keys += key
    for value in d.values():
        values += value
    for key, value in d.items():
        keys += value
        values += key
    return keys, values


def nested_items(d, times):
    total = 0
    for _ in range(times):
        for key, value in d.items():
            for c in value:
                total += key if c == "a" else 1
    return total


def over_sets(s):
    total = 0
    for x in s:
        total ^= x
    for x in frozenset(s):
        total += x
    return total


def characters(text):
    counts = [0, 0]
    for c in text:
        counts[c == "x"] += 1
    return counts


def mapped(n):
    total = 0
    for x in map(abs, range(-n, n)):
        total += x
    for x in filter(None, range(n)):
        total += x
    for x in reversed(range(n)):
        total -= x
    for x in (y * 2 for y in range(n)):
        total += x
    return total


class Countdown:
    def __init__(self, n, fail=None):
        self.n = n
        self.fail = fail

    def __iter__(self):
        return self

    def __next__(self):
        self.n -= 1
        if self.n == self.fail:
            raise KeyError(self.n)
        if self.n < 0:
            raise StopIteration
        return self.n


def own_iterators(n):
    total = 0
    for x in Countdown(n):
        total += x
    try:
        for x in Countdown(n, n // 2):
            total += x
    except KeyError as error:
        return total, error.args, error.__traceback__.tb_lineno
    return None


class Observed:
    """An iterator whose end can be seen."""

    def __init__(self, n, log):
        self.n = n
        weakref.finalize(self, log.append, "gone")

    def __iter__(self):
        return self

    def __next__(self):
        self.n -= 1
        if self.n < 0:
            raise StopIteration
        return self.n


def iterator_ends(n):
    log = []
    for i in range(n):
        for x in Observed(i % 4, log):
            pass
        else:
            log.append(i)
    return log[:6], log[-6:], len(log)


def left_by_break(n):
    out = []
    for i in range(n):
        for k, x in enumerate("abcdef"):
            if k == i % 8:
                break
        else:
            x = "none"
        out.append(x)
    return "".join(out[-12:])


def grown_while_iterated(n):
    d = {i: i for i in range(n)}
    seen = 0
    try:
        for key in d:
            seen += 1
            if key == n - 3:
                d[n] = 0
    except RuntimeError as error:
        return seen, str(error)
    return None


def deep_comprehensions(n):
    table = [[i * j for j in range(n)] for i in range(n)]
    flat = [x for row in table for x in row if x % 3 == 0]
    pairs = {(i, j): i ^ j for i in range(n) for j in range(i)}
    return sum(flat), sum(pairs.values()), sum(sum(row) for row in table)


def main():
    print(gcds(60))
    print(sieve(3000))
    print(product(24))
    print(four_deep(14))
    print(inner_short(3000), inner_called(900))
    print(words("one 22 three 4444 five 6 seven 88 " * 60)[-9:])
    print(fibonacci(80), fibonacci(300), three_names(2000), rotated_floats(900))
    print(who_is_who(400))
    print(left_early(300, 5), left_early(300, 1100), left_early(300, 0))
    print(changing_types(300), overflowing(200))
    print(enumerated(range(2000)), zipped(range(1500), range(3000, 0, -2)))
    print(over_dicts({i: i * 3 for i in range(1200)}))
    print(nested_items({i: "abc" * (i % 4) for i in range(40)}, 30))
    print(over_sets({i * 7 for i in range(1000)}))
    print(characters("xyz" * 500), mapped(700))
    print(own_iterators(600))
    print(iterator_ends(300))
    print(left_by_break(500))
    print(grown_while_iterated(400))
    print(deep_comprehensions(30))


main()
