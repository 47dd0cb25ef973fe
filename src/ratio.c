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
 * The sums are exact, hence a row can be taken away as exactly as it was added
 * and a moving window needs no second look at its rows.  They are integers of
 * 128 bits at the scale that the rows so far needed.  What does not fit goes
 * to a numeric behind them; then the state grows, as a fresh chunk that the
 * executor takes over, and else it is changed in place.
 *
 * A finished value is settled: it depends on the sums and the number of rows
 * alone.  Each sum is an integer at the least scale if that is small (see
 * numbers.c) and its scale not above RATIO_MAX_SCALE, else a numeric at its
 * least scale.  How 12.50 was written by whoever wrote it does not matter.  A
 * ratio without any row is the same as none, so it is finished as NULL.
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/builtins.h"

#include "ratio.h"
#include "states.h"

/* ---------- The two forms ---------- */

/* An argument, in whatever form a datum has, without a copy if it needs none. */
Ratio *
salkpi_ratio_get(Datum datum)
{
	Ratio	   *ratio = (Ratio *) PG_DETOAST_DATUM(datum);
	const char *fault = salkpi_ratio_fault(ratio);

	if (unlikely(fault != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("kpi_ratio value has an unknown format"),
				 errdetail("%s", fault),
				 errhint("It may have been written by a newer version of salkpi.")));
	return ratio;
}

/* Take a ratio apart; its numerics stay where they are. */
void
salkpi_ratio_read(const Ratio *ratio, RatioParts *parts)
{
	const char *big = ratio->big;
	int			i;

	parts->rows = ratio->rows;
	for (i = 0; i < RATIO_SUMS; i++)
	{
		parts->scale[i] = ratio->scale[i] & ~RATIO_HAS_BIG;
		parts->sums[i].small = ratio->small[i];
		parts->sums[i].big = NULL;
		if (ratio->scale[i] & RATIO_HAS_BIG)
		{
			parts->sums[i].big = (Numeric) big;
			big += INTALIGN(VARSIZE(big));
		}
	}
}

/* A new ratio in CurrentMemoryContext. */
Ratio *
salkpi_ratio_write(const RatioParts *parts)
{
	Size		size = offsetof(Ratio, big);
	Ratio	   *ratio;
	char	   *big;
	int			i;

	for (i = 0; i < RATIO_SUMS; i++)
		if (parts->sums[i].big != NULL)
			size += INTALIGN(VARSIZE(parts->sums[i].big));
	ratio = palloc0(size);
	SET_VARSIZE(ratio, size);
	ratio->version = RATIO_VERSION;
	ratio->rows = parts->rows;
	big = ratio->big;
	for (i = 0; i < RATIO_SUMS; i++)
	{
		Numeric		value = parts->sums[i].big;

		ratio->scale[i] = parts->scale[i];
		ratio->small[i] = parts->sums[i].small;
		if (value == NULL)
			continue;
		ratio->scale[i] |= RATIO_HAS_BIG;
		memcpy(big, value, VARSIZE(value));
		big += INTALIGN(VARSIZE(value));
	}
	return ratio;
}

/* A sum's integer at the least scale. */
static void
reduce(int128 *small, int *scale)
{
	if (*small == 0)
		*scale = 0;
	for (; *scale > 0 && *small % 10 == 0; --*scale)
		*small /= 10;
}

static Numeric
trim(Numeric value)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
											   NumericGetDatum(value)));
}

/* Bring each sum into the form that depends on its value alone. */
void
salkpi_ratio_settle(RatioParts *parts)
{
	NumericParts digits;
	int			i;

	for (i = 0; i < RATIO_SUMS; i++)
	{
		ExactSum   *sum = &parts->sums[i];

		reduce(&sum->small, &parts->scale[i]);
		if (sum->big == NULL && salkpi_is_small(sum->small))
			continue;
		salkpi_sum_spill(sum, parts->scale[i]);
		sum->big = trim(sum->big);
		salkpi_numeric_read((struct varlena *) sum->big, &digits);
		parts->scale[i] = Min(digits.dscale, RATIO_MAX_SCALE);
		if (salkpi_parts_to_int128(&digits, parts->scale[i], &sum->small))
			sum->big = NULL;
		else
			parts->scale[i] = 0;
	}
}

/* ---------- Adding ---------- */

static void
raise_too_many_rows(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of rows of a kpi_ratio is out of range")));
}

static inline void
count_rows(int64 *rows, int64 by, bool remove)
{
	if (unlikely(remove ? pg_sub_s64_overflow(*rows, by, rows) :
				 pg_add_s64_overflow(*rows, by, rows)))
		raise_too_many_rows();
}

/* Give the integer of a sum a larger scale. */
static void
widen(ExactSum *sum, int *scale, int wanted)
{
	if (!salkpi_rescale(&sum->small, wanted - *scale))
		salkpi_sum_spill(sum, *scale);
	*scale = wanted;
}

/* Add a numeric to a sum, or take it away, whatever it takes. */
static void
add_to_sum(ExactSum *sum, int *scale, Numeric value, bool remove)
{
	NumericParts digits;
	int128		addend;

	salkpi_numeric_read((struct varlena *) value, &digits);
	if (Min(digits.dscale, RATIO_MAX_SCALE) > *scale)
		widen(sum, scale, Min(digits.dscale, RATIO_MAX_SCALE));
	if (salkpi_parts_to_int128(&digits, *scale, &addend))
		salkpi_sum_add(sum, remove ? -addend : addend, *scale);
	else
		salkpi_sum_add_big(sum, remove ? salkpi_numeric_negate(value) : value);
}

/*
 * The same for a state: in place if only its integer and scale change, else a
 * fresh one in CurrentMemoryContext.
 */
static pg_noinline Ratio *
add_slowly(Ratio *state, RatioSum which, Numeric value, bool remove)
{
	RatioParts	parts;

	salkpi_ratio_read(state, &parts);
	add_to_sum(&parts.sums[which], &parts.scale[which], value, remove);
	if (parts.sums[which].big != NULL)
		return salkpi_ratio_write(&parts);
	state->scale[which] = parts.scale[which];
	state->small[which] = parts.sums[which].small;
	return state;
}

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
	return add_slowly(state, which, DatumGetNumeric(PointerGetDatum(value)),
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
	return add_slowly(state, which, int64_to_numeric(value), remove);
}

/* Add or take away all of a ratio; the result is as add_slowly's. */
Ratio *
salkpi_ratio_add(Ratio *state, const Ratio *other, bool remove)
{
	RatioParts	a;
	RatioParts	b;
	bool		in_place = true;
	int			i;

	salkpi_ratio_read(state, &a);
	salkpi_ratio_read(other, &b);
	count_rows(&a.rows, b.rows, remove);
	for (i = 0; i < RATIO_SUMS; i++)
	{
		ExactSum   *sum = &a.sums[i];
		int128		addend;

		if (a.scale[i] < b.scale[i])
			widen(sum, &a.scale[i], b.scale[i]);
		if (b.scale[i] < a.scale[i])
			widen(&b.sums[i], &b.scale[i], a.scale[i]);
		addend = b.sums[i].small;
		salkpi_sum_add(sum, remove ? -addend : addend, a.scale[i]);
		if (b.sums[i].big != NULL)
			salkpi_sum_add_big(sum, remove ?
							   salkpi_numeric_negate(b.sums[i].big) :
							   b.sums[i].big);
		in_place = in_place && sum->big == NULL;
	}
	if (!in_place)
		return salkpi_ratio_write(&a);
	state->rows = a.rows;
	for (i = 0; i < RATIO_SUMS; i++)
	{
		state->scale[i] = a.scale[i];
		state->small[i] = a.sums[i].small;
	}
	return state;
}

/* ---------- Rows ---------- */

/* The declared types of arguments; a boolean adds 1 or 0. */
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
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
	state = add_arg(state, RATIO_DENOMINATOR, fcinfo, 1, type, remove);
	return add_arg(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
}

/* (revenue, direct cost, cost): costs by revenue; NULL is nothing. */
static pg_attribute_always_inline Ratio *
sales_return(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3))
		return state;
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, 1, type, remove);
	return add_arg(state, RATIO_DENOMINATOR, fcinfo, 2, type, remove);
}

/* (pipeline, target, won): pipeline by what is left to win; NULL is nothing. */
static pg_attribute_always_inline Ratio *
open_target(Ratio *state, FunctionCallInfo fcinfo, TermType type, bool remove)
{
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3))
		return state;
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
	state = add_integer(state, RATIO_DENOMINATOR, 1, remove);
	return add_known(state, RATIO_NUMERATOR, fcinfo, 2, type, remove);
}

/* (part): of all rows those that are a part; NULL is left out. */
static Ratio *
row_share(Ratio *state, FunctionCallInfo fcinfo, bool remove)
{
	if (PG_ARGISNULL(1))
		return state;
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
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
	count_rows(&state->rows, 1, remove);
	state = add_known(state, RATIO_NUMERATOR, fcinfo, is_less ? 2 : 1, type,
					  remove);
	return add_arg(state, RATIO_DENOMINATOR, fcinfo, 1, type, remove);
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
	return add_slowly(state, which, salkpi_int128_to_numeric(value, scale),
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
	count_rows(&state->rows, 1, remove);
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

	salkpi_aggregate_context(fcinfo, "kpi_ratio");
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
