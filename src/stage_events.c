/*
 * stage_events.c
 *	  kpi_stage_events: the way of one opportunity through the stages, for SQL.
 *
 * The history comes as an array, in any order.  The stages are the same for all
 * opportunities of a query: they are prepared once, and again only when other
 * ones are given.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "stages.h"

/* What is kept from call to call. */
typedef struct Cache
{
	MemoryContext context;		/* of the stages */
	const Stages *stages;
	TupleDesc	step;			/* of kpi_step */
	TupleDesc	event;			/* of kpi_stage_event */
	ArrayType  *no_keys;		/* an empty array */
} Cache;

static const Cache *
get_cache(FunctionCallInfo fcinfo, ArrayType *names, ArrayType *positions,
		  ArrayType *outcomes, Oid step_type)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Cache	   *cache = flinfo->fn_extra;
	MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);

	if (cache == NULL)
	{
		cache = palloc0(sizeof(Cache));
		cache->context = AllocSetContextCreate(flinfo->fn_mcxt, "stages",
											   ALLOCSET_SMALL_SIZES);
		cache->step = lookup_rowtype_tupdesc_copy(step_type, -1);
		cache->event = lookup_rowtype_tupdesc_copy(
			get_element_type(get_func_rettype(flinfo->fn_oid)), -1);
		cache->no_keys = construct_empty_array(TEXTOID);
		if (cache->step->natts != STEP_COLUMNS ||
			cache->event->natts != EVENT_COLUMNS)
			elog(ERROR, "kpi_step or kpi_stage_event has an unknown form");
		flinfo->fn_extra = cache;
	}
	if (cache->stages == NULL ||
		!salkpi_stages_are_of(cache->stages, names, positions, outcomes))
	{
		cache->stages = NULL;
		MemoryContextReset(cache->context);
		MemoryContextSwitchTo(cache->context);
		cache->stages = salkpi_stages_create(names, positions, outcomes);
	}
	MemoryContextSwitchTo(old);
	return cache;
}

static void
read_steps(Walk *walk, ArrayType *array, TupleDesc tupdesc)
{
	Datum	   *rows;
	bool	   *no_row;
	int			nrows;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &rows, &no_row, &nrows);
	for (int i = 0; i < nrows; i++)
	{
		Step	   *step;
		HeapTupleData tuple;
		Datum		values[STEP_COLUMNS];
		bool		nulls[STEP_COLUMNS];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (no_row[i])
			continue;
		tuple.t_data = DatumGetHeapTupleHeader(rows[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
		heap_deform_tuple(&tuple, tupdesc, values, nulls);
		if (nulls[STEP_FROM])
			continue;
		step = salkpi_walk_add(walk, DatumGetTimestampTz(values[STEP_FROM]),
							   nulls[STEP_STAGE] ? NULL : DatumGetTextPP(values[STEP_STAGE]),
							   nulls[STEP_STATUS] ? NULL : DatumGetTextPP(values[STEP_STATUS]));
		step->has_end = !nulls[STEP_TO];
		step->to = step->has_end ? DatumGetTimestampTz(values[STEP_TO]) : 0;
		step->has_keys = !nulls[STEP_KEYS];
		step->keys = values[STEP_KEYS];
	}
}

static ArrayType *
make_events(const Walk *walk, const Cache *cache)
{
	Datum	   *events = palloc_extended((walk->nevents + 1) * sizeof(Datum), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < walk->nevents; i++)
	{
		Datum		values[EVENT_COLUMNS];
		bool		nulls[EVENT_COLUMNS] = {false};

		salkpi_event_values(&walk->events[i], PointerGetDatum(cache->no_keys), values);
		events[i] = HeapTupleGetDatum(heap_form_tuple(cache->event, values, nulls));
	}
	return construct_array(events, walk->nevents, cache->event->tdtypeid, -1, false, TYPALIGN_DOUBLE);
}

/*
 * (steps; names, positions, outcomes of the stages; closed_at, is_won).  Of a
 * deal that has been won one does not always know when.
 */
PG_FUNCTION_INFO_V1(salkpi_kpi_stage_events);
Datum
salkpi_kpi_stage_events(PG_FUNCTION_ARGS)
{
	Walk		walk = {.context = CurrentMemoryContext};
	const Cache *cache;
	ArrayType  *steps;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	steps = PG_GETARG_ARRAYTYPE_P(0);
	cache = get_cache(fcinfo, PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_ARRAYTYPE_P(2),
					  PG_GETARG_ARRAYTYPE_P(3), ARR_ELEMTYPE(steps));
	walk.stages = cache->stages;
	walk.is_closed = !PG_ARGISNULL(4);
	walk.closed_at = walk.is_closed ? PG_GETARG_TIMESTAMPTZ(4) : 0;
	walk.is_won = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	salkpi_walk_begin(&walk);
	read_steps(&walk, steps, cache->step);
	salkpi_walk(&walk);
	PG_RETURN_ARRAYTYPE_P(make_events(&walk, cache));
}
