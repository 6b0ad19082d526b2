"""A queue with two servers, by events in a heap."""

from heapq import heappop, heappush


def main():
    seed = 99
    events = []
    for k in range(50):
        heappush(events, (k, 0, k))
    waiting = []
    free = 2
    served = 0
    total_wait = 0
    number = 50
    while served < 60_000:
        time, kind, customer = heappop(events)
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        if kind == 0:
            waiting.append((time, customer))
            heappush(events, (time + (seed >> 8) % 100 + 20, 0, number))
            number += 1
        else:
            free += 1
            served += 1
        while free and waiting:
            arrived, customer = waiting.pop()
            free -= 1
            total_wait += time - arrived
            heappush(events, (time + (seed >> 12) % 5 + 1, 1, customer))
    return total_wait * 1000 + len(waiting) % 1000


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
