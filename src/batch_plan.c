/*
 * batch_plan.c
 *	  Puts batches in place of plain aggregates in a plan.
 *
 * An aggregate over a source has some hundred arguments and conditions, most of
 * them made of the same few columns.  The planner puts the expressions of
 * subqueries behind OFFSET 0 where they stand; here they are put together
 * again: what an aggregate takes is expressed by the columns of the scan (or of
 * the join, or whatever gives the rows), and the scan gives columns only.
 * batch.c then works each expression out once, for the rows that need it.
 *
 * A sort for a window whose functions are leads, or for a grouping by which a
 * history is walked, goes into the node as well: what is sorted is made of the
 * columns of a scan in batches too.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_aggregate.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "batch.h"
#include "salkpi.h"

/* Of larger expressions those of subqueries are left where they are. */
#define MOST_NODES		20000
#define MOST_DEPTH		1000

/* Aggregates being collected from a target list. */
typedef struct Collecting
{
	List	   *aggregates;		/* of TargetEntry, each Aggref once */
	bool		is_plain;		/* are all of them such as batch.c knows? */
} Collecting;

/* Expressions being put in place of columns. */
typedef struct Replacing
{
	Index		varno;			/* columns of this relation, 0: of any */
	List	   *targetlist;		/* by these; NULL: by columns that are ... */
	bool		is_new;			/* ... collected in "columns", else the same of OUTER_VAR */
	List	   *columns;		/* of TargetEntry, each Var once */
} Replacing;

static bool
is_plain(const Aggref *aggref)
{
	return aggref->aggkind == AGGKIND_NORMAL && aggref->aggorder == NIL &&
		aggref->aggdistinct == NIL && aggref->aggdirectargs == NIL;
}

/* The place in a target list of a node, which is added if it is new. */
static AttrNumber
place_of(List **targetlist, Node *node)
{
	ListCell   *cell;

	foreach(cell, *targetlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (equal(entry->expr, node))
			return entry->resno;
	}
	*targetlist = lappend(*targetlist,
						  makeTargetEntry(copyObject((Expr *) node),
										  list_length(*targetlist) + 1, NULL, false));
	return list_length(*targetlist);
}

/* Put a column of the node's own in place of each aggregate. */
static Node *
collect_aggregates(Node *node, void *context)
{
	Collecting *collecting = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Aggref))
	{
		Aggref	   *aggref = (Aggref *) node;

		collecting->is_plain &= is_plain(aggref);
		return (Node *) makeVar(INDEX_VAR, place_of(&collecting->aggregates, node),
								aggref->aggtype, -1, aggref->aggcollid, 0);
	}
	return expression_tree_mutator(node, collect_aggregates, context);
}

static Node *
replace_columns(Node *node, void *context)
{
	Replacing  *replacing = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && (replacing->varno == 0 || ((Var *) node)->varno == replacing->varno))
	{
		Var		   *var = (Var *) node;

		if (replacing->targetlist != NIL)
			return copyObject((Node *) get_tle_by_resno(replacing->targetlist, var->varattno)->expr);
		var = copyObject(var);
		if (replacing->is_new)
			var->varattno = place_of(&replacing->columns, node);
		var->varno = OUTER_VAR;
		return (Node *) var;
	}
	return expression_tree_mutator(node, replace_columns, context);
}

/* An expression over the output of a node, by what the node makes that of. */
Node *
salkpi_batch_by_targetlist(Node *node, const Plan *plan)
{
	Replacing	replacing = {.varno = OUTER_VAR,.targetlist = plan->targetlist};

	return replace_columns(node, &replacing);
}

/* An expression over the columns of a subquery, by those of its plan. */
Node *
salkpi_batch_by_subplan(Node *node, const SubqueryScan *scan)
{
	Replacing	replacing = {.varno = scan->scan.scanrelid};

	return replace_columns(node, &replacing);
}

/* An expression being measured. */
typedef struct Measuring
{
	const List *targetlist;		/* what stands in place of columns of OUTER_VAR, or NIL */
	int			size;			/* nodes so far */
	int			depth;			/* of those over the one at hand */
} Measuring;

static bool
is_beyond(Node *node, void *context)
{
	Measuring  *measuring = context;
	bool		is_found;

	if (node == NULL)
		return false;
	if (++measuring->size > MOST_NODES || measuring->depth >= MOST_DEPTH)
		return true;
	measuring->depth++;
	if (IsA(node, Var) && ((Var *) node)->varno == OUTER_VAR && measuring->targetlist != NIL)
	{
		const List *targetlist = measuring->targetlist;

		measuring->targetlist = NIL;
		is_found = is_beyond((Node *) get_tle_by_resno(unconstify(List *, targetlist), ((Var *) node)->varattno)->expr, context);
		measuring->targetlist = targetlist;
	}
	else
		is_found = expression_tree_walker(node, is_beyond, context);
	measuring->depth--;
	return is_found;
}

/*
 * Would expressions over the output of a node become too large by what the node
 * makes that of?  Columns that are mentioned three times in each of ten
 * subqueries, one over the other, would stand there sixty thousand times.
 */
bool
salkpi_batch_is_too_large(Node *node, const Plan *plan)
{
	Measuring	measuring = {.targetlist = plan->targetlist};

	return is_beyond(node, &measuring);
}

/* Does a limit keep all rows, as OFFSET 0 does? */
static bool
keeps_all(const Limit *limit)
{
	const Const *offset = (const Const *) limit->limitOffset;

	return limit->limitCount == NULL &&
		(offset == NULL ||
		 (IsA(offset, Const) && (offset->constisnull || DatumGetInt64(offset->constvalue) == 0)));
}

/* Can a node be told to give other columns? */
static bool
is_projecting(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_IndexScan:
		case T_BitmapHeapScan:
		case T_SubqueryScan:
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return true;
		default:
			return false;
	}
}

/*
 * The plan of a subquery whose columns a node gives.  Of whole rows of it there
 * is nothing in the plan that could take their place: NULL then, as for other nodes.
 */
Plan *
salkpi_batch_subplan(Plan *plan)
{
	SubqueryScan *scan = (SubqueryScan *) plan;
	Bitmapset  *columns = NULL;

	if (!IsA(plan, SubqueryScan))
		return NULL;
	pull_varattnos((Node *) plan->targetlist, scan->scan.scanrelid, &columns);
	pull_varattnos((Node *) plan->qual, scan->scan.scanrelid, &columns);
	return bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns) ? NULL : scan->subplan;
}

/* The node whose output a node only rearranges, or NULL. */
Plan *
salkpi_batch_rearranged(Plan *plan)
{
	if (plan->qual != NIL)
		return NULL;
	if (IsA(plan, SubqueryScan))
		return salkpi_batch_subplan(plan);
	if (IsA(plan, Limit) && keeps_all((Limit *) plan))
		return plan->lefttree;
	if (IsA(plan, Result) && ((Result *) plan)->resconstantqual == NULL)
		return plan->lefttree;
	return NULL;
}

/*
 * A scan that gives the columns of its table as they are hands on its rows
 * without a copy.
 */
static List *
all_columns(const SeqScan *scan, List *rtable)
{
	Relation	table = table_open(rt_fetch(scan->scan.scanrelid, rtable)->relid, NoLock);
	TupleDesc	tupdesc = RelationGetDescr(table);
	List	   *columns = NIL;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped)
		{
			columns = NIL;
			break;
		}
		columns = lappend(columns, makeTargetEntry((Expr *)
												   makeVar(scan->scan.scanrelid, i + 1, attribute->atttypid, attribute->atttypmod,
														   attribute->attcollation, 0),
												   i + 1, NULL, false));
	}
	table_close(table, NoLock);
	return columns;
}

/* Is all that a window adds to its rows what the row behind has? */
static bool
only_leads(const WindowAgg *window)
{
	List	   *nodes = pull_var_clause((Node *) window->plan.targetlist, PVC_INCLUDE_WINDOWFUNCS);
	ListCell   *cell;

	if (window->plan.qual != NIL || window->runCondition != NIL)
		return false;
	foreach(cell, nodes)
	{
		const WindowFunc *function = lfirst(cell);

		if (IsA(function, WindowFunc) &&
			(function->winfnoid != F_LEAD_ANYELEMENT || function->aggfilter != NULL ||
			 !IsA(linitial(function->args), Var)))
			return false;
	}
	return true;
}

/* Let a node give columns only, of which expressions (over its output) are then made. */
static List *
by_columns(Plan *plan, List *rtable, List *exprs)
{
	Replacing	columns = {.is_new = true};

	if (IsA(plan, SeqScan))
		columns.columns = all_columns((SeqScan *) plan, rtable);
	exprs = (List *) replace_columns((Node *) exprs, &columns);
	plan->targetlist = columns.columns;
	return exprs;
}

/* Rows that are sorted for what is not left to the executor are sorted here, if they can be. */
static void
take_sort(BatchInput *input, List *rtable)
{
	Sort	   *sort = (Sort *) input->plan;
	Plan	   *below = input->plan->lefttree;
	List	   *plan;

	if (!IsA(sort, Sort) || !is_projecting(below) || below->targetlist == NIL ||
		contain_volatile_functions((Node *) below->targetlist))
		return;
	plan = salkpi_batch_sort_plan(sort, below->targetlist);
	if (plan == NIL)
		return;
	linitial(plan) = by_columns(below, rtable, linitial(plan));
	input->init_plans = list_concat(input->init_plans, sort->plan.initPlan);
	input->sort = plan;
	input->plan = below;
}

/*
 * Express the arguments of aggregates by the columns of the node that the rows
 * come from.
 */
static void
find_input(BatchInput *input, List *rtable, List **aggregates)
{
	Plan	   *below;

	while ((below = salkpi_batch_rearranged(input->plan)) != NULL &&
		   !salkpi_batch_is_too_large((Node *) *aggregates, input->plan))
	{
		*aggregates = (List *) salkpi_batch_by_targetlist((Node *) *aggregates, input->plan);
		if (IsA(input->plan, SubqueryScan))
			*aggregates = (List *) salkpi_batch_by_subplan((Node *) *aggregates, (SubqueryScan *) input->plan);
		input->init_plans = list_concat(input->init_plans, input->plan->initPlan);
		input->plan = below;
	}
	if (salkpi_batch_is_too_large((Node *) *aggregates, input->plan))
		return;
	if (IsA(input->plan, WindowAgg) && only_leads((WindowAgg *) input->plan))
	{
		*aggregates = (List *) salkpi_batch_by_targetlist((Node *) *aggregates, input->plan);
		input->init_plans = list_concat(input->init_plans, input->plan->initPlan);
		input->window = (WindowAgg *) input->plan;
		input->plan = input->plan->lefttree;
		take_sort(input, rtable);
	}
	else if (salkpi_batch_stages_find(input, aggregates))
		take_sort(input, rtable);
	else if (is_projecting(input->plan) && input->plan->targetlist != NIL)
	{
		*aggregates = (List *) salkpi_batch_by_targetlist((Node *) *aggregates, input->plan);
		*aggregates = by_columns(input->plan, rtable, *aggregates);
	}
}

/* A volatile function is called for each row that it stands for, in order. */
static bool
is_volatile(Plan *plan)
{
	for (; plan != NULL; plan = salkpi_batch_rearranged(plan))
		if (contain_volatile_functions((Node *) plan->targetlist))
			return true;
	return false;
}

/* The same of what a plan no longer shows: subqueries in expressions. */
static bool
has_volatile_subquery(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink) && contain_volatile_functions(((SubLink *) node)->subselect))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, has_volatile_subquery, context, 0);
	return expression_tree_walker(node, has_volatile_subquery, context);
}

/* May a query, which is not planned yet, be worked out in batches? */
bool
salkpi_batch_may_plan(Query *query)
{
	return !has_volatile_subquery((Node *) query, NULL);
}

/* A node that works in batches in place of one that does not, if it can. */
static Plan *
replace_node(Agg *agg, List *rtable)
{
	Collecting	collecting = {.is_plain = true};
	BatchInput	input = {.plan = agg->plan.lefttree};
	List	   *targetlist;

	if (agg->aggstrategy != AGG_PLAIN || agg->aggsplit != AGGSPLIT_SIMPLE ||
		agg->plan.qual != NIL || agg->groupingSets != NIL || is_volatile(&agg->plan) || is_volatile(agg->plan.lefttree))
		return &agg->plan;
	targetlist = (List *) collect_aggregates((Node *) agg->plan.targetlist, &collecting);
	if (!collecting.is_plain || collecting.aggregates == NIL)
		return &agg->plan;
	find_input(&input, rtable, &collecting.aggregates);
	return salkpi_batch_node(agg, collecting.aggregates, targetlist, &input);
}

static Plan *
replace_nodes(Plan *plan, List *rtable)
{
	if (plan == NULL)
		return NULL;
	plan->lefttree = replace_nodes(plan->lefttree, rtable);
	plan->righttree = replace_nodes(plan->righttree, rtable);
	if (IsA(plan, SubqueryScan))
		((SubqueryScan *) plan)->subplan = replace_nodes(((SubqueryScan *) plan)->subplan, rtable);
	return IsA(plan, Agg) ? replace_node((Agg *) plan, rtable) : plan;
}

/*
 * Put batches in place of the plain aggregates of a statement, which must be
 * the caller's own.
 */
void
salkpi_batch_plan(PlannedStmt *statement)
{
	ListCell   *cell;

	statement->planTree = replace_nodes(statement->planTree, statement->rtable);
	foreach(cell, statement->subplans)
		lfirst(cell) = replace_nodes(lfirst(cell), statement->rtable);
}
