"""Text made of many small pieces."""


def main():
    parts = []
    text = ""
    for i in range(200_000):
        parts.append(str(i % 1000))
        parts.append("," if i % 3 else ";")
        text += "ab"[i % 2]
    joined = "".join(parts)
    upper = 0
    for word in joined.split(";"):
        if word.startswith("1") or word.endswith("9"):
            upper += len(word.upper())
    return len(joined) * 1_000_000_000 + upper + len(text)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
