"""python-socketio over TLS."""

import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest

import aiohttp
import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import DEADLINE, Broker  # noqa: E402


class Tls(unittest.IsolatedAsyncioTestCase):
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

    # The asyncio client: before Python 3.13.1 the one with threads reads and writes one TLS
    # connection at a time from two, and now and then loses it (github.com/python/cpython/issues/124984).
    async def test_every_transport_connects_and_calls(self):
        trusted = ssl.create_default_context(cafile=self.certificate)
        for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
            with self.subTest(transports=transports):
                session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
                client = socketio.AsyncClient(reconnection=False, http_session=session)
                await client.connect(self.broker.url, transports=transports, wait_timeout=DEADLINE)
                self.assertEqual(client.transport(), transports[-1])
                self.assertEqual((await client.call("who"))["id"], client.get_sid())
                await client.disconnect()
                await session.close()


if __name__ == "__main__":
    unittest.main()
