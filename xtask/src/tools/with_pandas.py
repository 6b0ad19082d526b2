"""pandas: rows, groups, apply and comparisons, with Python functions that loop."""

import pandas as pd

frame = pd.DataFrame({"a": range(120), "b": [i * 0.5 for i in range(120)], "c": [str(i % 7) for i in range(120)]})


def rows():
    total = 0.0
    for index, row in frame.iterrows():
        total += row["a"] * row["b"] - index
    return total


def tuples():
    total = 0
    for row in frame.itertuples():
        total += row.a + len(row.c)
    return total


def weight(row):
    total = 0
    for k in range(5):
        total += k * row["a"]
    return total


def positions():
    total = 0
    for i in range(len(frame)):
        total += frame.at[i, "a"] + frame.iloc[i, 1]
        frame.at[i, "b"] = i
    return total


print(rows(), tuples(), frame.apply(weight, axis=1).sum())
print(frame.groupby("c")["a"].agg(lambda s: sum(x for x in s)).to_dict())
print(positions(), frame["b"].map(lambda x: x * 2 if x > 5 else -x).sum())
print(frame.sort_values("c", key=lambda s: s.map(lambda x: -int(x))).head(3).to_dict())
