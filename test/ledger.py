#!/usr/bin/env python3
"""The movements of recurring amounts once more, independently of the C code.

ledger.py vectors        print the vectors in sql/ledger.sql (from a fixed seed)
ledger.py check FILE     do the vectors in FILE still say what this program says?
ledger.py fuzz N ARGS..  compare N random histories with the extension, through
                         psql ARGS.. (a database that has it, in the search_path)
ledger.py facts N ARGS.. the same with the facts of a snapshot of each history,
                         by month, quarter and year (binds a table of its own)

Written from the definitions: every amount is looked up afresh at every
boundary, by adding up the intervals that are active there.
"""
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

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


def local_month(zone, year):
    """The same from another January on, at a zone's midnights."""
    def begins(n):
        return datetime(year + n // 12, n % 12 + 1, 1, tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)
    return begins


def history(source, customers, intervals, months, month=month):
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


def movements(rows, boundaries, asked, dimensions=None):
    """{(dimension, members, period): values in the order of COLUMNS}"""
    rows = [r for r in rows if r[1] is not None and r[4] and (r[2] or EVER) < (r[3] or NEVER)]
    result = {}
    for name, keys in dimensions or DIMENSIONS:
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


def run_psql(psql, query):
    run = subprocess.run(['psql', '-XqAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1'] + psql, input=query, text=True, capture_output=True, check=False)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return [line.split('\t') for line in run.stdout.splitlines()]


def ask_extension(psql, rows, boundaries, asked):
    query = """
SET timezone = 'UTC';
CREATE TEMP TABLE i (id int, customer text, valid_from timestamptz, valid_to timestamptz, amount numeric, plan text, region text);
INSERT INTO i VALUES %s;
SELECT m.* FROM (SELECT kpi_ledger(ARRAY[%s]::timestamptz[], 'total; plan=1; plan+region=1,2', customer, valid_from, valid_to, amount,
	plan, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS ledger FROM i) l, kpi_movements(ledger, ARRAY[%s], ARRAY[%s]) m
""" % (values_list(rows), ', '.join(map(quote, boundaries)), ', '.join(str(o) for o, _ in asked), ', '.join(str(c) for _, c in asked))
    found = {}
    for field in run_psql(psql, query):
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


# The measures of kpi_fact, in the order of COLUMNS; it has not all of them.
MEASURES = {'opening': 'mrr_opening', 'new': 'mrr_new', 'reactivation': 'mrr_reactivated', 'expansion': 'mrr_expansion',
            'contraction': 'mrr_contraction', 'churn': 'mrr_churned', 'closing': 'mrr', 'retained': 'mrr_retained',
            'customers_opening': 'customers_opening', 'customers_new': 'customers_won', 'customers_reactivated': 'customers_reactivated',
            'customers_churned': 'customers_churned', 'customers_closing': 'customers', 'customers_kept': 'customers_kept',
            'customers_first': 'new_customers'}
FACT_DIMENSIONS = DIMENSIONS + [('region', ('region',))]


def ask_facts(psql, rows, first, last, zone, as_of):
    query = """
SET client_min_messages = warning;
DROP TABLE IF EXISTS ledger_subscription CASCADE;
DELETE FROM kpi_fact;
CREATE TABLE ledger_subscription (id int, account_id text, valid_from timestamptz, valid_to timestamptz, amount numeric, plan text, region text);
INSERT INTO ledger_subscription VALUES %s;
SELECT count(kpi_define_dimension('plan+region')), kpi_set('time_zone', '%s') \\g /dev/null
SELECT count(*) FROM kpi_bind('subscription', 'ledger_subscription') \\g /dev/null
SELECT outcome FROM kpi_snapshot('%s', '%s', '%s') \\g /dev/null
SELECT dimension, member, grain, period, %s FROM kpi_fact
WHERE superseded_at IS NULL AND dimension IN ('total', 'plan', 'region', 'plan+region')
""" % (values_list(rows), zone, first, last, as_of.isoformat(), ', '.join(MEASURES.values()))
    return {tuple(field[:4]): [Fraction(f) for f in field[4:]] for field in run_psql(psql, query) if any(map(Fraction, field[4:]))}


def expected_facts(rows, months, begins, year):
    boundaries = [begins(n) for n in range(months + 1)]
    spans = [('month', 1), ('quarter', 3), ('year', 12)]
    asked = [(grain, n, n + length) for grain, length in spans for n in range(0, months, length)]
    found = {}
    for (name, place, p), values in movements(rows, boundaries, [(o + 1, c + 1) for _, o, c in asked], FACT_DIMENSIONS).items():
        grain, opening, _ = asked[p - 1]
        values = [v for c, v in zip(COLUMNS, values) if c in MEASURES]
        if any(values):
            found[name, '+'.join(place), grain, '%d-%02d-01' % (year + opening // 12, opening % 12 + 1)] = values
    return found


def check_properties(facts):
    """What holds of any history; returns how often a switch was netted in the total."""
    netted = 0
    for (dimension, _, grain, period), values in facts.items():
        opening, new, back, up, down, churn, closing, retained, had, won, again, lost, have, kept, _ = values
        assert opening + new + back + up - down - churn == closing
        assert had == kept + lost and have == kept + won + again
        assert retained == opening - down - churn
        if opening > 0:
            gross, net = 100 * retained / opening, 100 * (opening + up - down - churn) / opening
            assert 100 * kept / had + 100 * lost / had == 100 and gross <= min(100, net)
        if dimension == 'total':
            plans = [v for (d, _, g, p), v in facts.items() if (d, g, p) == ('plan', grain, period)]
            assert sum(v[0] for v in plans) == opening and sum(v[6] for v in plans) == closing
            netted += sum(v[5] for v in plans) > churn and sum(v[1] + v[2] for v in plans) > new + back
    return netted


def facts(count, psql):
    cells = netted = 0
    as_of = datetime(2024, 1, 1, tzinfo=timezone.utc)
    for seed in range(count):
        source = random.Random(1000 + seed)
        zone = source.choice(['Europe/Berlin', 'America/New_York', 'UTC'])
        year, months = source.choice([2018, 2020]), source.choice([12, 24])
        begins = local_month(zone, year)
        rows = [r for r in history(source, source.randrange(3, 20), source.randrange(40, 150), months, begins) if r[2] is not None]
        expected = expected_facts(rows, months, begins, year)
        found = ask_facts(psql, rows, '%d-01-01' % year, '%d-12-31' % (year + months // 12 - 1), zone, as_of + timedelta(hours=seed))
        if found != expected:
            different = [k for k in sorted(set(found) | set(expected)) if found.get(k) != expected.get(k)]
            sys.exit('seed %d: %d of %d facts differ, as %s' % (seed, len(different), len(expected), different[:3]))
        cells += len(expected) * len(MEASURES)
        netted += check_properties(expected)
    if cells < 1000 * count or netted < count:
        sys.exit('that was too little: %d cells, %d switches netted' % (cells, netted))
    print('the facts of %d random histories agree' % count)


def main(arguments):
    if arguments[:1] == ['vectors']:
        sys.stdout.write(vectors())
    elif arguments[:1] == ['check'] and len(arguments) == 2:
        with open(arguments[1], encoding='utf-8') as file:
            if vectors() not in file.read():
                sys.exit('%s holds other vectors' % arguments[1])
    elif arguments[:1] == ['fuzz'] and len(arguments) >= 2:
        fuzz(int(arguments[1]), arguments[2:])
    elif arguments[:1] == ['facts'] and len(arguments) >= 2:
        facts(int(arguments[1]), arguments[2:])
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
