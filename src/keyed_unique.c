/*
 * keyed_unique.c
 *	  Sums of amounts by key: the records of each key made one.
 *
 * In place, if the sums fit: a hash table of where each key's first record is,
 * which is thrown away afterwards, and whose entries, and the records behind them,
 * are fetched for a batch of records before they are needed.  Else into fresh
 * chunks, wider or with numerics, by way of a list of items.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "keyed_record.h"
#include "salkpi.h"

/* So many records are looked up together. */
#define BATCH_SIZE		32

/* Most chunks of a table: each but the first few has a quarter of those before. */
#define MAX_CHUNKS		(1 << (32 - KEYED_CHUNK_BITS))

/* Where the first record of each key is; and where the next one is to be. */
typedef struct Slots
{
	uint32	   *slots;			/* a place, or 0 if the slot is free */
	uint32		mask;			/* number of slots, a power of two, less 1 */
	KeyedChunk *chunks[MAX_CHUNKS]; /* all chunks */
	int			nchunks;		/* how many they are */
	int			chunk;			/* number of the one that is written to */
	uint32		end;			/* offset in it of the next record */
} Slots;

/* A place: a chunk, and the offset of a record in it in words. */
static inline uint32
make_place(int chunk, uint32 offset)
{
	return (uint32) chunk << KEYED_CHUNK_BITS | offset / sizeof(int32);
}

static inline char *
record_at(const Slots *slots, uint32 place)
{
	return (char *) slots->chunks[place >> KEYED_CHUNK_BITS] +
		(Size) (place & ((1 << KEYED_CHUNK_BITS) - 1)) * sizeof(int32);
}

static void
create_slots(Slots *slots, uint32 count)
{
	Size		nslots = 64;

	while (nslots < (Size) count + count / 2)
		nslots *= 2;
	slots->slots = palloc_extended(nslots * sizeof(uint32),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	slots->mask = nslots - 1;
}

static void
list_chunks(Slots *slots, Keyed *keyed)
{
	KeyedChunk *chunk;

	salkpi_keyed_settle(keyed);
	slots->nchunks = 0;
	for (chunk = &keyed->chunk; chunk != NULL; chunk = chunk->next)
	{
		if (slots->nchunks == MAX_CHUNKS)
			elog(ERROR, "a table of keys has too many chunks");
		slots->chunks[slots->nchunks++] = chunk;
	}
	slots->chunk = 0;
	slots->end = sizeof(KeyedChunk);
}

/* Move the bytes of a record towards the beginning; records are short. */
static pg_attribute_always_inline void
move_bytes(char *to, const char *from, Size size)
{
	Size		i;

	if (size > 64)
		memmove(to, from, size);
	else
		for (i = 0; i < size; i += sizeof(int32))
			*(int32 *) (to + i) = *(const int32 *) (from + i);
}

/* Move a record to where the next one is to be: never behind where it was. */
static pg_attribute_always_inline uint32
move_record(Keyed *keyed, Slots *slots, char *record, Size size)
{
	KeyedChunk *chunk = slots->chunks[slots->chunk];
	uint32		place;

	while (size > chunk->size - slots->end)
	{
		chunk->used = slots->end;
		chunk = slots->chunks[++slots->chunk];
		slots->end = sizeof(KeyedChunk);
	}
	place = make_place(slots->chunk, slots->end);
	keyed->last = (char *) chunk + slots->end;
	if (keyed->last != record)
		move_bytes(keyed->last, record, size);
	slots->end += size;
	return place;
}

/*
 * Add a record to the first one of its key, or move it behind the other first
 * ones; false if it is not of a new key but cannot be added.
 */
static pg_attribute_always_inline bool
settle_record(Keyed *keyed, Layout layout, Slots *slots, uint32 slot,
			  char *record, Size size)
{
	KeyedItem	item = {0};	/* else compilers that inline all of it are in doubt */
	KeyedKey	key;
	bool		is_known = false;
	char	   *other;

	(void) get_record(layout, record, &item);
	for (; slots->slots[slot] != 0; slot = (slot + 1) & slots->mask)
	{
		other = record_at(slots, slots->slots[slot]);
		(void) get_key(layout, other, &key);
		if (!keys_are_equal(layout.kind, &key, &item.key))
			continue;
		if (add_to_record(layout, other, &item))
		{
			keyed->count--;
			return true;
		}
		is_known = true;
	}
	slots->slots[slot] = move_record(keyed, slots, record, size);
	return !is_known;
}

/* Do so with some records of a chunk; returns where the next one is. */
static pg_attribute_always_inline char *
settle_batch(Keyed *keyed, Layout layout, Slots *slots, char *record,
			 const char *end, bool *is_unique)
{
	char	   *records[BATCH_SIZE + 1];
	uint32		slot[BATCH_SIZE];
	KeyedKey	key = {0};	/* as above */
	int			n;
	int			i;

	for (n = 0; n < BATCH_SIZE && record < end; n++)
	{
		records[n] = record;
		record = (char *) skip_record(layout, record, &key);
		slot[n] = hash_key(layout.kind, &key) & slots->mask;
		__builtin_prefetch(&slots->slots[slot[n]]);
	}
	records[n] = record;
	for (i = 0; i < n; i++)
		__builtin_prefetch(record_at(slots, slots->slots[slot[i]]));
	for (i = 0; i < n; i++)
		*is_unique &= settle_record(keyed, layout, slots, slot[i], records[i],
									records[i + 1] - records[i]);
	return record;
}

/*
 * Make the records of each key one, in place; false if some could not be, since
 * the sum needs more room.
 */
static pg_attribute_always_inline bool
make_unique_of(Keyed *keyed, Layout layout, Slots *slots)
{
	bool		is_unique = true;
	int			c;

	for (c = 0; c < slots->nchunks; c++)
	{
		char	   *record = salkpi_keyed_first(slots->chunks[c]);
		const char *end = (char *) slots->chunks[c] + slots->chunks[c]->used;

		while (record < end)
		{
			record = settle_batch(keyed, layout, slots, record, end, &is_unique);
			CHECK_FOR_INTERRUPTS();
		}
	}
	return is_unique;
}

bool
salkpi_keyed_make_unique(Keyed *keyed)
{
	Slots		slots;
	KeyedItem	item;
	int			c;

	list_chunks(&slots, keyed);
	create_slots(&slots, keyed->count);
	keyed->is_unique = FOR_LAYOUT(keyed, make_unique_of, &slots);
	pfree(slots.slots);
	slots.chunks[slots.chunk]->used = slots.end;
	for (c = slots.chunk + 1; c < slots.nchunks; c++)
		slots.chunks[c]->used = sizeof(KeyedChunk);
	for (c = 0, keyed->bytes = 0; c <= slots.chunk; c++)
		keyed->bytes += slots.chunks[c]->used - sizeof(KeyedChunk);
	salkpi_keyed_fill(keyed, slots.chunks[slots.chunk]);
	(void) salkpi_keyed_read(keyed, keyed->last, &item);
	keyed->last_prefix = salkpi_key_prefix(keyed->kind, &item.key);
	keyed->unique_at = unique_at(keyed->bytes);
	return keyed->is_unique;
}

/* Bring the sums of an item to the scale of a larger display scale. */
void
salkpi_item_rescale(KeyedItem *item, int width, int from, int to)
{
	int			old_scale = salkpi_fixed_scale(from);
	int			scale = salkpi_fixed_scale(to);
	int			i;

	for (i = 0; i < width && scale > old_scale; i++)
	{
		if (!salkpi_rescale(&item->sums[i].small, scale - old_scale))
			salkpi_sum_spill(&item->sums[i], old_scale);
		salkpi_sum_settle(&item->sums[i], scale);
	}
}

/* Add an item to those of other keys, or to that of its own. */
static void
collect_item(const Keyed *keyed, KeyedItem *items, uint32 *count, Slots *slots,
			 const KeyedItem *item, int scale)
{
	uint32		slot = hash_key(keyed->kind, &item->key) & slots->mask;
	KeyedItem  *same;
	int			i;

	for (; slots->slots[slot] != 0; slot = (slot + 1) & slots->mask)
	{
		same = &items[slots->slots[slot] - 1];
		if (!keys_are_equal(keyed->kind, &same->key, &item->key))
			continue;
		same->flag |= item->flag;
		for (i = 0; i < keyed->width; i++)
			salkpi_sum_add_sum(&same->sums[i], &item->sums[i], 1, scale);
		return;
	}
	items[*count] = *item;
	slots->slots[slot] = ++*count;
}

/*
 * What a table and, if there is one, another item hold, by key and at the scale
 * of a display scale; returns the number of keys.  The items, for which there
 * is room, point into the table.
 */
static uint32
collect_items(Keyed *keyed, const KeyedItem *more, int dscale,
			  KeyedItem *items)
{
	int			scale = salkpi_fixed_scale(dscale);
	const KeyedChunk *chunk = &keyed->chunk;
	const char *record = salkpi_keyed_first(chunk);
	uint32		count = 0;
	uint32		n;
	KeyedItem	item;
	Slots		slots;
	int			i;

	create_slots(&slots, keyed->count + 1);
	salkpi_keyed_settle(keyed);
	while ((record = salkpi_keyed_next_record(&chunk, record)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		record = salkpi_keyed_read(keyed, record, &item);
		salkpi_item_rescale(&item, keyed->width, keyed->dscale, dscale);
		collect_item(keyed, items, &count, &slots, &item, scale);
	}
	if (more != NULL)
		collect_item(keyed, items, &count, &slots, more, scale);
	for (n = 0; n < count; n++)
		for (i = 0; i < keyed->width; i++)
			salkpi_sum_settle(&items[n].sums[i], scale);
	pfree(slots.slots);
	return count;
}

/* Empty a table, whose records are settled and stay where they are. */
static void
empty_table(Keyed *keyed)
{
	keyed->chunk.next = NULL;
	keyed->chunk.used = sizeof(KeyedChunk);
	keyed->tail = &keyed->chunk;
	keyed->room = keyed->chunk.size;
	keyed->bytes = 0;
	keyed->count = 0;
	keyed->is_ascending = true;
	keyed->unique_at = MaxAllocSize;
}

static void
free_chunks(KeyedChunk *chunk)
{
	KeyedChunk *next;

	for (; chunk != NULL; chunk = next)
	{
		next = chunk->next;
		pfree(chunk);
	}
}

/*
 * Write a table anew, and another item if there is one: with one record a key,
 * at a display scale, as wide as the amounts need.
 */
void
salkpi_keyed_rewrite(Keyed *keyed, const KeyedItem *more, int dscale)
{
	KeyedItem  *items = palloc_extended(((Size) keyed->count + 1) * sizeof(KeyedItem),
										MCXT_ALLOC_HUGE);
	uint32		count = collect_items(keyed, more, dscale, items);
	KeyedChunk *old = keyed->chunk.next;
	Size		bytes = 0;
	uint32		n;

	keyed->dscale = dscale;
	for (n = 0; n < count; n++)
		while (!is_roomy_enough(layout_of(keyed), &items[n]))
			keyed->amount_size *= 2;
	for (n = 0; n < count; n++)
		bytes += record_size(layout_of(keyed), &items[n]);
	empty_table(keyed);
	salkpi_keyed_extend(keyed, Min(bytes, KEYED_CHUNK_MAX - sizeof(KeyedChunk)));
	for (n = 0; n < count; n++)
		salkpi_keyed_add(keyed, &items[n]);
	keyed->is_unique = true;
	keyed->unique_at = unique_at(bytes);
	free_chunks(old);
	pfree(items);
}

/* Make the records of each key one, whatever it takes, to go through them. */
void
salkpi_keyed_unique(Keyed *keyed)
{
	if (!keyed->is_unique && !salkpi_keyed_make_unique(keyed))
		salkpi_keyed_rewrite(keyed, NULL, keyed->dscale);
	salkpi_keyed_settle(keyed);
}
