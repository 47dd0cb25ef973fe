/*
 * facts.c
 *	  kpi_facts: the facts that panels make, one for each dimension, member and
 *	  period.
 *
 * Each part of a source has given a panel, of some of the measures.  What
 * several say of one measure adds up.  A measure is known in a dimension and
 * period if a panel has a row of the blank member there, which every panel has
 * for all that it covers; members that it has no row for have 0.  Else it is
 * NULL: not zero, but not computed.
 *
 * All panels list dimensions in one order, so they are walked side by side, and
 * the facts of one dimension are in memory at a time.
 *
 * A member of whom all measures are 0 or NULL has no fact.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "durations.h"
#include "evaluate.h"
#include "fact_row.h"
#include "facts.h"
#include "salkpi.h"
#include "states.h"

/* Columns of the result before the measures. */
#define FACT_KEYS		3

/* A member's name: its parts joined by +, as kpi_member does; part: room for one. */
static void
member_name(const PanelReader *r, StringInfo name, StringInfo part)
{
	resetStringInfo(name);
	for (int i = 0; i < r->nparts; i++)
	{
		if (i > 0)
			appendStringInfoChar(name, '+');
		resetStringInfo(part);
		salkpi_member_part(part, r->parts[i], r->part_lengths[i]);
		for (int c = 0; c < part->len; c++)
		{
			char		byte = part->data[c];

			if (r->nparts > 1 && (byte == '+' || byte == '\\'))
				appendStringInfoChar(name, '\\');
			appendStringInfoCharMacro(name, byte);
		}
	}
}

/* Add a value to what a fact has of the measure; both in f->context. */
static void
add_value(Facts *f, NullableDatum *to, int m, Oid type, Datum value)
{
	if (type == NUMERICOID && f->types[m] == INT8OID)
		value = DirectFunctionCall1(numeric_int8, value);
	to->value = to->isnull ? value : salkpi_measure_sum(f->types[m], to->value, value);
	to->isnull = false;
}

/* Room for the values of more rows. */
static void
add_block(Facts *f)
{
	f->values = salkpi_reserve(f->values_context, f->values, &f->blocks_size,
							   f->nblocks + 1, sizeof(NullableDatum *));
	f->values[f->nblocks++] = MemoryContextAllocHuge(f->values_context, (Size) FACTS_BLOCK * (f->nmeasures + 1) *
													 sizeof(NullableDatum));
}

/* The fact of a member in a period, with all measures NULL if it is new. */
uint32
salkpi_facts_put(Facts *f, uint32 member, uint32 period)
{
	uint32		key[2] = {member, period};
	uint32		before = f->rows.index.count;
	uint32		row = salkpi_tuple_put(&f->rows, key, 2);

	if (row == before)
	{
		if (row / FACTS_BLOCK == f->nblocks)
			add_block(f);
		for (int place = 0; place < f->nplaces; place++)
			salkpi_fact_values(f, row)[place].isnull = true;
	}
	return row;
}

/* A measure is known in a period: members that have no value of it have 0. */
void
salkpi_facts_known(Facts *f, uint32 period, int measure)
{
	if (period >= f->nperiods)
	{
		f->nperiods = period + 1;
		f->known = salkpi_grow(f->context, f->known, &f->nknown,
							   (Size) f->nperiods * f->nmeasures, sizeof(bool));
	}
	f->known[(Size) period * f->nmeasures + measure] = true;
}

/* How many values a row of a panel has. */
static int
panel_values(const FactPanel *panel)
{
	const PanelShape *shape = &panel->reader.shape;

	return shape->nints + shape->nnumerics + shape->ndurations;
}

/* Make places for the measures of a panel. */
static void
make_places(Facts *f, const FactPanel *panel)
{
	for (int i = 0; i < panel_values(panel); i++)
	{
		int			m = panel->measures[i];

		if (m >= 0 && f->places[m] < 0)
			f->places[m] = f->nplaces++;
	}
}

static void
add_row(Facts *f, const FactPanel *panel, const PanelRow *row, uint32 member)
{
	const PanelShape *shape = &panel->reader.shape;
	NullableDatum *values = salkpi_fact_values(f, salkpi_facts_put(f, member, row->period));

	for (int i = 0; i < panel_values(panel); i++)
	{
		int			m = panel->measures[i];
		NullableDatum *value;

		if (m < 0)
			continue;
		value = &values[f->places[m]];
		if (i < shape->nints)
			add_value(f, value, m, INT8OID, Int64GetDatum(row->ints[i]));
		else if (i < shape->nints + shape->nnumerics)
			add_value(f, value, m, NUMERICOID, row->numerics[i - shape->nints]);
		else
			add_value(f, value, m, f->types[m], row->durations);
		if (member == f->blank)
			salkpi_facts_known(f, row->period, m);
	}
}

/* Take in the current dimension of a panel, and go on to its next one. */
static void
add_panel(Facts *f, FactPanel *panel)
{
	PanelReader *r = &panel->reader;
	StringInfoData name;
	StringInfoData part;
	PanelRow	row;

	initStringInfo(&name);
	initStringInfo(&part);
	while (salkpi_panel_next_member(r))
	{
		uint32		member;

		CHECK_FOR_INTERRUPTS();
		member_name(r, &name, &part);
		member = salkpi_text_put(&f->members, name.data, name.len);
		if (salkpi_panel_is_blank(r))
			f->blank = member;
		while (salkpi_panel_next_row(r, &row))
			add_row(f, panel, &row, member);
	}
	panel->is_open = salkpi_panel_next_dimension(r);
}

/* Begin a dimension, of no facts. */
static void
start_dimension(Facts *f, const char *dimension, uint32 length)
{
	MemoryContextReset(f->context);
	f->dimension = dimension;
	f->dimension_length = length;
	salkpi_texts_init(&f->members, f->context);
	salkpi_tuples_init(&f->rows, f->context, 2);
	f->blank = SALKPI_NOT_FOUND;
	f->nperiods = 0;
	f->known = NULL;
	f->nknown = 0;
	f->nplaces = 0;
	for (int m = 0; m < f->nmeasures; m++)
		f->places[m] = -1;
}

/* The panel whose current dimension comes first, or NULL. */
static const FactPanel *
first_panel(const Facts *f)
{
	const FactPanel *first = NULL;

	for (int i = 0; i < f->npanels; i++)
		if (f->panels[i].is_open &&
			(first == NULL || salkpi_panel_compare(&f->panels[i].reader, &first->reader) < 0))
			first = &f->panels[i];
	return first;
}

/* Go on to the first dimension that panels have, or the next. */
bool
salkpi_facts_next(Facts *f)
{
	const FactPanel *first = first_panel(f);
	MemoryContext caller;
	PanelReader dimension;

	if (first == NULL)
		return false;
	dimension = first->reader;
	start_dimension(f, dimension.dimension, dimension.dimension_length);
	caller = MemoryContextSwitchTo(f->context);
	for (int i = 0; i < f->npanels; i++)
		if (f->panels[i].is_open && salkpi_panel_compare(&f->panels[i].reader, &dimension) == 0)
			make_places(f, &f->panels[i]);
	for (int i = 0; i < f->npanels; i++)
		if (f->panels[i].is_open && salkpi_panel_compare(&f->panels[i].reader, &dimension) == 0)
			add_panel(f, &f->panels[i]);
	MemoryContextSwitchTo(caller);
	return true;
}

/* Go on to a dimension that no panel has. */
void
salkpi_facts_start(Facts *f, text *dimension)
{
	start_dimension(f, VARDATA_ANY(dimension), VARSIZE_ANY_EXHDR(dimension));
}

/* Are two values of a measure the same?  A distribution may be toasted. */
bool
salkpi_fact_equals(const Facts *f, int measure, Datum a, Datum b)
{
	struct varlena *durations[2];
	bool		are_equal;

	if (f->types[measure] == INT8OID)
		return DatumGetInt64(a) == DatumGetInt64(b);
	if (f->types[measure] == NUMERICOID)
		return datum_image_eq(a, b, false, -1) || DatumGetBool(DirectFunctionCall2(numeric_eq, a, b));
	if (toast_raw_datum_size(a) != toast_raw_datum_size(b))
		return false;
	durations[0] = salkpi_durations_get(a);
	durations[1] = salkpi_durations_get(b);
	are_equal = salkpi_durations_equal(durations[0], durations[1]);
	if (PointerGetDatum(durations[0]) != a)
		pfree(durations[0]);
	if (PointerGetDatum(durations[1]) != b)
		pfree(durations[1]);
	return are_equal;
}

/*
 * Is there anything to be said of a member?  If not it has no fact: 0, or NULL,
 * is what the blank member's fact says of all those that have none.
 */
bool
salkpi_fact_is_needed(const Facts *f, uint32 member, const NullableDatum *values)
{
	for (int m = 0; m < f->nmeasures; m++)
		if (!values[m].isnull && (member == f->blank ||
								  !salkpi_fact_equals(f, m, values[m].value, f->zeros[m].value)))
			return true;
	return false;
}

/* Can value number i of a panel be a measure of that type? */
static bool
is_of_type(const PanelShape *shape, int i, Oid type)
{
	if (i < shape->nints)
		return type == INT8OID;
	if (i < shape->nints + shape->nnumerics)
		return type == NUMERICOID || type == INT8OID;
	return type != NUMERICOID && type != INT8OID;
}

/* Open a panel, and say which measures its values are: NULL for none. */
static void
open_panel(const Facts *f, FactPanel *panel, Datum datum, ArrayType *measures)
{
	const PanelShape *shape = &panel->reader.shape;
	Datum	   *numbers;
	bool	   *nulls;
	int			count = salkpi_int4_array(measures, "measures of a panel", &numbers, &nulls);

	salkpi_panel_open(&panel->reader, PG_DETOAST_DATUM(datum));
	if (count != panel_values(panel))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a panel must have as many measures as values")));
	for (int i = 0; i < count; i++)
	{
		int			m = nulls[i] ? -1 : DatumGetInt32(numbers[i]) - 1;

		if (!nulls[i] && (m < 0 || m >= f->nmeasures || !is_of_type(shape, i, f->types[m])))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("value %d of a panel cannot be measure %d", i + 1, m + 1)));
		panel->measures[i] = m;
	}
	panel->is_open = salkpi_panel_next_dimension(&panel->reader);
}

/* Open the panels of an array of composites that have a panel and its measures. */
static void
open_panels(Facts *f, ArrayType *array)
{
	Datum	   *uses;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &uses, &nulls, &count);
	f->panels = f->npanels == 0 ? palloc0((count + 1) * sizeof(FactPanel)) :
		repalloc(f->panels, (f->npanels + count + 1) * sizeof(FactPanel));
	for (int i = 0; i < count; i++)
	{
		HeapTupleHeader use;
		Datum		panel;
		Datum		measures;
		bool		no_panel;
		bool		no_measures;

		if (nulls[i])
			continue;
		use = DatumGetHeapTupleHeader(uses[i]);
		panel = GetAttributeByName(use, "panel", &no_panel);
		measures = GetAttributeByName(use, "measures", &no_measures);
		if (!no_panel && !no_measures)
			open_panel(f, &f->panels[f->npanels++], panel, DatumGetArrayTypeP(measures));
	}
}

static void
refuse_columns(FunctionCallInfo fcinfo)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("function %s cannot return these columns", get_func_name(fcinfo->flinfo->fn_oid)),
			 errdetail("After those that are always the same come measures, each of them bigint, numeric or kpi_durations.")));
}

/*
 * Get ready for the facts of the panels of a function's first arguments,
 * arrays, any of which may be NULL; types: of the measures.
 */
void
salkpi_facts_open(Facts *f, FunctionCallInfo fcinfo, int nargs,
				  const Oid *types, int nmeasures)
{
	Oid			durations = salkpi_durations_type(fcinfo->flinfo->fn_oid);

	f->nmeasures = nmeasures;
	f->types = palloc((nmeasures + 1) * sizeof(Oid));
	f->zeros = palloc((nmeasures + 1) * sizeof(NullableDatum));
	f->places = palloc((nmeasures + 1) * sizeof(int));
	for (int m = 0; m < nmeasures; m++)
	{
		if (types[m] != INT8OID && types[m] != NUMERICOID && types[m] != durations)
			refuse_columns(fcinfo);
		f->types[m] = types[m];
		f->zeros[m] = (NullableDatum) {salkpi_measure_zero(types[m]), false};
	}
	for (int i = 0; i < nargs; i++)
		if (!PG_ARGISNULL(i))
			open_panels(f, PG_GETARG_ARRAYTYPE_P(i));
	f->context = AllocSetContextCreate(CurrentMemoryContext, "kpi_facts",
									   ALLOCSET_DEFAULT_SIZES);
	f->values_context = CurrentMemoryContext;
}

/* Return the facts of the current dimension. */
static void
emit_facts(const Facts *f, ReturnSetInfo *result, Datum *values, bool *nulls)
{
	NullableDatum *fact = palloc((f->nmeasures + 1) * sizeof(NullableDatum));
	uint32		last = SALKPI_NOT_FOUND;

	values[1] = PointerGetDatum(cstring_to_text_with_len(f->dimension, f->dimension_length));
	for (uint32 i = 0; i < f->rows.index.count; i++)
	{
		const uint32 *key = salkpi_tuple_at(&f->rows, i);

		CHECK_FOR_INTERRUPTS();
		for (int m = 0; m < f->nmeasures; m++)
			fact[m] = salkpi_fact_value(f, i, m);
		if (!salkpi_fact_is_needed(f, key[0], fact))
			continue;
		if (key[0] != last)
		{
			uint32		length;
			const char *name = salkpi_text_at(&f->members, key[0], &length);

			values[2] = PointerGetDatum(cstring_to_text_with_len(name, length));
			last = key[0];
		}
		values[0] = Int32GetDatum(key[1] + 1);
		for (int m = 0; m < f->nmeasures; m++)
		{
			NullableDatum value = fact[m].isnull ? salkpi_fact_blank(f, key[1], m) : fact[m];

			values[FACT_KEYS + m] = value.value;
			nulls[FACT_KEYS + m] = value.isnull;
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	pfree(fact);
}

/* The measures of the result of kpi_facts, whose columns the caller has named. */
static void
open_named(Facts *f, FunctionCallInfo fcinfo, TupleDesc columns)
{
	static const Oid keys[FACT_KEYS] = {INT4OID, TEXTOID, TEXTOID};
	Oid		   *types = palloc((columns->natts + 1) * sizeof(Oid));

	for (int i = 0; i < columns->natts; i++)
		types[i] = TupleDescAttr(columns, i)->atttypid;
	if (columns->natts < FACT_KEYS || memcmp(types, keys, sizeof(keys)) != 0)
		refuse_columns(fcinfo);
	salkpi_facts_open(f, fcinfo, PG_NARGS(), types + FACT_KEYS, columns->natts - FACT_KEYS);
}

/* kpi_facts(panels, ...): period, dimension, member, and the measures asked for */
PG_FUNCTION_INFO_V1(salkpi_facts);
Datum
salkpi_facts(PG_FUNCTION_ARGS)
{
	Facts		f = {0};
	Datum	   *values;
	bool	   *nulls;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	open_named(&f, fcinfo, ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc);
	values = palloc((FACT_KEYS + f.nmeasures) * sizeof(Datum));
	nulls = palloc0((FACT_KEYS + f.nmeasures) * sizeof(bool));
	while (salkpi_facts_next(&f))
		emit_facts(&f, (ReturnSetInfo *) fcinfo->resultinfo, values, nulls);
	return (Datum) 0;
}
