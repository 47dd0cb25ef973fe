/*
 * keyed.c
 *	  Sums of amounts by key: the table behind kpi_amounts and kpi_accounts.
 *
 * How many customers stayed, and how many purchases there were, can be told
 * from each customer's and each purchase's rows together only, and these come
 * in any order, from several workers and several months.  So the state of such
 * an aggregate is a table of keys with their amounts.
 *
 * While rows come it is open: one chunk, to whose end records are appended as
 * to a log, many of a key.  Only a row with the key of the record before it is
 * added to that.  When the chunk is full, the records of each key are made one,
 * all at once; if more than half of it is then still in use, it is doubled.  So
 * a row costs a write to where the last one was written, and a constant share
 * of passes that fetch in time what they will touch: a hash table that is looked
 * up row by row waits for memory each time, several times with many groups.
 * Records in the order of their keys (an order's lines, as they were
 * entered) have one each already, and are never looked at again.
 *
 * The executor copies a state that has moved to its own memory, and most of a
 * doubled chunk is empty.  So it is handed an expanded object that it flattens
 * into the place where the larger table is to be, once.  Beside the chunk
 * there is nothing: the executor walks all memory contexts for each new group.
 *
 * Amounts are 62-bit integers until one is larger, then 126-bit ones; what even
 * these cannot hold is a numeric behind its record.
 *
 * The finished value is flat, see keyed_io.c.  Whoever reads a table must do
 * with both forms, since open ones travel between processes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "keyed.h"
#include "salkpi.h"

/*
 * Sizes of tables are powers of two, as the allocator rounds; it doesn't round
 * the large ones, which it gets from malloc with a header of its own, that must
 * not make them another page.
 */
#define KEYED_SIZE_MIN		256
#define KEYED_SIZE_ROUNDED	8192
#define ALLOCATOR_ROOM		128

/* The bits of an amount: the owner's flag, in the first one; is it big? */
#define RECORD_FLAG		1
#define RECORD_BIG		2
#define RECORD_BITS		(RECORD_FLAG | RECORD_BIG)

/* So many records are looked up together. */
#define BATCH_SIZE		32

/* An empty table, with the head of another one, in CurrentMemoryContext. */
static Keyed *
create_like(const Keyed *head, Size size)
{
	Keyed	   *keyed = palloc(size);

	*keyed = *head;
	SET_VARSIZE(keyed, size);
	keyed->is_unique = keyed->is_ascending = true;
	keyed->used = keyed->last = KEYED_FIRST_RECORD;
	keyed->count = 0;
	return keyed;
}

/* An empty table in CurrentMemoryContext, of which it is not known yet what of. */
Keyed *
salkpi_keyed_create(const KeyedType *type)
{
	Keyed		head = {0};

	head.form = KEYED_OPEN;
	head.width = type->width;
	return create_like(&head, KEYED_SIZE_MIN);
}

static KeyKind
key_kind(Oid type)
{
	return type == INT8OID ? KEY_INTEGER : type == UUIDOID ? KEY_UUID : KEY_TEXT;
}

static AmountType
amount_type(Oid type)
{
	switch (type)
	{
		case NUMERICOID:
			return AMOUNT_NUMERIC;
		case INT8OID:
			return AMOUNT_INT8;
		case INT4OID:
			return AMOUNT_INT4;
		case INT2OID:
			return AMOUNT_INT2;
		default:
			return AMOUNT_NONE;
	}
}

/*
 * Note that the rows to come are arguments of this transition function, (state,
 * key, amount if there is one, bounds if there are any), and of which types.
 */
void
salkpi_keyed_set_function(Keyed *keyed, Oid function)
{
	Oid		   *types;
	int			ntypes;
	KeyKind		kind;
	int			unit = 0;

	(void) get_func_signature(function, &types, &ntypes);
	kind = key_kind(types[1]);
	if (types[ntypes - 1] == DATEOID)
		unit = BOUND_DAYS;
	else if (types[ntypes - 1] == TIMESTAMPOID || types[ntypes - 1] == TIMESTAMPTZOID)
		unit = BOUND_INSTANTS;
	if (keyed->kind != 0 && (keyed->kind != kind || keyed->unit != unit))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("state has keys or bounds of another type")));
	keyed->kind = kind;
	keyed->unit = unit;
	keyed->amount_type = amount_type(types[2]);
	keyed->function = function;
	pfree(types);
}

/*
 * An error unless a table is well-formed, as far as can be told in constant
 * time: the rest holds for every value of the type, since input checks it.
 */
void
salkpi_keyed_check(const KeyedType *type, const struct varlena *v)
{
	const Keyed *keyed = (const Keyed *) v;

	if (!salkpi_keyed_is_open(v))
		return;
	if (VARSIZE(v) >= KEYED_FIRST_RECORD && keyed->width == type->width &&
		(keyed->unit != 0) == type->has_bounds &&
		keyed->used <= VARSIZE(v) && keyed->last <= keyed->used)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("%s value has an unknown format", type->name),
			 errhint("It may have been written by a newer version of salkpi.")));
}

/* ---------- Keys ---------- */

/* The order of keys: of bytes as memcmp, a text being below its continuations. */
int
salkpi_key_compare(KeyKind kind, const KeyedKey *a, const KeyedKey *b)
{
	int			order;

	if (kind == KEY_INTEGER)
		return (a->number > b->number) - (a->number < b->number);
	order = memcmp(a->bytes, b->bytes, Min(a->length, b->length));
	return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static inline uint32
mix(uint64 hash)
{
	hash = (hash ^ hash >> 33) * UINT64CONST(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64CONST(0xc4ceb9fe1a85ec53);
	return (uint32) (hash >> 32);
}

static inline uint32
hash_key(KeyKind kind, const KeyedKey *key)
{
	uint64		halves[2];

	if (kind == KEY_INTEGER)
		return mix((uint64) key->number);
	if (kind == KEY_TEXT)
		return hash_bytes((const unsigned char *) key->bytes, key->length);
	memcpy(halves, key->bytes, sizeof(halves));
	return mix(halves[0] + mix(halves[1]));
}

static inline bool
keys_are_equal(KeyKind kind, const KeyedKey *a, const KeyedKey *b)
{
	if (kind == KEY_INTEGER)
		return a->number == b->number;
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* ---------- Records ---------- */

/*
 * What the records of a table look like.  A constant where it matters, so that
 * the functions below are compiled for it.
 */
typedef struct Layout
{
	KeyKind		kind;			/* of the keys */
	int			width;			/* amounts of a record */
	bool		is_wide;		/* are they int128? */
} Layout;

static inline Layout
layout_of(const Keyed *keyed)
{
	return (Layout) {keyed->kind, keyed->width, keyed->is_wide};
}

static inline Size
amounts_size(Layout layout)
{
	return layout.width * (layout.is_wide ? sizeof(int128) : sizeof(int64));
}

/* Bytes of a key, with what fills them up. */
static inline Size
key_size(KeyKind kind, uint32 length)
{
	return kind == KEY_INTEGER ? sizeof(int64) : kind == KEY_UUID ? 16 :
		MAXALIGN(sizeof(uint32) + length);
}

/* An amount as it is in a record, with its bits. */
static inline int128
get_raw(Layout layout, const char *record, int i)
{
	return layout.is_wide ? ((const int128 *) record)[i] :
		((const int64 *) record)[i];
}

static inline void
set_raw(Layout layout, char *record, int i, int128 raw)
{
	if (layout.is_wide)
		((int128 *) record)[i] = raw;
	else
		((int64 *) record)[i] = (int64) raw;
}

/* Can a record hold this as it is? */
static inline bool
is_raw(Layout layout, int128 raw)
{
	return layout.is_wide ? salkpi_is_small(raw >> 2) : raw == (int64) raw;
}

/* The key of a record, which stays where it is; returns what is behind it. */
static inline const char *
get_key(Layout layout, const char *record, KeyedKey *key)
{
	const char *own = record + amounts_size(layout);

	if (layout.kind == KEY_INTEGER)
	{
		key->number = *(const int64 *) own;
		return own + sizeof(int64);
	}
	key->bytes = own;
	key->length = 16;
	if (layout.kind == KEY_TEXT)
	{
		key->length = *(const uint32 *) own;
		key->bytes += sizeof(uint32);
	}
	return own + key_size(layout.kind, key->length);
}

/* What a record says; returns the next one. */
static inline const char *
get_record(Layout layout, const char *record, KeyedItem *item)
{
	const char *end = get_key(layout, record, &item->key);
	int			i;

	item->flag = (get_raw(layout, record, 0) & RECORD_FLAG) != 0;
	for (i = 0; i < layout.width; i++)
	{
		int128		raw = get_raw(layout, record, i);

		item->sums[i].small = raw >> 2;
		item->sums[i].big = NULL;
		if (layout.is_wide && (raw & RECORD_BIG))
		{
			item->sums[i].big = (Numeric) end;
			end += MAXALIGN(VARSIZE(end));
		}
	}
	return end;
}

/* What the record at an offset says; returns the offset of the next one. */
uint32
salkpi_keyed_read(const Keyed *keyed, uint32 offset, KeyedItem *item)
{
	return get_record(layout_of(keyed), (const char *) keyed + offset, item) -
		(const char *) keyed;
}

/* Are the amounts of a record no wider than a table's? */
static inline bool
is_wide_enough(Layout layout, const KeyedItem *item)
{
	int			i;

	for (i = 0; i < layout.width && !layout.is_wide; i++)
		if (item->sums[i].big != NULL || !is_raw(layout, item->sums[i].small * 4))
			return false;
	return true;
}

static inline Size
record_size(Layout layout, const KeyedItem *item)
{
	Size		size = amounts_size(layout) + key_size(layout.kind, item->key.length);
	int			i;

	for (i = 0; i < layout.width && layout.is_wide; i++)
		if (unlikely(item->sums[i].big != NULL))
			size += MAXALIGN(VARSIZE(item->sums[i].big));
	return size;
}

static inline void
put_key(KeyKind kind, char *own, const KeyedKey *key)
{
	if (kind == KEY_INTEGER)
		*(int64 *) own = key->number;
	else if (kind == KEY_UUID)
		memcpy(own, key->bytes, 16);
	else
	{
		*(uint32 *) own = key->length;
		memcpy(own + sizeof(uint32), key->bytes, key->length);
	}
}

/* Write a record, for which there is room. */
static inline void
put_record(Layout layout, char *record, const KeyedItem *item)
{
	char	   *end = record + amounts_size(layout);
	int			i;

	put_key(layout.kind, end, &item->key);
	end += key_size(layout.kind, item->key.length);
	for (i = 0; i < layout.width; i++)
	{
		int128		raw = item->sums[i].small * 4;

		if (i == 0 && item->flag)
			raw |= RECORD_FLAG;
		if (layout.is_wide && unlikely(item->sums[i].big != NULL))
		{
			raw |= RECORD_BIG;
			memcpy(end, item->sums[i].big, VARSIZE(item->sums[i].big));
			end += MAXALIGN(VARSIZE(end));
		}
		set_raw(layout, record, i, raw);
	}
}

/* Add an item to a record, if that can hold the sums. */
static inline bool
add_to_record(Layout layout, char *record, const KeyedItem *item)
{
	int128		raw[KEYED_MAX_WIDTH];
	int			i;

	for (i = 0; i < layout.width; i++)
	{
		raw[i] = get_raw(layout, record, i) + item->sums[i].small * 4;
		if (unlikely((raw[i] & RECORD_BIG) || item->sums[i].big != NULL ||
					 !is_raw(layout, raw[i])))
			return false;
	}
	if (item->flag)
		raw[0] |= RECORD_FLAG;
	for (i = 0; i < layout.width; i++)
		set_raw(layout, record, i, raw[i]);
	return true;
}

/*
 * Add an item to the last record, if that is of its key, or append it: false
 * if it doesn't fit.
 */
static pg_attribute_always_inline bool
try_add_to(Keyed *keyed, Layout layout, const KeyedItem *item)
{
	char	   *last = (char *) keyed + keyed->last;
	int			order = 1;
	KeyedKey	key;
	Size		size;

	if (!is_wide_enough(layout, item))
		return false;
	if (keyed->count > 0)
	{
		(void) get_key(layout, last, &key);
		order = salkpi_key_compare(layout.kind, &item->key, &key);
		if (order == 0 && add_to_record(layout, last, item))
			return true;
	}
	size = record_size(layout, item);
	if (size > VARSIZE(keyed) - keyed->used)
		return false;
	put_record(layout, (char *) keyed + keyed->used, item);
	keyed->is_ascending = keyed->is_ascending && order > 0;
	keyed->is_unique = keyed->is_ascending;
	keyed->last = keyed->used;
	keyed->used += size;
	keyed->count++;
	return true;
}

static inline bool
try_add(Keyed *keyed, const KeyedItem *item)
{
	if (keyed->kind != KEY_INTEGER || keyed->is_wide)
		return try_add_to(keyed, layout_of(keyed), item);
	if (keyed->width == 1)
		return try_add_to(keyed, (Layout) {KEY_INTEGER, 1, false}, item);
	return try_add_to(keyed, (Layout) {KEY_INTEGER, 2, false}, item);
}

/* ---------- One record a key ---------- */

/* Where the first record of each key is. */
typedef struct Slots
{
	uint32	   *slots;			/* offset of a record, in 8 bytes; 0 = free */
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
	KeyedItem	item;
	KeyedKey	key;
	bool		is_known = false;
	char	   *record;

	(void) get_record(layout, (char *) keyed + offset, &item);
	for (; slots->slots[slot] != 0; slot = (slot + 1) & slots->mask)
	{
		record = (char *) keyed + (Size) slots->slots[slot] * 8;
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
	slots->slots[slot] = *end / 8;
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
	KeyedItem	item;
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
			__builtin_prefetch((char *) keyed + (Size) slots->slots[slot[i]] * 8);
		for (i = 0; i < n; i++)
			is_unique &= settle_record(keyed, layout, slots, slot[i], offsets[i],
									   offsets[i + 1] - offsets[i], &end);
		CHECK_FOR_INTERRUPTS();
	}
	keyed->used = end;
	return is_unique;
}

static bool
make_unique(Keyed *keyed)
{
	Slots		slots;

	create_slots(&slots, keyed->count);
	if (keyed->kind != KEY_INTEGER || keyed->is_wide)
		keyed->is_unique = make_unique_of(keyed, layout_of(keyed), &slots);
	else if (keyed->width == 1)
		keyed->is_unique = make_unique_of(keyed, (Layout) {KEY_INTEGER, 1, false}, &slots);
	else
		keyed->is_unique = make_unique_of(keyed, (Layout) {KEY_INTEGER, 2, false}, &slots);
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

/* ---------- Growing ---------- */

/* The size of the table that is to hold so many bytes, and is larger. */
static Size
next_size(const Keyed *keyed, Size bytes)
{
	Size		size = KEYED_SIZE_MIN;

	while (size <= VARSIZE(keyed) || size < bytes)
		size = size < KEYED_SIZE_ROUNDED ? size * 2 :
			size == KEYED_SIZE_ROUNDED ? size * 2 - ALLOCATOR_ROOM :
			(size + ALLOCATOR_ROOM) * 2 - ALLOCATOR_ROOM;
	if (bytes > MaxAllocSize || VARSIZE(keyed) == MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("state of an aggregate would be larger than 1 GB"),
				 errdetail("It holds %u customers or purchases.",
						   keyed->count),
				 errhint("Group by a part of them, and roll up the results.")));
	return Min(size, MaxAllocSize);
}

/*
 * What a table and, if there is one, another item hold, with one record a key,
 * at a display scale, as wide as the amounts need: a fresh table in
 * CurrentMemoryContext, half of which is empty.
 */
static Keyed *
rewrite(const Keyed *keyed, const KeyedItem *more, int dscale)
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
		head.is_wide = head.is_wide || !is_wide_enough(layout_of(&head), &items[n]);
	for (n = 0; n < count; n++)
		bytes += record_size(layout_of(&head), &items[n]);
	fresh = create_like(&head, bytes * 2 <= VARSIZE(keyed) ? VARSIZE(keyed) :
						next_size(keyed, bytes));
	for (n = 0; n < count; n++)
		(void) try_add(fresh, &items[n]);
	fresh->is_unique = true;
	pfree(items);
	return fresh;
}

/* A table that is to grow. */
typedef struct Growth
{
	ExpandedObjectHeader header;
	const Keyed *keyed;			/* the table */
	KeyedItem	item;			/* for which it has no room */
	Size		size;			/* that it is to have */
} Growth;

/* Write a table and an item to a larger place, of which the rest is left. */
static void
grow_into(Keyed *place, Size size, const Keyed *keyed, const KeyedItem *item)
{
	memcpy(place, keyed, keyed->used);
	SET_VARSIZE(place, size);
	(void) try_add(place, item);
}

static Size
get_grown_size(ExpandedObjectHeader *header)
{
	return ((Growth *) header)->size;
}

static void
flatten_growth(ExpandedObjectHeader *header, void *place, Size size)
{
	Growth	   *growth = (Growth *) header;

	grow_into(place, size, growth->keyed, &growth->item);
}

static const ExpandedObjectMethods growth_methods = {get_grown_size, flatten_growth};

/* What the executor makes the larger table of when it copies it. */
static Datum
growth_datum(const Keyed *keyed, const KeyedItem *item, Size size)
{
	Growth	   *growth = palloc(sizeof(Growth));

	EOH_init_header(&growth->header, &growth_methods, CurrentMemoryContext);
	growth->keyed = keyed;
	growth->item = *item;
	growth->size = size;
	return EOHPGetRODatum(&growth->header);
}

/*
 * Add an item, for which the table may have to be made unique or written anew;
 * returns 0, or the size to which it must grow before.
 */
static Size
add_or_size(Keyed **keyed, const KeyedItem *item)
{
	if (likely(try_add(*keyed, item)))
		return 0;
	if (!is_wide_enough(layout_of(*keyed), item) ||
		!((*keyed)->is_unique || make_unique(*keyed)))
	{
		*keyed = rewrite(*keyed, item, (*keyed)->dscale);
		return 0;
	}
	if ((*keyed)->used <= VARSIZE(*keyed) / 8 * 3 && try_add(*keyed, item))
		return 0;
	return next_size(*keyed, (*keyed)->used + record_size(layout_of(*keyed), item));
}

/*
 * Add an item: a transition, whose result is the table, another one or what the
 * executor makes another one of.
 */
Datum
salkpi_keyed_add(Keyed *keyed, const KeyedItem *item)
{
	Size		size = add_or_size(&keyed, item);

	return size == 0 ? PointerGetDatum(keyed) : growth_datum(keyed, item, size);
}

/* The same with a table as the result, in CurrentMemoryContext if it is another. */
Keyed *
salkpi_keyed_put(Keyed *keyed, const KeyedItem *item)
{
	Size		size = add_or_size(&keyed, item);
	Keyed	   *grown;

	if (size == 0)
		return keyed;
	grown = palloc(size);
	grow_into(grown, size, keyed, item);
	return grown;
}

/* Bring all amounts to a larger display scale, in place; false if some don't fit. */
static bool
rescale_in_place(Keyed *keyed, int by)
{
	Layout		layout = layout_of(keyed);
	char	   *end = (char *) keyed + keyed->used;
	int128		factor = 1;
	KeyedItem	item;
	char	   *record;
	char	   *next;
	int			i;

	(void) salkpi_rescale(&factor, by);
	for (record = (char *) keyed + KEYED_FIRST_RECORD; record < end; record = next)
	{
		next = (char *) get_record(layout, record, &item);
		for (i = 0; i < layout.width; i++)
			if (item.sums[i].big != NULL || !salkpi_rescale(&item.sums[i].small, by) ||
				!is_raw(layout, item.sums[i].small * 4))
				return false;
	}
	for (record = (char *) keyed + KEYED_FIRST_RECORD; record < end; record = next)
	{
		next = (char *) get_record(layout, record, &item);
		for (i = 0; i < layout.width; i++)
			set_raw(layout, record, i, item.sums[i].small * factor * 4 |
					(get_raw(layout, record, i) & RECORD_BITS));
	}
	return true;
}

/* The table at a larger display scale, in CurrentMemoryContext if it is another. */
Keyed *
salkpi_keyed_rescale(Keyed *keyed, int dscale)
{
	int			by = salkpi_fixed_scale(dscale) - salkpi_fixed_scale(keyed->dscale);

	if (by > 0 && !rescale_in_place(keyed, by))
		return rewrite(keyed, NULL, dscale);
	keyed->dscale = dscale;
	return keyed;
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
	return make_unique(copy) ? copy : rewrite(copy, NULL, keyed->dscale);
}
