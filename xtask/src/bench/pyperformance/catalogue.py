"""Prints pyperformance's benchmarks as JSON: catalogue.py"""

import json
import sys
from platform import python_version

import pyperformance
from pyperformance import _manifest


def requirements(benchmark):
    try:
        with open(benchmark.requirements_lockfile) as file:
            lines = (line.partition("#")[0].strip() for line in file)
            return [line for line in lines if line]
    except (OSError, TypeError):
        return []


def main():
    manifest = _manifest.load_manifest(None)
    benchmarks = []
    for benchmark in manifest.benchmarks:
        tags = benchmark.tags
        benchmarks.append(
            {
                "name": benchmark.name,
                "script": benchmark.runscript,
                "options": list(benchmark.extra_opts),
                "groups": [tags] if isinstance(tags, str) else list(tags),
                "requirements": requirements(benchmark),
                "supported": benchmark.python.contains(python_version()),
            }
        )
    json.dump({"version": pyperformance.__version__, "benchmarks": benchmarks}, sys.stdout)


main()
