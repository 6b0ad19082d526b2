"""The most frequent words on standard input: words.py [COUNT] < TEXT."""

import sys


def words(text):
    start = None
    for i, char in enumerate(text + " "):
        if char.isalpha():
            if start is None:
                start = i
        elif start is not None:
            yield text[start:i].lower()
            start = None


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    frequency = {}
    for word in words(sys.stdin.read()):
        frequency[word] = frequency.get(word, 0) + 1
    ranking = sorted(frequency.items(), key=lambda item: (-item[1], item[0]))
    for word, number in ranking[:count]:
        print(f"{number:7} {word}")


main()
