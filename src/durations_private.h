/*
 * durations_private.h
 *	  What the files of kpi_durations share: the layout of its two forms.
 *
 * Both are datums of the same type; durations.c says when which is used.
 */
#ifndef SALKPI_DURATIONS_PRIVATE_H
#define SALKPI_DURATIONS_PRIVATE_H

#include "datatype/timestamp.h"
#include "utils/memutils.h"

#include "salkpi.h"

#define DURATIONS_VERSION	1	/* of text and binary output */
#define DURATIONS_LAYOUT	2	/* of what follows */
#define DURATIONS_CANONICAL	0
#define DURATIONS_OPEN		1

/* How the numbers of a canonical form are kept: see salkpi_durations_create(). */
#define DURATIONS_NARROW	1	/* values have four bytes, not eight */
#define DURATIONS_SECONDS	2	/* they are seconds, not microseconds */
#define DURATIONS_COUNTED	4	/* they are counted, in four bytes */
#define DURATIONS_MANY		8	/* no, in eight */

typedef struct Step
{
	int64		value;			/* microseconds */
	int64		upto;			/* number of durations <= value */
} Step;

typedef struct Durations
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint16		layout;			/* DURATIONS_LAYOUT */
	uint8		form;			/* DURATIONS_CANONICAL */
	uint8		numbers;		/* DURATIONS_NARROW and the like */
	char		steps[FLEXIBLE_ARRAY_MEMBER];	/* all values, ascending; all
												 * uptos, if counted */
} Durations;

typedef struct Tally
{
	int64		value;			/* microseconds */
	int64		count;			/* number of durations, > 0 */
} Tally;

typedef struct OpenDurations
{
	int32		vl_len_;		/* varlena header, including room to spare */
	uint16		layout;			/* DURATIONS_LAYOUT */
	uint8		form;			/* DURATIONS_OPEN */
	bool		is_narrow;		/* does it have seconds, not tallies? */
	int64		used;			/* tallies in use; zeros follow them */
	Tally		tallies[FLEXIBLE_ARRAY_MEMBER]; /* in any order; if narrow, a
												 * uint32 each, of one duration */
} OpenDurations;

/* How many different durations fit in a datum, in either form. */
#define DURATIONS_MAX \
	((MaxAllocSize - offsetof(OpenDurations, tallies)) / sizeof(Tally))

#define compare_int64(a, b)	(((a) > (b)) - ((a) < (b)))

/* A canonical form being read or written. */
typedef struct Steps
{
	Size		count;
	char	   *values;
	char	   *uptos;			/* NULL: each once */
	bool		is_narrow;		/* have values four bytes? */
	bool		is_many;		/* have uptos eight? */
	int64		unit;			/* microseconds of a value */
} Steps;

static inline Size
value_size(const Durations *d)
{
	return d->numbers & DURATIONS_NARROW ? sizeof(uint32) : sizeof(int64);
}

static inline Size
upto_size(const Durations *d)
{
	return d->numbers & DURATIONS_MANY ? sizeof(int64) :
		d->numbers & DURATIONS_COUNTED ? sizeof(uint32) : 0;
}

static inline Steps
steps_of(const Durations *d)
{
	Steps		s;

	s.count = (VARSIZE(d) - offsetof(Durations, steps)) / (value_size(d) + upto_size(d));
	s.values = (char *) d->steps;
	s.uptos = upto_size(d) == 0 ? NULL : s.values + s.count * value_size(d);
	s.is_narrow = (d->numbers & DURATIONS_NARROW) != 0;
	s.is_many = (d->numbers & DURATIONS_MANY) != 0;
	s.unit = d->numbers & DURATIONS_SECONDS ? USECS_PER_SEC : 1;
	return s;
}

static inline int64
step_value(const Steps *s, Size i)
{
	return s->unit * (s->is_narrow ? ((const uint32 *) s->values)[i] : ((const int64 *) s->values)[i]);
}

static inline int64
step_upto(const Steps *s, Size i)
{
	if (s->uptos == NULL)
		return i + 1;
	return s->is_many ? ((const int64 *) s->uptos)[i] : ((const uint32 *) s->uptos)[i];
}

static inline void
set_step(Steps *s, Size i, int64 value, int64 upto)
{
	value /= s->unit;
	if (s->is_narrow)
		((uint32 *) s->values)[i] = value;
	else
		((int64 *) s->values)[i] = value;
	if (s->is_many)
		((int64 *) s->uptos)[i] = upto;
	else if (s->uptos != NULL)
		((uint32 *) s->uptos)[i] = upto;
}

/* What decides how the numbers of a canonical form are kept. */
typedef struct StepsShape
{
	Size		count;			/* different durations */
	int64		total;			/* durations */
	int64		least;
	int64		greatest;
	bool		in_seconds;		/* are all whole seconds? */
} StepsShape;

static inline Size
open_capacity(const OpenDurations *state)
{
	return (VARSIZE(state) - offsetof(OpenDurations, tallies)) /
		(state->is_narrow ? sizeof(uint32) : sizeof(Tally));
}

/* durations.c: errors, an error unless well-formed, and the canonical form of steps */
extern void salkpi_durations_too_large(void);
extern void salkpi_durations_too_many(void);
extern void salkpi_durations_check(const struct varlena *v);
extern Durations *salkpi_durations_create(const StepsShape *shape, Steps *steps);
extern Durations *salkpi_durations_of_steps(const Step *steps, Size n);

/* durations_state.c: the canonical form of a state */
extern Durations *salkpi_durations_close(const OpenDurations *state);

#endif							/* SALKPI_DURATIONS_PRIVATE_H */
