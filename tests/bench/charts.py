"""The report's pictures: SVG, the same bytes from the same figures."""
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402: the backend is chosen first
from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: E402

from scenarios import COSTS  # noqa: E402

OURS, FLOOR, PEER = "#1f6f8b", "#9aa5ab", "#d9b48f"
INK, GRID = "#333333", "#e2e2e2"
matplotlib.rcParams.update({
    "svg.hashsalt": "moonwire", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
})


def save(figure, path):
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def colour(key):
    return OURS if key.startswith("moonwire") else FLOOR if key == "floor" else PEER


def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}".replace(",", " ")


def comparison(scenarios, path):
    """A panel a scenario, a bar a server; each panel has a scale of its own."""
    panels = [scenario for scenario in scenarios
              if any(row["cost"] for row in scenario["rows"])]
    columns = 2
    lines = -(-len(panels) // columns)
    bars = max(sum(bool(row["cost"]) for row in panel["rows"]) for panel in panels)
    figure, axes = plt.subplots(lines, columns, squeeze=False, layout="constrained",
                                figsize=(11, lines * (0.5 + 0.24 * bars)))
    figure.get_layout_engine().set(h_pad=0.12)
    for axis in axes.flat[len(panels):]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels):
        rows = [row for row in panel["rows"] if row["cost"]][::-1]
        costs = [row["cost"]["median"] for row in rows]
        spread = [[row["cost"]["median"] - row["cost"]["min"] for row in rows],
                  [row["cost"]["max"] - row["cost"]["median"] for row in rows]]
        axis.barh([row["name"] for row in rows], costs, xerr=spread, height=0.7,
                  color=[colour(row["server"]) for row in rows],
                  error_kw={"ecolor": INK, "elinewidth": 0.8})
        for place, row in enumerate(rows):
            ratio = row["x_floor"] or row["x_node"]
            base = "floor" if row["x_floor"] else "Node"
            text = number(row["cost"]["median"]) + (f" ({ratio:.2f} × {base})" if ratio else "")
            axis.annotate(text + (" *" if row["state"] in ("slow", "failed") else ""), (row["cost"]["max"], place),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
        axis.set_xlim(0, max(row["cost"]["max"] for row in rows) * 1.45)
        axis.set_ylim(len(rows) - bars - 0.5, len(rows) - 0.5)  # bars are as thick in every panel
        axis.set_title(f"{panel['title']}: {COSTS[panel['cost']][1]}", loc="left", fontsize=10)
        axis.xaxis.set_visible(False)  # the bars say it
        axis.spines["bottom"].set_visible(False)
        axis.tick_params(axis="y", length=0)
    figure.supxlabel("bars: medians; lines: lowest to highest; *: too slow for the offered rate, or failed",
                     fontsize=8)
    save(figure, path)


def curve(sweep, path):
    """Cost against what grows; a line for Moonwire and one for the floor."""
    figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    top = 0
    for server in ("floor", "moonwire"):
        points = [p for p in sweep["points"] if p["server"] == server and p["cost"] is not None]
        if not points:
            continue
        xs = [p["x"] for p in points]
        top = max(top, *(p["max"] for p in points))
        axis.fill_between(xs, [p["min"] for p in points], [p["max"] for p in points],
                          color=colour(server), alpha=0.2, linewidth=0)
        axis.plot(xs, [p["cost"] for p in points], marker="o", markersize=4, color=colour(server),
                  label=server)
    xs = sorted({p["x"] for p in sweep["points"]})
    axis.set_xscale("log")
    axis.set_xticks(xs, [number(x) for x in xs], rotation=30)
    axis.xaxis.set_minor_locator(NullLocator())
    costs = [p["cost"] for p in sweep["points"] if p["cost"]]
    if costs and max(costs) > 10 * min(costs):
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    else:
        axis.set_ylim(0, top * 1.1 or 1)
    axis.set_xlabel(sweep["x"])
    axis.set_ylabel(COSTS[sweep["cost"]][1])
    axis.grid(axis="y", color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.set_title(sweep["title"], loc="left", fontsize=10)
    if axis.lines:
        axis.legend(frameon=False)
    save(figure, path)


def reactors(rows, path):
    """How much more two reactors can do than one, by scenario."""
    rows = [row for row in rows if row["ratio"]][::-1]
    figure, axis = plt.subplots(figsize=(6.5, 0.9 + 0.35 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        axis.barh(row["scenario"], row["ratio"], height=0.6, color=OURS,
                  xerr=[[row["ratio"] - row["min"]], [row["max"] - row["ratio"]]],
                  error_kw={"ecolor": INK, "elinewidth": 0.8})
        axis.annotate(f"{row['ratio']:.2f}", (row["max"], place), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8)
    axis.axvline(1, color=INK, linewidth=0.8, linestyle=":")
    axis.axvline(2, color=INK, linewidth=0.8, linestyle=":")
    axis.set_xlim(0, max(2.3, *(row["max"] * 1.1 for row in rows)) if rows else 2.3)
    axis.tick_params(axis="y", length=0)
    axis.set_title("deliveries a second of two reactors beside one", loc="left", fontsize=10)
    save(figure, path)
