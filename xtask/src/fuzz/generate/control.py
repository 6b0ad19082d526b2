"""Loops, branches, exceptions in every position, with statements."""

from .grammar import expression, prelude, statement

prelude(__name__, '''\
class Manager:
    """Swallows some exceptions."""

    def __init__(self, quiet):
        self.quiet = quiet

    def __enter__(self):
        return self.quiet

    def __exit__(self, kind, value, tb):
        log("exit", kind.__name__ if kind else None, tb.tb_lineno if tb else None)
        return self.quiet and kind in (IndexError, KeyError, ZeroDivisionError)


class Odd(Exception):
    pass


def fail(kind, x):
    if x:
        raise kind(x)
    return 3
''')

ERRORS = ["ZeroDivisionError", "(TypeError, ValueError)", "IndexError", "Exception", "KeyError", "Odd", "(Odd, LookupError)", "AttributeError"]
RAISED = ["ZeroDivisionError", "ValueError('v')", "IndexError(i)", "KeyError('k')", "Odd(a)", "Odd", "TypeError"]


def loop(w, depth, level):
    w.loops += 1
    count = w.loop_count(level)
    whole = w.budget
    w.budget = max(2, whole // max(count, 1))
    kind = w.random.random()
    variable = "i" if level == 0 else w.pick("j", "k", "i")
    if kind < 0.45:
        step = w.pick("", "", ", 1", ", 2", ", -1")
        text = {"": "%d" % count, ", 1": "-5, %d, 1" % count, ", 2": "1, %d, 2" % (2 * count), ", -1": "%d, 0, -1" % count}[step]
        w.line(depth, "for %s in range(%s):" % (variable, text))
    elif kind < 0.7:
        counter = w.fresh("n")
        w.line(depth, "%s = 0" % counter)
        w.line(depth, w.pick("while %s < %d:", "while True if %s < %d else False:") % (counter, count))
        w.line(depth + 1, "%s += 1" % counter)
        if level == 0:
            w.line(depth + 1, "i = %s" % counter)
    else:
        source = w.pick("items[:30]", "reals", "pairs", "enumerate(items[:30])", "zip(items[:20], reals)", "list(range(%d))" % count,
                        "[%s] * %d" % (w.expr("int", 3), count), "tuple(range(%d))" % count, "map(abs, range(-3, %d))" % count,
                        "(y * 2 for y in range(%d))" % count, "dict.fromkeys(range(%d))" % count, "[1, 2.5, 'x', None, True, 10**20] * 3",
                        "reversed(range(%d))" % count, "[i for i in range(%d) if i %% 3]" % count, "'abcdef' * 3")
        if source == "pairs" or source.startswith(("enum", "zip")):
            w.line(depth, "for %s in %s:" % (w.pick("a, b", "a, x", "c, d", "(b, x)"), source))
        else:
            w.line(depth, "for %s in %s:" % (w.pick("x", "a", variable), source))
    before = len(w.lines)
    w.inside = getattr(w, "inside", 0) + 1
    w.block(depth + 1, level + 1, 7)
    w.inside -= 1
    if w.chance(0.12):
        w.line(depth, "else:")
        w.line(depth + 1, "c = i")
    assert len(w.lines) > before
    w.budget = whole
    w.loops -= 1


@statement(4)
def inner_loop(w, depth):
    if w.level < 3 and w.loops < 3:
        loop(w, depth, w.level)
    else:
        w.line(depth, "b = %s" % w.expr("int", 2))


@statement(7)
def branch(w, depth):
    level = w.level
    w.line(depth, "if %s:" % w.condition())
    if level > 3:
        w.line(depth + 1, "a = %s" % w.expr("int", 2))
        return
    w.block(depth + 1, level + 1)
    if w.chance(0.2):
        w.line(depth, "elif %s:" % w.condition())
        w.block(depth + 1, level + 1)
    if w.chance(0.5):
        w.line(depth, "else:")
        w.block(depth + 1, level + 1)


@statement(3)
def try_except(w, depth):
    level = w.level
    w.line(depth, "try:")
    if level > 2:
        w.line(depth + 1, "a = %s" % w.expr("int", 1))
    else:
        w.block(depth + 1, level + 1)
    form = w.random.random()
    if form < 0.8:
        kind = w.random.choice(ERRORS)
        w.line(depth, "except %s%s:" % (kind, w.pick("", " as error")))
        w.line(depth + 1, w.pick("c = i", "log('caught', i)", "log(*where())", "x = None", "a, d = 5, 2.5", "continue" if w.inside else "pass",
                                 "b = %s" % w.expr("int", 2), "raise" if w.chance(0.3) else "pass", "raise Odd(i)" if w.chance(0.3) else "c = 1"))
        if w.chance(0.15):
            w.line(depth, "else:")
            w.line(depth + 1, "c = %s" % w.expr("int", 2))
    if form > 0.7:
        w.line(depth, "finally:")
        w.line(depth + 1, w.pick("b = i", "log('finally', i)", "c = %s" % w.expr("int", 2), "break" if w.inside and w.chance(0.1) else "t = 'f'"))


@statement(1.5)
def raise_at_times(w, depth):
    w.line(depth, "if %s: raise %s%s" % (w.pick("i == 30", "i == 17", "i % 7 == 6", "a == b", "i > 25"), w.random.choice(RAISED),
                                        w.pick("", "", " from None")))


@statement(1)
def raise_in_callee(w, depth):
    w.line(depth, "%s = fail(%s, %s)" % (w.name("int"), w.pick("ValueError", "IndexError", "KeyError", "Odd"), w.pick("i == 20", "i % 9 == 8", "i > 40")))


@expression("int", 0.5)
def failing(w, depth):
    return w.pick("fail(KeyError, i == 33)", "(1 // (i - 19))", "[1, 2][i & 3 if i > 20 else 0]", "{0: 1, 1: 2}[i % 3 if i > 20 else 1]",
                  "int('1' if i < 25 else 'x')", "(None if i == 27 else 1) + 1", "(a.real if i < 26 else a.unreal)", "len(5 if i == 31 else s)")


@statement(1)
def with_statement(w, depth):
    level = w.level
    w.line(depth, "with %s:" % w.pick("Manager(True)", "Manager(i & 1)", "Manager(True) as x", "Manager(False), Manager(True) as x"))
    if level > 2:
        w.line(depth + 1, "b = %s" % w.expr("int", 1))
    else:
        w.block(depth + 1, level + 1)


@statement(2)
def leave(w, depth):
    if w.inside:
        w.line(depth, "if %s: %s" % (w.condition(1), w.pick("break", "continue", "continue")))
    else:
        w.line(depth, "c = %s" % w.expr("int", 2))


@statement(0.5)
def early_return(w, depth):
    w.line(depth, "if i > %d: return (a, d, s, x)" % w.random.randint(30, 200))


@statement(1)
def delete(w, depth):
    name = w.pick("x", "t", "c", "e")
    w.line(depth, "if %s: del %s" % (w.pick("i == 21", "i % 16 == 15"), name))
    if w.chance(0.8):
        w.line(depth, "%s = %s" % (name, w.expr("int", 2)))


@statement(1)
def match_statement(w, depth):
    w.line(depth, "match %s:" % w.pick("x", "(a, b)", "items[:2]", "i % 3", "p", "table"))
    w.line(depth + 1, w.pick("case 0:", "case [y, z]:", "case (1, _):", "case int():", "case Point(x=y):" if "objects" in w.themes else "case 2:",
                             "case {0: y}:", "case None:"))
    w.line(depth + 2, "a = %s" % w.expr("int", 2))
    w.line(depth + 1, "case _:")
    w.line(depth + 2, "c = %s" % w.expr("int", 2))


@statement(0.7)
def assertion(w, depth):
    w.line(depth, "assert %s, i" % w.pick("i != 35", "a != 5 or i < 20", "i < 500"))
