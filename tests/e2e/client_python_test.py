"""python-socketio, synchronous and asyncio, and its company with the JavaScript client."""

import asyncio
import os
import pathlib
import queue
import subprocess
import sys
import unittest

import engineio.payload
import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import DEADLINE, Broker, until  # noqa: E402

# The client's own limit of packets in a polled payload; its manual says to raise it for bursts.
engineio.payload.Payload.max_decode_packets = 500

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
VALUES = [0, -1, 1.5, 9007199254740991, "", "ü€😀", True, False, None, [], {}, [[], {}],
          {"a": {"b": [1, None, "x"]}}]


class WithBroker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()


def synchronous(mode):
    class Test(WithBroker):
        def open(self, namespace="/", **how):
            client = socketio.Client(reconnection=False)
            self.addCleanup(client.disconnect)
            client.inbox = queue.Queue()
            for event in ("message-back", "said", "left", "error", "number"):
                client.on(event, lambda *args, event=event: client.inbox.put((event, *args)), namespace)
            client.connect(self.broker.url, transports=MODES[mode], namespaces=[namespace],
                           wait_timeout=DEADLINE, **how)
            return client

        def test_connects_with_an_id_the_server_knows_it_by(self):
            client = self.open(auth={"token": "t"}, headers={"X-Token": "secret"})
            who = client.call("who")
            self.assertEqual(who["id"], client.get_sid())
            self.assertEqual(who["auth"], {"token": "t"})
            self.assertEqual(who["headers"]["x-token"], "secret")
            self.assertEqual(client.transport(), "polling" if mode == "polling" else "websocket")
            self.assertEqual(client.call("transport"), client.transport())

        def test_exchanges_events_and_binary_in_order(self):
            client = self.open()
            sent = [(i, bytes([i, 255 - i])) if i % 2 else (i, {"list": VALUES}) for i in range(50)]
            for args in sent:
                client.emit("message", args)
            received = [client.inbox.get(timeout=DEADLINE) for _ in sent]
            self.assertEqual(received, [("message-back", *args) for args in sent])

        def test_waits_for_acknowledgements_or_gives_them_up(self):
            client = self.open()
            self.assertEqual(client.call("message-with-ack", (VALUES, b"\x00\xff")), (VALUES, b"\x00\xff"))
            with self.assertRaises(socketio.exceptions.TimeoutError):
                client.call("silent", timeout=0.1)
            self.assertEqual(client.call("message-with-ack", "still"), "still")

        def test_answers_the_servers_questions(self):
            client = self.open()
            client.on("add", lambda a, b: (a + b, bytes([a, b])))
            self.assertEqual(client.call("call-me", (DEADLINE, "add", 1, 2)), {"replies": [3, b"\x01\x02"]})

        def test_joins_several_namespaces_and_leaves_one(self):
            client = socketio.Client(reconnection=False)
            self.addCleanup(client.disconnect)
            client.connect(self.broker.url, transports=MODES[mode], namespaces=["/", "/custom", "/tenant/x"],
                           wait_timeout=DEADLINE)
            for namespace in ("/", "/custom", "/tenant/x"):
                self.assertEqual(client.call("who", namespace=namespace)["nsp"], namespace)

        def test_is_told_why_it_may_not_join(self):
            client = socketio.Client(reconnection=False)
            errors = queue.Queue()
            client.on("connect_error", errors.put, "/private")
            with self.assertRaises(socketio.exceptions.ConnectionError):
                client.connect(self.broker.url, transports=MODES[mode], namespaces=["/private"],
                               auth={"token": "bad"}, wait_timeout=DEADLINE)
            self.assertEqual(errors.get(timeout=DEADLINE),
                             {"message": "wrong token", "data": {"hint": "try another", "code": "forbidden"}})

        def test_hears_broadcasts_and_who_left_and_why(self):
            namespace = f"/tenant/sync-{mode}"
            one, other = self.open(namespace), self.open(namespace)
            one.call("watch", namespace=namespace)
            one.emit("others", ("hello", b"\x01"), namespace=namespace)
            self.assertEqual(other.inbox.get(timeout=DEADLINE), ("said", "hello", b"\x01"))
            sid = other.get_sid(namespace)
            other.disconnect()
            left = one.inbox.get(timeout=DEADLINE)
            self.assertEqual(left[:2], ("left", sid))
            self.assertIn(left[2], ("client namespace disconnect", "transport close"))

        def test_is_told_that_the_server_put_it_out(self):
            client = self.open()
            reasons = queue.Queue()
            client.on("disconnect", lambda *reason: reasons.put(reason))
            client.emit("kick", True)
            reasons.get(timeout=DEADLINE)
            until(lambda: not client.connected, "the disconnect")

    Test.__name__ = Test.__qualname__ = f"Synchronous_{mode}"
    return Test


def asynchronous(mode):
    class Test(WithBroker, unittest.IsolatedAsyncioTestCase):
        async def open(self, namespace="/", **how):
            client = socketio.AsyncClient(reconnection=False)
            self.addAsyncCleanup(client.disconnect)
            client.inbox = asyncio.Queue()
            for event in ("message-back", "said", "left", "number"):
                client.on(event, lambda *args, event=event: client.inbox.put_nowait((event, *args)), namespace)
            await client.connect(self.broker.url, transports=MODES[mode], namespaces=[namespace],
                                 wait_timeout=DEADLINE, **how)
            return client

        async def next(self, client):
            return await asyncio.wait_for(client.inbox.get(), DEADLINE)

        async def test_exchanges_events_and_binary_in_order(self):
            client = await self.open()
            sent = [(i, bytes([i])) if i % 2 else (i, VALUES) for i in range(50)]
            for args in sent:
                await client.emit("message", args)
            for args in sent:
                self.assertEqual(await self.next(client), ("message-back", *args))

        async def test_many_clients_hear_one_another(self):
            namespace = f"/tenant/async-{mode}"
            clients = [await self.open(namespace) for _ in range(10)]
            await clients[0].emit("all", "hello", namespace=namespace)
            for client in clients:
                self.assertEqual(await self.next(client), ("said", "hello"))

        async def test_asks_and_is_asked(self):
            client = await self.open()
            async def add(a, b):
                return a + b
            client.on("add", add)
            self.assertEqual(await client.call("call-me", (DEADLINE, "add", 1, 2)), {"replies": [3]})
            replies = await asyncio.gather(*(client.call("message-with-ack", i) for i in range(100)))
            self.assertEqual(replies, list(range(100)))

        async def test_reconnects_when_the_broker_restarts(self):
            broker = Broker()
            client = socketio.AsyncClient(reconnection_delay=0.01, reconnection_delay_max=0.1)
            connected = asyncio.Queue()
            client.on("connect", lambda: connected.put_nowait(client.get_sid()))
            await client.connect(broker.url, transports=MODES[mode], wait_timeout=DEADLINE)
            first = await asyncio.wait_for(connected.get(), DEADLINE)
            await asyncio.to_thread(broker.discard)
            broker = await asyncio.to_thread(Broker, port=broker.port)
            second = await asyncio.wait_for(connected.get(), DEADLINE)
            self.assertNotEqual(first, second)
            self.assertEqual(await client.call("message-with-ack", "back"), "back")
            await client.disconnect()
            await asyncio.to_thread(broker.stop)

    Test.__name__ = Test.__qualname__ = f"Asynchronous_{mode}"
    return Test


def interoperability(mode):
    class Test(WithBroker):
        def test_javascript_and_python_talk_through_the_broker(self):
            partner = subprocess.Popen(
                ["node", str(pathlib.Path(__file__).with_name("lib") / "partner.js"),
                 self.broker.url, ",".join(MODES[mode])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
            self.addCleanup(partner.stdout.close)
            self.addCleanup(partner.wait)
            self.addCleanup(partner.stdin.close)
            self.assertEqual(partner.stdout.readline(), "ready\n")

            client = socketio.Client(reconnection=False)
            self.addCleanup(client.disconnect)
            inbox = queue.Queue()
            client.on("said", lambda *args: inbox.put(args))
            client.on("question", lambda text, data: {"who": "python", "text": text, "data": data})
            client.connect(self.broker.url, transports=MODES[mode], wait_timeout=DEADLINE)
            client.call("join", "interop")
            client.call("join", "python")

            sent = [(i, "ü€😀", bytes([i, 0, 255]), {"deep": [b"\x80", VALUES]}) for i in range(20)]
            for args in sent:
                client.emit("room-others", ("interop", "javascript", *args))
            for args in sent:
                self.assertEqual(inbox.get(timeout=DEADLINE), ("python", *args))

            # The room holds both: each answers for itself.
            asked = client.call("call-room", ("interop", DEADLINE, "question", "it", b"\x01"))
            self.assertEqual(sorted(asked["replies"], key=lambda reply: reply["who"]), [
                {"who": who, "text": "it", "data": b"\x01"} for who in ("javascript", "python")])
            client.emit("room-event", ("interop", "ask python"))
            to, answer = inbox.get(timeout=DEADLINE)
            self.assertEqual(to, "answer")
            self.assertEqual(answer["replies"], [
                {"who": "python", "text": "a question", "data": b"\x01\x00\xff"}])

    Test.__name__ = Test.__qualname__ = f"Interoperability_{mode}"
    return Test


for kind in (synchronous, asynchronous, interoperability):
    for name in MODES:
        test = kind(name)
        globals()[test.__name__] = test
del kind, name, test

if __name__ == "__main__":
    unittest.main(verbosity=2)
