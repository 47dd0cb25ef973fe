/*
 * computed_arguments.c
 *	  What kpi_evaluate_all is given: readers make it, and yet nothing of it is
 *	  taken for granted, since whoever may use the schema may call the function.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "computed.h"
#include "panel.h"
#include "salkpi.h"

/* The arguments of kpi_evaluate_all. */
enum
{
	ARGUMENT_DEFINITIONS,
	ARGUMENT_FACTS,
	ARGUMENT_MEMBERS,
	ARGUMENT_BLANK,
	ARGUMENT_GRAIN,
	ARGUMENT_STARTS,
	ARGUMENT_MONTH_STARTS,
	ARGUMENT_PER_YEAR,
	ARGUMENT_BASES,
	ARGUMENT_CUT_BASES,
	ARGUMENT_SHOWN_BASES,
	ARGUMENT_ADDITIVE,
	ARGUMENT_TARGET_KPIS,
	ARGUMENT_TARGET_MEMBERS,
	ARGUMENT_TARGET_PERIODS,
	ARGUMENT_TARGET_VALUES,
	ARGUMENT_TARGET_WARN_AT,
	ARGUMENT_SETTING_NAMES,
	ARGUMENT_SETTING_VALUES,
	ARGUMENT_FIRST_DAY,
	ARGUMENT_BEGINNING,
	ARGUMENT_BEGUN_MEASURES
};

/* ---------- arrays ---------- */

/* NULL is an empty array. */
static Elements
values_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return (Elements) {0};
	return salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(argument), "arrays");
}

static void
raise_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be NULL", what)));
}

/* The same for one whose elements are not NULL. */
static Elements
array_argument(FunctionCallInfo fcinfo, int argument, const char *what)
{
	Elements	elements = values_argument(fcinfo, argument);

	for (int i = 0; i < elements.count; i++)
		if (elements.nulls[i])
			raise_null(what);
	return elements;
}

/* How many periods before the newest one. */
static Elements
bases_argument(FunctionCallInfo fcinfo, int argument)
{
	Elements	bases = array_argument(fcinfo, argument, "bases");

	for (int i = 0; i < bases.count; i++)
		if (DatumGetInt32(bases.values[i]) < 0 || DatumGetInt32(bases.values[i]) > SALKPI_MOST_PERIODS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("base %d is not between 0 and %d", DatumGetInt32(bases.values[i]), SALKPI_MOST_PERIODS)));
	return bases;
}

/* ---------- definitions ---------- */

static bool
has_unit(const Definition *definition, const char *unit)
{
	return salkpi_is_text(definition->columns[RESOLVED_UNIT], unit);
}

static FormulaNode *
bound_formula(const Definition *definition, int column, TupleDesc facts, Oid durations_type)
{
	FormulaNode *tree;

	if (definition->nulls[column])
		return NULL;
	tree = salkpi_formula_parse(TextDatumGetCString(definition->columns[column]), NULL);
	salkpi_formula_bind(tree, facts, durations_type);
	return tree;
}

static void
read_definition(Definition *definition, TupleDesc tupdesc, Datum row, TupleDesc facts,
				Oid durations_type)
{
	static const int required[] = {RESOLVED_KPI, RESOLVED_FORMULA, RESOLVED_COUNTS_STATE, RESOLVED_REACH, RESOLVED_UNIT,
	RESOLVED_BETTER, RESOLVED_HAS_STATE};
	HeapTupleData tuple = {0};
	ErrorContextCallback context = {error_context_stack, salkpi_formula_context, NULL};

	if (tupdesc->natts != RESOLVED_COLUMNS)
		elog(ERROR, "kpi_resolved has %d columns, not %d", tupdesc->natts, RESOLVED_COLUMNS);
	tuple.t_data = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
	heap_deform_tuple(&tuple, tupdesc, definition->columns, definition->nulls);
	for (int i = 0; i < lengthof(required); i++)
		if (definition->nulls[required[i]])
			raise_null("definitions");
	definition->kpi = TextDatumGetCString(definition->columns[RESOLVED_KPI]);
	context.arg = definition->kpi;
	error_context_stack = &context;
	definition->formula = bound_formula(definition, RESOLVED_FORMULA, facts, durations_type);
	definition->n = bound_formula(definition, RESOLVED_N_FORMULA, facts, durations_type);
	error_context_stack = context.previous;
	definition->counts_state = DatumGetBool(definition->columns[RESOLVED_COUNTS_STATE]);
	definition->reach = DatumGetInt32(definition->columns[RESOLVED_REACH]);
	if (definition->reach < 0 || definition->reach > SALKPI_MOST_PERIODS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("reach %d is not between 0 and %d", definition->reach, SALKPI_MOST_PERIODS)));
	definition->is_percent = has_unit(definition, "percent");
	definition->is_duration = has_unit(definition, "days") &&
		DatumGetBool(definition->columns[RESOLVED_HAS_STATE]);
	definition->is_down = salkpi_is_text(definition->columns[RESOLVED_BETTER], "down");
}

static void
read_definitions(Request *request, FunctionCallInfo fcinfo, TupleDesc facts)
{
	Elements	rows = array_argument(fcinfo, ARGUMENT_DEFINITIONS, "definitions");
	Oid			durations_type = salkpi_durations_type(fcinfo->flinfo->fn_oid);
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(get_element_type(get_fn_expr_argtype(fcinfo->flinfo, ARGUMENT_DEFINITIONS)), -1);
	int			deepest = 0;

	request->definitions = palloc0(sizeof(Definition) * (rows.count + 1));
	request->ndefinitions = rows.count;
	for (int i = 0; i < rows.count; i++)
	{
		read_definition(&request->definitions[i], tupdesc, rows.values[i], facts, durations_type);
		deepest = Max(deepest, request->definitions[i].reach);
	}
	request->evaluation.facts.rows = palloc(sizeof(FactRow *) * (deepest + 1));
	request->evaluation.facts.whole = palloc(sizeof(FactRow *) * (deepest + 1));
	ReleaseTupleDesc(tupdesc);
}

static void
read_members(Request *request, Datum blank)
{
	request->names = salkpi_sort_keys(&request->members);
	request->blank = salkpi_find_key(request->names, request->members.count, blank);
	request->nplaces = request->members.count;
	if (request->blank < 0)
		request->blank = request->nplaces++;
}

/* ---------- all of it ---------- */

static void
read_targets(FunctionCallInfo fcinfo, Request *request)
{
	const char *const names = "arrays about targets";

	request->target_kpis = array_argument(fcinfo, ARGUMENT_TARGET_KPIS, names);
	request->target_members = array_argument(fcinfo, ARGUMENT_TARGET_MEMBERS, names);
	request->target_periods = array_argument(fcinfo, ARGUMENT_TARGET_PERIODS, names);
	request->target_values = values_argument(fcinfo, ARGUMENT_TARGET_VALUES);
	request->target_warn_at = values_argument(fcinfo, ARGUMENT_TARGET_WARN_AT);
	salkpi_check_same_length(&request->target_kpis, &request->target_members, names);
	salkpi_check_same_length(&request->target_kpis, &request->target_periods, names);
	salkpi_check_same_length(&request->target_kpis, &request->target_values, names);
	salkpi_check_same_length(&request->target_kpis, &request->target_warn_at, names);
}

static void
read_arrays(FunctionCallInfo fcinfo, Request *request)
{
	Evaluation *evaluation = &request->evaluation;
	Elements	additive = array_argument(fcinfo, ARGUMENT_ADDITIVE, "measures");

	request->members = array_argument(fcinfo, ARGUMENT_MEMBERS, "members");
	request->starts = array_argument(fcinfo, ARGUMENT_STARTS, "first days");
	request->month_starts = array_argument(fcinfo, ARGUMENT_MONTH_STARTS, "first days");
	request->bases = bases_argument(fcinfo, ARGUMENT_BASES);
	request->cut_bases = bases_argument(fcinfo, ARGUMENT_CUT_BASES);
	request->shown_bases = bases_argument(fcinfo, ARGUMENT_SHOWN_BASES);
	evaluation->setting_names = array_argument(fcinfo, ARGUMENT_SETTING_NAMES, "names of settings");
	evaluation->setting_values = values_argument(fcinfo, ARGUMENT_SETTING_VALUES);
	salkpi_check_same_length(&evaluation->setting_names, &evaluation->setting_values, "names and values of settings");
	if (!PG_ARGISNULL(ARGUMENT_ADDITIVE))
		request->is_additive = salkpi_fact_listed(evaluation->tupdesc, additive.values, additive.count);
}

/* From which day to which there was nothing, as far as that is known. */
static void
read_beginning(FunctionCallInfo fcinfo, Request *request)
{
	Elements	measures = array_argument(fcinfo, ARGUMENT_BEGUN_MEASURES, "measures");

	request->has_beginning = !PG_ARGISNULL(ARGUMENT_FIRST_DAY) && !PG_ARGISNULL(ARGUMENT_BEGINNING);
	if (!request->has_beginning)
		return;
	request->first_day = PG_GETARG_DATEADT(ARGUMENT_FIRST_DAY);
	request->beginning = PG_GETARG_DATEADT(ARGUMENT_BEGINNING);
	request->has_begun = salkpi_fact_listed(request->evaluation.tupdesc, measures.values, measures.count);
}

/* The cursor may be anybody's: measures are added up by their types, of which there are three. */
static void
check_measures(TupleDesc tupdesc, Oid durations_type)
{
	for (int i = SALKPI_FIRST_MEASURE; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && attribute->atttypid != INT8OID &&
			attribute->atttypid != NUMERICOID && attribute->atttypid != durations_type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("measure \"%s\" must be bigint, numeric or kpi_durations", NameStr(attribute->attname))));
	}
}

/* Returns the cursor on the facts, whose rows are checked when they are read. */
Portal
salkpi_read_request(FunctionCallInfo fcinfo, Request *request)
{
	static const int required[] = {ARGUMENT_FACTS, ARGUMENT_BLANK, ARGUMENT_GRAIN, ARGUMENT_PER_YEAR};
	Portal		facts;

	for (int i = 0; i < lengthof(required); i++)
		if (PG_ARGISNULL(required[i]))
			raise_null("facts, blank_member, grain and periods_per_year");
	facts = SPI_cursor_find(text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_FACTS)));
	if (facts == NULL || facts->tupDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_CURSOR),
				 errmsg("cursor \"%s\" does not exist", text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_FACTS)))));
	check_measures(facts->tupDesc, salkpi_durations_type(fcinfo->flinfo->fn_oid));
	request->evaluation.tupdesc = facts->tupDesc;
	request->evaluation.columns = salkpi_fact_columns(facts->tupDesc);
	request->grain = text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_GRAIN));
	request->per_year = salkpi_check_periods_per_year(PG_GETARG_INT32(ARGUMENT_PER_YEAR));
	request->evaluation.facts.per_year = request->per_year;
	request->evaluation.months.per_year = SALKPI_MONTHS_PER_YEAR;
	read_arrays(fcinfo, request);
	read_beginning(fcinfo, request);
	read_targets(fcinfo, request);
	read_members(request, PG_GETARG_DATUM(ARGUMENT_BLANK));
	read_definitions(request, fcinfo, facts->tupDesc);
	return facts;
}
