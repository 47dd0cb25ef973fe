/*
 * fact_row.c
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
#include "fact_row.h"
#include "salkpi.h"

PG_FUNCTION_INFO_V1(salkpi_kpi_filled);
PG_FUNCTION_INFO_V1(salkpi_kpi_missing);

static FactRow *
make_row(TupleDesc tupdesc)
{
	FactRow    *row = palloc(sizeof(FactRow));

	row->values = palloc(sizeof(Datum) * tupdesc->natts);
	row->nulls = palloc(sizeof(bool) * tupdesc->natts);
	return row;
}

static FactRow *
copy_row(TupleDesc tupdesc, const FactRow *row)
{
	FactRow    *copy = make_row(tupdesc);

	memcpy(copy->values, row->values, sizeof(Datum) * tupdesc->natts);
	memcpy(copy->nulls, row->nulls, sizeof(bool) * tupdesc->natts);
	return copy;
}

/* The columns point into the tuple. */
FactRow *
salkpi_fact_open(TupleDesc tupdesc, HeapTuple tuple)
{
	FactRow    *row = make_row(tupdesc);

	heap_deform_tuple(tuple, tupdesc, row->values, row->nulls);
	return row;
}

FactRow *
salkpi_fact_open_datum(TupleDesc tupdesc, HeapTupleHeader header)
{
	HeapTupleData tuple = {0};

	tuple.t_data = header;
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	return salkpi_fact_open(tupdesc, &tuple);
}

static bool
is_measure(TupleDesc tupdesc, int i)
{
	return i >= SALKPI_FIRST_MEASURE && !TupleDescAttr(tupdesc, i)->attisdropped;
}

/* What is 0 of a measure's type: bigint, numeric or kpi_durations. */
Datum
salkpi_measure_zero(Oid type)
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

/* The sum of two values of a measure; the result is in CurrentMemoryContext. */
Datum
salkpi_measure_sum(Oid type, Datum a, Datum b)
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

/* Which columns are among the measures listed? */
bool *
salkpi_fact_listed(TupleDesc tupdesc, const Datum *measures, int n)
{
	bool	   *listed = palloc0(sizeof(bool) * tupdesc->natts);

	for (int i = 0; i < tupdesc->natts; i++)
		listed[i] = is_measure(tupdesc, i) &&
			is_listed(NameStr(TupleDescAttr(tupdesc, i)->attname), measures, n);
	return listed;
}

/* Two rows added up, where that makes sense; other measures are NULL. */
FactRow *
salkpi_fact_sum(TupleDesc tupdesc, const FactRow *a, const FactRow *b,
				const bool *is_additive)
{
	FactRow    *sum = copy_row(tupdesc, a);

	for (int i = SALKPI_FIRST_MEASURE; i < tupdesc->natts; i++)
	{
		sum->nulls[i] = a->nulls[i] || b->nulls[i] || !is_additive[i];
		if (!sum->nulls[i])
			sum->values[i] = salkpi_measure_sum(TupleDescAttr(tupdesc, i)->atttypid,
												a->values[i], b->values[i]);
	}
	return sum;
}

/* The row of a member that nothing happened to: the blank one's with zeros. */
FactRow *
salkpi_fact_zero(TupleDesc tupdesc, const FactRow *blank)
{
	FactRow    *zero = copy_row(tupdesc, blank);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (is_measure(tupdesc, i) && !zero->nulls[i])
			zero->values[i] = salkpi_measure_zero(TupleDescAttr(tupdesc, i)->atttypid);
	}
	return zero;
}

/* The names of the measures that are NULL, as text[]. */
Datum
salkpi_fact_missing(TupleDesc tupdesc, const FactRow *row)
{
	Datum	   *names = palloc(sizeof(Datum) * tupdesc->natts);
	int			n = 0;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (is_measure(tupdesc, i) && row->nulls[i])
			names[n++] = CStringGetTextDatum(NameStr(TupleDescAttr(tupdesc, i)->attname));
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* ---------- SQL functions ---------- */

static TupleDesc
descriptor_of(HeapTupleHeader header)
{
	return lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
								  HeapTupleHeaderGetTypMod(header));
}

/* The member's row, else the blank member's with zeros. */
Datum
salkpi_kpi_filled(PG_FUNCTION_ARGS)
{
	HeapTupleHeader blank;
	TupleDesc	tupdesc;
	FactRow    *zero;
	Datum		result;

	if (!PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	blank = PG_GETARG_HEAPTUPLEHEADER(1);
	tupdesc = descriptor_of(blank);
	zero = salkpi_fact_zero(tupdesc, salkpi_fact_open_datum(tupdesc, blank));
	result = heap_copy_tuple_as_datum(heap_form_tuple(tupdesc, zero->values, zero->nulls),
									  tupdesc);
	ReleaseTupleDesc(tupdesc);
	PG_RETURN_DATUM(result);
}

Datum
salkpi_kpi_missing(PG_FUNCTION_ARGS)
{
	HeapTupleHeader fact = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	tupdesc = descriptor_of(fact);
	Datum		names = salkpi_fact_missing(tupdesc, salkpi_fact_open_datum(tupdesc, fact));

	ReleaseTupleDesc(tupdesc);
	PG_RETURN_DATUM(names);
}
