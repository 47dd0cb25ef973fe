"""DuckDB beside the server: its own copy of the tables, the same questions."""

import csv
import json
import shutil
import subprocess
import tempfile
from decimal import Decimal
from pathlib import Path

from crm import HERE, LAST_COLUMN, queries

PACKAGE = "@duckdb/node-api@1.5.6-r.1"
TYPES = {"integer": "INTEGER", "smallint": "SMALLINT", "bigint": "BIGINT", "text": "VARCHAR", "uuid": "UUID", "boolean": "BOOLEAN", "date": "DATE",
         "numeric": "DECIMAL(12, 2)", "timestamp with time zone": "TIMESTAMP"}


class Unavailable(Exception):
    pass


class DuckDB:
    """Told by lines what to run; looks like a Session to what measures."""

    def __init__(self):
        if not shutil.which("npm"):
            raise Unavailable("there is no npm")
        self.directory = Path(tempfile.mkdtemp(prefix="duckdb."))
        shutil.copy(HERE / "duckdb.mjs", self.directory)
        try:
            done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(self.directory), PACKAGE],
                                  capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            raise self.unavailable("npm took longer than 5 minutes") from None
        if done.returncode:
            raise self.unavailable(f"npm could not install {PACKAGE}: {done.stderr.strip()[:200]}")
        self.node = subprocess.Popen(["node", "duckdb.mjs"], cwd=self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def unavailable(self, why):
        shutil.rmtree(self.directory, ignore_errors=True)
        return Unavailable(why)

    def measure(self, sql, with_memory=False):
        self.node.stdin.write(json.dumps({"sql": sql}) + "\n")
        self.node.stdin.flush()
        answer = json.loads(self.node.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return {**answer, "memory": None, "lines": []}

    def run(self, sql):
        self.measure(sql)

    def close(self):
        self.node.stdin.close()
        self.node.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, crm):
        """Copies the tables; an instant becomes the local time, which is kind to DuckDB."""
        session = crm.session()
        for table in LAST_COLUMN:
            columns = session.rows(f"SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum")
            file = self.directory / f"{table}.csv"
            chosen = ", ".join(f"{name} AT TIME ZONE 'Europe/Berlin' AS {name}" if kind.startswith("timestamp") else name for name, kind in columns)
            session.run(f"COPY (SELECT {chosen} FROM {table}) TO '{file}' (FORMAT csv);")
            self.run(f"CREATE TABLE {table} ({', '.join(f'{name} {TYPES[kind]}' for name, kind in columns)})")
            self.run(f"COPY {table} FROM '{file}' (FORMAT csv, HEADER false)")
            file.unlink()
        session.close()
        year, month = map(int, crm.first_day.split("-")[:2])
        self.run(f"CREATE MACRO m(d) AS (year(d) - {year}) * 12 + month(d) - {month - 1}")
        self.run(f"CREATE MACRO after_last() AS {crm.months + 1}")

    def check(self, crm):
        """Lines about the queries whose rows are not those of expert/."""
        session = crm.session()
        different = []
        for path in queries("duckdb"):
            file = self.directory / "result.csv"
            self.run(f"COPY ({path.read_text(encoding='utf-8')}) TO '{file}' (FORMAT csv, HEADER)")
            ours = rows(file, crm.months)
            session.run(f"COPY ({(HERE / 'expert' / path.name).read_text(encoding='utf-8')}) TO '{file}' (FORMAT csv, HEADER);")
            if rows(file, crm.months) != ours:
                different.append(f"duckdb: the rows of {path.stem} are not those of expert/")
        session.close()
        return different


def rows(file, months):
    """What a query said of the months: a set of rows, numbers as such.  Local times make a cycle over a change of the clock an hour off."""
    with open(file, encoding="utf-8", newline="") as lines:
        return {tuple(sorted((name, plain(value)) for name, value in row.items() if name != "sales_cycle_seconds"))
                for row in csv.DictReader(lines) if 1 <= int(row["m"]) <= months}


def plain(value):
    try:
        return Decimal(value).normalize()
    except ArithmeticError:
        return value
