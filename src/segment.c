/*
 * segment.c
 *	  Segments: the tables that number texts and tuples.
 *
 * A row names its segments by texts.  Each text is looked up once a row and
 * becomes a number, however many dimensions use it; from then on everything
 * is tuples of numbers: the member of a combined dimension (region, product),
 * the page of cells of (member, atom), the pair (member, customer).  So one
 * hash table of fixed-width tuples does all the rest.  Both tables use linear
 * probing over slots of eight bytes with the hash beside the number, at most
 * three quarters full; entries stay in order of appearance, so that arrays
 * indexed by their number can be kept beside a table.
 *
 * Order of appearance depends on the plan.  Whoever writes or reads a state
 * asks for the entries sorted: texts bytewise, tuples by a counting sort over
 * the ranks of their words, which costs a few sequential passes.
 */
#include "postgres.h"

#include <sys/mman.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "salkpi.h"
#include "segment.h"
#include "texts.h"

#define FIRST_SLOTS		16

/* What x86 and ARM have; elsewhere they are larger, and asked for in vain. */
#define HUGE_PAGE		(2 * 1024 * 1024)

/*
 * Ask for huge pages where memory fills some.  States and dictionaries grow to
 * hundreds of megabytes once in a query, and a fault for each 4 kB of them costs
 * more than what is done with it.  Memory that is not touched takes none, as
 * before.
 */
void
salkpi_prefer_huge_pages(void *memory, Size size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	start = TYPEALIGN(HUGE_PAGE, memory);
	uintptr_t	end = TYPEALIGN_DOWN(HUGE_PAGE, (uintptr_t) memory + size);

	if (start < end)
		(void) madvise((void *) start, end - start, MADV_HUGEPAGE);
#endif
}

/*
 * Make room for "needed" items in an array of *capacity items, at least
 * doubling it; new items are not touched, so that what is not used takes no
 * memory of the machine.  A NULL array is allocated.
 */
void *
salkpi_reserve(MemoryContext context, void *array, Size *capacity,
			   Size needed, Size item_size)
{
	Size		size = Max(Max(needed, *capacity * 2), 16);

	if (array != NULL && needed <= *capacity)
		return array;
	if (size > MaxAllocHugeSize / item_size)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("aggregate state needs too much memory")));
	if (array == NULL)
		array = MemoryContextAllocHuge(context, size * item_size);
	else
		array = repalloc_huge(array, size * item_size);
	salkpi_prefer_huge_pages(array, size * item_size);
	*capacity = size;
	return array;
}

/* The same; new items are zero. */
void *
salkpi_grow(MemoryContext context, void *array, Size *capacity, Size needed,
			Size item_size)
{
	Size		old = *capacity;

	array = salkpi_reserve(context, array, capacity, needed, item_size);
	if (*capacity > old)
		memset((char *) array + old * item_size, 0,
			   (*capacity - old) * item_size);
	return array;
}

static TableSlot *
allocate_slots(MemoryContext context, Size count)
{
	TableSlot  *slots = MemoryContextAllocHuge(context, count * sizeof(TableSlot));

	salkpi_prefer_huge_pages(slots, count * sizeof(TableSlot));
	return memset(slots, 0, count * sizeof(TableSlot));
}

static void
index_init(TableIndex *index, MemoryContext context)
{
	index->context = context;
	index->slots = allocate_slots(context, FIRST_SLOTS);
	index->mask = FIRST_SLOTS - 1;
	index->count = 0;
}

static void
index_insert(TableIndex *index, TableSlot slot)
{
	uint32		i = slot.hash & index->mask;

	while (index->slots[i].entry != 0)
		i = (i + 1) & index->mask;
	index->slots[i] = slot;
}

/* Will another entry need more places? */
static inline bool
index_is_full(const TableIndex *index, uint32 count)
{
	return count >= index->mask - index->mask / 4;
}

/* Bytes that are needed to add some entries; the old places go afterwards. */
static Size
index_growth(const TableIndex *index, uint32 count)
{
	return index_is_full(index, index->count + count) ?
		((Size) index->mask + 1) * 2 * sizeof(TableSlot) : 0;
}

/* Bytes by which salkpi_grow() may enlarge an array. */
static inline Size
array_growth(Size capacity, Size needed, Size item_size)
{
	return needed > capacity ? Max(capacity, needed) * item_size : 0;
}

/* Add an entry that is not in the index. */
static void
index_add(TableIndex *index, uint32 hash, uint32 number)
{
	TableSlot	slot = {hash, number + 1};

	if (index->count >= SALKPI_MAX_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("aggregate state has too many members or entities")));
	if (index_is_full(index, index->count))
	{
		TableSlot  *old = index->slots;
		uint32		old_mask = index->mask;
		uint32		i;

		index->slots = allocate_slots(index->context, (Size) (old_mask + 1) * 2);
		index->mask = old_mask * 2 + 1;
		for (i = 0; i <= old_mask; i++)
			if (old[i].entry != 0)
				index_insert(index, old[i]);
		pfree(old);
		CHECK_FOR_INTERRUPTS();
	}
	index_insert(index, slot);
	index->count++;
}

void
salkpi_texts_init(TextTable *table, MemoryContext context)
{
	memset(table, 0, sizeof(TextTable));
	index_init(&table->index, context);
}

/* Bytes that are needed, at most, to add some texts of so many bytes in all. */
Size
salkpi_texts_growth(const TextTable *table, uint32 count, Size bytes)
{
	return index_growth(&table->index, count) +
		array_growth(table->capacity, (Size) table->index.count + count,
					 sizeof(TextEntry)) +
		array_growth(table->size, table->used + bytes, 1);
}

static inline bool
is_text(const TextTable *table, uint32 number, const char *text, uint32 length)
{
	const TextEntry *entry = &table->entries[number];

	return entry->length == length &&
		salkpi_same_bytes(table->bytes + entry->offset, text, length);
}

static inline uint32
search_text(const TextTable *table, const char *text, uint32 length,
			uint32 hash)
{
	uint32		mask = table->index.mask;
	uint32		i;

	for (i = hash & mask;; i = (i + 1) & mask)
	{
		TableSlot	slot = table->index.slots[i];

		if (slot.entry == 0)
			return SALKPI_NOT_FOUND;
		if (slot.hash == hash && is_text(table, slot.entry - 1, text, length))
			return slot.entry - 1;
	}
}

/* Number of a text, or SALKPI_NOT_FOUND. */
uint32
salkpi_text_find(const TextTable *table, const char *text, uint32 length)
{
	return search_text(table, text, length, salkpi_hash_text(text, length));
}

static uint32
add_text(TextTable *table, const char *text, uint32 length, uint32 hash)
{
	MemoryContext context = table->index.context;
	TextEntry  *entry;

	table->entries = salkpi_reserve(context, table->entries, &table->capacity,
								 (Size) table->index.count + 1,
								 sizeof(TextEntry));
	table->bytes = salkpi_reserve(context, table->bytes, &table->size,
							   table->used + length, 1);
	entry = &table->entries[table->index.count];
	entry->offset = table->used;
	entry->length = length;
	memcpy(table->bytes + table->used, text, length);
	table->used += length;
	index_add(&table->index, hash, table->index.count);
	return table->index.count - 1;
}

/* Number of a text, which is added if it is new. */
uint32
salkpi_text_put(TextTable *table, const char *text, uint32 length)
{
	uint32		hash = salkpi_hash_text(text, length);
	uint32		number = search_text(table, text, length, hash);

	return number != SALKPI_NOT_FOUND ? number :
		add_text(table, text, length, hash);
}

static inline bool
is_text_before(const TextRef *texts, int i)
{
	return i > 0 && texts[i].length == texts[i - 1].length &&
		(texts[i].text == texts[i - 1].text ||
		 salkpi_same_bytes(texts[i].text, texts[i - 1].text, texts[i].length));
}

/*
 * Numbers of texts, at most SALKPI_MOST_TEXTS; those that are new are added.
 *
 * Looking a text up in a large table is a chain of cache misses: the slot, the
 * entry, the text itself.  Here those of many texts overlap.  And neighbouring
 * rows tend to have texts in common (the customer of the lines of a purchase).
 */
void
salkpi_texts_put(TextTable *table, const TextRef *texts, int count, uint32 *numbers)
{
	uint32		hash[SALKPI_MOST_TEXTS];
	bool		is_before[SALKPI_MOST_TEXTS];

	Assert(count <= SALKPI_MOST_TEXTS);
	for (int i = 0; i < count; i++)
	{
		is_before[i] = is_text_before(texts, i);
		hash[i] = is_before[i] ? hash[i - 1] : salkpi_hash_text(texts[i].text, texts[i].length);
		__builtin_prefetch(&table->index.slots[hash[i] & table->index.mask]);
	}
	for (int i = 0; i < count; i++)
	{
		numbers[i] = table->index.slots[hash[i] & table->index.mask].entry;
		if (numbers[i] != 0)
			__builtin_prefetch(&table->entries[numbers[i] - 1]);
	}
	for (int i = 0; i < count; i++)
		if (numbers[i] != 0)
			__builtin_prefetch(table->bytes + table->entries[numbers[i] - 1].offset);
	for (int i = 0; i < count; i++)
	{
		if (is_before[i])
		{
			numbers[i] = numbers[i - 1];
			continue;
		}
		numbers[i] = search_text(table, texts[i].text, texts[i].length, hash[i]);
		if (numbers[i] == SALKPI_NOT_FOUND)
			numbers[i] = add_text(table, texts[i].text, texts[i].length, hash[i]);
	}
}

/* Gather a text. */
void
salkpi_batch_add(TextTable *table, TextBatch *batch, const char *text,
				 uint32 length)
{
	Assert(batch->count < SALKPI_BATCH);
	batch->bytes = salkpi_grow(table->index.context, batch->bytes,
							   &batch->size, batch->used + length, 1);
	memcpy(batch->bytes + batch->used, text, length);
	batch->texts[batch->count++] = (TextEntry) {batch->used, length};
	batch->used += length;
}

/* Put the texts of a batch into a table, and empty it; returns their numbers. */
void
salkpi_batch_put(TextTable *table, TextBatch *batch, uint32 *numbers)
{
	TextRef		texts[SALKPI_BATCH];

	for (uint32 i = 0; i < batch->count; i++)
		texts[i] = (TextRef) {batch->bytes + batch->texts[i].offset, batch->texts[i].length};
	salkpi_texts_put(table, texts, batch->count, numbers);
	batch->count = 0;
	batch->used = 0;
}

/* A text being sorted. */
typedef struct SortText
{
	uint64		prefix;			/* its first bytes, most significant first */
	const char *text;			/* all of it */
	uint32		length;			/* in bytes */
	uint32		number;			/* in the table */
} SortText;

static int
compare_texts(const void *a, const void *b)
{
	const SortText *x = a;
	const SortText *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return salkpi_compare_bytes(x->text, x->length, y->text, y->length);
}

/* The numbers of all texts in bytewise order, palloc'd. */
uint32 *
salkpi_texts_sorted(const TextTable *table)
{
	uint32		count = table->index.count;
	SortText   *sort = palloc_extended(((Size) count + 1) * sizeof(SortText),
									   MCXT_ALLOC_HUGE);
	uint32	   *order = palloc_extended(((Size) count + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE);
	uint32		i;

	for (i = 0; i < count; i++)
	{
		SortText   *item = &sort[i];
		uint32		b;

		item->text = salkpi_text_at(table, i, &item->length);
		item->number = i;
		item->prefix = 0;
		for (b = 0; b < sizeof(uint64); b++)
			item->prefix = item->prefix << 8 |
				(b < item->length ? (unsigned char) item->text[b] : 0);
	}
	qsort(sort, count, sizeof(SortText), compare_texts);
	for (i = 0; i < count; i++)
		order[i] = sort[i].number;
	pfree(sort);
	return order;
}

void
salkpi_tuples_init(TupleTable *table, MemoryContext context, int width)
{
	memset(table, 0, sizeof(TupleTable));
	index_init(&table->index, context);
	table->width = width;
}

/* Bytes that are needed, at most, to add some tuples. */
Size
salkpi_tuples_growth(const TupleTable *table, uint32 count)
{
	return index_growth(&table->index, count) +
		array_growth(table->capacity,
					 ((Size) table->index.count + count) * table->width,
					 sizeof(uint32));
}

/* Add a tuple that is not in the table. */
uint32
salkpi_tuple_add(TupleTable *table, const uint32 *tuple, uint32 hash)
{
	Size		used = (Size) table->index.count * table->width;

	table->words = salkpi_reserve(table->index.context, table->words,
							   &table->capacity, used + table->width,
							   sizeof(uint32));
	memcpy(table->words + used, tuple, table->width * sizeof(uint32));
	index_add(&table->index, hash, table->index.count);
	return table->index.count - 1;
}

static inline uint32
ranked_word(const TupleTable *table, uint32 number, int w, const uint32 *rank)
{
	uint32		word = salkpi_tuple_at(table, number)[w];

	return rank == NULL ? word : rank[word];
}

/*
 * One stable pass of the counting sort: "from" is reordered into "to" by word
 * w, whose rank is below bound.
 */
static void
counting_pass(const TupleTable *table, int w, const uint32 *rank, uint32 bound,
			  const uint32 *from, uint32 *to)
{
	uint32	   *start = palloc_extended(((Size) bound + 1) * sizeof(uint32),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		count = table->index.count;
	uint32		i;

	for (i = 0; i < count; i++)
		start[ranked_word(table, i, w, rank) + 1]++;
	for (i = 0; i < bound; i++)
		start[i + 1] += start[i];
	for (i = 0; i < count; i++)
		to[start[ranked_word(table, from[i], w, rank)]++] = from[i];
	pfree(start);
	CHECK_FOR_INTERRUPTS();
}

/*
 * The numbers of all tuples, sorted by the ranks of their words, palloc'd.
 * rank[w] maps word w to its rank (NULL: it is its own), below bound[w].
 */
uint32 *
salkpi_tuples_sorted(const TupleTable *table, const uint32 *const *rank,
					 const uint32 *bound)
{
	Size		size = ((Size) table->index.count + 1) * sizeof(uint32);
	uint32	   *from = palloc_extended(size, MCXT_ALLOC_HUGE);
	uint32	   *to = palloc_extended(size, MCXT_ALLOC_HUGE);
	uint32		i;
	int			w;

	for (i = 0; i < table->index.count; i++)
		from[i] = i;
	for (w = table->width - 1; w >= 0 && table->index.count > 1; w--)
	{
		uint32	   *swap = from;

		counting_pass(table, w, rank[w], bound[w], from, to);
		from = to;
		to = swap;
	}
	pfree(to);
	return from;
}

/* The rank of each number in an order, palloc'd. */
uint32 *
salkpi_inverse(const uint32 *order, uint32 count)
{
	uint32	   *rank = palloc_extended(((Size) count + 1) * sizeof(uint32),
									   MCXT_ALLOC_HUGE);
	uint32		i;

	for (i = 0; i < count; i++)
		rank[order[i]] = i;
	return rank;
}
