/*
 * How an amount is divided among days: all of them alike, or those that are
 * worked.  Working days are the days of the week of the setting working_days
 * without the holidays; targets are spread over them, and running periods paced
 * by them, where the setting target_days says so.
 */

CREATE FUNCTION @extschema@.kpi_quotient(numerator numeric, denominator numeric, decimals integer DEFAULT 16) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_quotient'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_quotient(numeric, numeric, integer) IS
'numerator / denominator, rounded once to so many decimals (0 to 18), half away from zero; NULL when the denominator is 0 or an argument NULL';

CREATE FUNCTION @extschema@.kpi_day_share(amount numeric, from_day date, to_day date, first_day date, end_day date) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN end_day = to_day THEN amount ELSE @extschema@.kpi_quotient(amount * (end_day - from_day), to_day - from_day, 12) END
		 - @extschema@.kpi_quotient(amount * (first_day - from_day), to_day - from_day, 12);
END;
COMMENT ON FUNCTION @extschema@.kpi_day_share(numeric, date, date, date, date) IS
'the part of an amount for the days from_day to before to_day that falls on those from first_day to before end_day within them: the difference of the cumulative shares rounded to 12 decimals (but that of all days, the amount itself), so that parts add up to the whole. NULL for NULL';

CREATE TABLE @extschema@.kpi_holiday (
	day		date PRIMARY KEY CHECK (pg_catalog.isfinite(day)),
	name	text
);
COMMENT ON TABLE @extschema@.kpi_holiday IS
'days on which nobody works, besides the days of the week that are free anyway; to be written by users';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_holiday', '');

/* Days are counted from the first one that PostgreSQL knows, a Monday. */
CREATE FUNCTION @extschema@.kpi_working_days(from_day date, to_day date) RETURNS integer
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(sum((d.to_day - w.weekday + 7) / 7 - (d.from_day - w.weekday + 7) / 7
						- (SELECT count(*)::integer FROM @extschema@.kpi_holiday h
							WHERE h.day >= kpi_working_days.from_day AND h.day < kpi_working_days.to_day
							  AND extract(isodow FROM h.day) = w.weekday)), 0)::integer
	  FROM (SELECT DISTINCT unnest(string_to_array(@extschema@.kpi_setting('working_days'), ','))::integer) w(weekday),
		   (SELECT kpi_working_days.from_day - date '4714-11-24 BC', kpi_working_days.to_day - date '4714-11-24 BC') d(from_day, to_day)
	 WHERE d.to_day > d.from_day;
END;
COMMENT ON FUNCTION @extschema@.kpi_working_days(date, date) IS
'how many of the days from from_day to before to_day are worked: those of the setting working_days that are not in kpi_holiday; 0 for an empty range';

CREATE FUNCTION @extschema@.kpi_spread_share(by_working_days boolean, amount numeric, from_day date, to_day date, first_day date, end_day date) RETURNS numeric
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	days bigint := CASE WHEN by_working_days THEN @extschema@.kpi_working_days(from_day, to_day) ELSE 0 END;
BEGIN
	IF days = 0 THEN
		RETURN @extschema@.kpi_day_share(amount, from_day, to_day, first_day, end_day);
	END IF;
	RETURN CASE WHEN end_day = to_day THEN amount ELSE @extschema@.kpi_quotient(amount * @extschema@.kpi_working_days(from_day, end_day), days, 12) END
		   - @extschema@.kpi_quotient(amount * @extschema@.kpi_working_days(from_day, first_day), days, 12);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_spread_share(boolean, numeric, date, date, date, date) IS
'as kpi_day_share, over all days or over the working days alone; over all where none of the range is worked';
