/*
 * target.c
 *	  Which targets are those of which periods.
 *
 * The targets of one KPI and member are a line.  A period whose days are those
 * of a target has it.  Several for the same days, as only a bound source can
 * have, make it ambiguous, and nothing follows from them.  For any other period
 * what follows from the whole line is worked out in SQL (kpi_derived_target).
 * Rows of kpi_target come first; the bound source counts where nothing follows
 * from them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "salkpi.h"
#include "texts.h"

/* Columns of kpi_target, from 0. */
enum
{
	TARGET_NUMBER,
	TARGET_KPI,
	TARGET_DIMENSION,
	TARGET_MEMBER,
	TARGET_FROM_DAY,
	TARGET_TO_DAY,
	TARGET_VALUE,
	TARGET_CURRENCY,
	TARGET_WARN_AT,
	TARGET_RATE,
	TARGET_COLUMNS
};

/* Columns of the result. */
enum
{
	MATCHED_KPI,
	MATCHED_MEMBER,
	MATCHED_PERIOD,
	MATCHED_PERIOD_END,
	MATCHED_LAYER,
	MATCHED_IS_FINAL,
	MATCHED_VALUE,
	MATCHED_WARN_AT,
	MATCHED_HOW,
	MATCHED_TARGETS,
	MATCHED_COLUMNS
};

typedef struct TargetRow
{
	Datum		row;
	Datum	   *values;			/* of all columns, those added later too */
	bool	   *nulls;
	int			layer;			/* 1: kpi_target, 2: the bound source */
	bool		is_ambiguous;	/* are there others for its days? */
} TargetRow;

/* Targets of one KPI and member, those of the first layer first. */
typedef struct Line
{
	TargetRow **rows;
	int			count;
} Line;

typedef struct Periods
{
	Datum	   *starts;
	Datum	   *ends;
	int			count;
} Periods;

PG_FUNCTION_INFO_V1(salkpi_kpi_matched_targets);

static int
compare_texts(Datum a, Datum b)
{
	text	   *left = DatumGetTextPP(a);
	text	   *right = DatumGetTextPP(b);

	return salkpi_compare_by_length(VARDATA_ANY(left), VARSIZE_ANY_EXHDR(left),
									VARDATA_ANY(right), VARSIZE_ANY_EXHDR(right));
}

static int
compare_lines(const TargetRow *a, const TargetRow *b)
{
	int			order = compare_texts(a->values[TARGET_KPI], b->values[TARGET_KPI]);

	return order != 0 ? order : compare_texts(a->values[TARGET_MEMBER], b->values[TARGET_MEMBER]);
}

static DateADT
day_of(const TargetRow *target, int column)
{
	return DatumGetDateADT(target->values[column]);
}

static int
compare_days(const TargetRow *a, const TargetRow *b, int column)
{
	return (day_of(a, column) > day_of(b, column)) - (day_of(a, column) < day_of(b, column));
}

/* By line and layer, then by days. */
static int
compare_rows(const void *a, const void *b)
{
	const TargetRow *left = *(TargetRow *const *) a;
	const TargetRow *right = *(TargetRow *const *) b;
	int			order = compare_lines(left, right);

	if (order == 0)
		order = left->layer - right->layer;
	if (order == 0)
		order = compare_days(left, right, TARGET_FROM_DAY);
	return order != 0 ? order : compare_days(left, right, TARGET_TO_DAY);
}

/* Sort rows, and mark those of which there are several for the same days. */
static void
sort_rows(TargetRow **rows, int count)
{
	qsort(rows, count, sizeof(TargetRow *), compare_rows);
	for (int i = 1; i < count; i++)
		if (compare_rows(&rows[i - 1], &rows[i]) == 0)
			rows[i - 1]->is_ambiguous = rows[i]->is_ambiguous = true;
}

static void
raise_incomplete(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("a target has no kpi, member, days or value")));
}

/* Appends the rows of an array of kpi_target to *rows, which has *count of them. */
static void
add_rows(FunctionCallInfo fcinfo, int argument, TargetRow ***rows, int *count)
{
	static const int required[] = {TARGET_KPI, TARGET_MEMBER, TARGET_FROM_DAY, TARGET_TO_DAY, TARGET_VALUE};
	ArrayType  *array;
	TupleDesc	tupdesc;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (PG_ARGISNULL(argument))
		return;
	array = PG_GETARG_ARRAYTYPE_P(argument);
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &elements, &nulls, &n);
	tupdesc = lookup_rowtype_tupdesc(ARR_ELEMTYPE(array), -1);
	*rows = *rows == NULL ? palloc(sizeof(TargetRow *) * (n + 1)) :
		repalloc(*rows, sizeof(TargetRow *) * (*count + n + 1));
	for (int i = 0; i < n; i++)
	{
		TargetRow  *target = palloc0(sizeof(TargetRow));
		HeapTupleData tuple = {0};

		if (nulls[i])
			raise_incomplete();
		target->row = elements[i];
		target->layer = argument + 1;
		tuple.t_data = DatumGetHeapTupleHeader(elements[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
		target->values = palloc(tupdesc->natts * sizeof(Datum));
		target->nulls = palloc(tupdesc->natts * sizeof(bool));
		heap_deform_tuple(&tuple, tupdesc, target->values, target->nulls);
		for (int k = 0; k < lengthof(required); k++)
			if (target->nulls[required[k]])
				raise_incomplete();
		(*rows)[(*count)++] = target;
	}
	ReleaseTupleDesc(tupdesc);
}

static bool
is_exact(const TargetRow *target, Datum start, Datum end)
{
	return day_of(target, TARGET_FROM_DAY) == DatumGetDateADT(start) &&
		day_of(target, TARGET_TO_DAY) == DatumGetDateADT(end);
}

/* Do the days of a target and of a period have any in common? */
static bool
overlaps(const TargetRow *target, Datum start, Datum end)
{
	return day_of(target, TARGET_FROM_DAY) < DatumGetDateADT(end) &&
		day_of(target, TARGET_TO_DAY) > DatumGetDateADT(start);
}

/*
 * What a line says about a period, from the targets of one layer; returns
 * whether they have it as their own.  There is no row where none of them has
 * anything to do with it.
 */
static bool
put_match(ReturnSetInfo *rsinfo, const Line *line, bool is_only, Datum start, Datum end, Oid type)
{
	TargetRow  *exact = NULL;
	int			nexact = 0;
	Datum	   *targets = palloc(sizeof(Datum) * line->count);	/* those that matter */
	int			ntargets = 0;
	Datum		values[MATCHED_COLUMNS] = {0};
	bool		nulls[MATCHED_COLUMNS] = {false};

	for (int i = 0; i < line->count; i++)
	{
		if (overlaps(line->rows[i], start, end) && !line->rows[i]->is_ambiguous)
			targets[ntargets++] = line->rows[i]->row;
		if (is_exact(line->rows[i], start, end))
		{
			exact = line->rows[i];
			nexact++;
		}
	}
	if (ntargets == 0 && nexact == 0)
	{
		pfree(targets);
		return false;
	}
	if (nexact == 1)
		targets[0] = exact->row;
	values[MATCHED_KPI] = line->rows[0]->values[TARGET_KPI];
	values[MATCHED_MEMBER] = line->rows[0]->values[TARGET_MEMBER];
	values[MATCHED_PERIOD] = start;
	values[MATCHED_PERIOD_END] = end;
	values[MATCHED_LAYER] = Int32GetDatum(line->rows[0]->layer);
	values[MATCHED_IS_FINAL] = BoolGetDatum(is_only && nexact > 0);
	nulls[MATCHED_VALUE] = nexact != 1;
	nulls[MATCHED_WARN_AT] = nexact != 1 || exact->nulls[TARGET_WARN_AT];
	if (!nulls[MATCHED_VALUE])
		values[MATCHED_VALUE] = exact->values[TARGET_VALUE];
	if (!nulls[MATCHED_WARN_AT])
		values[MATCHED_WARN_AT] = exact->values[TARGET_WARN_AT];
	nulls[MATCHED_HOW] = nexact == 0;
	if (nexact > 0)
		values[MATCHED_HOW] = CStringGetTextDatum(nexact == 1 ? "exact" : "ambiguous");
	nulls[MATCHED_TARGETS] = nexact > 1;
	if (nexact <= 1)
		values[MATCHED_TARGETS] = PointerGetDatum(construct_array(targets, nexact == 1 ? 1 : ntargets, type,
																  -1, false, TYPALIGN_DOUBLE));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	pfree(targets);
	return nexact > 0;
}

static void
match_line(ReturnSetInfo *rsinfo, const Line *line, const Periods *periods, Oid type)
{
	Line		own = {line->rows, 0};
	Line		bound;

	while (own.count < line->count && line->rows[own.count]->layer == 1)
		own.count++;
	bound = (Line) {line->rows + own.count, line->count - own.count};
	for (int i = 0; i < periods->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (own.count > 0 &&
			put_match(rsinfo, &own, true, periods->starts[i], periods->ends[i], type))
			continue;
		if (bound.count > 0)
			(void) put_match(rsinfo, &bound, own.count == 0, periods->starts[i], periods->ends[i], type);
	}
}

Datum
salkpi_kpi_matched_targets(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TargetRow **rows = NULL;
	int			count = 0;
	Periods		periods;
	int			nends;
	Oid			type = get_element_type(get_fn_expr_argtype(fcinfo->flinfo, 0));

	InitMaterializedSRF(fcinfo, 0);
	add_rows(fcinfo, 0, &rows, &count);
	add_rows(fcinfo, 1, &rows, &count);
	if (count == 0 || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		return (Datum) 0;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), DATEOID, sizeof(DateADT), true, TYPALIGN_INT,
					  &periods.starts, NULL, &periods.count);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), DATEOID, sizeof(DateADT), true, TYPALIGN_INT,
					  &periods.ends, NULL, &nends);
	periods.count = Min(periods.count, nends);
	sort_rows(rows, count);
	for (int first = 0, next; first < count; first = next)
	{
		Line		line;

		for (next = first + 1; next < count && compare_lines(rows[first], rows[next]) == 0; next++)
			;
		line = (Line) {rows + first, next - first};
		match_line(rsinfo, &line, &periods, type);
	}
	return (Datum) 0;
}
