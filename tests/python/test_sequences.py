"""Lists and tuples in hot loops: indices of every kind, mutation while iterating, unpacking."""


def read_indices(items, rounds):
    total = 0
    n = len(items)
    for _ in range(rounds):
        for i in range(-n, n):
            total = total * 7 % 1000003 + items[i]
    return total


def write_indices(n, rounds):
    items = [0] * n
    for r in range(rounds):
        for i in range(n):
            items[i] += i + r
            items[-i - 1] -= r
            items[i] ^= 1
    return items


def index_errors(items, indices):
    seen = []
    for i in indices:
        try:
            seen.append(items[i])
        except IndexError as error:
            seen.append(str(error))
        except TypeError as error:
            seen.append(str(error))
    return seen


def store_errors(items, indices):
    seen = []
    for i in indices:
        try:
            items[i] = i
            seen.append(0)
        except (IndexError, TypeError) as error:
            seen.append(str(error))
    return seen


def swaps(n, rounds):
    items = list(range(n))
    for r in range(rounds):
        i = 0
        j = n - 1
        while i < j:
            items[i], items[j] = items[j], items[i]
            i += 1
            j -= 1
        a, b, c = items[0], items[1], items[2]
        items[0], items[1], items[2] = c, a, b
    return items


def rotate(n):
    a, b, c, d = 1, 2.5, "three", (4,)
    for _ in range(n):
        a, b, c, d = b, c, d, a
    return a, b, c, d


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def append_while_iterating(limit):
    items = [1]
    for item in items:
        if len(items) < limit:
            items.append(item + 1)
    return len(items), items[-1]


def remove_while_iterating(n):
    items = list(range(n))
    seen = []
    for item in items:
        seen.append(item)
        if item % 3 == 0:
            items.remove(item)
    return len(seen), items[:5]


def clear_while_iterating(n):
    items = list(range(n))
    seen = 0
    for item in items:
        seen += 1
        if item == n // 2:
            items.clear()
    return seen, items


def grow_again(n):
    """An exhausted list iterator stays exhausted."""
    items = [0] * 3
    it = iter(items)
    total = 0
    for item in it:
        total += 1
    items.extend([1] * n)
    for item in it:
        total += 100
    return total


def change_elements(n):
    """Elements change type while the list is walked."""
    items = [i for i in range(n)]
    total = 0
    for k in range(4):
        for i in range(n):
            total += items[i] * 2
            if k == 1:
                items[i] = items[i] / 2
            elif k == 2:
                items[i] = i % 2 == 0
    return total


def unpacking(n):
    pairs = [(i, i * 2) for i in range(n)]
    lists = [[i, -i, i // 2] for i in range(n)]
    total = 0
    for a, b in pairs:
        total += a - b
    for a, b, c in lists:
        total += a * b + c
    for a, (b, c) in zip(range(n), pairs):
        total += a + b - c
    for first, *rest in lists:
        total += first + len(rest) + sum(rest)
    return total


def unpack_errors(values):
    seen = []
    for value in values:
        try:
            a, b = value
            seen.append((a, b))
        except (ValueError, TypeError) as error:
            seen.append(str(error))
    return seen


def build(n):
    out = []
    for i in range(n):
        pair = (i, i + 1)
        triple = (pair, i, [i])
        out.append(triple)
        x = pair[0] + pair[1] + pair[-1]
        y = triple[0][1]
        z = triple[2][0]
        if x - y - z != i + 1:
            return "wrong", i
    return out[-1], len(out)


def slices(n):
    items = list(range(n))
    total = 0
    for i in range(n):
        part = items[i : i + 3]
        total += len(part) + sum(part)
        items[i:i] = []
        back = items[::-1]
        total += back[i]
        items[i : i + 1] = [i]
        t = tuple(items)[-3:]
        total += t[0]
    return total


def shared_rows(n):
    row = [0] * n
    grid = [row, row, list(row)]
    for i in range(n):
        for r in grid:
            r[i] += i
    return [sum(r) for r in grid], grid[0] is grid[1]


def methods(n):
    items = []
    popped = 0
    for i in range(n):
        items.append(i)
        items.insert(0, -i)
        if i % 3 == 0:
            popped += items.pop()
            popped += items.pop(0)
        if i % 10 == 0:
            items.reverse()
            items.sort()
    return popped, len(items), items.index(2), items.count(1)


class Sub(list):
    def __getitem__(self, index):
        return list.__getitem__(self, index) * 10


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


def subclass(n):
    """The loop is hot with a list, then meets a subclass with its own __getitem__."""
    plain = list(range(n))
    total = 0
    for items in (plain, plain, plain, Sub(plain), plain):
        for i in range(n):
            total += items[i]
    for i in range(n):
        total += plain[Index(i)]
        total += plain[i % 2 == 0]
    return total


def sieve(n):
    flags = [True] * (n + 1)
    flags[0] = flags[1] = False
    i = 2
    while i * i <= n:
        if flags[i]:
            for j in range(i * i, n + 1, i):
                flags[j] = False
        i += 1
    count = 0
    for flag in flags:
        if flag:
            count += 1
    return count


def matmul(n):
    a = [[float(i * j % 7) for j in range(n)] for i in range(n)]
    b = [[i + j / 2 for j in range(n)] for i in range(n)]
    c = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += a[i][k] * b[k][j]
            c[i][j] = total
    return sum(map(sum, c)), c[1][2]


mixed = [3, 2**40, 7, 2**70, 1, True]
print(read_indices(mixed, 20), read_indices(tuple(mixed), 20), read_indices(list(range(50)), 10))
print(write_indices(17, 30))
print(index_errors([1, 2, 3], [0, 1, 2, 3, -1, -3, -4, 2**63, -(2**63), 2**64, True, "a", 1.0, None] * 4)[-14:])
print(index_errors((1, 2, 3), [0, 1, 2, 3, -1, -3, -4, 2**63, -(2**63), 2**64, True, "a", 1.0, None] * 4)[-14:])
print(store_errors([0] * 3, [0, 1, 2, 3, -1, -3, -4, 2**63, "a"] * 4)[-9:])
print(swaps(9, 100), swaps(10, 101), rotate(101), fibonacci(300))
print(append_while_iterating(300), remove_while_iterating(90), clear_while_iterating(90), grow_again(5))
print(change_elements(60), unpacking(120))
print(unpack_errors([(1, 2), [3, 4], (1,), (1, 2, 3), "ab", 5, None, {1: 2, 3: 4}, range(2)] * 5)[-9:])
print(build(100), slices(60), shared_rows(30), methods(60), subclass(40))
print(sieve(3000), matmul(12))
