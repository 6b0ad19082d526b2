# requires: pandas==2.3.3
"""pandas with a Python function for each row and each group."""

import pandas

FRAME = pandas.DataFrame(
    {
        "key": [i % 7 for i in range(4000)],
        "a": [(i * 37) % 101 for i in range(4000)],
        "b": [(i * i) % 97 / 4 for i in range(4000)],
    }
)


def score(row):
    a, b = row["a"], row["b"]
    if a > 50:
        return a * 2 - b
    return b if b > 10 else a + 1


def spread(values):
    low = high = values.iloc[0]
    for value in values:
        if value < low:
            low = value
        elif value > high:
            high = value
    return high - low


def main():
    scores = FRAME.apply(score, axis=1)
    by_key = FRAME.assign(score=scores).groupby("key")["score"].apply(spread)
    return float(scores.sum()), [float(value) for value in by_key]


if __name__ == "__main__":
    print(main())
