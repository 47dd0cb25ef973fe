/*
 * cube_events.c
 *	  What a cube knows of entities and durations: which occurred when, and
 *	  with which keys.
 *
 * A distinct count needs the set of (member, entity, atom) of each dimension.
 * All of them follow from one set, that of the visits (entity, keys, atom),
 * since the keys of a row tell its member in each dimension.  So a row adds one
 * visit, whatever the number of dimensions, and the lines of a purchase are one
 * visit unless they differ in a key.  First events are visits too, without the
 * atom: for each entity and keys the earliest event is kept.  A duration is
 * kept once, with its keys.
 *
 * Visits are appended, without looking at those there are, which would miss the
 * caches each time; when the array is full they are settled: sorted by entity
 * and made unique.  Rows mostly come an entity after the other or by time, so
 * there is little to sort; and memory stays bounded by what is distinct.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "cube_events.h"

/* Bits that a key has at first. */
#define FIRST_BITS		4
#define CODE_BITS		64

/* Visits that may be there more than once: 16 MB. */
#define FEW_VISITS		(1024 * 1024)

static void
place_keys(KeyCodes *codes)
{
	int			shift = 0;
	int			i;

	for (i = 0; i < codes->nkeys; i++)
	{
		codes->shift[i] = shift;
		shift += codes->bits[i];
	}
	codes->is_packed = shift <= CODE_BITS;
}

void
salkpi_events_init(CubeEvents *events, MemoryContext context,
				   const Shape *shape)
{
	KeyCodes   *codes = &events->codes;
	int			i;

	memset(events, 0, sizeof(CubeEvents));
	codes->shape = shape;
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
		{
			codes->bits[codes->nkeys] = FIRST_BITS;
			codes->keys[codes->nkeys++] = i;
		}
	place_keys(codes);
	salkpi_tuples_init(&codes->tuples, context, codes->nkeys);
	for (i = 0; i < CUBE_ENTITIES; i++)
	{
		events->visits[i].context = context;
		events->visits[i].by_atom = i != CUBE_FIRST;
		events->visits[i].is_grouped = true;
		events->visits[i].is_settled = true;
	}
	events->durations.context = context;
}

/* A key with a code. */
static inline uint32
key_of_code(const KeyCodes *codes, uint64 code, int i)
{
	if (!codes->is_packed)
		return salkpi_tuple_at(&codes->tuples, (uint32) code)[i];
	return code >> codes->shift[i] & ((UINT64CONST(1) << codes->bits[i]) - 1);
}

/* The code of a tuple of keys in use; each fits in its bits. */
static inline uint64
code_of_tuple(KeyCodes *codes, const uint32 *tuple)
{
	uint64		code = 0;
	int			i;

	if (!codes->is_packed)
		return salkpi_tuple_put(&codes->tuples, tuple, codes->nkeys);
	for (i = 0; i < codes->nkeys; i++)
		code |= (uint64) tuple[i] << codes->shift[i];
	return code;
}

static inline uint64
recode(const KeyCodes *old, KeyCodes *codes, uint64 code)
{
	uint32		tuple[SALKPI_MAX_KEYS];
	int			i;

	for (i = 0; i < codes->nkeys; i++)
		tuple[i] = key_of_code(old, code, i);
	return code_of_tuple(codes, tuple);
}

/* Give everything codes as they are now. */
static void
recode_events(CubeEvents *events, const KeyCodes *old)
{
	KeyCodes   *codes = &events->codes;
	uint32		i;
	int			e;

	for (e = 0; e < CUBE_ENTITIES; e++)
	{
		Visits	   *visits = &events->visits[e];

		for (i = 0; i < visits->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			visits->visits[i].code = recode(old, codes, visits->visits[i].code);
		}
		visits->is_settled = visits->count == 0;
	}
	for (i = 0; i < events->durations.count; i++)
	{
		Duration   *item = &events->durations.items[i];

		CHECK_FOR_INTERRUPTS();
		item->code = recode(old, codes, item->code);
	}
}

/* Codes become numbers of tuples, which do not change any more. */
void
salkpi_number_codes(CubeEvents *events)
{
	KeyCodes	old = events->codes;

	if (!old.is_packed)
		return;
	events->codes.is_packed = false;
	recode_events(events, &old);
}

/* Some key needs more bits than it has. */
static pg_noinline void
widen_codes(CubeEvents *events, const uint32 *tuple)
{
	KeyCodes   *codes = &events->codes;
	KeyCodes	old = *codes;
	int			i;

	for (i = 0; i < codes->nkeys; i++)
		if (tuple[i] >> codes->bits[i] != 0)
			codes->bits[i] = pg_leftmost_one_pos32(tuple[i]) + 2;	/* one to spare */
	place_keys(codes);
	recode_events(events, &old);
}

/* The code of a row's keys, given by their text numbers. */
uint64
salkpi_key_code(CubeEvents *events, const uint32 *keys)
{
	KeyCodes   *codes = &events->codes;
	uint32		tuple[SALKPI_MAX_KEYS];
	uint32		above = 0;
	int			i;

	for (i = 0; i < codes->nkeys; i++)
	{
		tuple[i] = keys[codes->keys[i]];
		above |= (uint64) tuple[i] >> codes->bits[i];
	}
	if (unlikely(above != 0 && codes->is_packed))
		widen_codes(events, tuple);
	return code_of_tuple(codes, tuple);
}

/* How the members of a dimension follow from codes, as these are now. */
MemberColumn
salkpi_member_column(const KeyCodes *codes, const Dimension *spec,
					 const TupleTable *members)
{
	MemberColumn column = {.codes = codes,.spec = spec};
	int			i;

	if (spec->nkeys > 1)
		column.members = members;
	for (i = 0; i < codes->nkeys && spec->nkeys == 1; i++)
		if (codes->keys[i] == spec->keys[0])
		{
			column.shift = codes->shift[i];
			column.mask = (UINT64CONST(1) << codes->bits[i]) - 1;
			column.words = codes->is_packed ? NULL : codes->tuples.words + i;
			column.stride = codes->nkeys;
		}
	return column;
}

/* The member of a dimension of several keys. */
uint32
salkpi_combined_member(const MemberColumn *column, uint64 code)
{
	const KeyCodes *codes = column->codes;
	uint32		keys[SALKPI_MAX_KEYS];
	uint32		tuple[SALKPI_MAX_KEYS];
	int			i;

	for (i = 0; i < codes->nkeys; i++)
		keys[codes->keys[i]] = key_of_code(codes, code, i);
	for (i = 0; i < column->spec->nkeys; i++)
		tuple[i] = keys[column->spec->keys[i]];
	return salkpi_tuple_find(column->members, tuple, column->spec->nkeys);
}

static inline bool
is_same_visit(const Visit *a, const Visit *b, bool by_atom)
{
	return a->entity == b->entity && a->code == b->code &&
		(a->when == b->when || !by_atom);
}

/* Two visits that are the same become one. */
static inline void
merge_visit(Visit *visit, const Visit *other, bool by_atom)
{
	if (!by_atom)
		visit->when = salkpi_earlier_event(visit->when, other->when);
}

static pg_noinline void
make_room(Visits *visits)
{
	if (visits->capacity >= FEW_VISITS)
		salkpi_visits_settle(visits);
	if (visits->count >= SALKPI_MAX_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("aggregate state has too many members or entities")));
	/* More than half of them are distinct: the next time shall not be soon. */
	if (visits->count >= visits->capacity / 2)
		visits->visits = salkpi_reserve(visits->context, visits->visits,
										&visits->capacity, visits->capacity + 1,
										sizeof(Visit));
}

/* An entity occurs with some keys in an atom, or has such an event. */
void
salkpi_visit_put(Visits *visits, const Visit *visit)
{
	Visit	   *last;

	if (visits->count > 0)
	{
		last = &visits->visits[visits->count - 1];
		if (is_same_visit(last, visit, visits->by_atom))
		{
			merge_visit(last, visit, visits->by_atom);
			return;
		}
	}
	if (visits->count == visits->capacity)
		make_room(visits);
	visits->visits[visits->count++] = *visit;
	visits->is_grouped = false;
	visits->is_settled = false;
}

/* By time, then keys; first events by keys. */
static inline int
compare_visits(const Visit *a, const Visit *b, const Visits *visits)
{
	if (a->when != b->when && visits->by_atom)
		return a->when < b->when ? -1 : 1;
	return (a->code > b->code) - (a->code < b->code);
}

#define ST_SORT salkpi_sort_visits
#define ST_ELEMENT_TYPE Visit
#define ST_COMPARE_ARG_TYPE const Visits
#define ST_COMPARE(a, b, visits) compare_visits(a, b, visits)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE extern
#define ST_DEFINE
#include "lib/sort_template.h"

/* Put visits in order of their entities: a counting sort. */
static void
sort_by_entity(Visits *visits, uint32 nentities)
{
	Visit	   *sorted = MemoryContextAllocHuge(visits->context,
												visits->capacity * sizeof(Visit));
	uint32	   *start = palloc_extended(((Size) nentities + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		i;

	salkpi_prefer_huge_pages(sorted, visits->capacity * sizeof(Visit));
	for (i = 0; i < visits->count; i++)
		start[visits->visits[i].entity + 1]++;
	for (i = 0; i < nentities; i++)
		start[i + 1] += start[i];
	CHECK_FOR_INTERRUPTS();
	for (i = 0; i < visits->count; i++)
		sorted[start[visits->visits[i].entity]++] = visits->visits[i];
	pfree(start);
	pfree(visits->visits);
	visits->visits = sorted;
}

/* Put the visits of each entity one behind the other, which is how they come mostly. */
void
salkpi_visits_group(Visits *visits)
{
	const Visit *all = visits->visits;
	uint32		nentities = 0;
	bool		is_sorted = true;
	uint32		i;

	for (i = 0; i < visits->count && !visits->is_grouped; i++)
	{
		is_sorted = is_sorted && (i == 0 || all[i - 1].entity <= all[i].entity);
		nentities = Max(nentities, all[i].entity + 1);
	}
	if (!is_sorted)
		sort_by_entity(visits, nentities);
	visits->is_grouped = true;
}

/* Sort visits by entity, time and keys, and keep each once. */
void
salkpi_visits_settle(Visits *visits)
{
	Visit	   *all;
	uint32		kept = 0;
	uint32		start;
	uint32		i;

	if (visits->is_settled)
		return;
	salkpi_visits_group(visits);
	all = visits->visits;
	for (start = 0; start < visits->count; start = i)
	{
		CHECK_FOR_INTERRUPTS();
		for (i = start + 1; i < visits->count && all[i].entity == all[start].entity; i++)
			;
		if (i - start > 1)
			salkpi_sort_visits(all + start, i - start, visits);
		for (; start < i; start++)
			if (kept > 0 && is_same_visit(&all[kept - 1], &all[start], visits->by_atom))
				merge_visit(&all[kept - 1], &all[start], visits->by_atom);
			else
				all[kept++] = all[start];
	}
	visits->count = kept;
	visits->is_settled = true;
}

void
salkpi_duration_add(Durations *durations, const Duration *item)
{
	if (durations->count >= SALKPI_MAX_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("aggregate state has too many durations")));
	durations->items = salkpi_reserve(durations->context, durations->items,
									  &durations->capacity,
									  (Size) durations->count + 1,
									  sizeof(Duration));
	durations->items[durations->count++] = *item;
}
