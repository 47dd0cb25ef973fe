#!/usr/bin/env python3
"""How fast snapshots, readers and tracked writes are, beside what else could be used.

Makes a CRM's data, binds them, compares the facts of a snapshot with plain SQL
cell by cell, and times nothing unless all agree.  Then it measures in one run,
interleaved, prints one table of ratios beside their goals, and writes it as
Markdown and JSON.
"""

import argparse
from pathlib import Path
import sys
import time

import parts
from compare import Query, compare
from crm import Crm, SETS, queries, settings, snapshot
from measure import Report, machine, progress, say
from session import SQLError


def agree(crm):
    """Are a snapshot's facts those of the reference SQL?  What differs is said."""
    session = crm.session()
    cells, different = 0, []
    for which in SETS:
        session.run(settings(which) + snapshot(crm))
        problems = session.rows("SELECT source, reason, bad_rows FROM kpi.kpi_problem ORDER BY 1, 2")
        different += [f"kpi_problem: {' '.join(row)}" for row in problems]
        for path in queries("expert"):
            n, these = compare(session, Query(path), crm.months, crm.first_day)
            cells, different = cells + n, different + these
    session.close()
    for line in different[:20]:
        say(f"  {line}")
    say(f"  {cells} cells compared, {len(different)} differ")
    return cells > 0 and not different


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scale", nargs="?", type=float, default=0.1, help="1 is 23 million rows; by default 0.1, which takes some minutes")
    parser.add_argument("parts", nargs="*", help="what to measure; by default all")
    parser.add_argument("--variant", choices=("dense", "scattered"), default="dense",
                        help="scattered: shuffled, sparse, text and uuid ids, updated pages, 60 months")
    parser.add_argument("--runs", type=int, default=5, help="how many runs a median is of")
    parser.add_argument("--check", action="store_true", help="compare the facts, time nothing")
    parser.add_argument("--output", type=Path, help="directory for bench.md and bench.json")
    return parser.parse_args()


def main():
    options = arguments()
    report = Report([machine()])
    crm = progress("making the data", Crm, options.scale, options.variant == "scattered")
    try:
        say("comparing with the reference")
        if not agree(crm):
            say("nothing is timed: the numbers differ")
            return 1
        if options.check:
            return 0
        report.about.append(crm.describe())
        parts.full(crm, report, options.runs, with_separate=False)
    finally:
        crm.drop()
    print(report.markdown())
    if options.output:
        report.write(options.output)
        say(f"written to {options.output}/bench.md and bench.json")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SQLError as error:
        say(f"\nbench: {error}")
        sys.exit(1)
