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
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

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

/*
 * Run a SELECT, within an SPI connection.  It sees what the calling statement
 * sees.
 */
void
salkpi_execute_query(const char *query, const Parameters *parameters, DestReceiver *receiver)
{
	SPIExecuteOptions options = {.read_only = true,.dest = receiver};
	SPIPlanPtr	plan = SPI_prepare_cursor(query, parameters->count, parameters->types,
										  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);

	if (plan == NULL)
		elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
	options.params = makeParamList(parameters->count);
	for (int i = 0; i < parameters->count; i++)
		options.params->params[i] = (ParamExternData) {
			parameters->values[i], parameters->nulls[i], 0, parameters->types[i]
		};
	if (SPI_execute_plan_extended(plan, &options) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query must be a SELECT")));
	SPI_freeplan(plan);
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
	SPI_connect();
	salkpi_execute_query(text_to_cstring(PG_GETARG_TEXT_PP(0)), &parameters, receiver);
	SPI_finish();
	receiver->rDestroy(receiver);
	return (Datum) 0;
}
