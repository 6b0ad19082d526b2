"""Literals at the edges where representations change."""

INTS = [0, 1, -1, 2, 3, 5, 7, -8, 10, 100, 255, 256, 257, -5, -6]
EDGES = [2**29, 2**30 - 1, 2**30, -(2**30), 2**31 - 1, 2**31, 2**32, -(2**31), -(2**31) - 1, 2**59, 2**60 - 1, 2**60, -(2**60),
         2**62, 2**62 - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**20]
FLOATS = ["0.0", "-0.0", "1.0", "-1.5", "0.1", "2.5", "1e10", "1e-10", "1e300", "3.75", "-7.25", "5e-324", "2.0**53", "2.0**63",
          "float('nan')", "1e400", "-1e400"]
STRINGS = ["''", "'a'", "'b'", "'abc'", "'hello world'", "'\\u00e9'", "'\\u4f60\\u597d'", "'\\U0001f600x'", "'xxxxxxxxx'", "'1'"]


def int_literal(w):
    number = w.random.choice(INTS if w.chance(0.75) else EDGES)
    return repr(number) if number >= 0 else "(%d)" % number


def literal(w, kind):
    if kind == "int":
        return int_literal(w)
    if kind == "float":
        return w.random.choice(FLOATS)
    if kind == "str":
        return w.random.choice(STRINGS)
    if kind == "bool":
        return w.pick("True", "False", "i % 2 == 0", "i % 3 == 0", "a", "i > 40")
    return w.pick("None", "True", "()", "1", "2.5", "'z'")
