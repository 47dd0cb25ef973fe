#!/bin/bash
#
# What the database of docker-compose.yaml gets when it is made: salkpi,
# pg_cron, the role that Grafana reads with, and the demo if it is wanted.
# Run by the image's entrypoint, with the environment of the compose file.
#
set -euo pipefail

files=${SALKPI_FILES:-/usr/share/salkpi}
sql() { psql -X -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" "$@" >/dev/null; }

sql -c 'CREATE EXTENSION pg_cron' \
	-c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' \
	-c '\getenv time_zone SALKPI_TIME_ZONE' -f - <<'SQL'
SELECT kpi.kpi_set('time_zone', :'time_zone');
SELECT format('ALTER DATABASE %I SET search_path = "$user", public, kpi', current_database()) \gexec
SQL
if [ "$SALKPI_DEMO" = yes ]; then
	sql -f "$files/crm.sql" -f "$files/bind.sql"
	sql -c 'SELECT kpi.kpi_schedule()'
fi
sql -v schema=kpi -c '\getenv password SALKPI_PASSWORD' -f "$files/reader.sql"
