"""C++ exceptions and longjmp in functions that hot loops call, through pybind11."""

import importlib
import os
import sys
import warnings

SOURCE = r"""
#include <pybind11/pybind11.h>
#include <csetjmp>
#include <stdexcept>
namespace py = pybind11;
static std::jmp_buf place;
static void deep(int n) { if (n == 0) std::longjmp(place, 1); deep(n - 1); }
static int jumps(int n) { if (setjmp(place)) return -n; deep(n % 20); return n; }
static int throws(int n) {
    if (n % 7 == 3) throw std::runtime_error("seven " + std::to_string(n));
    if (n % 11 == 5) throw std::out_of_range("eleven");
    return n;
}
static int through(py::function function, int n) {
    try { return function(n).cast<int>(); }
    catch (py::error_already_set &error) { if (n % 2) throw; return -1; }
}
PYBIND11_MODULE(pybind_part, m) {
    m.def("jumps", jumps); m.def("throws", throws); m.def("through", through);
}
"""

warnings.simplefilter("ignore")
folder = os.environ["TOOLS_FOLDER"]
sys.path.insert(0, folder)
try:
    import pybind_part
except ImportError:
    from pybind11.setup_helpers import Pybind11Extension
    from setuptools import setup

    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    with open("pybind_part.cpp", "w") as file:
        file.write(SOURCE)
    setup(
        name="pybind_part",
        ext_modules=[Pybind11Extension("pybind_part", ["pybind_part.cpp"])],
        script_args=["-q", "build_ext", "--inplace"],
    )
    importlib.invalidate_caches()
    import pybind_part


def thrown(n):
    total, seen = 0, []
    for i in range(n):
        try:
            total += pybind_part.throws(i)
        except (RuntimeError, IndexError) as error:
            seen.append(str(error))
    return total, len(seen), seen[-1]


def jumped(n):
    total = 0
    for i in range(n):
        total += pybind_part.jumps(i)
    return total


def callback(i):
    total = 0
    for k in range(5):
        total += 10 // (i % 9 - k % 2)
    return total


def passed(n):
    total, seen = 0, 0
    for i in range(n):
        try:
            total += pybind_part.through(callback, i)
        except ZeroDivisionError:
            seen += 1
    return total, seen


print(thrown(200), jumped(200), passed(200))
