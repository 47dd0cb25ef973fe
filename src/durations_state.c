/*
 * durations_state.c
 *	  The state of the aggregates of kpi_durations, which is its open form.
 *
 * An aggregate cannot afford to keep the canonical order for each row.  Its
 * state is a value of the same type in the open form: tallies in any order,
 * with room to spare, in one chunk that is changed in place.  When it is full
 * it is folded (sorted, equal durations made one) and, if that leaves less
 * than half of it free, moved to a chunk of twice the size.  A fold thus costs
 * O(n log n) but happens after at least n / 2 rows, and durations in whole
 * days need no more room than there are different ones.  A grown state is
 * returned as a fresh chunk, never repalloc'd: the executor copies it to the
 * aggregate's context and frees the old one.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"

#include "durations.h"
#include "durations_private.h"

/* The smallest open state; a power of two, as the allocator rounds. */
#define OPEN_SIZE_MIN		64

#define ST_SORT sort_tallies
#define ST_ELEMENT_TYPE Tally
#define ST_COMPARE(a, b) compare_int64((a)->value, (b)->value)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---------- The open form ---------- */

/* An empty state with room for at least n tallies, for more if possible. */
static OpenDurations *
create_open(Size n)
{
	OpenDurations *state;
	Size		size = OPEN_SIZE_MIN;

	if (n > DURATIONS_MAX)
		salkpi_durations_too_large();
	while (size < offsetof(OpenDurations, tallies) + n * sizeof(Tally))
		size *= 2;
	size = Min(size, MaxAllocSize);
	state = palloc0(size);
	SET_VARSIZE(state, size);
	state->version = DURATIONS_VERSION;
	state->form = DURATIONS_OPEN;
	return state;
}

/* Sorts the tallies and makes those of the same duration one, in place. */
static void
fold(OpenDurations *state)
{
	Tally	   *tallies = state->tallies;
	int64		n = 0;

	sort_tallies(tallies, state->used);
	for (int64 i = 0; i < state->used; i++)
	{
		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (n == 0 || tallies[n - 1].value != tallies[i].value)
			tallies[n++] = tallies[i];
		else if (pg_add_s64_overflow(tallies[n - 1].count, tallies[i].count,
									 &tallies[n - 1].count))
			salkpi_durations_too_many();
	}
	memset(&tallies[n], 0, (state->used - n) * sizeof(Tally));
	state->used = n;
}

/*
 * The state with room for n more tallies: itself, or a copy of twice the size
 * in CurrentMemoryContext.
 */
static OpenDurations *
make_room(OpenDurations *state, Size n)
{
	OpenDurations *grown;
	Size		wanted;

	if (state->used + n <= open_capacity(state))
		return state;
	fold(state);
	wanted = state->used + n;
	if (wanted > DURATIONS_MAX)
		salkpi_durations_too_large();
	if (2 * wanted <= open_capacity(state) ||
		open_capacity(state) == DURATIONS_MAX)
		return state;
	grown = create_open(Min(2 * wanted, DURATIONS_MAX));
	memcpy(grown->tallies, state->tallies, state->used * sizeof(Tally));
	grown->used = state->used;
	return grown;
}

/* Adds a value of either form to a state; the result is as make_room's. */
static OpenDurations *
add_durations(OpenDurations *state, const struct varlena *v)
{
	const Durations *d = (const Durations *) v;
	const OpenDurations *open = (const OpenDurations *) v;
	bool		is_open = d->form == DURATIONS_OPEN;
	Size		n = is_open ? open->used : step_count(d);
	int64		before = 0;

	state = make_room(state, n);
	for (Size i = 0; i < n; i++)
	{
		Tally	   *tally = &state->tallies[state->used++];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (is_open)
			*tally = open->tallies[i];
		else
		{
			tally->value = d->steps[i].value;
			tally->count = d->steps[i].upto - before;
			before = d->steps[i].upto;
		}
	}
	return state;
}

/* The canonical form of a state, which is left as it is. */
Durations *
salkpi_durations_close(const OpenDurations *state)
{
	Size		size = offsetof(OpenDurations, tallies) +
		state->used * sizeof(Tally);
	OpenDurations *copy = memcpy(palloc(size), state, size);
	Durations  *d;
	int64		total = 0;

	SET_VARSIZE(copy, size);
	fold(copy);
	d = salkpi_durations_create(copy->used);
	for (int64 i = 0; i < copy->used; i++)
	{
		if (pg_add_s64_overflow(total, copy->tallies[i].count, &total))
			salkpi_durations_too_many();
		d->steps[i].value = copy->tallies[i].value;
		d->steps[i].upto = total;
	}
	pfree(copy);
	return d;
}

/* ---------- SQL functions ---------- */

/*
 * The state to add to: the aggregate's own if it is open, else an open copy
 * in CurrentMemoryContext.
 */
static OpenDurations *
get_state(FunctionCallInfo fcinfo)
{
	struct varlena *v;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("transition function of kpi_durations can be called only by an aggregate")));
	if (PG_ARGISNULL(0))
		return create_open(1);
	v = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	salkpi_durations_check(v);
	if (((Durations *) v)->form == DURATIONS_OPEN)
		return (OpenDurations *) v;
	return add_durations(create_open(1), v);
}

/* Transition of kpi_durations(bigint): adds one duration; NULL adds none. */
PG_FUNCTION_INFO_V1(salkpi_durations_add);
Datum
salkpi_durations_add(PG_FUNCTION_ARGS)
{
	OpenDurations *state;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	state = make_room(get_state(fcinfo), 1);
	state->tallies[state->used].value = PG_GETARG_INT64(1);
	state->tallies[state->used++].count = 1;
	PG_RETURN_POINTER(state);
}

/* Combine function, and the transition of kpi_rollup. */
PG_FUNCTION_INFO_V1(salkpi_durations_combine);
Datum
salkpi_durations_combine(PG_FUNCTION_ARGS)
{
	struct varlena *v;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	v = PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	salkpi_durations_check(v);
	PG_RETURN_POINTER(add_durations(get_state(fcinfo), v));
}

PG_FUNCTION_INFO_V1(salkpi_durations_final);
Datum
salkpi_durations_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(salkpi_durations_get(PG_GETARG_DATUM(0)));
}
