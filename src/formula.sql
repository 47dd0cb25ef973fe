
-- ---------------------------------------------------------------------------
-- Formulas: what KPIs are made of (formula*.c, evaluate.c).
--
--	+ - * / ( ) and unary minus   numbers, measures, KPIs   days()
--	prior(x)  year_ago(x)  sum_last(x, n)  mean_last(x, n)  sum_months(x, n)
--	target(kpi)  setting(name)  mean(distribution)  quantile(distribution, fraction)
--	least(x, y, ...)  greatest(x, y, ...)  nullif(x, y)  coalesce(x, y, ...)
-- ---------------------------------------------------------------------------

CREATE FUNCTION @extschema@.kpi_formula_names(formula text)
RETURNS TABLE (name text, used_as text)
AS 'MODULE_PATHNAME', 'salkpi_kpi_formula_names'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
ROWS 5;

COMMENT ON FUNCTION @extschema@.kpi_formula_names(text) IS
'The distinct names in a formula, ordered, with what each is used as: value (a measure or KPI), state (a distribution, the argument of mean or quantile), target (the KPI in target()) or setting (the argument of setting). A name used in two ways has two rows. NULL formula: no rows. Errors: syntax_error and others for what is not a formula.';

CREATE FUNCTION @extschema@.kpi_formula_expand(formula text, kpis text[], formulas text[])
RETURNS text
AS 'MODULE_PATHNAME', 'salkpi_kpi_formula_expand'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_formula_expand(text, text[], text[]) IS
'The formula with the names of KPIs replaced by their formulas, also within those, in canonical spelling. kpis[i] has the formula formulas[i]. Names that are not in kpis stay: they are measures; so does a KPI whose formula is its own name. The arguments of target(), setting(), mean() and quantile() stay. Parentheses are kept where they make a difference to the order of evaluation. NULL if an argument is NULL. Errors: invalid_recursion for KPIs that depend on themselves, naming the cycle; a KPI given twice; arrays that contain NULL or differ in length; a result of more than 32768 bytes or 500 levels, or that reads more than 100000 values since functions over periods look back within each other.';

CREATE FUNCTION @extschema@.kpi_formula_reach(formula text, periods_per_year integer)
RETURNS integer
AS 'MODULE_PATHNAME', 'salkpi_kpi_formula_reach'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_formula_reach(text, integer) IS
'How many periods before the current one the evaluation of an expanded formula reads at most; 0 if none. prior(x) reads 1 further back than x, year_ago(x) periods_per_year (1 to 1000), sum_last(x, n) and mean_last(x, n) n - 1; the months that sum_months reads do not count here. NULL if an argument is NULL. Errors: those of the grammar.';

CREATE FUNCTION @extschema@.kpi_formula_months(formula text)
RETURNS integer
AS 'MODULE_PATHNAME', 'salkpi_kpi_formula_months'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_formula_months(text) IS
'How many months, back from the last complete one of a period, the evaluation of an expanded formula reads for sum_months at most; 0 if there is none in it. NULL if the argument is NULL. Errors: those of the grammar.';

CREATE FUNCTION @extschema@.kpi_formula_reads(formula text, periods_per_year integer)
RETURNS TABLE (name text, used_as text, part text, nearest integer, farthest integer,
			   nearest_month integer, farthest_month integer)
AS 'MODULE_PATHNAME', 'salkpi_kpi_formula_reads'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
ROWS 5;

COMMENT ON FUNCTION @extschema@.kpi_formula_reads(text, integer) IS
'What an expanded formula reads, a row for each name in it from left to right: the name and what it is used as (as in kpi_formula_names), whether it stands in the numerator or the denominator (part; both: a mean, which divides a sum by a number), and in which periods: all from nearest to farthest before the current one, 0 being that; within sum_months, in all months from nearest_month to farthest_month before the last complete one of these periods (else NULL). NULL argument: no rows. Errors: those of the grammar.';

CREATE FUNCTION @extschema@.kpi_formula_resolve(formulas text[], n_formulas text[], periods_per_year integer, kpis text[], kpi_formulas text[], of_kpis text[])
RETURNS TABLE (ordinal bigint, formula text, n_formula text, counts_state boolean, reach integer, months integer,
			   measures text[], has_state boolean, targets text[])
AS 'MODULE_PATHNAME', 'salkpi_kpi_formula_resolve'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
ROWS 20;

COMMENT ON FUNCTION @extschema@.kpi_formula_resolve(text[], text[], integer, text[], text[], text[]) IS
'What it takes to evaluate formulas, a row for each in the order given: the formula and that which counts its rows (n_formulas[i]; where that is NULL and the formula reads one distribution and nothing else, its mean, and counts_state is true; else NULL), both expanded as by kpi_formula_expand with kpis[i] standing for kpi_formulas[i]; how far both reach (as kpi_formula_reach) and how many months they read (as kpi_formula_months); the measures of the formula, whether a distribution is among them, and the KPIs in target(). NULL argument: no rows. Errors: those of kpi_formula_expand, with the name of the KPI, of_kpis[i], in their context.';

CREATE FUNCTION @extschema@.kpi_evaluate(
	formula text,
	facts @extschema@.kpi_fact[],
	periods_per_year integer,
	target_names text[],
	target_values numeric[],
	months @extschema@.kpi_fact[] DEFAULT NULL,
	setting_names text[] DEFAULT NULL,
	setting_values numeric[] DEFAULT NULL,
	OUT value numeric,
	OUT numerator numeric,
	OUT denominator numeric,
	OUT reason text)
RETURNS record
AS 'MODULE_PATHNAME', 'salkpi_kpi_evaluate'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_evaluate(text, @extschema@.kpi_fact[], integer, text[], numeric[], @extschema@.kpi_fact[], text[], numeric[]) IS
'The value of an expanded formula, exact: a numerator and a denominator are carried to the end, divided once, and rounded once to 16 decimals, half away from zero. The first element of facts is the row of the current period, the second that of the period before it, and so on; a NULL or missing element is a period that was not computed. target_values[i] is the target of the KPI target_names[i] in the current period, setting_values[i] the value of the setting setting_names[i]. months has the rows of the same member by calendar months, the newest first, a NULL for one that was not computed; sum_months(x, n) adds up x over the last n complete ones that ended with the period or before its end (of a running one: before now), and x is evaluated as for a month. value: the result; numerator and denominator (> 0, not reduced) of a ratio; a formula that does not divide has denominator NULL and value = numerator, not rounded. If value is NULL reason says why, and numerator and denominator are NULL too unless the formula as a whole divides by zero (denominator 0, numerator what there was to divide). Reasons: not computed (the period), not available (the measure is NULL), zero denominator (also nullif of equal values and the mean or quantile of an empty distribution), no target (also for target() in another period or within sum_months), not set (a setting without value), out of range (of the whole formula: in some operand a product would have more than 16383 decimals, or a number is too large for numeric). NULL in any operand, of least, greatest and nullif too, makes the result NULL; the leftmost reason counts. Only coalesce gives the first operand that is known; if none is, the first reason other than not available counts, else that. A coalesce is a ratio if any of its operands is one. mean and quantile are in days; quantile interpolates as percentile_cont. Errors: undefined_column for an unknown measure, datatype_mismatch for a distribution used as a number or the reverse, invalid_parameter_value for NaN and infinity, null_value_not_allowed if formula or periods_per_year is NULL.';
