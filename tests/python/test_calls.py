"""Calls of Python functions in hot loops: arguments of every kind, recursion, rebinding."""


def add(a, b):
    return a + b


def twice(x):
    return add(x, x)


def default(a, b=10, c=2.5):
    return a * b + c


def keyword(a, *, k=3):
    return a - k


def variable(*args, **kwargs):
    return len(args) * 100 + len(kwargs) * 10 + sum(args)


def nothing():
    pass


def branches(x):
    if x % 3 == 0:
        return x
    elif x % 3 == 1:
        return -x
    for k in range(x % 5):
        x += k
    return x


def early(x):
    for i in range(100):
        if i * i >= x:
            return i
    return -1


def positional(n):
    total = 0
    for i in range(n):
        total += add(i, 1)
        total += twice(i)
        total -= branches(i)
        total += early(i % 50)
        nothing()
    return total


def arguments(n):
    total = 0
    for i in range(n):
        total += default(i)
        total += default(i, 3)
        total += default(i, 3, 1)
        total += default(i, c=7)
        total += default(b=i, a=2)
        total += keyword(i)
        total += keyword(i, k=i)
        total += variable(i, 1, 2, x=1)
        total += variable(*(1, 2), **{"y": i})
        total += add(*(i, 2))
    return total


def wrong_arguments(n):
    texts = set()
    for i in range(n):
        for call in (lambda: add(i), lambda: add(i, 1, 2), lambda: keyword(i, 2), lambda: default(), lambda: add(i, c=1)):
            try:
                call()
            except TypeError as error:
                texts.add(str(error))
    return sorted(texts)


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def recursive_in_loop(n):
    total = 0
    for i in range(n):
        total += fib(i % 12)
        if even(i % 30):
            total += 1
    return total


def local_function(n):
    def square(x):
        return x * x

    total = 0
    for i in range(n):
        total += square(i)
    return total


def new_function_each_round(n):
    total = 0
    for i in range(n):

        def f(x):
            return x + 1

        total += f(i)
        g = lambda y: y * 2
        total += g(i)
    return total


def function_values(n):
    """One call site, several functions."""
    functions = [add, lambda a, b: a - b, max, default, pow]
    total = 0
    for i in range(n):
        total += functions[i % 5](i % 7, 2)
    return total


def rebinding(n):
    global target
    total = 0
    target = add
    for i in range(n):
        total += target(i, 1)
        if i == n // 2:
            target = max
        elif i == n - 5:
            target = default
    return total


def target(a, b):
    return 0


def swap_code(n):
    def one(x):
        return x + 1

    def other(x):
        return x * 100

    total = 0
    for i in range(n):
        total += one(i)
        if i == n // 2:
            one.__code__ = other.__code__
    return total


def swap_defaults(n):
    def f(x, y=1):
        return x * y

    total = 0
    for i in range(n):
        total += f(i)
        if i == n // 3:
            f.__defaults__ = (5,)
        if i == 2 * n // 3:
            f.__defaults__ = (0.5,)
    return total


def replaced(x):
    return -1


def replaces_itself(x):
    if x == 50:
        replaces_itself.__code__ = replaced.__code__
        return 1000000
    return x


def swap_code_inside(n):
    """A function that replaces its own code while it runs."""
    total = 0
    for i in range(n):
        total += replaces_itself(i)
    return total


def many_locals(n):
    def wide(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q):
        r = a + b - c + d - e + f - g + h
        s = i - j + k - l + m - o + p - q
        return r * s + a * q - h * i

    total = 0
    for x in range(n):
        total += wide(x, 1, x, 2, x, 3, x, 4, x + 1, 5, x + 2, 6, x + 3, 7, x + 4, 8)
        total %= 10**15
    return total


def methods(n):
    class Counter:
        step = 2

        def __init__(self):
            self.value = 0

        def bump(self, by):
            self.value += by * self.step
            return self

        @property
        def half(self):
            return self.value // 2

        @staticmethod
        def plain(x):
            return x + 1

        @classmethod
        def of_class(cls, x):
            return x * cls.step

        def __call__(self, x):
            return self.value - x

        def __len__(self):
            return self.value % 10

        def __getitem__(self, i):
            return i * 3

        def __add__(self, other):
            return self.value + other

    counter = Counter()
    total = 0
    for i in range(n):
        counter.bump(i)
        total += counter.half + counter.plain(i) + Counter.of_class(i) + counter(i) + len(counter) + counter[i]
        total += counter + i
        bound = counter.bump
        bound(1)
        if i == n // 2:
            Counter.step = 3
        if i == n - 3:
            counter.step = 1
    return total, counter.value


print(positional(300), arguments(200))
print(wrong_arguments(20))
print(fib(15), ackermann(2, 6), recursive_in_loop(60))
print(local_function(300), new_function_each_round(200), function_values(200), rebinding(200))
print(swap_code(100), swap_defaults(120), swap_code_inside(100), many_locals(200))
print(methods(150))
