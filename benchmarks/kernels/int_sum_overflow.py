"""Sum of squares that leaves 64 bits after 3.02 million rounds and goes on exactly."""


def main():
    total = 0
    for i in range(10_000_000):
        total += i * i
    return total


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
