"""When objects die: order of __del__, reference counts, weak references, the garbage collector."""

import gc
import sys
import weakref


class Noisy:
    log = []

    def __init__(self, name):
        self.name = name

    def __del__(self):
        Noisy.log.append(self.name)


def take_log():
    log = Noisy.log[:]
    Noisy.log.clear()
    return log


def rebound(n):
    for i in range(n):
        x = Noisy(i)
        Noisy.log.append("made")
    del x
    return take_log()[-6:], len(Noisy.log)


def passed(n):
    def use(a, b):
        c = Noisy(b)
        Noisy.log.append("in")
        return a

    for i in range(n):
        x = use(Noisy(("a", i)), ("b", i))
        Noisy.log.append("after")
    x = None
    return take_log()[-9:]


def temporaries(n):
    class Number(Noisy):
        def __add__(self, other):
            return Number(self.name + "+")

    for i in range(n):
        x = Number("x") + Number("y")
        Noisy.log.append(i)
    x = None
    return take_log()[-8:]


def in_containers(n):
    for i in range(n):
        items = [Noisy(1), Noisy(2)]
        pair = (Noisy(3), items)
        items[0] = None
        items.clear()
        Noisy.log.append("end")
    items = pair = None
    return take_log()[-8:]


def swapped(n):
    a, b = Noisy("a"), Noisy("b")
    for i in range(n):
        a, b = b, a
        if i == n - 2:
            a = None
            Noisy.log.append("a gone")
    Noisy.log.append("loop over")
    del a, b
    return take_log()


def counts(n):
    value = object()
    number = 10**20
    items = [value]
    seen = set()
    for i in range(n):
        alias = value
        seen.add(sys.getrefcount(value))
        items.append(value)
        seen.add(sys.getrefcount(value))
        items.pop()
        pair = (value, number)
        seen.add(sys.getrefcount(value))
        seen.add(sys.getrefcount(number) > 2)
        del alias
        del pair
        seen.add(sys.getrefcount(value))
    return sorted(map(int, seen))


def fresh_counts(n):
    """Numbers made in the loop have the counts of the interpreter."""
    seen = set()
    for i in range(1000, 1000 + n):
        x = i * 3
        y = x / 2
        z = x
        seen.add((sys.getrefcount(x), sys.getrefcount(y), sys.getrefcount(z), sys.getrefcount(i)))
    return sorted(seen)


def argument_counts(n):
    def inner(a, b):
        return sys.getrefcount(a), sys.getrefcount(b)

    seen = set()
    for i in range(n):
        value = [i]
        seen.add(inner(value, i + 1000))
        seen.add(inner([i], value))
    return sorted(seen)


def weak(n):
    class Thing:
        pass

    dead = []
    for i in range(n):
        thing = Thing()
        reference = weakref.ref(thing, lambda r: dead.append(1))
        alive = reference() is thing
        if not alive:
            return "wrong"
    del thing
    return len(dead)


def finaliser_changes_loop(n):
    """A finaliser runs in the middle of the loop and changes what it works on."""
    state = {"step": 1}

    class Changer:
        def __del__(self):
            state["step"] += 1
            items.append(0)

    items = [1] * 3
    total = 0
    for i in range(n):
        x = Changer() if i % 10 == 0 else None
        total += state["step"] + len(items)
        x = i
    return total


def finaliser_raises(n):
    class Bad:
        def __del__(self):
            raise ValueError("in __del__")

    caught = []
    sys.unraisablehook = lambda info: caught.append(str(info.exc_value))
    for i in range(n):
        x = Bad()
        x = None
    sys.unraisablehook = sys.__unraisablehook__
    return len(caught), caught[-1]


def cycles(n):
    class Loop:
        pass

    seen = []
    gc.collect()
    gc.disable()
    for i in range(n):
        a = Loop()
        a.self = a
        a.number = i
        weakref.finalize(a, seen.append, i)
    del a
    found = gc.collect()
    gc.enable()
    return len(seen), found > 0


def automatic_collection(n):
    collections = []
    gc.callbacks.append(lambda phase, info: collections.append(phase))
    kept = []
    for i in range(n):
        kept.append([i])
        if len(collections) > 5:
            break
    gc.callbacks.pop()
    return len(collections) > 5, gc.is_tracked(kept), gc.is_tracked((1, 2.0)), gc.is_tracked([1])


def referrers(n):
    value = [1, 2, 3]
    holder = (value, 0)
    found = 0
    for i in range(n):
        holder = (value, i)
        found += any(r is holder for r in gc.get_referrers(value))
    return found


def float_reuse(n):
    """Values kept from the loop are not changed by later rounds."""
    kept = []
    x = 1.0
    for i in range(n):
        x = x * 1.01
        if i % 7 == 0:
            kept.append(x)
            kept.append((x, i * 1.5))
    return sum(k if isinstance(k, float) else k[0] + k[1] for k in kept), len(kept)


def list_of_floats(n):
    items = [0.0] * 5
    first = items[:]
    other = items
    for i in range(n):
        for k in range(5):
            items[k] = items[k] + k * 0.5
        if i == n // 2:
            saved = items[:]
            one = items[3]
            holder = {"one": items[4]}
    return items, saved, one, holder, first, other is items


def memory_is_stable(n):
    """No references are lost or leaked on the way in and out of machine code."""

    def work():
        total = 0
        for i in range(300):
            pair = (i, i + 0.5)
            a, b = pair
            total += a * b
            if i % 5 == 0:
                total = float(int(total))
        return total

    for _ in range(5):
        work()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(n):
        work()
    gc.collect()
    return abs(sys.getallocatedblocks() - before) < 200


def star(*a):
    Noisy.log.append("in")
    a = None
    Noisy.log.append("let go")


def keyword(a, *, b=1):
    Noisy.log.append("in")
    a = b = None
    Noisy.log.append("let go")


def raising(*a):
    a = None
    Noisy.log.append("let go")
    raise ValueError


class Method:
    def star(self, *a):
        a = None
        Noisy.log.append("let go")


def handed_over(n):
    """A function that is called has the only reference to a temporary: it dies when the function lets go of it."""
    method = Method()
    bound = method.star
    for i in range(n):
        star(Noisy(i), 1)
        keyword(Noisy(i))
        keyword(Noisy(i), b=Noisy("b"))
        star(*(Noisy(i), Noisy(2)))
        keyword(*(Noisy(i),), **{"b": Noisy("c")})
        method.star(Noisy(i))
        bound(Noisy(i))
        (lambda *a: Noisy.log.append(sys.getrefcount(a)))(Noisy(i))
        try:
            raising(Noisy(i))
            Noisy.log.append("not here")
        except ValueError as error:
            Noisy.log.append(error.__traceback__.tb_lineno - handed_over.__code__.co_firstlineno)
        try:
            raising(*(Noisy(i),), **{"x": Noisy("d")})
        except TypeError as error:
            Noisy.log.append(str(error))
        try:
            keyword(Noisy(i), c=Noisy("e"))
        except TypeError as error:
            Noisy.log.append(str(error))
    return take_log()[-45:]


print(rebound(60))
print(passed(60))
print(temporaries(60))
print(in_containers(60))
print(swapped(61))
print(counts(60), fresh_counts(60), argument_counts(60))
print(weak(60), finaliser_changes_loop(60), finaliser_raises(60), cycles(60))
print(automatic_collection(200000), referrers(60), float_reuse(300), list_of_floats(100))

print(memory_is_stable(60))
print(handed_over(60))
