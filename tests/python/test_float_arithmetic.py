"""Float arithmetic in hot loops: special values, mixing with ints and bools, exact results."""

import math
import struct

INF = float("inf")
NAN = float("nan")
VALUES = [0.0, -0.0, 1.0, -1.0, 0.1, 1.5, -2.5, 3.7, 1e-310, 5e-324, 1e300, -1e300, 1e17, INF, -INF, NAN]
INTS = [0, 1, -1, 2, 3, -7, 2**31, 2**53 + 1, 2**62, 2**63, -(2**64), True, False]


def bits(value):
    if isinstance(value, float):
        if value != value:
            return "nan"
        return struct.pack(">d", value).hex()
    return repr(value)


def digest(values):
    total = 0
    for value in values:
        for char in bits(value):
            total = (total * 131 + ord(char)) % (2**61 - 1)
    return total


def binary(left, right):
    results = []
    for a in left:
        for b in right:
            results.append(a + b)
            results.append(a - b)
            results.append(a * b)
            if b:
                results.append(a / b)
                results.append(a // b)
                results.append(a % b)
    return results


def comparisons(left, right):
    results = []
    for a in left:
        for b in right:
            results.append((a < b, a <= b, a == b, a != b, a > b, a >= b))
    return results


def zero_divisions(values):
    seen = []
    for a in values:
        for zero in (0, 0.0, -0.0, False):
            try:
                seen.append(a / zero)
            except ZeroDivisionError as error:
                seen.append(str(error))
            try:
                seen.append(a // zero)
            except ZeroDivisionError as error:
                seen.append(str(error))
            try:
                seen.append(a % zero)
            except ZeroDivisionError as error:
                seen.append(str(error))
    return seen


def powers(values):
    seen = []
    for a in values:
        for b in (0, 1, 2, 3, -1, 0.5, -0.5, 2.0):
            try:
                seen.append(a**b)
            except (ZeroDivisionError, OverflowError) as error:
                seen.append(type(error).__name__)
    return [value if not isinstance(value, complex) else repr(value) for value in seen]


def logistic(x, r, n):
    for _ in range(n):
        x = r * x * (1.0 - x)
    return x


def harmonic(n):
    total = 0.0
    for i in range(1, n):
        total += 1 / i
        total -= 1.0 / (i + 0.5)
    return total


def to_infinity(x):
    steps = 0
    while x < INF:
        x = x * 1.5 + 1
        steps += 1
    return steps, x, x - x, -x


def to_zero(x):
    steps = 0
    while x:
        x /= 3
        steps += 1
    return steps, x


def negative_zero(n):
    z = -0.0
    for _ in range(n):
        z = z + -0.0
        z = z * 1.0
    w = 0.0
    for _ in range(n):
        w = -w
    return bits(z), bits(w), bits(0.0 * -1), bits(-0.0 + 0)


def changing_type(n):
    """The accumulator begins as an int, becomes a float, and an int again."""
    total = 0
    for i in range(n):
        if i == n // 3:
            total += 0.5
        if i == 2 * n // 3:
            total = int(total)
        total += i
    return total


def nan_loop(values, n):
    equal = unequal = true = smaller = 0
    for _ in range(n):
        for value in values:
            if value == value:
                equal += 1
            if value != value:
                unequal += 1
            if value:
                true += 1
            if value < 1:
                smaller += 1
            if not value >= 1:
                smaller += 1000
    return equal, unequal, true, smaller


def functions(n):
    total = 0.0
    for i in range(n):
        total += math.sqrt(i) * math.sin(i) + math.floor(i / 3) + abs(-i / 2) + float(i) + round(i / 7, 2)
        total += int(i / 3) + max(i / 2, 3.0) + min(i, 2.5)
    return total


def main():
    print("binary", digest(binary(VALUES, VALUES)))
    print("mixed", digest(binary(VALUES, INTS)), digest(binary(INTS, VALUES)))
    print("compare", comparisons(VALUES, VALUES) == comparisons(VALUES, VALUES))
    print("compare", digest([repr(row) for row in comparisons(VALUES + INTS, INTS + VALUES)]))
    print("zero", zero_divisions([1.0, -1.0, 0.0, 5, 0, True]))
    print("powers", digest(powers(VALUES)), digest(powers([0, 1, -1, 2, 3, True])))
    for n in (1, 10, 1000, 5000):
        print("logistic", repr(logistic(0.3, 3.9, n)), repr(harmonic(n)))
    print("limits", to_infinity(1.0), to_infinity(1), to_zero(1.0), to_zero(12345))
    print("negative zero", negative_zero(50))
    print("type", changing_type(100), changing_type(3000))
    print("nan", nan_loop(VALUES, 30))
    print("functions", functions(500))


main()
