/*
 * numbers.h
 *	  Exact sums of numeric in 128-bit integers.
 */
#ifndef SALKPI_NUMBERS_H
#define SALKPI_NUMBERS_H

#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#ifndef HAVE_INT128
#error "salkpi needs a compiler with 128-bit integers"
#endif
#ifndef USE_FLOAT8_BYVAL
#error "salkpi needs a PostgreSQL that passes values of eight bytes by value"
#endif

/* Decimals that a fixed-point sum keeps; a measure with more uses Numeric. */
#define SALKPI_MAX_SCALE	16

/* Decimals to which a ratio is rounded. */
#define SALKPI_RATIO_SCALE	16

/* Largest display scale that a numeric can have: products are rounded to it. */
#define SALKPI_MAX_DSCALE	0x3FFF

/* A numeric taken apart: sign, base-10000 digits, weight of the first. */
typedef struct NumericParts
{
	const char *digits;			/* int16 each, not necessarily aligned */
	int			ndigits;		/* number of digits */
	int			weight;			/* exponent to 10000 of the first digit */
	int			dscale;			/* display scale: decimals shown */
	bool		negative;		/* is the sign a minus? */
} NumericParts;

/* The sum small / 10^scale + big, where scale is known to the owner. */
typedef struct ExactSum
{
	int128		small;			/* fixed-point part */
	Numeric		big;			/* what does not fit in it; NULL = 0 */
} ExactSum;

/* Is the value in the range that a settled sum keeps as an integer? */
static inline bool
salkpi_is_small(int128 value)
{
	/* 10^36: nine base-10000 digits */
	const int128 limit = (int128) INT64CONST(1000000000000000000) *
		INT64CONST(1000000000000000000);

	return value < limit && value > -limit;
}

/* The fixed-point scale of a measure whose largest display scale is dscale. */
static inline int
salkpi_fixed_scale(int dscale)
{
	return Min(dscale, SALKPI_MAX_SCALE);
}

extern bool salkpi_numeric_is_special(const struct varlena *num);
extern void salkpi_numeric_read(struct varlena *num, NumericParts *parts);
extern bool salkpi_parts_to_int128(const NumericParts *parts, int scale,
								   int128 *result);
extern bool salkpi_rescale(int128 *value, int by);
extern Numeric salkpi_int128_to_numeric(int128 value, int scale);
extern Numeric salkpi_numeric_negate(Numeric a);
extern int	salkpi_numeric_sign(Numeric value);
extern Numeric salkpi_numeric_quotient(Numeric numerator, Numeric denominator,
									   int decimals);
extern Numeric salkpi_numeric_pad(Numeric value, int dscale);

extern void salkpi_sum_spill(ExactSum *sum, int scale);
extern void salkpi_sum_add_big(ExactSum *sum, Numeric addend);
extern void salkpi_sum_add_big_sum(ExactSum *sum, Numeric addend, int sign,
								   int scale);
extern void salkpi_sum_settle(ExactSum *sum, int scale);
extern bool salkpi_sum_is_negative(const ExactSum *sum);
extern Numeric salkpi_sum_to_numeric(const ExactSum *sum, int dscale);

/* What a function of two numerics makes of them: numeric_add and the like. */
static inline Numeric
salkpi_numeric_apply(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

static inline Numeric
salkpi_numeric_add(Numeric a, Numeric b)
{
	return salkpi_numeric_apply(numeric_add, a, b);
}

/* Below 0, 0 or above it; NaN is above all others. */
static inline int
salkpi_numeric_compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

/* Add addend / 10^scale; an overflow moves the integer to the Numeric. */
static inline void
salkpi_sum_add(ExactSum *sum, int128 addend, int scale)
{
	int128		result;

	if (unlikely(__builtin_add_overflow(sum->small, addend, &result)))
	{
		salkpi_sum_spill(sum, scale);
		result = addend;
	}
	sum->small = result;
}

/* Is a settled sum zero? */
static inline bool
salkpi_sum_is_zero(const ExactSum *sum)
{
	return sum->small == 0 && sum->big == NULL;
}

/* Add a settled sum to another one, or subtract it; the result is settled. */
static inline void
salkpi_sum_add_sum(ExactSum *sum, const ExactSum *addend, int sign, int scale)
{
	salkpi_sum_add(sum, sign * addend->small, scale);
	if (unlikely(addend->big != NULL || sum->big != NULL))
		salkpi_sum_add_big_sum(sum, addend->big, sign, scale);
}

#endif							/* SALKPI_NUMBERS_H */
