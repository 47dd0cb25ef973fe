/*
 * keyed_unique.c
 *	  Sums of amounts by key: the records of each key made one.
 *
 * In place, if the sums fit: a hash table of where each key's first record is,
 * which is thrown away afterwards, and whose entries, and the records behind them,
 * are fetched for a batch of records before they are needed.  Else into a fresh
 * table, wider or with numerics, by way of a list of items.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "keyed_record.h"
#include "salkpi.h"

/* So many records are looked up together. */
#define BATCH_SIZE		32

/* Where the first record of each key is. */
typedef struct Slots
{
	uint32	   *slots;			/* offset of a record, in words; 0 = free */
	uint32		mask;			/* number of slots, a power of two, less 1 */
} Slots;

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

/*
 * Add a record to the first one of its key, or move it to the offset "end",
 * from where on there are none of those that have been; false if it is of a key
 * that has been but cannot be added.
 */
static pg_attribute_always_inline bool
settle_record(Keyed *keyed, Layout layout, const Slots *slots, uint32 slot,
			  uint32 offset, Size size, uint32 *end)
{
	KeyedItem	item = {0};	/* else compilers that inline all of it are in doubt */
	KeyedKey	key;
	bool		is_known = false;
	char	   *record;

	(void) get_record(layout, (char *) keyed + offset, &item);
	for (; slots->slots[slot] != 0; slot = (slot + 1) & slots->mask)
	{
		record = (char *) keyed + (Size) slots->slots[slot] * sizeof(int32);
		(void) get_key(layout, record, &key);
		if (!keys_are_equal(layout.kind, &key, &item.key))
			continue;
		if (add_to_record(layout, record, &item))
		{
			keyed->count--;
			return true;
		}
		is_known = true;
	}
	slots->slots[slot] = *end / sizeof(int32);
	if (*end != offset)
		memmove((char *) keyed + *end, (char *) keyed + offset, size);
	keyed->last = *end;
	*end += size;
	return !is_known;
}

/*
 * Make the records of each key one, in place; false if some could not be, since
 * the sum needs more room.
 */
static pg_attribute_always_inline bool
make_unique_of(Keyed *keyed, Layout layout, const Slots *slots)
{
	uint32		offset = KEYED_FIRST_RECORD;
	uint32		end = KEYED_FIRST_RECORD;
	uint32		offsets[BATCH_SIZE + 1];
	uint32		slot[BATCH_SIZE];
	bool		is_unique = true;
	KeyedItem	item = {0};	/* as above */
	int			n;
	int			i;

	while (offset < keyed->used)
	{
		for (n = 0; n < BATCH_SIZE && offset < keyed->used; n++)
		{
			offsets[n] = offset;
			offset = get_record(layout, (char *) keyed + offset, &item) - (char *) keyed;
			slot[n] = hash_key(layout.kind, &item.key) & slots->mask;
			__builtin_prefetch(&slots->slots[slot[n]]);
		}
		offsets[n] = offset;
		for (i = 0; i < n; i++)
			__builtin_prefetch((char *) keyed + (Size) slots->slots[slot[i]] * sizeof(int32));
		for (i = 0; i < n; i++)
			is_unique &= settle_record(keyed, layout, slots, slot[i], offsets[i],
									   offsets[i + 1] - offsets[i], &end);
		CHECK_FOR_INTERRUPTS();
	}
	keyed->used = end;
	return is_unique;
}

bool
salkpi_keyed_make_unique(Keyed *keyed)
{
	Slots		slots;
	KeyedItem	item;

	create_slots(&slots, keyed->count);
	keyed->is_unique = FOR_LAYOUT(keyed, make_unique_of, &slots);
	(void) salkpi_keyed_read(keyed, keyed->last, &item);
	keyed->last_prefix = salkpi_key_prefix(keyed->kind, &item.key);
	pfree(slots.slots);
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
collect_items(const Keyed *keyed, const KeyedItem *more, int dscale,
			  KeyedItem *items)
{
	int			scale = salkpi_fixed_scale(dscale);
	uint32		offset = KEYED_FIRST_RECORD;
	uint32		count = 0;
	uint32		n;
	KeyedItem	item;
	Slots		slots;
	int			i;

	create_slots(&slots, keyed->count + 1);
	while (offset < keyed->used)
	{
		CHECK_FOR_INTERRUPTS();
		offset = salkpi_keyed_read(keyed, offset, &item);
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

/*
 * What a table and, if there is one, another item hold, with one record a key,
 * at a display scale, as wide as the amounts need: a fresh table in
 * CurrentMemoryContext, half of which is empty.
 */
Keyed *
salkpi_keyed_rewrite(const Keyed *keyed, const KeyedItem *more, int dscale)
{
	KeyedItem  *items = palloc_extended(((Size) keyed->count + 1) * sizeof(KeyedItem),
										MCXT_ALLOC_HUGE);
	uint32		count = collect_items(keyed, more, dscale, items);
	Size		bytes = KEYED_FIRST_RECORD;
	Keyed		head = *keyed;
	Keyed	   *fresh;
	uint32		n;

	head.dscale = dscale;
	for (n = 0; n < count; n++)
		while (!is_roomy_enough(layout_of(&head), &items[n]))
			head.amount_size *= 2;
	for (n = 0; n < count; n++)
		bytes += record_size(layout_of(&head), &items[n]);
	fresh = salkpi_keyed_create_like(&head, bytes * 2 <= VARSIZE(keyed) ? VARSIZE(keyed) :
						salkpi_keyed_next_size(keyed, bytes));
	for (n = 0; n < count; n++)
		(void) try_add(fresh, &items[n]);
	fresh->is_unique = true;
	pfree(items);
	return fresh;
}

/* The same with one record a key: a copy, unless it is so. */
const Keyed *
salkpi_keyed_unique(const Keyed *keyed)
{
	Keyed	   *copy;

	if (keyed->is_unique)
		return keyed;
	copy = memcpy(palloc(keyed->used), keyed, keyed->used);
	SET_VARSIZE(copy, keyed->used);
	return salkpi_keyed_make_unique(copy) ? copy : salkpi_keyed_rewrite(copy, NULL, keyed->dscale);
}
