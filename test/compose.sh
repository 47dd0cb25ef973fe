#!/bin/bash
# docker-compose.yaml, as far as it can be checked without Docker: its files fit
# together, and its database, made here by the same script with the same
# settings and environment, is one that Grafana's role reads.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
as_server_user
grafana=$here/../grafana

# ------------------------------------------------------------ the files

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
if python3 -c 'import yaml' 2>/dev/null; then
	python3 "$here/compose.py" "$grafana" >"$scratch/files" 2>"$scratch/errors"
	ok $? "the files can be read" || note "$(tail -n 3 "$scratch/errors")"
	while IFS= read -r line; do
		case $line in
			'ok - '*) ok 0 "${line#ok - }" ;;
			'not ok - '*) ok 1 "${line#not ok - }" ;;
			*) echo "$line" ;;
		esac
	done <"$scratch/files"
	told=$(grep -oE 'SALKPI_[A-Z]+=' "$here/../dev" | sort -u)
	for name in $(grep -ohE '\$SALKPI_[A-Z]+' "$grafana"/provisioning/*/*.yaml | sort -u); do
		grep -qx "${name#?}=" <<<"$told"
		ok $? "./dev demo --serve says what ${name#?} is"
	done
else
	skip "the files fit together" "python3 has no yaml (Debian's package python3-yaml)"
fi
if docker compose version >/dev/null 2>&1; then
	POSTGRES_PASSWORD=a SALKPI_PASSWORD=b GRAFANA_PASSWORD=c docker compose -f "$grafana/docker-compose.yaml" config -q >"$scratch/config" 2>&1
	ok $? "docker compose takes it" || note "$(cat "$scratch/config")"
	! docker compose -f "$grafana/docker-compose.yaml" config -q >"$scratch/config" 2>&1
	ok $? "and nothing without the passwords"
else
	skip "docker compose takes it" "there is no docker compose"
fi

# ------------------------------------------------------------ the database

if [ ! -e "$(pg_config --sharedir)/extension/pg_cron.control" ]; then
	skip "the database" "pg_cron is not installed (Debian's package postgresql-$(pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')-cron)"
	done_testing
	exit
fi
new_server "$scratch/server"
export PGHOST=$scratch/server
{
	sed -n 's/^    command: postgres //p' "$grafana/docker-compose.yaml" | grep -oE '[a-z_.]+=[^ ]+'
	echo "cron.host = '$PGHOST'"
} >>"$scratch/server/data/postgresql.conf"
restart() { pg_ctl -D "$scratch/server/data" -l "$scratch/server/log" -w restart >/dev/null || bail "no server: $(tail -n 3 "$scratch/server/log")"; }
restart
is "$(sql -d postgres -c 'SHOW cron.database_name' -c 'SHOW cron.use_background_workers')" $'crm\non' "the server has the settings of the command"

# Where the Dockerfile puts them.
mkdir "$scratch/files.d"
for file in $(sed -n 's,^COPY \(.*\) /usr/share/salkpi/$,\1,p' "$grafana/Dockerfile"); do
	cp "$here/../$file" "$scratch/files.d"
done
secret="it's \"secret\" \\ \$1"

# init DATABASE DEMO: with no more than the environment of the compose file
init() {
	local name value environment=()

	while read -r name value; do
		case $name in
			POSTGRES_USER) value=$PGUSER ;;
			POSTGRES_DB) value=$1 ;;
			SALKPI_DEMO) value=$2 ;;
			SALKPI_PASSWORD) value=$secret ;;
			*) value=$(sed -E 's/^\$\{[A-Z_]+:-(.*)\}$/\1/; s/^\$\{[A-Z_]+:\?.*\}$/given/' <<<"$value") ;;
		esac
		environment+=("$name=$value")
	done < <(sed '/^  grafana:/,$d' "$grafana/docker-compose.yaml" | sed -n '/^    environment:/,/^    [a-z]*:$/s/^      \([A-Z_]*\): /\1 /p')
	sql -d postgres -c "CREATE DATABASE \"$1\""
	env -i PATH="$PATH" PGHOST="$PGHOST" SALKPI_FILES="$scratch/files.d" "${environment[@]}" "$grafana/init-database.sh" >"$scratch/init" 2>&1
}
as_grafana() { PGUSER=grafana PGPASSWORD=$secret PGOPTIONS='' sql -w "$@"; }

init crm yes
ok $? "the script makes the database, with the demo" || note "$(tail -n 5 "$scratch/init")"
sed -i '1i local all grafana scram-sha-256' "$scratch/server/data/pg_hba.conf"
pg_ctl -D "$scratch/server/data" reload >/dev/null
asks() { ! PGPASSWORD='' PGUSER=grafana sql -w -d crm -c 'SELECT 1' >/dev/null; }
await 60 asks
ok $? "Grafana's role has a password"
is "$(as_grafana -d crm -c "SELECT count(*) > 40 FROM kpi_report()")" t "which is the one given, whatever is in it; it reads the report"
is "$(as_grafana -d crm -c "SELECT kpi_value('revenue', kpi_today() - 60)")" \
	"$(sql -d crm -c "SELECT sum(r.revenue) FROM kpi_fact r WHERE r.superseded_at IS NULL AND r.dimension = 'team' AND r.grain = 'month' AND r.period = date_trunc('month', kpi_today() - 60)")" "and a number that is the sum over teams"
like "$(as_grafana -d crm -c "DELETE FROM kpi_target")" 'ERROR:  (25006|42501)' "and writes nothing"
is "$(sql -d crm -c 'SELECT schedule, command, database FROM cron.job')" '*/15 * * * *|CALL kpi.kpi_refresh()|crm' "pg_cron is to take the snapshots"
is "$(sql -d crm -c 'CALL kpi_refresh()' -c 'SELECT outcome FROM kpi_runs ORDER BY run DESC LIMIT 1')" 'done' "as it can"

# Made for one's own tables, it waits for them.
sql -d crm -c 'DROP EXTENSION pg_cron' -c 'ALTER SYSTEM SET cron.database_name = own' >"$scratch/own"
restart
init own no
ok $? "the script makes it without the demo" || note "$(tail -n 5 "$scratch/init")"
is "$(sql -d own -c "SELECT kpi_setting('time_zone'), (SELECT count(*) FROM cron.job), (SELECT count(*) FROM kpi_source)")" 'Europe/Berlin|0|0' "without sources nothing is scheduled"
sql -d own -c 'CREATE TABLE sold AS SELECT 1 AS sale_id, current_date AS sold_at, 5 AS amount' -c "SELECT FROM kpi_bind('sale', 'sold')" -c 'SELECT FROM kpi_snapshot()' \
	-v schema=kpi -f "$scratch/files.d/reader.sql" >"$scratch/own"
ok $? "reader.sql, once tables are bound, knows the role" || note "$(tail -n 3 "$scratch/own")"
is "$(as_grafana -d own -c "SELECT kpi_value('revenue', kpi_today())")" 5 "which reads their numbers, with the password it had"
done_testing
