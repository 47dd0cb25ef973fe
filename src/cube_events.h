/*
 * cube_events.h
 *	  What a cube knows of entities and durations: which occurred when, and
 *	  with which keys.
 */
#ifndef SALKPI_CUBE_EVENTS_H
#define SALKPI_CUBE_EVENTS_H

#include "flat.h"
#include "segment.h"

/*
 * The combinations of keys that occurred, numbered from 0 in order of first
 * appearance.  A combination has a member in each dimension.
 */
typedef struct Combinations
{
	const Shape *shape;			/* of the cube */
	int			nkeys;			/* number of keys in use */
	int			keys[SALKPI_MAX_KEYS];	/* those, 0 for k1 */
	TupleTable	tuples;			/* (text number of each of them) */
	uint32		last;			/* found last */
	int			ncombined;		/* number of dimensions of several keys */
	uint32	   *combined;		/* for each tuple: the members in those */
	Size		capacity;		/* words allocated */
} Combinations;

/* The members of all combinations in one dimension. */
typedef struct MemberColumn
{
	const uint32 *first;		/* that of combination 0 */
	Size		stride;			/* words to the next one */
} MemberColumn;

/* The first event of an entity: (atom + 1) * 2 + flag. */
typedef uint32 FirstEvent;

/* An entity occurred with a combination. */
typedef struct Visit
{
	uint32		entity;			/* which */
	uint32		combination;	/* with which keys */
	uint32		when;			/* the atom; of first events a FirstEvent */
	uint32		before;			/* another visit of the entity + 1; 0 = none */
} Visit;

/* The visits of a distinct count, or those of first events. */
typedef struct Visits
{
	MemoryContext context;		/* where everything lives */
	bool		by_atom;		/* one for each atom, or the first one only? */
	uint32		count;			/* number of visits */
	Visit	   *visits;			/* those */
	Size		capacity;		/* allocated */
	uint32	   *newest;			/* of each entity: its newest visit + 1 */
	Size		nnewest;		/* allocated */
	TableIndex	index;			/* visits of entities that have several */
} Visits;

/* The visits of one entity. */
typedef struct VisitWalk
{
	const Visits *visits;		/* what is walked through */
	const uint32 *rank;			/* order of combinations; NULL: their numbers */
	Visit	   *sorted;			/* copies, the combinations being ranks */
	uint32		count;			/* how many */
	Size		capacity;		/* allocated */
} VisitWalk;

/* A duration, in microseconds. */
typedef struct Duration
{
	uint32		combination;	/* with which keys */
	uint32		atom;			/* when */
	int64		value;
} Duration;

/* All durations, in order of appearance. */
typedef struct Durations
{
	MemoryContext context;		/* where they live */
	uint32		count;			/* how many */
	Duration   *items;			/* those */
	Size		capacity;		/* allocated */
} Durations;

extern void salkpi_combinations_init(Combinations *combinations,
									 MemoryContext context,
									 const Shape *shape);
extern uint32 salkpi_combination_put(Combinations *combinations,
									 const uint32 *keys,
									 const uint32 *members);
extern MemberColumn *salkpi_member_columns(const Combinations *combinations);

extern void salkpi_visits_init(Visits *visits, MemoryContext context,
							   bool by_atom);
extern void salkpi_visit_put(Visits *visits, uint32 entity,
							 uint32 combination, uint32 when);
extern void salkpi_visit_prefetch(const Visits *visits, uint32 entity,
								  uint32 combination, uint32 when);
extern void salkpi_visit_walk(VisitWalk *walk, uint32 entity);

extern void salkpi_duration_add(Durations *durations, uint32 combination,
								uint32 atom, int64 value);

/* cube_events_io.c */
extern void salkpi_put_combinations(FlatWriter *w,
									const Combinations *combinations,
									uint32 *const *key_rank,
									const uint32 *order);
extern void salkpi_put_visits(FlatWriter *w, const Visits *visits,
							  const uint32 *entity_order, uint32 nentities,
							  const uint32 *combination_rank);
extern void salkpi_put_durations(FlatWriter *w, const Durations *durations,
								 const uint32 *combination_rank);
extern const uint32 *salkpi_absorb_combinations(FlatReader *r,
												Combinations *combinations,
												TupleTable *const *members,
												const uint32 *const *keys,
												const uint32 *nkeys,
												uint32 *count);
extern void salkpi_absorb_visits(FlatReader *r, Visits *visits,
								 const uint32 *entities, uint32 nentities,
								 const uint32 *combinations,
								 uint32 ncombinations, uint64 when_bound);
extern void salkpi_absorb_durations(FlatReader *r, Durations *durations,
									const uint32 *combinations,
									uint32 ncombinations, uint32 natoms);

/* The member of a combination. */
static inline uint32
salkpi_member_of(const MemberColumn *column, uint32 combination)
{
	return column->first[combination * column->stride];
}

/* An entity's earlier event, flagged if any is. */
static inline FirstEvent
salkpi_earlier_event(FirstEvent a, FirstEvent b)
{
	return (Min(a, b) & ~1U) | ((a | b) & 1);
}

#endif							/* SALKPI_CUBE_EVENTS_H */
