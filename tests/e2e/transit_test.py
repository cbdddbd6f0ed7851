"""scripts/transit by python-socketio: the document's six checks, messages, routing, identity, health,
reload and settings."""

import asyncio
import datetime
import json
import unittest
import urllib.request

from transit_support import (APP, DEPOT, NAMESPACES, ROOT, ROUTE, SYSTEM, VEHICLES, QuietCase,
                             Service, TransitCase, commuter, envelope, logged, point, reload, running,
                             until)


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


class Settings(QuietCase):
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
        async with running(app="") as started:
            service = await Service.open(started.url, *NAMESPACES)
            answer = await service.call("commuter:spawned", commuter("C1"), DEPOT)
            self.assertTrue(answer["ok"])
            await service.close()


if __name__ == "__main__":
    unittest.main()
