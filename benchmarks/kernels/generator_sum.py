"""Sums over generators."""


def numbers(n):
    i = 0
    while i < n:
        yield i * 2
        i += 1


def odd_only(source):
    for x in source:
        if x % 3:
            yield x


def main():
    total = 0
    for x in odd_only(numbers(1_000_000)):
        total += x
    return total + sum(x * x for x in range(500_000))


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
