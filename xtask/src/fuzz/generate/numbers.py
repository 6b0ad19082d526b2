"""Ints and floats: arithmetic that overflows each size of an int, comparisons, conversions, globals that are numbers."""

from .constants import int_literal
from .grammar import NAMES, VALUES, expression, prelude, statement

prelude(__name__, '''\
g0, g1, g2 = 3, 0.5, -7


def tame(x):
    """Whatever it was, a number of moderate size."""
    if isinstance(x, (int, float)) and -1e9 < x < 1e9:
        return x
    return 12345


def smaller(a, b):
    if a < b:
        return a
    return b
''')


def divisor(w, kind, depth):
    """Seldom zero."""
    if w.chance(0.06):
        return w.expr(kind, depth)
    if kind == "int":
        return w.pick("(%s | 1)" % w.expr("int", depth), "3", "-7", "(i + 1)", "1000", "-1")
    return w.pick("(abs(%s) + 0.5)" % w.expr("float", depth), "3.5", "-0.25", "(i + 1)", "7")


def index(w):
    return w.pick("0", "1", "-1", "i % 6", "-(i % 6)", "a % 6", "i & 3", "2", "a % 7" if w.chance(0.3) else "-2")


@expression("int", 8)
def int_sum(w, depth):
    return "(%s %s %s)" % (w.expr("int", depth), w.pick("+", "-"), w.expr("int", depth))


@expression("float", 8)
def float_sum(w, depth):
    return "(%s %s %s)" % (w.expr("float", depth), w.pick("+", "-"), w.expr(w.pick("float", "float", "int"), depth))


@expression("int", 3)
def int_product(w, depth):
    # Cut down, so that nothing grows without end.
    cut = w.pick("1000003", "2**30", "2**31", "2**60", "2**61", "2**63", "2**70", "97")
    return "(%s * %s %% %s)" % (w.expr("int", depth), w.expr("int", depth), cut)


@expression("float", 4)
def float_product(w, depth):
    return "(%s * %s%s)" % (w.expr("float", depth), w.expr("float", depth), w.pick("", " % 1e6", " % 2.5"))


@expression("int", 3)
def int_division(w, depth):
    return "(%s %s %s)" % (w.expr("int", depth), w.pick("//", "%"), divisor(w, "int", depth))


@expression("float", 3)
def float_division(w, depth):
    return "(%s %s %s)" % (w.expr("float", depth), w.pick("/", "/", "//", "%"), divisor(w, "float", depth))


@expression("int", 3)
def bits(w, depth):
    return "(%s %s %s)" % (w.expr("int", depth), w.pick("&", "|", "^"), w.expr("int", depth))


@expression("int", 2)
def shift(w, depth):
    by = w.pick("i & 7", "i % 40", "3", "63", "64", "1", "a & 15")
    return "(%s %s (%s))" % (w.expr("int", depth), w.pick("<<", ">>", ">>"), by)


@expression("int", 2)
def int_sign(w, depth):
    return "(%s%s)" % (w.pick("-", "+", "~"), w.expr("int", depth))


@expression("float", 2)
def float_sign(w, depth):
    return "(%s%s)" % (w.pick("-", "+"), w.expr("float", depth))


@expression("int", 1)
def int_power(w, depth):
    return "(%s ** %s %% %s)" % (w.expr("int", depth), w.pick("2", "3", "0", "(i & 3)"), w.pick("1000003", "2**62"))


@expression("float", 0.5)
def float_power(w, depth):
    return "(abs(%s) ** %s)" % (w.name("float"), w.pick("2", "0.5", "0", "-1"))


@expression("int", 2)
def int_call(w, depth):
    return w.form(w.expr("int", depth), "abs(@)", "int(@)", "min(@, 7)", "max(i, @)", "(@).bit_length()", "pow(@, 3, 1009)", "hash(tame(@)) % 1000",
                  "divmod(@, 7)[i & 1]", "bool(@)", "round(@)", "sum((@, i))")


@expression("float", 2)
def float_call(w, depth):
    value = w.expr(w.pick("float", "float", "int"), depth)
    return w.form(value, "abs(@)", "float(@)", "min(@, 7.5)", "max(d, @)", "round(@, 2)", "float(repr(@))")


@expression("int", 1)
def int_global(w, depth):
    return w.pick("g0", "g2")


@expression("float", 1)
def float_global(w, depth):
    return "g1"


@expression("int", 2)
def int_choice(w, depth):
    return "(%s if %s else %s)" % (w.expr("int", depth), w.condition(depth), w.expr("int", depth))


@expression("float", 1)
def float_choice(w, depth):
    return "(%s if %s else %s)" % (w.expr("float", depth), w.condition(depth), w.expr("float", depth))


@expression("int", 1)
def int_logic(w, depth):
    return "(%s %s %s)" % (w.expr("int", depth), w.pick("and", "or"), w.expr("int", depth))


@expression("int", 1)
def truth(w, depth):
    return w.condition(depth)


@expression("bool", 8)
def comparison(w, depth):
    operator = w.pick("<", "<=", ">", ">=", "==", "!=")
    kind = w.pick("int", "int", "float")
    return "(%s %s %s)" % (w.expr(kind, depth), operator, w.expr(w.pick(kind, kind, kind, "int"), depth))


@expression("bool", 3)
def now_and_then(w, depth):
    return "(i %% %d == %d)" % (w.pick(2, 3, 5, 17), w.random.randrange(3))


@expression("bool", 1)
def chained(w, depth):
    return "(%s < %s <= %s)" % (w.expr("int", depth), w.expr("int", depth), w.expr("int", depth))


@expression("bool", 1)
def negated(w, depth):
    return "(not %s)" % w.condition(depth)


@expression("bool", 1)
def both(w, depth):
    return "(%s %s %s)" % (w.condition(depth), w.pick("and", "or"), w.condition(depth))


@expression("bool", 1)
def number_as_truth(w, depth):
    return "(%s)" % w.expr(w.pick("int", "float"), depth)


@statement(8)
def assign(w, depth):
    kind = w.pick("int", "int", "float")
    w.line(depth, "%s = %s" % (w.name(kind), w.expr(kind)))


@statement(5)
def augmented(w, depth):
    kind = w.pick("int", "int", "float")
    if w.chance(0.2):
        operator, value = w.pick("//=", "%="), divisor(w, kind, 1)
    else:
        operator = w.pick("+=", "-=", "+=", "^=", "|=", "&=", ">>=") if kind == "int" else w.pick("+=", "-=", "*=")
        value = "3" if operator == ">>=" else w.expr(kind, 1)
    w.line(depth, "%s %s %s" % (w.name(kind), operator, value))


@statement(2)
def swap(w, depth):
    kind = w.pick("int", "int", "float")
    first, second = w.random.sample(NAMES[kind], 2)
    w.line(depth, w.pick(
        "%s, %s = %s, %s" % (first, second, second, first),
        "%s, %s = (%s, %s)" % (first, second, w.expr(kind, 1), w.expr(kind, 1)),
        "%s = %s = %s" % (first, second, w.expr(kind, 1)),
        "%s, %s, x = %s, x, %s" % (first, second, second, first)))


@statement(1)
def assign_global(w, depth):
    if w.chance(0.5):
        w.line(depth, "g1 = %s" % w.expr("float", 1))
    else:
        w.line(depth, "%s = %s" % (w.pick("g0", "g2"), w.expr("int", 1)))


@statement(1)
def change_type(w, depth):
    """In mid-loop a variable becomes something else."""
    name = w.random.choice(VALUES)
    value = w.pick("float(i)", "i", "str(i)", "None", "True", "[i]", "(i,)", "10**30 + i", "-0.0", "NAN", int_literal(w))
    w.line(depth, "if i == %d: %s = %s" % (w.pick(2, 3, 17, 18, 30), name, value))


@statement(2)
def tamed(w, depth):
    name = w.name(w.pick("int", "float"))
    w.line(depth, "%s = tame(%s)" % (name, name))


@statement(1)
def edge_walk(w, depth):
    """Counts over the edge of a representation."""
    name = w.name("int")
    edge = w.pick(2**30, 2**60, 2**62, 2**63, 2**64, -(2**30), -(2**60), -(2**63), 256, -6)
    w.line(depth, "%s = %d + (i %% 41 - 20) %s %s" % (name, edge, w.pick("+", "-", "*"), w.pick("1", "g0", "(i & 1)")))
