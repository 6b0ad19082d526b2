"""fork in a hot loop: parent and child both go on in it, and both compile and link new loops."""

import os
import sys
import warnings

warnings.simplefilter("ignore")


def new_loops(seed):
    """Loops that were not hot before the fork, with branches that get hot late."""
    total = 0
    for i in range(400):
        if i % (seed + 2) == 0:
            total += i
        elif i > 300:
            total -= seed
        for j in range(i % 7):
            total ^= j
    return total


def forking(n, at):
    total = 0
    child = None
    for i in range(n):
        total += i
        if i == at:
            sys.stdout.flush()
            child = os.fork()
        if i > at and child == 0 and i % 2:
            total += 1
    return total, child


def both(n):
    read, write = os.pipe()
    total, child = forking(n, n // 2)
    if child == 0:
        os.write(write, repr((total, new_loops(3), spin(2000))).encode())
        os._exit(0)
    os.close(write)
    said = b""
    while chunk := os.read(read, 1000):
        said += chunk
    os.close(read)
    _, status = os.waitpid(child, 0)
    return total, new_loops(1), said.decode(), status, spin(2000)


def spin(n):
    x = 1
    for i in range(n):
        x = x * 3 % 1000003 if i % 5 else x + 1
    return x


def grandchildren(n):
    """Each process forks the next one in its loop."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        level = 0
        total = 0
        for i in range(n):
            total += spin(i)
            if i % 20 == 19 and level < 3:
                next_one = os.fork()
                if next_one:
                    os.waitpid(next_one, 0)
                    os._exit(0)
                level += 1
        os.write(write, repr((level, total)).encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 1000)
    os.waitpid(pid, 0)
    return said.decode()


def many(n):
    codes = []
    for i in range(n):
        pid = os.fork()
        if pid == 0:
            os._exit(spin(i * 50) % 200)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return codes


def normal_exit():
    """A child that ends as a program ends, with its handlers at exit."""
    import atexit

    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        atexit.register(lambda: print("child ends", spin(300)))
        sys.exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


print(both(500))
print(grandchildren(100))
print(many(12))
print(normal_exit())
