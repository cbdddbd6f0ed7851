"""How Moonwire's cost grows with what there is of something, and where it has enough."""
import itertools
from dataclasses import dataclass
from statistics import median

import quota
from measure import ENOUGH, judge, share_delivered
from scenarios import COSTS
from servers import Failed, Floor, Moonwire

DELIVERIES = 50_000  # a second, where the number of receivers must not change how much is sent


@dataclass(frozen=True)
class Sweep:
    name: str
    title: str
    about: str
    x: str
    points: tuple  # (x, arguments of `load`)
    cost: str = "delivery"
    floor: bool = True


def sweeps(quick):
    deliveries = 500 if quick else DELIVERIES

    def wide(members):
        return ("wide", "--members", members, "--rate", max(1, deliveries // members))

    def some(values):
        return values[:2] if quick else values

    connections = some((100, 300, 1000, 3000, 10_000, 15_000))
    rate = "20" if quick else "500"
    return [
        Sweep("beside", "idle connections beside", "A room of 100 members at 500 events/s, with idle "
              "connections that are in no room beside it.", "idle connections",
              tuple((n, ("wide", "--members", 100, "--rate", rate, "--idle", n)) for n in connections)),
        Sweep("memory", "memory of idle connections", "What the server's resident set grows by, divided "
              "by connections.", "connections",
              tuple((n, ("idle", "--clients", n)) for n in connections), "memory", floor=False),
        Sweep("members", "members of a room", "One room at a rate that holds 50 000 deliveries/s, so that "
              "fewer members mean more events.", "members",
              tuple((n, wide(n)) for n in some((10, 30, 100, 300, 1000, 3000, 5000, 15_000)))),
        Sweep("rooms", "rooms", "Rooms of one member each, 10 000 events/s over all of them from "
              "others: every event is one delivery.", "rooms",
              tuple((n, ("rooms", "--rooms", n, "--members", 1, "--rate", 100 if quick else 10_000))
                    for n in some((10, 100, 1000, 10_000)))),
        Sweep("payload", "payload", "A room of 100 members at 50 events/s. The smallest payload holds "
              "just the time when it was sent.", "bytes of payload",
              tuple((n, ("wide", "--members", 100, "--rate", "10" if quick else "50", "--payload", n))
                    for n in some((32, 64, 256, 1024, 4096, 16_384, 65_536)))),
    ]


def scaling(bench, rounds, quick, say):
    """{"sweeps": […], "reactors": […]}; every point's figures are the median of its rounds."""
    result = {"sweeps": [], "reactors": []}
    for sweep in sweeps(quick):
        key, _, unit = COSTS[sweep.cost]
        servers = [server for server in ([Floor()] if sweep.floor else []) + [Moonwire()]
                   if not server.prepare()]
        gathered = {(server.key, x): [] for server in servers for x, _ in sweep.points}
        for number in range(1, rounds + 1):
            for (x, arguments), server in itertools.product(sweep.points, servers):
                figures = bench.once(server, f"scaling-{sweep.name}-{x}-{number}", arguments)
                gathered[server.key, x].append(figures)
                say(f"{sweep.title} {x}, round {number}: {server.name} "
                    + (figures.get("failed") or f"{figures[key]:.3g} {unit}"))
        points = [point(server, x, runs, key) for (server, x), runs in gathered.items()]
        result["sweeps"].append({"name": sweep.name, "title": sweep.title, "about": sweep.about,
                                 "x": sweep.x, "cost": sweep.cost, "points": points})
    for name, arguments in reactor_scenarios(quick):
        result["reactors"].append(reactors(bench, name, arguments, rounds, say))
    return result


def point(server, x, runs, key):
    good = [run for run in runs if run.get(key) is not None]
    whys = [run["failed"] for run in runs if "failed" in run]
    whys += [why for verdict, why in map(judge, good) if verdict == "slow"]
    costs = [run[key] for run in good]
    return {"server": server, "x": x, "rounds": runs, "note": whys[0] if whys else "",
            "cost": median(costs) if costs else None, "min": min(costs, default=None),
            "max": max(costs, default=None)}


# Two reactors beside one ---------------------------------------------------------------------


def reactor_scenarios(quick):
    """More than two reactors can do, held to a share of a core each."""
    if quick:
        return [("rooms", ("rooms", "--rooms", 10, "--rate", 100))]
    return [("rooms", ("rooms", "--rate", 40_000, "--tick", 1000)),
            ("wide", ("wide", "--rate", 12_000, "--tick", 1000))]


def reactors(bench, name, arguments, rounds, say):
    if not quota.available():
        return {"scenario": name, "ratio": None, "note": "control groups can't be made here"}
    ratios, failed = [], []
    for number in range(1, rounds + 1):
        rates = []
        for threads in (1, 2):
            server = Moonwire(threads)
            try:
                with bench.serve(server, f"scaling-reactors-{name}-{number}") as running, \
                        quota.threads_held(list(quota.reactors_of(running.pids))):
                    rates.append(bench.load(running, arguments)["delivered_per_s"])
            except Failed as reason:
                failed.append(str(reason))
        if len(rates) == 2 and rates[0]:
            ratios.append(rates[1] / rates[0])
        say(f"two reactors beside one, {name}, round {number}: "
            + (failed[-1] if len(rates) < 2 else f"{ratios[-1]:.2f} × the deliveries a second"))
    return {"scenario": name, "ratio": median(ratios) if ratios else None,
            "min": min(ratios, default=None), "max": max(ratios, default=None),
            "note": failed[0] if failed else ""}


# Capacity --------------------------------------------------------------------------------------

GROWTH, REFINEMENTS = 1.3, 3  # the rate found is right to some 4 %


def in_short(figures):
    return (f"{100 * share_delivered(figures):.0f} % delivered, server {figures['cpu_cores']:.2f} cores, "
            f"p99 {figures.get('p99_ms', 0):.3g} ms")


def capacity(bench, quick, say):
    return [capacity_of(bench, name, rate, quick, say)
            for name, rate in (("wide", 100), ("hot", 10_000), ("echo", 20_000),
                               ("rebuild", 10_000))]


def capacity_of(bench, name, rate, quick, say):
    server = Moonwire()
    result = {"scenario": name, "steps": [], "limit": None, "note": ""}

    def attempt(rate):
        """Who was at the limit there, if anyone; a machine's hiccup counts only if it comes twice."""
        return measure(rate) and measure(rate)

    def measure(rate):
        figures = bench.once(server, f"capacity-{name}-{rate:.0f}", (name, "--rate", round(rate)))
        share, limit = 0, "server"
        result["note"] = figures.get("failed", "")
        if "failed" not in figures:
            share = share_delivered(figures)
            # A generator that is late has not offered what it should.
            sent = figures["sent"] / figures["seconds"] / figures["offered_per_s"]
            if share >= ENOUGH and sent >= ENOUGH:
                limit = None
            elif figures["cpu_cores"] < figures["client_cpu_cores"]:
                limit = "generator"  # the one with more to do had no time left
        result["steps"].append({"rate": round(rate), "share": share, "limit": limit, "figures": figures})
        say(f"capacity, {name} at {rate:.0f}/s: " + (figures.get("failed") or in_short(figures))
            + (f" ({limit} at its limit)" if limit else ""))
        return limit

    good, bad = None, None
    if quick:
        rate /= 2
    for _ in range(1 if quick else 20):
        limit = attempt(rate)
        if limit:
            bad, result["limit"] = rate, limit
            break
        good, rate = rate, rate * GROWTH
    while bad and good is None and bad > 1:  # the first rate was too much already
        limit = attempt(bad / 2)
        good, bad = (bad / 2, bad) if not limit else (None, bad / 2)
    for _ in range(REFINEMENTS if good and bad else 0):
        middle = (good + bad) / 2
        limit = attempt(middle)
        if limit:
            bad, result["limit"] = middle, limit
        else:
            good = middle
    if good is None:
        return result
    result["rate"] = round(good)
    result["at"] = next(step["figures"] for step in result["steps"]
                        if step["rate"] == round(good) and not step["limit"])
    # Half of it, twice as much, and half again, which the same server must bear as it did before.
    with bench.serve(server, f"capacity-{name}-overload") as running:
        result["note"] = ""
        for what, factor in (("half", 0.5), ("double", 2), ("after", 0.5)):
            try:
                figures = bench.load(running, (name, "--rate", max(1, round(good * factor))))
                result[what] = figures
                said = in_short(figures)
            except Failed as reason:  # a client that was too slow may be cut, for one
                said = str(reason)
                result["note"] = result["note"] or f"{what}: {said}"
            say(f"capacity, {name}, {what}: {said}")
    return result
