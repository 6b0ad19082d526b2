"""asyncio around hot loops: tasks, cancellation, timeouts, executors, async generators."""

import asyncio
import contextvars

variable = contextvars.ContextVar("variable", default=0)


async def worker(name, n):
    total = 0
    for i in range(n):
        total += i
        if i % 10 == 9:
            await asyncio.sleep(0)
    variable.set(total)
    return name, total, variable.get()


async def gathered(count, n):
    return await asyncio.gather(*(worker(i, n + i) for i in range(count)))


async def produce(queue, n):
    for i in range(n):
        await queue.put(i)
    await queue.put(None)


async def consume(queue):
    total = 0
    while (item := await queue.get()) is not None:
        total += item
    return total


async def queued(n):
    queue = asyncio.Queue(5)
    _, total = await asyncio.gather(produce(queue, n), consume(queue))
    return total


async def cancelled(n):
    rounds = 0
    cleaned = []

    async def forever():
        nonlocal rounds
        try:
            while True:
                for i in range(20):
                    rounds += i
                await asyncio.sleep(0)
        finally:
            cleaned.append(True)

    task = asyncio.create_task(forever())
    for i in range(n):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return rounds, cleaned


async def numbers(n):
    for i in range(n):
        if i % 7 == 0:
            await asyncio.sleep(0)
        yield i


async def generated(n):
    total = 0
    async for i in numbers(n):
        total += i
    return total, [i async for i in numbers(n) if i % 2], sum([i * 2 async for i in numbers(n)])


async def in_threads(n):
    def work():
        total = 0
        for i in range(n):
            total += i
        return total

    return await asyncio.gather(*(asyncio.to_thread(work) for _ in range(5)))


async def grouped(n):
    results = []

    async def fails(i):
        for k in range(10 + i):
            await asyncio.sleep(0)
        if i == 3:
            raise ValueError(i)
        results.append(i)

    try:
        async with asyncio.TaskGroup() as group:
            for i in range(n):
                group.create_task(fails(i))
    except* ValueError as errors:
        results.append([str(error) for error in errors.exceptions])
    return results


async def main():
    print(await gathered(5, 60))
    print(await queued(80))
    print(await cancelled(30))
    print(await generated(60))
    print(await in_threads(500))
    print(await grouped(6))


asyncio.run(main())
