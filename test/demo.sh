#!/bin/bash
#
# demo.sh - the demo's numbers against plain SQL over its CRM
#
# Makes up the CRM of demo/crm.sql as of three days (one ends a February, one
# lies within a month, one is today), binds it with demo/bind.sql, and compares
# every measure of every period and member, the KPIs and the readers with
# queries over the CRM's own tables.  As of today it also runs demo/show.sql.
# Connects as the environment says; the days work side by side, each in a
# database of its own.  Prints TAP; ends with 1 when a comparison fails.
#
set -u
here=$(cd "$(dirname "$0")" && pwd -P)
demo=$here/../demo
db=salkpi_demo_$$

tmp=$(mktemp -d)
clean_up() {
	local n

	for n in 1 2 3; do
		dropdb --if-exists --force "${db}_$n" >/dev/null 2>&1
	done
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

sql() { psql -XAtq -v ON_ERROR_STOP=1 -d "$db" "$@"; }

# check WHAT COMMAND...: one line of TAP; of a failure the end of what it said
check() {
	local what=$1

	shift
	if "$@" >"$tmp/said" 2>&1; then
		echo "ok - $what"
	else
		echo "not ok - $what"
		tail -n 20 "$tmp/said" | sed 's/^/# /'
	fi
}

# compare DAY FILE...: the comparisons, each line named for the day
compare() {
	local day=$1

	shift
	sql -v today="$day" "$@" >"$tmp/compared" 2>"$tmp/err" || echo 'not ok - the comparisons ran to their end' >>"$tmp/compared"
	sed "s/^\\(ok\\|not ok\\) - /&$day: /" "$tmp/compared"
	grep -v 'NOTICE: ' "$tmp/err" | sed 's/^/# /'
}

new_database() {
	createdb -T template0 -E UTF8 "$db" && sql -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi'
}

# a_day DAY INSTANT: as that day saw it, at that instant; without one, as now
a_day() {
	local day=$1 instant=${2:-} last='SELECT * FROM kpi.kpi_snapshot();'

	check "a database with the extension" new_database
	check "demo/crm.sql as of $day" sql -v today="$day" -f "$demo/crm.sql"
	if [ -n "$instant" ]; then
		check "demo/bind.sql ends with the snapshot" [ "$(tail -n 1 "$demo/bind.sql")" = "$last" ]
		sed '$d' "$demo/bind.sql" >"$tmp/bind.sql"
		echo "SELECT * FROM kpi.kpi_snapshot(as_of => '$instant');" >>"$tmp/bind.sql"
	else
		cp "$demo/bind.sql" "$tmp/bind.sql"
	fi
	check "demo/bind.sql as of $day" sql -f "$tmp/bind.sql"
	compare "$day" -f "$here/odoo/compare.sql" -f "$here/demo/want.sql" -f "$here/demo/compare.sql"
}

# Within a month, so that its periods are running ones: there it is drilled, too.
mid_month() {
	local day=2026-06-17

	a_day "$day" "$day 12:00 Europe/Berlin"
	compare "$day" -f "$here/odoo/compare.sql" -f "$here/demo/drill.sql" -f "$here/demo/adds_up.sql"
}

today() {
	local day

	day=$(psql -XAtq -d postgres -c "SELECT (now() AT TIME ZONE 'Europe/Berlin')::date") || return
	a_day "$day"
	check "demo/show.sql" sql -f "$demo/show.sql"
	grep -o '^   SELECT .*;' "$tmp/said" >"$tmp/calls"
	check "and the calls that it shows" sql -c 'BEGIN' -c 'SET LOCAL search_path = kpi' -f "$tmp/calls" -c 'ROLLBACK'
	compare "$day" -f "$here/odoo/compare.sql" -f "$here/demo/today.sql" -f "$here/demo/as_of.sql"
}

# in_parallel NAME COMMAND...: in the background, with a database and a directory of its own
in_parallel() {
	local db=${db}_$1 tmp=$tmp/$1

	shift
	mkdir "$tmp"
	"$@" >"$tmp.out" &
}

in_parallel 1 a_day 2024-02-29 '2024-02-29 12:00 Europe/Berlin'
in_parallel 2 mid_month
in_parallel 3 today
wait
cat "$tmp"/?.out >"$tmp/out"

awk '/^(not )?ok - / { n++; sub(/ok - /, "ok " n " - ") } { print } END { print "1.." n + 0 }' "$tmp/out"
! grep -q '^not ok' "$tmp/out"
