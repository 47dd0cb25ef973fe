/*
 * Whether the sources fit together, for kpi_check: keys that a join in a view
 * may have repeated, names that another source does not know, dimensions that no
 * source has, dates that no snapshot looks at.  A snapshot does not ask: each row
 * counts where it says, and what is not known is (none).
 */
CREATE FUNCTION @extschema@.kpi_repeated_keys()
	RETURNS TABLE (source text, keys bigint, examples text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key text;
BEGIN
	FOR source, key IN	-- of accounts and reps, intervals that overlap are bad rows
		SELECT k.source, k.key FROM (VALUES ('activity', 'r.id'), ('exchange_rate', 'r.currency || '' '' || r.valid_on'), ('lead', 'r.id'), ('opportunity', 'r.id'),
											('quote', 'r.id'), ('sale', 'r.sale_id || '' '' || r.line_id'), ('stage', 'r.name'), ('subscription', 'r.id || '' '' || r.valid_from')) k(source, key)
		 WHERE @extschema@.kpi_may_read(k.source)
	LOOP
		SELECT x.* INTO keys, examples
		  FROM @extschema@.kpi_execute(format('SELECT count(*), (array_agg(k.key ORDER BY k.key COLLATE "C"))[:5] FROM (SELECT %s AS key FROM (%s) r GROUP BY 1 HAVING count(*) > 1) k WHERE k.key IS NOT NULL',
					key, @extschema@.kpi_source_select(source)), ROW()) AS x(keys bigint, examples text[]);
		IF keys > 0 THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_repeated_keys() IS
'the bound sources in which rows that should be one of a kind are there more than once: how many keys that concerns, and the smallest. What the caller may not read is left out';

CREATE FUNCTION @extschema@.kpi_unknown_names()
	RETURNS TABLE (source text, kind text, names bigint, examples text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT u.source, k.* FROM @extschema@.kpi_usable_columns() u
		  JOIN (VALUES ('account_id', 'account', 'id'), ('stage', 'stage', 'name')) k(column_name, kind, key) USING (column_name)
		 WHERE @extschema@.kpi_may_read(u.source) AND @extschema@.kpi_may_read(k.kind)
		 ORDER BY u.source, k.kind
	LOOP
		source := c.source;
		kind := c.kind;
		SELECT x.* INTO names, examples
		  FROM @extschema@.kpi_execute(format('SELECT count(*), (array_agg(n.name ORDER BY n.name COLLATE "C"))[:5] FROM (SELECT DISTINCT r.%1$I AS name FROM (%2$s) r'
					' WHERE r.%1$I IS NOT NULL AND NOT EXISTS (SELECT FROM (%3$s) k WHERE k.%4$I = r.%1$I)) n',
					c.column_name, @extschema@.kpi_source_select(c.source), @extschema@.kpi_source_select(c.kind), c.key), ROW()) AS x(names bigint, examples text[]);
		IF names > 0 THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unknown_names() IS
'the accounts and stages that rows of a source name, but the source account or stage (kind) does not know: how many, and the smallest. What is not bound, or the caller may not read, is left out';

CREATE FUNCTION @extschema@.kpi_far_dates()
	RETURNS TABLE (source text, column_name text, is_future boolean, bad_rows bigint, example date)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	oldest timestamptz := @extschema@.kpi_midnight((SELECT d.first_day FROM @extschema@.kpi_snapshot_days(NULL, NULL, now()) d));
	c record;
BEGIN
	FOR c IN	-- what has happened; what is planned may lie far ahead
		SELECT k.* FROM (VALUES ('activity', 'happened_at', 'status IS NULL OR status = ''done'''), ('lead', 'created_at', 'true'), ('opportunity', 'closed_at', 'status IN (''won'', ''lost'')'),
								('opportunity', 'created_at', 'true'), ('quote', 'sent_at', 'true'), ('sale', 'sold_at', 'true')) k(source, column_name, condition)
		 WHERE @extschema@.kpi_may_read(k.source) ORDER BY k.source, k.column_name
	LOOP
		source := c.source;
		column_name := c.column_name;
		FOR is_future, bad_rows, example IN
			SELECT x.*
			  FROM @extschema@.kpi_execute(format('SELECT r.at > $2, count(*), @extschema@.kpi_day(CASE WHEN bool_or(r.at > $2) THEN max(r.at) ELSE min(r.at) END) FROM (SELECT %I AS at FROM (%s) s WHERE %s) r'
						' WHERE isfinite(r.at) AND (r.at < $1 OR r.at > $2) GROUP BY 1 ORDER BY 1', c.column_name, @extschema@.kpi_source_select(c.source), c.condition),
						ROW(oldest, now() + interval '1 day')) AS x(is_future boolean, bad_rows bigint, example date)
		LOOP
			RETURN NEXT;
		END LOOP;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_far_dates() IS
'the dates of what has happened that lie more than a day ahead (is_future), or further back than a snapshot looks by itself (setting history_years): how many rows have such a one in which column, and the farthest. What the caller may not read is left out';

CREATE FUNCTION @extschema@.kpi_missing_parts() RETURNS TABLE (dimension text, part text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.dimension, p.part
	  FROM @extschema@.kpi_dimension_own d
	 CROSS JOIN LATERAL unnest(d.parts) p(part)
	 WHERE p.part NOT IN ('cohort', 'preceding_activity')
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_usable_columns() u WHERE u.column_name = CASE p.part WHEN 'rep' THEN 'rep_id' ELSE p.part END);
END;
COMMENT ON FUNCTION @extschema@.kpi_missing_parts() IS
'the dimensions of kpi_define_dimension with a part that no bound source has as a column of type text, and that part';
