/*
 * dictionary_state.c
 *	  The aggregate kpi_dictionary: gathers versions of keys, in any order.
 *
 * Each key and each text of an attribute is stored once, found by its hash, so
 * that a million accounts in ten regions take ten texts; amounts and instants,
 * of which there are as many as rows, are only stored.  What the versions
 * mean together is worked out at the end (see dictionary_build.c): until then
 * they are only chained to their keys, and states of parallel workers are put
 * together by adding the versions of one to the other.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dictionary.h"
#include "states.h"

/* ---------- The state ---------- */

void
salkpi_dictionary_too_large(void)
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
		salkpi_dictionary_too_large();
	while (wanted < needed)
		wanted *= 2;
	wanted = Min(wanted, MaxAllocSize);
	*size = wanted;
	array = array == NULL ? MemoryContextAlloc(context, wanted) :
		repalloc(array, wanted);
	salkpi_prefer_huge_pages(array, wanted);
	return array;
}

static void
create_table(MemoryContext context, Table *table, uint32 nslots)
{
	table->slots = MemoryContextAllocHuge(context, nslots * sizeof(Slot));
	salkpi_prefer_huge_pages(table->slots, nslots * sizeof(Slot));
	memset(table->slots, 0, nslots * sizeof(Slot));
	table->mask = nslots - 1;
	table->used = 0;
}

static DictionaryState *
create_state(MemoryContext context, int nattributes, const uint8 *kinds)
{
	DictionaryState *state = MemoryContextAllocZero(context,
													sizeof(DictionaryState));

	state->context = context;
	state->nattributes = nattributes;
	memcpy(state->kinds, kinds, sizeof(state->kinds));
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
		salkpi_same_bytes(VARDATA_ANY(a), VARDATA_ANY(b), length);
}

static inline uint32
hash_text(const text *t)
{
	return salkpi_hash_text(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

/*
 * The slot in which a text is, or the free one where it belongs.  keys tells
 * the table of keys, whose ids are positions, from that of attributes.
 */
static Slot *
find_slot(const Table *table, const Pool *pool, const Key *keys, const text *t,
		  uint32 hash)
{
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
	slot = find_slot(&state->text_table, &state->texts, NULL, t, hash_text(t));
	if (slot->id == 0)
	{
		slot->id = append_text(state->context, &state->texts, t);
		state->text_table.used++;
	}
	return slot->id;
}

/* The key of that text, made if it is new; it stays until the next is made. */
static Key *
intern_key(DictionaryState *state, const text *t, uint32 hash)
{
	Table	   *table = &state->key_table;
	Slot	   *slot;
	Key		   *key;

	grow_table(state->context, table);
	state->keys = with_room(state->context, state->keys,
							(table->used + (Size) 1) * sizeof(Key),
							&state->keys_size);
	slot = find_slot(table, &state->key_texts, state->keys, t, hash);
	if (slot->id != 0)
		return &state->keys[slot->id - 1];
	key = &state->keys[table->used];
	key->text = append_text(state->context, &state->key_texts, t);
	key->hash = hash;
	key->versions = 0;
	key->nversions = 0;
	slot->id = ++table->used;
	return key;
}

static bool
is_same_version(const DictionaryState *state, const Version *a, const Version *b)
{
	return a->from == b->from && a->to == b->to &&
		memcmp(a->attributes, b->attributes, state->nplaces * sizeof(uint32)) == 0;
}

/* An attribute comes for the first time: all versions get a place for it. */
static void
add_place(DictionaryState *state, int attribute)
{
	Size		size = version_size(state->nplaces);
	Size		longer = version_size(state->nplaces + 1);

	state->places[attribute] = ++state->nplaces;
	if (longer == size)
		return;
	state->versions = with_room(state->context, state->versions, state->nversions * longer,
								&state->versions_size);
	for (uint32 n = state->nversions; n > 0; n--)
	{
		char	   *version = (char *) get_version(state, n - 1);

		memmove(version, state->versions + (n - 1) * size, size);
		memset(version + size, 0, longer - size);
	}
}

/*
 * A version of a key whose hash is given; attributes are nattributes pointers,
 * NULL for NULL.  Said again it is not added again: a set of keys takes what
 * its keys take, however many rows name them.
 */
static void
add_version(DictionaryState *state, const text *key_text, uint32 hash,
			TimestampTz from, TimestampTz to, text **attributes)
{
	Version    *version;
	Key		   *key;

	for (int i = 0; i < state->nattributes; i++)
		if (attributes[i] != NULL && state->places[i] == 0)
			add_place(state, i);
	state->versions = with_room(state->context, state->versions,
								(state->nversions + (Size) 1) * version_size(state->nplaces),
								&state->versions_size);
	key = intern_key(state, key_text, hash);
	version = get_version(state, state->nversions);
	memset(version, 0, version_size(state->nplaces));
	version->from = from;
	version->to = to;
	version->key = key->text;
	for (int i = 0; i < state->nattributes; i++)
		if (attributes[i] != NULL)
			version->attributes[state->places[i] - 1] = state->kinds[i] == ATTRIBUTE_TEXT ?
				intern_text(state, attributes[i]) :
				append_text(state->context, &state->texts, attributes[i]);
	if (key->versions != 0 && is_same_version(state, version, get_version(state, key->versions - 1)))
		return;
	version->next = key->versions;
	key->versions = ++state->nversions;
	key->nversions++;
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
	uint16		nattributes;	/* that there may be */
	uint32		nversions;		/* how many, in the first section */
	uint32		keys_size;		/* bytes of the pool of keys, the second */
	uint32		texts_size;		/* bytes of the pool of texts, the third */
	uint32		nplaces;		/* attributes of each version */
	uint8		kinds[DICTIONARY_ATTRIBUTES];	/* of the attributes */
	uint8		places[DICTIONARY_ATTRIBUTES];	/* of them, as in the state */
	uint8		unused[2];		/* keeps the sections aligned */
	char		sections[FLEXIBLE_ARRAY_MEMBER];	/* each MAXALIGNed */
} Parcel;

static bytea *
pack_state(const DictionaryState *state)
{
	Size		versions = state->nversions * version_size(state->nplaces);
	Size		keys = MAXALIGN(state->key_texts.used);
	Size		size = offsetof(Parcel, sections) + versions + keys +
		state->texts.used;
	Parcel	   *parcel;

	if (size > MaxAllocSize)
		salkpi_dictionary_too_large();
	parcel = palloc0(size);
	SET_VARSIZE(parcel, size);
	parcel->version = DICTIONARY_VERSION;
	parcel->nattributes = state->nattributes;
	memcpy(parcel->kinds, state->kinds, sizeof(state->kinds));
	memcpy(parcel->places, state->places, sizeof(state->places));
	parcel->nplaces = state->nplaces;
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
		parcel->nattributes > DICTIONARY_ATTRIBUTES || parcel->nplaces > parcel->nattributes)
		elog(ERROR, "serialized kpi_dictionary has an unknown format");
	state->nattributes = parcel->nattributes;
	memcpy(state->kinds, parcel->kinds, sizeof(state->kinds));
	memcpy(state->places, parcel->places, sizeof(state->places));
	state->nplaces = parcel->nplaces;
	state->nversions = parcel->nversions;
	state->versions = (char *) parcel + size;
	size += state->nversions * version_size(state->nplaces);
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

	if (state->nattributes != other->nattributes ||
		memcmp(state->kinds, other->kinds, sizeof(state->kinds)) != 0)
		elog(ERROR, "kpi_dictionary states differ in their attributes");
	for (uint32 i = 0; i < other->nversions; i++)
	{
		const Version *version = get_version(other, i);

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		for (int a = 0; a < other->nattributes; a++)
		{
			int			place = other->places[a];

			attributes[a] = place == 0 || version->attributes[place - 1] == 0 ? NULL :
				get_text(&other->texts, version->attributes[place - 1]);
		}
		add_version(state, get_text(&other->key_texts, version->key),
					hash_text(get_text(&other->key_texts, version->key)),
					version->from, version->to, attributes);
	}
}

/* ---------- SQL functions ---------- */

static text *
make_instant(Instant *instant, TimestampTz at)
{
	SET_VARSIZE(instant, sizeof(Instant));
	memcpy(instant->at, &at, sizeof(at));
	return (text *) instant;
}

/* What precedes the attributes in the arguments of the transition function. */
#define FIXED_ARGUMENTS		4

/* The kinds of the attributes, as the function that is called is declared. */
static DictionaryState *
create_declared_state(MemoryContext context, FunctionCallInfo fcinfo)
{
	uint8		kinds[DICTIONARY_ATTRIBUTES] = {0};
	Oid		   *types;
	int			n;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &n);
	Assert(n - FIXED_ARGUMENTS <= DICTIONARY_ATTRIBUTES);
	for (int i = FIXED_ARGUMENTS; i < n; i++)
		kinds[i - FIXED_ARGUMENTS] =
			types[i] == NUMERICOID ? ATTRIBUTE_NUMBER :
			types[i] == TIMESTAMPTZOID ? ATTRIBUTE_INSTANT : ATTRIBUTE_TEXT;
	pfree(types);
	return create_state(context, n - FIXED_ARGUMENTS, kinds);
}

static inline TimestampTz
get_timestamp(const BatchArgument *arg, int row, TimestampTz for_null)
{
	return arg->nulls[row] ? for_null : DatumGetTimestampTz(arg->values[row]);
}

static void
add_row(DictionaryState *state, const BatchArgument *args, int row, uint32 hash)
{
	text	   *attributes[DICTIONARY_ATTRIBUTES];
	Instant		instants[DICTIONARY_ATTRIBUTES];

	for (int i = 0; i < state->nattributes; i++)
	{
		const BatchArgument *arg = &args[FIXED_ARGUMENTS + i];

		if (arg->nulls[row])
			attributes[i] = NULL;
		else if (state->kinds[i] == ATTRIBUTE_INSTANT)
			attributes[i] = make_instant(&instants[i], DatumGetTimestampTz(arg->values[row]));
		else
			attributes[i] = DatumGetTextPP(arg->values[row]);
	}
	add_version(state, DatumGetTextPP(args[1].values[row]), hash,
				get_timestamp(&args[2], row, DT_NOBEGIN),
				get_timestamp(&args[3], row, DT_NOEND), attributes);
}

/* Add the rows of a batch, whose places among the keys are fetched together. */
Datum
salkpi_dictionary_add_rows(FunctionCallInfo fcinfo, const BatchArgument *args, const BatchRows *rows)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, DICTIONARY_TYPE);
	DictionaryState *state = PG_ARGISNULL(0) ? create_declared_state(context, fcinfo) :
		(DictionaryState *) PG_GETARG_POINTER(0);
	uint32		hashes[BATCH_ROWS];

	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		if (args[1].nulls[row])
			continue;
		hashes[i] = hash_text(DatumGetTextPP(args[1].values[row]));
		__builtin_prefetch(&state->key_table.slots[hashes[i] & state->key_table.mask], 1);
	}
	for (int i = 0; i < rows->count; i++)
		if (!args[1].nulls[rows->row[i]])
			add_row(state, args, rows->row[i], hashes[i]);
	return PointerGetDatum(state);
}

/* (state, key, valid_from, valid_to, attributes...), of any number of them. */
PG_FUNCTION_INFO_V1(salkpi_dictionary_add);
Datum
salkpi_dictionary_add(PG_FUNCTION_ARGS)
{
	BatchArgument args[FIXED_ARGUMENTS + DICTIONARY_ATTRIBUTES];

	salkpi_arguments_of_call(fcinfo, args, lengthof(args));
	PG_RETURN_DATUM(salkpi_dictionary_add_rows(fcinfo, args, &salkpi_one_row));
}

PG_FUNCTION_INFO_V1(salkpi_dictionary_combine);
Datum
salkpi_dictionary_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, DICTIONARY_TYPE);
	DictionaryState *state;
	DictionaryState *other;

	state = PG_ARGISNULL(0) ? NULL : (DictionaryState *) PG_GETARG_POINTER(0);
	other = PG_ARGISNULL(1) ? NULL : (DictionaryState *) PG_GETARG_POINTER(1);
	if (other != NULL)
	{
		if (state == NULL)
			state = create_state(context, other->nattributes, other->kinds);
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
	(void) salkpi_aggregate_context(fcinfo, DICTIONARY_TYPE);
	PG_RETURN_BYTEA_P(pack_state((DictionaryState *) PG_GETARG_POINTER(0)));
}

PG_FUNCTION_INFO_V1(salkpi_dictionary_deserialize);
Datum
salkpi_dictionary_deserialize(PG_FUNCTION_ARGS)
{
	(void) salkpi_aggregate_context(fcinfo, DICTIONARY_TYPE);
	PG_RETURN_POINTER(unpack_state(PG_GETARG_BYTEA_P_COPY(0)));
}

/* Without rows a dictionary is empty rather than NULL: it knows no key. */
PG_FUNCTION_INFO_V1(salkpi_dictionary_final);
Datum
salkpi_dictionary_final(PG_FUNCTION_ARGS)
{
	static const uint8 texts[DICTIONARY_ATTRIBUTES] = {ATTRIBUTE_TEXT};
	DictionaryState *state;

	(void) salkpi_aggregate_context(fcinfo, DICTIONARY_TYPE);
	state = PG_ARGISNULL(0) ?
		create_state(CurrentMemoryContext, DICTIONARY_ATTRIBUTES, texts) :
		(DictionaryState *) PG_GETARG_POINTER(0);
	PG_RETURN_POINTER(salkpi_dictionary_build(state));
}
