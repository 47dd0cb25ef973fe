/*
 * keyed.h
 *	  Sums of amounts by key: the table behind kpi_amounts and kpi_accounts.
 */
#ifndef SALKPI_KEYED_H
#define SALKPI_KEYED_H

#include "executor/nodeAgg.h"
#include "nodes/execnodes.h"
#include "port/pg_bswap.h"
#include "utils/expandeddatum.h"

#include "flat.h"
#include "numbers.h"
#include "states.h"
#include "texts.h"

/* Bytes of an empty table, with its first chunk. */
#define KEYED_SIZE			256

/* Most amounts that a key has. */
#define KEYED_MAX_WIDTH		2

/* What keys are. */
typedef enum KeyKind
{
	KEY_INTEGER = 'i',			/* bigint */
	KEY_UUID = 'u',				/* uuid */
	KEY_TEXT = 't'				/* text, compared by bytes */
} KeyKind;

/* The declared type of the amounts of rows. */
typedef enum AmountType
{
	AMOUNT_NONE,				/* a row has none, and counts as 1 */
	AMOUNT_NUMERIC,
	AMOUNT_INT8,
	AMOUNT_INT4,
	AMOUNT_INT2
} AmountType;

/* The amount of a row. */
typedef struct Amount
{
	Datum		datum;			/* a numeric, not toasted; if it is one */
	NumericParts parts;			/* of it */
	int64		integer;		/* the amount if it is none */
	bool		is_numeric;		/* is it one? */
	int			sign;			/* -1, 0 or 1 */
} Amount;

/* A key, wherever it is. */
typedef struct KeyedKey
{
	int64		number;			/* of KEY_INTEGER */
	const char *bytes;			/* of the others */
	uint32		length;			/* number of bytes */
} KeyedKey;

/* What a key has, or a row adds to it. */
typedef struct KeyedItem
{
	KeyedKey	key;			/* the key */
	bool		flag;			/* the owner's; set if any row sets it */
	ExactSum	sums[KEYED_MAX_WIDTH];	/* settled, at the table's scale */
} KeyedItem;

struct Keyed;

/* What tells one type of tables from another. */
typedef struct KeyedType
{
	const char *name;			/* of the SQL type */
	int			width;			/* amounts of a key */
	bool		has_bounds;		/* is there an opening and a closing? */
	bool		(*is_possible) (const KeyedItem *item); /* can rows make it? */
	void		(*add_row) (struct Keyed *keyed, FunctionCallInfo fcinfo);	/* the arguments of
																			 * a transition, behind the state */
} KeyedType;

/*
 * Records, one behind the other.  A record is the amounts, each times 10^scale
 * times 4 and with two bits: int32, or int64 or int128 if some need that; then
 * the key: an integer, of 4 bytes where amounts are, else of 8, or 16 bytes, or
 * the length of a text as uint32 and its bytes; then the numerics of amounts
 * that are big.  The next one starts at a multiple of four bytes where amounts
 * are int32, else of eight.  Records are kept small since with many groups most
 * of the time goes into fetching fresh memory.
 */
typedef struct KeyedChunk
{
	struct KeyedChunk *next;	/* the next one, or NULL */
	uint32		size;			/* bytes, with this head */
	uint32		used;			/* of these, as of salkpi_keyed_settle() */
} KeyedChunk;

/* Where each key is, see keyed_unique.c. */
typedef struct KeyedIndex KeyedIndex;

/*
 * An open table: an expanded object, with the first of its chunks.  From the pointer
 * in its header that the state of an aggregate is (salkpi_keyed_datum()) up to the
 * bounds is all that most rows need: a cache line, see salkpi_keyed_start().
 */
typedef struct Keyed
{
	ExpandedObjectHeader header;	/* its context is that of all tables */
	char	   *end;			/* behind the last record */
	uint32		left;			/* bytes that its chunk has for more */
	uint32		last_size;		/* of that record; 0: it is not in this chunk */
	uint32		count;			/* records */
	Oid			function;		/* whose arguments the rows are */
	int16		dscale;			/* largest display scale seen */
	uint8		kind;			/* KeyKind */
	uint8		width;			/* amounts of a key */
	uint8		amount_type;	/* AmountType of the rows */
	uint8		amount_size;	/* bytes of an amount: 4, 8 or 16 */
	bool		is_unique;		/* has each record a key of its own? */
	bool		is_ascending;	/* are they in the order of their keys too? */
	uint64		last_prefix;	/* of the last record's key */

	int64		bounds[2];		/* opening and closing, if it has them */
	char	   *last;			/* the last record, if it is not in the last chunk */
	uint32		unique_count;	/* records when they were last made unique */
	uint32		unique_at;		/* bytes at which keys are to be made unique */
	uint32		bytes;			/* of settled records */
	uint32		room;			/* size of all chunks together */
	uint8		unit;			/* BoundUnit; 0 without bounds */
	const KeyedType *type;		/* whose table it is */
	struct varlena *flat;		/* the flat form between size and flatten */
	KeyedIndex *index;			/* of records that are unique, if they are many; else NULL */
	KeyedChunk *tail;			/* the last chunk with records */
	KeyedChunk	chunk;			/* the first one */
} Keyed;

/* What rows need. */
#define KEYED_HOT	offsetof(Keyed, header.eoh_rw_ptr)
StaticAssertDecl(offsetof(Keyed, bounds) - KEYED_HOT <= 64, "most rows need a cache line of a table");

/* What is known of a table of either form without looking at its keys. */
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
	const KeyedChunk *chunk;	/* that of the next record if it is open */
	const char *record;			/* the next record */
	FlatReader	reader;			/* the bytes to come if it is flat */
	uint32		next;			/* number of the next key */
	KeyedKey	before;			/* the key before it */
} KeyedScan;

/* keyed.c */
extern Keyed *salkpi_keyed_create(const KeyedType *type, MemoryContext context, void *memory);
extern void salkpi_keyed_set_function(Keyed *keyed, Oid function);
extern void salkpi_keyed_rescale(Keyed *keyed, int dscale);
extern void salkpi_keyed_add(Keyed *keyed, const KeyedItem *item);
extern const char *salkpi_keyed_next_record(const KeyedChunk **chunk,
											const char *record);
extern const char *salkpi_keyed_read(const Keyed *keyed, const char *record,
									 KeyedItem *item);

/* keyed_tables.c */
extern Keyed *salkpi_keyed_start(const KeyedType *type, FunctionCallInfo fcinfo);
extern bool salkpi_keyed_wait(const KeyedType *type, FunctionCallInfo fcinfo);
extern void salkpi_keyed_add_waiting(const Keyed *keyed);

/* keyed_unique.c */
extern void salkpi_keyed_unique(Keyed *keyed);
extern void salkpi_item_rescale(KeyedItem *item, int width, int from, int to);

/* keyed_io.c */
extern const ExpandedObjectMethods salkpi_keyed_methods;
extern Keyed *salkpi_keyed_load(const KeyedType *type, FunctionCallInfo fcinfo);
extern void salkpi_keyed_scan(KeyedScan *scan, const KeyedType *type,
							  Datum datum);
extern bool salkpi_keyed_next(KeyedScan *scan, KeyedItem *item);

/* What the SQL functions of a type do. */
extern Datum salkpi_keyed_in(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_out(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_recv(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_send(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_eq(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_ne(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_hash(const KeyedType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_hash_extended(const KeyedType *type,
										FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_combine(const KeyedType *type,
								  FunctionCallInfo fcinfo);
extern Datum salkpi_keyed_final(const KeyedType *type, FunctionCallInfo fcinfo);

/* A function of a type, whose KeyedType is name_type; and all of them. */
#define KEYED_FUNCTION(name, action) \
PG_FUNCTION_INFO_V1(salkpi_##name##_##action); \
Datum \
salkpi_##name##_##action(PG_FUNCTION_ARGS) \
{ \
	return salkpi_keyed_##action(&name##_type, fcinfo); \
} \
extern int	no_such_variable

#define KEYED_FUNCTIONS(name) \
	KEYED_FUNCTION(name, in); \
	KEYED_FUNCTION(name, out); \
	KEYED_FUNCTION(name, recv); \
	KEYED_FUNCTION(name, send); \
	KEYED_FUNCTION(name, eq); \
	KEYED_FUNCTION(name, ne); \
	KEYED_FUNCTION(name, hash); \
	KEYED_FUNCTION(name, hash_extended); \
	KEYED_FUNCTION(name, combine); \
	KEYED_FUNCTION(name, final)

extern Datum salkpi_keyed_quotient(FunctionCallInfo fcinfo, Numeric numerator,
								   Numeric denominator, bool is_percent);

/* The order of keys: texts by their bytes. */
static inline int
salkpi_key_compare(KeyKind kind, const KeyedKey *a, const KeyedKey *b)
{
	if (kind == KEY_INTEGER)
		return (a->number > b->number) - (a->number < b->number);
	return salkpi_compare_bytes(a->bytes, a->length, b->bytes, b->length);
}

/*
 * The first eight bytes of a key, as a number in the order of keys; zeros
 * follow a shorter text, which has none.
 */
static inline uint64
salkpi_key_prefix(KeyKind kind, const KeyedKey *key)
{
	uint64		prefix = 0;

	if (kind == KEY_INTEGER)
		return (uint64) key->number ^ UINT64CONST(1) << 63;
	if (likely(kind == KEY_UUID || key->length >= sizeof(prefix)))
		memcpy(&prefix, key->bytes, sizeof(prefix));
	else
		memcpy(&prefix, key->bytes, key->length);
	return pg_ntoh64(prefix);
}

static inline char *
salkpi_keyed_first(const KeyedChunk *chunk)
{
	return (char *) chunk + sizeof(KeyedChunk);
}

/* The open table that a datum points to; NULL if it is flat. */
static inline Keyed *
salkpi_keyed_open(Datum datum)
{
	struct varatt_expanded pointer;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		return NULL;
	memcpy(&pointer, VARDATA_EXTERNAL(DatumGetPointer(datum)), sizeof(pointer));
	return (Keyed *) pointer.eohptr;
}

/* What a transition returns: the executor knows it, and lets it be. */
static inline Datum
salkpi_keyed_datum(Keyed *keyed)
{
	return EOHPGetRWDatum(&keyed->header);
}

/* The state of an aggregate to change, or NULL if there is none yet. */
static inline Keyed *
salkpi_keyed_state(const KeyedType *type, FunctionCallInfo fcinfo)
{
	Keyed	   *keyed;

	salkpi_check_aggregate(fcinfo, type->name);
	if (PG_ARGISNULL(0))
		return NULL;
	keyed = salkpi_keyed_open(PG_GETARG_DATUM(0));
	return likely(keyed != NULL) ? keyed : salkpi_keyed_load(type, fcinfo);
}

/*
 * Are states, of which there may be many, in a hash table of the executor's?
 * And are they tables that a row began, rather than a flat one that the aggregate
 * begins with?
 */
static inline bool
salkpi_is_hashed(FunctionCallInfo fcinfo)
{
	AggState   *aggregates = (AggState *) fcinfo->context;

	return aggregates != NULL && IsA(aggregates, AggState) &&
		(aggregates->aggstrategy == AGG_HASHED || aggregates->aggstrategy == AGG_MIXED) &&
		aggregates->curpertrans != NULL && aggregates->curpertrans->initValueIsNull;
}

/* Transition: a row is added, at once or together with others. */
static inline Datum
salkpi_keyed_transition(const KeyedType *type, FunctionCallInfo fcinfo)
{
	Keyed	   *keyed;

	if (!PG_ARGISNULL(0) && salkpi_is_hashed(fcinfo) && salkpi_keyed_wait(type, fcinfo))
		return PG_GETARG_DATUM(0);
	keyed = salkpi_keyed_state(type, fcinfo);
	if (keyed == NULL)
		keyed = salkpi_keyed_start(type, fcinfo);
	type->add_row(keyed, fcinfo);
	return salkpi_keyed_datum(keyed);
}

/* Have rows come from this function before?  Then what they are is known. */
static inline void
salkpi_keyed_expect(Keyed *keyed, FunctionCallInfo fcinfo)
{
	if (unlikely(keyed->function != fcinfo->flinfo->fn_oid))
		salkpi_keyed_set_function(keyed, fcinfo->flinfo->fn_oid);
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
}

/* The amount in an argument. */
static inline void
salkpi_amount_get(AmountType type, Datum datum, Amount *amount)
{
	amount->is_numeric = type == AMOUNT_NUMERIC;
	if (amount->is_numeric)
	{
		amount->datum = PointerGetDatum(PG_DETOAST_DATUM_PACKED(datum));
		salkpi_numeric_read((struct varlena *) DatumGetPointer(amount->datum),
							&amount->parts);
		amount->sign = amount->parts.ndigits == 0 ? 0 :
			amount->parts.negative ? -1 : 1;
		return;
	}
	amount->integer = type == AMOUNT_NONE ? 1 :
		type == AMOUNT_INT8 ? DatumGetInt64(datum) :
		type == AMOUNT_INT4 ? DatumGetInt32(datum) : DatumGetInt16(datum);
	amount->sign = (amount->integer > 0) - (amount->integer < 0);
}

/* An amount at the scale of a table, which is raised for it if need be. */
static inline void
salkpi_keyed_scale(Keyed *keyed, const Amount *amount, ExactSum *sum)
{
	int			scale;

	sum->big = NULL;
	if (unlikely(amount->is_numeric && amount->parts.dscale > keyed->dscale))
		salkpi_keyed_rescale(keyed, amount->parts.dscale);
	scale = salkpi_fixed_scale(keyed->dscale);
	if (!amount->is_numeric)
	{
		sum->small = amount->integer;
		if (scale > 0)
			(void) salkpi_rescale(&sum->small, scale);	/* below 10^36 */
	}
	else if (unlikely(!salkpi_parts_to_int128(&amount->parts, scale,
											  &sum->small)))
	{
		sum->small = 0;
		sum->big = DatumGetNumeric(amount->datum);
	}
}

#endif							/* SALKPI_KEYED_H */
