"""NumPy in hot loops: scalars, views, temporaries whose count is looked at, callbacks, errors."""

import warnings

import numpy as np


def scalars(n):
    array = np.arange(n, dtype=np.float64)
    total = 0.0
    for i in range(n):
        total += array[i] * 2 - i
        array[i] = total
    return repr(total), array[:5].tolist(), type(total).__name__


def ints(n):
    array = np.arange(n, dtype=np.int32)
    total = np.int32(0)
    kinds = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for value in array:
            total = total + value * np.int32(100003)
            kinds.add(type(total).__name__)
    return int(total), kinds


def temporaries(n):
    a = np.full(40000, 1.5)
    b = a
    for i in range(n):
        a = a * 1.0001 + b - b + i * 0
        if i % 10 == 3:
            b = a
    return float(a.sum()), a is b, float(b[0])


def rows(n):
    matrix = np.arange(n * 4).reshape(n, 4)
    total = 0
    for row in matrix:
        row[0] = total % 7
        total += int(row.sum())
    return total, matrix[-1].tolist()


def callbacks(n):
    def step(x, y):
        total = 0
        for k in range(3):
            total += x * k - y
        return total

    vectorized = np.vectorize(step)
    return vectorized(np.arange(n), 2)[-3:].tolist(), np.frompyfunc(step, 2, 1).reduce(np.arange(n, dtype=object)) % 1000003


def errors(n):
    array = np.zeros(n)
    seen = []
    for i in range(n + 3):
        try:
            array[i] = 1 / (i - 5)
        except (IndexError, ZeroDivisionError) as error:
            seen.append(str(error))
    return seen, float(array.sum())


class Array(np.ndarray):
    def __array_finalize__(self, other):
        self.made = getattr(other, "made", 0) + 1


def subclasses(n):
    a = np.zeros(3).view(Array)
    for i in range(n):
        a = a + i
    return a.made, a.tolist()


print(scalars(200), ints(200), temporaries(40))
print(rows(100), callbacks(60), errors(60), subclasses(60))
