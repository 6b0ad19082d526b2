"""Sum of squares; the sum stays within 64 bits. Five times over."""


def main():
    for _ in range(5):
        total = 0
        for i in range(2_000_000):
            total += i * i
    return total


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
