"""A hand-written tokenizer of arithmetic expressions."""


def tokens(text):
    out = []
    i = 0
    n = len(text)
    while i < n:
        c = text[i]
        if c == " ":
            i += 1
        elif c.isdigit():
            start = i
            while i < n and text[i].isdigit():
                i += 1
            out.append(("number", int(text[start:i])))
        elif c.isalpha():
            start = i
            while i < n and (text[i].isalnum() or text[i] == "_"):
                i += 1
            out.append(("name", text[start:i]))
        else:
            out.append(("op", c))
            i += 1
    return out


def main():
    line = "alpha_1 + 42 * (beta - 17) / gamma9 - delta * 1234 + (x1 - y2) * 99 "
    checksum = 0
    for token in tokens(line * 3000):
        kind = token[0]
        value = token[1]
        if kind == "number":
            checksum += value
        elif kind == "name":
            checksum += len(value) * 7
        else:
            checksum += ord(value)
    return checksum


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
