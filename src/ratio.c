/*
 * ratio.c
 *	  The type kpi_ratio: exact sums of numerators and denominators.
 *
 * A ratio of sums can be merged as long as it is not divided yet, so that is
 * what a kpi_ratio is: the sum of the numerators, that of the denominators,
 * and how many rows they are of; beside them the sum of the denominators whose
 * numerators are unknown, which tells how much of the whole the ratio covers.
 * Whether it is a percentage, a margin or a growth is for who finishes it
 * (ratio_finish.c) to know.
 *
 * Each way that rows are given has a transition here and its inverse, for each
 * type of amount.  They are compiled from one function each: the type is a
 * constant in it.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "ratio.h"
#include "states.h"

/* ---------- Adding ---------- */

/* Add an integer at a state's own scale, if the sum does not overflow. */
static inline bool
add_small(Ratio *state, RatioSum which, int128 value, bool remove)
{
	int128		sum;

	if (unlikely(remove ?
				 __builtin_sub_overflow(state->small[which], value, &sum) :
				 __builtin_add_overflow(state->small[which], value, &sum)))
		return false;
	state->small[which] = sum;
	return true;
}

static inline Ratio *
add_numeric(Ratio *state, RatioSum which, Datum datum, bool remove)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);
	NumericParts digits;
	int128		small;

	salkpi_numeric_read(value, &digits);
	if (likely(salkpi_parts_to_int128(&digits,
									  state->scale[which] & ~RATIO_HAS_BIG,
									  &small) &&
			   add_small(state, which, small, remove)))
		return state;
	return salkpi_ratio_add_slowly(state, which, DatumGetNumeric(PointerGetDatum(value)),
					  remove);
}

static inline Ratio *
add_integer(Ratio *state, RatioSum which, int64 value, bool remove)
{
	int			scale = state->scale[which] & ~RATIO_HAS_BIG;
	int128		small = value;

	if (likely((scale == 0 || salkpi_rescale(&small, scale)) &&
			   add_small(state, which, small, remove)))
		return state;
	return salkpi_ratio_add_slowly(state, which, int64_to_numeric(value), remove);
}

/* ---------- Rows ---------- */

/* The declared type of amounts. */
typedef enum TermType
{
	TERM_NUMERIC,
	TERM_INT8,
	TERM_INT4,
	TERM_INT2
} TermType;

/* Add an argument, which is not NULL. */
static pg_attribute_always_inline Ratio *
add_arg(Ratio *state, RatioSum which, FunctionCallInfo fcinfo, int arg,
		TermType type, bool remove)
{
	if (type == TERM_NUMERIC)
		return add_numeric(state, which, PG_GETARG_DATUM(arg), remove);
	return add_integer(state, which, type == TERM_INT8 ? PG_GETARG_INT64(arg) :
					   type == TERM_INT4 ? PG_GETARG_INT32(arg) :
					   PG_GETARG_INT16(arg), remove);
}

/* The same for one that may be NULL and then adds nothing. */
static pg_attribute_always_inline Ratio *
add_known(Ratio *state, RatioSum which, FunctionCallInfo fcinfo, int arg,
		  TermType type, bool remove)
{
	if (PG_ARGISNULL(arg))
		return state;
	return add_arg(state, which, fcinfo, arg, type, remove);
}

/* (numerator, denominator): NULL is nothing, on either side. */
static pg_attribute_always_inline Ratio *
ratio(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, 1, type, remove);
	return add_known(state, RATIO_DENOMINATOR, fcinfo, 2, type, remove);
}

/*
 * (revenue, cost): cost by revenue.  A row of unknown cost is missing, with
 * its revenue.
 */
static pg_attribute_always_inline Ratio *
profit(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1))
		return state;
	if (PG_ARGISNULL(2))
		return add_arg(state, RATIO_MISSING, fcinfo, 1, type, remove);
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_arg(state, RATIO_DENOMINATOR, fcinfo, 1, type, remove);
	return add_arg(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
}

/* (revenue, direct cost, cost): costs by revenue; NULL is nothing. */
static pg_attribute_always_inline Ratio *
sales_return(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_DENOMINATOR, fcinfo, 1, type, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
	return add_known(state, RATIO_NUMERATOR, fcinfo, 3, type, remove);
}

/*
 * (actual, target): a row without target is left out, one with a target and
 * nothing actual is a target missed.
 */
static pg_attribute_always_inline Ratio *
attainment(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(2))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, 1, type, remove);
	return add_arg(state, RATIO_DENOMINATOR, fcinfo, 2, type, remove);
}

/* (pipeline, target, won): pipeline by what is left to win; NULL is nothing. */
static pg_attribute_always_inline Ratio *
open_target(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, 1, type, remove);
	state = add_known(state, RATIO_DENOMINATOR, fcinfo, 2, type, remove);
	return add_known(state, RATIO_DENOMINATOR, fcinfo, 3, type, !remove);
}

/* (part, amount): of all amounts those that are a part; NULL is left out. */
static pg_attribute_always_inline Ratio *
amount_share(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	if (PG_GETARG_BOOL(1))
		state = add_arg(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
	return add_arg(state, RATIO_DENOMINATOR, fcinfo, 2, type, remove);
}

/* (won, amount): amounts by how many are won; an unknown amount is 0. */
static pg_attribute_always_inline Ratio *
won(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) || !PG_GETARG_BOOL(1))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_integer(state, RATIO_DENOMINATOR, 1, remove);
	return add_known(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
}

/* (part): of all rows those that are a part; NULL is left out. */
static Ratio *
row_share(Ratio *state, FunctionCallInfo fcinfo, bool remove)
{
	if (PG_ARGISNULL(1))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	if (PG_GETARG_BOOL(1))
		state = add_integer(state, RATIO_NUMERATOR, 1, remove);
	return add_integer(state, RATIO_DENOMINATOR, 1, remove);
}

/* (was, is): of the rows that were those that still are; NULL is left out. */
static Ratio *
kept(Ratio *state, FunctionCallInfo fcinfo, bool remove)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || !PG_GETARG_BOOL(1))
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	if (PG_GETARG_BOOL(2))
		state = add_integer(state, RATIO_NUMERATOR, 1, remove);
	return add_integer(state, RATIO_DENOMINATOR, 1, remove);
}

/* A recurring amount, of a numeric its sign; NULL is nothing. */
static pg_attribute_always_inline int64
recurring(FunctionCallInfo fcinfo, int arg, TermType type)
{
	NumericParts digits;
	int64		value;

	if (PG_ARGISNULL(arg))
		return 0;
	if (type == TERM_NUMERIC)
	{
		salkpi_numeric_read(PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(arg)),
							&digits);
		value = digits.negative ? -1 : digits.ndigits > 0;
	}
	else
		value = type == TERM_INT8 ? PG_GETARG_INT64(arg) :
			type == TERM_INT4 ? PG_GETARG_INT32(arg) : PG_GETARG_INT16(arg);
	if (unlikely(value < 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recurring amount is negative"),
				 errhint("Leave such rows out before they are aggregated.")));
	return value;
}

/*
 * (opening, closing) of a customer: closing by opening, of those who are
 * there at the opening; without one it counts as gone.
 */
static pg_attribute_always_inline Ratio *
net_kept(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	int64		opening = recurring(fcinfo, 1, type);

	(void) recurring(fcinfo, 2, type);
	if (opening == 0)
		return state;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
	return add_arg(state, RATIO_DENOMINATOR, fcinfo, 1, type, remove);
}

/* The same without what was gained: the lesser of both by opening. */
static pg_attribute_always_inline Ratio *
gross_kept(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	int64		opening = recurring(fcinfo, 1, type);
	int64		closing = recurring(fcinfo, 2, type);
	bool		is_less = closing < opening;

	if (opening == 0)
		return state;
	if (type == TERM_NUMERIC && closing != 0)
		is_less = DatumGetInt32(DirectFunctionCall2(numeric_cmp,
													PG_GETARG_DATUM(2),
													PG_GETARG_DATUM(1))) < 0;
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, is_less ? 2 : 1, type,
					  remove);
	return add_arg(state, RATIO_DENOMINATOR, fcinfo, 1, type, remove);
}

/*
 * (amount, from, to, at): amounts of what is active at an instant, that is
 * from < at and to >= at, NULL being since ever and open.  A row that is not
 * adds nothing, but is a row.
 */
static pg_attribute_always_inline Ratio *
active(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool is_day,
	   bool remove)
{
	int64		instants[3];
	int			i;

	if (PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("instant must not be NULL")));
	if (PG_ARGISNULL(1))
		return state;
	for (i = 0; i < 3; i++)
		instants[i] = is_day ? PG_GETARG_DATEADT(2 + i) : PG_GETARG_TIMESTAMP(2 + i);
	(void) recurring(fcinfo, 1, type);
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	if ((!PG_ARGISNULL(2) && instants[0] >= instants[2]) ||
		(!PG_ARGISNULL(3) && instants[1] < instants[2]))
		return state;
	return add_arg(state, RATIO_NUMERATOR, fcinfo, 1, type, remove);
}

static pg_attribute_always_inline Ratio *
active_day(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	return active(state, fcinfo, type, true, remove);
}

static pg_attribute_always_inline Ratio *
active_instant(Ratio *state, FunctionCallInfo fcinfo, TermType type,
			   bool remove)
{
	return active(state, fcinfo, type, false, remove);
}

/* Add value / 10^scale. */
static Ratio *
add_scaled(Ratio *state, RatioSum which, int128 value, int scale, bool remove)
{
	int			wider = (state->scale[which] & ~RATIO_HAS_BIG) - scale;
	int128		small = value;

	if (wider >= 0 && (wider == 0 || salkpi_rescale(&small, wider)) &&
		add_small(state, which, small, remove))
		return state;
	return salkpi_ratio_add_slowly(state, which, salkpi_int128_to_numeric(value, scale),
					  remove);
}

static void
raise_no_probability(Numeric probability)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("probability must be between 0 and 1, not %s",
					DatumGetCString(DirectFunctionCall1(numeric_out,
														NumericGetDatum(probability)))),
			 errhint("Divide percentages by 100.")));
}

/* A numeric as an integer below 10^18 in size and its scale, if it is one. */
static bool
read_half(struct varlena *value, int128 *half, int *scale)
{
	const int128 limit = INT64CONST(1000000000000000000);
	NumericParts digits;

	salkpi_numeric_read(value, &digits);
	*scale = digits.dscale;
	return digits.dscale <= RATIO_MAX_SCALE / 2 &&
		salkpi_parts_to_int128(&digits, digits.dscale, half) &&
		*half < limit && *half > -limit;
}

/* What is expected of an amount, and the amount: as numerics. */
static Ratio *
add_expected_numeric(Ratio *state, Numeric amount, Numeric probability,
					 bool remove)
{
	Datum		one = NumericGetDatum(int64_to_numeric(1));
	Datum		zero = NumericGetDatum(int64_to_numeric(0));
	Datum		share = NumericGetDatum(probability);
	Datum		expected;

	if (DatumGetBool(DirectFunctionCall2(numeric_lt, share, zero)) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, share, one)))
		raise_no_probability(probability);
	expected = DirectFunctionCall2(numeric_mul, NumericGetDatum(amount), share);
	state = add_numeric(state, RATIO_NUMERATOR, expected, remove);
	return add_numeric(state, RATIO_DENOMINATOR, NumericGetDatum(amount),
					   remove);
}

/* The same in integers, where they fit. */
static Ratio *
add_expected(Ratio *state, Datum amount, Datum probability, bool remove)
{
	struct varlena *a = PG_DETOAST_DATUM_PACKED(amount);
	struct varlena *p = PG_DETOAST_DATUM_PACKED(probability);
	int128		value;
	int128		share;
	int128		one = 1;
	int			value_scale;
	int			share_scale;

	if (!read_half(a, &value, &value_scale) ||
		!read_half(p, &share, &share_scale) ||
		!salkpi_rescale(&one, share_scale))
		return add_expected_numeric(state, DatumGetNumeric(PointerGetDatum(a)),
									DatumGetNumeric(PointerGetDatum(p)),
									remove);
	if (share < 0 || share > one)
		raise_no_probability(DatumGetNumeric(PointerGetDatum(p)));
	state = add_scaled(state, RATIO_NUMERATOR, value * share,
					   value_scale + share_scale, remove);
	return add_scaled(state, RATIO_DENOMINATOR, value, value_scale, remove);
}

/*
 * (amount, probability): what is expected, by what there is.  A row of
 * unknown probability is missing, with its amount; an unknown amount is 0.
 */
static Ratio *
pipeline(Ratio *state, FunctionCallInfo fcinfo, bool remove)
{
	if (PG_ARGISNULL(1))
		return state;
	if (PG_ARGISNULL(2))
		return add_numeric(state, RATIO_MISSING, PG_GETARG_DATUM(1), remove);
	salkpi_ratio_count_rows(&state->rows, 1, remove);
	return add_expected(state, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), remove);
}

/* ---------- SQL functions ---------- */

/*
 * The state to change: the aggregate's own, or a new one in
 * CurrentMemoryContext.  There is one even if no row counts yet, since the
 * executor takes no row away from NULL.
 */
static inline Ratio *
get_state(FunctionCallInfo fcinfo)
{
	RatioParts	parts = {0};

	salkpi_check_aggregate(fcinfo, "kpi_ratio");
	if (PG_ARGISNULL(0))
		return salkpi_ratio_write(&parts);
	return salkpi_ratio_get(PG_GETARG_DATUM(0));
}

#define TRANSITION(name, changed) \
PG_FUNCTION_INFO_V1(salkpi_##name); \
Datum \
salkpi_##name(PG_FUNCTION_ARGS) \
{ \
	Ratio	   *state = get_state(fcinfo); \
\
	PG_RETURN_POINTER(changed); \
} \
extern int	no_such_variable

/* A shape of rows in each type: the transition and its inverse. */
#define TRANSITIONS_OF_TYPE(shape, type, suffix) \
	TRANSITION(shape##_add_##suffix, shape(state, fcinfo, type, false)); \
	TRANSITION(shape##_remove_##suffix, shape(state, fcinfo, type, true))
#define TRANSITIONS(shape) \
	TRANSITIONS_OF_TYPE(shape, TERM_NUMERIC, numeric); \
	TRANSITIONS_OF_TYPE(shape, TERM_INT8, bigint); \
	TRANSITIONS_OF_TYPE(shape, TERM_INT4, integer); \
	TRANSITIONS_OF_TYPE(shape, TERM_INT2, smallint)

TRANSITIONS(ratio);
TRANSITIONS(profit);
TRANSITIONS(sales_return);
TRANSITIONS(attainment);
TRANSITIONS(open_target);
TRANSITIONS(amount_share);
TRANSITIONS(won);
TRANSITIONS(net_kept);
TRANSITIONS(gross_kept);
TRANSITIONS(active_day);
TRANSITIONS(active_instant);
TRANSITION(row_share_add, row_share(state, fcinfo, false));
TRANSITION(row_share_remove, row_share(state, fcinfo, true));
TRANSITION(kept_add, kept(state, fcinfo, false));
TRANSITION(kept_remove, kept(state, fcinfo, true));
TRANSITION(pipeline_add, pipeline(state, fcinfo, false));
TRANSITION(pipeline_remove, pipeline(state, fcinfo, true));
TRANSITION(ratio_combine,
		   salkpi_ratio_add(state, salkpi_ratio_get(PG_GETARG_DATUM(1)), false));
TRANSITION(ratio_uncombine,
		   salkpi_ratio_add(state, salkpi_ratio_get(PG_GETARG_DATUM(1)), true));
