"""Attributes and methods: kept in instances, in classes, changed under way."""
import sys


class V:
    K = 7

    def __init__(self, x, y):
        self.x = x
        self.y = y
        self.n = 0

    def add(self, o):
        return self.x + o.y

    def bump(self, d=2):
        self.n += d
        return self.n

    def both(self, o):
        return self.add(o) + o.add(self)

    @property
    def p(self):
        return self.x

    @staticmethod
    def s(a):
        return a + 1

    @classmethod
    def c(cls, a):
        return a + cls.K


class W(V):

    def add(self, o):
        return super().add(o) + 1


class S:
    __slots__ = ('a', 'b')

    def __init__(self):
        self.a = 1
        self.b = 2.5

    def get(self):
        return self.a


class D:

    def __del__(self):
        log.append(1)
log = []


def run(n):
    vs = [V(i, i * 2) for i in range(5)] + [W(3, 4)]
    t = 0
    s = S()
    for i in range(n):
        v = vs[i % 6]
        w = vs[(i + 1) % 5]
        t += v.add(w) + v.bump() + w.bump(3) + v.both(w)
        v.x += 1
        v.y = w.x
        t += v.K + v.p + v.s(i) + v.c(i)
        s.a += i
        t += s.get()
        if i == 30:
            vs[2].__dict__
        if i == 40:
            vs[3].__dict__['x'] = 100
        if i == 50:
            vs[1].add = lambda o: 5
        if i == 60:
            V.K = 8
        if i == 70:
            vs[4].K = 9
        if i == 80:
            vs[0].extra = 1
            del vs[0].extra
        if i == 90:
            V.bump = lambda self, d=2: 3
        if i == 100:
            vs[2].__class__ = W
        if i == 110:
            del vs[3].n
            vs[3].n = 5
        v.o = None
        w.z = D()
    return (t, [sorted(vars(v).items(), key=lambda kv: kv[0]) for v in vs if all((not callable(x) and (not isinstance(x, D)) for x in vars(v).values()))], len(log))
print(run(160))
a = V(1, 2)


def two(o, n):
    for i in range(n):
        o.x = [i]
        o.y = o.x
    return (o.x, sys.getrefcount(o.x))
print(two(a, 50))


def meth(n):
    o = V(1, 2)
    f = o.bump
    s = 0
    for i in range(n):
        s += f()
        s += o.add(o)
        m = o.add
        s += m(o)
    return s
print(meth(60))
