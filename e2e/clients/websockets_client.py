# Python's websockets, driven line by line; see e2e/support/client.ts.
import asyncio
import json
import sys
import time

import websockets


def tell(**event):
    print(json.dumps({**event, "at": int(time.time() * 1000)}), flush=True)


async def receive(socket):
    try:
        async for data in socket:
            tell(event="message", data=data)
    except websockets.ConnectionClosed:
        pass
    tell(event="close", code=socket.close_code, reason=socket.close_reason)


async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        tell(event="open")
        receiving = asyncio.create_task(receive(socket))
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            if "send" in order:
                for _ in range(order.get("times", 1)):
                    await socket.send(order["send"])
            if "binary" in order:
                await socket.send(bytes(order["binary"]))
            if order.get("close"):
                await socket.close()
        await receiving


asyncio.run(main())
