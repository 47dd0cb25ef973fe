/*
 * batch_condition.c
 *	  Conditions, and what depends on them, in a batch of rows.
 *
 * What stands behind a condition is worked out for those rows alone that are
 * still open.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"

#include "batch.h"

/* What decides AND is false, what decides OR true; NULL leaves it open. */
static void
evaluate_and_or(BatchExpression *e, const BatchRows *rows)
{
	bool		deciding = ((BoolExpr *) e->expr)->boolop == OR_EXPR;
	BatchRows	open = *rows;

	for (int i = 0; i < rows->count; i++)
		batch_set_value(e, rows->row[i], BoolGetDatum(!deciding));
	for (int n = 0; n < e->nargs && open.count > 0; n++)
	{
		const BatchExpression *arg = e->args[n];
		int			count = 0;

		salkpi_batch_evaluate(e->args[n], &open);
		for (int i = 0; i < open.count; i++)
		{
			int			row = open.row[i];

			if (arg->nulls[row])
				e->nulls[row] = true;
			else if (DatumGetBool(arg->values[row]) == deciding)
			{
				batch_set_value(e, row, BoolGetDatum(deciding));
				continue;
			}
			open.row[count++] = row;
		}
		open.count = count;
	}
}

static void
evaluate_not(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *arg = e->args[0];

	salkpi_batch_evaluate(e->args[0], rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		e->nulls[row] = arg->nulls[row];
		e->values[row] = BoolGetDatum(!DatumGetBool(arg->values[row]));
	}
}

static void
evaluate_null_test(BatchExpression *e, const BatchRows *rows)
{
	bool		for_null = ((NullTest *) e->expr)->nulltesttype == IS_NULL;

	salkpi_batch_evaluate(e->args[0], rows);
	for (int i = 0; i < rows->count; i++)
		batch_set_value(e, rows->row[i], BoolGetDatum(e->args[0]->nulls[rows->row[i]] == for_null));
}

static void
evaluate_boolean_test(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *arg = e->args[0];
	BoolTestType type = ((BooleanTest *) e->expr)->booltesttype;
	bool		of_null = type == IS_UNKNOWN || type == IS_NOT_TRUE || type == IS_NOT_FALSE;
	bool		of_true = type == IS_TRUE || type == IS_NOT_FALSE || type == IS_NOT_UNKNOWN;
	bool		of_false = type == IS_FALSE || type == IS_NOT_TRUE || type == IS_NOT_UNKNOWN;

	salkpi_batch_evaluate(e->args[0], rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		batch_set_value(e, row, BoolGetDatum(arg->nulls[row] ? of_null :
									   DatumGetBool(arg->values[row]) ? of_true : of_false));
	}
}

/* Take from "open" those rows for which a condition is true. */
static void
split(BatchRows *open, BatchExpression *condition, BatchRows *taken)
{
	int			count = 0;

	salkpi_batch_evaluate(condition, open);
	taken->count = 0;
	for (int i = 0; i < open->count; i++)
	{
		if (batch_is_true(condition, open->row[i]))
			taken->row[taken->count++] = open->row[i];
		else
			open->row[count++] = open->row[i];
	}
	open->count = count;
}

/* Arguments: condition, result, condition, result, ..., the result for others. */
static void
evaluate_case(BatchExpression *e, const BatchRows *rows)
{
	BatchRows	open = *rows;
	BatchRows	taken;

	for (int n = 0; n + 1 < e->nargs && open.count > 0; n += 2)
	{
		split(&open, e->args[n], &taken);
		batch_take_values(e, e->args[n + 1], &taken);
	}
	batch_take_values(e, e->args[e->nargs - 1], &open);
}

static void
evaluate_coalesce(BatchExpression *e, const BatchRows *rows)
{
	BatchRows	open = *rows;

	for (int n = 0; n < e->nargs && open.count > 0; n++)
	{
		int			count = 0;

		batch_take_values(e, e->args[n], &open);
		for (int i = 0; i < open.count; i++)
			if (e->nulls[open.row[i]])
				open.row[count++] = open.row[i];
		open.count = count;
	}
}

static Node *
replace_case_test(Node *node, void *value)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, CaseTestExpr))
		return copyObject(value);
	return expression_tree_mutator(node, replace_case_test, value);
}

static bool
has_case_test_of_its_own(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if ((IsA(node, CaseExpr) && ((CaseExpr *) node)->arg != NULL) || IsA(node, ArrayCoerceExpr))
		return true;
	return expression_tree_walker(node, has_case_test_of_its_own, context);
}

static bool
compile_case(BatchExpression *e, const CaseExpr *expr)
{
	List	   *args = NIL;
	ListCell   *cell;

	foreach(cell, expr->args)
	{
		const CaseWhen *when = lfirst(cell);
		Node	   *condition = (Node *) when->expr;

		if (expr->arg != NULL)
		{
			if (has_case_test_of_its_own(condition, NULL))
				return false;
			condition = replace_case_test(condition, expr->arg);
		}
		args = lappend(lappend(args, condition), when->result);
	}
	salkpi_batch_compile_args(e, lappend(args, expr->defresult));
	e->evaluate = evaluate_case;
	return true;
}

/* Compile an expression if it is a condition or depends on one. */
bool
salkpi_batch_compile_condition(BatchExpression *e)
{
	Expr	   *expr = e->expr;

	switch (nodeTag(expr))
	{
		case T_BoolExpr:
			salkpi_batch_compile_args(e, ((BoolExpr *) expr)->args);
			e->evaluate = ((BoolExpr *) expr)->boolop == NOT_EXPR ? evaluate_not : evaluate_and_or;
			return true;
		case T_NullTest:
			if (((NullTest *) expr)->argisrow)
				return false;
			salkpi_batch_compile_args(e, list_make1(((NullTest *) expr)->arg));
			e->evaluate = evaluate_null_test;
			return true;
		case T_BooleanTest:
			salkpi_batch_compile_args(e, list_make1(((BooleanTest *) expr)->arg));
			e->evaluate = evaluate_boolean_test;
			return true;
		case T_CaseExpr:
			return compile_case(e, (CaseExpr *) expr);
		case T_CoalesceExpr:
			salkpi_batch_compile_args(e, ((CoalesceExpr *) expr)->args);
			e->evaluate = evaluate_coalesce;
			return true;
		default:
			return false;
	}
}
