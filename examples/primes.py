"""How many primes there are below a limit: primes.py [LIMIT]."""

import sys


def sieve(limit):
    flags = [True] * limit
    flags[0:2] = [False] * min(2, limit)
    i = 2
    while i * i < limit:
        if flags[i]:
            for j in range(i * i, limit, i):
                flags[j] = False
        i += 1
    return flags


def main():
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    flags = sieve(limit)
    count = largest = 0
    for number in range(limit):
        if flags[number]:
            count += 1
            largest = number
    print(f"{count} primes below {limit}, the largest is {largest}")


main()
