"""Euclid's algorithm on many pairs."""


def main():
    total = 0
    for a in range(1, 700):
        for b in range(1, 700):
            x = a
            y = b
            while y:
                x, y = y, x % y
            total += x
    return total


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
