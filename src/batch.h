/*
 * batch.h
 *	  Aggregates over many rows, worked out for a batch of rows at a time.
 */
#ifndef SALKPI_BATCH_H
#define SALKPI_BATCH_H

#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

#include "batch_rows.h"

typedef struct BatchExpression BatchExpression;

/* Works an expression out for rows that it was not worked out for. */
typedef void (*BatchEvaluate) (BatchExpression *expression, const BatchRows *rows);

/* An expression, with its value in each row of the batch. */
struct BatchExpression
{
	Datum		values[BATCH_ROWS + 1]; /* of columns also in the row behind */
	bool		nulls[BATCH_ROWS + 1];
	int			ndone;			/* for how many rows it is worked out */
	bool		is_done[BATCH_ROWS];	/* for which, unless it is none or all */
	bool		is_constant;	/* the same in all rows, once it is done? */
	Expr	   *expr;			/* what it is */
	struct BatchProgram *program;	/* what it is part of */
	BatchEvaluate evaluate;		/* NULL for a column */
	int			nargs;			/* what it is made of */
	BatchExpression **args;
	void	   *details;		/* of the kind of expression */
};

/* All expressions of a node, each once. */
typedef struct BatchProgram
{
	PlanState  *parent;			/* the node */
	int			nrows;			/* of the batch at hand */
	List	   *expressions;	/* BatchExpressions that are no columns */
	int			ncolumns;		/* of the rows */
	BatchExpression **columns;	/* those that are looked at, else NULL */
	TupleTableSlot *row;		/* a row, for what only the executor knows */
	MemoryContext batch_context;	/* of values, until the next batch */
	char	   *room;			/* free space in that, for small values */
	Size		room_size;		/* bytes */
} BatchProgram;

/* Where the rows of a node come from. */
typedef struct BatchInput
{
	Plan	   *plan;
	List	   *init_plans;		/* of nodes that are left out */
	WindowAgg  *window;			/* NULL, or left out too: its functions stand in
								 * expressions */
	List	   *stages;			/* NIL, or what else makes rows of those of the
								 * plan, see batch_stages.c */
	List	   *sort;			/* NIL, or how they are sorted first, see
								 * batch_sort.c */
} BatchInput;

/* batch_plan.c */
extern bool salkpi_batch_may_plan(Query *query);
extern void salkpi_batch_plan(PlannedStmt *statement);
extern Node *salkpi_batch_by_targetlist(Node *node, const Plan *plan);
extern Node *salkpi_batch_by_subplan(Node *node, const SubqueryScan *scan);
extern bool salkpi_batch_is_too_large(Node *node, const Plan *plan);
extern Plan *salkpi_batch_subplan(Plan *plan);
extern Plan *salkpi_batch_rearranged(Plan *plan);

/* batch_read.c */

/* Reads rows of a node into the columns of a program. */
typedef struct BatchReader
{
	BatchProgram *program;
	int			ncolumns;
	struct BatchColumn *columns;	/* those that are looked at, in order */
} BatchReader;

/* Rows that follow each other and have the same in some columns are a group. */
typedef struct BatchGroups
{
	int			count;
	struct BatchGroupColumn *columns;
} BatchGroups;

extern void salkpi_batch_program_init(BatchProgram *program, PlanState *parent, TupleDesc row);
extern BatchExpression *salkpi_batch_column(BatchProgram *program, int attribute);
extern TupleDesc salkpi_batch_longer_row(TupleDesc row, int nmore);
extern void salkpi_batch_reader_init(BatchReader *reader, BatchProgram *program, TupleDesc input);
extern void salkpi_batch_read_row(const BatchReader *reader, TupleTableSlot *slot, int row);
extern Datum salkpi_batch_keep(BatchProgram *program, Datum datum, int16 length);
extern List *salkpi_batch_group_lists(int count, const AttrNumber *columns, const Oid *operators,
									  const Oid *collations);
extern void salkpi_batch_groups_init(BatchGroups *groups, BatchProgram *program, List *lists);
extern bool salkpi_batch_same_group(const BatchGroups *groups, int row, int other);

/* batch_sort.c */
typedef struct BatchSort BatchSort;

extern List *salkpi_batch_sort_plan(const Sort *sort, List *targetlist);
extern TupleDesc salkpi_batch_sort_form(List *plan);
extern BatchSort *salkpi_batch_sort_begin(PlanState *input, BatchProgram *target, List *plan);
extern bool salkpi_batch_sort_read(BatchSort *sort, int row);
extern void salkpi_batch_sort_advance(BatchSort *sort);
extern void salkpi_batch_sort_rescan(BatchSort *sort);
extern void salkpi_batch_sort_end(BatchSort *sort);

/* Rows of a node, one after the other, sorted or as they come. */
typedef struct BatchSource
{
	PlanState  *input;
	BatchSort  *sort;			/* NULL: as they come */
	BatchReader reader;			/* if so */
	TupleTableSlot *slot;		/* if so: the row at hand; NULL: it has to be fetched */
	bool		is_at_end;		/* if so: is there none left? */
} BatchSource;

extern TupleDesc salkpi_batch_source_form(PlanState *input, List *sort);
extern void salkpi_batch_source_init(BatchSource *source, PlanState *input, List *sort, BatchProgram *program);
extern bool salkpi_batch_source_read(BatchSource *source, int row);
extern int	salkpi_batch_source_read_rows(BatchSource *source);
extern void salkpi_batch_source_rescan(BatchSource *source);
extern void salkpi_batch_source_end(BatchSource *source);

/* Go on to the next row. */
static inline void
salkpi_batch_source_advance(BatchSource *source)
{
	source->slot = NULL;
	if (source->sort != NULL)
		salkpi_batch_sort_advance(source->sort);
}

/* batch_stages.c */
typedef struct BatchStages BatchStages;

extern bool salkpi_batch_stages_find(BatchInput *input, List **aggregates);
extern TupleDesc salkpi_batch_stages_form(TupleDesc input, List *plan);
extern BatchStages *salkpi_batch_stages_begin(PlanState *input, List *sort, BatchProgram *target, List *plan);
extern int	salkpi_batch_stages_read(BatchStages *stages);
extern void salkpi_batch_stages_rescan(BatchStages *stages);
extern void salkpi_batch_stages_end(BatchStages *stages);

/* batch.c */
extern Plan *salkpi_batch_node(Agg *agg, List *aggregates, List *targetlist,
							   BatchInput *input);
extern void salkpi_batch_register(void);

/* batch_aggregate.c */
typedef struct BatchAggregate BatchAggregate;

/* The aggregates of a node. */
typedef struct BatchAggregates
{
	AggState   *context;		/* what their functions see */
	int			count;
	BatchAggregate *aggregates;
} BatchAggregates;

extern void salkpi_batch_prepare(BatchAggregates *all, BatchProgram *program, List *targetlist);
extern void salkpi_batch_start(BatchAggregates *all);
extern void salkpi_batch_advance(BatchAggregates *all, const BatchRows *rows);
extern void salkpi_batch_results(BatchAggregates *all, Datum *values, bool *nulls);

/* batch_expression.c */
extern BatchExpression *salkpi_batch_compile(BatchProgram *program, Expr *expr);
extern BatchExpression *salkpi_batch_expression(BatchProgram *program, Expr *expr,
												BatchEvaluate evaluate);
extern void salkpi_batch_begin(BatchProgram *program, int nrows);
extern void salkpi_batch_end(BatchProgram *program);
extern void salkpi_batch_forget(BatchProgram *program);
extern void *salkpi_batch_room(BatchProgram *program, Size size);
extern void salkpi_batch_may_execute(Oid function, Oid role);

extern void salkpi_batch_compile_args(BatchExpression *expression, List *exprs);

/*
 * The kinds of expressions: each says whether an expression, of which there is
 * only expr, is of its kind, and if so how it is worked out.
 */
extern bool salkpi_batch_compile_function(BatchExpression *expression);
extern bool salkpi_batch_compile_text(BatchExpression *expression);
extern bool salkpi_batch_compile_condition(BatchExpression *expression);

/* batch_few.c */
extern void salkpi_batch_expect_few(BatchExpression *expression);
extern void salkpi_batch_forget_few(BatchExpression *expression);

/* batch_lookup.c */
extern bool salkpi_batch_compile_lookup(BatchExpression *expression, PGFunction function);

/* Work an expression out for some rows. */
extern void salkpi_batch_evaluate_rest(BatchExpression *expression,
									   const BatchRows *rows);

static inline void
salkpi_batch_evaluate(BatchExpression *expression, const BatchRows *rows)
{
	if (expression->ndone < expression->program->nrows)
		salkpi_batch_evaluate_rest(expression, rows);
}

static inline bool
batch_is_true(const BatchExpression *e, int row)
{
	return !e->nulls[row] && DatumGetBool(e->values[row]);
}

static inline void
batch_set_value(BatchExpression *e, int row, Datum value)
{
	e->values[row] = value;
	e->nulls[row] = false;
}

static inline void
batch_set_null(BatchExpression *e, int row)
{
	e->values[row] = (Datum) 0;
	e->nulls[row] = true;
}

static inline void
batch_copy_value(BatchExpression *e, const BatchExpression *from, int row)
{
	e->values[row] = from->values[row];
	e->nulls[row] = from->nulls[row];
}

static inline void
batch_take_values(BatchExpression *e, BatchExpression *from, const BatchRows *rows)
{
	if (rows->count == 0)
		return;
	salkpi_batch_evaluate(from, rows);
	for (int i = 0; i < rows->count; i++)
		batch_copy_value(e, from, rows->row[i]);
}

#endif							/* SALKPI_BATCH_H */
