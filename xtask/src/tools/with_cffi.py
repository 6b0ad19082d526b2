"""cffi: C functions called from hot loops, and callbacks from C into hot loops."""

import cffi

ffi = cffi.FFI()
ffi.cdef("""
    void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
    long strtol(const char *text, char **end, int base);
    int abs(int number);
""")
libc = ffi.dlopen(None)


@ffi.callback("int(const void *, const void *)")
def compare(left, right):
    difference = ffi.cast("int *", left)[0] - ffi.cast("int *", right)[0]
    total = 0
    for k in range(4):
        total += difference
    return (total > 0) - (total < 0)


def sort(n):
    array = ffi.new("int[]", [(i * 7919) % 101 for i in range(n)])
    libc.qsort(array, n, 4, compare)
    return list(array) == sorted((i * 7919) % 101 for i in range(n))


def calls(n):
    total = 0
    for i in range(n):
        total += libc.abs(-i) + libc.strtol(str(i).encode(), ffi.NULL, 10)
    return total


def items(n):
    array = ffi.new("double[]", n)
    total = 0.0
    for i in range(n):
        array[i] = i * 0.5
        total += array[i]
    return total


print(sort(100), calls(200), items(200))
