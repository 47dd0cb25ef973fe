#!/bin/bash
# Snapshots on time: what is said where pg_cron is missing, what becomes of
# starts that overlap, pile up, fail or come after an outage, the systemd timer
# of doc/schedule.md; and pg_cron itself, in the database in which it lives and
# from another one.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
as_server_user

doc=$here/../doc/schedule.md
new_server "$scratch/server"
export PGHOST=$scratch/server

new_database() { # NAME
	sql -d postgres -c "CREATE DATABASE \"$1\"" -c "ALTER DATABASE \"$1\" SET search_path = kpi, public"
	sql -d "$1" -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' || bail "no extension in $1"
}
sell() { # DATABASE: one sale, forty days ago
	sql -d "$1" -c 'CREATE TABLE sold (sale_id integer, sold_at timestamptz, amount numeric)' \
		-c "INSERT INTO sold VALUES (1, now() - interval '40 days', 100)" -c "SELECT FROM kpi_bind('sale', 'sold')"
}
for db in crm 'other sales'; do
	new_database "$db"
	sell "$db"
done
sql -d crm -c 'CREATE ROLE nobody_here' -c 'CREATE ROLE reader LOGIN' -c "SELECT kpi_grant('reader', 'reader')" \
	-c 'CREATE ROLE clerk LOGIN' -c 'GRANT USAGE ON SCHEMA kpi TO clerk' >/dev/null
refresh() { sql -d crm -c 'CALL kpi_refresh()'; }
as_role() { PGUSER=$1 sql -d "$2" -c "$3"; }

# ------------------------------------------------------------ without pg_cron

said=$(sql -d crm -c 'SELECT kpi_schedule()')
like "$said" 'ERROR:  55000: pg_cron is not loaded in this server' "without pg_cron it says so"
lines=$(sed -n '/^shared_preload_libraries/,/^cron.use/p' <<<"$said")
is "$lines" "shared_preload_libraries = 'pg_cron'
cron.database_name = 'crm'
cron.use_background_workers = on" "and what to put into the configuration"
is "$lines" "$(sed -n 's/^    \(shared_preload_libraries .*\|cron\..*\)/\1/p' "$doc")" "which is what doc/schedule.md has"
like "$said" 'have any other scheduler say CALL kpi\.kpi_refresh\(\)' "and what else there is"
has_package=$([ -e "$(pg_config --sharedir)/extension/pg_cron.control" ] && echo yes)
is "$(grep -c 'HINT:  Install it' <<<"$said")" "$([ "$has_package" ] && echo 0 || echo 1)" "to install it only where it is not"
like "$(sql -d crm -c 'SELECT kpi_unschedule()')" 'ERROR:  55000: pg_cron is not loaded' "there is nothing to unschedule either"
like "$(as_role clerk crm 'SELECT kpi_schedule()')" 'ERROR:  55000: pg_cron is not created in database "crm".*HINT:  A superuser' "a role that may not see the settings is told whom to ask"
like "$(sql -d crm -c 'SELECT kpi_schedule(NULL)')" 'ERROR:  22004: schedule must not be null' "no schedule is none"
like "$(sql -d crm -c 'SET ROLE nobody_here' -c 'SELECT kpi.kpi_schedule()')" 'ERROR:  42501: permission denied for schema kpi' "a role without rights"

# ------------------------------------------------------------ the age of the numbers

watching() { # STATEMENT of the doc, by a word in it
	as_role reader crm "$(grep -m 1 "^SELECT.*$1" "$doc")"
}
is "$(sql -d crm -c 'SELECT kpi_age() IS NULL')$(watching is_old)$(watching age_seconds)" 'ttInfinity' "no snapshot, no age, which is an alarm"
sql -d crm -c "SELECT FROM kpi_snapshot(as_of => now() - interval '3 hours')" >/dev/null
is "$(sql -d crm -c "SELECT kpi_age() BETWEEN '3:00' AND '3:05'")$(watching is_old)" tt "three hours old"
is "$(watching age_seconds | sed 's/^108[0-9][0-9]\..*/10800/')" 10800 "in seconds, for an exporter"
is "$(sql -d crm -c "SELECT outcome FROM kpi_snapshot(kpi_today() - 40, kpi_today() - 40)" -c "SELECT kpi_age() > '3:00'")" $'done\nt' "a past period, taken alone, does not make it younger"
refresh >/dev/null
is "$(as_role reader crm "SELECT kpi_age() BETWEEN '0' AND '1 minute'")$(watching is_old)" tf "a refresh does"

# ------------------------------------------------------------ overlapping, piled up, failed

runs() { sql -d crm -c "SELECT count(*) FROM kpi_runs WHERE outcome = '$1'"; }
sql -d crm -c 'UPDATE sold SET amount = 200'
sql -d crm -c "SELECT pg_advisory_lock('kpi.kpi_fact'::regclass::oid::integer, 7365)" -c 'SELECT pg_sleep(60)' >/dev/null &
held() { [ "$(sql -d crm -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7365")" = 1 ]; }
await 60 held
before=$(runs 'done')
like "$(PGOPTIONS='' sql -d crm -c 'CALL kpi_refresh()')" 'NOTICE:  00000: another snapshot is running' "a start during another snapshot steps aside"
sql -d crm -c "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7365" >/dev/null
wait
is "$(runs 'done') $(sql -d crm -c 'SELECT count(*) FROM kpi_run')" "$before $before" "and leaves no run behind"
for _ in 1 2 3 4; do refresh >/dev/null & done
wait
is "$(sql -d crm -c "SELECT kpi_value('revenue', kpi_today() - 40), count(*) FROM kpi_fact WHERE superseded_at IS NULL AND dimension = 'total' AND grain = 'month' AND revenue = 200")" \
	'200|1' "four starts at once count once"
facts=$(sql -d crm -c "SELECT count(*), max(recorded_at) FROM kpi_fact")
for _ in 1 2 3; do refresh; done
is "$(PGOPTIONS="$PGOPTIONS -c default_transaction_isolation=serializable" refresh)" '' "whatever isolation level is the default"
is "$(sql -d crm -c 'SELECT count(*), max(recorded_at) FROM kpi_fact')" "$facts" "starts that piled up write nothing that has not changed"
is "$(sql -d crm -c "SELECT sum(changed), bool_and(outcome = 'done' AND duration > '0') FROM (SELECT * FROM kpi_runs ORDER BY run DESC LIMIT 3) r")" '0|t' "each is on record, with its duration"

sql -d crm -c 'ALTER TABLE sold RENAME amount TO net' >/dev/null
like "$(refresh)" 'ERROR:  42703' "a refresh that fails says so to the scheduler"
is "$(sql -d crm -c "SELECT outcome, error LIKE '%amount%', duration > '0' FROM kpi_runs ORDER BY run DESC LIMIT 1")" 'failed|t|t' "and it stays on record, with error and duration"
like "$(sql -d crm -c "SELECT severity, what FROM kpi_check('en')")" 'error\|the last snapshot failed' "kpi_check tells, too"
sql -d crm -c 'ALTER TABLE sold RENAME net TO amount' -c "INSERT INTO sold VALUES (2, now() - interval '70 days', 7), (3, now(), 9)" -c 'CALL kpi_refresh()' >/dev/null
is "$(sql -d crm -c "SELECT sum(revenue) FROM kpi_fact WHERE dimension = 'total' AND grain = 'month' AND superseded_at IS NULL")" 216 "the next one catches up on what was missed"

# ------------------------------------------------------------ an outage of five months

# Some of what happens during the outage is known before it: only time has to
# pass for an order to be due or a subscription to end.
new_database outage
sql -d outage >"$scratch/outage" <<'SQL' || bail "no outage: $(tail -n 2 "$scratch/outage")"
SELECT kpi_set('time_zone', 'Europe/Berlin');
SELECT kpi_set('grains', 'week,month,quarter,year');
CREATE TABLE sold (sale_id integer PRIMARY KEY, sold_at date, amount numeric);
CREATE TABLE paid (id integer PRIMARY KEY, account_id integer, amount numeric, valid_from date, valid_to date);
INSERT INTO sold SELECT i, kpi_today() - i, 1000 + i FROM generate_series(0, 300, 2) i;
INSERT INTO paid SELECT i, i, 10 + i, kpi_today() - 7 * i, CASE WHEN i % 3 > 0 THEN kpi_today() - 7 * i + 40 + i END FROM generate_series(1, 45) i;
SELECT FROM kpi_bind('sale', 'sold');
SELECT FROM kpi_bind('subscription', 'paid');
CREATE FUNCTION public.facts() RETURNS TABLE (grain text, period date, is_complete boolean, revenue numeric, mrr numeric) BEGIN ATOMIC
	SELECT f.grain, f.period, f.is_complete, f.revenue, f.mrr FROM kpi_fact f
	 WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.member = '' AND f.grain IN ('week', 'month', 'quarter', 'year');
END;
-- The same from the rows.  What ends at the end of a period still belongs to it.
CREATE FUNCTION public.wanted() RETURNS TABLE (grain text, period date, is_complete boolean, revenue numeric, mrr numeric) BEGIN ATOMIC
	SELECT g.grain, p.period, p.period_end <= kpi_today(),
		   (SELECT coalesce(sum(s.amount), 0) FROM sold s WHERE s.sold_at >= p.period AND s.sold_at < p.period_end),
		   (SELECT coalesce(sum(s.amount), 0) FROM paid s
			 WHERE CASE WHEN p.period_end <= kpi_today() THEN s.valid_from < p.period_end AND (s.valid_to >= p.period_end) IS NOT FALSE
						ELSE s.valid_from <= kpi_today() AND (s.valid_to > kpi_today()) IS NOT FALSE END)
	  FROM unnest('{week,month,quarter,year}'::text[]) g(grain),
		   LATERAL (SELECT d::date AS period, (d + CASE g.grain WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || g.grain)::interval END)::date AS period_end
					  FROM generate_series(date_trunc(g.grain, (SELECT least(min(s.sold_at), (SELECT min(valid_from) FROM paid)) FROM sold s)::timestamp), kpi_today()::timestamp,
										   CASE g.grain WHEN 'quarter' THEN interval '3 months' ELSE ('1 ' || g.grain)::interval END) d) p;
END;
SQL
sql -d postgres -c 'CREATE DATABASE outage_lookback TEMPLATE outage' -c 'CREATE DATABASE outage_tracked TEMPLATE outage'
for db in outage_lookback outage_tracked; do
	sql -d postgres -c "ALTER DATABASE $db SET search_path = kpi, public"
done
sql -d outage_lookback -c "SELECT kpi_set('lookback_days', '10')" >/dev/null
sql -d outage_tracked -c "SELECT FROM kpi_track('sale')" -c "SELECT FROM kpi_track('subscription')" >/dev/null

for db in outage outage_lookback outage_tracked; do
	sql -d $db -c "SELECT FROM kpi_snapshot(as_of => now() - interval '150 days')" -c "INSERT INTO sold SELECT i, kpi_today() - i, 2000 + i FROM generate_series(1, 149, 2) i" \
		-c "INSERT INTO paid SELECT 100 + i, 100 + i, 5, kpi_today() - 7 * i, NULL FROM generate_series(1, 20) i" >"$scratch/before" || note "$(cat "$scratch/before")"
	is "$(sql -d $db -c "SELECT bool_and(period <= kpi_today() - 150), count(*) FILTER (WHERE NOT is_complete) FROM facts()")" 't|4' "$db: the last snapshot was five months ago"
	like "$(sql -d $db -c "SELECT what, detail FROM kpi_check('en')")" 'the numbers are old\|taken 3[56][0-9][0-9] hours ago' "$db: kpi_check says how long"
	sql -d $db -c 'CALL kpi_refresh()'
	sql -d $db -c 'SELECT * FROM facts() ORDER BY grain COLLATE "C", period' >"$scratch/got"
	sql -d $db -c 'SELECT * FROM wanted() ORDER BY grain COLLATE "C", period' >"$scratch/wanted"
	same "$scratch/got" "$scratch/wanted" "$db: one refresh takes each week, month, quarter and year that was missed ($(wc -l <"$scratch/wanted"))"
	is "$(sql -d $db -c "SELECT kpi_value('revenue', kpi_today() - 150, as_of => now() - interval '149 days') < kpi_value('revenue', kpi_today() - 150)")" t "$db: what was reported before it stays"
	is "$(sql -d $db -c 'CALL kpi_refresh()' -c 'SELECT changed FROM kpi_runs ORDER BY run DESC LIMIT 1')" 0 "$db: and there is nothing left to catch up on"
done

# ------------------------------------------------------------ the systemd timer

unit() { sed -n "/^\`.*\/salkpi\.$1\`:/,/^\`\`\`\$/p" "$doc" | sed '1,/^```ini$/d; /^```$/d'; }
unit service >"$scratch/salkpi.service"
unit timer >"$scratch/salkpi.timer"
command=$(sed -n 's,^ExecStart=/usr/bin/,,p' "$scratch/salkpi.service")
before=$(runs 'done')
like "$command" '^psql .*kpi_refresh' "doc/schedule.md has a service"
eval "$command" >/dev/null && is "$(runs 'done')" $((before + 1)) "its command takes a snapshot"
sql -d crm -c 'ALTER TABLE sold RENAME TO unsold' -c 'SELECT FROM kpi_age()'
! eval "$command" >/dev/null 2>&1
ok $? "and fails where there is none"
sql -d crm -c 'ALTER TABLE unsold RENAME TO sold'
if command -v systemd-analyze >/dev/null; then
	# shellcheck disable=SC2016
	sed -i "s,/usr/bin/psql,$(command -v true)," "$scratch/salkpi.service" # psql may lie elsewhere here
	is "$(systemd-analyze verify "$scratch/salkpi.service" "$scratch/salkpi.timer" 2>&1 | grep -F "$scratch")" '' "systemd finds no fault with the units"
	like "$(systemd-analyze calendar --iterations=2 "$(sed -n 's/^OnCalendar=//p' "$scratch/salkpi.timer")" 2>&1)" 'Normalized form: \*-\*-\* \*:00/15:00' "and starts them every quarter of an hour"
else
	n=$((n + 1))
	echo "ok $n - the units of the timer # SKIP systemd-analyze is not installed"
fi

# ------------------------------------------------------------ with pg_cron

if [ -z "$has_package" ]; then
	n=$((n + 1))
	echo "ok $n - pg_cron takes the snapshots # SKIP pg_cron is not installed (Debian's package postgresql-$(pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')-cron)"
	done_testing
	exit
fi
echo "$lines" >>"$scratch/server/data/postgresql.conf"
pg_ctl -D "$scratch/server/data" -l "$scratch/server/log" -w restart >/dev/null || bail "no server with pg_cron: $(tail -n 3 "$scratch/server/log")"
like "$(sql -d crm -c "SELECT kpi_schedule()")" 'ERROR:  55000: extension pg_cron is not created in database "crm"' "loaded but not created"
sql -d crm -c 'CREATE EXTENSION pg_cron' >/dev/null
like "$(as_role clerk crm "SELECT kpi_schedule()")" 'ERROR:  42501: permission denied for schema cron' "a role without rights on pg_cron"

# From another database: the very statement to run there.
said=$(sql -d 'other sales' -c "SELECT kpi_schedule('* * * * *')")
like "$said" 'pg_cron lives in database "crm", not in "other sales"' "from another database it says where pg_cron lives"
statement=$(sed -n 's/^HINT:  Say there, as a superuser: //p' <<<"$said")
like "$(sql -d crm -c "$statement")" '^[0-9]+$' "and the statement it gives works there"
is "$(sed "s/'other sales'/'crm'/; s/ in other sales'/ in crm'/; s/'\* \* \* \* \*'/'*\/15 * * * *'/" <<<"$statement")" "$(sed -n 's/^    \(SELECT cron\.schedule_in_database.*\)/\1/p' "$doc")" "doc/schedule.md shows the same"

# In the database of pg_cron, by the role that doc/schedule.md makes for it.
sql -d crm >"$scratch/scheduler" <<<"$(sed -n '/^CREATE ROLE scheduler/,/^```$/p' "$doc" | sed '$d')"
schedule() { as_role scheduler crm "SELECT kpi_schedule($1)"; }
like "$(schedule "'soon'")" 'invalid schedule' "a schedule that is none is refused"
first=$(schedule "'0 5 * * *'")
like "$first" '^[0-9]+$' "a role that is no superuser can schedule"
is "$(schedule "'* * * * *'")" "$first" "a new schedule replaces the old one"
is "$(sql -d crm -c 'SELECT database, username, schedule, command FROM cron.job ORDER BY database')" \
	"crm|scheduler|* * * * *|CALL kpi.kpi_refresh()
other sales|postgres|* * * * *|CALL kpi.kpi_refresh()" "one job for each database, as the role that scheduled it"

# At the next full minute both run.
sql -d crm -c 'INSERT INTO sold VALUES (4, now(), 1000)'
has_run() { [ "$(sql -d "$1" -c "SELECT count(*) FROM kpi_runs WHERE run > $2 AND outcome = 'done'")" -gt 0 ]; }
await 240 has_run crm "$(sql -d crm -c 'SELECT max(run) FROM kpi_run')"
ok $? "pg_cron has taken a snapshot" || note "$(sql -d crm -c 'SELECT * FROM cron.job_run_details'; tail -n 5 "$scratch/server/log")"
await 120 has_run 'other sales' 0
ok $? "and one in the other database" || note "$(sql -d crm -c 'SELECT * FROM cron.job_run_details')"
is "$(sql -d crm -c "SELECT sum(revenue) FROM kpi_fact WHERE dimension = 'total' AND grain = 'month' AND superseded_at IS NULL")" 1216 "with the right number"
is "$(sql -d 'other sales' -c "SELECT kpi_value('revenue', kpi_today() - 40)")" 100 "in the other database, too"
is "$(sql -d 'other sales' -c "SELECT bool_and(duration > '0' AND error IS NULL AND facts > 0) FROM kpi_runs")" t "outcome, duration and counts are in kpi_run"
is "$(sql -d 'other sales' -c "SELECT kpi_age() BETWEEN '0' AND '2 minutes'")" t "the numbers are young"

# The end of it.
said=$(sql -d 'other sales' -c 'SELECT kpi_unschedule()')
statement=$(sed -n 's/^HINT:  Say there, as a superuser: //p' <<<"$said")
is "$(as_role scheduler crm 'SELECT kpi_unschedule()')$(as_role scheduler crm 'SELECT kpi_unschedule()')" tf "unscheduled, once"
is "$(sql -d crm -c 'SELECT database FROM cron.job')" 'other sales' "the other database's job stays"
is "$(sql -d crm -c "$statement")$(sql -d crm -c 'SELECT count(*) FROM cron.job')" t0 "until the statement that kpi_unschedule gives there is said"
awk '/^```sql$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$doc" | grep -v '^CREATE ROLE' >"$scratch/blocks"
is "$(sql -d crm -f "$scratch/blocks" | grep ERROR)" '' "every example of doc/schedule.md runs"
done_testing
