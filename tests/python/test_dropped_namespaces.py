"""Modules, namespaces and functions that nobody has any more die, though traces were made of their code."""

import gc
import threading
import types
import weakref

SOURCE = """
STEP = 1
def helper(x):
    return x + STEP
def run(n):
    t = 0
    for x in range(n):
        t += helper(x)
    return t
class Marker:
    pass
marker = Marker()
def marked(n):
    t = 0
    for x in range(n):
        if marker is not None:
            t += STEP
    return t
def stores(n):
    global STEP
    for x in range(n):
        STEP = x
    return STEP
"""


def made(name, source=SOURCE):
    module = types.ModuleType(name)
    exec(source, module.__dict__)
    return module


def dropped_module():
    module = made("soaked")
    results = module.run(5000), module.run(3)
    return results, weakref.ref(module.run), weakref.ref(module)


def dropped_marker():
    module = made("soaked")
    return module.marked(5000), weakref.ref(module.marker), weakref.ref(module.marked)


def dropped_stores():
    module = made("soaked")
    return module.stores(5000), weakref.ref(module.stores), weakref.ref(module.marker)


def dropped_namespace():
    space = {"n": 5000}
    exec(SOURCE + "\ntotal = 0\nfor x in range(n):\n    total += helper(x)\n", space)
    return space["total"], weakref.ref(space["run"]), weakref.ref(space["marker"])


def of_another_module():
    lender, user = made("lender"), types.ModuleType("user")
    user.other = lender
    user.helper = lender.helper
    exec(
        "def run(n):\n    t = 0\n    for x in range(n):\n        t += helper(x) + other.helper(x) + other.STEP\n    return t",
        user.__dict__,
    )
    return user.run(5000), weakref.ref(lender.run), weakref.ref(lender), weakref.ref(user.run)


def dropped_while_running():
    user = types.ModuleType("user")
    log = []

    def let_go(x):
        if x == 4000:
            lender = weakref.ref(user.other)
            user.other = None
            user.helper = None
            gc.collect()
            user.other = made("other")
            user.helper = user.other.helper
            user.other.STEP = 100
            log.append(lender() is None)

    user.let_go = let_go
    user.other = made("lender")
    user.helper = user.other.helper
    exec(
        "def run(n):\n    t = 0\n    for x in range(n):\n        let_go(x)\n        t += helper(x) + other.STEP\n    return t",
        user.__dict__,
    )
    return user.run(5000), [], weakref.ref(user.run), weakref.ref(user.helper)


def dropped_in_callee():
    user = types.ModuleType("user")
    exec(
        """
import gc
def gone(x):
    global middle, K
    if x == 4000:
        del middle
        K = None
        gc.collect()
        K = [7]
        def middle(x):
            return -x
        gc.collect()
K = [1, 2]
def middle(x):
    before = K
    gone(x)
    return x + len(before) + len(K)
def run(n):
    t = 0
    for x in range(n):
        t += middle(x)
    return t
""",
        user.__dict__,
    )
    return user.run(5000), weakref.ref(user.run), weakref.ref(user.middle)


def replaced_global():
    module = made("soaked")
    total = module.marked(5000)
    reference = weakref.ref(module.marker)
    module.marker = None
    return total, module.marked(100), reference


def shared_code():
    code = compile(SOURCE + "\ntotal = 0\nfor x in range(n):\n    total += helper(x)\n", "shared", "exec")
    spaces = [{"n": 3000 + i} for i in range(4)]
    for space in spaces:
        exec(code, space)
    return [space["total"] for space in spaces] + [weakref.ref(space["run"]) for space in spaces]


CLASSES = """
LIMIT = 3
class Base:
    step = [2, 3]
    def twice(self, x):
        return x + x + len(self.step)
    @staticmethod
    def three():
        return LIMIT
class Loose(Base):
    def __init__(self, x, y=(1, 2), *, into=[]):
        self.x = x
        self.y = y
        into.append(x)
        del into[:]
    def moved(self, dx):
        return Loose(self.x + dx)
    def __add__(self, other):
        return Loose(self.x + other)
def run(n):
    total = 0
    point = Loose(1)
    for i in range(n):
        point = point.moved(i) + 1
        total += point.twice(i) + point.x + Loose.three() + len(point.y)
    return total
def shaped(shapes, n):
    total = 0
    for i in range(n):
        for shape in shapes:
            total += shape.twice(i)
    return total
"""


def dropped_classes():
    module = made("classes", CLASSES)
    one, two = module.Loose(1), module.Base()
    results = module.run(3000), module.shaped([one, two, one], 900)
    return results, weakref.ref(module.Loose), weakref.ref(module.Base), weakref.ref(module.run), weakref.ref(one)


def shaped(shapes, n):
    total = 0
    for i in range(n):
        for shape in shapes:
            total += shape.twice(i)
    return total


def classes_of_others():
    module = made("classes", CLASSES)
    shapes = [module.Loose(1), module.Base()]
    return shaped(shapes, 2500), weakref.ref(module.Loose), weakref.ref(module.shaped)


def class_changed():
    module = made("classes", CLASSES)
    first = shaped([module.Base()], 2500)
    old = weakref.ref(module.Base.twice)
    module.Base.twice = lambda self, x: -x
    second = shaped([module.Base()], 100)
    return first, second, old, weakref.ref(module.Base)


def called(function, n):
    total = 0
    for i in range(n):
        total += function(i)
    return total


def dropped_closures():
    references, totals = [], []
    for k in range(6):
        def inner(x, by=[k], *, plus=k):
            return x * len(by) + k

        inner.itself = inner
        totals.append(called(inner, 2500))
        references.append(weakref.ref(inner))
        del inner
    return totals, references


def dropped_methods():
    class Bound:
        def __init__(self, k):
            self.k = k
            self.method = self.add

        def add(self, x):
            return x + self.k

    references, totals = [], []
    for k in range(4):
        bound = Bound(k)
        totals.append(called(bound.method, 2500))
        references.append(weakref.ref(bound))
        del bound
    return totals, references, weakref.ref(Bound), weakref.ref(Bound.add)


class Holder:
    pass


def dropped_while_inside():
    """A function in a cycle, which nobody has any more while it runs, and whose globals are its own."""
    holder, log = Holder(), []
    source = """
import gc
def inside(x, extra=[1, 2, 3]):
    if x == 4000:
        drop()
        gc.collect()
    return NAME + x + len(extra) + outer
"""
    space = {"NAME": 5, "drop": lambda: setattr(holder, "function", abs), "outer": 1}
    exec(source, space)
    holder.function = space.pop("inside")
    holder.function.itself = holder.function
    reference = weakref.ref(holder.function)
    reference_space = weakref.ref(space["drop"])
    del space
    total = 0
    for i in range(5000):
        total += holder.function(i)
        if i == 4000:
            gc.collect()
            log.append(reference() is None)
    return total, reference, reference_space


def method_dropped_while_inside():
    log = []

    def make():
        space = {"log": log}
        exec(
            """
import gc
class Odd:
    more = [4]
    def go(self, x, box):
        if x == 4000:
            box[0] = Plain()
            del self
            gc.collect()
            gc.collect()
        return x + len(EXTRA)
class Plain:
    def go(self, x, box):
        return -x
EXTRA = [1]
""",
            space,
        )
        return [space["Odd"]()], weakref.ref(space["Odd"]), weakref.ref(space["Plain"])

    box, odd, plain = make()
    total = 0
    for i in range(6000):
        total += box[0].go(i, box)
    return total, odd, plain


def side_traces():
    module = made(
        "sides",
        """
class Even:
    def value(self, x):
        return x
class Odd:
    def value(self, x):
        return -x
EVEN, ODD = Even(), Odd()
def other(x):
    return x & 3
def run(n):
    total = 0
    for i in range(n):
        if i & 1:
            total += ODD.value(i) + other(i)
        elif i % 3 == 0:
            total += EVEN.value(i)
        else:
            for j in range(3):
                total += other(j)
    return total
""",
    )
    results = [module.run(3000)]
    module.other = lambda x: 1
    results.append(module.run(3000))
    return results, weakref.ref(module.run), weakref.ref(module.Even), weakref.ref(module.ODD)


def in_threads():
    module = made("threads", CLASSES)
    results = []

    def work():
        results.append(module.run(1500))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, weakref.ref(module.run), weakref.ref(module.Loose)


def emptied_class():
    module = made("classes", CLASSES)
    shapes = [module.Base()]
    first = shaped(shapes, 2500)

    class Other:
        def twice(self, x):
            return 1

    shapes[0].__class__ = Other
    reference = weakref.ref(module.Base)
    del module
    gc.collect()
    again = [Other() for _ in range(10)]
    return first, reference, shaped(shapes + again, 300), weakref.ref(Other)


BASES = """
import gc
def other_base(x, at):
    global First, Marker
    if x == at:
        Derived.__bases__ = (Second,)
        del First, Marker
        gc.collect()
        gc.collect()
    return x & 1
class Marker:
    weight = 7
class First:
    extra = [1, 2, 3]
    def twice(self, x, at):
        before = self.extra
        odd = other_base(x, at)
        return x + len(before) + len(self.extra) + odd + self.more(x)
    def more(self, x, marker=Marker()):
        return x * marker.weight
class Second:
    extra = [1]
    def twice(self, x, at):
        return -x
    def more(self, x):
        return 1
class Derived(First):
    pass
def run(n, at):
    total = 0
    derived = Derived()
    for x in range(n):
        total += derived.twice(x, at)
        total += derived.more(x)
        total += len(derived.extra)
    return total
"""


def bases_changed_inside(at=4000):
    """The base that had the method is no base any more, and gone, while the method runs."""
    module = made("bases", BASES)
    first, marker = weakref.ref(module.First), weakref.ref(module.Marker)
    return module.run(5000, at), first, marker, module.run(300, -1), weakref.ref(module.Derived), weakref.ref(module.run)


def bases_changed_early():
    return [bases_changed_inside(at) for at in range(6)]


def bases_changed_between():
    module = made("bases", BASES)
    results = [module.run(2000, -1)]
    first, function = weakref.ref(module.First), weakref.ref(module.First.twice)
    module.other_base(5, 5)
    results.append((first() is None, function() is None))
    results.append(module.run(2000, -1))
    return results, weakref.ref(module.Second), weakref.ref(module.Derived)


def shown(result):
    gc.collect()
    if isinstance(result, (tuple, list)):
        return [shown(part) for part in result]
    return result() is None if isinstance(result, weakref.ref) else result


CASES = (
    dropped_module,
    dropped_marker,
    dropped_stores,
    dropped_namespace,
    of_another_module,
    dropped_while_running,
    dropped_in_callee,
    replaced_global,
    shared_code,
    dropped_classes,
    classes_of_others,
    class_changed,
    dropped_closures,
    dropped_methods,
    dropped_while_inside,
    method_dropped_while_inside,
    side_traces,
    in_threads,
    emptied_class,
    bases_changed_inside,
    bases_changed_early,
    bases_changed_between,
)


def show(case):
    print(case.__name__, shown(case()))


# The cases are called from C: a recording holds what it has seen until it ends, and this is about what is left then.
list(map(show, [case for case in CASES for turn in range(3)]))
