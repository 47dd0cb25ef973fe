/*
 * batch.c
 *	  Plain aggregates, worked out for a batch of rows at a time.
 *
 * The executor's node for aggregates takes a row at a time through one list of
 * steps, in which each of the forty arguments of a cube is a step, even those
 * that are NULL in every row.  This node takes the place of it where a
 * statement aggregates all rows into one (batch_plan.c).  It reads rows into
 * columns, works out the conditions and arguments of each aggregate for as many
 * rows (batch_expression.c), and then calls its transition function for those
 * rows: what is the same in all of them stays where it is.
 *
 * Transition functions see an aggregate as they do elsewhere: its memory
 * context is that of AggCheckCallContext().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_aggregate.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "parser/parse_agg.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "batch.h"
#include "cube.h"
#include "salkpi.h"

/*
 * A transition function for all rows of a batch: the state and what is constant
 * are in fcinfo, as for a single row.
 */
typedef Datum (*BatchTransition) (FunctionCallInfo fcinfo, const BatchArgument *args,
								  const BatchRows *rows);

/* An aggregate. */
typedef struct BatchAggregate
{
	FmgrInfo	transition;		/* its transition function */
	BatchTransition take_rows;	/* the same for all rows at once, or NULL */
	BatchArgument *columns;		/* its arguments, from 1 */
	FunctionCallInfo fcinfo;	/* of that; constant arguments are in place */
	int			nargs;			/* without the state */
	BatchExpression **args;
	BatchExpression *filter;	/* NULL: all rows */
	int			nvarying;		/* arguments that are no constants */
	int		   *varying;		/* their numbers */
	int16		length;			/* of the type of the state */
	bool		is_by_value;	/* as well */
	Datum		initial;		/* the state before any row */
	bool		has_initial;	/* else NULL; if strict, the first value */
	Datum		state;
	bool		is_null;		/* of that */
	bool		is_begun;		/* not: the state is the first value to come */
	Oid			final_function; /* 0: the result is the state */
	FmgrInfo	final;			/* that */
	FunctionCallInfo final_fcinfo;
} BatchAggregate;

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
	AggState   *context;		/* what transition functions see */
	int			naggregates;
	BatchAggregate *aggregates;
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

/* Lists in custom_private: columns, operators and collations of partitions, and leads. */
enum
{
	WINDOW_COLUMNS,
	WINDOW_OPERATORS,
	WINDOW_COLLATIONS,
	WINDOW_LEADS
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
	return list_make4(columns, operators, collations, input->leads);
}

/* A node in place of "agg": its output by columns that are the aggregates. */
Plan *
salkpi_batch_node(Agg *agg, List *aggregates, List *targetlist, BatchInput *input)
{
	CustomScan *scan = makeNode(CustomScan);

	scan->scan.plan = agg->plan;
	scan->scan.plan.type = T_CustomScan;
	scan->scan.plan.targetlist = targetlist;
	scan->scan.plan.lefttree = input->plan;
	scan->scan.plan.initPlan = list_concat(scan->scan.plan.initPlan, input->init_plans);
	if (input->window != NULL)
		scan->custom_private = window_of(input);
	scan->custom_scan_tlist = aggregates;
	scan->methods = &batch_methods;
	return &scan->scan.plan;
}

/* ---------- preparing ---------- */

/* The state of an aggregate before any row, as the catalog has it. */
static void
read_initial(BatchAggregate *a, const Aggref *aggref, HeapTuple tuple)
{
	Datum		value = SysCacheGetAttr(AGGFNOID, tuple, Anum_pg_aggregate_agginitval, &a->has_initial);
	Oid			input;
	Oid			param;

	a->has_initial = !a->has_initial;
	if (!a->has_initial)
		return;
	getTypeInputInfo(aggref->aggtranstype, &input, &param);
	a->initial = OidInputFunctionCall(input, TextDatumGetCString(value), param, -1);
}

static void
prepare_transition(BatchState *node, BatchAggregate *a, Aggref *aggref, Oid function, Oid *types)
{
	Expr	   *expr;

	salkpi_batch_may_execute(function);
	fmgr_info(function, &a->transition);
	build_aggregate_transfn_expr(types, a->nargs, 0, aggref->aggvariadic, aggref->aggtranstype,
								 aggref->inputcollid, function, InvalidOid, &expr, NULL);
	fmgr_info_set_expr((Node *) expr, &a->transition);
	a->fcinfo = palloc0(SizeForFunctionCallInfo(a->nargs + 1));
	InitFunctionCallInfoData(*a->fcinfo, &a->transition, a->nargs + 1, aggref->inputcollid,
							 (Node *) node->context, NULL);
}

static void
prepare_final(BatchState *node, BatchAggregate *a, Aggref *aggref, Form_pg_aggregate form, Oid *types)
{
	int			nargs = form->aggfinalextra ? a->nargs + 1 : 1;
	Expr	   *expr;

	a->final_function = form->aggfinalfn;
	if (!OidIsValid(a->final_function))
		return;
	salkpi_batch_may_execute(a->final_function);
	fmgr_info(a->final_function, &a->final);
	build_aggregate_finalfn_expr(types, nargs, aggref->aggtranstype, aggref->aggtype,
								 aggref->inputcollid, a->final_function, &expr);
	fmgr_info_set_expr((Node *) expr, &a->final);
	a->final_fcinfo = palloc0(SizeForFunctionCallInfo(nargs));
	InitFunctionCallInfoData(*a->final_fcinfo, &a->final, nargs, aggref->inputcollid,
							 (Node *) node->context, NULL);
	for (int i = 1; i < nargs; i++)
		a->final_fcinfo->args[i].isnull = true;
}

static void
compile_arguments(BatchState *node, BatchAggregate *a, Aggref *aggref)
{
	a->args = palloc(a->nargs * sizeof(BatchExpression *) + 1);
	a->varying = palloc(a->nargs * sizeof(int) + 1);
	for (int i = 0; i < a->nargs; i++)
	{
		a->args[i] = salkpi_batch_compile(&node->program, list_nth_node(TargetEntry, aggref->args, i)->expr);
		if (!a->args[i]->is_constant)
			a->varying[a->nvarying++] = i;
	}
	if (aggref->aggfilter != NULL)
		a->filter = salkpi_batch_compile(&node->program, aggref->aggfilter);
}

/* Cubes take all rows at once, if all have the same bounds and shape. */
static void
prepare_batch(BatchAggregate *a)
{
	PGFunction	function = a->transition.fn_addr;

	a->take_rows = function == salkpi_cube_add_instant ? salkpi_cube_add_instants :
		function == salkpi_cube_add_day ? salkpi_cube_add_days :
		function == salkpi_cube_add_stock ? salkpi_cube_add_stocks : NULL;
	if (a->take_rows == NULL)
		return;
	if (!a->args[0]->is_constant || !a->args[1]->is_constant)
		a->take_rows = NULL;
	a->columns = palloc((a->nargs + 1) * sizeof(BatchArgument));
	for (int i = 0; i < a->nargs; i++)
		a->columns[i + 1] = (BatchArgument) {a->args[i]->values, a->args[i]->nulls};
}

static void
prepare_aggregate(BatchState *node, BatchAggregate *a, Aggref *aggref)
{
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggref->aggfnoid));
	Form_pg_aggregate form;
	Oid			types[FUNC_MAX_ARGS];

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for aggregate %u", aggref->aggfnoid);
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	salkpi_batch_may_execute(aggref->aggfnoid);
	a->nargs = get_aggregate_argtypes(aggref, types);
	get_typlenbyval(aggref->aggtranstype, &a->length, &a->is_by_value);
	read_initial(a, aggref, tuple);
	prepare_transition(node, a, aggref, form->aggtransfn, types);
	prepare_final(node, a, aggref, form, types);
	compile_arguments(node, a, aggref);
	prepare_batch(a);
	ReleaseSysCache(tuple);
}

static Node *
create_state(CustomScan *scan)
{
	BatchState *node = palloc0(sizeof(BatchState));

	NodeSetTag(node, T_CustomScanState);
	node->css.methods = &exec_methods;
	return (Node *) node;
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
prepare_window(BatchState *node, int natts, List *window)
{
	List	   *columns = list_nth(window, WINDOW_COLUMNS);
	List	   *leads = list_nth(window, WINDOW_LEADS);
	ListCell   *cell;

	node->partitions = palloc((list_length(columns) + 1) * sizeof(BatchPartition));
	foreach(cell, columns)
	{
		int			i = foreach_current_index(cell);
		BatchPartition *partition = &node->partitions[node->npartitions++];
		Oid			equal = get_opcode(list_nth_oid(list_nth(window, WINDOW_OPERATORS), i));

		partition->values = input_column(&node->program, lfirst_int(cell));
		salkpi_batch_may_execute(equal);
		fmgr_info(equal, &partition->equal);
		partition->collation = list_nth_oid(list_nth(window, WINDOW_COLLATIONS), i);
	}
	node->leads = palloc((list_length(leads) + 1) * sizeof(BatchLead));
	foreach(cell, leads)
		if (node->program.columns[natts + foreach_current_index(cell)] != NULL)
			node->leads[node->nleads++] = (BatchLead) {
				node->program.columns[natts + foreach_current_index(cell)],
				input_column(&node->program, lfirst_int(cell))
			};
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	BatchState *node = (BatchState *) css;
	CustomScan *scan = (CustomScan *) css->ss.ps.plan;
	List	   *leads = scan->custom_private == NIL ? NIL : list_nth(scan->custom_private, WINDOW_LEADS);
	BatchProgram *program = &node->program;
	TupleDesc	input;
	ListCell   *cell;

	ereport(DEBUG1, (errmsg_internal("aggregates are worked out in batches")));
	outerPlanState(css) = ExecInitNode(outerPlan(scan), estate, eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_MARK));
	input = ExecGetResultType(outerPlanState(css));
	program->parent = &css->ss.ps;
	program->row = row_slot(input, leads);
	program->ncolumns = input->natts + list_length(leads);
	program->columns = palloc0((program->ncolumns + 1) * sizeof(BatchExpression *));
	program->batch_context = AllocSetContextCreate(CurrentMemoryContext, "salkpi batch",
												   ALLOCSET_DEFAULT_SIZES);
	node->context = makeNode(AggState);
	node->context->curaggcontext = CreateExprContext(estate);
	node->naggregates = list_length(scan->custom_scan_tlist);
	node->aggregates = palloc0(node->naggregates * sizeof(BatchAggregate));
	foreach(cell, scan->custom_scan_tlist)
		prepare_aggregate(node, &node->aggregates[foreach_current_index(cell)],
						  castNode(Aggref, lfirst_node(TargetEntry, cell)->expr));
	if (scan->custom_private != NIL)
		prepare_window(node, input->natts, scan->custom_private);
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

/* ---------- aggregating ---------- */

/* The rows that an aggregate takes. */
static const BatchRows *
filtered(BatchAggregate *a, const BatchRows *all, BatchRows *taken)
{
	if (a->filter == NULL)
		return all;
	salkpi_batch_evaluate(a->filter, all);
	taken->count = 0;
	for (int i = 0; i < all->count; i++)
	{
		int			row = all->row[i];

		taken->row[taken->count] = row;
		taken->count += !a->filter->nulls[row] && DatumGetBool(a->filter->values[row]);
	}
	return taken;
}

/* A state that is not yet in the aggregate's context is copied there. */
static void
set_state(BatchAggregate *a, MemoryContext context, Datum value, bool is_null)
{
	bool		was_null = a->is_null;
	Datum		before = a->state;

	a->state = value;
	a->is_null = is_null;
	if (a->is_by_value || (!is_null && !was_null && DatumGetPointer(value) == DatumGetPointer(before)))
		return;
	if (!is_null && !(a->length == -1 && VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(value)) &&
					  MemoryContextGetParent(DatumGetEOHP(value)->eoh_context) == context))
	{
		MemoryContext caller = MemoryContextSwitchTo(context);

		a->state = datumCopy(value, false, a->length);
		MemoryContextSwitchTo(caller);
	}
	if (!was_null)
	{
		if (a->length == -1 && VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(before)))
			DeleteExpandedObject(before);
		else
			pfree(DatumGetPointer(before));
	}
}

/* Put the arguments of a row in place; false when a strict function has a NULL. */
static inline bool
put_arguments(BatchAggregate *a, int row)
{
	for (int i = 0; i < a->nvarying; i++)
	{
		int			n = a->varying[i];
		NullableDatum *arg = &a->fcinfo->args[n + 1];

		arg->value = a->args[n]->values[row];
		arg->isnull = a->args[n]->nulls[row];
		if (arg->isnull && a->transition.fn_strict)
			return false;
	}
	return true;
}

/* Put constant arguments in place; false when a strict function has a NULL. */
static bool
put_constants(BatchAggregate *a, const BatchRows *rows)
{
	bool		is_null = false;

	for (int i = 0; i < a->nargs; i++)
	{
		salkpi_batch_evaluate(a->args[i], rows);
		if (!a->args[i]->is_constant)
			continue;
		a->fcinfo->args[i + 1].value = a->args[i]->values[0];
		a->fcinfo->args[i + 1].isnull = a->args[i]->nulls[0];
		is_null |= a->args[i]->nulls[0];
	}
	return !is_null || !a->transition.fn_strict;
}

static inline void
put_state(BatchAggregate *a)
{
	a->fcinfo->args[0].value = a->state;
	a->fcinfo->args[0].isnull = a->is_null;
	a->fcinfo->isnull = false;
}

/* Advance an aggregate by the rows of a batch. */
static void
advance(BatchState *node, BatchAggregate *a, const BatchRows *all)
{
	MemoryContext context = node->context->curaggcontext->ecxt_per_tuple_memory;
	BatchRows	taken;
	const BatchRows *rows = filtered(a, all, &taken);
	Datum		value;

	if (rows->count == 0 || !put_constants(a, rows))
		return;
	if (a->take_rows != NULL)
	{
		put_state(a);
		value = a->take_rows(a->fcinfo, a->columns, rows);
		set_state(a, context, value, a->fcinfo->isnull);
		return;
	}
	for (int i = 0; i < rows->count; i++)
	{
		if (!put_arguments(a, rows->row[i]))
			continue;
		if (!a->is_begun)
		{
			a->is_begun = true;
			set_state(a, context, a->fcinfo->args[1].value, false);
			continue;
		}
		if (a->is_null && a->transition.fn_strict)
			continue;
		put_state(a);
		value = FunctionCallInvoke(a->fcinfo);
		set_state(a, context, value, a->fcinfo->isnull);
	}
}

static void
begin_aggregates(BatchState *node)
{
	MemoryContext context = node->context->curaggcontext->ecxt_per_tuple_memory;

	for (int i = 0; i < node->naggregates; i++)
	{
		BatchAggregate *a = &node->aggregates[i];

		a->state = (Datum) 0;
		a->is_null = true;
		a->is_begun = a->has_initial || !a->transition.fn_strict;
		if (a->has_initial)
			set_state(a, context, a->initial, false);
	}
}

static void
aggregate_rows(BatchState *node)
{
	BatchProgram *program = &node->program;
	BatchRows	all;

	begin_aggregates(node);
	while ((all.count = read_rows(node)) > 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(program->batch_context);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < all.count; i++)
			all.row[i] = i;
		program->nrows = all.count;
		salkpi_batch_begin(program);
		for (int i = 0; i < node->naggregates; i++)
			advance(node, &node->aggregates[i], &all);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(program->batch_context);
		program->room_size = 0;
	}
}

static Datum
result_of(BatchAggregate *a, bool *is_null)
{
	Datum		state = a->is_null ? (Datum) 0 : MakeExpandedObjectReadOnly(a->state, false, a->length);
	FunctionCallInfo fcinfo = a->final_fcinfo;

	*is_null = a->is_null;
	if (!OidIsValid(a->final_function))
		return state;
	fcinfo->args[0].value = state;
	fcinfo->args[0].isnull = a->is_null;
	if (a->final.fn_strict && (a->is_null || fcinfo->nargs > 1))
	{
		*is_null = true;
		return (Datum) 0;
	}
	fcinfo->isnull = false;
	state = FunctionCallInvoke(fcinfo);
	*is_null = fcinfo->isnull;
	return state;
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
	for (int i = 0; i < node->naggregates; i++)
		slot->tts_values[i] = result_of(&node->aggregates[i], &slot->tts_isnull[i]);
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

	ReScanExprContext(node->context->curaggcontext);
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
