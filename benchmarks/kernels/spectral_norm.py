"""The spectral norm of the benchmarks game: a small function called in the inner loop."""


def a(i, j):
    return 1.0 / ((i + j) * (i + j + 1) // 2 + i + 1)


def times(v, out, n):
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += a(i, j) * v[j]
        out[i] = total


def times_transposed(v, out, n):
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += a(j, i) * v[j]
        out[i] = total


def main():
    n = 130
    u = [1.0] * n
    v = [0.0] * n
    t = [0.0] * n
    for _ in range(10):
        times(u, t, n)
        times_transposed(t, v, n)
        times(v, t, n)
        times_transposed(t, u, n)
    vbv = 0.0
    vv = 0.0
    for i in range(n):
        vbv += u[i] * v[i]
        vv += v[i] * v[i]
    return int((vbv / vv) ** 0.5 * 1e12)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
