"""`__getitem__` and `__setitem__` of Python classes in hot loops, and elements of arrays: which is called, what it sees, and what
happens when it raises, gives something odd, or is replaced."""

import sys
import traceback
from array import array


class Grid:
    def __init__(self, w, h):
        self.w = w
        self.h = h
        self.data = [0] * (w * h)

    def _index(self, x, y):
        if 0 <= x < self.w and 0 <= y < self.h:
            return y * self.w + x
        raise IndexError((x, y))

    def __getitem__(self, x_y):
        x, y = x_y
        return self.data[self._index(x, y)]

    def __setitem__(self, x_y, value):
        x, y = x_y
        self.data[self._index(x, y)] = value


class Rows(Grid):
    def __getitem__(self, i):
        if isinstance(i, tuple):
            return self.data[i[1]]
        return self.data[i] + 1000

    def __setitem__(self, i, value):
        self.data[i] = value


def grid(n):
    g = Grid(6, 5)
    for i in range(n):
        x, y = i % 6, i % 5
        g[x, y] = i + g[y, x % 5]
        g[x, y] += 2
        g[0, 0], g[5, 4] = g[5, 4], g[0, 0]
    return g.data


def two_classes(n):
    out = 0
    g, r = Grid(3, 3), Rows(3, 3)
    for i in range(n):
        box = r if i % 7 == 6 else g
        if box is r:
            box[i % 9] = i
            out += box[i % 9]
        else:
            box[1, 2] = i
            out += box[1, 2]
    return out


def out_of_range(n):
    g = Grid(4, 4)
    places = []
    caught = 0
    for i in range(n):
        try:
            if i % 2:
                g[i % 5, 1]
            else:
                g[1, i % 6] = i
        except IndexError as error:
            caught += 1
            tb = error.__traceback__
            place = [str(error)]
            while tb:
                code = tb.tb_frame.f_code
                # Not `tb_lasti`: 3.12 says another one once the instruction is specialised.
                place.append((code.co_name, tb.tb_lineno - code.co_firstlineno))
                tb = tb.tb_next
            places.append(place)
    return caught, places[:3], places[-3:]


class Odd:
    """What it gives and takes is odd."""

    def __init__(self):
        self.log = []

    def __getitem__(self, i):
        if i == 3:
            return NotImplemented
        if i == 4:
            return None
        return i

    def __setitem__(self, i, value):
        if i == 3:
            return NotImplemented
        if i == 4:
            return Dying(self.log, "result")
        self.last = value


class Dying:
    def __init__(self, log, name):
        self.log = log
        self.name = name

    def __del__(self):
        self.log.append(self.name)


def odd_results(n):
    odd = Odd()
    out = []
    for i in range(n):
        out.append(odd[i % 5])
        odd[i % 5] = i
    return out[-12:], odd.last, len(odd.log), odd.log[:2]


def odd_late(n):
    odd = Odd()
    out = []
    for i in range(n):
        k = 1 if i < n - 4 else 3 if i < n - 2 else 4
        out.append(odd[k])
        odd[k] = i
    return out[-6:], odd.log


class Keeper:
    """Its objects, and the indices given to it, die loudly."""

    def __init__(self, log):
        self.log = log

    def __getitem__(self, i):
        return len(self.log) % 3

    def __setitem__(self, i, value):
        pass

    def __del__(self):
        self.log.append("keeper")


def deaths(n):
    log = []
    for i in range(n):
        Keeper(log)[Dying(log, "index")]
        Keeper(log)[0] = Dying(log, "value")
        Keeper(log)[Dying(log, "second index")] = 1
    return len(log), log[:7], log[-7:]


def replaced(n):
    class Box:
        def __getitem__(self, i):
            return i

        def __setitem__(self, i, value):
            stored.append((1, i))

    stored = []
    box = Box()
    total = 0
    for i in range(n):
        total += box[i]
        box[i] = i
        if i == n - 10:
            Box.__getitem__ = lambda self, i: 100000
        if i == n - 8:
            Box.__setitem__ = lambda self, i, value: stored.append((2, i))
        if i == n - 5:
            del Box.__getitem__
            try:
                box[i]
            except TypeError as error:
                total += len(str(error))
            Box.__getitem__ = lambda self, i: 7
    return total, stored[-9:]


def replaced_inside(n):
    class Box:
        def __getitem__(self, i):
            if i == n - 6:
                Box.__getitem__ = lambda self, i: -1
            return i

    box = Box()
    return [box[i] for i in range(n)][-10:]


def code_replaced(n):
    def other(self, i):
        return 5

    class Box:
        def __getitem__(self, i):
            return i

    box = Box()
    total = 0
    for i in range(n):
        total += box[i]
        if i == n - 7:
            Box.__getitem__.__code__ = other.__code__
    return total


class Looks:
    def __getitem__(self, i):
        frame = sys._getframe(1)
        return frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno, frame.f_locals["i"], sys._getframe().f_lasti

    def __setitem__(self, i, value):
        value.append(traceback.extract_stack(limit=2)[0].name)


def frames(n):
    looks = Looks()
    out = []
    names = []
    for i in range(n):
        out.append(looks[i])
        looks[i] = names
    return out[:2], out[-2:], names[:2], set(names)


class Deep:
    def __getitem__(self, i):
        if i == 0:
            return 0
        return self[i - 1] + 1


def recursion(n):
    deep = Deep()
    out = 0
    for i in range(n):
        out += deep[i % 20]
    try:
        for i in range(3):
            deep[100000]
    except RecursionError as error:
        out += len(str(error))
    return out


class Many:
    def __getitem__(self, *args):
        return args

    def __setitem__(self, i, value, extra=5):
        self.last = (i, value, extra)


class Static:
    @staticmethod
    def __getitem__(i):
        return i + 1

    __setitem__ = None


class Callable:
    __getitem__ = len


class Generates:
    def __getitem__(self, i):
        yield i


class Loops:
    def __getitem__(self, i):
        total = 0
        for k in range(i):
            total += k
        return total


class Typed:
    def __class_getitem__(cls, i):
        return i * 2


class Listed(list):
    def __getitem__(self, i):
        return list.__getitem__(self, i) + 1


class Lazy(dict):
    def __missing__(self, key):
        return key


def other_methods(n):
    many, static, generates, loops, listed, lazy = Many(), Static(), Generates(), Loops(), Listed([5, 6]), Lazy()
    total = 0
    for i in range(n):
        total += len(many[i, 2]) + len(many[i])
        many[i] = 1
        total += static[i]
        total += next(generates[i])
        total += loops[i % 4]
        total += Typed[i]
        total += listed[i % 2]
        total += lazy[i]
    try:
        for i in range(3):
            static[i] = 1
    except TypeError as error:
        total += len(str(error))
    return total, many.last


def branches(n):
    """The method goes another way than when it was recorded: side exits inside it."""

    class Box:
        def __init__(self):
            self.seen = []

        def __getitem__(self, i):
            if i % 11 == 10:
                self.seen.append(sys._getframe(1).f_lineno - branches.__code__.co_firstlineno)
                return "odd"
            return i

        def __setitem__(self, i, value):
            if i % 13 == 12:
                value = str(value)
            self.last = value

    box = Box()
    out = []
    for i in range(n):
        out.append(box[i])
        box[i] = i
        out.append(box.last)
    return out[-26:], len(box.seen), set(box.seen)


def nested_methods(n):
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        def __getitem__(self, i):
            return self.inner[i] + 1

        def __setitem__(self, i, value):
            self.inner[i] = value

    class Inner:
        def __init__(self):
            self.values = {}

        def __getitem__(self, i):
            if i == n - 3:
                raise KeyError("three")
            return i

        def __setitem__(self, i, value):
            self.values[i % 4] = value

    outer = Outer(Outer(Inner()))
    total = 0
    for i in range(n):
        try:
            total += outer[i]
        except KeyError as error:
            total += [entry.lineno - nested_methods.__code__.co_firstlineno for entry in traceback.extract_tb(error.__traceback__)][-1]
        outer[i] = total
    return total, outer.inner.inner.values


def arrays(n):
    d, i_, b, u = array("d", [0] * 7), array("i", [1] * 7), array("B", [0] * 7), array("u", "abcdefg")
    for k in range(n):
        d[k % 7] = d[k % 6] + i_[-1 - k % 7] * 0.5
        d[k % 5] = k
        i_[k % 7] += k % 3
        b[k % 7] = (b[k % 7] + 1) % 256
        b[True] = True
        u[k % 7] = u[(k + 1) % 7]
    return d, i_, b, u


def array_errors(n):
    errors = []
    d, b = array("d", [0] * 3), array("b", [0] * 3)
    for i in range(n):
        try:
            if i % 5 == 0:
                d[i % 4] = 1
            elif i % 5 == 1:
                b[0] = i * 4
            elif i % 5 == 2:
                b[0] = 1.5
            elif i % 5 == 3:
                d[i % 4]
            else:
                d[-4]
        except (IndexError, OverflowError, TypeError) as error:
            errors.append((type(error).__name__, str(error), error.__traceback__.tb_lineno - array_errors.__code__.co_firstlineno))
    return len(errors), errors[-8:]


def array_grows(n):
    values = array("d")
    for i in range(n):
        if i % 9 == 0:
            values.append(i)
        values[i % len(values)] = values[-1] + 1
    return values


class Doubled(array):
    def __getitem__(self, i):
        return 2 * array.__getitem__(self, i)


def array_subclass(n):
    values = Doubled("i", [1, 2, 3])
    return sum(values[i % 3] for i in range(n)), sum([values[i % 3] for i in range(n)])


def float_identity(n):
    values = array("d", [1.5])
    same = 0
    for i in range(n):
        x = values[0]
        values[0] = x
        same += x is values[0]
        x += 1.0
        values[0] = x - 1.0
    return same, values


for count in (7, 60, 2500):
    print(grid(count))
    print(two_classes(count))
    print(out_of_range(count))
    print(odd_results(count))
    print(odd_late(count))
    print(deaths(count))
    print(replaced(count + 10))
    print(replaced_inside(count))
    print(code_replaced(count))
    print(frames(count))
    print(recursion(count))
    print(other_methods(count))
    print(branches(count))
    print(nested_methods(count))
    print(arrays(count))
    print(array_errors(count))
    print(array_grows(count))
    print(array_subclass(count))
    print(float_identity(count))
