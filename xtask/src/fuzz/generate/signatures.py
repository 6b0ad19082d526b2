"""Parameter lists of every shape, in functions and in what binds an object to one; and calls of every shape."""

from .grammar import definition, expression, prelude, statement

prelude(__name__, '''\
import functools


def num(value):
    return value % 1009 if type(value) is int else 5


def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper
''')


class Shape:
    """A parameter list."""

    def __init__(self, w, bound):
        """`bound`: what is bound may have a parameter of its own."""
        plain = ["u", "v", "w"][: w.random.randint(0, 3)]
        self.needed = w.random.randint(0, len(plain)) if w.chance(0.5) else len(plain)
        texts = [name if at < self.needed else "%s=%d" % (name, w.random.randint(-3, 300)) for at, name in enumerate(plain)]
        terms = ["num(%s) * %d" % (name, at + 2) for at, name in enumerate(plain)]
        self.has_own = bound and w.chance(0.6)
        if self.has_own:
            texts.insert(0, "own")
            terms.append("(0 if own is None else 13)")
        self.plain = plain
        self.by_name = plain
        if texts and w.chance(0.2):
            texts.append("/")
            self.by_name = []
        self.takes_rest = w.chance(0.5)
        if self.takes_rest:
            texts.append("*rest")
            terms.append("len(rest) * 7 + (num(rest[0]) + num(rest[-1]) * 3 if rest else 1)")
        self.named = None
        if w.chance(0.4):
            self.named = w.pick("k=9", "k")
            texts += [self.named] if self.takes_rest else ["*", self.named]
            terms.append("num(k) * 17")
        self.takes_more = w.chance(0.3)
        if self.takes_more:
            texts.append("**more")
            terms.append("len(more) * 19 + num(more.get('z', 3))")
        # What is bound fills the first parameter where it has none of its own.
        self.filled = 1 if bound and not self.has_own and plain else 0
        self.can_be_bound = not bound or self.has_own or bool(plain) or self.takes_rest
        self.texts = ", ".join(texts)
        self.value = " + ".join(terms or ["1"])

    def arguments(self, w, value):
        """Random arguments, seldom wrong ones; `value()` is the text of one."""
        if w.chance(0.06):
            return w.pick("", value(), "%s, %s" % (value(), value()), "u=1", "1, 2, 3, 4, 5", "nobody=2")
        free = self.plain[self.filled :]
        count = w.random.randint(min(len(free), max(0, self.needed - self.filled)), len(free))
        by_name = w.random.randint(0, count) if self.by_name and w.chance(0.3) else 0
        texts = [value() for _ in range(count - by_name)]
        if self.takes_rest and count == len(free) and not by_name:
            texts += [value() for _ in range(w.random.choice((0, 1, 2, 3)))]
        if texts and w.chance(0.15):
            texts[-1] = "*(%s,)" % texts[-1]
        names = ["%s=%s" % (name, value()) for name in free[count - by_name : count]]
        if self.named == "k" or self.named and w.chance(0.5):
            names.append(w.pick("k=%s", "**{'k': %s}") % value())
        if self.takes_more and w.chance(0.5):
            names.append("z=%s" % value())
        w.random.shuffle(names)
        return ", ".join(texts + names)


def function(w, depth, name, bound):
    """Writes a function; as a method, at times with a decorator."""
    shape = Shape(w, bound)
    if w.chance(0.25):
        w.line(depth, "@wrapped")
    w.line(depth, "def %s(%s):" % (name, shape.texts))
    w.line(depth + 1, "return %s" % shape.value)
    return shape


@definition
def functions(w):
    for _ in range(w.random.randint(1, 3)):
        name = w.fresh("shape")
        w.shapes.append((name, function(w, 0, name, False)))
        w.line(0, "")
        w.line(0, "")
    for _ in range(w.random.randint(1, 2)):
        class_of_shapes(w)


def class_of_shapes(w):
    """A class whose `__init__` and methods have such parameter lists."""
    name, made = w.fresh("Shape"), w.fresh("made")
    init = Shape(w, True)
    w.line(0, "class %s:" % name)
    w.line(1, "value = 1")
    if init.can_be_bound:
        w.line(1, "def __init__(%s):" % init.texts)
        own = "own" if init.has_own else "u" if init.plain else "rest[0]"
        w.line(2, "%s.value = %s" % (own, init.value))
        w.shapes.append(("%s(@).value" % name, init))
    found = {}
    for method, decorator in (("bound", None), ("of_class", "@classmethod"), ("static", "@staticmethod")):
        if decorator:
            w.line(1, decorator)
        found[method] = function(w, 1, method, method != "static")
    w.line(0, "")
    w.line(0, "")
    w.line(0, "%s = %s.__new__(%s)" % (made, name, name))
    w.line(0, "%s_call = %s.bound" % (made, made))
    w.line(0, "")
    w.line(0, "")
    texts = {"bound": ["%s.bound" % made, "%s_call" % made], "of_class": ["%s.of_class" % made, "%s.of_class" % name], "static": ["%s.static" % made]}
    w.shapes += [(text, shape) for method, shape in found.items() if shape.can_be_bound for text in texts[method]]


def call_text(w, text, shape, depth):
    arguments = shape.arguments(w, lambda: w.expr("int", depth + 1))
    return text.replace("@", arguments) if "@" in text else "%s(%s)" % (text, arguments)


@expression("int", 5)
def call(w, depth):
    return call_text(w, *w.random.choice(w.shapes), depth) if w.shapes else "num(a)"


@statement(2)
def call_that_may_fail(w, depth):
    w.line(depth, "try:")
    w.line(depth + 1, "%s = %s" % (w.name("int"), call(w, 1)))
    w.line(depth, "except TypeError as error:")
    w.line(depth + 1, "x = str(error)")


@statement(1)
def call_kept(w, depth):
    """What is called is in a local, bound methods too."""
    name, (text, shape) = w.fresh("kept_call"), w.random.choice(w.shapes)
    if "@" not in text:
        w.line(depth, "%s = %s" % (name, text))
        text = name
    w.line(depth, "%s = %s" % (w.name("int"), call_text(w, text, shape, 1)))
