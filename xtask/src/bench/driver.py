"""Times one kernel inside its process: driver.py KERNEL ROUNDS.

Prints a JSON object: the result, the processor time of each call of the kernel's main(), the peak of
memory, and what Serigraph did if it is on.
"""

import sys
from time import process_time


def peak_kib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])


def run(path, rounds):
    with open(path) as file:
        source = file.read()
    kernel = {"__name__": "kernel", "__file__": path}
    exec(compile(source, path, "exec"), kernel)
    times = []
    results = set()
    for _ in range(rounds):
        started = process_time()
        result = kernel["main"]()
        times.append(process_time() - started)
        results.add(str(result))
    return sorted(results), times


def main():
    results, times = run(sys.argv[1], int(sys.argv[2]))
    peak = peak_kib()
    serigraph = sys.modules.get("serigraph")
    stats = serigraph.stats() if serigraph else None

    import json

    print(json.dumps({"result": " ".join(results), "times": times, "peak_kib": peak, "stats": stats}))


main()
