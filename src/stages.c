/*
 * stages.c
 *	  The way of one opportunity through the stages, from its history.
 *
 * A history is put together somewhere else, in any order, and is walked here:
 * all that is asked of it (what came before, what follows, how far it went)
 * takes the rows of one opportunity only, of which there are few.  So a
 * sort or a grouping, which spill, are the only things that see all of them.
 *
 * The walk is made twice, since two orders matter.  Stays follow each other by
 * when the rows begin and end.  Stages are entered in the order in which rows
 * begin, of those that begin together the lowest first, so that it passes
 * fewest.  Where that leaves rows equal, their texts decide, so that the result
 * never depends on the order of the rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "stages.h"
#include "texts.h"

#define NO_STAGE		SALKPI_NOT_FOUND
#define NO_LEVEL		PG_INT32_MAX	/* nulls come last */
#define WON_LEVEL		(PG_INT32_MAX - 1)	/* after all stages */
#define NOWHERE			(-1)			/* before all stages */

/* A stage that comes in an order, or does not. */
typedef struct Stage
{
	text	   *name;
	int32		level;			/* equal for equal positions; or NO_LEVEL */
	Outcome		outcome;		/* what it means to be there */
	int64		position;		/* as given */
	bool		has_position;	/* is there one? */
} Stage;

/* The stages, and what they were made of. */
struct Stages
{
	ArrayType  *names;
	ArrayType  *positions;
	ArrayType  *outcomes;
	TextTable	table;			/* numbers the names */
	Stage	   *stages;			/* by number */
	uint32	   *passed;			/* numbers of those that can be passed, in order */
	uint32		npassed;		/* how many */
};

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

const Stages *
salkpi_stages_create(ArrayType *names, ArrayType *positions, ArrayType *outcomes)
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
		stage->name = t;
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

/* Were the stages made of these? */
bool
salkpi_stages_are_of(const Stages *stages, const ArrayType *names,
					 const ArrayType *positions, const ArrayType *outcomes)
{
	return is_same_array(stages->names, names) &&
		is_same_array(stages->positions, positions) &&
		is_same_array(stages->outcomes, outcomes);
}

/* ---------- The steps ---------- */

/* Forget the deal before. */
void
salkpi_walk_begin(Walk *walk)
{
	walk->nsteps = 0;
	walk->nevents = 0;
	if (walk->strangers.index.slots == NULL)
		return;
	MemoryContextReset(walk->strangers_context);
	memset(&walk->strangers, 0, sizeof(walk->strangers));
}

/* The number of a stage that is not in the list. */
static uint32
number_stranger(Walk *walk, const char *name, uint32 length)
{
	if (walk->strangers_context == NULL)
		walk->strangers_context = AllocSetContextCreate(walk->context, "strange stages",
														ALLOCSET_SMALL_SIZES);
	if (walk->strangers.index.slots == NULL)
		salkpi_texts_init(&walk->strangers, walk->strangers_context);
	return walk->stages->table.index.count +
		salkpi_text_put(&walk->strangers, name, length);
}

/*
 * Add a row, without end and keys; it stays where it is until the next is added.
 * It puts its opportunity in a stage, if that has a name and the row is open.
 */
Step *
salkpi_walk_add(Walk *walk, TimestampTz from, const text *name, const text *status)
{
	const Stages *stages = walk->stages;
	uint32		length = name == NULL ? 0 : VARSIZE_ANY_EXHDR(name);
	uint32		number = length == 0 ? NO_STAGE :
		salkpi_text_find(&stages->table, VARDATA_ANY(name), length);
	const Stage *stage = number == NO_STAGE ? NULL : &stages->stages[number];
	Step	   *step;

	walk->steps = salkpi_reserve(walk->context, walk->steps, &walk->steps_size,
								 walk->nsteps + (Size) 1, sizeof(Step));
	step = &walk->steps[walk->nsteps++];
	*step = (Step) {
		.from = from,.stage = NO_STAGE,
		.outcome = status != NULL ? get_outcome(status) : stage != NULL ? stage->outcome : OPEN
	};
	step->level = step->outcome == WON ? WON_LEVEL :
		stage != NULL ? stage->level : NO_LEVEL;
	if (step->outcome != OPEN || length == 0)
		return step;
	step->stage = stage != NULL ? number : number_stranger(walk, VARDATA_ANY(name), length);
	step->name = PointerGetDatum(name);
	return step;
}

/* Texts by their bytes, NULL after all others. */
static int
compare_texts(bool has_a, Datum a, bool has_b, Datum b)
{
	if (!has_a || !has_b)
		return (int) has_b - (int) has_a;
	return salkpi_compare_texts(DatumGetTextPP(a), DatumGetTextPP(b));
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
	if ((a->outcome == WON) != (b->outcome == WON))
		return a->outcome == WON ? 1 : -1;	/* after all stages, also those without a level */
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
	walk->events = salkpi_reserve(walk->context, walk->events, &walk->events_size,
								  walk->nevents + (Size) 1, sizeof(StageEvent));
	walk->events[walk->nevents++] = (StageEvent) {
		.at = at,.since = since,.stage = stage,.step = step,
		.entered = entered,.advanced = advanced,.by_closing = by_closing
	};
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
	const Stages *stages = walk->stages;

	for (; *next < stages->npassed; ++*next)
	{
		uint32		number = stages->passed[*next];
		const Stage *stage = &stages->stages[number];

		if ((*next & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (stage->level >= level)
			break;
		enter(walk, number, stage->level, PointerGetDatum(stage->name), at, step);
	}
}

static void
walk_entries(Walk *walk)
{
	bool		comes_closing = walk->is_won && walk->is_closed;
	int32		before = NOWHERE;
	uint32		next = 0;
	uint32		n = 0;

	walk->order = salkpi_reserve(walk->context, walk->order, &walk->order_size,
								 walk->nsteps, sizeof(Step *));
	walk->highest = comes_closing ? WON_LEVEL : NOWHERE;
	for (uint32 i = 0; i < walk->nsteps; i++)
	{
		const Step *step = &walk->steps[i];

		if (step->outcome == LOST)
			continue;
		walk->order[n++] = step;
		if (step->level != NO_LEVEL)
			walk->highest = Max(walk->highest, step->level);
	}
	if (n > 1)
		sort_entries(walk->order, n);
	for (uint32 i = 0; i < n; i++)
	{
		const Step *step = walk->order[i];

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
		if (following != NULL && (!step->has_end || step->to > following->from))
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

/* Work out what became of a deal, from its steps. */
void
salkpi_walk(Walk *walk)
{
	Size		nstages = walk->stages->table.index.count + (Size) walk->strangers.index.count;

	walk->nevents = 0;
	if (walk->nsteps > 1)
		sort_stays(walk->steps, walk->nsteps);
	walk->entered = salkpi_reserve(walk->context, walk->entered, &walk->entered_size,
								   nstages, sizeof(bool));
	memset(walk->entered, 0, nstages);
	walk_entries(walk);
	walk_stays(walk);
}
