#!/bin/bash
# A snapshot can be watched, cancelled, timed out and killed: the facts stay as
# they were, the run says what came of it, and the next one works.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
as_server_user
db=salkpi_cancel

# One source in four shapes: quick; a minute and a half of sleep in a hundred
# rows; as long in C, as each of its rows makes a member of its own; not
# readable at all.
prepare() { # DATABASE
	create_database "$1"
	sql -d "$1" <<'SQL' || bail "no sources"
CREATE SCHEMA kpi;
CREATE EXTENSION salkpi SCHEMA kpi;
CREATE VIEW quick AS SELECT i AS sale_id, date '2026-01-01' + i AS sold_at, 1 AS amount FROM generate_series(1, 100) i;
CREATE VIEW sleepy AS SELECT sale_id, sold_at, 2 + length(pg_sleep(0.9)::text) AS amount FROM quick;
CREATE VIEW busy AS SELECT i AS sale_id, date '2026-01-01' + i % 100 AS sold_at, 3 AS amount, 'r' || i AS region, i AS account_id
	FROM (SELECT generate_series(1, 60000000) AS i) g;
CREATE VIEW broken AS SELECT sale_id, sold_at, 4 / (sale_id - 70) AS amount FROM quick;
CREATE VIEW rep AS SELECT 1 AS id;
SELECT * FROM kpi.kpi_bind('rep', 'rep') \g /dev/null
SELECT * FROM kpi.kpi_bind('sale', 'quick') \g /dev/null
SELECT * FROM kpi.kpi_snapshot() \g /dev/null
SQL
}

facts() { sql -d $db -c "SELECT count(*), sum(hashtextextended(f::text, 0)), max(recorded_at) FROM kpi.kpi_fact f"; }
bind() { sql -d $db -c "SELECT count(*) FROM kpi.kpi_bind('sale', '$1')" >"$scratch/bind" || bail "cannot bind $1"; }
last_run() { sql -d $db -c "SELECT outcome, error FROM kpi.kpi_runs ORDER BY run DESC LIMIT 1"; }
is_reading() { [ "$(sql -d $db -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'kpi_snapshot: reading sale (2 of 2)'")" = 1 ]; }

# Several statements in one session of their own, whatever becomes of each.
# start STATEMENT...
start() {
	local statement options=()

	for statement in "$@"; do
		options+=(-c "$statement")
	done
	PGAPPNAME=a_session psql -XAtq -v VERBOSITY=terse -d $db "${options[@]}" >"$scratch/session" 2>&1 &
	session=$!
}

has_ended() { ! kill -0 "$session" 2>/dev/null; }

# A quick end: within ten seconds, where it would have taken more than a minute.
ends() { # WHAT
	await 10 has_ended
	ok $? "$1"
	wait "$session"
	said=$(cat "$scratch/session")
}

# signal pg_cancel_backend|pg_terminate_backend
signal() { sql -d $db -c "SELECT $1(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'kpi_snapshot: %'" >"$scratch/signal"; }

prepare $db
before=$(facts)

for shape in sleepy busy; do
	bind $shape
	start 'SELECT * FROM kpi.kpi_snapshot()' 'SHOW application_name' 'SELECT count(*) FROM kpi.kpi_run'
	await 20 is_reading
	ok $? "$shape: other sessions see which source is being read"
	[ $shape = sleepy ] || sleep 2 # so that there are members
	like "$(sql -d $db -c 'SELECT outcome FROM kpi.kpi_snapshot()')" 'skipped$' "$shape: a second snapshot steps aside"
	is "$(facts)" "$before" "$shape: readers see the facts as they were, without waiting"
	signal pg_cancel_backend
	ends "$shape: a cancel ends it"
	is "$said" "ERROR:  canceling statement due to user request
a_session
1" "$shape: the session has its application_name back, and there is no run"

	start "SET statement_timeout = '1s'" 'SELECT * FROM kpi.kpi_snapshot()' 'SHOW application_name'
	ends "$shape: statement_timeout ends it"
	is "$said" "ERROR:  canceling statement due to statement timeout
a_session" "$shape: and says so"
	is "$(facts)" "$before" "$shape: the facts are as they were"
done

# Twenty thousand targets of one KPI, each looked at for sixty thousand periods.
start "SET statement_timeout = '1s'" "SELECT count(*) FROM kpi.kpi_matched_targets(
	(SELECT array_agg(ROW(i, 'revenue', 'total', '', date '2000-01-01' + i, date '2000-01-02' + i, 1, NULL, NULL, NULL)::kpi.kpi_target) FROM generate_series(1, 20000) i), NULL,
	(SELECT array_agg(date '2000-01-01' + i) FROM generate_series(1, 60000) i), (SELECT array_agg(date '2000-01-03' + i) FROM generate_series(1, 60000) i))"
ends "targets: statement_timeout ends it"
is "$said" 'ERROR:  canceling statement due to statement timeout' "targets: and says so"

# kpi_refresh leaves a row, whatever happens.
bind sleepy
start 'CALL kpi.kpi_refresh()' 'SHOW application_name'
await 20 is_reading
is "$(last_run)" 'running|' "kpi_refresh: it shows as running"
signal pg_cancel_backend
ends "kpi_refresh: a cancel ends it"
is "$said" "ERROR:  canceling statement due to user request
a_session" "kpi_refresh: the error is raised, application_name is back"
is "$(last_run)" 'failed|canceling statement due to user request' "kpi_refresh: the run says what happened"

start "SET statement_timeout = '1s'" 'CALL kpi.kpi_refresh()'
ends "kpi_refresh: statement_timeout ends it"
is "$(last_run)" 'failed|canceling statement due to statement timeout' "kpi_refresh: the run says it was too late"

start 'CALL kpi.kpi_refresh()'
await 20 is_reading
signal pg_terminate_backend
ends "kpi_refresh: terminating the session ends it"
is "$(last_run)" 'crashed|' "kpi_refresh: the run of a session that is gone shows as crashed"
sql -d $db -c BEGIN -c "UPDATE kpi.kpi_run SET outcome = 'done' WHERE outcome = 'running'" -c ROLLBACK
is "$(last_run)" 'crashed|' "kpi_refresh: also when it was about to be done"

bind broken
like "$(try $db 'CALL kpi.kpi_refresh()')" 'ERROR:  22012: cannot read source "sale" \(public.broken\): division by zero' \
	"kpi_refresh: an unreadable source is named, with the error's own code"
is "$(last_run)" 'failed|cannot read source "sale" (public.broken): division by zero' "kpi_refresh: and in the run"
is "$(facts)" "$before" "kpi_refresh: the facts are as they were after all that"

bind quick
is "$(sql -d $db -c 'CALL kpi.kpi_refresh()')$(last_run)" 'done|' "kpi_refresh: the next one works"
like "$(sql -d $db -c BEGIN -c 'CALL kpi.kpi_refresh()')" '2D000: invalid transaction termination' "kpi_refresh: not within a transaction"
is "$(sql -d $db -c BEGIN -c 'CALL kpi.kpi_refresh()' >/dev/null; last_run)" 'done|' "kpi_refresh: which leaves nothing"
is "$(sql -d $db -c "SET application_name = 'mine'" -c "SET TimeZone = 'Asia/Tokyo'" -c "BEGIN" -c 'SELECT outcome FROM kpi.kpi_snapshot()' \
	-c 'SHOW application_name' -c 'SHOW TimeZone')" "done
mine
Asia/Tokyo" "a snapshot leaves no setting behind in its transaction"

# A server of its own, for kill -9 restarts all of it.
new_server "$scratch/crash"
export PGHOST=$scratch/crash
prepare $db
bind sleepy
before=$(facts)
is_up() { [ "$(sql -d $db -c 'SELECT 1')" = 1 ]; }

for way in 'CALL kpi.kpi_refresh()' 'SELECT kpi.kpi_snapshot()'; do
	start "$way"
	await 20 is_reading
	kill -9 "$(sql -d $db -c "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'kpi_snapshot: %'")"
	ends "$way: kill -9 ends it"
	await 60 is_up
	ok $? "$way: the server is up again"
	is "$(facts)" "$before" "$way: the facts are as they were"
done
is "$(sql -d $db -c 'SELECT outcome, count(*) FROM kpi.kpi_runs GROUP BY 1 ORDER BY 1')" "crashed|1
done|1" "kill -9: the run of kpi_refresh shows as crashed, that of kpi_snapshot was never there"
bind quick
is "$(sql -d $db -c "SELECT outcome FROM kpi.kpi_snapshot()" -c 'CALL kpi.kpi_refresh()' -c 'SELECT outcome FROM kpi.kpi_runs ORDER BY run')" "done
done
crashed
done
done" "kill -9: the next snapshots work"
done_testing
