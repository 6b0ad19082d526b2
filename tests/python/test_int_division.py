"""Floor division and modulo with negatives, by zero, and of the smallest word by -1."""


def floor(pairs, rounds):
    total = 0
    for _ in range(rounds):
        for a, b in pairs:
            total = total * 3 + a // b
            total += a % b
            q, r = divmod(a, b)
            total ^= q - r
            total %= 2**59
    return total


def by_zero(values, rounds):
    caught = 0
    last = None
    for _ in range(rounds):
        for value in values:
            try:
                caught += 100 // value
            except ZeroDivisionError as error:
                caught += 1
                last = str(error)
            try:
                caught += 100 % value
            except ZeroDivisionError as error:
                caught += 10
                last = str(error)
            try:
                caught += int(100 / value)
            except ZeroDivisionError as error:
                caught += 100
                last = str(error)
    return caught, last


def true_division(values, rounds):
    total = 0.0
    for _ in range(rounds):
        for a in values:
            total += a / 7 - 7 / a + a / -3
    return repr(total)


def collatz(limit):
    best = (0, 0)
    for start in range(1, limit):
        n = start
        steps = 0
        while n != 1:
            if n % 2 == 0:
                n //= 2
            else:
                n = 3 * n + 1
            steps += 1
        if steps > best[0]:
            best = (steps, start)
    return best


def gcds(n):
    total = 0
    for a in range(1, n):
        x, y = a * 1234567, n * 7654321
        while y:
            x, y = y, x % y
        total += x
    return total


def digits(n, base):
    out = []
    while n:
        n, d = divmod(n, base)
        out.append(d)
    return out


def shift_errors(values):
    seen = []
    for value in values:
        try:
            seen.append(1 << value)
        except ValueError as error:
            seen.append(str(error))
        try:
            seen.append(1 >> value)
        except ValueError as error:
            seen.append(str(error))
    return seen


def main():
    small = [(a, b) for a in range(-9, 10) for b in range(-5, 6) if b]
    print(floor(small, 5))
    edges = [2**30, 2**31, 2**60, 2**62, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64, -(2**64)]
    large = [(a, b) for a in edges for b in [1, -1, 2, -2, 3, 10**9, -(10**9)] + edges]
    print(floor(large, 5))
    print(-(2**63) // -1, -(2**63) % -1)
    print(by_zero([1, -1, 0, 3, 0, 7], 20))
    print(true_division([1, -1, 3, 2**53 + 1, 2**63, 10**20, -(10**25)], 20))
    print(collatz(600), gcds(300))
    print(digits(10**40, 7), digits(2**64, 2**16))
    print(shift_errors([0, 1, -1, 5, -5, 63, 64] * 5)[-20:])


main()
