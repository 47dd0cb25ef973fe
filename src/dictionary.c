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
 * dictionary_state.c gathers the rows, dictionary_build.c makes the value and
 * says what it answers; here is how it is read.
 *
 * A value lives within a query.  Text and binary input are refused, and so is
 * a value out of a table that would have to be detoasted for every row.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "dictionary.h"

/* ---------- The value ---------- */

static inline const Step *
get_step(const Dictionary *d, const KeyBlock *block, uint32 n)
{
	return (const Step *) ((const char *) block + key_size(block->length) +
						   n * step_size(d->nplaces));
}

/*
 * An argument that is a dictionary.  Only one of less than 127 bytes, whose
 * header the executor may have shortened, is copied.
 */
const Dictionary *
salkpi_dictionary_get(Datum datum)
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

static inline uint32
hash_key(const text *key)
{
	return salkpi_hash_text(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

/* What is known of a key, whose hash is given; or NULL. */
const KeyBlock *
salkpi_dictionary_find(const Dictionary *d, const text *key, uint32 hash)
{
	const char *bytes = VARDATA_ANY(key);
	Size		length = VARSIZE_ANY_EXHDR(key);

	for (uint32 i = hash & d->mask; d->slots[i].id != 0;
		 i = (i + 1) & d->mask)
	{
		const KeyBlock *block;

		if (d->slots[i].hash != hash)
			continue;
		block = (const KeyBlock *) ((const char *) d + d->slots[i].id);
		if (block->length == length &&
			salkpi_same_bytes(block->key, bytes, length))
			return block;
	}
	return NULL;
}

static const KeyBlock *
find_key(const Dictionary *d, const text *key)
{
	return salkpi_dictionary_find(d, key, hash_key(key));
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

/* ---------- SQL functions ---------- */

static void
report_no_input(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot accept a value of type %s", DICTIONARY_TYPE),
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

static inline void
require_kind(const Dictionary *d, int attribute, AttributeKind kind)
{
	static const char *const names[] = {"text", "number", "instant"};

	if (d->kinds[attribute - 1] != kind)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("attribute %d of the dictionary has kind %s, not %s",
						attribute, names[d->kinds[attribute - 1]], names[kind])));
}

/* There must be such an attribute; an empty dictionary says nothing of kinds. */
void
salkpi_dictionary_check(const Dictionary *d, int attribute, AttributeKind kind)
{
	if (attribute < 1 || attribute > d->nattributes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attribute %d does not exist in the dictionary",
						attribute),
				 errdetail("Its attributes are numbered from 1 to %d.",
						   d->nattributes)));
	if (d->nkeys > 0)
		require_kind(d, attribute, kind);
}

/* An attribute (from 1) of a key at an instant, or NULL. */
const char *
salkpi_dictionary_attribute(const Dictionary *d, const KeyBlock *block,
							int attribute, TimestampTz at)
{
	int			place = d->places[attribute - 1];
	uint32		offset = place == 0 ? 0 : find_step(d, block, at)->attributes[place - 1];

	return offset == 0 ? NULL : (const char *) d + offset;
}

/* The attribute of a kind that the arguments ask for, or NULL. */
static const char *
look_up(FunctionCallInfo fcinfo, AttributeKind kind)
{
	const Dictionary *d;
	const KeyBlock *block;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return NULL;
	d = salkpi_dictionary_get(PG_GETARG_DATUM(0));
	salkpi_dictionary_check(d, PG_GETARG_INT32(2), kind);
	block = find_key(d, PG_GETARG_TEXT_PP(1));
	return block == NULL ? NULL :
		salkpi_dictionary_attribute(d, block, PG_GETARG_INT32(2),
									PG_ARGISNULL(3) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(3));
}

/*
 * The results may point into the dictionary, as an array's element does into
 * the array: an argument outlives what was made of it.
 */
PG_FUNCTION_INFO_V1(salkpi_kpi_lookup);
Datum
salkpi_kpi_lookup(PG_FUNCTION_ARGS)
{
	const char *found = look_up(fcinfo, ATTRIBUTE_TEXT);

	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(found);
}

PG_FUNCTION_INFO_V1(salkpi_kpi_lookup_number);
Datum
salkpi_kpi_lookup_number(PG_FUNCTION_ARGS)
{
	const char *found = look_up(fcinfo, ATTRIBUTE_NUMBER);

	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(found);
}

PG_FUNCTION_INFO_V1(salkpi_kpi_lookup_instant);
Datum
salkpi_kpi_lookup_instant(PG_FUNCTION_ARGS)
{
	const char *found = look_up(fcinfo, ATTRIBUTE_INSTANT);

	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(get_instant((const Instant *) found));
}

/*
 * The number of a key at an instant, within the dictionary; NULL when there is
 * none.  A rate is not known before the first one: it is never guessed.
 */
Numeric
salkpi_dictionary_rate(Datum dictionary, const text *key, TimestampTz at)
{
	const Dictionary *d = salkpi_dictionary_get(dictionary);
	const KeyBlock *block = find_key(d, key);

	if (block == NULL || TIMESTAMP_IS_NOBEGIN(block->first) || at < block->first)
		return NULL;
	require_kind(d, 1, ATTRIBUTE_NUMBER);
	return (Numeric) salkpi_dictionary_attribute(d, block, 1, at);
}

PG_FUNCTION_INFO_V1(salkpi_kpi_rate);
Datum
salkpi_kpi_rate(PG_FUNCTION_ARGS)
{
	Numeric		rate = salkpi_dictionary_rate(PG_GETARG_DATUM(0),
											  PG_GETARG_TEXT_PP(1),
											  PG_GETARG_TIMESTAMPTZ(2));

	if (rate == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(rate);
}

PG_FUNCTION_INFO_V1(salkpi_kpi_lookup_first);
Datum
salkpi_kpi_lookup_first(PG_FUNCTION_ARGS)
{
	const KeyBlock *block = find_key(salkpi_dictionary_get(PG_GETARG_DATUM(0)),
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
	const Dictionary *d = salkpi_dictionary_get(PG_GETARG_DATUM(0));
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
	PG_RETURN_BOOL(find_key(salkpi_dictionary_get(PG_GETARG_DATUM(0)),
							PG_GETARG_TEXT_PP(1)) != NULL);
}
