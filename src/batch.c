/*
 * batch.c
 *	  Plain aggregates, worked out for a batch of rows at a time.
 *
 * The executor's node for aggregates takes a row at a time through one list of
 * steps, in which each of the forty arguments of a cube is a step, even those
 * that are NULL in every row.  This node takes the place of it where a
 * statement aggregates all rows into one (batch_plan.c).  It reads rows into
 * columns (batch_read.c) and hands them on, a batch at a time: arguments and
 * conditions are worked out in batch_expression.c, and what aggregates make of
 * them in batch_aggregate.c.  Rows may be sorted first (batch_sort.c), and those
 * of a history may become what it says of stages (batch_stages.c).
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
	BatchGroups partitions;
	int			nleads;
	BatchLead  *leads;
	BatchSource source;			/* where rows come from */
	BatchStages *stages;		/* or this, if it is not NULL */
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

/* Lists in custom_private, each of which may be NIL. */
enum
{
	PLAN_PARTITIONS,			/* of a window, see salkpi_batch_group_lists */
	PLAN_STAGES,				/* see batch_stages.c */
	PLAN_SORT					/* see batch_sort.c */
};

static List *
partitions_of(const WindowAgg *window)
{
	return salkpi_batch_group_lists(window->partNumCols, window->partColIdx,
									window->partOperators, window->partCollations);
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
	scan->custom_private = list_make3(input->window == NULL ? NIL : partitions_of(input->window),
									  input->stages, input->sort);
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

/* A row of the input with the leads behind. */
static TupleDesc
row_with_leads(TupleDesc input, List *leads)
{
	TupleDesc	tupdesc = salkpi_batch_longer_row(input, list_length(leads));
	ListCell   *cell;

	foreach(cell, leads)
		TupleDescCopyEntry(tupdesc, input->natts + foreach_current_index(cell) + 1, input, lfirst_int(cell));
	return tupdesc;
}

/* The leads, where any is looked at. */
static void
prepare_leads(BatchState *node, const Leads *leads)
{
	ListCell   *cell;

	node->leads = palloc((list_length(leads->columns) + 1) * sizeof(BatchLead));
	foreach(cell, leads->columns)
		node->leads[node->nleads++] = (BatchLead) {
			salkpi_batch_column(&node->program, leads->natts + foreach_current_index(cell) + 1),
			salkpi_batch_column(&node->program, lfirst_int(cell))
		};
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	BatchState *node = (BatchState *) css;
	CustomScan *scan = (CustomScan *) css->ss.ps.plan;
	BatchProgram *program = &node->program;
	List	   *partitions = list_nth(scan->custom_private, PLAN_PARTITIONS);
	List	   *stages = list_nth(scan->custom_private, PLAN_STAGES);
	List	   *sort = list_nth(scan->custom_private, PLAN_SORT);
	Leads		leads = {0};
	List	   *aggregates;
	TupleDesc	input;

	ereport(DEBUG1,
			(errmsg_internal("aggregates are worked out in batches%s%s", sort != NIL ? ", which are sorted" : "",
							 stages != NIL ? ", of ways through stages" : "")));
	outerPlanState(css) = ExecInitNode(outerPlan(scan), estate, eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_MARK));
	/* Rows that are given to the executor have the form of a program's, not of the input's. */
	css->ss.ps.outerops = &TTSOpsVirtual;
	css->ss.ps.outeropsfixed = true;
	css->ss.ps.outeropsset = true;
	input = salkpi_batch_source_form(outerPlanState(css), sort);
	leads.natts = input->natts;
	aggregates = (List *) replace_leads((Node *) scan->custom_exprs, &leads);
	salkpi_batch_program_init(program, &css->ss.ps,
							  stages != NIL ? salkpi_batch_stages_form(input, stages) : row_with_leads(input, leads.columns));
	salkpi_batch_prepare(&node->aggregates, program, aggregates);
	salkpi_batch_groups_init(&node->partitions, program, partitions);
	prepare_leads(node, &leads);
	if (stages != NIL)
		node->stages = salkpi_batch_stages_begin(outerPlanState(css), sort, program, stages);
	else
		salkpi_batch_source_init(&node->source, outerPlanState(css), sort, program);
}

/* ---------- rows ---------- */

/* What the rows behind have, of which there is one more than rows. */
static void
fill_leads(BatchState *node, int count, bool is_more)
{
	for (int row = 0; row < count; row++)
	{
		bool		has_next = (row + 1 < count || is_more) && salkpi_batch_same_group(&node->partitions, row, row + 1);

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
	int			count;
	bool		is_more;

	if (node->stages != NULL)
		return salkpi_batch_stages_read(node->stages);
	count = salkpi_batch_source_read_rows(&node->source);
	if (node->nleads == 0)
		return count;
	is_more = count == BATCH_ROWS && salkpi_batch_source_read(&node->source, count);
	fill_leads(node, count, is_more);
	return count;
}

static void
aggregate_rows(BatchState *node)
{
	BatchRows	all;

	salkpi_batch_start(&node->aggregates);
	while ((all.count = read_rows(node)) > 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(node->program.batch_context);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < all.count; i++)
			all.row[i] = i;
		salkpi_batch_begin(&node->program, all.count);
		salkpi_batch_advance(&node->aggregates, &all);
		MemoryContextSwitchTo(caller);
		salkpi_batch_end(&node->program);
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
	if (node->stages != NULL)
		salkpi_batch_stages_end(node->stages);
	else
		salkpi_batch_source_end(&node->source);
	ExecEndNode(outerPlanState(css));
}

static void
rescan(CustomScanState *css)
{
	BatchState *node = (BatchState *) css;

	ReScanExprContext(node->aggregates.context->curaggcontext);
	salkpi_batch_forget(&node->program);
	node->is_done = false;
	if (node->stages != NULL)
		salkpi_batch_stages_rescan(node->stages);
	else
		salkpi_batch_source_rescan(&node->source);
	if (outerPlanState(css)->chgParam == NULL)
		ExecReScan(outerPlanState(css));
}

/* So that workers of a parallel query know the node. */
void
salkpi_batch_register(void)
{
	RegisterCustomScanMethods(&batch_methods);
}
