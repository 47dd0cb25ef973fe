/*
 * sales_cycle.c
 *	  The mean length of sales cycles, from two numbers.
 *
 * Median and percentiles need every duration, which is what kpi_durations is
 * for; the mean needs their number and their sum only.  So kpi_sales_cycle has
 * a state of constant size: an array of three bigint, the number of durations
 * and the halves of the 128-bit sum of their microseconds, as core's avg(bigint)
 * has one of two.  It is changed in place, added up in parallel, and durations
 * that leave a window's frame are subtracted again, exactly.
 *
 * The array is an ordinary value, which anybody can hand to the functions
 * below; so each call looks whether it is one of three numbers, which makes
 * any of them a state.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "durations.h"
#include "numbers.h"
#include "salkpi.h"
#include "states.h"

typedef struct CycleSum
{
	int64		count;			/* number of durations */
	uint64		high;			/* upper half of the sum of microseconds */
	uint64		low;			/* its lower half */
} CycleSum;

#define CYCLE_NUMBERS	(sizeof(CycleSum) / sizeof(int64))

static CycleSum *
get_sum(ArrayType *array)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != CYCLE_NUMBERS ||
		ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array is not a state of kpi_sales_cycle"),
				 errdetail("A state has three elements, none of them NULL.")));
	return (CycleSum *) ARR_DATA_PTR(array);
}

static inline int128
read_sum(const CycleSum *sum)
{
	return (int128) ((uint128) sum->high << 64 | sum->low);
}

/* Add so many durations of that sum, either of which may be negative. */
static inline void
add_sum(CycleSum *sum, int64 count, int128 microseconds)
{
	uint128		total = (uint128) read_sum(sum) + (uint128) microseconds;

	sum->count = (int64) ((uint64) sum->count + (uint64) count);
	sum->high = (uint64) (total >> 64);
	sum->low = (uint64) total;
}

/* A transition: add so many durations of that sum to the state. */
static inline Datum
change_state(FunctionCallInfo fcinfo, int64 count, int128 microseconds)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);

	salkpi_check_aggregate(fcinfo, "kpi_sales_cycle");
	add_sum(get_sum(state), count, microseconds);
	PG_RETURN_ARRAYTYPE_P(state);
}

/* Transitions; both are strict: a cycle without one of its ends has not ended. */
PG_FUNCTION_INFO_V1(salkpi_cycle_add_days);
Datum
salkpi_cycle_add_days(PG_FUNCTION_ARGS)
{
	return change_state(fcinfo, 1, salkpi_get_days(fcinfo));
}

PG_FUNCTION_INFO_V1(salkpi_cycle_remove_days);
Datum
salkpi_cycle_remove_days(PG_FUNCTION_ARGS)
{
	return change_state(fcinfo, -1, -salkpi_get_days(fcinfo));
}

PG_FUNCTION_INFO_V1(salkpi_cycle_add_instants);
Datum
salkpi_cycle_add_instants(PG_FUNCTION_ARGS)
{
	return change_state(fcinfo, 1, salkpi_get_instants(fcinfo));
}

PG_FUNCTION_INFO_V1(salkpi_cycle_remove_instants);
Datum
salkpi_cycle_remove_instants(PG_FUNCTION_ARGS)
{
	return change_state(fcinfo, -1, -salkpi_get_instants(fcinfo));
}

PG_FUNCTION_INFO_V1(salkpi_cycle_combine);
Datum
salkpi_cycle_combine(PG_FUNCTION_ARGS)
{
	const CycleSum *addend = get_sum(PG_GETARG_ARRAYTYPE_P(1));

	return change_state(fcinfo, addend->count, read_sum(addend));
}

/* Final function: the mean in days; NULL without a duration. */
PG_FUNCTION_INFO_V1(salkpi_cycle_mean);
Datum
salkpi_cycle_mean(PG_FUNCTION_ARGS)
{
	const CycleSum *sum = get_sum(PG_GETARG_ARRAYTYPE_P(0));

	if (sum->count <= 0)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(salkpi_days_mean(read_sum(sum), sum->count));
}
