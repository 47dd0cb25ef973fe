#!/bin/bash
#
# ravenstack.sh - 5,000 overlapping subscriptions against results from elsewhere
#
# Loads RavenStack, a synthetic SaaS company (author: River @ Rivalytics), from
# its CSV files, binds views over them, takes a snapshot, and compares what
# kpi_fact and the readers say with plain SQL over the same rows, and with
# results that were computed from the files without salkpi.  Connects as the
# environment says; the data are in SALKPI_DATA, by default the data directory
# beside the checkout, and without them it is skipped.  Prints TAP; ends with 1
# when a comparison fails.
#
set -u
here=$(cd "$(dirname "$0")" && pwd -P)
data=${SALKPI_DATA:-$here/../../shared/data}/ravenstack
db=salkpi_ravenstack_$$

if [ ! -r "$data/subscriptions.csv" ] || [ ! -r "$data/expected/mrr_by_month.csv" ]; then
	echo "1..0 # SKIP no ravenstack in SALKPI_DATA"
	exit 0
fi

tmp=$(mktemp -d)
trap 'dropdb --if-exists "$db" >/dev/null 2>&1; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

sql() { psql -XAtq -v ON_ERROR_STOP=1 -d "$db" "$@"; }

# load SCHEMA FILE...: each CSV file as a table with its own columns, all text
load() {
	local schema=$1 file columns

	shift
	for file; do
		columns=$(head -n 1 "$file" | sed 's/ *([^)]*)//g; s/,/ text, /g')
		sql -c "CREATE TABLE $schema.$(basename "$file" .csv) ($columns text)" \
			-c "\\copy $schema.$(basename "$file" .csv) FROM '$file' WITH (FORMAT csv, HEADER)" || exit 1
	done
}

createdb -T template0 -E UTF8 "$db" || exit 1
sql -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' -c 'CREATE SCHEMA raw' -c 'CREATE SCHEMA expected' || exit 1
load raw "$data"/*.csv
load expected "$data"/expected/mrr_by_month.csv

sql -f "$here/odoo/compare.sql" -f "$here/ravenstack/bind.sql" -f "$here/ravenstack/compare.sql" >"$tmp/out" 2>"$tmp/err" ||
	echo 'not ok - the comparisons ran to their end' >>"$tmp/out"
sed 's/^/# /' "$tmp/err" >>"$tmp/out"

awk '/^(not )?ok - / { n++; sub(/ok - /, "ok " n " - ") } { print } END { print "1.." n + 0 }' "$tmp/out"
! grep -q '^not ok' "$tmp/out"
