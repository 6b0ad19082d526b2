"""The inside of fannkuch, written with indices: reverse the first k elements until the first is 0."""


def main():
    n = 10
    checksum = 0
    perm = [0] * n
    seed = 12345
    for _ in range(12_000):
        for i in range(n):
            perm[i] = i
        i = n - 1
        while i > 0:
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            j = (seed >> 8) % (i + 1)
            perm[i], perm[j] = perm[j], perm[i]
            i -= 1
        flips = 0
        first = perm[0]
        while first:
            low = 0
            high = first
            while low < high:
                perm[low], perm[high] = perm[high], perm[low]
                low += 1
                high -= 1
            flips += 1
            first = perm[0]
        checksum = (checksum * 31 + flips) % 1_000_000_007
    return checksum


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
