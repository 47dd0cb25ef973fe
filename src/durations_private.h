/*
 * durations_private.h
 *	  What the files of kpi_durations share: the layout of its two forms.
 *
 * Both are datums of the same type; durations.c says when which is used.
 */
#ifndef SALKPI_DURATIONS_PRIVATE_H
#define SALKPI_DURATIONS_PRIVATE_H

#include "datatype/timestamp.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "salkpi.h"

#define DURATIONS_VERSION	1	/* of text and binary output */
#define DURATIONS_LAYOUT	3	/* of what follows */
#define DURATIONS_CANONICAL	0
#define DURATIONS_OPEN		1

/* How the numbers of a canonical form are kept. */
#define DURATIONS_SECONDS	1	/* values are seconds, not microseconds */
#define DURATIONS_COUNTED	2	/* some occur more than once: all are counted */

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
	uint8		numbers;		/* DURATIONS_SECONDS and the like */
	unsigned char steps[FLEXIBLE_ARRAY_MEMBER]; /* see StepReader */
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

/* durations.c: errors */
extern void salkpi_durations_too_large(void);
extern void salkpi_durations_too_many(void);
extern void salkpi_durations_damaged(void);

#define compare_int64(a, b)	(((a) > (b)) - ((a) < (b)))

/*
 * A canonical form being read.  Its numbers have seven bits a byte, the lowest
 * first, and all but the last byte of each have the eighth bit set: how many
 * steps there are and, if counted, durations; of each step by how much its value
 * is above the one before (the first: above zero, see zigzag) and, if counted,
 * how many durations have it.
 */
typedef struct StepReader
{
	const unsigned char *next;	/* what has still to be read */
	const unsigned char *end;	/* of that */
	bool		in_seconds;
	bool		is_counted;
	int64		total;			/* durations */
	Size		count;			/* steps */
	Size		nread;			/* of them */
	Step		step;			/* the last one read */
	int64		times;			/* how many durations it is */
} StepReader;

/* Steps being made a canonical form: first measured, then written. */
typedef struct StepWriter
{
	bool		in_seconds;		/* are all values whole seconds? */
	unsigned char *next;		/* NULL: they are measured */
	bool		is_counted;		/* when they are written */
	Size		count;			/* steps so far */
	Step		last;			/* of them */
	Size		values_size;	/* bytes of all values */
	Size		counts_size;	/* and of all counts, were they written */
} StepWriter;

/* A number whose sign is its lowest bit, so that small ones are short. */
static inline uint64
zigzag(int64 number)
{
	return (uint64) number << 1 ^ (uint64) (number >> 63);
}

static inline int64
unzigzag(uint64 bits)
{
	return (int64) (bits >> 1 ^ -(bits & 1));
}

static inline Size
number_size(uint64 number)
{
	return pg_leftmost_one_pos64(number | 1) / 7 + 1;
}

static inline unsigned char *
put_number(unsigned char *at, uint64 number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (unsigned char) number | 0x80;
	*at++ = (unsigned char) number;
	return at;
}

static inline uint64
get_number(StepReader *r)
{
	uint64		number = 0;

	for (int shift = 0; likely(r->next < r->end && shift < 64); shift += 7)
	{
		unsigned char byte = *r->next++;

		number |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	salkpi_durations_damaged();
	return 0;					/* not reached */
}

static inline StepReader
read_steps(const Durations *d)
{
	StepReader	r = {
		.next = d->steps,.end = (const unsigned char *) d + VARSIZE(d),
			.in_seconds = (d->numbers & DURATIONS_SECONDS) != 0,
			.is_counted = (d->numbers & DURATIONS_COUNTED) != 0
	};

	r.count = get_number(&r);
	r.total = r.is_counted ? get_number(&r) : r.count;
	return r;
}

/* Read the next step; false when there is none. */
static inline bool
next_step(StepReader *r)
{
	uint64		above;

	if (r->nread == r->count)
		return false;
	above = get_number(r);
	if (r->nread++ == 0)
		above = (uint64) unzigzag(above);
	r->step.value = (int64) ((uint64) r->step.value + (r->in_seconds ? above * USECS_PER_SEC : above));
	r->times = r->is_counted ? (int64) get_number(r) : 1;
	r->step.upto += r->times;
	return true;
}

/* Measure or write the next step. */
static inline void
put_step(StepWriter *w, int64 value, int64 upto)
{
	uint64		above = (uint64) value - (uint64) w->last.value;
	int64		times = upto - w->last.upto;

	if (w->count++ == 0)
		above = zigzag(w->in_seconds ? value / USECS_PER_SEC : value);
	else if (w->in_seconds)
		above /= USECS_PER_SEC;
	w->last = (Step) {value, upto};
	if (w->next == NULL)
	{
		w->values_size += number_size(above);
		w->counts_size += number_size(times);
		return;
	}
	w->next = put_number(w->next, above);
	if (w->is_counted)
		w->next = put_number(w->next, times);
}

static inline Size
open_capacity(const OpenDurations *state)
{
	return (VARSIZE(state) - offsetof(OpenDurations, tallies)) /
		(state->is_narrow ? sizeof(uint32) : sizeof(Tally));
}

/* durations.c: an error unless well-formed, and the canonical form of steps */
extern void salkpi_durations_check(const struct varlena *v);
extern Durations *salkpi_durations_of_steps(const Step *steps, Size n);

/* durations_state.c: the canonical form of a state */
extern Durations *salkpi_durations_close(const OpenDurations *state);

#endif							/* SALKPI_DURATIONS_PRIVATE_H */
