#!/bin/bash
# Readers work on a hot standby, with the numbers of its primary; what writes
# says that it cannot.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
as_server_user
db=demo

new_server "$scratch/primary"
export PGHOST=$scratch/primary
create_database $db
load_demo $db
sql -d postgres -c CHECKPOINT
mkdir "$scratch/standby"
pg_basebackup -D "$scratch/standby/data" -R -X stream -c fast >"$scratch/backup" 2>&1 ||
	bail "no standby: $(tail -n 1 "$scratch/backup")"
start_server "$scratch/standby"

on() { # HOST STATEMENT
	PGHOST=$scratch/$1 sql -d $db -c "SET TimeZone = 'UTC'" -c "$2"
}
caught_up() { [ "$(on standby "SELECT pg_last_wal_replay_lsn() >= '$(on primary 'SELECT pg_current_wal_flush_lsn()')'")" = t ]; }

# What changed after the copy was made arrives too.
on primary "UPDATE crm.order_line SET net_amount = net_amount + 1 WHERE order_no % 5 = 0" >/dev/null
is "$(on primary 'SELECT outcome FROM kpi.kpi_snapshot()')" 'done' "the primary takes a snapshot"
await 30 caught_up
is "$(on standby 'SELECT pg_is_in_recovery(), count(*) FROM kpi.kpi_fact')" "$(on primary 'SELECT true, count(*) FROM kpi.kpi_fact')" \
	"the standby has the facts"

# The same on both, and something at all.
reads() { # STATEMENT
	local here there

	here=$(on primary "SELECT * FROM kpi.$1 x")
	there=$(on standby "SELECT * FROM kpi.$1 x")
	[ -n "$here" ] && [[ $here != *ERROR* ]]
	ok $? "$1 gives something" || note "$here"
	is "$there" "$here" "$1 on the standby"
}

month="(kpi.kpi_today() - 30)"
reads "kpi_value('win_rate', $month)"
reads "kpi_report()"
reads "kpi_report(as_of => (SELECT min(recorded_at) FROM kpi.kpi_fact))"
reads "kpi_report(kpi.kpi_today(), 'quarter', 'team', 'Innendienst Süd', 'sales', lang => 'de')"
reads "kpi_series('sales_cycle_median', kpi.kpi_today() - 400, kpi.kpi_today(), 'quarter', 'team')"
reads "kpi_merged_series('revenue', kpi.kpi_today() - 400, kpi.kpi_today(), 'month', 'team')"
reads "kpi_ranking('revenue', $month)"
reads "kpi_pipeline($month)"
reads "kpi_pipeline()"
reads "kpi_live('revenue_growth', date_trunc('month', $month::timestamp)::date, (date_trunc('month', $month::timestamp) + interval '1 month')::date, 'team', 'Innendienst Süd')"
reads "kpi_drill('win_rate', $month)"
reads "kpi_bad_rows('sale')"

reads "kpi_top_opportunities(3)"
reads "kpi_members('rep')"
reads "kpi_runs"
reads "kpi_problem"

refused() { # WHAT STATEMENT
	like "$(on standby "$2")" 'ERROR:  25006: cannot execute (INSERT|UPDATE|DELETE) in a read-only transaction' "$1 is refused on the standby"
}
refused "kpi_snapshot" 'SELECT * FROM kpi.kpi_snapshot()'
refused "kpi_refresh" 'CALL kpi.kpi_refresh()'
refused "kpi_set" "SELECT kpi.kpi_set('language', 'en')"
refused "kpi_define" "SELECT kpi.kpi_define('mine', 'revenue', 'money', 'up', 'Mine')"
refused "a target" "INSERT INTO kpi.kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', '2026-02-01', 1)"

# A standby cannot see who holds the lock of a run on the primary.
on primary "INSERT INTO kpi.kpi_run (outcome) VALUES ('running')"
await 30 caught_up
is "$(on standby 'SELECT outcome FROM kpi.kpi_runs ORDER BY run DESC LIMIT 1')" 'running' "the standby does not call a run crashed"

# A primary itself: what was a standby takes the next snapshot.
pg_ctl -D "$scratch/standby/data" -w promote >/dev/null
is "$(on standby 'SELECT outcome FROM kpi.kpi_snapshot()')" 'done' "after promotion a snapshot works"
is "$(on standby 'SELECT outcome FROM kpi.kpi_runs ORDER BY run DESC OFFSET 1 LIMIT 1')" 'crashed' "and the run that was never finished shows as crashed"
done_testing
