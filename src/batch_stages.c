/*
 * batch_stages.c
 *	  What became of opportunities in their stages, for a batch of rows at a time.
 *
 * In SQL (kpi_stages_select) the rows of an opportunity's history are put into
 * an array by grouping, kpi_stage_events makes an array of events of it, and
 * that is made rows of again.  None of that has to be built where rows are
 * sorted: those of an opportunity follow each other, are walked as they are
 * (stages.c), and what became of it are the rows that aggregates take.
 *
 * Such rows have the columns of the history's, in which only those hold
 * something by which they were grouped, and behind them those of an event.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "batch.h"
#include "salkpi.h"
#include "stages.h"

/* What a plan has to say: lists of expressions over rows of the history, ... */
enum
{
	PLAN_STEP,					/* the columns of kpi_step */
	PLAN_ARGUMENTS,				/* of kpi_stage_events, behind the first */
	PLAN_CONDITIONS,			/* on an opportunity */
	PLAN_GROUPS,				/* see salkpi_batch_group_lists */
	PLAN_OIDS					/* of kpi_stage_events and kpi_stage_event */
};

/* The arguments of kpi_stage_events behind the steps. */
enum
{
	NAMES,
	POSITIONS,
	OUTCOMES,
	CLOSED_AT,
	IS_WON,
	ARGUMENTS
};

/* A column of the history that stays for all rows of an opportunity. */
typedef struct KeptColumn
{
	BatchExpression *rows;		/* of the history */
	BatchExpression *target;	/* of the rows made, NULL: not looked at there */
	int16		length;			/* of its type */
	bool		is_by_value;	/* as well */
	bool		is_null;
	Datum		value;			/* in deal_context */
} KeptColumn;

struct BatchStages
{
	BatchSource source;			/* of the rows of the history */
	BatchProgram program;		/* over them */
	BatchGroups groups;			/* those of an opportunity each */
	BatchExpression *step[STEP_COLUMNS];
	BatchExpression *arguments[ARGUMENTS];
	int			nconditions;
	BatchExpression **conditions;

	/* The batch at hand. */
	int			count;			/* of rows */
	int			row;			/* the next to be taken */
	bool		is_at_end;		/* are there no others? */
	bool		begins[BATCH_ROWS]; /* is it the first of its opportunity? */
	bool		meets[BATCH_ROWS];	/* if so: does that meet the conditions? */

	/* The opportunity at hand. */
	bool		is_open;		/* may rows of it come? */
	bool		is_taken;		/* does it meet the conditions? */
	MemoryContext deal_context; /* what outlives a batch */
	uint32		nkept_steps;	/* steps whose values are there */
	int			nkept;
	KeptColumn *kept;
	Walk		walk;

	/* What became of the one before. */
	BatchProgram *target;
	BatchExpression *columns[EVENT_COLUMNS];	/* NULL: not looked at */
	uint32		next;			/* the event that is the next row */
	Datum		no_keys;		/* an empty text[] */
};

/* ---------- the plan ---------- */

/* kpi_stage_events(array_agg(ROW(...)), ...), being looked for */
typedef struct Finding
{
	Node	   *events;			/* unnest of that */
	int			natts;			/* columns of the history */
	bool		is_right;		/* is nothing else made of groups? */
} Finding;

/* Put columns behind those of the history in place of fields of events. */
static Node *
replace_fields(Node *node, void *context)
{
	Finding    *finding = context;
	FieldSelect *field = (FieldSelect *) node;

	if (node == NULL)
		return NULL;
	if (IsA(node, FieldSelect) && equal(field->arg, finding->events))
		return (Node *) makeVar(OUTER_VAR, finding->natts + field->fieldnum, field->resulttype,
								field->resulttypmod, field->resultcollid, 0);
	if (IsA(node, Aggref) || (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset))
		finding->is_right = false;
	return expression_tree_mutator(node, replace_fields, context);
}

/* The same in the arguments and conditions of aggregates, without arguments else. */
static bool
replace_in_aggregates(List *aggregates, Finding *finding)
{
	ListCell   *cell;

	foreach(cell, aggregates)
	{
		Aggref	   *aggref = castNode(Aggref, lfirst_node(TargetEntry, cell)->expr);

		aggref->args = (List *) replace_fields((Node *) aggref->args, finding);
		aggref->aggfilter = (Expr *) replace_fields((Node *) aggref->aggfilter, finding);
	}
	return finding->is_right;
}

static bool
is_stage_events(const Node *node)
{
	const FuncExpr *call = (const FuncExpr *) node;
	FmgrInfo	function;

	if (!IsA(node, FuncExpr) || list_length(call->args) != 1 + ARGUMENTS)
		return false;
	fmgr_info(call->funcid, &function);
	return function.fn_addr == salkpi_kpi_stage_events;
}

/* The only expression of a target list that makes rows: unnest(kpi_stage_events(...)), or NULL. */
static Node *
events_of(const List *targetlist)
{
	Node	   *found = NULL;
	ListCell   *cell;

	foreach(cell, targetlist)
	{
		Node	   *node = (Node *) lfirst_node(TargetEntry, cell)->expr;

		if (!expression_returns_set(node))
			continue;
		if (found != NULL || !IsA(node, FuncExpr) || ((FuncExpr *) node)->funcid != F_UNNEST_ANYARRAY ||
			!is_stage_events(linitial(((FuncExpr *) node)->args)))
			return NULL;
		found = node;
	}
	return found;
}

/* The columns of the rows in array_agg(ROW(...)), or NIL. */
static List *
step_of(const Node *node)
{
	const Aggref *aggref = (const Aggref *) node;
	const RowExpr *row;

	if (!IsA(node, Aggref) || aggref->aggfnoid != F_ARRAY_AGG_ANYNONARRAY || aggref->aggfilter != NULL ||
		aggref->aggorder != NIL || aggref->aggdistinct != NIL)
		return NIL;
	row = (const RowExpr *) linitial_node(TargetEntry, aggref->args)->expr;
	return IsA(row, RowExpr) && list_length(row->args) == STEP_COLUMNS ? row->args : NIL;
}

static bool
is_plain_grouping(const Agg *agg)
{
	return agg->numCols > 0 && agg->aggsplit == AGGSPLIT_SIMPLE && agg->chain == NIL && agg->groupingSets == NIL;
}

/*
 * The rows of a grouping, in an order in which those of a group follow each
 * other; NULL when there is no such order.  What the planner would group by
 * hashing is sorted too: which of both is cheaper it judges by the number of
 * groups, and that it does not know when they come out of a view.
 */
static Plan *
rows_by_group(const Agg *grouping)
{
	Plan	   *rows = grouping->plan.lefttree;
	Sort	   *sort;
	ListCell   *cell;

	if (grouping->aggstrategy == AGG_SORTED)
		return rows;
	sort = makeNode(Sort);
	sort->plan.plan_rows = rows->plan_rows;
	sort->plan.plan_width = rows->plan_width;
	sort->plan.startup_cost = sort->plan.total_cost = rows->total_cost;
	sort->plan.plan_node_id = grouping->plan.plan_node_id;
	sort->plan.extParam = rows->extParam;
	sort->plan.allParam = rows->allParam;
	sort->plan.lefttree = rows;
	foreach(cell, rows->targetlist)
		sort->plan.targetlist = lappend(sort->plan.targetlist,
										makeTargetEntry((Expr *) makeVarFromTargetEntry(OUTER_VAR, lfirst(cell)),
														foreach_current_index(cell) + 1, NULL, false));
	sort->numCols = grouping->numCols;
	sort->sortColIdx = grouping->grpColIdx;
	sort->collations = grouping->grpCollations;
	sort->sortOperators = palloc(sort->numCols * sizeof(Oid));
	sort->nullsFirst = palloc0(sort->numCols * sizeof(bool));
	for (int i = 0; i < sort->numCols; i++)
	{
		sort->sortOperators[i] = get_ordering_op_for_equality_op(grouping->grpOperators[i], false);
		if (!OidIsValid(sort->sortOperators[i]))
			return NULL;
	}
	return &sort->plan;
}

/*
 * Express lists (of aggregates, an expression and conditions) that are over the
 * output of "plan" by the rows of the grouping below, which is returned; to the
 * conditions are added those on the way.  NULL when there is none.
 */
static Agg *
find_grouping(Plan *plan, List *lists[3], List **init_plans)
{
	for (;;)
	{
		bool		is_subquery = IsA(plan, SubqueryScan);
		Plan	   *below = is_subquery ? salkpi_batch_subplan(plan) : salkpi_batch_rearranged(plan);

		for (int i = 0; i < 3; i++)
		{
			if (salkpi_batch_is_too_large((Node *) lists[i], plan))
				return NULL;
			lists[i] = (List *) salkpi_batch_by_targetlist((Node *) lists[i], plan);
		}
		lists[2] = list_concat(lists[2], plan->qual);
		*init_plans = list_concat(*init_plans, plan->initPlan);
		if (IsA(plan, Agg))
			return is_plain_grouping((Agg *) plan) ? (Agg *) plan : NULL;
		if (below == NULL)
			return NULL;
		for (int i = 0; i < 3 && is_subquery; i++)
			lists[i] = (List *) salkpi_batch_by_subplan((Node *) lists[i], (SubqueryScan *) plan);
		plan = below;
	}
}

/* Can the arguments of kpi_stage_events, and conditions, be worked out of a row of the history? */
static bool
are_of_rows(const List *arguments, List *conditions)
{
	for (int i = NAMES; i <= OUTCOMES; i++)
		if (contain_var_clause(list_nth(arguments, i)))
			return false;
	return !contain_agg_clause((Node *) arguments) && !contain_agg_clause((Node *) conditions) &&
		!contain_volatile_functions((Node *) arguments) && !contain_volatile_functions((Node *) conditions);
}

/*
 * Is the input of aggregates what became of opportunities in their stages?  Then
 * it becomes the rows of their history.
 */
bool
salkpi_batch_stages_find(BatchInput *input, List **aggregates)
{
	Node	   *events;
	List	   *lists[3];
	List	   *init_plans = list_copy(input->init_plans);
	Agg		   *grouping;
	Plan	   *rows;
	FuncExpr   *call;
	List	   *arguments;
	List	   *step;
	Finding		finding;

	if (!IsA(input->plan, ProjectSet) || (events = events_of(input->plan->targetlist)) == NULL)
		return false;
	lists[0] = (List *) salkpi_batch_by_targetlist((Node *) *aggregates, input->plan);
	lists[1] = list_make1(events);
	lists[2] = NIL;
	init_plans = list_concat(init_plans, input->plan->initPlan);
	grouping = find_grouping(input->plan->lefttree, lists, &init_plans);
	if (grouping == NULL)
		return false;
	call = linitial_node(FuncExpr, linitial_node(FuncExpr, lists[1])->args);
	step = step_of(linitial(call->args));
	arguments = list_copy_tail(call->args, 1);
	finding = (Finding) {linitial(lists[1]), list_length(grouping->plan.lefttree->targetlist), true};
	if (step == NIL || contain_volatile_functions((Node *) step) ||
		!are_of_rows(arguments, lists[2]) || !replace_in_aggregates(lists[0], &finding) ||
		(rows = rows_by_group(grouping)) == NULL)
		return false;
	*aggregates = lists[0];
	input->init_plans = init_plans;
	input->plan = rows;
	input->stages = list_make5(step, arguments, lists[2],
							   salkpi_batch_group_lists(grouping->numCols, grouping->grpColIdx,
														grouping->grpOperators, grouping->grpCollations),
							   list_make2_oid(call->funcid, get_element_type(call->funcresulttype)));
	return true;
}

/* The form of the rows that are made. */
TupleDesc
salkpi_batch_stages_form(TupleDesc input, List *plan)
{
	TupleDesc	row = salkpi_batch_longer_row(input, EVENT_COLUMNS);
	TupleDesc	event = lookup_rowtype_tupdesc(lsecond_oid(list_nth(plan, PLAN_OIDS)), -1);

	if (event->natts != EVENT_COLUMNS)
		elog(ERROR, "kpi_stage_event has an unknown form");
	for (int i = 1; i <= EVENT_COLUMNS; i++)
		TupleDescCopyEntry(row, input->natts + i, event, i);
	ReleaseTupleDesc(event);
	return row;
}

static BatchExpression **
compile_list(BatchProgram *program, List *exprs)
{
	BatchExpression **compiled = palloc((list_length(exprs) + 1) * sizeof(BatchExpression *));
	ListCell   *cell;

	foreach(cell, exprs)
		compiled[foreach_current_index(cell)] = salkpi_batch_compile(program, lfirst(cell));
	return compiled;
}

/* Columns that the rows made have too, or by which rows are grouped. */
static void
prepare_kept(BatchStages *s, TupleDesc input, List *groups)
{
	s->kept = palloc0((input->natts + 1) * sizeof(KeptColumn));
	for (int i = 0; i < input->natts; i++)
	{
		Form_pg_attribute form = TupleDescAttr(input, i);

		if (s->target->columns[i] != NULL || list_member_int(linitial(groups), i + 1))
			s->kept[s->nkept++] = (KeptColumn) {
				.rows = salkpi_batch_column(&s->program, i + 1),.target = s->target->columns[i],
				.length = form->attlen,.is_by_value = form->attbyval
			};
	}
}

/* Rows are made for the columns of "target" that are looked at. */
BatchStages *
salkpi_batch_stages_begin(PlanState *input, List *sort, BatchProgram *target, List *plan)
{
	BatchStages *s = palloc0(sizeof(BatchStages));
	TupleDesc	row = salkpi_batch_source_form(input, sort);
	List	   *conditions = list_nth(plan, PLAN_CONDITIONS);

	salkpi_batch_may_execute(linitial_oid(list_nth(plan, PLAN_OIDS)), GetUserId());
	s->target = target;
	s->deal_context = AllocSetContextCreate(CurrentMemoryContext, "salkpi deal", ALLOCSET_SMALL_SIZES);
	s->walk.context = CurrentMemoryContext;
	s->no_keys = PointerGetDatum(construct_empty_array(TEXTOID));
	salkpi_batch_program_init(&s->program, target->parent, row);
	memcpy(s->step, compile_list(&s->program, list_nth(plan, PLAN_STEP)), sizeof(s->step));
	memcpy(s->arguments, compile_list(&s->program, list_nth(plan, PLAN_ARGUMENTS)), sizeof(s->arguments));
	s->nconditions = list_length(conditions);
	s->conditions = compile_list(&s->program, conditions);
	salkpi_batch_groups_init(&s->groups, &s->program, list_nth(plan, PLAN_GROUPS));
	prepare_kept(s, row, list_nth(plan, PLAN_GROUPS));
	salkpi_batch_source_init(&s->source, input, sort, &s->program);
	memcpy(s->columns, &target->columns[row->natts], sizeof(s->columns));
	return s;
}

void
salkpi_batch_stages_end(BatchStages *s)
{
	salkpi_batch_source_end(&s->source);
	ExecDropSingleTupleTableSlot(s->program.row);
}

void
salkpi_batch_stages_rescan(BatchStages *s)
{
	salkpi_batch_source_rescan(&s->source);
	salkpi_batch_forget(&s->program);
	s->count = 0;
	s->row = 0;
	s->is_at_end = false;
	s->is_open = false;
	s->walk.nevents = 0;
	s->next = 0;
}

/* ---------- rows of the history ---------- */

/* The stages, which are the same for all rows; false when they are not known. */
static bool
prepare_stages(BatchStages *s, const BatchRows *rows)
{
	ArrayType  *arrays[OUTCOMES + 1];
	MemoryContext caller;

	for (int i = NAMES; i <= OUTCOMES; i++)
	{
		salkpi_batch_evaluate(s->arguments[i], rows);
		if (s->arguments[i]->nulls[0])
			return false;
		arrays[i] = DatumGetArrayTypeP(s->arguments[i]->values[0]);
	}
	if (s->walk.stages != NULL &&
		salkpi_stages_are_of(s->walk.stages, arrays[NAMES], arrays[POSITIONS], arrays[OUTCOMES]))
		return true;
	caller = MemoryContextSwitchTo(s->walk.context);
	s->walk.stages = salkpi_stages_create(arrays[NAMES], arrays[POSITIONS], arrays[OUTCOMES]);
	MemoryContextSwitchTo(caller);
	return true;
}

/* Of rows those that meet the conditions. */
static void
meet_conditions(BatchStages *s, BatchRows *rows)
{
	for (int c = 0; c < s->nconditions && rows->count > 0; c++)
	{
		int			count = 0;

		salkpi_batch_evaluate(s->conditions[c], rows);
		for (int i = 0; i < rows->count; i++)
		{
			rows->row[count] = rows->row[i];
			count += batch_is_true(s->conditions[c], rows->row[i]);
		}
		rows->count = count;
	}
}

/* Work out what has to be known of the rows, and of those that are the first of an opportunity. */
static void
evaluate_rows(BatchStages *s)
{
	BatchRows	all = {.count = s->count};
	BatchRows	first = {0};

	for (int i = 0; i < s->count; i++)
	{
		all.row[i] = i;
		s->begins[i] = i > 0 ? !salkpi_batch_same_group(&s->groups, i - 1, i) :
			!s->is_open || !salkpi_batch_same_group(&s->groups, BATCH_ROWS, 0);
		s->meets[i] = false;
		if (s->begins[i])
			first.row[first.count++] = i;
	}
	if (!prepare_stages(s, &all))
		return;
	for (int i = 0; i < STEP_COLUMNS; i++)
		salkpi_batch_evaluate(s->step[i], &all);
	meet_conditions(s, &first);
	if (first.count == 0)
		return;
	salkpi_batch_evaluate(s->arguments[CLOSED_AT], &first);
	salkpi_batch_evaluate(s->arguments[IS_WON], &first);
	for (int i = 0; i < first.count; i++)
		s->meets[first.row[i]] = true;
}

/* What is known of an opportunity outlives the batch, for rows of it may come. */
static void
keep_steps(BatchStages *s)
{
	MemoryContext caller = MemoryContextSwitchTo(s->deal_context);

	for (; s->nkept_steps < s->walk.nsteps; s->nkept_steps++)
	{
		Step	   *step = &s->walk.steps[s->nkept_steps];

		if (DatumGetPointer(step->name) != NULL)
			step->name = datumCopy(step->name, false, -1);
		if (step->has_keys)
			step->keys = datumCopy(step->keys, false, -1);
	}
	MemoryContextSwitchTo(caller);
}

static void
read_batch(BatchStages *s)
{
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	if (s->is_open)
		keep_steps(s);
	salkpi_batch_end(&s->program);
	for (int i = 0; i < s->nkept; i++)
	{
		s->kept[i].rows->values[BATCH_ROWS] = s->kept[i].value;
		s->kept[i].rows->nulls[BATCH_ROWS] = s->kept[i].is_null;
	}
	s->count = salkpi_batch_source_read_rows(&s->source);
	s->is_at_end = s->count < BATCH_ROWS;
	s->row = 0;
	if (s->count == 0)
		return;
	salkpi_batch_begin(&s->program, s->count);
	caller = MemoryContextSwitchTo(s->program.batch_context);
	evaluate_rows(s);
	MemoryContextSwitchTo(caller);
}

/* ---------- opportunities ---------- */

static void
begin_deal(BatchStages *s, int row)
{
	const BatchExpression *closed_at = s->arguments[CLOSED_AT];
	MemoryContext caller;

	MemoryContextReset(s->deal_context);
	caller = MemoryContextSwitchTo(s->deal_context);
	for (int i = 0; i < s->nkept; i++)
	{
		KeptColumn *kept = &s->kept[i];

		kept->is_null = kept->rows->nulls[row];
		kept->value = kept->is_null ? (Datum) 0 : datumCopy(kept->rows->values[row], kept->is_by_value, kept->length);
	}
	MemoryContextSwitchTo(caller);
	s->is_open = true;
	s->is_taken = s->meets[row];
	s->nkept_steps = 0;
	salkpi_walk_begin(&s->walk);
	if (!s->is_taken)
		return;
	s->walk.is_closed = !closed_at->nulls[row];
	s->walk.closed_at = s->walk.is_closed ? DatumGetTimestampTz(closed_at->values[row]) : 0;
	s->walk.is_won = batch_is_true(s->arguments[IS_WON], row);
}

static inline text *
text_or_null(const BatchExpression *e, int row)
{
	return e->nulls[row] ? NULL : DatumGetTextPP(e->values[row]);
}

static void
add_step(BatchStages *s, int row)
{
	BatchExpression **columns = s->step;
	Step	   *step;

	if (columns[STEP_FROM]->nulls[row])
		return;
	step = salkpi_walk_add(&s->walk, DatumGetTimestampTz(columns[STEP_FROM]->values[row]),
						   text_or_null(columns[STEP_STAGE], row), text_or_null(columns[STEP_STATUS], row));
	step->has_end = !columns[STEP_TO]->nulls[row];
	step->to = step->has_end ? DatumGetTimestampTz(columns[STEP_TO]->values[row]) : 0;
	step->has_keys = !columns[STEP_KEYS]->nulls[row];
	step->keys = columns[STEP_KEYS]->values[row];
}

/* Walk the next opportunity; false when there is none left. */
static bool
walk_deal(BatchStages *s)
{
	for (;; s->row++)
	{
		bool		is_row;

		if (s->row >= s->count && !s->is_at_end)
			read_batch(s);
		is_row = s->row < s->count;
		if (!is_row && !s->is_open)
			return false;
		if (s->is_open && (!is_row || s->begins[s->row]))
			break;
		if (s->begins[s->row])
			begin_deal(s, s->row);
		if (s->is_taken)
			add_step(s, s->row);
	}
	s->is_open = false;
	s->next = 0;
	if (s->is_taken)
		salkpi_walk(&s->walk);
	return true;
}

/* ---------- what became of them ---------- */

static void
make_row(BatchStages *s, const StageEvent *event, int row)
{
	Datum		values[EVENT_COLUMNS];

	for (int i = 0; i < s->nkept; i++)
	{
		const KeptColumn *kept = &s->kept[i];

		if (kept->target == NULL)
			continue;
		kept->target->nulls[row] = kept->is_null;
		kept->target->values[row] = kept->is_null || kept->is_by_value ? kept->value :
			salkpi_batch_keep(s->target, kept->value, kept->length);
	}
	salkpi_event_values(event, s->no_keys, values);
	for (int i = 0; i < EVENT_COLUMNS; i++)
		if (s->columns[i] != NULL)
			batch_set_value(s->columns[i], row, i != EVENT_STAGE && i != EVENT_KEYS ? values[i] :
							salkpi_batch_keep(s->target, values[i], -1));
}

/* Make rows of the next events; returns how many. */
int
salkpi_batch_stages_read(BatchStages *s)
{
	int			count = 0;

	while (count < BATCH_ROWS)
	{
		if (s->next < s->walk.nevents)
			make_row(s, &s->walk.events[s->next++], count++);
		else if (!walk_deal(s))
			break;
	}
	return count;
}
