/*
 * reader.sql - the role with which Grafana reads: it may read what salkpi has
 * recorded and, for the rows behind a number, the views or tables that are
 * bound; it can write nothing, and no statement of it runs for long.
 *
 *	psql -d crm -v schema=kpi -v password=... -f reader.sql
 *
 * With -v rows=no it may not drill down: of the bound relations it reads those
 * alone that have the names of reps and customers and the open opportunities.
 */
\set ON_ERROR_STOP on
\if :{?schema} \else \set schema kpi \endif
\if :{?role} \else \set role grafana \endif
\if :{?rows} \else \set rows yes \endif

BEGIN;
SET LOCAL search_path = :"schema", pg_temp;
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
\if :{?password}
ALTER ROLE :"role" PASSWORD :'password';
\endif
SELECT format('ALTER ROLE %I IN DATABASE %I SET %s', :'role', current_database(), s)
  FROM unnest(ARRAY['search_path = ' || quote_ident(:'schema'), 'statement_timeout = ''10s''', 'default_transaction_read_only = on', 'jit = off']) s \gexec
SELECT count(*) AS granted FROM kpi_grant(:'role', 'reader') \gset
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', s.relation_schema, :'role') FROM kpi_source s \gexec
SELECT format('GRANT SELECT ON %s TO %I', kpi_source_relation(s.source), :'role') FROM kpi_source s WHERE (:'rows' <> 'no' OR s.source IN ('rep', 'account', 'stage', 'opportunity', 'exchange_rate')) AND kpi_source_relation(s.source) IS NOT NULL \gexec
COMMIT;
