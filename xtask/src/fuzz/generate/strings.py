"""Strings: building, slicing, searching, formatting."""

from .grammar import expression, statement


@expression("str", 4)
def joined(w, depth):
    return "(%s + %s)" % (w.expr("str", depth), w.expr("str", depth))


@expression("str", 2)
def of_number(w, depth):
    return w.form(w.expr("int", depth), "str(@)", "repr(@)", "f'{@}'", "'%s' % (@,)", "chr(97 + (@) % 26)", "f'<{@!r:>5}>'")


@expression("str", 3)
def part(w, depth):
    return "%s[%s]" % (w.name("str"), w.pick("0", "-1", "i % 3", ":2", "1:", "::-1", "i % 4:i % 4 + 2", ":i & 3", "::2"))


@expression("str", 2)
def method(w, depth):
    return w.form(w.expr("str", depth), "@.upper()", "@.replace('a', 'bc')", "@.strip()", "''.join([@, s])", "@.split('l')[0]", "@.title()",
                  "@.zfill(4)", "@ * (i & 1)", "min(@, t)", "@.partition('b')[i % 3]")


@expression("int", 2)
def measure(w, depth):
    return w.form(w.expr("str", depth), "len(@)", "@.count('a')", "@.find('l')", "ord((@ or 'x')[0])", "len(@.split())", "@.index('a')")


@expression("bool", 2)
def string_test(w, depth):
    return "(%s %s %s)" % (w.expr("str", depth), w.pick("==", "!=", "<", "in", "not in", "is", ">="), w.expr("str", depth))


@expression("bool", 1)
def string_question(w, depth):
    return w.form(w.expr("str", depth), "@.isdigit()", "@.startswith('a')", "bool(@)", "@.endswith(('c', 'x'))")


@statement(3)
def assign_string(w, depth):
    name = w.name("str")
    w.line(depth, "%s = %s" % (name, w.expr("str")))
    w.line(depth, "if type(%s) is str and len(%s) > 60: %s = %s[:3]" % (name, name, name, name))


@statement(3)
def build(w, depth):
    """The append that reuses the string when its reference count is 1."""
    name = w.name("str")
    w.line(depth, "%s += %s" % (name, w.expr("str", 1)))
    if w.chance(0.3):
        w.line(depth, "x = %s" % name)
    w.line(depth, "if len(%s) > 60: %s = ''" % (name, name))


@statement(1)
def each_character(w, depth):
    w.line(depth, "for x in %s:" % w.pick("s", "t", "s[:4]", "reversed(t)", "t.split()"))
    w.line(depth + 1, w.pick("a = len(x) + 1", "t = x", "if x == 'l': break", "c = i"))
