"""Dispatch as its document's clients use it: python-socketio, REST, and the tokens of both."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import time
import unittest
import unittest.mock

import aiohttp
import socketio
from lib.broker import DEADLINE, Broker

SECRET = "a secret of more than thirty-two bytes"
CURRENT, NEXT = "the-current-token-of-the-bridge-00000", "the-next-token-of-the-bridge-000000000"
BASE = "/api/socket-bridge"
INCIDENT = {"incidentId": "INC-001", "type": "Cardiac Arrest", "address": "123 Main St", "priority": 1}

# Event, a payload that holds, who may and who may not.
EVENTS = [
    ("assignment:sent", {"unitId": "UNIT-5", "incident": INCIDENT}, "dispatcher", "crew"),
    ("unit:location", {"unitId": "UNIT-5", "location": {"type": "Point", "coordinates": [-74, 40.7]},
                       "heading": None, "speed": 12.5}, "crew", "dispatcher"),
    ("unit:status", {"unitId": "UNIT-5", "status": "enroute", "incidentId": "INC-001"}, "crew", "dispatcher"),
    ("incident:status", {"incidentId": "INC-001", "status": "enroute", "userId": "u1"}, "dispatcher", "crew"),
    ("incident:timestamp", {"incidentId": "INC-001", "field": "enroute_at", "timestamp": "2026-03-01T08:00:00",
                            "location": None, "source": "manual"}, "crew", "dispatcher"),
    ("transport:completed", {"incidentId": "INC-001", "epcrId": "E-1", "billingData": {"miles": 7.5}},
     "crew", "dispatcher"),
    ("metrics:updated", {"metrics": {"active": 3}}, "admin", "crew"),
]
# What the hub sends of each of them.
ANSWERS = {
    "unit:location": "unit:location:updated", "unit:status": "unit:status:updated",
    "incident:status": "incident:status:updated", "incident:timestamp": "incident:timestamp:updated",
    "transport:completed": "transport:completed", "metrics:updated": "metrics:updated",
}
# Path, a body that holds, who may and who may not, a field that it needs.
PATHS = [
    ("/assignments/send", {"unit_id": "UNIT-5", "incident_id": "INC-002", "incident_type": "Fall",
                           "address": "1 Elm St", "priority": 2}, "dispatcher", "crew", "unit_id"),
    ("/units/location", {"unit_id": "UNIT-5", "latitude": 40.7, "longitude": -74, "heading": 90, "speed": 40},
     "crew", "dispatcher", "latitude"),
    ("/units/status", {"unit_id": "UNIT-5", "status": "onscene"}, "crew", "dispatcher", "status"),
    ("/incidents/status", {"incident_id": "INC-002", "status": "onscene", "user_id": "u1"},
     "dispatcher", "crew", "incident_id"),
    ("/incidents/timestamp", {"incident_id": "INC-002", "field": "onscene_at",
                              "timestamp": "2026-03-01T08:10:00Z"}, "crew", "dispatcher", "timestamp"),
    ("/transport/completed", {"incident_id": "INC-002", "epcr_id": "E-2", "transport_type": "ALS"},
     "crew", "dispatcher", "epcr_id"),
    ("/metrics/broadcast", {"metrics": {"active": 4}}, "admin", "crew", "metrics"),
]


def sign(role, seconds=600, secret=SECRET, **claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    claims = {"sub": f"{role}-1", "role": role, "exp": int(time.time() + seconds), **claims}
    text = f'{part({"alg": "HS256", "typ": "JWT"})}.{part(claims)}'
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return text + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


class Client:
    """A client at `/`, as the document's are, that keeps what it receives."""

    def __init__(self):
        self.sio = socketio.AsyncClient(reconnection=False)
        self.inbox, self.refusal, self.disconnected = [], None, asyncio.Event()
        self.answer = None  # to assignments

        async def take(event, *data):
            self.inbox.append((event, data[0] if data else None))
            return self.answer

        async def refused(data):
            self.refusal = data

        async def gone(*_):
            self.disconnected.set()

        self.sio.on("*", take)
        self.sio.on("connect_error", refused)
        self.sio.on("disconnect", gone)

    async def connect(self, url, token=None, **options):
        auth = {"token": token} if token else None
        try:
            await self.sio.connect(url, auth=auth, wait_timeout=DEADLINE, **options)
        except socketio.exceptions.ConnectionError:
            if self.refusal is None:
                raise
        return self

    async def call(self, event, data):
        return await self.sio.call(event, data, timeout=DEADLINE)

    async def expect(self, event, where=lambda data: True):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            for name, data in self.inbox:
                if name == event and where(data):
                    return data
            await asyncio.sleep(0.005)
        raise AssertionError(f"no {event}; there is {self.inbox}")

    def count(self, event):
        return sum(1 for name, _ in self.inbox if name == event)


class DispatchTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        surroundings = {name: value for name, value in os.environ.items()
                        if not name.startswith(("CAD_", "BILLING_", "JWT_", "SOCKET_IO_"))}
        ours = {"JWT_SECRET": SECRET, "CAD_BACKEND_AUTH_TOKEN": CURRENT, "CAD_BACKEND_AUTH_TOKEN_NEXT": NEXT}
        with unittest.mock.patch.dict(os.environ, {**surroundings, **ours}, clear=True):
            cls.broker = Broker(app="dispatch", settings__assignments__resend_seconds=1)

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    async def asyncSetUp(self):
        asyncio.get_running_loop().slow_callback_duration = DEADLINE
        self.http = aiohttp.ClientSession()
        self.addAsyncCleanup(self.http.close)

    async def join(self, token=None, **options):
        client = await Client().connect(self.broker.url, token, **options)
        self.addAsyncCleanup(client.sio.disconnect)
        return client

    async def request(self, method, path, token=None, body=None):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, self.broker.url + BASE + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def test_every_event_with_no_wrong_expired_and_right_credentials(self):
        nobody = await self.join()
        watcher = await self.join(CURRENT)
        for event, payload, may, may_not in EVENTS:
            with self.subTest(event=event):
                refused = await nobody.call(event, payload)
                self.assertEqual(refused["error"]["code"], "unauthorized")
                other = await self.join(sign(may_not))
                self.assertEqual((await other.call(event, payload))["error"]["code"], "forbidden")
                client = await self.join(sign(may))
                answer = await client.call(event, payload)
                self.assertTrue(answer.get("success"), answer)
                if event in ANSWERS:
                    key = next(iter(payload))
                    heard = await watcher.expect(ANSWERS[event])
                    self.assertEqual(heard[key], payload[key])
                    self.assertEqual(watcher.count(ANSWERS[event]), 1)
        self.assertEqual([event for event, _ in nobody.inbox], [])
        for bad in ["nonsense", sign("crew", -60), sign("crew", secret="another secret of thirty-two bytes or so")]:
            refused = await self.join(bad)
            self.assertIn(refused.refusal["data"]["code"], ["unauthorized", "token_expired"])
        self.assertEqual((await self.join(sign("crew", -60))).refusal["data"]["code"], "token_expired")

    async def test_every_path_with_no_wrong_expired_and_right_credentials(self):
        for path, body, may, may_not, field in PATHS:
            with self.subTest(path=path):
                for token in [None, "nonsense", sign(may, -60)]:
                    self.assertEqual((await self.request("POST", path, token, body))[0], 401)
                self.assertEqual((await self.request("POST", path, sign(may_not), body))[0], 403)
                without = {name: value for name, value in body.items() if name != field}
                status, answer = await self.request("POST", path, sign(may), without)
                self.assertEqual(status, 422)
                self.assertIn(field, answer["error"]["message"])
                status, answer = await self.request("POST", path, sign(may), body)
                self.assertEqual((status, answer["success"]), (200, True))
                self.assertEqual((await self.request("POST", path, CURRENT, body))[0], 200)
        self.assertEqual((await self.request("POST", "/reconnect"))[0], 401)
        self.assertEqual((await self.request("POST", "/reconnect", sign("crew")))[0], 403)
        status, answer = await self.request("POST", "/reconnect", sign("admin"))
        self.assertEqual((status, answer["error"]["code"]), (503, "unavailable"))

    async def test_two_tokens_of_the_bridge_are_good_at_once_and_both_are_in_the_audit_log(self):
        for number, token in enumerate([CURRENT, NEXT], start=1):
            bridge = await self.join(token)
            self.assertEqual((await bridge.expect("authenticated"))["userId"], f"bridge:{number}")
            await bridge.call("unit:status", {"unitId": f"UNIT-{number}", "status": "available"})
            _, audit = await self.request("GET", f"/audit?who=bridge:{number}&what=unit:status", sign("admin"))
            self.assertEqual((audit["items"][0]["source"], audit["items"][0]["subject"]), ("bridge", f"UNIT-{number}"))
        _, health = await self.request("GET", "/health")
        self.assertGreaterEqual(health["hub"]["connections"]["bridge"], 2)

    async def test_the_documents_bridge_authenticates_after_it_has_connected(self):
        bridge = await self.join()
        answer = await bridge.call("fastapi:authenticate", {"token": "wrong"})
        self.assertEqual(answer["error"]["code"], "unauthorized")
        await bridge.sio.emit("fastapi:authenticate", {"token": CURRENT})
        self.assertTrue((await bridge.expect("authenticated"))["success"])
        answer = await bridge.call("unit:status", {"unitId": "UNIT-9", "status": "available"})
        self.assertTrue(answer["success"])

    async def test_a_client_is_put_out_when_its_token_ends(self):
        client = await self.join(sign("crew", 2))
        await asyncio.wait_for(client.disconnected.wait(), DEADLINE)
        self.assertEqual((await client.expect("error"))["code"], "token_expired")

    async def test_an_assignment_is_sent_until_the_unit_confirms(self):
        dispatcher = await self.join(sign("dispatcher"), transports=["websocket"])
        crew = await self.join(sign("crew", sub="ann", unitId="UNIT-7"))
        crew.answer = False
        other = await self.join(sign("crew", sub="bob", unitId="UNIT-8"))
        answer = await dispatcher.call("assignment:sent", {
            "unitId": "UNIT-7", "incident": {**INCIDENT, "incidentId": "INC-7"}})
        await dispatcher.expect("assignment:updated", lambda each: each["unitId"] == "UNIT-7" and each["sends"] == 2)
        _, pending = await self.request("GET", "/assignments?state=pending", sign("dispatcher"))
        self.assertIn(answer["assignmentId"], [each["assignmentId"] for each in pending["items"]])
        crew.answer = True
        confirmed = await dispatcher.expect(
            "assignment:updated", lambda each: each["unitId"] == "UNIT-7" and each["state"] == "confirmed")
        self.assertEqual(confirmed["confirmedBy"], "ann")
        self.assertEqual((await crew.expect("assignment:received"))["incident"]["address"], "123 Main St")
        self.assertEqual(other.count("assignment:received"), 0)
        stamp = {"incidentId": "INC-7", "field": "onscene_at", "timestamp": "2026-03-01T08:00:00Z"}
        self.assertEqual((await other.call("incident:timestamp", stamp))["error"]["code"], "forbidden")
        self.assertTrue((await crew.call("incident:timestamp", stamp))["success"])

    async def test_health_is_for_everybody(self):
        status, health = await self.request("GET", "/health")
        self.assertEqual((status, health["status"], health["bridge"]["state"]), (200, "healthy", "disabled"))
        self.assertEqual(health["bridge"]["failed_emissions"], 0)
        self.assertGreaterEqual(health["event_processing"]["mean_ms"], 0)


if __name__ == "__main__":
    unittest.main()
