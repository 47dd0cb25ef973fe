#!/bin/bash
# The README's examples run, in order, and its table of KPIs is the catalog's.
# Prints TAP; connects as the environment says.
set -u
here=$(cd "$(dirname "$0")" && pwd -P)
db=salkpi_readme
n=0

report() { # status description
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

sql -d postgres -c "DROP DATABASE IF EXISTS $db" -c "CREATE DATABASE $db" || exit 1
sql -d $db <<'SQL' || exit 1
CREATE TABLE my_orders (order_no integer, ordered_on date, net numeric(12,2), cost numeric(12,2), seller integer, state text);
INSERT INTO my_orders SELECT n, current_date - n, 100 + n, 60, n % 3, CASE n % 2 WHEN 0 THEN 'Bayern' END FROM generate_series(1, 500) n;
CREATE TABLE my_people (id integer, name text, team text, hired_on date);
INSERT INTO my_people SELECT n, 'Person ' || n, 'Team ' || n % 2, '2020-01-01' FROM generate_series(0, 2) n;
CREATE TABLE my_contracts (customer text, starts date, ends date, monthly numeric);
INSERT INTO my_contracts SELECT 'c' || n % 200, date '2025-06-01' + n, date '2025-09-01' + 2 * n, 10 + n % 90 FROM generate_series(1, 300) n;
SQL

blocks=$(mktemp)
awk '/^```sql$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$here/../README.md" >"$blocks"
out=$(sql -d $db -c 'SET client_min_messages = warning' -f "$blocks" 2>&1)
status=$?
report $status "every example of the README runs"
[ $status = 0 ] || printf '%s\n' "$out" | grep -A5 -i error | sed 's/^/# /'

[ "$(sql -d $db -c "SELECT label FROM kpi.kpi_ranking('revenue', kpi.kpi_today(), 'rep') WHERE member = '0'")" = 'Person 0' ]
report $? "the ranking of the ten lines names a person"

diff <(sql -d $db -f "$here/kpi_table.sql") <(grep -E '^\| [0-9]* \| `' "$here/../README.md") | sed 's/^/# /' >"$blocks"
[ ! -s "$blocks" ]
report $? "the README's table of KPIs is the catalog's"
cat "$blocks"

# lists NAME QUERY LINES: what the README lists is what the catalog has
lists() {
	diff <(sql -d $db -c 'SET search_path = kpi, public' -c "$2" | grep -v '^SET$' | LC_ALL=C sort) <(printf '%s\n' "$3" | LC_ALL=C sort) | sed 's/^/# /' >"$blocks"
	[ ! -s "$blocks" ]
	report $? "the README's $1 are the catalog's"
	cat "$blocks"
}
section() { sed -n "/^##* $1\$/,/^##* /p" "$here/../README.md" | sed '1d'; } # without what follows it
words() { tr ',' '\n' | sed 's/ and /\n/g; s/([^)]*)//g' | sed 's/^ *//; s/[ .]*$//; /^$/d'; }

lists "columns of sources" "SELECT source || ': ' || string_agg(column_name || CASE WHEN required THEN '*' ELSE '' END, ', ' ORDER BY position) FROM kpi_source_column GROUP BY source" \
	"$(section Sources | sed -nE 's/^\| `([a-z_]+)`[^|]*\| (.*) \|$/\1: \2/p' | sed 's/ ([^)]*)//g')"
lists "settings" "SELECT setting FROM kpi_setting_default" "$(sed -nE 's/^\| `kpi_set\(.* means\): (.*) \|$/\1/p' "$here/../README.md" | words)"
lists "dimensions" "SELECT dimension FROM kpi_dimension WHERE dimension NOT IN (SELECT dimension FROM kpi_dimension_own)" \
	"$(section Dimensions | tr '\n' ' ' | sed -E 's/.*These come with salkpi: ([^.]*)\..*/\1/; s/the combinations/,/' | words)"
lists "selections" "SELECT DISTINCT selection FROM kpi_selection" "$(section KPIs | tr '\n' ' ' | sed -E 's/.*for reports, are (.*); `kpi_selection` says.*/\1/' | words)"

# a signature is right if it has the arguments of a function, in their order
section Functions | sed -n '/^| `/p' | cut -d'|' -f2 | grep -oE 'kpi_[a-z_]+\([^)]*\)' | tr -d '… ' >"$blocks"
wrong=$(sql -d $db -c 'CREATE TEMP TABLE signature (text text)' -c "\\copy signature from '$blocks'" -c "
	SELECT text FROM signature
	EXCEPT
	SELECT p.proname || '(' || array_to_string(ARRAY(SELECT a.name FROM unnest(p.proargnames) WITH ORDINALITY a(name, n)
		WHERE coalesce(p.proargmodes[n], 'i') IN ('i', 'b', 'v') ORDER BY n), ',') || ')'
	FROM pg_proc p WHERE p.pronamespace = 'kpi'::regnamespace")
[ -z "$wrong" ] && [ "$(wc -l <"$blocks")" -gt 50 ]
report $? "each function of the README has the arguments that it says"
printf '%s\n' "$wrong" | sed '/^$/d; s/^/# /'
rm -f "$blocks"
sql -d postgres -c "DROP DATABASE $db"
echo "1..$n"
