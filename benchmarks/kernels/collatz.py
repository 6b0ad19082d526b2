"""Longest Collatz chain below a limit."""


def main():
    best = 0
    best_start = 0
    for start in range(1, 60_000):
        n = start
        steps = 0
        while n != 1:
            if n % 2 == 0:
                n //= 2
            else:
                n = 3 * n + 1
            steps += 1
        if steps > best:
            best = steps
            best_start = start
    return best_start * 1000 + best


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
