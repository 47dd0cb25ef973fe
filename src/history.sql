/*
 * The rows of opportunity_history, and the stages of opportunities that they
 * tell.
 */
/* Ids may be of different types in the history and in the opportunities. */
CREATE FUNCTION @extschema@.kpi_of_deals(columns text[], condition text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('%s FROM (%s) o WHERE %s)',
				  CASE k.kind WHEN 'text' THEN 'raw_key COLLATE "default" IN (SELECT o.raw_key COLLATE "default"' WHEN 'other' THEN 'opportunity_id IN (SELECT o.id' ELSE 'raw_key IN (SELECT o.raw_key' END,
				  @extschema@.kpi_source_select('opportunity', key => 'id'), condition)
	  FROM (SELECT CASE min(t.kind) WHEN max(t.kind) THEN min(t.kind) ELSE 'other' END AS kind
			  FROM @extschema@.kpi_usable_columns() u,
				   LATERAL (SELECT CASE WHEN u.type IN ('bigint', 'integer', 'smallint') THEN 'integer' WHEN u.type IN ('text', 'character varying') THEN 'text'
										WHEN u.type = 'uuid' THEN u.type ELSE 'other' END AS kind) t
			 WHERE (u.source, u.column_name) IN (('opportunity', 'id'), ('opportunity_history', 'opportunity_id'))) k
	 WHERE 'opportunity.id' = ANY (columns) AND condition IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_of_deals(text[], text) IS
'SQL text of the condition that a row of the bound opportunity_history (as kpi_source_select reads it, with raw_key) is of a known opportunity o that meets a condition (its SQL text); NULL without one, and where opportunities are not bound';

/*
 * What became of opportunities in their stages, from their history: a row with
 * entered_at for each stage that one entered, the first time, and a row with
 * left_at for each stay in a stage that has ended.
 *
 * Stages are in the order of their position, won is after all of them, lost is
 * nowhere.  Who enters a stage has passed those before it, and enters them at
 * that moment if not before.  A stage without position is passed by no one and
 * passes none.  Rows of one stage that follow each other are one stay; a row
 * ends with the next at the latest, the last one when the opportunity is closed.
 * kpi_stage_events works that out for one opportunity; its rows are put together
 * by grouping, which spills, by the id as the relation has it where equal ids
 * have one text: that may already have them in this order.  (batch_stages.c does
 * the same without making the arrays.)  Where only some of the time is of
 * interest, so are opportunities of which a row begins or ends then, or which
 * are closed then.
 */
CREATE FUNCTION @extschema@.kpi_stages_select(columns text[], within text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	/* what tells the member of a row, without its stage */
	keys text[] := ARRAY(SELECT quote_ident(c.column_name) FROM @extschema@.kpi_source_column c
						  WHERE c.source = 'opportunity_history' AND c.kind IN ('id', 'text') AND c.column_name NOT IN ('opportunity_id', 'stage', 'status')
						 UNION SELECT quote_ident(u.column_name) FROM @extschema@.kpi_usable_columns() u
						  WHERE u.source = 'opportunity_history' AND u.kind = 'text' AND u.column_name NOT IN ('stage', 'status') ORDER BY 1);
	id record;	-- by what rows are grouped, and the text of that
	closed text := @extschema@.kpi_elapsed('(e).since', 'opportunity_history.valid_from', '(e).at', 'opportunity.closed_at', columns);
	ended text := @extschema@.kpi_elapsed('(e).since', 'opportunity_history.valid_from', '(e).at', 'opportunity_history.valid_to', columns);
BEGIN
	SELECT CASE WHEN k.is_raw THEN 'raw_key' ELSE 'opportunity_id' END AS key, CASE WHEN k.is_raw THEN c.expression ELSE 'r.opportunity_id' END AS expression INTO id
	  FROM @extschema@.kpi_source_columns('opportunity_history') c,
		   LATERAL (SELECT bool_or(u.type IN ('bigint', 'integer', 'smallint', 'text', 'character varying', 'uuid')) AS is_raw FROM @extschema@.kpi_usable_columns() u
					 WHERE u.source = 'opportunity_history' AND u.column_name = 'opportunity_id') k
	 WHERE c.column_name = 'opportunity_id';
	RETURN format($q$
WITH stage AS MATERIALIZED (
	SELECT coalesce(array_agg(name), '{}') AS names, coalesce(array_agg("position"), '{}') AS positions, coalesce(array_agg(outcome), '{}') AS outcomes
	  FROM (SELECT DISTINCT ON (name) name, "position", CASE WHEN is_won THEN 'won' WHEN is_lost THEN 'lost' ELSE 'open' END AS outcome
			  FROM (%1$s) x WHERE name <> '' ORDER BY name, "position") s
)
SELECT opportunity_id, %2$s(e).stage, CASE WHEN (e).entered THEN (e).at END AS entered_at, CASE WHEN (e).entered THEN (e).advanced END AS advanced,
	   CASE WHEN NOT (e).entered AND %3$s >= 0 THEN (e).at END AS left_at, CASE WHEN NOT (e).entered AND %3$s >= 0 THEN %3$s END AS stayed
  FROM (SELECT opportunity_id, unnest(@extschema@.kpi_stage_events(steps, (SELECT names FROM stage), (SELECT positions FROM stage), (SELECT outcomes FROM stage), %4$s, %5$s)) AS e
		  FROM (SELECT %11$s, steps
				  FROM (SELECT %12$s AS opportunity_id, array_agg(ROW(valid_from, valid_to, stage, status, %6$s)::@extschema@.kpi_step) AS steps
						  FROM (%7$s) x
						 WHERE valid_from < $4 AND (%8$s) IS NOT TRUE%10$s
						 GROUP BY %12$s
						OFFSET 0) r) h	-- whether the opportunity is known is asked once of each
		 WHERE %9$s) w
OFFSET 0$q$,	-- so that what a row is made of is worked out once
		CASE WHEN @extschema@.kpi_source_relation('stage') IS NULL
			THEN 'SELECT NULL::text AS name, NULL::bigint AS "position", NULL::boolean AS is_won, NULL::boolean AS is_lost WHERE false'
			ELSE @extschema@.kpi_source_select('stage') END,
		(SELECT string_agg(format('(e).keys[%s] AS %s, ', k.n, k.name), '' ORDER BY k.n)
		   FROM unnest(keys) WITH ORDINALITY k(name, n)),
		CASE closed WHEN ended THEN ended ELSE format('CASE WHEN (e).by_closing THEN %s ELSE %s END', closed, ended) END,
		@extschema@.kpi_fill_in('{closed_at}', 'opportunity_history', 'NULL::timestamptz', columns),
		@extschema@.kpi_fill_in('{deal_won}', 'opportunity_history', 'NULL::timestamptz', columns),
		format('ARRAY[%s]', array_to_string(keys, ', ')),
		@extschema@.kpi_source_select('opportunity_history', key => 'opportunity_id'),
		@extschema@.kpi_spoilt('opportunity_history', 'entered', array_remove(columns, 'opportunity.id')),
		@extschema@.kpi_fill_in('{known_deal}', 'opportunity_history', 'NULL::timestamptz', columns),
		CASE WHEN within IS NOT NULL
			 THEN format(' AND (raw_key IN (SELECT k.raw_key FROM (%s) k WHERE k.valid_from <@ %s OR k.valid_to <@ %2$s)%s)',
						 @extschema@.kpi_source_select('opportunity_history', key => 'opportunity_id'), within,
						 ' OR ' || @extschema@.kpi_of_deals(columns, 'o.closed_at <@ ' || within)) END,
		id.expression, id.key);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_stages_select(text[], text) IS
'SQL text of the stages that opportunities entered (entered_at; advanced: whether a later one or the deal followed before now) and of their stays in stages (left_at; stayed: microseconds, whole days where an end is a date), from the bound history, and rows that say neither; parameters as in kpi_source_query. within: SQL text of a tstzmultirange, to leave out what happened outside of it (some of it may come)';

/*
 * An opportunity is in one stage at a time: a row of its history ends with the
 * next at the latest, whatever it says itself.  Of rows that begin together, on the same
 * day mostly, the one in the further stage is the next, as in stages.c: won is after all
 * stages, also those without a position, and lost after the stage in which that happened.  Bad rows
 * end none.  Which row is the last takes all of its rows to tell; but what was closed
 * before a moment was not open at it, whatever they say.
 */
CREATE FUNCTION @extschema@.kpi_followed_select(columns text[], with_row boolean, open_at text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('SELECT *, lead(valid_from) OVER (PARTITION BY raw_key, (%s) IS TRUE ORDER BY %s) AS next_from FROM (%s) r%s',
				  @extschema@.kpi_spoilt('opportunity_history', 'open', array_remove(columns, 'opportunity.id')),
				  (SELECT string_agg(CASE c.column_name WHEN 'stage' THEN format('%1$s = ''won'', @extschema@.kpi_lookup_number((SELECT $8), stage, 2, NULL::timestamptz), CASE %1$s WHEN ''open'' THEN stage END',
																				 'coalesce(status, @extschema@.kpi_lookup((SELECT $8), stage, 4, NULL::timestamptz), ''open'')')
									 ELSE quote_ident(c.column_name) END, ', '
									 ORDER BY array_position('{valid_from,valid_to,stage}', c.column_name), c.place, c.column_name)	-- of all, lest it is chance which is the next
					 FROM @extschema@.kpi_source_columns('opportunity_history') c WHERE c.is_bound),
				  @extschema@.kpi_source_select('opportunity_history', with_row, 'opportunity_id'),
				  ' WHERE ' || @extschema@.kpi_of_deals(columns, 'o.status = ''open'' OR o.status IS NULL OR o.closed_at IS NULL'
													 || ' OR o.closed_at BETWEEN ' || open_at || ' AND ''infinity'''));	-- of a stretch the planner expects few
END;
COMMENT ON FUNCTION @extschema@.kpi_followed_select(text[], boolean, text) IS
'the text of a query that reads an opportunity_history as kpi_source_select does, with the beginning of the next row of the opportunity as next_from. open_at: SQL text of an instant, to read only the rows of opportunities that may have been open then (NULL: of all)';

CREATE FUNCTION @extschema@.kpi_rows_select(source text, reads text, columns text[], with_row boolean DEFAULT false, open_at text DEFAULT NULL, within text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN reads = 'stages' THEN CASE WHEN with_row THEN format('SELECT *, jsonb_strip_nulls(to_jsonb(e)) AS source_row FROM (%s) e', @extschema@.kpi_stages_select(columns, within))
												ELSE @extschema@.kpi_stages_select(columns, within) END
				WHEN source IN ('rep', 'account') THEN @extschema@.kpi_once_select(source, with_row)
				WHEN source = 'opportunity_history' THEN @extschema@.kpi_followed_select(columns, with_row, open_at)
				ELSE @extschema@.kpi_source_select(source, with_row) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_rows_select(text, text, text[], boolean, text, text) IS
'the text of the query whose rows the parts of a source are made of; reads: as of kpi_part; with_row: as of kpi_source_select; open_at: as of kpi_followed_select; within: as of kpi_stages_select';
