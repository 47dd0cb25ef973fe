/*
 * cells_events.c
 *	  Reading a cube: entities counted by member and period, durations by
 *	  member and atom.
 *
 * A distinct count of a period is the number of entities with an atom in it.
 * Going through the atoms of an entity in order, an atom counts in the periods
 * that it lies in and that the atom before it does not.  So entities are gone
 * through once, in any order: where all visits of one have the same member,
 * which is nearly everywhere, its periods are those of the total; elsewhere
 * its members and atoms are sorted.  First events are counted alike: the
 * earliest one of each member.
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

/* When an entity occurs with a member. */
typedef struct MemberVisit
{
	uint32		member;
	uint32		when;			/* as in Visit */
} MemberVisit;

/* One distinct count, or the first events, being read. */
typedef struct Counting
{
	uint32		natoms;			/* of the cube */
	int			ndimensions;
	MemberColumn *columns;		/* members of codes */
	const PeriodLists *lists;	/* in what is counted */
	Counts	   *counts;			/* for each dimension */
	Counts	   *flagged;		/* first events: those that are flagged */
	const Visit *visits;		/* those of the entity, in order */
	uint32		nvisits;		/* how many */
	uint32	   *periods;		/* in which the entity occurs */
	uint32		nperiods;		/* how many */
	MemberVisit *items;			/* of the entity in one dimension */
	Size		nitems;			/* allocated */
} Counting;

static inline int
compare_items(const MemberVisit *a, const MemberVisit *b)
{
	if (a->member != b->member)
		return a->member < b->member ? -1 : 1;
	return (a->when > b->when) - (a->when < b->when);
}

#define ST_SORT sort_items
#define ST_ELEMENT_TYPE MemberVisit
#define ST_COMPARE(a, b) compare_items(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

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
			counts[d].dense = palloc_extended((size + 1) * sizeof(uint32),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		else
			salkpi_tuples_init(&counts[d].sparse, CurrentMemoryContext, 2);
	}
	return counts;
}

static inline void
count_one(Counts *counts, uint32 member, uint32 period, uint32 addend)
{
	uint32		key[2] = {member, period};
	uint32		number;

	if (counts->dense != NULL)
	{
		counts->dense[(Size) member * counts->nperiods + period] += addend;
		return;
	}
	number = salkpi_tuple_put(&counts->sparse, key, 2);
	counts->values = salkpi_grow(counts->sparse.index.context, counts->values,
								 &counts->nvalues, (Size) number + 1,
								 sizeof(uint32));
	counts->values[number] += addend;
}

/* The periods in which the entity occurs, whatever its members. */
static void
list_periods(Counting *c)
{
	int64		before = -1;
	uint32		v;
	Size		i;

	c->nperiods = 0;
	for (v = 0; v < c->nvisits; v++)
	{
		uint32		atom = c->visits[v].when;

		for (i = c->lists->start[atom]; i < c->lists->start[atom + 1]; i++)
			if (before < c->lists->periods[c->lists->list[i]].first)
				c->periods[c->nperiods++] = c->lists->list[i];
		before = atom;
	}
}

/* Has the entity several members in a dimension? */
static inline bool
is_mixed(const Counting *c, int d)
{
	const MemberColumn *column = &c->columns[d];
	const Visit *visits = c->visits;
	uint32		first = salkpi_member_of(column, visits[0].code);
	uint32		v;

	for (v = 1; v < c->nvisits; v++)
		if (visits[v].code != visits[v - 1].code &&
			salkpi_member_of(column, visits[v].code) != first)
			return true;
	return false;
}

/* Sort the members of the entity in a dimension; by time for each. */
static void
sort_members(Counting *c, int d)
{
	uint32		v;

	c->items = salkpi_reserve(CurrentMemoryContext, c->items, &c->nitems,
							  c->nvisits, sizeof(MemberVisit));
	for (v = 0; v < c->nvisits; v++)
		c->items[v] = (MemberVisit) {
			salkpi_member_of(&c->columns[d], c->visits[v].code), c->visits[v].when
		};
	sort_items(c->items, c->nvisits);
}

/* Count the entity in a dimension in which its members vary. */
static void
count_mixed(Counting *c, int d)
{
	uint32		n;
	Size		i;

	sort_members(c, d);
	for (n = 0; n < c->nvisits; n++)
	{
		const MemberVisit *item = &c->items[n];
		int64		before = n > 0 && item[-1].member == item->member ?
			(int64) item[-1].when : -1;

		for (i = c->lists->start[item->when];
			 i < c->lists->start[item->when + 1]; i++)
			if (before < c->lists->periods[c->lists->list[i]].first)
				count_one(&c->counts[d], item->member, c->lists->list[i], 1);
	}
}

/* Count an entity wherever it occurs. */
static void
count_entity(Counting *c)
{
	uint32		i;
	int			d;

	list_periods(c);
	for (d = 0; d < c->ndimensions; d++)
	{
		uint32		member = salkpi_member_of(&c->columns[d], c->visits[0].code);

		if (is_mixed(c, d))
			count_mixed(c, d);
		else
			for (i = 0; i < c->nperiods; i++)
				count_one(&c->counts[d], member, c->periods[i], 1);
	}
}

/* Count one first event, if it lies inside of the bounds. */
static inline void
count_first(Counting *c, int d, uint32 member, FirstEvent event)
{
	uint32		atom = event / 2 - 1;
	Size		i;

	if (event / 2 == 0 || atom >= c->natoms)
		return;
	for (i = c->lists->start[atom]; i < c->lists->start[atom + 1]; i++)
	{
		count_one(&c->counts[d], member, c->lists->list[i], 1);
		if ((event & 1) != 0)
			count_one(&c->flagged[d], member, c->lists->list[i], 1);
	}
}

/* Count the first events of an entity: of those of a member the earliest. */
static void
count_firsts(Counting *c)
{
	FirstEvent	first = c->visits[0].when;
	uint32		v;
	int			d;

	for (v = 1; v < c->nvisits; v++)
		first = salkpi_earlier_event(first, c->visits[v].when);
	for (d = 0; d < c->ndimensions; d++)
	{
		FirstEvent	event = first;

		if (!is_mixed(c, d))
		{
			count_first(c, d, salkpi_member_of(&c->columns[d], c->visits[0].code), first);
			continue;
		}
		sort_members(c, d);
		for (v = 0; v < c->nvisits; v++)
		{
			const MemberVisit *item = &c->items[v];

			event = v > 0 && item[-1].member == item->member ?
				salkpi_earlier_event(event, item->when) : item->when;
			if (v + 1 == c->nvisits || item[1].member != item->member)
				count_first(c, d, item->member, event);
		}
	}
}

/* Go through the entities of e1, e2 or f1. */
static void
count_visits(const Cube *cube, const CubeOrder *order, int e,
			 const PeriodLists *lists, Counts **counts, Counts **flagged)
{
	const Visits *visits = &cube->events.visits[e];
	Counting	c = {.natoms = cube->natoms,.lists = lists};
	uint32		i;

	Assert(visits->is_settled);
	c.ndimensions = cube->grid.shape.ndimensions;
	c.columns = salkpi_member_columns(cube);
	c.counts = start_counts(cube, order, lists->nperiods, visits->count);
	if (flagged != NULL)
		c.flagged = start_counts(cube, order, lists->nperiods, visits->count);
	c.periods = palloc(((Size) lists->nperiods + 1) * sizeof(uint32));
	for (i = 0; i < visits->count; i += c.nvisits)
	{
		CHECK_FOR_INTERRUPTS();
		c.visits = &visits->visits[i];
		for (c.nvisits = 1; i + c.nvisits < visits->count &&
			 c.visits[c.nvisits].entity == c.visits[0].entity; c.nvisits++)
			;
		if (visits->by_atom)
			count_entity(&c);
		else
			count_firsts(&c);
	}
	*counts = c.counts;
	if (flagged != NULL)
		*flagged = c.flagged;
}

void
salkpi_count_entities(const Cube *cube, const CubeOrder *order,
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

static Duration *
copy_place(const Durations *durations)
{
	return palloc_extended(((Size) durations->count + 1) * sizeof(Duration),
						   MCXT_ALLOC_HUGE);
}

/* From how many there are of each to where they start. */
static void
add_up(uint32 *start, uint32 bound)
{
	uint32		i;

	for (i = 0; i < bound; i++)
		start[i + 1] += start[i];
	CHECK_FOR_INTERRUPTS();
}

/* All durations by atom, palloc'd. */
Duration *
salkpi_durations_by_atom(const Cube *cube)
{
	const Durations *durations = &cube->events.durations;
	Duration   *sorted = copy_place(durations);
	uint32	   *start = palloc_extended(((Size) cube->natoms + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		i;

	for (i = 0; i < durations->count; i++)
		start[durations->items[i].atom + 1]++;
	add_up(start, cube->natoms);
	for (i = 0; i < durations->count; i++)
		sorted[start[durations->items[i].atom]++] = durations->items[i];
	pfree(start);
	return sorted;
}

/*
 * Those by the rank of their member in a dimension, which takes the place of
 * the code; still by atom for each member; palloc'd.
 */
Duration *
salkpi_durations_by_member(const Cube *cube, const CubeOrder *order, int d,
						   const MemberColumn *column, const Duration *by_atom)
{
	const uint32 *rank = order->member_rank[d];
	uint32		count = cube->events.durations.count;
	Duration   *sorted = copy_place(&cube->events.durations);
	uint32	   *start = palloc_extended(((Size) order->nmembers[d] + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		i;

	for (i = 0; i < count; i++)
		start[rank[salkpi_member_of(column, by_atom[i].code)] + 1]++;
	add_up(start, order->nmembers[d]);
	for (i = 0; i < count; i++)
	{
		uint32		member = rank[salkpi_member_of(column, by_atom[i].code)];
		Duration   *item = &sorted[start[member]++];

		*item = by_atom[i];
		item->code = member;
	}
	pfree(start);
	return sorted;
}
