/*
 * computed.c
 *	  Values of many KPIs for many members and periods: the work of kpi_computed.
 *
 * SQL has resolved the KPIs, fetched the targets and opened a cursor on the
 * facts (an array of them would have their distributions detoasted, whether a
 * formula reads them or not); here these are put in their places, gaps filled,
 * members merged (places.c), and the formulas evaluated.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "computed.h"
#include "numbers.h"
#include "salkpi.h"

/* The columns of the result. */
enum
{
	COMPUTED_ORDINAL,
	COMPUTED_KPI,
	COMPUTED_NUMBER,
	COMPUTED_LABEL,
	COMPUTED_UNIT,
	COMPUTED_BETTER,
	COMPUTED_FORMULA,
	COMPUTED_MEASURES,
	COMPUTED_MEMBER,
	COMPUTED_BASE,
	COMPUTED_IS_CUT,
	COMPUTED_PERIOD,
	COMPUTED_IS_COMPLETE,
	COMPUTED_VALUE,
	COMPUTED_NUMERATOR,
	COMPUTED_DENOMINATOR,
	COMPUTED_N,
	COMPUTED_TARGET,
	COMPUTED_ATTAINMENT,
	COMPUTED_STATUS,
	COMPUTED_REASON,
	COMPUTED_MISSING,
	COMPUTED_DAYS,
	COMPUTED_PART,
	COMPUTED_WHOLE,
	COMPUTED_COLUMNS
};

PG_FUNCTION_INFO_V1(salkpi_kpi_evaluate_all);

/* ---------- targets ---------- */

static int
compare_targets(const void *a, const void *b)
{
	const Target *left = a;
	const Target *right = b;

	if (left->member != right->member)
		return left->member - right->member;
	return left->base - right->base;
}

/* Of merged members there is one target, of member ''. */
static void
sort_targets(Request *request)
{
	request->targets = palloc(sizeof(Target) * (request->target_kpis.count + 1));
	for (int i = 0; i < request->target_kpis.count; i++)
		request->targets[i] = (Target) {
			request->is_additive != NULL ? 0 :
				salkpi_find_key(request->names, request->members.count, request->target_members.values[i]),
				salkpi_find_period(&request->starts, DatumGetDateADT(request->target_periods.values[i])),
				i
		};
	qsort(request->targets, request->target_kpis.count, sizeof(Target), compare_targets);
}

/* The first of the targets of a member and period; *n: how many there are. */
static const Target *
find_targets(const Request *request, int member, int base, int *n)
{
	Target		key = {member, base, -1};
	const Target *end = request->targets + request->target_kpis.count;
	const Target *first = bsearch(&key, request->targets, request->target_kpis.count,
								  sizeof(Target), compare_targets);
	const Target *last = first;

	*n = 0;
	if (first == NULL)
		return NULL;
	while (first > request->targets && compare_targets(first - 1, &key) == 0)
		first--;
	while (last < end && compare_targets(last, &key) == 0)
		last++;
	*n = last - first;
	return first;
}

/* Hands the targets of a member and period to the formulas. */
static void
set_targets(Request *request, const Target *targets, int n)
{
	Elements	names = {palloc(sizeof(Datum) * (n + 1)), palloc0(sizeof(bool) * (n + 1)), n};
	Elements	values = {palloc(sizeof(Datum) * (n + 1)), palloc(sizeof(bool) * (n + 1)), n};

	for (int i = 0; i < n; i++)
	{
		names.values[i] = request->target_kpis.values[targets[i].row];
		values.values[i] = request->target_values.values[targets[i].row];
		values.nulls[i] = request->target_values.nulls[targets[i].row];
	}
	request->evaluation.target_names = names;
	request->evaluation.target_values = values;
}

/* The row of a KPI's own target, or -1. */
static int
own_target(const Request *request, const Definition *definition, const Target *targets, int n)
{
	TextKey		kpi = salkpi_text_key(definition->columns[RESOLVED_KPI], -1);

	for (int i = 0; i < n; i++)
	{
		TextKey		name = salkpi_text_key(request->target_kpis.values[targets[i].row], -1);

		if (salkpi_compare_keys(&kpi, &name) == 0)
			return targets[i].row;
	}
	return -1;
}

/* ---------- numbers of a row ---------- */

static void
set_number(Datum *values, bool *nulls, int column, Numeric number)
{
	nulls[column] = number == NULL;
	values[column] = NumericGetDatum(number);
}

/* A part of a fraction as it is shown: without the factor 100, in days. */
static Numeric
shown_part(const Definition *definition, Numeric part, bool is_percentage)
{
	if (part == NULL)
		return NULL;
	if (is_percentage)
		part = salkpi_numeric_apply(numeric_mul, part, salkpi_int128_to_numeric(1, 2));
	else if (definition->is_duration)
		part = salkpi_numeric_quotient(part, int64_to_numeric(USECS_PER_DAY),
									   SALKPI_RATIO_SCALE);
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(part)));
}

static void
set_value(const Definition *definition, const FormulaValue *value, Datum *values, bool *nulls)
{
	Numeric		numerator = value->numerator;

	if (value->denominator != NULL)
		numerator = shown_part(definition, numerator, definition->is_percent);
	else if (numerator != NULL)
		numerator = DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(numerator)));
	set_number(values, nulls, COMPUTED_VALUE, value->value);
	set_number(values, nulls, COMPUTED_NUMERATOR, numerator);
	set_number(values, nulls, COMPUTED_DENOMINATOR, shown_part(definition, value->denominator, false));
	set_number(values, nulls, COMPUTED_PART, value->numerator);
	set_number(values, nulls, COMPUTED_WHOLE, value->denominator);
	nulls[COMPUTED_REASON] = value->reason == NULL;
	if (value->reason != NULL)
		values[COMPUTED_REASON] = CStringGetTextDatum(value->reason);
}

static Numeric
count_rows(Request *request, const Definition *definition)
{
	FormulaValue n;

	if (definition->n == NULL)
		return NULL;
	n = salkpi_formula_evaluate(&request->evaluation, definition->n);
	if (!definition->counts_state)
		return n.value;
	return n.denominator == NULL ? NULL :
		salkpi_numeric_apply(numeric_div_trunc, n.denominator, int64_to_numeric(USECS_PER_DAY));
}

/* Is value / target, or the reverse where less is better, 1 or more? */
static bool
is_reached(const Definition *definition, const FormulaValue *value, Numeric target)
{
	Numeric		asked = value->denominator == NULL ? target :
		salkpi_numeric_apply(numeric_mul, target, value->denominator);
	int			order = salkpi_numeric_compare(value->numerator, asked);

	return definition->is_down ? order <= 0 : order >= 0;
}

static void
set_target(const Request *request, const Definition *definition, const FormulaValue *value,
		   int row, Datum *values, bool *nulls)
{
	Numeric		target = row < 0 || request->target_values.nulls[row] ? NULL :
		DatumGetNumeric(request->target_values.values[row]);
	Numeric		warn_at = row < 0 || request->target_warn_at.nulls[row] ? NULL :
		DatumGetNumeric(request->target_warn_at.values[row]);
	Numeric		attainment = NULL;
	const char *status = "none";

	if (target != NULL && value->numerator != NULL)
		attainment = salkpi_numeric_quotient(salkpi_numeric_apply(numeric_mul, int64_to_numeric(100), value->numerator),
											 value->denominator == NULL ? target :
											 salkpi_numeric_apply(numeric_mul, value->denominator, target),
											 SALKPI_RATIO_SCALE);
	if (target != NULL && value->value != NULL)
		status = is_reached(definition, value, target) ? "met" :
			warn_at != NULL && is_reached(definition, value, warn_at) ? "near" : "missed";
	set_number(values, nulls, COMPUTED_TARGET, target);
	set_number(values, nulls, COMPUTED_ATTAINMENT, attainment);
	values[COMPUTED_STATUS] = CStringGetTextDatum(status);
}

/* ---------- rows of the result ---------- */

static bool
is_among(const Elements *integers, int value)
{
	for (int i = 0; i < integers->count; i++)
	{
		if (DatumGetInt32(integers->values[i]) == value)
			return true;
	}
	return false;
}

static void
set_fact(const Request *request, int member, int base, bool is_cut, Datum *values, bool *nulls)
{
	const FactColumns *columns = &request->evaluation.columns;
	const FactRow *whole = salkpi_fact_at(request, PLACE_WHOLE, member, base);
	const FactRow *fact = is_cut ? salkpi_fact_at(request, PLACE_CUT, member, base) : whole;

	nulls[COMPUTED_IS_COMPLETE] = nulls[COMPUTED_DAYS] = whole == NULL;
	if (whole != NULL)
	{
		values[COMPUTED_IS_COMPLETE] = whole->values[columns->is_complete - 1];
		values[COMPUTED_DAYS] = whole->values[columns->days - 1];
	}
	nulls[COMPUTED_MISSING] = fact == NULL || nulls[COMPUTED_REASON] ||
		!salkpi_is_text(values[COMPUTED_REASON], "not available");
	if (!nulls[COMPUTED_MISSING])
		values[COMPUTED_MISSING] = salkpi_fact_missing(request->evaluation.tupdesc, fact);
}

static Datum
column_names(TupleDesc tupdesc, const List *columns)
{
	Datum	   *names = palloc(sizeof(Datum) * list_length(columns));
	ListCell   *lc;

	foreach(lc, columns)
		names[foreach_current_index(lc)] = CStringGetTextDatum(NameStr(TupleDescAttr(tupdesc, lfirst_int(lc) - 1)->attname));
	return PointerGetDatum(construct_array(names, list_length(columns), TEXTOID, -1, false, TYPALIGN_INT));
}

static void
set_definition(const Definition *definition, Datum *values, bool *nulls)
{
	static const int columns[] = {RESOLVED_ORDINAL, RESOLVED_KPI, RESOLVED_NUMBER, RESOLVED_LABEL,
	RESOLVED_UNIT, RESOLVED_BETTER, RESOLVED_FORMULA, RESOLVED_MEASURES};

	for (int i = 0; i < lengthof(columns); i++)
	{
		values[i] = definition->columns[columns[i]];
		nulls[i] = definition->nulls[columns[i]];
	}
}

static void
compute_row(Request *request, const Definition *definition, int member, int base, bool is_cut,
			ReturnSetInfo *rsinfo)
{
	Datum		values[COMPUTED_COLUMNS] = {0};
	bool		nulls[COMPUTED_COLUMNS] = {false};
	bool		is_shown = !is_cut && is_among(&request->shown_bases, base);
	int			ntargets;
	const Target *targets = find_targets(request, member, base, &ntargets);
	FormulaValue value;

	salkpi_set_window(request, definition, member, base, is_cut);
	set_targets(request, targets, ntargets);
	value = salkpi_formula_evaluate(&request->evaluation, definition->formula);
	set_definition(definition, values, nulls);
	if (value.lacking != NIL)
		values[COMPUTED_MEASURES] = column_names(request->evaluation.tupdesc, value.lacking);
	values[COMPUTED_MEMBER] = request->is_additive != NULL ? PointerGetDatum(cstring_to_text("")) :
		request->members.values[member];
	values[COMPUTED_BASE] = Int32GetDatum(base);
	values[COMPUTED_IS_CUT] = BoolGetDatum(is_cut);
	nulls[COMPUTED_PERIOD] = base >= request->starts.count;
	if (!nulls[COMPUTED_PERIOD])
		values[COMPUTED_PERIOD] = request->starts.values[base];
	set_value(definition, &value, values, nulls);
	set_fact(request, member, base, is_cut, values, nulls);
	set_number(values, nulls, COMPUTED_N, is_shown ? count_rows(request, definition) : NULL);
	set_target(request, definition, &value,
			   is_shown ? own_target(request, definition, targets, ntargets) : -1, values, nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Each row in a context that the next one has again. */
static void
compute_rows(Request *request, const Definition *definition, int member, const Elements *bases,
			 bool is_cut, ReturnSetInfo *rsinfo, MemoryContext context)
{
	for (int i = 0; i < bases->count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		compute_row(request, definition, member, DatumGetInt32(bases->values[i]), is_cut, rsinfo);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
}

static void
compute_all(Request *request, ReturnSetInfo *rsinfo)
{
	int			nmembers = request->is_additive != NULL ? Min(request->members.count, 1) : request->members.count;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "salkpi row of a KPI",
												  ALLOCSET_DEFAULT_SIZES);
	ErrorContextCallback whose = {error_context_stack, salkpi_formula_context, NULL};

	for (int member = 0; member < nmembers; member++)
	{
		salkpi_set_months(request, member);
		for (int i = 0; i < request->ndefinitions; i++)
		{
			whose.arg = request->definitions[i].kpi;
			error_context_stack = &whose;
			compute_rows(request, &request->definitions[i], member, &request->bases, false, rsinfo, context);
			compute_rows(request, &request->definitions[i], member, &request->cut_bases, true, rsinfo, context);
			error_context_stack = whose.previous;
		}
	}
	MemoryContextDelete(context);
}

Datum
salkpi_kpi_evaluate_all(PG_FUNCTION_ARGS)
{
	Request		request = {0};
	Portal		facts;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	facts = salkpi_read_request(fcinfo, &request);
	salkpi_place_facts(&request, facts);
	sort_targets(&request);
	compute_all(&request, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
