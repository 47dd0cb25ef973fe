/*
 * execute.c
 *	  kpi_execute: runs a query whose parameters are large values.
 *
 * EXECUTE ... USING in PL/pgSQL plans for the values at hand: each mention of
 * a parameter becomes a constant, with a copy of the value, again and again as
 * the plan is transformed.  A dictionary of a million opportunities that a
 * query mentions fifty times costs more than reading its table.  A generic
 * plan mentions the parameter itself; running it copies nothing.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "salkpi.h"

/* Do the rows of the query have the types that the caller has named? */
static void
check_columns(TupleDesc found, TupleDesc expected)
{
	bool		is_right = found->natts == expected->natts;

	for (int i = 0; i < expected->natts && is_right; i++)
		is_right = TupleDescAttr(found, i)->atttypid == TupleDescAttr(expected, i)->atttypid;
	if (!is_right)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns of the query do not match those of its result")));
}

static void
return_rows(SPITupleTable *table, uint64 count, ReturnSetInfo *result)
{
	check_columns(table->tupdesc, result->setDesc);
	for (uint64 i = 0; i < count; i++)
		tuplestore_puttuple(result->setResult, table->vals[i]);
}

/*
 * kpi_execute(query, parameters...): the argument behind the query is $1, and
 * so on, by their declared types.  It sees what the calling statement sees.
 */
PG_FUNCTION_INFO_V1(salkpi_execute);
Datum
salkpi_execute(PG_FUNCTION_ARGS)
{
	int			nparams = PG_NARGS() - 1;
	Datum	   *values = palloc((nparams + 1) * sizeof(Datum));
	char	   *nulls = palloc(nparams + 1);
	Oid		   *types;
	int			nargs;
	SPIPlanPtr	plan;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be NULL")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	get_func_signature(fcinfo->flinfo->fn_oid, &types, &nargs);
	Assert(nargs == nparams + 1);
	for (int i = 0; i < nparams; i++)
	{
		values[i] = PG_ARGISNULL(i + 1) ? (Datum) 0 : PG_GETARG_DATUM(i + 1);
		nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
	}
	SPI_connect();
	plan = SPI_prepare_cursor(text_to_cstring(PG_GETARG_TEXT_PP(0)), nparams, types + 1,
							  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
	if (SPI_execute_plan(plan, values, nulls, true, 0) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query must be a SELECT")));
	return_rows(SPI_tuptable, SPI_processed, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
