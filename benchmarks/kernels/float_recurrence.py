"""The logistic map: each round depends on the one before."""


def main():
    x = 0.3
    for _ in range(5_000_000):
        x = 3.9 * x * (1.0 - x)
    return int(x * 1e15)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
