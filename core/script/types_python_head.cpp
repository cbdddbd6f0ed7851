#include "core/script/types_python_head.hpp"

namespace moonwire::script {

const std::string_view kPythonHead = R"py("""Written by `moonwire types`; do not edit. Needs Python 3.11 and python-socketio[asyncio_client]."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import inspect
import random
import time
import typing as t
from datetime import datetime, timezone

import socketio  # type: ignore[import-untyped,unused-ignore]

_T = t.TypeVar("_T")


class Refused(Exception):
    """The broker refused an event: what its fail(code, message, data) or its error message said."""

    def __init__(self, error: t.Any) -> None:
        fields = error if isinstance(error, dict) else {}
        self.error = error
        self.code: t.Optional[str] = fields.get("code")
        self.message = str(fields.get("message", error))
        super().__init__(f"{self.code}: {self.message}" if self.code else self.message)


@dataclasses.dataclass(frozen=True)
class Event(t.Generic[_T]):
    """An event that the broker sends, with the type of its message."""

    name: str


@dataclasses.dataclass
class Statistics:
    """What went through a namespace since it was made; times are seconds."""

    sent: int = 0
    received: int = 0
    errors: int = 0
    timeouts: int = 0
    connects: int = 0
    connected_at: t.Optional[float] = None
    answers: int = 0
    latency: t.Optional[float] = None
    latency_max: float = 0.0
    latency_sum: float = 0.0

    @property
    def connected(self) -> bool:
        return self.connected_at is not None

    @property
    def uptime(self) -> float:
        return 0.0 if self.connected_at is None else time.monotonic() - self.connected_at

    @property
    def latency_mean(self) -> t.Optional[float]:
        return self.latency_sum / self.answers if self.answers else None

    def answered(self, seconds: float) -> None:
        self.answers += 1
        self.latency = seconds
        self.latency_sum += seconds
        self.latency_max = max(self.latency_max, seconds)


class Connection:
    """A connection to the broker, for the namespaces that are made on it before `connect`.

    One that is lost is made again, without end, after 1 s and then later, up to 5 s. `source` is who
    sends, in messages that say so; `options` are socketio.AsyncClient's.
    """

    def __init__(self, url: str, *, auth: t.Any = None, source: str = "client",
                 **options: t.Any) -> None:
        self.url, self.auth, self.source = url, auth, source
        self.namespaces: dict[str, Namespace] = {}
        self.client: t.Any = socketio.AsyncClient(**{
            "reconnection": True, "reconnection_attempts": 0, "reconnection_delay": 1,
            "reconnection_delay_max": 5, **options})

    async def connect(self, **options: t.Any) -> None:
        await self.client.connect(self.url, auth=self.auth, namespaces=list(self.namespaces),
                                  **options)

    async def disconnect(self) -> None:
        await self.client.disconnect()

    async def __aenter__(self) -> Connection:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()


class Namespace:
    """What all namespaces have in common: events by name, their acknowledgements, statistics."""

    def __init__(self, connection: Connection, name: str) -> None:
        if name in connection.namespaces:
            raise ValueError(f"the connection has a namespace {name} already")
        self.connection, self.name, self.statistics = connection, name, Statistics()
        self._handlers: dict[str, list[tuple[t.Callable[..., t.Any], int]]] = {}
        self._waiting: dict[str, tuple[str, asyncio.Future[t.Any]]] = {}
        self._recent: collections.deque[tuple[str, str, t.Any]] = collections.deque(maxlen=1000)
        connection.namespaces[name] = self
        connection.client.on("connect", self._connected, namespace=name)
        connection.client.on("disconnect", self._disconnected, namespace=name)
        connection.client.on("*", self._received, namespace=name)

    async def emit(self, event: str, *args: t.Any) -> None:
        try:
            await self.connection.client.emit(event, args, namespace=self.name)
        except Exception:
            self.statistics.errors += 1
            raise
        self.statistics.sent += 1

    async def call(self, event: str, *args: t.Any, timeout: float = 5.0) -> t.Any:
        """Emits and returns the acknowledgement; raises Refused or TimeoutError."""
        began = time.monotonic()
        try:
            self.statistics.sent += 1
            answer = await self.connection.client.call(event, args, namespace=self.name,
                                                       timeout=timeout)
        except socketio.exceptions.TimeoutError:
            self.statistics.timeouts += 1
            raise TimeoutError(f"no acknowledgement of {event} within {timeout} s") from None
        except Exception:
            self.statistics.errors += 1
            raise
        self.statistics.answered(time.monotonic() - began)
        if isinstance(answer, dict) and list(answer) == ["error"]:
            self.statistics.errors += 1
            raise Refused(answer["error"])
        return answer

    async def wait_for_response(self, correlation_id: str, answer: Event[_T],
                                timeout: float = 5.0) -> _T:
        """The message `answer` with this correlationId, which may have come already."""
        for correlation, event, message in self._recent:
            if correlation == correlation_id and event == answer.name:
                return t.cast(_T, message)
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = (answer.name, future)
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            self.statistics.timeouts += 1
            raise TimeoutError(f"no {answer.name} to {correlation_id} within {timeout} s") from None
        finally:
            del self._waiting[correlation_id]

    async def _request(self, event: str, message: dict[str, t.Any], answer: Event[_T],
                       timeout: float) -> _T:
        began = time.monotonic()
        waiting = asyncio.ensure_future(
            self.wait_for_response(message["correlationId"], answer, timeout))
        await asyncio.sleep(0)  # so that it waits before the answer can come
        try:
            await self.emit(event, message)
        except BaseException:
            waiting.cancel()
            raise
        found = await waiting
        self.statistics.answered(time.monotonic() - began)
        return found

    def _message(self, event: str, data: t.Any, target: t.Any, correlation_id: t.Optional[str],
                 metadata: t.Any) -> dict[str, t.Any]:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        message = {"id": _new_id("msg"), "type": event, "timestamp": now.replace("+00:00", "Z"),
                   "source": self.connection.source, "data": data}
        for name, value in (("target", target), ("correlationId", correlation_id),
                            ("metadata", metadata)):
            if value is not None:
                message[name] = value
        return message

    def _on(self, event: str, handler: t.Callable[..., t.Any], arguments: int) -> None:
        self._handlers.setdefault(event, []).append((handler, arguments))

    async def _connected(self) -> None:
        self.statistics.connects += 1
        self.statistics.connected_at = time.monotonic()

    async def _disconnected(self, *_: t.Any) -> None:
        self.statistics.connected_at = None

    async def _received(self, event: str, *args: t.Any) -> t.Any:
        self.statistics.received += 1
        is_error = event == "error" or event.endswith(":error")
        if is_error:
            self.statistics.errors += 1
        if args and isinstance(args[0], dict) and isinstance(args[0].get("correlationId"), str):
            self._correlated(event, args[0], is_error)
        answer = None
        for handler, count in self._handlers.get(event, []):
            answer = handler(*(args + (None,) * count)[:count])
            if inspect.isawaitable(answer):
                answer = await answer
        return answer

    def _correlated(self, event: str, message: dict[str, t.Any], is_error: bool) -> None:
        correlation = message["correlationId"]
        self._recent.append((correlation, event, message))
        wanted, future = self._waiting.get(correlation, (None, None))
        if future is None or future.done():
            return
        if event == wanted:
            future.set_result(message)
        elif is_error:
            future.set_exception(Refused(message.get("data")))


def _new_id(kind: str) -> str:
    return f"{kind}_{time.time_ns() // 1_000_000}_{random.randrange(1 << 24):06x}"


def _given(*args: t.Any) -> tuple[t.Any, ...]:
    """Without those left out at the end."""
    count = len(args)
    while count > 0 and args[count - 1] is None:
        count -= 1
    return args[:count]
)py";

}  // namespace moonwire::script
