"""Times one kernel inside its process: driver.py KERNEL ROUNDS.

Prints a JSON object: the result, the processor time of each call of the kernel's main(), the peak of
memory, and what Serigraph did if it is on. BENCH_COMPILER=numba or cython in the environment compiles
the kernel with one of these first.
"""

import os
import sys
from time import process_time


def peak_kib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])


def load(path):
    """The kernel's namespace."""
    with open(path) as file:
        source = file.read()
    kernel = {"__name__": "kernel", "__file__": path}
    exec(compile(source, path, "exec"), kernel)
    return kernel


def load_numba(path):
    """The kernel with every function of it compiled by Numba."""
    from types import FunctionType

    import numba

    kernel = load(path)
    for name, value in list(kernel.items()):
        if isinstance(value, FunctionType):
            kernel[name] = numba.njit(value)
    return kernel


def load_cython(path):
    """The kernel as an extension module, which Cython makes of it as it is."""
    import importlib.util
    import shutil
    import subprocess
    import tempfile

    folder = tempfile.mkdtemp(prefix="serigraph-cython-")
    try:
        source = os.path.join(folder, "kernel.py")
        shutil.copy(path, source)
        command = [sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-3", "-q", source]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        built = [name for name in os.listdir(folder) if name.endswith(".so")]
        spec = importlib.util.spec_from_file_location("kernel", os.path.join(folder, built[0]))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return vars(module)
    finally:
        shutil.rmtree(folder)


LOADERS = {"": load, "numba": load_numba, "cython": load_cython}


def run(path, rounds):
    kernel = LOADERS[os.environ.get("BENCH_COMPILER", "")](path)
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
