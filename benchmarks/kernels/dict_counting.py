"""Counting in a dict."""


def main():
    counts = {}
    seed = 1
    for _ in range(1_000_000):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        key = (seed >> 12) % 1000
        counts[key] = counts.get(key, 0) + 1
    best = 0
    for key, count in counts.items():
        if count * 1000 + key > best:
            best = count * 1000 + key
    return best * 10_000 + len(counts)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
