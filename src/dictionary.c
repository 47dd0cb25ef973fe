/*
 * dictionary.c
 *	  The type kpi_dictionary: what is known of each key, at any instant.
 *
 * Accounts have regions, reps have teams, opportunities have owners.  Joining
 * them to the big tables costs several times the scan of those; so they are
 * gathered first, by an aggregate, and the value is handed as an argument (an
 * uncorrelated subquery) to kpi_lookup, which is called for every row.  It
 * reads the value where it lies and returns a pointer into it: two cache
 * misses, nothing parsed, copied or allocated.
 *
 * A key may have several versions, each valid from an instant (NULL: since
 * ever) to another that no longer belongs to it (NULL: until ever).  Asked
 * for an instant, a dictionary answers with
 *
 *	1. the version valid then: of several, the one that started last;
 *	2. else, in a gap or after the end, the version that started last before;
 *	3. else, before the beginning, what it answers for the first start.
 *
 * A region does not become unknown because its history begins late.  Of
 * versions that start together the one valid longer wins, and then the one
 * whose attributes are greater, compared in turn by bytes, NULL being the
 * smallest.  So rows may come in any order.  A start of -infinity and an end of
 * infinity mean the same as NULL.  A version that ends before or when it starts
 * is never valid, but has started, and so answers by rules 2 and 3.  Asked for
 * the instant NULL, a dictionary answers as for the end of time.
 *
 * All this is worked out once, when the value is made: a key's versions become
 * steps, each answering from its instant to that of the next, so that a lookup
 * is a search for the last step that is not in the future.
 *
 * Layout of a value: header, hash slots (open addressing, linear probing),
 * one block per key (KeyBlock, the key, its steps), attribute texts, each
 * text once.  Offsets are from the start of the value, 0 meaning NULL.
 *
 * A value lives within a query.  Text and binary input are refused, and so is
 * a value out of a table that would have to be detoasted for every row.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "salkpi.h"

#define DICTIONARY_VERSION		1
#define DICTIONARY_ATTRIBUTES	10	/* the most a dictionary can have */

/* How many steps a loop takes between two looks at interrupts; 2^n - 1. */
#define INTERRUPT_MASK			0xFFF

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
	uint16		nattributes;	/* attributes of a step */
	uint32		nkeys;			/* different keys */
	uint32		mask;			/* number of slots - 1; a power of two - 1 */
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
	uint32		attributes[FLEXIBLE_ARRAY_MEMBER];	/* offsets of texts */
} Step;

static inline Size
step_size(int nattributes)
{
	return MAXALIGN(offsetof(Step, attributes) + nattributes * sizeof(uint32));
}

static inline Size
key_size(Size length)
{
	return MAXALIGN(offsetof(KeyBlock, key) + length);
}

static inline const Step *
get_step(const Dictionary *d, const KeyBlock *block, uint32 n)
{
	return (const Step *) ((const char *) block + key_size(block->length) +
						   n * step_size(d->nattributes));
}

/*
 * An argument that is a dictionary.  Only one of less than 127 bytes, whose
 * header the executor may have shortened, is copied.
 */
static const Dictionary *
get_dictionary(Datum datum)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(datum);
	const Dictionary *d;

	if (VARATT_IS_EXTERNAL(v) || VARATT_IS_COMPRESSED(v))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot look up in a kpi_dictionary that is stored in a table"),
				 errdetail("It would have to be read as a whole for each row."),
				 errhint("Make it in the query, as in kpi_lookup((SELECT kpi_dictionary(...) FROM ...), ...).")));
	d = (const Dictionary *) PG_DETOAST_DATUM(datum);
	if (VARSIZE(d) < offsetof(Dictionary, slots) ||
		d->version != DICTIONARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("kpi_dictionary value has an unknown format")));
	return d;
}

static const KeyBlock *
find_key(const Dictionary *d, const text *key)
{
	const char *bytes = VARDATA_ANY(key);
	Size		length = VARSIZE_ANY_EXHDR(key);
	uint32		hash = hash_bytes((const unsigned char *) bytes, length);

	for (uint32 i = hash & d->mask; d->slots[i].id != 0;
		 i = (i + 1) & d->mask)
	{
		const KeyBlock *block;

		if (d->slots[i].hash != hash)
			continue;
		block = (const KeyBlock *) ((const char *) d + d->slots[i].id);
		if (block->length == length && memcmp(block->key, bytes, length) == 0)
			return block;
	}
	return NULL;
}

/* The last step that has begun by then, else the first one. */
static const Step *
find_step(const Dictionary *d, const KeyBlock *block, TimestampTz at)
{
	uint32		low = 0;
	uint32		high = block->nsteps - 1;

	while (low < high)
	{
		uint32		middle = high - (high - low) / 2;

		if (get_step(d, block, middle)->from <= at)
			low = middle;
		else
			high = middle - 1;
	}
	return get_step(d, block, low);
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
	uint32		attributes[FLEXIBLE_ARRAY_MEMBER];	/* offsets in the pool of
													 * texts; 0 = NULL */
} Version;

typedef struct Key
{
	uint32		text;			/* offset in the pool of keys */
	uint32		versions;		/* the key's newest version + 1 */
	uint32		nversions;		/* how many */
} Key;

typedef struct DictionaryState
{
	MemoryContext context;		/* where all arrays live */
	int			nattributes;	/* of each version */
	Pool		key_texts;		/* each key once */
	Pool		texts;			/* each attribute text once */
	Table		key_table;		/* id: position in keys + 1 */
	Table		text_table;		/* id: offset in texts */
	Key		   *keys;			/* key_table.used of them */
	Size		keys_size;		/* bytes allocated */
	char	   *versions;		/* of version_size() bytes each */
	uint32		nversions;		/* how many */
	Size		versions_size;	/* bytes allocated */
} DictionaryState;

static inline Size
version_size(const DictionaryState *state)
{
	return MAXALIGN(offsetof(Version, attributes) +
					state->nattributes * sizeof(uint32));
}

static inline Version *
get_version(const DictionaryState *state, uint32 n)
{
	return (Version *) (state->versions + n * version_size(state));
}

static inline text *
get_text(const Pool *pool, uint32 offset)
{
	return (text *) (pool->data + offset);
}

static void
report_too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("kpi_dictionary value is too large"),
			 errdetail("A value has at most 1 GB."),
			 errhint("Aggregate fewer keys or attributes.")));
}

/* An array with room for "needed" bytes: itself, or grown by doubling. */
static void *
with_room(MemoryContext context, void *array, Size needed, Size *size)
{
	Size		wanted = Max(*size, 1024);

	if (needed <= *size)
		return array;
	if (needed > MaxAllocSize)
		report_too_large();
	while (wanted < needed)
		wanted *= 2;
	wanted = Min(wanted, MaxAllocSize);
	*size = wanted;
	return array == NULL ? MemoryContextAlloc(context, wanted) :
		repalloc(array, wanted);
}

static void
create_table(MemoryContext context, Table *table, uint32 nslots)
{
	table->slots = MemoryContextAllocExtended(context, nslots * sizeof(Slot),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	table->mask = nslots - 1;
	table->used = 0;
}

static DictionaryState *
create_state(MemoryContext context, int nattributes)
{
	DictionaryState *state = MemoryContextAllocZero(context,
													sizeof(DictionaryState));

	state->context = context;
	state->nattributes = nattributes;
	state->key_texts.used = state->texts.used = sizeof(uint32);
	create_table(context, &state->key_table, 64);
	create_table(context, &state->text_table, 64);
	return state;
}

/* The slots may be three quarters full. */
static void
grow_table(MemoryContext context, Table *table)
{
	Table		grown;

	if (table->used < (table->mask + 1) / 4 * 3)
		return;
	create_table(context, &grown, (table->mask + 1) * 2);
	for (Size i = 0; i <= table->mask; i++)
	{
		uint32		at = table->slots[i].hash & grown.mask;

		if (table->slots[i].id == 0)
			continue;
		while (grown.slots[at].id != 0)
			at = (at + 1) & grown.mask;
		grown.slots[at] = table->slots[i];
	}
	grown.used = table->used;
	pfree(table->slots);
	*table = grown;
}

/* Appends a copy of a text to a pool; the result is its offset. */
static uint32
append_text(MemoryContext context, Pool *pool, const text *t)
{
	Size		length = VARSIZE_ANY_EXHDR(t);
	Size		size = INTALIGN(length + VARHDRSZ);
	uint32		offset = pool->used;
	char	   *at;

	pool->data = with_room(context, pool->data, pool->used + size, &pool->size);
	at = pool->data + offset;
	memset(at + size - sizeof(uint32), 0, sizeof(uint32));
	SET_VARSIZE(at, length + VARHDRSZ);
	memcpy(VARDATA(at), VARDATA_ANY(t), length);
	pool->used += size;
	return offset;
}

static bool
are_equal(const text *a, const text *b)
{
	Size		length = VARSIZE_ANY_EXHDR(a);

	return length == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), length) == 0;
}

/*
 * The slot in which a text is, or the free one where it belongs.  keys tells
 * the table of keys, whose ids are positions, from that of attributes.
 */
static Slot *
find_slot(const Table *table, const Pool *pool, const Key *keys, const text *t)
{
	uint32		hash = hash_bytes((const unsigned char *) VARDATA_ANY(t),
								  VARSIZE_ANY_EXHDR(t));
	uint32		i = hash & table->mask;

	for (; table->slots[i].id != 0; i = (i + 1) & table->mask)
	{
		uint32		id = table->slots[i].id;

		if (table->slots[i].hash == hash &&
			are_equal(get_text(pool, keys == NULL ? id : keys[id - 1].text), t))
			break;
	}
	table->slots[i].hash = hash;
	return &table->slots[i];
}

/* The offset of an attribute's text, which is stored if it is new. */
static uint32
intern_text(DictionaryState *state, const text *t)
{
	Slot	   *slot;

	grow_table(state->context, &state->text_table);
	slot = find_slot(&state->text_table, &state->texts, NULL, t);
	if (slot->id == 0)
	{
		slot->id = append_text(state->context, &state->texts, t);
		state->text_table.used++;
	}
	return slot->id;
}

/* The key of that text, made if it is new; it stays until the next is made. */
static Key *
intern_key(DictionaryState *state, const text *t)
{
	Table	   *table = &state->key_table;
	Slot	   *slot;
	Key		   *key;

	grow_table(state->context, table);
	state->keys = with_room(state->context, state->keys,
							(table->used + (Size) 1) * sizeof(Key),
							&state->keys_size);
	slot = find_slot(table, &state->key_texts, state->keys, t);
	if (slot->id != 0)
		return &state->keys[slot->id - 1];
	key = &state->keys[table->used];
	key->text = append_text(state->context, &state->key_texts, t);
	key->versions = 0;
	key->nversions = 0;
	slot->id = ++table->used;
	return key;
}

/* Adds a version; attributes are nattributes pointers, NULL for NULL. */
static void
add_version(DictionaryState *state, const text *key_text, TimestampTz from,
			TimestampTz to, text **attributes)
{
	Version    *version;
	Key		   *key;

	state->versions = with_room(state->context, state->versions,
								(state->nversions + (Size) 1) * version_size(state),
								&state->versions_size);
	key = intern_key(state, key_text);
	version = get_version(state, state->nversions);
	memset(version, 0, version_size(state));
	version->from = from;
	version->to = to;
	version->key = key->text;
	for (int i = 0; i < state->nattributes; i++)
		if (attributes[i] != NULL)
			version->attributes[i] = intern_text(state, attributes[i]);
	version->next = key->versions;
	key->versions = ++state->nversions;
	key->nversions++;
}

/* ---------- From versions to steps ---------- */

/* What a key answers from an instant on. */
typedef struct Turn
{
	TimestampTz from;			/* that instant */
	const Version *version;		/* whose attributes */
} Turn;

/* Room to work on one key after the other, for the one with most versions. */
typedef struct Workspace
{
	const DictionaryState *state;
	const Version **versions;	/* of the key, in order */
	const Version **valid;		/* a stack: those valid, the last one on top */
	Turn	   *turns;			/* at most two per version */
	uint32		nturns;			/* how many */
} Workspace;

static int
compare_attributes(const Pool *texts, uint32 a, uint32 b)
{
	const text *text_a = get_text(texts, a);
	const text *text_b = get_text(texts, b);
	int			order;

	if (a == b)
		return 0;
	if (a == 0 || b == 0)
		return a == 0 ? -1 : 1;
	order = memcmp(VARDATA(text_a), VARDATA(text_b),
				   Min(VARSIZE(text_a), VARSIZE(text_b)) - VARHDRSZ);
	if (order != 0)
		return order;
	return VARSIZE(text_a) < VARSIZE(text_b) ? -1 : 1;
}

/* The order of versions: by start, end and attributes. */
static int
compare_versions(const Version *a, const Version *b,
				 const DictionaryState *state)
{
	int			order = 0;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	for (int i = 0; i < state->nattributes && order == 0; i++)
		order = compare_attributes(&state->texts, a->attributes[i],
								   b->attributes[i]);
	return order;
}

typedef const Version *VersionPointer;

#define ST_SORT sort_versions
#define ST_ELEMENT_TYPE VersionPointer
#define ST_COMPARE(a, b, state) compare_versions(*(a), *(b), state)
#define ST_COMPARE_ARG_TYPE const DictionaryState
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

static bool
have_same_attributes(const DictionaryState *state, const Version *a,
					 const Version *b)
{
	return memcmp(a->attributes, b->attributes,
				  state->nattributes * sizeof(uint32)) == 0;
}

/* From an instant on a version answers; a turn that changes nothing is none. */
static void
add_turn(Workspace *work, TimestampTz from, const Version *version)
{
	if (work->nturns > 0 && work->turns[work->nturns - 1].from == from)
		work->nturns--;
	if (work->nturns > 0 &&
		have_same_attributes(work->state, version,
							 work->turns[work->nturns - 1].version))
		return;
	work->turns[work->nturns].from = from;
	work->turns[work->nturns].version = version;
	work->nturns++;
}

static inline bool
has_ended(const Version *version, TimestampTz at)
{
	return !TIMESTAMP_IS_NOEND(version->to) && version->to <= at;
}

/*
 * Sweeps over the versions in their order.  The stack holds those valid at
 * the moment of the sweep and, below others, some that have ended unnoticed;
 * when the topmost ends, the next one still valid answers, or if there is
 * none, the version that started last.
 */
static void
make_turns(Workspace *work, uint32 n)
{
	uint32		nvalid = 0;

	work->nturns = 0;
	for (uint32 i = 0; i <= n; i++)
	{
		const Version *version = i < n ? work->versions[i] : NULL;
		TimestampTz now = i < n ? version->from : DT_NOEND;

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		while (nvalid > 0 && has_ended(work->valid[nvalid - 1], now))
		{
			TimestampTz end = work->valid[nvalid - 1]->to;

			while (nvalid > 0 && has_ended(work->valid[nvalid - 1], end))
				nvalid--;
			add_turn(work, end, nvalid > 0 ? work->valid[nvalid - 1] :
					 work->versions[i - 1]);
		}
		if (version == NULL)
			break;
		if (!has_ended(version, version->from))
			work->valid[nvalid++] = version;
		add_turn(work, now, nvalid > 0 ? work->valid[nvalid - 1] : version);
	}
}

/* Works out the turns of one key. */
static void
prepare_key(Workspace *work, const Key *key)
{
	uint32		n = 0;

	for (uint32 v = key->versions; v != 0;)
	{
		const Version *version = get_version(work->state, v - 1);

		work->versions[n++] = version;
		v = version->next;
	}
	if (n > 1)
		sort_versions(work->versions, n, work->state);
	make_turns(work, n);
}

static void
create_workspace(Workspace *work, const DictionaryState *state)
{
	Size		most = 1;

	for (uint32 i = 0; i < state->key_table.used; i++)
		most = Max(most, state->keys[i].nversions);
	work->state = state;
	work->versions = palloc_extended(most * sizeof(Version *), MCXT_ALLOC_HUGE);
	work->valid = palloc_extended(most * sizeof(Version *), MCXT_ALLOC_HUGE);
	work->turns = palloc_extended(2 * most * sizeof(Turn), MCXT_ALLOC_HUGE);
}

/* ---------- From the state to the value ---------- */

/* The size of the blocks of all keys. */
static Size
measure_blocks(Workspace *work)
{
	const DictionaryState *state = work->state;
	Size		size = 0;

	for (uint32 i = 0; i < state->key_table.used; i++)
	{
		const Key  *key = &state->keys[i];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (key->nversions == 1)
			work->nturns = 1;
		else
			prepare_key(work, key);
		size += key_size(VARSIZE(get_text(&state->key_texts, key->text)) - VARHDRSZ) +
			work->nturns * step_size(state->nattributes);
	}
	return size;
}

/* Writes the block of the key whose turns were just made; returns its end. */
static Size
write_block(Dictionary *d, Size at, Size texts, const Workspace *work,
			const Key *key, uint32 nversions)
{
	const DictionaryState *state = work->state;
	const text *key_text = get_text(&state->key_texts, key->text);
	KeyBlock   *block = (KeyBlock *) ((char *) d + at);

	block->first = DT_NOBEGIN;
	for (uint32 i = 0; i < nversions && TIMESTAMP_IS_NOBEGIN(block->first); i++)
		block->first = work->versions[i]->from;
	block->nsteps = work->nturns;
	block->length = VARSIZE(key_text) - VARHDRSZ;
	memcpy(block->key, VARDATA(key_text), block->length);
	at += key_size(block->length);
	for (uint32 i = 0; i < work->nturns; i++)
	{
		Step	   *step = (Step *) ((char *) d + at);

		step->from = work->turns[i].from;
		for (int a = 0; a < state->nattributes; a++)
		{
			uint32		offset = work->turns[i].version->attributes[a];

			step->attributes[a] = offset == 0 ? 0 : texts + offset;
		}
		at += step_size(state->nattributes);
	}
	return at;
}

/* The slots are those of the table of keys, positions turned into offsets. */
static Dictionary *
create_dictionary(const DictionaryState *state)
{
	Workspace	work;
	Dictionary *d;
	Size		nslots = (Size) state->key_table.mask + 1;
	Size		at = offsetof(Dictionary, slots) + nslots * sizeof(Slot);
	Size		texts;
	Size		size;

	create_workspace(&work, state);
	texts = at + measure_blocks(&work);
	size = texts + state->texts.used;
	if (size > MaxAllocSize)
		report_too_large();
	d = palloc0(size);
	SET_VARSIZE(d, size);
	d->version = DICTIONARY_VERSION;
	d->nattributes = state->nattributes;
	d->nkeys = state->key_table.used;
	d->mask = state->key_table.mask;
	for (Size i = 0; i < nslots; i++)
	{
		const Slot *slot = &state->key_table.slots[i];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (slot->id == 0)
			continue;
		prepare_key(&work, &state->keys[slot->id - 1]);
		d->slots[i].hash = slot->hash;
		d->slots[i].id = at;
		at = write_block(d, at, texts, &work, &state->keys[slot->id - 1],
						 state->keys[slot->id - 1].nversions);
	}
	Assert(at == texts);
	if (state->texts.data != NULL)
		memcpy((char *) d + texts + sizeof(uint32),
			   state->texts.data + sizeof(uint32),
			   state->texts.used - sizeof(uint32));
	return d;
}

/* ---------- Parallel query ---------- */

/*
 * A serialized state is its versions and pools; the receiver only reads them,
 * so the tables, and the keys that chain the versions, stay behind.
 */
typedef struct Parcel
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint16		version;		/* DICTIONARY_VERSION */
	uint16		nattributes;	/* of each version */
	uint32		nversions;		/* how many, in the first section */
	uint32		keys_size;		/* bytes of the pool of keys, the second */
	uint32		texts_size;		/* bytes of the pool of texts, the third */
	uint32		unused;			/* keeps the sections aligned */
	char		sections[FLEXIBLE_ARRAY_MEMBER];	/* each MAXALIGNed */
} Parcel;

static bytea *
pack_state(const DictionaryState *state)
{
	Size		versions = state->nversions * version_size(state);
	Size		keys = MAXALIGN(state->key_texts.used);
	Size		size = offsetof(Parcel, sections) + versions + keys +
		state->texts.used;
	Parcel	   *parcel;

	if (size > MaxAllocSize)
		report_too_large();
	parcel = palloc0(size);
	SET_VARSIZE(parcel, size);
	parcel->version = DICTIONARY_VERSION;
	parcel->nattributes = state->nattributes;
	parcel->nversions = state->nversions;
	parcel->keys_size = state->key_texts.used;
	parcel->texts_size = state->texts.used;
	if (state->nversions > 0)
	{
		memcpy(parcel->sections, state->versions, versions);
		memcpy(parcel->sections + versions + sizeof(uint32),
			   state->key_texts.data + sizeof(uint32),
			   state->key_texts.used - sizeof(uint32));
	}
	if (state->texts.data != NULL)
		memcpy(parcel->sections + versions + keys + sizeof(uint32),
			   state->texts.data + sizeof(uint32),
			   state->texts.used - sizeof(uint32));
	return (bytea *) parcel;
}

/*
 * A state to be read only, in CurrentMemoryContext.  It points into the
 * parcel, which must be aligned as palloc aligns.
 */
static DictionaryState *
unpack_state(bytea *packed)
{
	Parcel	   *parcel = (Parcel *) packed;
	DictionaryState *state = palloc0(sizeof(DictionaryState));
	Size		size = offsetof(Parcel, sections);

	if (VARSIZE(packed) < size || parcel->version != DICTIONARY_VERSION ||
		parcel->nattributes > DICTIONARY_ATTRIBUTES)
		elog(ERROR, "serialized kpi_dictionary has an unknown format");
	state->nattributes = parcel->nattributes;
	state->nversions = parcel->nversions;
	state->versions = (char *) parcel + size;
	size += state->nversions * version_size(state);
	state->key_texts.data = (char *) parcel + size;
	size += MAXALIGN(parcel->keys_size);
	state->texts.data = (char *) parcel + size;
	size += parcel->texts_size;
	if (VARSIZE(packed) != size)
		elog(ERROR, "serialized kpi_dictionary has an unexpected length");
	return state;
}

/* Adds the versions of another state. */
static void
add_state(DictionaryState *state, const DictionaryState *other)
{
	text	   *attributes[DICTIONARY_ATTRIBUTES];

	if (state->nattributes != other->nattributes)
		elog(ERROR, "kpi_dictionary states differ in their attributes");
	for (uint32 i = 0; i < other->nversions; i++)
	{
		const Version *version = get_version(other, i);

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		for (int a = 0; a < other->nattributes; a++)
			attributes[a] = version->attributes[a] == 0 ? NULL :
				get_text(&other->texts, version->attributes[a]);
		add_version(state, get_text(&other->key_texts, version->key),
					version->from, version->to, attributes);
	}
}

/* ---------- SQL functions ---------- */

static MemoryContext
get_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static TimestampTz
get_timestamp(FunctionCallInfo fcinfo, int arg, TimestampTz for_null)
{
	return PG_ARGISNULL(arg) ? for_null : PG_GETARG_TIMESTAMPTZ(arg);
}

/* (state, key, valid_from, valid_to, attributes...), of any number of them. */
PG_FUNCTION_INFO_V1(salkpi_dictionary_add);
Datum
salkpi_dictionary_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	DictionaryState *state;
	text	   *attributes[DICTIONARY_ATTRIBUTES];

	state = PG_ARGISNULL(0) ? create_state(context, PG_NARGS() - 4) :
		(DictionaryState *) PG_GETARG_POINTER(0);
	Assert(state->nattributes <= DICTIONARY_ATTRIBUTES);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	for (int i = 0; i < state->nattributes; i++)
		attributes[i] = PG_ARGISNULL(4 + i) ? NULL : PG_GETARG_TEXT_PP(4 + i);
	add_version(state, PG_GETARG_TEXT_PP(1),
				get_timestamp(fcinfo, 2, DT_NOBEGIN),
				get_timestamp(fcinfo, 3, DT_NOEND), attributes);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(salkpi_dictionary_combine);
Datum
salkpi_dictionary_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = get_aggregate_context(fcinfo);
	DictionaryState *state;
	DictionaryState *other;

	state = PG_ARGISNULL(0) ? NULL : (DictionaryState *) PG_GETARG_POINTER(0);
	other = PG_ARGISNULL(1) ? NULL : (DictionaryState *) PG_GETARG_POINTER(1);
	if (other != NULL)
	{
		if (state == NULL)
			state = create_state(context, other->nattributes);
		add_state(state, other);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(salkpi_dictionary_serialize);
Datum
salkpi_dictionary_serialize(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(pack_state((DictionaryState *) PG_GETARG_POINTER(0)));
}

PG_FUNCTION_INFO_V1(salkpi_dictionary_deserialize);
Datum
salkpi_dictionary_deserialize(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_POINTER(unpack_state(PG_GETARG_BYTEA_P_COPY(0)));
}

/* Without rows a dictionary is empty rather than NULL: it knows no key. */
PG_FUNCTION_INFO_V1(salkpi_dictionary_final);
Datum
salkpi_dictionary_final(PG_FUNCTION_ARGS)
{
	get_aggregate_context(fcinfo);
	PG_RETURN_POINTER(create_dictionary(PG_ARGISNULL(0) ?
										create_state(CurrentMemoryContext,
													 DICTIONARY_ATTRIBUTES) :
										(DictionaryState *) PG_GETARG_POINTER(0)));
}

static void
report_no_input(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot accept a value of type %s", "kpi_dictionary"),
			 errhint("Make it in the query, with the aggregate kpi_dictionary.")));
}

PG_FUNCTION_INFO_V1(salkpi_dictionary_in);
Datum
salkpi_dictionary_in(PG_FUNCTION_ARGS)
{
	report_no_input();
	PG_RETURN_NULL();
}

/* Not the contents, which cannot be read back, but what there is. */
PG_FUNCTION_INFO_V1(salkpi_dictionary_out);
Datum
salkpi_dictionary_out(PG_FUNCTION_ARGS)
{
	const Dictionary *d = (const Dictionary *) PG_GETARG_VARLENA_P(0);

	PG_RETURN_CSTRING(psprintf("(%u keys)", d->nkeys));
}

/*
 * The result may point into the dictionary, as an array's element does into
 * the array: an argument outlives what was made of it.
 */
PG_FUNCTION_INFO_V1(salkpi_kpi_lookup);
Datum
salkpi_kpi_lookup(PG_FUNCTION_ARGS)
{
	const Dictionary *d;
	const KeyBlock *block;
	uint32		offset;
	int32		attribute;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	d = get_dictionary(PG_GETARG_DATUM(0));
	attribute = PG_GETARG_INT32(2);
	if (attribute < 1 || attribute > d->nattributes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attribute %d does not exist in the dictionary",
						attribute),
				 errdetail("Its attributes are numbered from 1 to %d.",
						   d->nattributes)));
	block = find_key(d, PG_GETARG_TEXT_PP(1));
	if (block == NULL)
		PG_RETURN_NULL();
	offset = find_step(d, block, get_timestamp(fcinfo, 3, DT_NOEND))->
		attributes[attribute - 1];
	if (offset == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P((const char *) d + offset);
}

PG_FUNCTION_INFO_V1(salkpi_kpi_lookup_first);
Datum
salkpi_kpi_lookup_first(PG_FUNCTION_ARGS)
{
	const KeyBlock *block = find_key(get_dictionary(PG_GETARG_DATUM(0)),
									 PG_GETARG_TEXT_PP(1));

	if (block == NULL || TIMESTAMP_IS_NOBEGIN(block->first))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(block->first);
}

/* The first step answers for all that lies before: it is not a change. */
PG_FUNCTION_INFO_V1(salkpi_kpi_changes);
Datum
salkpi_kpi_changes(PG_FUNCTION_ARGS)
{
	const Dictionary *d = get_dictionary(PG_GETARG_DATUM(0));
	const KeyBlock *block = find_key(d, PG_GETARG_TEXT_PP(1));
	Datum	   *changes;

	if (block == NULL || block->nsteps < 2)
		PG_RETURN_NULL();
	changes = palloc((block->nsteps - 1) * sizeof(Datum));
	for (uint32 i = 1; i < block->nsteps; i++)
		changes[i - 1] = TimestampTzGetDatum(get_step(d, block, i)->from);
	PG_RETURN_ARRAYTYPE_P(construct_array(changes, block->nsteps - 1,
										  TIMESTAMPTZOID, sizeof(TimestampTz),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(salkpi_kpi_knows);
Datum
salkpi_kpi_knows(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(find_key(get_dictionary(PG_GETARG_DATUM(0)),
							PG_GETARG_TEXT_PP(1)) != NULL);
}
