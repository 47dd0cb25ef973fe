/*
 * cells_events.h
 *	  Reading a cube: entities counted by member and period.
 */
#ifndef SALKPI_CELLS_EVENTS_H
#define SALKPI_CELLS_EVENTS_H

#include "cube.h"

/* How many entities occur with a member in a period. */
typedef struct Count
{
	uint32		last;			/* the one counted last, + 1 */
	uint32		count;			/* of them */
} Count;

/* Counts of one kind in one dimension. */
typedef struct Counts
{
	uint32		nperiods;		/* number of periods */
	Count	   *dense;			/* for each member, for each period; or NULL */
	TupleTable	sparse;			/* (member, period) */
	Count	   *values;			/* for each of sparse */
	Size		nvalues;		/* allocated */
} Counts;

/* The kinds of counts. */
enum
{
	COUNT_DISTINCTS,			/* entities of e1, e2 */
	COUNT_FIRSTS = SALKPI_MAX_DISTINCTS,	/* first events */
	COUNT_FLAGGED,				/* of these, the flagged ones */
	COUNT_KINDS
};

/* A duration of a member. */
typedef struct MemberDuration
{
	int64		value;			/* microseconds */
	uint32		atom;			/* when */
	uint32		member;			/* its rank */
} MemberDuration;

/*
 * Which periods an atom lies in; see salkpi_periods_list().  Of nested periods,
 * which begin together, it is the shortest alone: what is in that is in all the
 * longer ones.
 */
typedef struct PeriodLists
{
	uint32		nperiods;		/* number of periods */
	Period	   *periods;		/* those */
	bool		is_nested;		/* are they? */
	int64		first;			/* if so, the atom at which they begin */
	Size	   *start;			/* where an atom's begin in list */
	uint32	   *list;			/* numbers of periods, by atom */
} PeriodLists;

/*
 * counts[kind][dimension]; NULL for a kind that the shape does not have or
 * nobody wants.
 */
extern void salkpi_count_entities(Cube *cube, const CubeOrder *order,
								  const PeriodLists *lists,
								  const bool *is_unwanted,
								  Counts *counts[COUNT_KINDS]);

extern MemberColumn *salkpi_member_columns(const Cube *cube);
extern Duration *salkpi_durations_by_value(const Cube *cube);
extern MemberDuration *salkpi_durations_by_member(const Cube *cube,
												  const CubeOrder *order, int d,
												  const MemberColumn *column,
												  const Duration *by_value);

#endif							/* SALKPI_CELLS_EVENTS_H */
