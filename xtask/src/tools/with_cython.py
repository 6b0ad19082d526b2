"""A Cython module, compiled on the spot: it calls Python functions that loop, and is called from hot loops."""

import importlib
import os
import sys
import warnings

SOURCE = """
def call(function, int n):
    cdef long total = 0
    cdef int i
    for i in range(n):
        total += function(i)
    return total

cdef class Counter:
    cdef public long value
    def __init__(self):
        self.value = 0
    def step(self, long by):
        self.value += by
        if self.value < 0:
            raise ValueError(self.value)
        return self.value

def generate(int n):
    for i in range(n):
        yield i * i
"""

warnings.simplefilter("ignore")
folder = os.environ["TOOLS_FOLDER"]
sys.path.insert(0, folder)
try:
    import cython_part
except ImportError:
    from setuptools import Extension, setup
    from Cython.Build import cythonize

    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    with open("cython_part.pyx", "w") as file:
        file.write(SOURCE)
    setup(
        name="cython_part",
        ext_modules=cythonize([Extension("cython_part", ["cython_part.pyx"])], quiet=True),
        script_args=["-q", "build_ext", "--inplace"],
    )
    importlib.invalidate_caches()
    import cython_part


def looping(i):
    total = 0
    for k in range(6):
        total += k * i
    return total


def counted(n):
    counter = cython_part.Counter()
    for i in range(n):
        counter.step(i)
        counter.value += 1
    try:
        for i in range(n):
            counter.step(-i * 3)
    except ValueError as error:
        return str(error), counter.value


print(cython_part.call(looping, 200), counted(100), sum(cython_part.generate(150)))
