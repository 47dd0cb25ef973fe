/*
 * track.c
 *	  Notes which rows of the tables under a source a statement touched.
 *
 * kpi_track_change is a statement-level AFTER trigger with transition tables.
 * It appends to kpi_track_log, for each row, the values of the columns from
 * which the snapshot can tell what the row influenced: dates, ids and columns
 * of joins, as they were and as they are.  An UPDATE that changes no column
 * that any source reads leaves no trace.
 *
 * A writer must never wait for another one, so the log is only ever appended
 * to: it has no index and no constraint, and nobody locks or looks for an
 * earlier row.  The same row may therefore be noted many times.  And a writer
 * needs no rights on the log.  A SECURITY DEFINER function would give them by
 * running as somebody else; here no statement is run at all: the tuple goes
 * straight into the heap, as the system's own catalogs are written, so there
 * is no search_path, no default, no trigger and no policy that could act with
 * foreign rights.  What a writer gets into the log by that is a note about the
 * writer's own change, in the writer's own transaction: it goes with it when
 * that is rolled back.
 *
 * Values are kept in a form of their own (track.h), since turning each into
 * text would take as long as writing the row.  Of an update the columns that it
 * changed are noted too: others may look up but some of them.  Statements of
 * many rows are noted in tuples of up to a page, without TOAST; the repeated
 * notes of rows that follow each other, such as the lines of one order, are
 * left out.
 *
 * The trigger's arguments are the number of columns to be noted, their names,
 * and the names of the other columns that sources read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "salkpi.h"
#include "track.h"

#define LOG_TABLE		"kpi_track_log"
#define LOG_COLUMNS		2
#define PAYLOAD_MAX		(BLCKSZ - 512)	/* bytes; a tuple must fit a page */
#define TEXT_MAX		255		/* bytes of one value; its length is one byte */
#define COLUMNS_MAX		255		/* noted columns; their number is one byte, */
#define BITS_MAX		255		/* and so is that of the bytes of bits */
#define HEAD_BYTES		2		/* these two */

typedef struct TrackedColumn
{
	AttrNumber	attnum;			/* in the table that the trigger is on */
	bool		byval;
	int16		len;
	Oid			type;			/* the base type of a domain */
	char		form;			/* VALUE_..., of values that are not NULL */
	Oid			output;			/* for VALUE_TEXT: what makes a text of it */
} TrackedColumn;

typedef struct Notes
{
	Relation	table;			/* whose rows were touched */
	Oid			log;			/* the table kpi_track_log */
	int			n_noted;		/* columns to be noted, the first ones ... */
	int			n_columns;		/* ... of all that sources read */
	TrackedColumn *columns;
	int			n_bits;			/* bytes of a bit for each column */
	char	   *changed;		/* those of an update */
	StringInfoData payload;		/* what the next tuple will hold */
	int			last;			/* where its last row begins; 0: none */
	bool		everything;		/* it cannot be told which rows */
} Notes;

/* ------------------------------------------------------------ the log */

static void
append_to_log(Notes *notes, const char *payload, int length)
{
	Relation	log = table_open(notes->log, RowExclusiveLock);
	Datum		values[LOG_COLUMNS];
	bool		nulls[LOG_COLUMNS] = {false, payload == NULL};
	HeapTuple	tuple;

	if (RelationGetNumberOfAttributes(log) != LOG_COLUMNS ||
		log->rd_rel->relkind != RELKIND_RELATION)
		elog(ERROR, "table \"%s\" is not as salkpi made it", LOG_TABLE);
	values[0] = ObjectIdGetDatum(RelationGetRelid(notes->table));
	values[1] = PointerGetDatum(payload == NULL ? NULL : cstring_to_text_with_len(payload, length));
	tuple = heap_form_tuple(RelationGetDescr(log), values, nulls);
	CatalogTupleInsert(log, tuple);
	heap_freetuple(tuple);
	if (payload != NULL)
		pfree(DatumGetPointer(values[1]));
	table_close(log, NoLock);
}

static void
begin_payload(Notes *notes)
{
	resetStringInfo(&notes->payload);
	appendStringInfoCharMacro(&notes->payload, (char) notes->n_noted);
	appendStringInfoCharMacro(&notes->payload, (char) notes->n_bits);
	notes->last = 0;
}

static void
finish_notes(Notes *notes)
{
	if (notes->everything)
		append_to_log(notes, NULL, 0);
	else if (notes->payload.len > HEAD_BYTES)
		append_to_log(notes, notes->payload.data, notes->payload.len);
}

/* ------------------------------------------------------------ the rows */

static bool
append_text(Notes *notes, const char *text, Size length)
{
	if (length > TEXT_MAX)
		return false;
	appendStringInfoCharMacro(&notes->payload, (char) length);
	appendBinaryStringInfo(&notes->payload, text, length);
	return true;
}

static bool
append_as_text(Notes *notes, const TrackedColumn *column, Datum value)
{
	bool		fits;

	if (OidIsValid(column->output))
	{
		char	   *string = OidOutputFunctionCall(column->output, value);

		fits = append_text(notes, string, strlen(string));
		pfree(string);
	}
	else
	{
		text	   *unpacked = DatumGetTextPP(value);

		fits = append_text(notes, VARDATA_ANY(unpacked), VARSIZE_ANY_EXHDR(unpacked));
		if ((Pointer) unpacked != DatumGetPointer(value))
			pfree(unpacked);
	}
	return fits;
}

static int64
integer_value(Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* Appends a value; false when it is too long to be noted. */
static bool
append_value(Notes *notes, const TrackedColumn *column, Datum value)
{
	StringInfo	payload = &notes->payload;

	switch (column->form)
	{
		case VALUE_DATE:
			{
				DateADT		date = DatumGetDateADT(value);

				appendBinaryStringInfo(payload, (char *) &date, sizeof(date));
				return true;
			}
		case VALUE_INTEGER:
		case VALUE_TIMESTAMP:
		case VALUE_INSTANT:
			{
				int64		integer = integer_value(column->type, value);

				appendBinaryStringInfo(payload, (char *) &integer, sizeof(integer));
				return true;
			}
		case VALUE_UUID:
			appendBinaryStringInfo(payload, (char *) DatumGetUUIDP(value), UUID_LEN);
			return true;
		default:
			break;
	}
	return append_as_text(notes, column, value);
}

static void
append_row(Notes *notes, TupleTableSlot *slot)
{
	int			i;

	for (i = 0; i < notes->n_noted && !notes->everything; i++)
	{
		const TrackedColumn *column = &notes->columns[i];
		bool		is_null;
		Datum		value = slot_getattr(slot, column->attnum, &is_null);

		appendStringInfoCharMacro(&notes->payload, is_null ? VALUE_NULL : column->form);
		if (!is_null && !append_value(notes, column, value))
			notes->everything = true;
	}
}

/*
 * The row that was appended at start is complete: drops it when it repeats
 * the one before it, and writes the tuple before it when there is no room.
 */
static void
finish_row(Notes *notes, int start)
{
	StringInfo	payload = &notes->payload;
	int			length = payload->len - start;

	if (notes->last > 0 && start - notes->last == length &&
		memcmp(payload->data + notes->last, payload->data + start, length) == 0)
	{
		payload->len = start;
		payload->data[start] = '\0';
		return;
	}
	notes->last = start;
	if (payload->len <= PAYLOAD_MAX)
		return;
	if (start > HEAD_BYTES)
		append_to_log(notes, payload->data, start);
	memmove(payload->data + HEAD_BYTES, payload->data + start, length);
	payload->len = HEAD_BYTES + length;
	notes->last = HEAD_BYTES;
	if (payload->len > PAYLOAD_MAX)
		notes->everything = true;
}

static void
note_row(Notes *notes, char what, TupleTableSlot *before, TupleTableSlot *after)
{
	int			start = notes->payload.len;

	appendStringInfoCharMacro(&notes->payload, what);
	if (what == ROW_UPDATED)
		appendBinaryStringInfo(&notes->payload, notes->changed, notes->n_bits);
	if (before != NULL)
		append_row(notes, before);
	if (after != NULL)
		append_row(notes, after);
	finish_row(notes, start);
}

static bool
is_same(const TrackedColumn *column, TupleTableSlot *before, TupleTableSlot *after)
{
	bool		was_null;
	bool		is_null;
	Datum		was = slot_getattr(before, column->attnum, &was_null);
	Datum		is = slot_getattr(after, column->attnum, &is_null);

	if (was_null || is_null)
		return was_null == is_null;
	return datum_image_eq(was, is, column->byval, column->len);
}

static void
note_update(Notes *notes, TupleTableSlot *before, TupleTableSlot *after)
{
	bool		is_any = false;

	memset(notes->changed, 0, notes->n_bits);
	for (int i = 0; i < notes->n_columns; i++)
	{
		if (is_same(&notes->columns[i], before, after))
			continue;
		notes->changed[i / BITS_PER_BYTE] |= 1 << i % BITS_PER_BYTE;
		is_any = true;
	}
	if (is_any)
		note_row(notes, ROW_UPDATED, before, after);
}

/* Reads a transition table from its start, whoever else is reading it. */
static TupleTableSlot *
open_rows(Notes *notes, Tuplestorestate *rows, int *pointer)
{
	*pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(rows, *pointer);
	tuplestore_rescan(rows);
	return MakeSingleTupleTableSlot(RelationGetDescr(notes->table), &TTSOpsMinimalTuple);
}

static bool
next_row(Tuplestorestate *rows, int pointer, TupleTableSlot *slot)
{
	CHECK_FOR_INTERRUPTS();
	tuplestore_select_read_pointer(rows, pointer);
	return tuplestore_gettupleslot(rows, true, false, slot);
}

static void
note_rows(Notes *notes, char what, Tuplestorestate *rows)
{
	int			pointer;
	TupleTableSlot *slot = open_rows(notes, rows, &pointer);

	while (!notes->everything && next_row(rows, pointer, slot))
		note_row(notes, what, what == ROW_DELETED ? slot : NULL,
				 what == ROW_INSERTED ? slot : NULL);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Both transition tables are filled row by row, so that the n-th rows are one
 * row before and after.  Not so when a BEFORE trigger swallowed a row on its
 * way into another partition: then there are fewer after than before.
 */
static void
note_updates(Notes *notes, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	int			old_pointer;
	int			new_pointer;
	TupleTableSlot *before;
	TupleTableSlot *after;

	if (tuplestore_tuple_count(old_rows) != tuplestore_tuple_count(new_rows))
	{
		note_rows(notes, ROW_DELETED, old_rows);
		note_rows(notes, ROW_INSERTED, new_rows);
		return;
	}
	before = open_rows(notes, old_rows, &old_pointer);
	after = open_rows(notes, new_rows, &new_pointer);
	while (!notes->everything && next_row(old_rows, old_pointer, before) &&
		   next_row(new_rows, new_pointer, after))
		note_update(notes, before, after);
	ExecDropSingleTupleTableSlot(before);
	ExecDropSingleTupleTableSlot(after);
}

/* ------------------------------------------------------------ the columns */

static char
value_form(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return VALUE_INTEGER;
		case DATEOID:
			return VALUE_DATE;
		case TIMESTAMPOID:
			return VALUE_TIMESTAMP;
		case TIMESTAMPTZOID:
			return VALUE_INSTANT;
		case UUIDOID:
			return VALUE_UUID;
		default:
			return VALUE_TEXT;
	}
}

static bool
find_column(TupleDesc desc, const char *name, TrackedColumn *column)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		bool		is_varlena;

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		column->attnum = attribute->attnum;
		column->byval = attribute->attbyval;
		column->len = attribute->attlen;
		column->type = attribute->atttypid < FirstNormalObjectId ?
			attribute->atttypid : getBaseType(attribute->atttypid);
		column->form = value_form(column->type);
		column->output = InvalidOid;
		if (column->form == VALUE_TEXT && column->type != TEXTOID &&
			column->type != VARCHAROID && column->type != BPCHAROID)
			getTypeOutputInfo(column->type, &column->output, &is_varlena);
		return true;
	}
	return false;
}

/* False when a column is gone (it was dropped or renamed since kpi_track), or there are too many. */
static bool
find_columns(Notes *notes, const Trigger *trigger)
{
	int			i;

	notes->n_columns = Max(trigger->tgnargs - 1, 0);
	notes->n_noted = trigger->tgnargs > 0 ? pg_strtoint32(trigger->tgargs[0]) : 0;
	if (notes->n_noted < 0 || notes->n_noted > Min(notes->n_columns, COLUMNS_MAX))
		return false;
	notes->n_bits = (notes->n_columns + BITS_PER_BYTE - 1) / BITS_PER_BYTE;
	if (notes->n_bits > BITS_MAX)
		return false;
	notes->changed = palloc(notes->n_bits + 1);
	notes->columns = (TrackedColumn *) palloc((notes->n_columns + 1) * sizeof(TrackedColumn));
	for (i = 0; i < notes->n_columns; i++)
		if (!find_column(RelationGetDescr(notes->table), trigger->tgargs[i + 1], &notes->columns[i]))
			return false;
	return true;
}

static void
note_statement(Notes *notes, const TriggerData *data)
{
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) || !find_columns(notes, data->tg_trigger))
		notes->everything = true;
	else
	{
		initStringInfo(&notes->payload);
		begin_payload(notes);
		if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
			note_rows(notes, ROW_INSERTED, data->tg_newtable);
		else if (TRIGGER_FIRED_BY_DELETE(data->tg_event))
			note_rows(notes, ROW_DELETED, data->tg_oldtable);
		else
			note_updates(notes, data->tg_oldtable, data->tg_newtable);
	}
	finish_notes(notes);
}

PG_FUNCTION_INFO_V1(salkpi_track_change);

Datum
salkpi_track_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Notes		notes = {0};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) ||
		(data->tg_trigger->tgoldtable == NULL && !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) &&
		 !TRIGGER_FIRED_BY_INSERT(data->tg_event)) ||
		(data->tg_trigger->tgnewtable == NULL && !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) &&
		 !TRIGGER_FIRED_BY_DELETE(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"kpi_track_change\" must be called by a trigger that kpi_track made")));

	notes.table = data->tg_relation;
	notes.log = get_relname_relid(LOG_TABLE, get_func_namespace(data->tg_trigger->tgfoid));
	if (!OidIsValid(notes.log))
		elog(ERROR, "table \"%s\" does not exist", LOG_TABLE);
	note_statement(&notes, data);
	return PointerGetDatum(NULL);
}
