#!/bin/bash
# Dump and restore: what users wrote and what was recorded comes back, in every
# format of pg_dump; what salkpi ships does not come twice; and life goes on.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
before=salkpi_dumped

create_database $before
load_demo $before
sql -d $before >"$scratch/own" <<'SQL' || bail "$(tail -n 3 "$scratch/own")"
SET search_path = kpi;
SELECT kpi_set('grains', 'quarter,month');
SELECT kpi_set('history_years', '4');

-- own KPIs: one on another, one with a target, and a shipped one redefined
SELECT kpi_define('zz_per_call', 'revenue / calls', 'money', 'up', 'Revenue per call, 100% "net"', 'Umsatz je Anruf');
SELECT kpi_define('aa_per_call_twice', '2 * zz_per_call', 'money', 'up', 'Twice that');
SELECT kpi_define('gone', 'revenue', 'money', 'up', 'Gone again');
SELECT kpi_undefine('gone');
SELECT kpi_define('win_rate', '100 * won_deals / opportunities', 'percent', 'up', 'Wins by new ones', n => 'opportunities');

-- own dimensions, selections (one shipped), targets that only own KPIs and settings allow
SELECT kpi_define_dimension('product_line', NULL, 'Product line', 'Produktlinie');
SELECT kpi_define_dimension('team+product_line');
SELECT kpi_select('mine', 'zz_per_call', 'win_rate', 'revenue');
SELECT kpi_select('top5', 'revenue', 'aa_per_call_twice');
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, warn_at)
VALUES ('zz_per_call', 'product_line', 'a + b \ "c" ''d''', '2026-01-01', '2027-01-01', 12.50, 10.0000000001);
DELETE FROM kpi_target WHERE target = 1;

-- facts with superseded versions, a problem that went, a failed run
SELECT kpi_snapshot();
UPDATE crm.order_line SET net_amount = net_amount + 0.01 WHERE order_no % 7 = 0;
UPDATE crm.deal SET created_at = now() - interval '1 day' WHERE state = 'offen' AND created_at IS NULL;
DELETE FROM crm.deal_stage_log WHERE deal_no IN (SELECT deal_no FROM crm.deal ORDER BY deal_no LIMIT 20);
SELECT kpi_snapshot();
GRANT USAGE ON SCHEMA kpi TO PUBLIC;
GRANT SELECT ON kpi_fact TO PUBLIC;
INSERT INTO kpi_run (outcome, error) VALUES ('failed', E'line 1\n\tline 2 \\ "quoted" ''too''');
SQL

# Each table of the extension but the one that says since when changes are known, the views over them, and what readers make of it.
state() { # DATABASE
	local table

	for table in $(sql -d "$1" -c "SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
			AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' WHERE c.relkind IN ('r', 'v') AND c.relname <> 'kpi_track_mark' ORDER BY c.relname"); do
		echo "== $table"
		sql -d "$1" -c "SET TimeZone = 'UTC'" -c "SELECT t::text FROM kpi.$table t ORDER BY t::text COLLATE \"C\""
	done
	echo "== sequences"
	sql -d "$1" -c "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'kpi' ORDER BY 1"
	echo "== grants"
	sql -d "$1" -c "SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE table_schema = 'kpi' AND grantee = 'PUBLIC'"
	echo "== readers"
	sql -d "$1" -c "SET TimeZone = 'UTC'" -c "SELECT * FROM kpi.kpi_report(selection => 'mine')" \
		-c "SELECT * FROM kpi.kpi_ranking('revenue', NULL, 'product_line')" -c "SELECT * FROM kpi.kpi_pipeline(kpi.kpi_today())" \
		-c "SELECT * FROM kpi.kpi_report(as_of => (SELECT min(superseded_at) - interval '1 second' FROM kpi.kpi_fact))"
}

state $before >"$scratch/before"
! grep -E '^(ERROR|FATAL|psql)' "$scratch/before" && [ "$(grep -c '^== kpi_' "$scratch/before")" -gt 20 ]
ok $? "what is compared can be read, table by table"
is "$(sql -d $before -c "SELECT (SELECT count(*) FROM kpi.kpi_fact WHERE superseded_at IS NOT NULL) > 100,
		(SELECT count(*) FROM kpi.kpi_fact WHERE sales_cycle::text <> '1:{}') > 100, (SELECT count(*) FROM kpi.kpi_problem) > 5,
		(SELECT count(*) FROM kpi.kpi_setting_value), (SELECT count(*) FROM kpi.kpi_definition_own),
		(SELECT count(*) FROM kpi.kpi_dimension_own), (SELECT count(*) FROM kpi.kpi_selection_own),
		(SELECT count(*) FROM kpi.kpi_run) > 3, (SELECT count(*) FROM kpi.kpi_target) > 100")" "t|t|t|5|3|2|5|t|t" "there is something of every kind to dump"

next=$(sql -d $before -c "SELECT max(run) + 1 FROM kpi.kpi_run")

# What is restored is the same, and one can go on with it.
check() { # DATABASE HOW
	state "$1" >"$scratch/after"
	same "$scratch/before" "$scratch/after" "$2: every table, sequence and report is the same"
	is "$(sql -d "$1" -c "SELECT run, outcome, changed < facts / 10 FROM kpi.kpi_snapshot()")" "$next|done|t" \
		"$2: the next snapshot has the next number and finds little to change"
	is "$(sql -d "$1" -c "INSERT INTO kpi.kpi_target (kpi, from_day, to_day, value) VALUES ('aa_per_call_twice', '2026-01-01', '2027-01-01', 1)
			RETURNING target = (SELECT max(target) + 1 FROM kpi.kpi_target)")" t "$2: the next target has the next number"
	is "$(sql -d "$1" -c "SELECT kpi.kpi_define('newer', 'calls', 'count', 'up', 'Newer')" \
			-c "SELECT \"position\" = (SELECT max(\"position\") FROM kpi.kpi_definition_own WHERE kpi <> 'newer') + 1 FROM kpi.kpi_definition_own WHERE kpi = 'newer'")" \
		"calls
t" "$2: the next KPI comes last"
	like "$(try "$1" "INSERT INTO kpi.kpi_target (kpi, from_day, to_day, value) VALUES ('nonsense', '2026-01-01', '2027-01-01', 1)")" \
		'unknown KPI "nonsense"' "$2: targets are checked again"
}

# restored FORMAT COMMAND...: restores a dump by a command into a database of its own
restored() {
	local how=$1 status=0 db=salkpi_restored

	shift
	create_database $db
	"$@" >"$scratch/restore" 2>&1 || status=1
	! grep -iE 'error|warning' "$scratch/restore" >"$scratch/errors" || status=1
	ok $status "$how: restored without an error" || note "$(head -n 5 "$scratch/errors")"
	check $db "$how"
}

pg_dump $before >"$scratch/plain.sql"
restored "plain" psql -X -q -v ON_ERROR_STOP=1 -d salkpi_restored -o /dev/null -f "$scratch/plain.sql"
pg_dump --inserts --rows-per-insert=100 $before >"$scratch/inserts.sql"
restored "inserts" psql -X -q -v ON_ERROR_STOP=1 -d salkpi_restored -o /dev/null -f "$scratch/inserts.sql"
pg_dump -Fc $before -f "$scratch/custom"
restored "custom" pg_restore -d salkpi_restored "$scratch/custom"
pg_dump -Fd -j 2 $before -f "$scratch/directory"
restored "directory, 4 jobs" pg_restore -j 4 -d salkpi_restored "$scratch/directory"

# What salkpi ships comes from the extension alone.
grep -E '^COPY kpi\.|CREATE EXTENSION|CREATE (TABLE|FUNCTION|VIEW|TYPE|SEQUENCE) kpi\.' "$scratch/plain.sql" | sed -E 's/ (\(|WITH).*//' | sort >"$scratch/dumped"
is "$(paste -sd ' ' "$scratch/dumped")" "COPY kpi.kpi_alert COPY kpi.kpi_calendar COPY kpi.kpi_definition_own COPY kpi.kpi_dimension_own COPY kpi.kpi_expected COPY kpi.kpi_fact COPY kpi.kpi_holiday COPY kpi.kpi_problem COPY kpi.kpi_rep_role COPY kpi.kpi_run COPY kpi.kpi_selection_own COPY kpi.kpi_setting_value COPY kpi.kpi_source COPY kpi.kpi_target CREATE EXTENSION IF NOT EXISTS salkpi" \
	"the dump has the extension, and rows of users' tables alone"

# Only the definitions, no rows: a fresh start.
create_database salkpi_restored
pg_dump --schema-only $before | sql -d salkpi_restored >"$scratch/restore"
is "$(sql -d salkpi_restored -c "SELECT (SELECT count(*) FROM kpi.kpi_fact), (SELECT count(*) FROM kpi.kpi_run), (SELECT count(*) > 30 FROM kpi.kpi_definition)")" \
	"0|0|t" "schema only: no facts, but the shipped KPIs"
done_testing
