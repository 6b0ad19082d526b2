"""Lists, tuples, dicts and sets; what is resized while something iterates over it."""

from .grammar import NAMES, expression, statement
from .numbers import index

CAP = "if len(items) > 70: del items[6:]"


@expression("int", 3)
def element(w, depth):
    return "items[%s]" % index(w)


@expression("float", 3)
def real_element(w, depth):
    return "reals[%s]" % index(w)


@expression("int", 2)
def of_dict(w, depth):
    key = w.expr("int", depth)
    return w.pick("table.get(%s, i)" % key, "table[i %% %d]" % w.pick(3, 5, 9), "len(table)", "table.setdefault(%s, a)" % key,
                  "sum(table.values())", "table.pop(%s, b)" % key)


@expression("int", 2)
def of_list(w, depth):
    return w.pick("len(items)", "items.index(items[-1])", "items.count(a)", "sum(items[:4])", "max(items)", "min(a, *items[:2])",
                  "len(reals)", "items[i % 3:][0]", "[a, b, c][i % 3]", "(a, b)[i & 1]", "sorted(items[:5])[0]", "items[:3][-1]",
                  "len({a, b, c})", "len([*items, a])", "items.pop() if len(items) > 6 else c")


@expression("int", 2)
def comprehension(w, depth):
    return w.pick("sum([y + 1 for y in items[:5]])", "len([y for y in items[:6] if y > a])", "sum(y * 2 for y in items[:4])",
                  "len({y: i for y in items[:5]})", "[y for y in range(i % 4 + 1)][-1]", "sum({y & 3 for y in items[:6]})",
                  "[[y + z for y in (a, b)] for z in (c, i)][0][1]", "any(y == a for y in items[:5])",
                  "[a := a + y for y in (1, 2)][-1]", "len([x for x in reals if x > d])")


@expression("bool", 3)
def membership(w, depth):
    return "(%s %s %s)" % (w.expr("any", depth), w.pick("in", "not in"), w.pick(
        "items", "reals", "table", "kept", "(1, 2.5, 'a')", "{1, 2, 3}", "(a, b, d)", "[NAN, d]", "range(5)"))


@expression("bool", 1)
def list_comparison(w, depth):
    return w.pick("(items[:2] == [a, b])", "((a, b) < (c, i))", "(items == list(items))", "([d] == [d])", "(table == dict(table))",
                  "({a} <= {a, b})", "(items is items)", "((a, d) == (a, e))")


@statement(4)
def store(w, depth):
    if w.chance(0.6):
        w.line(depth, "items[%s] = %s" % (index(w), w.expr("int", 1)))
    else:
        w.line(depth, "reals[%s] = %s" % (index(w), w.expr("float", 1)))


@statement(2)
def store_in_dict(w, depth):
    w.line(depth, "table[%s] = %s" % (w.pick("i % 9", "a % 9", "'k'", "(i & 1, 2)", "s", "i"), w.expr("int", 1)))
    w.line(depth, "if len(table) > 40: table.clear()")


@statement(2)
def augmented_element(w, depth):
    w.line(depth, w.pick("items[%s] += %s", "items[%s] -= %s", "items[%s] ^= %s") % (index(w), w.expr("int", 1)))


@statement(2)
def augmented_item(w, depth):
    w.line(depth, w.pick("table[i %% 3] = table.get(i %% 3, 0) + %s" % w.expr("int", 1), "table[0] += 1"))


@statement(3)
def grow(w, depth):
    value = w.expr("int", 1)
    w.line(depth, w.pick("items.append(%s)" % value, "items.insert(1, %s)" % value, "items += [%s, 1]" % value, "items.extend((%s, i))" % value,
                         "items[2:3] = [%s, 4, 5]" % value, "items = items + [%s]" % value, "items = [%s] + items[1:]" % value,
                         "items[len(items):] = (%s,)" % value))
    w.line(depth, CAP)


@statement(2)
def shrink(w, depth):
    w.line(depth, "if len(items) > 7: %s" % w.pick(
        "items.pop()", "items.pop(0)", "del items[2]", "del items[1:3]", "items.remove(items[3])", "items = items[1:]", "items.sort()",
        "items.reverse()", "items[:] = items[:5]", "a = items.pop()"))


@statement(2)
def make_tuple(w, depth):
    name = w.name(w.pick("int", "float"))
    w.line(depth, "pair = (%s, %s)" % (w.expr("any", 1), name))
    w.line(depth, w.pick("%s = pair[%s]", "x, %s = pair # %s", "%s = pair[0] if i & 1 else pair[1] # %s") % (name, w.pick("0", "1", "-1", "i & 1")))


@statement(1)
def unpack(w, depth):
    first, second = w.random.sample(NAMES["int"], 2)
    w.line(depth, "%s, %s%s = %s" % (first, w.pick("", "*"), second, w.pick(
        "items[:2]", "(i, a)", "[b, c]", "divmod(i, 7)", "items[:i % 4]", "{1: 2, 3: 4}", "'ab'")))
    w.line(depth, "%s = %s" % (second, w.expr("int", 2)))


@statement(2)
def keep(w, depth):
    w.line(depth, "kept.append(%s)" % w.pick("a", "b", "d", "x", "s", "(a, d)", "[i]", "items[0]", "p"))
    w.line(depth, "if len(kept) > 30: del kept[:]")


@statement(2)
def iterate_and_change(w, depth):
    """The container changes under the iterator."""
    name = w.name("int")
    which = w.pick("items", "items", "table", "kept", "reals")
    source = {"table": w.pick("table", "table.items()", "table.values()"), "items": w.pick("items", "enumerate(items)", "reversed(items)",
              "zip(items, reals)", "iter(items)", "map(abs, items)")}.get(which, which)
    variable = "x" if which != "items" else w.pick("x", name)
    w.line(depth, "%s = 0" % (counter := w.fresh("n")))
    w.line(depth, "for %s in %s:" % (variable, source))
    w.line(depth + 1, "%s += 1" % counter)
    w.line(depth + 1, "if %s > %d: break" % (counter, w.pick(5, 12, 30)))
    change = {"table": w.pick("table[i] = a", "table.pop(next(iter(table)), 0)", "table.clear()", "table[0] = b"),
              "items": w.pick("items.append(i)", "items.pop()", "del items[0]", "items.clear()", "items[0] = i", "items = [1, 2, 3]"),
              "kept": w.pick("kept.append(i)", "kept.clear()"), "reals": "reals[0] = d"}[which]
    w.line(depth + 1, "if %s: %s" % (w.condition(1), change))
    w.line(depth + 1, "c = %s" % w.expr("int", 1))
    if which == "items":
        w.line(depth, "if len(items) < 6: items = [1, 2, 3, 4, 5, 6]")
        w.line(depth, CAP)


@statement(1)
def rename(w, depth):
    w.line(depth, w.pick("x = items", "x = items[:]", "items, x = list(reversed(items)), items", "x = reals", "x = [a, d, s]", "x = (items, a)",
                         "x = range(a % 9)", "x = {i, a}", "x = dict(table)", "x = bytearray(b'abc')", "x = slice(1, 3)", "x = b'ab'[i & 1]"))
