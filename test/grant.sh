#!/bin/bash
# kpi_grant, row-level security as the README has it, and who is told of a run.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
db=salkpi_grant
roles=(salkpi_g_reader salkpi_g_editor salkpi_g_runner salkpi_g_boss salkpi_g_lead salkpi_g_anna salkpi_g_bob salkpi_g_cleo salkpi_g_none)

drop_roles() {
	local role

	for role in "${roles[@]}"; do
		sql -d postgres -c "DROP ROLE IF EXISTS $role" >/dev/null
	done
}
trap 'finish; drop_roles' EXIT

sql -d postgres -c "DROP DATABASE IF EXISTS $db" -c "DROP DATABASE IF EXISTS ${db}_strict"
drop_roles
for role in "${roles[@]}"; do
	sql -d postgres -c "CREATE ROLE $role LOGIN" || skip_all "this role may not create roles"
done
sql -d postgres -c 'GRANT salkpi_g_anna, salkpi_g_cleo TO salkpi_g_lead'
create_database $db

sql -d $db <<'SQL' || bail "no sources"
CREATE SCHEMA kpi;
CREATE EXTENSION salkpi SCHEMA kpi;
CREATE SCHEMA crm;
SET search_path = kpi, crm;
CREATE TABLE crm.people (id text, name text, team text, db_role text, active_from date, active_to date);
INSERT INTO people VALUES ('a', 'Anna', 'North', 'salkpi_g_anna', '2026-01-01'), ('b', 'Bob', 'North', 'salkpi_g_bob', '2026-01-01'),
	('c', 'Cleo', 'South', 'salkpi_g_cleo', '2026-01-01'), ('d', 'Dan', 'South', 'no such role', '2026-01-01'), ('e', 'Eve', 'East', NULL, '2026-01-01');
CREATE TABLE crm.sales (sale_id integer, sold_at date, amount numeric, rep_id text, region text);
INSERT INTO sales SELECT i, date '2026-01-01' + i, i, substr('abcde', 1 + i % 6, 1), CASE i % 2 WHEN 0 THEN 'West' END FROM generate_series(1, 89) i;
CREATE TABLE crm.deals (id text, status text, created_at date, closed_at date, expected_close date, amount numeric, stage text, rep_id text);
INSERT INTO deals SELECT i, 'open', '2026-03-01', NULL, date '2026-04-01' + i, 10 * i, 'Offer', substr('abcde', 1 + i % 5, 1) FROM generate_series(1, 20) i;
SELECT count(*) FROM kpi_bind('rep', 'people') \g /dev/null
SELECT count(*) FROM kpi_bind('sale', 'sales') \g /dev/null
SELECT count(*) FROM kpi_bind('opportunity', 'deals') \g /dev/null
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value)
SELECT 'revenue', CASE WHEN member = '' THEN 'total' WHEN member < 'Z' THEN 'team' ELSE 'rep' END, member, '2026-03-01', '2026-04-01', 2500
  FROM unnest('{"",North,South,a,b,c,d,e}'::text[]) member;
SELECT * FROM kpi_snapshot('2026-01-01', NULL, '2026-04-02Z') \g /dev/null
SQL

# ask STATEMENT [ROLE]
ask() { sql -d $db ${2:+-c "SET SESSION AUTHORIZATION $2"} -c "SET search_path = kpi, crm" -c "$1"; }
allow() { ask "$1" >/dev/null || bail "could not: $1"; }

# ---------------------------------------------------------------- kpi_grant
like "$(ask "SELECT kpi_grant('salkpi_g_reader', 'admin')")" '22023: unknown kind of rights "admin"' "kpi_grant: an unknown kind"
like "$(ask "SELECT kpi_grant('salkpi_g_reader', NULL)")" '22004: kind of rights must not be null' "kpi_grant: no kind"
like "$(ask "SELECT kpi_grant('salkpi_g_nobody', 'reader')")" '42704: role "salkpi_g_nobody" does not exist' "kpi_grant: it makes no role"
for kind in reader editor runner; do
	like "$(ask "SELECT kpi_grant('salkpi_g_$kind', '$kind')")" "GRANT USAGE ON SCHEMA kpi TO salkpi_g_$kind" "kpi_grant: a $kind is told what it gave"
	is "$(ask "SELECT * FROM kpi_report('2026-03-01')" salkpi_g_$kind)" "$(ask "SELECT * FROM kpi_report('2026-03-01')")" "a $kind reads the report as the owner does"
done
is "$(ask "SELECT string_agg(relname, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace AND nspname = 'kpi' WHERE relkind IN ('r', 'v') AND NOT has_table_privilege('salkpi_g_reader', c.oid, 'SELECT')")" \
	kpi_track_log "a reader may read each table and view, but not the log of what changed in the sources"
is "$(ask "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace AND nspname = 'kpi' WHERE relkind IN ('r', 'v') AND has_table_privilege('salkpi_g_reader', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')")" \
	0 "and write none"
is "$(ask 'SELECT count(*) FROM sales' salkpi_g_reader)" "$(ask 'SELECT count(*) FROM sales' salkpi_g_none)" "nor does a reader see the sources"

may() { # ROLE yes|no STATEMENT
	local told
	told=$(sql -d $db -c "SET SESSION AUTHORIZATION $1" -c "SET search_path = kpi, crm" -c BEGIN -c "$3" -c ROLLBACK)
	if [ "$2" = yes ]; then
		! [[ $told =~ ERROR ]]
		ok $? "$1 may: $3" || note "$told"
	else
		like "$told" '42501: permission denied' "$1 may not: $3"
	fi
}
target="INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-05-01', '2026-06-01', 1)"
for statement in "$target" "INSERT INTO kpi_holiday VALUES ('2026-05-01', 'Labour Day')" "SELECT kpi_define('mine', 'revenue', 'money', 'up', 'Mine')" \
	"SELECT kpi_select('mine', 'revenue')" "SELECT kpi_define_dimension('region+team')"; do
	may salkpi_g_reader no "$statement"
	may salkpi_g_editor yes "$statement"
	may salkpi_g_runner no "$statement"
done
for statement in "SELECT * FROM kpi_snapshot()" "SELECT * FROM kpi_prune()"; do
	may salkpi_g_runner yes "$statement"
done
may salkpi_g_reader no "SELECT * FROM kpi_snapshot()"
may salkpi_g_editor no "SELECT * FROM kpi_snapshot()"
for role in salkpi_g_editor salkpi_g_runner; do
	may $role no "SELECT kpi_set('language', 'de')"
	may $role no "SELECT kpi_unbind('sale')"
	may $role no "SELECT kpi_grant('salkpi_g_none', 'editor')"
done
is "$(ask 'SELECT outcome, changed FROM kpi_snapshot()' salkpi_g_runner | cut -d '|' -f 1)" 'done' "a runner's snapshot"

like "$(ask "SELECT kpi_ungrant('salkpi_g_editor', 'editor')")" 'REVOKE INSERT, UPDATE, DELETE ON TABLE kpi.kpi_target FROM salkpi_g_editor' "kpi_ungrant: says what it took"
may salkpi_g_editor no "$target"
may salkpi_g_editor yes "SELECT * FROM kpi_report()"
allow "SELECT kpi_ungrant('salkpi_g_editor', 'reader')"
may salkpi_g_editor no "SELECT * FROM kpi.kpi_report()"

# ---------------------------------------------------------------- where PUBLIC may call nothing by default
strict=${db}_strict
create_database $strict
sql -d $strict <<'SQL' || bail "no database without EXECUTE for PUBLIC"
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE SCHEMA kpi;
CREATE EXTENSION salkpi SCHEMA kpi;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
CREATE TABLE public.sale (sale_id integer, sold_at date, amount numeric);
INSERT INTO sale SELECT i, date '2026-01-01' + i, i FROM generate_series(1, 89) i;
SELECT count(*) FROM kpi.kpi_bind('sale', 'sale') \g /dev/null
SELECT * FROM kpi.kpi_snapshot('2026-01-01', NULL, '2026-04-02Z') \g /dev/null
CREATE FUNCTION kpi.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION kpi.mine() FROM PUBLIC;
SQL
strictly() { sql -d $strict ${2:+-c "SET SESSION AUTHORIZATION $2"} -c 'SET search_path = kpi, public' -c "$1"; }
callable="SELECT count(*) FILTER (WHERE has_function_privilege(current_user, p.oid, 'EXECUTE')) = count(*), has_function_privilege(current_user, 'kpi.mine()', 'EXECUTE')
	FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')"
for kind in reader editor runner; do
	like "$(strictly "SELECT kpi_grant('salkpi_g_$kind', '$kind')")" "GRANT EXECUTE ON ROUTINE kpi[.]" "without EXECUTE for PUBLIC a $kind is given it"
	is "$(strictly "$callable" salkpi_g_$kind)" 't|f' "on each function of the extension, and no other"
	is "$(strictly "SELECT kpi_value('revenue', '2026-03-01'), kpi_margin(kpi_profit_state(2, 1))" salkpi_g_$kind)" "$(strictly "SELECT kpi_value('revenue', '2026-03-01'), 50")" "a $kind reads and adds up"
done
is "$(strictly 'SELECT outcome FROM kpi_snapshot()' salkpi_g_runner)$(strictly 'CALL kpi_refresh()' salkpi_g_runner)" 'done' "a runner takes snapshots"
is "$(strictly "SELECT count(*) FROM kpi_ungrant('salkpi_g_editor', 'editor') u WHERE u LIKE '%EXECUTE%'")" 0 "who stays a reader keeps it"
is "$(strictly "SELECT left(u, 25) FROM kpi_ungrant('salkpi_g_editor', 'reader') u WHERE u LIKE '%EXECUTE%'")" 'REVOKE EXECUTE ON ROUTINE' "kpi_ungrant takes it back"
like "$(strictly "SELECT kpi.kpi_value('revenue', '2026-03-01')" salkpi_g_editor)" '42501: permission denied' "all of it"
is "$(ask "SELECT count(*) FROM kpi_grant('salkpi_g_reader', 'reader') g WHERE g LIKE '%EXECUTE%'")" 0 "where PUBLIC has it nobody is given it"

# ---------------------------------------------------------------- row-level security, as the README has it
awk '/^```postgresql$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$here/../README.md" | sed 's/managers/salkpi_g_boss/' >"$scratch/policies"
is "$(grep -c POLICY "$scratch/policies")" 8 "the README has policies"
is "$(sql -d $db -c 'SET search_path = kpi' -f "$scratch/policies")" '' "they can be made"
for role in boss lead anna bob cleo none; do
	allow "SELECT kpi_grant('salkpi_g_$role', 'reader')"
done
values() { # DIMENSION [ROLE]
	ask "SELECT \"time\", member, value, target FROM kpi_series('revenue', '2026-01-01', '2026-04-01', 'month', '$1') WHERE member <> '(none)'" ${2:-}
}
sees() { # ROLE DIMENSION MEMBERS
	is "$(values "$2" "$1")" "$(values "$2" | awk -F '|' -v wanted="$3" 'index(" " wanted " ", " " $2 " ")')" "$1 sees of $2: ${3:-nothing}"
}
[ "$(values rep | wc -l)" = 15 ] && [ "$(values team | wc -l)" = 9 ]
ok $? "there are five reps and three teams to see"
sees salkpi_g_anna rep 'a'
sees salkpi_g_anna team 'North'
sees salkpi_g_cleo rep 'c'
sees salkpi_g_cleo team 'South'
sees salkpi_g_lead rep 'a c'
sees salkpi_g_lead team 'North South'
sees salkpi_g_none rep ''
sees salkpi_g_none team ''
sees salkpi_g_boss rep 'a b c d e'
sees salkpi_g_boss team 'North South East'
is "$(values total salkpi_g_boss)" "$(values total)" "the boss sees the total"
is "$(values total salkpi_g_anna)$(values region salkpi_g_anna)" '' "Anna sees neither the total nor regions"
is "$(ask "SELECT kpi_value('revenue', '2026-03-01')" salkpi_g_anna)" '' "nor one value of it"
is "$(ask "SELECT member, rank, value, share FROM kpi_ranking('revenue', '2026-03-01') WHERE member <> '(none)'" salkpi_g_anna)" \
	"a|$(ask "SELECT 2 - (a.value > n.value)::integer, a.value, NULL FROM kpi_ranking('revenue', '2026-03-01') a, kpi_ranking('revenue', '2026-03-01') n WHERE a.member = 'a' AND n.member = '(none)'")" "her ranking is of herself and of what nobody owns"
is "$(ask "SELECT DISTINCT member FROM kpi_fact WHERE dimension = 'rep+stage' AND open_opportunities > 0" salkpi_g_anna)" 'a+Offer' "combined dimensions by the part that is a rep"
is "$(ask "SELECT DISTINCT member FROM kpi_fact WHERE dimension = 'team+stage' AND open_opportunities > 0" salkpi_g_anna)" 'North+Offer' "or a team"
is "$(ask "SELECT string_agg(member, ' ' ORDER BY member COLLATE \"C\") FROM kpi_target" salkpi_g_anna)" 'North a' "targets of her own and her team alone"
is "$(ask "SELECT DISTINCT members ->> 'rep' FROM kpi_expected" salkpi_g_anna)" 'a' "and of the deals expected"
is "$(ask "SELECT kpi_value('calls', '2026-03-01', 'rep', 'a'), kpi_value('revenue', '2026-01-01', 'team', 'North') > 0" salkpi_g_bob)" '|t' "Bob sees his team's numbers, not Anna's"
is "$(ask "SELECT kpi_value('revenue', '2026-01-01', 'rep', 'a'), kpi_value('revenue', '2026-01-01', 'team', 'South')" salkpi_g_bob)" '|' "nothing of others, rather than 0"
[ "$(ask "SELECT kpi_value('revenue', '2026-01-01', 'rep', 'a') > 0")" = t ]
ok $? "where there is something"
is "$(ask "SELECT * FROM kpi_merged_series('revenue', '2026-01-01', '2026-04-01', dimension => 'rep', members => '{a,b}')" salkpi_g_bob)" '' "nor a sum of which he sees a part"
is "$(ask "SELECT outcome FROM kpi_snapshot()")" 'done' "the owner goes on taking snapshots"
like "$(ask "SELECT outcome FROM kpi_snapshot()" salkpi_g_runner)" '42501: query would be affected by row-level security' "who would see only some takes none"
# Alerts of her own; Anna changes teams, Bob leaves.
allow "UPDATE crm.sales SET amount = amount * 10 WHERE sold_at >= '2026-03-01'"
allow "UPDATE crm.people SET team = 'South' WHERE id = 'a'"
allow "UPDATE crm.people SET active_to = '2026-04-01' WHERE id = 'b'"
allow "SELECT * FROM kpi_snapshot()"
is "$(ask "SELECT string_agg(DISTINCT member, ' ' ORDER BY member) FROM kpi_alert WHERE grain = 'month'" salkpi_g_anna)" 'South a' "alerts of her own and her new team alone"
like "$(ask "SELECT string_agg(DISTINCT member, ' ' ORDER BY member) FROM kpi_alert WHERE grain = 'month'" salkpi_g_boss)" 'a b c d e' "the boss has everybody's"
sees salkpi_g_anna team 'South'
sees salkpi_g_bob rep ''

# ---------------------------------------------------------------- who listens is told
heard=$(ask 'LISTEN kpi_snapshot; SELECT outcome FROM kpi_snapshot()')
run=$(ask 'SELECT max(run) FROM kpi_run')
like "$heard" "\"kpi_snapshot\" with payload \"(.*\"run\": $run.*)\" received" "one who listens hears of a snapshot"
is "$(grep -c Asynchronous <<<"$heard")" 1 "once"
payload=$(sed -n 's/.*payload "\(.*\)" received.*/\1/p' <<<"$heard")
is "$(ask "SELECT (j ->> 'outcome', (j ->> 'periods')::integer, (j ->> 'facts')::bigint, (j ->> 'changed')::bigint, (j ->> 'problems')::bigint, (j ->> 'alerts')::bigint)
	= ('done', r.periods, r.facts, r.changed, r.problems, (SELECT count(*) FROM kpi_alert WHERE run = $run)) FROM kpi_run r, (SELECT '$payload'::jsonb AS j) x WHERE r.run = $run")" t "with its counts"
like "$(ask 'LISTEN kpi_snapshot' && sql -d $db -c 'LISTEN kpi_snapshot' -c 'CALL kpi.kpi_refresh()')" '"outcome": "done"' "and of kpi_refresh"
allow 'ALTER TABLE crm.sales RENAME TO gone'
heard=$(psql -XAtq -d $db -c 'LISTEN kpi_snapshot' -c 'CALL kpi.kpi_refresh()' -c 'SELECT 1' 2>&1)
like "$heard" '"outcome": "failed"' "also of one that failed"
is "$(ask 'SELECT max(run) > (SELECT max(run) FROM kpi_alert) FROM kpi_run')" t "which has no alerts"
done_testing
