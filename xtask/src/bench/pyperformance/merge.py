"""Joins the results of pyperf's runs: merge.py REPORT OFF ON FILE...

The files are pyperf's, one for each turn, first those without Serigraph, then as many with. OFF and ON
are written, in pyperf's format with all runs, for `pyperf compare_to` and the like; REPORT gets the
figures.
"""

import json
import statistics
import sys

import pyperf


def joined(files, target):
    """The runs of several files as one suite, and the mean of each benchmark in each file."""
    whole, means = {}, {}
    for file in files:
        for benchmark in pyperf.BenchmarkSuite.load(file).get_benchmarks():
            name = benchmark.get_name()
            means.setdefault(name, []).append(statistics.median(benchmark.get_values()))
            if name in whole:
                whole[name].add_runs(benchmark)
            else:
                whole[name] = benchmark
    pyperf.BenchmarkSuite(list(whole.values())).dump(target, replace=True)
    return whole, means


def figures(benchmark):
    return {
        "mean": benchmark.mean(),
        "standard_deviation": benchmark.stdev() if benchmark.get_nvalue() > 1 else 0.0,
        "median": benchmark.median(),
        "values": list(benchmark.get_values()),
    }


def main():
    report, off_file, on_file, *files = sys.argv[1:]
    half = len(files) // 2
    off, off_turns = joined(files[:half], off_file)
    on, on_turns = joined(files[half:], on_file)
    benchmarks = {
        name: {
            "off": off_turns[name],
            "on": on_turns[name],
            "pyperf": {"off": figures(off[name]), "on": figures(on[name])},
        }
        for name in off
        if name in on
    }
    with open(report, "w") as file:
        json.dump(benchmarks, file)


main()
