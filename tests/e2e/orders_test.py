"""scripts/orders with python-socketio's threads client and urllib, written from the document alone."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import sys
import time
import unittest
import urllib.error
import urllib.request

import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import Broker, until  # noqa: E402

SECRET = "your-secret-key-of-thirty-two-bytes"
NSP = "/events"
SHOP = {"latitude": 52.52, "longitude": 13.405}


def sign(party, seconds=3600):
    """A token by HS256, by hand."""
    def encode(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    kind, sub = party.split(":")
    claims = {"sub": sub, "userType": kind, "email": "x@example.com", "exp": int(time.time() + seconds)}
    body = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
    return (body + b"." + encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest())).decode()


class Client:
    """A user's client, which keeps what it hears. python-socketio acknowledges by itself."""

    def __init__(self, broker, token, by_query=False):
        self.heard, self.sio = [], socketio.Client(reconnection=False)
        self.sio.on("*", lambda event, *data: self.heard.append((event, *data)), namespace=NSP)
        self.sio.on("disconnect", lambda *_: self.heard.append(("disconnect",)), namespace=NSP)
        url = f"{broker.url}?token={token}" if by_query else broker.url
        self.sio.connect(url, namespaces=[NSP], auth=None if by_query or token is None else {"token": token})

    def of(self, event):
        return [data[0] for name, *data in self.heard if name == event]

    def hears(self, event, count=1):
        return until(lambda: len(self.of(event)) >= count and self.of(event), event)

    def call(self, event, data):
        return self.sio.call(event, data, namespace=NSP)


class OrdersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["JWT_SECRET"] = SECRET
        cls.broker = Broker(app="orders")

    @classmethod
    def tearDownClass(cls):
        del os.environ["JWT_SECRET"]
        cls.broker.stop()

    def join(self, party):
        client = Client(self.broker, sign(party))
        self.addCleanup(client.sio.disconnect)
        kind, sub = party.split(":")
        self.assertEqual(client.hears("connected"), [{"userId": sub, "userType": kind}])
        return client

    def ask(self, party, method, path, body=None):
        request = urllib.request.Request(
            f"{self.broker.url}/api/v1{path}", method=method, data=body and json.dumps(body).encode(),
            headers={"authorization": f"Bearer {sign(party)}", "content-type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def order(self):
        return self.ask("admin:0", "POST", "/orders", {"customerId": "1", "merchantId": "2", "pickup": SHOP})

    def test_who_has_no_good_token_is_told_and_put_out(self):
        for token, message in [(None, "Authentication required"), ("nonsense", "Invalid authentication token"),
                               (sign("driver:1", -5), "Invalid authentication token")]:
            client = Client(self.broker, token)
            until(lambda: ("disconnect",) in client.heard, "the disconnect")
            self.assertEqual(client.heard, [("error", {"message": message}), ("disconnect",)])

    def test_the_token_may_be_in_the_query(self):
        client = Client(self.broker, sign("driver:123"), by_query=True)
        self.addCleanup(client.sio.disconnect)
        self.assertEqual(client.hears("connected"), [{"userId": "123", "userType": "driver"}])

    def test_an_order_is_told_to_its_parties(self):
        merchant, customer, driver = self.join("merchant:2"), self.join("customer:1"), self.join("driver:3")
        order = self.order()
        self.assertEqual(merchant.hears("order:created")[0]["orderNumber"], order["orderNumber"])
        self.ask("admin:0", "POST", f"/orders/{order['id']}/assign", {"driverId": "3"})
        self.assertEqual(driver.hears("order:assigned")[0]["orderId"], order["id"])
        self.assertEqual(customer.hears("driver:assigned")[0]["driver"]["id"], "3")
        for client in (merchant, customer, driver):
            change = client.hears("order:statusChanged")[0]
            self.assertEqual((change["previousStatus"], change["status"]), ("PENDING", "ASSIGNED_TO_DRIVER"))
        self.assertEqual(driver.call("subscribeToOrder", {"orderId": order["id"]})["success"], True)
        self.assertEqual(self.join("customer:9").call("subscribeToOrder", order["id"])["error"]["code"], "forbidden")
        answer = driver.call("driverLocationUpdate", {"driverId": "3", **SHOP, "orderId": order["id"]})
        self.assertEqual(answer["success"], True)
        self.assertEqual(customer.hears("driver:locationUpdate")[0]["latitude"], SHOP["latitude"])
        self.assertEqual(customer.call("driverLocationUpdate", SHOP)["error"]["message"], "Unauthorized")

    def test_what_a_user_misses_comes_once(self):
        for title in "abc":
            self.ask("admin:0", "POST", "/notifications",
                     {"userType": "driver", "userId": "8", "title": title, "message": "M"})
        driver = self.join("driver:8")
        self.assertEqual([each["title"] for each in driver.hears("notification", 3)], ["a", "b", "c"])

        def waiting():
            return self.ask("admin:0", "POST", "/notifications",
                            {"userType": "driver", "userId": "8", "title": "d", "message": "M"})["waiting"]
        until(lambda: waiting() <= 1, "acknowledgements")

    def test_a_path_needs_a_token(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{self.broker.url}/api/v1/orders")
        self.assertEqual(caught.exception.code, 401)
        caught.exception.close()


if __name__ == "__main__":
    unittest.main()
