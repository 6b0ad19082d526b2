"""Small functions called in a loop."""


def clamp(x, low, high):
    if x < low:
        return low
    if x > high:
        return high
    return x


def scale(x, factor=3):
    return clamp(x * factor, 0, 1_000_000)


def main():
    total = 0
    for i in range(1_000_000):
        total += scale(i) - clamp(i, 10, 1000)
    return total


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
