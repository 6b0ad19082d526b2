"""Watches one benchmark script inside its process: observe.py PLAN REPORT SECONDS SCRIPT OPTION...

The functions that the script hands to pyperf's runner are called here instead, one call after the
other: what they return and leave behind, how long each call takes, the peak of memory, and what
Serigraph did. PLAN is a file that says how often to call; the first run writes it and later runs repeat
it, so that both sides do the same. REPORT is the file that the report is written to.
"""

import asyncio
import gc
import hashlib
import json
import math
import os
import runpy
import subprocess
import sys
from time import perf_counter, process_time

STARTED = perf_counter()

# A timed step takes at least this long, so that the clock's own cost does not show.
LEAST_SECONDS = 0.005
MOST_STEPS = 100
# Nodes of a result that are looked at.
MOST_NODES = 50_000


def digest(value):
    """A text that is the same for values that a program would call equal, whatever their addresses."""
    seen = {}
    left = [MOST_NODES]

    def walk(value):
        if left[0] == 0:
            return "..."
        left[0] -= 1
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, str, bytes, bytearray):
            return repr(value) if kind is not int else hex(value)
        if id(value) in seen:
            return "#%d" % seen[id(value)][0]
        # Held, so that no other object gets its address.
        seen[id(value)] = (len(seen), value)
        if isinstance(value, dict):
            return kind.__name__ + "{" + ",".join(walk(k) + ":" + walk(v) for k, v in list(value.items())) + "}"
        if isinstance(value, (list, tuple)):
            return kind.__name__ + "[" + ",".join(map(walk, list(value))) + "]"
        if isinstance(value, (set, frozenset)):
            return kind.__name__ + "{" + ",".join(sorted(map(walk, list(value)))) + "}"
        if isinstance(value, type) or callable(value) and hasattr(value, "__qualname__"):
            return str(getattr(value, "__qualname__", kind.__name__))
        fields = []
        for cls in kind.__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if isinstance(name, str) and name not in ("__dict__", "__weakref__"):
                    fields.append(name + "=" + walk(getattr(value, name, None)))
        try:
            own = vars(value)
        except TypeError:
            own = {}
        fields += [str(name) + "=" + walk(field) for name, field in list(own.items())]
        return kind.__qualname__ + "(" + ",".join(fields) + ")"

    return hashlib.sha256(walk(value).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def data_of(namespace):
    """The plain data among a script's globals."""
    plain = (bool, int, float, str, bytes, list, tuple, dict, set)
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("__") and isinstance(value, plain)
    }


def peak_kib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])


class Watch:
    """What all benchmarks of one script do."""

    def __init__(self, plan, seconds):
        self.plan = plan
        self.repeats = bool(plan)
        self.seconds = seconds
        self.reports = {}
        self.ready = None

    def steps(self, name, step, inputs):
        """Calls `step(loops)`, which returns seconds and a result, as the plan says."""
        if self.ready is None:
            self.ready = perf_counter() - STARTED
        gc.collect()
        loops, count = self.plan.get(name, (None, MOST_STEPS))
        times, processor, results = [], [], []
        begun = perf_counter()
        while len(times) < count:
            before = process_time()
            seconds, result = step(loops if times else 1)
            processor.append(process_time() - before)
            times.append(seconds)
            if loops is None:
                loops = max(1, math.ceil(LEAST_SECONDS / max(seconds, 1e-7)))
            if len(results) < 2:
                results.append(digest(result))
            enough = perf_counter() - begun > self.seconds and len(times) >= 3
            if enough and not self.repeats:
                break
        self.plan[name] = (loops, len(times))
        script = sys.modules["__main__"]
        results.append(digest(result))
        results.append(digest((inputs, data_of(getattr(script, "__dict__", {})))))
        self.reports[name] = {
            "loops": loops,
            "times": [times[0]] + [time / loops for time in times[1:]],
            "processor": [processor[0]] + [time / loops for time in processor[1:]],
            "results": results,
        }


def install(watch):
    """Puts the watch in the place of pyperf's runner."""
    import pyperf

    def arguments(runner):
        if runner.args is None:
            runner.parse_args()

    def bench_func(runner, name, func, *inputs, inner_loops=None, metadata=None):
        arguments(runner)

        def step(loops):
            begun = perf_counter()
            for _ in range(loops):
                result = func(*inputs)
            return perf_counter() - begun, result

        watch.steps(name, step, inputs)

    def bench_time_func(runner, name, func, *inputs, inner_loops=None, metadata=None):
        arguments(runner)
        watch.steps(name, lambda loops: (func(loops, *inputs), None), inputs)

    def bench_async_func(runner, name, func, *inputs, loop_factory=None, inner_loops=None, metadata=None):
        arguments(runner)

        async def all_calls(loops):
            begun = perf_counter()
            for _ in range(loops):
                result = await func(*inputs)
            return perf_counter() - begun, result

        def step(loops):
            if loop_factory is None:
                return asyncio.run(all_calls(loops))
            with asyncio.Runner(loop_factory=loop_factory) as own:
                return own.run(all_calls(loops))

        watch.steps(name, step, inputs)

    def bench_command(runner, name, command):
        arguments(runner)

        def step(loops):
            begun = perf_counter()
            for _ in range(loops):
                outcome = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
            return perf_counter() - begun, outcome.stdout

        watch.steps(name, step, ())

    for function in (bench_func, bench_time_func, bench_async_func, bench_command):
        setattr(pyperf.Runner, function.__name__, function)


def main():
    plan_file, report_file, seconds, script, *options = sys.argv[1:]
    plan = {}
    if os.path.exists(plan_file):
        with open(plan_file) as file:
            plan = json.load(file)
    watch = Watch(plan, float(seconds))
    install(watch)
    sys.argv = [script, *options]
    sys.path[0] = os.path.dirname(script)
    runpy.run_path(script, run_name="__main__")
    peak = peak_kib()
    serigraph = sys.modules.get("serigraph")
    report = {
        "ready": watch.ready,
        "peak_kib": peak,
        "stats": serigraph.stats() if serigraph else None,
        "benchmarks": watch.reports,
    }
    with open(report_file, "w") as file:
        json.dump(report, file)
    with open(plan_file, "w") as file:
        json.dump(watch.plan, file)


main()
