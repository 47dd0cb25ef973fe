/*
 * cube_events_io.c
 *	  The flat form of what a cube knows of entities and durations.
 *
 *		combinations			tuples of key numbers
 *		for each distinct count, for each entity in order of its text:
 *			how many visits, at least one; for each, by atom and combination:
 *				the atom		the first, then differences
 *				combination		a difference as long as the atom is the same
 *		first events, for each entity:
 *			how many, at least one; for each, by combination:
 *				combination		the first, then differences
 *				the event		(atom + 1) * 2 + flag
 *		durations				how many; by combination, atom and value:
 *			combination, atom, value	each a difference as long as those
 *								before are the same
 *
 * Combinations are numbered in the order in which they are written.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "cube_events.h"

/* Write combinations in an order; see salkpi_tuples_sorted(). */
void
salkpi_put_combinations(FlatWriter *w, const KeyCodes *codes,
						uint32 *const *key_rank, const uint32 *order)
{
	uint32		count = codes->tuples.index.count;
	uint32		before[SALKPI_MAX_KEYS];
	uint32		ranks[SALKPI_MAX_KEYS];
	uint32		i;
	int			k;

	salkpi_put_number(w, count);
	for (i = 0; i < count; i++)
	{
		const uint32 *tuple = salkpi_tuple_at(&codes->tuples, order[i]);

		CHECK_FOR_INTERRUPTS();
		for (k = 0; k < codes->nkeys; k++)
			ranks[k] = key_rank[codes->keys[k]][tuple[k]];
		salkpi_put_tuple(w, before, ranks, codes->nkeys, i == 0);
	}
}

static void
put_visit(FlatWriter *w, const Visit *visit, const Visit *before, bool by_atom)
{
	bool		is_same = before != NULL;

	if (by_atom)
	{
		salkpi_put_number(w, visit->when - (is_same ? before->when : 0));
		is_same = is_same && before->when == visit->when;
	}
	salkpi_put_number(w, visit->code - (is_same ? before->code : 0));
	if (!by_atom)
		salkpi_put_number(w, visit->when);
}

/* Where the visits of each entity start, and the last ones end; palloc'd. */
static uint32 *
find_entities(const Visits *visits, uint32 nentities)
{
	uint32	   *start = palloc_extended(((Size) nentities + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE);
	uint32		e;
	uint32		i = 0;

	for (e = 0; e < nentities; e++)
	{
		start[e] = i;
		while (i < visits->count && visits->visits[i].entity == e)
			i++;
	}
	start[nentities] = i;
	return start;
}

/* Write the visits of all entities. */
void
salkpi_put_visits(FlatWriter *w, const Visits *visits,
				  const uint32 *entity_order, uint32 nentities,
				  const uint32 *code_rank)
{
	uint32	   *start = find_entities(visits, nentities);
	Visit	   *sorted = NULL;
	Size		capacity = 0;
	uint32		e;
	uint32		i;

	for (e = 0; e < nentities; e++)
	{
		const Visit *own = &visits->visits[start[entity_order[e]]];
		uint32		count = start[entity_order[e] + 1] - start[entity_order[e]];

		CHECK_FOR_INTERRUPTS();
		sorted = salkpi_reserve(CurrentMemoryContext, sorted, &capacity, count,
								sizeof(Visit));
		for (i = 0; i < count; i++)
			sorted[i] = (Visit) {code_rank[own[i].code], own[i].entity, own[i].when};
		salkpi_sort_visits(sorted, count, visits);
		salkpi_put_number(w, count);
		for (i = 0; i < count; i++)
			put_visit(w, &sorted[i], i > 0 ? &sorted[i - 1] : NULL, visits->by_atom);
	}
}

static inline int
compare_durations(const Duration *a, const Duration *b)
{
	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	if (a->atom != b->atom)
		return a->atom < b->atom ? -1 : 1;
	return (a->value > b->value) - (a->value < b->value);
}

#define ST_SORT sort_durations
#define ST_ELEMENT_TYPE Duration
#define ST_COMPARE(a, b) compare_durations(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

/* Write all durations. */
void
salkpi_put_durations(FlatWriter *w, const Durations *durations,
					 const uint32 *code_rank)
{
	Duration   *sorted = palloc_extended(((Size) durations->count + 1) *
										 sizeof(Duration), MCXT_ALLOC_HUGE);
	const Duration *before = NULL;
	uint32		i;

	for (i = 0; i < durations->count; i++)
	{
		sorted[i] = durations->items[i];
		sorted[i].code = code_rank[sorted[i].code];
	}
	sort_durations(sorted, durations->count);
	salkpi_put_number(w, durations->count);
	for (i = 0; i < durations->count; before = &sorted[i++])
	{
		const Duration *item = &sorted[i];
		bool		is_same = i > 0;

		CHECK_FOR_INTERRUPTS();
		salkpi_put_number(w, item->code - (is_same ? before->code : 0));
		is_same = is_same && item->code == before->code;
		salkpi_put_number(w, item->atom - (is_same ? before->atom : 0));
		if (is_same && item->atom == before->atom)
			salkpi_put_number(w, (uint64) item->value - (uint64) before->value);
		else
			salkpi_put_signed(w, item->value);
	}
	pfree(sorted);
}

/* The combined members of keys with these numbers are there. */
static void
put_members(const Shape *shape, TupleTable *const *tables, const uint32 *keys)
{
	uint32		tuple[SALKPI_MAX_KEYS];
	int			d;
	int			k;

	for (d = 0; d < shape->ndimensions; d++)
	{
		const Dimension *dimension = &shape->dimensions[d];

		for (k = 0; k < dimension->nkeys; k++)
			tuple[k] = keys[dimension->keys[k]];
		if (dimension->nkeys > 1)
			(void) salkpi_tuple_put(tables[d], tuple, dimension->nkeys);
	}
}

/*
 * Read combinations: returns their codes in the cube, palloc'd, which stay as
 * they are.  members: the tables of combined dimensions; keys, nkeys:
 * the numbers of the keys in the cube, and how many there are.
 */
const uint64 *
salkpi_absorb_combinations(FlatReader *r, CubeEvents *events,
						   TupleTable *const *members,
						   const uint32 *const *keys, const uint32 *nkeys,
						   uint32 *count)
{
	const KeyCodes *codes = &events->codes;
	int			width = codes->nkeys;
	uint32		bound[SALKPI_MAX_KEYS];
	uint32		ranks[SALKPI_MAX_KEYS];
	uint32		numbers[SALKPI_MAX_KEYS];
	uint64	   *result;
	uint32		i;
	int			k;

	*count = salkpi_get_count(r, "combinations");
	result = palloc_extended(((Size) *count + 1) * sizeof(uint64),
							 MCXT_ALLOC_HUGE);
	salkpi_number_codes(events);
	for (k = 0; k < width; k++)
		bound[k] = nkeys[codes->keys[k]];
	for (i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		salkpi_get_tuple(r, ranks, bound, width, i == 0, "combinations");
		for (k = 0; k < width; k++)
			numbers[codes->keys[k]] = keys[codes->keys[k]][ranks[k]];
		put_members(codes->shape, members, numbers);
		result[i] = salkpi_key_code(events, numbers);
	}
	return result;
}

/* A number that is a difference to the one before; below a bound. */
static inline uint32
get_step(FlatReader *r, uint32 before, uint64 bound, const char *what)
{
	uint64		step = salkpi_get_number(r, what);

	if (step >= bound || before + step >= bound)
		salkpi_flat_damaged(r, what);
	return before + step;
}

/* Read the visits of one entity. */
static void
absorb_entity(FlatReader *r, Visits *visits, uint32 entity,
			  const uint64 *codes, uint32 ncodes, uint64 when_bound)
{
	const char *what = visits->by_atom ? "distinct counts" : "firsts";
	uint32		count = salkpi_get_count(r, what);
	uint32		combination = 0;
	uint32		when = 0;
	uint32		i;

	if (count == 0)
		salkpi_flat_damaged(r, what);
	for (i = 0; i < count; i++)
	{
		bool		is_same = i > 0;
		uint32		before = combination;

		if (visits->by_atom)
		{
			uint32		atom = get_step(r, when, when_bound, what);

			is_same = is_same && atom == when;
			when = atom;
		}
		combination = get_step(r, is_same ? before : 0, ncodes, what);
		if (is_same && combination == before)
			salkpi_flat_damaged(r, what);
		if (!visits->by_atom)
			when = get_step(r, 0, when_bound, what);
		salkpi_visit_put(visits, &(Visit) {codes[combination], entity, when});
	}
}

/*
 * Read visits and add them to those of a cube.  The entities and combinations
 * of the flat form have these numbers and codes in the cube.
 */
void
salkpi_absorb_visits(FlatReader *r, Visits *visits, const uint32 *entities,
					 uint32 nentities, const uint64 *codes, uint32 ncodes,
					 uint64 when_bound)
{
	uint32		e;

	for (e = 0; e < nentities; e++)
	{
		CHECK_FOR_INTERRUPTS();
		absorb_entity(r, visits, entities[e], codes, ncodes, when_bound);
	}
}

/* The same for durations. */
void
salkpi_absorb_durations(FlatReader *r, Durations *durations,
						const uint64 *codes, uint32 ncodes, uint32 natoms)
{
	const char *what = "durations";
	uint32		count = salkpi_get_count(r, what);
	Duration	item = {0};
	uint32		i;

	for (i = 0; i < count; i++)
	{
		Duration	before = item;
		bool		is_same;

		CHECK_FOR_INTERRUPTS();
		item.code = get_step(r, before.code, ncodes, what);
		is_same = i > 0 && item.code == before.code;
		item.atom = get_step(r, is_same ? before.atom : 0, natoms, what);
		if (is_same && item.atom == before.atom)
			item.value = (uint64) before.value + salkpi_get_number(r, what);
		else
			item.value = salkpi_get_signed(r, 64, what);
		if (is_same && item.atom == before.atom && item.value < before.value)
			salkpi_flat_damaged(r, what);
		salkpi_duration_add(durations,
							&(Duration) {codes[item.code], item.value, item.atom});
	}
}
