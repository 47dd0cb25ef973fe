"""Are the facts of a snapshot those of the reference SQL, cell by cell?

A reference query gives a row for each month m and member that has something:
m, the columns of its dimensions (all NULL: the total), and a column for each
measure, named as in kpi_fact.  Its first lines say which dimensions it covers
("-- dimensions: ..."), and which measures are stocks that stay as they are in a
month without a row ("-- carried: ...").
"""

import re
from decimal import Decimal

COLUMN = {"rep": "rep_id", "region": "region_id", "product": "product_id", "channel": "channel"}
# A state is compared by what it adds up to.
DERIVED = {"sales_cycle_seconds": "CASE WHEN sales_cycle IS NOT NULL THEN coalesce(round(kpi.kpi_mean(sales_cycle) * kpi.kpi_count(sales_cycle) * 86400, 3), 0) END"}


class Query:
    """A query of the reference and what its first lines say of it."""

    def __init__(self, path):
        self.name = path.stem
        self.text = path.read_text(encoding="utf-8").strip()
        said = dict(re.findall(r"^-- (\w+): (.*)$", self.text, re.M))
        self.dimensions = said["dimensions"].split()
        self.carried = said.get("carried", "").split()


def number(text):
    return Decimal(text) if text else None


def reference(session, query, months):
    """{(dimension, member, month): {measure: value}}, and the measures."""
    session.run(f"DROP TABLE IF EXISTS said; CREATE TEMP TABLE said AS {query.text};")
    columns = [row[0] for row in session.rows("SELECT attname FROM pg_attribute WHERE attrelid = 'said'::regclass AND attnum > 0 ORDER BY attnum")]
    measures = [c for c in columns if c != "m" and c not in COLUMN.values()]
    keys = [d for d in query.dimensions if d != "total"]
    chosen = ", ".join(f"coalesce({COLUMN[d]}::text, '')" for d in keys)
    cells = {}
    for row in session.rows(f"SELECT m, {chosen}, {', '.join(measures)} FROM said ORDER BY m"):
        member = [(d, value) for d, value in zip(keys, row[1:]) if value] or [("total", "")]
        assert len(member) == 1, row
        cells[(*member[0], int(row[0]))] = dict(zip(measures, map(number, row[1 + len(keys):])))
    carry(cells, query.carried, months)
    return cells, measures


def carry(cells, measures, months):
    """Fills the months without a row of measures that stay as they are."""
    for dimension, member in {key[:2] for key in cells}:
        last = {measure: Decimal(0) for measure in measures}
        for m in range(months + 1):
            cell = cells.get((dimension, member, m))
            if cell:
                last = {measure: cell[measure] for measure in measures}
            elif measures:
                cells[dimension, member, m] = dict(last)


def facts(session, dimensions, measures, first_day):
    expressions = ", ".join(DERIVED.get(m, m) for m in measures)
    names = ", ".join(f"'{d}'" for d in dimensions)
    return {(row[0], row[1], int(row[2])): dict(zip(measures, map(number, row[3:]))) for row in session.rows(
        f"SELECT dimension, member, 12 * extract(year FROM age(period, '{first_day}')) + extract(month FROM age(period, '{first_day}')) + 1, {expressions}"
        f" FROM kpi.kpi_fact WHERE superseded_at IS NULL AND grain = 'month' AND dimension IN ({names})")}


def compare(session, query, months, first_day):
    """How many cells were compared, and a line for each that differs."""
    wanted, measures = reference(session, query, months)
    given = facts(session, query.dimensions, measures, first_day)
    said = {(dimension, measure) for (dimension, _, _), cell in wanted.items() for measure, value in cell.items() if value is not None}
    n, different = 0, []
    for dimension, member in sorted({key[:2] for key in wanted} | {key[:2] for key in given}):
        for m in range(1, months + 1):
            want, got = wanted.get((dimension, member, m), {}), given.get((dimension, member, m), {})
            for measure in measures:
                if (dimension, measure) not in said:
                    continue
                n += 1
                a, b = want.get(measure) or Decimal(0), got.get(measure, Decimal(0))
                if a != b:
                    different.append(f"{query.name}: {measure} of {dimension} \"{member}\", month {m}: the reference says {a}, kpi_fact {b}")
    missing = {d for d in query.dimensions if d not in {key[0] for key in given}}
    different += [f"{query.name}: there are no facts by {d}" for d in sorted(missing)]
    return n, different
