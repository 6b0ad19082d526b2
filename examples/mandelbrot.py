"""The Mandelbrot set in characters: mandelbrot.py [WIDTH] [LIMIT]."""

import sys

SHADES = " .,:;-~=+*#%@"


def escape_time(cr, ci, limit):
    zr = zi = 0.0
    for n in range(limit):
        r2 = zr * zr
        i2 = zi * zi
        if r2 + i2 > 4.0:
            return n
        zi = 2.0 * zr * zi + ci
        zr = r2 - i2 + cr
    return limit


def main():
    width = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    height = width * 2 // 5
    for row in range(height):
        line = []
        for column in range(width):
            n = escape_time(3.0 * column / width - 2.2, 2.4 * row / height - 1.2, limit)
            line.append(SHADES[-1] if n == limit else SHADES[n % (len(SHADES) - 1)])
        print("".join(line))


main()
