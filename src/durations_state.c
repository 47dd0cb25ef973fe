/*
 * durations_state.c
 *	  The state of the aggregates of kpi_durations, which is its open form.
 *
 * An aggregate cannot afford to keep the canonical order for each row.  Its
 * state is a value of the same type in the open form: tallies in any order,
 * with room to spare, in one chunk that is changed in place.  When it is full
 * it is folded (equal durations made one, by a hash table that is thrown away)
 * and, if that leaves less than half of it free, moved to a chunk of twice the
 * size.  A fold thus costs O(n) but happens after at least n / 2 rows, and
 * durations in whole days need no more room than there are different ones.
 * They are sorted once, at the end.  A grown state is
 * returned as a fresh chunk, never repalloc'd: the executor copies it to the
 * aggregate's context and frees the old one.
 *
 * With many groups most of the time goes into memory.  So a state begins narrow:
 * with durations as seconds, four bytes each, while these are whole seconds
 * and fit into the smallest state.
 *
 * A window frame that moves takes durations out again, which is a tally with a
 * count of -1: folding cancels it.  Each of them was added before, so that no
 * folded count is below zero.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"

#include "durations.h"
#include "durations_private.h"
#include "segment.h"

/* The smallest open state; a power of two, as the allocator rounds. */
#define OPEN_SIZE_MIN		256

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
	state->layout = DURATIONS_LAYOUT;
	state->form = DURATIONS_OPEN;
	return state;
}

/* The state of an aggregate before the first row. */
static OpenDurations *
create_narrow(void)
{
	OpenDurations *state = create_open(1);

	state->is_narrow = true;
	return state;
}

static inline uint32 *
seconds_of(const OpenDurations *state)
{
	return (uint32 *) state->tallies;
}

static inline Tally
get_tally(const OpenDurations *state, int64 i)
{
	if (state->is_narrow)
		return (Tally) {seconds_of(state)[i] * USECS_PER_SEC, 1};
	return state->tallies[i];
}

/* Adds a duration to a narrow state; false if that can't hold it. */
static bool
add_narrow(OpenDurations *state, int64 duration)
{
	int64		seconds = duration / USECS_PER_SEC;

	if (state->used == open_capacity(state) || seconds * USECS_PER_SEC != duration ||
		seconds != (uint32) seconds)
		return false;
	seconds_of(state)[state->used++] = seconds;
	return true;
}

/* A copy that is not narrow, in CurrentMemoryContext. */
static OpenDurations *
copy_wide(const OpenDurations *state)
{
	OpenDurations *copy = create_open(state->used);

	for (int64 i = 0; i < state->used; i++)
		copy->tallies[i] = get_tally(state, i);
	copy->used = state->used;
	return copy;
}

/* Keeps the first n tallies, less those that were taken out again. */
static void
drop_removed(OpenDurations *state, int64 n)
{
	Tally	   *tallies = state->tallies;
	int64		kept = 0;

	for (int64 i = 0; i < n; i++)
	{
		if (tallies[i].count < 0)
			elog(ERROR, "kpi_durations state lacks a duration to be removed");
		if (tallies[i].count > 0)
			tallies[kept++] = tallies[i];
	}
	memset(&tallies[kept], 0, (state->used - kept) * sizeof(Tally));
	state->used = kept;
}

/* Makes the tallies of the same duration one, in place. */
static void
fold(OpenDurations *state)
{
	Tally	   *tallies = state->tallies;
	Size		nslots = 64;
	uint32	   *slots;			/* number of a tally from 1; 0 = free */
	int64		n = 0;

	while (nslots < state->used + state->used / 2)
		nslots *= 2;
	slots = palloc_extended(nslots * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int64 i = 0; i < state->used; i++)
	{
		Tally		tally = tallies[i];
		Size		slot = salkpi_mix((uint64) tally.value) & (nslots - 1);

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		while (slots[slot] != 0 && tallies[slots[slot] - 1].value != tally.value)
			slot = (slot + 1) & (nslots - 1);
		if (slots[slot] == 0)
		{
			tallies[n++] = tally;
			slots[slot] = n;
		}
		else if (pg_add_s64_overflow(tallies[slots[slot] - 1].count, tally.count,
									 &tallies[slots[slot] - 1].count))
			salkpi_durations_too_many();
	}
	pfree(slots);
	drop_removed(state, n);
}

/*
 * The state with room for n more tallies, not narrow: itself, or a copy of twice
 * the size in CurrentMemoryContext.
 */
static OpenDurations *
make_room(OpenDurations *state, Size n)
{
	OpenDurations *wide = state;
	OpenDurations *grown;
	Size		wanted;

	if (state->is_narrow)
		wide = copy_wide(state);
	else if (state->used + n <= open_capacity(state))
		return state;
	fold(wide);
	wanted = wide->used + n;
	if (wanted > DURATIONS_MAX)
		salkpi_durations_too_large();
	if (wide == state && (2 * wanted <= open_capacity(state) ||
						  open_capacity(state) == DURATIONS_MAX))
		return state;
	grown = create_open(Min(2 * wanted, DURATIONS_MAX));
	memcpy(grown->tallies, wide->tallies, wide->used * sizeof(Tally));
	grown->used = wide->used;
	return grown;
}

/*
 * Adds a value of either form to a state, or takes it out (sign -1); the result
 * is as make_room's.
 */
static OpenDurations *
add_durations(OpenDurations *state, const struct varlena *v, int sign)
{
	const OpenDurations *open = (const OpenDurations *) v;
	bool		is_open = open->form == DURATIONS_OPEN;
	StepReader	r = {0};

	if (!is_open)
		r = read_steps((const Durations *) v);
	state = make_room(state, is_open ? open->used : r.count);
	for (int64 i = 0; is_open ? i < open->used : next_step(&r); i++)
	{
		Tally		tally = is_open ? get_tally(open, i) : (Tally) {r.step.value, r.times};

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		state->tallies[state->used++] = (Tally) {tally.value, sign * tally.count};
	}
	return state;
}

/* The canonical form of a state, which is left as it is. */
Durations *
salkpi_durations_close(const OpenDurations *state)
{
	OpenDurations *copy = copy_wide(state);
	Durations  *d;
	int64		total = 0;

	fold(copy);
	sort_tallies(copy->tallies, copy->used);
	for (int64 i = 0; i < copy->used; i++)
	{
		if (pg_add_s64_overflow(total, copy->tallies[i].count, &total))
			salkpi_durations_too_many();
		copy->tallies[i].count = total; /* a step now */
	}
	d = salkpi_durations_of_steps((const Step *) copy->tallies, copy->used);
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
	OpenDurations *state;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("transition function of kpi_durations can be called only by an aggregate")));
	if (PG_ARGISNULL(0))
		return create_narrow();
	v = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	salkpi_durations_check(v);
	state = (OpenDurations *) v;
	if (state->form == DURATIONS_OPEN)
	{
		__builtin_prefetch((char *) state->tallies + state->used *
						   (state->is_narrow ? sizeof(uint32) : sizeof(Tally)), 1);	/* in time for the tally */
		return state;
	}
	return add_durations(create_open(1), v, 1);
}

/*
 * The state of a row that changes nothing.  There is one even if no duration
 * came yet, since a window takes no row away from NULL.
 */
static Datum
same_state(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(get_state(fcinfo));
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* Adds a duration count times: 1, or -1 to take it out again. */
static Datum
change_state(FunctionCallInfo fcinfo, int64 duration, int count)
{
	OpenDurations *state = get_state(fcinfo);

	if (state->is_narrow && count == 1 && add_narrow(state, duration))
		PG_RETURN_POINTER(state);
	state = make_room(state, 1);
	state->tallies[state->used].value = duration;
	state->tallies[state->used++].count = count;
	PG_RETURN_POINTER(state);
}

/* Does the row lack one of the two ends of its duration? */
static inline bool
lacks_end(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(1) || PG_ARGISNULL(2);
}

static void
report_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("duration is out of range")));
}

/* What no cycle has: an infinite end, or an end before the beginning. */
static void
refuse_ends(bool is_infinite)
{
	if (is_infinite)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("duration is infinite"),
				 errhint("Leave such rows out with FILTER (WHERE isfinite(...)).")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("duration is negative"),
			 errdetail("It ends before it begins."),
			 errhint("Leave such rows out with FILTER (WHERE ... >= ...).")));
}

/* Microseconds of the whole days from one date to another. */
int64
salkpi_duration_of_days(DateADT opened, DateADT closed)
{
	int64		duration;

	if (DATE_NOT_FINITE(opened) || DATE_NOT_FINITE(closed) || closed < opened)
		refuse_ends(DATE_NOT_FINITE(opened) || DATE_NOT_FINITE(closed));
	if (pg_mul_s64_overflow((int64) closed - opened, USECS_PER_DAY, &duration))
		report_out_of_range();
	return duration;
}

/* Microseconds from one timestamp to another, with time zone or without. */
int64
salkpi_duration_of_instants(Timestamp opened, Timestamp closed)
{
	int64		duration;

	if (TIMESTAMP_NOT_FINITE(opened) || TIMESTAMP_NOT_FINITE(closed) ||
		closed < opened)
		refuse_ends(TIMESTAMP_NOT_FINITE(opened) ||
					TIMESTAMP_NOT_FINITE(closed));
	if (pg_sub_s64_overflow(closed, opened, &duration))
		report_out_of_range();
	return duration;
}

/* Of two instants the one may lie on either side of the other. */
PG_FUNCTION_INFO_V1(salkpi_kpi_microseconds);
Datum
salkpi_kpi_microseconds(PG_FUNCTION_ARGS)
{
	TimestampTz earlier = PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz later = PG_GETARG_TIMESTAMPTZ(1);
	int64		elapsed;

	if (TIMESTAMP_NOT_FINITE(earlier) || TIMESTAMP_NOT_FINITE(later))
		PG_RETURN_NULL();
	if (pg_sub_s64_overflow(later, earlier, &elapsed))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));
	PG_RETURN_INT64(elapsed);
}

/* Transition of kpi_durations(bigint): adds one duration; NULL adds none. */
PG_FUNCTION_INFO_V1(salkpi_durations_add);
Datum
salkpi_durations_add(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return same_state(fcinfo);
	return change_state(fcinfo, PG_GETARG_INT64(1), 1);
}

PG_FUNCTION_INFO_V1(salkpi_durations_remove);
Datum
salkpi_durations_remove(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return same_state(fcinfo);
	return change_state(fcinfo, PG_GETARG_INT64(1), -1);
}

/* The same of kpi_durations(date, date). */
PG_FUNCTION_INFO_V1(salkpi_durations_add_days);
Datum
salkpi_durations_add_days(PG_FUNCTION_ARGS)
{
	if (lacks_end(fcinfo))
		return same_state(fcinfo);
	return change_state(fcinfo, salkpi_get_days(fcinfo), 1);
}

PG_FUNCTION_INFO_V1(salkpi_durations_remove_days);
Datum
salkpi_durations_remove_days(PG_FUNCTION_ARGS)
{
	if (lacks_end(fcinfo))
		return same_state(fcinfo);
	return change_state(fcinfo, salkpi_get_days(fcinfo), -1);
}

/* The same of both kinds of timestamps. */
PG_FUNCTION_INFO_V1(salkpi_durations_add_instants);
Datum
salkpi_durations_add_instants(PG_FUNCTION_ARGS)
{
	if (lacks_end(fcinfo))
		return same_state(fcinfo);
	return change_state(fcinfo, salkpi_get_instants(fcinfo), 1);
}

PG_FUNCTION_INFO_V1(salkpi_durations_remove_instants);
Datum
salkpi_durations_remove_instants(PG_FUNCTION_ARGS)
{
	if (lacks_end(fcinfo))
		return same_state(fcinfo);
	return change_state(fcinfo, salkpi_get_instants(fcinfo), -1);
}

/* Adds another value to the state or takes it out. */
static Datum
combine(FunctionCallInfo fcinfo, int sign)
{
	struct varlena *v = PG_DETOAST_DATUM(PG_GETARG_DATUM(1));

	salkpi_durations_check(v);
	PG_RETURN_POINTER(add_durations(get_state(fcinfo), v, sign));
}

/* Combine function, and the transition of kpi_rollup; strict. */
PG_FUNCTION_INFO_V1(salkpi_durations_combine);
Datum
salkpi_durations_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, 1);
}

/* Inverse transition of kpi_rollup; strict. */
PG_FUNCTION_INFO_V1(salkpi_durations_uncombine);
Datum
salkpi_durations_uncombine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, -1);
}

PG_FUNCTION_INFO_V1(salkpi_durations_final);
Datum
salkpi_durations_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(salkpi_durations_get(PG_GETARG_DATUM(0)));
}

/* The same of rows: without a duration there is nothing. */
PG_FUNCTION_INFO_V1(salkpi_durations_final_of_rows);
Datum
salkpi_durations_final_of_rows(PG_FUNCTION_ARGS)
{
	struct varlena *d = salkpi_durations_get(PG_GETARG_DATUM(0));

	if (salkpi_durations_count(d) == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(d);
}
