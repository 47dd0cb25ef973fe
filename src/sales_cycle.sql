-- The length of sales cycles: mean, median and 90th percentile in one line.

CREATE FUNCTION @extschema@.kpi_sales_cycle_add(bigint[], date, date) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_add_days'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_remove(bigint[], date, date) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_remove_days'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_add(bigint[], timestamp, timestamp) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_add_instants'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_remove(bigint[], timestamp, timestamp) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_remove_instants'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_add(bigint[], timestamptz, timestamptz) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_add_instants'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_remove(bigint[], timestamptz, timestamptz) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_remove_instants'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_combine(bigint[], bigint[]) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_combine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_final(bigint[]) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_cycle_mean'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE @extschema@.kpi_sales_cycle(opened date, won date) (
	SFUNC = @extschema@.kpi_sales_cycle_add,
	STYPE = bigint[],
	SSPACE = 64,
	INITCOND = '{0,0,0}',
	FINALFUNC = @extschema@.kpi_sales_cycle_final,
	COMBINEFUNC = @extschema@.kpi_sales_cycle_combine,
	MSFUNC = @extschema@.kpi_sales_cycle_add,
	MINVFUNC = @extschema@.kpi_sales_cycle_remove,
	MSTYPE = bigint[],
	MSSPACE = 64,
	MINITCOND = '{0,0,0}',
	MFINALFUNC = @extschema@.kpi_sales_cycle_final,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle(opened timestamp, won timestamp) (
	SFUNC = @extschema@.kpi_sales_cycle_add,
	STYPE = bigint[],
	SSPACE = 64,
	INITCOND = '{0,0,0}',
	FINALFUNC = @extschema@.kpi_sales_cycle_final,
	COMBINEFUNC = @extschema@.kpi_sales_cycle_combine,
	MSFUNC = @extschema@.kpi_sales_cycle_add,
	MINVFUNC = @extschema@.kpi_sales_cycle_remove,
	MSTYPE = bigint[],
	MSSPACE = 64,
	MINITCOND = '{0,0,0}',
	MFINALFUNC = @extschema@.kpi_sales_cycle_final,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle(opened timestamptz, won timestamptz) (
	SFUNC = @extschema@.kpi_sales_cycle_add,
	STYPE = bigint[],
	SSPACE = 64,
	INITCOND = '{0,0,0}',
	FINALFUNC = @extschema@.kpi_sales_cycle_final,
	COMBINEFUNC = @extschema@.kpi_sales_cycle_combine,
	MSFUNC = @extschema@.kpi_sales_cycle_add,
	MINVFUNC = @extschema@.kpi_sales_cycle_remove,
	MSTYPE = bigint[],
	MSSPACE = 64,
	MINITCOND = '{0,0,0}',
	MFINALFUNC = @extschema@.kpi_sales_cycle_final,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle_median(opened date, won date) (
	SFUNC = @extschema@.kpi_durations_add,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_median,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_add,
	MINVFUNC = @extschema@.kpi_durations_remove,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 1024,
	MFINALFUNC = @extschema@.kpi_median,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle_median(opened timestamp, won timestamp) (
	SFUNC = @extschema@.kpi_durations_add,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_median,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_add,
	MINVFUNC = @extschema@.kpi_durations_remove,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 1024,
	MFINALFUNC = @extschema@.kpi_median,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle_median(opened timestamptz, won timestamptz) (
	SFUNC = @extschema@.kpi_durations_add,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_median,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_add,
	MINVFUNC = @extschema@.kpi_durations_remove,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 1024,
	MFINALFUNC = @extschema@.kpi_median,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle_p90(opened date, won date) (
	SFUNC = @extschema@.kpi_durations_add,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_p90,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_add,
	MINVFUNC = @extschema@.kpi_durations_remove,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 1024,
	MFINALFUNC = @extschema@.kpi_p90,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle_p90(opened timestamp, won timestamp) (
	SFUNC = @extschema@.kpi_durations_add,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_p90,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_add,
	MINVFUNC = @extschema@.kpi_durations_remove,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 1024,
	MFINALFUNC = @extschema@.kpi_p90,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_sales_cycle_p90(opened timestamptz, won timestamptz) (
	SFUNC = @extschema@.kpi_durations_add,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_p90,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_add,
	MINVFUNC = @extschema@.kpi_durations_remove,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 1024,
	MFINALFUNC = @extschema@.kpi_p90,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_add(bigint[], date, date) IS 'transition function of kpi_sales_cycle(date, date); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_remove(bigint[], date, date) IS 'inverse transition function of kpi_sales_cycle(date, date); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_add(bigint[], timestamp, timestamp) IS 'transition function of kpi_sales_cycle(timestamp, timestamp); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_remove(bigint[], timestamp, timestamp) IS 'inverse transition function of kpi_sales_cycle(timestamp, timestamp); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_add(bigint[], timestamptz, timestamptz) IS 'transition function of kpi_sales_cycle(timestamptz, timestamptz); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_remove(bigint[], timestamptz, timestamptz) IS 'inverse transition function of kpi_sales_cycle(timestamptz, timestamptz); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_combine(bigint[], bigint[]) IS 'combine function of kpi_sales_cycle; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_final(bigint[]) IS 'final function of kpi_sales_cycle: the mean in days';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle(date, date) IS
'mean length of sales cycles in days, from first contact to won; rounded once to 16 decimals, half away from zero. A cycle is whole days. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. To store and roll up: kpi_mean(kpi_durations(opened, won))';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle(timestamp, timestamp) IS
'mean length of sales cycles in days, from first contact to won; rounded once to 16 decimals, half away from zero. A cycle is the time elapsed, in days of 24 hours. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. To store and roll up: kpi_mean(kpi_durations(opened, won))';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle(timestamptz, timestamptz) IS
'mean length of sales cycles in days, from first contact to won; rounded once to 16 decimals, half away from zero. A cycle is the time elapsed, in days of 24 hours. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. To store and roll up: kpi_mean(kpi_durations(opened, won))';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle_median(date, date) IS
'median length of sales cycles in days, as percentile_cont(0.5) defines it, exactly. A cycle is whole days. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. Other percentiles: kpi_quantile(kpi_durations(opened, won), p)';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle_median(timestamp, timestamp) IS
'median length of sales cycles in days, as percentile_cont(0.5) defines it, exactly. A cycle is the time elapsed, in days of 24 hours. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. Other percentiles: kpi_quantile(kpi_durations(opened, won), p)';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle_median(timestamptz, timestamptz) IS
'median length of sales cycles in days, as percentile_cont(0.5) defines it, exactly. A cycle is the time elapsed, in days of 24 hours. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. Other percentiles: kpi_quantile(kpi_durations(opened, won), p)';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle_p90(date, date) IS
'90th percentile of the length of sales cycles in days, as percentile_cont(0.9) defines it, exactly. A cycle is whole days. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. Other percentiles: kpi_quantile(kpi_durations(opened, won), p)';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle_p90(timestamp, timestamp) IS
'90th percentile of the length of sales cycles in days, as percentile_cont(0.9) defines it, exactly. A cycle is the time elapsed, in days of 24 hours. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. Other percentiles: kpi_quantile(kpi_durations(opened, won), p)';
COMMENT ON AGGREGATE @extschema@.kpi_sales_cycle_p90(timestamptz, timestamptz) IS
'90th percentile of the length of sales cycles in days, as percentile_cont(0.9) defines it, exactly. A cycle is the time elapsed, in days of 24 hours. One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. Other percentiles: kpi_quantile(kpi_durations(opened, won), p)';
