"""Loops nested in one another that swap two lists and an index: two names hold one object when the inner loop is first
recorded, and different ones when another trace links to it."""

from traceback import _levenshtein_distance as distance

PAIRS = [
    ("", ""), ("a", "A"), ("Apple", "Aple"), ("Banana", "B@n@n@"), ("Cherry", "Cherry!"), ("---0---", "------"),
    ("abc", "y"), ("aa", "bb"), ("aaaaa", "AAAAA"), ("wxyz", "wXyZ"), ("wxyz", "wXyZ123"), ("Python", "Java"),
    ("AbstractFoobarManager", "abstract_foobar_manager"), ("CPython", "pypy"), ("AttributeError", "AttributeErrorTests"),
    ("A", "BCCAAc"), ("ABA", "AAB"), ("bBaaAc", "ACcbb"), ("cCb", "AaBBc"), ("aBcC", "B"), ("CCaB", "bcaabA"),
]

for limit in (1000, 7, 3):
    print([distance(a, b, limit) for a, b in PAIRS * 3])
for a, _ in PAIRS:
    print([distance(a, b, 4 * (len(a) + len(b))) for _, b in PAIRS])
