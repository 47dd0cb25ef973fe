/*
 * keyed_unique.c
 *	  Sums of amounts by key: the records of each key made one.
 *
 * In place, if the sums fit: a hash table of where each key's first record is,
 * whose entries, and the records behind them, are fetched for a batch of records
 * before they are needed.  It is thrown away afterwards, or kept where records are
 * many: then only those that came since are looked up.  Else into fresh chunks,
 * wider or with numerics, by way of a list of items.
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

/* A record: the number of its chunk, and where it starts in that in words. */
typedef uint32 Place;

/*
 * Where the first record of each key is.  These two are small, and passed to no
 * function that is not inlined: so they are kept in registers while a record
 * that is written could be anywhere.
 */
typedef struct Slots
{
	Place	   *slots;			/* 0 if the slot is free */
	uint32		mask;			/* number of slots, a power of two, less 1 */
	uint32		free;			/* how many of them may still be taken */
} Slots;

/* What is kept of a table that is large and grows. */
struct KeyedIndex
{
	Slots		slots;
	Place		last;			/* the last record that has one */
};

/* Some records, one behind the other. */
typedef struct Batch
{
	int			count;
	const char *records[BATCH_SIZE + 1];	/* the last one is behind them */
	uint32		slots[BATCH_SIZE];	/* where each looks first */
} Batch;

/* Where the next record is to be: behind those that have been moved. */
typedef struct Target
{
	KeyedChunk **chunks;		/* all chunks */
	int			chunk;			/* number of the one that is written to */
	char	   *end;			/* behind the last record in it */
	char	   *limit;			/* behind its room for more */
	char	   *last;			/* the last record */
	uint32		count;			/* records moved, and those still to come */
} Target;

static pg_attribute_always_inline Place
make_place(KeyedChunk **chunks, int chunk, const char *record)
{
	return (uint32) chunk << KEYED_CHUNK_BITS |
		(uint32) (record - (const char *) chunks[chunk]) / sizeof(int32);
}

static pg_attribute_always_inline char *
record_at(KeyedChunk **chunks, Place place)
{
	return (char *) chunks[place >> KEYED_CHUNK_BITS] +
		(Size) (place & ((1 << KEYED_CHUNK_BITS) - 1)) * sizeof(int32);
}

/* Free slots for so many keys of a table. */
static Slots
create_slots(const Keyed *keyed, uint32 count)
{
	Slots		slots;
	Size		nslots = 64;

	while (nslots < (Size) count + count / 2)
		nslots *= 2;
	slots.slots = MemoryContextAllocExtended(keyed->header.eoh_context, nslots * sizeof(Place),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	slots.mask = nslots - 1;
	slots.free = nslots / 3 * 2;
	return slots;
}

/* Forget where keys are. */
static void
free_index(Keyed *keyed)
{
	if (keyed->index == NULL)
		return;
	pfree(keyed->index->slots.slots);
	pfree(keyed->index);
	keyed->index = NULL;
}

/* Lists the chunks of a table, whose records are settled; returns their number. */
static int
list_chunks(Keyed *keyed, KeyedChunk **chunks)
{
	KeyedChunk *chunk;
	int			n = 0;

	salkpi_keyed_settle(keyed);
	for (chunk = &keyed->chunk; chunk != NULL; chunk = chunk->next)
	{
		if (n == MAX_CHUNKS)
			elog(ERROR, "a table of keys has too many chunks");
		chunks[n++] = chunk;
	}
	return n;
}

/* Begin to write to a chunk. */
static pg_attribute_always_inline void
begin_chunk(Target *target, int chunk)
{
	target->chunk = chunk;
	target->end = salkpi_keyed_first(target->chunks[chunk]);
	target->limit = (char *) target->chunks[chunk] + target->chunks[chunk]->size;
}

/* Note how much of the chunk that was written to is used. */
static pg_attribute_always_inline void
end_chunk(const Target *target)
{
	KeyedChunk *chunk = target->chunks[target->chunk];

	chunk->used = target->end - (char *) chunk;
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
static pg_attribute_always_inline void
move_record(Target *target, const char *record, Size size)
{
	while (unlikely(size > target->limit - target->end))
	{
		end_chunk(target);
		begin_chunk(target, target->chunk + 1);
	}
	target->last = target->end;
	if (target->last != record)
		move_bytes(target->last, record, size);
	target->end += size;
}

/*
 * Add a record to the first one of its key, or move it behind the other first
 * ones; false if it is not of a new key but cannot be added.
 */
static pg_attribute_always_inline bool
settle_record(Layout layout, Slots *slots, Target *target, uint32 slot,
			  const char *record, Size size)
{
	KeyedKey	key = {0};	/* else compilers that inline all of it are in doubt */
	KeyedKey	other_key = {0};
	bool		is_known = false;
	Place	place;
	char	   *other;

	(void) get_key(layout, record, &key);
	for (; (place = slots->slots[slot]) != 0; slot = (slot + 1) & slots->mask)
	{
		other = record_at(target->chunks, place);
		(void) get_key(layout, other, &other_key);
		if (!keys_are_equal(layout.kind, &key, &other_key))
			continue;
		if (merge_records(layout, other, record))
		{
			target->count--;
			return true;
		}
		is_known = true;
	}
	move_record(target, record, size);
	slots->slots[slot] = make_place(target->chunks, target->chunk, target->last);
	slots->free--;
	return !is_known;
}

/* Take the next records of a chunk, and have their slots fetched; returns what is behind. */
static pg_attribute_always_inline const char *
take_batch(Layout layout, const Slots *slots, const char *record, const char *end,
		   Batch *batch)
{
	KeyedKey	key = {0};	/* as above */
	int			n;

	for (n = 0; n < BATCH_SIZE && record < end; n++)
	{
		batch->records[n] = record;
		record = skip_record(layout, record, &key);
		batch->slots[n] = hash_key(layout.kind, &key) & slots->mask;
		__builtin_prefetch(&slots->slots[batch->slots[n]]);
	}
	batch->records[n] = record;
	batch->count = n;
	return record;
}

/* Have the records fetched that are in the slots of a batch. */
static pg_attribute_always_inline void
fetch_batch(const Slots *slots, const Target *target, const Batch *batch)
{
	int			i;

	for (i = 0; i < batch->count; i++)
		__builtin_prefetch(record_at(target->chunks, slots->slots[batch->slots[i]]));
}

/* Settle the records of a batch; false if some could not be. */
static pg_attribute_always_inline bool
settle_batch(Layout layout, Slots *slots, Target *target, const Batch *batch)
{
	bool		is_unique = true;
	int			i;

	for (i = 0; i < batch->count; i++)
		is_unique &= settle_record(layout, slots, target, batch->slots[i], batch->records[i],
								   batch->records[i + 1] - batch->records[i]);
	return is_unique;
}

/* Slots for all records that are still to come, and some more, with those that were moved. */
static pg_attribute_always_inline Slots
grow_slots(const Keyed *keyed, Layout layout, const Slots *old, const Target *target)
{
	Slots		slots = create_slots(keyed, target->count + target->count / 2);
	int			c;

	pfree(old->slots);
	end_chunk(target);
	for (c = 0; c <= target->chunk; c++)
	{
		const char *record = salkpi_keyed_first(target->chunks[c]);
		const char *end = (char *) target->chunks[c] + target->chunks[c]->used;
		const char *next;
		KeyedKey	key = {0};	/* as above */
		uint32		slot;

		for (; record < end; record = next)
		{
			if ((slots.free & INTERRUPT_MASK) == 0)
				CHECK_FOR_INTERRUPTS();
			next = skip_record(layout, record, &key);
			slot = hash_key(layout.kind, &key) & slots.mask;
			while (slots.slots[slot] != 0)
				slot = (slot + 1) & slots.mask;
			slots.slots[slot] = make_place(target->chunks, c, record);
			slots.free--;
		}
	}
	return slots;
}

/* Begin behind the records that are indexed already, if some are. */
static pg_attribute_always_inline Target
begin_target(const Keyed *keyed, Layout layout, KeyedChunk **chunks)
{
	Target		target = {.chunks = chunks,.count = keyed->count};
	KeyedKey	key = {0};	/* as above */

	if (keyed->index == NULL)
		begin_chunk(&target, 0);
	else
	{
		begin_chunk(&target, keyed->index->last >> KEYED_CHUNK_BITS);
		target.last = record_at(chunks, keyed->index->last);
		target.end = (char *) skip_record(layout, target.last, &key);
	}
	return target;
}

/*
 * Settle the records of a chunk from this one on; false if some could not be.
 * What one batch needs is fetched while the one before is settled.
 */
static pg_attribute_always_inline bool
settle_records(const Keyed *keyed, Layout layout, Slots *slots, Target *target,
			   const char *record, const char *end)
{
	Batch		batches[2];
	bool		is_unique = true;
	int			i;

	record = take_batch(layout, slots, record, end, &batches[0]);
	for (i = 0; batches[i].count > 0; i = 1 - i)
	{
		if (unlikely(slots->free < BATCH_SIZE))
		{
			*slots = grow_slots(keyed, layout, slots, target);
			record = take_batch(layout, slots, batches[i].records[0], end, &batches[i]);
		}
		fetch_batch(slots, target, &batches[i]);
		record = take_batch(layout, slots, record, end, &batches[1 - i]);
		is_unique &= settle_batch(layout, slots, target, &batches[i]);
		CHECK_FOR_INTERRUPTS();
	}
	return is_unique;
}

/* Making the records of each key one. */
typedef struct Pass
{
	KeyedChunk *chunks[MAX_CHUNKS];
	KeyedIndex	index;			/* that there was, and then that of all */
} Pass;

/* In place; false if some records could not be, since the sum needs more room. */
static pg_attribute_always_inline bool
make_unique_of(Keyed *keyed, Layout layout, Pass *pass)
{
	KeyedChunk **chunks = pass->chunks;
	int			nchunks = list_chunks(keyed, chunks);
	Target		target = begin_target(keyed, layout, chunks);
	Slots		slots = pass->index.slots;
	const char *record = target.end;
	bool		is_unique = true;
	int			c;

	for (c = target.chunk; c < nchunks; c++)
	{
		is_unique &= settle_records(keyed, layout, &slots, &target, record,
									(char *) chunks[c] + chunks[c]->used);
		if (c + 1 < nchunks)
			record = salkpi_keyed_first(chunks[c + 1]);
	}
	end_chunk(&target);
	for (c = target.chunk + 1; c < nchunks; c++)
		chunks[c]->used = sizeof(KeyedChunk);
	pass->index.slots = slots;
	pass->index.last = make_place(chunks, target.chunk, target.last);
	keyed->count = target.count;
	salkpi_keyed_fill(keyed, chunks[target.chunk], target.end - target.last);
	return is_unique;
}

/* Keep an index with its table, if it is worth that. */
static void
keep_index(Keyed *keyed, const KeyedIndex *index, bool is_growing)
{
	if (keyed->index == NULL && !(is_growing && keyed->bytes > UNIQUE_EARLY_MAX))
	{
		pfree(index->slots.slots);
		return;
	}
	if (keyed->index == NULL)
		keyed->index = MemoryContextAlloc(keyed->header.eoh_context, sizeof(KeyedIndex));
	*keyed->index = *index;
}

/* Make the records of each key one; false if some could not be.  Is it while rows come? */
bool
salkpi_keyed_make_unique(Keyed *keyed, bool is_growing)
{
	Pass		pass;
	KeyedChunk *chunk;
	uint32		count = keyed->count;
	KeyedItem	item;

	if (keyed->index != NULL)
		pass.index = *keyed->index;
	else
		pass.index.slots = create_slots(keyed, Min(count, 2 * keyed->unique_count));
	keyed->is_unique = FOR_LAYOUT(keyed, make_unique_of, &pass);
	keyed->unique_count = keyed->count;
	for (chunk = &keyed->chunk, keyed->bytes = 0; chunk != NULL; chunk = chunk->next)
		keyed->bytes += chunk->used - sizeof(KeyedChunk);
	keep_index(keyed, &pass.index, is_growing);
	(void) salkpi_keyed_read(keyed, last_record(keyed), &item);
	keyed->last_prefix = salkpi_key_prefix(keyed->kind, &item.key);
	keyed->unique_at = unique_at(keyed->bytes, count, count - keyed->count);
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

	slots = create_slots(keyed, keyed->count + 1);
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
	free_index(keyed);
	empty_table(keyed);
	salkpi_keyed_extend(keyed, Min(bytes, KEYED_CHUNK_MAX - sizeof(KeyedChunk)));
	for (n = 0; n < count; n++)
		salkpi_keyed_add(keyed, &items[n]);
	keyed->is_unique = true;
	keyed->unique_at = unique_at(bytes, 0, 0);
	free_chunks(old);
	pfree(items);
}

/* Have all rows added, and the records of each key made one, to go through them. */
void
salkpi_keyed_unique(Keyed *keyed)
{
	salkpi_keyed_add_waiting(keyed);
	if (!keyed->is_unique && !salkpi_keyed_make_unique(keyed, false))
		salkpi_keyed_rewrite(keyed, NULL, keyed->dscale);
	salkpi_keyed_settle(keyed);
}
