#!/bin/bash
# Databases of other encodings: German labels are German there, and numbers what
# they are elsewhere; where letters are lacking there is no extension, and
# PostgreSQL says which.  Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
export PGCLIENTENCODING=UTF8

make_database() { # ENCODING
	create_database "salkpi_${1,,}" "TEMPLATE template0 LOCALE 'C' ENCODING '$1'"
	sql -d "salkpi_${1,,}" -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi'
}

for encoding in UTF8 LATIN1 LATIN9 WIN1252 SQL_ASCII; do
	is "$(make_database $encoding)" '' "$encoding: the extension"
	sql -d "salkpi_${encoding,,}" >"$scratch/$encoding" <<'SQL'
SET search_path = kpi, public;
CREATE TABLE sale (sale_id integer, sold_at date, amount numeric, product text);
INSERT INTO sale SELECT i, date '2026-01-01' + i, i, CASE i % 2 WHEN 1 THEN 'Käse' END FROM generate_series(1, 89) i;
SELECT count(*) > 0 FROM kpi_bind('sale', 'sale');
SELECT outcome FROM kpi_snapshot('2026-01-01', NULL, '2026-04-02Z');
SELECT label_de, description_de FROM kpi_definition WHERE kpi = 'margin_of_year';
SELECT kpi, label, value, reason FROM kpi_report('2026-03-01', lang => 'de');
SELECT member, value FROM kpi_ranking('revenue', '2026-03-01', 'product');
SELECT label FROM kpi_scope('{"product": ["Käse"]}', lang => 'de');
SELECT subject, what, hint FROM kpi_check('de') WHERE subject <> 'run 1';
SQL
	same "$scratch/UTF8" "$scratch/$encoding" "$encoding: all that is read"
done
like "$(<"$scratch/UTF8")" 'Gewinnmarge von zwölf Monaten' "which has German letters"
like "$(make_database KOI8R)" '22P05: character .* in encoding "UTF8" has no equivalent in encoding "KOI8R"' "an encoding without them is refused"
done_testing
