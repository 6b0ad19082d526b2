"""Many loops that make one turn whenever they are come to: they are left alone, and compiled when their time has come."""

import sys

serigraph = sys.modules.get("serigraph")

TEXT = """
def turn(items, total=0):
    for item in items:
        total += item * %d
    return total
"""


def make(number):
    namespace = {}
    exec(compile(TEXT % number, "<short %d>" % number, "exec"), namespace)
    return namespace["turn"]


def events():
    return serigraph.stats()["jump_events"] if serigraph else 0


def is_compiled(number):
    return any(trace["file"] == "<short %d>" % number for trace in serigraph.stats()["traces"])


def rounds(count):
    total = 0
    for _ in range(count):
        for function in FUNCTIONS:
            total += function(ONE)
    return total


ONE = [3]
MANY = list(range(5000))
FUNCTIONS = [make(number) for number in range(8)]

# With a low threshold the recorder has been busy since the start.
is_shipped = serigraph is not None and serigraph.stats()["recordings"] < 5

print(rounds(4000))
before = events()
print(rounds(1000))
# Each of 8,000 back edges would be an event.
assert not is_shipped or events() - before < 4000, events() - before

# They are woken when others have taken enough back edges.
tries = 0
while is_shipped and not is_compiled(5):
    tries += 1
    assert tries < 100
    make(2000 + tries)(MANY[:1000])
    FUNCTIONS[5](MANY)
print([function(MANY) for function in FUNCTIONS])
