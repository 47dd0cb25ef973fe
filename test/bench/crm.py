"""The made-up CRM in a database of its own, and snapshots of it."""

from pathlib import Path

from session import Session

DATABASE = "salkpi_bench"
HERE = Path(__file__).resolve().parent

# What reading a table costs at least: up to the last column that a source needs.
LAST_COLUMN = {
    "customer": "created_at", "rep": "left_on", "stage": "is_lost", "opportunity": "won", "stage_history": "amount", "subscription": "valid_to",
    "sale": "direct_cost", "lead": "customer_id", "quote": "accepted_at", "activity": "kind", "cost": "amount"}

# What the reference SQL computes, and what a user gets who sets nothing.
SETS = {
    "reference": {"dimensions": "rep,region,product,channel", "grains": "month"},
    "complete": {"dimensions": None, "grains": None}}


def boundaries(months):
    """The first days of the months, and the day after the last one."""
    first = 2026 * 12 - months
    return [f"{(first + m) // 12}-{(first + m) % 12 + 1:02}-01" for m in range(months + 1)]


class Crm:
    def __init__(self, scale, scattered=False, months=None, reps=200, products=300, database=DATABASE):
        """Makes the data and binds them."""
        self.scale, self.scattered, self.database = scale, scattered, database
        self.months = months or (60 if scattered else 36)
        days = boundaries(self.months)
        self.first_day, self.last_day, self.now = days[0], "2025-12-31", "2026-01-01 00:00:00 Europe/Berlin"
        self.variables = {"days": "{" + ",".join(days) + "}", "instants": "{" + ",".join(f'"{day} 00:00"' for day in days) + "}"}
        self.drop()
        admin = Session("postgres")
        admin.run(f"CREATE DATABASE {database};")
        for setting in ("timezone = 'Europe/Berlin'", "jit = off", "search_path = crm, public"):
            admin.run(f"ALTER DATABASE {database} SET {setting};")
        admin.close()
        self.script("data", scale=scale, months=self.months, scattered=scattered, reps=reps, products=products)
        self.script("bind")

    def script(self, name, **variables):
        session = Session(self.database, variables)
        session.run(f"\\i {HERE}/{name}.sql")
        session.close()

    def session(self):
        session = Session(self.database, self.variables)
        session.run("SET work_mem = '1GB';")
        return session

    def drop(self):
        admin = Session("postgres")
        admin.run(f"DROP DATABASE IF EXISTS {self.database};")
        admin.close()

    def describe(self):
        ids = "shuffled, sparse, text and uuid ids on updated pages" if self.scattered else "dense ids, ordered rows, frozen pages"
        return f"scale {self.scale:g} ({self.scale * 23.4:.2g} million rows), {self.months} months, {ids}"


def queries(directory):
    return sorted((HERE / directory).glob("*.sql"))


def parallel(processes):
    return f"SET max_parallel_workers_per_gather = {processes - 1};\n"


def settings(which):
    """A script that makes snapshots compute one of SETS, and forgets the facts there are."""
    return "".join(f"SELECT kpi.kpi_set('{name}', {'NULL' if value is None else repr(value)}) \\g /dev/null\n" for name, value in SETS[which].items()) + \
        "TRUNCATE kpi.kpi_fact, kpi.kpi_run, kpi.kpi_problem, kpi.kpi_alert;\n"


def snapshot(crm):
    return f"SELECT * FROM kpi.kpi_snapshot('{crm.first_day}', '{crm.last_day}', '{crm.now}');"


def bare(table):
    return f"SELECT count({LAST_COLUMN[table]}) FROM {table};"


def to_nowhere(query):
    """Runs a query whole, without sending its rows anywhere."""
    return f"COPY ({query}) TO '/dev/null';"
