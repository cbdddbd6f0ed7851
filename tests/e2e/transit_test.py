"""scripts/transit, driven by python-socketio: the document's six checks and every rule beyond them."""

import asyncio
import datetime
import json
import math
import random
import unittest
import urllib.request

from transit_support import (APP, DEPOT, NAMESPACES, ROOT, ROUTE, SYSTEM, VEHICLES, Service,
                             commuter, envelope, logged, point, reload, running, until)

EARTH_RADIUS = 6371008.8


def haversine(lat1, lon1, lat2, lon2):
    a = (math.sin(math.radians(lat2 - lat1) / 2) ** 2 + math.cos(math.radians(lat1)) *
         math.cos(math.radians(lat2)) * math.sin(math.radians(lon2 - lon1) / 2) ** 2)
    return 2 * EARTH_RADIUS * math.asin(min(1, math.sqrt(a)))


class TransitCase(unittest.IsolatedAsyncioTestCase):
    """Each test has a broker of its own."""

    settings = {}

    async def asyncSetUp(self):
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


class SixChecks(TransitCase):
    """test_socketio_infrastructure.py of the document."""

    async def test_1_basic_connection(self):
        service = await self.open(DEPOT, transports=["websocket", "polling"])
        self.assertTrue(service.client.connected)
        self.assertTrue(service.sid())
        await service.close()
        self.assertFalse(service.client.connected)

    async def test_2_four_namespaces_at_once(self):
        service = await self.open(*NAMESPACES)
        self.assertEqual(len({service.sid(name) for name in NAMESPACES}), 4)
        report = await self.health(service)
        self.assertEqual(report["connections"],
                         {"total": 4, "namespaces": {name: 1 for name in NAMESPACES}})

    async def test_3_broadcast(self):
        sender, one, other = [await self.open(DEPOT) for _ in range(3)]
        elsewhere = await self.open(ROUTE)
        sent = await sender.send("commuter:spawned", commuter("COM_12345"))
        for receiver in (one, other):
            self.assertEqual(await receiver.expect("commuter:spawned"),
                             {**sent, "data": {**sent["data"], "depot_id": "main"}})
        await sender.settle(one)
        await elsewhere.settle(await self.open(ROUTE), ROUTE)
        self.assertEqual(sender.inbox + elsewhere.inbox, [])

    async def test_4_targeted(self):
        sender, target, bystander = [await self.open(DEPOT) for _ in range(3)]
        sent = await sender.send("commuter:spawned", commuter("C1"), target=target.sid())
        got = await target.expect("commuter:spawned")
        self.assertEqual((got["id"], got["target"]), (sent["id"], target.sid()))
        await bystander.settle(sender)
        self.assertEqual(bystander.inbox, [])

    async def test_5_health(self):
        service = await self.open(SYSTEM, DEPOT, ROUTE)
        await service.call("commuter:spawned", commuter("C1"), DEPOT)
        await service.call("commuter:spawned", commuter("C2"), ROUTE)
        asked = await service.send("system:health_check", {}, SYSTEM, correlationId="health_1")
        answer = await service.expect("system:health_check", SYSTEM)
        self.assertEqual(answer["correlationId"], "health_1")
        self.assertNotEqual(answer["id"], asked["id"])
        self.assertRegex(answer["id"], r"^msg_\d{13}_[0-9a-f]{6}$")
        self.assertTrue(answer["source"])
        datetime.datetime.fromisoformat(answer["timestamp"].replace("Z", "+00:00"))
        report = answer["data"]
        self.assertEqual(report["status"], "healthy")
        self.assertGreaterEqual(report["uptime_seconds"], 0)
        self.assertEqual(report["connections"]["total"], 3)
        self.assertEqual(report["reservoirs"]["depot"]["waiting"], 1)
        self.assertEqual(report["reservoirs"]["depot"]["depots"], 1)
        self.assertEqual(report["reservoirs"]["route"]["waiting"], 1)
        self.assertEqual(report["messages"]["received"], 3)

    async def test_6_statistics(self):
        one, other = await self.open(DEPOT), await self.open(DEPOT, SYSTEM)
        for number in range(10):
            await one.send("commuter:spawned", commuter(f"C{number}"))
        await one.emit("commuter:spawned", {"nonsense": True})
        await one.expect("system:error")
        await until(lambda: other.received == 10, "ten messages")
        self.assertEqual((one.sent, one.received), (11, 1))
        report = await self.health(other)
        self.assertEqual(report["messages"], {"received": 12, "sent": 1, "refused": 1})
        await one.close()
        await until(lambda: self.left(other), "the connection to be gone")

    async def left(self, service):
        return (await self.health(service))["connections"]["namespaces"][DEPOT] == 1


class Envelopes(TransitCase):
    async def test_the_documents_own_example_holds(self):
        service = await self.open(DEPOT)
        answer = await service.call_raw("commuter:spawned", {
            "id": "msg_1727892000000_abc123", "type": "commuter:spawned",
            "timestamp": "2025-10-02T10:00:00.000Z", "source": "commuter-service",
            "data": commuter("COM_12345"), "target": None, "correlationId": None})
        self.assertEqual(answer, {"ok": True, "id": "msg_1727892000000_abc123"})

    async def test_iso_8601_in_its_forms_holds(self):
        service = await self.open(DEPOT)
        for number, timestamp in enumerate([
                "2025-10-02T10:00:00Z", "2025-10-02T10:00:00.123456", "2025-10-02T10:00:00",
                "2025-10-02T10:00:00+02:00", datetime.datetime.now().isoformat()]):
            with self.subTest(timestamp):
                answer = await service.call("commuter:spawned", commuter(f"C{number}"),
                                            timestamp=timestamp)
                self.assertTrue(answer.get("ok"), answer)

    async def test_metadata_and_unknown_fields_are_passed_on(self):
        sender, receiver = await self.open(DEPOT), await self.open(DEPOT)
        await sender.send("commuter:spawned", commuter("C1", mood="good"), metadata={"trace": [1, {}]},
                          correlationId="abc", version=2)
        got = await receiver.expect("commuter:spawned")
        self.assertEqual((got["metadata"], got["correlationId"], got["version"], got["data"]["mood"]),
                         ({"trace": [1, {}]}, "abc", 2, "good"))

    BAD = [
        ("id", {"id": None}), ("id", {"id": ""}), ("id", {"id": 7}), ("id", {"id": "x" * 129}),
        ("type", {"type": "commuter:picked_up"}), ("type", {"type": None}),
        ("timestamp", {"timestamp": "yesterday"}), ("timestamp", {"timestamp": 1727892000}),
        ("timestamp", {"timestamp": "2025-13-02T10:00:00Z"}),
        ("source", {"source": ""}), ("source", {"source": None}),
        ("data", {"data": None}), ("data", {"data": "x"}), ("data", {"data": [1]}),
        ("target", {"target": 5}), ("target", {"target": []}), ("target", {"target": [""]}),
        ("correlationId", {"correlationId": 5}), ("metadata", {"metadata": "x"}),
    ]

    async def test_a_bad_one_is_told_to_its_sender_only_and_changes_nothing(self):
        sender, other = await self.open(DEPOT), await self.open(DEPOT)
        for field, change in self.BAD:
            with self.subTest(change):
                message = {**envelope("commuter:spawned", commuter("C1"), correlationId="c"), **change}
                for payload in (message, {k: v for k, v in message.items() if v is not None}):
                    await sender.emit("commuter:spawned", payload)
                    told = await sender.expect("system:error")
                    self.assertEqual(told["type"], "system:error")
                    self.assertEqual((told["data"]["code"], told["data"]["field"]), ("invalid", field))
                    self.assertIn(field, told["data"]["message"])
                    self.assertEqual(told["target"], sender.sid())
                    answer = await sender.call_raw("commuter:spawned", payload)
                    self.assertEqual(answer["error"]["field"], field)
                    await sender.expect("system:error")
        self.assertEqual(await self.found(sender, {"vehicle_id": "V", "seats": 9}), [])
        await other.settle(sender)
        self.assertEqual(other.inbox, [])

    async def test_what_is_no_message_at_all_is_refused(self):
        service = await self.open(DEPOT)
        for payload in ("text", 5, [], None, True, b"\0\1"):
            with self.subTest(payload):
                answer = await service.call_raw("commuter:spawned", payload)
                self.assertEqual((answer["error"]["code"], answer["error"]["field"]),
                                 ("invalid", "message"))

    async def test_a_refusal_carries_the_messages_correlation(self):
        service = await self.open(DEPOT)
        for fields in ({"correlationId": "req_1"}, {"correlationId": None}, {}):
            message = await service.send("commuter:picked_up", {"commuter_id": "none"}, **fields)
            told = await service.expect("system:error")
            self.assertEqual(told["correlationId"], fields.get("correlationId") or message["id"])

    async def test_bad_data_names_its_field(self):
        service = await self.open(*NAMESPACES)
        cases = [
            (DEPOT, "commuter:spawned", commuter("C1", lat=91), "data.current_location.lat"),
            (DEPOT, "commuter:spawned", commuter("C1", direction="up"), "data.direction"),
            (DEPOT, "commuter:spawned", commuter("C1", direction="inbound"), "data.direction"),
            (DEPOT, "commuter:spawned", commuter("C1", priority=1.5), "data.priority"),
            (DEPOT, "commuter:spawned", commuter("C1", destination=[1, 2]), "data.destination"),
            (DEPOT, "commuter:spawned", commuter(""), "data.commuter_id"),
            (DEPOT, "vehicle:query_commuters", {"vehicle_id": "V"}, "data.seats"),
            (DEPOT, "vehicle:query_commuters", {"seats": 4}, "data.vehicle_id"),
            (DEPOT, "vehicle:query_commuters", {"vehicle_id": "V", "seats": 0}, "data.seats"),
            (DEPOT, "commuter:picked_up", {"commuter_id": "C1"}, "data.vehicle_id"),
            (ROUTE, "commuter:spawned", {"commuter_id": "C1", "direction": "inbound"},
             "data.current_location"),
            (ROUTE, "commuter:spawned", commuter("C1", max_walking_distance=-1),
             "data.max_walking_distance"),
            (ROUTE, "vehicle:query_commuters", {"vehicle_id": "V"}, "data.position"),
            (ROUTE, "vehicle:query_commuters",
             {"vehicle_id": "V", "position": point(0, 181)}, "data.position.lon"),
            (ROUTE, "vehicle:query_commuters",
             {"vehicle_id": "V", "position": point(0, 0), "radius": 1e9}, "data.radius"),
            (ROUTE, "commuter:dropped_off", {"vehicle_id": "V"}, "data.commuter_id"),
            (VEHICLES, "vehicle:position_update", {"vehicle_id": "V"}, "data.position"),
            (VEHICLES, "vehicle:status_change", {"vehicle_id": "V", "status": "flying"}, "data.status"),
            (VEHICLES, "vehicle:capacity_update",
             {"vehicle_id": "V", "capacity": 3, "available_seats": 4}, "data.available_seats"),
            (SYSTEM, "system:error", {"code": "x"}, "data.message"),
        ]
        for namespace, event, data, field in cases:
            with self.subTest(f"{event} {field}"):
                refusal = await self.refused(service, event, data, "invalid", field, namespace)
                self.assertIn(field, refusal["message"])
        report = await self.health(service)
        self.assertEqual([report["reservoirs"][kind]["waiting"] for kind in ("depot", "route")], [0, 0])
        self.assertEqual(report["vehicles"]["tracked"], 0)

    async def test_an_unknown_event_is_refused(self):
        service = await self.open(DEPOT)
        for event in ("commuter:vanished", "vehicle:position_update", "commuter:dropped_off"):
            await service.send(event, {})
            told = await service.expect("system:error")
            self.assertEqual((told["data"]["code"], told["data"]["field"]), ("unknown_event", "type"))


class Routing(TransitCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.sender = await self.open(DEPOT, auth={"service_type": "commuter-service"})
        self.one, self.two = [
            await self.open(DEPOT, auth={"service_type": "vehicle-conductor", "service_id": f"bus-{n}",
                                         "rooms": [f"depot:D{n}", "route:1A"]}) for n in (1, 2)]
        self.third = await self.open(DEPOT)

    async def reached(self, target):
        """Who of one, two and third got a message for `target`."""
        name = f"C{target}"
        answer = await self.sender.call("commuter:spawned", commuter(name), target=target)
        self.assertNotIn("error", answer)
        got = []
        for number, service in enumerate((self.one, self.two, self.third), 1):
            await service.settle(self.sender)
            if service.seen("commuter:spawned"):
                got.append(number)
                self.assertEqual(len(service.seen("commuter:spawned")), 1)
            service.inbox.clear()
        self.assertEqual(answer.get("recipients"), len(got) if target is not None else None)
        return got

    async def test_without_a_target_everyone_else_is_meant(self):
        self.assertEqual(await self.reached(None), [1, 2, 3])

    async def test_a_socket_a_service_type_a_service_or_a_room(self):
        self.assertEqual(await self.reached(self.third.sid()), [3])
        self.assertEqual(await self.reached("service:vehicle-conductor"), [1, 2])
        self.assertEqual(await self.reached("bus-2"), [2])
        self.assertEqual(await self.reached("depot:D1"), [1])
        self.assertEqual(await self.reached("route:1A"), [1, 2])
        self.assertEqual(await self.reached("service:unknown"), [3])

    async def test_a_list_reaches_each_once(self):
        self.assertEqual(await self.reached([self.third.sid(), "depot:D2", "bus-2"]), [2, 3])
        self.assertEqual(await self.reached(["service:vehicle-conductor", "route:1A"]), [1, 2])

    async def test_a_target_that_is_not_there_reaches_nobody(self):
        self.assertEqual(await self.reached("bus-99"), [])

    async def test_a_service_can_be_asked_and_answers_with_the_correlation(self):
        asked = await self.one.send("vehicle:query_commuters", {"vehicle_id": "V", "seats": 2},
                                    target="service:commuter-service", correlationId="req_123")
        question = await self.sender.expect("vehicle:query_commuters")
        self.assertEqual(question, {**asked, "data": {**asked["data"], "depot_id": "main"}})
        await self.sender.send("vehicle:commuters_found", {"commuters": [commuter("C9")]},
                               target=self.one.sid(), correlationId=question["correlationId"])
        answer = await self.one.expect("vehicle:commuters_found")
        self.assertEqual(answer["correlationId"], "req_123")
        self.assertEqual(answer["source"], "test-service")
        self.assertEqual(self.one.inbox, [])


class Identity(TransitCase):
    async def test_coming_and_going_is_raised_from_every_namespace(self):
        monitor = await self.open(SYSTEM)
        for namespace in NAMESPACES:
            with self.subTest(namespace):
                service = await self.open(namespace, auth={
                    "service_type": "vehicle-conductor", "service_id": "bus-1"})
                came = await monitor.expect("system:service_connected")
                self.assertEqual(came["type"], "system:service_connected")
                self.assertEqual(came["data"], {
                    "service_type": "vehicle-conductor", "service_id": "bus-1",
                    "socket_id": service.sid(), "namespace": namespace})
                self.assertEqual(service.seen("system:service_connected"), [])
                await service.close()
                went = await monitor.expect("system:service_disconnected")
                self.assertEqual((went["data"]["service_id"], went["data"]["namespace"]),
                                 ("bus-1", namespace))
                self.assertTrue(went["data"]["reason"])
                self.assertGreaterEqual(went["data"]["connected_seconds"], 0)

    async def test_who_says_nothing_is_unknown(self):
        monitor = await self.open(SYSTEM)
        service = await self.open(DEPOT)
        data = (await monitor.expect("system:service_connected"))["data"]
        self.assertEqual((data["service_type"], data["service_id"]), ("unknown", service.sid()))

    async def test_a_bad_identity_is_refused_with_the_field(self):
        for auth, field in [({"service_type": 5}, "auth.service_type"),
                            ({"service_type": ""}, "auth.service_type"),
                            ({"service_id": "a b"}, "auth.service_id"),
                            ({"rooms": ["service:spy"]}, "auth.rooms[0]"),
                            ({"rooms": ["depot:D1", "dashboard"]}, "auth.rooms[1]"),
                            ({"rooms": ["depot:1"] * 33}, "auth.rooms")]:
            with self.subTest(auth):
                service = await self.open(DEPOT, auth=auth)
                refusal = service.refusals[DEPOT]
                self.assertIn(field, refusal["message"])
                self.assertEqual((refusal["data"]["code"], refusal["data"]["field"]),
                                 ("invalid", field))

    async def test_an_id_is_no_way_to_others_mail(self):
        victim = await self.open(DEPOT)
        spy = await self.open(DEPOT, auth={"service_id": "service:x", "service_type": victim.sid()})
        sender = await self.open(DEPOT)
        await sender.send("commuter:spawned", commuter("C1"), target=victim.sid())
        await sender.send("commuter:spawned", commuter("C2"), target="service:x")
        await victim.expect("commuter:spawned")
        await spy.settle(sender)
        self.assertEqual(spy.inbox, [])


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


class VehicleCase(TransitCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.bus = await self.open(VEHICLES, auth={"service_type": "vehicle-driver"})

    async def update(self, event, data, bus=None):
        answer = await (bus or self.bus).call(f"vehicle:{event}", data)
        self.assertNotIn("error", answer)


class Vehicles(VehicleCase):
    async def test_updates_reach_everyone_else(self):
        dashboard = await self.open(VEHICLES)
        sent = await self.bus.send("vehicle:position_update", {
            "vehicle_id": "V1", "position": point(1, 2), "heading": 90, "speed": 12.5})
        self.assertEqual(await dashboard.expect("vehicle:position_update"), sent)

    async def test_a_late_dashboard_gets_every_vehicles_last_state(self):
        for number in (1, 2):
            for lat in (1, 2, 3):
                await self.update("position_update",
                                  {"vehicle_id": f"V{number}", "position": point(lat, number)})
        await self.update("status_change", {"vehicle_id": "V1", "status": "boarding"})
        await self.update("capacity_update", {"vehicle_id": "V2", "capacity": 40, "available_seats": 7})
        for auth in (None, {"service_type": "dashboard"}):
            dashboard = await self.open(VEHICLES, auth=auth)
            await until(lambda: dashboard.received == 4, "four messages")
            self.assertEqual(
                {message["data"]["vehicle_id"]: message["data"]["position"]
                 for message in dashboard.seen("vehicle:position_update")},
                {"V1": point(3, 1), "V2": point(3, 2)})
            [status] = dashboard.seen("vehicle:status_change")
            self.assertEqual(status["data"], {"vehicle_id": "V1", "status": "boarding"})
            self.assertEqual(status["metadata"], {"replayed": True, "connected": True})
            [capacity] = dashboard.seen("vehicle:capacity_update")
            self.assertEqual(capacity["data"]["available_seats"], 7)

    async def test_a_vehicle_is_not_told_of_the_others(self):
        await self.update("position_update", {"vehicle_id": "V1", "position": point(1, 1)})
        other = await self.open(VEHICLES, auth={"service_type": "vehicle-conductor"})
        await other.settle(self.bus)
        self.assertEqual(other.inbox, [])

    async def test_an_impossible_transition_is_refused(self):
        dashboard = await self.open(VEHICLES)
        statuses = ("idle", "boarding", "driving")
        for start in statuses:
            for end in statuses:
                vehicle = f"V-{start}-{end}"
                await self.update("status_change", {"vehicle_id": vehicle, "status": start})
                change = {"vehicle_id": vehicle, "status": end}
                if (start, end) != ("idle", "driving"):
                    await self.update("status_change", change)
                    continue
                refusal = await self.refused(self.bus, "vehicle:status_change", change,
                                             "impossible_transition", "data.status")
                self.assertEqual((refusal["from"], refusal["to"]), (start, end))
                await dashboard.settle(self.bus)
                self.assertNotIn(change, [m["data"] for m in dashboard.seen("vehicle:status_change")])
                # It changed nothing: what is possible from idle still is.
                await self.update("status_change", {"vehicle_id": vehicle, "status": "boarding"})

    async def test_the_first_status_may_be_any(self):
        for status in ("idle", "boarding", "driving"):
            await self.update("status_change", {"vehicle_id": f"V-{status}", "status": status})

    async def test_seats_never_exceed_the_capacity(self):
        await self.update("capacity_update", {"vehicle_id": "V1", "capacity": 40, "available_seats": 40})
        await self.refused(self.bus, "vehicle:capacity_update",
                           {"vehicle_id": "V1", "available_seats": 41}, "invalid",
                           "data.available_seats")
        await self.update("capacity_update", {"vehicle_id": "V1", "available_seats": 0})

    async def test_a_message_has_a_size(self):
        await self.refused(self.bus, "vehicle:status_change",
                           {"vehicle_id": "V1", "status": "idle", "note": "x" * 5000}, "too_large", "data")


class FleetLimit(VehicleCase):
    settings = {"settings.vehicles.limit": 3}

    async def test_the_fleet_has_a_limit_and_those_gone_make_room(self):
        leaver = await self.open(VEHICLES, SYSTEM, auth={"service_type": "vehicle-driver"})
        await self.update("status_change", {"vehicle_id": "V1", "status": "idle"}, leaver)
        for number in (2, 3):
            await self.update("status_change", {"vehicle_id": f"V{number}", "status": "idle"})
        await self.refused(self.bus, "vehicle:status_change", {"vehicle_id": "V4", "status": "idle"},
                           "fleet_full", "data.vehicle_id")
        monitor = await self.open(SYSTEM)
        await leaver.close()
        await monitor.expect("system:service_disconnected",
                             where=lambda message: message["data"]["namespace"] == VEHICLES)
        await self.update("status_change", {"vehicle_id": "V4", "status": "idle"})
        dashboard = await self.open(VEHICLES)
        await until(lambda: dashboard.received == 3, "three messages")
        self.assertEqual({message["data"]["vehicle_id"]
                          for message in dashboard.seen("vehicle:status_change")}, {"V2", "V3", "V4"})


class VehiclesThatLeave(TransitCase):
    settings = {"settings.vehicles.keep_minutes": 0.01, "settings.vehicles.sweep_seconds": 0.05}

    async def test_their_state_is_kept_for_a_while(self):
        monitor = await self.open(SYSTEM)
        buses = [await self.open(VEHICLES, auth={"service_type": "vehicle-driver"}) for _ in range(2)]
        for number, bus in enumerate(buses):
            await bus.call("vehicle:status_change", {"vehicle_id": f"V{number}", "status": "driving"})
        await buses[0].close()
        await monitor.expect("system:service_disconnected")
        dashboard = await self.open(VEHICLES)
        if dashboard.seen("vehicle:status_change"):  # unless the machine was slower than the setting
            connected = {m["data"]["vehicle_id"]: m["metadata"]["connected"]
                         for m in dashboard.seen("vehicle:status_change")}
            self.assertIn(connected.get("V0"), (False, None))

        async def forgotten():
            return (await self.health(monitor))["vehicles"]["tracked"] == 1
        await until(forgotten, "the vehicle to be forgotten")
        late = await self.open(VEHICLES)
        await until(lambda: late.received == 1, "one message")
        self.assertEqual(late.seen("vehicle:status_change")[0]["data"]["vehicle_id"], "V1")


class Fleet(TransitCase):
    async def test_a_dashboard_gets_a_large_fleet_whole(self):
        bus = await self.open(VEHICLES, auth={"service_type": "vehicle-driver"})
        for start in range(0, 1500, 100):
            await asyncio.gather(*[
                bus.call("vehicle:position_update", {"vehicle_id": f"V{n}", "position": point(1, 1)})
                for n in range(start, start + 100)])
        dashboard = await self.open(VEHICLES)
        await until(lambda: dashboard.received >= 1500, "the fleet")
        self.assertEqual({m["data"]["vehicle_id"] for m in dashboard.seen("vehicle:position_update")},
                         {f"V{n}" for n in range(1500)})


class System(TransitCase):
    settings = {"settings.reservoir.limit": 10}

    async def test_a_reported_error_is_logged_and_reaches_the_monitors(self):
        service, monitor, bystander = [await self.open(name) for name in (SYSTEM, SYSTEM, DEPOT)]
        sent = await service.send("system:error", {"code": "gps_lost", "message": "no fix since 10:00"})
        self.assertEqual(await monitor.expect("system:error"), sent)
        await logged(self.broker, "no fix since 10:00")
        await service.settle(monitor)
        self.assertEqual(service.seen("system:error") + bystander.inbox, [])

    async def test_a_report_of_ones_own_health_goes_to_the_monitors(self):
        service, monitor = await self.open(SYSTEM), await self.open(SYSTEM)
        sent = await service.send("system:health_check", {"status": "healthy", "load": 0.3})
        self.assertEqual(await monitor.expect("system:health_check"), sent)
        await service.settle(monitor)
        self.assertEqual(service.seen("system:health_check"), [])

    async def test_a_service_can_be_asked_for_its_health(self):
        monitor = await self.open(SYSTEM)
        service = await self.open(SYSTEM, auth={"service_type": "simulator"})
        await monitor.send("system:health_check", {}, target="service:simulator", correlationId="h1")
        question = await service.expect("system:health_check")
        await service.send("system:health_check", {"status": "healthy"}, target=monitor.sid(),
                           correlationId=question["correlationId"])
        self.assertEqual((await monitor.expect("system:health_check"))["correlationId"], "h1")

    async def test_a_reservoir_that_is_nearly_full_degrades_the_health(self):
        service = await self.open(SYSTEM, DEPOT)
        for number in range(9):
            self.assertEqual((await self.health(service))["status"], "healthy")
            await service.call("commuter:spawned", commuter(f"C{number}"), DEPOT)
        self.assertEqual((await self.health(service))["status"], "degraded")

    async def test_services_may_announce_those_behind_them(self):
        service, monitor = await self.open(SYSTEM), await self.open(SYSTEM)
        for event in ("system:service_connected", "system:service_disconnected"):
            sent = await service.send(event, {"service_type": "gps", "service_id": "gps-1"})
            self.assertEqual(await monitor.expect(
                event, where=lambda message: message["source"] == "test-service"), sent)


class Reload(TransitCase):
    async def test_a_reload_keeps_what_there_is(self):
        service = await self.open(*NAMESPACES, auth={"service_id": "s1"})
        for name in ("a", "b"):
            await service.call("commuter:spawned", commuter(name, priority=ord(name)), DEPOT)
            await service.call("commuter:spawned", commuter(f"r-{name}"), ROUTE)
        await service.call("commuter:picked_up", {"commuter_id": "r-a", "vehicle_id": "V1"}, ROUTE)
        await service.call("vehicle:status_change", {"vehicle_id": "V1", "status": "idle"}, VEHICLES)
        before = await self.health(service)
        await reload(self.broker)

        after = await self.health(service)
        self.assertEqual(after["reservoirs"], before["reservoirs"])
        self.assertEqual(after["connections"], before["connections"])
        self.assertGreater(after["messages"]["received"], before["messages"]["received"])
        self.assertGreaterEqual(after["uptime_seconds"], before["uptime_seconds"])
        self.assertEqual(await self.found(service, {"vehicle_id": "V", "seats": 9}, DEPOT), ["b", "a"])
        where = {"vehicle_id": "V", "position": point(40.7128, -74.006)}
        self.assertEqual(await self.found(service, where, ROUTE), ["r-b"])
        await self.refused(service, "commuter:picked_up", {"commuter_id": "r-a", "vehicle_id": "V2"},
                           "already_picked_up", "data.commuter_id", ROUTE)
        self.assertTrue((await service.call(
            "commuter:dropped_off", {"commuter_id": "r-a", "vehicle_id": "V1"}, ROUTE))["ok"])
        await self.refused(service, "vehicle:status_change", {"vehicle_id": "V1", "status": "driving"},
                           "impossible_transition", "data.status", VEHICLES)
        dashboard = await self.open(VEHICLES)
        await dashboard.expect("vehicle:status_change")
        await service.call("commuter:spawned", commuter("r-c"), ROUTE)
        self.assertEqual(await self.found(service, where, ROUTE), ["r-b", "r-c"])


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


class Spawner(unittest.IsolatedAsyncioTestCase):
    async def arrivals(self, count, **settings):
        """The data of `count` arrivals of each kind from number 20 on, by when surely someone listens."""
        async with running(settings, spawner=SPAWNER) as started:
            service = await Service.open(started.url, DEPOT, ROUTE)
            arrived = {}
            for namespace in (DEPOT, ROUTE):
                await service.expect("commuter:spawned", namespace,
                                     lambda message: number_of(message) >= 20 + count)
                arrived[namespace] = [message["data"] for message in
                                      service.seen("commuter:spawned", namespace)
                                      if 20 <= number_of(message) < 20 + count]
                self.assertEqual(len(arrived[namespace]), count)
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
        settings = {"settings.depot.queue_limit": 20000}
        first, second, other = [
            await self.arrivals(30, **settings, **{"settings.spawner.seed": seed}) for seed in (1, 1, 2)]
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)
        self.assertEqual({each["route_id"] for each in first[DEPOT]}, {"1A", "1B"})
        self.assertEqual({each["direction"] for each in first[DEPOT]}, {"outbound"})
        self.assertEqual({each["direction"] for each in first[ROUTE]}, {"outbound", "inbound"})

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


class Settings(unittest.IsolatedAsyncioTestCase):
    async def handshake(self, url, origin):
        def visit():
            polling = f"{url}/socket.io/?EIO=4&transport=polling"
            request = urllib.request.Request(polling, headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=20) as response:
                opened = json.loads(response.read()[1:])
            with urllib.request.urlopen(f"{polling}&sid={opened['sid']}", b"1", timeout=20):
                return opened, response.headers
        return await asyncio.to_thread(visit)

    async def test_the_documents_timing_and_size(self):
        async with running() as started:
            opened, headers = await self.handshake(started.url, "http://anywhere")
            self.assertEqual([opened[name] for name in ("pingInterval", "pingTimeout", "maxPayload")],
                             [25000, 60000, 1000000])
            self.assertIn(headers["Access-Control-Allow-Origin"], ("*", "http://anywhere"))

    async def test_its_variables(self):
        async with running(env={"SOCKETIO_CORS_ORIGIN": "http://a.example, http://b.example",
                               "SOCKETIO_LOGGING": "false"}) as started:
            for origin, allowed in [("http://a.example", True), ("http://b.example", True),
                                    ("http://c.example", False)]:
                _, headers = await self.handshake(started.url, origin)
                self.assertEqual(headers["Access-Control-Allow-Origin"] == origin, allowed)
        self.assertEqual(started.log(), "")
        async with running(env={"SOCKETIO_LOG_LEVEL": "warn"}) as started:
            service = await Service.open(started.url, SYSTEM)
            await service.send("system:error", {"message": "seen"})
            await logged(started, "seen")
            await service.close()
        self.assertNotIn(" info ", started.log())

    async def test_the_documents_port(self):
        text = (APP / "moonwire.toml").read_text()
        self.assertRegex(text, r"(?m)^port = 1337$")

    async def test_it_runs_beside_the_other_apps(self):
        async with running(scripts=ROOT / "scripts") as started:
            service = await Service.open(started.url, *NAMESPACES)
            answer = await service.call("commuter:spawned", commuter("C1"), DEPOT)
            self.assertTrue(answer["ok"])
            await service.close()


if __name__ == "__main__":
    unittest.main()
