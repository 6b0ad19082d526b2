"""Measured by coverage.py: branches, exceptions, generators and inlined functions in hot loops."""


def helper(i):
    if i % 3 == 0:
        return i * 2
    return i


def never(i):
    return i


def raises(i):
    if i % 50 == 49:
        raise ValueError(i)
    return i


def numbers(n):
    for i in range(n):
        if i % 2:
            yield i
        else:
            yield -i


def loop(n):
    total = 0
    for i in range(n):
        total += helper(i)
        if i > n:
            total = never(total)
        try:
            total += raises(i)
        except ValueError:
            total -= 1
        while total % 7 == 6:
            total += 1
            if total < 0:
                break
        else:
            total += 1
    return total


def late(n):
    total = 0
    for i in range(n):
        if i < n - 1:
            total += i
        else:
            total = -total
    return total


class Thing:
    def __init__(self, value):
        self.value = value

    @property
    def twice(self):
        return self.value * 2


print(loop(500), late(300), sum(numbers(200)), sum(Thing(i).twice for i in range(200)))
print([x if x % 2 else -x for x in range(100)][-1], max(map(lambda x: x * 2, range(200))))
