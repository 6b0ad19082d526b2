"""Instances, slots, properties, class attributes, methods, operators; classes that change."""

from .grammar import expression, prelude, statement

prelude(__name__, '''\
class Point:
    scale = 2
    total = 0

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def move(self, by):
        self.x += by
        return self.x

    def norm(self):
        return self.x * self.x % 1009 + self.y

    def twice(self):
        return self.move(1) + self.move(1)

    @property
    def mean(self):
        return (self.x + self.y) / 2

    @mean.setter
    def mean(self, value):
        self.x = self.y = value

    @classmethod
    def count(cls, by=1):
        cls.total += by
        return cls.total

    @staticmethod
    def plus(a, b=3):
        return a + b

    def __add__(self, other):
        return Point(self.x + (other.x if isinstance(other, Point) else other), self.y)

    def __len__(self):
        return 3

    def __getitem__(self, key):
        return (self.x, self.y, key)[key % 3]

    def __setitem__(self, key, value):
        self.y = value

    def __call__(self, a):
        return a + 1

    def __contains__(self, a):
        return a == self.x


class Sub(Point):
    scale = 5

    def move(self, by):
        return super().move(by + 1)

    def __iter__(self):
        return iter((self.x, self.y))

    def __eq__(self, other):
        return isinstance(other, Point) and self.x == other.x

    __hash__ = None


class Slots:
    __slots__ = ("x", "y", "z")
    scale = 7

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def move(self, by):
        self.x = self.x + by
        return self.y

    def norm(self):
        return self.x - self.y

    @property
    def mean(self):
        return self.x

    def __bool__(self):
        return self.x != 3


class Lazy:
    scale = 1

    def __init__(self, x):
        self.x = x

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return len(name) + self.x

    def move(self, by):
        return by

    def norm(self):
        return self.missing


class Descriptor:
    def __get__(self, instance, owner):
        return 11 if instance is None else instance.x

    def __set__(self, instance, value):
        instance.y = value


POINT_MOVE, POINT_NORM = Point.move, Point.norm
''')

MAKERS = ["Point(a, b)", "Point(i, 2)", "Sub(i, a)", "Slots(a, i)", "Lazy(3)", "Point(d, 1)", "Slots(1, 2)", "Sub(1, b)"]


@expression("obj", 3)
def make(w, depth):
    return w.random.choice(MAKERS)


@expression("int", 4)
def read(w, depth):
    return "%s.%s" % (w.name("obj"), w.pick("x", "y", "x", "y", "scale", "mean", "z" if w.chance(0.1) else "x", "extra" if w.chance(0.2) else "y"))


@expression("int", 4)
def call_method(w, depth):
    name = w.name("obj")
    return w.pick("%s.move(%s)" % (name, w.expr("int", depth)), "%s.norm()" % name, "%s.twice()" % name, "%s.move(by=1)" % name,
                  "%s.plus(%s)" % (name, w.expr("int", depth)), "Point.plus(a, b)", "Point.count()", "%s.count(2)" % name, "Point.move(p, 1)",
                  "%s.mean" % name, "p[i]", "p(a)", "len(%s)" % name, "q.norm()", "Sub.plus(b=i, a=2)")


@expression("bool", 2)
def ask(w, depth):
    name = w.name("obj")
    return w.pick("isinstance(%s, Point)", "isinstance(%s, (Sub, Slots))", "(%s == q)", "(%s is p)", "bool(%s)", "hasattr(%s, 'z')", "(a in %s)",
                  "(type(%s) is Point)", "(not %s)", "callable(%s)", "(%s != p)", "(%s is None)") % name


@statement(3)
def write(w, depth):
    w.line(depth, "%s.%s %s %s" % (w.name("obj"), w.pick("x", "y", "x", "mean", "scale" if w.chance(0.3) else "y", "extra"),
                                   w.pick("=", "=", "+=", "-="), w.expr(w.pick("int", "int", "float"), 1)))


@statement(3)
def replace(w, depth):
    w.line(depth, "%s = %s" % (w.pick("p", "q", "x"), w.pick(w.random.choice(MAKERS), "p + 1", "p + q", "q", "p")))


@statement(1)
def bind(w, depth):
    w.line(depth, "x = %s.%s" % (w.name("obj"), w.pick("move", "norm")))
    w.line(depth, "a = x(%s) if i & 1 else b" % w.pick("1", "", "a"))


@statement(1)
def swap_objects(w, depth):
    w.line(depth, w.pick("p, q = q, p", "p.x, p.y = p.y, p.x", "p.x = q.x", "q.x, a = a, q.y", "p[i] = a", "p.x = p", "q.y = items"))
    if w.lines[-1].endswith("p.x = p"):
        w.line(depth, "p.x = i")


@statement(1)
def change_class(w, depth):
    w.line(depth, "if %s: %s" % (w.pick("i == 20", "i == 37", "i % 40 == 30", "i == 3"), w.pick(
        "Point.scale = i", "Point.move = lambda self, by: 5", "Point.norm = POINT_MOVE", "p.__class__ = Sub", "p.__dict__['x'] = 'now'",
        "p.scale = 99", "p.move = abs", "del p.x", "Sub.scale = 0.5", "Point.z = Descriptor()", "Point.__add__ = lambda s, o: s",
        "Point.extra = property(lambda self: 4)", "Point.y = Descriptor()", "del Point.y", "Sub.__getattr__ = lambda self, n: 8",
        "p.__dict__ = {'x': 1, 'y': 2}", "p.__dict__.clear()", "Sub.__bases__ = (Lazy,) if False else (Point,)", "del Point.extra")))


@statement(1)
def type_by_turns(w, depth):
    w.line(depth, "p = (%s)[i %% 3]" % ", ".join(w.random.choice(MAKERS) for _ in range(3)))


@statement(1)
def over_objects(w, depth):
    w.line(depth, "for x in (p, q, %s):" % w.random.choice(MAKERS))
    w.line(depth + 1, w.pick("a += x.x", "a = x.move(1)", "x.x = i", "b = x.norm()", "if x.x == a: break", "c = x.scale"))
