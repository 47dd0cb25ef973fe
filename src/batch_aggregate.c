/*
 * batch_aggregate.c
 *	  Aggregates over a batch of rows.
 *
 * Of each aggregate the condition and the arguments are worked out for the batch
 * (batch_expression.c), and its transition function is called for the rows that
 * meet it: what is the same in all of them stays where it is.  Cubes and
 * dictionaries take all rows in one call.
 *
 * Transition functions see an aggregate as they do elsewhere: its memory
 * context is that of AggCheckCallContext().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_agg.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "batch.h"
#include "cube.h"
#include "dictionary.h"
#include "salkpi.h"

/*
 * A transition function for all rows of a batch: the state and what is constant
 * are in fcinfo, as for a single row.
 */
typedef Datum (*BatchTransition) (FunctionCallInfo fcinfo, const BatchArgument *args,
								  const BatchRows *rows);

/* An aggregate. */
struct BatchAggregate
{
	AggState   *context;		/* what functions see */
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
};

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
prepare_transition(BatchAggregate *a, Aggref *aggref, Oid function, Oid owner, Oid *types)
{
	Expr	   *expr;

	salkpi_batch_may_execute(function, owner);
	fmgr_info(function, &a->transition);
	build_aggregate_transfn_expr(types, a->nargs, 0, aggref->aggvariadic, aggref->aggtranstype,
								 aggref->inputcollid, function, InvalidOid, &expr, NULL);
	fmgr_info_set_expr((Node *) expr, &a->transition);
	a->fcinfo = palloc0(SizeForFunctionCallInfo(a->nargs + 1));
	InitFunctionCallInfoData(*a->fcinfo, &a->transition, a->nargs + 1, aggref->inputcollid,
							 (Node *) a->context, NULL);
}

static void
prepare_final(BatchAggregate *a, Aggref *aggref, Form_pg_aggregate form, Oid owner, Oid *types)
{
	int			nargs = form->aggfinalextra ? a->nargs + 1 : 1;
	Expr	   *expr;

	a->final_function = form->aggfinalfn;
	if (!OidIsValid(a->final_function))
		return;
	salkpi_batch_may_execute(a->final_function, owner);
	fmgr_info(a->final_function, &a->final);
	build_aggregate_finalfn_expr(types, nargs, aggref->aggtranstype, aggref->aggtype,
								 aggref->inputcollid, a->final_function, &expr);
	fmgr_info_set_expr((Node *) expr, &a->final);
	a->final_fcinfo = palloc0(SizeForFunctionCallInfo(nargs));
	InitFunctionCallInfoData(*a->final_fcinfo, &a->final, nargs, aggref->inputcollid,
							 (Node *) a->context, NULL);
	for (int i = 1; i < nargs; i++)
		a->final_fcinfo->args[i].isnull = true;
}

static void
compile_arguments(BatchProgram *program, BatchAggregate *a, Aggref *aggref)
{
	a->args = palloc(a->nargs * sizeof(BatchExpression *) + 1);
	a->varying = palloc(a->nargs * sizeof(int) + 1);
	for (int i = 0; i < a->nargs; i++)
	{
		a->args[i] = salkpi_batch_compile(program, list_nth_node(TargetEntry, aggref->args, i)->expr);
		if (!a->args[i]->is_constant)
			a->varying[a->nvarying++] = i;
	}
	if (aggref->aggfilter != NULL)
		a->filter = salkpi_batch_compile(program, aggref->aggfilter);
}

/*
 * Cubes take all rows at once, if all have the same bounds and shape, and
 * dictionaries do.
 */
static void
prepare_batch(BatchAggregate *a)
{
	static const struct
	{
		PGFunction	function;
		BatchTransition take_rows;
		int			nconstants; /* first arguments that must be constant */
	}			transitions[] = {
		{salkpi_cube_add_instant, salkpi_cube_add_instants, 2},
		{salkpi_cube_add_day, salkpi_cube_add_days, 2},
		{salkpi_cube_add_stock, salkpi_cube_add_stocks, 2},
		{salkpi_dictionary_add, salkpi_dictionary_add_rows, 0}
	};

	for (int i = 0; i < lengthof(transitions); i++)
		if (transitions[i].function == a->transition.fn_addr)
		{
			a->take_rows = transitions[i].take_rows;
			for (int n = 0; n < transitions[i].nconstants; n++)
				if (!a->args[n]->is_constant)
					a->take_rows = NULL;
		}
	if (a->take_rows == NULL)
		return;
	a->columns = palloc((a->nargs + 1) * sizeof(BatchArgument));
	for (int i = 0; i < a->nargs; i++)
		a->columns[i + 1] = (BatchArgument) {a->args[i]->values, a->args[i]->nulls};
}

static Oid
owner_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
prepare_aggregate(BatchProgram *program, BatchAggregate *a, Aggref *aggref)
{
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggref->aggfnoid));
	Form_pg_aggregate form;
	Oid			owner = owner_of(aggref->aggfnoid);
	Oid			types[FUNC_MAX_ARGS];

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for aggregate %u", aggref->aggfnoid);
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	salkpi_batch_may_execute(aggref->aggfnoid, GetUserId());
	a->nargs = get_aggregate_argtypes(aggref, types);
	get_typlenbyval(aggref->aggtranstype, &a->length, &a->is_by_value);
	read_initial(a, aggref, tuple);
	prepare_transition(a, aggref, form->aggtransfn, owner, types);
	prepare_final(a, aggref, form, owner, types);
	compile_arguments(program, a, aggref);
	prepare_batch(a);
	ReleaseSysCache(tuple);
}

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
		taken->count += batch_is_true(a->filter, row);
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

/* Work out arguments, and put constant ones in place; false when a strict function has a NULL. */
static bool
evaluate_arguments(BatchAggregate *a, const BatchRows *rows)
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
advance(BatchAggregate *a, const BatchRows *all)
{
	MemoryContext context = a->context->curaggcontext->ecxt_per_tuple_memory;
	BatchRows	taken;
	const BatchRows *rows = filtered(a, all, &taken);
	Datum		value;

	if (rows->count == 0 || !evaluate_arguments(a, rows))
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

/* Before any row. */
void
salkpi_batch_start(BatchAggregates *all)
{
	MemoryContext context = all->context->curaggcontext->ecxt_per_tuple_memory;

	for (int i = 0; i < all->count; i++)
	{
		BatchAggregate *a = &all->aggregates[i];

		a->state = (Datum) 0;
		a->is_null = true;
		a->is_begun = a->has_initial || !a->transition.fn_strict;
		if (a->has_initial)
			set_state(a, context, a->initial, false);
	}
}

/* Advance all aggregates by the rows of a batch. */
void
salkpi_batch_advance(BatchAggregates *all, const BatchRows *rows)
{
	for (int i = 0; i < all->count; i++)
		advance(&all->aggregates[i], rows);
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

/* After all rows; results may live in the current memory context. */
void
salkpi_batch_results(BatchAggregates *all, Datum *values, bool *nulls)
{
	for (int i = 0; i < all->count; i++)
		values[i] = result_of(&all->aggregates[i], &nulls[i]);
}

/* The aggregates of a target list, for the rows of a program. */
void
salkpi_batch_prepare(BatchAggregates *all, BatchProgram *program, List *targetlist)
{
	ListCell   *cell;

	all->context = makeNode(AggState);
	all->context->curaggcontext = CreateExprContext(program->parent->state);
	all->count = list_length(targetlist);
	all->aggregates = palloc0(all->count * sizeof(BatchAggregate));
	foreach(cell, targetlist)
	{
		BatchAggregate *a = &all->aggregates[foreach_current_index(cell)];

		a->context = all->context;
		prepare_aggregate(program, a, castNode(Aggref, lfirst_node(TargetEntry, cell)->expr));
	}
}
