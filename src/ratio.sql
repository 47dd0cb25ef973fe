-- Ratios: exact sums of numerators and denominators.

-- Two ratios together.

CREATE FUNCTION @extschema@.kpi_ratio_plus(@extschema@.kpi_ratio, @extschema@.kpi_ratio) RETURNS @extschema@.kpi_ratio
AS 'MODULE_PATHNAME', 'salkpi_ratio_plus'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR @extschema@.+ (
	FUNCTION = @extschema@.kpi_ratio_plus,
	LEFTARG = @extschema@.kpi_ratio,
	RIGHTARG = @extschema@.kpi_ratio,
	COMMUTATOR = OPERATOR(@extschema@.+)
);

COMMENT ON FUNCTION @extschema@.kpi_ratio_plus(@extschema@.kpi_ratio, @extschema@.kpi_ratio) IS 'implementation of + operator';
COMMENT ON OPERATOR @extschema@.+ (@extschema@.kpi_ratio, @extschema@.kpi_ratio) IS 'the ratio over the rows of both, as kpi_rollup gives it; NULL if either is';

-- Accessors, which are the final functions of the aggregates too.

CREATE FUNCTION @extschema@.kpi_quotient(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_quotient'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_percent(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_percent'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_margin(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_margin'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_growth(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_growth'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_multiple(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_multiple'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_accuracy(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_accuracy'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_coverage(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_coverage'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_numerator(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_numerator'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_denominator(ratio @extschema@.kpi_ratio) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_ratio_denominator'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_count(ratio @extschema@.kpi_ratio) RETURNS bigint
AS 'MODULE_PATHNAME', 'salkpi_ratio_count'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE CAST (@extschema@.kpi_ratio AS numeric) WITH FUNCTION @extschema@.kpi_quotient(@extschema@.kpi_ratio);

COMMENT ON FUNCTION @extschema@.kpi_quotient(@extschema@.kpi_ratio) IS
'numerator / denominator, rounded once to 16 decimals, half away from zero, without trailing zeros. NULL for NULL and for a denominator of 0';
COMMENT ON FUNCTION @extschema@.kpi_percent(@extschema@.kpi_ratio) IS
'100 * numerator / denominator, rounded as kpi_quotient. NULL for NULL and for a denominator of 0';
COMMENT ON FUNCTION @extschema@.kpi_margin(@extschema@.kpi_ratio) IS
'100 * (denominator - numerator) / denominator, as a margin is of cost by revenue, rounded as kpi_quotient. NULL for NULL and unless the denominator is above 0';
COMMENT ON FUNCTION @extschema@.kpi_growth(@extschema@.kpi_ratio) IS
'100 * (numerator - denominator) / denominator, as growth is of now by before, rounded as kpi_quotient. NULL for NULL and unless the denominator is above 0';
COMMENT ON FUNCTION @extschema@.kpi_multiple(@extschema@.kpi_ratio) IS
'how many times the denominator the numerator is: kpi_quotient, but NULL unless the denominator is above 0';
COMMENT ON FUNCTION @extschema@.kpi_accuracy(@extschema@.kpi_ratio) IS
'100 - 100 * |numerator - denominator| / denominator, as accuracy is of a forecast by what came, rounded as kpi_quotient; below 0 when it was off by more than the whole. NULL for NULL and unless the denominator is above 0';
COMMENT ON FUNCTION @extschema@.kpi_coverage(@extschema@.kpi_ratio) IS
'of all denominators those whose numerators are known, in percent, rounded as kpi_quotient: 100 when none is missing. NULL for NULL and when all of them add up to 0';
COMMENT ON FUNCTION @extschema@.kpi_numerator(@extschema@.kpi_ratio) IS
'sum of the numerators, exact, without trailing zeros. NULL for NULL and for a ratio of no rows';
COMMENT ON FUNCTION @extschema@.kpi_denominator(@extschema@.kpi_ratio) IS
'sum of the denominators, exact, without trailing zeros. NULL for NULL and for a ratio of no rows';
COMMENT ON FUNCTION @extschema@.kpi_count(@extschema@.kpi_ratio) IS
'how many rows numerator and denominator are of. NULL for NULL';
COMMENT ON CAST (@extschema@.kpi_ratio AS numeric) IS 'kpi_quotient';

-- What all aggregates below share.

CREATE FUNCTION @extschema@.kpi_ratio_combine(@extschema@.kpi_ratio, @extschema@.kpi_ratio) RETURNS @extschema@.kpi_ratio
AS 'MODULE_PATHNAME', 'salkpi_ratio_combine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_ratio_uncombine(@extschema@.kpi_ratio, @extschema@.kpi_ratio) RETURNS @extschema@.kpi_ratio
AS 'MODULE_PATHNAME', 'salkpi_ratio_uncombine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_ratio_final(@extschema@.kpi_ratio) RETURNS @extschema@.kpi_ratio
AS 'MODULE_PATHNAME', 'salkpi_ratio_final'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE @extschema@.kpi_rollup(ratio @extschema@.kpi_ratio) (
	SFUNC = @extschema@.kpi_ratio_combine,
	STYPE = @extschema@.kpi_ratio,
	SSPACE = 64,
	FINALFUNC = @extschema@.kpi_ratio_final,
	COMBINEFUNC = @extschema@.kpi_ratio_combine,
	MSFUNC = @extschema@.kpi_ratio_combine,
	MINVFUNC = @extschema@.kpi_ratio_uncombine,
	MSTYPE = @extschema@.kpi_ratio,
	MSSPACE = 64,
	MFINALFUNC = @extschema@.kpi_ratio_final,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_ratio_combine(@extschema@.kpi_ratio, @extschema@.kpi_ratio) IS 'combine function of the aggregates of kpi_ratio, and transition of kpi_rollup(kpi_ratio); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_ratio_uncombine(@extschema@.kpi_ratio, @extschema@.kpi_ratio) IS 'inverse transition of kpi_rollup(kpi_ratio); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_ratio_final(@extschema@.kpi_ratio) IS 'final function of the aggregates that return a kpi_ratio: its canonical form, NULL for a ratio of no rows';
COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_ratio) IS
'the ratio over the rows of all the given ones: what the aggregate over the rows behind them gives. NULL is left out; without a ratio the result is NULL';

-- The aggregates of kpi_ratio.  Each shape of rows has a transition and its
-- inverse, in each type of amount, for which # stands: with bigint alone
-- beside numeric, a call with integers would not be unique.
DO $do$
DECLARE
	schema constant text := $name$@extschema@$name$;
	shape record;
	aggregate record;
	amount text;
	args text;
	suffix text;
BEGIN
	FOR shape IN
		SELECT *
		FROM (VALUES
			('ratio', '#, #', 'numerator and denominator; NULL counts as nothing'),
			('profit', '#, #', 'cost by revenue; unknown cost is missing'),
			('sales_return', '#, #, #', 'direct and other cost by revenue; NULL counts as nothing'),
			('attainment', '#, #', 'actual by target; without target a row is left out'),
			('open_target', '#, #, #', 'pipeline by target less what is won; NULL counts as nothing'),
			('row_share', 'boolean', 'rows that are true by those that are not NULL'),
			('amount_share', 'boolean, #', 'amounts of rows that are true by those of all that are not NULL'),
			('won', 'boolean, #', 'amounts by rows that are true'),
			('kept', 'boolean, boolean', 'rows that were and still are by those that were; NULL is left out'),
			('net_kept', '#, #', 'closing by opening of the customers who are there at the opening'),
			('gross_kept', '#, #', 'the lesser of closing and opening by opening'),
			('active_day', '#, date, date, date', 'amounts of intervals that are active at a day'),
			('active_instant', '#, timestamp, timestamp, timestamp', 'amounts of intervals that are active at an instant'),
			('active_instant', '#, timestamptz, timestamptz, timestamptz', 'amounts of intervals that are active at an instant'),
			('pipeline', 'numeric, numeric', 'amount times probability by amount; unknown probability is missing')
		) shapes (name, args, meaning)
	LOOP
		FOREACH amount IN ARRAY CASE WHEN shape.args LIKE '%#%' THEN '{numeric,bigint,integer,smallint}' ELSE '{numeric}' END::text[] LOOP
			args := replace(shape.args, '#', amount);
			suffix := CASE WHEN shape.args LIKE '%#%' THEN '_' || amount ELSE '' END;
			EXECUTE format('CREATE FUNCTION %1$s.kpi_%2$s_add(%1$s.kpi_ratio, %3$s) RETURNS %1$s.kpi_ratio
				AS ''MODULE_PATHNAME'', %4$L LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE',
				schema, shape.name, args, format('salkpi_%s_add%s', shape.name, suffix));
			EXECUTE format('CREATE FUNCTION %1$s.kpi_%2$s_remove(%1$s.kpi_ratio, %3$s) RETURNS %1$s.kpi_ratio
				AS ''MODULE_PATHNAME'', %4$L LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE',
				schema, shape.name, args, format('salkpi_%s_remove%s', shape.name, suffix));
			EXECUTE format('COMMENT ON FUNCTION %1$s.kpi_%2$s_add(%1$s.kpi_ratio, %3$s) IS %4$L', schema, shape.name, args,
				'transition of aggregates of ' || shape.meaning || '; an error outside of an aggregate');
			EXECUTE format('COMMENT ON FUNCTION %1$s.kpi_%2$s_remove(%1$s.kpi_ratio, %3$s) IS %4$L', schema, shape.name, args,
				'the inverse of kpi_' || shape.name || '_add; an error outside of an aggregate');
		END LOOP;
	END LOOP;

	FOR aggregate IN
		SELECT *
		FROM (VALUES
			('kpi_profit_margin', 'revenue #, direct_cost #', 'profit', 'margin',
				'revenue less direct cost by revenue, in percent, over the rows whose revenue and cost are known. NULL unless their revenue adds up to more than 0'),
			('kpi_cost_coverage', 'revenue #, direct_cost #', 'profit', 'coverage',
				'share of the revenue whose direct cost is known, in percent. Rows without revenue are left out; NULL when the revenue adds up to 0'),
			('kpi_profit_state', 'revenue #, direct_cost #', 'profit', NULL,
				'the state of kpi_profit_margin and kpi_cost_coverage: direct cost by revenue, for kpi_margin and kpi_coverage'),
			('kpi_return_on_sales', 'revenue #, direct_cost #, cost #', 'sales_return', 'margin',
				'revenue less direct cost and all other cost by revenue, in percent. NULL counts as nothing, so that sales and costs may be different rows; NULL unless the revenue adds up to more than 0'),
			('kpi_return_state', 'revenue #, direct_cost #, cost #', 'sales_return', NULL,
				'the state of kpi_return_on_sales: both costs by revenue, for kpi_margin'),
			('kpi_attainment', 'actual #, target #', 'attainment', 'percent',
				'what was reached of the targets, in percent, as a ratio of sums. A row without target is left out, one with a target and nothing actual counts as 0; NULL when the targets add up to 0'),
			('kpi_attainment_state', 'actual #, target #', 'attainment', NULL,
				'the state of kpi_attainment, for kpi_percent'),
			('kpi_conversion_rate', 'converted boolean', 'row_share', 'percent',
				'rows that converted by all rows, in percent. NULL is left out: a row that is known not to have converted is false; NULL without rows'),
			('kpi_win_rate', 'won boolean', 'row_share', 'percent',
				'deals won by deals won or lost, in percent. NULL, a deal still open, is left out; NULL without closed deals'),
			('kpi_reply_rate', 'replied boolean', 'row_share', 'percent',
				'contacts who replied by contacts reached, in percent. NULL, one who was not reached, is left out; NULL without contacts'),
			('kpi_show_rate', 'shown boolean', 'row_share', 'percent',
				'meetings held by those held or missed, in percent. NULL, one still to come or called off, is left out; NULL without meetings'),
			('kpi_share_state', 'part boolean', 'row_share', NULL,
				'the state of kpi_conversion_rate, kpi_win_rate, kpi_reply_rate and kpi_show_rate, for kpi_percent'),
			('kpi_win_rate_by_value', 'won boolean, amount #', 'amount_share', 'percent',
				'amount of the deals won by that of the deals won or lost, in percent. NULL on either side is left out; NULL when the amounts add up to 0'),
			('kpi_share_state', 'part boolean, amount #', 'amount_share', NULL,
				'the state of kpi_win_rate_by_value and kpi_slippage: of all amounts those that are a part, for kpi_percent'),
			('kpi_average_won_value', 'won boolean, amount #', 'won', 'quotient',
				'amount of a deal won, on average. A deal won without amount counts as 0; deals that are not won are left out; NULL without deals won'),
			('kpi_won_state', 'won boolean, amount #', 'won', NULL,
				'the state of kpi_average_won_value: amount by number of deals won, for kpi_quotient'),
			('kpi_slippage', 'slipped boolean, amount #', 'amount_share', 'percent',
				'of the amount that was expected to close, the part that slipped, in percent. NULL on either side is left out; NULL when the amounts add up to 0'),
			('kpi_weighted_pipeline', 'amount numeric, probability numeric', 'pipeline', 'numerator',
				'sum of amount times probability (0 to 1, else an error). An amount without probability is left out, and told by kpi_coverage of the state; NULL without rows that have both'),
			('kpi_pipeline_state', 'amount numeric, probability numeric', 'pipeline', NULL,
				'the state of kpi_weighted_pipeline: what is expected by what there is, for kpi_numerator, kpi_denominator, kpi_percent and kpi_coverage'),
			('kpi_pipeline_coverage', 'pipeline #, target #, won #', 'open_target', 'multiple',
				'how many times the open pipeline covers what is missing to the target. NULL counts as nothing, so that pipeline, target and deals won may be different rows; NULL when nothing is missing'),
			('kpi_open_target_state', 'pipeline #, target #, won #', 'open_target', NULL,
				'the state of kpi_pipeline_coverage: pipeline by target less what is won, for kpi_multiple'),
			('kpi_retention_rate', 'was_customer boolean, is_customer boolean', 'kept', 'percent',
				'customers at the start who still are at the end by customers at the start, in percent, from one row a customer. NULL on either side is left out; NULL without customers at the start'),
			('kpi_churn_rate', 'was_customer boolean, is_customer boolean', 'kept', 'margin',
				'customers at the start who are gone at the end by customers at the start, in percent, from one row a customer: 100 less kpi_retention_rate. NULL on either side is left out; NULL without customers at the start'),
			('kpi_kept_state', 'was_customer boolean, is_customer boolean', 'kept', NULL,
				'the state of kpi_retention_rate and kpi_churn_rate over one row a customer: those kept by those who were there, for kpi_percent (retention) and kpi_margin (churn)'),
			('kpi_net_revenue_retention', 'opening #, closing #', 'net_kept', 'percent',
				'recurring revenue at the end of the customers at the start by that at the start, in percent, from one row a customer with its amounts at both. NULL is 0; a negative amount is an error (22023); NULL without revenue at the start'),
			('kpi_net_revenue_churn_rate', 'opening #, closing #', 'net_kept', 'margin',
				'recurring revenue lost and contracted less expansion by that at the start, in percent: 100 less kpi_net_revenue_retention, of the same rows'),
			('kpi_net_kept_state', 'opening #, closing #', 'net_kept', NULL,
				'the state of kpi_net_revenue_retention and kpi_net_revenue_churn_rate over one row a customer: closing by opening, for kpi_percent and kpi_margin'),
			('kpi_gross_revenue_retention', 'opening #, closing #', 'gross_kept', 'percent',
				'the lesser of the recurring revenue at the end and at the start, of the customers at the start, by that at the start, in percent, from one row a customer with its amounts at both. NULL is 0; a negative amount is an error (22023); NULL without revenue at the start'),
			('kpi_revenue_churn_rate', 'opening #, closing #', 'gross_kept', 'margin',
				'recurring revenue lost and contracted by that at the start, in percent: 100 less kpi_gross_revenue_retention, of the same rows'),
			('kpi_gross_kept_state', 'opening #, closing #', 'gross_kept', NULL,
				'the state of kpi_gross_revenue_retention and kpi_revenue_churn_rate over one row a customer: the lesser of both by opening, for kpi_percent and kpi_margin'),
			('kpi_mrr', 'amount #, valid_from date, valid_to date, at date', 'active_day', 'numerator',
				'monthly recurring revenue at an instant: the amounts of the intervals that are active then; 0 if none is, NULL without rows. A row is an interval [valid_from, valid_to) with its amount for a month; it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). A row without amount is left out; a negative amount is an error (22023)'),
			('kpi_mrr_state', 'amount #, valid_from date, valid_to date, at date', 'active_day', NULL,
				'the state of kpi_mrr, for kpi_numerator. A row is an interval [valid_from, valid_to) with its amount for a month; it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). A row without amount is left out; a negative amount is an error (22023)'),
			('kpi_mrr', 'amount #, valid_from timestamp, valid_to timestamp, at timestamp', 'active_instant', 'numerator',
				'monthly recurring revenue at an instant: the amounts of the intervals that are active then; 0 if none is, NULL without rows. A row is an interval [valid_from, valid_to) with its amount for a month; it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). A row without amount is left out; a negative amount is an error (22023)'),
			('kpi_mrr_state', 'amount #, valid_from timestamp, valid_to timestamp, at timestamp', 'active_instant', NULL,
				'the state of kpi_mrr, for kpi_numerator. A row is an interval [valid_from, valid_to) with its amount for a month; it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). A row without amount is left out; a negative amount is an error (22023)'),
			('kpi_mrr', 'amount #, valid_from timestamptz, valid_to timestamptz, at timestamptz', 'active_instant', 'numerator',
				'monthly recurring revenue at an instant: the amounts of the intervals that are active then; 0 if none is, NULL without rows. A row is an interval [valid_from, valid_to) with its amount for a month; it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). A row without amount is left out; a negative amount is an error (22023)'),
			('kpi_mrr_state', 'amount #, valid_from timestamptz, valid_to timestamptz, at timestamptz', 'active_instant', NULL,
				'the state of kpi_mrr, for kpi_numerator. A row is an interval [valid_from, valid_to) with its amount for a month; it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). A row without amount is left out; a negative amount is an error (22023)'),
			('kpi_ratio', 'numerator #, denominator #', 'ratio', NULL,
				'the sums of numerators and denominators, for kpi_quotient, kpi_percent, kpi_growth, kpi_accuracy and kpi_margin; the state of all aggregates whose ratio is a plain one. NULL counts as nothing; NULL without rows that have either'),
			('kpi_revenue_growth', 'revenue #, previous #', 'ratio', 'growth',
				'change of revenue against the previous one, in percent of that. NULL counts as nothing, so that the two may be in different rows; NULL unless the previous revenue adds up to more than 0'),
			('kpi_quote_to_close_ratio', 'won_deals #, quotes_sent #', 'ratio', 'percent',
				'deals won by quotes sent, in percent, from counts of both. NULL counts as nothing; NULL when no quote was sent'),
			('kpi_customer_acquisition_cost', 'cost #, new_customers #', 'ratio', 'quotient',
				'cost of sales and marketing by new customers. NULL counts as nothing; NULL without new customers'),
			('kpi_cost_per_lead', 'cost #, leads #', 'ratio', 'quotient',
				'cost of marketing by leads. NULL counts as nothing; NULL without leads'),
			('kpi_revenue_per_rep', 'revenue #, reps #', 'ratio', 'quotient',
				'revenue by reps, who may count by the share of the period that they worked. NULL counts as nothing; NULL without reps'),
			('kpi_calls_and_emails_per_rep', 'calls_and_emails #, reps #', 'ratio', 'quotient',
				'calls and e-mails by reps, who may count by the share of the period that they worked. NULL counts as nothing; NULL without reps'),
			('kpi_forecast_accuracy', 'forecast #, actual #', 'ratio', 'accuracy',
				'100 less by how much the forecast missed what came, in percent of that. NULL counts as nothing; NULL unless what came adds up to more than 0'),
			('kpi_quick_ratio', 'gained #, lost #', 'ratio', 'quotient',
				'recurring revenue gained (new, reactivated, expanded) by that lost (churned, contracted). NULL counts as nothing; NULL when nothing was lost')
		) aggregates (name, args, shape, finish, meaning)
	LOOP
		FOREACH amount IN ARRAY CASE WHEN aggregate.args LIKE '%#%' THEN '{numeric,bigint,integer,smallint}' ELSE '{numeric}' END::text[] LOOP
			args := replace(aggregate.args, '#', amount);
			EXECUTE format('CREATE AGGREGATE %1$s.%2$I(%3$s) (
					SFUNC = %1$s.kpi_%4$s_add, STYPE = %1$s.kpi_ratio, SSPACE = 64, FINALFUNC = %1$s.kpi_%5$s,
					COMBINEFUNC = %1$s.kpi_ratio_combine,
					MSFUNC = %1$s.kpi_%4$s_add, MINVFUNC = %1$s.kpi_%4$s_remove, MSTYPE = %1$s.kpi_ratio, MSSPACE = 64,
					MFINALFUNC = %1$s.kpi_%5$s, PARALLEL = SAFE)',
				schema, aggregate.name, args, aggregate.shape, coalesce(aggregate.finish, 'ratio_final'));
			EXECUTE format('COMMENT ON AGGREGATE %s.%I(%s) IS %L', schema, aggregate.name, args, aggregate.meaning);
		END LOOP;
	END LOOP;
END
$do$;
