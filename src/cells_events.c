/*
 * cells_events.c
 *	  Reading a cube: entities counted by member and period, durations by
 *	  member.
 *
 * A distinct count of a period is the number of entities with an atom in it.
 * The visits of an entity come one after the other; so for each member and
 * period it is enough to know which entity was counted last.  First events are
 * counted alike: the earliest one of each member.  And so are the entities of
 * nested periods, once in the shortest one that their first visit is in.
 *
 * Counts are an array of members and periods, as long as that is not much
 * larger than what is counted, or else a table of those that are not zero.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "cells_events.h"

/* Counts of an array that is small, and so always taken. */
#define FEW_COUNTS		65536

/* The earliest event of an entity with a member. */
typedef struct MemberFirst
{
	uint32		entity;			/* + 1, of which there is one */
	FirstEvent	event;
} MemberFirst;

/* One distinct count, or the first events, being read. */
typedef struct Counting
{
	uint32		natoms;			/* of the cube */
	int			ndimensions;
	MemberColumn *columns;		/* members of codes */
	const PeriodLists *lists;	/* in what is counted */
	Counts	   *counts;			/* for each dimension */
	Counts	   *flagged;		/* first events: those that are flagged */
	MemberFirst **firsts;		/* for each dimension, for each member */
	uint32	   *members;		/* those of an entity */
	Size		nmembers;		/* allocated */
} Counting;

/* Where the members of each dimension are, palloc'd. */
MemberColumn *
salkpi_member_columns(const Cube *cube)
{
	int			ndimensions = cube->grid.shape.ndimensions;
	MemberColumn *columns = palloc(ndimensions * sizeof(MemberColumn));
	int			d;

	for (d = 0; d < ndimensions; d++)
		columns[d] = salkpi_member_column(&cube->events.codes,
										  cube->dimensions[d].spec,
										  &cube->dimensions[d].members);
	return columns;
}

static Counts *
start_counts(const Cube *cube, const CubeOrder *order, uint32 nperiods,
			 Size nevents)
{
	int			ndimensions = cube->grid.shape.ndimensions;
	Counts	   *counts = palloc0(ndimensions * sizeof(Counts));
	int			d;

	for (d = 0; d < ndimensions; d++)
	{
		Size		size = (Size) order->nmembers[d] * nperiods;

		counts[d].nperiods = nperiods;
		if (size <= Max(nevents * 4, FEW_COUNTS))
			counts[d].dense = palloc_extended((size + 1) * sizeof(Count),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		else
			salkpi_tuples_init(&counts[d].sparse, CurrentMemoryContext, 2);
	}
	return counts;
}

static pg_noinline Count *
find_sparse(Counts *counts, uint32 member, uint32 period)
{
	uint32		key[2] = {member, period};
	uint32		number = salkpi_tuple_put(&counts->sparse, key, 2);

	counts->values = salkpi_grow(counts->sparse.index.context, counts->values,
								 &counts->nvalues, (Size) number + 1, sizeof(Count));
	return &counts->values[number];
}

/* Count an entity with a member in a period, once. */
static inline void
count_one(Counts *counts, uint32 member, uint32 period, uint32 entity)
{
	Count	   *count = likely(counts->dense != NULL) ?
		&counts->dense[(Size) member * counts->nperiods + period] :
		find_sparse(counts, member, period);

	count->count += count->last != entity + 1;
	count->last = entity + 1;
}

/* Count a visit wherever it counts. */
static inline void
count_visit(Counting *c, const Visit *visit)
{
	const PeriodLists *lists = c->lists;
	Size		i;
	int			d;

	for (d = 0; d < c->ndimensions; d++)
	{
		uint32		member = salkpi_member_of(&c->columns[d], visit->code);

		for (i = lists->start[visit->when]; i < lists->start[visit->when + 1]; i++)
			count_one(&c->counts[d], member, lists->list[i], visit->entity);
	}
}

/* Count one first event, if it lies inside of the bounds. */
static inline void
count_first(Counting *c, int d, uint32 member, const MemberFirst *first)
{
	uint32		atom = first->event / 2 - 1;
	Size		i;

	if (first->event / 2 == 0 || atom >= c->natoms)
		return;
	for (i = c->lists->start[atom]; i < c->lists->start[atom + 1]; i++)
	{
		count_one(&c->counts[d], member, c->lists->list[i], first->entity - 1);
		if (c->flagged != NULL && (first->event & 1) != 0)
			count_one(&c->flagged[d], member, c->lists->list[i], first->entity - 1);
	}
}

/* A visit as an event; one before nested periods is none. */
static inline FirstEvent
event_of(const Counting *c, const Visit *visit, bool by_atom)
{
	if (!by_atom)
		return visit->when;
	return visit->when < c->lists->first ? 0 : (visit->when + 1) * 2;
}

/* Count the first events of an entity: of those of a member the earliest. */
static void
count_firsts(Counting *c, const Visit *visits, uint32 nvisits, bool by_atom)
{
	uint32		nmembers;
	uint32		v;
	int			d;

	c->members = salkpi_reserve(CurrentMemoryContext, c->members, &c->nmembers,
								nvisits, sizeof(uint32));
	for (d = 0; d < c->ndimensions; d++)
	{
		nmembers = 0;
		for (v = 0; v < nvisits; v++)
		{
			uint32		member = salkpi_member_of(&c->columns[d], visits[v].code);
			MemberFirst *first = &c->firsts[d][member];
			FirstEvent	event = event_of(c, &visits[v], by_atom);

			if (by_atom && event == 0)
				continue;
			if (first->entity == visits[v].entity + 1)
				first->event = salkpi_earlier_event(first->event, event);
			else
			{
				*first = (MemberFirst) {visits[v].entity + 1, event};
				c->members[nmembers++] = member;
			}
		}
		for (v = 0; v < nmembers; v++)
			count_first(c, d, c->members[v], &c->firsts[d][c->members[v]]);
	}
}

/* Go through the entities of f1, or those of nested periods. */
static void
count_all_firsts(Counting *c, const CubeOrder *order, const Visits *visits)
{
	uint32		n;
	uint32		i;
	int			d;

	c->firsts = palloc(c->ndimensions * sizeof(MemberFirst *));
	for (d = 0; d < c->ndimensions; d++)
		c->firsts[d] = palloc_extended(((Size) order->nmembers[d] + 1) * sizeof(MemberFirst),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (i = 0; i < visits->count; i += n)
	{
		CHECK_FOR_INTERRUPTS();
		for (n = 1; i + n < visits->count &&
			 visits->visits[i + n].entity == visits->visits[i].entity; n++)
			;
		count_firsts(c, &visits->visits[i], n, visits->by_atom);
	}
}

/* Go through the entities of e1, e2 or f1. */
static void
count_visits(Cube *cube, const CubeOrder *order, int e,
			 const PeriodLists *lists, Counts **counts, Counts **flagged)
{
	Visits	   *visits = &cube->events.visits[e];
	Counting	c = {.natoms = cube->natoms,.lists = lists};
	uint32		i;

	salkpi_visits_group(visits);
	c.ndimensions = cube->grid.shape.ndimensions;
	c.columns = salkpi_member_columns(cube);
	*counts = c.counts = start_counts(cube, order, lists->nperiods, visits->count);
	if (!visits->by_atom)
		*flagged = c.flagged = start_counts(cube, order, lists->nperiods, visits->count);
	if (!visits->by_atom || lists->is_nested)
		count_all_firsts(&c, order, visits);
	else
		for (i = 0; i < visits->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			count_visit(&c, &visits->visits[i]);
		}
}

void
salkpi_count_entities(Cube *cube, const CubeOrder *order,
					  const PeriodLists *lists, const bool *is_unwanted,
					  Counts *counts[COUNT_KINDS])
{
	const Shape *shape = &cube->grid.shape;
	int			e;

	memset(counts, 0, COUNT_KINDS * sizeof(Counts *));
	for (e = 0; e < shape->ndistincts; e++)
		if (!is_unwanted[COUNT_DISTINCTS + e])
			count_visits(cube, order, e, lists, &counts[COUNT_DISTINCTS + e], NULL);
	if (shape->nfirsts > 0 && !is_unwanted[COUNT_FIRSTS])
		count_visits(cube, order, CUBE_FIRST, lists, &counts[COUNT_FIRSTS],
					 &counts[COUNT_FLAGGED]);
}

#define ST_SORT sort_by_value
#define ST_ELEMENT_TYPE Duration
#define ST_COMPARE(a, b) (((a)->value > (b)->value) - ((a)->value < (b)->value))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* All durations, the shortest first, palloc'd. */
Duration *
salkpi_durations_by_value(const Cube *cube)
{
	const Durations *durations = &cube->events.durations;
	Duration   *sorted = palloc_extended(((Size) durations->count + 1) * sizeof(Duration),
										 MCXT_ALLOC_HUGE);
	uint32		i;

	for (i = 0; i < durations->count; i++)
		sorted[i] = durations->items[i];
	sort_by_value(sorted, durations->count);
	return sorted;
}

/*
 * The same by the rank of their member in a dimension, and of each member the
 * shortest first; palloc'd.
 */
MemberDuration *
salkpi_durations_by_member(const Cube *cube, const CubeOrder *order, int d,
						   const MemberColumn *column, const Duration *by_value)
{
	uint32		count = cube->events.durations.count;
	MemberDuration *sorted = palloc_extended(((Size) count + 1) * sizeof(MemberDuration),
											 MCXT_ALLOC_HUGE);
	uint32	   *members = palloc_extended(((Size) count + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32	   *start = palloc_extended(((Size) order->nmembers[d] + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		i;

	for (i = 0; i < count; i++)
	{
		members[i] = order->member_rank[d][salkpi_member_of(column, by_value[i].code)];
		start[members[i] + 1]++;
	}
	for (i = 0; i < order->nmembers[d]; i++)
		start[i + 1] += start[i];
	CHECK_FOR_INTERRUPTS();
	for (i = 0; i < count; i++)
		sorted[start[members[i]]++] = (MemberDuration) {by_value[i].value, by_value[i].atom, members[i]};
	pfree(start);
	pfree(members);
	return sorted;
}
