"""Every kind of instruction that is recorded, in loops: numbers, sequences, calls, objects, exceptions, iterators."""
import math
import zlib


class Dd:

    def __init__(s, n):
        s.n = n

    def __del__(s):
        log.append(('del', s.n))
log = []


def arith(n):
    out = []
    a = 7
    b = 3
    f = 2.5
    t = True
    s = 0
    for i in range(n):
        a = (a * 31 + i) % 1000003
        b = a // (i + 1) - b
        s += a - b
        s ^= i
        s |= 5
        s &= 16777215
        f = f * 1.0001 + i / 3 - a % 7 * 0.5
        g = f // 2.0
        h = f % 3.0
        p = (i + 1.0) ** 1.5
        q = i ** 2
        z = i << 3
        y = a >> 2
        t = not t
        u = -a
        v = ~i
        w = -f
        x = +a
        if a > b and f < 1000 or t:
            s += 1
        elif a == b:
            s -= 1
        else:
            s += 2
        if i % 3 == 0:
            continue
        c = a if t else b
        m = (a < b) + True
        k = t & (a > b) | False
        out.append((a, b, s, f, g, h, p, q, z, y, u, v, w, x, c, m, k))
    return (zlib.crc32(repr(out).encode()), out[-1])
print(arith(60))


def big(n):
    s = 1
    for i in range(1, n):
        s = s * i + 1
        if s > 10 ** 30:
            s //= 10 ** 20
    return s
print(big(60))


def lists(n):
    a = [i * 1.5 for i in range(n)]
    b = [None] * n
    m = [[i * j for j in range(5)] for i in range(5)]
    s = 0
    i = 0
    while i < n:
        b[i] = a[-i - 1] + a[i]
        row = m[i % 5]
        row[i % 5] += i
        s += m[(i + 1) % 5][i % 5]
        x, y = (a[i], b[i])
        a[i], a[-1] = (a[-1], a[i])
        t = (x, y, i)
        p, q, r = t
        l = [p, q]
        u, w = l
        i += 1
    return (s, sum(b), m, a[:3], t, l)
print(lists(40))


def calls(n):

    def sq(x, k=2):
        return x * k
    s = 0
    for i in range(n):
        s += sq(i)
        s += sq(i, 3)
        s += helper(i, s)
        s += abs(-i) + len('abc') + min(i, 3) + max(i, 4.5)
        s += math.sqrt(i) + math.sin(i) + int(3.7) + float(i) + round(2.567, 1)
        s += ord('a') + len([1, 2, i])
        if isinstance(i, int):
            s += 1
    return s


def helper(a, b):
    if a % 2:
        return inner(a) + 1
    return b * 0


def inner(q):
    z = [q, q + 1]
    return z[0] * z[1]
print(calls(50))


def objs(n):
    acc = []
    x = None
    for i in range(n):
        x = Dd(i)
        y = [x, i]
        x = y
        acc.append(len(y))
        d = {'a': i, 'b': i + 1}
        d['c'] = i * 2
        s = f'{i}:{d['a']!r:>4}|{i:03d}'
        acc.append(s)
        if 'a' in d and i in (1, 2, 3):
            acc.append(s.upper())
        e = s[1:3]
    return acc
print(objs(30))
print(log)
tot = 0
for k in range(40):
    tot += k * 2
    lst = [k, tot]
    nm = lst
    tot -= len(nm)
print(tot, k, nm)


def exc(n):
    out = []
    for i in range(n):
        try:
            if i % 5 == 4:
                1 / (i - i)
            if i % 7 == 6:
                [][i]
            if i % 11 == 10:
                undefined_thing
            if i % 13 == 12:
                int('x')
            out.append(i)
        except Exception as e:
            out.append((type(e).__name__, str(e), e.__traceback__.tb_lineno))
    return out
print(exc(60))


def gens(n):
    s = 0
    for x in (i * i for i in range(n)):
        s += x
    for k, v in {'a': 1, 'b': 2}.items():
        s += v
    for c in 'hello':
        s += ord(c)
    for a, b in zip(range(10), range(5, 15)):
        s += a * b
    for i, (p, q) in enumerate([(1, 2)] * 10):
        s += i + p + q
    for q in [1.5, 2.5, 3.5]:
        s += q
    for q in (1, 2, 3):
        s += q
    for q in {1, 2, 3}:
        s += q
    return s
print(gens(20))


def clos(n):
    c = 0

    def bump(d):
        nonlocal c
        c += d
        return c
    s = 0
    for i in range(n):
        s += bump(i)
        c += 1
    return (s, c)
print(clos(30))


def nested(n):
    s = 0
    for i in range(n):
        for j in range(3):
            s += i * j
        else:
            s += 1
    return s
print(nested(10))


def cmp(n):
    r = []
    vals = [1, 1.0, True, None, 'a', 2 ** 70, float('nan'), (1, 2), [1], -5]
    for i in range(n):
        for x in vals:
            y = vals[(i * 3 + 1) % len(vals)]
            r.append((x == y, x != y, x is y, x is not y, x in (1, 'a', None)))
            if x:
                r.append(1)
            if not y:
                r.append(2)
            if x is None:
                r.append(3)
    return hash(tuple(r))
print(cmp(12))


def kw(a, *, b=3, **k):
    return a + b + len(k)


def va(*a):
    return sum(a)


def kws(n):
    s = 0
    t = (1, 2)
    for i in range(n):
        s += kw(i, b=2, c=4) + va(i, *t) + va(*t) + kw(1, **{'b': i})
        s += int('12') + 'abc'.find('c') + 3 .bit_length()
    return s
print(kws(20))
