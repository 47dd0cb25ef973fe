"""The parts of the benchmark: each measures something and adds it to the report."""

import re

from crm import LAST_COLUMN, SOURCES, bare, parallel, queries, settings, snapshot, to_nowhere
from measure import Item, interleave, total


def scan_items(processes):
    return [Item(f"bare, {processes}: {table}", bare(table), parallel(processes)) for table in LAST_COLUMN]


def snapshot_item(crm, which, processes):
    return Item(f"snapshot, {which}, {processes}", snapshot(crm), settings(which) + parallel(processes))


def query_items(directory, names=None):
    return [Item(f"{directory}: {path.stem}", to_nowhere(path.read_text(encoding="utf-8")), parallel(1))
            for path in queries(directory) if names is None or path.stem in names]


def by_source(result):
    """What each source took, as the snapshot itself said; the rest is what writing took."""
    taken = {m[1]: float(m[2]) for m in (re.match(r"NOTICE:  (.+) \(\S+\): (\d+) ms$", line) for line in result["lines"]) if m}
    taken["writing and the rest"] = 1000 * result["wall"] - sum(taken.values())
    return taken


def full(crm, report, runs, with_separate=False, with_expert=True):
    """The complete snapshot and what others take, in one run, interleaved."""
    session = crm.session()
    items = scan_items(1) + scan_items(2) + [snapshot_item(crm, which, processes) for which in ("complete", "reference") for processes in (1, 2)]
    if with_expert:
        items += query_items("expert")
    if with_separate:
        items += query_items("separate")
    results = interleave(session, items, runs)
    session.close()
    for name in ("bare, 1", "bare, 2", "expert", "separate"):
        if any(key.startswith(name + ":") for key in results):
            results[name] = total(results, name + ":")
    report.keep(results)

    serial, both = results["snapshot, complete, 1"], results["snapshot, complete, 2"]
    same, same_both = results["snapshot, reference, 1"], results["snapshot, reference, 2"]
    report.add("snapshot/bare, scattered" if crm.scattered else "snapshot/bare", serial["wall"] / results["bare, 1"]["wall"])
    report.show("snapshot of what the reference computes / bare scans, both serial", same["wall"] / results["bare, 1"]["wall"])
    report.show("the same by processor time", same["cpu"] / results["bare, 1"]["cpu"])
    for name in ("expert", "separate"):
        if name in results:
            report.add(f"{name}/snapshot", results[name]["wall"] / same["wall"])
            report.show(f"{name}/ / complete snapshot, both serial", results[name]["wall"] / serial["wall"])
    report.add("cores", serial["wall"] / both["wall"])
    report.show("snapshot of what the reference computes on one core / on two", same["wall"] / same_both["wall"])
    report.show("bare scans on one core / on two", results["bare, 1"]["wall"] / results["bare, 2"]["wall"])
    report.show("memory of the complete snapshot, serial", serial["memory"], "MB")
    for which in ("complete", "reference"):
        for source, ms in by_source(results[f"snapshot, {which}, 1"]).items():
            report.show(f"{which} snapshot: {source}", ms, "ms")
    return results
