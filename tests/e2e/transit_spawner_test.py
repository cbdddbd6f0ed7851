"""scripts/transit by python-socketio: arrivals that nobody sent."""

import unittest

from transit_support import (DEPOT, ROUTE, SYSTEM, QuietCase, Service, logged, reload, running,
                             until)

SPAWNER = """
enabled = true
time_scale = 7200  # an hour in half a second
tick_seconds = 0.02
start_hour = 7

[[settings.spawner.depots]]
id = "D"
lat = 40.7128
lon = -74.006
per_hour = 120
route_ids = ["1A", "1B"]

[[settings.spawner.routes]]
id = "1A"
per_hour = 60
inbound = 0.3
path = [[40.7128, -74.006], [40.7306, -73.9866], [40.7589, -73.9851]]
"""


def number_of(message):
    return int(message["data"]["commuter_id"].split("-")[-1])


class Spawner(QuietCase):
    async def arrivals(self, seed):
        """The data of the arrivals of each kind up to number 500, {number: data}, from when somebody
        listened on."""
        settings = {"settings.depot.queue_limit": 20000, "settings.spawner.seed": seed}
        async with running(settings, spawner=SPAWNER) as started:
            service = await Service.open(started.url, DEPOT, ROUTE)
            arrived = {}
            for namespace in (DEPOT, ROUTE):
                await service.expect("commuter:spawned", namespace, lambda m: number_of(m) > 500)
                arrived[namespace] = {number_of(message): message["data"] for message in
                                      service.seen("commuter:spawned", namespace)
                                      if number_of(message) <= 500}
            await service.close()
            return arrived

    async def test_it_is_off_by_default(self):
        async with running(spawner=SPAWNER.replace("enabled = true", "")) as started:
            service = await Service.open(started.url, SYSTEM)
            await service.send("system:health_check", {})
            report = (await service.expect("system:health_check"))["data"]
            self.assertEqual(report["reservoirs"]["depot"]["waiting"], 0)
            await service.close()

    async def test_a_seed_makes_runs_repeat(self):
        first, second, other = [await self.arrivals(seed) for seed in (1, 1, 2)]
        for namespace in (DEPOT, ROUTE):
            common = first[namespace].keys() & second[namespace].keys() & other[namespace].keys()
            self.assertGreater(len(common), 50)
            one, same, different = [[run[namespace][number] for number in sorted(common)]
                                    for run in (first, second, other)]
            self.assertEqual(one, same)
            self.assertNotEqual(one, different)
        depot, route = [list(first[namespace].values()) for namespace in (DEPOT, ROUTE)]
        self.assertEqual({each["route_id"] for each in depot}, {"1A", "1B"})
        self.assertEqual({each["direction"] for each in depot}, {"outbound"})
        self.assertEqual({each["direction"] for each in route}, {"outbound", "inbound"})

    async def test_arrivals_are_messages_that_a_vehicle_finds(self):
        async with running(spawner=SPAWNER) as started:
            service = await Service.open(started.url, DEPOT, ROUTE)
            for namespace in (DEPOT, ROUTE):
                message = await service.expect("commuter:spawned", namespace)
                self.assertEqual((message["type"], message["source"]), ("commuter:spawned", "moonwire"))
                data = message["data"]
                answer = await service.call("vehicle:query_commuters", {
                    "vehicle_id": "V", "depot_id": "D", "seats": 200,
                    "position": data["current_location"]}, namespace)
                found = {each["commuter_id"]: each for each in answer["data"]["commuters"]}
                found[data["commuter_id"]].pop("distance", None)
                self.assertEqual(found[data["commuter_id"]], data)
            await service.close()

    async def test_the_rate_follows_the_hour(self):
        # Five times 120 an hour from 8 to 9, nobody else all day, which lasts 12 s here.
        profile = ", ".join("5" if hour == 8 else "0" for hour in range(24))
        async with running({"settings.depot.queue_limit": 5000},
                           spawner=f"profile = [{profile}]\n{SPAWNER}") as started:
            service = await Service.open(started.url, DEPOT, SYSTEM)

            async def ten_o_clock():
                await service.send("system:health_check", {}, SYSTEM)
                report = await service.expect("system:health_check", SYSTEM)
                return report["data"]["uptime_seconds"] > 1.5 and report["data"]
            waiting = (await until(ten_o_clock, "ten o'clock"))["reservoirs"]["depot"]["waiting"]
            self.assertGreater(waiting, 600 - 5 * 600 ** 0.5)
            self.assertLess(waiting, 600 + 5 * 600 ** 0.5)
            await service.close()

    async def test_a_reload_goes_on_where_it_was(self):
        async with running(spawner=SPAWNER) as started:
            service = await Service.open(started.url, DEPOT)
            await service.expect("commuter:spawned")
            await reload(started)
            last = service.received
            await until(lambda: service.received > last + 10, "more arrivals")
            numbers = [number_of(message) for message in service.seen("commuter:spawned")]
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
            await service.close()

    async def test_a_full_depot_turns_arrivals_away(self):
        async with running({"settings.depot.queue_limit": 5}, spawner=SPAWNER) as started:
            await logged(started, "turned away.*queue_full")

    async def test_a_bad_source_is_an_error_at_load(self):
        with self.assertRaisesRegex(AssertionError, r"spawner\.routes\[0\]\.per_hour must be at least 0"):
            async with running(spawner=SPAWNER.replace("per_hour = 60", "per_hour = -1")):
                pass


if __name__ == "__main__":
    unittest.main()
