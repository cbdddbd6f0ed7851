"""scripts/transit by python-socketio: the state of the vehicles."""

import asyncio
import unittest

from transit_support import (SYSTEM, VEHICLES, TransitCase, point, until)


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

    async def test_a_message_is_plain_json(self):
        await self.refused(self.bus, "vehicle:status_change",
                           {"vehicle_id": "V1", "status": "idle", "photo": b"\1"}, "invalid", "data")

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


if __name__ == "__main__":
    unittest.main()
