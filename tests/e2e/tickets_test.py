"""scripts/tickets with python-socketio and urllib, written from its document alone."""

import json
import pathlib
import sys
import unittest
import urllib.error
import urllib.request

import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import Broker, until  # noqa: E402


class Client:
    """A client at "/", which keeps what it hears."""

    def __init__(self, broker, **options):
        self.heard, self.sio = [], socketio.Client(reconnection=False)
        self.sio.on("*", lambda event, *data: self.heard.append((event, *data)))
        self.sio.connect(broker.url, **options)

    def call(self, event, *data):
        return self.sio.call(event, *data, timeout=20)

    def hears(self, event, test=lambda data: True):
        return until(lambda: next((each[1] for each in list(self.heard) if each[0] == event and test(each[1])), None),
                     f"event {event}")


class Tickets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(app="tickets")

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    def open(self, **options):
        client = Client(self.broker, **options)
        self.addCleanup(client.sio.disconnect)
        return client

    def request(self, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.broker.url + path, data, method=method, headers={
            "content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def take(self, service, user="user123"):
        status, ticket = self.request("POST", "/tickets", {"serviceType": service, "userId": user})
        self.assertEqual(status, 201, ticket)
        return ticket

    def test_client_is_greeted_and_joins_rooms_over_each_transport(self):
        for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
            client = self.open(transports=transports)
            greeting = client.hears("connected")
            self.assertEqual(greeting["socketId"], client.sio.get_sid())
            self.assertGreater(greeting["clientId"], 0)
            for event, data, room in (
                    ("joinDashboard", {"userRole": "admin", "userId": "user123"}, "dashboard"),
                    ("joinServiceQueue", {"serviceType": "Finance"}, "service-Finance"),
                    ("joinCounter", {"counterId": "counter-5"}, "counter-counter-5"),
                    ("joinUserRoom", {"userId": "user-123"}, "user-user-123"),
                    ("leaveRoom", {"room": "service-Finance"}, "service-Finance")):
                self.assertEqual(client.call(event, data), {"success": True, "room": room})
            self.assertEqual(client.call("ping"), "pong")
            client.hears("staffConnectionUpdate", lambda data: data["clientId"] == greeting["clientId"])
            client.hears("loadBalancingMetrics", lambda data: "services" in data and "counters" in data)

    def test_bad_payload_is_refused_with_the_name_of_its_field(self):
        client = self.open()
        for event, data, field in (
                ("joinDashboard", {"userRole": 1}, "userRole"), ("joinServiceQueue", {}, "serviceType"),
                ("joinCounter", {"counterId": []}, "counterId"), ("joinUserRoom", None, "joinUserRoom"),
                ("leaveRoom", {"room": ""}, "room"), ("clientInfo", {"language": 1}, "language"),
                ("clientError", {}, "message")):
            answer = client.call(event, data)
            self.assertFalse(answer["success"])
            self.assertIn(field, answer["error"])
        self.assertFalse(client.call("joinDashboard", {"userRole": "visitor", "userId": "u"})["success"])

    def test_owner_follows_a_ticket_to_its_end(self):
        owner, staff = self.open(), self.open()
        owner.call("joinUserRoom", {"userId": "owner"})
        staff.call("joinDashboard", {"userRole": "admin", "userId": "boss"})
        ticket = self.take("Passports", "owner")
        path = f"/tickets/{ticket['ticketId']}"
        self.assertEqual(self.request("POST", f"{path}/serve", {"counterId": "counter-1"})[0], 200)
        self.assertEqual(self.request("POST", f"{path}/serve", {"counterId": "counter-2"})[0], 409)
        self.assertEqual(self.request("POST", f"{path}/complete", {})[0], 200)
        for client in (owner, staff):
            for event, status in (("ticketCreated", "waiting"), ("ticketServing", "serving"),
                                  ("ticketCompleted", "completed")):
                seen = client.hears(event, lambda data: data["ticketId"] == ticket["ticketId"])
                self.assertEqual(seen["status"], status)
        staff.hears("counterStatusChange", lambda data: data["counterId"] == "counter-1")
        staff.hears("queueUpdated", lambda data: data["serviceType"] == "Passports")

    def test_staff_list_clients_and_others_do_not(self):
        client = self.open()
        client.sio.emit("clientInfo", {"userAgent": "python", "language": "en-US", "timezone": "Africa/Nairobi"})
        client.call("ping")
        self.assertEqual(self.request("GET", "/clients")[0], 401)
        self.assertEqual(self.request("GET", "/clients", x_user_role="visitor")[0], 403)
        status, answer = self.request("GET", "/clients", x_user_role="admin")
        self.assertEqual(status, 200)
        mine = next(each for each in answer["clients"] if each["id"] == client.sio.get_sid())
        self.assertEqual((mine["userAgent"], mine["timezone"]), ("python", "Africa/Nairobi"))


if __name__ == "__main__":
    unittest.main()
