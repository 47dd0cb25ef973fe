/*
 * keyed.c
 *	  Sums of amounts by key: the table behind kpi_amounts and kpi_accounts.
 *
 * How many customers stayed, and how many purchases there were, can be told
 * from each customer's and each purchase's rows together only, and these come
 * in any order, from several workers and several months.  So the state of such
 * an aggregate is a table of keys with their amounts.
 *
 * While rows come it is open: one chunk with the slots of a hash table, then
 * the entries in order of appearance, and from the end downwards a pool of
 * what has no fixed size: texts, and numerics that int128 cannot hold.  It is
 * changed in place.  When entries and pool meet, or three quarters of the slots
 * are taken, it moves to a fresh chunk, of twice the size unless much of the
 * pool is garbage, which the executor copies to the aggregate's context.  A
 * chunk per group, and nothing else: the executor walks all memory contexts
 * for each new group.
 *
 * The finished value is flat, see keyed_io.c.  Whoever reads a table must do
 * with both forms, since open ones travel between processes.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "keyed.h"
#include "salkpi.h"

/* The smallest table; sizes are powers of two, as the allocator rounds. */
#define KEYED_SIZE_MIN		256

/* So many bytes of a table have one slot. */
#define BYTES_PER_SLOT		32

/* An empty table, with the head of another one, in CurrentMemoryContext. */
static Keyed *
create_like(const Keyed *head, Size size)
{
	Keyed	   *keyed = palloc(size);

	memcpy(keyed, head, offsetof(Keyed, slots));
	SET_VARSIZE(keyed, size);
	keyed->nslots = (size + 1) / BYTES_PER_SLOT;
	keyed->count = 0;
	keyed->pool = size;
	memset(keyed->slots, 0, keyed->nslots * sizeof(uint32));
	return keyed;
}

/* An empty table in CurrentMemoryContext. */
Keyed *
salkpi_keyed_create(const KeyedType *type, KeyKind kind)
{
	Keyed		head = {0};

	head.form = KEYED_OPEN;
	head.kind = kind;
	head.width = type->width;
	return create_like(&head, KEYED_SIZE_MIN);
}

void
salkpi_keyed_wrong_kind(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("state has keys of another type")));
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
	if (VARSIZE(v) >= KEYED_SIZE_MIN && keyed->width == type->width &&
		(keyed->unit != 0) == type->has_bounds &&
		keyed->nslots == (VARSIZE(v) + 1) / BYTES_PER_SLOT &&
		keyed->pool <= VARSIZE(v) && keyed->count < keyed->nslots &&
		(char *) salkpi_keyed_entry(keyed, keyed->count) <=
		(char *) keyed + keyed->pool)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("%s value has an unknown format", type->name),
			 errhint("It may have been written by a newer version of salkpi.")));
}

/* ---------- Growing ---------- */

/* The numeric of an amount that is big, where it lies in the pool. */
static const char *
big_at(const Keyed *keyed, const KeyedEntry *entry, int i)
{
	return (const char *) keyed + (uint32) entry->amounts[i];
}

static uint32
big_size(const char *big)
{
	int32		header;

	memcpy(&header, big, sizeof(header));
	return VARSIZE(&header);
}

/* Bytes that entries and pool need once the garbage is gone. */
static Size
count_live_bytes(const Keyed *keyed)
{
	Size		bytes = keyed->count * salkpi_keyed_stride(keyed);
	uint32		n;
	int			i;

	for (n = 0; n < keyed->count; n++)
	{
		KeyedEntry *entry = salkpi_keyed_entry(keyed, n);

		if (keyed->kind == KEY_TEXT)
			bytes += ((KeyedText *) salkpi_keyed_key(keyed, entry))->length;
		for (i = 0; i < keyed->width; i++)
			if (entry->flags & KEYED_BIG(i))
				bytes += big_size(big_at(keyed, entry, i));
	}
	return bytes;
}

/* Put bytes into the pool, which has room for them; returns their offset. */
static uint32
put_bytes(Keyed *keyed, const char *bytes, uint32 length)
{
	keyed->pool -= length;
	memcpy((char *) keyed + keyed->pool, bytes, length);
	return keyed->pool;
}

/* Let the next free slot for a hash find an entry. */
static inline void
put_slot(Keyed *keyed, uint32 hash, uint32 number)
{
	uint32		mask = keyed->nslots - 1;
	uint32		slot = hash & mask;

	while (keyed->slots[slot] != 0)
		slot = (slot + 1) & mask;
	keyed->slots[slot] = number + 1;
}

/* Copy an entry, and what it has in the pool, to the end of another table. */
static void
copy_entry(const Keyed *from, uint32 n, Keyed *to)
{
	const KeyedEntry *entry = salkpi_keyed_entry(from, n);
	KeyedEntry *copy = salkpi_keyed_entry(to, n);
	int			i;

	memcpy(copy, entry, salkpi_keyed_stride(from));
	if (to->kind == KEY_TEXT)
	{
		KeyedText  *text = salkpi_keyed_key(to, copy);

		text->offset = put_bytes(to, (const char *) from + text->offset,
								 text->length);
	}
	for (i = 0; i < from->width; i++)
		if (entry->flags & KEYED_BIG(i))
			copy->amounts[i] = put_bytes(to, big_at(from, entry, i),
										 big_size(big_at(from, entry, i)));
	put_slot(to, copy->hash, n);
	to->count++;
}

/* Does a table of a size hold so many entries in so many bytes? */
static bool
is_enough(Size size, Size count, Size bytes)
{
	Size		nslots = (size + 1) / BYTES_PER_SLOT;

	return count <= nslots / 4 * 3 &&
		MAXALIGN(offsetof(Keyed, slots) + nslots * sizeof(uint32)) + bytes <= size;
}

/*
 * The same table in a chunk with room for another entry and some bytes of the
 * pool, and then for as much again.
 */
static Keyed *
grow(const Keyed *keyed, Size bytes)
{
	Size		count = (Size) keyed->count + 1;
	Size		needed = count_live_bytes(keyed) + salkpi_keyed_stride(keyed) + bytes;
	Size		size = VARSIZE(keyed);
	Keyed	   *grown;
	uint32		n;

	while (!is_enough(size, count + count / 2, needed + needed / 2) &&
		   size < MaxAllocSize)
		size = Min(size * 2, MaxAllocSize);
	if (!is_enough(size, count, needed))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("state of an aggregate would be larger than 1 GB"),
				 errdetail("It holds %u customers or purchases.",
						   keyed->count),
				 errhint("Group by a part of them, and roll up the results.")));
	grown = create_like(keyed, size);
	for (n = 0; n < keyed->count; n++)
	{
		if ((n & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		copy_entry(keyed, n, grown);
	}
	return grown;
}

/* Is there room for another entry and some bytes of the pool? */
static inline bool
has_room(const Keyed *keyed, Size bytes)
{
	return keyed->count < keyed->nslots / 4 * 3 &&
		(char *) salkpi_keyed_entry(keyed, keyed->count + 1) + bytes <=
		(char *) keyed + keyed->pool;
}

/* ---------- Keys ---------- */

static inline bool
has_key(const Keyed *keyed, KeyedEntry *entry, const KeyedKey *key)
{
	void	   *own = salkpi_keyed_key(keyed, entry);

	if (keyed->kind == KEY_INTEGER)
		return *(int64 *) own == key->number;
	if (entry->hash != key->hash)
		return false;
	if (keyed->kind == KEY_UUID)
		return memcmp(own, key->bytes, key->length) == 0;
	return ((KeyedText *) own)->length == key->length &&
		memcmp((char *) keyed + ((KeyedText *) own)->offset, key->bytes,
			   key->length) == 0;
}

/* A new entry for a key, without amounts and flags. */
static pg_noinline KeyedEntry *
append(Keyed **keyed, const KeyedKey *key)
{
	Size		bytes = (*keyed)->kind == KEY_TEXT ? key->length : 0;
	KeyedEntry *entry;
	void	   *own;

	if (!has_room(*keyed, bytes))
		*keyed = grow(*keyed, bytes);
	entry = salkpi_keyed_entry(*keyed, (*keyed)->count);
	memset(entry, 0, salkpi_keyed_stride(*keyed));
	entry->hash = key->hash;
	own = salkpi_keyed_key(*keyed, entry);
	if ((*keyed)->kind == KEY_INTEGER)
		*(int64 *) own = key->number;
	else if ((*keyed)->kind == KEY_UUID)
		memcpy(own, key->bytes, key->length);
	else
	{
		((KeyedText *) own)->offset = put_bytes(*keyed, key->bytes, key->length);
		((KeyedText *) own)->length = key->length;
	}
	put_slot(*keyed, key->hash, (*keyed)->count++);
	return entry;
}

/* The entry of a key, if need be a new one, of what is then the table. */
KeyedEntry *
salkpi_keyed_put(Keyed **keyed, const KeyedKey *key)
{
	const Keyed *table = *keyed;
	uint32		mask = table->nslots - 1;
	uint32		slot = key->hash & mask;

	while (table->slots[slot] != 0)
	{
		KeyedEntry *entry = salkpi_keyed_entry(table, table->slots[slot] - 1);

		if (has_key(table, entry, key))
			return entry;
		slot = (slot + 1) & mask;
	}
	return append(keyed, key);
}

/* ---------- Amounts ---------- */

/* An amount, and a big one as a copy in CurrentMemoryContext. */
static ExactSum
get_amount(const Keyed *keyed, const KeyedEntry *entry, int i)
{
	ExactSum	sum = {entry->amounts[i], NULL};

	if (entry->flags & KEYED_BIG(i))
	{
		const char *big = big_at(keyed, entry, i);

		sum.small = 0;
		sum.big = (Numeric) memcpy(palloc(big_size(big)), big, big_size(big));
	}
	return sum;
}

/* Settle and set an amount of an entry. */
static void
set_amount(Keyed **keyed, uint32 number, int i, ExactSum *sum)
{
	KeyedEntry *entry = salkpi_keyed_entry(*keyed, number);

	salkpi_sum_settle(sum, salkpi_fixed_scale((*keyed)->dscale));
	entry->flags &= ~KEYED_BIG(i);
	entry->amounts[i] = sum->small;
	if (sum->big == NULL)
		return;
	if (!has_room(*keyed, VARSIZE(sum->big)))
	{
		*keyed = grow(*keyed, VARSIZE(sum->big));
		entry = salkpi_keyed_entry(*keyed, number);
	}
	entry->flags |= KEYED_BIG(i);
	entry->amounts[i] = put_bytes(*keyed, (const char *) sum->big,
								  VARSIZE(sum->big));
}

/* Bring all amounts to the scale of a larger display scale. */
static void
grow_scale(Keyed **keyed, int dscale)
{
	int			old_scale = salkpi_fixed_scale((*keyed)->dscale);
	int			by = salkpi_fixed_scale(dscale) - old_scale;
	uint32		n;
	int			i;

	(*keyed)->dscale = dscale;
	for (n = 0; n < (*keyed)->count && by > 0; n++)
		for (i = 0; i < (*keyed)->width; i++)
		{
			ExactSum	sum = get_amount(*keyed, salkpi_keyed_entry(*keyed, n), i);

			if ((n & 0xFFFF) == 0)
				CHECK_FOR_INTERRUPTS();
			if (!salkpi_rescale(&sum.small, by))
				salkpi_sum_spill(&sum, old_scale);
			set_amount(keyed, n, i, &sum);
		}
}

static uint32
number_of(const Keyed *keyed, const KeyedEntry *entry)
{
	return ((char *) entry - (char *) salkpi_keyed_entry(keyed, 0)) /
		salkpi_keyed_stride(keyed);
}

/* Add a numeric to an amount, whatever that takes. */
pg_noinline void
salkpi_keyed_add_slowly(Keyed **keyed, KeyedEntry *entry, int i, Datum value)
{
	uint32		number = number_of(*keyed, entry);
	Numeric		addend = DatumGetNumeric(value);
	NumericParts parts;
	ExactSum	sum;
	int128		small;

	salkpi_numeric_read((struct varlena *) addend, &parts);
	if (parts.dscale > (*keyed)->dscale)
		grow_scale(keyed, parts.dscale);
	sum = get_amount(*keyed, salkpi_keyed_entry(*keyed, number), i);
	if (salkpi_parts_to_int128(&parts, salkpi_fixed_scale((*keyed)->dscale),
							   &small))
		salkpi_sum_add(&sum, small, salkpi_fixed_scale((*keyed)->dscale));
	else
		salkpi_sum_add_big(&sum, addend);
	set_amount(keyed, number, i, &sum);
}

/* Add what a key has in another table, whose display scale is given. */
void
salkpi_keyed_add_item(Keyed **keyed, const KeyedItem *item, int dscale)
{
	KeyedEntry *entry;
	uint32		number;
	int			i;

	if (dscale > (*keyed)->dscale)
		grow_scale(keyed, dscale);
	entry = salkpi_keyed_put(keyed, &item->key);
	entry->flags |= item->flags;
	number = number_of(*keyed, entry);
	for (i = 0; i < (*keyed)->width; i++)
	{
		int			scale = salkpi_fixed_scale((*keyed)->dscale);
		ExactSum	addend = item->sums[i];
		ExactSum	sum;

		if (addend.small == 0 && addend.big == NULL)
			continue;
		sum = get_amount(*keyed, salkpi_keyed_entry(*keyed, number), i);
		if (!salkpi_rescale(&addend.small, scale - salkpi_fixed_scale(dscale)))
			salkpi_sum_spill(&addend, salkpi_fixed_scale(dscale));
		salkpi_sum_add(&sum, addend.small, scale);
		if (addend.big != NULL)
			salkpi_sum_add_big(&sum, addend.big);
		set_amount(keyed, number, i, &sum);
	}
}

/* The key of an entry, which stays where it is. */
void
salkpi_keyed_key_read(const Keyed *keyed, KeyedEntry *entry, KeyedKey *key)
{
	void	   *own = salkpi_keyed_key(keyed, entry);

	key->hash = entry->hash;
	if (keyed->kind == KEY_INTEGER)
		key->number = *(int64 *) own;
	else if (keyed->kind == KEY_UUID)
	{
		key->bytes = own;
		key->length = 16;
	}
	else
	{
		key->bytes = (const char *) keyed + ((KeyedText *) own)->offset;
		key->length = ((KeyedText *) own)->length;
	}
}

/* What an entry holds. */
void
salkpi_keyed_read(const Keyed *keyed, uint32 number, KeyedItem *item)
{
	KeyedEntry *entry = salkpi_keyed_entry(keyed, number);
	int			i;

	salkpi_keyed_key_read(keyed, entry, &item->key);
	item->flags = entry->flags & ~(KEYED_BIG(0) | KEYED_BIG(1));
	for (i = 0; i < keyed->width; i++)
		item->sums[i] = get_amount(keyed, entry, i);
}
