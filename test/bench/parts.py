"""The parts of the benchmark: each measures something and adds it to the report."""

import re

from crm import Crm, LAST_COLUMN, bare, parallel, queries, settings, snapshot, to_nowhere
from measure import Item, interleave, progress, total


def query_items(directory):
    return [Item(f"{directory}: {path.stem}", to_nowhere(path.read_text(encoding="utf-8")), parallel(1)) for path in queries(directory)]


def snapshot_item(crm, which, processes):
    return Item(f"snapshot, {which}, {processes}", snapshot(crm), settings(which) + parallel(processes))


def best_forms(results):
    """Of the KPIs that are written in several ways the fastest counts."""
    best = {}
    for name, result in results.items():
        number = re.match(r"separate: (\d+)_", name)
        if number and (number[1] not in best or result["wall"] < best[number[1]]["wall"]):
            best[number[1]] = result
    return total(best)


def by_source(result):
    """What each source took, as the snapshot itself said; the rest is what writing took."""
    taken = {m[1]: float(m[2]) for m in (re.match(r"NOTICE:  (.+) \(\S+\): (\d+) ms$", line) for line in result["lines"]) if m}
    taken["writing and the rest"] = 1000 * result["wall"] - sum(taken.values())
    return taken


def snapshots(crm, report, runs, duckdb, wanted):
    """Snapshots, the bare scans and what others take, in one run, interleaved."""
    session = crm.session()
    items = [Item(f"bare, {n}: {table}", bare(table), parallel(n)) for n in (1, 2) for table in LAST_COLUMN]
    items += [snapshot_item(crm, which, n) for which in ("complete", "reference") for n in (1, 2)]
    for directory in ("expert", "separate"):
        if directory in wanted:
            items += query_items(directory)
    if duckdb:
        items += [Item(f"duckdb, {n}: {path.stem}", f"CREATE OR REPLACE TEMP TABLE result AS {path.read_text(encoding='utf-8')}", f"SET threads = {n}", duckdb)
                  for n in (1, 2) for path in queries("duckdb")]
    results = interleave(session, items, runs)
    session.close()
    results.update({f"{name}": total(results, f"{name}:") for name in ("bare, 1", "bare, 2", "expert", "duckdb, 1", "duckdb, 2") if any(k.startswith(f"{name}:") for k in results)})
    if "separate" in wanted:
        results["separate"] = best_forms(results)
    report.keep(results)
    ratios(crm, report, results)


def ratios(crm, report, results):
    wall = {name: result["wall"] for name, result in results.items()}
    serial, same = "snapshot, complete, 1", "snapshot, reference, 1"
    report.add("snapshot/bare, scattered" if crm.scattered else "snapshot/bare", wall[serial] / wall["bare, 1"],
               f"what the reference computes: {wall[same] / wall['bare, 1']:.3g}")
    for name in ("expert", "separate"):
        if name in wall:
            report.add(f"{name}/snapshot", wall[name] / wall[same], f"complete snapshot: {wall[name] / wall[serial]:.3g}")
    if "duckdb, 1" in wall:
        report.add("duckdb/snapshot", wall["duckdb, 1"] / wall[same],
                   f"two threads: {wall['duckdb, 2'] / wall['snapshot, reference, 2']:.3g}; complete snapshot, one thread: {wall['duckdb, 1'] / wall[serial]:.3g}")
    report.add("cores", wall[serial] / wall["snapshot, complete, 2"],
               f"what the reference computes: {wall[same] / wall['snapshot, reference, 2']:.3g}; bare scans: {wall['bare, 1'] / wall['bare, 2']:.3g}")
    report.show("complete snapshot, processor time / that of the bare scans", results[serial]["cpu"] / results["bare, 1"]["cpu"])
    report.show("memory of the complete snapshot", results[serial]["memory"], "MB", f"on two cores {results['snapshot, complete, 2']['memory']:.0f} MB")
    for which, name in (("complete", serial), ("reference", same)):
        report.note(f"Of the {which} snapshot: " + ", ".join(f"{source} {ms:.0f} ms" for source, ms in by_source(results[name]).items()) + ".")


MOVEMENTS = """
SELECT m.*
FROM (SELECT kpi.kpi_ledger(:'days'::date[], 'total; rep=1; region=2', s.customer_id::text, s.valid_from, s.valid_to, s.monthly_amount,
		c.rep_id::text, c.region_id::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS ledger
	FROM subscription s JOIN customer c USING (customer_id)) l,
	kpi.kpi_movements(l.ledger, ARRAY(SELECT generate_series(1, cardinality(:'days'::date[]) - 1)), ARRAY(SELECT generate_series(2, cardinality(:'days'::date[])))) m"""


def movements(crm, report, runs):
    """The movements of subscriptions alone: plain SQL over changes, and the ledger."""
    session = crm.session()
    delta = next(path for path in queries("separate") if path.stem == "16_customer_churn_rate_delta").read_text(encoding="utf-8")
    results = interleave(session, [Item("movements: delta SQL", to_nowhere(delta), parallel(1)), Item("movements: ledger", to_nowhere(MOVEMENTS), parallel(1))], runs)
    session.close()
    report.keep(results)
    report.add("movements", results["movements: delta SQL"]["wall"] / results["movements: ledger"]["wall"])


READING = """
CREATE TEMP TABLE IF NOT EXISTS took (ms float8);
TRUNCATE took;
DO $$
DECLARE
	began timestamptz;
BEGIN
	FOR i IN 1 .. {times} LOOP
		began := clock_timestamp();
		PERFORM * FROM {call};
		INSERT INTO took VALUES (1000 * extract(epoch FROM clock_timestamp() - began));
	END LOOP;
END;
$$;
"""


def reading(crm, report, runs):
    """What panels ask for, many times in one session that has warmed up."""
    session = crm.session()
    session.run("SET search_path = kpi, crm;\n" + settings("complete") + snapshot(crm) + "\nVACUUM ANALYZE kpi.kpi_fact;")
    rep = session.value("SELECT member FROM kpi_fact WHERE dimension = 'rep' AND grain = 'month' AND member <> '(none)' GROUP BY member ORDER BY sum(revenue) DESC LIMIT 1")

    def took(call, times=200):
        session.run(READING.format(times=times, call=call))
        return float(session.value("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM took"))

    def panel(kpi, dimension="rep", member=rep):
        return took(f"kpi_series('{kpi}', '{crm.first_day}', '2026-01-01', 'month', '{dimension}', ARRAY['{member}'])")

    one = {kpi: panel(kpi) for kpi in ("revenue", "profit_margin", "revenue_growth", "mrr", "sales_cycle_length", "win_rate")}
    worst = max(one, key=one.get)
    report.add("panel", one[worst], f"the slowest of {len(one)}, {worst}; " + ", ".join(f"{kpi} {ms:.2g}" for kpi, ms in one.items() if kpi != worst))
    report.show(f"{crm.months} months of revenue of each rep (kpi_series)", took(f"kpi_series('revenue', '{crm.first_day}', '2026-01-01', 'month', 'rep')", 10), "ms")
    report.add("report", took("kpi_report('2025-12-01')", 50), f"of a rep {took(f'''kpi_report('2025-12-01', 'month', 'rep', '{rep}')''', 50):.3g} ms")
    report.show("kpi_ranking of revenue", took("kpi_ranking('revenue', '2025-12-01')", 50), "ms")
    session.close()


def growth(crm, report, runs):
    """How the time grows with rows, members and periods; each in a CRM of its own."""
    half = crm.scale / 2
    cases = {"a quarter of the rows": {"scale": crm.scale / 4}, "half of the rows": {"scale": half}, "all rows": {"scale": crm.scale},
             "half, 4 times the reps and products": {"scale": half, "reps": 800, "products": 1200},
             "half, 60 months" if crm.months != 60 else "half, 36 months": {"scale": half, "months": 96 - crm.months}}
    took = {}
    for name, how in cases.items():
        scale = how.pop("scale")
        one = progress(f"  {name}", lambda: Crm(scale, crm.scattered, **{"months": crm.months, **how}, database="salkpi_bench_growth"))
        session = one.session()
        results = interleave(session, [snapshot_item(one, which, 1) for which in ("complete", "reference")], min(runs, 3))
        took[name] = {which: results[f"snapshot, {which}, 1"] for which in ("complete", "reference")}
        took[name]["facts"] = int(session.value("SELECT count(*) FROM kpi.kpi_fact"))
        report.keep({f"growth, {name}, {which}": took[name][which] for which in ("complete", "reference")})
        session.close()
        one.drop()

    def ratio(a, b, which="complete", what="wall"):
        return took[a][which][what] / took[b][which][what]

    report.add("growth", ratio("all rows", "a quarter of the rows") / 4,
               f"what the reference computes: {ratio('all rows', 'a quarter of the rows', 'reference') / 4:.3g}; memory: {ratio('all rows', 'a quarter of the rows', what='memory') / 4:.3g}")
    for name in list(cases)[3:]:
        report.show(f"complete snapshot, {name} / half of the rows", ratio(name, "half of the rows"), "x",
                    f"what the reference computes: {ratio(name, 'half of the rows', 'reference'):.3g}; its facts: {took[name]['facts'] / took['half of the rows']['facts']:.3g}")
