/*
 * dictionary_build.c
 *	  Makes a kpi_dictionary of the versions gathered: what is valid when.
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
 * whose attributes are greater, compared in turn (texts by bytes), NULL being
 * the smallest.  So rows may come in any order.  A start of -infinity and an end of
 * infinity mean the same as NULL.  A version that ends before or when it starts
 * is never valid, but has started, and so answers by rules 2 and 3.  Asked for
 * the instant NULL, a dictionary answers as for the end of time.
 *
 * All this is worked out once, when the value is made: a key's versions become
 * steps, each answering from its instant to that of the next, so that a lookup
 * is a search for the last step that is not in the future.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dictionary.h"
#include "texts.h"

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

/* Instants and numbers by their value, equal numbers and texts by their bytes. */
static int
compare_attributes(const Pool *texts, AttributeKind kind, uint32 a, uint32 b)
{
	const text *text_a = get_text(texts, a);
	const text *text_b = get_text(texts, b);
	int			order = 0;

	if (a == b)
		return 0;
	if (a == 0 || b == 0)
		return a == 0 ? -1 : 1;
	if (kind == ATTRIBUTE_INSTANT)
		return timestamp_cmp_internal(get_instant((const Instant *) text_a),
									  get_instant((const Instant *) text_b));
	if (kind == ATTRIBUTE_NUMBER)
		order = DatumGetInt32(DirectFunctionCall2(numeric_cmp,
												  PointerGetDatum(text_a),
												  PointerGetDatum(text_b)));
	return order != 0 ? order : salkpi_compare_texts(text_a, text_b);
}

/*
 * The order of versions: by start, end and attributes, of which numbers come
 * last: which of two versions is found does not depend on an amount then, as
 * long as they differ in anything else (kpi_seen_columns).
 */
static int
compare_versions(const Version *a, const Version *b,
				 const DictionaryState *state)
{
	int			order = 0;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	for (int numbers = 0; numbers <= 1; numbers++)
		for (int i = 0; i < state->nattributes && order == 0; i++)
			if (state->places[i] != 0 && (state->kinds[i] == ATTRIBUTE_NUMBER) == numbers)
				order = compare_attributes(&state->texts, state->kinds[i],
										   a->attributes[state->places[i] - 1],
										   b->attributes[state->places[i] - 1]);
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
				  state->nplaces * sizeof(uint32)) == 0;
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
	if (n == 1)
	{
		work->turns[0] = (Turn) {work->versions[0]->from, work->versions[0]};
		work->nturns = 1;
		return;
	}
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
		prepare_key(work, key);
		size += key_size(VARSIZE(get_text(&state->key_texts, key->text)) - VARHDRSZ) +
			work->nturns * step_size(state->nplaces);
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
		for (int a = 0; a < state->nplaces; a++)
		{
			uint32		offset = work->turns[i].version->attributes[a];

			step->attributes[a] = offset == 0 ? 0 : texts + offset;
		}
		at += step_size(state->nplaces);
	}
	return at;
}

static Slot *
free_slot(Dictionary *d, uint32 hash)
{
	uint32		i = hash & d->mask;

	while (d->slots[i].id != 0)
		i = (i + 1) & d->mask;
	return &d->slots[i];
}

/* The keys come as they were gathered, so that they are read one after the other. */
Dictionary *
salkpi_dictionary_build(const DictionaryState *state)
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
		salkpi_dictionary_too_large();
	d = palloc(size);
	salkpi_prefer_huge_pages(d, size);
	memset(d, 0, texts + sizeof(uint32));	/* what lies between keys and steps, too */
	SET_VARSIZE(d, size);
	d->version = DICTIONARY_VERSION;
	d->nattributes = state->nattributes;
	d->nkeys = state->key_table.used;
	d->mask = state->key_table.mask;
	memcpy(d->kinds, state->kinds, sizeof(state->kinds));
	d->nplaces = state->nplaces;
	memcpy(d->places, state->places, sizeof(state->places));
	for (uint32 i = 0; i < state->key_table.used; i++)
	{
		const Key  *key = &state->keys[i];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		*free_slot(d, key->hash) = (Slot) {key->hash, at};
		prepare_key(&work, key);
		at = write_block(d, at, texts, &work, key, key->nversions);
	}
	Assert(at == texts);
	if (state->texts.data != NULL)
		memcpy((char *) d + texts + sizeof(uint32),
			   state->texts.data + sizeof(uint32),
			   state->texts.used - sizeof(uint32));
	return d;
}
