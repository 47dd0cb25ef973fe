#!/bin/bash
# Tracking: whatever is inserted, changed or deleted, late or not, in any table
# under any source, and whatever passes meanwhile, a default snapshot that takes
# only what changed has the same facts and bad rows as one made from nothing;
# and a hundred writers at once lose
# nothing and do not wait for each other.  Prints TAP; connects as the
# environment says.  SALKPI_ROUNDS and SALKPI_SEED make it longer, or another.
source "$(dirname "$0")/tap.sh"
db=salkpi_tracked
rounds=${SALKPI_ROUNDS:-6}
seed=${SALKPI_SEED:-0.2718}

create_database $db
load_demo $db

# A CRM without foreign keys, so that rows lose what they point to, and a smaller one.
sql -d $db >"$scratch/prepared" <<'SQL' || bail "$(tail -n 3 "$scratch/prepared")"
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'crm'::regnamespace \gexec
DELETE FROM crm.touchpoint WHERE touch_no % 40 <> 0;
DELETE FROM crm.lead WHERE lead_no % 4 <> 0;
DELETE FROM crm.fx_rate WHERE currency = 'USD' AND day < now() - interval '400 days';	-- which some rows lack then
SELECT kpi.kpi_track(source) FROM kpi.kpi_source;
-- It begins where much is still to come.
TRUNCATE kpi.kpi_fact, kpi.kpi_run, kpi.kpi_problem, kpi.kpi_alert, kpi.kpi_expected;
SELECT kpi.kpi_snapshot(as_of => now() - interval '300 days');

CREATE FUNCTION pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS
	$$SELECT choices[1 + floor(random() * cardinality(choices))::integer]$$;

-- An expression that changes a column: a date by days or years, or to what is about to come, an amount, anything to what another row has, or to nothing.
CREATE FUNCTION changed(t regclass, col pg_attribute) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN NOT col.attnotnull AND random() < 0.2 THEN 'NULL'
				WHEN col.atttypid IN ('timestamptz'::regtype, 'date'::regtype) AND random() < 0.3
				THEN format('%L::timestamptz::%s', (SELECT max(as_of) FROM kpi.kpi_run) + pick('-1 microsecond', '0', '1 microsecond', '3 s', '1 hour', '1 day')::interval,
							col.atttypid::regtype)
				WHEN col.atttypid IN ('timestamptz'::regtype, 'date'::regtype) AND random() < 0.8
				THEN format('(t.%I + %L::interval)::%s', col.attname, (round((random() * 2 - 1) * 60000) * pick('1', '1', '20')::integer) || ' min', col.atttypid::regtype)
				WHEN col.atttypid = 'numeric'::regtype THEN format('t.%I * %L', col.attname, round((random() * 2)::numeric, 2))
				ELSE format('(SELECT o.%I FROM %s o ORDER BY random() LIMIT 1)', col.attname, t) END
$$;

-- One change of one to three rows of one table; what it was, for the reader of a failure.
CREATE FUNCTION edit() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	t regclass := pick('crm.deal', 'crm.deal', 'crm.deal', 'crm.deal_stage_log', 'crm.sales_order', 'crm.order_line', 'crm.offer', 'crm.offer', 'crm.lead', 'crm.lead',
					   'crm.touchpoint', 'crm.contract_price', 'crm.spending', 'crm.fx_rate', 'crm.customer', 'crm.customer',
					   pick('crm.product', 'crm.federal_state', 'crm.deal_stage', 'crm.sales_rep', 'crm.team_member'));
	what text := pick('INSERT', 'UPDATE', 'UPDATE', 'UPDATE', 'DELETE');
	key text := (SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = t AND a.attnum = i.indkey[i.indnatts - 1] WHERE i.indrelid = t AND i.indisprimary);
	col pg_attribute;
	few tid[];
	command text;
BEGIN
	SELECT * INTO col FROM pg_attribute a WHERE a.attrelid = t AND a.attnum > 0 AND NOT a.attisdropped ORDER BY random() LIMIT 1;
	key := coalesce(key, col.attname);
	EXECUTE format('SELECT ARRAY(SELECT ctid FROM %s ORDER BY random() LIMIT $1)', t) INTO few USING 1 + floor(random() * 3);
	command := CASE what
		WHEN 'DELETE' THEN format('DELETE FROM %s t WHERE ctid = ANY ($1)', t)
		WHEN 'UPDATE' THEN format('UPDATE %s t SET %I = %s WHERE ctid = ANY ($1)', t, col.attname, changed(t, col))
		ELSE format('INSERT INTO %1$s SELECT (n.r).* FROM (SELECT jsonb_populate_record(t, jsonb_build_object(%2$L, %3$s, %4$L, %5$s)) AS r FROM %1$s t WHERE ctid = ANY ($1)) n', t,
					col.attname, changed(t, col), key,
					CASE (SELECT atttypid FROM pg_attribute WHERE attrelid = t AND attname = key)
						WHEN 'integer'::regtype THEN format('(SELECT max(o.%1$I) FROM %2$s o) + row_number() OVER ()', key, t)
						WHEN 'text'::regtype THEN format('t.%I || ''+''', key)
						WHEN 'numeric'::regtype THEN format('t.%I + 37', key)
						ELSE format('t.%I + interval ''37 days''', key) END) END;
	BEGIN
		EXECUTE command USING few;
	EXCEPTION WHEN unique_violation OR check_violation OR numeric_value_out_of_range THEN
		RETURN 'nothing';
	END;
	RETURN command || ' ' || few::text;
END;
$$;

-- When the next snapshot is taken: some seconds or hours later, about a midnight or the end of a month, or when something in the CRM comes to pass.
CREATE FUNCTION next_as_of() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	last timestamptz := (SELECT max(as_of) FROM kpi.kpi_run);
	today date := kpi.kpi_day(last);
	next timestamptz;
	dice double precision := random();
BEGIN
	IF dice < 0.3 THEN
		EXECUTE (SELECT format('SELECT min(%I) FROM %s WHERE %1$I > $1', attname, attrelid::regclass) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
				  WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' AND atttypid = 'timestamptz'::regtype AND NOT attisdropped ORDER BY random() LIMIT 1)
		   INTO next USING last;
		next := next + pick('-1 microsecond', '0', '1 microsecond')::interval;
	ELSIF dice < 0.4 THEN
		next := kpi.kpi_midnight(CASE WHEN dice < 0.37 THEN today + 1 ELSE kpi.kpi_period_end('month', today) END)
			+ pick('-1 s', '-1 microsecond', '0', '1 microsecond', '2 hours')::interval;
	END IF;
	IF (next > last AND next < last + interval '32 days') IS NOT TRUE THEN
		next := last + random() * pick('20 s', '20 s', '3 hours')::interval;
	END IF;
	RETURN least(next, clock_timestamp());
END;
$$;

-- Differences between the facts there are and those that a snapshot as of the same instant makes from nothing.
CREATE FUNCTION differences(OUT n bigint, OUT which text) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	this_run bigint;
BEGIN
	CREATE TEMP TABLE was AS SELECT * FROM kpi.kpi_fact WHERE superseded_at IS NULL;
	CREATE TEMP TABLE problem AS SELECT * FROM kpi.kpi_problem;
	DELETE FROM kpi.kpi_fact;
	DELETE FROM kpi.kpi_problem;
	UPDATE kpi.kpi_run SET basis = NULL;
	INSERT INTO kpi.kpi_run (outcome) VALUES ('running') RETURNING run INTO this_run;
	PERFORM kpi.kpi_take_snapshot(this_run, NULL, NULL, (SELECT max(as_of) FROM kpi.kpi_run));
	SELECT count(*), min(d.which) INTO n, which
	  FROM (
		SELECT concat_ws(' ', coalesce(w.grain, i.grain), coalesce(w.period, i.period), coalesce(w.dimension, i.dimension), coalesce(w.member, i.member),
				(SELECT string_agg(format('%s: %s, not %s', x.key, x.value, y.value), '; ')
				   FROM jsonb_each(to_jsonb(w)) x JOIN jsonb_each(to_jsonb(i)) y USING (key) WHERE x.value <> y.value AND key <> ALL ('{recorded_at,run}'))) AS which
		  FROM was w FULL JOIN kpi.kpi_fact i USING (grain, period, dimension, member)
		 WHERE to_jsonb(w) - '{recorded_at,run}'::text[] IS DISTINCT FROM to_jsonb(i) - '{recorded_at,run}'::text[]
		UNION ALL
		SELECT 'problem ' || to_jsonb(w)::text || to_jsonb(i)::text
		  FROM problem w FULL JOIN kpi.kpi_problem i USING (source, reason)
		 WHERE (w.bad_rows, w.keys) IS DISTINCT FROM (i.bad_rows, i.keys)) d;
END;
$$;
SQL

# Several changes, or none, and one that is undone, between two snapshots.
all_periods=$(sql -d $db -c "SELECT periods FROM kpi.kpi_run ORDER BY run DESC LIMIT 1")
fewer=0
skipped=0
for ((i = 1; i <= rounds; i++)); do
	sql -d $db -c "SELECT setseed((($seed + $i * 0.618)::numeric % 1)::float8)" -c 'BEGIN' -c 'SAVEPOINT s' -c 'SELECT edit()' -c 'ROLLBACK TO s' \
		-c 'SELECT edit() FROM generate_series(1, floor(random() * 3)::integer)' -c 'COMMIT' -c "SELECT 'as of ' || next_as_of()" >"$scratch/edits" ||
		{ note "$(cat "$scratch/edits")"; bail "no edit"; }
	as_of=$(sed -n 's/^as of //p' "$scratch/edits")
	still=$(sql -d $db -c "SELECT string_agg(source, ', ') FROM kpi.kpi_changes('$as_of') WHERE is_still")
	taken=$(sql -d $db -c "SELECT periods FROM kpi.kpi_snapshot(as_of => '$as_of')")
	[ "$taken" -lt "$all_periods" ] && fewer=$((fewer + 1))
	[ -n "$still" ] && skipped=$((skipped + 1))
	differing=$(sql -d $db -c 'BEGIN' -c 'SELECT * FROM differences()' -c 'ROLLBACK')
	is "$differing" "0|" "round $i: $taken of $all_periods periods taken, all facts as if made from nothing"
	[ "$differing" = "0|" ] || note "$(cat "$scratch/edits")" "not read: $still"
done
[ $fewer -ge $((rounds / 3)) ]
ok $? "in $fewer of $rounds rounds not all periods were taken"
[ $skipped -ge $((rounds / 6)) ]
ok $? "in $skipped of $rounds rounds not all sources were read"

# A transaction that is open while a snapshot runs is for the next one, and keeps no other writer waiting.
mkfifo "$scratch/open"
psql -XAtq -d $db <"$scratch/open" >"$scratch/opened" 2>&1 &
writer=$!
exec 3>"$scratch/open"
echo "BEGIN; UPDATE crm.deal SET amount = amount + 1 WHERE deal_no = (SELECT min(deal_no) FROM crm.deal);
	INSERT INTO crm.touchpoint (touch_no, kind, happened_at, state, incoming, rep_no) VALUES (1000001, 'Anruf', '2025-02-03 12:00+01', 'erledigt', false, 1);
	\\! touch $scratch/is_open" >&3
await 60 test -e "$scratch/is_open"
is "$(sql -d $db -c "SET lock_timeout = '20s'" -c "UPDATE crm.deal SET amount = amount + 1 WHERE deal_no = (SELECT max(deal_no) FROM crm.deal)" \
	-c "INSERT INTO crm.touchpoint (touch_no, kind, happened_at, state, incoming, rep_no) VALUES (1000002, 'Anruf', '2025-02-03 12:00+01', 'erledigt', false, 1)" \
	-c "SELECT outcome FROM kpi.kpi_snapshot()" -c "SELECT count(*) FROM kpi.kpi_track_log")" "done
0" "neither another writer nor a snapshot waits for an open transaction"
calls="SELECT (SELECT calls FROM kpi.kpi_fact WHERE dimension = 'total' AND grain = 'month' AND period = '2025-02-01' AND superseded_at IS NULL)
	- (SELECT count(*) FROM crm_kpi.activity WHERE kind = 'call' AND coalesce(status, 'done') = 'done' AND direction = 'out'
		AND happened_at >= '2025-02-01 00:00+01' AND happened_at < '2025-03-01 00:00+01')"
is "$(sql -d $db -c "$calls")" 0 "the snapshot has what was committed"
echo 'COMMIT; \q' >&3
exec 3>&-
wait $writer
is "$(sql -d $db -c "$calls" -c "SELECT count(*) > 0 FROM kpi.kpi_track_log")" "-1
t" "what was committed after it is left in the log"
is "$(sql -d $db -c "SELECT outcome FROM kpi.kpi_snapshot()" -c "$calls")" "done
0" "and taken by the next snapshot"

# A hundred transactions that have all written and not committed: each waits for
# the lock that lets them go, and for nothing else.
cat >"$scratch/write.sql" <<'SQL'
UPDATE crm.deal SET amount = coalesce(amount, 0) + 1, closed_at = closed_at - interval '1 day' WHERE deal_no = (SELECT d.deal_no FROM writer d WHERE d.client = :client_id);
INSERT INTO crm.touchpoint (touch_no, kind, happened_at, state, incoming, rep_no)
	SELECT nextval('touch'), 'Anruf', timestamptz '2023-06-01' + random() * interval '3 years', 'erledigt', false, 1;
DELETE FROM crm.touchpoint WHERE touch_no = (SELECT o.touch_no FROM old o WHERE o.n = (SELECT nextval('old_touch')));
SQL
sql -d $db -c "CREATE TABLE writer AS SELECT (row_number() OVER (ORDER BY deal_no))::integer - 1 AS client, deal_no FROM crm.deal" \
	-c "CREATE TABLE old AS SELECT row_number() OVER (ORDER BY touch_no) AS n, touch_no FROM crm.touchpoint" \
	-c "CREATE SEQUENCE touch START 2000000" -c "CREATE SEQUENCE old_touch" -c "ANALYZE" >/dev/null
{ echo 'BEGIN;' && cat "$scratch/write.sql" && echo 'SELECT pg_advisory_xact_lock_shared(4712);' && echo 'END;'; } >"$scratch/hold.sql"
mkfifo "$scratch/gate"
psql -XAtq -d $db <"$scratch/gate" >"$scratch/kept" 2>&1 &
keeper=$!
exec 3>"$scratch/gate"
echo "SELECT pg_advisory_lock(4712);
	\\! touch $scratch/is_shut" >&3
await 60 test -e "$scratch/is_shut"
PGOPTIONS="$PGOPTIONS -c lock_timeout=300s" pgbench -n -c 100 -j 2 -t 1 -f "$scratch/hold.sql" $db >"$scratch/pgbench" 2>&1 &
writers=$!
waiting="FROM pg_locks WHERE NOT granted AND (database IS NULL OR database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
all_wait() { [ "$(sql -d $db -c "SELECT count(*) $waiting AND locktype = 'advisory' AND objid = 4712")" = 100 ]; }
await 240 all_wait
ok $? "100 transactions have written what is tracked, and none has committed" || note "$(sql -d $db -c "SELECT locktype, mode, count(*) $waiting GROUP BY 1, 2")"
is "$(sql -d $db -c "SELECT count(*) $waiting AND objid IS DISTINCT FROM 4712" -c 'SELECT count(*) FROM kpi.kpi_track_log')" "0
0" "none of them waits for another"
echo '\q' >&3
exec 3>&-
wait $keeper
wait $writers
ok $? "all of them commit" || note "$(tail -n 5 "$scratch/pgbench")"
is "$(sql -d $db -c "SELECT l.relation::regclass, count(r.before), count(r.after) FROM kpi.kpi_track_log l, kpi.kpi_track_rows(l.payload) r GROUP BY 1 ORDER BY 1")" "crm.deal|100|100
crm.touchpoint|100|100" "and the log has each row that they wrote"

# A hundred writers for a while, each on rows of its own, and snapshots in between.
{ echo 'BEGIN;' && cat "$scratch/write.sql" && echo 'END;'; } >"$scratch/commit.sql"
pgbench -n -c 100 -j 2 -t 8 -f "$scratch/commit.sql" $db >"$scratch/pgbench" 2>&1 &
writers=$!
waits=0
snapshots=0
while kill -0 $writers 2>/dev/null; do
	waits=$((waits + $(sql -d $db -c "SELECT count(*) FROM pg_locks WHERE NOT granted AND (locktype IN ('transactionid', 'tuple', 'virtualxid')
		OR locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))")))
	[ "$(sql -d $db -c "SELECT outcome FROM kpi.kpi_snapshot()")" = done ] && snapshots=$((snapshots + 1))
done
wait $writers
ok $? "100 writers at once, none failed" || note "$(tail -n 5 "$scratch/pgbench")"
is "$(sql -d $db -c "SELECT count(*) FROM crm.touchpoint WHERE touch_no >= 2000000")" 900 "all they wrote is there"
is $waits 0 "none was seen to wait for another's transaction, row or table"
[ $snapshots -ge 1 ]
ok $? "$snapshots snapshots were taken meanwhile"
is "$(sql -d $db -c "SELECT outcome FROM kpi.kpi_snapshot()" -c "SELECT count(*) FROM kpi.kpi_track_log" -c 'BEGIN' -c 'SELECT * FROM differences()' -c 'ROLLBACK')" "done
0
0|" "after the last one all facts are as if made from nothing"

# A dump takes the triggers along; the first snapshot after a restore takes everything, the next no more.
create_database ${db}_restored
pg_dump -Fc $db -f "$scratch/dump"
pg_restore -d ${db}_restored "$scratch/dump" >"$scratch/restore" 2>&1
ok $? "restored" || note "$(head -n 5 "$scratch/restore")"
is "$(sql -d ${db}_restored -c "SELECT bool_and(tracked), count(*) > 15 FROM kpi.kpi_tracking()" -c "SELECT outcome FROM kpi.kpi_snapshot()" \
	-c "SELECT r.periods = count(DISTINCT (f.grain, f.period)) FROM kpi.kpi_last_run() r, kpi.kpi_fact f WHERE f.superseded_at IS NULL GROUP BY r.periods" \
	-c "DELETE FROM crm.touchpoint WHERE touch_no = 1000001" -c "SELECT periods < $all_periods FROM kpi.kpi_snapshot()" \
	-c 'BEGIN' -c 'SELECT * FROM differences()' -c 'ROLLBACK')" "t|t
done
t
t
0|" "restored: tracked, and once everything"

done_testing
