"""A fixed set of loops, each hot once, for counting what compiling costs."""


def squares(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def escapes(n):
    count, x, y = 0, 0.0, 0.0
    for _ in range(n):
        x, y = x * x - y * y + 0.1, 2.0 * x * y + 0.2
        if x * x + y * y > 4.0:
            x = y = 0.0
            count += 1
    return count


def collatz(n):
    steps, value = 0, 27
    while steps < n:
        if value % 2 == 0:
            value //= 2
        else:
            value = 3 * value + 1
        if value == 1:
            value = 27
        steps += 1
    return steps


def sieve(n):
    flags = [True] * n
    for i in range(2, n):
        if flags[i]:
            for j in range(i * i, n, i):
                flags[j] = False
    return sum(flags)


def product(rows, columns):
    result = []
    for row in rows:
        line = []
        for column in columns:
            total = 0.0
            for a, b in zip(row, column):
                total += a * b
            line.append(total)
        result.append(line)
    return result


def swap(items, n):
    for _ in range(n):
        i, j = 0, len(items) - 1
        while i < j:
            items[i], items[j] = items[j], items[i]
            i += 1
            j -= 1
    return items


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def norm(self):
        return self.x * self.x + self.y * self.y


def attributes(points, n):
    total = 0
    for i in range(n):
        point = points[i % len(points)]
        total += point.norm()
        point.x += 1
    return total


def words(text, n):
    counts = {}
    for _ in range(n):
        for word in text.split():
            counts[word] = counts.get(word, 0) + len(word)
    return counts


def add(a, b):
    return a + b


def calls(n):
    total = 0
    for i in range(n):
        total = add(total, i & 7)
    return total


def main():
    squares(500)
    escapes(500)
    collatz(500)
    sieve(500)
    rows = [[float(i + j) for j in range(20)] for i in range(20)]
    product(rows, rows)
    swap(list(range(40)), 40)
    attributes([Point(i, 2 * i) for i in range(10)], 500)
    words("the quick brown fox jumps over the lazy dog", 80)
    calls(500)


main()
