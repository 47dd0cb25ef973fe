/*
 * keyed.c
 *	  Sums of amounts by key: the table behind kpi_amounts and kpi_accounts.
 *
 * How many customers stayed, and how many purchases there were, can be told
 * from each customer's and each purchase's rows together only, and these come
 * in any order, from several workers and several months.  So the state of such
 * an aggregate is a table of keys with their amounts.
 *
 * While rows come it is open: an expanded object with a list of chunks, to whose
 * end records are appended as to a log, many of a key.  Only a row with the key
 * of the record before it is added to that.  When there is four times as much
 * as there would be with one record a key, or up to 64 kB where few keys have come
 * again, the records of each key are made one, all at once.  So a row costs a
 * write to where the last one was written, and a constant share of passes that
 * fetch in time what they will touch: a hash table that is looked up row by row
 * waits for memory each time, several times with many groups.  Records in the
 * order of their keys (an order's lines, as they were entered) have one each
 * already, and are never looked at again.
 *
 * With many groups most of the time goes into memory.  So the heads of all
 * groups' tables are in one place, small, and what a row needs of one in one or
 * two cache lines, fetched for several rows at once (keyed_tables.c); and a log
 * grows by chunks that are never copied.  Records are made unique where they are,
 * even when a result is only read: it doesn't show.
 *
 * Amounts are 30-bit integers until one is larger, then 62-bit and at last
 * 126-bit ones; what even these cannot hold is a numeric behind its record.
 *
 * The finished value is flat, see keyed_io.c, and so is what travels between
 * processes.  Whoever reads a table must do with both forms.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "keyed_record.h"
#include "salkpi.h"

/* More chunks come behind the first one, each half of what there is. */
#define CHUNK_SIZE_MIN		128

/* The allocator rounds to powers of two up to here. */
#define CHUNK_SIZE_ROUNDED	8192

/* Records go to the end of this chunk, which has the last one if that has a size. */
void
salkpi_keyed_fill(Keyed *keyed, KeyedChunk *chunk, Size last_size)
{
	keyed->tail = chunk;
	keyed->end = (char *) chunk + chunk->used;
	keyed->left = chunk->size - chunk->used;
	keyed->last_size = last_size;
}

/* An empty table in KEYED_SIZE bytes of memory, of which it is not known yet what of. */
Keyed *
salkpi_keyed_create(const KeyedType *type, MemoryContext context, void *memory)
{
	Keyed	   *keyed = memory;

	memset(keyed, 0, sizeof(Keyed));
	EOH_init_header(&keyed->header, &salkpi_keyed_methods, context);
	keyed->type = type;
	keyed->width = type->width;
	keyed->amount_size = sizeof(int32);
	keyed->is_unique = keyed->is_ascending = true;
	keyed->unique_at = unique_at(0, 0, 0);
	keyed->chunk.size = keyed->room = KEYED_SIZE - offsetof(Keyed, chunk);
	keyed->chunk.used = sizeof(KeyedChunk);
	salkpi_keyed_fill(keyed, &keyed->chunk, 0);
	return keyed;
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
	else if (types[ntypes - 1] == TIMESTAMPTZOID)
		unit = BOUND_INSTANTS;
	else if (types[ntypes - 1] == TIMESTAMPOID)
		unit = BOUND_TIMES;
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
 * The record at this place of a chunk, or the first one of the chunks behind
 * it if the chunk has no more; NULL behind the last one.
 */
const char *
salkpi_keyed_next_record(const KeyedChunk **chunk, const char *record)
{
	while (record == (const char *) *chunk + (*chunk)->used)
	{
		*chunk = (*chunk)->next;
		if (*chunk == NULL)
			return NULL;
		record = salkpi_keyed_first(*chunk);
	}
	return record;
}

/* What a record says; returns what is behind it. */
const char *
salkpi_keyed_read(const Keyed *keyed, const char *record, KeyedItem *item)
{
	return get_record(layout_of(keyed), record, item);
}

/* ---------- Growing ---------- */

static KeyedChunk *
create_chunk(Keyed *keyed, Size size)
{
	KeyedChunk *chunk = MemoryContextAlloc(keyed->header.eoh_context, size);

	chunk->next = NULL;
	chunk->size = size;
	chunk->used = sizeof(KeyedChunk);
	return chunk;
}

/* The size of a new chunk with room for so many bytes. */
static Size
chunk_size(const Keyed *keyed, Size bytes)
{
	Size		size = CHUNK_SIZE_MIN;

	bytes += sizeof(KeyedChunk);
	if (bytes > KEYED_CHUNK_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("id is too long"),
				 errdetail("With its amounts it takes %zu bytes of a state, of which an id may take %zu.",
						   bytes, KEYED_CHUNK_MAX)));
	while (size < CHUNK_SIZE_ROUNDED && (size * 4 <= keyed->room || size < bytes))
		size *= 2;
	if (size == CHUNK_SIZE_ROUNDED)
		size = Max(size, Min(keyed->room / 2, KEYED_CHUNK_MAX));
	size = TYPEALIGN(sizeof(int64), Max(size, bytes));
	if (keyed->room + size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("state of an aggregate would be larger than 1 GB"),
				 errdetail("It holds %u customers or purchases.",
						   keyed->count),
				 errhint("Group by a part of them, and roll up the results.")));
	return size;
}

/* Go on to a chunk that has room for so many bytes; all records are settled. */
void
salkpi_keyed_extend(Keyed *keyed, Size bytes)
{
	KeyedChunk *chunk = keyed->tail;

	if (keyed->last_size > 0)
		keyed->last = last_record(keyed);
	do
	{
		if (chunk->next == NULL)
		{
			chunk->next = create_chunk(keyed, chunk_size(keyed, bytes));
			keyed->room += chunk->next->size;
		}
		chunk = chunk->next;
	} while (chunk->size - sizeof(KeyedChunk) < bytes);
	salkpi_keyed_fill(keyed, chunk, 0);
}

/* Note how many bytes of the chunks are used. */
void
salkpi_keyed_settle(Keyed *keyed)
{
	uint32		used = keyed->end - (char *) keyed->tail;

	keyed->bytes += used - keyed->tail->used;
	keyed->tail->used = used;
}

/* Add an item for which there is no room, or not yet. */
static void
add_with_room(Keyed *keyed, const KeyedItem *item)
{
	Size		size;

	salkpi_keyed_settle(keyed);
	if (!is_roomy_enough(layout_of(keyed), item) ||
		(!keyed->is_unique && keyed->bytes >= keyed->unique_at &&
		 !salkpi_keyed_make_unique(keyed, true)))
	{
		salkpi_keyed_rewrite(keyed, item, keyed->dscale);
		return;
	}
	size = record_size(layout_of(keyed), item);
	if (size > keyed->left)
		salkpi_keyed_extend(keyed, size);
	(void) try_add(keyed, item);
}

/* Add an item.  Common layouts do without what others need. */
void
salkpi_keyed_add(Keyed *keyed, const KeyedItem *item)
{
	const Layout one_amount = {KEY_INTEGER, 1, sizeof(int32)};
	const Layout two_amounts = {KEY_INTEGER, 2, sizeof(int32)};
	bool		is_added;

	if (keyed->kind != KEY_INTEGER || keyed->amount_size != sizeof(int32))
		is_added = try_add(keyed, item);
	else if (keyed->width == 1)
		is_added = try_add_to(keyed, one_amount, item);
	else
		is_added = try_add_to(keyed, two_amounts, item);
	if (unlikely(!is_added))
		add_with_room(keyed, item);
}

/* ---------- Scale ---------- */

/* Can all amounts be brought to a larger scale where they are? */
static bool
is_scalable(const Keyed *keyed, int by)
{
	Layout		layout = layout_of(keyed);
	const KeyedChunk *chunk = &keyed->chunk;
	const char *record = salkpi_keyed_first(chunk);
	KeyedItem	item;
	int			i;

	while ((record = salkpi_keyed_next_record(&chunk, record)) != NULL)
	{
		record = get_record(layout, record, &item);
		for (i = 0; i < layout.width; i++)
			if (item.sums[i].big != NULL || !salkpi_rescale(&item.sums[i].small, by) ||
				!is_raw(layout, item.sums[i].small * 4))
				return false;
	}
	return true;
}

static void
rescale_in_place(Keyed *keyed, int by)
{
	Layout		layout = layout_of(keyed);
	const KeyedChunk *chunk = &keyed->chunk;
	const char *record = salkpi_keyed_first(chunk);
	int128		factor = 1;
	KeyedItem	item;
	char	   *own;
	int			i;

	(void) salkpi_rescale(&factor, by);
	while ((record = salkpi_keyed_next_record(&chunk, record)) != NULL)
	{
		own = (char *) record;
		record = get_record(layout, record, &item);
		for (i = 0; i < layout.width; i++)
			set_raw(layout, own, i, item.sums[i].small * factor * 4 |
					(get_raw(layout, own, i) & RECORD_BITS));
	}
}

/* Bring all amounts to a larger display scale. */
void
salkpi_keyed_rescale(Keyed *keyed, int dscale)
{
	int			by = salkpi_fixed_scale(dscale) - salkpi_fixed_scale(keyed->dscale);

	salkpi_keyed_settle(keyed);
	if (by > 0 && !is_scalable(keyed, by))
		salkpi_keyed_rewrite(keyed, NULL, dscale);
	else if (by > 0)
		rescale_in_place(keyed, by);
	keyed->dscale = dscale;
}
