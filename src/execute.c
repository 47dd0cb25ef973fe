/*
 * execute.c
 *	  Running queries whose parameters are large values; kpi_execute.
 *
 * EXECUTE ... USING in PL/pgSQL plans for the values at hand: each mention of
 * a parameter becomes a constant, with a copy of the value, again and again as
 * the plan is transformed.  A dictionary of a million opportunities that a
 * query mentions fifty times costs more than reading its table.  A generic
 * plan mentions the parameter itself; running it copies nothing.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "batch.h"
#include "execute.h"
#include "salkpi.h"

/* Take the parameters from a composite value, into which they point. */
void
salkpi_parameters_read(Parameters *parameters, Datum composite)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(composite);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};
	TupleDesc	tupdesc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header),
													  HeapTupleHeaderGetTypMod(header));

	parameters->count = tupdesc->natts;
	parameters->types = palloc(tupdesc->natts * sizeof(Oid));
	parameters->values = palloc(tupdesc->natts * sizeof(Datum));
	parameters->nulls = palloc(tupdesc->natts * sizeof(bool));
	heap_deform_tuple(&tuple, tupdesc, parameters->values, parameters->nulls);
	for (int i = 0; i < tupdesc->natts; i++)
		parameters->types[i] = TupleDescAttr(tupdesc, i)->atttypid;
}

static void
report_no_select(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("query must be a SELECT")));
}

/* Parse, analyze and rewrite a SELECT. */
Query *
salkpi_analyze_query(const char *query, const Parameters *parameters)
{
	List	   *statements = pg_parse_query(query);
	List	   *queries;

	if (list_length(statements) != 1)
		report_no_select();
	queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, statements), query,
												 parameters->types, parameters->count, NULL);
	if (list_length(queries) != 1 || linitial_node(Query, queries)->commandType != CMD_SELECT ||
		linitial_node(Query, queries)->hasModifyingCTE)
		report_no_select();
	return linitial_node(Query, queries);
}

/* The plan of a SELECT for any values of its parameters. */
static PlannedStmt *
plan_query(const char *query, const Parameters *parameters, int cursor_options)
{
	PlannedStmt *plan = pg_plan_query(salkpi_analyze_query(query, parameters), query,
									  cursor_options, NULL);

	salkpi_batch_plan(plan);
	return plan;
}

/* Run a SELECT, planned with these options.  It sees what the calling statement sees. */
void
salkpi_execute_query(const char *query, const Parameters *parameters, int cursor_options, DestReceiver *receiver)
{
	ParamListInfo params = makeParamList(parameters->count);
	QueryDesc  *execution;

	for (int i = 0; i < parameters->count; i++)
		params->params[i] = (ParamExternData) {
			parameters->values[i], parameters->nulls[i], 0, parameters->types[i]
		};
	execution = CreateQueryDesc(plan_query(query, parameters, cursor_options), query, GetActiveSnapshot(),
								InvalidSnapshot, receiver, params, NULL, 0);
	ExecutorStart(execution, 0);
	salkpi_executor_run(execution);
	ExecutorFinish(execution);
	ExecutorEnd(execution);
	FreeQueryDesc(execution);
}

/* kpi_execute(query, parameters) */
PG_FUNCTION_INFO_V1(salkpi_execute);
Datum
salkpi_execute(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DestReceiver *receiver;
	Parameters	parameters;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	salkpi_parameters_read(&parameters, PG_GETARG_DATUM(1));
	/* The rows go where a set of rows goes, which is a file when they are many. */
	receiver = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(receiver, result->setResult, CurrentMemoryContext, false,
									result->setDesc, "columns of the query do not match those of its result");
	salkpi_execute_query(text_to_cstring(PG_GETARG_TEXT_PP(0)), &parameters, CURSOR_OPT_PARALLEL_OK, receiver);
	receiver->rDestroy(receiver);
	return (Datum) 0;
}
