/*
 * current_facts.c
 *	  The current facts of a dimension, beside those that panels make.
 *
 * They are not put side by side by a join: each gets the row that the facts of
 * its member and period have, or a new one, as it is read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"

#include "current_facts.h"
#include "salkpi.h"

/* Receives current facts. */
typedef struct CurrentReceiver
{
	DestReceiver receiver;
	CurrentFacts *current;
} CurrentReceiver;

/* Write what tells a period from others, as bytes. */
static void
put_period_key(StringInfo key, Datum grain, Datum period)
{
	text	   *name = DatumGetTextPP(grain);
	DateADT		day = DatumGetDateADT(period);

	resetStringInfo(key);
	appendBinaryStringInfo(key, (char *) &day, sizeof(day));
	appendBinaryStringInfo(key, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

/*
 * Get ready for the current facts of some periods: of each the grain, the first
 * day and the number that it has in the facts, which must be open.
 */
void
salkpi_current_open(CurrentFacts *c, Facts *facts, Datum *grains, Datum *starts,
					const uint32 *numbers, int count)
{
	c->facts = facts;
	c->context = CurrentMemoryContext;
	initStringInfo(&c->key);
	salkpi_texts_init(&c->period_keys, c->context);
	c->period_numbers = palloc((count + 1) * sizeof(uint32));
	for (int i = 0; i < count; i++)
	{
		put_period_key(&c->key, grains[i], starts[i]);
		c->period_numbers[salkpi_text_put(&c->period_keys, c->key.data, c->key.len)] = numbers[i];
	}
	c->plan_values[1] = PointerGetDatum(construct_array(grains, count, TEXTOID, -1, false, TYPALIGN_INT));
	c->plan_values[2] = PointerGetDatum(construct_array(starts, count, DATEOID, sizeof(DateADT),
														true, TYPALIGN_INT));
	c->values = palloc((CURRENT_KEYS + facts->nmeasures) * sizeof(Datum));
	c->nulls = palloc((CURRENT_KEYS + facts->nmeasures) * sizeof(bool));
}

/*
 * Plan to ask for the current facts of a dimension, in the periods wanted and
 * some others: whatever the planner knows of kpi_fact, an index gives them.
 * SPI must be connected until the last is asked for.
 */
void
salkpi_current_plan(CurrentFacts *c, Oid schema, char *const *measures)
{
	Oid			types[] = {TEXTOID, TEXTARRAYOID, DATEARRAYOID};
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT f.grain, f.period, f.member, f.ctid, f.period_end, f.is_complete, f.days");
	for (int m = 0; m < c->facts->nmeasures; m++)
		appendStringInfo(&query, ", f.%s", quote_identifier(measures[m]));
	appendStringInfo(&query, " FROM %s.kpi_fact f WHERE f.superseded_at IS NULL"
					 " AND f.dimension = $1 AND f.grain = ANY ($2) AND f.period = ANY ($3)",
					 quote_identifier(get_namespace_name(schema)));
	c->plan = SPI_prepare(query.data, lengthof(types), types);
	if (c->plan == NULL)
		elog(ERROR, "there is no plan to read current facts");
}

static void
receive_start(DestReceiver *self, int operation, TupleDesc columns)
{
	CurrentFacts *c = ((CurrentReceiver *) self)->current;

	for (int m = 0; m < c->facts->nmeasures; m++)
		if (TupleDescAttr(columns, CURRENT_KEYS + m)->atttypid != c->facts->types[m])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("measure \"%s\" must be of the type that it has in kpi_fact",
							NameStr(TupleDescAttr(columns, CURRENT_KEYS + m)->attname))));
	if (c->columns == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(c->context);

		c->columns = CreateTupleDescCopy(columns);
		MemoryContextSwitchTo(caller);
	}
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	CurrentFacts *c = ((CurrentReceiver *) self)->current;
	Facts	   *f = c->facts;
	MemoryContext caller;
	text	   *member;
	uint32		period;
	uint32		row;

	slot_getsomeattrs(slot, CURRENT_MEMBER + 1);
	put_period_key(&c->key, slot->tts_values[CURRENT_GRAIN], slot->tts_values[CURRENT_PERIOD]);
	period = salkpi_text_find(&c->period_keys, c->key.data, c->key.len);
	if (period == SALKPI_NOT_FOUND)
		return true;			/* of the grain of one, and the day of another */
	caller = MemoryContextSwitchTo(f->context);
	member = DatumGetTextPP(slot->tts_values[CURRENT_MEMBER]);
	row = salkpi_facts_put(f, salkpi_text_put(&f->members, VARDATA_ANY(member), VARSIZE_ANY_EXHDR(member)),
						   c->period_numbers[period]);
	c->rows = salkpi_grow(f->context, c->rows, &c->nrows, (Size) row + 1, sizeof(MinimalTuple));
	c->rows[row] = ExecCopySlotMinimalTuple(slot);
	MemoryContextSwitchTo(caller);
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}

/*
 * Ask for the current facts of the dimension that the facts are of, whose blank
 * member is given.  The caller is left in a context of SPI's.
 */
void
salkpi_current_ask(CurrentFacts *c, Datum dimension, Datum blank)
{
	Facts	   *f = c->facts;
	CurrentReceiver receiver = {
		/* To SPI it is one of the receivers that take rows. */
		.receiver = {receive_row, receive_start, receive_nothing, receive_nothing, DestTuplestore},
		.current = c
	};
	ParamListInfo params = makeParamList(lengthof(c->plan_values));
	SPIExecuteOptions options = {.params = params,.read_only = true,.dest = &receiver.receiver};
	text	   *name = DatumGetTextPP(blank);

	c->rows = NULL;
	c->nrows = 0;
	c->plan_values[0] = dimension;
	for (int i = 0; i < lengthof(c->plan_values); i++)
		params->params[i] = (ParamExternData) {
		c->plan_values[i], false, PARAM_FLAG_CONST, SPI_getargtypeid(c->plan, i)
	};
	f->blank = salkpi_text_put(&f->members, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	if (SPI_execute_plan_extended(c->plan, &options) < 0)
		elog(ERROR, "current facts cannot be read");
}

/* Is there a current version of a fact?  If so its values are at hand then. */
bool
salkpi_current_get(CurrentFacts *c, uint32 row)
{
	HeapTupleData tuple;

	if (row >= c->nrows || c->rows[row] == NULL)
		return false;
	tuple.t_len = c->rows[row]->t_len + MINIMAL_TUPLE_OFFSET;
	tuple.t_data = (HeapTupleHeader) ((char *) c->rows[row] - MINIMAL_TUPLE_OFFSET);
	heap_deform_tuple(&tuple, c->columns, c->values, c->nulls);
	return true;
}
