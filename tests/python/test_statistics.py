"""What Serigraph keeps beside machine code is counted, and given back when it is switched off."""

import sys

serigraph = sys.modules.get("serigraph")


def kept():
    """All bytes, and those of each trace."""
    if serigraph is None:
        return 0, []
    stats = serigraph.stats()
    return stats["metadata_bytes"], [trace["metadata_bytes"] for trace in stats["traces"]]


def loop(n):
    total = 0
    for i in range(n):
        total += i
    return total


def others(n):
    total = 0.0
    for i in range(n):
        total += i * 0.5
        if i % 3 == 0:
            total -= 1.0
    return total


def is_counted(total, traces):
    # A trace has an instruction and an exit at least; the tables are not empty while there is one.
    return not traces or total > sum(traces) and min(traces) > 500


print(loop(20_000))
first = kept()
print(others(20_000))
second = kept()
print(is_counted(*first), is_counted(*second))
grown = len(second[1]) > len(first[1])
print(not grown or second[0] > first[0])

if serigraph is not None:
    serigraph.disable()
none = kept()
print(none[1], not second[1] or none[0] < second[0] - sum(second[1]) // 2)
if serigraph is not None:
    serigraph.enable()
print(loop(20_000))
