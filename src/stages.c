/*
 * stages.c
 *	  The way of one opportunity through the stages, from its history.
 *
 * A history is put together by array_agg, in any order, and is walked here:
 * all that is asked of it (what came before, what follows, how far it went)
 * takes the rows of one opportunity only, of which there are few.  So a
 * grouping, which spills, is the only thing that sees all of them.
 *
 * The walk is made twice, since two orders matter.  Stays follow each other by
 * when the rows begin and end.  Stages are entered in the order in which rows
 * begin, of those that begin together the lowest first, so that it passes
 * fewest.  Where that leaves rows equal, their texts decide, so that the result
 * never depends on the order of the rows.
 *
 * The stages are the same for all opportunities of a query: they are prepared
 * once, and again only when other ones are given.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "salkpi.h"
#include "segment.h"

/* How many steps a loop takes between two looks at interrupts; 2^n - 1. */
#define INTERRUPT_MASK	0xFFF

#define NO_STAGE		SALKPI_NOT_FOUND
#define NO_LEVEL		PG_INT32_MAX	/* nulls come last */
#define WON_LEVEL		(PG_INT32_MAX - 1)	/* after all stages */
#define NOWHERE			(-1)			/* before all stages */

typedef enum Outcome
{
	OPEN,
	WON,
	LOST
} Outcome;

/* The columns of kpi_step. */
enum
{
	STEP_FROM,
	STEP_TO,
	STEP_STAGE,
	STEP_STATUS,
	STEP_KEYS,
	STEP_COLUMNS
};

/* The columns of kpi_stage_event, none of them NULL: that is read faster. */
enum
{
	EVENT_AT,
	EVENT_SINCE,
	EVENT_ENTERED,
	EVENT_ADVANCED,
	EVENT_CLOSING,
	EVENT_STAGE,
	EVENT_KEYS,
	EVENT_COLUMNS
};

/* A stage that comes in an order, or does not. */
typedef struct Stage
{
	int32		level;			/* equal for equal positions; or NO_LEVEL */
	Outcome		outcome;		/* what it means to be there */
	int64		position;		/* as given */
	bool		has_position;	/* is there one? */
} Stage;

/* The stages, and the arguments that they were made of. */
typedef struct Stages
{
	ArrayType  *names;
	ArrayType  *positions;
	ArrayType  *outcomes;
	TextTable	table;			/* numbers the names */
	Stage	   *stages;			/* by number */
	uint32	   *passed;			/* numbers of those that can be passed, in order */
	uint32		npassed;		/* how many */
} Stages;

/* What is kept from call to call. */
typedef struct Cache
{
	MemoryContext context;		/* of the stages */
	Stages	   *stages;
	TupleDesc	step;			/* of kpi_step */
	TupleDesc	event;			/* of kpi_stage_event */
	ArrayType  *no_keys;		/* an empty array */
} Cache;

/* A row of the history. */
typedef struct Step
{
	TimestampTz from;
	TimestampTz to;				/* if it says so, or with the next */
	bool		has_end;		/* is "to" known? */
	Outcome		outcome;		/* the row's, else its stage's */
	int32		level;			/* of the stage, or WON_LEVEL */
	uint32		stage;			/* number of the stage that it is in */
	Datum		name;			/* of that stage, if there is one */
	Datum		keys;
	bool		has_keys;		/* are they not NULL? */
} Step;

/* A deal, and what became of it. */
typedef struct Walk
{
	const Cache *cache;
	Step	   *steps;			/* in the order of stays */
	uint32		nsteps;
	bool		is_closed;		/* is closed_at known? */
	TimestampTz closed_at;
	bool		is_won;			/* has it been won by now? */
	TextTable	strangers;		/* names of stages that are not in the list */
	bool	   *entered;		/* by number of the stage */
	int32		highest;		/* level reached at any time */
	Datum	   *events;
	uint32		nevents;
	Size		capacity;		/* of events */
} Walk;

/* ---------- The stages ---------- */

static Outcome
get_outcome(const text *t)
{
	const char *bytes = VARDATA_ANY(t);

	return VARSIZE_ANY_EXHDR(t) == 0 ? OPEN :
		bytes[0] == 'w' ? WON : bytes[0] == 'l' ? LOST : OPEN;
}

#define ST_SORT sort_by_position
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b, stages) \
	((stages)[*(a)].position < (stages)[*(b)].position ? -1 : \
	 (stages)[*(a)].position > (stages)[*(b)].position)
#define ST_COMPARE_ARG_TYPE Stage
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* Levels follow the positions, and a stage that is open can be passed. */
static void
number_levels(Stages *stages)
{
	uint32		n = stages->table.index.count;
	uint32	   *order = palloc_extended(Max(n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32		npositions = 0;
	int32		level = 0;

	for (uint32 i = 0; i < n; i++)
		if (stages->stages[i].has_position)
			order[npositions++] = i;
	if (npositions > 1)
		sort_by_position(order, npositions, stages->stages);
	for (uint32 i = 0; i < npositions; i++)
	{
		Stage	   *stage = &stages->stages[order[i]];

		if (i > 0 && stage->position != stages->stages[order[i - 1]].position)
			level++;
		stage->level = level;
	}
	stages->passed = order;
	stages->npassed = 0;
	for (uint32 i = 0; i < npositions; i++)
		if (stages->stages[order[i]].outcome == OPEN)
			order[stages->npassed++] = order[i];
}

static Stages *
create_stages(ArrayType *names, ArrayType *positions, ArrayType *outcomes)
{
	Stages	   *stages = palloc0(sizeof(Stages));
	Datum	   *name;
	Datum	   *position;
	Datum	   *outcome;
	bool	   *no_name;
	bool	   *no_position;
	bool	   *no_outcome;
	int			n;
	int			npositions;
	int			noutcomes;

	stages->names = DatumGetArrayTypePCopy(PointerGetDatum(names));
	stages->positions = DatumGetArrayTypePCopy(PointerGetDatum(positions));
	stages->outcomes = DatumGetArrayTypePCopy(PointerGetDatum(outcomes));
	deconstruct_array(stages->names, TEXTOID, -1, false, TYPALIGN_INT,
					  &name, &no_name, &n);
	deconstruct_array(stages->positions, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &position, &no_position, &npositions);
	deconstruct_array(stages->outcomes, TEXTOID, -1, false, TYPALIGN_INT,
					  &outcome, &no_outcome, &noutcomes);
	if (npositions != n || noutcomes != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("stages have %d names, %d positions and %d outcomes",
						n, npositions, noutcomes)));
	salkpi_texts_init(&stages->table, CurrentMemoryContext);
	stages->stages = palloc_extended(Max(n, 1) * sizeof(Stage),
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
	{
		uint32		known = stages->table.index.count;
		text	   *t = no_name[i] ? NULL : DatumGetTextPP(name[i]);
		Stage	   *stage = &stages->stages[known];

		if (t == NULL || salkpi_text_put(&stages->table, VARDATA_ANY(t),
										 VARSIZE_ANY_EXHDR(t)) < known)
			continue;			/* the first of a name counts */
		stage->has_position = !no_position[i];
		stage->position = no_position[i] ? 0 : DatumGetInt64(position[i]);
		stage->level = NO_LEVEL;
		stage->outcome = no_outcome[i] ? OPEN :
			get_outcome(DatumGetTextPP(outcome[i]));
	}
	number_levels(stages);
	return stages;
}

static inline bool
is_same_array(const ArrayType *a, const ArrayType *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

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
		!is_same_array(cache->stages->names, names) ||
		!is_same_array(cache->stages->positions, positions) ||
		!is_same_array(cache->stages->outcomes, outcomes))
	{
		cache->stages = NULL;
		MemoryContextReset(cache->context);
		MemoryContextSwitchTo(cache->context);
		cache->stages = create_stages(names, positions, outcomes);
	}
	MemoryContextSwitchTo(old);
	return cache;
}

/* ---------- The steps ---------- */

/* Where a row puts its opportunity: in a stage, if it has a name and is open. */
static void
set_stage(Walk *walk, Step *step, const text *name, const text *status)
{
	const Stages *stages = walk->cache->stages;
	const char *bytes = name == NULL ? NULL : VARDATA_ANY(name);
	uint32		length = name == NULL ? 0 : VARSIZE_ANY_EXHDR(name);
	uint32		number = length == 0 ? NO_STAGE :
		salkpi_text_find(&stages->table, bytes, length);
	const Stage *stage = number == NO_STAGE ? NULL : &stages->stages[number];

	step->outcome = status != NULL ? get_outcome(status) :
		stage != NULL ? stage->outcome : OPEN;
	step->level = step->outcome == WON ? WON_LEVEL :
		stage != NULL ? stage->level : NO_LEVEL;
	step->stage = NO_STAGE;
	if (step->outcome != OPEN || length == 0)
		return;
	if (stage == NULL)
	{
		if (walk->strangers.index.slots == NULL)
			salkpi_texts_init(&walk->strangers, CurrentMemoryContext);
		number = stages->table.index.count +
			salkpi_text_put(&walk->strangers, bytes, length);
	}
	step->stage = number;
	step->name = PointerGetDatum(name);
}

static void
read_steps(Walk *walk, ArrayType *array)
{
	Datum	   *rows;
	bool	   *no_row;
	int			nrows;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &rows, &no_row, &nrows);
	walk->steps = palloc_extended(Max(nrows, 1) * sizeof(Step),
								  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < nrows; i++)
	{
		Step	   *step = &walk->steps[walk->nsteps];
		HeapTupleData tuple;
		Datum		values[STEP_COLUMNS];
		bool		nulls[STEP_COLUMNS];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (no_row[i])
			continue;
		tuple.t_data = DatumGetHeapTupleHeader(rows[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
		heap_deform_tuple(&tuple, walk->cache->step, values, nulls);
		if (nulls[STEP_FROM])
			continue;
		step->from = DatumGetTimestampTz(values[STEP_FROM]);
		step->has_end = !nulls[STEP_TO];
		step->to = step->has_end ? DatumGetTimestampTz(values[STEP_TO]) : 0;
		step->has_keys = !nulls[STEP_KEYS];
		step->keys = values[STEP_KEYS];
		set_stage(walk, step,
				  nulls[STEP_STAGE] ? NULL : DatumGetTextPP(values[STEP_STAGE]),
				  nulls[STEP_STATUS] ? NULL : DatumGetTextPP(values[STEP_STATUS]));
		walk->nsteps++;
	}
}

/* Texts by their bytes, NULL after all others. */
static int
compare_texts(bool has_a, Datum a, bool has_b, Datum b)
{
	const text *text_a;
	const text *text_b;
	Size		length_a;
	Size		length_b;
	int			order;

	if (!has_a || !has_b)
		return (int) has_b - (int) has_a;
	text_a = DatumGetTextPP(a);
	text_b = DatumGetTextPP(b);
	length_a = VARSIZE_ANY_EXHDR(text_a);
	length_b = VARSIZE_ANY_EXHDR(text_b);
	order = memcmp(VARDATA_ANY(text_a), VARDATA_ANY(text_b),
				   Min(length_a, length_b));
	return order != 0 ? order : length_a < length_b ? -1 : length_a > length_b;
}

static int
compare_keys(const Step *a, const Step *b)
{
	Datum	   *keys_a;
	Datum	   *keys_b;
	bool	   *nulls_a;
	bool	   *nulls_b;
	int			n_a;
	int			n_b;
	int			order = 0;

	if (!a->has_keys || !b->has_keys)
		return (int) b->has_keys - (int) a->has_keys;
	deconstruct_array(DatumGetArrayTypeP(a->keys), TEXTOID, -1, false,
					  TYPALIGN_INT, &keys_a, &nulls_a, &n_a);
	deconstruct_array(DatumGetArrayTypeP(b->keys), TEXTOID, -1, false,
					  TYPALIGN_INT, &keys_b, &nulls_b, &n_b);
	for (int i = 0; i < n_a && i < n_b && order == 0; i++)
		order = compare_texts(!nulls_a[i], keys_a[i], !nulls_b[i], keys_b[i]);
	pfree(keys_a);
	pfree(keys_b);
	pfree(nulls_a);
	pfree(nulls_b);
	return order != 0 ? order : n_a < n_b ? -1 : n_a > n_b;
}

/* In the order in which stages are entered. */
static int
compare_entries(const Step *a, const Step *b)
{
	int			order;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	order = compare_texts(a->stage != NO_STAGE, a->name,
						  b->stage != NO_STAGE, b->name);
	return order != 0 ? order : compare_keys(a, b);
}

/* In the order in which stays follow each other. */
static int
compare_stays(const Step *a, const Step *b)
{
	int			order;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (!a->has_end || !b->has_end)
		order = (int) b->has_end - (int) a->has_end;
	else
		order = a->to < b->to ? -1 : a->to > b->to;
	if (order == 0)
		order = compare_entries(a, b);
	return order != 0 ? order : (int) a->outcome - (int) b->outcome;
}

#define ST_SORT sort_stays
#define ST_ELEMENT_TYPE Step
#define ST_COMPARE(a, b) compare_stays(a, b)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

typedef const Step *StepPointer;

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE StepPointer
#define ST_COMPARE(a, b) compare_entries(*(a), *(b))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---------- What became of it ---------- */

/* Of a stay it says since when; a row (NULL: none) says whose it is. */
static void
add_event(Walk *walk, bool entered, Datum stage, TimestampTz since,
		  TimestampTz at, bool advanced, bool by_closing, const Step *step)
{
	Datum		values[EVENT_COLUMNS];
	bool		nulls[EVENT_COLUMNS] = {false};

	values[EVENT_AT] = TimestampTzGetDatum(at);
	values[EVENT_SINCE] = TimestampTzGetDatum(since);
	values[EVENT_ENTERED] = BoolGetDatum(entered);
	values[EVENT_ADVANCED] = BoolGetDatum(advanced);
	values[EVENT_CLOSING] = BoolGetDatum(by_closing);
	values[EVENT_STAGE] = stage;
	values[EVENT_KEYS] = step != NULL && step->has_keys ? step->keys :
		PointerGetDatum(walk->cache->no_keys);
	walk->events = salkpi_grow(CurrentMemoryContext, walk->events,
							   &walk->capacity, walk->nevents + (Size) 1,
							   sizeof(Datum));
	walk->events[walk->nevents++] =
		HeapTupleGetDatum(heap_form_tuple(walk->cache->event, values, nulls));
}

/* It comes to a stage, with a row or (NULL) with the closing of the deal. */
static void
enter(Walk *walk, uint32 number, int32 level, Datum name, TimestampTz at,
	  const Step *step)
{
	if (walk->entered[number])
		return;
	walk->entered[number] = true;
	add_event(walk, true, name, at, at,
			  walk->is_won || walk->highest == WON_LEVEL || walk->highest > level,
			  step == NULL, step);
}

/*
 * It reaches a level: all that lies below has been passed.  *next is the first
 * of the stages that have not been.
 */
static void
pass(Walk *walk, int32 level, uint32 *next, TimestampTz at, const Step *step)
{
	const Stages *stages = walk->cache->stages;

	for (; *next < stages->npassed; ++*next)
	{
		uint32		number = stages->passed[*next];
		uint32		length;
		const char *name;

		if ((*next & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (stages->stages[number].level >= level)
			break;
		name = salkpi_text_at(&stages->table, number, &length);
		enter(walk, number, stages->stages[number].level,
			  PointerGetDatum(cstring_to_text_with_len(name, length)), at, step);
	}
}

static void
walk_entries(Walk *walk)
{
	const Step **steps = palloc_extended(Max(walk->nsteps, 1) * sizeof(Step *),
										 MCXT_ALLOC_HUGE);
	bool		comes_closing = walk->is_won && walk->is_closed;
	int32		before = NOWHERE;
	uint32		next = 0;
	uint32		n = 0;

	walk->highest = comes_closing ? WON_LEVEL : NOWHERE;
	for (uint32 i = 0; i < walk->nsteps; i++)
	{
		const Step *step = &walk->steps[i];

		if (step->outcome == LOST)
			continue;
		steps[n++] = step;
		if (step->level != NO_LEVEL)
			walk->highest = Max(walk->highest, step->level);
	}
	if (n > 1)
		sort_entries(steps, n);
	for (uint32 i = 0; i < n; i++)
	{
		const Step *step = steps[i];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (comes_closing && step->from > walk->closed_at)
		{
			pass(walk, WON_LEVEL, &next, walk->closed_at, NULL);
			before = WON_LEVEL;
			comes_closing = false;
		}
		if (step->level < before)
			continue;
		if (step->stage != NO_STAGE)
			enter(walk, step->stage, step->level, step->name, step->from, step);
		if (step->level == NO_LEVEL)
			continue;
		pass(walk, step->level, &next, step->from, step);
		before = step->level;
	}
	if (comes_closing)
		pass(walk, WON_LEVEL, &next, walk->closed_at, NULL);
}

/* Does a row go on with the stay of the one before it? */
static inline bool
goes_on(const Step *step, const Step *previous)
{
	return step->stage != NO_STAGE && step->stage == previous->stage &&
		step->from <= previous->to;
}

static void
walk_stays(Walk *walk)
{
	TimestampTz since = 0;

	for (uint32 i = 0; i < walk->nsteps; i++)
	{
		Step	   *step = &walk->steps[i];
		const Step *following = i + 1 < walk->nsteps ? step + 1 : NULL;
		bool		comes_closing;

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (i == 0 || !goes_on(step, step - 1))
			since = step->from;
		if (!step->has_end && following != NULL)
		{
			step->to = following->from;
			step->has_end = true;
		}
		if (step->stage == NO_STAGE ||
			(following != NULL && goes_on(following, step)))
			continue;
		comes_closing = walk->is_closed &&
			(!step->has_end || walk->closed_at < step->to);
		if (!step->has_end && !comes_closing)
			continue;			/* it is still there */
		add_event(walk, false, step->name, since,
				  comes_closing ? walk->closed_at : step->to, false,
				  comes_closing, step);
	}
}

/*
 * (steps; names, positions, outcomes of the stages; closed_at, is_won).  Of a
 * deal that has been won one does not always know when.
 */
PG_FUNCTION_INFO_V1(salkpi_kpi_stage_events);
Datum
salkpi_kpi_stage_events(PG_FUNCTION_ARGS)
{
	Walk		walk = {0};
	ArrayType  *steps;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	steps = PG_GETARG_ARRAYTYPE_P(0);
	walk.cache = get_cache(fcinfo, PG_GETARG_ARRAYTYPE_P(1),
						   PG_GETARG_ARRAYTYPE_P(2), PG_GETARG_ARRAYTYPE_P(3),
						   ARR_ELEMTYPE(steps));
	walk.is_closed = !PG_ARGISNULL(4);
	walk.closed_at = walk.is_closed ? PG_GETARG_TIMESTAMPTZ(4) : 0;
	walk.is_won = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	read_steps(&walk, steps);
	if (walk.nsteps > 1)
		sort_stays(walk.steps, walk.nsteps);
	walk.entered = palloc_extended(walk.cache->stages->table.index.count +
								   walk.strangers.index.count + 1,
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	walk_entries(&walk);
	walk_stays(&walk);
	PG_RETURN_ARRAYTYPE_P(construct_array(walk.events, walk.nevents,
										  walk.cache->event->tdtypeid, -1,
										  false, TYPALIGN_DOUBLE));
}
