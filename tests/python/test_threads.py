"""Threads that run hot loops at the same time, and share what they work on."""

import sys
import threading
import time

sys.setswitchinterval(0.0005)


def spin(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total


def parallel(count, n):
    results = [None] * count

    def run(k):
        results[k] = spin(n + k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results == [spin(n + k) for k in range(count)]


def with_lock(count, n):
    lock = threading.Lock()
    total = 0

    def run():
        nonlocal total
        for _ in range(n):
            with lock:
                total += 1

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def flag():
    """A loop that waits for another thread to set a name."""
    done = False
    started = threading.Event()

    def setter():
        nonlocal done
        started.wait()
        time.sleep(0.02)
        done = True

    thread = threading.Thread(target=setter)
    thread.start()
    started.set()
    i = 0
    while not done:
        i += 1
    thread.join()
    return i > 0


ready = False


def global_flag():
    global ready
    ready = False

    def setter():
        global ready
        time.sleep(0.02)
        ready = True

    thread = threading.Thread(target=setter)
    thread.start()
    i = 0
    while not ready:
        i += 1
    thread.join()
    return i > 0


def list_flag():
    box = [0]

    def setter():
        time.sleep(0.02)
        box[0] = 1

    thread = threading.Thread(target=setter)
    thread.start()
    i = 0
    while box[0] == 0:
        i += 1
    thread.join()
    return i > 0


def local_data(count, n):
    data = threading.local()
    results = []

    def run(k):
        data.value = 0
        for i in range(n):
            data.value += k
        results.append(data.value)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


def generators(count, n):
    def numbers():
        for i in range(n):
            yield i

    results = []
    threads = [threading.Thread(target=lambda: results.append(sum(numbers()))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def one_generator(count, n):
    """Several threads draw from one generator: at times it is already executing."""

    def numbers():
        for i in range(n):
            yield i

    source = numbers()
    seen = []

    def run():
        while True:
            try:
                for x in source:
                    seen.append(x)
                return
            except ValueError:
                pass

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seen) == list(range(n))


def async_exception():
    import ctypes

    class Stop(Exception):
        pass

    result = []

    def run():
        try:
            i = 0
            while True:
                i += 1
        except Stop:
            result.append("stopped")

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.02)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
    thread.join()
    return result


print(parallel(4, 20000), with_lock(4, 500), flag(), global_flag(), list_flag())
print(local_data(4, 300), generators(3, 500), one_generator(3, 500), async_exception())


def forever():
    i = 0
    while True:
        i += 1


# A daemon thread is in its loop when the interpreter ends.
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.02)
print("end")
