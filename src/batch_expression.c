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
 * What is not known here is left to the executor, row by row.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "batch.h"
#include "numbers.h"
#include "salkpi.h"
#include "segment.h"

/* Of constants and columns: more than any batch has rows. */
#define ALWAYS_DONE			PG_INT32_MAX

/* Most results that are kept of a function of few values. */
#define MOST_REMEMBERED		4096
#define REMEMBERED_SLOTS	(2 * MOST_REMEMBERED)

/* Texts that are not asked for again; a power of two. */
#define ASKED				16

/* Free space for values that is allocated at once. */
#define ROOM_SIZE			(64 * 1024)

/* A result of a function of a single value. */
typedef struct Remembered
{
	bool		is_used;
	bool		is_null;
	Datum		argument;
	Datum		result;
} Remembered;

/* The results so far. */
typedef struct Memory
{
	MemoryContext context;		/* where they live */
	int			count;
	int16		length;			/* of the type of the results */
	bool		is_by_value;	/* as well */
	Remembered	slots[REMEMBERED_SLOTS];	/* by hash, linear probing */
} Memory;

/* A call of a function. */
typedef struct Call
{
	FmgrInfo	function;
	FunctionCallInfo fcinfo;	/* constant arguments are in place */
	int			nvarying;		/* others */
	int		   *varying;		/* their numbers */
	Memory	   *memory;			/* of few values, or NULL */
} Call;

/* The text of an integer: an id, or what a view makes of a small number. */
typedef struct IntText
{
	Oid			type;			/* of the integer */
	Memory	   *memory;			/* of few values, or NULL */
} IntText;

/* What is left to the executor; the arguments are the columns. */
typedef struct ByExecutor
{
	ExprState  *state;
	int		   *columns;		/* their places in a row */
} ByExecutor;

/* x = ANY (constants), of texts; also x = 'text'. */
typedef struct AnyText
{
	bool		is_all;			/* x <> ALL (constants)? */
	int			count;
	Datum	   *texts;
} AnyText;

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

/* Forget the values of the batch before; program->nrows is that of the new one. */
void
salkpi_batch_begin(BatchProgram *program)
{
	ListCell   *cell;

	foreach(cell, program->expressions)
	{
		BatchExpression *e = lfirst(cell);

		if (!e->is_constant)
			e->ndone = 0;
	}
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

static inline bool
is_true(const BatchExpression *e, int row)
{
	return !e->nulls[row] && DatumGetBool(e->values[row]);
}

static inline void
set_value(BatchExpression *e, int row, Datum value)
{
	e->values[row] = value;
	e->nulls[row] = false;
}

static inline void
set_null(BatchExpression *e, int row)
{
	e->values[row] = (Datum) 0;
	e->nulls[row] = true;
}

static inline void
copy_value(BatchExpression *e, const BatchExpression *from, int row)
{
	e->values[row] = from->values[row];
	e->nulls[row] = from->nulls[row];
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
	fill(e, value, is_null);
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
			set_null(e, row);
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

/* ---------- functions ---------- */

/* As for a function in an expression of the executor. */
void
salkpi_batch_may_execute(Oid function)
{
	AclResult	result = salkpi_function_aclcheck(function, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

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
		return result;
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
			set_null(e, rows->row[i]);
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
			set_null(e, row);
		else
			copy_value(e, e->args[0], row);
	}
}

/* ---------- functions of few values ---------- */

static Remembered *
remembered(Memory *memory, Datum argument)
{
	uint32		i = (uint32) salkpi_mix(argument) % REMEMBERED_SLOTS;

	while (memory->slots[i].is_used && memory->slots[i].argument != argument)
		i = (i + 1) % REMEMBERED_SLOTS;
	return &memory->slots[i];
}

static Memory *
create_memory(Oid type)
{
	Memory	   *memory = palloc0(sizeof(Memory));

	memory->context = CurrentMemoryContext;
	get_typlenbyval(type, &memory->length, &memory->is_by_value);
	return memory;
}

/*
 * Results are kept as long as the node, so that equal ones are the same
 * pointer.  When the values turn out to be many, it is no longer tried.
 */
static bool
is_worth_trying(Memory **memory)
{
	if (*memory != NULL && (*memory)->count >= MOST_REMEMBERED)
		*memory = NULL;
	return *memory != NULL;
}

static void
keep_result(Memory *memory, Remembered *place, Datum argument, Datum result, bool is_null)
{
	MemoryContext caller = MemoryContextSwitchTo(memory->context);

	place->is_used = true;
	place->is_null = is_null;
	place->argument = argument;
	place->result = is_null ? (Datum) 0 : datumCopy(result, memory->is_by_value, memory->length);
	memory->count++;
	MemoryContextSwitchTo(caller);
}

static void
evaluate_remembering(BatchExpression *e, const BatchRows *rows)
{
	Call	   *c = e->details;
	const BatchExpression *argument = e->args[c->varying[0]];

	if (!is_worth_trying(&c->memory) || prepare_call(c, e, rows))
	{
		evaluate_call(e, rows);
		return;
	}
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		Remembered *place = argument->nulls[row] ? NULL : remembered(c->memory, argument->values[row]);

		if (place == NULL || !place->is_used)
			e->values[row] = call(c, e, row, &e->nulls[row]);
		if (place == NULL)
			continue;
		if (!place->is_used && c->memory->count < MOST_REMEMBERED)
			keep_result(c->memory, place, argument->values[row], e->values[row], e->nulls[row]);
		if (place->is_used)
		{
			e->values[row] = place->result;
			e->nulls[row] = place->is_null;
		}
	}
}

static Datum
text_of_integer(BatchProgram *program, int64 number)
{
	text	   *result = salkpi_batch_room(program, VARHDRSZ + MAXINT8LEN + 1);

	SET_VARSIZE(result, VARHDRSZ + pg_lltoa(number, VARDATA(result)));
	return PointerGetDatum(result);
}

static void
evaluate_int_text(BatchExpression *e, const BatchRows *rows)
{
	IntText    *details = e->details;
	const BatchExpression *number = e->args[0];
	bool		is_worth;

	salkpi_batch_evaluate(e->args[0], rows);
	is_worth = is_worth_trying(&details->memory);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		Datum		datum = number->values[row];
		Remembered *place;

		e->nulls[row] = number->nulls[row];
		if (e->nulls[row])
			continue;
		place = is_worth ? remembered(details->memory, datum) : NULL;
		if (place == NULL || !place->is_used)
			e->values[row] = text_of_integer(e->program, details->type == INT8OID ? DatumGetInt64(datum) :
											 details->type == INT4OID ? DatumGetInt32(datum) : DatumGetInt16(datum));
		if (place != NULL && !place->is_used && details->memory->count < MOST_REMEMBERED)
			keep_result(details->memory, place, datum, e->values[row], false);
		if (place != NULL && place->is_used)
			e->values[row] = place->result;
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
			set_null(e, row);
		else
			set_value(e, row, BoolGetDatum(are_same_texts(a->values[row], b->values[row])));
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
			set_null(e, row);
			continue;
		}
		if (asked[place] != value)
		{
			asked[place] = value;
			answer[place] = false;
			for (int n = 0; n < any->count && !answer[place]; n++)
				answer[place] = are_same_texts(value, any->texts[n]);
		}
		set_value(e, row, BoolGetDatum(answer[place] != any->is_all));
	}
}

/* ---------- conditions ---------- */

/* What decides AND is false, what decides OR true; NULL leaves it open. */
static void
evaluate_and_or(BatchExpression *e, const BatchRows *rows)
{
	bool		deciding = ((BoolExpr *) e->expr)->boolop == OR_EXPR;
	BatchRows	open = *rows;

	for (int i = 0; i < rows->count; i++)
		set_value(e, rows->row[i], BoolGetDatum(!deciding));
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
				set_value(e, row, BoolGetDatum(deciding));
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
		set_value(e, rows->row[i], BoolGetDatum(e->args[0]->nulls[rows->row[i]] == for_null));
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

		set_value(e, row, BoolGetDatum(arg->nulls[row] ? of_null :
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
		if (is_true(condition, open->row[i]))
			taken->row[taken->count++] = open->row[i];
		else
			open->row[count++] = open->row[i];
	}
	open->count = count;
}

static void
take_values(BatchExpression *e, BatchExpression *from, const BatchRows *rows)
{
	if (rows->count == 0)
		return;
	salkpi_batch_evaluate(from, rows);
	for (int i = 0; i < rows->count; i++)
		copy_value(e, from, rows->row[i]);
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
		take_values(e, e->args[n + 1], &taken);
	}
	take_values(e, e->args[e->nargs - 1], &open);
}

static void
evaluate_coalesce(BatchExpression *e, const BatchRows *rows)
{
	BatchRows	open = *rows;

	for (int n = 0; n < e->nargs && open.count > 0; n++)
	{
		int			count = 0;

		take_values(e, e->args[n], &open);
		for (int i = 0; i < open.count; i++)
			if (e->nulls[open.row[i]])
				open.row[count++] = open.row[i];
		open.count = count;
	}
}

/* GREATEST, LEAST: the function compares two. */
static void
evaluate_min_max(BatchExpression *e, const BatchRows *rows)
{
	Call	   *c = e->details;
	bool		is_least = ((MinMaxExpr *) e->expr)->op == IS_LEAST;

	take_values(e, e->args[0], rows);
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
				copy_value(e, arg, row);
		}
	}
}

/* ---------- compiling ---------- */

BatchExpression *
salkpi_batch_expression(BatchProgram *program, Expr *expr, BatchEvaluate evaluate)
{
	BatchExpression *e = palloc0(sizeof(BatchExpression));

	e->program = program;
	e->expr = expr;
	e->evaluate = evaluate;
	return e;
}

static void
compile_args(BatchExpression *e, List *exprs)
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

static Call *
create_call(BatchExpression *e, Oid function, Oid collation)
{
	Call	   *c = palloc0(sizeof(Call));

	salkpi_batch_may_execute(function);
	fmgr_info(function, &c->function);
	fmgr_info_set_expr((Node *) e->expr, &c->function);
	c->fcinfo = palloc0(SizeForFunctionCallInfo(e->nargs));
	InitFunctionCallInfoData(*c->fcinfo, &c->function, e->nargs, collation, NULL, NULL);
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

/* Under which texts are equal that have the same bytes, and no others. */
static bool
is_bytewise(Oid collation)
{
	return OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* What is a function of few values costs more than remembering them. */
static bool
is_worth_remembering(const BatchExpression *e, const Call *c)
{
	return c->nvarying == 1 && get_typbyval(exprType((Node *) e->args[c->varying[0]]->expr)) &&
		(c->function.fn_oid == F_TIMEZONE_TEXT_TIMESTAMP || c->function.fn_oid == F_DATE_TIMESTAMPTZ);
}

/* The text of an integer, which is the argument. */
static bool
compile_int_text(BatchExpression *e, Expr *arg)
{
	IntText    *details;
	Oid			type;

	while (IsA(arg, FuncExpr) && (((FuncExpr *) arg)->funcid == F_INT8_INT4 ||
								  ((FuncExpr *) arg)->funcid == F_INT8_INT2))
		arg = linitial(((FuncExpr *) arg)->args);
	type = exprType((Node *) arg);
	if (type != INT8OID && type != INT4OID && type != INT2OID)
		return false;
	compile_args(e, list_make1(arg));
	e->details = details = palloc(sizeof(IntText));
	details->type = type;
	details->memory = create_memory(TEXTOID);
	e->evaluate = evaluate_int_text;
	return true;
}

static void
compile_call(BatchExpression *e, Oid function, Oid collation, List *args)
{
	Call	   *c;

	compile_args(e, args);
	c = e->details = create_call(e, function, collation);
	if (salkpi_batch_compile_lookup(e, c->function.fn_addr))
		return;
	e->evaluate = own_comparison(function);
	if (function == F_TEXTEQ && is_bytewise(collation))
		e->evaluate = evaluate_text_eq;
	else if (e->evaluate == NULL)
		e->evaluate = evaluate_call;
	if (is_worth_remembering(e, c))
	{
		c->memory = create_memory(exprType((Node *) e->expr));
		e->evaluate = evaluate_remembering;
	}
}

/* x = ANY or x <> ALL of constant texts. */
static void
compile_texts(BatchExpression *e, Expr *x, bool is_all, Datum *texts, int count)
{
	AnyText    *details = palloc(sizeof(AnyText));

	compile_args(e, list_make1(x));
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
	compile_texts(e, linitial(any->args), !any->useOr, texts, count);
	return true;
}

/* x = 'text', x <> 'text' */
static bool
compile_one_text(BatchExpression *e, const OpExpr *expr)
{
	Const	   *constant = list_length(expr->args) == 2 ? lsecond(expr->args) : NULL;

	if ((expr->opfuncid != F_TEXTEQ && expr->opfuncid != F_TEXTNE) || !is_bytewise(expr->inputcollid) ||
		!IsA(constant, Const) || constant->constisnull)
		return false;
	compile_texts(e, linitial(expr->args), expr->opfuncid == F_TEXTNE, &constant->constvalue, 1);
	return true;
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
	compile_args(e, lappend(args, expr->defresult));
	e->evaluate = evaluate_case;
	return true;
}

static bool
compile_min_max(BatchExpression *e, const MinMaxExpr *expr)
{
	TypeCacheEntry *type = lookup_type_cache(expr->minmaxtype, TYPECACHE_CMP_PROC);

	if (!OidIsValid(type->cmp_proc))
		return false;
	compile_args(e, expr->args);
	e->details = create_call(e, type->cmp_proc, expr->inputcollid);
	e->evaluate = evaluate_min_max;
	return true;
}

/* Is it kpi_id_text? */
static bool
is_id_text(const FuncExpr *expr)
{
	FmgrInfo	function;

	salkpi_batch_may_execute(expr->funcid);
	fmgr_info(expr->funcid, &function);
	return function.fn_addr == salkpi_id_text;
}

/* The kinds of expressions that are worked out here. */
static bool
compile_own(BatchExpression *e)
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
			if (compile_one_text(e, (OpExpr *) expr))
				return true;
			compile_call(e, ((OpExpr *) expr)->opfuncid, ((OpExpr *) expr)->inputcollid, ((OpExpr *) expr)->args);
			return true;
		case T_NullIfExpr:
			compile_args(e, ((OpExpr *) expr)->args);
			e->details = create_call(e, ((OpExpr *) expr)->opfuncid, ((OpExpr *) expr)->inputcollid);
			e->evaluate = evaluate_nullif;
			return true;
		case T_ScalarArrayOpExpr:
			return compile_any_text(e, (ScalarArrayOpExpr *) expr);
		case T_BoolExpr:
			compile_args(e, ((BoolExpr *) expr)->args);
			e->evaluate = ((BoolExpr *) expr)->boolop == NOT_EXPR ? evaluate_not : evaluate_and_or;
			return true;
		case T_NullTest:
			if (((NullTest *) expr)->argisrow)
				return false;
			compile_args(e, list_make1(((NullTest *) expr)->arg));
			e->evaluate = evaluate_null_test;
			return true;
		case T_BooleanTest:
			compile_args(e, list_make1(((BooleanTest *) expr)->arg));
			e->evaluate = evaluate_boolean_test;
			return true;
		case T_CoerceViaIO:
			return ((CoerceViaIO *) expr)->resulttype == TEXTOID &&
				compile_int_text(e, ((CoerceViaIO *) expr)->arg);
		case T_FieldSelect:
			if (!OidIsValid(get_typ_typrelid(exprType((Node *) ((FieldSelect *) expr)->arg))))
				return false;
			compile_args(e, list_make1(((FieldSelect *) expr)->arg));
			e->evaluate = evaluate_field;
			return true;
		case T_CaseExpr:
			return compile_case(e, (CaseExpr *) expr);
		case T_CoalesceExpr:
			compile_args(e, ((CoalesceExpr *) expr)->args);
			e->evaluate = evaluate_coalesce;
			return true;
		case T_MinMaxExpr:
			return compile_min_max(e, (MinMaxExpr *) expr);
		default:
			return false;
	}
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
	ByExecutor *details = palloc(sizeof(ByExecutor));
	ListCell   *cell;

	compile_args(e, vars);
	details->columns = palloc((e->nargs + 1) * sizeof(int));
	foreach(cell, vars)
		details->columns[foreach_current_index(cell)] = lfirst_node(Var, cell)->varattno - 1;
	details->state = ExecInitExpr(e->expr, e->program->parent);
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
	else if (!compile_own(e))
		compile_by_executor(e);
	program->expressions = lappend(program->expressions, e);
	return e;
}
