"""and/or/not, conditional expressions, break, continue, else, nested and while loops."""


def booleans(n):
    out = []
    for i in range(n):
        a = i % 3
        b = i % 5
        out.append(a and b)
        out.append(a or b)
        out.append(not a)
        out.append(a and not b or i)
        out.append((a or None) and (b or "zero"))
        out.append(i if a else -i)
        out.append("x" if a == b else None)
        out.append(0 < a < b)
        out.append(a < b > 1 != a)
    return out


def breaks(n):
    found = []
    for i in range(n):
        for j in range(n):
            if j * j > i:
                break
            if j % 7 == 6:
                continue
            found.append(i * j)
        else:
            found.append("all")
        if i > n - 3:
            break
    else:
        found.append("never")
    return len(found), found[-5:], sum(x for x in found if isinstance(x, int))


def whiles(n):
    i = 0
    total = 0
    while i < n:
        i += 1
        if i % 2:
            continue
        j = i
        while j > 0:
            j -= 3
            total += j
            if total > 10**6:
                total = 0
                break
        else:
            total += 1
    else:
        total += 1000
    while True:
        total -= 7
        if total < 0:
            break
    return total


def triangular(n):
    count = 0
    for i in range(n):
        for j in range(i):
            for k in range(j):
                if (i + j + k) % 2:
                    count += 1
                else:
                    count -= k
    return count


def many_paths(n):
    counts = [0, 0, 0, 0, 0, 0]
    state = 1
    for i in range(n):
        state = (state * 1103515245 + 12345) % 2147483648
        kind = state >> 16 & 7
        if kind == 0:
            counts[0] += 1
        elif kind == 1:
            counts[1] += 2
        elif kind == 2 or kind == 3:
            counts[2] += 3
        elif kind > 5:
            counts[3] += kind if i % 2 else -kind
        else:
            if i & 1:
                counts[4] += 1
                continue
            counts[5] -= 1
    return counts


def late_branch(n):
    """A branch that is never taken until long after the loop is hot."""
    total = 0
    for i in range(n):
        if i > n - 4:
            total = str(total)
            total = len(total)
        total += i
    return total


def alternate(n):
    """One loop, other types on every second round."""
    value = 0
    out = []
    for i in range(n):
        if i & 1:
            value = float(i)
        else:
            value = i
        value = value + value
        if i > n - 5:
            out.append(value)
    return out


def truth(n):
    counts = [0] * 12
    for i in range(n):
        values = (0, 1, 0.0, -0.5, "", "a", None, [], [0], (), {}, i)
        for k, value in enumerate(values):
            if value:
                counts[k] += 1
            if not value:
                counts[k] += 100
    return counts


def empty_loops(n):
    for i in range(n):
        pass
    for j in range(0):
        i = -1
    for k in []:
        i = -2
    return i


def matching(n):
    seen = {}
    for i in range(n):
        match i % 6:
            case 0:
                key = "zero"
            case 1 | 2:
                key = "low"
            case x if x == 5:
                key = "five"
            case _:
                key = "rest"
        seen[key] = seen.get(key, 0) + 1
    return sorted(seen.items())


def headers_share_a_line(n):
    total = 0
    for i in range(n): total += i
    while total > 0: total -= n; total -= 1
    return total


print(booleans(40)[-60:], len(booleans(300)))
print(breaks(60))
print(whiles(300))
print(triangular(40))
print(many_paths(3000))
print(late_branch(500), alternate(300))
print(truth(50))
print(empty_loops(300), matching(200), headers_share_a_line(400))
# At module level, where names are globals.
total = 0
for number in range(500):
    if number % 3 == 0:
        continue
    total += number
    for inner in range(3):
        total ^= inner
        if inner == number % 4:
            break
while total > 10:
    total //= 2
print(total, number, inner)
