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
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "salkpi.h"

/* The rows go where a set of rows goes, which is a file when they are many. */
static void
execute_into(SPIPlanPtr plan, ParamListInfo params, ReturnSetInfo *result)
{
	SPIExecuteOptions options = {0};

	options.params = params;
	options.read_only = true;
	options.dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(options.dest, result->setResult, CurrentMemoryContext, false,
									result->setDesc, "columns of the query do not match those of its result");
	if (SPI_execute_plan_extended(plan, &options) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query must be a SELECT")));
	options.dest->rDestroy(options.dest);
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
	ParamListInfo params = makeParamList(nparams);
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
		params->params[i] = (ParamExternData) {PG_GETARG_DATUM(i + 1), PG_ARGISNULL(i + 1), 0, types[i + 1]};
	SPI_connect();
	plan = SPI_prepare_cursor(text_to_cstring(PG_GETARG_TEXT_PP(0)), nparams, types + 1,
							  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
	execute_into(plan, params, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
