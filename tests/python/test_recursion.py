"""Recursion with loops in it: 900 levels at the default limit, and the limit itself."""

import sys


class Node:
    def __init__(self, value, children):
        self.value = value
        self.children = children


def chain(depth):
    node = Node(0, [])
    for i in range(1, depth):
        node = Node(i, [node])
    return node


def walk(node):
    total = node.value
    for child in node.children:
        total += walk(child)
    return total


def walk_with_work(node):
    total = 0
    for i in range(20):
        total += i * node.value
    for child in node.children:
        total += walk_with_work(child)
    return total


def tree(depth):
    if depth == 0:
        return Node(1, [])
    return Node(depth, [tree(depth - 1) for _ in range(3)])


def recursive(n):
    """A loop whose body calls the function itself."""
    total = 0
    for i in range(n):
        total += i + recursive(n - 1 - i) if n < 12 else 1
    return total


def endless(n):
    for i in range(3):
        endless(n + 1)


def permutations(items):
    if len(items) < 2:
        return [items]
    out = []
    for i in range(len(items)):
        for rest in permutations(items[:i] + items[i + 1 :]):
            out.append([items[i]] + rest)
    return out


def hanoi(n, a, b, c, moves):
    while n:
        hanoi(n - 1, a, c, b, moves)
        moves[0] += 1
        n -= 1
        a, c = c, a
    return moves


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    count = 0
    for column in range(n):
        bit = 1 << column
        if not (columns | left | right) & bit:
            count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return count


def how_deep(n):
    try:
        for _ in range(2):
            return how_deep(n + 1)
    except RecursionError:
        return n


print(walk(chain(900)), walk_with_work(chain(900)), walk(tree(6)), walk_with_work(tree(5)))
print(recursive(10), len(permutations([1, 2, 3, 4, 5])), hanoi(7, 0, 1, 2, [0]), queens(6))
for _ in range(5):
    try:
        endless(0)
    except RecursionError as error:
        print(str(error)[:32])
# The limit is met at the same depth each time.
print(len({how_deep(0) for _ in range(5)}))
sys.setrecursionlimit(60000)
print(walk(chain(50000)))
sys.setrecursionlimit(1000)
print(walk(chain(900)))
