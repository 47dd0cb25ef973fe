/*
 * panel.c
 *	  The type kpi_panel: what a state holds in some periods, as a value.
 *
 * A snapshot asks each state for the values of all members in all periods.
 * These are few, where the state itself may hold every customer and purchase:
 * so the query that fills a state also reads it, and hands on a panel, from
 * which kpi_facts makes facts.
 *
 * A panel lives within a query; text and binary input are refused.  Its bytes
 * are the numbers of values of a row, then dimensions, in their order
 * bytewise: the name, the members (how many parts + 1, and those), each with
 * its rows (the period + 1, the integers, the numerics, the durations), each
 * list ended by 0.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "dictionary.h"
#include "panel.h"
#include "salkpi.h"
#include "states.h"
#include "texts.h"

#define PANEL_VERSION	1

/* ---------- Writing ---------- */

void
salkpi_panel_start(PanelWriter *w, const PanelShape *shape,
				   MemoryContext context)
{
	Assert(shape->nints <= PANEL_MAX_VALUES &&
		   shape->nnumerics <= PANEL_MAX_VALUES && shape->ndurations <= 1);
	w->shape = *shape;
	w->dimension = NULL;
	w->in_member = false;
	w->rates = NULL;
	salkpi_flat_start(&w->flat, PANEL_TYPE, context);
	salkpi_put_number(&w->flat, PANEL_VERSION);
	salkpi_put_number(&w->flat, shape->nints);
	salkpi_put_number(&w->flat, shape->nnumerics);
	salkpi_put_number(&w->flat, shape->ndurations);
}

static bool
is_blank(const char *text, uint32 length)
{
	return length == strlen(SALKPI_BLANK) && memcmp(text, SALKPI_BLANK, length) == 0;
}

/*
 * The rates of a currency at the instants of all periods, palloc'd; none
 * before the first that is known: never a guess.
 */
static Datum *
rates_of(const PanelRates *rates, Datum currency)
{
	Datum	   *found = palloc0((rates->nperiods + 1) * sizeof(Datum));

	for (uint32 p = 0; p < rates->nperiods && rates->dictionary != NULL; p++)
		if (!rates->no_instant[p])
			found[p] = NumericGetDatum(salkpi_dictionary_rate(PointerGetDatum(rates->dictionary),
															  DatumGetTextPP(currency),
															  DatumGetTimestampTz(rates->instants[p])));
	return found;
}

/* See salkpi_panel_member; its parts are texts. */
static void
start_member(PanelWriter *w, const char *dimension, const Datum *parts, int nparts)
{
	if (w->rates != NULL && nparts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimension \"%s\" has no part that is a currency", dimension)));
	if (w->rates != NULL)
	{
		text	   *currency = DatumGetTextPP(parts[--nparts]);

		w->rates->rates = is_blank(VARDATA_ANY(currency), VARSIZE_ANY_EXHDR(currency)) ?
			NULL : rates_of(w->rates, parts[nparts]);
	}
	if (w->in_member)
		salkpi_put_number(&w->flat, 0);
	if (w->dimension == NULL || strcmp(w->dimension, dimension) != 0)
	{
		if (w->dimension != NULL)
			salkpi_put_number(&w->flat, 0);
		salkpi_put_text(&w->flat, dimension, strlen(dimension));
		w->dimension = dimension;
	}
	salkpi_put_number(&w->flat, nparts + 1);
	for (int i = 0; i < nparts; i++)
	{
		text	   *part = DatumGetTextPP(parts[i]);

		salkpi_put_text(&w->flat, VARDATA_ANY(part), VARSIZE_ANY_EXHDR(part));
	}
	w->in_member = true;
}

/*
 * The rows to come are of a member: its parts, a text[] without NULLs.  The name
 * of the dimension must live on; rates, in the current context, until the next
 * member.
 */
void
salkpi_panel_member(PanelWriter *w, const char *dimension, Datum parts)
{
	Datum	   *values;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(parts), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, NULL, &count);
	start_member(w, dimension, values, count);
}

/* Rates from two arguments: the dictionary (NULL: none are known), and the instant of each period. */
void
salkpi_panel_rates(PanelRates *rates, FunctionCallInfo fcinfo, int arg,
				   uint32 nperiods)
{
	Datum	   *instants = NULL;
	bool	   *nulls = NULL;
	int			count = 0;

	memset(rates, 0, sizeof(PanelRates));
	if (!PG_ARGISNULL(arg))
		rates->dictionary = (struct varlena *) PG_GETARG_POINTER(arg);
	if (!PG_ARGISNULL(arg + 1))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg + 1), TIMESTAMPTZOID,
						  sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  &instants, &nulls, &count);
	if (count != nperiods)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be an instant for each of the %u periods", nperiods)));
	rates->nperiods = nperiods;
	rates->instants = instants;
	rates->no_instant = nulls;
}

static void
put_varlena(FlatWriter *w, Datum datum)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(datum);

	salkpi_put_text(w, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
}

/* A row in a currency without a rate at its instant is left out. */
void
salkpi_panel_row(PanelWriter *w, const PanelRow *row)
{
	Datum	   *rate = w->rates == NULL || w->rates->rates == NULL ? NULL :
		&w->rates->rates[row->period];
	int			i;

	if (rate != NULL && *rate == (Datum) 0)
		return;
	salkpi_put_number(&w->flat, (uint128) row->period + 1);
	for (i = 0; i < w->shape.nints; i++)
		salkpi_put_signed(&w->flat, row->ints[i]);
	for (i = 0; i < w->shape.nnumerics; i++)
		put_varlena(&w->flat, rate == NULL ? row->numerics[i] :
					DirectFunctionCall2(numeric_mul, row->numerics[i], *rate));
	if (w->shape.ndurations > 0)
		put_varlena(&w->flat, row->durations);
}

struct varlena *
salkpi_panel_finish(PanelWriter *w)
{
	if (w->in_member)
		salkpi_put_number(&w->flat, 0);
	if (w->dimension != NULL)
		salkpi_put_number(&w->flat, 0);
	salkpi_put_number(&w->flat, 0);
	return salkpi_flat_finish(&w->flat);
}

/* ---------- Reading ---------- */

static int
get_size(PanelReader *r, int limit)
{
	uint64		size = salkpi_get_number(&r->flat, "shape");

	if (size > limit)
		salkpi_flat_damaged(&r->flat, "shape");
	return size;
}

/* The panel must not be toasted, and outlive the reader. */
void
salkpi_panel_open(PanelReader *r, struct varlena *panel)
{
	memset(r, 0, sizeof(PanelReader));
	salkpi_flat_open(&r->flat, PANEL_TYPE, panel);
	salkpi_flat_check_version(&r->flat, PANEL_VERSION);
	r->shape.nints = get_size(r, PANEL_MAX_VALUES);
	r->shape.nnumerics = get_size(r, PANEL_MAX_VALUES);
	r->shape.ndurations = get_size(r, 1);
}

/* Go on to the next dimension, the members of the last one having been read. */
bool
salkpi_panel_next_dimension(PanelReader *r)
{
	r->dimension = salkpi_get_text(&r->flat, &r->dimension_length, "dimensions");
	return r->dimension_length > 0;
}

/* Go on to the next member of the dimension, the rows of the last one having been read. */
bool
salkpi_panel_next_member(PanelReader *r)
{
	uint64		nparts = salkpi_get_number(&r->flat, "members");

	if (nparts == 0)
		return false;
	if (nparts - 1 > SALKPI_MAX_KEYS)
		salkpi_flat_damaged(&r->flat, "members");
	r->nparts = nparts - 1;
	for (int i = 0; i < r->nparts; i++)
		r->parts[i] = salkpi_get_text(&r->flat, &r->part_lengths[i], "members");
	return true;
}

/* A copy, in CurrentMemoryContext, aligned as its type wants. */
static Datum
get_varlena(FlatReader *r, const char *what)
{
	uint32		length = salkpi_get_count(r, what);
	struct varlena *v = palloc(VARHDRSZ + length);

	SET_VARSIZE(v, VARHDRSZ + length);
	memcpy(VARDATA(v), r->p, length);
	r->p += length;
	return PointerGetDatum(v);
}

/* Read the next row of the member. */
bool
salkpi_panel_next_row(PanelReader *r, PanelRow *row)
{
	uint64		period = salkpi_get_number(&r->flat, "rows");
	int			i;

	if (period == 0)
		return false;
	if (period > SALKPI_MOST_PERIODS)
		salkpi_flat_damaged(&r->flat, "rows");
	row->period = period - 1;
	for (i = 0; i < r->shape.nints; i++)
		row->ints[i] = (int64) salkpi_get_signed(&r->flat, 64, "integers");
	for (i = 0; i < r->shape.nnumerics; i++)
		row->numerics[i] = get_varlena(&r->flat, "numerics");
	if (r->shape.ndurations > 0)
		row->durations = get_varlena(&r->flat, "durations");
	return true;
}

/* Is it the member of rows of which nothing is known, or the total? */
bool
salkpi_panel_is_blank(const PanelReader *r)
{
	for (int i = 0; i < r->nparts; i++)
		if (!is_blank(r->parts[i], r->part_lengths[i]))
			return false;
	return true;
}

/* The order of the current dimensions of two panels. */
int
salkpi_panel_compare(const PanelReader *a, const PanelReader *b)
{
	return salkpi_compare_bytes(a->dimension, a->dimension_length,
								b->dimension, b->dimension_length);
}

/* ---------- SQL functions ---------- */

PG_FUNCTION_INFO_V1(salkpi_panel_in);
Datum
salkpi_panel_in(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot accept a value of type %s", PANEL_TYPE),
			 errhint("Make it in the query, with the function kpi_panel.")));
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(salkpi_panel_out);
Datum
salkpi_panel_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(psprintf("(%d bytes)",
							   (int) VARSIZE_ANY(PG_GETARG_POINTER(0))));
}

/* Integers, of which there are no more than a row of a panel has, as bigint[]. */
Datum
salkpi_bigints(const int64 *values, int count)
{
	Datum		datums[PANEL_MAX_VALUES];

	for (int i = 0; i < count; i++)
		datums[i] = Int64GetDatum(values[i]);
	return PointerGetDatum(construct_array(datums, count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
member_array(const PanelReader *r)
{
	Datum		parts[SALKPI_MAX_KEYS];

	for (int i = 0; i < r->nparts; i++)
		parts[i] = PointerGetDatum(cstring_to_text_with_len(r->parts[i],
															r->part_lengths[i]));
	return PointerGetDatum(construct_array(parts, r->nparts, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* kpi_panel_rows(panel): dimension, members, period, integers, numerics */
PG_FUNCTION_INFO_V1(salkpi_panel_rows);
Datum
salkpi_panel_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	PanelReader r;
	PanelRow	row;
	bool		nulls[5] = {false};

	InitMaterializedSRF(fcinfo, 0);
	salkpi_panel_open(&r, PG_DETOAST_DATUM(PG_GETARG_DATUM(0)));
	while (salkpi_panel_next_dimension(&r))
		while (salkpi_panel_next_member(&r))
		{
			Datum		dimension = PointerGetDatum(cstring_to_text_with_len(r.dimension,
																			 r.dimension_length));
			Datum		members = member_array(&r);

			CHECK_FOR_INTERRUPTS();
			while (salkpi_panel_next_row(&r, &row))
			{
				Datum		values[5] = {dimension, members,
					Int32GetDatum(row.period + 1),
					salkpi_bigints(row.ints, r.shape.nints),
				PointerGetDatum(construct_array(row.numerics, r.shape.nnumerics,
												NUMERICOID, -1, false, TYPALIGN_INT))};

				tuplestore_putvalues(result->setResult, result->setDesc, values,
									 nulls);
			}
		}
	return (Datum) 0;
}

/* ---------- The aggregate that makes a panel of rows ---------- */

/* Rows in the making, which must come sorted by dimension and member. */
typedef struct PanelState
{
	PanelWriter writer;			/* has a shape from the first row on */
	ArrayType  *members;		/* of the last row */
} PanelState;

/* The elements of an array without NULLs; their number. */
static int
elements(ArrayType *array, Oid type, Datum **values)
{
	bool	   *nulls;
	int			count;
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	deconstruct_array(array, type, length, by_value, alignment, values, &nulls,
					  &count);
	for (int i = 0; i < count; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("arrays of a row of a panel must not contain NULL")));
	return count;
}

static void
put_row(PanelState *state, FunctionCallInfo fcinfo, MemoryContext context)
{
	char	   *dimension = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ArrayType  *members = PG_GETARG_ARRAYTYPE_P(2);
	Datum	   *parts;
	Datum	   *ints;
	Datum	   *numerics;
	int			nparts = elements(members, TEXTOID, &parts);
	PanelShape	shape = {elements(PG_GETARG_ARRAYTYPE_P(4), INT8OID, &ints),
	elements(PG_GETARG_ARRAYTYPE_P(5), NUMERICOID, &numerics), 0};
	PanelRow	row = {.period = PG_GETARG_INT32(3) - 1};

	if (nparts > SALKPI_MAX_KEYS || Max(shape.nints, shape.nnumerics) > PANEL_MAX_VALUES ||
		PG_GETARG_INT32(3) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("row of a panel is out of bounds")));
	if (state->members == NULL)
		salkpi_panel_start(&state->writer, &shape, context);
	else if (shape.nints != state->writer.shape.nints ||
			 shape.nnumerics != state->writer.shape.nnumerics)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("rows of a panel must have as many values as the first")));
	if (state->members == NULL ||
		strcmp(dimension, state->writer.dimension) != 0 ||
		VARSIZE(members) != VARSIZE(state->members) ||
		memcmp(members, state->members, VARSIZE(members)) != 0)
	{
		start_member(&state->writer, MemoryContextStrdup(context, dimension),
							parts, nparts);
		state->members = MemoryContextAlloc(context, VARSIZE(members));
		memcpy(state->members, members, VARSIZE(members));
	}
	for (int i = 0; i < shape.nints; i++)
		row.ints[i] = DatumGetInt64(ints[i]);
	memcpy(row.numerics, numerics, shape.nnumerics * sizeof(Datum));
	salkpi_panel_row(&state->writer, &row);
}

PG_FUNCTION_INFO_V1(salkpi_panel_add);
Datum
salkpi_panel_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, PANEL_TYPE);
	PanelState *state = PG_ARGISNULL(0) ? MemoryContextAllocZero(context, sizeof(PanelState)) :
		(PanelState *) PG_GETARG_POINTER(0);

	for (int i = 1; i <= 5; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("row of a panel must not contain NULL")));
	put_row(state, fcinfo, context);
	PG_RETURN_POINTER(state);
}

/* The state ends here: there is one for the whole query. */
PG_FUNCTION_INFO_V1(salkpi_panel_final);
Datum
salkpi_panel_final(PG_FUNCTION_ARGS)
{
	PanelState *state = PG_ARGISNULL(0) ? NULL : (PanelState *) PG_GETARG_POINTER(0);

	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(salkpi_panel_finish(&state->writer));
}
