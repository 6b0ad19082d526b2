"""Integer arithmetic in hot loops, with results at the edges of digits and machine words."""

EDGES = [
    0, 1, 2, 3, 7, 10, 255, 256, 257,
    2**15, 2**29, 2**30 - 1, 2**30, 2**30 + 1,
    2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1,
    2**59, 2**60 - 1, 2**60, 2**60 + 1, 2**62, 2**62 + 1,
    2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 2**64 + 1, 2**65, 2**90, 10**30,
]
EDGES = [-value for value in reversed(EDGES)] + EDGES[1:]


def checksum(values):
    total = 0
    for value in values:
        total = (total * 31 + value) % (2**61 - 1)
    return total


def binary(left, right):
    results = []
    for a in left:
        for b in right:
            results.append(a + b)
            results.append(a - b)
            results.append(a * b)
            results.append(a & b)
            results.append(a | b)
            results.append(a ^ b)
            if b != 0:
                results.append(a // b)
                results.append(a % b)
    return results


def unary(values):
    results = []
    for a in values:
        results.append(-a)
        results.append(+a)
        results.append(~a)
        results.append(abs(a))
        results.append(not a)
    return results


def shifts(values):
    results = []
    for a in values:
        for n in (0, 1, 2, 5, 29, 30, 31, 32, 59, 60, 61, 62, 63, 64, 65, 100):
            results.append(a << n)
            results.append(a >> n)
    return results


def comparisons(left, right):
    results = []
    for a in left:
        for b in right:
            code = 0
            if a < b:
                code += 1
            if a <= b:
                code += 2
            if a == b:
                code += 4
            if a != b:
                code += 8
            if a > b:
                code += 16
            if a >= b:
                code += 32
            results.append(code)
    return results


def powers(values):
    results = []
    for a in values:
        for n in (0, 1, 2, 3, 5):
            results.append(a**n)
    return results


def sum_squares(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def cross(start, step, count):
    """Walks over an edge, one value at a time."""
    value = start
    seen = []
    for _ in range(count):
        seen.append(value)
        value += step
    return seen


def grow(value, factor, count):
    for _ in range(count):
        value *= factor
        value += 1
    return value


def shrink(value, divisor):
    steps = 0
    while value:
        value //= divisor
        steps += 1
        if value == -1:
            break
    return steps, value


def accumulate(n):
    a = b = c = d = e = 0
    for i in range(1, n):
        a += i * 7919 % 1009
        b ^= i << (i % 13)
        c = (c * 1103515245 + 12345) & 0x7FFFFFFF
        d -= i // -3
        e += -i % 7 - i % -7
    return a, b, c, d, e


def augmented(n):
    x = 1
    for i in range(1, n):
        x += i
        x -= 3
        x *= 2
        x //= 3
        x %= 100003
        x <<= 2
        x >>= 1
        x |= 5
        x &= 0xFFFFF
        x ^= i
    return x


def main():
    print("binary", checksum(binary(EDGES, EDGES)))
    print("unary", checksum(unary(EDGES)), unary(EDGES[:4]))
    print("shifts", checksum(shifts(EDGES)))
    print("comparisons", checksum(comparisons(EDGES, EDGES)))
    print("powers", checksum(powers(EDGES)))
    small = list(range(-12, 13))
    print("small", binary(small, small)[:60], checksum(binary(small, small)))
    for n in (0, 1, 2, 100, 5000, 30000):
        print("squares", n, sum_squares(n))
    for edge in (2**30, 2**31, 2**32, 2**60, 2**62, 2**63, 2**64):
        print("cross", cross(edge - 5, 1, 11))
        print("cross", cross(-edge + 5, -1, 11))
    for factor in (2, 3, -3, 10, 2**31, -(2**33)):
        print("grow", factor, grow(1, factor, 70))
    for divisor in (2, 3, 7, -2, 10**9):
        print("shrink", divisor, shrink(10**60, divisor), shrink(-(10**60), divisor))
    print("accumulate", accumulate(3000))
    print("augmented", augmented(3000))


main()
