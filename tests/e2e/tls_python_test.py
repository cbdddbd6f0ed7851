"""python-socketio over TLS."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import requests
import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import DEADLINE, Broker  # noqa: E402


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        certificate, key = (str(pathlib.Path(cls.folder.name, name)) for name in ("a.pem", "a.key"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate,
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, stderr=subprocess.DEVNULL)
        cls.certificate = certificate
        cls.broker = Broker(server__plain="false", server__tls__port=0,
                            server__tls__certificate=certificate, server__tls__key=key)

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()
        cls.folder.cleanup()

    def test_every_transport_connects_and_calls(self):
        for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
            with self.subTest(transports=transports), requests.Session() as session:
                session.trust_env = False  # a bundle named there would win
                session.verify = self.certificate
                client = socketio.Client(reconnection=False, http_session=session)
                client.connect(self.broker.url, transports=transports, wait_timeout=DEADLINE)
                self.assertEqual(client.transport(), transports[-1])
                self.assertEqual(client.call("who")["id"], client.get_sid())
                client.disconnect()


if __name__ == "__main__":
    unittest.main()
