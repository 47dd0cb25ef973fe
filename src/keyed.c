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

#include "keyed_record.h"
#include "salkpi.h"

/*
 * Sizes of tables are powers of two, as the allocator rounds; it doesn't round
 * the large ones, which it gets from malloc with a header of its own, that must
 * not make them another page.
 */
#define KEYED_SIZE_MIN		256
#define KEYED_SIZE_ROUNDED	8192
#define ALLOCATOR_ROOM		128

/* An empty table, with the head of another one, in CurrentMemoryContext. */
Keyed *
salkpi_keyed_create_like(const Keyed *head, Size size)
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
	head.amount_size = sizeof(int32);
	return salkpi_keyed_create_like(&head, KEYED_SIZE_MIN);
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

/* What the record at an offset says; returns the offset of the next one. */
uint32
salkpi_keyed_read(const Keyed *keyed, uint32 offset, KeyedItem *item)
{
	return get_record(layout_of(keyed), (const char *) keyed + offset, item) -
		(const char *) keyed;
}

/* ---------- Growing ---------- */

/* The size of the table that is to hold so many bytes, and is larger. */
Size
salkpi_keyed_next_size(const Keyed *keyed, Size bytes)
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
	if (!is_roomy_enough(layout_of(*keyed), item) ||
		!((*keyed)->is_unique || salkpi_keyed_make_unique(*keyed)))
	{
		*keyed = salkpi_keyed_rewrite(*keyed, item, (*keyed)->dscale);
		return 0;
	}
	if ((*keyed)->used <= VARSIZE(*keyed) / 8 * 3 && try_add(*keyed, item))
		return 0;
	return salkpi_keyed_next_size(*keyed, (*keyed)->used + record_size(layout_of(*keyed), item));
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
		return salkpi_keyed_rewrite(keyed, NULL, dscale);
	keyed->dscale = dscale;
	return keyed;
}
