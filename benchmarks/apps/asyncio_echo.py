"""An asyncio echo server on the loopback interface, with clients in the same loop."""

import asyncio

CLIENTS = 10
LINES = 40


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    size = 0
    for turn in range(LINES):
        writer.write(b"line %d of client %d\n" % (turn, number))
        size += len(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return size


async def talk():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await asyncio.gather(*(client(port, number) for number in range(CLIENTS)))


def main():
    return asyncio.run(talk())


if __name__ == "__main__":
    print(main())
