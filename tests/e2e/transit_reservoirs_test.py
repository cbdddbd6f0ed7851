"""scripts/transit by python-socketio: the depot and route reservoirs."""

import asyncio
import math
import random
import unittest

from transit_support import (DEPOT, ROUTE, SYSTEM, TransitCase, commuter, point, until)


EARTH_RADIUS = 6371008.8


def haversine(lat1, lon1, lat2, lon2):
    a = (math.sin(math.radians(lat2 - lat1) / 2) ** 2 + math.cos(math.radians(lat1)) *
         math.cos(math.radians(lat2)) * math.sin(math.radians(lon2 - lon1) / 2) ** 2)
    return 2 * EARTH_RADIUS * math.asin(min(1, math.sqrt(a)))


class Depots(TransitCase):
    settings = {"settings.depot.queue_limit": 20, "settings.reservoir.limit": 30}

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.service = await self.open(DEPOT)
        self.bus = await self.open(DEPOT)

    async def spawn(self, name, **fields):
        answer = await self.service.call("commuter:spawned", commuter(name, **fields))
        self.assertNotIn("error", answer)

    async def query(self, depot="D", seats=20, **fields):
        return await self.found(self.bus, {"vehicle_id": "V", "depot_id": depot, "seats": seats, **fields})

    async def test_priority_goes_first_then_who_came_first(self):
        for name, priority in [("a", 1), ("b", 3), ("c", 2), ("d", 3), ("e", 1), ("f", 2)]:
            await self.spawn(name, depot_id="D", priority=priority)
        self.assertEqual(await self.query(), ["b", "d", "c", "f", "a", "e"])
        self.assertEqual(await self.query(seats=2), ["b", "d"])

    async def test_the_answer_goes_to_the_asker_and_takes_nobody_away(self):
        await self.spawn("a", depot_id="D", note="keeps")
        self.bus.inbox.clear()
        await self.bus.send("vehicle:query_commuters", {"vehicle_id": "V", "depot_id": "D", "seats": 5},
                            correlationId="req_123")
        answer = await self.bus.expect("vehicle:commuters_found")
        self.assertEqual(answer["correlationId"], "req_123")
        data = answer["data"]
        self.assertEqual((data["vehicle_id"], data["depot_id"], data["count"]), ("V", "D", 1))
        self.assertEqual(data["commuters"], [commuter("a", depot_id="D", note="keeps")])
        await self.service.settle(self.bus)
        self.assertEqual(self.service.inbox, [])
        self.assertEqual(await self.query(), ["a"])

    async def test_depots_are_apart_and_there_is_a_default_one(self):
        await self.spawn("a", depot_id="D")
        await self.spawn("b", depot_id="E")
        await self.spawn("c")
        self.assertEqual(await self.query("D"), ["a"])
        self.assertEqual(await self.query("E"), ["b"])
        self.assertEqual(await self.query("F"), [])
        self.assertEqual(await self.found(self.bus, {"vehicle_id": "V", "seats": 5}), ["c"])
        await self.bus.send("vehicle:query_commuters", {"vehicle_id": "V", "depot_id": "F", "seats": 1})
        self.assertEqual((await self.bus.expect(
            "vehicle:commuters_found", where=lambda m: m["data"]["depot_id"] == "F"))["data"]["commuters"],
            [])

    async def test_a_route_and_a_direction_narrow_it(self):
        await self.spawn("any", depot_id="D")
        await self.spawn("a", depot_id="D", route_id="1A")
        await self.spawn("b", depot_id="D", route_id="1B")
        self.assertEqual(await self.query(route_id="1A"), ["any", "a"])
        self.assertEqual(await self.query(route_id="1B", seats=1), ["any"])
        self.assertEqual(await self.query(), ["any", "a", "b"])
        self.assertEqual(await self.query(direction="outbound", route_id=None), ["any", "a", "b"])
        self.assertEqual(await self.query(direction="inbound"), [])

    async def test_picking_up_takes_away_and_is_told_to_the_others(self):
        for name in "abc":
            await self.spawn(name, depot_id="D")
        answer = await self.bus.call("commuter:picked_up", {"commuter_id": "b", "vehicle_id": "V"})
        self.assertTrue(answer["ok"])
        self.assertEqual((await self.service.expect("commuter:picked_up"))["data"],
                         {"commuter_id": "b", "vehicle_id": "V"})
        self.assertEqual(await self.query(), ["a", "c"])

    async def test_of_two_vehicles_the_first_wins(self):
        await self.spawn("a", depot_id="D")
        await self.bus.call("commuter:picked_up", {"commuter_id": "a", "vehicle_id": "V1"})
        refusal = await self.refused(self.service, "commuter:picked_up",
                                     {"commuter_id": "a", "vehicle_id": "V2"},
                                     "already_picked_up", "data.commuter_id")
        self.assertEqual(refusal["vehicle_id"], "V1")
        self.assertEqual(len(self.service.seen("commuter:picked_up")), 1)
        await self.bus.settle(self.service)
        self.assertEqual(self.bus.seen("commuter:picked_up"), [])

    async def test_many_vehicles_at_once_each_commuter_goes_once(self):
        for number in range(20):
            await self.spawn(f"C{number}", depot_id="D")
        vehicles = [await self.open(DEPOT) for _ in range(5)]
        answers = await asyncio.gather(*[
            vehicle.call("commuter:picked_up", {"commuter_id": f"C{number}", "vehicle_id": f"V{v}"})
            for number in range(20) for v, vehicle in enumerate(vehicles)])
        self.assertEqual(sum(answer.get("ok", False) for answer in answers), 20)
        self.assertEqual({answer["error"]["code"] for answer in answers if "error" in answer},
                         {"already_picked_up"})
        self.assertEqual(await self.query(), [])

    async def test_an_unknown_commuter_is_a_clear_error(self):
        await self.refused(self.bus, "commuter:picked_up", {"commuter_id": "x", "vehicle_id": "V"},
                           "unknown_commuter", "data.commuter_id")

    async def test_nobody_waits_twice(self):
        await self.spawn("a", depot_id="D")
        await self.refused(self.service, "commuter:spawned", commuter("a", depot_id="E"),
                           "duplicate_commuter", "data.commuter_id")
        await self.bus.call("commuter:picked_up", {"commuter_id": "a", "vehicle_id": "V"})
        await self.refused(self.service, "commuter:spawned", commuter("a", depot_id="D"),
                           "already_picked_up", "data.commuter_id")

    async def test_a_full_queue_and_a_full_reservoir_say_so(self):
        for number in range(20):
            await self.spawn(f"D{number}", depot_id="D")
        await self.refused(self.service, "commuter:spawned", commuter("x", depot_id="D"),
                           "queue_full", "data.depot_id")
        for number in range(10):
            await self.spawn(f"E{number}", depot_id="E")
        await self.refused(self.service, "commuter:spawned", commuter("x", depot_id="E"),
                           "reservoir_full")
        await self.bus.call("commuter:picked_up", {"commuter_id": "D0", "vehicle_id": "V"})
        await self.spawn("x", depot_id="D")

    async def test_a_commuter_has_a_size(self):
        await self.refused(self.service, "commuter:spawned", commuter("a", note="x" * 3000),
                           "too_large", "data")

    async def test_what_could_not_be_sent_on_is_not_taken_in(self):
        deep = {}
        for _ in range(59):
            deep = {"a": deep}
        for namespace in (DEPOT, ROUTE):
            service = await self.open(namespace)
            for number, (extra, code) in enumerate([(deep, "invalid"), (b"\1\2", "invalid"),
                                                    ("ü" * 1500, "too_large"), ([[]], None)]):
                answer = await service.call("commuter:spawned", commuter(
                    f"C{number}", depot_id="D", extra=extra))
                self.assertEqual(answer.get("error", {}).get("code"), code, (number, answer))
            self.assertEqual(await self.found(service, {
                "vehicle_id": "V", "depot_id": "D", "seats": 9, "position": point(40.7128, -74.006)}),
                ["C3"])

    async def test_the_queue_stays_in_order_through_many_changes(self):
        order, chance = [], random.Random(5)
        for number in range(300):
            if order and (len(order) == 20 or chance.random() < 0.45):
                gone = chance.choice(order)
                await self.bus.call("commuter:picked_up", {"commuter_id": gone[2], "vehicle_id": "V"})
                order.remove(gone)
            else:
                priority = chance.randrange(4)
                await self.spawn(f"C{number}", depot_id="D", priority=priority)
                order.append((-priority, number, f"C{number}"))
        self.assertEqual(await self.query(), [name for _, _, name in sorted(order)])


class LowestPriorityFirst(TransitCase):
    settings = {"settings.depot.highest_priority_first": False}

    async def test_a_setting_turns_the_order_round(self):
        service = await self.open(DEPOT)
        for name, priority in [("a", 1), ("b", 3), ("c", 2), ("d", 1)]:
            await service.call("commuter:spawned", commuter(name, priority=priority))
        self.assertEqual(await self.found(service, {"vehicle_id": "V", "seats": 9}), ["a", "d", "c", "b"])


class Patience(TransitCase):
    settings = {"settings.reservoir.max_wait_minutes": 0.005, "settings.reservoir.sweep_seconds": 0.05}

    async def test_who_waits_too_long_gives_up(self):
        service = await self.open(DEPOT, ROUTE, SYSTEM)
        for namespace in (DEPOT, ROUTE):
            await service.call("commuter:spawned", commuter("C1"), namespace)

        async def gone():
            reservoirs = (await self.health(service))["reservoirs"]
            return all(reservoirs[kind]["expired"] == 1 and reservoirs[kind]["waiting"] == 0
                       for kind in ("depot", "route"))
        await until(gone, "commuters to give up")
        self.assertEqual(await self.found(service, {"vehicle_id": "V", "seats": 5}, DEPOT), [])
        self.assertEqual(await self.found(
            service, {"vehicle_id": "V", "position": point(40.7128, -74.006)}, ROUTE), [])
        await self.refused(service, "commuter:picked_up", {"commuter_id": "C1", "vehicle_id": "V"},
                           "unknown_commuter", "data.commuter_id", ROUTE)


class Routes(TransitCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.service = await self.open(ROUTE)
        self.bus = await self.open(ROUTE)

    async def spawn(self, name, **fields):
        answer = await self.service.call("commuter:spawned", commuter(name, **fields))
        self.assertNotIn("error", answer)

    async def query(self, lat=40.7128, lon=-74.006, **fields):
        return await self.found(self.bus, {"vehicle_id": "V", "position": point(lat, lon), **fields})

    async def test_the_nearest_first_with_their_distance(self):
        for name, lat in [("far", 40.7158), ("near", 40.7133), ("here", 40.7128), ("away", 40.8)]:
            await self.spawn(name, lat=lat)
        answer = await self.bus.call("vehicle:query_commuters",
                                     {"vehicle_id": "V", "position": point(40.7128, -74.006)})
        found = answer["data"]["commuters"]
        self.assertEqual([each["commuter_id"] for each in found], ["here", "near", "far"])
        for each in found:
            metres = haversine(40.7128, -74.006, each["current_location"]["lat"], -74.006)
            self.assertAlmostEqual(each.pop("distance"), metres, delta=0.06)
        self.assertEqual(found[1], commuter("near", lat=40.7133))

    async def test_both_the_radius_and_the_walking_distance_count(self):
        lat = 40.7128 + math.degrees(300 / EARTH_RADIUS)
        await self.spawn("walks", lat=lat, max_walking_distance=301)
        await self.spawn("stays", lat=lat, max_walking_distance=299)
        self.assertEqual(await self.query(radius=301), ["walks"])
        self.assertEqual(await self.query(radius=299), [])
        self.assertEqual(await self.query(radius=10000), ["walks"])
        self.assertEqual(await self.query(lat=lat, radius=0), ["stays", "walks"])

    async def test_direction_and_route_narrow_it_however_many_others_are_near(self):
        for number in range(60):
            await self.spawn(f"out{number:02}", direction="outbound", route_id="1A", lat=40.7128)
        await self.spawn("in", direction="inbound", route_id="1A", lat=40.714)
        await self.spawn("other", direction="inbound", route_id="1B", lat=40.713)
        self.assertEqual(await self.query(direction="inbound", seats=1), ["other"])
        self.assertEqual(await self.query(direction="inbound", seats=3), ["other", "in"])
        self.assertEqual(await self.query(direction="inbound", route_id="1A", seats=2), ["in"])
        self.assertEqual(len(await self.query()), 20)
        self.assertEqual(len(await self.query(seats=100)), 62)

    async def test_the_place_may_have_the_documents_name(self):
        await self.spawn("a")
        self.assertEqual(await self.found(
            self.bus, {"vehicle_id": "V", "current_location": point(40.7128, -74.006)}), ["a"])

    async def test_it_agrees_with_a_search_of_everyone(self):
        chance = random.Random(7)
        everyone = {}
        for number in range(400):
            lat, lon = 13.1 + chance.uniform(-.02, .02), -59.6 + chance.uniform(-.02, .02)
            everyone[f"C{number}"] = (lat, lon, chance.uniform(0, 1500))
        await asyncio.gather(*[
            self.spawn(name, lat=lat, lon=lon, max_walking_distance=reach)
            for name, (lat, lon, reach) in everyone.items()])
        for _ in range(60):
            lat, lon = 13.1 + chance.uniform(-.02, .02), -59.6 + chance.uniform(-.02, .02)
            radius, seats = chance.uniform(0, 2000), chance.randrange(1, 60)
            near = sorted((haversine(lat, lon, *place[:2]), name) for name, place in everyone.items())
            expected = [name for metres, name in near if metres <= min(radius, everyone[name][2])]
            self.assertEqual(await self.query(lat, lon, radius=radius, seats=seats), expected[:seats])

    async def test_across_the_antimeridian_and_at_the_pole(self):
        await self.spawn("east", lat=0, lon=179.9995)
        await self.spawn("west", lat=0, lon=-179.999)
        await self.spawn("pole", lat=89.999, lon=90)
        self.assertEqual(await self.query(0, 180), ["east", "west"])
        self.assertEqual(await self.query(89.999, -90), ["pole"])

    async def test_a_trip_from_the_pick_up_to_the_drop_off(self):
        await self.spawn("a")
        trip = {"commuter_id": "a", "vehicle_id": "V1"}
        await self.refused(self.bus, "commuter:dropped_off", trip, "not_picked_up", "data.commuter_id")
        await self.bus.call("commuter:picked_up", trip)
        self.assertEqual(await self.query(), [])
        await self.refused(self.service, "commuter:picked_up", {**trip, "vehicle_id": "V2"},
                           "already_picked_up", "data.commuter_id")
        await self.refused(self.service, "commuter:dropped_off", {**trip, "vehicle_id": "V2"},
                           "wrong_vehicle", "data.vehicle_id")
        await self.bus.call("commuter:dropped_off", trip)
        self.assertEqual((await self.service.expect("commuter:dropped_off"))["data"], trip)
        await self.refused(self.bus, "commuter:dropped_off", trip, "already_dropped_off",
                           "data.commuter_id")
        await self.spawn("a")
        self.assertEqual(await self.query(), ["a"])

    async def test_an_unknown_commuter_is_a_clear_error(self):
        for event in ("commuter:picked_up", "commuter:dropped_off"):
            await self.refused(self.bus, event, {"commuter_id": "x", "vehicle_id": "V"},
                               "unknown_commuter", "data.commuter_id")

    async def test_a_trip_that_began_at_a_depot_is_closed_here(self):
        depot = await self.open(DEPOT, SYSTEM)
        trip = {"commuter_id": "a", "vehicle_id": "V1"}
        await depot.call("commuter:spawned", commuter("a"), DEPOT)
        await depot.call("commuter:picked_up", trip, DEPOT)
        self.assertEqual((await self.health(depot))["reservoirs"]["route"]["on_board"], 1)
        self.assertTrue((await self.bus.call("commuter:dropped_off", trip))["ok"])
        self.assertEqual((await self.health(depot))["reservoirs"]["route"]["on_board"], 0)
        self.assertTrue((await depot.call("commuter:spawned", commuter("a"), DEPOT))["ok"])


class RememberedTrips(TransitCase):
    settings = {"settings.reservoir.remembered": 3}

    async def test_the_oldest_is_forgotten(self):
        service = await self.open(ROUTE)
        for number in range(4):
            trip = {"commuter_id": f"C{number}", "vehicle_id": "V"}
            await service.call("commuter:spawned", commuter(f"C{number}"))
            await service.call("commuter:picked_up", trip)
        await self.refused(service, "commuter:dropped_off", {"commuter_id": "C0", "vehicle_id": "V"},
                           "unknown_commuter", "data.commuter_id")
        for number in range(1, 4):
            self.assertTrue((await service.call(
                "commuter:dropped_off", {"commuter_id": f"C{number}", "vehicle_id": "V"}))["ok"])


if __name__ == "__main__":
    unittest.main()
