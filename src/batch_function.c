/*
 * batch_function.c
 *	  Functions of a batch of rows.
 *
 * A function is called for each row, with its constant arguments in place.  Some
 * comparisons are worked out without a call.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "batch.h"
#include "salkpi.h"

/* A call of a function. */
typedef struct Call
{
	FmgrInfo	function;
	FunctionCallInfo fcinfo;	/* constant arguments are in place */
	int			nvarying;		/* others */
	int		   *varying;		/* their numbers */
	int16		length;			/* of the type of the result */
} Call;

/* ---------- functions ---------- */

static inline Datum
call(Call *call, BatchExpression *e, int row, bool *is_null)
{
	FunctionCallInfo fcinfo = call->fcinfo;

	for (int i = 0; i < call->nvarying; i++)
	{
		int			n = call->varying[i];

		fcinfo->args[n].value = e->args[n]->values[row];
		fcinfo->args[n].isnull = e->args[n]->nulls[row];
		if (fcinfo->args[n].isnull && call->function.fn_strict)
		{
			*is_null = true;
			return (Datum) 0;
		}
	}
	fcinfo->isnull = false;
	{
		Datum		result = FunctionCallInvoke(fcinfo);

		*is_null = fcinfo->isnull;
		/* Others may look at it too. */
		return call->length != -1 ? result : MakeExpandedObjectReadOnly(result, fcinfo->isnull, -1);
	}
}

/* Put constant arguments in place; is one of them NULL, and the function strict? */
static bool
prepare_call(Call *call, BatchExpression *e, const BatchRows *rows)
{
	bool		is_null = false;

	for (int n = 0; n < e->nargs; n++)
	{
		salkpi_batch_evaluate(e->args[n], rows);
		if (!e->args[n]->is_constant)
			continue;
		call->fcinfo->args[n].value = e->args[n]->values[0];
		call->fcinfo->args[n].isnull = e->args[n]->nulls[0];
		is_null |= e->args[n]->nulls[0];
	}
	return is_null && call->function.fn_strict;
}

static void
evaluate_call(BatchExpression *e, const BatchRows *rows)
{
	Call	   *c = e->details;

	if (prepare_call(c, e, rows))
	{
		for (int i = 0; i < rows->count; i++)
			batch_set_null(e, rows->row[i]);
		return;
	}
	for (int i = 0; i < rows->count; i++)
		e->values[rows->row[i]] = call(c, e, rows->row[i], &e->nulls[rows->row[i]]);
}

/* NULLIF: the function is that of equality. */
static void
evaluate_nullif(BatchExpression *e, const BatchRows *rows)
{
	Call	   *c = e->details;
	bool		is_never = prepare_call(c, e, rows);

	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		bool		is_null = true;

		if (!is_never && !e->args[0]->nulls[row] && !e->args[1]->nulls[row] &&
			DatumGetBool(call(c, e, row, &is_null)) && !is_null)
			batch_set_null(e, row);
		else
			batch_copy_value(e, e->args[0], row);
	}
}

/* ---------- the text of an integer ---------- */

static Datum
text_of_integer(BatchProgram *program, int64 number)
{
	text	   *result = salkpi_batch_room(program, VARHDRSZ + MAXINT8LEN + 1);

	SET_VARSIZE(result, VARHDRSZ + pg_lltoa(number, VARDATA(result)));
	return PointerGetDatum(result);
}

/* An id, or what a view makes of a small number; the details are the type of the integer. */
static void
evaluate_int_text(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *number = e->args[0];
	Oid			type = *(const Oid *) e->details;

	salkpi_batch_evaluate(e->args[0], rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		Datum		datum = number->values[row];

		e->nulls[row] = number->nulls[row];
		if (!e->nulls[row])
			e->values[row] = text_of_integer(e->program, type == INT8OID ? DatumGetInt64(datum) :
											 type == INT4OID ? DatumGetInt32(datum) : DatumGetInt16(datum));
	}
}

/* ---------- comparisons ---------- */

/* Comparisons of what is an integer inside. */
#define COMPARISON(name, get, operator) \
static void \
name(BatchExpression *e, const BatchRows *rows) \
{ \
	const BatchExpression *a = e->args[0]; \
	const BatchExpression *b = e->args[1]; \
\
	salkpi_batch_evaluate(e->args[0], rows); \
	salkpi_batch_evaluate(e->args[1], rows); \
	for (int i = 0; i < rows->count; i++) \
	{ \
		int			row = rows->row[i]; \
\
		e->nulls[row] = a->nulls[row] | b->nulls[row]; \
		e->values[row] = BoolGetDatum(get(a->values[row]) operator get(b->values[row])); \
	} \
}

COMPARISON(evaluate_int8_lt, DatumGetInt64, <)
COMPARISON(evaluate_int8_le, DatumGetInt64, <=)
COMPARISON(evaluate_int8_gt, DatumGetInt64, >)
COMPARISON(evaluate_int8_ge, DatumGetInt64, >=)
COMPARISON(evaluate_int8_eq, DatumGetInt64, ==)
COMPARISON(evaluate_int4_lt, DatumGetInt32, <)
COMPARISON(evaluate_int4_le, DatumGetInt32, <=)
COMPARISON(evaluate_int4_gt, DatumGetInt32, >)
COMPARISON(evaluate_int4_ge, DatumGetInt32, >=)
COMPARISON(evaluate_int4_eq, DatumGetInt32, ==)
COMPARISON(evaluate_int2_eq, DatumGetInt16, ==)
COMPARISON(evaluate_int24_eq, DatumGetInt32, ==)	/* a Datum of int2 is sign-extended */

/* ---------- the largest, the smallest ---------- */

/* GREATEST, LEAST: the function compares two. */
static void
evaluate_min_max(BatchExpression *e, const BatchRows *rows)
{
	Call	   *c = e->details;
	bool		is_least = ((MinMaxExpr *) e->expr)->op == IS_LEAST;

	batch_take_values(e, e->args[0], rows);
	for (int n = 1; n < e->nargs; n++)
	{
		const BatchExpression *arg = e->args[n];

		salkpi_batch_evaluate(e->args[n], rows);
		for (int i = 0; i < rows->count; i++)
		{
			int			row = rows->row[i];
			int32		order = 0;

			if (arg->nulls[row])
				continue;
			if (!e->nulls[row])
			{
				c->fcinfo->args[0].value = e->values[row];
				c->fcinfo->args[1].value = arg->values[row];
				c->fcinfo->isnull = false;
				order = DatumGetInt32(FunctionCallInvoke(c->fcinfo));
			}
			if (e->nulls[row] || (is_least ? order > 0 : order < 0))
				batch_copy_value(e, arg, row);
		}
	}
}

/* ---------- compiling ---------- */

static Call *
create_call(BatchExpression *e, Oid function, int nargs, Oid collation)
{
	Call	   *c = palloc0(sizeof(Call));

	salkpi_batch_may_execute(function, GetUserId());
	fmgr_info(function, &c->function);
	fmgr_info_set_expr((Node *) e->expr, &c->function);
	c->fcinfo = palloc0(SizeForFunctionCallInfo(nargs));
	InitFunctionCallInfoData(*c->fcinfo, &c->function, nargs, collation, NULL, NULL);
	c->varying = palloc((e->nargs + 1) * sizeof(int));
	for (int n = 0; n < e->nargs; n++)
		if (!e->args[n]->is_constant)
			c->varying[c->nvarying++] = n;
	return c;
}

/* Comparisons that are worked out here. */
static BatchEvaluate
own_comparison(Oid function)
{
	switch (function)
	{
		case F_TIMESTAMPTZ_LT:
		case F_INT8LT:
			return evaluate_int8_lt;
		case F_TIMESTAMPTZ_LE:
		case F_INT8LE:
			return evaluate_int8_le;
		case F_TIMESTAMPTZ_GT:
		case F_INT8GT:
			return evaluate_int8_gt;
		case F_TIMESTAMPTZ_GE:
		case F_INT8GE:
			return evaluate_int8_ge;
		case F_TIMESTAMPTZ_EQ:
		case F_INT8EQ:
			return evaluate_int8_eq;
		case F_DATE_LT:
		case F_INT4LT:
			return evaluate_int4_lt;
		case F_DATE_LE:
		case F_INT4LE:
			return evaluate_int4_le;
		case F_DATE_GT:
		case F_INT4GT:
			return evaluate_int4_gt;
		case F_DATE_GE:
		case F_INT4GE:
			return evaluate_int4_ge;
		case F_DATE_EQ:
		case F_INT4EQ:
			return evaluate_int4_eq;
		case F_INT2EQ:
			return evaluate_int2_eq;
		case F_INT24EQ:
			return evaluate_int24_eq;
		default:
			return NULL;
	}
}

/* The text of an integer, which is the argument. */
static bool
compile_int_text(BatchExpression *e, Expr *arg)
{
	Oid			type;

	while (IsA(arg, FuncExpr) && (((FuncExpr *) arg)->funcid == F_INT8_INT4 ||
								  ((FuncExpr *) arg)->funcid == F_INT8_INT2))
		arg = linitial(((FuncExpr *) arg)->args);
	type = exprType((Node *) arg);
	if (type != INT8OID && type != INT4OID && type != INT2OID)
		return false;
	salkpi_batch_compile_args(e, list_make1(arg));
	e->details = palloc(sizeof(Oid));
	*(Oid *) e->details = type;
	e->evaluate = evaluate_int_text;
	return true;
}

static void
compile_call(BatchExpression *e, Oid function, Oid collation, List *args)
{
	Call	   *c;

	salkpi_batch_compile_args(e, args);
	c = e->details = create_call(e, function, e->nargs, collation);
	c->length = get_typlen(exprType((Node *) e->expr));
	if (salkpi_batch_compile_lookup(e, c->function.fn_addr))
		return;
	e->evaluate = own_comparison(function);
	if (e->evaluate == NULL)
		e->evaluate = evaluate_call;
}

static bool
compile_min_max(BatchExpression *e, const MinMaxExpr *expr)
{
	TypeCacheEntry *type = lookup_type_cache(expr->minmaxtype, TYPECACHE_CMP_PROC);

	if (!OidIsValid(type->cmp_proc))
		return false;
	salkpi_batch_compile_args(e, expr->args);
	e->details = create_call(e, type->cmp_proc, 2, expr->inputcollid);
	e->evaluate = evaluate_min_max;
	return true;
}

/* Is it kpi_id_text? */
static bool
is_id_text(const FuncExpr *expr)
{
	FmgrInfo	function;

	salkpi_batch_may_execute(expr->funcid, GetUserId());
	fmgr_info(expr->funcid, &function);
	return function.fn_addr == salkpi_id_text;
}

/* Compile an expression if it is a function's. */
bool
salkpi_batch_compile_function(BatchExpression *e)
{
	Expr	   *expr = e->expr;

	switch (nodeTag(expr))
	{
		case T_FuncExpr:
			if (is_id_text((FuncExpr *) expr))
				return compile_int_text(e, linitial(((FuncExpr *) expr)->args));
			compile_call(e, ((FuncExpr *) expr)->funcid, ((FuncExpr *) expr)->inputcollid, ((FuncExpr *) expr)->args);
			return true;
		case T_OpExpr:
			compile_call(e, ((OpExpr *) expr)->opfuncid, ((OpExpr *) expr)->inputcollid, ((OpExpr *) expr)->args);
			return true;
		case T_NullIfExpr:
			salkpi_batch_compile_args(e, ((OpExpr *) expr)->args);
			e->details = create_call(e, ((OpExpr *) expr)->opfuncid, 2, ((OpExpr *) expr)->inputcollid);
			e->evaluate = evaluate_nullif;
			return true;
		case T_CoerceViaIO:
			return ((CoerceViaIO *) expr)->resulttype == TEXTOID &&
				compile_int_text(e, ((CoerceViaIO *) expr)->arg);
		case T_MinMaxExpr:
			return compile_min_max(e, (MinMaxExpr *) expr);
		default:
			return false;
	}
}
