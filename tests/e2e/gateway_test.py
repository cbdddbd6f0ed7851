"""scripts/gateway by python-socketio: a user, workers in processes of their own, a back end over HTTP."""

import base64
import hashlib
import hmac
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock
import urllib.error
import urllib.request

import socketio

from lib.broker import DEADLINE, Broker

SECRET = "a secret of more than thirty-two bytes"

# A worker: what it is sent it gives back in capitals, unless it is told to hang.
WORKER = """
import sys, socketio
url, worker_id, token = sys.argv[1:]
sio = socketio.Client()
@sio.on("ai_request", namespace="/workers")
def work(job):
    print(job["attempt"], flush=True)
    sio.emit("status_update", {"jobId": job["jobId"], "progress": 50, "message": worker_id}, namespace="/workers")
    if job["message"] != "hang " + worker_id:
        sio.emit("ai_response", {"jobId": job["jobId"], "response": job["message"].upper()}, namespace="/workers")
sio.connect(url, namespaces=["/workers"], auth={"token": token, "workerId": worker_id, "tools": ["shout"]})
print("ready", flush=True)
sio.wait()
"""


def token(**claims):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    body = {"sub": "someone", "exp": int(time.time()) + 600, **claims}
    signed = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, body))
    return (signed + b"." + part(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())).decode()


class Gateway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with unittest.mock.patch.dict(os.environ, {"JWT_SECRET": SECRET}):
            cls.broker = Broker(app="gateway", settings__workers__return_seconds=0.1,
                                settings__workers__sweep_seconds=0.1, settings__workers__wait_seconds=0.5)

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    def user(self, user_id, session_id):
        """A connected user, whose `inbox` has what it hears: (event, data)."""
        client = socketio.Client()
        client.inbox = queue.Queue()
        for name in ("ai_response", "status_update", "notification", "room_message", "announcement"):
            client.on(name, lambda data, name=name: client.inbox.put((name, data)))
        client.connect(self.broker.url, auth={"userId": user_id, "sessionId": session_id})
        self.addCleanup(client.disconnect)
        return client

    def hear(self, client, name):
        """The next such event; others before it are let pass."""
        while True:
            event, data = client.inbox.get(timeout=DEADLINE)
            if event == name:
                return data

    def worker(self, worker_id):
        process = subprocess.Popen([sys.executable, "-c", WORKER, self.broker.url, worker_id, token(role="worker")],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        # One that says nothing must not hang its test.
        deadline = threading.Timer(DEADLINE, process.kill)
        deadline.start()
        self.addCleanup(deadline.cancel)
        self.assertEqual(process.stdout.readline().strip(), "ready")
        return process

    def rest(self, method, path, body=None, role="service"):
        request = urllib.request.Request(
            self.broker.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", "authorization": f"Bearer {token(role=role)}"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def test_a_request_comes_back_with_progress(self):
        self.worker("ann")
        client = self.user("user123", "session456")
        accepted = client.call("ai_request", {"toolId": "shout", "message": "Hello AI!", "requestId": "req123",
                                              "sessionId": "session456"})
        self.assertEqual(accepted, {"success": True, "requestId": "req123", "status": "accepted"})
        response = self.hear(client, "ai_response")
        self.assertEqual((response["requestId"], response["success"], response["response"]),
                         ("req123", True, "HELLO AI!"))

    def test_a_worker_that_is_killed_is_replaced_once(self):
        client = self.user("u2", "s2")
        first = self.worker("first")
        client.call("ai_request", {"toolId": "shout", "message": "hang first", "requestId": "r1"})
        self.assertEqual(first.stdout.readline().strip(), "1")
        second = self.worker("second")
        first.send_signal(signal.SIGKILL)
        response = self.hear(client, "ai_response")
        self.assertEqual((response["response"], response["attempts"]), ("HANG FIRST", 2))
        client.call("ai_request", {"toolId": "shout", "message": "hang second", "requestId": "r2"})
        second.stdout.readline()
        second.send_signal(signal.SIGKILL)
        response = self.hear(client, "ai_response")
        self.assertEqual((response["success"], response["error"]["code"]), (False, "worker_lost"))

    def test_nobody_is_left_without_an_answer(self):
        client = self.user("u3", "s3")
        client.emit("ai_request", {"toolId": "nobody-has-it", "message": "x", "requestId": "r1"})
        response = self.hear(client, "ai_response")
        self.assertEqual(response["error"]["code"], "no_worker")

    def test_rooms_notifications_and_announcements(self):
        a, b = self.user("u4", "s4"), self.user("u5", "s5")
        self.assertEqual(self.rest("POST", "/socket/rooms", {"roomId": "py"})["success"], True)
        for client in (a, b):
            self.assertEqual(client.call("join_room", {"roomId": "py"}), {"success": True, "roomId": "py"})
        a.call("room_message", {"roomId": "py", "message": "hello"})
        self.rest("POST", "/socket/rooms/message", {"roomId": "py", "message": {"by": "the back end"}})
        for client in (a, b):
            self.assertEqual(self.hear(client, "room_message")["from"], "u4")
            self.assertEqual(self.hear(client, "room_message")["message"], {"by": "the back end"})
        page = a.call("room_history", {"roomId": "py", "limit": 1})
        self.assertEqual(page["items"][0]["message"], {"by": "the back end"})
        page = a.call("room_history", {"roomId": "py", "limit": 1, **page["next"]})
        self.assertEqual((page["items"][0]["message"], page["next"]), ("hello", None))
        self.rest("POST", "/socket/notifications", {"userId": "u5", "message": "for you"})
        self.assertEqual(self.hear(b, "notification")["message"], "for you")
        self.rest("POST", "/socket/announcements", {"message": "for all"})
        for client in (a, b):
            self.assertEqual(self.hear(client, "announcement")["message"], "for all")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.rest("POST", "/socket/notifications", {"userId": "u5"})
        self.assertEqual(refused.exception.code, 422)
        refused.exception.close()

    def test_who_is_there(self):
        client = self.user("u6", "s6")
        self.assertEqual(self.rest("GET", "/socket/users/u6/connected", role="monitor"),
                         {"userId": "u6", "connected": True, "sockets": 1})
        with self.assertRaises(socketio.exceptions.ConnectionError):
            socketio.Client(reconnection=False).connect(self.broker.url, auth={"userId": "u6"})
        self.assertTrue(client.connected)


if __name__ == "__main__":
    unittest.main()
