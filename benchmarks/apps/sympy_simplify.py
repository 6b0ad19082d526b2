# requires: sympy==1.14.0
"""sympy expands, factors, differentiates and simplifies."""

from sympy import cos, diff, expand, factor, integrate, simplify, sin, symbols
from sympy.core.cache import clear_cache

x, y = symbols("x y")


def main():
    # What one call has found out must not make the next one short.
    clear_cache()
    expanded = expand((x + y + 1) ** 8)
    return [
        str(factor(x**6 - y**6)),
        len(expanded.args),
        str(simplify(sin(x) ** 2 + cos(x) ** 2 + diff(expanded, x).subs({x: 1, y: 2}))),
        str(integrate(x**2 * sin(x), x)),
    ]


if __name__ == "__main__":
    print(main())
