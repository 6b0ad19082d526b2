"""Matrix product over lists of lists of floats."""


def matrix(n, seed):
    return [[((i * seed + j * 7) % 13) / 13.0 for j in range(n)] for i in range(n)]


def main():
    n = 120
    a = matrix(n, 3)
    b = matrix(n, 5)
    c = [[0.0] * n for _ in range(n)]
    for i in range(n):
        row = a[i]
        out = c[i]
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += row[k] * b[k][j]
            out[j] = total
    trace = 0.0
    for i in range(n):
        trace += c[i][i] + c[i][n - 1 - i]
    return int(trace * 1e9)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
