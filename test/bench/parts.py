"""The parts of the benchmark: each measures something and adds it to the report."""

import re

import changes
import sampling
from crm import Crm, HERE, LAST_COLUMN, bare, parallel, queries, settings, snapshot, to_nowhere
from measure import Item, interleave, progress, say, total


# The best form of two of the twenty is already there.
SHARED = {"04_pipeline_value_delta": "opportunity_history", "16_customer_churn_rate_delta": "subscription"}


def query_item(name, path):
    return Item(name, to_nowhere(path.read_text(encoding="utf-8")), parallel(1))


def query_items(directory):
    items = [query_item(f"{directory}: {path.stem}", path) for path in queries(directory)]
    if directory == "separate":
        items += [query_item(f"separate: {name}", HERE / "expert" / f"{shared}.sql") for name, shared in SHARED.items()]
    return items


def snapshot_item(crm, which, processes):
    """On two cores its session waits for two workers."""
    return Item(f"snapshot, {which}, {processes}", snapshot(crm), settings(which) + parallel(processes + 1 if processes > 1 else 1))


def best_forms(results):
    """Of the KPIs that are written in several ways the fastest counts."""
    best = {}
    for name, result in results.items():
        number = re.match(r"separate: (\d+)_", name)
        if number and (number[1] not in best or result["wall"] < best[number[1]]["wall"]):
            best[number[1]] = result
    return total(best)


def by_source(result):
    """Milliseconds that each source took, as the snapshot itself said; the rest is what writing took."""
    taken = {m[1]: float(m[2]) for m in (re.match(r"NOTICE:  (.+) \(\S+\): (\d+) ms$", line) for line in result["lines"]) if m}
    return {**taken, "writing and the rest": 1000 * result["wall"] - sum(taken.values())}


def sources_table(results):
    names = {"account": "customer", "opportunity_history": "stage_history"}
    columns = [by_source(results[f"snapshot, {which}, 1"]) for which in ("complete", "reference")]
    rows = [("one core, ms", "bare scan", "complete", "reference")]
    for source in columns[0]:
        scan = results.get(f"bare, 1: {names.get(source, source)}")
        rows.append((source, f"{1000 * scan['wall']:.1f}" if scan else "", *(f"{column.get(source, 0):.0f}" for column in columns)))
    return "Sources", rows


def snapshots(crm, report, runs, duckdb, wanted):
    """Snapshots, the bare scans and what others take, in one run, interleaved."""
    items = [Item(f"bare, {n}: {table}", bare(table), parallel(n)) for n in (1, 2) for table in LAST_COLUMN]
    items += [snapshot_item(crm, which, n) for which in ("complete", "reference") for n in (1, 2)]
    for directory in ("expert", "separate"):
        if directory in wanted:
            items += query_items(directory)
    if duckdb:
        items += [Item(f"duckdb, {n}: {path.stem}", f"CREATE OR REPLACE TEMP TABLE result AS {path.read_text(encoding='utf-8')}", f"SET threads = {n}", duckdb)
                  for n in (1, 2) for path in queries("duckdb")]
    results = interleave(crm, items, runs)
    for name in ("bare, 1", "bare, 2", "expert", "duckdb, 1", "duckdb, 2"):
        if any(key.startswith(f"{name}:") for key in results):
            results[name] = total(results, f"{name}:")
    if "separate" in wanted:
        results["separate"] = best_forms(results)
    report.keep(results)
    report.tables.append(sources_table(results))
    ratios(crm, report, results)


def ratio(results, a, b, what="wall"):
    return results[a][what] / results[b][what]


def ratios(crm, report, results):
    """What the report says of them."""
    serial, both = "snapshot, complete, 1", "snapshot, complete, 2"
    same, same_both = "snapshot, reference, 1", "snapshot, reference, 2"

    def r(a, b, what="wall"):
        return ratio(results, a, b, what)

    report.add("snapshot/bare, scattered" if crm.scattered else "snapshot/bare", r(serial, "bare, 1"), f"what the reference computes: {r(same, 'bare, 1'):.3g}",
               r(serial, "bare, 1", "cpu"))
    for name in ("expert", "separate"):
        if name in results:
            report.add(f"{name}/snapshot", r(name, same), f"complete snapshot: {r(name, serial):.3g}", r(name, same, "cpu"))
    if "duckdb, 1" in results:
        report.add("duckdb/snapshot", r("duckdb, 1", same), f"two threads: {r('duckdb, 2', same_both):.3g}; complete snapshot, one thread: {r('duckdb, 1', serial):.3g}",
                   r("duckdb, 1", same, "cpu"))
    report.add("cores", r(serial, both), f"what the reference computes: {r(same, same_both):.3g}; bare scans: {r('bare, 1', 'bare, 2'):.3g}")
    report.show("memory of the complete snapshot", results[serial]["memory"], "MB", f"on two cores {results[both]['memory']:.0f} MB")


# Ids that are numbers become texts as a snapshot makes them.
MOVEMENTS = """
SELECT m.*
FROM (SELECT kpi.kpi_ledger(:'days'::date[], 'total; rep=1; region=2', {customer}, s.valid_from, s.valid_to, s.monthly_amount,
		{rep}, {region}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS ledger
	FROM subscription s JOIN customer c USING (customer_id)) l,
	kpi.kpi_movements(l.ledger, ARRAY(SELECT generate_series(1, cardinality(:'days'::date[]) - 1)), ARRAY(SELECT generate_series(2, cardinality(:'days'::date[])))) m"""


def movements_item(crm):
    text = "{}::text" if crm.scattered else "kpi.kpi_id_text({})"
    ledger = MOVEMENTS.format(customer=text.format("s.customer_id"), rep=text.format("c.rep_id"), region=text.format("c.region_id"))
    return Item("movements: ledger", to_nowhere(ledger), parallel(1))


def movements(crm, report, runs):
    """The movements of subscriptions alone: plain SQL over changes, and the ledger."""
    results = interleave(crm, [query_item("movements: delta SQL", HERE / "expert" / "subscription.sql"), movements_item(crm)], runs)
    report.keep(results)
    report.add("movements", ratio(results, "movements: delta SQL", "movements: ledger"), cpu=ratio(results, "movements: delta SQL", "movements: ledger", "cpu"))


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


def reading_session(crm):
    """A session that has facts to read, and the rep of most revenue."""
    session = crm.session()
    session.run("SET search_path = kpi, crm;\n" + settings("complete") + snapshot(crm) + "\nVACUUM ANALYZE kpi.kpi_fact;")
    return session, session.value(
        "SELECT member FROM kpi_fact WHERE dimension = 'rep' AND grain = 'month' AND member <> '(none)' GROUP BY member ORDER BY sum(revenue) DESC LIMIT 1")


def panel(crm, kpi, rep):
    return f"kpi_series('{kpi}', '{crm.first_day}', '2026-01-01', 'month', 'rep', ARRAY['{rep}'])"


def reading(crm, report, runs):
    """What panels ask for, many times in one session that has warmed up."""
    session, rep = reading_session(crm)

    def took(call, times=200):
        session.run(READING.format(times=times, call=call))
        return float(session.value("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM took"))

    one = {kpi: took(panel(crm, kpi, rep)) for kpi in ("revenue", "profit_margin", "revenue_growth", "mrr", "sales_cycle_length", "win_rate")}
    worst = max(one, key=one.get)
    report.add("panel", one[worst], f"the slowest of {len(one)}, {worst}; " + ", ".join(f"{kpi} {ms:.2g}" for kpi, ms in one.items() if kpi != worst))
    report.show(f"{crm.months} months of revenue of each rep (kpi_series)", took(f"kpi_series('revenue', '{crm.first_day}', '2026-01-01', 'month', 'rep')", 10), "ms")
    report.add("report", took("kpi_report('2025-12-01')", 50), f"of a rep {took(f'''kpi_report('2025-12-01', 'month', 'rep', '{rep}')''', 50):.3g} ms")
    report.show("kpi_ranking of revenue", took("kpi_ranking('revenue', '2025-12-01')", 50), "ms")
    session.close()


def profile(crm, report, runs):
    """Where the time goes of what is measured here: which of salkpi's source files, or what of PostgreSQL."""
    session, rep = reading_session(crm)

    def snapshot_shares(which):
        item = snapshot_item(crm, which, 1)
        session.run(item.before)
        session.run(item.script)
        session.run(item.before)
        return sampling.sample(session, item.script)

    def refresh_shares():
        updates = changes.Refreshes(crm)
        updates.take()
        updates.change("2025-12-01")
        shares = sampling.sample(updates.session, updates.statement())
        updates.close()
        return shares

    try:
        shares = {f"snapshot, {which}": progress(f"  snapshot, {which}", snapshot_shares, which) for which in ("complete", "reference")}
        shares["refresh, recent"] = progress("  refresh", refresh_shares)
        shares["a panel"] = progress("  a panel", sampling.sample, session, READING.format(times=2000, call=panel(crm, "revenue", rep)))
        shares["movements"] = progress("  movements", sampling.sample, session, 3 * movements_item(crm).script)
        report.tables.append(("Where the time goes", sampling.shares_table(shares)))
    except sampling.Unavailable as why:
        report.about.append(f"no profile: {why}")
        say(f"  skipped: {why}")
    session.close()


def growth(crm, report, runs):
    """How the time grows with rows, members and periods; each in a CRM of its own."""
    half = {"scale": crm.scale / 2}
    cases = {"a quarter of the rows": {"scale": crm.scale / 4}, "half of the rows": half, "all rows": {"scale": crm.scale},
             "half, 4 times the reps and products": {**half, "reps": 800, "products": 1200},
             f"half, {96 - crm.months} months": {**half, "months": 96 - crm.months}}
    took = {}
    for name, how in cases.items():
        one = progress(f"  {name}", lambda: Crm(scattered=crm.scattered, database="salkpi_bench_growth", **{"months": crm.months, **how}))
        results = interleave(one, [snapshot_item(one, which, 1) for which in ("complete", "reference")], min(runs, 3))
        took[name] = {which: results[f"snapshot, {which}, 1"] for which in ("complete", "reference")}
        report.keep({f"growth, {name}, {which}": result for which, result in took[name].items()})
        session = one.session()
        took[name]["facts"] = int(session.value("SELECT count(*) FROM kpi.kpi_fact"))
        session.close()
        one.drop()

    def grown(a, b, which="complete", what="wall"):
        return ratio({name: t[which] for name, t in took.items()}, a, b, what)

    whole, quarter = "all rows", "a quarter of the rows"
    report.add("growth", grown(whole, quarter) / 4, f"what the reference computes: {grown(whole, quarter, 'reference') / 4:.3g}; memory: {grown(whole, quarter, what='memory') / 4:.3g}",
               grown(whole, quarter, what="cpu") / 4)
    for name in list(cases)[3:]:
        report.show(f"complete snapshot, {name} / half of the rows", grown(name, "half of the rows"), "x",
                    f"what the reference computes: {grown(name, 'half of the rows', 'reference'):.3g}; its facts: {took[name]['facts'] / took['half of the rows']['facts']:.3g}",
                    grown(name, "half of the rows", what="cpu"))
