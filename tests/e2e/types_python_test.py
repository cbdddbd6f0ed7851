"""`moonwire types --format python`: the transit app's wrappers pass mypy --strict and speak to a live
broker: acknowledgements, correlationId, refusals, reconnection and statistics."""

import asyncio
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib.broker import BINARY, DEADLINE  # noqa: E402
from transit_support import APP, running, until  # noqa: E402

WRONG = """
import transit_client as c
async def wrong(depot: c.DepotReservoir) -> None:
    await depot.emit_commuter_spawned({"commuter": "C1"})
    await depot.emit_commuter_picked_up({"commuter_id": 1, "vehicle_id": "V"})
    answer = await depot.request_vehicle_query_commuters(
        {"vehicle_id": "V", "seats": 1}, c.DepotReservoir.VEHICLE_COMMUTERS_FOUND)
    answer["data"]["comuters"]
"""


class TypesPythonTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="moonwire-types-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.file = pathlib.Path(cls.folder.name) / "transit_client.py"
        subprocess.run([BINARY, "types", APP, "--format", "python", "--output", cls.file],
                       check=True, timeout=60)
        spec = importlib.util.spec_from_file_location("transit_client", cls.file)
        cls.client = importlib.util.module_from_spec(spec)
        sys.modules["transit_client"] = cls.client
        cls.addClassCleanup(sys.modules.pop, "transit_client")
        spec.loader.exec_module(cls.client)

    def mypy(self, file):
        return subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", file],
                              cwd=self.folder.name, capture_output=True, text=True, timeout=300)

    def connection(self, broker, name, **options):
        return self.client.Connection(broker.url, auth={"service_type": "test", "service_id": name},
                                      source=name, **options)

    def test_the_types_hold_and_refuse_what_is_wrong(self):
        good = self.mypy(self.file)
        self.assertEqual(good.returncode, 0, good.stdout)
        wrong = pathlib.Path(self.folder.name) / "wrong.py"
        wrong.write_text(WRONG)
        bad = self.mypy(wrong)
        for line in (4, 5, 8):
            self.assertRegex(bad.stdout, rf"wrong\.py:{line}: error: ")

    async def test_acknowledgements_correlation_and_statistics(self):
        c = self.client
        async with running() as broker:
            bus, watcher = self.connection(broker, "bus-7"), self.connection(broker, "watcher")
            depot, seen = c.DepotReservoir(bus), c.DepotReservoir(watcher)
            system = c.SystemEvents(bus)
            heard = []
            seen.on_commuter_spawned(lambda message: heard.append(message["data"]["commuter_id"]))
            async with bus, watcher:
                passed = await depot.call_commuter_spawned({"commuter_id": "C1", "depot_id": "D1"})
                self.assertTrue(passed["ok"])
                await until(lambda: heard == ["C1"], "the watcher hears of the commuter")
                query = {"vehicle_id": "bus-7", "depot_id": "D1", "seats": 4}
                found = await depot.request_vehicle_query_commuters(
                    query, c.DepotReservoir.VEHICLE_COMMUTERS_FOUND, timeout=DEADLINE)
                self.assertEqual([each["commuter_id"] for each in found["data"]["commuters"]], ["C1"])
                answer = await depot.call_vehicle_query_commuters(query, timeout=DEADLINE)
                self.assertEqual(answer["data"]["count"], 1)
                health = await system.request_system_health_check(
                    {}, c.SystemEvents.SYSTEM_HEALTH_CHECK, timeout=DEADLINE)
                self.assertEqual(health["data"]["status"], "healthy")
                await depot.emit_commuter_picked_up({"commuter_id": "C1", "vehicle_id": "bus-7"},
                                                    correlation_id="req_1")
                with self.assertRaises(c.Refused) as refused:
                    await depot.call_commuter_picked_up({"commuter_id": "C1", "vehicle_id": "bus-8"})
                self.assertEqual(refused.exception.code, "already_picked_up")
                statistics = depot.statistics
                self.assertTrue(statistics.connected)
                # Spawned, twice the query, twice the boarding; answers and the refusal's own event.
                self.assertEqual(statistics.sent, 5)
                self.assertEqual(statistics.answers, 4)
                self.assertGreaterEqual(statistics.received, 2)
                self.assertGreaterEqual(statistics.errors, 1)
                self.assertEqual(statistics.timeouts, 0)
                self.assertLessEqual(statistics.latency, statistics.latency_max)
            self.assertFalse(statistics.connected)

    async def test_a_refusal_and_a_timeout_end_a_request(self):
        c = self.client
        async with running() as broker:
            bus = self.connection(broker, "bus-7")
            depot = c.DepotReservoir(bus)
            async with bus:
                with self.assertRaises(c.Refused) as refused:
                    await depot.request_vehicle_query_commuters(
                        {"vehicle_id": "bus-7", "seats": 0},
                        c.DepotReservoir.VEHICLE_COMMUTERS_FOUND, timeout=DEADLINE)
                self.assertEqual(refused.exception.error["field"], "data.seats")
                with self.assertRaises(TimeoutError):
                    await depot.wait_for_response(
                        "nobody", c.DepotReservoir.VEHICLE_COMMUTERS_FOUND, timeout=0.01)
                self.assertEqual(depot.statistics.timeouts, 1)
                self.assertEqual(depot.statistics.errors, 1)

    async def test_comes_back_when_the_connection_is_lost(self):
        c = self.client
        async with running() as broker:
            bus = self.connection(broker, "bus-7", reconnection_delay=0.01)
            vehicles = c.VehicleEvents(bus)
            await bus.connect(transports=["websocket"])
            try:
                await bus.client.eio.ws.close()
                await until(lambda: vehicles.statistics.connects == 2, "a second connection")
                passed = await vehicles.call_vehicle_status_change(
                    {"vehicle_id": "V1", "status": "idle"}, timeout=DEADLINE)
                self.assertTrue(passed["ok"])
            finally:
                await bus.disconnect()


if __name__ == "__main__":
    unittest.main()
