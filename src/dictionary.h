/*
 * dictionary.h
 *	  What the files of kpi_dictionary share: the value, and what it is made of.
 *
 * Layout of a value: header, hash slots (open addressing, linear probing),
 * one block per key (KeyBlock, the key, its steps), attributes, each text
 * once.  Offsets are from the start of the value, 0 meaning NULL.  Every
 * attribute is a varlena with a four-byte header: a text, a numeric, or the
 * eight bytes of an instant, so that a lookup hands out what it finds.
 *
 * An attribute of which nothing is said of any key takes no room: those that
 * are there have a place each, from 1, in the order in which they came.
 */
#ifndef SALKPI_DICTIONARY_H
#define SALKPI_DICTIONARY_H

#include "datatype/timestamp.h"
#include "utils/numeric.h"

#include "batch_rows.h"
#include "salkpi.h"
#include "segment.h"

/* The name of the type. */
#define DICTIONARY_TYPE			"kpi_dictionary"

#define DICTIONARY_VERSION		1
#define DICTIONARY_ATTRIBUTES	15	/* the most a dictionary can have */

/* What an attribute is. */
typedef enum AttributeKind
{
	ATTRIBUTE_TEXT,
	ATTRIBUTE_NUMBER,
	ATTRIBUTE_INSTANT
} AttributeKind;

typedef struct Instant
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	char		at[sizeof(TimestampTz)];	/* its bytes, of any alignment */
} Instant;

static inline TimestampTz
get_instant(const Instant *instant)
{
	TimestampTz at;

	memcpy(&at, instant->at, sizeof(at));
	return at;
}

typedef struct Slot
{
	uint32		hash;			/* of the text */
	uint32		id;				/* what is found there; 0 = free slot */
} Slot;

/* ---------- The value ---------- */

typedef struct Dictionary
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint16		version;		/* DICTIONARY_VERSION */
	uint16		nattributes;	/* that there may be */
	uint32		nkeys;			/* different keys */
	uint32		mask;			/* number of slots - 1; a power of two - 1 */
	uint8		kinds[DICTIONARY_ATTRIBUTES];	/* of the attributes */
	uint8		nplaces;		/* attributes of a step */
	uint8		places[16];		/* of the attributes, 0 = none; keeps what
								 * follows aligned */
	Slot		slots[FLEXIBLE_ARRAY_MEMBER];	/* id: offset of a KeyBlock */
} Dictionary;

typedef struct KeyBlock
{
	TimestampTz first;			/* smallest start; NOBEGIN = none is known */
	uint32		nsteps;			/* at least 1 */
	uint32		length;			/* of the key, bytes */
	char		key[FLEXIBLE_ARRAY_MEMBER]; /* padded; then the steps */
} KeyBlock;

typedef struct Step
{
	TimestampTz from;			/* answers from then on */
	uint32		attributes[FLEXIBLE_ARRAY_MEMBER];	/* by place: offsets of texts */
} Step;

static inline Size
step_size(int nplaces)
{
	return MAXALIGN(offsetof(Step, attributes) + nplaces * sizeof(uint32));
}

static inline Size
key_size(Size length)
{
	return MAXALIGN(offsetof(KeyBlock, key) + length);
}

/* ---------- The aggregate's state ---------- */

/*
 * A state is one for the whole query, so it is internal: a handful of arrays
 * in the aggregate's context that grow by doubling.
 */
typedef struct Pool
{
	char	   *data;			/* texts with four-byte headers, aligned */
	Size		used;			/* bytes; the first 4 belong to no text */
	Size		size;			/* bytes allocated */
} Pool;

typedef struct Table
{
	Slot	   *slots;			/* open addressing, linear probing */
	uint32		mask;			/* number of slots - 1 */
	uint32		used;			/* slots that are not free */
} Table;

typedef struct Version
{
	TimestampTz from;			/* NOBEGIN = since ever */
	TimestampTz to;				/* NOEND = until ever */
	uint32		key;			/* offset in the pool of keys */
	uint32		next;			/* the key's next version + 1; 0 = none */
	uint32		attributes[FLEXIBLE_ARRAY_MEMBER];	/* by place: offsets in the
													 * pool of texts; 0 = NULL */
} Version;

typedef struct Key
{
	uint32		text;			/* offset in the pool of keys */
	uint32		hash;			/* of that */
	uint32		versions;		/* the key's newest version + 1 */
	uint32		nversions;		/* how many */
} Key;

typedef struct DictionaryState
{
	MemoryContext context;		/* where all arrays live */
	int			nattributes;	/* that there may be */
	uint8		kinds[DICTIONARY_ATTRIBUTES];	/* of the attributes */
	uint8		places[DICTIONARY_ATTRIBUTES];	/* of them, from 1; 0 = none yet */
	int			nplaces;		/* attributes of each version */
	Pool		key_texts;		/* each key once */
	Pool		texts;			/* attributes, each text once */
	Table		key_table;		/* id: position in keys + 1 */
	Table		text_table;		/* id: offset in texts */
	Key		   *keys;			/* key_table.used of them */
	Size		keys_size;		/* bytes allocated */
	char	   *versions;		/* of version_size() bytes each */
	uint32		nversions;		/* how many */
	Size		versions_size;	/* bytes allocated */
} DictionaryState;

static inline Size
version_size(int nplaces)
{
	return MAXALIGN(offsetof(Version, attributes) + nplaces * sizeof(uint32));
}

static inline Version *
get_version(const DictionaryState *state, uint32 n)
{
	return (Version *) (state->versions + n * version_size(state->nplaces));
}

static inline text *
get_text(const Pool *pool, uint32 offset)
{
	return (text *) (pool->data + offset);
}

/* dictionary.c */
extern const Dictionary *salkpi_dictionary_get(Datum datum);
extern const KeyBlock *salkpi_dictionary_find(const Dictionary *d,
											  const text *key, uint32 hash);
extern const char *salkpi_dictionary_attribute(const Dictionary *d,
											   const KeyBlock *block,
											   int attribute, TimestampTz at);
extern void salkpi_dictionary_check(const Dictionary *d, int attribute,
									AttributeKind kind);
extern Numeric salkpi_dictionary_rate(Datum dictionary, const text *key,
									  TimestampTz at);

/* SQL functions, told from others by their address. */
extern PGDLLEXPORT Datum salkpi_kpi_lookup(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum salkpi_kpi_lookup_number(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum salkpi_kpi_lookup_instant(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum salkpi_kpi_lookup_first(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum salkpi_kpi_knows(PG_FUNCTION_ARGS);

/* dictionary_state.c */
extern PGDLLEXPORT Datum salkpi_dictionary_add(PG_FUNCTION_ARGS);
extern Datum salkpi_dictionary_add_rows(FunctionCallInfo fcinfo, const BatchArgument *args,
										const BatchRows *rows);
extern void salkpi_dictionary_too_large(void);

/* dictionary_build.c: the value, in CurrentMemoryContext */
extern Dictionary *salkpi_dictionary_build(const DictionaryState *state);

#endif							/* SALKPI_DICTIONARY_H */
