"""Sorting records with a key function."""


class Record:
    def __init__(self, name, rank):
        self.name = name
        self.rank = rank


def main():
    seed = 7
    records = []
    for _ in range(100_000):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        records.append(Record(seed >> 16, seed % 1000))
    records.sort(key=lambda r: (r.rank, -r.name))
    checksum = 0
    for r in records:
        checksum = (checksum * 31 + r.name) % 1_000_000_007
    return checksum


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
