/*
 * segment.h
 *	  Segments: the tables that number texts and tuples.
 */
#ifndef SALKPI_SEGMENT_H
#define SALKPI_SEGMENT_H

#include "shape.h"

/* The member of rows whose key is NULL or ''. */
#define SALKPI_BLANK			"(none)"

/* Most entries of a table. */
#define SALKPI_MAX_ENTRIES		((uint32) 1 << 30)

#define SALKPI_NOT_FOUND		PG_UINT32_MAX

/* One place of an open-addressing hash table. */
typedef struct TableSlot
{
	uint32		hash;			/* hash of the entry */
	uint32		entry;			/* number of the entry + 1; 0 = free */
} TableSlot;

/* The hash table under both kinds of table. */
typedef struct TableIndex
{
	MemoryContext context;		/* where everything lives */
	TableSlot  *slots;			/* mask + 1 places */
	uint32		mask;			/* number of places - 1 */
	uint32		count;			/* number of entries */
} TableIndex;

/* Where a text is. */
typedef struct TextEntry
{
	Size		offset;			/* of the first byte in TextTable.bytes */
	uint32		length;			/* in bytes */
} TextEntry;

/* Distinct texts, numbered from 0 in order of first appearance. */
typedef struct TextTable
{
	TableIndex	index;			/* finds an entry by its hash */
	TextEntry  *entries;		/* by number */
	Size		capacity;		/* entries allocated */
	char	   *bytes;			/* the texts one after the other */
	Size		used;			/* bytes in use */
	Size		size;			/* bytes allocated */
} TextTable;

/* A text that is somewhere. */
typedef struct TextRef
{
	const char *text;
	uint32		length;			/* in bytes */
} TextRef;

/* Most texts that are put at once. */
#define SALKPI_MOST_TEXTS		256

/* Texts gathered to be put at once. */
#define SALKPI_BATCH			64

typedef struct TextBatch
{
	uint32		count;			/* texts in use */
	TextEntry	texts[SALKPI_BATCH];	/* where each is in bytes */
	char	   *bytes;			/* the texts one after the other */
	Size		used;			/* bytes in use */
	Size		size;			/* bytes allocated */
} TextBatch;

/* Distinct tuples of words, numbered from 0 in order of first appearance. */
typedef struct TupleTable
{
	TableIndex	index;			/* finds an entry by its hash */
	uint32	   *words;			/* the tuples one after the other */
	Size		capacity;		/* words allocated */
	int			width;			/* words of a tuple */
} TupleTable;

extern void salkpi_prefer_huge_pages(void *memory, Size size);
extern void *salkpi_reserve(MemoryContext context, void *array,
							Size *capacity, Size needed, Size item_size);
extern void *salkpi_grow(MemoryContext context, void *array, Size *capacity,
						 Size needed, Size item_size);

extern void salkpi_texts_init(TextTable *table, MemoryContext context);
extern Size salkpi_texts_growth(const TextTable *table, uint32 count,
								Size bytes);
extern uint32 salkpi_text_find(const TextTable *table, const char *text,
							   uint32 length);
extern uint32 salkpi_text_put(TextTable *table, const char *text,
							  uint32 length);
extern void salkpi_batch_add(TextTable *table, TextBatch *batch,
							 const char *text, uint32 length);
extern void salkpi_batch_put(TextTable *table, TextBatch *batch,
							 uint32 *numbers);
extern void salkpi_texts_put(TextTable *table, const TextRef *texts, int count,
							 uint32 *numbers);
extern uint32 *salkpi_texts_sorted(const TextTable *table);

extern void salkpi_tuples_init(TupleTable *table, MemoryContext context,
							   int width);
extern Size salkpi_tuples_growth(const TupleTable *table, uint32 count);
extern uint32 salkpi_tuple_add(TupleTable *table, const uint32 *tuple,
							   uint32 hash);
extern uint32 *salkpi_tuples_sorted(const TupleTable *table,
									const uint32 *const *rank,
									const uint32 *bound);
extern uint32 *salkpi_inverse(const uint32 *order, uint32 count);

/* The text with a number; not terminated. */
static inline const char *
salkpi_text_at(const TextTable *table, uint32 number, uint32 *length)
{
	*length = table->entries[number].length;
	return table->bytes + table->entries[number].offset;
}

/* The tuple with a number. */
static inline uint32 *
salkpi_tuple_at(const TupleTable *table, uint32 number)
{
	return table->words + (Size) number * table->width;
}

/* A hash of 64 bits in 32: the finalizer of MurmurHash3. */
static inline uint64
salkpi_mix(uint64 x)
{
	x ^= x >> 33;
	x *= UINT64CONST(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64CONST(0xc4ceb9fe1a85ec53);
	x ^= x >> 33;
	return x;
}

/* Loads of some bytes, of any alignment. */
static inline uint64
salkpi_load8(const char *p)
{
	uint64		word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline uint64
salkpi_load4(const char *p)
{
	uint32		word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* The first and last bytes of a text of up to eight, as one word. */
static inline uint64
salkpi_load_short(const char *text, uint32 length)
{
	if (length >= 4)
		return salkpi_load4(text) << 32 | salkpi_load4(text + length - 4);
	if (length == 0)
		return 0;
	return (uint64) (unsigned char) text[0] << 16 |
		(uint64) (unsigned char) text[length / 2] << 8 |
		(unsigned char) text[length - 1];
}

/*
 * Eight bytes at a time; the last eight overlap those before, which spares
 * the copying of a rest.
 */
static inline uint32
salkpi_hash_text(const char *text, uint32 length)
{
	uint64		hash = length * UINT64CONST(0x9e3779b97f4a7c15);
	uint32		i;

	if (length <= 8)
		return (uint32) salkpi_mix(hash ^ salkpi_load_short(text, length));
	for (i = 0; i + 8 < length; i += 8)
		hash = salkpi_mix(hash ^ salkpi_load8(text + i));
	return (uint32) salkpi_mix(hash ^ salkpi_load8(text + length - 8));
}

/* Are these bytes the same?  Keys are short: no call for up to 16 bytes. */
static inline bool
salkpi_same_bytes(const char *a, const char *b, uint32 length)
{
	if (length <= 8)
		return salkpi_load_short(a, length) == salkpi_load_short(b, length);
	if (length <= 16)
		return salkpi_load8(a) == salkpi_load8(b) &&
			salkpi_load8(a + length - 8) == salkpi_load8(b + length - 8);
	return memcmp(a, b, length) == 0;
}

static inline uint32
salkpi_tuple_hash(const uint32 *tuple, int width)
{
	uint64		hash = 0;
	int			i;

	for (i = 0; i + 1 < width; i += 2)
		hash = salkpi_mix(hash ^ ((uint64) tuple[i] << 32 | tuple[i + 1]));
	if (i < width)
		hash = salkpi_mix(hash ^ tuple[i]);
	return (uint32) hash;
}

/* Number of a tuple, or SALKPI_NOT_FOUND.  The width is given, for inlining. */
static inline uint32
salkpi_tuple_search(const TupleTable *table, const uint32 *tuple, int width,
					uint32 hash)
{
	uint32		mask = table->index.mask;
	uint32		i;

	for (i = hash & mask;; i = (i + 1) & mask)
	{
		TableSlot	slot = table->index.slots[i];
		const uint32 *words;
		int			w = 0;

		if (slot.entry == 0)
			return SALKPI_NOT_FOUND;
		if (slot.hash != hash)
			continue;
		words = table->words + (Size) (slot.entry - 1) * width;
		while (w < width && words[w] == tuple[w])
			w++;
		if (w == width)
			return slot.entry - 1;
	}
}

static inline uint32
salkpi_tuple_find(const TupleTable *table, const uint32 *tuple, int width)
{
	Assert(width == table->width);
	return salkpi_tuple_search(table, tuple, width,
							   salkpi_tuple_hash(tuple, width));
}

/* Start to fetch what a search for a tuple will look at first. */
static inline void
salkpi_tuple_prefetch(const TupleTable *table, const uint32 *tuple, int width)
{
	__builtin_prefetch(&table->index.slots[salkpi_tuple_hash(tuple, width) &
										   table->index.mask]);
}

/* Number of a tuple, which is added if it is new. */
static inline uint32
salkpi_tuple_put(TupleTable *table, const uint32 *tuple, int width)
{
	uint32		hash = salkpi_tuple_hash(tuple, width);
	uint32		number = salkpi_tuple_search(table, tuple, width, hash);

	Assert(width == table->width);
	return number != SALKPI_NOT_FOUND ? number :
		salkpi_tuple_add(table, tuple, hash);
}

#endif							/* SALKPI_SEGMENT_H */
