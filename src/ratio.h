/*
 * ratio.h
 *	  What the files of kpi_ratio share: the layout of the type, its text.
 */
#ifndef SALKPI_RATIO_H
#define SALKPI_RATIO_H

#include "common/int.h"

#include "numbers.h"
#include "salkpi.h"

#define RATIO_VERSION	1

/* The sums of a ratio, in the order of its text. */
typedef enum RatioSum
{
	RATIO_NUMERATOR,
	RATIO_DENOMINATOR,
	RATIO_MISSING				/* denominators whose numerators are unknown */
} RatioSum;

#define RATIO_SUMS		3

/* Decimals that the integer of a sum keeps: all of 1/3000.0, say. */
#define RATIO_MAX_SCALE	24

/* Set in the scale of a sum that has a numeric too. */
#define RATIO_HAS_BIG	0x80

/*
 * A sum is small / 10^scale, plus its numeric if it has one.  64 bytes: the
 * allocator rounds to powers of two, and there may be a state per group.
 */
typedef struct Ratio
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;		/* RATIO_VERSION */
	uint8		scale[RATIO_SUMS];	/* decimals, and RATIO_HAS_BIG */
	int64		rows;			/* rows that numerator and denominator have */
	int128		small[RATIO_SUMS];	/* fixed-point parts */
	char		big[FLEXIBLE_ARRAY_MEMBER]; /* numerics, each int-aligned */
} Ratio;

/* The same taken apart, for what takes more than an addition in place. */
typedef struct RatioParts
{
	int64		rows;			/* as above */
	int			scale[RATIO_SUMS];	/* decimals alone */
	ExactSum	sums[RATIO_SUMS];	/* as above */
} RatioParts;

/* A decimal number within a text. */
typedef struct RatioDecimal
{
	const char *text;			/* first character */
	int			length;			/* number of characters */
} RatioDecimal;

/* The text of a ratio taken apart. */
typedef struct RatioText
{
	int64		rows;
	RatioDecimal sums[RATIO_SUMS];	/* of length 0 for a missing part that is 0 */
} RatioText;

/* Room that salkpi_ratio_format_small needs: 39 digits, sign, point, NUL. */
#define RATIO_SMALL_ROOM	48

/* ratio_text.c: needs nothing of a server */
extern const char *salkpi_ratio_fault(const Ratio *ratio);
extern const char *salkpi_ratio_scan(const char *text, size_t length,
									 RatioText *result, const char **at);
extern bool salkpi_ratio_decimal_to_small(const RatioDecimal *decimal,
										  int128 *small, int *scale);
extern char *salkpi_ratio_format_small(char *room, int128 small, int scale);

/* ratio_state.c */
extern Ratio *salkpi_ratio_get(Datum datum);
extern void salkpi_ratio_read(const Ratio *ratio, RatioParts *parts);
extern Ratio *salkpi_ratio_write(const RatioParts *parts);
extern void salkpi_ratio_settle(RatioParts *parts);
extern Ratio *salkpi_ratio_add_slowly(Ratio *state, RatioSum which,
									  Numeric value, bool remove);
extern Ratio *salkpi_ratio_add(Ratio *state, const Ratio *other, bool remove);
extern void salkpi_ratio_too_many_rows(void);

static inline void
salkpi_ratio_count_rows(int64 *rows, int64 by, bool remove)
{
	if (unlikely(remove ? pg_sub_s64_overflow(*rows, by, rows) :
				 pg_add_s64_overflow(*rows, by, rows)))
		salkpi_ratio_too_many_rows();
}

#endif							/* SALKPI_RATIO_H */
