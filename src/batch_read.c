/*
 * batch_read.c
 *	  Rows of a node, read into the columns of a batch.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "batch.h"

/* A column that is looked at. */
typedef struct BatchColumn
{
	BatchExpression *values;
	int			attribute;		/* of the rows, from 0 */
	int16		length;			/* of its type */
	bool		is_by_value;	/* as well */
} BatchColumn;

/* A column in which the rows of a group have the same. */
typedef struct BatchGroupColumn
{
	BatchExpression *values;
	FmgrInfo	equal;
	Oid			collation;
} BatchGroupColumn;

/* Lists of what a plan says of groups. */
enum
{
	GROUP_COLUMNS,
	GROUP_OPERATORS,
	GROUP_COLLATIONS
};

/* ---------- the columns ---------- */

/* A program without expressions, over rows of that form. */
void
salkpi_batch_program_init(BatchProgram *program, PlanState *parent, TupleDesc row)
{
	program->parent = parent;
	program->row = MakeSingleTupleTableSlot(row, &TTSOpsVirtual);
	program->ncolumns = row->natts;
	program->columns = palloc0((row->natts + 1) * sizeof(BatchExpression *));
	program->batch_context = AllocSetContextCreate(CurrentMemoryContext, "salkpi batch",
												   ALLOCSET_DEFAULT_SIZES);
}

/* A column (from 1) of the rows, which is looked at from now on. */
BatchExpression *
salkpi_batch_column(BatchProgram *program, int attribute)
{
	Form_pg_attribute form = TupleDescAttr(program->row->tts_tupleDescriptor, attribute - 1);

	return salkpi_batch_compile(program, (Expr *) makeVar(OUTER_VAR, attribute, form->atttypid, form->atttypmod,
														  form->attcollation, 0));
}

/* The form of rows with more columns, which have still to be told. */
TupleDesc
salkpi_batch_longer_row(TupleDesc row, int nmore)
{
	TupleDesc	longer = CreateTemplateTupleDesc(row->natts + nmore);

	for (int i = 1; i <= row->natts; i++)
		TupleDescCopyEntry(longer, i, row, i);
	return longer;
}

/* ---------- rows ---------- */

/* To read those columns of the input that the program looks at. */
void
salkpi_batch_reader_init(BatchReader *reader, BatchProgram *program, TupleDesc input)
{
	*reader = (BatchReader) {program, 0, palloc((input->natts + 1) * sizeof(BatchColumn))};
	for (int i = 0; i < input->natts; i++)
		if (program->columns[i] != NULL)
			reader->columns[reader->ncolumns++] = (BatchColumn) {
				program->columns[i], i, TupleDescAttr(input, i)->attlen, TupleDescAttr(input, i)->attbyval
			};
}

/* Keep a value by reference until the batch ends. */
Datum
salkpi_batch_keep(BatchProgram *program, Datum datum, int16 length)
{
	Pointer		value = DatumGetPointer(datum);
	Size		size;
	void	   *copy;

	if (length == -1 && (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value)))
	{
		MemoryContext caller = MemoryContextSwitchTo(program->batch_context);

		datum = PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
		MemoryContextSwitchTo(caller);
		return datum;
	}
	size = length == -1 ? VARSIZE_ANY(value) : datumGetSize(datum, false, length);
	copy = salkpi_batch_room(program, size);
	memcpy(copy, value, size);
	return PointerGetDatum(copy);
}

void
salkpi_batch_read_row(const BatchReader *reader, TupleTableSlot *slot, int row)
{
	if (reader->ncolumns > 0)
		slot_getsomeattrs(slot, reader->columns[reader->ncolumns - 1].attribute + 1);
	for (int i = 0; i < reader->ncolumns; i++)
	{
		const BatchColumn *column = &reader->columns[i];
		Datum		value = slot->tts_values[column->attribute];
		bool		is_null = slot->tts_isnull[column->attribute];

		column->values->nulls[row] = is_null;
		column->values->values[row] = is_null || column->is_by_value ? value :
			salkpi_batch_keep(reader->program, value, column->length);
	}
}

/* ---------- where rows come from ---------- */

/* The form of the rows of a node, or of a sort of its rows (NIL: it is not sorted). */
TupleDesc
salkpi_batch_source_form(PlanState *input, List *sort)
{
	return sort != NIL ? salkpi_batch_sort_form(sort) : ExecGetResultType(input);
}

/* For the columns of a program that are looked at, all of which are known by now. */
void
salkpi_batch_source_init(BatchSource *source, PlanState *input, List *sort, BatchProgram *program)
{
	*source = (BatchSource) {.input = input};
	if (sort != NIL)
		source->sort = salkpi_batch_sort_begin(input, program, sort);
	else
		salkpi_batch_reader_init(&source->reader, program, ExecGetResultType(input));
}

/* Read the row at hand into the columns; false when there is none left. */
bool
salkpi_batch_source_read(BatchSource *source, int row)
{
	if (source->sort != NULL)
		return salkpi_batch_sort_read(source->sort, row);
	if (source->slot == NULL && !source->is_at_end)
	{
		source->slot = ExecProcNode(source->input);
		source->is_at_end = TupIsNull(source->slot);	/* and must not be asked again */
	}
	if (source->is_at_end)
		return false;
	salkpi_batch_read_row(&source->reader, source->slot, row);
	return true;
}

/* Read the next rows; returns how many, fewer than a batch at the end. */
int
salkpi_batch_source_read_rows(BatchSource *source)
{
	int			count = 0;

	while (count < BATCH_ROWS && salkpi_batch_source_read(source, count))
	{
		salkpi_batch_source_advance(source);
		count++;
	}
	return count;
}

void
salkpi_batch_source_rescan(BatchSource *source)
{
	source->slot = NULL;
	source->is_at_end = false;
	if (source->sort != NULL)
		salkpi_batch_sort_rescan(source->sort);
}

void
salkpi_batch_source_end(BatchSource *source)
{
	if (source->sort != NULL)
		salkpi_batch_sort_end(source->sort);
}

/* ---------- groups ---------- */

/* What a plan says of groups, as lists that can be copied. */
List *
salkpi_batch_group_lists(int count, const AttrNumber *columns, const Oid *operators, const Oid *collations)
{
	List	   *lists[3] = {NIL};

	for (int i = 0; i < count; i++)
	{
		lists[GROUP_COLUMNS] = lappend_int(lists[GROUP_COLUMNS], columns[i]);
		lists[GROUP_OPERATORS] = lappend_oid(lists[GROUP_OPERATORS], operators[i]);
		lists[GROUP_COLLATIONS] = lappend_oid(lists[GROUP_COLLATIONS], collations[i]);
	}
	return list_make3(lists[GROUP_COLUMNS], lists[GROUP_OPERATORS], lists[GROUP_COLLATIONS]);
}

/* lists: as of salkpi_batch_group_lists; NIL: all rows are one group. */
void
salkpi_batch_groups_init(BatchGroups *groups, BatchProgram *program, List *lists)
{
	List	   *columns = lists == NIL ? NIL : list_nth(lists, GROUP_COLUMNS);
	ListCell   *cell;

	*groups = (BatchGroups) {0, palloc((list_length(columns) + 1) * sizeof(BatchGroupColumn))};
	foreach(cell, columns)
	{
		int			i = foreach_current_index(cell);
		BatchGroupColumn *column = &groups->columns[groups->count++];

		column->values = salkpi_batch_column(program, lfirst_int(cell));
		fmgr_info(get_opcode(list_nth_oid(list_nth(lists, GROUP_OPERATORS), i)), &column->equal);
		column->collation = list_nth_oid(list_nth(lists, GROUP_COLLATIONS), i);
	}
}

bool
salkpi_batch_same_group(const BatchGroups *groups, int row, int other)
{
	for (int i = 0; i < groups->count; i++)
	{
		BatchGroupColumn *column = &groups->columns[i];
		const BatchExpression *e = column->values;

		if (e->nulls[row] != e->nulls[other] ||
			(!e->nulls[row] &&
			 !DatumGetBool(FunctionCall2Coll(&column->equal, column->collation,
											 e->values[row], e->values[other]))))
			return false;
	}
	return true;
}
