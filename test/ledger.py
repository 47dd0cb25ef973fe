#!/usr/bin/env python3
"""The movements of recurring amounts once more, independently of the C code.

ledger.py vectors        print the vectors in sql/ledger.sql (from a fixed seed)
ledger.py check FILE     do the vectors in FILE still say what this program says?
ledger.py fuzz N ARGS..  compare N random histories with the extension, through
                         psql ARGS.. (a database that has it, in the search_path)

Written from the definitions: every amount is looked up afresh at every
boundary, by adding up the intervals that are active there.
"""
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction

BEGIN = '-- vectors: made by test/ledger.py'
END = '-- end of vectors'
DIMENSIONS = [('total', ()), ('plan', ('plan',)), ('plan+region', ('plan', 'region'))]
COLUMNS = ['opening', 'new', 'reactivation', 'expansion', 'contraction', 'churn', 'closing', 'retained',
           'customers_opening', 'customers_new', 'customers_reactivated', 'customers_expanded',
           'customers_contracted', 'customers_churned', 'customers_closing', 'customers_kept', 'customers_first']
EVER = datetime(1, 1, 1, tzinfo=timezone.utc)       # since ever
NEVER = datetime(9999, 1, 1, tzinfo=timezone.utc)   # no end


def month(n):
    """The n-th month's beginning, from January 2025."""
    return datetime(2025 + n // 12, n % 12 + 1, 1, tzinfo=timezone.utc)


def periods(months):
    """(opening, closing), counted from 1: months, quarters, years, then others."""
    found = [(n, n + 1) for n in range(1, months + 1)]
    found += [(n, n + 3) for n in range(1, months - 1, 3)]
    found += [(n, n + 12) for n in range(1, months - 10, 12)]
    return found + [(1, 1), (3, 8), (1, months + 1), (months + 1, months + 1)]


def history(source, customers, intervals, months):
    """Random intervals, many of them at exact boundaries or touching others."""
    rows = []
    for _ in range(intervals):
        customer = 'c%d' % source.randrange(customers)
        start = month(source.randrange(-4, months + 2))
        if source.random() < 0.4:
            start += timedelta(hours=source.randrange(24 * 28), seconds=source.choice([0, 1, 3599]))
        if source.random() < 0.3 and rows:
            start = source.choice(rows)[2] or start
        end = source.choice([month(source.randrange(-3, months + 3)), start + timedelta(days=source.randrange(-2, 150)),
                             None, NEVER, start, start + timedelta(seconds=1)])
        if source.random() < 0.05:
            start = None
        elif source.random() < 0.3 and rows and rows[-1][3] not in (None, NEVER):
            customer, start = rows[-1][1], rows[-1][3]
        if source.random() < 0.03:
            customer = None
        amount = source.choice([Fraction(source.randrange(1, 500)), Fraction(source.randrange(1, 10000), 100),
                                Fraction(round(Fraction(10 ** 12 * source.randrange(1, 900), 12)), 10 ** 12),
                                Fraction(100), Fraction(100), Fraction(0), None])
        rows.append((len(rows) + 1, customer, start, end, amount,
                     source.choice(['gold', 'silver', 'bronze', '', None]), source.choice(['nord', 'süd', None])))
    return rows


def member(row, keys):
    texts = {'plan': row[5], 'region': row[6]}
    return tuple(texts[key] or '(none)' for key in keys)


def active(row, boundary):
    return (row[2] or EVER) < boundary and (row[3] or NEVER) >= boundary


def movements(rows, boundaries, asked):
    """{(dimension, members, period): values in the order of COLUMNS}"""
    rows = [r for r in rows if r[1] is not None and r[4] and (r[2] or EVER) < (r[3] or NEVER)]
    result = {}
    for name, keys in DIMENSIONS:
        blank = tuple('(none)' for _ in keys)
        for place in {member(r, keys) for r in rows} | {blank}:
            mine = [r for r in rows if member(r, keys) == place]
            for p, (opening, closing) in enumerate(asked, 1):
                values = dict.fromkeys(COLUMNS, Fraction(0))
                for customer in {r[1] for r in mine}:
                    own = [r for r in mine if r[1] == customer]
                    move(values, own, boundaries[opening - 1], boundaries[closing - 1])
                if place == blank or any(values.values()):
                    result[name, place, p] = [values[c] for c in COLUMNS]
    return result


def move(values, own, opening, closing):
    """Add what one customer does in one member."""
    before = sum((r[4] for r in own if active(r, opening)), Fraction(0))
    after = sum((r[4] for r in own if active(r, closing)), Fraction(0))
    first = min(r[2] or EVER for r in own)
    values['opening'] += before
    values['closing'] += after
    values['retained'] += min(before, after)
    values['customers_opening'] += before > 0
    values['customers_closing'] += after > 0
    values['customers_kept'] += before > 0 and after > 0
    values['customers_first'] += opening <= first < closing
    if before == 0 and after > 0:
        was_here = any((r[2] or EVER) < opening for r in own)
        values['reactivation' if was_here else 'new'] += after
        values['customers_reactivated' if was_here else 'customers_new'] += 1
    elif after > before:
        values['expansion'] += after - before
        values['customers_expanded'] += 1
    elif 0 < after < before:
        values['contraction'] += before - after
        values['customers_contracted'] += 1
    elif before > 0 and after == 0:
        values['churn'] += before
        values['customers_churned'] += 1


def decimal(value):
    """The shortest decimal text of a fraction with up to 12 decimals."""
    digits = '%013d' % (value * 10 ** 12)
    return (digits[:-12] + '.' + digits[-12:]).rstrip('0').rstrip('.')


def quote(value):
    if value is None:
        return 'NULL'
    if value == NEVER:
        return "'infinity'"
    if isinstance(value, datetime):
        return value.strftime("'%Y-%m-%d %H:%M:%S+00'")
    if isinstance(value, Fraction):
        return decimal(value)
    return str(value) if isinstance(value, int) else "'%s'" % value


def values_list(rows):
    return ',\n'.join('\t(' + ', '.join(quote(v) for v in row) + ')' for row in rows)


def vectors():
    boundaries = [month(n) for n in range(13)]
    asked = periods(12)
    rows = history(random.Random(20250101), 7, 45, 12)
    out = [BEGIN, 'INSERT INTO ledger_vector_interval VALUES', values_list(rows) + ';',
           'INSERT INTO ledger_vector_period VALUES',
           values_list([(p, o, c) for p, (o, c) in enumerate(asked, 1)]) + ';',
           'INSERT INTO ledger_vector VALUES']
    found = movements(rows, boundaries, asked)
    out.append(',\n'.join("\t('%s', '{%s}', %d, %s)" % (d, ','.join(m), p, ', '.join(map(decimal, v)))
                          for (d, m, p), v in sorted(found.items())) + ';')
    return '\n'.join(out + [END]) + '\n'


def ask_extension(psql, rows, boundaries, asked):
    query = """
SET timezone = 'UTC';
CREATE TEMP TABLE i (id int, customer text, valid_from timestamptz, valid_to timestamptz, amount numeric, plan text, region text);
INSERT INTO i VALUES %s;
SELECT m.* FROM (SELECT kpi_ledger(ARRAY[%s]::timestamptz[], 'total; plan=1; plan+region=1,2', customer, valid_from, valid_to, amount,
	plan, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS ledger FROM i) l, kpi_movements(ledger, ARRAY[%s], ARRAY[%s]) m
""" % (values_list(rows), ', '.join(map(quote, boundaries)), ', '.join(str(o) for o, _ in asked), ', '.join(str(c) for _, c in asked))
    run = subprocess.run(['psql', '-XqAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1'] + psql, input=query, text=True, capture_output=True, check=True)
    found = {}
    for line in run.stdout.splitlines():
        field = line.split('\t')
        place = tuple(t.strip('"') for t in field[1].strip('{}').split(',')) if field[1] != '{}' else ()
        found[field[0], place, int(field[2])] = [Fraction(f) for f in field[3:]]
    return found


def fuzz(count, psql):
    for seed in range(count):
        source = random.Random(seed)
        months = source.choice([12, 24, 36])
        rows = history(source, source.randrange(1, 20), source.randrange(1, 150), months)
        boundaries = [month(n) for n in range(months + 1)]
        asked = periods(months)
        expected = movements(rows, boundaries, asked)
        found = ask_extension(psql, rows, boundaries, asked)
        if found != expected:
            different = [k for k in sorted(set(found) | set(expected)) if found.get(k) != expected.get(k)]
            sys.exit('seed %d: %d of %d rows differ, as %s' % (seed, len(different), len(expected), different[:3]))
    print('%d random histories agree' % count)


def main(arguments):
    if arguments[:1] == ['vectors']:
        sys.stdout.write(vectors())
    elif arguments[:1] == ['check'] and len(arguments) == 2:
        with open(arguments[1], encoding='utf-8') as file:
            if vectors() not in file.read():
                sys.exit('%s holds other vectors' % arguments[1])
    elif arguments[:1] == ['fuzz'] and len(arguments) >= 2:
        fuzz(int(arguments[1]), arguments[2:])
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
