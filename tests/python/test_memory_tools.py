"""What gc, tracemalloc, weakref and sys say about memory, before, between and after hot loops."""

import gc
import sys
import tracemalloc
import weakref


class Node:
    def __init__(self, value):
        self.value = value
        self.next = None


def make(n):
    nodes = []
    for i in range(n):
        node = Node(i)
        node.next = node
        nodes.append(node)
    return nodes


def live(kind):
    return sum(1 for thing in gc.get_objects() if type(thing) is kind)


def collected(n):
    gc.collect()
    gc.disable()
    nodes = make(n)
    counts = [live(Node)]
    reference = weakref.ref(nodes[3])
    del nodes
    counts.append(live(Node))
    counts.append(gc.collect() >= n)
    counts.append((live(Node), reference()))
    gc.enable()
    return counts


def referrers(n):
    node = Node(0)
    total = 0
    for i in range(n):
        total += node.value + i
        if i == n // 2:
            count = sys.getrefcount(node)
            holders = len(gc.get_referrers(node))
    return total, count, holders, sys.getrefcount(node)


def allocated(n):
    def fill(count):
        kept = []
        for i in range(count):
            kept.append(bytes(1000 + i % 2))
        return kept

    fill(n)
    tracemalloc.start()
    kept = fill(n)
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    line = fill.__code__.co_firstlineno + 3
    lines = [
        (statistic.count, statistic.size)
        for statistic in snapshot.statistics("lineno")
        if statistic.traceback[0].filename == __file__ and statistic.traceback[0].lineno == line
    ]
    return len(kept), lines


def started_inside(n):
    kept = []
    for i in range(n):
        if i == n // 2:
            tracemalloc.start()
        kept.append(float(i) + 0.5)
        kept.append([i])
    traced = sum(1 for thing in kept if tracemalloc.get_object_traceback(thing))
    lines = {tracemalloc.get_object_traceback(thing)[0].lineno - made for thing in kept[-2:]}
    tracemalloc.stop()
    return traced, lines


made = started_inside.__code__.co_firstlineno


def frozen(n):
    total = 0
    for i in range(n):
        total += i
        if i == n // 3:
            gc.collect()
            gc.freeze()
        if i == n // 2:
            frozen_count = gc.get_freeze_count() > 1000
            gc.unfreeze()
    return total, frozen_count, gc.get_freeze_count()


def callbacks(n):
    phases = []

    def callback(phase, info):
        total = 0
        for i in range(5):
            total += i
        phases.append(phase)

    gc.callbacks.append(callback)
    total = 0
    for i in range(n):
        total += i
        if i % 20 == 19:
            gc.collect()
    gc.callbacks.remove(callback)
    return total, phases


def flat(n):
    """The number of blocks does not grow with the number of rounds."""

    def body(count):
        total = 0
        for i in range(count):
            total += len([i, i + 1]) + hash(str(i)) * 0
        return total

    body(n)
    body(n)
    before = sys.getallocatedblocks()
    for _ in range(20):
        body(n)
    return sys.getallocatedblocks() - before < 50


def counted(value):
    return sys.getrefcount(value)


def passed_on(value):
    return counted(value)


def constants(n):
    """The constant's own reference, the argument's, and one for each parameter and local that holds it."""
    seen = {}
    for _ in range(n):
        local = 2.75e30
        counts = (
            sys.getrefcount(1.25e30),
            counted("some words, not interned"),
            passed_on((1, 2.5)),
            sys.getrefcount(local),
            passed_on(local),
        )
        seen[counts] = seen.get(counts, 0) + 1
    return seen


print(collected(60))
print(referrers(60))
print(allocated(60))
print(started_inside(60))
print(frozen(60))
print(callbacks(80))
print(flat(100))
print(constants(2000))
