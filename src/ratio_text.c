/*
 * ratio_text.c
 *	  The text of a kpi_ratio, and the shape of its bytes: checks that need no
 *	  server.
 *
 * The text is 1:{numerator/denominator,rows}, 1 being the version, or
 * 1:{numerator/denominator,rows,missing} when that last sum is not zero.  The
 * sums are decimal numbers without needless zeros, so that one value has one
 * text, and the binary form is the text too.  Nothing here allocates or
 * raises an error: what is wrong is returned, and a fuzzer can link it alone.
 */
#include "postgres.h"

#include "common/int.h"

#include "ratio.h"

/* Most digits of a small value: it is below 10^36. */
#define SMALL_DIGITS	36

/* ---------- The bytes ---------- */

/* Why bytes cannot be a ratio, open or settled; NULL if they can. */
const char *
salkpi_ratio_fault(const Ratio *ratio)
{
	size_t		size = VARSIZE(ratio);
	size_t		used = offsetof(Ratio, big);
	int			i;

	if (size < used)
		return "It is too short.";
	if (ratio->version != RATIO_VERSION)
		return "Its version is unknown.";
	if (ratio->rows < 0)
		return "Its number of rows is negative.";
	for (i = 0; i < RATIO_SUMS; i++)
	{
		size_t		big;

		if ((ratio->scale[i] & ~RATIO_HAS_BIG) > RATIO_MAX_SCALE)
			return "A scale is out of range.";
		if ((ratio->scale[i] & RATIO_HAS_BIG) == 0)
			continue;
		if (size - used < VARHDRSZ + sizeof(int16))
			return "It is too short.";
		big = VARSIZE((const char *) ratio + used);
		if (big < VARHDRSZ + sizeof(int16) || big > size - used ||
			INTALIGN(big) > size - used)
			return "The size of a sum is wrong.";
		used += INTALIGN(big);
	}
	return used == size ? NULL : "It is too long.";
}

/* ---------- Reading ---------- */

static inline bool
is_digit(const char *s, const char *end)
{
	return s < end && *s >= '0' && *s <= '9';
}

/* Is the next character this one?  Then move behind it. */
static inline bool
take(const char **s, const char *end, char wanted)
{
	if (*s == end || **s != wanted)
		return false;
	++*s;
	return true;
}

/* A decimal number without needless sign, digits or point. */
static const char *
scan_decimal(const char **s, const char *end, RatioDecimal *decimal)
{
	const char *p = *s;
	const char *digits;
	bool		is_negative = take(&p, end, '-');

	digits = p;
	while (is_digit(p, end))
		p++;
	if (p == digits)
		return "A number is expected.";
	if (*digits == '0' && p - digits > 1)
		return "A number must not begin with needless zeros.";
	if (take(&p, end, '.'))
	{
		while (is_digit(p, end))
			p++;
		if (p[-1] == '.' || p[-1] == '0')
			return "Decimals must not end with a zero or be left out after their point.";
	}
	else if (is_negative && *digits == '0')
		return "Zero has no sign.";
	if (p - *s > PG_INT32_MAX)
		return "A number is too long.";
	decimal->text = *s;
	decimal->length = (int) (p - *s);
	*s = p;
	return NULL;
}

static const char *
scan_count(const char **s, const char *end, int64 *count)
{
	const char *start = *s;

	*count = 0;
	for (; is_digit(*s, end); ++*s)
		if (pg_mul_s64_overflow(*count, 10, count) ||
			pg_add_s64_overflow(*count, **s - '0', count))
			return "The number of rows is out of range.";
	if (*s == start)
		return "A number of rows is expected.";
	if (*start == '0' && *s - start > 1)
		return "A number must not begin with needless zeros.";
	return NULL;
}

static inline bool
is_zero(const RatioDecimal *decimal)
{
	return decimal->length == 1 && decimal->text[0] == '0';
}

/*
 * Take a text of some length (it needs no NUL) apart; the decimals point into
 * it.  Returns what is wrong, and in *at where, or NULL.
 */
const char *
salkpi_ratio_scan(const char *text, size_t length, RatioText *result,
				  const char **at)
{
	const char *end = text + length;
	const char *wrong;
	RatioDecimal *missing = &result->sums[RATIO_MISSING];

	*at = text;
	if (!take(at, end, '0' + RATIO_VERSION) || !take(at, end, ':') ||
		!take(at, end, '{'))
		return "\"1:{\" is expected, as in \"1:{12.5/100,3}\", 1 being the version.";
	wrong = scan_decimal(at, end, &result->sums[RATIO_NUMERATOR]);
	if (wrong == NULL && !take(at, end, '/'))
		wrong = "\"/\" is expected.";
	if (wrong == NULL)
		wrong = scan_decimal(at, end, &result->sums[RATIO_DENOMINATOR]);
	if (wrong == NULL && !take(at, end, ','))
		wrong = "\",\" is expected.";
	if (wrong == NULL)
		wrong = scan_count(at, end, &result->rows);
	missing->length = 0;
	if (wrong == NULL && take(at, end, ','))
	{
		wrong = scan_decimal(at, end, missing);
		if (wrong == NULL && is_zero(missing))
			wrong = "Of what is missing, 0 is not written.";
	}
	if (wrong == NULL && !take(at, end, '}'))
		wrong = "\"}\" is expected.";
	if (wrong == NULL && *at != end)
		wrong = "Nothing may follow the \"}\".";
	if (wrong == NULL && result->rows == 0 &&
		!(is_zero(&result->sums[RATIO_NUMERATOR]) &&
		  is_zero(&result->sums[RATIO_DENOMINATOR])))
		wrong = "Without rows both sums are 0.";
	return wrong;
}

/*
 * A scanned decimal as an integer and its scale; false if it is not small.
 * The scale is the least one, since a scanned decimal ends with no zero.
 */
bool
salkpi_ratio_decimal_to_small(const RatioDecimal *decimal, int128 *small,
							  int *scale)
{
	bool		is_negative = decimal->length > 0 && decimal->text[0] == '-';
	bool		behind_point = false;
	int			digits = 0;
	int			i;

	*small = 0;
	*scale = 0;
	for (i = is_negative; i < decimal->length; i++)
	{
		char		c = decimal->text[i];

		if (c == '.')
		{
			behind_point = true;
			continue;
		}
		digits += *small != 0 || c != '0';
		*scale += behind_point;
		if (digits > SMALL_DIGITS || *scale > RATIO_MAX_SCALE)
			return false;
		*small = *small * 10 + (c - '0');
	}
	if (is_negative)
		*small = -*small;
	return true;
}

/* ---------- Writing ---------- */

/* The text of small / 10^scale, somewhere in room; scale must be the least. */
char *
salkpi_ratio_format_small(char *room, int128 small, int scale)
{
	char	   *p = room + RATIO_SMALL_ROOM;
	uint128		rest = small < 0 ? -(uint128) small : (uint128) small;
	int			decimals = 0;

	for (*--p = '\0'; rest != 0 || decimals <= scale; rest /= 10)
	{
		if (decimals++ == scale && scale > 0)
			*--p = '.';
		*--p = '0' + (int) (rest % 10);
	}
	if (small < 0)
		*--p = '-';
	return p;
}
