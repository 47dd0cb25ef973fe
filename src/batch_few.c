/*
 * batch_few.c
 *	  Expressions of one column that has few values.
 *
 * Most of what is asked of a row is asked of a state, a kind, a stage, a day or
 * the id of a rep: of a column with few values, from which views make texts,
 * compare them, look them up.  So the values of a column are numbered as they
 * come, and an expression of that column alone is worked out once for each of
 * them.  Results are kept as long as parameters stay what they are, so that equal
 * ones are the same pointer.  When the values turn out to be many, or the results
 * to be long, expressions are worked out as all others are.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "batch.h"
#include "segment.h"

/* When a batch begins with fewer values, they are few. */
#define MOST_VALUES			4096

/* Slots at first, a power of two: statements over few rows take no time for more. */
#define FIRST_SLOTS			512

/* Most bytes of texts that are few. */
#define MOST_TEXT_BYTES		(256 * 1024)

/* Most bytes of a result that is kept. */
#define MOST_RESULT_BYTES	256

/* When a batch begins with fewer bytes of results of a column, it is worth keeping more. */
#define MOST_KEPT_BYTES		((Size) 32 * 1024 * 1024)

/* A value by value. */
typedef struct NumberedDatum
{
	Datum		value;
	uint32		number;			/* 0: the slot is free */
} NumberedDatum;

/*
 * The values of a column, numbered from 1; NULL is 0.  As an expression: the
 * number of each row's.
 */
typedef struct FewValues
{
	uint32		count;
	bool		is_many;		/* are they too many to go on? */
	MemoryContext context;		/* of what expressions are for them; gone when they are many */
	uint32		size;			/* slots, a power of two */
	NumberedDatum *data;		/* by hash, linear probing; of texts NULL, and these: */
	TextTable	texts;
} FewValues;

/* What an expression is for a value. */
typedef struct FewResult
{
	bool		is_known;
	bool		is_null;
	Datum		value;
} FewResult;

/* An expression of such a column. */
typedef struct FewResults
{
	BatchExpression *numbers;	/* of the column's values */
	BatchEvaluate evaluate;		/* how a result is worked out */
	void	   *details;		/* for that */
	FewResult  *results;		/* by number */
	uint32		size;			/* room for how many */
	int16		length;			/* of the type */
	bool		is_by_value;	/* as well */
} FewResults;

/* ---------- the values of a column ---------- */

/* They are many; results go with the batch, in which some may be looked at. */
static void
give_up(FewValues *few, const BatchProgram *program)
{
	few->is_many = true;
	MemoryContextSetParent(few->context, program->batch_context);
}

/* The slot of a value, which is free if there is no such value yet. */
static inline NumberedDatum *
slot_of(const FewValues *few, Datum value)
{
	uint32		i = (uint32) salkpi_mix(value) & (few->size - 1);

	while (few->data[i].number != 0 && few->data[i].value != value)
		i = (i + 1) & (few->size - 1);
	return &few->data[i];
}

/* Slots for as many values more as a batch may have. */
static void
make_slots(FewValues *few)
{
	NumberedDatum *old = few->data;
	uint32		old_size = few->size;

	if (few->count + BATCH_ROWS <= old_size / 4 * 3)
		return;
	few->size = old_size * 2;
	few->data = MemoryContextAllocZero(GetMemoryChunkContext(old), few->size * sizeof(NumberedDatum));
	for (uint32 i = 0; i < old_size; i++)
		if (old[i].number != 0)
			*slot_of(few, old[i].value) = old[i];
	pfree(old);
}

static void
number_data(FewValues *few, BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *column = e->args[0];

	make_slots(few);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		NumberedDatum *slot;

		e->values[row] = 0;
		if (column->nulls[row])
			continue;
		slot = slot_of(few, column->values[row]);
		if (slot->number == 0)
			*slot = (NumberedDatum) {column->values[row], ++few->count};
		e->values[row] = slot->number;
	}
}

static void
number_texts(FewValues *few, BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *column = e->args[0];
	TextRef		texts[BATCH_ROWS];
	uint32		numbers[BATCH_ROWS];
	Size		bytes = few->texts.used;
	int			count = 0;

	for (int i = 0; i < rows->count; i++)
	{
		const text *value;

		if (column->nulls[rows->row[i]])
			continue;
		value = DatumGetTextPP(column->values[rows->row[i]]);
		texts[count] = (TextRef) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
		bytes += texts[count++].length;
	}
	if (bytes > MOST_TEXT_BYTES)
	{
		give_up(few, e->program);
		return;
	}
	salkpi_texts_put(&few->texts, texts, count, numbers);
	few->count = few->texts.index.count;
	for (int i = rows->count - 1; i >= 0; i--)
		e->values[rows->row[i]] = column->nulls[rows->row[i]] ? 0 : numbers[--count] + 1;
}

static void
evaluate_numbers(BatchExpression *e, const BatchRows *rows)
{
	FewValues  *few = e->details;

	if (few->is_many)
		return;
	if (few->count >= MOST_VALUES || MemoryContextMemAllocated(few->context, false) > MOST_KEPT_BYTES)
		give_up(few, e->program);
	else if (few->data != NULL)
		number_data(few, e, rows);
	else
		number_texts(few, e, rows);
}

/* The numbers of a column's values, the same for all expressions of it; NULL where they are not tried. */
static BatchExpression *
numbers_of(BatchProgram *program, BatchExpression *column)
{
	Oid			type = exprType((Node *) column->expr);
	bool		is_text = type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
	BatchExpression *numbers;
	FewValues  *few;
	ListCell   *cell;

	if (!is_text && !get_typbyval(type))
		return NULL;
	foreach(cell, program->expressions)
	{
		numbers = lfirst(cell);
		if (numbers->evaluate == evaluate_numbers && numbers->args[0] == column)
			return numbers;
	}
	few = palloc0(sizeof(FewValues));
	few->context = AllocSetContextCreate(CurrentMemoryContext, "salkpi few", ALLOCSET_START_SMALL_SIZES);
	if (is_text)
		salkpi_texts_init(&few->texts, CurrentMemoryContext);
	else
	{
		few->size = FIRST_SLOTS;
		few->data = palloc0(FIRST_SLOTS * sizeof(NumberedDatum));
	}
	numbers = salkpi_batch_expression(program, NULL, evaluate_numbers);
	numbers->details = few;
	numbers->nargs = 1;
	numbers->args = palloc(sizeof(BatchExpression *));
	numbers->args[0] = column;
	program->expressions = lappend(program->expressions, numbers);
	return numbers;
}

/* ---------- expressions of it ---------- */

static bool
is_worth_keeping(const FewResults *few, Datum value)
{
	return few->is_by_value ||
		(!(few->length == -1 && VARATT_IS_EXTERNAL(DatumGetPointer(value))) &&
		 datumGetSize(value, false, few->length) <= MOST_RESULT_BYTES);
}

/* Work an expression out for rows whose values are new to it. */
static void
evaluate_new(BatchExpression *e, FewResults *few, MemoryContext context, const BatchRows *rows)
{
	MemoryContext caller;

	e->details = few->details;
	few->evaluate(e, rows);
	e->details = few;
	caller = MemoryContextSwitchTo(context);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		FewResult  *result = &few->results[few->numbers->values[row]];

		if (!result->is_known && (e->nulls[row] || is_worth_keeping(few, e->values[row])))
			*result = (FewResult) {true, e->nulls[row], e->nulls[row] ? (Datum) 0 :
				datumCopy(e->values[row], few->is_by_value, few->length)};
		if (result->is_known)
		{
			/* What is not the same for all rows of a value, though its function says so, is of the first. */
			e->values[row] = result->value;
			e->nulls[row] = result->is_null;
		}
	}
	MemoryContextSwitchTo(caller);
}

/* Room for the results of all values that there are, and more. */
static void
make_room(FewResults *few, const FewValues *values)
{
	uint32		size = Max(values->count + 1, few->size * 2);
	FewResult  *results;

	if (values->count < few->size)
		return;
	results = MemoryContextAllocZero(values->context, size * sizeof(FewResult));
	if (few->results != NULL)
	{
		memcpy(results, few->results, few->size * sizeof(FewResult));
		pfree(few->results);
	}
	few->results = results;
	few->size = size;
}

static void
evaluate_few(BatchExpression *e, const BatchRows *rows)
{
	FewResults *few = e->details;
	const FewValues *values = few->numbers->details;
	BatchRows	new_rows;

	salkpi_batch_evaluate(few->numbers, rows);
	if (values->is_many)
	{
		e->evaluate = few->evaluate;
		e->details = few->details;
		e->evaluate(e, rows);
		return;
	}
	make_room(few, values);
	new_rows.count = 0;
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		const FewResult *result = &few->results[few->numbers->values[row]];

		e->values[row] = result->value;
		e->nulls[row] = result->is_null;
		new_rows.row[new_rows.count] = row;
		new_rows.count += !result->is_known;
	}
	if (new_rows.count > 0)
		evaluate_new(e, few, values->context, &new_rows);
}

/* The only column of an expression; NULL if there are several. */
static BatchExpression *
only_column(BatchProgram *program, Expr *expr)
{
	Var		   *only = NULL;
	ListCell   *cell;

	foreach(cell, pull_var_clause((Node *) expr, 0))
	{
		Var		   *var = lfirst(cell);

		if (only != NULL && var->varattno != only->varattno)
			return NULL;
		only = var;
	}
	return only == NULL ? NULL : salkpi_batch_compile(program, (Expr *) only);
}

/*
 * Have a compiled expression, which is neither a column nor constant, worked out
 * once for each value of its column, if it is of one.
 */
void
salkpi_batch_expect_few(BatchExpression *e)
{
	BatchExpression *column;
	BatchExpression *numbers;
	FewResults *few;

	/* Whether it is NULL is told as soon as its number. */
	if (IsA(e->expr, NullTest) || contain_subplans((Node *) e->expr))
		return;
	column = only_column(e->program, e->expr);
	numbers = column == NULL ? NULL : numbers_of(e->program, column);
	if (numbers == NULL)
		return;
	few = palloc0(sizeof(FewResults));
	few->numbers = numbers;
	few->evaluate = e->evaluate;
	few->details = e->details;
	get_typlenbyval(exprType((Node *) e->expr), &few->length, &few->is_by_value);
	e->evaluate = evaluate_few;
	e->details = few;
}

/* Forget results: parameters in an expression may have changed. */
void
salkpi_batch_forget_few(BatchExpression *e)
{
	if (e->evaluate == evaluate_numbers && !((FewValues *) e->details)->is_many)
		MemoryContextReset(((FewValues *) e->details)->context);
	if (e->evaluate == evaluate_few)
	{
		((FewResults *) e->details)->results = NULL;
		((FewResults *) e->details)->size = 0;
	}
}
