"""The matrix's checks for python-socketio's threaded Client. usage: python_threads.py URL MODE"""

import json
import queue
import sys
import time
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

    def __init__(self):
        self.sio = socketio.Client(reconnection_delay=0.02, reconnection_delay_max=0.1)
        self.queues = {}
        self.sio.on("question", lambda question: {"you": question})
        for name in ("said", "told all", "told room", "connect", "disconnect"):
            self.queues[name] = queue.Queue()
            self.sio.on(name, lambda value=None, name=name: self.queues[name].put(value))
        self.sio.connect(URL, transports=TRANSPORTS, wait_timeout=10)
        self.next("connect")
        self.settled()

    def next(self, name):
        """The next event of that name, unless another run was meant."""
        while True:
            value = self.queues[name].get(timeout=10)
            if not isinstance(value, dict) or value.get("tag", TAG) == TAG:
                return value

    def ask(self, name, value=None):
        return self.sio.call(name, value, timeout=10)

    def settled(self):
        wanted = {"transport": TRANSPORTS[-1], "secure": URL.startswith("https:")}
        for _ in range(200):
            if (who := self.ask("who")) == wanted:
                return
            time.sleep(0.01)
        expect(who, wanted)


clients = []


def connect():
    clients.append(Client())


def text():
    value = {"text": "ü€😀", "number": 1.5, "list": [1, None, True, {}]}
    clients[0].sio.emit("say", value)
    expect(clients[0].next("said"), value)


def binary():
    clients[0].sio.emit("say", bytes([0, 1, 127, 128, 255]))
    expect(clients[0].next("said"), bytes([0, 1, 127, 128, 255]))


def ack():
    expect(clients[0].ask("echo", {"a": [1, "zwei"]}), {"a": [1, "zwei"]})


def asked():
    expect(clients[0].ask("ask me", "why"), {"answer": {"you": "why"}})


def broadcast():
    clients.append(Client())
    clients[1].sio.emit("tell all", {"tag": TAG, "text": "hello"})
    for client in clients:
        expect(client.next("told all")["text"], "hello")


def room():
    clients.append(Client())
    clients[-1].ask("join", TAG)
    clients[0].sio.emit("tell room", {"tag": TAG, "text": "members"})
    clients[0].sio.emit("tell all", {"tag": TAG, "text": "end"})
    expect(clients[-1].next("told room")["text"], "members")
    expect(clients[0].next("told all")["text"], "end")
    expect(clients[0].queues["told room"].qsize(), 0)


def reconnect():
    client = clients[0]
    for other in clients[1:]:
        other.sio.disconnect()
    say("cut")
    client.next("disconnect")
    say("restore")
    client.next("connect")
    client.settled()
    expect(client.ask("echo", "back"), "back")


for check in (connect, text, binary, ack, asked, broadcast, room, reconnect):
    try:
        check()
        say(f"ok {check.__name__}")
    except Exception as error:  # the other checks still run
        say(f"not ok {check.__name__} {json.dumps(repr(error))}")
for client in clients:
    client.sio.disconnect()
