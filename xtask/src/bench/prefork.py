"""A server that forks its workers once it is warm: prints the memory of all of them together, in KiB.

Pages that processes share are counted once (Pss). Half of what the workers do was hot before the fork, half gets hot after it.
"""

import gc
import os
import json
import string

WORKERS = 8


def checksum(words):
    total = 0
    for word in words:
        for letter in word:
            total = (total * 31 + ord(letter)) & 0xFFFFFFFF
    return total


def moments(numbers):
    first = second = 0.0
    for number in numbers:
        first += number
        second += number * number
    return first, second


def primes(below):
    flags = [True] * below
    found = 0
    for number in range(2, below):
        if flags[number]:
            found += 1
            for multiple in range(number * number, below, number):
                flags[multiple] = False
    return found


def request(number):
    words = [string.ascii_lowercase[at % 26:] for at in range(number % 7 + 200)]
    text = json.dumps({"sum": checksum(words), "moments": moments([at * 0.5 for at in range(500)])})
    return json.loads(text)["sum"]


def work(worker):
    """What a worker does: the requests were hot before the fork, the primes were not."""
    return sum(request(number) for number in range(200)) + primes(20000 + worker)


def shared_size(process):
    with open(f"/proc/{process}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    raise RuntimeError(f"process {process} tells no Pss")


def main():
    for number in range(300):
        request(number)
    gc.collect()
    gc.freeze()
    workers, (ready, tell) = [], os.pipe()
    leave, close = os.pipe()
    for worker in range(WORKERS):
        process = os.fork()
        if process == 0:
            os.close(close)
            result = work(worker)
            os.write(tell, result.to_bytes(16, "little"))
            os.read(leave, 1)
            os._exit(0)
        workers.append(process)
    os.close(leave)
    results = sorted(os.read(ready, 16) for _ in workers)
    sizes = [shared_size(process) for process in [os.getpid(), *workers]]
    os.close(close)
    for process in workers:
        os.waitpid(process, 0)
    print(sum(sizes), sum(int.from_bytes(result, "little") for result in results))


main()
