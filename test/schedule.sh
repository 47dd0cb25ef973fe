#!/bin/bash
# pg_cron takes the snapshots: in the database in which it lives, from another
# one, and what is said where it is missing.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
as_server_user

[ -e "$(pg_config --sharedir)/extension/pg_cron.control" ] ||
	skip_all "pg_cron is not installed (Debian's package postgresql-$(pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')-cron)"

mkdir "$scratch/server"
initdb -D "$scratch/server/data" -U "$PGUSER" -A trust -E UTF8 --no-locale -N >"$scratch/initdb" 2>&1 || bail "no second cluster"
extension_settings >>"$scratch/server/data/postgresql.conf"
start_server "$scratch/server"
export PGHOST=$scratch/server
for db in sales 'other sales'; do
	sql -d postgres -c "CREATE DATABASE \"$db\""
	sql -d "$db" -c 'CREATE SCHEMA kpi; CREATE EXTENSION salkpi SCHEMA kpi; CREATE TABLE sold (sale_id integer, sold_at timestamptz, amount numeric)' \
		-c "INSERT INTO sold VALUES (1, now() - interval '40 days', 100)" -c "SELECT FROM kpi.kpi_bind('sale', 'sold')"
done
sql -d postgres -c 'CREATE ROLE nobody_here'

# Without pg_cron: the lines to put into the configuration.
said=$(sql -d sales -c "SELECT kpi.kpi_schedule()")
like "$said" 'ERROR:  55000: pg_cron is not loaded in this server' "without pg_cron it says so"
lines=$(sed -n "/^shared_preload_libraries/,/^cron.use/p" <<<"$said")
is "$(wc -l <<<"$lines")" 3 "and what to put into the configuration"
echo "$lines" >>"$scratch/server/data/postgresql.conf"
cat >>"$scratch/server/data/postgresql.conf" <<<"cron.host = '$PGHOST'"
pg_ctl -D "$scratch/server/data" -l "$scratch/server/log" -w restart >/dev/null || bail "no server with pg_cron: $(tail -n 3 "$scratch/server/log")"
like "$(sql -d sales -c "SELECT kpi.kpi_schedule()")" 'ERROR:  55000: extension pg_cron is not created in database "sales"' "loaded but not created"
sql -d sales -c 'CREATE EXTENSION pg_cron' >/dev/null

# From another database: the very statement to run there.
said=$(sql -d 'other sales' -c "SELECT kpi.kpi_schedule('* * * * *')")
like "$said" 'pg_cron lives in database "sales", not in "other sales"' "from another database it says where pg_cron lives"
statement=$(sed -n 's/^HINT:  Say there, as a superuser: //p' <<<"$said")
like "$(sql -d sales -c "$statement")" '^[0-9]+$' "and the statement it gives works there"

like "$(sql -d sales -c "SELECT kpi.kpi_schedule('soon')")" 'invalid schedule' "a schedule that is none is refused"
like "$(sql -d sales -c "SELECT kpi.kpi_schedule(NULL)")" 'ERROR:  22004: schedule must not be null' "so is none at all"
like "$(sql -d sales -c 'SET ROLE nobody_here' -c 'SELECT kpi.kpi_schedule()')" 'ERROR:  42501: permission denied for schema (kpi|cron)' "and a role without rights"
is "$(sql -d sales -c 'SELECT kpi.kpi_age() IS NULL')" t "no snapshot, no age"
is "$(sql -d sales -c "SELECT kpi.kpi_schedule('0 5 * * *') = kpi.kpi_schedule('* * * * *')")" t "a new schedule replaces the old one"
is "$(sql -d sales -c "SELECT count(*), count(*) FILTER (WHERE schedule = '* * * * *') FROM cron.job")" '2|2' "one job for each database"

# At the next full minute both run.
runs() { sql -d "$1" -c "SELECT count(*) FROM kpi.kpi_runs WHERE outcome = '$2'"; }
has_run() { [ "$(runs "$1" 'done')" -gt 0 ]; }
await 75 has_run sales
ok $? "pg_cron has taken a snapshot" || note "$(sql -d sales -c 'SELECT * FROM cron.job_run_details'; tail -n 5 "$scratch/server/log")"
await 10 has_run 'other sales'
ok $? "and one in the other database" || note "$(sql -d sales -c 'SELECT * FROM cron.job_run_details')"
is "$(sql -d sales -c "SELECT kpi.kpi_value('revenue', (kpi.kpi_today() - 40))")" 100 "with the right number"
is "$(sql -d sales -c "SELECT bool_and(duration > '0' AND error IS NULL AND facts > 0) FROM kpi.kpi_runs WHERE outcome = 'done'")" t "duration and counts are in kpi_run"
is "$(sql -d sales -c "SELECT kpi.kpi_age() BETWEEN '0' AND '2 minutes'")" t "the age of the newest snapshot"

# Starts that overlap or pile up are harmless; a failure is on record.
sql -d sales -c 'UPDATE sold SET amount = 200' \
	-c "SELECT pg_advisory_lock('kpi.kpi_fact'::regclass::oid::integer, 7365)" -c 'SELECT pg_sleep(60)' >/dev/null &
holder=$!
held() { [ "$(sql -d sales -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7365")" = 1 ]; }
await 10 held
like "$(PGOPTIONS='' sql -d sales -c 'CALL kpi.kpi_refresh()')" 'NOTICE:  00000: another snapshot is running' "a start during another snapshot steps aside"
kill $holder
sql -d sales -c "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7365" >/dev/null
wait
for i in 1 2 3 4; do sql -d sales -c 'CALL kpi.kpi_refresh()' >/dev/null & done
wait
is "$(sql -d sales -c "SELECT kpi.kpi_value('revenue', (kpi.kpi_today() - 40)), count(*) FILTER (WHERE f.superseded_at IS NULL) FROM kpi.kpi_fact f WHERE f.dimension = 'total' AND f.grain = 'month' AND f.revenue = 200")" '200|1' \
	"four starts at once count once"
sql -d sales -c 'ALTER TABLE sold RENAME amount TO net' >/dev/null
like "$(sql -d sales -c 'CALL kpi.kpi_refresh()')" 'ERROR:  42703' "a refresh that fails says so to the scheduler"
is "$(sql -d sales -c "SELECT outcome, error LIKE '%amount%' FROM kpi.kpi_runs ORDER BY run DESC LIMIT 1")" 'failed|t' "and it stays on record"
sql -d sales -c 'ALTER TABLE sold RENAME net TO amount' -c "INSERT INTO sold VALUES (2, now() - interval '70 days', 7), (3, now(), 9)" -c 'CALL kpi.kpi_refresh()' >/dev/null
is "$(sql -d sales -c "SELECT sum(revenue) FROM kpi.kpi_fact WHERE dimension = 'total' AND grain = 'month' AND superseded_at IS NULL")" 216 "the next one catches up on what was missed"

is "$(sql -d sales -c 'SELECT kpi.kpi_unschedule()' -c 'SELECT kpi.kpi_unschedule()')" $'t\nf' "unscheduled, once"
is "$(sql -d sales -c 'SELECT database FROM cron.job')" 'other sales' "the other database's job stays"
done_testing
