/*
 * changed_facts.c
 *	  kpi_changed_facts: what there is to write, the facts that panels make being
 *	  compared with the current ones.
 *
 * Both are gone through a dimension at a time.  What has changed is said for
 * each period in it; the facts to be written wait for kpi_new_facts.  A snapshot
 * may have read a source for some of the periods only: in the others the
 * source's measures are kept, that is, they are those of the current facts.
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
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "current_facts.h"
#include "execute.h"
#include "facts.h"
#include "salkpi.h"

/* Columns of the result. */
enum
{
	CHANGED_READING,
	CHANGED_GRAIN,
	CHANGED_PERIOD,
	CHANGED_PERIOD_END,
	CHANGED_DIMENSION,
	CHANGED_FACTS,
	CHANGED_ADDED,
	CHANGED_ALTERED,
	CHANGED_GONE,
	CHANGED_REPLACES,
	CHANGED_NEW_FACTS,
	CHANGED_COLUMNS
};

/* Columns of kpi_fact before the measures. */
enum
{
	FACT_GRAIN,
	FACT_PERIOD,
	FACT_PERIOD_END,
	FACT_DIMENSION,
	FACT_MEMBER,
	FACT_RECORDED_AT,
	FACT_SUPERSEDED_AT,
	FACT_RUN,
	FACT_IS_COMPLETE,
	FACT_DAYS
};

/* Attributes of kpi_period, as far as they are of interest. */
enum
{
	PERIOD_GRAIN,
	PERIOD_START,
	PERIOD_END,
	PERIOD_IS_COMPLETE,
	PERIOD_DAYS
};

/* What has changed in a period of the current dimension. */
typedef struct PeriodChange
{
	int32		added;			/* facts without a current version */
	int32		altered;		/* with another one */
	int32		gone;			/* that are none any more */
	Datum	   *replaces;		/* where the versions that are no longer right
								 * are: tids */
	Size		nreplaces;		/* allocated */
} PeriodChange;

/* A call of kpi_changed_facts. */
typedef struct Comparison
{
	Facts		facts;			/* those that the panels make */
	CurrentFacts current;		/* those that there are */
	ReturnSetInfo *result;		/* where the rows go */
	NewFacts   *new_facts;		/* where facts to be written go */
	Datum	   *values;			/* of such a fact */
	bool	   *nulls;
	char	  **names;			/* of the measures */
	int		   *columns;		/* of kpi_fact, from 0: of each measure */
	NullableDatum *fact;		/* the measures of one */
	int			nperiods;
	Parameters *periods;		/* each a kpi_period; count 0: not compared */
	int32	   *counts;			/* of each period: facts, changed or not */
	PeriodChange *changes;		/* of each period; in facts.context */
	const Datum *kept;			/* by period and measure: is it kept? */
	int			nkept;			/* periods in it; in the others none is */
} Comparison;

static inline bool
is_kept(const Comparison *c, uint32 period, int measure)
{
	return period < c->nkept &&
		DatumGetBool(c->kept[(Size) period * c->facts.nmeasures + measure]);
}

/* What is kept and known stays known. */
static void
keep_known(Comparison *c)
{
	Facts	   *f = &c->facts;

	for (uint32 row = 0; c->nkept > 0 && row < f->rows.index.count; row++)
	{
		const uint32 *key = salkpi_tuple_at(&f->rows, row);

		if (key[0] != f->blank || !salkpi_current_get(&c->current, row))
			continue;
		for (int m = 0; m < f->nmeasures; m++)
			if (is_kept(c, key[1], m) && !salkpi_current_measure(&c->current, m).isnull)
				salkpi_facts_known(f, key[1], m);
	}
}

/* Is the current version of a fact, of which there is one, the same as the new one? */
static bool
is_unchanged(const Comparison *c, const Parameters *period, uint32 p)
{
	const Datum *values = c->current.values;

	if (DatumGetDateADT(values[CURRENT_PERIOD_END]) != DatumGetDateADT(period->values[PERIOD_END]) ||
		DatumGetBool(values[CURRENT_IS_COMPLETE]) != DatumGetBool(period->values[PERIOD_IS_COMPLETE]) ||
		DatumGetInt32(values[CURRENT_DAYS]) != DatumGetInt32(period->values[PERIOD_DAYS]))
		return false;
	for (int m = 0; m < c->facts.nmeasures; m++)
	{
		NullableDatum current = salkpi_current_measure(&c->current, m);

		if (is_kept(c, p, m))
			continue;
		if (current.isnull != c->fact[m].isnull ||
			(!current.isnull && !salkpi_fact_equals(&c->facts, m, current.value, c->fact[m].value)))
			return false;
	}
	return true;
}

/* Note that a fact is new, another, or gone. */
static void
note_change(Comparison *c, PeriodChange *change, bool has_current, bool is_gone)
{
	change->added += !has_current;
	change->altered += has_current && !is_gone;
	change->gone += is_gone;
	if (!has_current)
		return;
	change->replaces = salkpi_grow(c->facts.context, change->replaces, &change->nreplaces,
								   (Size) change->altered + change->gone, sizeof(Datum));
	change->replaces[change->altered + change->gone - 1] = c->current.values[CURRENT_CTID];
}

/* Keep a fact for being written. */
static void
put_new(Comparison *c, const Parameters *period, uint32 member)
{
	uint32		length;
	const char *name = salkpi_text_at(&c->facts.members, member, &length);

	c->values[FACT_GRAIN] = period->values[PERIOD_GRAIN];
	c->values[FACT_PERIOD] = period->values[PERIOD_START];
	c->values[FACT_PERIOD_END] = period->values[PERIOD_END];
	c->values[FACT_MEMBER] = PointerGetDatum(cstring_to_text_with_len(name, length));
	c->values[FACT_IS_COMPLETE] = period->values[PERIOD_IS_COMPLETE];
	c->values[FACT_DAYS] = period->values[PERIOD_DAYS];
	for (int m = 0; m < c->facts.nmeasures; m++)
	{
		c->values[c->columns[m]] = c->fact[m].value;
		c->nulls[c->columns[m]] = c->fact[m].isnull;
	}
	salkpi_new_facts_put(c->new_facts, c->values, c->nulls);
	pfree(DatumGetPointer(c->values[FACT_MEMBER]));
}

static void
compare_fact(Comparison *c, uint32 row)
{
	const Facts *f = &c->facts;
	const uint32 *key = salkpi_tuple_at(&f->rows, row);
	const Parameters *period = &c->periods[key[1]];
	bool		has_current;
	bool		is_gone;

	if (key[1] >= c->nperiods || period->count == 0)
		return;
	has_current = salkpi_current_get(&c->current, row);
	for (int m = 0; m < f->nmeasures; m++)
	{
		NullableDatum value = {.isnull = true};

		if (!is_kept(c, key[1], m))
			value = salkpi_fact_value(f, row, m);
		else if (has_current)
			value = salkpi_current_measure(&c->current, m);
		c->fact[m] = value.isnull ? salkpi_fact_blank(f, key[1], m) : value;
	}
	is_gone = !salkpi_fact_is_needed(f, key[0], c->fact);
	if (!is_gone)
		c->counts[key[1]]++;
	if (has_current ? !is_gone && is_unchanged(c, period, key[1]) : is_gone)
		return;
	note_change(c, &c->changes[key[1]], has_current, is_gone);
	if (!is_gone)
		put_new(c, period, key[0]);
}

/* Return a row of which most columns are NULL. */
static void
emit(const Comparison *c, const int *columns, const Datum *values, int count)
{
	Datum		row[CHANGED_COLUMNS];
	bool		nulls[CHANGED_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	for (int i = 0; i < count; i++)
	{
		nulls[columns[i]] = false;
		row[columns[i]] = values[i];
	}
	tuplestore_putvalues(c->result->setResult, c->result->setDesc, row, nulls);
}

/* Return what was read, but for the panels. */
static void
emit_readings(Comparison *c, ArrayType *readings)
{
	TupleDesc	columns = lookup_rowtype_tupdesc(ARR_ELEMTYPE(readings), -1);
	Datum	   *values = palloc(columns->natts * sizeof(Datum));
	bool	   *nulls = palloc(columns->natts * sizeof(bool));
	ArrayIterator iterator = array_create_iterator(readings, 0, NULL);
	Datum		reading;
	bool		isnull;

	while (array_iterate(iterator, &reading, &isnull))
	{
		HeapTupleHeader header;
		HeapTupleData tuple;

		if (isnull)
			continue;
		header = DatumGetHeapTupleHeader(reading);
		tuple = (HeapTupleData) {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};

		heap_deform_tuple(&tuple, columns, values, nulls);
		for (int i = 0; i < columns->natts; i++)
			if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), "panel") == 0)
				nulls[i] = true;
		reading = HeapTupleGetDatum(heap_form_tuple(columns, values, nulls));
		emit(c, (int[]) {CHANGED_READING}, &reading, 1);
	}
	ReleaseTupleDesc(columns);
}

/* Return how many facts there are of each period that was compared, and where the new ones are. */
static void
emit_counts(const Comparison *c)
{
	for (int p = 0; p < c->nperiods; p++)
		if (c->periods[p].count > 0)
			emit(c, (int[]) {CHANGED_GRAIN, CHANGED_PERIOD, CHANGED_PERIOD_END, CHANGED_FACTS, CHANGED_NEW_FACTS},
				 (Datum[]) {c->periods[p].values[PERIOD_GRAIN], c->periods[p].values[PERIOD_START], c->periods[p].values[PERIOD_END],
					 Int32GetDatum(c->counts[p]), Int64GetDatum(salkpi_new_facts_number(c->new_facts))}, 5);
}

/* Return what has changed in a period of a dimension. */
static void
emit_change(const Comparison *c, int p, Datum dimension)
{
	const PeriodChange *change = &c->changes[p];
	const Datum *period = c->periods[p].values;
	ArrayType  *replaces;

	if (change->added + change->altered + change->gone == 0)
		return;
	replaces = construct_array(change->replaces, change->altered + change->gone, TIDOID,
							   sizeof(ItemPointerData), false, TYPALIGN_SHORT);
	emit(c, (int[]) {CHANGED_GRAIN, CHANGED_PERIOD, CHANGED_PERIOD_END, CHANGED_DIMENSION,
			 CHANGED_ADDED, CHANGED_ALTERED, CHANGED_GONE, CHANGED_REPLACES},
		 (Datum[]) {period[PERIOD_GRAIN], period[PERIOD_START], period[PERIOD_END], dimension,
			 Int32GetDatum(change->added), Int32GetDatum(change->altered), Int32GetDatum(change->gone),
			 PointerGetDatum(replaces)}, 8);
}

/* Compare the facts of the current dimension. */
static void
compare_dimension(Comparison *c, Datum dimension, Datum blank)
{
	MemoryContext caller = MemoryContextSwitchTo(c->facts.context);

	salkpi_current_ask(&c->current, dimension, blank);
	MemoryContextSwitchTo(c->facts.context);	/* SPI has left its own */
	keep_known(c);
	c->changes = palloc0((c->nperiods + 1) * sizeof(PeriodChange));
	c->values[FACT_DIMENSION] = dimension;
	for (uint32 row = 0; row < c->facts.rows.index.count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		compare_fact(c, row);
	}
	for (int p = 0; p < c->nperiods; p++)
		emit_change(c, p, dimension);
	MemoryContextSwitchTo(caller);
}

/* The elements of an array argument. */
static Datum *
array_argument(FunctionCallInfo fcinfo, int arg, bool **nulls, int *count)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(arg);
	Datum	   *elements;
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &elements, nulls, count);
	return elements;
}

/* The same of one that has no NULL. */
static Datum *
whole_array_argument(FunctionCallInfo fcinfo, int arg, int *count)
{
	bool	   *nulls;
	Datum	   *elements = array_argument(fcinfo, arg, &nulls, count);

	for (int i = 0; i < *count; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("dimensions and their blank members must not be NULL")));
	return elements;
}

/* Read the periods, and get ready for the current facts of those that are compared. */
static void
open_periods(Comparison *c, FunctionCallInfo fcinfo, int arg)
{
	bool	   *nulls;
	Datum	   *composites = array_argument(fcinfo, arg, &nulls, &c->nperiods);
	Datum	   *grains = palloc((c->nperiods + 1) * sizeof(Datum));
	Datum	   *starts = palloc((c->nperiods + 1) * sizeof(Datum));
	uint32	   *numbers = palloc((c->nperiods + 1) * sizeof(uint32));
	int			count = 0;

	c->periods = palloc0((c->nperiods + 1) * sizeof(Parameters));
	c->counts = palloc0((c->nperiods + 1) * sizeof(int32));
	for (int p = 0; p < c->nperiods; p++)
	{
		if (nulls[p])
			continue;
		salkpi_parameters_read(&c->periods[p], composites[p]);
		for (int i = 0; i <= PERIOD_DAYS; i++)
			if (c->periods[p].nulls[i])
				ereport(ERROR,
						(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						 errmsg("a period has no grain, days or is_complete")));
		grains[count] = c->periods[p].values[PERIOD_GRAIN];
		starts[count] = c->periods[p].values[PERIOD_START];
		numbers[count++] = p;
	}
	salkpi_current_open(&c->current, &c->facts, grains, starts, numbers, count);
}

/* Read which measures are kept in which periods. */
static void
open_kept(Comparison *c, FunctionCallInfo fcinfo, int arg)
{
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(arg))
		return;
	c->kept = array_argument(fcinfo, arg, &nulls, &count);
	c->nkept = count / Max(c->facts.nmeasures, 1);
	if (count != c->nkept * c->facts.nmeasures)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("of a period it must be said for each measure whether it is kept")));
}

/* Compare all dimensions: first those that panels have, then the others. */
static void
compare_dimensions(Comparison *c, FunctionCallInfo fcinfo)
{
	int			count;
	int			nblanks;
	Datum	   *dimensions = whole_array_argument(fcinfo, 2, &count);
	Datum	   *blanks = whole_array_argument(fcinfo, 3, &nblanks);
	bool	   *is_compared = palloc0((count + 1) * sizeof(bool));

	if (nblanks != count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be a blank member for each dimension")));
	if (c->current.period_keys.index.count == 0)
		return;					/* there are no current facts to ask for */
	while (salkpi_facts_next(&c->facts))
		for (int d = 0; d < count; d++)
		{
			text	   *name = DatumGetTextPP(dimensions[d]);

			if (VARSIZE_ANY_EXHDR(name) != c->facts.dimension_length ||
				memcmp(VARDATA_ANY(name), c->facts.dimension, c->facts.dimension_length) != 0)
				continue;
			compare_dimension(c, dimensions[d], blanks[d]);
			is_compared[d] = true;
		}
	for (int d = 0; d < count; d++)
		if (!is_compared[d])
		{
			salkpi_facts_start(&c->facts, DatumGetTextPP(dimensions[d]));
			compare_dimension(c, dimensions[d], blanks[d]);
		}
}

/* Read the names of the measures, and find their columns in kpi_fact. */
static void
open_measures(Comparison *c, FunctionCallInfo fcinfo, int arg)
{
	TupleDesc	columns = salkpi_new_facts_columns(c->new_facts);
	bool	   *nulls;
	int			count;
	Datum	   *names = array_argument(fcinfo, arg, &nulls, &count);
	Oid		   *types = palloc((count + 1) * sizeof(Oid));

	c->names = palloc((count + 1) * sizeof(char *));
	c->columns = palloc((count + 1) * sizeof(int));
	for (int m = 0; m < count; m++)
	{
		c->names[m] = nulls[m] ? "" : TextDatumGetCString(names[m]);
		c->columns[m] = SPI_fnumber(columns, c->names[m]) - 1;
		if (c->columns[m] <= FACT_DAYS)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("kpi_fact has no measure \"%s\"", c->names[m])));
		types[m] = TupleDescAttr(columns, c->columns[m])->atttypid;
	}
	salkpi_facts_open(&c->facts, fcinfo, 2, types, count);
	c->fact = palloc((count + 1) * sizeof(NullableDatum));
}

/* What is the same in all facts to be written. */
static void
open_new_facts(Comparison *c, FunctionCallInfo fcinfo, int arg)
{
	int			natts;

	c->new_facts = salkpi_new_facts_begin(c->result, get_func_namespace(fcinfo->flinfo->fn_oid));
	natts = salkpi_new_facts_columns(c->new_facts)->natts;
	c->values = palloc0((natts + 1) * sizeof(Datum));
	c->nulls = palloc((natts + 1) * sizeof(bool));
	memset(c->nulls, true, natts * sizeof(bool));
	memset(c->nulls, false, (FACT_DAYS + 1) * sizeof(bool));
	c->nulls[FACT_SUPERSEDED_AT] = true;
	c->values[FACT_RECORDED_AT] = PG_GETARG_DATUM(arg);
	c->values[FACT_RUN] = PG_GETARG_DATUM(arg + 1);
}

/* kpi_changed_facts(readings, others, dimensions, blank_members, periods, kept, measures, as_of, run) */
PG_FUNCTION_INFO_V1(salkpi_changed_facts);
Datum
salkpi_changed_facts(PG_FUNCTION_ARGS)
{
	Comparison	c = {0};

	for (int i = 0; i < PG_NARGS(); i++)
		if (i != 1 && i != 5 && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("of the arguments of kpi_changed_facts only others and kept may be NULL")));
	InitMaterializedSRF(fcinfo, 0);
	c.result = (ReturnSetInfo *) fcinfo->resultinfo;
	open_new_facts(&c, fcinfo, 7);
	open_measures(&c, fcinfo, 6);
	emit_readings(&c, PG_GETARG_ARRAYTYPE_P(0));
	open_periods(&c, fcinfo, 4);
	open_kept(&c, fcinfo, 5);
	SPI_connect();
	salkpi_current_plan(&c.current, get_func_namespace(fcinfo->flinfo->fn_oid), c.names);
	compare_dimensions(&c, fcinfo);
	SPI_finish();
	emit_counts(&c);
	return (Datum) 0;
}
