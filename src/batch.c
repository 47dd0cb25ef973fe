/*
 * batch.c
 *	  Plain aggregates, worked out for a batch of rows at a time.
 *
 * The executor's node for aggregates takes a row at a time through one list of
 * steps, in which each of the forty arguments of a cube is a step, even those
 * that are NULL in every row.  This node takes the place of it where a
 * statement aggregates all rows into one (batch_plan.c).  It reads rows into
 * columns and hands them on, a batch at a time: arguments and conditions are
 * worked out in batch_expression.c, and what aggregates make of them in
 * batch_aggregate.c.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "batch.h"
#include "salkpi.h"

/* A column that is looked at. */
typedef struct BatchColumn
{
	BatchExpression *values;
	int			attribute;		/* of the rows, from 0 */
	int16		length;			/* of its type */
	bool		is_by_value;	/* as well */
} BatchColumn;

/* A column by which rows are in partitions. */
typedef struct BatchPartition
{
	BatchExpression *values;
	FmgrInfo	equal;
	Oid			collation;
} BatchPartition;

/* A column that is that of the row behind, within the partition. */
typedef struct BatchLead
{
	BatchExpression *values;
	BatchExpression *column;	/* which */
} BatchLead;

/* The node. */
typedef struct BatchState
{
	CustomScanState css;
	BatchProgram program;
	int			ncolumns;
	BatchColumn *columns;
	int			npartitions;
	BatchPartition *partitions;
	int			nleads;
	BatchLead  *leads;
	TupleTableSlot *next;		/* the first row of the next batch, or NULL */
	bool		is_at_end;		/* of the input? */
	BatchAggregates aggregates;
	bool		is_done;		/* was the row returned? */
} BatchState;

static Node *create_state(CustomScan *scan);
static void begin(CustomScanState *css, EState *estate, int eflags);
static TupleTableSlot *execute(CustomScanState *css);
static void end(CustomScanState *css);
static void rescan(CustomScanState *css);

static const CustomScanMethods batch_methods = {"salkpi batch", create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = "salkpi batch",
	.BeginCustomScan = begin,
	.ExecCustomScan = execute,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan
};

/* ---------- the plan ---------- */

/* Lists in custom_private: columns, operators and collations of partitions. */
enum
{
	WINDOW_COLUMNS,
	WINDOW_OPERATORS,
	WINDOW_COLLATIONS
};

static List *
window_of(const BatchInput *input)
{
	const WindowAgg *window = input->window;
	List	   *columns = NIL;
	List	   *operators = NIL;
	List	   *collations = NIL;

	for (int i = 0; i < window->partNumCols; i++)
	{
		columns = lappend_int(columns, window->partColIdx[i]);
		operators = lappend_oid(operators, window->partOperators[i]);
		collations = lappend_oid(collations, window->partCollations[i]);
	}
	return list_make3(columns, operators, collations);
}

/*
 * An aggregate as EXPLAIN shows it: without its arguments, which are of nodes
 * that are left out.
 */
static TargetEntry *
shown(const TargetEntry *entry)
{
	TargetEntry *copy = flatCopyTargetEntry(unconstify(TargetEntry *, entry));
	Aggref	   *aggref = makeNode(Aggref);

	*aggref = *castNode(Aggref, entry->expr);
	aggref->args = NIL;
	aggref->aggfilter = NULL;
	copy->expr = (Expr *) aggref;
	return copy;
}

/* A node in place of "agg": its output by columns that are the aggregates. */
Plan *
salkpi_batch_node(Agg *agg, List *aggregates, List *targetlist, BatchInput *input)
{
	CustomScan *scan = makeNode(CustomScan);
	ListCell   *cell;

	scan->scan.plan = agg->plan;
	scan->scan.plan.type = T_CustomScan;
	scan->scan.plan.targetlist = targetlist;
	scan->scan.plan.lefttree = input->plan;
	scan->scan.plan.initPlan = list_concat(scan->scan.plan.initPlan, input->init_plans);
	if (input->window != NULL)
		scan->custom_private = window_of(input);
	scan->custom_exprs = aggregates;
	foreach(cell, aggregates)
		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist, shown(lfirst(cell)));
	scan->methods = &batch_methods;
	return &scan->scan.plan;
}

static Node *
create_state(CustomScan *scan)
{
	BatchState *node = palloc0(sizeof(BatchState));

	NodeSetTag(node, T_CustomScanState);
	node->css.methods = &exec_methods;
	return (Node *) node;
}

/* Leads being put into columns behind those of the input. */
typedef struct Leads
{
	int			natts;			/* of the input */
	List	   *columns;		/* which they are of */
} Leads;

static Node *
replace_leads(Node *node, void *context)
{
	Leads	   *leads = context;
	Var		   *var;
	int			place = 0;

	if (node == NULL)
		return NULL;
	if (!IsA(node, WindowFunc))
		return expression_tree_mutator(node, replace_leads, context);
	var = copyObject(linitial_node(Var, ((WindowFunc *) node)->args));
	while (place < list_length(leads->columns) && list_nth_int(leads->columns, place) != var->varattno)
		place++;
	if (place == list_length(leads->columns))
		leads->columns = lappend_int(leads->columns, var->varattno);
	var->varattno = leads->natts + place + 1;
	return (Node *) var;
}

/* A row of the input with the leads behind, for what only the executor knows. */
static TupleTableSlot *
row_slot(TupleDesc input, List *leads)
{
	TupleDesc	tupdesc = CreateTemplateTupleDesc(input->natts + list_length(leads));
	ListCell   *cell;

	for (int i = 1; i <= input->natts; i++)
		TupleDescCopyEntry(tupdesc, i, input, i);
	foreach(cell, leads)
		TupleDescCopyEntry(tupdesc, input->natts + foreach_current_index(cell) + 1, input, lfirst_int(cell));
	return MakeSingleTupleTableSlot(tupdesc, &TTSOpsVirtual);
}

static BatchExpression *
input_column(BatchProgram *program, int attribute)
{
	Form_pg_attribute form = TupleDescAttr(program->row->tts_tupleDescriptor, attribute - 1);

	return salkpi_batch_compile(program, (Expr *) makeVar(OUTER_VAR, attribute, form->atttypid, form->atttypmod,
														  form->attcollation, 0));
}

/* The partitions of a window and its leads, where any is looked at. */
static void
prepare_window(BatchState *node, const Leads *leads, List *window)
{
	List	   *columns = list_nth(window, WINDOW_COLUMNS);
	ListCell   *cell;

	node->partitions = palloc((list_length(columns) + 1) * sizeof(BatchPartition));
	foreach(cell, columns)
	{
		int			i = foreach_current_index(cell);
		BatchPartition *partition = &node->partitions[node->npartitions++];

		partition->values = input_column(&node->program, lfirst_int(cell));
		fmgr_info(get_opcode(list_nth_oid(list_nth(window, WINDOW_OPERATORS), i)), &partition->equal);
		partition->collation = list_nth_oid(list_nth(window, WINDOW_COLLATIONS), i);
	}
	node->leads = palloc((list_length(leads->columns) + 1) * sizeof(BatchLead));
	foreach(cell, leads->columns)
		node->leads[node->nleads++] = (BatchLead) {
			input_column(&node->program, leads->natts + foreach_current_index(cell) + 1),
			input_column(&node->program, lfirst_int(cell))
		};
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	BatchState *node = (BatchState *) css;
	CustomScan *scan = (CustomScan *) css->ss.ps.plan;
	BatchProgram *program = &node->program;
	Leads		leads = {0};
	List	   *aggregates;
	TupleDesc	input;

	ereport(DEBUG1, (errmsg_internal("aggregates are worked out in batches")));
	outerPlanState(css) = ExecInitNode(outerPlan(scan), estate, eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_MARK));
	input = ExecGetResultType(outerPlanState(css));
	leads.natts = input->natts;
	aggregates = (List *) replace_leads((Node *) scan->custom_exprs, &leads);
	program->parent = &css->ss.ps;
	program->row = row_slot(input, leads.columns);
	program->ncolumns = input->natts + list_length(leads.columns);
	program->columns = palloc0((program->ncolumns + 1) * sizeof(BatchExpression *));
	program->batch_context = AllocSetContextCreate(CurrentMemoryContext, "salkpi batch",
												   ALLOCSET_DEFAULT_SIZES);
	salkpi_batch_prepare(&node->aggregates, program, aggregates);
	if (scan->custom_private != NIL)
		prepare_window(node, &leads, scan->custom_private);
	node->columns = palloc((input->natts + 1) * sizeof(BatchColumn));
	for (int i = 0; i < input->natts; i++)
		if (program->columns[i] != NULL)
			node->columns[node->ncolumns++] = (BatchColumn) {
				program->columns[i], i, TupleDescAttr(input, i)->attlen, TupleDescAttr(input, i)->attbyval
			};
}

/* ---------- rows ---------- */

/* Keep a value by reference until the next batch. */
static inline Datum
keep_value(BatchProgram *program, Datum datum, int length)
{
	Pointer		value = DatumGetPointer(datum);
	Size		size;
	void	   *copy;

	if (length == -1 && (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value)))
		return PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
	size = length == -1 ? VARSIZE_ANY(value) : datumGetSize(datum, false, length);
	copy = salkpi_batch_room(program, size);
	memcpy(copy, value, size);
	return PointerGetDatum(copy);
}

/* The next row of the input, or NULL; it must not be asked again after its end. */
static TupleTableSlot *
next_row(BatchState *node)
{
	TupleTableSlot *slot = node->next;

	node->next = NULL;
	if (slot == NULL && !node->is_at_end)
	{
		slot = ExecProcNode(outerPlanState(node));
		node->is_at_end = TupIsNull(slot);
	}
	return node->is_at_end ? NULL : slot;
}

static void
read_row(BatchState *node, TupleTableSlot *slot, int row)
{
	if (node->ncolumns > 0)
		slot_getsomeattrs(slot, node->columns[node->ncolumns - 1].attribute + 1);
	for (int i = 0; i < node->ncolumns; i++)
	{
		const BatchColumn *column = &node->columns[i];
		Datum		value = slot->tts_values[column->attribute];
		bool		is_null = slot->tts_isnull[column->attribute];

		column->values->nulls[row] = is_null;
		column->values->values[row] = is_null || column->is_by_value ? value :
			keep_value(&node->program, value, column->length);
	}
}

static bool
is_same_partition(BatchState *node, int row, int other)
{
	for (int i = 0; i < node->npartitions; i++)
	{
		BatchPartition *partition = &node->partitions[i];
		const BatchExpression *e = partition->values;

		if (e->nulls[row] != e->nulls[other] ||
			(!e->nulls[row] &&
			 !DatumGetBool(FunctionCall2Coll(&partition->equal, partition->collation,
											 e->values[row], e->values[other]))))
			return false;
	}
	return true;
}

/* What the rows behind have, of which there is one more than rows. */
static void
fill_leads(BatchState *node, int count, bool is_more)
{
	for (int row = 0; row < count; row++)
	{
		bool		has_next = (row + 1 < count || is_more) && is_same_partition(node, row, row + 1);

		for (int i = 0; i < node->nleads; i++)
		{
			const BatchLead *lead = &node->leads[i];

			lead->values->nulls[row] = !has_next || lead->column->nulls[row + 1];
			lead->values->values[row] = has_next ? lead->column->values[row + 1] : (Datum) 0;
		}
	}
}

/* Read the next rows; returns how many. */
static int
read_rows(BatchState *node)
{
	TupleTableSlot *slot;
	int			count = 0;

	while (count < BATCH_ROWS && (slot = next_row(node)) != NULL)
		read_row(node, slot, count++);
	if (node->nleads == 0)
		return count;
	node->next = next_row(node);
	if (node->next != NULL)
		read_row(node, node->next, count);
	fill_leads(node, count, node->next != NULL);
	return count;
}

static void
aggregate_rows(BatchState *node)
{
	BatchProgram *program = &node->program;
	BatchRows	all;

	salkpi_batch_start(&node->aggregates);
	while ((all.count = read_rows(node)) > 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(program->batch_context);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < all.count; i++)
			all.row[i] = i;
		program->nrows = all.count;
		salkpi_batch_begin(program);
		salkpi_batch_advance(&node->aggregates, &all);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(program->batch_context);
		program->room_size = 0;
	}
}

/* ---------- the node ---------- */

static TupleTableSlot *
execute(CustomScanState *css)
{
	BatchState *node = (BatchState *) css;
	ExprContext *econtext = css->ss.ps.ps_ExprContext;
	TupleTableSlot *slot = css->ss.ss_ScanTupleSlot;
	MemoryContext caller;

	if (node->is_done)
		return NULL;
	ResetExprContext(econtext);
	aggregate_rows(node);
	ExecClearTuple(slot);
	caller = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	salkpi_batch_results(&node->aggregates, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(caller);
	ExecStoreVirtualTuple(slot);
	node->is_done = true;
	econtext->ecxt_scantuple = slot;
	return css->ss.ps.ps_ProjInfo != NULL ? ExecProject(css->ss.ps.ps_ProjInfo) : slot;
}

static void
end(CustomScanState *css)
{
	BatchState *node = (BatchState *) css;

	ExecDropSingleTupleTableSlot(node->program.row);
	ExecEndNode(outerPlanState(css));
}

static void
rescan(CustomScanState *css)
{
	BatchState *node = (BatchState *) css;

	ReScanExprContext(node->aggregates.context->curaggcontext);
	salkpi_batch_forget(&node->program);
	node->is_done = false;
	node->is_at_end = false;
	node->next = NULL;
	if (outerPlanState(css)->chgParam == NULL)
		ExecReScan(outerPlanState(css));
}

/* So that workers of a parallel query know the node. */
void
salkpi_batch_register(void)
{
	RegisterCustomScanMethods(&batch_methods);
}
