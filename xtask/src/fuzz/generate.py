"""Writes a random Python program: generate.py SEED [FUNCTION,...].

The program has functions with hot loops over numbers, lists and tuples; it calls each and prints what
it returns, or which exception it raised at which line. The same seed gives the same program; with a list
of functions only those are called, which is how a failing one is found.
"""

import random
import sys

FUNCTIONS = 8

INTS = [0, 1, -1, 2, 3, 5, 7, -8, 10, 255, 256, 257, -5, -6, 1000, 2**29, 2**30 - 1, 2**30, 2**31, 2**32,
        -(2**31), 2**59, 2**60 - 1, 2**60, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**20]
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 2.5, 1e10, 1e-10, 1e300, 3.75, -7.25, 5e-324]
INT_NAMES = ["a", "b", "c"]
FLOAT_NAMES = ["d", "e"]
NAMES = INT_NAMES + FLOAT_NAMES


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = []
        self.loops = 0
        self.helpers = []

    def line(self, depth, text):
        self.lines.append("    " * depth + text)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    # Expressions. Mostly of one kind, so that loops run long enough to get hot; at times of any.

    def name(self, kind):
        return self.random.choice({"int": INT_NAMES, "float": FLOAT_NAMES}[kind] if self.chance(0.97) else NAMES)

    def atom(self, kind):
        share = self.random.random()
        if share < 0.62:
            return self.name(kind)
        if share < 0.8:
            if kind == "float":
                return repr(self.random.choice(FLOATS))
            return repr(self.random.choice(INTS[:14] if self.chance(0.7) else INTS))
        if share < 0.88:
            return "i"
        if share < 0.9:
            return self.pick("True", "False")
        if share < 0.94:
            return self.pick("g0", "g2") if kind == "int" else "g1"
        return "%s[%s]" % ("items" if kind == "int" else "reals", self.index())

    def index(self):
        return self.pick("0", "1", "-1", "i % 6", "-(i % 6)", "a % 6", "i & 3", "a % 7" if self.chance(0.2) else "2")

    def divisor(self, kind, depth):
        """Seldom zero."""
        if self.chance(0.06):
            return self.expression(kind, depth)
        if kind == "int":
            return self.pick("(%s | 1)" % self.expression(kind, depth), "3", "-7", "(i + 1)", "1000")
        return self.pick("(abs(%s) + 0.5)" % self.expression(kind, depth), "3.5", "-0.25", "(i + 1)", "7")

    def expression(self, kind, depth=0):
        if self.chance(0.03):
            kind = self.pick("int", "float")
        if depth > 2 or self.chance(0.3):
            return self.atom(kind)
        left = self.expression(kind, depth + 1)
        share = self.random.random()
        if share < 0.36:
            return "(%s %s %s)" % (left, self.pick("+", "-"), self.expression(kind, depth + 1))
        if share < 0.46:
            # Products are cut down, so that nothing grows without end.
            cut = self.pick("1000003", "2**61", "2**70", "97", "2**31") if kind == "int" else self.pick("1e6", "2.5")
            return "(%s * %s %% %s)" % (left, self.expression(kind, depth + 1), cut)
        if share < 0.56:
            operator = self.pick("//", "%") if kind == "int" else self.pick("/", "/", "//", "%")
            return "(%s %s %s)" % (left, operator, self.divisor(kind, depth + 1))
        if share < 0.68 and kind == "int":
            if self.chance(0.7):
                return "(%s %s %s)" % (left, self.pick("&", "|", "^"), self.expression(kind, depth + 1))
            return "(%s %s (%s))" % (left, self.pick("<<", ">>"), self.pick("i & 7", "i % 40", "3", "63", "1", "a & 15"))
        if share < 0.73:
            operator = self.pick("-", "+", "~" if kind == "int" else "-")
            return "(%s%s)" % (operator, left)
        if share < 0.8:
            return "(%s if %s else %s)" % (left, self.condition(depth + 1), self.expression(kind, depth + 1))
        if share < 0.84:
            return "(%s %s %s)" % (left, self.pick("and", "or"), self.expression(kind, depth + 1))
        if share < 0.86:
            return self.condition(depth + 1)
        if share < 0.93 and self.helpers:
            name, count = self.random.choice(self.helpers)
            return "%s(%s)" % (name, ", ".join(self.expression(kind, depth + 1) for _ in range(count)))
        if share < 0.96:
            return "%s(%s)" % (self.pick("abs", kind, "id_of" if self.chance(0.3) else "abs"), left)
        return "%s(%s, %s)" % (self.pick("min", "max", "smaller"), left, self.expression(kind, depth + 1))

    def condition(self, depth=0):
        kind = self.random.random()
        if kind < 0.6:
            operator = self.pick("<", "<=", ">", ">=", "==", "!=")
            of = self.pick("int", "int", "float")
            return "(%s %s %s)" % (self.expression(of, depth + 1), operator, self.expression(of, depth + 1))
        if kind < 0.75:
            return "(i %% %d == %d)" % (self.pick(2, 3, 5, 17), self.random.randrange(3))
        if kind < 0.85:
            return "(%s %s %s)" % (self.random.choice(NAMES), self.pick("is", "is not"), self.random.choice(NAMES + ["None", "True"]))
        if kind < 0.95:
            return "(%s)" % self.expression(self.pick("int", "float"), depth + 1)
        return "(not %s)" % self.condition(depth + 1)

    # Statements

    def block(self, depth, level, in_loop):
        for _ in range(self.random.randint(1, 4 if level < 2 else 2)):
            self.statement(depth, level, in_loop)

    def statement(self, depth, level, in_loop):
        kind = self.random.random()
        of = self.pick("int", "int", "float")
        name = self.name(of)
        expression = self.expression(of, 1)
        if kind < 0.3:
            self.line(depth, "%s = %s" % (name, self.expression(of)))
        elif kind < 0.42:
            if self.chance(0.2):
                operator, expression = self.pick("//=", "%="), self.divisor(of, 1)
            elif of == "int":
                operator = self.pick("+=", "-=", "+=", "^=", "|=", "&=")
            else:
                operator = self.pick("+=", "-=", "*=")
            self.line(depth, "%s %s %s" % (name, operator, expression))
        elif kind < 0.5:
            self.line(depth, "%s[%s] = %s" % ("items" if of == "int" else "reals", self.index(), expression))
        elif kind < 0.56:
            names = INT_NAMES if of == "int" else FLOAT_NAMES
            first, second = self.random.sample(names, 2)
            self.line(depth, self.pick(
                "%s, %s = %s, %s" % (first, second, second, first),
                "%s, %s = (%s, %s)" % (first, second, expression, self.expression(of, 1)),
                "items[0], items[%s] = items[%s], items[0]" % (self.pick("1", "i % 6"), self.pick("2", "-1"))))
        elif kind < 0.59:
            self.line(depth, "pair = (%s, %s)" % (expression, name))
            self.line(depth, "%s = pair[%s]" % (name, self.pick("0", "1", "-1", "i & 1")))
        elif kind < 0.61:
            self.line(depth, "kept.append(%s)" % name)
            self.line(depth, "if len(kept) > 40: del kept[:]")
        elif kind < 0.63:
            self.line(depth, "%s = %s" % ("g1" if of == "float" else self.pick("g0", "g2"), expression))
        elif kind < 0.76 and level < 4:
            self.line(depth, "if %s:" % self.condition())
            self.block(depth + 1, level + 1, in_loop)
            if self.chance(0.5):
                self.line(depth, "else:")
                self.block(depth + 1, level + 1, in_loop)
        elif kind < 0.84 and level < 3 and self.loops < 3:
            self.loop(depth, level)
        elif kind < 0.9 and level < 3:
            self.line(depth, "try:")
            self.block(depth + 1, level + 1, in_loop)
            self.line(depth, "except %s:" % self.pick("ZeroDivisionError", "(TypeError, ValueError)", "IndexError", "Exception"))
            self.line(depth + 1, "%s = %s" % (name, self.random.choice(INTS if of == "int" else FLOATS)))
            if self.chance(0.2):
                self.line(depth, "finally:")
                self.line(depth + 1, "%s = i" % self.random.choice(INT_NAMES))
        elif kind < 0.94 and in_loop:
            self.line(depth, "if %s: %s" % (self.condition(1), self.pick("break", "continue", "continue")))
        elif kind < 0.95:
            self.line(depth, "if i > %d: return snapshot()" % self.random.randint(30, 200))
        else:
            # Whatever type it had, it is a number of moderate size again.
            self.line(depth, "%s = tame(%s)" % (name, name))

    def loop(self, depth, level):
        self.loops += 1
        count = self.pick(3, 7, 20) if level else self.pick(30, 60, 150, 400)
        kind = self.random.random()
        if kind < 0.5:
            variable = "i" if level == 0 else self.pick("j", "k", "i")
            step = self.pick("", ", 1", ", 2", ", 3")
            start = self.pick("0", "1", "-5") if step else ""
            self.line(depth, "for %s in range(%s%d%s):" % (variable, start + ", " if start else "", count, step))
            self.line(depth + 1, "tick()")
        elif kind < 0.7:
            counter = "n%d" % self.loops
            self.line(depth, "%s = 0" % counter)
            self.line(depth, "while %s < %d:" % (counter, count))
            self.line(depth + 1, "%s += 1" % counter)
            self.line(depth + 1, "tick()")
            if level == 0:
                self.line(depth + 1, "i = %s" % counter)
        elif kind < 0.85:
            of = self.pick("int", "float")
            self.line(depth, "for %s in %s:" % (self.name(of), "items" if of == "int" else "reals"))
            self.line(depth + 1, "tick()")
        else:
            self.line(depth, "for %s, %s in pairs:" % tuple(self.random.sample(INT_NAMES, 2)))
            self.line(depth + 1, "tick()")
        self.block(depth + 1, level + 1, True)
        if self.chance(0.15):
            self.line(depth, "else:")
            self.line(depth + 1, "%s = i" % self.random.choice(INT_NAMES))
        self.loops -= 1

    # The program

    def helper(self, number):
        name, count = "h%d" % number, self.random.randint(1, 3)
        self.line(0, "def %s(%s):" % (name, ", ".join(["a", "b", "c"][:count])))
        for missing in ["b", "c"][count - 1 :]:
            self.line(1, "%s = %s" % (missing, self.random.choice(INTS[:14])))
        self.line(1, "d = e = 1.5")
        self.line(1, "i = 3")
        self.line(1, "items = [a, b, c, 1, 2, 3]")
        self.line(1, "reals = [d, 2.0, -0.5, 1e9, e, 3.0]")
        if self.chance(0.4):
            self.line(1, "for i in range(%s):" % self.pick("4", "a % 5 if type(a) is int else 2"))
            self.line(2, "%s = %s" % (self.random.choice(INT_NAMES), self.expression("int", 1)))
        of = self.pick("int", "float")
        if self.chance(0.6):
            self.line(1, "if %s:" % self.condition())
            self.line(2, "return %s" % self.expression(of, 1))
        self.line(1, "return %s" % self.expression(of))
        self.line(0, "")
        self.helpers.append((name, count))

    def function(self, number):
        self.line(0, "def f%d():" % number)
        self.line(1, "global g0, g1, g2, fuel")
        self.line(1, "fuel = 3000")
        self.line(1, "g0, g1, g2 = 3, 0.5, -7")
        for name in NAMES:
            numbers = FLOATS if name in FLOAT_NAMES else INTS[:14] if self.chance(0.7) else INTS
            self.line(1, "%s = %r" % (name, self.random.choice(numbers)))
        self.line(1, "items = %r" % [self.random.choice(INTS[:12]) for _ in range(6)])
        self.line(1, "reals = %r" % [self.random.choice(FLOATS) for _ in range(6)])
        self.line(1, "pairs = [(x, 7 - x) for x in range(9)]")
        self.line(1, "kept = []")
        self.line(1, "i = 0")
        self.line(1, "def snapshot():")
        self.line(2, "return [a, b, c, d, e, i, items, reals, kept, g0, g1, g2, fuel]")
        cells = self.chance(0.25)
        if not cells:
            # Without the closure, so that the names are fast locals.
            self.lines.pop()
            self.lines.pop()
        before = len(self.lines)
        for _ in range(self.random.randint(1, 2)):
            self.loop(1, 0)
        result = "[a, b, c, d, e, i, items, reals, kept, g0, g1, g2, fuel]"
        if not cells:
            for at in range(before, len(self.lines)):
                self.lines[at] = self.lines[at].replace("snapshot()", result)
        self.line(1, "return " + result)
        self.line(0, "")

    def program(self, only):
        self.lines = PRELUDE.splitlines()
        for number in range(4):
            self.helper(number)
        for number in range(FUNCTIONS):
            self.function(number)
        for number in only:
            self.line(0, "report(f%d)" % number)
        return "\n".join(self.lines) + "\n"


PRELUDE = '''\
g0, g1, g2 = 3, 0.5, -7
fuel = 0


class OutOfFuel(BaseException):
    pass


def tick():
    global fuel
    fuel -= 1
    if fuel < 0:
        raise OutOfFuel


def tame(x):
    if isinstance(x, (int, float)) and -1e9 < x < 1e9:
        return x
    return 12345


def id_of(x):
    return id(x) == id(x)


def smaller(a, b):
    if a < b:
        return a
    return b


def show(value):
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**60:
        return "int of %d bits, %d" % (value.bit_length(), value % 1000003)
    if isinstance(value, list):
        same = [[i for i, y in enumerate(value) if y is x][0] for x in value if type(x) is not float or x == x]
        return "[%s] %s" % (", ".join(map(show, value)), same)
    return repr(value)


def report(function):
    for again in range(2):
        try:
            print(function.__name__, show(function()))
        except (Exception, OutOfFuel) as error:
            places = []
            tb = error.__traceback__.tb_next
            while tb:
                code = tb.tb_frame.f_code
                places.append((code.co_name, tb.tb_lineno, sorted(
                    (k, show(v)) for k, v in tb.tb_frame.f_locals.items() if k in "abcdei")))
                tb = tb.tb_next
            print(function.__name__, type(error).__name__, error, places)

'''


def main():
    seed = int(sys.argv[1])
    only = [int(word) for word in sys.argv[2].split(",")] if len(sys.argv) > 2 else range(FUNCTIONS)
    print(Writer(seed).program(only), end="")


main()
