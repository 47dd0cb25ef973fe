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
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "durations.h"
#include "panel.h"
#include "salkpi.h"
#include "states.h"

/* Columns of the result before the measures. */
#define FACT_KEYS		3

/* A panel and what its values are. */
typedef struct Part
{
	PanelReader reader;			/* at its current dimension */
	bool		is_open;		/* is there one? */
	int			measures[2 * PANEL_MAX_VALUES + 1]; /* of each value: the
													 * measure, from 0; -1 =
													 * none */
} Part;

/* The facts of a dimension. */
typedef struct Facts
{
	ReturnSetInfo *result;		/* where the rows go */
	int			nmeasures;		/* columns behind the keys */
	NullableDatum *zeros;		/* of each measure: 0, by its type */
	Oid		   *types;			/* of each measure */
	MemoryContext context;		/* lives as long as a dimension */
	TextTable	members;		/* names of members */
	TupleTable	rows;			/* (member, period) */
	NullableDatum *values;		/* of each row, for each measure */
	Size		nvalues;		/* allocated */
	bool	   *known;			/* by period and measure */
	Size		nknown;			/* allocated */
} Facts;

static inline NullableDatum *
fact_values(Facts *f, uint32 row)
{
	return f->values + (Size) row * f->nmeasures;
}

/* The bytes of a member's name: its parts joined by +, as kpi_member does. */
static const char *
member_name(const PanelReader *r, StringInfo name)
{
	resetStringInfo(name);
	for (int i = 0; i < r->nparts; i++)
	{
		if (i > 0)
			appendStringInfoChar(name, '+');
		for (uint32 c = 0; c < r->part_lengths[i]; c++)
		{
			char		byte = r->parts[i][c];

			if (r->nparts > 1 && (byte == '+' || byte == '\\'))
				appendStringInfoChar(name, '\\');
			appendStringInfoCharMacro(name, byte);
		}
	}
	return name->data;
}

/* Add a value to what a fact has of the measure; both in f->context. */
static void
add_value(Facts *f, NullableDatum *to, int m, Oid type, Datum value)
{
	if (type == NUMERICOID && f->types[m] == INT8OID)
		value = DirectFunctionCall1(numeric_int8, value);
	if (to->isnull)
		to->value = value;
	else if (f->types[m] == INT8OID)
	{
		int64		sum;

		if (pg_add_s64_overflow(DatumGetInt64(to->value), DatumGetInt64(value), &sum))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("bigint out of range")));
		to->value = Int64GetDatum(sum);
	}
	else if (f->types[m] == NUMERICOID)
		to->value = DirectFunctionCall2(numeric_add, to->value, value);
	else
		to->value = PointerGetDatum(salkpi_durations_merge(salkpi_durations_get(to->value),
														   salkpi_durations_get(value)));
	to->isnull = false;
}

/* The fact of a member in a period, with all measures NULL if it is new. */
static uint32
put_fact(Facts *f, uint32 member, uint32 period)
{
	uint32		key[2] = {member, period};
	uint32		before = f->rows.index.count;
	uint32		row = salkpi_tuple_put(&f->rows, key, 2);

	if (row == before)
	{
		f->values = salkpi_reserve(f->context, f->values, &f->nvalues,
								   ((Size) row + 1) * f->nmeasures, sizeof(NullableDatum));
		for (int m = 0; m < f->nmeasures; m++)
			fact_values(f, row)[m].isnull = true;
	}
	return row;
}

static void
add_row(Facts *f, const Part *part, const PanelRow *row, uint32 member,
		bool is_blank)
{
	const PanelShape *shape = &part->reader.shape;
	NullableDatum *values = fact_values(f, put_fact(f, member, row->period));
	int			count = shape->nints + shape->nnumerics + shape->ndurations;

	f->known = salkpi_grow(f->context, f->known, &f->nknown,
						   ((Size) row->period + 1) * f->nmeasures, sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		int			m = part->measures[i];

		if (m < 0)
			continue;
		if (i < shape->nints)
			add_value(f, &values[m], m, INT8OID, Int64GetDatum(row->ints[i]));
		else if (i < shape->nints + shape->nnumerics)
			add_value(f, &values[m], m, NUMERICOID, row->numerics[i - shape->nints]);
		else
			add_value(f, &values[m], m, f->types[m], row->durations);
		if (is_blank)
			f->known[(Size) row->period * f->nmeasures + m] = true;
	}
}

/* Take in the current dimension of a panel, and go on to its next one. */
static void
add_part(Facts *f, Part *part)
{
	PanelReader *r = &part->reader;
	StringInfoData name;
	PanelRow	row;

	initStringInfo(&name);
	while (salkpi_panel_next_member(r))
	{
		bool		is_blank = salkpi_panel_is_blank(r);
		uint32		member;

		CHECK_FOR_INTERRUPTS();
		member_name(r, &name);
		member = salkpi_text_put(&f->members, name.data, name.len);
		while (salkpi_panel_next_row(r, &row))
			add_row(f, part, &row, member, is_blank);
	}
	part->is_open = salkpi_panel_next_dimension(r);
}

static void
emit_facts(Facts *f, const PanelReader *dimension)
{
	int			natts = FACT_KEYS + f->nmeasures;
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *nulls = palloc0(natts * sizeof(bool));
	uint32		last = SALKPI_NOT_FOUND;

	values[1] = PointerGetDatum(cstring_to_text_with_len(dimension->dimension,
														 dimension->dimension_length));
	for (uint32 i = 0; i < f->rows.index.count; i++)
	{
		const uint32 *key = salkpi_tuple_at(&f->rows, i);
		const NullableDatum *fact = fact_values(f, i);
		const bool *known = f->known + (Size) key[1] * f->nmeasures;

		CHECK_FOR_INTERRUPTS();
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
			NullableDatum value = fact[m].isnull && known[m] ? f->zeros[m] : fact[m];

			values[FACT_KEYS + m] = value.value;
			nulls[FACT_KEYS + m] = value.isnull;
		}
		tuplestore_putvalues(f->result->setResult, f->result->setDesc, values, nulls);
	}
}

/* The part whose current dimension comes first, or NULL. */
static Part *
first_part(Part *parts, int nparts)
{
	Part	   *first = NULL;

	for (int i = 0; i < nparts; i++)
		if (parts[i].is_open &&
			(first == NULL || salkpi_panel_compare(&parts[i].reader, &first->reader) < 0))
			first = &parts[i];
	return first;
}

static void
make_facts(Facts *f, Part *parts, int nparts)
{
	Part	   *first;

	while ((first = first_part(parts, nparts)) != NULL)
	{
		PanelReader dimension = first->reader;
		MemoryContext caller = MemoryContextSwitchTo(f->context);

		MemoryContextReset(f->context);
		salkpi_texts_init(&f->members, f->context);
		salkpi_tuples_init(&f->rows, f->context, 2);
		f->values = NULL;
		f->nvalues = 0;
		f->known = NULL;
		f->nknown = 0;
		for (int i = 0; i < nparts; i++)
			if (parts[i].is_open && salkpi_panel_compare(&parts[i].reader, &dimension) == 0)
				add_part(f, &parts[i]);
		emit_facts(f, &dimension);
		MemoryContextSwitchTo(caller);
	}
}

/* What is 0 of a measure's type: bigint, numeric or kpi_durations. */
static NullableDatum
zero_of(Oid type)
{
	NullableDatum zero = {.isnull = false};

	if (type == INT8OID)
		zero.value = Int64GetDatum(0);
	else if (type == NUMERICOID)
		zero.value = DirectFunctionCall1(int8_numeric, Int64GetDatum(0));
	else
		zero.value = PointerGetDatum(salkpi_durations_build(NULL, 0));
	return zero;
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
open_part(const Facts *f, Part *part, Datum panel, ArrayType *measures)
{
	const PanelShape *shape = &part->reader.shape;
	Datum	   *numbers;
	bool	   *nulls;
	int			count = salkpi_int4_array(measures, "measures of a panel", &numbers, &nulls);

	salkpi_panel_open(&part->reader, PG_DETOAST_DATUM(panel));
	if (count != shape->nints + shape->nnumerics + shape->ndurations)
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
		part->measures[i] = m;
	}
	part->is_open = salkpi_panel_next_dimension(&part->reader);
}

/* The panels of an array of composites that have a panel and its measures. */
static Part *
open_parts(const Facts *f, ArrayType *array, Part *parts)
{
	Datum	   *uses;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE,
					  &uses, &nulls, &count);
	for (int i = 0; i < count; i++, parts++)
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
			open_part(f, parts, panel, DatumGetArrayTypeP(measures));
	}
	return parts;
}

/* The caller names the columns: an integer, two texts, and measures. */
static void
check_columns(TupleDesc columns, Oid durations)
{
	bool		is_right = columns->natts >= FACT_KEYS;

	for (int i = 0; i < columns->natts && is_right; i++)
	{
		Oid			type = TupleDescAttr(columns, i)->atttypid;

		if (i < FACT_KEYS)
			is_right = type == (i == 0 ? INT4OID : TEXTOID);
		else
			is_right = type == INT8OID || type == NUMERICOID ||
				type == durations;
	}
	if (!is_right)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns of facts must be period integer, dimension text, member text, and measures"),
				 errdetail("A measure is bigint, numeric or kpi_durations.")));
}

/* kpi_facts(panels, ...): period, dimension, member, and the measures asked for */
PG_FUNCTION_INFO_V1(salkpi_facts);
Datum
salkpi_facts(PG_FUNCTION_ARGS)
{
	Facts		f = {0};
	Part	   *parts;
	Part	   *last;
	int			nparts = 0;
	TupleDesc	columns;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	f.result = (ReturnSetInfo *) fcinfo->resultinfo;
	columns = f.result->setDesc;
	f.nmeasures = columns->natts - FACT_KEYS;
	check_columns(columns,
				  GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("kpi_durations"),
								  ObjectIdGetDatum(get_func_namespace(fcinfo->flinfo->fn_oid))));
	f.types = palloc((f.nmeasures + 1) * sizeof(Oid));
	f.zeros = palloc((f.nmeasures + 1) * sizeof(NullableDatum));
	for (int m = 0; m < f.nmeasures; m++)
	{
		f.types[m] = TupleDescAttr(columns, FACT_KEYS + m)->atttypid;
		f.zeros[m] = zero_of(f.types[m]);
	}
	for (int i = 0; i < PG_NARGS(); i++)
		if (!PG_ARGISNULL(i))
			nparts += ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(i)), ARR_DIMS(PG_GETARG_ARRAYTYPE_P(i)));
	parts = last = palloc0((nparts + 1) * sizeof(Part));
	for (int i = 0; i < PG_NARGS(); i++)
		if (!PG_ARGISNULL(i))
			last = open_parts(&f, PG_GETARG_ARRAYTYPE_P(i), last);
	f.context = AllocSetContextCreate(CurrentMemoryContext, "kpi_facts",
									  ALLOCSET_DEFAULT_SIZES);
	make_facts(&f, parts, nparts);
	return (Datum) 0;
}
