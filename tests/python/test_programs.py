"""Small whole programs of the kinds that Serigraph is for."""

import sys


def mandelbrot(width, height, limit):
    rows = []
    for row in range(height):
        line = ""
        for column in range(width):
            cr = column * 3.0 / width - 2.0
            ci = row * 2.0 / height - 1.0
            zr = zi = 0.0
            n = 0
            while n < limit and zr * zr + zi * zi <= 4.0:
                zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                n += 1
            line += " .:-=+*#%@"[n * 9 // limit]
        rows.append(line)
    return rows


def nbody(steps):
    xs = [0.0, 4.84, 8.34, 12.89, 15.37]
    ys = [0.0, -1.16, 4.12, -15.11, -25.9]
    vx = [0.0, 0.6, -1.01, 1.08, 0.97]
    vy = [0.0, 2.81, 1.82, 0.86, 0.59]
    mass = [39.47, 0.037, 0.011, 0.0017, 0.002]
    n = 5
    for _ in range(steps):
        for i in range(n):
            for j in range(i + 1, n):
                dx = xs[i] - xs[j]
                dy = ys[i] - ys[j]
                d2 = dx * dx + dy * dy
                mag = 0.01 / (d2 * d2**0.5)
                vx[i] -= dx * mass[j] * mag
                vy[i] -= dy * mass[j] * mag
                vx[j] += dx * mass[i] * mag
                vy[j] += dy * mass[i] * mag
        for i in range(n):
            xs[i] += 0.01 * vx[i]
            ys[i] += 0.01 * vy[i]
    return xs, ys


def fannkuch(n):
    perm = list(range(n))
    count = list(range(1, n + 1))
    flips_max = 0
    checksum = 0
    sign = 1
    rounds = 0
    while True:
        first = perm[0]
        if first:
            q = perm[:]
            flips = 1
            while True:
                last = q[first]
                if not last:
                    break
                q[first] = first
                if first > 2:
                    i, j = 1, first - 1
                    while i < j:
                        q[i], q[j] = q[j], q[i]
                        i += 1
                        j -= 1
                first = last
                flips += 1
            if flips > flips_max:
                flips_max = flips
            checksum += flips * sign
        rounds += 1
        if sign == 1:
            perm[0], perm[1] = perm[1], perm[0]
            sign = -1
        else:
            perm[1], perm[2] = perm[2], perm[1]
            sign = 1
            for i in range(2, n):
                if count[i] != 1:
                    count[i] -= 1
                    break
                if i == n - 1:
                    return checksum, flips_max, rounds
                count[i] = i + 1
                t = perm[0]
                for k in range(i + 1):
                    perm[k] = perm[k + 1]
                perm[i + 1] = t


def spectral_norm(n):
    def a(i, j):
        return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)

    def multiply(v):
        out = []
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += a(i, j) * v[j]
            out.append(total)
        return out

    def multiply_t(v):
        return [sum(a(j, i) * v[j] for j in range(n)) for i in range(n)]

    u = [1.0] * n
    for _ in range(4):
        v = multiply_t(multiply(u))
        u = multiply_t(multiply(v))
    vbv = vv = 0
    for x, y in zip(u, v):
        vbv += x * y
        vv += y * y
    return (vbv / vv) ** 0.5


def levenshtein(a, b):
    previous = list(range(len(b) + 1))
    for i in range(len(a)):
        current = [i + 1]
        for j in range(len(b)):
            cost = 0 if a[i] == b[j] else 1
            current.append(min(previous[j] + cost, previous[j + 1] + 1, current[j] + 1))
        previous = current
    return previous[-1]


def quicksort(items):
    def sort(low, high):
        while low < high:
            pivot = items[(low + high) // 2]
            i, j = low, high
            while i <= j:
                while items[i] < pivot:
                    i += 1
                while items[j] > pivot:
                    j -= 1
                if i <= j:
                    items[i], items[j] = items[j], items[i]
                    i += 1
                    j -= 1
            sort(low, j)
            low = i

    sort(0, len(items) - 1)
    return items


def life(size, rounds):
    grid = [[(x * y + x + 3 * y) % 3 == 0 for x in range(size)] for y in range(size)]
    for _ in range(rounds):
        new = []
        for y in range(size):
            row = []
            for x in range(size):
                count = 0
                for dy in (-1, 0, 1):
                    for dx in (-1, 0, 1):
                        if dx or dy:
                            if grid[(y + dy) % size][(x + dx) % size]:
                                count += 1
                row.append(count == 3 or (grid[y][x] and count == 2))
            new.append(row)
        grid = new
    return ["".join("#" if cell else "." for cell in row) for row in grid]


def knapsack(weights, values, capacity):
    best = [0] * (capacity + 1)
    for i in range(len(weights)):
        for c in range(capacity, weights[i] - 1, -1):
            candidate = best[c - weights[i]] + values[i]
            if candidate > best[c]:
                best[c] = candidate
    return best[capacity]


def lcg_stream(n):
    state = 42
    buckets = [0] * 16
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        buckets[state >> 60] += 1
    return buckets, state


def xorshift(n):
    x = 88172645463325252
    for _ in range(n):
        x ^= (x << 13) & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 7
        x ^= (x << 17) & 0xFFFFFFFFFFFFFFFF
    return x


def pi_digits(n):
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    out = []
    while len(out) < n:
        if 4 * q + r - t < m * t:
            out.append(m)
            q, r, m = 10 * q, 10 * (r - m * t), (10 * (3 * q + r)) // t - 10 * m
        else:
            q, r, t, k, m, x = q * k, (2 * q + r) * x, t * x, k + 1, (q * (7 * k + 2) + r * x) // (t * x), x + 2
    return "".join(map(str, out))


for line in mandelbrot(48, 16, 40):
    print(line)
print(nbody(60))
print(fannkuch(6), repr(spectral_norm(14)), levenshtein("saturday morning" * 3, "sunday evening" * 3))
numbers = [i * 7919 % 1009 for i in range(500)]
print(quicksort(numbers[:]) == sorted(numbers), "\n".join(life(12, 12)))
print(knapsack([3, 5, 7, 11, 13, 2], [4, 6, 9, 15, 17, 2], 60), lcg_stream(2000), xorshift(1000), pi_digits(60))
print(sys.argv[1:], sys.stdin.read())
