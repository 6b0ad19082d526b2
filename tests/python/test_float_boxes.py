"""Floats in lists that are changed in place of one another: nobody who has the old float may see the new one."""

import gc
import sys


def totals(n):
    x = [0.5, 1.5, 2.5, 3.5]
    for i in range(n):
        x[i & 3] += i * 0.25
        x[-1 - (i & 1)] -= 0.125
    return x


def one_float_many_places(n):
    x = [0.0] * 8
    for i in range(n):
        x[i & 7] += 1.0
        x[3] *= 0.5
    return x, [0.0] * 2


def constants_stay(n):
    x = [1.25, 1.25]
    for i in range(n):
        x[0] += 1.25
        x[1] = x[0] * 1.25
        if i % 100 == 99:
            x = [1.25, 1.25]
    return x, 1.25


def copies(n):
    x = [float(i) for i in range(4)]
    seen = []
    for i in range(n):
        if i % 50 == 0:
            seen.append((x[:], tuple(x), list(reversed(x)), {j: v for j, v in enumerate(x)}))
        x[i & 3] += 0.5
        x[(i + 1) & 3] -= 0.25
    return seen[0], seen[-1], x


def local_keeps_it(n):
    x = [0.0, 1.0]
    wrong = 0
    for i in range(n):
        a = x[0]
        before = a * 1.0
        x[0] = a + 1.0
        b = x[0]
        x[0] = b + 0.5
        if a != before or b != a + 1.0 or a is x[0] or b is x[0]:
            wrong += 1
    return x, a, b, wrong


def kept_from_last_turn(n):
    x = [0.5, 1.5]
    last = None
    wrong = 0
    for i in range(n):
        if last is not None and last != i - 0.5:
            wrong += 1
        x[0] += 1.0
        x[1] = x[0] - 1.0
        last = x[1]
    return last, x, wrong


def same_index_twice(n):
    x = [1.0, 2.0, 3.0, 4.0]
    out = []
    for i in range(n):
        j = (i * 3) & 3
        k = (i * 5) & 3
        a = x[j]
        b = x[k]
        x[j] = a * 0.5 + b
        x[k] = b * 0.25 - a
        if i % 40 == 0:
            out.append((j, k, a, b, x[j], x[k]))
    return out, x


def same_index_without_names(n):
    x = [1.0, 2.0, 3.0, 4.0]
    for i in range(n):
        j = (i * 3) & 3
        k = (i * 5) & 3
        x[j], x[k] = x[k] * 0.5 + 1.0, x[j] * 0.25 - 1.0
        x[j] = x[j] + x[k] - x[j] * 0.5
    return x


def two_names_for_a_list(n):
    x = [1.0, 2.0]
    y = x
    z = [3.0, 4.0]
    for i in range(n):
        if i == n // 2:
            y = z
        x[0] = y[0] * 0.5 + 1.0
        y[0] = x[0] * 0.5 - 1.0
        y[1] += x[1] * 0.001
        x[1] -= y[1] * 0.001
    return x, y, z


def on_the_stack(n):
    def bump(x):
        x[0] += 1.0
        return x[0]

    x = [0.0]
    y = [0.0]
    log = []
    for i in range(n):
        t = x[0] + bump(x) * 2.0 - x[0]
        u = [x[0], bump(x), x[0]]
        v = (x[0], bump(x) + 0.0, x[0])
        y[0] = x[0] - bump(x)
        if i % 60 == 0:
            log.append((t, u, v, y[0]))
    return log, x, y


def handed_back(n):
    def swap_in(x, i, v):
        old = x[i]
        x[i] = v * 2.0
        return old

    x = [1.0, 2.0, 3.0]
    kept = []
    for i in range(n):
        old = swap_in(x, i % 3, i + 0.5)
        if i % 70 == 0:
            kept.append(old)
    return kept, x


def closures(n):
    x = [0.0, 0.0]
    captured = []

    def capture(v):
        return lambda: v

    for i in range(n):
        x[0] += 1.0
        if i % 64 == 0:
            captured.append(capture(x[0]))
        x[1] = x[0] + x[1]
    return [f() for f in captured], x


def in_other_containers(n):
    class Box:
        pass

    x = [0.5, 0.5]
    d, box, nested = {}, Box(), [None]
    wrong = 0
    for i in range(n):
        d["v"] = x[0]
        box.v = x[0]
        nested[0] = x[0]
        x[0] += 1.0
        if not (d["v"] == box.v == nested[0] == i + 0.5 and d["v"] is box.v is nested[0]):
            wrong += 1
        nested[0] = None
        box.v = d["v"] = 0
        x[0] += 0.0
    return x, wrong


def names_and_places_are_one_object(n):
    x = [0.0, 0.0, 0.0]
    y = [0.0]
    wrong = 0
    s = 0.0
    for i in range(n):
        s = s + 0.5
        x[0] = s
        x[1] = s
        x[2] = y[0] = s * 2.0
        if not (x[0] is x[1] and x[0] is s and x[2] is y[0]):
            wrong += 1
        x[0] = (w := x[1] + 1.0)
        if x[0] is not w or x[1] is w or x[1] is not s:
            wrong += 1
        x[1] += 1.0
        if x[1] is s or x[1] is w:
            wrong += 1
    return x, y, s, w, wrong


def stored_in_a_rare_branch(n):
    x = [0.0, 0.0]
    t = 0.0
    wrong = 0
    for i in range(n):
        t += 0.25
        if i % 5 == 3:
            x[0] = t
            if x[0] is not t:
                wrong += 1
        if i % 7 == 3:
            x[1] = t
        if i % 35 == 3 and x[0] is not x[1]:
            wrong += 1
    return x, t, wrong


def stored_then_looked_at_in_the_next_turn(n):
    x = [0.0]
    t = 0.0
    same = 0
    for i in range(n):
        if x[0] is t:
            same += 1
        t = t + 1.0
        if i % 3 == 0:
            x[0] = t
    return same


def swaps(n):
    x = [float(i) for i in range(5)]
    ids = sorted(map(id, x))
    kept = x[:]
    for i in range(n):
        j, k = i % 5, (i * 7 + 1) % 5
        x[j], x[k] = x[k], x[j]
        t = x[j]
        x[j] = x[k]
        x[k] = t
    return x, sorted(map(id, x)) == ids, sorted(kept) == sorted(x)


def over_the_list_itself(n):
    x = [1.0, 2.0, 3.0]
    total = 0.0
    for i in range(n):
        for v in x:
            x[0] = v * 0.5
            x[2] = v + x[0]
            total += v
    return x, total


def zipped(n):
    x = [0.5, 1.5]
    y = [2.5, 3.5]
    out = []
    for i in range(n):
        for j, (a, b) in enumerate(zip(x, y)):
            x[j] = b * 0.5
            y[j] = a + x[j]
            if i % 90 == 0:
                out.append((a, b))
    return out, x, y


def division_by_zero(n):
    x = [1.0, 2.0]
    errors = 0
    for i in range(n):
        d = float(i % 10)
        before = x[0]
        try:
            x[0] = x[0] + 1.0 / d
        except ZeroDivisionError:
            errors += 1
            if x[0] is not before:
                errors += 1000
        try:
            x[i % 3] += 0.5
        except IndexError:
            errors += 1
    return x, errors


def error_after_the_sum(n):
    x = [1.0]
    y = [0.0, 1.0]
    out = []
    for i in range(n):
        old = x[0]
        try:
            y[i % 3] = x[0] * 2.0
            x[0] += 1.0
        except IndexError:
            out.append(x[0] is old)
    return x, y, len(out), all(out)


class Float(float):
    pass


def other_numbers_in_between(n):
    x = [1.0, 2, Float(3.0), True]
    kept = None
    for i in range(n):
        j = i & 3
        x[j] = x[j] + 0.5
        if i % 97 == 0:
            x[j] = i
        elif i % 89 == 0:
            x[j] = Float(i)
            kept = x[j]
    return x, kept, type(kept).__name__


def nans(n):
    nan = float("nan")
    x = [nan, 0.0]
    found = 0
    for i in range(n):
        x[1] = x[0]
        if nan in x and x.index(nan) == 0 and x[1] is nan:
            found += 1
        x[1] += 1.0
        if x[1] is nan or x.count(nan) != 1:
            found -= 1000
        x[1] = 0.0 + i
    return found


def reference_counts(n):
    x = [float(n), 0.25]
    y = [0.0]
    for i in range(n):
        x[0] += 1.0
        y[0] = x[0] * 2.0
    counts = sys.getrefcount(x[0]), sys.getrefcount(y[0])
    for i in range(n):
        y[0] = x[0]
        x[0] += 1.0
    return counts, sys.getrefcount(x[0]), sys.getrefcount(y[0]), x, y


def counted_inside(n):
    x = [float(n)]
    seen = set()
    for i in range(n):
        x[0] += 1.0
        seen.add(sys.getrefcount(x[0]))
        a = x[0]
        seen.add(sys.getrefcount(a) + 100)
        del a
    return sorted(seen)


def collected(n):
    x = [0.0, 1.0]
    x.append(x)
    for i in range(n):
        x[0] += x[1]
        if i % 100 == 0:
            gc.collect()
            gc.get_referrers(x[0])
    del x[2]
    return x


def matrix(n):
    m = [[float(i * j % 7) for j in range(6)] for i in range(6)]
    shared = m[0]
    m.append(shared)
    for step in range(n // 20):
        for i in range(7):
            row = m[i]
            for j in range(6):
                row[j] = (row[j] + m[j][i % 6]) * 0.5
                shared[j] -= row[j] * 0.125
    return m, m[6] is shared


def generators(n):
    x = [0.0]

    def values():
        for i in range(n):
            v = x[0]
            yield v
            x[0] = v + 0.5
            yield x[0]

    out = list(values())
    return out[:6], out[-3:], len(set(out))


def during_a_sort(n):
    x = [0.0]
    order = []

    def key(v):
        for i in range(20):
            x[0] += v
        order.append(x[0])
        return -v

    values = [float(i % 17) for i in range(n // 4)]
    values.sort(key=key)
    return values[:4], order[:3], order[-1], x


def popped(n):
    x = [0.5]
    kept = []
    for i in range(n):
        v = x.pop()
        x.append(v * 0.5 + 1.0)
        x[0] += 1.0
        if i % 80 == 0:
            kept.append(v)
    return kept, x


def observed(n):
    x = [0.0]
    seen = []

    def look():
        frame = sys._getframe(1)
        seen.append((frame.f_locals["a"], frame.f_locals["x"][0]))

    for i in range(n):
        a = x[0]
        x[0] += 1.0
        if i % 50 == 0:
            look()
    return seen


class Particle:
    def __init__(self, x, v):
        self.x = x
        self.v = v


class Slotted:
    __slots__ = ("x", "v")

    def __init__(self, x, v):
        self.x = x
        self.v = v


class Late(Particle):
    """Its instances come to have a dict object, which sees the same values."""


def attributes(n):
    out = []
    for kind in (Particle, Slotted, Late):
        many = [kind(i * 0.5, 1.0) for i in range(5)]
        one = 0.25
        shared = [kind(one, one) for i in range(3)]
        for i in range(n):
            for p in many:
                p.x += p.v * 0.125
                p.v = -p.v
            for p in shared:
                p.x += 0.5
                p.v += p.x
            if kind is Late and i == n // 2:
                many[1].__dict__
                kept = vars(many[2])
        out.append([(p.x, p.v) for p in many + shared] + [one])
    return out, kept


def attributes_kept(n):
    out = []
    for kind in (Particle, Slotted):
        p, q = kind(0.0, 0.0), kind(0.0, 0.0)
        kept = []
        wrong = 0
        last = p.x
        for i in range(n):
            before = p.x
            p.x = before + 1.0
            q.x = p.x
            if q.x is not p.x or before is p.x or before != i or last != max(i - 1.0, 0.0):
                wrong += 1
            p.x += 0.0
            if q.x is p.x or q.x != p.x:
                wrong += 1
            p.v, q.v = p.x + 0.5, p.v
            if p.v is q.v:
                wrong += 1
            last = before
            if i % 90 == 0:
                kept.append((p.v, q.v, before, {"x": q.x}, [p.x]))
        out.append((kept, p.x, q.x, p.v, q.v, wrong))
    return out


def attribute_of_itself_on_the_stack(n):
    def bump(p):
        p.x += 1.0
        return p.x

    p = Particle(0.0, 0.0)
    items = [0.0]
    for i in range(n):
        p.v = p.x - bump(p) * 0.5 + p.x
        items[0] = p.x
        p.x += items[0] - bump(p)
        items[0] += p.x
        p.x, p.v = p.v, p.x
    return p.x, p.v, items


def attribute_errors(n):
    p = Particle(1.0, 2.0)
    errors = 0
    for i in range(n):
        old = p.x
        try:
            p.x = 1.0 / (i % 4) + p.x
        except ZeroDivisionError:
            errors += p.x is old
        try:
            p.x -= p.missing
        except AttributeError:
            errors += p.x is not old
        if i == n // 2:
            Particle.late = 1
        if i % 41 == 0:
            p.v = i
        p.v += 0.5
    del Particle.late
    return errors, p.x, p.v


def attribute_counts(n):
    p = Particle(0.5, 0.25)
    for i in range(n):
        p.x += 1.0
        p.v = p.x * 2.0
    first = sys.getrefcount(p.x), sys.getrefcount(p.v)
    for i in range(n):
        p.v = p.x
        p.x += 1.0
    return first, sys.getrefcount(p.x), sys.getrefcount(p.v), p.x, p.v


def results(n):
    for work in (
        totals,
        one_float_many_places,
        constants_stay,
        constants_stay,
        copies,
        local_keeps_it,
        kept_from_last_turn,
        same_index_twice,
        same_index_without_names,
        two_names_for_a_list,
        on_the_stack,
        handed_back,
        closures,
        in_other_containers,
        names_and_places_are_one_object,
        stored_in_a_rare_branch,
        stored_then_looked_at_in_the_next_turn,
        swaps,
        over_the_list_itself,
        zipped,
        division_by_zero,
        error_after_the_sum,
        other_numbers_in_between,
        nans,
        reference_counts,
        counted_inside,
        collected,
        matrix,
        generators,
        during_a_sort,
        popped,
        observed,
        attributes,
        attributes_kept,
        attribute_of_itself_on_the_stack,
        attribute_errors,
        attribute_counts,
    ):
        print(work.__name__, work(n))


results(9)
results(700)
