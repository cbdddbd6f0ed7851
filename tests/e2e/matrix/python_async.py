"""The matrix's checks for python-socketio's AsyncClient. usage: python_async.py URL MODE"""

import asyncio
import json
import sys
import uuid

import socketio

URL, MODE = sys.argv[1:]
TRANSPORTS = ["polling", "websocket"] if MODE == "upgrade" else [MODE]
TAG = uuid.uuid4().hex


def say(text):
    print(text, flush=True)


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"{got!r} instead of {wanted!r}")


class Client:
    """A connected client whose events wait in queues."""

    @classmethod
    async def open(cls):
        self = cls()
        self.sio = socketio.AsyncClient(reconnection_delay=0.02, reconnection_delay_max=0.1)
        self.queues = {}
        self.sio.on("question", lambda question: {"you": question})
        for name in ("said", "told all", "told room"):
            self.sio.on(name, self.queue(name).put)
        for name in ("connect", "disconnect"):
            self.sio.on(name, lambda *_, queue=self.queue(name): queue.put_nowait(None))
        await self.sio.connect(URL, transports=TRANSPORTS, wait_timeout=10)
        await self.next("connect")
        await self.settled()
        return self

    def queue(self, name):
        return self.queues.setdefault(name, asyncio.Queue())

    async def next(self, name):
        """The next event of that name, unless another run was meant."""
        while True:
            value = await asyncio.wait_for(self.queue(name).get(), 10)
            if not isinstance(value, dict) or value.get("tag", TAG) == TAG:
                return value

    async def ask(self, name, value=None):
        return await self.sio.call(name, value, timeout=10)

    async def settled(self):
        wanted = {"transport": TRANSPORTS[-1], "secure": URL.startswith("https:")}
        for _ in range(200):
            if (who := await self.ask("who")) == wanted:
                return
            await asyncio.sleep(0.01)
        expect(who, wanted)


clients = []


async def connect():
    clients.append(await Client.open())


async def text():
    value = {"text": "ü€😀", "number": 1.5, "list": [1, None, True, {}]}
    await clients[0].sio.emit("say", value)
    expect(await clients[0].next("said"), value)


async def binary():
    await clients[0].sio.emit("say", bytes([0, 1, 127, 128, 255]))
    expect(await clients[0].next("said"), bytes([0, 1, 127, 128, 255]))


async def ack():
    expect(await clients[0].ask("echo", {"a": [1, "zwei"]}), {"a": [1, "zwei"]})


async def asked():
    expect(await clients[0].ask("ask me", "why"), {"answer": {"you": "why"}})


async def broadcast():
    clients.append(await Client.open())
    await clients[1].sio.emit("tell all", {"tag": TAG, "text": "hello"})
    for client in clients:
        expect((await client.next("told all"))["text"], "hello")


async def room():
    clients.append(await Client.open())
    await clients[-1].ask("join", TAG)
    await clients[0].sio.emit("tell room", {"tag": TAG, "text": "members"})
    await clients[0].sio.emit("tell all", {"tag": TAG, "text": "end"})
    expect((await clients[-1].next("told room"))["text"], "members")
    expect((await clients[0].next("told all"))["text"], "end")
    expect(clients[0].queue("told room").qsize(), 0)


async def reconnect():
    client = clients[0]
    for other in clients[1:]:
        await other.sio.disconnect()
    say("cut")
    await client.next("disconnect")
    say("restore")
    await client.next("connect")
    await client.settled()
    expect(await client.ask("echo", "back"), "back")


async def main():
    for check in (connect, text, binary, ack, asked, broadcast, room, reconnect):
        try:
            await check()
            say(f"ok {check.__name__}")
        except Exception as error:  # the other checks still run
            say(f"not ok {check.__name__} {json.dumps(repr(error))}")
    for client in clients:
        await client.sio.disconnect()


asyncio.run(main())
