"""Which of equal values are the same object."""

from .constants import int_literal
from .grammar import VALUES, expression, prelude, statement

prelude(__name__, '''\
def same(x, y):
    return x is y


def id_of(x):
    return id(x) == id(x)
''')


@expression("bool", 5)
def is_test(w, depth):
    left, right = w.random.choice(VALUES), w.random.choice(VALUES + ["None", "True", "i"])
    return w.pick("(%s is %s)" % (left, right), "(%s is not %s)" % (left, right), "same(%s, %s)" % (left, right), "(+%s is %s)" % (w.name("int"), left),
                  "(+d is d)", "(a + 0 is a)", "(d * 1.0 is d)", "id_of(%s)" % left, "([%s][0] is %s)" % (left, left), "(id(%s) == id(%s))" % (left, right),
                  "(items[0] is items[-1])", "(a - 1 + 1 is a)", "(int(a) is a)", "(float(d) is d)", "((a, d)[1] is d)", "(str(s) is s)", "(s[:] is s)", "(abs(a) is a)",
                  "(max(d, e) is d)", "(-(-a) is a)", "(i is i + 0)", "(NAN in [NAN])", "(d in [d])", "(d in (e, d))", "([d] == [d])", "(d == d)", "({d: 1}.get(d) == 1)",
                  "(reals.count(d) > 0)", "((a or b) is a)", "((d if i & 1 else e) is d)", "(d + 0.0 in [d])", "(items.count(a) == 1)")


@statement(3)
def alias(w, depth):
    first, second = w.random.sample(VALUES, 2)
    w.line(depth, w.pick("%s = %s" % (first, second), "%s = %s = %s" % (first, second, w.expr("int", 2)), "x = a; a += 1; b = x", "kept.append(d); e = d", "x = d; d = d + 0.0",
                         "items[0] = a; items[1] = a", "reals[0] = d; e = reals[0]", "a = 256 + (i & 1)", "b = -5 - (i & 1)", "c = %s; x = c" % int_literal(w),
                         "a = b = i * 1000", "x = (d, d)", "d = e = d * 0.5", "x = [a] * 2; a = x[1]", "kept[:] = [a, a, d, d]", "d = NAN", "e = -0.0"))


@statement(1)
def log_identity(w, depth):
    w.line(depth, "if i %% %d == 1: log(i, %s)" % (w.pick(7, 16), ", ".join(is_test(w, 1) for _ in range(3))))
