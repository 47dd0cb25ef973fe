/*
 * filled.c
 *	  Rows of kpi_fact as values: missing members, merged members, gaps.
 *
 * A member that nothing happened to has no fact.  Its measures are those of
 * the blank member, which every computed period has, with 0 in the place of
 * each number: what does not apply to the dimension stays NULL.
 *
 * Rows of several members are merged column by column: numbers are summed,
 * distributions merged.  What does not add up over members becomes NULL, and
 * so does what is NULL in one of them: it is never summed as if it were 0.
 *
 * The measures are the columns after "days", whatever there are: numeric,
 * bigint, or of the distribution type.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/typcache.h"

#include "durations.h"
#include "salkpi.h"

/* kpi_fact's columns up to "days" say what a row is about. */
#define FIRST_MEASURE 10

/* A row taken apart. */
typedef struct FactRow
{
	TupleDesc	tupdesc;		/* of kpi_fact; pinned, release it */
	Datum	   *values;			/* by column, from 0 */
	bool	   *nulls;
} FactRow;

PG_FUNCTION_INFO_V1(salkpi_kpi_filled);
PG_FUNCTION_INFO_V1(salkpi_kpi_merge_facts);
PG_FUNCTION_INFO_V1(salkpi_kpi_missing);

static FactRow
open_fact(HeapTupleHeader header)
{
	HeapTupleData tuple = {0};
	FactRow		row;

	row.tupdesc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
										 HeapTupleHeaderGetTypMod(header));
	row.values = palloc(sizeof(Datum) * row.tupdesc->natts);
	row.nulls = palloc(sizeof(bool) * row.tupdesc->natts);
	tuple.t_data = header;
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	heap_deform_tuple(&tuple, row.tupdesc, row.values, row.nulls);
	return row;
}

static Datum
close_fact(FactRow *row)
{
	Datum		result = heap_copy_tuple_as_datum(heap_form_tuple(row->tupdesc,
																  row->values,
																  row->nulls),
												  row->tupdesc);

	ReleaseTupleDesc(row->tupdesc);
	return result;
}

static bool
is_measure(const FactRow *row, int i)
{
	return i >= FIRST_MEASURE && !TupleDescAttr(row->tupdesc, i)->attisdropped;
}

static Datum
zero_of(Oid type)
{
	switch (type)
	{
		case INT8OID:
			return Int64GetDatum(0);
		case NUMERICOID:
			return NumericGetDatum(int64_to_numeric(0));
		default:
			return PointerGetDatum(salkpi_durations_build(NULL, 0));
	}
}

static Datum
sum_of(Oid type, Datum a, Datum b)
{
	int64		sum;

	switch (type)
	{
		case INT8OID:
			if (pg_add_s64_overflow(DatumGetInt64(a), DatumGetInt64(b), &sum))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("bigint out of range")));
			return Int64GetDatum(sum);
		case NUMERICOID:
			return DirectFunctionCall2(numeric_add, a, b);
		default:
			return PointerGetDatum(salkpi_durations_merge(salkpi_durations_get(a),
														  salkpi_durations_get(b)));
	}
}

static bool
is_listed(const char *name, const Datum *names, int n)
{
	size_t		length = strlen(name);

	for (int i = 0; i < n; i++)
	{
		const text *listed = DatumGetTextPP(names[i]);

		if (VARSIZE_ANY_EXHDR(listed) == length &&
			memcmp(VARDATA_ANY(listed), name, length) == 0)
			return true;
	}
	return false;
}

/* Adds b to a, the listed measures only; the others become NULL in a. */
static void
merge_into(FactRow *a, const FactRow *b, const Datum *names, int n)
{
	for (int i = FIRST_MEASURE; i < a->tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(a->tupdesc, i);

		if (a->nulls[i] || b->nulls[i] ||
			!is_listed(NameStr(attribute->attname), names, n))
			a->nulls[i] = true;
		else
			a->values[i] = sum_of(attribute->atttypid, a->values[i], b->values[i]);
	}
}

/* The member's row, else the blank member's with zeros. */
Datum
salkpi_kpi_filled(PG_FUNCTION_ARGS)
{
	FactRow		row;

	if (!PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	row = open_fact(PG_GETARG_HEAPTUPLEHEADER(1));
	for (int i = 0; i < row.tupdesc->natts; i++)
	{
		if (is_measure(&row, i) && !row.nulls[i])
			row.values[i] = zero_of(TupleDescAttr(row.tupdesc, i)->atttypid);
	}
	PG_RETURN_DATUM(close_fact(&row));
}

/* The transition of kpi_merged_fact. */
Datum
salkpi_kpi_merge_facts(PG_FUNCTION_ARGS)
{
	FactRow		a;
	FactRow		b;
	Datum	   *names;
	int			n;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(PG_ARGISNULL(0) ? 1 : 0));
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "measures")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, NULL, &n);
	a = open_fact(PG_GETARG_HEAPTUPLEHEADER(0));
	b = open_fact(PG_GETARG_HEAPTUPLEHEADER(1));
	merge_into(&a, &b, names, n);
	ReleaseTupleDesc(b.tupdesc);
	PG_RETURN_DATUM(close_fact(&a));
}

/* The names of the measures that are NULL. */
Datum
salkpi_kpi_missing(PG_FUNCTION_ARGS)
{
	FactRow		row = open_fact(PG_GETARG_HEAPTUPLEHEADER(0));
	Datum	   *names = palloc(sizeof(Datum) * row.tupdesc->natts);
	int			n = 0;

	for (int i = 0; i < row.tupdesc->natts; i++)
	{
		if (is_measure(&row, i) && row.nulls[i])
			names[n++] = CStringGetTextDatum(NameStr(TupleDescAttr(row.tupdesc, i)->attname));
	}
	ReleaseTupleDesc(row.tupdesc);
	PG_RETURN_ARRAYTYPE_P(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}
