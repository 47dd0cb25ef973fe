/*
 * What the comparisons need: each prints one line of TAP (odoo.sh numbers
 * them) and, below it, the rows that differ.
 */
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET search_path = kpi, public;
SET client_min_messages = warning;
SET TimeZone = 'Asia/Kolkata';	/* nothing may depend on it */

CREATE FUNCTION pg_temp.same(what text, got text, want text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	differences text[];
	n_want bigint;
BEGIN
	EXECUTE format($f$
		WITH got AS MATERIALIZED (SELECT g::text AS r FROM (%1$s) g), want AS MATERIALIZED (SELECT w::text AS r FROM (%2$s) w)
		SELECT (SELECT array_agg(d ORDER BY d) FROM (
					(SELECT '# want ' || r AS d FROM (SELECT r FROM want EXCEPT ALL SELECT r FROM got) w)
					UNION ALL
					(SELECT '#  got ' || r FROM (SELECT r FROM got EXCEPT ALL SELECT r FROM want) g)) x),
			   (SELECT count(*) FROM want)$f$, got, want)
		INTO differences, n_want;
	RETURN NEXT format('%s - %s (%s rows)', CASE WHEN differences IS NULL THEN 'ok' ELSE 'not ok' END, what, n_want);
	RETURN QUERY SELECT d FROM unnest(differences[1:20]) d;
END;
$$;

CREATE FUNCTION pg_temp.holds(what text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer boolean;
BEGIN
	EXECUTE query INTO answer;
	RETURN format('%s - %s', CASE WHEN answer THEN 'ok' ELSE 'not ok' END, what);
END;
$$;

CREATE FUNCTION pg_temp.fails(what text, statement text, state text, message text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN NEXT format('not ok - %s', what);
	RETURN NEXT '# no error';
EXCEPTION WHEN OTHERS THEN
	RETURN NEXT format('%s - %s', CASE WHEN SQLSTATE = state AND SQLERRM LIKE message THEN 'ok' ELSE 'not ok' END, what);
	IF SQLSTATE <> state OR SQLERRM NOT LIKE message THEN
		RETURN NEXT format('# %s %s', SQLSTATE, SQLERRM);
	END IF;
END;
$$;

CREATE FUNCTION pg_temp.month(at timestamptz) RETURNS text LANGUAGE sql AS
	$$SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM')$$;
