"""Variables that hold one object whenever the inner loop comes round, and several when it begins."""

from traceback import _levenshtein_distance as distance

WORDS = """
- - - AabBbb - AbaC - B - Ba - CBaACCCa - CCbBC - CcbCbaaAB - bAa - bAaCABb A A A AA A AABCAabcC A
AACB A AACC A ABAaBbc A ABCcC A ABa A ABbBabcaa A ABbbCBcA A ACCBcBbBb A ACa A ACb A ACcbbaAB A
AaAaccAb A AaabbCC A AabB A AbBa A AbBaA A AbCBBCaC A AbCb A AbcB A B A BA A BABbCc A BABca A BB A
BBaBBaa A BBbbaAA A BCCAAc A BCa A BCcaC
""".split()


def distances(n):
    found = []
    for i in range(n):
        low = 10**6
        last = i * 1000
        for j in range(1 + i % 3):
            if i % 4 == 3:
                found.append(low - last)
                if low < 5000:
                    found.append("low")
            last = j * 1000 + i
            low = last
        found.append((low, last))
    return found


def smallest(rows):
    """One row of an edit distance: minimum, result and substitute are often one number."""
    found = []
    for n, row in enumerate(rows):
        distance = result = n * 1000
        minimum = 10**9
        for i in range(len(row)):
            substitute = distance + (0 if row[i] % 3 else 1000)
            distance = row[i]
            both = (result if result < distance else distance) + 1000
            result = substitute if substitute < both else both
            row[i] = result
            if result < minimum:
                minimum = result
        found.append((minimum, result, distance))
    return found


def objects(n):
    found = []
    for i in range(n):
        first = [i]
        second = (i,)
        for j in range(1 + i % 3):
            if i % 5 > 2:
                found.append((first, second, first is second))
            first = [j, i]
            second = first
    return found


print(distances(80))
rows = [[(i * j * 7919) % 4001 for j in range(1 + i % 4)] for i in range(200)]
print(smallest(rows), rows)
print(objects(80))
for one, other in [("Apple", "Aple"), ("Banana", "B@n@n@"), ("---0---", "------"), ("abc", "y"), ("aa", "bb"),
                   ("aaaaa", "AAAAA"), ("wxyz", "wXyZ"), ("wxyz", "wXyZ123"), ("Python", "Java"), ("Java", "C#"),
                   ("AbstractFoobarManager", "abstract_foobar_manager"), ("CPython", "PyPy"), ("CPython", "pypy"),
                   ("AttributeError", "AttributeErrop"), ("AttributeError", "AttributeErrorTests"), ("ABA", "AAB")]:
    print(distance(one, other, 4 * len(one + other)))
for one, other in zip(WORDS[::2], WORDS[1::2]):
    one, other = one.strip("-"), other.strip("-")
    most = distance(one, other, 1000)
    print(one, other, most, [distance(one, other, n) for n in range(most, most + 3)])
    print([distance(one, other, n) for n in range(most)])
