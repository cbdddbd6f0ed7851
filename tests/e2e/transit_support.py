"""A broker that runs scripts/transit, and services that speak its messages with python-socketio."""

import asyncio
import contextlib
import datetime
import itertools
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import unittest
import unittest.mock

import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import APPS, DEADLINE, ROOT, Broker  # noqa: E402

APP = APPS / "transit"
DEPOT, ROUTE = "/depot-reservoir", "/route-reservoir"
VEHICLES, SYSTEM = "/vehicle-events", "/system-events"
NAMESPACES = [DEPOT, ROUTE, VEHICLES, SYSTEM]

_numbers = itertools.count(1)


async def until(probe, what):
    """The first true value of `probe()`, which may be a coroutine."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE
    while True:
        value = probe()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if loop.time() > deadline:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        await asyncio.sleep(0.005)


async def logged(broker, pattern):
    await until(lambda: re.search(pattern, broker.log()), f"log {pattern}")


async def reload(broker):
    before = broker.log().count("scripts reloaded")
    broker.process.send_signal(signal.SIGHUP)
    await until(lambda: broker.log().count("scripts reloaded") > before, "reload")


@contextlib.asynccontextmanager
async def running(settings=None, env=None, spawner=None, app="transit"):
    """A broker over the app (or, if empty, all of them), with --set pairs, variables, or another
    table [settings.spawner]."""
    texts = {key: str(value).lower() if isinstance(value, bool) else value
             for key, value in (settings or {}).items()}
    surroundings = {name: value for name, value in os.environ.items()
                    if not name.startswith("SOCKETIO_")}
    with tempfile.TemporaryDirectory(prefix="moonwire-transit-") as folder:
        scripts = APPS
        if spawner is not None:
            scripts = shutil.copytree(APPS, folder, dirs_exist_ok=True)
            toml = pathlib.Path(scripts) / "transit/moonwire.toml"
            toml.write_text(re.sub(r"(?ms)^\[settings\.spawner\].*", f"[settings.spawner]\n{spawner}\n",
                                   toml.read_text()))
        with unittest.mock.patch.dict(os.environ, {**surroundings, **(env or {})}, clear=True):
            broker = Broker(scripts, app=app, **texts)
    try:
        yield broker
    except BaseException:
        broker.discard()
        raise
    await asyncio.to_thread(broker.stop)


def envelope(event, data, **fields):
    """A message as the document's client makes it; a field of None is null."""
    number = next(_numbers)
    return {
        "id": f"msg_{number}", "type": event, "source": "test-service", "data": data,
        "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(), **fields,
    }


class Service:
    """A client in one or more namespaces that keeps what it receives until it is asked for."""

    def __init__(self):
        self.client = socketio.AsyncClient(reconnection=False)
        self.inbox = []
        self.refusals = {}
        self.sent = self.received = 0

    @classmethod
    async def open(cls, url, *namespaces, auth=None, transports=("websocket",)):
        self = cls()
        for namespace in namespaces:
            self._listen(namespace)
        try:
            await self.client.connect(url, namespaces=list(namespaces), auth=auth,
                                      transports=list(transports), wait_timeout=DEADLINE)
        except socketio.exceptions.ConnectionError:
            if not self.refusals:
                raise
        self.default = namespaces[0]
        return self

    def _listen(self, namespace):
        async def take(event, *data):
            self.received += 1
            self.inbox.append((namespace, event, data[0] if data else None))

        async def refused(data):
            self.refusals[namespace] = data

        self.client.on("*", take, namespace=namespace)
        self.client.on("connect_error", refused, namespace=namespace)

    def sid(self, namespace=None):
        return self.client.get_sid(namespace or self.default)

    async def emit(self, event, payload, namespace=None):
        """Anything at all."""
        self.sent += 1
        await self.client.emit(event, payload, namespace=namespace or self.default)

    async def send(self, event, data, namespace=None, **fields):
        """A message; returns it."""
        message = envelope(event, data, **fields)
        await self.emit(event, message, namespace)
        return message

    async def call(self, event, data, namespace=None, **fields):
        """A message whose acknowledgement is waited for."""
        return await self.call_raw(event, envelope(event, data, **fields), namespace)

    async def call_raw(self, event, payload, namespace=None):
        self.sent += 1
        return await self.client.call(event, payload, namespace=namespace or self.default,
                                      timeout=DEADLINE)

    def _find(self, event, namespace, where):
        for entry in self.inbox:
            if entry[0] == namespace and entry[1] == event and where(entry[2]):
                return entry
        return None

    async def expect(self, event, namespace=None, where=lambda message: True):
        """The first message of the kind, which is taken out."""
        namespace = namespace or self.default
        try:
            entry = await until(lambda: self._find(event, namespace, where), f"{event} in {namespace}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there is: {self.inbox}") from None
        self.inbox.remove(entry)
        return entry[2]

    def seen(self, event, namespace=None):
        namespace = namespace or self.default
        return [data for nsp, name, data in self.inbox if nsp == namespace and name == event]

    async def settle(self, other, namespace=None):
        """Everything that `other` has sent before has reached this service, if it ever will."""
        namespace = namespace or self.default
        marker = {DEPOT: "vehicle:commuters_found", ROUTE: "vehicle:commuters_found",
                  SYSTEM: "system:health_check", VEHICLES: "vehicle:capacity_update"}[namespace]
        data = {"commuters": [], "status": "fence", "vehicle_id": "fence", "available_seats": 0}
        sent = await other.send(marker, data, namespace, target=self.sid(namespace))
        await self.expect(marker, namespace, lambda message: message["id"] == sent["id"])

    async def close(self):
        await self.client.disconnect()


def point(lat, lon):
    return {"lat": lat, "lon": lon}


def commuter(name, lat=40.7128, lon=-74.006, **fields):
    """The document's example, under a name of its own."""
    return {
        "commuter_id": name, "current_location": point(lat, lon),
        "destination": point(40.7589, -73.9851), "direction": "outbound", "priority": 3,
        "max_walking_distance": 500, **fields,
    }


class QuietCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().slow_callback_duration = DEADLINE  # machines are busy at times


class TransitCase(QuietCase):
    """Each test has a broker of its own."""

    settings = {}

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.broker = await self.enterAsyncContext(running(self.settings))

    async def open(self, *namespaces, auth=None, **options):
        service = await Service.open(self.broker.url, *namespaces, auth=auth, **options)
        self.addAsyncCleanup(service.close)
        return service

    async def health(self, service):
        await service.send("system:health_check", {}, SYSTEM)
        return (await service.expect("system:health_check", SYSTEM))["data"]

    async def found(self, vehicle, data, namespace=None):
        """The ids that a query finds, in order."""
        answer = await vehicle.call("vehicle:query_commuters", data, namespace)
        self.assertNotIn("error", answer)
        return [each["commuter_id"] for each in answer["data"]["commuters"]]

    async def refused(self, service, event, data, code, field=None, namespace=None, **fields):
        """The message is refused, both ways; returns the refusal."""
        message = envelope(event, data, **fields)
        answer = await service.call_raw(event, message, namespace)
        self.assertEqual(answer.get("error", {}).get("code"), code, answer)
        self.assertEqual(answer["error"].get("field"), field)
        self.assertTrue(answer["error"]["message"])
        told = await service.expect("system:error", namespace)
        self.assertEqual(told["data"], answer["error"])
        return answer["error"]
