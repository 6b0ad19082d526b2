"""Generators: loops over them, loops in them, leaving and closing them, coroutines."""

import asyncio


def count(n):
    i = 0
    while i < n:
        yield i
        i += 1


def over(n):
    total = 0
    for x in count(n):
        total += x
    return total


def inside(n):
    def squares():
        for i in range(n):
            acc = 0
            for j in range(i):
                acc += j
            yield acc

    return sum(squares())


def send(n):
    def averager():
        total = 0
        number = 0
        average = None
        while True:
            value = yield average
            total += value
            number += 1
            average = total / number

    g = averager()
    next(g)
    for i in range(n):
        last = g.send(i)
    return last


def closing(n):
    log = []

    def g():
        try:
            for i in range(n):
                yield i
        finally:
            log.append("closed")

    for k in range(n):
        it = g()
        for x in it:
            if x == k % 5:
                break
        del it
    return len(log)


def throwing(n):
    def g():
        caught = 0
        while True:
            try:
                yield caught
            except ValueError:
                caught += 1

    it = g()
    next(it)
    for i in range(n):
        if i % 2:
            result = it.throw(ValueError())
        else:
            result = next(it)
    return result


def delegation(n):
    def leaf():
        for i in range(n):
            yield i
        return n

    def tree():
        a = yield from leaf()
        b = yield from leaf()
        return a + b

    total = 0
    it = tree()
    while True:
        try:
            total += next(it)
        except StopIteration as stop:
            return total, stop.value


def pipeline(n):
    def odd(source):
        for x in source:
            if x % 2:
                yield x

    def double(source):
        for x in source:
            yield x * 2

    total = 0
    for x in double(odd(count(n))):
        total += x
    return total


def interleaved(n):
    a, b = count(n), count(n)
    out = []
    for x, y in zip(a, b):
        out.append(x * y)
        if x % 10 == 5:
            next(a, None)
    return sum(out), len(out)


def raising(n):
    def g():
        for i in range(n):
            yield 10 // (n - 2 - i)

    total = 0
    try:
        for x in g():
            total += x
    except ZeroDivisionError as error:
        tb = error.__traceback__
        names = []
        while tb:
            names.append(tb.tb_frame.f_code.co_name)
            tb = tb.tb_next
        return total, names


class Iterator:
    def __init__(self, n):
        self.n = n
        self.i = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.i >= self.n:
            raise StopIteration
        self.i += 1
        return self.i


class Sequence:
    def __init__(self, n):
        self.n = n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError
        return i * i

    def __len__(self):
        return self.n


def protocols(n):
    total = 0
    for x in Iterator(n):
        total += x
    for x in Sequence(n):
        total += x
    for x in reversed(Sequence(n)):
        total -= x
    for x in iter(Iterator(n).__next__, 30):
        total += x
    return total


async def worker(n, queue):
    total = 0
    for i in range(n):
        total += i
        if i % 10 == 0:
            await asyncio.sleep(0)
    await queue.put(total)


async def stream(n):
    for i in range(n):
        yield i


async def run(n):
    queue = asyncio.Queue()
    await asyncio.gather(*(worker(n + k, queue) for k in range(5)))
    total = 0
    for _ in range(5):
        total += await queue.get()
    async for x in stream(n):
        total += x
    total += sum([x async for x in stream(n)])
    return total


print(over(300), inside(60), send(100), closing(50), throwing(60), delegation(60))
print(pipeline(300), interleaved(100), raising(60), protocols(60), asyncio.run(run(60)))
