"""multiprocessing by fork and by spawn, and os.fork in a loop, around hot loops."""

import concurrent.futures
import multiprocessing
import os
import warnings

# That fork and threads go together badly, of which the test is told at one time or another.
warnings.simplefilter("ignore", DeprecationWarning)


def work(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def pools(method, n):
    context = multiprocessing.get_context(method)
    before = work(n)
    with context.Pool(2) as pool:
        results = pool.map(work, [n + i for i in range(6)])
        results += pool.starmap(pow, [(i, 2) for i in range(5)])
    return before, results, work(n)


def queue_worker(inbox, outbox):
    while True:
        item = inbox.get()
        if item is None:
            break
        outbox.put(work(item))


def queues(method, n):
    context = multiprocessing.get_context(method)
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=queue_worker, args=(inbox, outbox))
    process.start()
    for i in range(20):
        inbox.put(i * n)
    inbox.put(None)
    results = [outbox.get() for _ in range(20)]
    process.join()
    return results, process.exitcode


def executor(n):
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as workers:
        return list(workers.map(work, range(n, n + 10)))


def fork_in_loop(n):
    codes = []
    total = 0
    for i in range(n):
        total += i
        child = os.fork()
        if child == 0:
            inner = 0
            for k in range(50):
                inner += k
            os._exit((inner + total) % 200)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return total, codes


if __name__ == "__main__":
    work(100)
    for method in ("fork", "spawn"):
        print(method, pools(method, 100))
        print(method, queues(method, 10))
    print(executor(100))
    print(fork_in_loop(30))
