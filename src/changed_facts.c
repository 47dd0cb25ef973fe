/*
 * changed_facts.c
 *	  kpi_changed_facts: what there is to write, the facts that panels make being
 *	  compared with the current ones.
 *
 * Both are gone through a dimension at a time.  A snapshot may have read a
 * source for some of the periods only: in the others the source's measures are
 * kept, that is, they are those of the current facts.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "execute.h"
#include "facts.h"
#include "salkpi.h"

/* Columns of the result before the measures. */
enum
{
	CHANGED_READING,
	CHANGED_GRAIN,
	CHANGED_PERIOD,
	CHANGED_PERIOD_END,
	CHANGED_DIMENSION,
	CHANGED_MEMBER,
	CHANGED_IS_COMPLETE,
	CHANGED_DAYS,
	CHANGED_REPLACES,
	CHANGED_IS_GONE,
	CHANGED_KEYS
};

/* Columns of a current fact, as it is asked for, before the measures. */
enum
{
	CURRENT_GRAIN,
	CURRENT_PERIOD,
	CURRENT_MEMBER,
	CURRENT_CTID,
	CURRENT_PERIOD_END,
	CURRENT_IS_COMPLETE,
	CURRENT_DAYS,
	CURRENT_KEYS
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

/* A call of kpi_changed_facts. */
typedef struct Comparison
{
	Facts		facts;			/* those that the panels make */
	MemoryContext context;		/* of the call */
	ReturnSetInfo *result;		/* where the rows go */
	Datum	   *values;			/* of such a row */
	bool	   *nulls;
	NullableDatum *fact;		/* its measures */
	int			nperiods;
	Parameters *periods;		/* each a kpi_period; count 0: not compared */
	int32	   *counts;			/* of each period: facts, changed or not */
	StringInfoData key;			/* of a period */
	TextTable	period_keys;	/* of those compared, see put_period_key() */
	uint32	   *period_numbers; /* of each such key the period, from 0 */
	const Datum *kept;			/* by period and measure: is it kept? */
	int			nkept;			/* periods in it; in the others none is */
	SPIPlanPtr	plan;			/* asks for the current facts of a dimension */
	Datum		plan_values[3];
	MinimalTuple *current;		/* of each row of the facts, or NULL; in
								 * facts.context */
	Size		ncurrent;		/* allocated */
	TupleDesc	current_columns;	/* of the plan */
	Datum	   *current_values; /* of the row looked at */
	bool	   *current_nulls;
} Comparison;

/* Receives current facts. */
typedef struct CurrentReceiver
{
	DestReceiver receiver;
	Comparison *comparison;
} CurrentReceiver;

static inline bool
is_kept(const Comparison *c, uint32 period, int measure)
{
	return period < c->nkept &&
		DatumGetBool(c->kept[(Size) period * c->facts.nmeasures + measure]);
}

/* Write what tells a period from others, as bytes. */
static void
put_period_key(StringInfo key, Datum grain, Datum period)
{
	text	   *name = DatumGetTextPP(grain);
	DateADT		day = DatumGetDateADT(period);

	resetStringInfo(key);
	appendBinaryStringInfo(key, (char *) &day, sizeof(day));
	appendBinaryStringInfo(key, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

static void
receive_start(DestReceiver *self, int operation, TupleDesc columns)
{
	Comparison *c = ((CurrentReceiver *) self)->comparison;

	for (int m = 0; m < c->facts.nmeasures; m++)
		if (TupleDescAttr(columns, CURRENT_KEYS + m)->atttypid != c->facts.types[m])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("measure \"%s\" must be of the type that it has in kpi_fact",
							NameStr(TupleDescAttr(columns, CURRENT_KEYS + m)->attname))));
	if (c->current_columns == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(c->context);

		c->current_columns = CreateTupleDescCopy(columns);
		MemoryContextSwitchTo(caller);
	}
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Comparison *c = ((CurrentReceiver *) self)->comparison;
	Facts	   *f = &c->facts;
	MemoryContext caller;
	text	   *member;
	uint32		period;
	uint32		row;

	slot_getsomeattrs(slot, CURRENT_MEMBER + 1);
	put_period_key(&c->key, slot->tts_values[CURRENT_GRAIN], slot->tts_values[CURRENT_PERIOD]);
	period = salkpi_text_find(&c->period_keys, c->key.data, c->key.len);
	if (period == SALKPI_NOT_FOUND)
		return true;			/* of the grain of one, and the day of another */
	caller = MemoryContextSwitchTo(f->context);
	member = DatumGetTextPP(slot->tts_values[CURRENT_MEMBER]);
	row = salkpi_facts_put(f, salkpi_text_put(&f->members, VARDATA_ANY(member), VARSIZE_ANY_EXHDR(member)),
						   c->period_numbers[period]);
	c->current = salkpi_grow(f->context, c->current, &c->ncurrent, (Size) row + 1, sizeof(MinimalTuple));
	c->current[row] = ExecCopySlotMinimalTuple(slot);
	MemoryContextSwitchTo(caller);
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}

/* Is there a current version of a fact?  If so its values are at hand then. */
static bool
get_current(Comparison *c, uint32 row)
{
	HeapTupleData tuple;

	if (row >= c->ncurrent || c->current[row] == NULL)
		return false;
	tuple.t_len = c->current[row]->t_len + MINIMAL_TUPLE_OFFSET;
	tuple.t_data = (HeapTupleHeader) ((char *) c->current[row] - MINIMAL_TUPLE_OFFSET);
	heap_deform_tuple(&tuple, c->current_columns, c->current_values, c->current_nulls);
	return true;
}

static inline NullableDatum
current_measure(const Comparison *c, int m)
{
	return (NullableDatum) {
		c->current_values[CURRENT_KEYS + m], c->current_nulls[CURRENT_KEYS + m]
	};
}

/* What is kept and known stays known. */
static void
keep_known(Comparison *c)
{
	Facts	   *f = &c->facts;

	for (uint32 row = 0; c->nkept > 0 && row < f->rows.index.count; row++)
	{
		const uint32 *key = salkpi_tuple_at(&f->rows, row);

		if (key[0] != f->blank || !get_current(c, row))
			continue;
		for (int m = 0; m < f->nmeasures; m++)
			if (is_kept(c, key[1], m) && !current_measure(c, m).isnull)
				salkpi_facts_known(f, key[1], m);
	}
}

/* Ask for the current facts of the dimension; blank is its blank member. */
static void
ask_for_current(Comparison *c, Datum dimension, Datum blank)
{
	Facts	   *f = &c->facts;
	CurrentReceiver receiver = {
		/* To SPI it is one of the receivers that take rows. */
		.receiver = {receive_row, receive_start, receive_nothing, receive_nothing, DestTuplestore},
		.comparison = c
	};
	ParamListInfo params = makeParamList(lengthof(c->plan_values));
	SPIExecuteOptions options = {.params = params,.read_only = true,.dest = &receiver.receiver};
	text	   *name = DatumGetTextPP(blank);

	c->current = NULL;
	c->ncurrent = 0;
	c->plan_values[0] = dimension;
	for (int i = 0; i < lengthof(c->plan_values); i++)
		params->params[i] = (ParamExternData) {
		c->plan_values[i], false, PARAM_FLAG_CONST, SPI_getargtypeid(c->plan, i)
	};
	f->blank = salkpi_text_put(&f->members, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	if (SPI_execute_plan_extended(c->plan, &options) < 0)
		elog(ERROR, "current facts cannot be read");
	keep_known(c);
}

/* Is the current version of a fact, of which there is one, the same as the new one? */
static bool
is_unchanged(const Comparison *c, const Parameters *period, uint32 p)
{
	if (DatumGetDateADT(c->current_values[CURRENT_PERIOD_END]) != DatumGetDateADT(period->values[PERIOD_END]) ||
		DatumGetBool(c->current_values[CURRENT_IS_COMPLETE]) != DatumGetBool(period->values[PERIOD_IS_COMPLETE]) ||
		DatumGetInt32(c->current_values[CURRENT_DAYS]) != DatumGetInt32(period->values[PERIOD_DAYS]))
		return false;
	for (int m = 0; m < c->facts.nmeasures; m++)
	{
		NullableDatum current = current_measure(c, m);

		if (is_kept(c, p, m))
			continue;
		if (current.isnull != c->fact[m].isnull ||
			(!current.isnull && !salkpi_fact_equals(&c->facts, m, current.value, c->fact[m].value)))
			return false;
	}
	return true;
}

/* Return that a fact is new, another, or gone. */
static void
emit(Comparison *c, const Parameters *period, uint32 member, bool has_current, bool is_gone)
{
	uint32		length;
	const char *name = salkpi_text_at(&c->facts.members, member, &length);

	c->values[CHANGED_GRAIN] = period->values[PERIOD_GRAIN];
	c->values[CHANGED_PERIOD] = period->values[PERIOD_START];
	c->values[CHANGED_PERIOD_END] = period->values[PERIOD_END];
	c->values[CHANGED_MEMBER] = PointerGetDatum(cstring_to_text_with_len(name, length));
	c->values[CHANGED_IS_COMPLETE] = period->values[PERIOD_IS_COMPLETE];
	c->values[CHANGED_DAYS] = period->values[PERIOD_DAYS];
	c->nulls[CHANGED_REPLACES] = !has_current;
	if (has_current)
		c->values[CHANGED_REPLACES] = c->current_values[CURRENT_CTID];
	c->values[CHANGED_IS_GONE] = BoolGetDatum(is_gone);
	for (int m = 0; m < c->facts.nmeasures; m++)
	{
		c->values[CHANGED_KEYS + m] = c->fact[m].value;
		c->nulls[CHANGED_KEYS + m] = is_gone || c->fact[m].isnull;
	}
	tuplestore_putvalues(c->result->setResult, c->result->setDesc, c->values, c->nulls);
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
	has_current = get_current(c, row);
	for (int m = 0; m < f->nmeasures; m++)
	{
		NullableDatum value = {.isnull = true};

		if (!is_kept(c, key[1], m))
			value = salkpi_fact_values(f, row)[m];
		else if (has_current)
			value = current_measure(c, m);
		c->fact[m] = value.isnull ? salkpi_fact_blank(f, key[1], m) : value;
	}
	is_gone = !salkpi_fact_is_needed(f, key[0], c->fact);
	if (!is_gone)
		c->counts[key[1]]++;
	if (has_current ? is_gone || !is_unchanged(c, period, key[1]) : !is_gone)
		emit(c, period, key[0], has_current, is_gone);
}

/* Return a row of which most columns are NULL. */
static void
emit_other(Comparison *c, const int *columns, const Datum *values, int count)
{
	memset(c->nulls, true, (CHANGED_KEYS + c->facts.nmeasures) * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		c->nulls[columns[i]] = false;
		c->values[columns[i]] = values[i];
	}
	tuplestore_putvalues(c->result->setResult, c->result->setDesc, c->values, c->nulls);
	memset(c->nulls, false, (CHANGED_KEYS + c->facts.nmeasures) * sizeof(bool));
	c->nulls[CHANGED_READING] = true;
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
		HeapTupleHeader header = DatumGetHeapTupleHeader(reading);
		HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};

		heap_deform_tuple(&tuple, columns, values, nulls);
		for (int i = 0; i < columns->natts; i++)
			if (strcmp(NameStr(TupleDescAttr(columns, i)->attname), "panel") == 0)
				nulls[i] = true;
		reading = HeapTupleGetDatum(heap_form_tuple(columns, values, nulls));
		emit_other(c, (int[]) {CHANGED_READING}, &reading, 1);
	}
	ReleaseTupleDesc(columns);
}

/* Return how many facts there are of each period that was compared. */
static void
emit_counts(Comparison *c)
{
	for (int p = 0; p < c->nperiods; p++)
		if (c->periods[p].count > 0)
			emit_other(c, (int[]) {CHANGED_GRAIN, CHANGED_PERIOD, CHANGED_PERIOD_END, CHANGED_DAYS},
					   (Datum[]) {c->periods[p].values[PERIOD_GRAIN], c->periods[p].values[PERIOD_START],
						   c->periods[p].values[PERIOD_END], Int32GetDatum(c->counts[p])}, 4);
}

/* Compare the facts of the current dimension. */
static void
compare_dimension(Comparison *c, Datum dimension, Datum blank)
{
	MemoryContext caller = MemoryContextSwitchTo(c->facts.context);

	ask_for_current(c, dimension, blank);
	c->values[CHANGED_DIMENSION] = dimension;
	for (uint32 row = 0; row < c->facts.rows.index.count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		compare_fact(c, row);
	}
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

static Datum
make_array(Datum *values, int count, Oid type)
{
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_array(values, count, type, length, by_value, alignment));
}

/* Read the periods, and make of those that are compared parameters of the plan. */
static void
open_periods(Comparison *c, FunctionCallInfo fcinfo, int arg)
{
	bool	   *nulls;
	Datum	   *composites = array_argument(fcinfo, arg, &nulls, &c->nperiods);
	Datum	   *columns[2];
	int			count = 0;

	c->periods = palloc0((c->nperiods + 1) * sizeof(Parameters));
	c->counts = palloc0((c->nperiods + 1) * sizeof(int32));
	c->period_numbers = palloc((c->nperiods + 1) * sizeof(uint32));
	initStringInfo(&c->key);
	salkpi_texts_init(&c->period_keys, c->context);
	for (int i = 0; i < lengthof(columns); i++)
		columns[i] = palloc((c->nperiods + 1) * sizeof(Datum));
	for (int p = 0; p < c->nperiods; p++)
	{
		if (nulls[p])
			continue;
		salkpi_parameters_read(&c->periods[p], composites[p]);
		columns[0][count] = c->periods[p].values[PERIOD_GRAIN];
		columns[1][count++] = c->periods[p].values[PERIOD_START];
		put_period_key(&c->key, c->periods[p].values[PERIOD_GRAIN], c->periods[p].values[PERIOD_START]);
		c->period_numbers[salkpi_text_put(&c->period_keys, c->key.data, c->key.len)] = p;
	}
	c->plan_values[1] = make_array(columns[0], count, TEXTOID);
	c->plan_values[2] = make_array(columns[1], count, DATEOID);
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

/*
 * The plan for the current facts of a dimension, in the periods compared and
 * some others: whatever the planner knows of kpi_fact, an index gives them.
 * The measures are those of the result.
 */
static SPIPlanPtr
plan_current(const Comparison *c, const char *schema)
{
	Oid			types[] = {TEXTOID, TEXTARRAYOID, DATEARRAYOID};
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT f.grain, f.period, f.member, f.ctid, f.period_end, f.is_complete, f.days");
	for (int m = 0; m < c->facts.nmeasures; m++)
		appendStringInfo(&query, ", f.%s",
						 quote_identifier(NameStr(TupleDescAttr(c->result->setDesc, CHANGED_KEYS + m)->attname)));
	appendStringInfo(&query, " FROM %s.kpi_fact f WHERE f.superseded_at IS NULL"
					 " AND f.dimension = $1 AND f.grain = ANY ($2) AND f.period = ANY ($3)", schema);
	return SPI_prepare(query.data, lengthof(types), types);
}

/* Compare all dimensions: first those that panels have, then the others. */
static void
compare_dimensions(Comparison *c, FunctionCallInfo fcinfo)
{
	bool	   *nulls;
	int			count;
	Datum	   *dimensions = array_argument(fcinfo, 2, &nulls, &count);
	Datum	   *blanks = array_argument(fcinfo, 3, &nulls, &count);
	bool	   *is_compared = palloc0((count + 1) * sizeof(bool));

	if (c->period_keys.index.count == 0)
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

/* kpi_changed_facts(readings, others, dimensions, blank_members, periods, kept) */
PG_FUNCTION_INFO_V1(salkpi_changed_facts);
Datum
salkpi_changed_facts(PG_FUNCTION_ARGS)
{
	Oid			keys[CHANGED_KEYS] = {InvalidOid, TEXTOID, DATEOID, DATEOID, TEXTOID, TEXTOID, BOOLOID, INT4OID, TIDOID, BOOLOID};
	Comparison	c = {.context = CurrentMemoryContext};

	for (int i = 0; i <= 4; i++)
		if (i != 1 && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("readings, dimensions, blank members and periods must not be NULL")));
	keys[CHANGED_READING] = ARR_ELEMTYPE(PG_GETARG_ARRAYTYPE_P(0));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	c.result = (ReturnSetInfo *) fcinfo->resultinfo;
	salkpi_facts_open(&c.facts, fcinfo, 2, keys, CHANGED_KEYS);
	c.values = palloc((CHANGED_KEYS + c.facts.nmeasures) * sizeof(Datum));
	c.nulls = palloc0((CHANGED_KEYS + c.facts.nmeasures) * sizeof(bool));
	emit_readings(&c, PG_GETARG_ARRAYTYPE_P(0));
	c.current_values = palloc((CURRENT_KEYS + c.facts.nmeasures) * sizeof(Datum));
	c.current_nulls = palloc((CURRENT_KEYS + c.facts.nmeasures) * sizeof(bool));
	c.fact = palloc((c.facts.nmeasures + 1) * sizeof(NullableDatum));
	open_periods(&c, fcinfo, 4);
	open_kept(&c, fcinfo, 5);
	SPI_connect();
	c.plan = plan_current(&c, quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid))));
	if (c.plan == NULL)
		elog(ERROR, "there is no plan to read current facts");
	compare_dimensions(&c, fcinfo);
	SPI_finish();
	emit_counts(&c);
	return (Datum) 0;
}
