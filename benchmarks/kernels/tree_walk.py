"""A JSON-like tree of dicts and lists, walked."""


def build(depth, seed):
    if depth == 0:
        return seed % 100
    if depth % 2:
        return [build(depth - 1, seed * 3 + k) for k in range(5)]
    return {"a": build(depth - 1, seed + 1), "b": build(depth - 1, seed * 2), "n": seed % 10, "t": "leaf"}


def walk(node):
    if isinstance(node, dict):
        total = 0
        for value in node.values():
            total += walk(value)
        return total + 1
    if isinstance(node, list):
        total = 0
        for value in node:
            total += walk(value)
        return total + 2
    if isinstance(node, str):
        return len(node)
    return node


def main():
    tree = build(10, 1)
    total = 0
    for _ in range(4):
        total += walk(tree)
    return total


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
