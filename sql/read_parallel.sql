--
-- Sources read side by side by parallel workers: the facts are those that the
-- session itself reads, and so are errors; what must not be read in a worker
-- is not.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 2;
BEGIN;
SELECT kpi_set('time_zone', 'Europe/Berlin');
CREATE SCHEMA crm;

-- A kind of activity for each process, and so a count of those done in the session and elsewhere.
CREATE FUNCTION crm.here() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE RETURN pg_backend_pid() = current_setting('crm.session')::integer;
SELECT set_config('crm.session', pg_backend_pid()::text, false) <> '' AS set;
CREATE TABLE crm.touch AS
SELECT n AS id, timestamptz '2024-01-01 12:00+01' + n % 600 * interval '1 day' AS happened_at, 'rep ' || n % 7 AS rep_id FROM generate_series(1, 4000) n;
CREATE VIEW crm.activity AS SELECT id, happened_at, rep_id, CASE WHEN crm.here() THEN 'call' ELSE 'email' END AS kind FROM crm.touch;
CREATE TABLE crm.sale AS
SELECT n AS sale_id, timestamptz '2024-01-01 12:00+01' + n % 590 * interval '1 day' AS sold_at, (n % 97) * 1.19 AS amount, n % 300 AS account_id, 'rep ' || n % 5 AS rep_id, n % 11 AS opportunity_id
FROM generate_series(1, 3000) n;
CREATE TABLE crm.opportunity AS
SELECT n AS id, CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'won' ELSE 'lost' END AS status, timestamptz '2024-01-01 12:00+01' + n % 500 * interval '1 day' AS created_at,
	timestamptz '2024-03-01 12:00+01' + n % 500 * interval '1 day' AS closed_at, n * 1.5 AS amount, n % 300 AS account_id, 'rep ' || n % 7 AS rep_id, n % 400 AS lead_id
FROM generate_series(1, 900) n;
CREATE TABLE crm.opportunity_history AS
SELECT o.id AS opportunity_id, o.created_at + s * interval '10 days' AS valid_from, o.amount, 'stage ' || s AS stage, 'open' AS status FROM crm.opportunity o, generate_series(0, 2) s;
CREATE TABLE crm.lead AS SELECT n AS id, timestamptz '2024-01-01 10:00+01' + n % 480 * interval '1 day' AS created_at, 'rep ' || n % 7 AS rep_id FROM generate_series(1, 400) n;
CREATE TABLE crm.subscription AS
SELECT n AS id, n % 900 AS account_id, 10 + n % 50 AS amount, timestamptz '2024-01-01 00:00+01' + n % 400 * interval '1 day' AS valid_from, NULL::timestamptz AS valid_to FROM generate_series(1, 3000) n;
ANALYZE crm.touch, crm.sale, crm.opportunity, crm.opportunity_history, crm.lead, crm.subscription;
SELECT count(*) AS bound FROM unnest('{activity,sale,opportunity,opportunity_history,lead,subscription}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass));
CREATE FUNCTION crm.take() RETURNS TABLE (outcome text, facts boolean, here bigint, elsewhere bigint) LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM kpi_fact;
	SELECT s.outcome, s.facts > 1000 INTO outcome, facts FROM kpi_snapshot('2024-01-01', '2025-09-30', (SELECT coalesce(max(as_of), '2025-09-20 12:00+02') + interval '1 second' FROM kpi_run)) s;
	DELETE FROM kpi_fact f WHERE 'kind' = ANY (SELECT unnest(d.parts) FROM kpi_dimension d WHERE d.dimension = f.dimension);	-- which are what is asked here
	SELECT sum(f.calls), sum(f.emails) INTO here, elsewhere FROM kpi_fact f WHERE f.superseded_at IS NULL AND f.grain = 'month' AND f.dimension = 'total';
	RETURN NEXT;
END;
$$;

-- Little to read is read in the session, and so is what no two workers may.
SELECT * FROM crm.take();
CREATE TABLE crm.serial AS SELECT to_jsonb(f) - '{run,recorded_at,calls,emails}'::text[] AS fact FROM kpi_fact f;
SET min_parallel_table_scan_size = 0;
SELECT * FROM crm.take();
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE s.fact IS NULL OR p.fact IS NULL) AS differ
FROM crm.serial s FULL JOIN (SELECT to_jsonb(f) - '{run,recorded_at,calls,emails}'::text[] AS fact FROM kpi_fact f) p USING (fact);
SET max_parallel_workers_per_gather = 1;
SELECT * FROM crm.take();
SET max_parallel_workers_per_gather = 2;
SET max_parallel_workers = 1;
SELECT * FROM crm.take();
RESET max_parallel_workers;

-- Nor does a worker run a function that is not said to be safe there, read a temporary table, or lock rows.
ALTER FUNCTION crm.here() PARALLEL RESTRICTED;
SELECT * FROM crm.take();
ALTER FUNCTION crm.here() PARALLEL SAFE;
CREATE TEMP TABLE little AS TABLE crm.lead;
SELECT count(*) > 0 AS bound FROM kpi_bind('lead', 'pg_temp.little');
SELECT * FROM crm.take();
SELECT count(*) > 0 AS bound FROM kpi_bind('lead', 'crm.lead');
SELECT * FROM crm.take();
CREATE VIEW crm.locked AS SELECT * FROM crm.activity FOR SHARE;
SELECT count(*) > 0 AS bound FROM kpi_bind('activity', 'crm.locked');
SELECT * FROM crm.take();
SELECT count(*) > 0 AS bound FROM kpi_bind('activity', 'crm.activity');

-- An error is that of the source, and leaves all as it was.
CREATE VIEW crm.bad AS SELECT sale_id, sold_at, 1 / (amount - 50 * 1.19) AS amount, account_id FROM crm.sale;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.bad');
SAVEPOINT before_it;
SELECT * FROM crm.take();
ROLLBACK TO before_it;
SELECT count(*) > 1000 AS facts FROM kpi_fact;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale');

-- A ledger that needs more than it may is read in groups of customers, by the session.
INSERT INTO crm.subscription SELECT n, n, 10, timestamptz '2024-01-01 00:00+01' + n % 400 * interval '1 day', NULL FROM generate_series(3001, 20000) n;
SELECT * FROM crm.take();
CREATE TABLE crm.one_ledger AS SELECT to_jsonb(f) - '{run,recorded_at,calls,emails}'::text[] AS fact FROM kpi_fact f;
SELECT kpi_set('ledger_memory_mb', '1');
SELECT * FROM crm.take();
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE o.fact IS NULL OR g.fact IS NULL) AS differ
FROM crm.one_ledger o FULL JOIN (SELECT to_jsonb(f) - '{run,recorded_at,calls,emails}'::text[] AS fact FROM kpi_fact f) g USING (fact);
ROLLBACK;

-- Large readings, several times in one session: what the workers sent is there as long as it is needed.
BEGIN;
SET min_parallel_table_scan_size = 0;
CREATE SCHEMA crm;
CREATE TABLE crm.sale AS SELECT n AS sale_id, date '2022-01-01' + n * 19 % 1700 AS sold_at, n % 977 AS amount, n AS account_id FROM generate_series(1, 20000) n;
CREATE TABLE crm.subscription AS SELECT n AS id, n AS account_id, 100 AS amount, date '2022-01-01' + n * 19 % 1500 AS valid_from FROM generate_series(1, 2000) n;
ANALYZE crm.sale, crm.subscription;
SELECT count(*) AS bound FROM unnest('{sale,subscription}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass));
SELECT count(*), min(s.outcome) FROM generate_series(1, 6) n, kpi_snapshot('2022-01-01', NULL, '2026-09-01 12:00+02'::timestamptz + n * interval '1 second') s;
SELECT sum(revenue) = (SELECT sum(amount) FROM crm.sale) AS revenue, sum(new_customers) = (SELECT count(*) FROM crm.subscription) AS customers
FROM kpi_fact WHERE dimension = 'total' AND grain = 'month' AND superseded_at IS NULL;
ROLLBACK;
