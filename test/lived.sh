#!/bin/sh
#
# lived.sh - the months that an Odoo company lived through, replayed
#
# Loads the dump of Odoo 14 after eight months of work, takes a snapshot at each
# month's end of what existed then, and compares what as_of and the restatements
# say afterwards with copies kept at the time (odoo/lived.sql).  Wants what
# odoo.sh wants; without the dump it is skipped.  Prints TAP.
#
set -eu

here=$(cd "$(dirname "$0")" && pwd)
data=${SALKPI_DATA:-$here/../../shared/data}
db=salkpi_lived_$$

if [ ! -r "$data/odoo14/lived.sql.gz" ]; then
	echo "1..0 # SKIP no dumps in SALKPI_DATA"
	exit 0
fi

tmp=$(mktemp -d)
trap 'dropdb --if-exists "$db" >/dev/null 2>&1 || true; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

sql() { psql -X -q -v ON_ERROR_STOP=1 -d "$db" "$@"; }

createdb -T template0 -E UTF8 "$db"
gzip -dc "$data/odoo14/lived.sql.gz" | sql >/dev/null
sql -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' -c "SELECT kpi.kpi_bind_crm('odoo')" >/dev/null 2>&1
cat "$here/odoo/compare.sql" "$here/odoo/lived.sql" >"$tmp/run.sql"
if ! sql -f "$tmp/run.sql" >"$tmp/out" 2>"$tmp/err"; then
	echo "not ok - the comparisons ran to their end" >>"$tmp/out"
fi
sed 's/^/# /' "$tmp/err" >>"$tmp/out"
awk '/^(not )?ok - / { n++; sub(/ - /, " " n " - ") } /^not ok/ { failed = 1 } { print }
	END { print "1.." n; exit failed || n == 0 }' "$tmp/out"
