/*
 * durations_private.h
 *	  What the files of kpi_durations share: the layout of its two forms.
 *
 * Both are datums of the same type; durations.c says when which is used.
 */
#ifndef SALKPI_DURATIONS_PRIVATE_H
#define SALKPI_DURATIONS_PRIVATE_H

#include "utils/memutils.h"

#include "salkpi.h"

#define DURATIONS_VERSION	1
#define DURATIONS_CANONICAL	0
#define DURATIONS_OPEN		1

/* How many steps a loop takes between two looks at interrupts; 2^n - 1. */
#define INTERRUPT_MASK		0xFFFF

typedef struct Step
{
	int64		value;			/* microseconds */
	int64		upto;			/* number of durations <= value */
} Step;

typedef struct Durations
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint16		version;		/* DURATIONS_VERSION */
	uint16		form;			/* DURATIONS_CANONICAL */
	Step		steps[FLEXIBLE_ARRAY_MEMBER];	/* both fields ascending */
} Durations;

typedef struct Tally
{
	int64		value;			/* microseconds */
	int64		count;			/* number of durations, > 0 */
} Tally;

typedef struct OpenDurations
{
	int32		vl_len_;		/* varlena header, including room to spare */
	uint16		version;		/* DURATIONS_VERSION */
	uint16		form;			/* DURATIONS_OPEN */
	int64		used;			/* tallies in use; zeros follow them */
	Tally		tallies[FLEXIBLE_ARRAY_MEMBER]; /* in any order */
} OpenDurations;

/* How many different durations fit in a datum, in either form. */
#define DURATIONS_MAX \
	((MaxAllocSize - offsetof(OpenDurations, tallies)) / sizeof(Tally))

#define compare_int64(a, b)	(((a) > (b)) - ((a) < (b)))

static inline Size
step_count(const Durations *d)
{
	return (VARSIZE(d) - offsetof(Durations, steps)) / sizeof(Step);
}

static inline Size
open_capacity(const OpenDurations *state)
{
	return (VARSIZE(state) - offsetof(OpenDurations, tallies)) / sizeof(Tally);
}

/* durations.c: errors, an error unless well-formed, and room for n steps */
extern void salkpi_durations_too_large(void);
extern void salkpi_durations_too_many(void);
extern void salkpi_durations_check(const struct varlena *v);
extern Durations *salkpi_durations_create(Size n);

/* durations_state.c: the canonical form of a state */
extern Durations *salkpi_durations_close(const OpenDurations *state);

#endif							/* SALKPI_DURATIONS_PRIVATE_H */
