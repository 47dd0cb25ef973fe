/*
 * ratio_finish.c
 *	  What a kpi_ratio says: final functions of the aggregates, and accessors
 *	  to a stored state, which are the same.
 *
 * There is one division, and its quotient is rounded once, to 16 decimals,
 * half away from zero.  A numerator means something by a positive denominator;
 * that of a margin or a growth must be positive, while a plain quotient is
 * only not defined by zero.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"

#include "ratio.h"

/* ---------- Arithmetic ---------- */

static Numeric
sum_value(const RatioParts *parts, RatioSum which)
{
	const ExactSum *sum = &parts->sums[which];
	Numeric		value = salkpi_int128_to_numeric(sum->small,
												 parts->scale[which]);

	return sum->big == NULL ? value : salkpi_numeric_add(value, sum->big);
}

static Numeric
subtract(Numeric a, Numeric b)
{
	return salkpi_numeric_add(a, salkpi_numeric_negate(b));
}

static Numeric
trimmed(Numeric value)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
											   NumericGetDatum(value)));
}

/* The quotient, or NULL if there is none. */
static Numeric
divide(Numeric numerator, Numeric denominator)
{
	Numeric		quotient = salkpi_numeric_quotient(numerator, denominator,
												   SALKPI_RATIO_SCALE);

	return quotient == NULL ? NULL : trimmed(quotient);
}

static Numeric
percent(Numeric numerator, Numeric denominator)
{
	return divide(salkpi_numeric_apply(numeric_mul, int64_to_numeric(100), numerator), denominator);
}

static Numeric
quotient_of(const RatioParts *parts)
{
	return divide(sum_value(parts, RATIO_NUMERATOR),
				  sum_value(parts, RATIO_DENOMINATOR));
}

static Numeric
percent_of(const RatioParts *parts)
{
	return percent(sum_value(parts, RATIO_NUMERATOR),
				   sum_value(parts, RATIO_DENOMINATOR));
}

/* The quotient by a positive denominator. */
static Numeric
multiple_of(const RatioParts *parts)
{
	return salkpi_numeric_sign(sum_value(parts, RATIO_DENOMINATOR)) <= 0 ? NULL :
		quotient_of(parts);
}

/* What is left of a positive denominator, in percent of it. */
static Numeric
margin_of(const RatioParts *parts)
{
	Numeric		denominator = sum_value(parts, RATIO_DENOMINATOR);

	if (salkpi_numeric_sign(denominator) <= 0)
		return NULL;
	return percent(subtract(denominator, sum_value(parts, RATIO_NUMERATOR)),
				   denominator);
}

/* By how much the numerator exceeds a positive denominator, in percent. */
static Numeric
growth_of(const RatioParts *parts)
{
	Numeric		denominator = sum_value(parts, RATIO_DENOMINATOR);

	if (salkpi_numeric_sign(denominator) <= 0)
		return NULL;
	return percent(subtract(sum_value(parts, RATIO_NUMERATOR), denominator),
				   denominator);
}

/* How near the numerator comes to a positive denominator: 100 - |growth|. */
static Numeric
accuracy_of(const RatioParts *parts)
{
	Numeric		denominator = sum_value(parts, RATIO_DENOMINATOR);
	Numeric		error = subtract(sum_value(parts, RATIO_NUMERATOR), denominator);

	if (salkpi_numeric_sign(denominator) <= 0)
		return NULL;
	if (salkpi_numeric_sign(error) < 0)
		error = salkpi_numeric_negate(error);
	return percent(subtract(denominator, error), denominator);
}

/* Of all denominators, those whose numerators are known, in percent. */
static Numeric
coverage_of(const RatioParts *parts)
{
	Numeric		denominator = sum_value(parts, RATIO_DENOMINATOR);

	return percent(denominator,
				   salkpi_numeric_add(denominator,
									  sum_value(parts, RATIO_MISSING)));
}

static Numeric
numerator_of(const RatioParts *parts)
{
	return parts->rows == 0 ? NULL :
		trimmed(sum_value(parts, RATIO_NUMERATOR));
}

static Numeric
denominator_of(const RatioParts *parts)
{
	return parts->rows == 0 ? NULL :
		trimmed(sum_value(parts, RATIO_DENOMINATOR));
}

/* Is a settled ratio the same as none? */
static bool
is_empty(const RatioParts *parts)
{
	return parts->rows == 0 && parts->sums[RATIO_MISSING].small == 0 &&
		parts->sums[RATIO_MISSING].big == NULL;
}

static void
get_settled(FunctionCallInfo fcinfo, int arg, RatioParts *parts)
{
	salkpi_ratio_read(salkpi_ratio_get(PG_GETARG_DATUM(arg)), parts);
	salkpi_ratio_settle(parts);
}

/* ---------- SQL functions ---------- */

#define ACCESSOR(name) \
PG_FUNCTION_INFO_V1(salkpi_ratio_##name); \
Datum \
salkpi_ratio_##name(PG_FUNCTION_ARGS) \
{ \
	RatioParts	parts; \
	Numeric		result; \
\
	salkpi_ratio_read(salkpi_ratio_get(PG_GETARG_DATUM(0)), &parts); \
	result = name##_of(&parts); \
	if (result == NULL) \
		PG_RETURN_NULL(); \
	PG_RETURN_NUMERIC(result); \
} \
extern int	no_such_variable

ACCESSOR(quotient);
ACCESSOR(percent);
ACCESSOR(margin);
ACCESSOR(growth);
ACCESSOR(multiple);
ACCESSOR(accuracy);
ACCESSOR(coverage);
ACCESSOR(numerator);
ACCESSOR(denominator);

PG_FUNCTION_INFO_V1(salkpi_ratio_count);
Datum
salkpi_ratio_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(salkpi_ratio_get(PG_GETARG_DATUM(0))->rows);
}

PG_FUNCTION_INFO_V1(salkpi_ratio_final);
Datum
salkpi_ratio_final(PG_FUNCTION_ARGS)
{
	RatioParts	parts;

	get_settled(fcinfo, 0, &parts);
	if (is_empty(&parts))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(salkpi_ratio_write(&parts));
}

PG_FUNCTION_INFO_V1(salkpi_ratio_plus);
Datum
salkpi_ratio_plus(PG_FUNCTION_ARGS)
{
	RatioParts	parts;
	Ratio	   *a = salkpi_ratio_get(PG_GETARG_DATUM(0));
	Ratio	   *sum;

	salkpi_ratio_read(a, &parts);
	sum = salkpi_ratio_add(salkpi_ratio_write(&parts),
						   salkpi_ratio_get(PG_GETARG_DATUM(1)), false);
	salkpi_ratio_read(sum, &parts);
	salkpi_ratio_settle(&parts);
	PG_RETURN_POINTER(salkpi_ratio_write(&parts));
}

/* A settled copy, whose bytes can be compared. */
static Ratio *
get_canonical(FunctionCallInfo fcinfo, int arg)
{
	RatioParts	parts;

	get_settled(fcinfo, arg, &parts);
	return salkpi_ratio_write(&parts);
}

static bool
are_equal(const Ratio *a, const Ratio *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

PG_FUNCTION_INFO_V1(salkpi_ratio_eq);
Datum
salkpi_ratio_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(are_equal(get_canonical(fcinfo, 0),
							 get_canonical(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(salkpi_ratio_ne);
Datum
salkpi_ratio_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!are_equal(get_canonical(fcinfo, 0),
							  get_canonical(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(salkpi_ratio_hash);
Datum
salkpi_ratio_hash(PG_FUNCTION_ARGS)
{
	Ratio	   *ratio = get_canonical(fcinfo, 0);

	return hash_any((unsigned char *) VARDATA(ratio),
					VARSIZE(ratio) - VARHDRSZ);
}

PG_FUNCTION_INFO_V1(salkpi_ratio_hash_extended);
Datum
salkpi_ratio_hash_extended(PG_FUNCTION_ARGS)
{
	Ratio	   *ratio = get_canonical(fcinfo, 0);

	return hash_any_extended((unsigned char *) VARDATA(ratio),
							 VARSIZE(ratio) - VARHDRSZ, PG_GETARG_INT64(1));
}
