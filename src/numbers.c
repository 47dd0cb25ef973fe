/*
 * numbers.c
 *	  Exact sums of numeric in 128-bit integers.
 *
 * Core's sum(numeric) keeps an array of digits per state and costs about
 * 30 ns a row; money has two decimals and fits in an integer.  So the digits
 * of a numeric are read straight into an int128 at a fixed decimal scale, and
 * a sum is one addition.  Nothing is ever rounded: what does not fit (more
 * decimals than SALKPI_MAX_SCALE, too many digits, an overflow of the sum)
 * goes to a Numeric beside the integer.
 *
 * Which of the two a value went through must not show.  A sum is therefore
 * settled before it is stored or compared: it is an integer if and only if
 * its value times 10^scale is a whole number below 10^36 in size, which
 * depends on the value and the scale alone.  10^36 rather than 2^127, since
 * nine base-10000 digits can be collected without a check for overflow.
 *
 * NaN and infinity have no place in a sum of money: they raise 22003.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "numbers.h"
#include "salkpi.h"

/* Decimals of a quotient: the largest power of ten that a bigint holds twice. */
#define MAX_QUOTIENT_DECIMALS	18

PG_FUNCTION_INFO_V1(salkpi_kpi_quotient);

/*
 * The on-disk form of a numeric, fixed since 9.1 and for as long as pg_upgrade
 * is to work; core keeps these macros to itself (numeric.c).  The first two
 * bits tell the short form (sign, scale and weight in one word) from the long
 * one (sign and scale, then the weight) and from NaN and infinity.
 */
#define NUMERIC_DIGIT_BASE			10000
#define NUMERIC_DIGIT_DECIMALS		4
#define NUMERIC_KIND_MASK			0xC000
#define NUMERIC_KIND_NEGATIVE		0x4000
#define NUMERIC_KIND_SHORT			0x8000
#define NUMERIC_KIND_SPECIAL		0xC000
#define NUMERIC_SPECIAL_MASK		0xF000
#define NUMERIC_NAN					0xC000
#define NUMERIC_LONG_DSCALE_MASK	0x3FFF
#define NUMERIC_SHORT_SIGN			0x2000
#define NUMERIC_SHORT_DSCALE_MASK	0x1F80
#define NUMERIC_SHORT_DSCALE_SHIFT	7
#define NUMERIC_SHORT_WEIGHT_SIGN	0x0040
#define NUMERIC_SHORT_WEIGHT_MASK	0x003F

/* Base-10000 digits that always stay below the limit of a small value. */
#define SMALL_DIGITS	9
#define SMALL_DECIMALS	(SMALL_DIGITS * NUMERIC_DIGIT_DECIMALS)

static const int64 power10[] = {
	INT64CONST(1), INT64CONST(10), INT64CONST(100), INT64CONST(1000),
	INT64CONST(10000), INT64CONST(100000), INT64CONST(1000000),
	INT64CONST(10000000), INT64CONST(100000000), INT64CONST(1000000000),
	INT64CONST(10000000000), INT64CONST(100000000000),
	INT64CONST(1000000000000), INT64CONST(10000000000000),
	INT64CONST(100000000000000), INT64CONST(1000000000000000),
	INT64CONST(10000000000000000), INT64CONST(100000000000000000),
	INT64CONST(1000000000000000000)
};

/* 10^n for n up to SMALL_DECIMALS */
static inline int128
power10_wide(int n)
{
	return (int128) power10[n / 2] * power10[n - n / 2];
}

/* Is it NaN or infinite?  With any header but a toast pointer or a compressed one. */
bool
salkpi_numeric_is_special(const struct varlena *num)
{
	uint16		header;

	memcpy(&header, VARDATA_ANY(num), sizeof(header));
	return (header & NUMERIC_KIND_MASK) == NUMERIC_KIND_SPECIAL;
}

/*
 * Take a numeric (with any header but a toast pointer or a compressed one)
 * apart; the digits point into it.
 */
void
salkpi_numeric_read(struct varlena *num, NumericParts *parts)
{
	const char *data = VARDATA_ANY(num);
	uint16		header;
	int16		weight;
	int			size = sizeof(uint16);

	memcpy(&header, data, sizeof(header));
	if (salkpi_numeric_is_special(num))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot sum %s",
						(header & NUMERIC_SPECIAL_MASK) == NUMERIC_NAN ?
						"NaN" : "infinity"),
				 errhint("Leave such rows out before they are aggregated.")));
	if ((header & NUMERIC_KIND_MASK) == NUMERIC_KIND_SHORT)
	{
		parts->negative = (header & NUMERIC_SHORT_SIGN) != 0;
		parts->dscale = (header & NUMERIC_SHORT_DSCALE_MASK)
			>> NUMERIC_SHORT_DSCALE_SHIFT;
		parts->weight = header & NUMERIC_SHORT_WEIGHT_MASK;
		if (header & NUMERIC_SHORT_WEIGHT_SIGN)
			parts->weight -= NUMERIC_SHORT_WEIGHT_MASK + 1;
	}
	else
	{
		memcpy(&weight, data + size, sizeof(weight));
		size += sizeof(weight);
		parts->negative = (header & NUMERIC_KIND_MASK) == NUMERIC_KIND_NEGATIVE;
		parts->dscale = header & NUMERIC_LONG_DSCALE_MASK;
		parts->weight = weight;
	}
	parts->digits = data + size;
	parts->ndigits = (VARSIZE_ANY_EXHDR(num) - size) / sizeof(int16);
}

static inline int
digit_at(const NumericParts *parts, int i)
{
	int16		digit;

	memcpy(&digit, parts->digits + i * sizeof(digit), sizeof(digit));
	return digit;
}

/* The first n base-10000 digits as one number; n <= SMALL_DIGITS. */
static inline int128
collect_digits(const NumericParts *parts, int n)
{
	int64		head = 0;
	int128		value;
	int			i;

	for (i = 0; i < Min(n, 4); i++)
		head = head * NUMERIC_DIGIT_BASE + digit_at(parts, i);
	for (value = head; i < n; i++)
		value = value * NUMERIC_DIGIT_BASE + digit_at(parts, i);
	return value;
}

/* Multiply by 10^by; false, and unchanged, if the result would not be small. */
bool
salkpi_rescale(int128 *value, int by)
{
	int128		limit;

	if (*value == 0)
		return true;
	if (by > SMALL_DECIMALS)
		return false;
	limit = power10_wide(SMALL_DECIMALS - by);
	if (*value >= limit || *value <= -limit)
		return false;
	*value *= power10_wide(by);
	return true;
}

/*
 * The numeric times 10^scale, if that is a whole number below 10^36 in size.
 * The digits that belong to the result entirely are collected; of the last
 * one some decimals may lie beyond the scale, and must be zero then.
 */
bool
salkpi_parts_to_int128(const NumericParts *parts, int scale, int128 *result)
{
	int			fraction = parts->ndigits - 1 - parts->weight;
	int			beyond = fraction * NUMERIC_DIGIT_DECIMALS - scale;
	int			whole = beyond > 0 ? parts->ndigits - 1 : parts->ndigits;
	int			inside = NUMERIC_DIGIT_DECIMALS - beyond;
	int128		value;

	if (parts->ndigits == 0)
	{
		*result = 0;
		return true;
	}
	if (beyond >= NUMERIC_DIGIT_DECIMALS || whole > SMALL_DIGITS)
		return false;
	value = collect_digits(parts, whole);
	if (beyond > 0)
	{
		int			last = digit_at(parts, whole);

		if (last % power10[beyond] != 0)
			return false;
		if (whole < SMALL_DIGITS - 1)
			value *= power10[inside];
		else if (!salkpi_rescale(&value, inside))
			return false;
		value += last / power10[beyond];
	}
	else if (beyond < 0 && !salkpi_rescale(&value, -beyond))
		return false;
	*result = parts->negative ? -value : value;
	return true;
}

/* value / 10^scale, exactly, with that display scale. */
Numeric
salkpi_int128_to_numeric(int128 value, int scale)
{
	char		text[64];
	char	   *p = text + sizeof(text);
	uint128		rest = value < 0 ? -(uint128) value : (uint128) value;
	int			decimals = 0;

	Assert(scale >= 0 && scale <= SMALL_DECIMALS);
	if (value >= PG_INT64_MIN && value <= PG_INT64_MAX)
		return int64_div_fast_to_numeric((int64) value, scale);
	for (*--p = '\0'; rest != 0 || decimals <= scale; rest /= 10)
	{
		if (decimals++ == scale && scale > 0)
			*--p = '.';
		*--p = '0' + (int) (rest % 10);
	}
	if (value < 0)
		*--p = '-';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(p),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

Numeric
salkpi_numeric_negate(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_uminus,
											   NumericGetDatum(a)));
}

/*
 * The same value shown with at least dscale decimals: adding a zero of that
 * scale, since numeric_round() stops at 2,000.
 */
Numeric
salkpi_numeric_pad(Numeric value, int dscale)
{
	char	   *zero = palloc(dscale + 3);
	Numeric		padding;

	memset(zero, '0', dscale + 2);
	zero[1] = dscale > 0 ? '.' : '\0';
	zero[dscale + 2] = '\0';
	padding = DatumGetNumeric(DirectFunctionCall3(numeric_in,
												  CStringGetDatum(zero),
												  ObjectIdGetDatum(InvalidOid),
												  Int32GetDatum(-1)));
	return salkpi_numeric_add(value, padding);
}

/* -1, 0 or 1; of NaN 1. */
int
salkpi_numeric_sign(Numeric value)
{
	return salkpi_numeric_compare(value, int64_to_numeric(0));
}

/*
 * The quotient rounded once to so many decimals (at most 18), half away from
 * zero; NULL if the denominator is 0.  It is the integer quotient of twice the
 * numerator, plus the denominator, by twice the denominator: numeric's own
 * division picks a scale and rounds to it, and to round that again could be
 * off by one in the last place.
 */
Numeric
salkpi_numeric_quotient(Numeric numerator, Numeric denominator, int decimals)
{
	int			sign = salkpi_numeric_sign(numerator) * salkpi_numeric_sign(denominator);
	Datum		twice = NumericGetDatum(int64_to_numeric(2 * power10[decimals]));
	Datum		top;
	Datum		bottom;
	Datum		whole;

	if (salkpi_numeric_sign(denominator) == 0)
		return NULL;
	top = DirectFunctionCall1(numeric_abs, NumericGetDatum(numerator));
	bottom = DirectFunctionCall1(numeric_abs, NumericGetDatum(denominator));
	top = DirectFunctionCall2(numeric_add, DirectFunctionCall2(numeric_mul, top, twice), bottom);
	bottom = DirectFunctionCall2(numeric_add, bottom, bottom);
	whole = DirectFunctionCall2(numeric_div_trunc, top, bottom);
	if (sign < 0)
		whole = DirectFunctionCall1(numeric_uminus, whole);
	return DatumGetNumeric(DirectFunctionCall2(numeric_mul, whole,
											   NumericGetDatum(salkpi_int128_to_numeric(1, decimals))));
}

/* Move the integer of a sum to its Numeric. */
void
salkpi_sum_spill(ExactSum *sum, int scale)
{
	salkpi_sum_add_big(sum, salkpi_int128_to_numeric(sum->small, scale));
	sum->small = 0;
}

/* Add a Numeric; the result lives in the current memory context. */
void
salkpi_sum_add_big(ExactSum *sum, Numeric addend)
{
	sum->big = sum->big == NULL ? addend : salkpi_numeric_add(sum->big, addend);
}

/*
 * Bring a sum into the form that depends on its value alone: an integer if
 * it is small, else all of it in the Numeric.
 */
void
salkpi_sum_settle(ExactSum *sum, int scale)
{
	NumericParts parts;

	if (sum->big == NULL && salkpi_is_small(sum->small))
		return;
	salkpi_sum_spill(sum, scale);
	salkpi_numeric_read((struct varlena *) sum->big, &parts);
	if (salkpi_parts_to_int128(&parts, scale, &sum->small))
		sum->big = NULL;
}

/* Add a numeric, if there is one, to a sum or subtract it, and settle that. */
void
salkpi_sum_add_big_sum(ExactSum *sum, Numeric addend, int sign, int scale)
{
	if (addend != NULL)
		salkpi_sum_add_big(sum, sign > 0 ? addend :
						   salkpi_numeric_negate(addend));
	salkpi_sum_settle(sum, scale);
}

/* Is a settled sum below zero? */
bool
salkpi_sum_is_negative(const ExactSum *sum)
{
	NumericParts parts;

	if (sum->big == NULL)
		return sum->small < 0;
	salkpi_numeric_read((struct varlena *) sum->big, &parts);
	return parts.negative;
}

/* The value of a sum of a measure whose largest display scale is dscale. */
Numeric
salkpi_sum_to_numeric(const ExactSum *sum, int dscale)
{
	Numeric		value;

	value = salkpi_int128_to_numeric(sum->small, salkpi_fixed_scale(dscale));
	if (sum->big != NULL)
		value = salkpi_numeric_add(value, sum->big);
	if (sum->big != NULL || dscale > SALKPI_MAX_SCALE)
		value = salkpi_numeric_pad(value, dscale);
	return value;
}

Datum
salkpi_kpi_quotient(PG_FUNCTION_ARGS)
{
	Numeric		denominator = PG_GETARG_NUMERIC(1);
	int			decimals = PG_GETARG_INT32(2);
	Numeric		quotient;

	if (decimals < 0 || decimals > MAX_QUOTIENT_DECIMALS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("decimals must be between 0 and %d, not %d",
						MAX_QUOTIENT_DECIMALS, decimals)));
	if (numeric_is_inf(denominator))	/* 0, or NaN: nothing to round */
		return DirectFunctionCall2(numeric_div, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
	quotient = salkpi_numeric_quotient(PG_GETARG_NUMERIC(0), denominator, decimals);
	if (quotient == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(quotient);
}
