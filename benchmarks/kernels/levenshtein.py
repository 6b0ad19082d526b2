"""Edit distance of two texts."""


def distance(a, b):
    previous = list(range(len(b) + 1))
    for i in range(len(a)):
        current = [i + 1]
        left = i + 1
        ca = a[i]
        for j in range(len(b)):
            best = previous[j] if ca == b[j] else previous[j] + 1
            if previous[j + 1] + 1 < best:
                best = previous[j + 1] + 1
            if left + 1 < best:
                best = left + 1
            current.append(best)
            left = best
        previous = current
    return previous[-1]


def main():
    a = "the quick brown fox jumps over the lazy dog " * 15
    b = "a lazy dog is jumped over by some quick red foxes " * 14
    return distance(a, b)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
