# requires: numpy==2.3.5
"""Loops over the elements of NumPy arrays, as people write them before they know better."""

import numpy

SIZE = 60
GRID = numpy.fromfunction(lambda i, j: (i * 7 + j * 13) % 10 / 10.0, (SIZE, SIZE))


def smooth(grid):
    new = numpy.empty_like(grid)
    rows, columns = grid.shape
    for i in range(rows):
        for j in range(columns):
            if i in (0, rows - 1) or j in (0, columns - 1):
                new[i, j] = grid[i, j]
            else:
                new[i, j] = (grid[i - 1, j] + grid[i + 1, j] + grid[i, j - 1] + grid[i, j + 1]) * 0.25
    return new


def main():
    grid = GRID
    for _ in range(4):
        grid = smooth(grid)
    total = 0.0
    for row in grid:
        for value in row:
            total += float(value)
    return round(total, 6)


if __name__ == "__main__":
    print(main())
