/*
 * cube_events.c
 *	  What a cube knows of entities and durations: which occurred when, and
 *	  with which keys.
 *
 * A distinct count needs the set of (member, entity, atom) of each dimension.
 * All of them follow from one set, that of the visits (entity, combination of
 * keys, atom), since a combination has one member in each dimension.  So a row
 * looks at one place, whatever the number of dimensions; the lines of a
 * purchase are one visit unless they differ in a key; and memory is bounded by
 * what is distinct.  First events are visits too, without the atom: for each
 * entity and combination the earliest event is kept.  A duration is kept once,
 * with its combination.
 *
 * Neighbouring rows often are the same visit, and many entities have only one
 * (a purchase): the newest visit of an entity is tried first, and only visits
 * of entities that have several are hashed.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "cube_events.h"

/* The member of a dimension without keys. */
static const uint32 total_member = 0;

void
salkpi_combinations_init(Combinations *combinations, MemoryContext context,
						 const Shape *shape)
{
	int			i;

	memset(combinations, 0, sizeof(Combinations));
	combinations->shape = shape;
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			combinations->keys[combinations->nkeys++] = i;
	for (i = 0; i < shape->ndimensions; i++)
		combinations->ncombined += shape->dimensions[i].nkeys > 1;
	salkpi_tuples_init(&combinations->tuples, context, combinations->nkeys);
}

/* Add the members of the combination that was added last. */
static void
add_members(Combinations *c, const uint32 *members)
{
	Size		used = (Size) (c->tuples.index.count - 1) * c->ncombined;
	int			d;

	c->combined = salkpi_reserve(c->tuples.index.context, c->combined,
								 &c->capacity, used + c->ncombined,
								 sizeof(uint32));
	for (d = 0; d < c->shape->ndimensions; d++)
		if (c->shape->dimensions[d].nkeys > 1)
			c->combined[used++] = members[d];
}

/*
 * The number of a combination, which is added if it is new.  Its keys are given
 * by their text numbers, its members for each dimension.
 */
uint32
salkpi_combination_put(Combinations *c, const uint32 *keys,
					   const uint32 *members)
{
	uint32		tuple[SALKPI_MAX_KEYS];
	uint32		count = c->tuples.index.count;
	int			i;

	for (i = 0; i < c->nkeys; i++)
		tuple[i] = keys[c->keys[i]];
	if (count > 0 && memcmp(salkpi_tuple_at(&c->tuples, c->last), tuple,
							c->nkeys * sizeof(uint32)) == 0)
		return c->last;
	c->last = salkpi_tuple_put(&c->tuples, tuple, c->nkeys);
	if (c->last == count)
		add_members(c, members);
	return c->last;
}

/* Where the members of each dimension are, palloc'd. */
MemberColumn *
salkpi_member_columns(const Combinations *c)
{
	const Shape *shape = c->shape;
	MemberColumn *columns = palloc(shape->ndimensions * sizeof(MemberColumn));
	int			combined = 0;
	int			d;
	int			i;

	for (d = 0; d < shape->ndimensions; d++)
	{
		const Dimension *dimension = &shape->dimensions[d];

		columns[d] = (MemberColumn) {&total_member, 0};
		if (dimension->nkeys > 1)
			columns[d] = (MemberColumn) {c->combined + combined++, c->ncombined};
		for (i = 0; i < c->nkeys && dimension->nkeys == 1; i++)
			if (c->keys[i] == dimension->keys[0])
				columns[d] = (MemberColumn) {c->tuples.words + i, c->nkeys};
	}
	return columns;
}

void
salkpi_visits_init(Visits *visits, MemoryContext context, bool by_atom)
{
	memset(visits, 0, sizeof(Visits));
	visits->context = context;
	visits->by_atom = by_atom;
	salkpi_index_init(&visits->index, context);
}

static inline uint32
hash_visit(const Visits *visits, uint32 entity, uint32 combination, uint32 when)
{
	uint64		pair = (uint64) entity << 32 | combination;

	return salkpi_mix(visits->by_atom ? salkpi_mix(pair) ^ when : pair);
}

static inline bool
is_visit(const Visits *visits, uint32 number, uint32 entity,
		 uint32 combination, uint32 when)
{
	const Visit *visit = &visits->visits[number];

	return visit->entity == entity && visit->combination == combination &&
		(visit->when == when || !visits->by_atom);
}

/* Among the visits that are hashed: its number, or SALKPI_NOT_FOUND. */
static uint32
search_visit(const Visits *visits, uint32 entity, uint32 combination,
			 uint32 when)
{
	uint32		hash = hash_visit(visits, entity, combination, when);
	uint32		mask = visits->index.mask;
	uint32		i;

	for (i = hash & mask;; i = (i + 1) & mask)
	{
		TableSlot	slot = visits->index.slots[i];

		if (slot.entry == 0)
			return SALKPI_NOT_FOUND;
		if (slot.hash == hash &&
			is_visit(visits, slot.entry - 1, entity, combination, when))
			return slot.entry - 1;
	}
}

static void
index_visit(Visits *visits, uint32 number)
{
	const Visit *visit = &visits->visits[number];

	salkpi_index_add(&visits->index,
					 hash_visit(visits, visit->entity, visit->combination,
								visit->when), number);
}

/* Add a visit that is not there yet. */
static void
add_visit(Visits *visits, uint32 entity, uint32 combination, uint32 when)
{
	uint32		before = visits->newest[entity];

	if (visits->count >= SALKPI_MAX_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("aggregate state has too many members or entities")));
	visits->visits = salkpi_reserve(visits->context, visits->visits,
									&visits->capacity,
									(Size) visits->count + 1, sizeof(Visit));
	visits->visits[visits->count] = (Visit) {entity, combination, when, before};
	visits->newest[entity] = ++visits->count;
	if (before == 0)
		return;
	if (visits->visits[before - 1].before == 0)
		index_visit(visits, before - 1);
	index_visit(visits, visits->count - 1);
}

/* An entity occurs with a combination in an atom, or has such an event. */
void
salkpi_visit_put(Visits *visits, uint32 entity, uint32 combination, uint32 when)
{
	uint32		number;

	visits->newest = salkpi_grow(visits->context, visits->newest,
								 &visits->nnewest, (Size) entity + 1,
								 sizeof(uint32));
	number = visits->newest[entity] - 1;
	if (visits->newest[entity] == 0)
		number = SALKPI_NOT_FOUND;
	else if (!is_visit(visits, number, entity, combination, when))
		number = visits->visits[number].before == 0 ? SALKPI_NOT_FOUND :
			search_visit(visits, entity, combination, when);
	if (number == SALKPI_NOT_FOUND)
		add_visit(visits, entity, combination, when);
	else if (!visits->by_atom)
		visits->visits[number].when =
			salkpi_earlier_event(visits->visits[number].when, when);
}

/* Start to fetch what that will look at. */
void
salkpi_visit_prefetch(const Visits *visits, uint32 entity, uint32 combination,
					  uint32 when)
{
	uint32		hash = hash_visit(visits, entity, combination, when);

	__builtin_prefetch(&visits->index.slots[hash & visits->index.mask]);
	if (entity < visits->nnewest && visits->newest[entity] != 0)
		__builtin_prefetch(&visits->visits[visits->newest[entity] - 1]);
}

/* By time, then combination; first events by combination. */
static inline int
compare_visits(const Visit *a, const Visit *b, const Visits *visits)
{
	if (a->when != b->when && visits->by_atom)
		return a->when < b->when ? -1 : 1;
	return (a->combination > b->combination) - (a->combination < b->combination);
}

#define ST_SORT sort_visits
#define ST_ELEMENT_TYPE Visit
#define ST_COMPARE_ARG_TYPE const Visits
#define ST_COMPARE(a, b, visits) compare_visits(a, b, visits)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

/* Go to the visits of an entity. */
void
salkpi_visit_walk(VisitWalk *walk, uint32 entity)
{
	const Visits *visits = walk->visits;
	uint32		number;
	uint32		i;

	walk->count = 0;
	for (number = visits->newest[entity]; number != 0;
		 number = visits->visits[number - 1].before)
		walk->count++;
	walk->sorted = salkpi_reserve(CurrentMemoryContext, walk->sorted,
								  &walk->capacity, walk->count, sizeof(Visit));
	/* The newest comes first, and is mostly the latest. */
	number = visits->newest[entity];
	for (i = walk->count; i > 0; i--)
	{
		Visit	   *visit = &walk->sorted[i - 1];

		*visit = visits->visits[number - 1];
		number = visit->before;
		if (walk->rank != NULL)
			visit->combination = walk->rank[visit->combination];
	}
	if (walk->count > 1)
		sort_visits(walk->sorted, walk->count, visits);
}

void
salkpi_duration_add(Durations *durations, uint32 combination, uint32 atom,
					int64 value)
{
	if (durations->count >= SALKPI_MAX_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("aggregate state has too many durations")));
	durations->items = salkpi_reserve(durations->context, durations->items,
									  &durations->capacity,
									  (Size) durations->count + 1,
									  sizeof(Duration));
	durations->items[durations->count++] = (Duration) {combination, atom, value};
}
