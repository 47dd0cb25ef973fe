/*
 * Reading what recurs: how the MRR and the customers of each period moved.
 */
CREATE FUNCTION @extschema@.kpi_mrr_movements(from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
											  members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, is_complete boolean,
				   opening numeric, new numeric, reactivation numeric, expansion numeric, contraction numeric, churned numeric, closing numeric,
				   customers_opening bigint, customers_new bigint, customers_reactivated bigint, customers_churned bigint, customers_closing bigint)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	blank text := @extschema@.kpi_require_dimension(dimension);
	oldest date;
	newest date;
	bases integer[];
	starts date[];
BEGIN
	PERFORM @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	PERFORM @extschema@.kpi_require_known(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, dimension, from_day, to_day, as_of) r;
	bases := @extschema@.kpi_bases(grain, oldest, newest);
	starts := @extschema@.kpi_starts(grain, newest, cardinality(bases) - 1);
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_range_members(grain, dimension, oldest, newest, as_of)
					ELSE ARRAY(SELECT DISTINCT u.m FROM unnest(members) u(m)	-- nobody knows the others, or the caller may not see them
								WHERE u.m = blank OR EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_mrr_movements.dimension AND f.member = u.m
																AND (as_of IS NULL OR f.recorded_at <= as_of))) END;

	RETURN QUERY
	SELECT @extschema@.kpi_midnight(f.period, zone), m.member, l.label, f.is_complete,
		   f.mrr_opening, f.mrr_new, f.mrr_reactivated, f.mrr_expansion, f.mrr_contraction, f.mrr_churned, f.mrr,
		   f.customers_opening, f.customers_won, f.customers_reactivated, f.customers_churned, f.customers
	  FROM unnest(bases) b(base)
	  CROSS JOIN unnest(members) m(member)
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = m.member
	  CROSS JOIN LATERAL (SELECT starts[b.base + 1] AS period) p
	  LEFT JOIN LATERAL @extschema@.kpi_fact_version(kpi_mrr_movements.dimension, m.member, kpi_mrr_movements.grain, p.period, as_of) own ON true
	  LEFT JOIN LATERAL @extschema@.kpi_fact_version(kpi_mrr_movements.dimension, blank, kpi_mrr_movements.grain, p.period, as_of) none ON true
	  CROSS JOIN LATERAL (SELECT (@extschema@.kpi_filled(own, none)).*) f
	 WHERE f.period IS NOT NULL
	 ORDER BY 1, m.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_mrr_movements(date, date, text, text, text[], timestamptz, text) IS
'how the recurring revenue of each period moved: opening + new + reactivation + expansion - contraction - churned = closing, and the customers of each; arguments as of kpi_series. On each grain''s own boundaries: a quarter is not the sum of three months; in each member the customers are netted anew. 0 where a member has nothing in a period; no rows of one that had no fact yet, an error for one that nobody knows. NULL when no subscriptions are bound';
