/*
 * keyed.h
 *	  Sums of amounts by key: the table behind kpi_amounts and kpi_accounts.
 */
#ifndef SALKPI_KEYED_H
#define SALKPI_KEYED_H

#include "common/hashfn.h"

#include "flat.h"
#include "numbers.h"
#include "states.h"

/* Most amounts that a key has. */
#define KEYED_MAX_WIDTH		2

/* Set in the flags of an entry whose amount i is a numeric in the pool. */
#define KEYED_BIG(i)		((uint32) 0x10000 << (i))

/* What keys are. */
typedef enum KeyKind
{
	KEY_INTEGER = 'i',			/* bigint */
	KEY_UUID = 'u',				/* uuid */
	KEY_TEXT = 't'				/* text, compared by bytes */
} KeyKind;

/* A key, wherever it is. */
typedef struct KeyedKey
{
	int64		number;			/* of KEY_INTEGER */
	const char *bytes;			/* of the others */
	uint32		length;			/* number of bytes */
	uint32		hash;			/* of the key */
} KeyedKey;

/* What a key has. */
typedef struct KeyedItem
{
	KeyedKey	key;			/* the key */
	uint32		flags;			/* the owner's, without KEYED_BIG */
	ExactSum	sums[KEYED_MAX_WIDTH];	/* settled, at the table's scale */
} KeyedItem;

/* What tells one type of tables from another. */
typedef struct KeyedType
{
	const char *name;			/* of the SQL type */
	int			width;			/* amounts of a key */
	bool		has_bounds;		/* is there an opening and a closing? */
	bool		(*is_possible) (const KeyedItem *item); /* can rows make it? */
} KeyedType;

/* An entry of an open table; its key follows the amounts. */
typedef struct KeyedEntry
{
	uint32		hash;			/* of the key */
	uint32		flags;			/* the owner's, and KEYED_BIG */
	int128		amounts[FLEXIBLE_ARRAY_MEMBER]; /* times 10^scale; offset of
												 * the numeric if big */
} KeyedEntry;

/* Where a text key is. */
typedef struct KeyedText
{
	uint32		offset;			/* from the start of the table */
	uint32		length;			/* number of bytes */
} KeyedText;

/* An open table; slots and entries follow, and the pool grows from its end. */
typedef struct Keyed
{
	int32		vl_len_;		/* varlena header, including room to spare */
	uint8		form;			/* KEYED_OPEN */
	uint8		kind;			/* KeyKind */
	uint8		width;			/* amounts of a key */
	uint8		unit;			/* BoundUnit; 0 without bounds */
	int32		dscale;			/* largest display scale seen */
	uint32		count;			/* entries in use */
	uint32		nslots;			/* a power of two */
	uint32		pool;			/* offset of the lowest byte of the pool */
	int64		bounds[2];		/* opening and closing, if it has them */
	uint32		slots[FLEXIBLE_ARRAY_MEMBER];	/* entry + 1; 0 = free */
} Keyed;

/* The first byte of an open table, where a flat one has its version. */
#define KEYED_OPEN			0

/* What is known of a table of either form without looking at its entries. */
typedef struct KeyedHead
{
	KeyKind		kind;			/* of the keys */
	int			unit;			/* of the bounds; 0 without */
	int			dscale;			/* largest display scale */
	uint32		count;			/* number of keys */
	int64		bounds[2];		/* opening and closing */
} KeyedHead;

/* Going through the keys of a table of either form. */
typedef struct KeyedScan
{
	const KeyedType *type;		/* whose it is */
	KeyedHead	head;			/* of the table */
	const Keyed *open;			/* the table if it is open */
	FlatReader	reader;			/* the bytes to come if it is flat */
	uint32		next;			/* number of the next key */
	KeyedKey	before;			/* the key before it */
} KeyedScan;

/* keyed.c */
extern Keyed *salkpi_keyed_create(const KeyedType *type, KeyKind kind);
extern void salkpi_keyed_wrong_kind(void);
extern void salkpi_keyed_check(const KeyedType *type, const struct varlena *v);
extern KeyedEntry *salkpi_keyed_put(Keyed **keyed, const KeyedKey *key);
extern void salkpi_keyed_add_slowly(Keyed **keyed, KeyedEntry *entry, int i,
									Datum value);
extern void salkpi_keyed_add_item(Keyed **keyed, const KeyedItem *item,
								  int dscale);
extern void salkpi_keyed_key_read(const Keyed *keyed, KeyedEntry *entry,
								  KeyedKey *key);
extern void salkpi_keyed_read(const Keyed *keyed, uint32 number,
							  KeyedItem *item);

/* keyed_io.c */
extern void salkpi_keyed_scan(KeyedScan *scan, const KeyedType *type,
							  Datum datum);
extern bool salkpi_keyed_next(KeyedScan *scan, KeyedItem *item);
extern Keyed *salkpi_keyed_merge(const KeyedType *type, Keyed *keyed,
								 Datum other);
extern struct varlena *salkpi_keyed_finish(const KeyedType *type,
										   struct varlena *table);

/* What the SQL functions of a type do. */
extern Datum salkpi_keyed_in(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_out(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_recv(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_send(const KeyedType *type, FunctionCallInfo fcinfo);
extern bool salkpi_keyed_equal(const KeyedType *type, FunctionCallInfo fcinfo);
extern Keyed *salkpi_keyed_state(const KeyedType *type,
								 FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_combine(const KeyedType *type,
								  FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_final(const KeyedType *type, FunctionCallInfo fcinfo);

extern Datum salkpi_keyed_quotient(FunctionCallInfo fcinfo, Numeric numerator,
								   Numeric denominator, bool is_percent);

/* Is a table open? */
static inline bool
salkpi_keyed_is_open(const struct varlena *v)
{
	return VARSIZE(v) > offsetof(Keyed, form) &&
		((const Keyed *) v)->form == KEYED_OPEN;
}

/* Bytes of a key in an entry. */
static inline Size
salkpi_keyed_key_size(KeyKind kind)
{
	return kind == KEY_UUID ? 16 : 8;
}

static inline Size
salkpi_keyed_stride(const Keyed *keyed)
{
	return offsetof(KeyedEntry, amounts) + keyed->width * sizeof(int128) +
		salkpi_keyed_key_size(keyed->kind);
}

static inline KeyedEntry *
salkpi_keyed_entry(const Keyed *keyed, uint32 number)
{
	return (KeyedEntry *) ((char *) keyed +
						   MAXALIGN(offsetof(Keyed, slots) +
									keyed->nslots * sizeof(uint32)) +
						   number * salkpi_keyed_stride(keyed));
}

static inline void *
salkpi_keyed_key(const Keyed *keyed, KeyedEntry *entry)
{
	return entry->amounts + keyed->width;
}

static inline void
salkpi_key_hash(KeyKind kind, KeyedKey *key)
{
	uint64		hash = (uint64) key->number;

	if (kind != KEY_INTEGER)
	{
		key->hash = hash_bytes((const unsigned char *) key->bytes, key->length);
		return;
	}
	hash = (hash ^ hash >> 33) * UINT64CONST(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64CONST(0xc4ceb9fe1a85ec53);
	key->hash = (uint32) (hash >> 32);
}

/* An error if a row has keys of another kind than the rows before. */
static inline void
salkpi_keyed_require_kind(const Keyed *keyed, KeyKind kind)
{
	if (unlikely(keyed->kind != kind))
		salkpi_keyed_wrong_kind();
}

/* The key in an argument. */
static inline void
salkpi_key_get(KeyKind kind, Datum datum, KeyedKey *key)
{
	text	   *t;

	if (kind == KEY_INTEGER)
		key->number = DatumGetInt64(datum);
	else if (kind == KEY_UUID)
	{
		key->bytes = DatumGetPointer(datum);
		key->length = 16;
	}
	else
	{
		t = DatumGetTextPP(datum);
		key->bytes = VARDATA_ANY(t);
		key->length = VARSIZE_ANY_EXHDR(t);
	}
	salkpi_key_hash(kind, key);
}

/*
 * Add the numeric in an argument to an amount of an entry, which may lie in
 * another chunk afterwards.
 */
static inline void
salkpi_keyed_add(Keyed **keyed, KeyedEntry *entry, int i,
				 const NumericParts *parts, Datum value)
{
	int128		addend;
	int128		sum;

	if (likely(parts->dscale <= (*keyed)->dscale &&
			   (entry->flags & KEYED_BIG(i)) == 0 &&
			   salkpi_parts_to_int128(parts,
									  salkpi_fixed_scale((*keyed)->dscale),
									  &addend)))
	{
		sum = entry->amounts[i] + addend;
		if (likely(salkpi_is_small(sum)))
		{
			entry->amounts[i] = sum;
			return;
		}
	}
	salkpi_keyed_add_slowly(keyed, entry, i, value);
}

#endif							/* SALKPI_KEYED_H */
