/*
 * Facts: one row per grain, period, dimension and member, one column per
 * measure, each version with the time it was recorded and superseded.  NULL
 * means not available (source not bound, column missing, no history), 0 means
 * computed and none.
 */
CREATE TABLE @extschema@.kpi_run (
	run			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	started_at	timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	as_of		timestamptz,
	from_day	date,
	to_day		date,
	outcome		text NOT NULL CHECK (outcome IN ('running', 'done', 'failed')),
	periods		integer,
	facts		bigint,
	changed		bigint,
	problems	bigint,
	duration	interval,
	error		text,
	pid			integer DEFAULT pg_catalog.pg_backend_pid(),
	is_pruned	boolean NOT NULL DEFAULT false,
	basis		text,
	first_day	date,
	beginning	date,
	next_at		jsonb
);
CREATE INDEX kpi_run_as_of ON @extschema@.kpi_run (as_of) WHERE outcome = 'done';
COMMENT ON COLUMN @extschema@.kpi_run.basis IS
'of a snapshot without day bounds: a hash of what its facts were made from besides the sources'' rows (kpi_basis); empty when not all of them are there any more';
COMMENT ON COLUMN @extschema@.kpi_run.first_day IS 'the first day that the snapshot looked at';
COMMENT ON COLUMN @extschema@.kpi_run.beginning IS 'the day from which on there are facts, as far as the snapshot could tell';
COMMENT ON COLUMN @extschema@.kpi_run.next_at IS
'of a snapshot without day bounds: for sources of which it is known, the first instant in their rows that was still to come (kpi_changes)';
COMMENT ON TABLE @extschema@.kpi_run IS
'each snapshot: when, for which days, what came of it; a run that is still "running" without holding the lock has crashed (see kpi_runs)';
COMMENT ON COLUMN @extschema@.kpi_run.is_pruned IS 'kpi_prune has thinned out what it recorded';

CREATE TABLE @extschema@.kpi_problem (
	source		text NOT NULL,
	reason		text NOT NULL,
	bad_rows	bigint NOT NULL,
	keys		text[],
	first_seen	timestamptz NOT NULL,
	run			bigint NOT NULL,
	PRIMARY KEY (source, reason)
);
COMMENT ON TABLE @extschema@.kpi_problem IS
'bad rows that the last snapshot found and left out: how many, the smallest of their keys, since when; cleared when mended';

/* By bytes, so that its indexes stay right when the system's collations become others. */
CREATE TABLE @extschema@.kpi_fact (
	grain			text COLLATE "C" NOT NULL,
	period			date NOT NULL,
	period_end		date NOT NULL,
	dimension		text COLLATE "C" NOT NULL,
	member			text COLLATE "C" NOT NULL,
	recorded_at		timestamptz NOT NULL,
	superseded_at	timestamptz,
	run				bigint NOT NULL,
	is_complete		boolean NOT NULL,
	days			integer NOT NULL,
	revenue				numeric,
	direct_cost			numeric,
	revenue_with_cost	numeric,
	sale_lines			bigint,
	purchases			bigint,
	buying_customers	bigint,
	opportunities		bigint,
	opportunities_value	numeric,
	won_deals			bigint,
	won_value			numeric,
	lost_deals			bigint,
	lost_value			numeric,
	sales_cycle			@extschema@.kpi_durations,
	open_opportunities	bigint,
	pipeline_value		numeric,
	weighted_pipeline	numeric,
	unweighted_opportunities bigint,
	closing_opportunities bigint,
	pipeline_closing	numeric,
	weighted_closing	numeric,
	leads				bigint,
	leads_qualified		bigint,
	leads_converted		bigint,
	conversions			bigint,
	quotes_sent			bigint,
	quoted_value		numeric,
	deals_quoted		bigint,
	deals_quoted_won	bigint,
	open_quotes			bigint,
	open_quotes_value	numeric,
	calls				bigint,
	emails				bigint,
	meetings			bigint,
	linkedin_messages	bigint,
	demos				bigint,
	onboardings			bigint,
	no_shows			bigint,
	trials_started		bigint,
	calls_booked		bigint,
	contacts_messaged	bigint,
	contacts_replied	bigint,
	rep_days			bigint,
	mrr_opening         numeric,
	mrr_new             numeric,
	mrr_reactivated     numeric,
	mrr_expansion       numeric,
	mrr_contraction     numeric,
	mrr_churned         numeric,
	mrr                 numeric,
	mrr_retained        numeric,
	customers_opening   bigint,
	customers_won       bigint,
	customers_reactivated bigint,
	customers_churned   bigint,
	customers           bigint,
	customers_kept      bigint,
	new_customers       bigint,
	sales_and_marketing_cost numeric,
	campaign_cost       numeric,
	total_cost          numeric,
	lead_responses		@extschema@.kpi_durations,
	stage_entries		bigint,
	stage_advances		bigint,
	stage_stays			@extschema@.kpi_durations,
	first_buyers		bigint,
	revenue_to_date		numeric,
	customers_to_date	bigint,
	customers_of_year	bigint,
	accounts			bigint,
	open_at_start		bigint,
	mrr_cancelling		numeric,
	PRIMARY KEY (dimension, member, grain, period, recorded_at)
);
/* Their bytes are dense already: compressing them would cost more than writing all the rest. */
ALTER TABLE @extschema@.kpi_fact
	ALTER COLUMN sales_cycle SET STORAGE external, ALTER COLUMN lead_responses SET STORAGE external, ALTER COLUMN stage_stays SET STORAGE external;
COMMENT ON TABLE @extschema@.kpi_fact IS
'the measures of each period, dimension and member; grain "month_cut" and the like hold an earlier period cut after as many whole days as the running one has behind it. superseded_at IS NULL: the current version';
COMMENT ON COLUMN @extschema@.kpi_fact.days IS 'calendar days of the period begun so far';
CREATE UNIQUE INDEX kpi_fact_current ON @extschema@.kpi_fact (dimension, grain, period, member) WHERE superseded_at IS NULL;

SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_run', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_run_run_seq', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_problem', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_fact', '');

DO $$
BEGIN
	EXECUTE (SELECT string_agg(DISTINCT format('COMMENT ON COLUMN @extschema@.kpi_fact.%I IS %L', measure, description_en), '; ')
			   FROM @extschema@.kpi_measure);
END;
$$;

CREATE FUNCTION @extschema@.kpi_require_all_facts(hint text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF row_security_active('@extschema@.kpi_fact'::regclass) THEN	-- as PostgreSQL would, but saying what to do
		RAISE EXCEPTION 'query would be affected by row-level security policy for table "kpi_fact"'
			USING ERRCODE = 'insufficient_privilege', HINT = hint;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_all_facts(text) IS
'raises, with the hint, when row-level security may hide facts from the caller';
