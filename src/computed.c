/*
 * computed.c
 *	  Values of many KPIs for many members and periods: the work of kpi_computed.
 *
 * SQL has resolved the KPIs, fetched the targets and opened a cursor on the
 * facts (an array of them would have their distributions detoasted, whether a
 * formula reads them or not); here the facts are put in their places, gaps
 * filled, members merged, and the formulas evaluated.  A place is found by member and by how many periods
 * it lies before the newest one.  There are three kinds of them: the whole
 * periods, those cut to the length of the running one (grain "month_cut" and
 * the like), and the months, where the grain is another.
 *
 * An unfinished period, or a cut one, looks one period and one year back at
 * cut ones.
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

#include "evaluate.h"
#include "numbers.h"
#include "salkpi.h"

#define MICROSECONDS_PER_DAY INT64CONST(86400000000)

#define MONTH "month"

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
	ARGUMENT_SETTING_VALUES
};

/* The columns of kpi_resolved. */
enum
{
	RESOLVED_ORDINAL,
	RESOLVED_KPI,
	RESOLVED_NUMBER,
	RESOLVED_FORMULA,
	RESOLVED_N_FORMULA,
	RESOLVED_COUNTS_STATE,
	RESOLVED_REACH,
	RESOLVED_MONTHS,
	RESOLVED_UNIT,
	RESOLVED_BETTER,
	RESOLVED_LABEL,
	RESOLVED_MEASURES,
	RESOLVED_HAS_STATE,
	RESOLVED_TARGETS,
	RESOLVED_COLUMNS
};

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

typedef struct Definition
{
	Datum		columns[RESOLVED_COLUMNS];
	bool		nulls[RESOLVED_COLUMNS];
	FormulaNode *formula;
	FormulaNode *n;				/* counts the rows; NULL: nothing does */
	bool		counts_state;	/* by the denominator of a mean */
	bool		is_percent;
	bool		is_duration;	/* in days, from a distribution */
	bool		is_down;		/* is less better? */
	int			reach;
} Definition;

typedef enum PlaceKind
{
	PLACE_WHOLE,
	PLACE_CUT,
	PLACE_MONTH,
	PLACE_KINDS
} PlaceKind;

/* One text among others, to be found by its bytes. */
typedef struct TextKey
{
	const char *data;
	int			length;
	int			index;
} TextKey;

typedef struct Target
{
	int			member;
	int			base;
	int			row;			/* in the arrays given */
} Target;

typedef struct Request
{
	Definition *definitions;
	int			ndefinitions;
	Elements	members;
	TextKey	   *names;			/* of members, sorted */
	int			blank;			/* index of the blank member, maybe past the
								 * members */
	int			nplaces;		/* members with facts of their own */
	char	   *grain;
	Elements	starts;
	Elements	month_starts;
	int			per_year;
	Elements	bases;
	Elements	cut_bases;
	Elements	shown_bases;
	bool	   *is_additive;	/* by column of kpi_fact; NULL: no merging */
	FactRow   **places[PLACE_KINDS];	/* by member, then period */
	Elements	target_kpis;
	Elements	target_members;
	Elements	target_periods;
	Elements	target_values;
	Elements	target_warn_at;
	Target	   *targets;		/* sorted by member and base */
	Evaluation	evaluation;
} Request;

PG_FUNCTION_INFO_V1(salkpi_kpi_evaluate_all);

/* ---------- names and periods ---------- */

static TextKey
name_of(Datum value, int index)
{
	text	   *t = DatumGetTextPP(value);

	return (TextKey) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), index};
}

static int
compare_names(const void *a, const void *b)
{
	const TextKey *left = a;
	const TextKey *right = b;

	if (left->length != right->length)
		return left->length - right->length;
	return memcmp(left->data, right->data, left->length);
}

static TextKey *
sort_names(const Elements *elements)
{
	TextKey	   *names = palloc(sizeof(TextKey) * (elements->count + 1));

	for (int i = 0; i < elements->count; i++)
		names[i] = name_of(elements->values[i], i);
	qsort(names, elements->count, sizeof(TextKey), compare_names);
	return names;
}

/* The index of a text, or -1. */
static int
find_name(const TextKey *names, int n, Datum value)
{
	TextKey		key = name_of(value, -1);
	TextKey	   *found = bsearch(&key, names, n, sizeof(TextKey), compare_names);

	return found == NULL ? -1 : found->index;
}

static bool
is_text(Datum value, const char *text)
{
	TextKey		name = name_of(value, -1);

	return name.length == strlen(text) && memcmp(name.data, text, name.length) == 0;
}

/* How many periods back a first day lies, or -1; starts has the newest first. */
static int
find_period(const Elements *starts, DateADT period)
{
	int			low = 0;
	int			high = starts->count - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		DateADT		start = DatumGetDateADT(starts->values[middle]);

		if (start == period)
			return middle;
		if (start > period)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

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

/* ---------- facts in their places ---------- */

/* kpi_fact's own columns, from 0, as its declaration has them first. */
#define FACT_GRAIN 0
#define FACT_PERIOD 1
#define FACT_MEMBER 4

static int
periods_of(const Request *request, PlaceKind kind)
{
	return kind == PLACE_MONTH ? request->month_starts.count : request->starts.count;
}

static FactRow **
place(const Request *request, PlaceKind kind, int member, int base)
{
	return &request->places[kind][member * periods_of(request, kind) + base];
}

/* NULL also before the first period of a calendar. */
static FactRow *
fact_at(const Request *request, PlaceKind kind, int member, int base)
{
	return base < periods_of(request, kind) ? *place(request, kind, member, base) : NULL;
}

/* A row that nobody asked for, such as that of a month that begins no quarter, has no place. */
static void
put_fact(Request *request, FactRow *row)
{
	Datum		grain = row->values[FACT_GRAIN];
	PlaceKind	kind = is_text(grain, request->grain) ? PLACE_WHOLE :
		is_text(grain, MONTH) ? PLACE_MONTH : PLACE_CUT;
	int			base = find_period(kind == PLACE_MONTH ? &request->month_starts : &request->starts,
								   DatumGetDateADT(row->values[FACT_PERIOD]));
	int			member = find_name(request->names, request->members.count,
								   row->values[FACT_MEMBER]);

	if (base < 0)
		return;
	*place(request, kind, member < 0 ? request->blank : member, base) = row;
}

/* Members without a fact in a computed period share its row of zeros. */
static void
fill_gaps(Request *request, PlaceKind kind)
{
	for (int base = 0; base < periods_of(request, kind); base++)
	{
		FactRow    *blank = *place(request, kind, request->blank, base);
		FactRow    *zero = NULL;

		for (int member = 0; blank != NULL && member < request->members.count; member++)
		{
			FactRow   **row = place(request, kind, member, base);

			if (*row != NULL)
				continue;
			if (zero == NULL)
				zero = salkpi_fact_zero(request->evaluation.tupdesc, blank);
			*row = zero;
		}
	}
}

/* Puts the members' sum in the place of the first. */
static void
merge_members(Request *request, PlaceKind kind)
{
	for (int base = 0; base < periods_of(request, kind); base++)
	{
		FactRow    *sum = NULL;

		for (int member = 0; member < request->members.count; member++)
		{
			FactRow    *row = *place(request, kind, member, base);

			if (sum != NULL && row != NULL)
				sum = salkpi_fact_sum(request->evaluation.tupdesc, sum, row,
									  request->is_additive);
			else if (sum == NULL)
				sum = row;
		}
		if (request->members.count > 0)
			*place(request, kind, 0, base) = sum;
	}
}

/* The rows stay in memory of SPI. */
static void
place_facts(Request *request, Portal facts)
{
	for (PlaceKind kind = 0; kind < PLACE_KINDS; kind++)
		request->places[kind] = palloc0(sizeof(FactRow *) * request->nplaces *
										periods_of(request, kind));
	SPI_cursor_fetch(facts, true, FETCH_ALL);
	for (uint64 i = 0; i < SPI_processed; i++)
		put_fact(request, salkpi_fact_open(request->evaluation.tupdesc, SPI_tuptable->vals[i]));
	for (PlaceKind kind = 0; kind < PLACE_KINDS; kind++)
	{
		fill_gaps(request, kind);
		if (request->is_additive != NULL)
			merge_members(request, kind);
	}
}

/* ---------- what a formula reads ---------- */

static bool
is_complete(const Request *request, const FactRow *row)
{
	return DatumGetBool(row->values[request->evaluation.columns.is_complete - 1]);
}

/* The rows from a base on; those of a period that is not whole compare with cut ones. */
static void
set_window(Request *request, const Definition *definition, int member, int base, bool is_cut)
{
	FactRows   *facts = &request->evaluation.facts;
	FactRow    *present = fact_at(request, PLACE_WHOLE, member, base);
	bool		is_part = is_cut || (present != NULL && !is_complete(request, present));

	facts->count = definition->reach + 1;
	for (int i = 0; i < facts->count; i++)
	{
		bool		looks_back = i == 1 || (i == request->per_year && i > 0);
		PlaceKind	kind = is_part && (looks_back || (i == 0 && is_cut)) ? PLACE_CUT : PLACE_WHOLE;

		facts->rows[i] = fact_at(request, kind, member, base + i);
	}
}

static void
set_months(Request *request, int member)
{
	PlaceKind	kind = strcmp(request->grain, MONTH) == 0 ? PLACE_WHOLE : PLACE_MONTH;
	int			count = periods_of(request, kind);

	request->evaluation.months.count = count;
	request->evaluation.months.rows = count > 0 ? place(request, kind, member, 0) : NULL;
}

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
				find_name(request->names, request->members.count, request->target_members.values[i]),
				find_period(&request->starts, DatumGetDateADT(request->target_periods.values[i])),
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
	TextKey		kpi = name_of(definition->columns[RESOLVED_KPI], -1);

	for (int i = 0; i < n; i++)
	{
		TextKey		name = name_of(request->target_kpis.values[targets[i].row], -1);

		if (compare_names(&kpi, &name) == 0)
			return targets[i].row;
	}
	return -1;
}

/* ---------- numbers of a row ---------- */

static Numeric
apply(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

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
		part = apply(numeric_mul, part, salkpi_int128_to_numeric(1, 2));
	else if (definition->is_duration)
		part = salkpi_numeric_quotient(part, int64_to_numeric(MICROSECONDS_PER_DAY),
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
		apply(numeric_div_trunc, n.denominator, int64_to_numeric(MICROSECONDS_PER_DAY));
}

/* Is value / target, or the reverse where less is better, 1 or more? */
static bool
is_reached(const Definition *definition, const FormulaValue *value, Numeric target)
{
	Numeric		asked = value->denominator == NULL ? target :
		apply(numeric_mul, target, value->denominator);
	int			order = compare(value->numerator, asked);

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
		attainment = salkpi_numeric_quotient(apply(numeric_mul, int64_to_numeric(100), value->numerator),
											 value->denominator == NULL ? target :
											 apply(numeric_mul, value->denominator, target),
											 SALKPI_RATIO_SCALE);
	if (target != NULL && value->value != NULL)
		status = is_reached(definition, value, target) ? "met" :
			warn_at != NULL && is_reached(definition, value, warn_at) ? "near" : "missed";
	set_number(values, nulls, COMPUTED_TARGET, target);
	set_number(values, nulls, COMPUTED_ATTAINMENT, attainment);
	values[COMPUTED_STATUS] = CStringGetTextDatum(status);
}

/* ---------- rows of the result ---------- */

static void
set_fact(const Request *request, int member, int base, bool is_cut, Datum *values, bool *nulls)
{
	const FactColumns *columns = &request->evaluation.columns;
	const FactRow *whole = fact_at(request, PLACE_WHOLE, member, base);
	const FactRow *fact = is_cut ? fact_at(request, PLACE_CUT, member, base) : whole;

	nulls[COMPUTED_IS_COMPLETE] = nulls[COMPUTED_DAYS] = whole == NULL;
	if (whole != NULL)
	{
		values[COMPUTED_IS_COMPLETE] = whole->values[columns->is_complete - 1];
		values[COMPUTED_DAYS] = whole->values[columns->days - 1];
	}
	nulls[COMPUTED_MISSING] = fact == NULL || nulls[COMPUTED_REASON] ||
		!is_text(values[COMPUTED_REASON], "not available");
	if (!nulls[COMPUTED_MISSING])
		values[COMPUTED_MISSING] = salkpi_fact_missing(request->evaluation.tupdesc, fact);
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

	set_window(request, definition, member, base, is_cut);
	set_targets(request, targets, ntargets);
	value = salkpi_formula_evaluate(&request->evaluation, definition->formula);
	set_definition(definition, values, nulls);
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

	for (int member = 0; member < nmembers; member++)
	{
		set_months(request, member);
		for (int i = 0; i < request->ndefinitions; i++)
		{
			compute_rows(request, &request->definitions[i], member, &request->bases, false, rsinfo, context);
			compute_rows(request, &request->definitions[i], member, &request->cut_bases, true, rsinfo, context);
		}
	}
	MemoryContextDelete(context);
}

/* ---------- arguments ---------- */

static Elements
array_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return (Elements) {0};
	return salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(argument), psprintf("%d", argument + 1));
}

static bool
has_unit(const Definition *definition, const char *unit)
{
	return is_text(definition->columns[RESOLVED_UNIT], unit);
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
	HeapTupleData tuple = {0};

	tuple.t_data = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
	heap_deform_tuple(&tuple, tupdesc, definition->columns, definition->nulls);
	definition->formula = bound_formula(definition, RESOLVED_FORMULA, facts, durations_type);
	definition->n = bound_formula(definition, RESOLVED_N_FORMULA, facts, durations_type);
	definition->counts_state = DatumGetBool(definition->columns[RESOLVED_COUNTS_STATE]);
	definition->reach = DatumGetInt32(definition->columns[RESOLVED_REACH]);
	definition->is_percent = has_unit(definition, "percent");
	definition->is_duration = has_unit(definition, "days") &&
		DatumGetBool(definition->columns[RESOLVED_HAS_STATE]);
	definition->is_down = is_text(definition->columns[RESOLVED_BETTER], "down");
}

static void
read_definitions(Request *request, ArrayType *array, TupleDesc facts, Oid durations_type)
{
	Elements	rows = salkpi_array_elements(array, "definitions");
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(ARR_ELEMTYPE(array), -1);
	int			deepest = 0;

	request->definitions = palloc0(sizeof(Definition) * rows.count);
	request->ndefinitions = rows.count;
	for (int i = 0; i < rows.count; i++)
	{
		read_definition(&request->definitions[i], tupdesc, rows.values[i], facts, durations_type);
		deepest = Max(deepest, request->definitions[i].reach);
	}
	request->evaluation.facts.rows = palloc(sizeof(FactRow *) * (deepest + 1));
	ReleaseTupleDesc(tupdesc);
}

static void
read_members(Request *request, Datum blank)
{
	request->names = sort_names(&request->members);
	request->blank = find_name(request->names, request->members.count, blank);
	request->nplaces = request->members.count;
	if (request->blank < 0)
		request->blank = request->nplaces++;
}

static void
read_request(FunctionCallInfo fcinfo, Request *request)
{
	Evaluation *evaluation = &request->evaluation;
	Elements	additive = array_argument(fcinfo, ARGUMENT_ADDITIVE);

	request->members = array_argument(fcinfo, ARGUMENT_MEMBERS);
	request->grain = text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_GRAIN));
	request->starts = array_argument(fcinfo, ARGUMENT_STARTS);
	request->month_starts = array_argument(fcinfo, ARGUMENT_MONTH_STARTS);
	request->per_year = salkpi_check_periods_per_year(PG_GETARG_INT32(ARGUMENT_PER_YEAR));
	request->bases = array_argument(fcinfo, ARGUMENT_BASES);
	request->cut_bases = array_argument(fcinfo, ARGUMENT_CUT_BASES);
	request->shown_bases = array_argument(fcinfo, ARGUMENT_SHOWN_BASES);
	request->target_kpis = array_argument(fcinfo, ARGUMENT_TARGET_KPIS);
	request->target_members = array_argument(fcinfo, ARGUMENT_TARGET_MEMBERS);
	request->target_periods = array_argument(fcinfo, ARGUMENT_TARGET_PERIODS);
	request->target_values = array_argument(fcinfo, ARGUMENT_TARGET_VALUES);
	request->target_warn_at = array_argument(fcinfo, ARGUMENT_TARGET_WARN_AT);
	evaluation->setting_names = array_argument(fcinfo, ARGUMENT_SETTING_NAMES);
	evaluation->setting_values = array_argument(fcinfo, ARGUMENT_SETTING_VALUES);
	evaluation->facts.per_year = request->per_year;
	evaluation->months.per_year = SALKPI_MONTHS_PER_YEAR;
	if (!PG_ARGISNULL(ARGUMENT_ADDITIVE))
		request->is_additive = salkpi_fact_listed(evaluation->tupdesc, additive.values, additive.count);
	read_members(request, PG_GETARG_DATUM(ARGUMENT_BLANK));
}

static Portal
find_cursor(const char *name)
{
	Portal		cursor = SPI_cursor_find(name);

	if (cursor == NULL || cursor->tupDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_CURSOR),
				 errmsg("cursor \"%s\" does not exist", name)));
	return cursor;
}

Datum
salkpi_kpi_evaluate_all(PG_FUNCTION_ARGS)
{
	Request		request = {0};
	Portal		facts;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARGUMENT_DEFINITIONS))
		return (Datum) 0;
	SPI_connect();
	facts = find_cursor(text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_FACTS)));
	request.evaluation.tupdesc = facts->tupDesc;
	request.evaluation.columns = salkpi_fact_columns(facts->tupDesc);
	read_request(fcinfo, &request);
	read_definitions(&request, PG_GETARG_ARRAYTYPE_P(ARGUMENT_DEFINITIONS),
					 facts->tupDesc, salkpi_durations_type(fcinfo->flinfo->fn_oid));
	place_facts(&request, facts);
	sort_targets(&request);
	compute_all(&request, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
