"""Points of the Mandelbrot set, counted, with floats."""


def main():
    size = 160
    limit = 100
    inside = 0
    steps = 0
    for row in range(size):
        ci = 2.0 * row / size - 1.0
        for column in range(size):
            cr = 3.0 * column / size - 2.0
            zr = 0.0
            zi = 0.0
            n = 0
            while n < limit:
                r2 = zr * zr
                i2 = zi * zi
                if r2 + i2 > 4.0:
                    break
                zi = 2.0 * zr * zi + ci
                zr = r2 - i2 + cr
                n += 1
            steps += n
            if n == limit:
                inside += 1
    return inside * 1_000_000_000 + steps


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
