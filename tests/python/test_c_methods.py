"""Methods of classes that C code made, and of Python classes that inherit them, called in hot loops."""

import io
import re
import sys
from array import array
from collections import OrderedDict, deque
from decimal import Decimal


def decimals(n):
    cent = Decimal("0.01")
    total = Decimal(0)
    for i in range(n):
        d = (Decimal(i) / 7).quantize(cent)
        total += d.copy_abs()
    return total


def streams(n):
    source, sink = io.BytesIO(bytes(range(256)) * 40), io.StringIO()
    out = 0
    for i in range(n):
        piece = source.read(3)
        out += len(piece)
        sink.write(piece.hex())
        if i % 50 == 49:
            source.seek(i)
    return out, sink.getvalue()[-20:]


def containers(n):
    queue, words, numbers = deque(), re.compile("[a-f]+"), array("i")
    found = 0
    for i in range(n):
        queue.append(i)
        numbers.append(i % 100)
        if i % 3 == 2:
            found += queue.popleft()
        if words.match("%x" % i):
            found += 1
    return found, len(queue), sum(numbers), numbers.count(7)


class Shadowed(deque):
    pass


def shadowed(n):
    """An instance that has an attribute of the name, among those that have none."""
    plain, own = Shadowed(), Shadowed()
    calls = []
    own.append = calls.append
    for i in range(n):
        (own if i % 10 == 9 else plain).append(i)
    late = Shadowed()
    for i in range(n):
        late.append(i)
        if i == n - 3:
            late.append = calls.append
    return len(plain), len(own), len(late), calls[-4:]


def replaced(n):
    class Queue(deque):
        pass

    calls = []
    queue = Queue()
    for i in range(n):
        queue.append(i)
        if i == n - 4:
            Queue.append = lambda self, i: calls.append(i)
        if i == n - 2:
            del Queue.append
    return len(queue), calls


class Slotted(deque):
    __slots__ = ("extra",)


class Ordered(OrderedDict):
    def move(self, key):
        self.move_to_end(key)
        return self.popitem(last=False)


def inherited(n):
    slotted, ordered = Slotted(), Ordered((i, i) for i in range(n + 1))
    out = 0
    for i in range(n):
        slotted.append(i)
        slotted.extra = slotted.count(i)
        key, value = ordered.move(i)
        ordered.setdefault(key, value)
        out += key + slotted.extra
    return out, len(slotted), len(ordered)


def errors(n):
    queue = deque([1])
    caught = []
    for i in range(n):
        try:
            if i % 4 == 3:
                queue.popleft()
                queue.popleft()
            elif i % 4 == 2:
                queue.append()
            else:
                queue.append(i)
                queue.rotate("x")
        except (IndexError, TypeError) as error:
            caught.append((str(error), error.__traceback__.tb_lineno - errors.__code__.co_firstlineno))
            queue.append(5)
    return len(caught), caught[-4:], len(queue)


def callbacks(n):
    """A method of C that calls back, and looks."""
    names = []

    class Item:
        def __eq__(self, other):
            names.append(sys._getframe(1).f_code.co_name)
            return other == n - 1

    queue = deque([Item(), Item()])
    out = 0
    for i in range(n):
        out += queue.count(i)
    return out, len(names), set(names)


def temporaries(n):
    log = []

    class Dying(deque):
        def __del__(self):
            log.append(len(self))

    for i in range(n):
        Dying().append(i)
        Dying([1, 2]).copy()
        log.append("after")
    return len(log), log[-6:]


for count in (5, 80, 1500):
    print(decimals(count))
    print(streams(count))
    print(containers(count))
    print(shadowed(count + 5))
    print(replaced(count + 5))
    print(inherited(count))
    print(errors(count))
    print(callbacks(count))
    print(temporaries(count))
