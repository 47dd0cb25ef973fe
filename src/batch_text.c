/*
 * batch_text.c
 *	  Comparing texts of a batch of rows.
 *
 * Kinds and states are texts of which there are few, made of constants by a view
 * or by a dictionary: many rows have the same pointer.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "batch.h"
#include "salkpi.h"
#include "segment.h"

/* Texts that are not asked for again; a power of two. */
#define ASKED				16

/* x = ANY (constants), of texts; also x = 'text'. */
typedef struct AnyText
{
	bool		is_all;			/* x <> ALL (constants)? */
	int			count;
	Datum	   *texts;
} AnyText;

/* Texts, of which many are the same pointer. */
static inline bool
are_same_texts(Datum a, Datum b)
{
	const text *x;
	const text *y;

	if (a == b)
		return true;
	x = DatumGetTextPP(a);
	y = DatumGetTextPP(b);
	return VARSIZE_ANY_EXHDR(x) == VARSIZE_ANY_EXHDR(y) &&
		salkpi_same_bytes(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x));
}

static void
evaluate_text_eq(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *a = e->args[0];
	const BatchExpression *b = e->args[1];

	salkpi_batch_evaluate(e->args[0], rows);
	salkpi_batch_evaluate(e->args[1], rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		if (a->nulls[row] || b->nulls[row])
			batch_set_null(e, row);
		else
			batch_set_value(e, row, BoolGetDatum(are_same_texts(a->values[row], b->values[row])));
	}
}

/* x = ANY, x <> ALL: a NULL x is NULL, and none of the others is. */
static void
evaluate_any_text(BatchExpression *e, const BatchRows *rows)
{
	const AnyText *any = e->details;
	const BatchExpression *x = e->args[0];
	Datum		asked[ASKED] = {0}; /* the same pointers come again and again */
	bool		answer[ASKED];

	salkpi_batch_evaluate(e->args[0], rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		Datum		value = x->values[row];
		int			place = (value / MAXIMUM_ALIGNOF) % ASKED;

		if (x->nulls[row])
		{
			batch_set_null(e, row);
			continue;
		}
		if (asked[place] != value)
		{
			asked[place] = value;
			answer[place] = false;
			for (int n = 0; n < any->count && !answer[place]; n++)
				answer[place] = are_same_texts(value, any->texts[n]);
		}
		batch_set_value(e, row, BoolGetDatum(answer[place] != any->is_all));
	}
}

/* Under which texts are equal that have the same bytes, and no others. */
static bool
is_bytewise(Oid collation)
{
	return OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* x = ANY or x <> ALL of constant texts. */
static void
compile_texts(BatchExpression *e, Expr *x, bool is_all, Datum *texts, int count)
{
	AnyText    *details = palloc(sizeof(AnyText));

	salkpi_batch_may_execute(is_all ? F_TEXTNE : F_TEXTEQ, GetUserId());
	salkpi_batch_compile_args(e, list_make1(x));
	details->is_all = is_all;
	details->count = count;
	details->texts = texts;
	e->details = details;
	e->evaluate = evaluate_any_text;
}

static bool
compile_any_text(BatchExpression *e, const ScalarArrayOpExpr *any)
{
	const Const *array = lsecond(any->args);
	Datum	   *texts;
	int			count;

	if (any->opfuncid != (any->useOr ? F_TEXTEQ : F_TEXTNE) || !is_bytewise(any->inputcollid) ||
		!IsA(array, Const) || array->constisnull ||
		array_contains_nulls(DatumGetArrayTypeP(array->constvalue)))
		return false;
	deconstruct_array(DatumGetArrayTypeP(array->constvalue), TEXTOID, -1, false, TYPALIGN_INT,
					  &texts, NULL, &count);
	if (count == 0)
		return false;			/* not even a NULL x gives NULL then */
	compile_texts(e, linitial(any->args), !any->useOr, texts, count);
	return true;
}

/* x = 'text', x <> 'text', x = y */
static bool
compile_comparison(BatchExpression *e, const OpExpr *expr)
{
	Const	   *constant;

	if ((expr->opfuncid != F_TEXTEQ && expr->opfuncid != F_TEXTNE) || !is_bytewise(expr->inputcollid))
		return false;
	constant = lsecond(expr->args);
	if (IsA(constant, Const) && !constant->constisnull)
	{
		compile_texts(e, linitial(expr->args), expr->opfuncid == F_TEXTNE, &constant->constvalue, 1);
		return true;
	}
	if (expr->opfuncid != F_TEXTEQ)
		return false;
	salkpi_batch_may_execute(F_TEXTEQ, GetUserId());
	salkpi_batch_compile_args(e, expr->args);
	e->evaluate = evaluate_text_eq;
	return true;
}

/* Compile an expression if it compares texts. */
bool
salkpi_batch_compile_text(BatchExpression *e)
{
	if (IsA(e->expr, OpExpr))
		return compile_comparison(e, (OpExpr *) e->expr);
	if (IsA(e->expr, ScalarArrayOpExpr))
		return compile_any_text(e, (ScalarArrayOpExpr *) e->expr);
	return false;
}
