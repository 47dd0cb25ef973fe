
-- ---------- stages: the way of an opportunity through them ----------

CREATE TYPE @extschema@.kpi_step AS (valid_from timestamptz, valid_to timestamptz, stage text, status text, keys text[]);
COMMENT ON TYPE @extschema@.kpi_step IS
'a row of the history of an opportunity, as kpi_stage_events reads it; keys: what tells the members that it belongs to';

CREATE TYPE @extschema@.kpi_stage_event AS (at timestamptz, since timestamptz, entered boolean, advanced boolean, by_closing boolean, stage text, keys text[]);
COMMENT ON TYPE @extschema@.kpi_stage_event IS
'that an opportunity entered a stage for the first time (entered), or that a stay in one, which began at since, ended; advanced: whether a later stage or the deal followed; by_closing: whether it was the closing of the opportunity that did it; keys: of the row of the history that says so (of a stage entered by closing none does, and the array is empty)';

CREATE FUNCTION @extschema@.kpi_stage_events(steps @extschema@.kpi_step[], names text[], positions bigint[], outcomes text[],
											 closed_at timestamptz, is_won boolean) RETURNS @extschema@.kpi_stage_event[]
AS 'MODULE_PATHNAME', 'salkpi_kpi_stage_events'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_stage_events(@extschema@.kpi_step[], text[], bigint[], text[], timestamptz, boolean) IS
'the stages that an opportunity entered, each once, and its stays in stages that ended, from its history, in any order; names, positions (NULL: in no order) and outcomes (open, won, lost; NULL: open) of the stages, of a name the first counting; closed_at (NULL: not, or nobody knows when) and whether it has been won by now. Rows without valid_from are left out. NULL when the history or the stages are NULL; an error when there are not as many positions or outcomes as names';
