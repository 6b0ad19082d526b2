"""The grammar: what the themes add to it, and the writer that draws a program from it.

A theme is a module of this package. It adds productions with the decorators below; a program uses some of the themes, drawn anew
for each, so that rare things meet in many combinations.
"""

import random

EXPRESSIONS = {}
STATEMENTS = []
DEFINITIONS = []
PRELUDES = {}

# The variables of a generated function, by kind. Mostly a variable is of its kind; at times it is of any.
NAMES = {
    "int": ["a", "b", "c"],
    "float": ["d", "e"],
    "str": ["s", "t"],
    "list": ["items"],
    "reals": ["reals"],
    "dict": ["table"],
    "obj": ["p", "q"],
    "any": ["x"],
}
VALUES = ["a", "b", "c", "d", "e", "s", "t", "p", "q", "x"]
SHOWN = VALUES + ["i", "items", "reals", "table", "kept"]


def theme_of(function):
    return function.__module__.rpartition(".")[2]


def expression(kind, weight):
    """A production of an expression of this kind: a function of the writer and the depth that returns its text."""

    def add(function):
        EXPRESSIONS.setdefault(kind, []).append((weight, theme_of(function), function))
        return function

    return add


def statement(weight):
    """A production of a statement: a function of the writer and the indentation that writes its lines."""

    def add(function):
        STATEMENTS.append((weight, theme_of(function), function))
        return function

    return add


def definition(function):
    """Writes definitions at the top level, before the function with the loops."""
    DEFINITIONS.append((theme_of(function), function))
    return function


def prelude(module, text):
    """What the productions of a theme need at the top level."""
    PRELUDES[module.rpartition(".")[2]] = text


class Writer:
    """Draws from the grammar and collects lines."""

    def __init__(self, seed, themes):
        self.random = random.Random(seed)
        self.themes = themes
        self.lines = []
        self.loops = 0
        self.budget = 600
        self.helpers = []
        self.methods = []
        self.shapes = []
        self.serial = 0
        self.in_function = False
        self.expressions = {
            kind: self._usable(productions) for kind, productions in EXPRESSIONS.items()
        }
        self.statements = self._usable(STATEMENTS)

    def _usable(self, productions):
        """The productions of the themes in use, each with a weight of this program."""
        usable = [p for p in productions if p[1] in self.themes]
        weights = [p[0] * self.random.choice((0.2, 1, 1, 2)) for p in usable]
        return [p[2] for p in usable], weights

    def line(self, depth, text):
        self.lines.append("    " * depth + text)

    def pick(self, *choices):
        return self.random.choice(choices)

    def form(self, text, *forms):
        """One of the forms, with the text in place of each `@`."""
        return self.random.choice(forms).replace("@", "(%s)" % text if text.isdigit() else text)

    def chance(self, share):
        return self.random.random() < share

    def fresh(self, stem):
        """A name that is used nowhere else."""
        self.serial += 1
        return "%s%d" % (stem, self.serial)

    def name(self, kind):
        if self.chance(0.03):
            return self.random.choice(VALUES)
        return self.random.choice(NAMES[kind])

    def expr(self, kind, depth=0):
        """An expression of a kind, as text."""
        if kind == "any" or self.chance(0.02):
            kind = self.pick("int", "int", "float", "str", "obj")
        productions, weights = self.expressions.get(kind, ((), ()))
        if depth > 3 or not productions or self.chance(0.25 + 0.1 * depth):
            return self.atom(kind)
        return self.random.choices(productions, weights)[0](self, depth + 1)

    def atom(self, kind):
        from . import constants

        if kind in ("list", "reals", "dict") or kind != "bool" and self.chance(0.7):
            return self.name(kind)
        if kind == "obj":
            return self.pick("p", "q", "None", "kept[-1]" if self.chance(0.2) else "q")
        if kind == "int" and self.chance(0.4):
            return "i"
        return constants.literal(self, kind)

    def condition(self, depth=0):
        return self.expr("bool", depth + 1)

    def block(self, depth, level, most=4):
        """Statements; `level` counts the blocks around them."""
        for _ in range(self.random.randint(1, max(1, most - level))):
            self.statement(depth, level)

    def statement(self, depth, level):
        productions, weights = self.statements
        self.level = level
        self.random.choices(productions, weights)[0](self, depth)
        self.level = level

    def loop_count(self, level):
        """How often a loop goes round; loops in loops share what is left."""
        counts = (20, 40, 40, 60, 90, 300) if level == 0 else (2, 3, 5, 8, 20, 40)
        return min(self.random.choice(counts), self.budget)
