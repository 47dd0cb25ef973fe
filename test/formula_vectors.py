"""Random formulas and their values by Python's fractions, tab-separated.

An implementation of its own: values are Fractions, reduced at each step, and
formulas are made as trees and written down, never parsed."""
import random
from fractions import Fraction as F

random.seed(20240229)
YEAR = 2
NULL = None
FACTS = [
    dict(revenue='1234.56', direct_cost='-45.125', won_deals=7, leads=3, quotes_sent=NULL, days=31),
    dict(revenue='1000', direct_cost='12.5', won_deals=0, leads=5, quotes_sent=4, days=30),
    dict(revenue='0', direct_cost='1000.001', won_deals=3, leads=8, quotes_sent=2, days=28),
    None,
    dict(revenue='17', direct_cost='3', won_deals=1, leads=1, quotes_sent=1, days=31),
]
# The days with which those begin, and the months, of which June is running.
# Counted by hand: the periods end on 1 July, 20 May, 1 March, and 15 November
# of the year before, so that May, April, February, October are their last
# complete months.
STARTS = ['2024-05-31', '2024-04-20', '2024-02-02', None, '2023-10-15']
LAST = [2405, 2404, 2402, None, 2310]
MONTHS = {
    2406: dict(revenue='99', direct_cost='98', won_deals=97, leads=96, quotes_sent=95, days=10),
    2405: dict(revenue='10', direct_cost='4.5', won_deals=2, leads=3, quotes_sent=6, days=31),
    2404: dict(revenue='20.25', direct_cost='-8', won_deals=0, leads=1, quotes_sent=NULL, days=30),
    2403: dict(revenue='30', direct_cost='16', won_deals=5, leads=7, quotes_sent=1, days=31),
    2402: dict(revenue='-40', direct_cost='0', won_deals=3, leads=2, quotes_sent=2, days=29),
    2312: dict(revenue='50', direct_cost='1', won_deals=1, leads=1, quotes_sent=1, days=31),
}
SETTINGS = dict(margin_default=F('37.5'), history_years=None)
MEASURES = ['revenue', 'direct_cost', 'won_deals', 'leads', 'quotes_sent']
TARGETS = dict(revenue=F(1500), leads=None)


class Null(Exception):
    pass


def row(at):
    """at: a period, by how many there are between it and now; or a month."""
    if at > 1000:
        return MONTHS.get(at)
    return FACTS[at] if at < len(FACTS) else None


def back(at, periods):
    if at < 1000:
        return at + periods
    month = at // 100 * 12 + at % 100 - 1 - periods
    return month // 12 * 100 + month % 12 + 1


def measure(name, at):
    if row(at) is None:
        raise Null('not computed')
    if row(at)[name] is None:
        raise Null('not available')
    return F(row(at)[name])


def total(t, n, at):
    result = F(0)
    for i in range(n):
        if row(back(at, i)) is None:
            raise Null('not computed')
        result += ev(t, back(at, i))
    return result


def ev(t, at):
    op = t[0]
    if op == 'num':
        return F(t[1])
    if op == 'name':
        return measure(t[1], at)
    if op == 'days':
        return measure('days', at)
    if op == 'target':
        if at != 0 or TARGETS.get(t[1]) is None:
            raise Null('no target')
        return TARGETS[t[1]]
    if op == 'setting':
        if SETTINGS[t[1]] is None:
            raise Null('not set')
        return SETTINGS[t[1]]
    if op == 'neg':
        return -ev(t[1], at)
    if op == 'prior':
        return ev(t[1], back(at, 1))
    if op == 'year_ago':
        return ev(t[1], back(at, YEAR if at < 1000 else 12))
    if op in ('sum_last', 'mean_last'):
        return total(t[1], t[2], at) / (t[2] if op == 'mean_last' else 1)
    if op == 'sum_months':
        if row(at) is None:
            raise Null('not computed')
        return total(t[1], t[2], at if at > 1000 else LAST[at])
    if op == 'coalesce':
        reasons = []
        for a in t[1:]:
            try:
                return ev(a, at)
            except Null as e:
                reasons.append(str(e))
        raise Null(next((r for r in reasons if r != 'not available'), 'not available'))
    args = [ev(a, at) for a in t[1:]]
    if op == 'least':
        return min(args)
    if op == 'greatest':
        return max(args)
    a, b = args
    if op == '+':
        return a + b
    if op == '-':
        return a - b
    if op == '*':
        return a * b
    if op == '/':
        if b == 0:
            raise Null('zero denominator')
        return a / b
    if op == 'nullif':
        if a == b:
            raise Null('zero denominator')
        return a
    assert False, op


def reach(t, at):
    """Every period that is read."""
    op = t[0]
    if op in ('num', 'target', 'setting'):
        return set()
    if op in ('name', 'days'):
        return {at}
    if op == 'prior':
        return reach(t[1], back(at, 1))
    if op == 'year_ago':
        return reach(t[1], back(at, YEAR if at < 1000 else 12))
    if op == 'sum_months' and at < 1000:
        return {at}
    if op in ('sum_last', 'mean_last', 'sum_months'):
        return set().union(*({back(at, i)} | reach(t[1], back(at, i)) for i in range(t[2])))
    return set().union(*(reach(a, at) for a in t[1:]))


def months(t):
    """How many months back from the last complete one are read."""
    if not isinstance(t, tuple):
        return 0
    if t[0] != 'sum_months':
        return max([months(a) for a in t[1:]] + [0])
    oldest = min(reach(t, 9912))
    return (99 - oldest // 100) * 12 + 12 - oldest % 100 + 1


def is_ratio(t):
    if not isinstance(t, tuple):
        return False
    if t[0] == 'nullif':
        return is_ratio(t[1])
    return t[0] in ('/', 'mean_last') or any(is_ratio(a) for a in t[1:])


PREC = {'+': 1, '-': 1, '*': 2, '/': 2, 'neg': 3}


def wrap(t, need):
    text, prec = write(t)
    if prec < need or random.random() < 0.1:
        return '(' + text + ')'
    return text


def write(t):
    """Text and precedence, with the parentheses needed and some more."""
    op = t[0]
    sp = random.choice(['', ' ', ' '])
    if op in '+-*/':
        p = PREC[op]
        return wrap(t[1], p) + sp + op + sp + wrap(t[2], p + 1), p
    if op == 'neg':
        return '-' + sp + wrap(t[1], 3), 3
    if op == 'num':
        return t[1], 4
    if op == 'name':
        return t[1], 4
    if op == 'days':
        return 'days()', 4
    if op == 'target':
        return 'target(%s)' % t[1], 4
    if op == 'setting':
        return 'setting(%s)' % t[1], 4
    if op in ('sum_last', 'mean_last', 'sum_months'):
        return '%s(%s,%s%d)' % (op, wrap(t[1], 0), sp, t[2]), 4
    return op + '(' + (',' + sp).join(wrap(a, 0) for a in t[1:]) + ')', 4


def tree(depth):
    if depth == 0 or random.random() < 0.12:
        r = random.random()
        if r < 0.25:
            return ('num', random.choice(['0', '1', '2', '3', '7', '100', '0.5', '1.25', '0.001', '12345678901234567890', '0.3333333333333333333']))
        if r < 0.32:
            return ('days',)
        if r < 0.38:
            return ('target', random.choice(['revenue', 'revenue', 'leads', 'purchases']))
        if r < 0.41:
            return ('setting', random.choice(['margin_default', 'margin_default', 'history_years']))
        return ('name', random.choice(MEASURES[:4] * 4 + MEASURES[4:]))
    op = random.choice('++--**///') if random.random() < 0.7 else random.choice(
        ['neg', 'neg', 'prior', 'prior', 'year_ago', 'sum_last', 'mean_last', 'sum_months', 'sum_months', 'least', 'greatest', 'nullif',
         'coalesce', 'coalesce'])
    if op in ('neg', 'prior', 'year_ago'):
        return (op, tree(depth - 1))
    if op in ('sum_last', 'mean_last', 'sum_months'):
        return (op, tree(depth - 1), random.randint(1, 3))
    if op in ('least', 'greatest', 'coalesce'):
        return (op,) + tuple(tree(depth - 1) for _ in range(random.randint(2, 3)))
    return (op, tree(depth - 1), tree(depth - 1))


def rounded(x):
    n, d = abs(x.numerator) * 10**16, x.denominator
    q = (2 * n + d) // (2 * d)
    return ('-' if x < 0 else '') + '%d.%016d' % divmod(q, 10**16)


def exact(x):
    """A fraction whose denominator divides a power of ten, as a decimal."""
    k = 0
    while (x * 10**k).denominator != 1:
        k += 1
    n = abs(x * 10**k).numerator
    s = str(n).rjust(k + 1, '0')
    return ('-' if x < 0 else '') + (s[:-k] + '.' + s[-k:] if k else s)


seen = set()
rows = []
counts = {}
while len(rows) < 500:
    t = tree(random.choice([2, 3, 3, 4, 4, 5]))
    text = write(t)[0]
    if text in seen or len(text) > 160:
        continue
    try:
        x, why = ev(t, 0), None
    except Null as e:
        x, why = None, str(e)
    if x is None and counts.get(why, 0) >= 30:
        continue
    if x is not None and (abs(x.numerator) > 10**60 or x.denominator > 10**60):
        continue
    counts[why] = counts.get(why, 0) + 1
    seen.add(text)
    ratio = is_ratio(t)
    rows.append([text, str(max(reach(t, 0) | {0})), str(months(t))] + (
        ['\\N'] * 4 + [why] if x is None else
        [rounded(x) if ratio else exact(x), str(x.numerator), str(x.denominator), 't' if ratio else 'f', '\\N']))
for r in rows:
    print('\t'.join(r))
