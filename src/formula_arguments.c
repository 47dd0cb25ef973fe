/*
 * formula_arguments.c
 *	  What the SQL functions about formulas are given: arrays, and the columns
 *	  of kpi_fact.
 *
 * Columns are looked up for all leaves of a formula at once, also for those
 * that no value depends on: whether a formula fits kpi_fact must not depend on
 * the data.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "evaluate.h"
#include "salkpi.h"

#define MAX_PERIODS_PER_YEAR 1000

/* ---------- arguments ---------- */

Elements
salkpi_array_elements(ArrayType *array, const char *name)
{
	Elements	elements = {0};
	int16		length;
	bool		by_value;
	char		alignment;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be a one-dimensional array", name)));
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment,
					  &elements.values, &elements.nulls, &elements.count);
	return elements;
}

/* Arrays of names and of what belongs to each. */
void
salkpi_check_same_length(const Elements *a, const Elements *b, const char *names)
{
	if (a->count != b->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must have the same number of elements", names),
				 errdetail("They have %d and %d.", a->count, b->count)));
}

int
salkpi_check_periods_per_year(int periods)
{
	if (periods < 1 || periods > MAX_PERIODS_PER_YEAR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("periods_per_year must be between 1 and %d, not %d",
						MAX_PERIODS_PER_YEAR, periods)));
	return periods;
}

/* ---------- columns ---------- */

/* The type of distributions lives in the schema of the function that asks. */
Oid
salkpi_durations_type(Oid function)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("kpi_durations"),
						   ObjectIdGetDatum(get_func_namespace(function)));
}

/* Columns of kpi_fact that are numbers and yet no measures. */
static bool
is_bookkeeping(const char *name)
{
	return strcmp(name, "run") == 0;
}

static bool
is_number(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID;
}

static Form_pg_attribute
find_attribute(TupleDesc tupdesc, const char *name)
{
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return attribute;
	}
	return NULL;
}

/* The attribute number of a measure that is a number, or a distribution. */
static int
find_measure(TupleDesc tupdesc, const char *name, Oid durations_type, bool want_state)
{
	Form_pg_attribute attribute = find_attribute(tupdesc, name);
	bool		is_state = attribute != NULL && attribute->atttypid == durations_type;

	if (attribute == NULL || is_bookkeeping(name) ||
		!(is_state || is_number(attribute->atttypid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("measure \"%s\" does not exist", name)));
	if (is_state && !want_state)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("measure \"%s\" is a distribution, expected a number", name),
				 errhint("Write mean(%s) or quantile(%s, 0.5).", name, name)));
	if (want_state && !is_state)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("measure \"%s\" is a number, expected a distribution", name)));
	return attribute->attnum;
}

/* The number of a column that every fact has. */
static int
find_column(TupleDesc tupdesc, const char *name, Oid type)
{
	Form_pg_attribute attribute = find_attribute(tupdesc, name);

	if (attribute == NULL || attribute->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("facts lack a column \"%s\" of type %s", name, format_type_be(type))));
	return attribute->attnum;
}

/* The columns of facts that are no measures, as far as they are looked at. */
FactColumns
salkpi_fact_columns(TupleDesc tupdesc)
{
	return (FactColumns) {
		find_column(tupdesc, "grain", TEXTOID), find_column(tupdesc, "member", TEXTOID), find_column(tupdesc, "period", DATEOID),
		find_column(tupdesc, "period_end", DATEOID), find_column(tupdesc, "days", INT4OID), find_column(tupdesc, "is_complete", BOOLOID)
	};
}

/* None of these is NULL in a fact. */
void
salkpi_check_fact(const FactColumns *columns, const FactRow *row)
{
	if (row->nulls[columns->grain - 1] || row->nulls[columns->member - 1] || row->nulls[columns->period - 1] ||
		row->nulls[columns->period_end - 1] || row->nulls[columns->days - 1] || row->nulls[columns->is_complete - 1])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a fact has no grain, member, period, period_end, days or is_complete")));
}

/* Looks up the column of every leaf, also of those never reached. */
void
salkpi_formula_bind(FormulaNode *node, TupleDesc tupdesc, Oid durations_type)
{
	ListCell   *lc;

	check_stack_depth();
	switch (node->kind)
	{
		case FORMULA_NAME:
			node->column = find_measure(tupdesc, node->name, durations_type, false);
			break;
		case FORMULA_DAYS:
			node->column = find_measure(tupdesc, "days", durations_type, false);
			break;
		case FORMULA_MEAN:
		case FORMULA_QUANTILE:
			node->column = find_measure(tupdesc, node->name, durations_type, true);
			break;
		default:
			break;
	}
	foreach(lc, node->args)
		salkpi_formula_bind(lfirst(lc), tupdesc, durations_type);
}
