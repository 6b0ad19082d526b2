"""Cells, nonlocal, closures made in loops, comprehensions and lambdas."""


def counter(n):
    count = 0

    def up():
        nonlocal count
        count += 1
        return count

    total = 0
    for i in range(n):
        total += up()
        count += 1
    return total, count


def made_in_loop(n):
    functions = []
    for i in range(n):
        functions.append(lambda: i)
    late = [f() for f in functions[:3]]
    bound = [(lambda k=i: k)() for i in range(n)]
    return late, sum(bound)


def cell_and_loop(n):
    x = 0

    def read():
        return x

    total = 0
    for x in range(n):
        total += read()
    return total, x, read()


def generator_expressions(n):
    total = 0
    for i in range(n):
        total += sum(i * k for k in range(5))
        total += max((k - i for k in range(4)), default=0)
        total += any(k == i for k in range(3))
    return total


def comprehensions(n):
    out = []
    for i in range(n):
        out = [x + i for x in range(6) if x % 2]
        d = {x: i for x in out}
        s = {x % 3 for x in out}
    return out, d, sorted(s), [[r * c for c in range(4)] for r in range(3)]


def nested(n):
    a = 1

    def one():
        b = a

        def two():
            nonlocal a
            c = b + a
            a += 1
            return c

        return two() + two()

    total = 0
    for i in range(n):
        total += one()
    return total, a


def shared_cells(n):
    def make():
        value = 0

        def get():
            return value

        def put(v):
            nonlocal value
            value = v

        return get, put

    pairs = [make() for _ in range(3)]
    total = 0
    for i in range(n):
        get, put = pairs[i % 3]
        put(get() + i)
        total += get()
    return total, [get() for get, _ in pairs]


def walrus(n):
    total = 0
    while (n := n - 1) > 0:
        if (half := n // 2) % 2:
            total += half
    return total, half


print(counter(200), made_in_loop(60), cell_and_loop(100), generator_expressions(60))
print(comprehensions(60), nested(60), shared_cells(90), walrus(200))
