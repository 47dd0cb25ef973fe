#!/bin/bash
# Who may do what, row-level security, names that need quotes, and search paths
# that want to do harm.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
db=salkpi_roles
roles=(salkpi_nobody salkpi_reader salkpi_runner salkpi_anna salkpi_owner)

drop_roles() {
	local role

	for role in "${roles[@]}"; do
		sql -d postgres -c "DROP ROLE IF EXISTS $role" >/dev/null
	done
}
trap 'finish; drop_roles' EXIT

sql -d postgres -c "DROP DATABASE IF EXISTS $db" -c "DROP DATABASE IF EXISTS ${db}_owner"
drop_roles
for role in "${roles[@]}"; do
	sql -d postgres -c "CREATE ROLE $role LOGIN" || skip_all "this role may not create roles"
done
create_database $db
create_database ${db}_owner "OWNER salkpi_owner"

# Nothing here goes without quotes: not the schema, nor the source's name, nor
# the members.
sql -d $db <<'SQL' || bail "no sources"
CREATE SCHEMA "My KPI";
CREATE EXTENSION salkpi SCHEMA "My KPI";
CREATE SCHEMA "it's ""quoted""";
SET search_path = "it's ""quoted""", "My KPI";
CREATE TABLE "all people" (id text, name text, team text, db_role text, active_from date);
INSERT INTO "all people" VALUES ('anna', 'Anna', 'a+b', 'salkpi_anna', '2026-01-01'),
	('O''Brien \ "x" + y', '100% "O''Brien" %s %I \n', 'c\+d', NULL, '2026-01-01');
CREATE TABLE "the ""sales"", all" (sale_id integer, sold_at date, amount numeric, rep_id text, "product_line" text);
INSERT INTO "the ""sales"", all" SELECT i, date '2026-01-01' + i, i, CASE i % 3 WHEN 0 THEN 'anna' WHEN 1 THEN 'O''Brien \ "x" + y' END,
	'%s ' || chr(10) || '''; DROP TABLE x; --' FROM generate_series(1, 89) i;
CREATE TABLE "deals?" (id text, status text, created_at date, amount numeric, stage text, rep_id text);
INSERT INTO "deals?" VALUES ('1', 'open', '2026-02-01', 10, 'a+b', 'anna'), ('2', 'open', '2026-03-01', 20, 'a+b', 'O''Brien \ "x" + y');
SELECT count(*) FROM kpi_bind('rep', '"all people"') \g /dev/null
SELECT count(*) FROM kpi_bind('sale', '"the ""sales"", all"') \g /dev/null
SELECT count(*) FROM kpi_bind('opportunity', '"deals?"') \g /dev/null
SELECT kpi_define_dimension('product_line', NULL, '100% of %s', '50 % "%I"') \g /dev/null
SELECT kpi_define_dimension('rep+team') \g /dev/null
SELECT kpi_define('percent_label', 'revenue', 'money', 'up', '100% of %s', '%I', '%L %n') \g /dev/null
SELECT kpi_select('%s', 'percent_label', 'revenue') \g /dev/null
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES ('percent_label', 'rep', 'O''Brien \ "x" + y', '2026-03-01', '2026-04-01', 450);
SQL

# ask STATEMENT [ROLE]: with the extension and the sources in the search path
ask() { sql -d $db ${2:+-c "SET SESSION AUTHORIZATION $2"} -c "SET search_path = \"My KPI\", \"it's \"\"quoted\"\"\"" -c "$1"; }
allow() { ask "$1" >/dev/null || bail "could not: $1"; }

# ---------------------------------------------------------------- quoting
is "$(ask 'SELECT outcome, problems FROM kpi_snapshot()')" 'done|0' "quoted names: a snapshot"
obrien="O'Brien \\ \"x\" + y"
escaped="O'Brien \\\\ \"x\" \\+ y"
is "$(ask "SELECT member, label, value FROM kpi_ranking('revenue', '2026-03-01')")" "(none)|(none)|814
$obrien|100% \"O'Brien\" %s %I \\n|745
anna|Anna|735" "quoted names: members and their labels, as they are"
is "$(ask "SELECT member, revenue FROM kpi_fact WHERE dimension = 'rep+team' AND grain = 'quarter' AND period = '2026-01-01' ORDER BY revenue")" "anna+a\\+b|1305
$escaped+c\\\\\\+d|1335
(none)+(none)|1365" "quoted names: the parts of combined members"
is "$(ask "SELECT member, label FROM kpi_ranking('revenue', '2026-03-01', 'rep+team') ORDER BY value DESC")" "(none)+(none)|(none) / (none)
$escaped+c\\\\\\+d|100% \"O'Brien\" %s %I \\n / c\\+d
anna+a\\+b|Anna / a+b" "quoted names: and back into their parts"
is "$(ask "SELECT kpi_value('revenue', '2026-03-01', 'rep', \$\$$obrien\$\$), kpi_value('revenue', '2026-03-01', 'rep+team', \$\$$escaped+c\\\\\\+d\$\$)")" \
	'745|745' "quoted names: a member's value"
is "$(ask "SELECT kpi, label, value, target FROM kpi_report('2026-03-01', dimension => 'rep', member => \$\$$obrien\$\$, selection => '%s')")" \
	"percent_label|100% of %s|745|450
revenue|Revenue|745|" "quoted names: a label with percent signs, a target of the member"
is "$(ask "SELECT value FROM kpi_series('revenue', '2026-03-01', '2026-04-01', 'month', 'product_line')")" '2294
0' "quoted names: a series" # the member and (none)
is "$(ask "SELECT stage, opportunities, value FROM kpi_pipeline(dimension => 'rep', member => \$\$$obrien\$\$)")" 'a+b|1|20' "quoted names: the pipeline now"
is "$(ask "SELECT stage, opportunities, value FROM kpi_pipeline(kpi_today(), 'rep', \$\$$obrien\$\$)")" \
	"$(ask "SELECT stage, opportunities, value FROM kpi_pipeline(dimension => 'rep', member => \$\$$obrien\$\$)")" "quoted names: the pipeline of a day"
like "$(ask "SELECT * FROM kpi_report(selection => '%s %I \"x\"')")" 'ERROR: .*"%s %I "x""' "quoted names: errors repeat them as they are"
like "$(ask "SELECT kpi_bind('target', 'kpi_target')")" 'cannot bind "My KPI".kpi_target, which' "quoted names: an error quotes once"
is "$(ask 'CALL kpi_refresh()')$(ask 'SELECT outcome FROM kpi_runs ORDER BY run DESC LIMIT 1')" 'done' "quoted names: kpi_refresh"

# ---------------------------------------------------------------- rights
like "$(ask 'SELECT * FROM kpi_report()' salkpi_nobody)" '42P01|42883|42501' "no rights: no report"
like "$(try $db "SELECT * FROM \"My KPI\".kpi_report()" salkpi_nobody)" '42501: permission denied for schema My KPI' "no rights: says what is missing"
allow "GRANT USAGE ON SCHEMA \"My KPI\" TO salkpi_nobody, salkpi_reader, salkpi_runner, salkpi_anna"
like "$(ask 'SELECT * FROM kpi_report()' salkpi_nobody)" '42501: permission denied for (table|view) kpi_' "the schema alone: says what is missing"
like "$(ask 'SELECT * FROM kpi_snapshot()' salkpi_nobody)" '42501: permission denied for table kpi_' "the schema alone: no snapshot"
like "$(ask "SELECT * FROM kpi_bind('sale', 'pg_class')" salkpi_nobody)" '42501: permission denied for table kpi_' "the schema alone: no binding"

allow 'GRANT SELECT ON ALL TABLES IN SCHEMA "My KPI" TO salkpi_reader, salkpi_runner, salkpi_anna'
like "$(ask "SELECT kpi_grant('salkpi_reader', 'reader')")" 'GRANT USAGE ON SCHEMA "My KPI" TO salkpi_reader' "kpi_grant: a schema whose name needs quotes"
for query in "kpi_report('2026-03-01')" "kpi_series('revenue', '2026-01-01', '2026-04-01')" "kpi_value('revenue', '2026-03-01')" \
	"kpi_pipeline(kpi_today())" "kpi_definition" "kpi_runs"; do
	[ "$(ask "SELECT * FROM $query" salkpi_reader)" = "$(ask "SELECT * FROM $query")" ]
	ok $? "a reader: $query is as for the owner" || note "$(ask "SELECT * FROM $query" salkpi_reader)"
done
is "$(ask "SELECT member, label, value FROM kpi_ranking('revenue', '2026-03-01') WHERE member <> '(none)'" salkpi_reader)" "$obrien|$obrien|745
anna|anna|735" "a reader without rights on the sources: ids instead of names"
like "$(ask 'SELECT * FROM kpi_pipeline()' salkpi_reader)" '42501: .*(permission denied|cannot read)' "a reader without rights on the sources: not the pipeline of this moment"
for change in "kpi_snapshot()" "kpi_set('language', 'de')" "kpi_define('mine', 'revenue', 'money', 'up', 'Mine')" "kpi_define_dimension('industry')" \
	"kpi_select('mine', 'revenue')" "kpi_unbind('sale')" "kpi_undefine('percent_label')"; do
	like "$(ask "SELECT $change" salkpi_reader)" '42501: permission denied for table kpi_' "a reader: not $change"
done
like "$(ask "INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', '2026-02-01', 1)" salkpi_reader)" \
	'42501: permission denied for table kpi_target' "a reader: no targets"
like "$(ask 'CALL kpi_refresh()' salkpi_reader)" '42501: permission denied for table kpi_run' "a reader: not kpi_refresh"

allow 'GRANT INSERT, UPDATE, DELETE ON kpi_fact, kpi_run, kpi_problem, kpi_expected, kpi_alert, kpi_rep_role, kpi_track_log, kpi_track_mark TO salkpi_runner'
like "$(ask 'SELECT * FROM kpi_snapshot()' salkpi_runner)" '42501: permission denied for .*"all people"' "a runner without rights on a source: says on which"
allow 'GRANT USAGE ON SCHEMA "it'"'"'s ""quoted""" TO salkpi_runner, salkpi_anna'
allow 'GRANT SELECT ON "all people", "the ""sales"", all", "deals?" TO salkpi_runner, salkpi_anna'
is "$(ask 'SELECT outcome, changed FROM kpi_snapshot()' salkpi_runner)" 'done|0' "a runner that is no superuser: the same facts"
is "$(ask 'CALL kpi_refresh()' salkpi_runner)$(ask 'SELECT outcome FROM kpi_runs ORDER BY run DESC LIMIT 1')" 'done' "a runner: kpi_refresh"

# ---------------------------------------------------------------- row-level security
allow "ALTER TABLE kpi_fact ENABLE ROW LEVEL SECURITY"
allow "CREATE POLICY own ON kpi_fact FOR SELECT USING (dimension = 'rep' AND member = (SELECT id FROM \"all people\" WHERE db_role = current_user))"
is "$(ask "SELECT kpi_value('revenue', '2026-03-01', 'rep', 'anna')" salkpi_anna)" 735 "policy on facts: Anna's own value"
is "$(ask "SELECT value, previous FROM kpi_report('2026-03-01', dimension => 'rep', member => 'anna', selection => 'rep') WHERE kpi = 'revenue'" salkpi_anna)" \
	"$(ask "SELECT value, previous FROM kpi_report('2026-03-01', dimension => 'rep', member => 'anna', selection => 'rep') WHERE kpi = 'revenue'")" "policy on facts: her own report"
is "$(ask "SELECT member, value FROM kpi_ranking('revenue', '2026-03-01')" salkpi_anna)" 'anna|735' "policy on facts: a ranking of herself alone"
is "$(ask "SELECT member FROM kpi_members('rep')" salkpi_anna)" 'anna' "policy on facts: no other members"
is "$(ask "SELECT DISTINCT member FROM kpi_series('revenue', '2026-01-01', '2026-04-01', 'month', 'rep')" salkpi_anna)" anna "policy on facts: a series of herself alone"
is "$(ask "SELECT kpi_value('revenue', '2026-03-01', 'rep', \$\$$obrien\$\$)" salkpi_anna)" '' "policy on facts: nothing of a colleague"
is "$(ask "SELECT kpi_value('revenue', '2026-03-01')" salkpi_anna)" '' "policy on facts: nothing of the total"
like "$(ask "SELECT count(*) FILTER (WHERE value IS NOT NULL) FROM kpi_report('2026-03-01')" salkpi_anna)" '^0$|22023' "policy on facts: no report of the total"
is "$(ask "SELECT sum(value) FROM kpi_merged_series('revenue', '2026-01-01', '2026-04-01', 'month', 'rep')" salkpi_anna)" '' \
	"policy on facts: no line of all reps, not even of those she sees"
is "$(ask "SELECT sum(value) FROM kpi_merged_series('revenue', '2026-01-01', '2026-04-01', 'month', 'rep', '{anna}')" salkpi_anna)" 1305 "policy on facts: but of herself"
like "$(ask 'SELECT * FROM kpi_snapshot()' salkpi_runner)" '42501: query would be affected by row-level security policy for table "kpi_fact"' \
	"policy on facts: no snapshot by one who would see only some"
is "$(ask "SELECT kpi_value('revenue', '2026-04-01', 'rep', 'anna')" salkpi_anna)" 0 "policy on facts: 0 in a month without a sale, since the roster has her"
allow 'DROP POLICY own ON kpi_fact'
allow 'ALTER TABLE kpi_fact DISABLE ROW LEVEL SECURITY'

allow 'ALTER TABLE "the ""sales"", all" ENABLE ROW LEVEL SECURITY'
allow 'CREATE POLICY own ON "the ""sales"", all" USING (rep_id = '"'anna'"')'
is "$(ask 'SELECT count(*) FROM "the ""sales"", all"' salkpi_runner)" 29 "policy on a source: the runner sees some rows"
like "$(ask 'SELECT * FROM kpi_snapshot()' salkpi_runner)" '42501: cannot read source "sale" .*query would be affected by row-level security' \
	"policy on a source: no snapshot of some rows, but an error that names the source"
is "$(ask 'SELECT outcome, changed FROM kpi_snapshot()')" 'done|0' "policy on a source: the owner's snapshot has all"
allow 'CREATE VIEW behind AS SELECT * FROM "the ""sales"", all"'
allow 'ALTER VIEW behind OWNER TO salkpi_runner'
allow "SELECT kpi_bind('sale', 'behind')"
like "$(ask 'SELECT * FROM kpi_snapshot()')" '42501: cannot read source "sale" .*query would be affected by row-level security' \
	"policy on a source: nor through a view of one whom it applies to"
allow "SELECT kpi_bind('sale', '\"the \"\"sales\"\", all\"')"
allow 'ALTER TABLE "the ""sales"", all" DISABLE ROW LEVEL SECURITY'
allow 'ALTER TABLE "deals?" ENABLE ROW LEVEL SECURITY'
allow 'CREATE POLICY own ON "deals?" USING (rep_id = '"'anna'"')'
is "$(ask 'SELECT stage, opportunities, value FROM kpi_pipeline()' salkpi_anna)" 'a+b|1|10' "policy on a source: the pipeline of this moment is her own"
is "$(ask 'SELECT id FROM kpi_top_opportunities()' salkpi_anna)" 1 "policy on a source: so are the opportunities"
allow 'ALTER TABLE "deals?" DISABLE ROW LEVEL SECURITY'

# ---------------------------------------------------------------- hostile search paths
# Each of these raises, so that whoever calls one is found out; the types and
# tables have nothing in common with the real ones.
sql -d $db <<'SQL' || bail "no hostile schema"
CREATE SCHEMA evil;
CREATE FUNCTION evil.caught() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
DO $$
DECLARE
	f record;
BEGIN
	-- a shadow of every operator and function that takes the types in use
	FOR f IN SELECT DISTINCT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS t
			   FROM pg_operator o WHERE o.oprleft <> 0 AND o.oprnamespace = 'pg_catalog'::regnamespace
				AND o.oprleft = ANY ('{text,name,oid,int4,int8,numeric,date,timestamptz,bool,timestamp,interval,_text,anyarray,anycompatiblearray,jsonb,anynonarray,regclass}'::regtype[])
				AND o.oprresult NOT IN ('anyelement'::regtype, 'internal'::regtype) LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''caught %s''''; END''',
			'op ' || f.oprname || f.l || f.r, f.l, f.r, f.t, replace(f.oprname, '%', '%%'));
		EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, LEFTARG = %s, RIGHTARG = %s)', f.oprname, 'op ' || f.oprname || f.l || f.r, f.l, f.r);
	END LOOP;
	FOR f IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS t
			   FROM pg_proc p
			  WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
				AND p.proname IN ('now', 'clock_timestamp', 'coalesce', 'lower', 'abs', 'round', 'div', 'sign', 'trim_scale', 'unnest', 'cardinality', 'array_length',
					'array_position', 'array_to_string', 'string_to_array', 'date_trunc', 'timezone', 'extract', 'date_part', 'make_interval', 'generate_series',
					'replace', 'rtrim', 'ltrim', 'split_part', 'left', 'right', 'substr', 'length', 'to_char', 'quote_ident', 'quote_literal', 'set_config', 'current_setting',
					'pg_backend_pid', 'pg_try_advisory_xact_lock', 'has_table_privilege', 'format_type', 'array_append', 'array_cat', 'array_replace', 'regexp_replace', 'isfinite',
					'int4', 'int8', 'text', 'numeric', 'date', 'timestamptz', 'float8', 'upper', 'chr', 'repeat', 'current_database', 'current_schema', 'version')
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''caught %1$s''''; END''', f.proname, f.args, f.t);
	END LOOP;
END $$;
CREATE FUNCTION evil.format(text, VARIADIC "any") RETURNS text LANGUAGE internal IMMUTABLE AS 'pg_typeof';
CREATE AGGREGATE evil.sum(numeric) (SFUNC = numeric_sub, STYPE = numeric);
CREATE AGGREGATE evil.sum(bigint) (SFUNC = int8mi, STYPE = bigint);
CREATE AGGREGATE evil.count(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '1000000');
CREATE AGGREGATE evil.max(timestamptz) (SFUNC = timestamptz_smaller, STYPE = timestamptz);
CREATE TABLE evil.kpi_fact (x integer);
CREATE TABLE evil.kpi_run (x integer);
CREATE TABLE evil.kpi_source (x integer);
CREATE TABLE evil.pg_class (x integer);
CREATE TABLE evil.pg_attribute (x integer);
CREATE TABLE evil.pg_type (x integer);
CREATE FUNCTION evil.kpi_lookup(integer) RETURNS text LANGUAGE sql AS 'SELECT ''caught''';
CREATE DOMAIN evil.text AS pg_catalog.int4;
CREATE DOMAIN evil.timestamptz AS pg_catalog.int4;
CREATE DOMAIN evil.date AS pg_catalog.int4;
CREATE DOMAIN evil.regclass AS pg_catalog.int4;
CREATE DOMAIN evil.record AS pg_catalog.int4;
CREATE DOMAIN evil.numeric AS pg_catalog.int4;
CREATE DOMAIN evil."interval" AS pg_catalog.int4;
SQL
is "$(sql -d $db -c "SELECT count(*) > 200 FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace")" t "hostile path: there are many traps"
like "$(sql -d $db -c 'SET search_path = evil, pg_catalog' -c 'SELECT 1 + 1')" 'caught' "hostile path: they work"
hostile() { sql -d $db -c "SET search_path = evil, public, pg_catalog, \"My KPI\"" -c "SELECT * FROM \"My KPI\".$1"; }
for query in "kpi_report('2026-03-01')" "kpi_report('2026-03-01', 'quarter', 'rep', 'anna', 'rep', '2100-01-01', 'de')" "kpi_value('revenue_growth', '2026-03-01')" \
	"kpi_series('revenue', '2026-01-01', '2026-04-01', 'month', 'rep')" "kpi_merged_series('revenue', '2026-01-01', '2026-04-01', 'month', 'rep')" \
	"kpi_ranking('percent_label', '2026-03-01')" "kpi_pipeline()" "kpi_pipeline(\"My KPI\".kpi_today(), 'rep', 'anna')" "kpi_top_opportunities()" "kpi_members('rep')" \
	"kpi_runs" "kpi_definition" "kpi_selection" "kpi_skeleton('sale')" "kpi_setting('currency')" "kpi_today()" "kpi_target_value('percent_label', '2026-03-01', '2026-04-01', 'rep', 'anna')"; do
	[ "$(hostile "$query")" = "$(ask "SELECT * FROM $query")" ]
	ok $? "hostile path: $query is the same" || note "$(diff <(hostile "$query") <(ask "SELECT * FROM $query"))"
done
for change in "kpi_set('language', 'en')" "kpi_define('percent_label', 'revenue', 'money', 'up', '100% of %s', '%I', '%L %n')" "kpi_define_dimension('rep+team')" \
	"kpi_select('%s', 'percent_label', 'revenue')" "kpi_undefine_dimension('none')" "kpi_undefine('none')"; do
	[ "$(hostile "$change")" = "$(ask "SELECT * FROM $change")" ]
	ok $? "hostile path: $change is the same" || note "$(hostile "$change")"
done
is "$(hostile "kpi_snapshot()" | cut -d '|' -f 2,5,6)" 'done|0|0' "hostile path: a snapshot finds nothing changed"
is "$(sql -d $db -c "SET search_path = evil, public, pg_catalog, \"My KPI\"" -c 'CALL "My KPI".kpi_refresh()')$(ask 'SELECT outcome, changed FROM kpi_runs ORDER BY run DESC LIMIT 1')" \
	'done|0' "hostile path: nor does kpi_refresh"
is "$(sql -d $db -c "SET search_path = evil, public, pg_catalog, \"My KPI\"" \
	-c "INSERT INTO \"My KPI\".kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', '2026-02-01', 1)")" '' "hostile path: a target is checked"

# ---------------------------------------------------------------- a database owner
like "$(try ${db}_owner 'CREATE EXTENSION salkpi' salkpi_owner)" '42501: .*superuser' "a database owner who is no superuser cannot create the extension, and is told so"
done_testing
