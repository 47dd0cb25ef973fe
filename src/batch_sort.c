/*
 * batch_sort.c
 *	  Rows of a batch in an order.
 *
 * The executor's sort makes a tuple of each row, which the node above takes
 * apart again, and whatever rows are made of is worked out for it row by row.
 * Here rows are worked out in batches and kept as they are, and what is sorted
 * are the beginnings of their first keys with a pointer.  When they need more
 * than work_mem they go to a sort as the executor has it, which spills.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "batch.h"
#include "salkpi.h"
#include "segment.h"
#include "texts.h"

/* What a plan has to say. */
enum
{
	PLAN_COLUMNS,				/* what rows are made of, by the columns of the input */
	PLAN_KEYS,					/* numbers of those that are sorted by, from 1 */
	PLAN_OPERATORS,				/* of these */
	PLAN_COLLATIONS,			/* as well */
	PLAN_NULLS_FIRST			/* as well */
};

/* Memory is taken in pieces: small ones first. */
#define SMALLEST_PIECE	((Size) 64 * 1024)
#define LARGEST_PIECE	((Size) 8 * 1024 * 1024)

/* How many rows ahead their memory is asked for, and how much of it. */
#define ROWS_AHEAD		16
#define LINES_AHEAD		3
#define CACHE_LINE		64

/* A column of the rows that somebody looks at. */
typedef struct SortColumn
{
	BatchExpression *values;	/* before the sort */
	BatchExpression *target;	/* behind it, NULL: only a key */
	int			attribute;		/* of the rows, from 0 */
	int16		length;			/* of its type */
	bool		is_by_value;	/* as well */
} SortColumn;

/* A key, and the column that it is. */
typedef struct SortKey
{
	SortSupportData support;
	int			column;
	Oid			image_type;		/* of values whose order a number tells, InvalidOid: it cannot */
	bool		is_exact;		/* do rows with the same image have the same key? */
} SortKey;

/* A row, with its values by reference behind it. */
typedef struct SortedRow
{
	uint64		nulls;			/* a bit for each column */
	Datum		values[FLEXIBLE_ARRAY_MEMBER];
} SortedRow;

/* No more columns than "nulls" has bits: of others the executor sorts. */
#define MOST_COLUMNS	64

/* That many keys have an image, a number in their order as far as it goes. */
#define IMAGES		3

typedef struct SortItem
{
	uint64		images[IMAGES]; /* 0: there is no such key */
	const SortedRow *row;
} SortItem;

struct BatchSort
{
	BatchSource source;			/* of rows as they come */
	BatchProgram program;		/* over them */
	TupleDesc	form;			/* of the rows made */
	int			ncolumns;
	SortColumn *columns;
	int			nkeys;
	SortKey    *keys;
	List	   *plan;
	bool		is_sorted;
	Size		common;			/* bytes with which the first key of all rows begins, not in its image */

	/* In memory. */
	MemoryContext context;
	char	   *room;			/* free space */
	Size		room_size;		/* bytes */
	Size		piece;			/* bytes of the next piece of memory */
	Size		used;			/* bytes of all */
	SortItem   *items;
	Size		items_size;		/* room for how many */
	Size		nitems;
	Size		next;			/* the row at hand */

	/* By the executor's sort. */
	Tuplesortstate *tuples;		/* NULL: in memory */
	TupleTableSlot *input_slot;
	TupleTableSlot *slot;		/* the row at hand; empty: the next has to be fetched */
	BatchReader target;			/* of those rows */
};

/* ---------- the plan ---------- */

/*
 * What a plan has to say of a sort of rows that are made (targetlist) of the
 * input's; NIL when there are too many columns.
 */
List *
salkpi_batch_sort_plan(const Sort *sort, List *targetlist)
{
	List	   *lists[5] = {targetlist};

	if (list_length(targetlist) > MOST_COLUMNS)
		return NIL;
	for (int i = 0; i < sort->numCols; i++)
	{
		lists[PLAN_KEYS] = lappend_int(lists[PLAN_KEYS], sort->sortColIdx[i]);
		lists[PLAN_OPERATORS] = lappend_oid(lists[PLAN_OPERATORS], sort->sortOperators[i]);
		lists[PLAN_COLLATIONS] = lappend_oid(lists[PLAN_COLLATIONS], sort->collations[i]);
		lists[PLAN_NULLS_FIRST] = lappend_int(lists[PLAN_NULLS_FIRST], sort->nullsFirst[i]);
	}
	return list_make5(lists[0], lists[1], lists[2], lists[3], lists[4]);
}

/* The form of the sorted rows. */
TupleDesc
salkpi_batch_sort_form(List *plan)
{
	return ExecTypeFromTL(list_nth(plan, PLAN_COLUMNS));
}

/* Columns that the target looks at, or that are keys. */
static void
prepare_columns(BatchSort *s, BatchProgram *target)
{
	ListCell   *cell;

	s->columns = palloc(s->form->natts * sizeof(SortColumn));
	foreach(cell, (List *) list_nth(s->plan, PLAN_COLUMNS))
	{
		int			i = foreach_current_index(cell);
		Form_pg_attribute form = TupleDescAttr(s->form, i);

		if (target->columns[i] != NULL || list_member_int(list_nth(s->plan, PLAN_KEYS), i + 1))
			s->columns[s->ncolumns++] = (SortColumn) {
				salkpi_batch_compile(&s->program, lfirst_node(TargetEntry, cell)->expr),
				target->columns[i], i, form->attlen, form->attbyval
			};
	}
}

/* The type of a key if a number tells the order of its values, as far as it goes. */
static Oid
image_type(Oid type, Oid operator, Oid collation)
{
	TypeCacheEntry *entry;

	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case UUIDOID:
			break;
		case TEXTOID:
		case VARCHAROID:
			if (collation != C_COLLATION_OID)
				return InvalidOid;
			type = TEXTOID;
			break;
		default:
			return InvalidOid;
	}
	entry = lookup_type_cache(type, TYPECACHE_LT_OPR | TYPECACHE_GT_OPR);
	return operator == entry->lt_opr || operator == entry->gt_opr ? type : InvalidOid;
}

static void
prepare_keys(BatchSort *s)
{
	s->nkeys = list_length(list_nth(s->plan, PLAN_KEYS));
	s->keys = palloc0(s->nkeys * sizeof(SortKey));
	for (int i = 0; i < s->nkeys; i++)
	{
		SortKey    *key = &s->keys[i];
		SortSupport support = &key->support;
		Oid			operator = list_nth_oid(list_nth(s->plan, PLAN_OPERATORS), i);

		while (s->columns[key->column].attribute != list_nth_int(list_nth(s->plan, PLAN_KEYS), i) - 1)
			key->column++;
		support->ssup_cxt = CurrentMemoryContext;
		support->ssup_collation = list_nth_oid(list_nth(s->plan, PLAN_COLLATIONS), i);
		support->ssup_nulls_first = list_nth_int(list_nth(s->plan, PLAN_NULLS_FIRST), i);
		PrepareSortSupportFromOrderingOp(operator, support);
		key->image_type = image_type(TupleDescAttr(s->form, s->columns[key->column].attribute)->atttypid,
									 operator, support->ssup_collation);
		key->is_exact = true;
	}
}

/* Rows are read from the input, and sorted for the columns of "target" that are looked at. */
BatchSort *
salkpi_batch_sort_begin(PlanState *input, BatchProgram *target, List *plan)
{
	BatchSort  *s = palloc0(sizeof(BatchSort));

	s->plan = plan;
	s->form = salkpi_batch_sort_form(plan);
	s->context = AllocSetContextCreate(CurrentMemoryContext, "salkpi sort", ALLOCSET_DEFAULT_SIZES);
	salkpi_batch_program_init(&s->program, target->parent, ExecGetResultType(input));
	prepare_columns(s, target);
	prepare_keys(s);
	salkpi_batch_source_init(&s->source, input, NIL, &s->program);
	salkpi_batch_reader_init(&s->target, target, s->form);
	s->input_slot = MakeSingleTupleTableSlot(s->form, &TTSOpsVirtual);
	s->slot = MakeSingleTupleTableSlot(s->form, &TTSOpsMinimalTuple);
	return s;
}

/* There is nothing in memory any more. */
static void
forget_rows(BatchSort *s)
{
	MemoryContextReset(s->context);
	s->room_size = 0;
	s->used = 0;
	s->items = NULL;
	s->items_size = 0;
	s->nitems = 0;
	s->common = 0;
	for (int i = 0; i < s->nkeys; i++)
		s->keys[i].is_exact = true;
}

void
salkpi_batch_sort_rescan(BatchSort *s)
{
	ExecClearTuple(s->slot);
	if (s->tuples != NULL)
		tuplesort_end(s->tuples);
	s->tuples = NULL;
	s->is_sorted = false;
	s->next = 0;
	forget_rows(s);
	salkpi_batch_source_rescan(&s->source);
	salkpi_batch_forget(&s->program);
}

void
salkpi_batch_sort_end(BatchSort *s)
{
	salkpi_batch_sort_rescan(s);
	ExecDropSingleTupleTableSlot(s->slot);
	ExecDropSingleTupleTableSlot(s->input_slot);
	ExecDropSingleTupleTableSlot(s->program.row);
}

/* ---------- keeping rows ---------- */

static void *
take_room(BatchSort *s, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (size > s->room_size)
	{
		s->piece = s->used == 0 ? SMALLEST_PIECE : Min(s->piece * 2, LARGEST_PIECE);
		s->room_size = Max(s->piece, size);
		s->room = MemoryContextAllocHuge(s->context, s->room_size);
		salkpi_prefer_huge_pages(s->room, s->room_size);
		s->used += s->room_size;
	}
	result = s->room;
	s->room += size;
	s->room_size -= size;
	return result;
}

/* A copy of a value by reference. */
static Datum
copy_value(BatchSort *s, Datum datum, int16 length)
{
	Size		size;
	void	   *copy;

	if (length == -1 && (VARATT_IS_EXTERNAL(DatumGetPointer(datum)) || VARATT_IS_COMPRESSED(DatumGetPointer(datum))))
		datum = PointerGetDatum(PG_DETOAST_DATUM(datum));
	size = datumGetSize(datum, false, length);
	copy = take_room(s, size);
	memcpy(copy, DatumGetPointer(datum), size);
	return PointerGetDatum(copy);
}

/* The first eight bytes of a text or uuid, as a number in the same order. */
static uint64
first_bytes(const char *bytes, Size length)
{
	uint64		first = 0;

	memcpy(&first, bytes, Min(length, sizeof(first)));
	return pg_ntoh64(first);
}

/* That of a value, the same for all where a number cannot tell their order; texts begin behind "common" bytes. */
static uint64
image_of_value(SortKey *key, Datum value, Size common)
{
	Size		length;

	switch (key->image_type)
	{
		case BOOLOID:
			return DatumGetBool(value) ? 2 : 1;
		case INT2OID:
			return (uint64) DatumGetInt16(value) ^ (UINT64CONST(1) << 63);
		case INT4OID:
		case DATEOID:
			return (uint64) DatumGetInt32(value) ^ (UINT64CONST(1) << 63);
		case INT8OID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return (uint64) DatumGetInt64(value) ^ (UINT64CONST(1) << 63);
		case UUIDOID:
			key->is_exact = false;
			return first_bytes((const char *) DatumGetUUIDP(value)->data, UUID_LEN);
		case TEXTOID:
			length = VARSIZE_ANY_EXHDR(DatumGetPointer(value)) - common;
			if (length > sizeof(uint64))
				key->is_exact = false;
			return first_bytes(VARDATA_ANY(DatumGetPointer(value)) + common, length);
		default:
			key->is_exact = false;
			return 1;
	}
}

/*
 * A number that is in the order of a key, whatever direction that has.  NULL has
 * that of the least or the greatest value, which may be there as well.
 */
static uint64
image_of(BatchSort *s, int n, const SortedRow *row)
{
	SortKey    *key = &s->keys[n];
	uint64		image;

	if (row->nulls & (UINT64CONST(1) << key->column))
	{
		key->is_exact = false;
		return key->support.ssup_nulls_first ? 0 : PG_UINT64_MAX;
	}
	image = image_of_value(key, row->values[key->column], n == 0 ? s->common : 0);
	return key->support.ssup_reverse ? ~image : image;
}

static void
keep_row(BatchSort *s, int row)
{
	SortedRow  *kept = take_room(s, offsetof(SortedRow, values) + s->ncolumns * sizeof(Datum));

	kept->nulls = 0;
	for (int i = 0; i < s->ncolumns; i++)
	{
		const SortColumn *column = &s->columns[i];
		Datum		value = column->values->values[row];

		if (column->values->nulls[row])
		{
			kept->nulls |= UINT64CONST(1) << i;
			value = (Datum) 0;
		}
		else if (!column->is_by_value)
			value = copy_value(s, value, column->length);
		kept->values[i] = value;
	}
	s->items = salkpi_reserve(s->context, s->items, &s->items_size, s->nitems + 1, sizeof(SortItem));
	s->items[s->nitems] = (SortItem) {.row = kept};
	for (int n = 0; n < Min(s->nkeys, IMAGES); n++)
		s->items[s->nitems].images[n] = image_of(s, n, kept);
	s->nitems++;
}

/* ---------- the executor's sort ---------- */

static void
begin_tuples(BatchSort *s)
{
	AttrNumber	columns[MOST_COLUMNS];
	Oid			operators[MOST_COLUMNS];
	Oid			collations[MOST_COLUMNS];
	bool		nulls_first[MOST_COLUMNS];

	for (int i = 0; i < s->nkeys; i++)
	{
		columns[i] = list_nth_int(list_nth(s->plan, PLAN_KEYS), i);
		operators[i] = list_nth_oid(list_nth(s->plan, PLAN_OPERATORS), i);
		collations[i] = list_nth_oid(list_nth(s->plan, PLAN_COLLATIONS), i);
		nulls_first[i] = list_nth_int(list_nth(s->plan, PLAN_NULLS_FIRST), i);
	}
	s->tuples = tuplesort_begin_heap(s->form, s->nkeys, columns, operators, collations, nulls_first,
									 work_mem, NULL, TUPLESORT_NONE);
}

static void
put_tuple(BatchSort *s, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot = s->input_slot;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, s->form->natts * sizeof(bool));
	for (int i = 0; i < s->ncolumns; i++)
	{
		slot->tts_values[s->columns[i].attribute] = values[i];
		slot->tts_isnull[s->columns[i].attribute] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(s->tuples, slot);
}

static void
put_row(BatchSort *s, int row)
{
	Datum		values[MOST_COLUMNS];
	bool		nulls[MOST_COLUMNS];

	for (int i = 0; i < s->ncolumns; i++)
	{
		values[i] = s->columns[i].values->values[row];
		nulls[i] = s->columns[i].values->nulls[row];
	}
	put_tuple(s, values, nulls);
}

/* All rows so far go to the executor's sort, as all behind them will. */
static void
leave_memory(BatchSort *s)
{
	bool		nulls[MOST_COLUMNS];

	begin_tuples(s);
	for (Size n = 0; n < s->nitems; n++)
	{
		const SortedRow *row = s->items[n].row;

		for (int i = 0; i < s->ncolumns; i++)
			nulls[i] = (row->nulls >> i) & 1;
		put_tuple(s, row->values, nulls);
	}
	forget_rows(s);
}

/* ---------- sorting ---------- */

static int
compare_rows(const SortItem *a, const SortItem *b, const BatchSort *s)
{
	int			order = 0;

	for (int i = 0; i < s->nkeys && order == 0; i++)
	{
		SortKey    *key = &s->keys[i];
		uint64		bit = UINT64CONST(1) << key->column;

		if (i < IMAGES && a->images[i] != b->images[i])
			return a->images[i] < b->images[i] ? -1 : 1;
		if (i < IMAGES && key->is_exact)
			continue;
		order = ApplySortComparator(a->row->values[key->column], (a->row->nulls & bit) != 0,
									b->row->values[key->column], (b->row->nulls & bit) != 0, &key->support);
	}
	return order;
}

/* Most differ by the first. */
static inline int
compare_items(const SortItem *a, const SortItem *b, const BatchSort *s)
{
	if (a->images[0] != b->images[0])
		return a->images[0] < b->images[0] ? -1 : 1;
	return compare_rows(a, b, s);
}

/*
 * Texts that are keys often begin alike, all of them: what is the same in all
 * rows tells nothing of their order, so images are of the bytes behind.
 */
static void
skip_common_bytes(BatchSort *s)
{
	SortKey    *key = &s->keys[0];
	const text *one = NULL;
	Size		common = 0;

	if (key->image_type != TEXTOID)
		return;
	for (Size n = 0; n < s->nitems && (one == NULL || common > 0); n++)
	{
		const SortedRow *row = s->items[n].row;
		const text *value = (const text *) DatumGetPointer(row->values[key->column]);

		if (row->nulls & (UINT64CONST(1) << key->column))
			continue;
		if (one == NULL)
		{
			one = value;
			common = VARSIZE_ANY_EXHDR(one);
		}
		common = salkpi_common_bytes(VARDATA_ANY(one), common, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	if (common == 0)
		return;
	s->common = common;
	key->is_exact = true;
	for (Size n = 0; n < s->nitems; n++)
		s->items[n].images[0] = image_of(s, 0, s->items[n].row);
}

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE SortItem
#define ST_COMPARE(a, b, sort) compare_items(a, b, sort)
#define ST_COMPARE_ARG_TYPE const BatchSort
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* Read a batch of the input; returns how many rows it has. */
static int
read_batch(BatchSort *s)
{
	BatchRows	all;
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	salkpi_batch_end(&s->program);
	all.count = salkpi_batch_source_read_rows(&s->source);
	for (int i = 0; i < all.count; i++)
		all.row[i] = i;
	salkpi_batch_begin(&s->program, all.count);
	caller = MemoryContextSwitchTo(s->program.batch_context);
	for (int i = 0; i < s->ncolumns && all.count > 0; i++)
		salkpi_batch_evaluate(s->columns[i].values, &all);
	MemoryContextSwitchTo(caller);
	return all.count;
}

static void
sort_input(BatchSort *s)
{
	int			count;

	do
	{
		count = read_batch(s);
		if (s->tuples == NULL && s->used + s->items_size * sizeof(SortItem) > work_mem * (Size) 1024)
			leave_memory(s);
		for (int row = 0; row < count; row++)
			if (s->tuples != NULL)
				put_row(s, row);
			else
				keep_row(s, row);
	} while (count == BATCH_ROWS);
	salkpi_batch_end(&s->program);
	if (s->tuples != NULL)
		tuplesort_performsort(s->tuples);
	else if (s->nitems > 1)
	{
		skip_common_bytes(s);
		sort_rows(s->items, s->nitems, s);
	}
	s->is_sorted = true;
}

/* ---------- sorted rows ---------- */

static void
read_kept(const BatchSort *s, const SortedRow *kept, int row)
{
	for (int i = 0; i < s->ncolumns; i++)
	{
		BatchExpression *target = s->columns[i].target;

		if (target == NULL)
			continue;
		target->values[row] = kept->values[i];
		target->nulls[row] = (kept->nulls >> i) & 1;
	}
}

/* Read the row at hand into the target's columns; false when there is none left. */
bool
salkpi_batch_sort_read(BatchSort *s, int row)
{
	if (!s->is_sorted)
		sort_input(s);
	if (s->tuples == NULL)
	{
		if (s->next >= s->nitems)
			return false;
		if (s->next + ROWS_AHEAD < s->nitems)
			for (int i = 0; i < LINES_AHEAD; i++)
				__builtin_prefetch((const char *) s->items[s->next + ROWS_AHEAD].row + i * CACHE_LINE);
		read_kept(s, s->items[s->next].row, row);
		return true;
	}
	if (TupIsNull(s->slot) && !tuplesort_gettupleslot(s->tuples, true, false, s->slot, NULL))
		return false;
	salkpi_batch_read_row(&s->target, s->slot, row);
	return true;
}

/* Go on to the next row. */
void
salkpi_batch_sort_advance(BatchSort *s)
{
	s->next++;
	ExecClearTuple(s->slot);
}
