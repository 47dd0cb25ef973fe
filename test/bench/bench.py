#!/usr/bin/env python3
"""How fast snapshots, readers and tracked writes are, beside what else could be used.

Makes a CRM's data, binds them, compares the facts of a snapshot with plain SQL
cell by cell, and times nothing unless all agree.  Then it measures in one run,
interleaved, prints one table of ratios beside their goals, and writes it as
Markdown and JSON.  A figure is the median of the runs; others' work on the
machine shows, so let it be idle.
"""

import argparse
from pathlib import Path
import subprocess
import sys

import changes
import parts
from compare import Query, compare
from crm import HERE, Crm, SETS, queries, settings, snapshot
from duck import DuckDB, Unavailable
from measure import Report, load, machine, progress, say
from session import Session, SQLError

PARTS = {
    "snapshot": "snapshots of everything and of what the reference computes, on one core and on two, beside bare scans (always measured with the next three)",
    "expert": "the reference SQL, a statement for each table", "separate": "twenty statements, one for each KPI", "duckdb": "the reference in DuckDB, where npm can install it",
    "movements": "the movements of subscriptions alone", "reading": "panels and the report", "refresh": "snapshots after 0.1 % of the rows changed",
    "writes": "inserts and updates with tracking off and on", "profile": "where the processor time goes, by source file (with perf, where it can be had)",
    "growth": "with rows, members and periods", "aggregates": "the KPI aggregates beside sum and count (only if named)"}


def agree(crm, sets=tuple(SETS)):
    """Are a snapshot's facts those of the reference SQL?  What differs is said."""
    session = crm.session()
    cells, different = 0, []
    for which in sets:
        session.run(settings(which) + snapshot(crm))
        different += [f"kpi_problem: {' '.join(row)}" for row in session.rows("SELECT source, reason, bad_rows FROM kpi.kpi_problem ORDER BY 1, 2")]
        for path in queries("expert"):
            n, these = compare(session, Query(path), crm.months, crm.first_day)
            cells, different = cells + n, different + these
    session.close()
    for line in different[:20]:
        say(f"  {line}")
    say(f"  {cells} cells compared, {len(different)} differ")
    return cells > 0 and not different


def start_duckdb(crm, report):
    """DuckDB with a copy of the tables, or None where it cannot be had."""
    try:
        duckdb = progress("installing DuckDB", DuckDB)
    except Unavailable as why:
        report.skip("duckdb/snapshot", str(why))
        return None
    progress("copying the tables into it", duckdb.load, crm)
    for line in duckdb.check(crm):
        say(f"  {line}")
        report.about.append(line)
    return duckdb


def measure(crm, report, wanted, runs):
    if wanted & {"snapshot", "expert", "separate", "duckdb"}:
        duckdb = start_duckdb(crm, report) if "duckdb" in wanted else None
        try:
            say("snapshots")
            parts.snapshots(crm, report, runs, duckdb, wanted)
        finally:
            if duckdb:
                duckdb.close()
    for name, part in (("movements", parts.movements), ("reading", parts.reading), ("refresh", changes.refresh), ("writes", changes.writes),
                       ("profile", parts.profile), ("growth", parts.growth)):
        if name in wanted:
            say(name)
            part(crm, report, runs)


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="parts:\n" + "\n".join(f"  {name:<12}{what}" for name, what in PARTS.items()))
    parser.add_argument("words", nargs="*", metavar="SCALE|PART", help="1 is 23 million rows, by default 0.1; and what to measure, by default all")
    parser.add_argument("--variant", choices=("dense", "scattered"), default="dense",
                        help="scattered: shuffled, sparse, text and uuid ids, updated pages, 60 months")
    parser.add_argument("--runs", type=int, default=5, help="how many runs a median is of (5)")
    parser.add_argument("--check", action="store_true", help="compare the facts, time nothing")
    parser.add_argument("--output", type=Path, help="directory for bench.md and bench.json (bench-results)")
    options = parser.parse_args()
    numbers = [word for word in options.words if word.replace(".", "", 1).isdigit()]
    unknown = set(options.words) - set(numbers) - PARTS.keys()
    if unknown or len(numbers) > 1:
        parser.error(f"there is no part {', '.join(sorted(unknown))}" if unknown else "there can be one scale")
    options.scale = float(numbers[0]) if numbers else 0.1
    options.parts = set(options.words) - set(numbers) or PARTS.keys() - {"aggregates"}
    return options


def main():
    options = arguments()
    if "aggregates" in options.parts:
        subprocess.run([HERE / "aggregates"], check=True)
        if options.parts == {"aggregates"}:
            return 0
    report = Report()
    began = load()
    crm = progress("making the data", Crm, options.scale, options.variant == "scattered")
    try:
        report.about.append(crm.describe())
        session = Session("postgres")
        report.about.append(f"PostgreSQL {session.value('SHOW server_version')}, shared_buffers {session.value('SHOW shared_buffers')}, medians of {options.runs} runs")
        session.close()
        say("comparing with the reference")
        if options.check:
            return 0 if agree(crm, ["reference"]) else 1
        if not agree(crm):
            say("nothing is timed: the numbers differ")
            return 1
        measure(crm, report, options.parts, options.runs)
        report.about.append(f"{machine()}; load {began} at the start, {load()} at the end")
    finally:
        crm.drop()
    print(report.markdown(), flush=True)
    if options.output:
        report.write(options.output)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SQLError as error:
        say(f"\nbench: {error}")
        sys.exit(1)
