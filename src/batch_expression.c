/*
 * batch_expression.c
 *	  Working expressions out for a batch of rows.
 *
 * Expressions that are the same are worked out once, and only for the rows that
 * someone asks for: what stands behind a condition is never worked out for rows
 * that do not meet it, as the executor does it.  Each kind of expression has a
 * function that goes through the rows; so what is to be done is decided once a
 * batch, not once a row, and constant arguments of functions stay in place.
 *
 * Functions are called in batch_function.c, texts compared in batch_text.c,
 * conditions decided in batch_condition.c, keys looked up in batch_lookup.c.
 * What none of them knows is left to the executor, row by row.  Of a column with
 * few values all of this is done once for each of them (batch_few.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/expandeddatum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "batch.h"
#include "salkpi.h"

/* Of constants and columns: more than any batch has rows. */
#define ALWAYS_DONE			PG_INT32_MAX

/* Free space for values that is allocated at once. */
#define ROOM_SIZE			(64 * 1024)

/* What is left to the executor; the arguments are the columns. */
typedef struct ByExecutor
{
	ExprState  *state;
	int		   *columns;		/* their places in a row */
	int16		length;			/* of the type of the result */
	bool		is_kept;		/* does it have to be copied? */
} ByExecutor;

/* ---------- values ---------- */

/* Space that is free until the next batch, aligned as any value. */
void *
salkpi_batch_room(BatchProgram *program, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (unlikely(size > program->room_size))
	{
		if (size > ROOM_SIZE / 8)
			return MemoryContextAlloc(program->batch_context, size);
		program->room = MemoryContextAlloc(program->batch_context, ROOM_SIZE);
		program->room_size = ROOM_SIZE;
	}
	result = program->room;
	program->room += size;
	program->room_size -= size;
	return result;
}

/* A batch of so many rows: forget what was worked out for the one before. */
void
salkpi_batch_begin(BatchProgram *program, int nrows)
{
	ListCell   *cell;

	program->nrows = nrows;
	foreach(cell, program->expressions)
	{
		BatchExpression *e = lfirst(cell);

		if (!e->is_constant)
			e->ndone = 0;
	}
}

/* A batch is done: free its values, and what subqueries were given. */
void
salkpi_batch_end(BatchProgram *program)
{
	MemoryContextReset(program->batch_context);
	ResetExprContext(program->parent->ps_ExprContext);
	program->room_size = 0;
}

/* Forget what was constant: parameters may have changed. */
void
salkpi_batch_forget(BatchProgram *program)
{
	ListCell   *cell;

	foreach(cell, program->expressions)
	{
		BatchExpression *e = lfirst(cell);

		if (e->is_constant && e->details != NULL)
			e->ndone = 0;
		salkpi_batch_forget_few(e);
	}
}

void
salkpi_batch_evaluate_rest(BatchExpression *e, const BatchRows *rows)
{
	BatchRows	rest;
	bool		is_first = e->ndone == 0;

	if (is_first && rows->count == e->program->nrows)
	{
		e->ndone = rows->count;
		e->evaluate(e, rows);
		return;
	}
	if (is_first)
		memset(e->is_done, 0, e->program->nrows);
	rest.count = 0;
	for (int i = 0; i < rows->count; i++)
	{
		rest.row[rest.count] = rows->row[i];
		rest.count += !e->is_done[rows->row[i]];
		e->is_done[rows->row[i]] = true;
	}
	if (rest.count == 0)
		return;
	e->ndone += rest.count;
	e->evaluate(e, &rest);
}

/* ---------- constants, and what the executor works out ---------- */

static void
fill(BatchExpression *e, Datum value, bool is_null)
{
	for (int i = 0; i < BATCH_ROWS; i++)
	{
		e->values[i] = value;
		e->nulls[i] = is_null;
	}
	e->ndone = ALWAYS_DONE;
}

/* The value lives as long as the node. */
static void
evaluate_constant(BatchExpression *e, const BatchRows *rows)
{
	MemoryContext caller = MemoryContextSwitchTo(e->program->parent->state->es_query_cxt);
	bool		is_null;
	Datum		value = ExecEvalExpr((ExprState *) e->details,
									 e->program->parent->ps_ExprContext, &is_null);

	MemoryContextSwitchTo(caller);
	fill(e, MakeExpandedObjectReadOnly(value, is_null, get_typlen(exprType((Node *) e->expr))), is_null);
}

/* For the executor a row has the columns that the expression looks at. */
static void
evaluate_by_executor(BatchExpression *e, const BatchRows *rows)
{
	const ByExecutor *details = e->details;
	ExprContext *econtext = e->program->parent->ps_ExprContext;
	TupleTableSlot *slot = e->program->row;

	econtext->ecxt_outertuple = slot;
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		ExecClearTuple(slot);
		for (int n = 0; n < e->nargs; n++)
		{
			slot->tts_values[details->columns[n]] = e->args[n]->values[row];
			slot->tts_isnull[details->columns[n]] = e->args[n]->nulls[row];
		}
		ExecStoreVirtualTuple(slot);
		e->values[row] = ExecEvalExpr(details->state, econtext, &e->nulls[row]);
		/* Others may look at it too. */
		e->values[row] = MakeExpandedObjectReadOnly(e->values[row], e->nulls[row], details->length);
		/* What a subquery gives is freed when it is run for the next row. */
		if (details->is_kept && !e->nulls[row])
			e->values[row] = salkpi_batch_keep(e->program, e->values[row], details->length);
	}
}

/* A field of a composite value. */
static void
evaluate_field(BatchExpression *e, const BatchRows *rows)
{
	const FieldSelect *field = (FieldSelect *) e->expr;
	const BatchExpression *composite = e->args[0];
	TupleDesc	tupdesc = NULL;

	salkpi_batch_evaluate(e->args[0], rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		HeapTupleHeader header;
		HeapTupleData tuple;

		if (composite->nulls[row])
		{
			batch_set_null(e, row);
			continue;
		}
		header = DatumGetHeapTupleHeader(composite->values[row]);
		if (tupdesc == NULL)
			tupdesc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											 HeapTupleHeaderGetTypMod(header));
		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		tuple.t_data = header;
		e->values[row] = heap_getattr(&tuple, field->fieldnum, tupdesc, &e->nulls[row]);
	}
	if (tupdesc != NULL)
		ReleaseTupleDesc(tupdesc);
}

/* ---------- compiling ---------- */

/* As for a function in an expression of the executor, or for one of an aggregate's, whose owner is to execute it. */
void
salkpi_batch_may_execute(Oid function, Oid role)
{
	AclResult	result = salkpi_function_aclcheck(function, role);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

BatchExpression *
salkpi_batch_expression(BatchProgram *program, Expr *expr, BatchEvaluate evaluate)
{
	BatchExpression *e = palloc0(sizeof(BatchExpression));

	e->program = program;
	e->expr = expr;
	e->evaluate = evaluate;
	return e;
}

void
salkpi_batch_compile_args(BatchExpression *e, List *exprs)
{
	ListCell   *cell;

	e->args = palloc((list_length(exprs) + 1) * sizeof(BatchExpression *));
	foreach(cell, exprs)
		e->args[e->nargs++] = salkpi_batch_compile(e->program, lfirst(cell));
}

/* The column of the input that a Var is. */
static BatchExpression *
column(BatchProgram *program, const Var *var)
{
	BatchExpression **place = &program->columns[var->varattno - 1];

	Assert(var->varno == OUTER_VAR && var->varattno >= 1 && var->varattno <= program->ncolumns);
	if (*place == NULL)
	{
		*place = salkpi_batch_expression(program, (Expr *) var, NULL);
		(*place)->ndone = ALWAYS_DONE;
	}
	return *place;
}

/* A field is read where it is. */
static bool
compile_field(BatchExpression *e)
{
	FieldSelect *field = (FieldSelect *) e->expr;

	if (!IsA(field, FieldSelect) || !OidIsValid(get_typ_typrelid(exprType((Node *) field->arg))))
		return false;
	salkpi_batch_compile_args(e, list_make1(field->arg));
	e->evaluate = evaluate_field;
	return true;
}

static void
compile_constant(BatchExpression *e)
{
	e->is_constant = true;
	if (IsA(e->expr, Const))
		fill(e, ((Const *) e->expr)->constvalue, ((Const *) e->expr)->constisnull);
	else
	{
		e->details = ExecInitExpr(e->expr, e->program->parent);
		e->evaluate = evaluate_constant;
	}
}

static void
compile_by_executor(BatchExpression *e)
{
	List	   *vars = pull_var_clause((Node *) e->expr, 0);
	ByExecutor *details = palloc0(sizeof(ByExecutor));
	bool		is_by_value;
	ListCell   *cell;

	salkpi_batch_compile_args(e, vars);
	details->columns = palloc((e->nargs + 1) * sizeof(int));
	foreach(cell, vars)
		details->columns[foreach_current_index(cell)] = lfirst_node(Var, cell)->varattno - 1;
	details->state = ExecInitExpr(e->expr, e->program->parent);
	get_typlenbyval(exprType((Node *) e->expr), &details->length, &is_by_value);
	details->is_kept = contain_subplans((Node *) e->expr) && !is_by_value;
	e->details = details;
}

/* The values of an expression, which has no volatile functions. */
BatchExpression *
salkpi_batch_compile(BatchProgram *program, Expr *expr)
{
	BatchExpression *e;
	ListCell   *cell;

	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	if (IsA(expr, Var))
		return column(program, (Var *) expr);
	foreach(cell, program->expressions)
	{
		e = lfirst(cell);
		if (equal(e->expr, expr))
			return e;
	}
	e = salkpi_batch_expression(program, expr, evaluate_by_executor);
	if (!contain_var_clause((Node *) expr) && !contain_subplans((Node *) expr))
		compile_constant(e);
	else if (!compile_field(e) && !salkpi_batch_compile_text(e) &&
			 !salkpi_batch_compile_function(e) && !salkpi_batch_compile_condition(e))
		compile_by_executor(e);
	if (!e->is_constant)
		salkpi_batch_expect_few(e);
	program->expressions = lappend(program->expressions, e);
	return e;
}
