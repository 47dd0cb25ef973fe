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
 * The keys of a row in one word: their numbers side by side in as many bits as
 * they need or, where 64 bits are too few, the number of their tuple.
 */
typedef struct KeyCodes
{
	const Shape *shape;			/* of the cube */
	int			nkeys;			/* number of keys in use */
	int			keys[SALKPI_MAX_KEYS];	/* those, 0 for k1 */
	bool		is_packed;		/* side by side? */
	int			bits[SALKPI_MAX_KEYS];	/* of each of them */
	int			shift[SALKPI_MAX_KEYS]; /* bits below it */
	TupleTable	tuples;			/* else: (text number of each of them) */
} KeyCodes;

/* How the member of a dimension follows from a code; see salkpi_member_of(). */
typedef struct MemberColumn
{
	const KeyCodes *codes;
	const Dimension *spec;		/* several keys: those */
	const TupleTable *members;	/* several keys: numbers of their tuples */
	int			shift;			/* packed: where the key is */
	uint64		mask;			/* 0 for the total */
	const uint32 *words;		/* not packed: the key of tuple 0 */
	int			stride;			/* words to the next one */
} MemberColumn;

/* The first event of an entity: (atom + 1) * 2 + flag. */
typedef uint32 FirstEvent;

/* An entity occurred with some keys. */
typedef struct Visit
{
	uint64		code;			/* of the keys */
	uint32		entity;			/* which */
	uint32		when;			/* the atom; of first events a FirstEvent */
} Visit;

/* The visits of a distinct count, or those of first events. */
typedef struct Visits
{
	MemoryContext context;		/* where they live */
	bool		by_atom;		/* one for each atom, or the first one only? */
	bool		is_grouped;		/* by entity? */
	bool		is_settled;		/* and each once? */
	uint32		count;			/* number of visits */
	Visit	   *visits;			/* those */
	Size		capacity;		/* allocated */
} Visits;

/* A duration, in microseconds. */
typedef struct Duration
{
	uint64		code;			/* of the keys */
	int64		value;
	uint32		atom;			/* when */
} Duration;

/* All durations, in order of appearance. */
typedef struct Durations
{
	MemoryContext context;		/* where they live */
	uint32		count;			/* how many */
	Duration   *items;			/* those */
	Size		capacity;		/* allocated */
} Durations;

/* Entities are counted in this many tables: e1, e2, f1. */
#define CUBE_ENTITIES	(SALKPI_MAX_DISTINCTS + 1)
#define CUBE_FIRST		SALKPI_MAX_DISTINCTS

/* All of that. */
typedef struct CubeEvents
{
	KeyCodes	codes;			/* of the keys of what follows */
	Visits		visits[CUBE_ENTITIES];	/* of e1, e2 and f1 */
	Durations	durations;		/* of d1 */
} CubeEvents;

extern void salkpi_events_init(CubeEvents *events, MemoryContext context,
							   const Shape *shape);
extern uint64 salkpi_key_code(CubeEvents *events, const uint32 *keys);
extern void salkpi_number_codes(CubeEvents *events);
extern MemberColumn salkpi_member_column(const KeyCodes *codes,
										 const Dimension *spec,
										 const TupleTable *members);
extern uint32 salkpi_combined_member(const MemberColumn *column, uint64 code);

extern void salkpi_visit_put(Visits *visits, const Visit *visit);
extern void salkpi_visits_group(Visits *visits);
extern void salkpi_visits_settle(Visits *visits);
extern void salkpi_sort_visits(Visit *first, size_t count,
							   const Visits *visits);

extern void salkpi_duration_add(Durations *durations, const Duration *item);

/* cube_events_io.c */
extern void salkpi_put_combinations(FlatWriter *w, const KeyCodes *codes,
									uint32 *const *key_rank,
									const uint32 *order);
extern void salkpi_put_visits(FlatWriter *w, const Visits *visits,
							  const uint32 *entity_order, uint32 nentities,
							  const uint32 *code_rank);
extern void salkpi_put_durations(FlatWriter *w, const Durations *durations,
								 const uint32 *code_rank);
extern const uint64 *salkpi_absorb_combinations(FlatReader *r,
												CubeEvents *events,
												TupleTable *const *members,
												const uint32 *const *keys,
												const uint32 *nkeys,
												uint32 *count);
extern void salkpi_absorb_visits(FlatReader *r, Visits *visits,
								 const uint32 *entities, uint32 nentities,
								 const uint64 *codes, uint32 ncodes,
								 uint64 when_bound);
extern void salkpi_absorb_durations(FlatReader *r, Durations *durations,
									const uint64 *codes, uint32 ncodes,
									uint32 natoms);

/* The member that rows with a code have. */
static inline uint32
salkpi_member_of(const MemberColumn *column, uint64 code)
{
	if (column->members != NULL)
		return salkpi_combined_member(column, code);
	if (column->words != NULL)
		return column->words[code * column->stride];
	return code >> column->shift & column->mask;
}

/* An entity's earlier event, flagged if any is. */
static inline FirstEvent
salkpi_earlier_event(FirstEvent a, FirstEvent b)
{
	return (Min(a, b) & ~1U) | ((a | b) & 1);
}

#endif							/* SALKPI_CUBE_EVENTS_H */
