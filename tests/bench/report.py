"""What the runs say: medians, ratios and tables, as text and as Markdown with charts."""
from dataclasses import dataclass
from statistics import median

from measure import judge
from scenarios import COSTS

NODE, FLOOR = "node", "floor"


# Medians and ratios --------------------------------------------------------------------------


def figures_of(rounds):
    return [run for run in rounds if "failed" not in run and "unsupported" not in run]


def medians(rounds):
    """Of each figure, over the rounds that have it."""
    keys = dict.fromkeys(key for run in rounds for key, value in run.items()
                         if isinstance(value, (int, float)) and not isinstance(value, bool))
    return {key: median(run[key] for run in rounds if key in run) for key in keys}


def ratio(cost, rounds, base):
    """The median of the rounds' own ratios: what the machine did in a round, both have felt."""
    ratios = [mine[cost] / other[cost] for mine, other in zip(rounds, base)
              if mine.get(cost) and other.get(cost)]
    return median(ratios) if ratios else None


def summary(scenario, servers, runs):
    """A scenario's rows. `runs` has each server's rounds by key, those without figures, too."""
    cost = COSTS[scenario.cost][0]
    rows = []
    for server in servers:
        rounds = runs[server.key]
        good = figures_of(rounds)
        if bad := [run for run in rounds if "failed" in run]:
            state = "failed"
            note = f"failed in {len(bad)} of {len(rounds)} rounds: {bad[0]['failed']}"
        elif unsupported := [run for run in rounds if "unsupported" in run]:
            state, note = "unsupported", unsupported[0]["unsupported"]
        else:
            verdicts = [judge(run) for run in good]
            state = next(worst for worst in ("slow", "late", "ok") if any(v[0] == worst for v in verdicts))
            same = [why for verdict, why in verdicts if verdict == state]
            note = same[0] + (f" (in {len(same)} of {len(good)} rounds)" if len(same) < len(good) else "")
        costs = [run[cost] for run in good if run.get(cost) is not None]
        rows.append({
            "server": server.key, "name": server.name, "state": state, "note": note, "rounds": rounds,
            "median": medians(good),
            "cost": {"median": median(costs), "min": min(costs), "max": max(costs)} if costs else None,
            # The floor keeps next to nothing of a connection: a multiple of that says nothing.
            "x_floor": None if scenario.cost == "memory" else ratio(cost, rounds, runs.get(FLOOR, [])),
            "x_node": ratio(cost, rounds, runs.get(NODE, [])),
        })
    return {"name": scenario.name, "title": scenario.title, "about": scenario.about,
            "cost": scenario.cost, "load": list(scenario.load), "rows": rows}


# Tables ----------------------------------------------------------------------------------------


@dataclass
class Table:
    title: str
    about: str
    header: list
    rows: list
    chart: str = ""  # a file's name in charts/


def grouped(value):
    return f"{value:,.0f}".replace(",", " ")


def short(value, digits=3):
    """With so many digits as a benchmark's figures deserve."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return grouped(value)
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e" in text else text


def times(value):
    return "–" if value is None else f"{value:.2f}"


COLUMNS = {  # after the cost
    "delivery": [("delivered/s", "delivered_per_s"), ("p50 ms", "p50_ms"), ("p99 ms", "p99_ms"),
                 ("server cores", "cpu_cores")],
    "connect": [("connects/s", "connects_per_s"), ("p50 ms", "p50_ms"), ("p99 ms", "p99_ms"),
                ("server cores", "cpu_cores")],
    "memory": [("connections", "connections")],
}


def scenario_table(scenario):
    _, head, _ = COSTS[scenario["cost"]]
    columns = [(name, key) for name, key in COLUMNS[scenario["cost"]]
               if any(key in row["median"] for row in scenario["rows"])]
    ratios = [(name, key) for name, key in (("× floor", "x_floor"), ("× Node", "x_node"))
              if any(row[key] for row in scenario["rows"])]
    rows = [[row["name"], *(times(row[key]) for _, key in ratios),
             short(row["cost"]["median"] if row["cost"] else None),
             *(short(row["median"].get(key)) for _, key in columns), row["note"]]
            for row in scenario["rows"]]
    header = ["server", *(name for name, _ in ratios), head, *(name for name, _ in columns), ""]
    return Table(scenario["title"], scenario["about"], header, rows)


def overview_table(scenarios):
    """Every server beside Node: one look at everything."""
    names = {row["server"]: row["name"] for scenario in scenarios for row in scenario["rows"]}
    rows = []
    for scenario in scenarios:
        by_server = {row["server"]: row for row in scenario["rows"]}
        rows.append([scenario["title"], *(
            times(by_server[key]["x_node"]) + (" *" if by_server[key]["state"] in ("slow", "failed") else "")
            if key in by_server else "–" for key in names)])
    return Table("Beside socket.io (Node)", "Each server's cost divided by Node's, in the same rounds: CPU "
                 "time a delivery or a connect, memory a connection. Less is cheaper. *: a run failed "
                 "or the offered rate was too much, see the scenario.", ["scenario", *names.values()], rows)


def sweep_table(sweep):
    servers = list(dict.fromkeys(point["server"] for point in sweep["points"]))
    beside = FLOOR in servers
    by_place = {(point["server"], point["x"]): point for point in sweep["points"]}
    xs = sorted({point["x"] for point in sweep["points"]})
    rows = []
    for x in xs:
        here = {server: by_place.get((server, x)) for server in servers}
        costs = {server: point and point["cost"] for server, point in here.items()}
        first = by_place[("moonwire", xs[0])]["cost"] if ("moonwire", xs[0]) in by_place else None
        notes = [f"{server}: {point['note']}" for server, point in here.items() if point and point["note"]]
        mine, floor = costs.get("moonwire"), costs.get(FLOOR)
        rows.append([grouped(x), times(mine / first if mine and first else None),
                     *([times(mine / floor if mine and floor else None)] if beside else []),
                     *(short(costs[server]) for server in servers), "; ".join(notes)])
    unit = COSTS[sweep["cost"]][1]
    return Table(sweep["title"], sweep["about"],
                 [sweep["x"], f"× at {grouped(xs[0])}", *(["× floor"] if beside else []),
                  *(f"{server}: {unit}" for server in servers), ""],
                 rows, f"scaling-{sweep['name']}.svg")


def reactors_table(rows):
    return Table(
        "reactors",
        "Deliveries a second of two reactors beside those of one, at more than two can do. So that the "
        "generator is not the limit on a machine with two cores, each reactor's thread is held to a quarter of "
        "a core (a CPU quota of its control group): then two of them and the generator, which may use the rest, "
        "have room beside each other.",
        ["scenario", "× one's", "from", "to", ""],
        [[row["scenario"], times(row["ratio"]), times(row.get("min")), times(row.get("max")), row["note"]]
         for row in rows],
        "reactors.svg")


def capacity_table(rows):
    lines = []
    for row in rows:
        if "rate" not in row:
            lines.append([row["scenario"], *["–"] * 8, row["note"] or "nothing it could keep up with"])
            continue
        at = row["at"]
        note = row["note"]
        if row["limit"] == "generator":
            note = "at least: the generator was at its limit" + (f"; {note}" if note else "")

        def p99(what):
            return short(row[what]["p99_ms"]) if what in row else "–"

        double = row.get("double")
        lost = double and f"{100 * (double.get('lost') or 0) / double['expected']:.0f} %"
        lines.append([row["scenario"], grouped(at["delivered_per_s"]), short(at["cpu_cores"]),
                      grouped(at["delivered_per_s"] / at["cpu_cores"]), p99("half"), p99("double"), lost or "–",
                      p99("after"), rss_growth(row), note])
    return Table(
        "capacity",
        "One reactor. The highest rate of which 97 % arrive within the window; then the latency at half of "
        "it, at twice as much, and at half again right after that, from the same server. Where the generator was "
        "at its limit before the server, the server's is above that: what a core would do is deliveries/s by "
        "cores used.",
        ["scenario", "deliveries/s", "server cores", "a core would do", "p99 ms at half", "p99 ms at double", "lost at double",
         "p99 ms at half, after", "memory after, × before", ""], lines)


def rss_growth(row):
    if not all(row.get(what, {}).get("rss_after_kb") for what in ("half", "after")):
        return "–"
    return times(row["after"]["rss_after_kb"] / row["half"]["rss_after_kb"])


def tables(results):
    """(part, its tables) of every part that has been measured."""
    parts = []
    if scenarios := results.get("compare", {}).get("scenarios"):
        every = [scenario_table(scenario) for scenario in scenarios]
        if any(row["x_node"] for scenario in scenarios for row in scenario["rows"]):
            every.insert(0, overview_table(scenarios))
        parts.append(("compare", every))
    if scaling := results.get("scaling"):
        parts.append(("scaling", [*map(sweep_table, scaling["sweeps"]), reactors_table(scaling["reactors"])]))
    if capacity := results.get("capacity"):
        parts.append(("capacity", [capacity_table(capacity["scenarios"])]))
    return parts


def without_empty(table):
    """Its header and rows without a last column in which nobody has anything."""
    if table.header[-1] == "" and not any(row[-1] for row in table.rows):
        return [table.header[:-1], *(row[:-1] for row in table.rows)]
    return [table.header, *table.rows]


def as_text(table):
    lines = without_empty(table)
    widths = [max(map(len, column)) for column in zip(*lines)]
    # Names and notes to the left, figures to the right.
    left = {0} | ({len(widths) - 1} if table.header[-1] == "" and len(lines[0]) == len(table.header) else set())
    text = ["  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]
    return "\n".join([table.title, *(f"  {line}" for line in text), ""])


def as_markdown(table, level="###"):
    header, *rows = without_empty(table)
    rule = ["---", *["---:"] * (len(header) - 1)]
    if table.header[-1] == "" and header == table.header:
        rule[-1] = "---"
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (header, rule, *rows)]
    chart = [f"![{table.title}](charts/{table.chart})", ""] if table.chart else []
    title = table.title[0].upper() + table.title[1:]
    return "\n".join([f"{level} {title}", "", table.about, "", *lines, "", *chart])


# The document ----------------------------------------------------------------------------------

HEAD = """# Results

`./bootstrap bench --write` makes this page. Figures of one machine on one day: the ratios are what carries over.
"""

HOW = """## How it is measured

- Server and load generator (`load/`) are on one machine, a core each (`moonwire x2` has both). A server is started
  afresh for every run; within a round the servers take turns, so that a machine that drifts does so for all.
- CPU time is what the server's threads have used by the kernel's account (`schedstat`), from the window's begin to
  its end; the warm-up before and the drain after are not in it. A delivery is a message that a client has received.
- The generator sends on a schedule and does not wait for slow servers; a latency counts from when a message
  *should* have been sent.
- Figures are medians over the rounds; a ratio is the median of the rounds' own ratios. `× floor` is beside `floor.cpp`,
  an epoll server with the protocol hard-coded, which does only what any server must; `× Node` beside socket.io on Node.
- All servers do the same ([`peers/`](peers/)): ping every 25 s, at most 1 MB a message, no logging of events. Each runs
  as one process with one thread for its work, as far as it has such a setting.

## Limits

- Client and server talk over the loopback device: there is no network, and what the kernel does for sending is most
  of a small message's cost for every server.
- Two cores that share caches, maybe a physical core, and a virtual machine's neighbours make absolute figures wander;
  the raw file has the lowest and highest of every cost.
- The handlers are small. An application's own work comes on top, and there the languages differ more.
- A server that is too slow for the offered rate is shown with what it delivered: its cost a delivery is still right, its
  latency is that of a queue.
- Just-in-time compilers get two seconds of warm-up, unless the command says otherwise; over hours they, and garbage
  collectors, may do better or worse.
"""

PARTS = {
    "compare": ("Servers", "charts/comparison.svg"),
    "scaling": ("Scaling", None),
    "capacity": ("Capacity and overload", None),
}


def about_run(run):
    machine = run["machine"]
    return (f"{run['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
            f"{machine['kernel']}: `{run['command']}`")


def document(results):
    text = [HEAD]
    for part, every in tables(results):
        title, chart = PARTS[part]
        text += [f"## {title}", "", about_run(results[part]["run"]), ""]
        if part == "compare":
            text += [f"- {line}" for line in servers_lines(results[part])] + [""]
            text += [f"![CPU and memory by server and scenario]({chart})", ""]
        text += map(as_markdown, every)
    return "\n".join([*text, HOW])


def servers_lines(compare):
    for server in compare["servers"]:
        if server["missing"]:
            yield f"{server['name']}: not measured, {server['missing']}"
        else:
            yield server["name"] + ("" if server["version"] == server["name"] else f": {server['version']}")


def write(results, folder):
    """RESULTS.md and its charts."""
    charts_folder = folder / "charts"
    charts_folder.mkdir(exist_ok=True)
    (folder / "RESULTS.md").write_text(document(results))
    import charts  # here, as only the written report needs matplotlib

    if scenarios := results.get("compare", {}).get("scenarios"):
        charts.comparison(scenarios, charts_folder / "comparison.svg")
    if scaling := results.get("scaling"):
        for sweep in scaling["sweeps"]:
            charts.curve(sweep, charts_folder / f"scaling-{sweep['name']}.svg")
        charts.reactors(scaling["reactors"], charts_folder / "reactors.svg")
