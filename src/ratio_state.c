/*
 * ratio_state.c
 *	  The sums of a kpi_ratio: taking them apart, adding, settling.
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

#include "utils/builtins.h"

#include "ratio.h"

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

void
salkpi_ratio_too_many_rows(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of rows of a kpi_ratio is out of range")));
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
 * The same for a state, where the fast ways of ratio.c end: in place if
 * only its integer and scale change, else a fresh one in CurrentMemoryContext.
 */
pg_noinline Ratio *
salkpi_ratio_add_slowly(Ratio *state, RatioSum which, Numeric value,
						bool remove)
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
	salkpi_ratio_count_rows(&a.rows, b.rows, remove);
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
