"""Where instances keep attributes: their own table, a dict, slots; first stores; classes and what they hold."""


class Plain:
    kind = "class"

    def __init__(self, a, b):
        self.a = a
        self.b = b

    @staticmethod
    def double(x):
        return x * 2

    @classmethod
    def make(cls, x):
        return cls(x, x + 1)

    def total(self):
        return self.a + self.b


class Slotted:
    __slots__ = ("a", "b", "c")

    def __init__(self, a, b):
        self.a = a
        self.b = b


class Mixed(Slotted):
    def __init__(self, a, b):
        super().__init__(a, b)
        self.d = a - b


def stores(cls, n):
    o = cls(0, 1)
    for i in range(n):
        o.a = o.a + i
        o.b = i
        o.a, o.b = o.b + o.a, i * 1.5
    return o.a, o.b


def first_stores(n):
    made = []
    for i in range(n):
        p = Plain(i, -i)
        p.c = i * 2
        if i % 2:
            p.z = i
            p.y = -i
        else:
            p.y = i
            p.z = -i
        made.append(p)
    orders = {tuple(vars(p)) for p in made}
    return sorted(orders), sum(p.c + p.y for p in made), vars(made[-1])


def with_dicts(n):
    objects = [Plain(i, i) for i in range(n)]
    for i, o in enumerate(objects):
        if i % 3 == 0:
            o.__dict__
        if i % 5 == 0:
            o.__dict__["a"] = 1000
    total = 0
    for o in objects:
        total += o.a
        o.a = total % 7
        o.b = o.a
    return total, [vars(o) for o in objects[:7]]


def deleted(n):
    out = []
    o = Plain(1, 2)
    for i in range(n):
        if i == n - 3:
            del o.a
        try:
            out.append(o.a)
        except AttributeError as error:
            out.append(str(error))
            o.a = i
    return out[-4:], list(vars(o))


def unset_slot(n):
    out = 0
    s = Slotted(1, 2)
    for i in range(n):
        try:
            if i == n - 2:
                del s.b
            out += s.b
            s.c = out
        except AttributeError as error:
            print("slot", error)
            s.b = 5
    return out, s.c


def class_things(n):
    total = 0
    for i in range(n):
        total += Plain.double(i)
        total += len(Plain.kind)
        if i == n - 5:
            Plain.kind = "longer class"
        if i == n - 3:
            Plain.double = staticmethod(lambda x: -x)
    Plain.kind = "class"
    Plain.double = staticmethod(lambda x: x * 2)
    return total


def class_methods(n):
    total = 0
    for i in range(n):
        total += Plain.make(i).total()
    return total


def inherited(n):
    total = 0
    for i in range(n):
        m = Mixed(i, 2)
        m.d += m.a
        total += m.d * m.b
    return total


class Logged:
    log = []

    def __init__(self, n):
        self.n = n

    def __del__(self):
        Logged.log.append(self.n)


def displaced(n):
    holder = Plain(None, None)
    slots = Slotted(None, None)
    for i in range(n):
        holder.a = Logged(i)
        slots.a = Logged(-i)
        holder.b = holder.a
        holder.a = None
        if i == n // 2:
            Logged.log.append("half")
    return Logged.log


class Node:
    __slots__ = ("next", "value")


def chain(n):
    head = None
    for i in range(n):
        node = Node()
        node.next = head
        node.value = i
        head = node
    total = 0
    while head is not None:
        total += head.value
        head = head.next
    return total


def selfish(n):
    for i in range(n):
        p = Plain(i, i)
        p.a = p
        p.b = p
        p.a = p.b
        p.a = p.b = None
    return p.a


class Changing:
    def __init__(self):
        self.v = 1

    def get(self):
        return self.v


class Other(Changing):
    def get(self):
        return -self.v


def changes_class(n):
    o = Changing()
    total = 0
    for i in range(n):
        total += o.get() + o.v
        if i % 20 == 19:
            o.__class__ = Other if type(o) is Changing else Changing
    return total


class Watched:
    def __init__(self):
        self.x = 0

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name == "x" and value == 30:
            print("thirty")

    def __getattr__(self, name):
        return name * 2


def watched(n):
    w = Watched()
    out = ""
    for i in range(n):
        w.x = i
        out = w.missing
    return out, w.x


N = 60
print(stores(Plain, N), stores(Slotted, N), stores(Mixed, N))
print(first_stores(N))
print(with_dicts(N))
print(deleted(N))
print(unset_slot(N))
print(class_things(N))
print(class_methods(N))
print(inherited(N))
print(displaced(N))
print(chain(N))
print(selfish(N))
print(changes_class(N * 2))
print(watched(N))
for round in range(3):
    print(first_stores(9), chain(5), stores(Plain, 30))
