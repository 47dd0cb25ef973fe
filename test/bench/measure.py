"""Measuring side by side, and the table of what came out."""

import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from multiprocessing import Pool


def say(text):
    print(text, file=sys.stderr, flush=True)


def progress(what, function, *arguments):
    """Says what takes how long."""
    print(f"{what} ... ", end="", file=sys.stderr, flush=True)
    began = time.monotonic()
    result = function(*arguments)
    say(f"{time.monotonic() - began:.1f} s")
    return result


@dataclass
class Item:
    """Something to time: a script, what must be done before it each time, and how it runs."""
    name: str
    script: str
    before: str = ""
    session: object = None


def interleave(crm, items, runs):
    """{name: medians of wall and cpu in seconds, MB of memory, the lines of the last run}: a round of all, then the next.

    A round before them warms up and does not count.  In it each has a session of
    its own, whose memory is watched.
    """
    taken = {item.name: [] for item in items}
    memory = {}
    session = crm.session()
    for turn in range(runs + 1):
        began = time.monotonic()
        for item in items:
            one = item.session or (session if turn else crm.session())
            one.run(item.before)
            result = one.measure(item.script, with_memory=turn == 0)
            if turn:
                taken[item.name].append(result)
            else:
                memory[item.name] = result["memory"]
                if one is not item.session:
                    one.close()
        say(f"  round {turn} of {runs}: {time.monotonic() - began:.1f} s")
    session.close()
    return {name: {"wall": statistics.median(r["wall"] for r in results), "cpu": statistics.median(r["cpu"] for r in results),
                   "least": min(r["wall"] for r in results), "memory": memory[name], "lines": results[-1]["lines"]} for name, results in taken.items()}


def total(results, prefix=""):
    """The sum of what begins with a name, the most memory of them."""
    parts = [result for name, result in results.items() if name.startswith(prefix)]
    return {"wall": sum(p["wall"] for p in parts), "cpu": sum(p["cpu"] for p in parts), "least": sum(p["least"] for p in parts),
            "memory": max(p["memory"] or 0 for p in parts), "lines": []}


@dataclass
class Goal:
    key: str
    what: str
    unit: str  # x: a ratio
    must: float
    aim: float
    lower_is_better: bool = True

    def verdict(self, value):
        def holds(limit):
            return value <= limit if self.lower_is_better else value >= limit
        return "aim" if holds(self.aim) else "must" if holds(self.must) else "missed"

    def limits(self):
        sign = "<=" if self.lower_is_better else ">="
        return f"{sign} {self.must:g}", f"{sign} {self.aim:g}"


GOALS = {goal.key: goal for goal in (
    Goal("snapshot/bare", "complete snapshot, facts written / bare scans, both serial", "x", 2.5, 1.8),
    Goal("snapshot/bare, scattered", "the same with sparse, shuffled, text and uuid ids / its own bare scans", "x", 3.5, 2.2),
    Goal("expert/snapshot", "expert/ / snapshot of what it computes, both serial", "x", 8, 14, False),
    Goal("separate/snapshot", "separate/ / snapshot of what it computes, both serial", "x", 20, 35, False),
    Goal("movements", "movements of subscriptions alone: delta SQL / ours", "x", 10, 30, False),
    Goal("duckdb/snapshot", "DuckDB, same threads, no import / snapshot of what it computes", "x", 1.0, 1.6, False),
    Goal("cores", "complete snapshot on one core / on two", "x", 1.4, 1.8, False),
    Goal("refresh, recent", "0.1 % changed, all recent: full / refresh", "x", 10, 50, False),
    Goal("refresh, nothing changed", "nothing changed: full / refresh", "x", 20, 100, False),
    Goal("refresh, scattered", "0.1 % changed, all over the months: full / refresh", "x", 1, 10, False),
    Goal("panel", "36 months of one KPI and member (kpi_series)", "ms", 1, 0.3),
    Goal("report", "kpi_report", "ms", 20, 5),
    Goal("write, 1 row", "slowdown of one-row writes by tracking", "%", 15, 5),
    Goal("write, 100 rows", "slowdown of 100-row writes by tracking", "%", 10, 5),
    Goal("growth", "4 times the rows: time per row / that at one quarter of them", "x", 1.25, 1.1),
)}


class Report:
    def __init__(self):
        self.about, self.figures, self.times, self.tables = [], [], {}, []

    def add(self, key, value, note="", cpu=None):
        """What came of a goal, by the clock and by processor time."""
        goal = GOALS[key]
        self.figures.append({"key": key, "what": goal.what, "value": value, "cpu": cpu, "unit": goal.unit, "must": goal.must, "aim": goal.aim,
                             "lower_is_better": goal.lower_is_better, "verdict": goal.verdict(value), "note": note})

    def show(self, what, value, unit="x", note="", cpu=None):
        """A figure that has no goal."""
        self.figures.append({"key": None, "what": what, "value": value, "cpu": cpu, "unit": unit, "verdict": "", "note": note})

    def skip(self, key, why):
        self.figures.append({"key": key, "what": GOALS[key].what, "value": None, "cpu": None, "unit": GOALS[key].unit, "verdict": "skipped", "note": why})

    def keep(self, results):
        self.times.update({name: {k: v for k, v in result.items() if k != "lines"} for name, result in results.items()})

    def markdown(self):
        out = [f"# salkpi, measured {time.strftime('%Y-%m-%d %H:%M')}", "", *(f"- {line}" for line in self.about), ""]
        rows = [("", "value", "by cpu", "must", "aim", "holds", "")]
        for figure in self.figures:
            limits = GOALS[figure["key"]].limits() if figure["key"] else ("", "")
            values = ("" if v is None else f"{v:.3g}{'' if figure['unit'] == 'x' else ' ' + figure['unit']}" for v in (figure["value"], figure["cpu"]))
            rows.append((figure["what"], *values, *limits, figure["verdict"], figure["note"]))
        out += table(rows) if self.figures else []
        for title, rows in self.tables + ([("Medians", self.medians())] if self.times else []):
            out += ["", f"## {title}", "", *table(rows)]
        return "\n".join(out) + "\n"

    def medians(self):
        return [("", "wall ms", "cpu ms", "least wall ms", "memory MB")] + [
            (name, f"{1000 * t['wall']:.1f}", f"{1000 * t['cpu']:.1f}", f"{1000 * t['least']:.1f}", "" if t["memory"] is None else f"{t['memory']:.0f}")
            for name, t in self.times.items()]

    def write(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "bench.md").write_text(self.markdown(), encoding="utf-8")
        (directory / "bench.json").write_text(json.dumps({"about": self.about, "figures": self.figures, "times": self.times, "tables": self.tables}, indent=1) + "\n",
                                              encoding="utf-8")


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def load():
    with open("/proc/loadavg", encoding="utf-8") as file:
        return file.read().split()[0]


def calculate(n):
    return sum(i * i & 7 for i in range(n))


def two_at_once(n=5000000):
    """How much more two processes get done than one: 2 if there are two whole cores for them."""
    with Pool(2) as pool:
        def took(processes):
            began = time.perf_counter()
            pool.map(calculate, [n] * processes, chunksize=1)
            return time.perf_counter() - began

        return statistics.median(2 * took(1) / took(2) for _ in range(3))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} processors, {model}; two processes that calculate do {two_at_once():.2f} times as much as one"
