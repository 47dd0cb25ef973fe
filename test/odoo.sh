#!/bin/sh
#
# odoo.sh - the Odoo adapter against real databases
#
# Loads dumps of Odoo 14 and 19, binds them with kpi_bind_crm, and compares the
# views with results that were computed from the dumps without salkpi.  Wants a
# server where salkpi can be installed (the usual PG* variables; superuser) and
# the dumps in SALKPI_DATA, by default the data directory beside the checkout;
# without them it is skipped.  Prints TAP; ends with 1 when a comparison fails.
#
set -eu

here=$(cd "$(dirname "$0")" && pwd)
data=${SALKPI_DATA:-$here/../../shared/data}
db=salkpi_odoo_$$

if [ ! -r "$data/odoo14/lived.sql.gz" ]; then
	echo "1..0 # SKIP no dumps in SALKPI_DATA"
	exit 0
fi

tmp=$(mktemp -d)
trap 'dropdb --if-exists "$db" >/dev/null 2>&1 || true; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

sql() { psql -X -q -v ON_ERROR_STOP=1 -d "$db" "$@"; }

# load DUMP: a database of its own with the dump and the extension
load() {
	dropdb --if-exists "$db" 2>/dev/null
	createdb -T template0 -E UTF8 "$db"
	gzip -dc "$data/$1.sql.gz" | sql >/dev/null
	sql -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi'
}

# expect DIR: its files as tables of the schema "expected", all columns text
expect() {
	sql -c 'DROP SCHEMA IF EXISTS expected CASCADE' -c 'CREATE SCHEMA expected' 2>/dev/null
	for file in "$data/$1"/*.csv; do
		table=$(basename "$file" .csv | sed 's/^[0-9]*_//')
		columns=$(head -n 1 "$file" | tr -d '\r' | sed 's/,/ text, /g')
		sql -c "CREATE TABLE expected.$table ($columns text)" \
			-c "\\copy expected.$table FROM '$file' WITH (FORMAT csv, HEADER)"
	done
}

# run WHAT FILE...: comparisons in one session, each line named for the database
run() {
	what=$1
	shift
	cp "$here/odoo/compare.sql" "$tmp/run.sql"
	for file; do
		cat "$here/odoo/$file" >>"$tmp/run.sql"
	done
	if ! sql -f "$tmp/run.sql" >"$tmp/out" 2>"$tmp/err"; then
		echo "not ok - the comparisons ran to their end" >>"$tmp/out"
	fi
	sed 's/^/# /' "$tmp/err" >>"$tmp/out"
	sed "s/^\\(ok\\|not ok\\) - /&$what: /" "$tmp/out" >>"$tmp/all"
}

for version in odoo14:demo odoo14:lived odoo19:demo; do
	folder=${version%:*} name=${version#*:}
	load "$folder/$name"
	expect "$folder/expected-$name"
	sql -c "SELECT kpi.kpi_bind_crm('odoo')" >/dev/null 2>&1
	run "$folder $name" views.sql adapter.sql facts.sql
	[ "$folder $name" = "odoo14 demo" ] || run "$folder $name" ../demo/drill.sql
	if [ "$folder $name" = "odoo14 lived" ]; then
		sql -f "$here/odoo/as17.sql" >/dev/null
		run "odoo14 lived with 17's columns" views.sql again.sql
	fi
done

awk '/^(not )?ok - / { n++; sub(/ - /, " " n " - ") } /^not ok/ { failed = 1 } { print }
	END { print "1.." n; exit failed || n == 0 }' "$tmp/all"
