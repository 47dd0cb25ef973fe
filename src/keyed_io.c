/*
 * keyed_io.c
 *	  Sums of amounts by key: the flat form, stored, sent, compared, merged.
 *
 * Flat, a table is a string of bytes that depends on its rows alone (flat.c):
 *
 *		version, kind of keys	a byte each
 *		unit, bounds			only of a type with bounds: a byte, two signed
 *		scale					the largest display scale
 *		count					number of keys
 *		for each key, ascending:
 *			key					an integer as the difference to the one before,
 *								a uuid as 16 bytes, a text
 *			flags				a number
 *			amounts				signed; one that int128 cannot hold is a zero
 *								and a numeric as text, a zero one is a zero and
 *								an empty text
 *
 * A flat table is read from its beginning to its end, which is all that finish
 * and merge need; an open one is read in the order of its records.  What comes
 * from outside is read the same way, into an open table that is then written
 * anew: only what rows can make is let in, and in one form.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "keyed.h"
#include "salkpi.h"
#include "texts.h"

#define KEYED_VERSION	1

/* A record in the order of keys. */
typedef struct Place
{
	uint64		prefix;			/* ordered as the first bytes of the key */
	const char *record;			/* the record */
} Place;

static int	compare_places(const Place *a, const Place *b, const Keyed *keyed);

#define ST_SORT sort_places
#define ST_ELEMENT_TYPE Place
#define ST_COMPARE compare_places
#define ST_COMPARE_ARG_TYPE const Keyed
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---------- Writing ---------- */

static int
compare_places(const Place *a, const Place *b, const Keyed *keyed)
{
	KeyedItem	x;
	KeyedItem	y;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (keyed->kind == KEY_INTEGER)
		return 0;
	(void) salkpi_keyed_read(keyed, a->record, &x);
	(void) salkpi_keyed_read(keyed, b->record, &y);
	return salkpi_key_compare(keyed->kind, &x.key, &y.key);
}

/* With how many bytes do all keys begin? */
static Size
common_bytes(const Keyed *keyed, const Place *places)
{
	KeyedItem	first;
	KeyedItem	item;
	Size		common = 0;

	for (uint32 n = 0; n < keyed->count && (n == 0 || common > 0); n++)
	{
		(void) salkpi_keyed_read(keyed, places[n].record, &item);
		if (n == 0)
		{
			first = item;
			common = first.key.length;
		}
		common = salkpi_common_bytes(first.key.bytes, common, item.key.bytes, item.key.length);
	}
	return common;
}

/* What texts have in common tells nothing of their order: prefixes are of what comes behind. */
static void
set_prefixes(const Keyed *keyed, Place *places)
{
	Size		common = keyed->kind == KEY_TEXT ? common_bytes(keyed, places) : 0;
	KeyedItem	item;

	for (uint32 n = 0; n < keyed->count; n++)
	{
		(void) salkpi_keyed_read(keyed, places[n].record, &item);
		if (common > 0)
		{
			item.key.bytes += common;
			item.key.length -= common;
		}
		places[n].prefix = salkpi_key_prefix(keyed->kind, &item.key);
	}
}

/* The records in the order of their keys, palloc'd. */
static Place *
sort_records(const Keyed *keyed)
{
	Place	   *places = palloc_extended(((Size) keyed->count + 1) * sizeof(Place),
										 MCXT_ALLOC_HUGE);
	const KeyedChunk *chunk = &keyed->chunk;
	const char *record = salkpi_keyed_first(chunk);
	KeyedItem	item;

	for (uint32 n = 0; n < keyed->count; n++)
	{
		places[n].record = salkpi_keyed_next_record(&chunk, record);
		record = salkpi_keyed_read(keyed, places[n].record, &item);
	}
	if (!keyed->is_ascending)
	{
		set_prefixes(keyed, places);
		sort_places(places, keyed->count, keyed);
	}
	return places;
}

static void
put_key(FlatWriter *w, KeyKind kind, const KeyedKey *key, int64 before,
		bool is_first)
{
	if (kind == KEY_INTEGER && is_first)
		salkpi_put_signed(w, key->number);
	else if (kind == KEY_INTEGER)
		salkpi_put_number(w, (uint64) key->number - (uint64) before);
	else if (kind == KEY_TEXT)
		salkpi_put_text(w, key->bytes, key->length);
	else
	{
		memcpy(salkpi_flat_reserve(w, key->length), key->bytes, key->length);
		w->used += key->length;
	}
}

static void
put_sum(FlatWriter *w, const ExactSum *sum, int dscale)
{
	char	   *text = "";

	salkpi_put_signed(w, sum->small);
	if (sum->small != 0)
		return;
	if (sum->big != NULL)
		text = DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(salkpi_numeric_pad(sum->big, dscale))));
	salkpi_put_text(w, text, strlen(text));
}

static void
put_head(FlatWriter *w, const Keyed *keyed)
{
	salkpi_put_number(w, KEYED_VERSION);
	salkpi_put_number(w, keyed->kind);
	if (keyed->type->has_bounds)
	{
		salkpi_put_number(w, keyed->unit);
		salkpi_put_signed(w, keyed->bounds[0]);
		salkpi_put_signed(w, keyed->bounds[1]);
	}
	salkpi_put_number(w, keyed->dscale);
	salkpi_put_number(w, keyed->count);
}

/* The flat form of a table, in a memory context. */
static struct varlena *
finish(Keyed *keyed, MemoryContext context)
{
	FlatWriter	w;
	KeyedItem	item;
	Place	   *places;
	int64		before = 0;
	uint32		n;
	int			i;

	salkpi_keyed_unique(keyed);
	places = sort_records(keyed);
	salkpi_flat_start(&w, keyed->type->name, context);
	put_head(&w, keyed);
	for (n = 0; n < keyed->count; n++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) salkpi_keyed_read(keyed, places[n].record, &item);
		put_key(&w, keyed->kind, &item.key, before, n == 0);
		salkpi_put_number(&w, item.flag);
		for (i = 0; i < keyed->width; i++)
			put_sum(&w, &item.sums[i], keyed->dscale);
		before = item.key.number;
	}
	pfree(places);
	return salkpi_flat_finish(&w);
}

/*
 * Expanded object method: the size of the flat form, which is written here
 * and handed over below.
 */
static Size
get_flat_size(ExpandedObjectHeader *header)
{
	Keyed	   *keyed = (Keyed *) header;

	if (keyed->flat != NULL)
		pfree(keyed->flat);		/* of rows before */
	keyed->flat = finish(keyed, header->eoh_context);
	return VARSIZE(keyed->flat);
}

static void
flatten_into(ExpandedObjectHeader *header, void *result, Size size)
{
	Keyed	   *keyed = (Keyed *) header;

	if (keyed->flat == NULL || VARSIZE(keyed->flat) != size)
		elog(ERROR, "size of a flat form is not known");
	memcpy(result, keyed->flat, size);
	pfree(keyed->flat);
	keyed->flat = NULL;
}

const ExpandedObjectMethods salkpi_keyed_methods = {get_flat_size, flatten_into};

/* ---------- Reading ---------- */

static void
get_head(KeyedScan *scan)
{
	FlatReader *r = &scan->reader;
	KeyedHead  *head = &scan->head;
	uint64		kind;
	uint64		dscale;

	salkpi_flat_check_version(r, KEYED_VERSION);
	kind = salkpi_get_number(r, "kind of keys");
	if (kind != KEY_INTEGER && kind != KEY_UUID && kind != KEY_TEXT)
		salkpi_flat_damaged(r, "kind of keys");
	head->kind = kind;
	head->unit = 0;
	if (scan->type->has_bounds)
	{
		uint64		unit = salkpi_get_number(r, "unit");

		if (unit != BOUND_DAYS && unit != BOUND_INSTANTS && unit != BOUND_TIMES)
			salkpi_flat_damaged(r, "unit");
		head->unit = unit;
		head->bounds[0] = salkpi_get_signed(r, 64, "opening");
		head->bounds[1] = salkpi_get_signed(r, 64, "closing");
		if (head->bounds[1] < head->bounds[0])
			salkpi_flat_damaged(r, "closing");
	}
	dscale = salkpi_get_number(r, "scale");
	if (dscale > SALKPI_MAX_DSCALE)
		salkpi_flat_damaged(r, "scale");
	head->dscale = dscale;
	head->count = salkpi_get_count(r, "number of keys");
}

/* Start to go through a table, which must live as long as the scan. */
void
salkpi_keyed_scan(KeyedScan *scan, const KeyedType *type, Datum datum)
{
	Keyed	   *open = salkpi_keyed_open(datum);

	memset(scan, 0, sizeof(KeyedScan));
	scan->type = type;
	if (open != NULL)
	{
		salkpi_keyed_unique(open);
		scan->open = open;
		scan->chunk = &open->chunk;
		scan->record = salkpi_keyed_first(scan->chunk);
		scan->head.kind = open->kind;
		scan->head.unit = open->unit;
		scan->head.dscale = open->dscale;
		scan->head.count = open->count;
		memcpy(scan->head.bounds, open->bounds, sizeof(open->bounds));
		return;
	}
	salkpi_flat_open(&scan->reader, type->name, PG_DETOAST_DATUM(datum));
	get_head(scan);
}

/* The next key of a flat table, which must be above the one before. */
static void
get_key(KeyedScan *scan, KeyedKey *key)
{
	FlatReader *r = &scan->reader;
	bool		is_first = scan->next == 0;
	uint64		step;

	if (scan->head.kind == KEY_INTEGER)
	{
		step = is_first ? 0 : salkpi_get_number(r, "keys");
		key->number = is_first ? salkpi_get_signed(r, 64, "keys") :
			(int64) ((uint64) scan->before.number + step);
		if (!is_first && key->number <= scan->before.number)
			salkpi_flat_damaged(r, "keys");
	}
	else if (scan->head.kind == KEY_TEXT)
		key->bytes = salkpi_get_text(r, &key->length, "keys");
	else
	{
		if (r->end - r->p < 16)
			salkpi_flat_damaged(r, "keys");
		key->bytes = (const char *) r->p;
		key->length = 16;
		r->p += 16;
	}
	if (scan->head.kind != KEY_INTEGER && !is_first &&
		salkpi_key_compare(scan->head.kind, &scan->before, key) >= 0)
		salkpi_flat_damaged(r, "keys");
	scan->before = *key;
}

/* A sum, which must be settled. */
static ExactSum
get_sum(KeyedScan *scan)
{
	FlatReader *r = &scan->reader;
	ExactSum	sum = {salkpi_get_signed(r, 128, "amounts"), NULL};
	NumericParts parts;
	const char *text;
	uint32		length;
	int128		small;

	if (!salkpi_is_small(sum.small))
		salkpi_flat_damaged(r, "amounts");
	if (sum.small != 0)
		return sum;
	text = salkpi_get_text(r, &length, "large amounts");
	if (length == 0)
		return sum;
	sum.big = DatumGetNumeric(DirectFunctionCall3(numeric_in,
												  CStringGetDatum(pnstrdup(text, length)),
												  ObjectIdGetDatum(InvalidOid),
												  Int32GetDatum(-1)));
	salkpi_numeric_read((struct varlena *) sum.big, &parts);
	if (parts.dscale > scan->head.dscale ||
		salkpi_parts_to_int128(&parts, salkpi_fixed_scale(scan->head.dscale),
							   &small))
		salkpi_flat_damaged(r, "large amounts");
	return sum;
}

/*
 * The next key of a table and what it has; false behind the last one.  Nothing
 * may follow it, and it must be what rows can make.
 */
bool
salkpi_keyed_next(KeyedScan *scan, KeyedItem *item)
{
	FlatReader *r = &scan->reader;
	uint64		flags;
	int			i;

	CHECK_FOR_INTERRUPTS();
	if (scan->next >= scan->head.count)
	{
		if (scan->open == NULL && r->p != r->end)
			salkpi_flat_damaged(r, "end");
		return false;
	}
	if (scan->open != NULL)
	{
		scan->record = salkpi_keyed_next_record(&scan->chunk, scan->record);
		scan->record = salkpi_keyed_read(scan->open, scan->record, item);
		scan->next++;
		return true;
	}
	get_key(scan, &item->key);
	flags = salkpi_get_number(r, "flags");
	if (flags > 1)
		salkpi_flat_damaged(r, "flags");
	item->flag = flags;
	for (i = 0; i < scan->type->width; i++)
		item->sums[i] = get_sum(scan);
	if (!scan->type->is_possible(item))
		salkpi_flat_damaged(r, "amounts");
	scan->next++;
	return true;
}

/* An empty open table becomes one of the same keys and bounds as another one. */
static void
take_head(Keyed *keyed, const KeyedScan *scan)
{
	keyed->kind = scan->head.kind;
	keyed->unit = scan->head.unit;
	keyed->dscale = scan->head.dscale;
	memcpy(keyed->bounds, scan->head.bounds, sizeof(keyed->bounds));
}

/* Tables that differ in what they are about cannot be merged. */
static void
check_mergeable(const Keyed *keyed, const KeyedScan *scan)
{
	if (keyed->kind != scan->head.kind)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cannot merge %s values with keys of different types",
						scan->type->name)));
	if (keyed->unit != scan->head.unit)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cannot merge %s values with openings and closings of different types",
						scan->type->name)));
	if (memcmp(keyed->bounds, scan->head.bounds, sizeof(keyed->bounds)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge %s values with different openings or closings",
						scan->type->name)));
}

/* Add a table of either form to an open one, which may be new. */
static void
merge(Keyed *keyed, Datum other)
{
	KeyedScan	scan;
	KeyedItem	item;

	salkpi_keyed_scan(&scan, keyed->type, other);
	if (keyed->kind == 0)
		take_head(keyed, &scan);
	check_mergeable(keyed, &scan);
	if (scan.head.dscale > keyed->dscale)
		salkpi_keyed_rescale(keyed, scan.head.dscale);
	while (salkpi_keyed_next(&scan, &item))
	{
		salkpi_item_rescale(&item, keyed->width, scan.head.dscale,
							keyed->dscale);
		salkpi_keyed_add(keyed, &item);
	}
}

/* ---------- SQL functions ---------- */

/* Read a flat form from outside and write it anew: valid and canonical. */
static Datum
verified(const KeyedType *type, struct varlena *flat)
{
	FlatReader	r;
	Keyed	   *keyed = salkpi_keyed_create(type, CurrentMemoryContext, palloc(KEYED_SIZE));

	salkpi_flat_open(&r, type->name, flat);
	salkpi_flat_check_version(&r, KEYED_VERSION);
	merge(keyed, PointerGetDatum(flat));
	return PointerGetDatum(finish(keyed, CurrentMemoryContext));
}

Datum
salkpi_keyed_in(const KeyedType *type, FunctionCallInfo fcinfo)
{
	return verified(type, salkpi_flat_from_text(type->name, PG_GETARG_CSTRING(0)));
}

Datum
salkpi_keyed_recv(const KeyedType *type, FunctionCallInfo fcinfo)
{
	return verified(type, salkpi_flat_from_message((StringInfo) PG_GETARG_POINTER(0)));
}

/* An argument in its flat form. */
static struct varlena *
get_flat(Datum datum)
{
	Keyed	   *keyed = salkpi_keyed_open(datum);

	return keyed == NULL ? PG_DETOAST_DATUM(datum) :
		finish(keyed, CurrentMemoryContext);
}

Datum
salkpi_keyed_out(const KeyedType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_CSTRING(salkpi_flat_to_text(type->name,
										  get_flat(PG_GETARG_DATUM(0))));
}

Datum
salkpi_keyed_send(const KeyedType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_BYTEA_P(salkpi_flat_to_message(get_flat(PG_GETARG_DATUM(0))));
}

static bool
are_equal(FunctionCallInfo fcinfo)
{
	return salkpi_flat_equal(get_flat(PG_GETARG_DATUM(0)),
							 get_flat(PG_GETARG_DATUM(1)));
}

Datum
salkpi_keyed_eq(const KeyedType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_BOOL(are_equal(fcinfo));
}

Datum
salkpi_keyed_ne(const KeyedType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_BOOL(!are_equal(fcinfo));
}

Datum
salkpi_keyed_hash(const KeyedType *type, FunctionCallInfo fcinfo)
{
	struct varlena *flat = get_flat(PG_GETARG_DATUM(0));

	return hash_any((unsigned char *) VARDATA_ANY(flat),
					VARSIZE_ANY_EXHDR(flat));
}

Datum
salkpi_keyed_hash_extended(const KeyedType *type, FunctionCallInfo fcinfo)
{
	struct varlena *flat = get_flat(PG_GETARG_DATUM(0));

	return hash_any_extended((unsigned char *) VARDATA_ANY(flat),
							 VARSIZE_ANY_EXHDR(flat), PG_GETARG_INT64(1));
}

/* A flat table as the state of an aggregate. */
Keyed *
salkpi_keyed_load(const KeyedType *type, FunctionCallInfo fcinfo)
{
	Keyed	   *keyed = salkpi_keyed_start(type, fcinfo);

	merge(keyed, PG_GETARG_DATUM(0));
	return keyed;
}

/* Combine function, and the transition of kpi_rollup. */
Datum
salkpi_keyed_combine(const KeyedType *type, FunctionCallInfo fcinfo)
{
	Keyed	   *keyed = salkpi_keyed_state(type, fcinfo);

	if (PG_ARGISNULL(1) && keyed == NULL)
		PG_RETURN_NULL();
	if (keyed == NULL)
		keyed = salkpi_keyed_start(type, fcinfo);
	if (!PG_ARGISNULL(1))
		merge(keyed, PG_GETARG_DATUM(1));
	return salkpi_keyed_datum(keyed);
}

Datum
salkpi_keyed_final(const KeyedType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_POINTER(get_flat(PG_GETARG_DATUM(0)));
}

/*
 * A quotient, or 100 times it, rounded once to 16 decimals; NULL unless the
 * denominator is positive.
 */
Datum
salkpi_keyed_quotient(FunctionCallInfo fcinfo, Numeric numerator,
					  Numeric denominator, bool is_percent)
{
	Numeric		quotient;

	if (salkpi_numeric_sign(denominator) <= 0)
		PG_RETURN_NULL();
	if (is_percent)
		numerator = salkpi_numeric_apply(numeric_mul, numerator, int64_to_numeric(100));
	quotient = salkpi_numeric_quotient(numerator, denominator, SALKPI_RATIO_SCALE);
	return DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(quotient));
}
