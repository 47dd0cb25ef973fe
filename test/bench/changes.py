"""What tracking is for and what it costs: refreshes after changes, and writes."""

import re
import statistics
import subprocess
import tempfile

from crm import DATABASE, parallel, settings
from measure import say

# Where rows change: the key, a column to change, and how old a row is.
CHANGED = {
    "sale": ("sale_id", "amount = amount + 1", "sale_date"),
    "opportunity": ("opp_id", "amount = amount + 1", "created_at"),
    "stage_history": ("hist_id", "amount = amount + 1", "changed_at"),
    "lead": ("lead_id", "created_at = created_at + interval '1 second'", "created_at"),
    "quote": ("quote_id", "amount = amount + 1", "sent_at"),
    "subscription": ("subscription_id", "monthly_amount = monthly_amount + 1", "valid_from"),
    "activity": ("activity_id", "kind = 5 - kind", "happened_at"),
    "cost": ("cost_id", "amount = amount + 1", "cost_date")}
TRACKED = "account rep stage opportunity opportunity_history subscription sale lead quote activity cost target".split()


def track(session, on):
    function = "kpi_track" if on else "kpi_untrack"
    session.run("".join(f"SELECT count(*) FROM kpi.{function}('{source}') \\g /dev/null\n" for source in TRACKED))


class Refreshes:
    """A session in which all sources are tracked, rows change and snapshots are taken."""

    def __init__(self, crm):
        self.session = crm.session()
        self.session.run(settings("complete") + parallel(1))
        self.counts = {table: int(self.session.value(f"SELECT count(*) FROM {table}")) for table in CHANGED}
        self.snapshots = self.changes = 0
        track(self.session, True)

    def change(self, since):
        """Changes one row in a thousand of each table, others each time; of those since a day only, if there are so many."""
        n = 0
        for table, (key, assignment, at) in CHANGED.items():
            where = f"{at} >= '{since}'" if since else "true"
            n += int(self.session.value(
                f"WITH c AS (UPDATE {table} SET {assignment} WHERE {where} AND hashtextextended({key}::text, {self.changes}) & 1073741823"
                f" < 1073741824.0 * {max(1, self.counts[table] // 1000)} / greatest((SELECT count(*) FROM {table} WHERE {where}), 1) RETURNING 1) SELECT count(*) FROM c"))
        self.changes += 1
        return n

    def change_one(self, table):
        """Changes one row of the last month."""
        _, assignment, at = CHANGED[table]
        self.session.run(f"UPDATE {table} SET {assignment} WHERE ctid = (SELECT ctid FROM {table} WHERE {at} >= '2025-12-01' LIMIT 1);")

    def statement(self):
        self.snapshots += 1
        return f"SELECT * FROM kpi.kpi_snapshot(as_of => '2025-12-31 23:00:00 Europe/Berlin'::timestamptz + {self.snapshots} * interval '1 millisecond');"

    def take(self, of_everything=False):
        if of_everything:
            self.session.run("UPDATE kpi.kpi_run SET basis = NULL;")  # as after a change of what facts are made from
        return self.session.measure(self.statement())

    def close(self):
        track(self.session, False)
        self.session.close()


def refresh(crm, report, runs):
    """A refresh of what changed beside one that takes everything since the first data, each after changes of its own."""
    updates = Refreshes(crm)
    updates.take()
    full, still = [], []
    for run in range(runs):
        full.append(updates.take(True))
        still.append(updates.take())
    wall, cpu = ({"full": statistics.median(r[what] for r in full), "still": statistics.median(r[what] for r in still)} for what in ("wall", "cpu"))
    report.add("refresh, nothing changed", wall["full"] / wall["still"],
               f"{1000 * wall['full']:.0f} ms / {1000 * wall['still']:.0f} ms, the first time {1000 * still[0]['wall']:.0f} ms", cpu["full"] / cpu["still"])
    for kind, since in (("recent", "2025-12-01"), ("scattered", None)):
        taken = {"full": [], "refresh": []}
        for run in range(runs):
            changed = updates.change(since)
            taken["refresh"].append(updates.take())
            updates.change(since)
            taken["full"].append(updates.take(True))
        wall, cpu = ({name: statistics.median(r[what] for r in results) for name, results in taken.items()} for what in ("wall", "cpu"))
        periods = [results[-1]["lines"][-1].split("|")[2] for results in (taken["refresh"], taken["full"])]
        report.add(f"refresh, {kind}", wall["full"] / wall["refresh"],
                   f"{changed} rows; {1000 * wall['full']:.0f} ms / {1000 * wall['refresh']:.0f} ms, which takes {periods[0]} of {periods[1]} periods", cpu["full"] / cpu["refresh"])
    for table in ("sale", "opportunity"):
        taken = []
        for run in range(runs):
            updates.change_one(table)
            taken.append(updates.take())
        wall, cpu = ([statistics.median(r[what] for r in results) for results in (full, taken)] for what in ("wall", "cpu"))
        report.show(f"one row of {table} changed: full / refresh", wall[0] / wall[1], note=f"{1000 * wall[0]:.0f} ms / {1000 * wall[1]:.0f} ms", cpu=cpu[0] / cpu[1])
    report.tables.append(("Tracking", [("source", "table", "a change influences")] + [tuple(row) for row in updates.session.rows(
        "SELECT source, relation, CASE WHEN tracked THEN way ELSE reason END FROM kpi.kpi_tracking() ORDER BY 1, 2")]))
    updates.close()


WRITES = {
    "insert, 1 row": "INSERT INTO crm.sale SELECT (s).* FROM crm.new_sales(1) s;",
    "update, 1 row": "\\set n random(1, :lines)\nUPDATE crm.sale SET amount = amount + 1 WHERE sale_id = crm.scatter(:n);",
    "insert, 100 rows": "INSERT INTO crm.sale SELECT (s).* FROM crm.new_sales(100) s;",
    "update, 100 rows": "\\set n random(1, :lines - 100)\nUPDATE crm.sale SET amount = amount + 1 WHERE sale_id = ANY (ARRAY(SELECT crm.scatter(g) FROM generate_series(:n, :n + 99) g));"}

PREPARE_WRITES = """
CREATE SEQUENCE IF NOT EXISTS crm.new_sale START 2000000000000000000;
CREATE OR REPLACE FUNCTION crm.new_sales(n integer) RETURNS SETOF crm.sale LANGUAGE sql VOLATILE AS $$
	SELECT nextval('crm.new_sale'), t.order_id, date '2025-12-01' + (g % 31), t.customer_id, t.rep_id, t.product_id, t.channel, t.quantity, t.amount, t.direct_cost
	FROM (SELECT * FROM crm.sale LIMIT 1) t, generate_series(1, n) g
$$;
"""


def pgbench(script, clients, lines, seconds):
    """Milliseconds of a statement, on average."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        said = subprocess.run(["pgbench", "-n", "-M", "prepared", "-T", str(seconds), "-c", str(clients), "-j", str(min(clients, 2)),
                               "-D", f"lines={lines}", "-f", file.name, DATABASE], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"latency average = ([\d.]+) ms", said)[1])


def writes(crm, report, runs, seconds=2):
    """Statements on sale lines with tracking off and on, in turns."""
    session = crm.session()
    session.run(PREPARE_WRITES)
    lines = int(5000000 * crm.scale)
    found = {}
    for clients in (1, 4, 8):
        for name, script in WRITES.items():
            taken = {False: [], True: []}
            for run in range(runs + 1):
                for on in (False, True) if run % 2 else (True, False):
                    track(session, on)
                    took = pgbench(script, clients, lines, seconds)
                    if run:
                        taken[on].append(took)
            off, on = statistics.median(taken[False]), statistics.median(taken[True])
            found[name, clients] = (100 * (on / off - 1), off, on)
            say(f"  {name}, {clients} clients: {off:.3f} ms, tracked {on:.3f} ms")
    track(session, False)
    session.run("TRUNCATE kpi.kpi_track_log;")
    session.close()
    for rows, key in ((" 1 row", "write, 1 row"), (" 100 rows", "write, 100 rows")):
        those = {f"{name.split(',')[0]}, {clients} clients": slower for (name, clients), (slower, _, _) in found.items() if name.endswith(rows)}
        worst = max(those, key=those.get)
        report.add(key, those[worst], f"the worst, {worst}; " + ", ".join(f"{name} {slower:.1f} %" for name, slower in those.items() if name != worst))
