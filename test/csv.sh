# shellcheck shell=bash
#
# csv.sh - what tests of a data set in CSV files share: they source it and call
# compare_csv
#
# The data are in SALKPI_DATA, by default the data directory beside the
# checkout; without them the test is skipped.  Connects as the environment says.
# Prints TAP; ends with 1 when a comparison fails.
#
set -u
here=$(cd "$(dirname "$0")" && pwd -P)

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

# compare_csv DATA_SET: loads it as raw.* and what is in its directory expected
# as expected.*, and runs bind.sql and compare.sql of the test
compare_csv() {
	local data=${SALKPI_DATA:-$here/../../shared/data}/$1 name

	name=$(basename "$0" .sh)
	if [ ! -d "$data/expected" ]; then
		echo "1..0 # SKIP no $1 in SALKPI_DATA"
		exit 0
	fi
	db=salkpi_${name}_$$
	tmp=$(mktemp -d)
	trap 'dropdb --if-exists "$db" >/dev/null 2>&1; rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM

	createdb -T template0 -E UTF8 "$db" || exit 1
	sql -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' -c 'CREATE SCHEMA raw' -c 'CREATE SCHEMA expected' || exit 1
	load raw "$data"/*.csv
	load expected "$data"/expected/*.csv

	sql -f "$here/odoo/compare.sql" -f "$here/$name/bind.sql" -f "$here/$name/compare.sql" >"$tmp/out" 2>"$tmp/err" ||
		echo 'not ok - the comparisons ran to their end' >>"$tmp/out"
	sed 's/^/# /' "$tmp/err" >>"$tmp/out"

	awk '/^(not )?ok - / { n++; sub(/ok - /, "ok " n " - ") } { print } END { print "1.." n + 0 }' "$tmp/out"
	! grep -q '^not ok' "$tmp/out"
}
