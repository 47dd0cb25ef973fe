/*
 * durations.h
 *	  The type kpi_durations for other C files: reading, building, merging.
 *
 * A kpi_durations is a multiset of durations in microseconds.  Its canonical
 * form, the only one that the functions below read or return, is the same
 * bytes for the same multiset, so that memcmp compares values.
 *
 * "const struct varlena *" is a datum with its four-byte header, aligned as
 * palloc aligns: what salkpi_durations_get returns.
 */
#ifndef SALKPI_DURATIONS_H
#define SALKPI_DURATIONS_H

#include "fmgr.h"
#include "utils/date.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Accepts every form a datum may have; the result is canonical. */
extern struct varlena *salkpi_durations_get(Datum datum);

extern bool salkpi_durations_equal(const struct varlena *a, const struct varlena *b);

/* The number of durations.  O(1). */
extern int64 salkpi_durations_count(const struct varlena *d);

/* Sets *sum to the sum in microseconds, which always fits.  O(n). */
extern void salkpi_durations_sum(const struct varlena *d, int128 *sum);

/*
 * Sets *value to the duration of that rank, 0 <= rank < count, and *next to that
 * of the next one, or of the last.  O(rank).
 */
extern void salkpi_durations_at(const struct varlena *d, int64 rank,
								int64 *value, int64 *next);

/* Days, rounded once to 16 decimals, half away from zero; NULL if empty. */
extern Numeric salkpi_durations_mean(const struct varlena *d);
extern Numeric salkpi_durations_quantile(const struct varlena *d, Numeric p);

/* The mean of n > 0 durations of that sum; rounded as above. */
extern Numeric salkpi_days_mean(int128 sum, int64 n);

/* Errors: a negative duration, an infinite or too large one. */
extern int64 salkpi_duration_of_days(DateADT opened, DateADT closed);
extern int64 salkpi_duration_of_instants(Timestamp opened, Timestamp closed);

/* The same of the arguments behind a state. */
static inline int64
salkpi_get_days(FunctionCallInfo fcinfo)
{
	return salkpi_duration_of_days(PG_GETARG_DATEADT(1), PG_GETARG_DATEADT(2));
}

static inline int64
salkpi_get_instants(FunctionCallInfo fcinfo)
{
	return salkpi_duration_of_instants(PG_GETARG_TIMESTAMP(1),
									   PG_GETARG_TIMESTAMP(2));
}

/* Values are in order.  The result is in CurrentMemoryContext. */
extern struct varlena *salkpi_durations_build(const int64 *values, Size n);
extern struct varlena *salkpi_durations_merge(const struct varlena *a,
											  const struct varlena *b);

#endif							/* SALKPI_DURATIONS_H */
