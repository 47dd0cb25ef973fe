/*
 * Who buys, and after what: analyses of the sales themselves, as they are now.
 * They read the sources as the snapshot does, for one stretch of days and one
 * combination of dimensions, so that the parts add up to the revenue.
 */
CREATE FUNCTION @extschema@.kpi_revenue_by(base text, from_day date, to_day date, dimension text, member text)
	RETURNS TABLE (base_member text, revenue numeric)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
	SET row_security = off	-- an error, not a part of the number
AS $$
DECLARE
	begins timestamptz := @extschema@.kpi_midnight(from_day);
	fixed text[];
	wanted text[];
BEGIN
	PERFORM @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	PERFORM @extschema@.kpi_source_select('sale');
	SELECT CASE WHEN base = ANY (d.parts) THEN d.parts ELSE d.parts || base END, @extschema@.kpi_member_parts(member, cardinality(d.parts)) INTO wanted, fixed
	  FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_revenue_by.dimension;
	IF begins >= now() OR NOT @extschema@.kpi_has_dimension('sale', 'sold', array_to_string(wanted, '+')) THEN
		RETURN;
	END IF;

	RETURN QUERY
		SELECT c.members[array_position(wanted, base)], v.revenue
		  FROM unnest(@extschema@.kpi_read_sources(
				ARRAY(SELECT b.source FROM unnest(@extschema@.kpi_bound_sources()) WITH ORDINALITY b(source, n)
					   WHERE b.source IN ('exchange_rate', 'account', 'rep', 'opportunity', 'sale') ORDER BY b.n),
				'{sale.sold}', ARRAY[array_to_string(wanted, '+')],
				ARRAY[ROW(now(), ARRAY[begins, least(@extschema@.kpi_midnight(to_day), now())], ARRAY[from_day, least(to_day, @extschema@.kpi_today() + 1)],
					ARRAY[now()], NULL, NULL, '{1}', '{1}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::@extschema@.kpi_grid])) r
		 CROSS JOIN LATERAL @extschema@.kpi_panel_rows(r.panel) c
		 CROSS JOIN LATERAL (SELECT c.numerics[array_position(r.measures, @extschema@.kpi_measure_number('revenue')) - cardinality(c.integers)] AS revenue) v
		 WHERE r.part = 'sold' AND ARRAY(SELECT @extschema@.kpi_member_part(p.name) FROM unnest(c.members[:cardinality(fixed)]) WITH ORDINALITY p(name, i) ORDER BY p.i) = fixed AND v.revenue <> 0;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_revenue_by(text, date, date, text, text) IS
'the revenue of a member of a dimension in the days from from_day to before to_day, up to now, by the members of a further base dimension (account, preceding_activity or any other), read from the source "sale". No rows where the bound columns cannot tell; an error when it is not bound';

CREATE FUNCTION @extschema@.kpi_top_customers(n integer DEFAULT 10, period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'total',
											  member text DEFAULT '')
	RETURNS TABLE (rank bigint, account text, label text, revenue numeric, share numeric, concentration numeric)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	first_day date;
BEGIN
	PERFORM @extschema@.kpi_periods_per_year(grain);
	IF n < 0 THEN
		RAISE EXCEPTION 'number of customers must be 0 or more, not %', n
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	first_day := @extschema@.kpi_period_start(grain, coalesce(period, @extschema@.kpi_period_start(grain, @extschema@.kpi_today()) - 1));
	IF isfinite(first_day) IS NOT TRUE THEN	-- a day that the calendar does not know
		RETURN;
	END IF;

	RETURN QUERY
	WITH customer AS MATERIALIZED (
		SELECT r.base_member AS account, r.revenue
		  FROM @extschema@.kpi_revenue_by('account', first_day, @extschema@.kpi_period_end(grain, first_day), dimension, member) r
	), top AS MATERIALIZED (
		SELECT rank() OVER (ORDER BY c.revenue DESC) AS rank, c.account, c.revenue,
			   sum(c.revenue) OVER (ORDER BY c.revenue DESC, c.account COLLATE "C" ROWS UNBOUNDED PRECEDING) AS so_far,
			   nullif(greatest((SELECT sum(a.revenue) FROM customer a), 0), 0) AS total
		  FROM customer c WHERE c.account <> '(none)'
		 ORDER BY c.revenue DESC, c.account COLLATE "C" LIMIT n
	)
	SELECT t.rank, t.account, coalesce(x.name, t.account), trim_scale(t.revenue),
		   @extschema@.kpi_quotient(100 * t.revenue, t.total), @extschema@.kpi_quotient(100 * t.so_far, t.total)
	  FROM top t
	  LEFT JOIN @extschema@.kpi_names('account', ARRAY(SELECT account FROM top)) x ON x.id = t.account
	 ORDER BY t.revenue DESC, t.account COLLATE "C";
	IF NOT FOUND AND n IS DISTINCT FROM 0 THEN
		PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_top_customers(integer, date, text, text, text) IS
'the n customers (NULL: all) with the greatest revenue in the period of a grain that contains the day (NULL: the last complete one), up to now, for a member of a dimension, from the sources as they are: revenue, its share of the whole revenue of period and member in percent, and concentration, the share of this customer and those above it (more than 100 where credit notes to others weigh so much). Revenue without account is in the whole, but no customer. Shares are NULL when the whole is not positive. No rows where sales name no account; an error for a member that nobody knows, and when the source "sale" is not bound';

CREATE FUNCTION @extschema@.kpi_revenue_by_activity(from_day date, to_day date, dimension text DEFAULT 'total', member text DEFAULT '')
	RETURNS TABLE (kind text, revenue numeric, share numeric)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF (to_day > from_day) IS NOT TRUE OR NOT isfinite(from_day) THEN
		RAISE EXCEPTION 'to_day % must be after from_day %', to_day, from_day
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM @extschema@.kpi_source_select('activity');
	RETURN QUERY
	SELECT r.base_member, trim_scale(r.revenue), @extschema@.kpi_quotient(100 * r.revenue, nullif(greatest(sum(r.revenue) OVER (), 0), 0))
	  FROM @extschema@.kpi_revenue_by('preceding_activity', from_day, to_day, dimension, member) r
	 ORDER BY r.revenue DESC, r.base_member COLLATE "C";
	IF NOT FOUND THEN
		PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_revenue_by_activity(date, date, text, text) IS
'the revenue of the days from from_day to before to_day, up to now, for a member of a dimension, by the activity that preceded it: the kind of the last one done with the same account before the sale ((none) where there was none, or the sale names no account; before its day, where sales or activities are dated by the day; of several at one instant the last in the alphabet), from the sources as they are. share in percent, NULL when the whole is not positive. The kinds add up to the revenue. No rows where sales name no account; an error for a to_day that is not after from_day, for a member that nobody knows, and when the source "sale" or "activity" is not bound';
