/*
 * new_facts.c
 *	  kpi_new_facts: the facts that are to be written, as rows of kpi_fact.
 *
 * kpi_changed_facts says in a few rows what has changed, and leaves the facts
 * themselves here for the same statement to write: as rows of its own they would
 * be copied several times on their way through common table expressions.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "facts.h"
#include "salkpi.h"

struct NewFacts
{
	int64		number;			/* by which they are asked for */
	EState	   *statement;		/* that they were left by, and are written by */
	TupleDesc	columns;		/* of kpi_fact */
	Tuplestorestate *rows;
	struct NewFacts *next;		/* left by other calls of running statements */
};

static NewFacts *all = NULL;

/* They are no longer to be had; were they? */
static bool
take_out(const NewFacts *facts)
{
	NewFacts  **place = &all;

	while (*place != NULL && *place != facts)
		place = &(*place)->next;
	if (*place == NULL)
		return false;
	*place = (*place)->next;
	return true;
}

/* Their statement ends, and nobody asked for them. */
static void
end_unasked(Datum facts)
{
	if (take_out((NewFacts *) DatumGetPointer(facts)))
		tuplestore_end(((NewFacts *) DatumGetPointer(facts))->rows);
}

/* It has failed: what else they had is gone already. */
static void
forget(void *facts)
{
	(void) take_out(facts);
}

/* Where facts can be put that are there until the calling statement ends. */
NewFacts *
salkpi_new_facts_begin(ReturnSetInfo *result, Oid schema)
{
	static int64 last_number = 0;
	MemoryContext context = AllocSetContextCreate(result->econtext->ecxt_per_query_memory, "kpi_new_facts", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	NewFacts   *facts = palloc0(sizeof(NewFacts));
	Relation	table = table_open(get_relname_relid("kpi_fact", schema), AccessShareLock);

	facts->number = ++last_number;
	facts->statement = result->econtext->ecxt_estate;
	facts->columns = CreateTupleDescCopy(RelationGetDescr(table));
	table_close(table, NoLock);
	facts->rows = tuplestore_begin_heap(true, false, work_mem);
	facts->next = all;
	all = facts;
	callback->func = forget;
	callback->arg = facts;
	MemoryContextRegisterResetCallback(context, callback);
	RegisterExprContextCallback(result->econtext, end_unasked, PointerGetDatum(facts));
	MemoryContextSwitchTo(caller);
	return facts;
}

TupleDesc
salkpi_new_facts_columns(const NewFacts *facts)
{
	return facts->columns;
}

int64
salkpi_new_facts_number(const NewFacts *facts)
{
	return facts->number;
}

void
salkpi_new_facts_put(NewFacts *facts, Datum *values, bool *nulls)
{
	tuplestore_putvalues(facts->rows, facts->columns, values, nulls);
}

/* kpi_new_facts(number): gives them away, once */
PG_FUNCTION_INFO_V1(salkpi_new_facts);
Datum
salkpi_new_facts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	NewFacts   *facts = all;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	while (facts != NULL && (facts->number != PG_GETARG_INT64(0) || facts->statement != result->econtext->ecxt_estate))
		facts = facts->next;
	if (facts == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are no new facts of number " INT64_FORMAT, PG_GETARG_INT64(0)),
				 errdetail("They are there in the statement that compares facts, once.")));
	(void) take_out(facts);
	result->returnMode = SFRM_Materialize;
	result->setResult = facts->rows;
	result->setDesc = facts->columns;
	return (Datum) 0;
}
