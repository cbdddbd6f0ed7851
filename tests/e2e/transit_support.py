"""A broker that runs scripts/transit, and services that speak its messages with python-socketio."""

import asyncio
import contextlib
import datetime
import itertools
import os
import pathlib
import re
import signal
import tempfile

import socketio

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("MOONWIRE_BINARY", ROOT / "build/moonwire")).resolve()
# Generous: a deadline costs only when a test fails, and sanitizers on a busy machine are slow.
DEADLINE = int(os.environ.get("MOONWIRE_TEST_DEADLINE_MS", 20000)) / 1000
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")

DEPOT, ROUTE = "/depot-reservoir", "/route-reservoir"
VEHICLES, SYSTEM = "/vehicle-events", "/system-events"
NAMESPACES = [DEPOT, ROUTE, VEHICLES, SYSTEM]

_numbers = itertools.count(1)


async def until(probe, what):
    """The first true value of `probe()`."""
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


class Broker:
    """A broker process of one's own on a free port."""

    def __init__(self, folder, settings=None, env=None):
        self.folder, self.settings, self.env = folder, settings or {}, env or {}
        self.log = ""

    async def __aenter__(self):
        arguments = ["run", str(self.folder), "--port", "0", "--host", "127.0.0.1"]
        for key, value in self.settings.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ["--set", f"{key}={text}"]
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("MOONWIRE_", "SOCKETIO_"))}
        self.process = await asyncio.create_subprocess_exec(
            str(BINARY), *arguments, env={**environment, **self.env},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        self.reader = asyncio.create_task(self._read_log())
        line = await asyncio.wait_for(self.process.stdout.readline(), DEADLINE)
        found = re.match(r"listening on (http://\S+)", line.decode())
        if not found:
            await self.reader
            raise AssertionError(f"the broker did not start:\n{self.log}")
        self.url = found[1]
        return self

    async def _read_log(self):
        while chunk := await self.process.stderr.read(65536):
            self.log += chunk.decode()

    async def logged(self, pattern):
        await until(lambda: re.search(pattern, self.log), f"log {pattern}:\n{self.log}")

    async def reload(self):
        before = self.log.count("scripts reloaded")
        self.process.send_signal(signal.SIGHUP)
        await until(lambda: self.log.count("scripts reloaded") > before, f"reload\n{self.log}")

    async def __aexit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(self.process.wait(), DEADLINE)
        except asyncio.TimeoutError:
            self.process.kill()
            raise
        await self.reader
        if kind is None:
            errors = [line for line in self.log.splitlines() if re.match(r"\S+ error ", line)]
            assert code == 0 and not errors and not SANITIZER.search(self.log), \
                f"exit {code}, log:\n{self.log}"


@contextlib.contextmanager
def app_folder(spawner):
    """A copy of scripts/transit whose [settings.spawner] begins with `spawner`."""
    with tempfile.TemporaryDirectory(prefix="moonwire-transit-") as name:
        folder = pathlib.Path(name) / "transit"
        for path in (ROOT / "scripts/transit").rglob("*"):
            if path.suffix in (".lua", ".toml"):
                copy = folder / path.relative_to(ROOT / "scripts/transit")
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(path.read_text())
        toml = folder / "moonwire.toml"
        toml.write_text(re.sub(r"(?m)^\[settings\.spawner\]\n.*\n", f"[settings.spawner]\n{spawner}\n",
                               toml.read_text()))
        yield folder


@contextlib.asynccontextmanager
async def broker(settings=None, env=None, spawner="enabled = false"):
    """A broker over a copy of the app."""
    with app_folder(spawner) as folder:
        async with Broker(folder, settings, env) as started:
            yield started


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
