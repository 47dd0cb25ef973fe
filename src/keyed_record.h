/*
 * keyed_record.h
 *	  The records of an open table of keyed amounts (keyed.c).
 */
#ifndef SALKPI_KEYED_RECORD_H
#define SALKPI_KEYED_RECORD_H

#include "utils/memutils.h"

#include "keyed.h"

/* The bits of an amount: the owner's flag, in the first one; is it big? */
#define RECORD_FLAG		1
#define RECORD_BIG		2
#define RECORD_BITS		(RECORD_FLAG | RECORD_BIG)

/*
 * Largest chunk: records start at a multiple of four bytes that 25 bits hold,
 * in one of 2^7 chunks.
 */
#define KEYED_CHUNK_BITS	25
#define KEYED_CHUNK_MAX		((Size) sizeof(int32) << KEYED_CHUNK_BITS)

/*
 * Records of so few bytes are not made unique; once there are more than so many
 * it is remembered where each key is, and new ones are made unique in such steps.
 */
#define UNIQUE_MIN			1024
#define UNIQUE_EARLY_MAX	0x10000
#define UNIQUE_STEP			0x10000

/* keyed.c */
extern void salkpi_keyed_settle(Keyed *keyed);
extern void salkpi_keyed_fill(Keyed *keyed, KeyedChunk *chunk, Size last_size);
extern void salkpi_keyed_extend(Keyed *keyed, Size bytes);

/* keyed_unique.c */
extern bool salkpi_keyed_make_unique(Keyed *keyed, bool is_growing);
extern void salkpi_keyed_rewrite(Keyed *keyed, const KeyedItem *more,
								 int dscale);

/*
 * Bytes at which keys are to be made unique again, which are so many now that
 * "gone" of "count" records were of no new key: four times as many, or as there
 * would be with all keys, of which there are about count^2 / 2 gone if they come
 * at random.  Where it is remembered where keys are, soon.
 */
static inline uint32
unique_at(Size bytes, uint32 count, uint32 gone)
{
	Size		all = bytes * (count / 2 / Max(gone, 1));

	if (bytes > UNIQUE_EARLY_MAX)
		return bytes + UNIQUE_STEP;
	return Max(Max(bytes * 4, UNIQUE_MIN), Min(all * 4, UNIQUE_EARLY_MAX));
}

/* ---------- Keys ---------- */

static inline uint32
hash_key(KeyKind kind, const KeyedKey *key)
{
	if (kind == KEY_INTEGER)
		return (uint32) salkpi_mix((uint64) key->number);
	if (kind == KEY_UUID)
		return (uint32) salkpi_mix(salkpi_mix(salkpi_load8(key->bytes)) ^ salkpi_load8(key->bytes + 8));
	return salkpi_hash_text(key->bytes, key->length);
}

static inline bool
keys_are_equal(KeyKind kind, const KeyedKey *a, const KeyedKey *b)
{
	if (kind == KEY_INTEGER)
		return a->number == b->number;
	return a->length == b->length && salkpi_same_bytes(a->bytes, b->bytes, a->length);
}

/* ---------- Records ---------- */

/*
 * What the records of a table look like.  A constant where it matters, so that
 * the functions below are compiled for it, once inlined.
 */
typedef struct Layout
{
	KeyKind		kind;			/* of the keys */
	int			width;			/* amounts of a record */
	Size		amount_size;	/* bytes of each: 4, 8 or 16 */
} Layout;

static inline Layout
layout_of(const Keyed *keyed)
{
	return (Layout) {keyed->kind, keyed->width, keyed->amount_size};
}

/* A function of a table and its layout, compiled for those that are common. */
#define FOR_LAYOUT(keyed, function, argument) \
	((keyed)->amount_size == 16 ? function(keyed, layout_of(keyed), argument) : \
	 (keyed)->width == 1 ? \
	 ((keyed)->amount_size == 4 ? FOR_KIND(keyed, function, argument, 1, 4) : \
	  FOR_KIND(keyed, function, argument, 1, 8)) : \
	 ((keyed)->amount_size == 4 ? FOR_KIND(keyed, function, argument, 2, 4) : \
	  FOR_KIND(keyed, function, argument, 2, 8)))

#define FOR_KIND(keyed, function, argument, width, amount_size) \
	((keyed)->kind == KEY_INTEGER ? \
	 function(keyed, ((Layout) {KEY_INTEGER, width, amount_size}), argument) : \
	 (keyed)->kind == KEY_UUID ? \
	 function(keyed, ((Layout) {KEY_UUID, width, amount_size}), argument) : \
	 function(keyed, ((Layout) {KEY_TEXT, width, amount_size}), argument))

/* What records, and integers in them, are aligned to. */
static pg_attribute_always_inline Size
alignment_of(Layout layout)
{
	return Min(layout.amount_size, sizeof(int64));
}

/* Bytes of a key, with what fills them up. */
static pg_attribute_always_inline Size
key_size(Layout layout, uint32 length)
{
	return layout.kind == KEY_INTEGER ? alignment_of(layout) :
		layout.kind == KEY_UUID ? 16 :
		TYPEALIGN(alignment_of(layout), sizeof(uint32) + length);
}

/* An amount as it is in a record, with its bits. */
static pg_attribute_always_inline int128
get_raw(Layout layout, const char *record, int i)
{
	return layout.amount_size == 4 ? ((const int32 *) record)[i] :
		layout.amount_size == 8 ? ((const int64 *) record)[i] :
		((const int128 *) record)[i];
}

static pg_attribute_always_inline void
set_raw(Layout layout, char *record, int i, int128 raw)
{
	if (layout.amount_size == 4)
		((int32 *) record)[i] = (int32) raw;
	else if (layout.amount_size == 8)
		((int64 *) record)[i] = (int64) raw;
	else
		((int128 *) record)[i] = raw;
}

/* Can a record hold this as it is? */
static pg_attribute_always_inline bool
is_raw(Layout layout, int128 raw)
{
	return layout.amount_size == 4 ? raw == (int32) raw :
		layout.amount_size == 8 ? raw == (int64) raw :
		salkpi_is_small(raw >> 2);
}

/* The key of a record, which stays where it is; returns what is behind it. */
static pg_attribute_always_inline const char *
get_key(Layout layout, const char *record, KeyedKey *key)
{
	const char *own = record + layout.width * layout.amount_size;

	if (layout.kind == KEY_INTEGER)
	{
		key->number = layout.amount_size == 4 ? *(const int32 *) own : *(const int64 *) own;
		return own + key_size(layout, 0);
	}
	key->bytes = own;
	key->length = 16;
	if (layout.kind == KEY_TEXT)
	{
		key->length = *(const uint32 *) own;
		key->bytes += sizeof(uint32);
	}
	return own + key_size(layout, key->length);
}

/* The key of a record; returns the next one. */
static pg_attribute_always_inline const char *
skip_record(Layout layout, const char *record, KeyedKey *key)
{
	const char *end = get_key(layout, record, key);
	int			i;

	for (i = 0; i < layout.width && layout.amount_size == 16; i++)
		if (get_raw(layout, record, i) & RECORD_BIG)
			end += MAXALIGN(VARSIZE(end));
	return end;
}

/* What a record says; returns the next one. */
static pg_attribute_always_inline const char *
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
		if (layout.amount_size == 16 && (raw & RECORD_BIG))
		{
			item->sums[i].big = (Numeric) end;
			end += MAXALIGN(VARSIZE(end));
		}
	}
	return end;
}

/* Do the amounts of an item, and a key that is an integer, fit into a record? */
static pg_attribute_always_inline bool
is_roomy_enough(Layout layout, const KeyedItem *item)
{
	int			i;

	if (layout.kind == KEY_INTEGER && layout.amount_size == 4 &&
		item->key.number != (int32) item->key.number)
		return false;
	for (i = 0; i < layout.width && layout.amount_size < 16; i++)
		if (item->sums[i].big != NULL || !is_raw(layout, item->sums[i].small * 4))
			return false;
	return true;
}

static pg_attribute_always_inline Size
record_size(Layout layout, const KeyedItem *item)
{
	Size		size = layout.width * layout.amount_size + key_size(layout, item->key.length);
	int			i;

	for (i = 0; i < layout.width && layout.amount_size == 16; i++)
		if (unlikely(item->sums[i].big != NULL))
			size += MAXALIGN(VARSIZE(item->sums[i].big));
	return size;
}

/* Copy bytes; keys are short: no call for up to 16 bytes. */
static pg_attribute_always_inline void
copy_bytes(char *to, const char *from, uint32 length)
{
	uint64		first;
	uint64		last;

	if (length < 8 || length > 16)
	{
		memcpy(to, from, length);
		return;
	}
	first = salkpi_load8(from);
	last = salkpi_load8(from + length - 8);
	memcpy(to, &first, 8);
	memcpy(to + length - 8, &last, 8);
}

static pg_attribute_always_inline void
put_key(Layout layout, char *own, const KeyedKey *key)
{
	if (layout.kind == KEY_INTEGER && layout.amount_size == 4)
		*(int32 *) own = (int32) key->number;
	else if (layout.kind == KEY_INTEGER)
		*(int64 *) own = key->number;
	else if (layout.kind == KEY_UUID)
		memcpy(own, key->bytes, 16);
	else
	{
		*(uint32 *) own = key->length;
		copy_bytes(own + sizeof(uint32), key->bytes, key->length);
	}
}

/* Write a record, for which there is room. */
static pg_attribute_always_inline void
put_record(Layout layout, char *record, const KeyedItem *item)
{
	char	   *end = record + layout.width * layout.amount_size;
	int			i;

	put_key(layout, end, &item->key);
	end += key_size(layout, item->key.length);
	for (i = 0; i < layout.width; i++)
	{
		int128		raw = item->sums[i].small * 4;

		if (i == 0 && item->flag)
			raw |= RECORD_FLAG;
		if (layout.amount_size == 16 && unlikely(item->sums[i].big != NULL))
		{
			raw |= RECORD_BIG;
			memcpy(end, item->sums[i].big, VARSIZE(item->sums[i].big));
			end += MAXALIGN(VARSIZE(end));
		}
		set_raw(layout, record, i, raw);
	}
}

/* Add an item to a record, if that can hold the sums. */
static pg_attribute_always_inline bool
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

/* Add a record to another one, if that can hold the sums. */
static pg_attribute_always_inline bool
merge_records(Layout layout, char *record, const char *more)
{
	int64		raw[KEYED_MAX_WIDTH];
	KeyedItem	item;
	int			i;

	if (layout.amount_size == 16)
	{
		(void) get_record(layout, more, &item);
		return add_to_record(layout, record, &item);
	}
	for (i = 0; i < layout.width; i++)
		if (__builtin_add_overflow((int64) get_raw(layout, record, i),
								   (int64) get_raw(layout, more, i) & ~(int64) RECORD_BITS,
								   &raw[i]) ||
			(layout.amount_size == 4 && raw[i] != (int32) raw[i]))
			return false;
	raw[0] |= (int64) get_raw(layout, more, 0) & RECORD_FLAG;
	for (i = 0; i < layout.width; i++)
		set_raw(layout, record, i, raw[i]);
	return true;
}

/* The last record: there is one. */
static pg_attribute_always_inline char *
last_record(const Keyed *keyed)
{
	return likely(keyed->last_size > 0) ? keyed->end - keyed->last_size : keyed->last;
}

/* The order of a key and that of the last record. */
static pg_attribute_always_inline int
compare_to_last(const Keyed *keyed, Layout layout, const KeyedKey *key, uint64 prefix)
{
	KeyedKey	last;

	if (likely(prefix != keyed->last_prefix))
		return prefix > keyed->last_prefix ? 1 : -1;
	(void) get_key(layout, last_record(keyed), &last);
	return salkpi_key_compare(layout.kind, key, &last);
}

/*
 * Add an item to the last record, if that is of its key, or append it: false
 * if it doesn't fit.  The head knows the last key well enough for a row to
 * wait for no more of the table: it was written long ago if groups are many.
 */
static pg_attribute_always_inline bool
try_add_to(Keyed *keyed, Layout layout, const KeyedItem *item)
{
	uint64		prefix = salkpi_key_prefix(layout.kind, &item->key);
	int			order = 1;
	Size		size;

	if (!is_roomy_enough(layout, item))
		return false;
	if (keyed->count > 0)
		order = compare_to_last(keyed, layout, &item->key, prefix);
	if (order == 0 && add_to_record(layout, last_record(keyed), item))
		return true;
	size = record_size(layout, item);
	if (size > keyed->left)
		return false;
	put_record(layout, keyed->end, item);
	keyed->is_ascending = keyed->is_ascending && order > 0;
	keyed->is_unique = keyed->is_ascending;
	keyed->last_size = size;
	keyed->last_prefix = prefix;
	keyed->end += size;
	keyed->left -= size;
	keyed->count++;
	return true;
}

static inline bool
try_add(Keyed *keyed, const KeyedItem *item)
{
	return FOR_LAYOUT(keyed, try_add_to, item);
}

#endif							/* SALKPI_KEYED_RECORD_H */
