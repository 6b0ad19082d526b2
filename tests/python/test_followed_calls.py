"""Calls that are followed inside: keywords, defaults, *args, bound methods, classes; cells and closures; functions made in a loop."""

import sys
import traceback


def keywords(a, b=2, *rest, c, d=None, **more):
    return a, b, rest, c, d, more


def simple(a, b=10, c=20):
    return a * 100 + b * 10 + c


def only(a, /, b, *, c):
    return a + b + c


def rest_of(first, *rest):
    return len(rest) + sum(rest) + first


def all_rest(*rest):
    return rest


def with_more(a, **more):
    return a, len(more)


def calls(n):
    total = 0
    seen = set()
    for i in range(n):
        total += simple(i, c=1)
        total += simple(c=i, a=1, b=2)
        total += simple(b=i, a=3)
        total += only(i, b=2, c=3)
        total += rest_of(i, 1, 2, 3) + rest_of(i)
        total += len(all_rest()) + len(all_rest(i, i))
        total += with_more(i)[1] + with_more(i, x=1)[1]
        seen.add(len(keywords(i, c=1)[2]))
        seen.add(keywords(i, 2, 3, 4, c=5, e=6)[2])
    return total, sorted(map(str, seen))


def wrong_calls(n):
    errors = []
    for i in range(n):
        try:
            if i == n - 2:
                simple(1, a=2)
            elif i == n - 3:
                simple(b=2)
            elif i == n - 4:
                only(a=1, b=2, c=3)
            elif i == n - 5:
                only(1, 2, 3)
            else:
                simple(i, c=i)
        except TypeError as error:
            errors.append(str(error))
    return errors


class Point:
    made = 0

    def __init__(self, x, y=0, *, scale=1):
        self.x = x * scale
        self.y = y * scale
        Point.made += 1

    def moved(self, dx, dy=0):
        return Point(self.x + dx, y=self.y + dy)

    def length(self):
        return abs(self.x) + abs(self.y)


class Empty:
    pass


class Failing:
    def __init__(self, n):
        self.n = n
        if n % 10 == 9:
            raise ValueError(n)


class NotNone:
    def __init__(self, n):
        self.n = n
        return values[n % 16]


values = [None] * 15 + [5]


class Alive:
    count = 0

    def __init__(self, n):
        Alive.count += 1
        self.n = n

    def __del__(self):
        Alive.count -= 1


class Counted(Point):
    def __init__(self, n):
        super().__init__(n, n)
        self.names = sys._getframe(1).f_code.co_name, sys._getframe(0).f_code.co_name


class Custom:
    def __new__(cls, n):
        self = super().__new__(cls)
        self.n = n
        return self

    def __init__(self, n):
        self.n += n


def constructors(n):
    total = 0
    p = Point(1, 2)
    for i in range(n):
        p = p.moved(1, dy=i % 3)
        total += p.length() + Point(i, scale=2).x
        e = Empty()
        e.a = i
        total += e.a + Custom(i).n
    return total, Point.made, vars(p)


def failing(n):
    caught = []
    for i in range(n):
        try:
            f = Failing(i)
        except ValueError as error:
            tb = error.__traceback__
            caught.append((error.args, [(t.name, t.line) for t in traceback.extract_tb(tb)]))
    return caught


def returns_something(n):
    caught = []
    for i in range(n):
        try:
            NotNone(i)
        except TypeError as error:
            caught.append((str(error), len(traceback.extract_tb(error.__traceback__))))
    return caught


def lives(n):
    most = 0
    for i in range(n):
        a = Alive(i)
        most = max(most, Alive.count)
        if i % 7 == 0:
            Alive(i)
    del a
    return most, Alive.count


def looks_from_init(n):
    seen = set()
    for i in range(n):
        seen.add(Counted(i).names)
    return seen


def changed_init(n):
    class Local:
        def __init__(self, v):
            self.v = v

    total = 0
    for i in range(n):
        total += Local(i).v
        if i == n // 2:
            Local.__init__ = lambda self, v: setattr(self, "v", -v)
    return total


def bound(n):
    p = Point(3, 4)
    length = p.length
    moved = p.moved
    total = 0
    for i in range(n):
        total += length() + moved(i, dy=1).y
        if i == n - 5:
            q = Point(100, 100)
            length = q.length
        if i == n - 3:
            length = len("abc").bit_length
    return total


class Collecting:
    """Methods and an __init__ that have no parameter of their own for what is bound."""

    def __init__(*everything, **more):
        everything[0].made_of = len(everything), more

    def given(*everything, **more):
        return len(everything), type(everything[0]).__name__, everything[1:], more

    @classmethod
    def of_class(*everything):
        return everything[0].__name__, everything[1:]


def decorated(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


class Decorated:
    @decorated
    def add(self, a, b=1):
        return type(self).__name__, a + b


def bound_to_rest(n):
    """What is bound goes into the callee's tuple, where that is all it has."""
    collecting, decorated = Collecting(), Decorated()
    given, add, of_class = collecting.given, decorated.add, Collecting.of_class
    found = []
    before = sys.getrefcount(collecting), sys.getrefcount(decorated)
    for i in range(n):
        found.append((given(), given(i), given(i, i), of_class(i), add(i), add(i, b=2)))
        found.append((Collecting().made_of, Collecting(i).made_of, Collecting(i, i).made_of))
    assert (sys.getrefcount(collecting), sys.getrefcount(decorated)) == before
    assert found[: 2 * (n - 1) : 2] == [
        (
            (1, "Collecting", (), {}),
            (2, "Collecting", (i,), {}),
            (3, "Collecting", (i, i), {}),
            ("Collecting", (i,)),
            ("Decorated", i + 1),
            ("Decorated", i + 2),
        )
        for i in range(n - 1)
    ]
    return found[-2:]


def temporary_methods(n):
    total = 0
    for i in range(n):
        get = Point(i, 1).length
        total += get()
        total += (Point(i, 2).length)()
    return total


def counter():
    count = 0

    def up(by):
        nonlocal count
        count += by
        return count

    return up


def adder(k):
    def add(x):
        return x + k

    return add


def cells(n):
    total = 0
    for i in range(n):
        up = counter()
        up(i)
        total += up(1)
        add = adder(i)
        total += add(1) + (lambda x, y=i: x * y)(2)
        total += sum(v * i for v in (1, 2, 3))
        total += sum([v + i for v in (1, 2)])
    return total


def inner_cells(n):
    def own(x):
        k = x * 2

        def use():
            return k + x

        k += 1
        return use()

    return sum(own(i) for i in range(n)), [own(i) for i in range(n)][-1]


def made_functions(n):
    out = []
    for i in range(n):

        def f(a, b=i, *, c=i * 2):
            return a + b + c + i

        out.append(f)
    last = out[-1]
    return [f(1) for f in out[-3:]], last.__name__, last.__qualname__, last.__defaults__, last.__kwdefaults__, len(last.__closure__)


class Manager:
    log = []

    def __init__(self, n):
        self.n = n

    def __enter__(self):
        return self.n * 2

    def __exit__(self, kind, value, tb):
        Manager.log.append((self.n, kind and kind.__name__))
        return kind is KeyError


def withs(n):
    total = 0
    for i in range(n):
        with Manager(i) as k:
            total += k
        try:
            with Manager(-i) as k, Manager(k):
                if i % 9 == 8:
                    raise KeyError(i)
                if i % 9 == 7:
                    raise IndexError(i)
                total += k
        except IndexError:
            total += 1000
    return total, Manager.log[-9:]


def bad_withs(n):
    errors = []
    things = [Manager(1)] * (n - 2) + [5, Empty()]
    for thing in things:
        try:
            with thing:
                pass
        except TypeError as error:
            errors.append(str(error))
    return errors


def stars(n):
    total = 0
    errors = []
    for i in range(n):
        a, *b = range(i % 5 + 1)
        total += a + len(b)
        *c, d = (i, i, i)
        total += d + len(c)
        e, *f, g = "xyz" * (i % 3 + 1)
        total += len(f)
        s = {*b, *c}
        total += len(s)
        try:
            h, *j, k = range(i % 4)
            total += len(j)
        except ValueError as error:
            errors.append(str(error))
        try:
            if i == n - 1:
                x, *y = i
        except TypeError as error:
            errors.append(str(error))
    return total, sorted(set(errors))


def merges(n):
    total = 0
    errors = []
    extra = {"b": 5}
    for i in range(n):
        total += simple(i, **extra)
        total += simple(**extra, **{"a": i})
        try:
            simple(1, **extra, **({"b": 1} if i % 6 == 5 else {"c": 1}))
        except TypeError as error:
            errors.append(str(error))
    return total, errors[-1:], len(errors)


def quiet_try(n):
    total = 0
    for i in range(n):
        try:
            total += i
            try:
                total += len([i])
            finally:
                total += 1
        except ValueError:
            total -= 1000
        else:
            total += 2
    return total


N = 60
print(calls(N))
print(wrong_calls(N))
print(constructors(N))
print(failing(N))
print(returns_something(N))
print(lives(N))
print(looks_from_init(N))
print(changed_init(N))
print(bound(N))
print(bound_to_rest(N))
print(temporary_methods(N))
print(cells(N))
print(inner_cells(N))
print(made_functions(N))
print(withs(N))
print(bad_withs(N))
print(stars(N))
print(merges(N))
print(quiet_try(N))
