"""Naive Fibonacci numbers: calls and little else."""


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def main():
    return fib(27)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
