/*
 * kept.c
 *	  Queries over bound sources whose plans the session keeps; kpi_source_rows.
 *
 * A panel asks bound relations for little, the name of a rep or the targets of
 * a year, and to find out how these are read and to plan it took more time than
 * reading them.  So the plan is kept, together with what the text of the query
 * was made from: it is used again only as long as the source is bound to the
 * same relation, the time zone is the same, no function has changed, and nothing
 * that the plan depends on, such as the columns of that relation, of which
 * PostgreSQL tells.  Otherwise the text is made anew.
 *
 * A query runs with the rights of the caller, and of row-level security too
 * PostgreSQL sees to it that a plan is of the role that runs it.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/regproc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "batch.h"
#include "execute.h"
#include "salkpi.h"

/* So many are kept: a few for each source, as there are few makers. */
#define MOST_KEPT		64

typedef struct KeptQuery
{
	char	   *source;
	Oid			maker;			/* the function that makes the text */
	uint64		functions;		/* functions_changed when it did */
	Oid			relation;		/* to which the source was bound then */
	char	   *time_zone;		/* the setting, as it was then */
	SPIPlanPtr	plan;
	int			uses;			/* executions under way: a bound view may read KPIs itself */
	List	   *former;			/* plans that some of these began with */
} KeptQuery;

/* Those of this session, the oldest first. */
static List *kept_queries = NIL;

/* How often functions have changed, of which a maker may call any. */
static uint64 functions_changed = 0;

static void
note_function_change(Datum argument, int cache, uint32 hash)
{
	functions_changed++;
}

/* Anybody can name a function here, so that it must be one that takes and gives a text, and may be called. */
static void
check_maker(Oid maker)
{
	Oid		   *arguments;
	int			narguments;

	if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(maker)) ||
		get_func_prokind(maker) != PROKIND_FUNCTION ||
		get_func_signature(maker, &arguments, &narguments) != TEXTOID ||
		narguments != 1 || arguments[0] != TEXTOID || get_func_retset(maker))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s does not make a query of the name of a source",
						format_procedure(maker))));
	salkpi_batch_may_execute(maker, GetUserId());
}

/* The query of a source and maker, or NULL. */
static KeptQuery *
find_query(const char *source, Oid maker)
{
	ListCell   *lc;

	foreach(lc, kept_queries)
	{
		KeptQuery  *query = lfirst(lc);

		if (query->maker == maker && strcmp(query->source, source) == 0)
			return query;
	}
	return NULL;
}

/* Give up plans that nobody executes any more. */
static void
drop_former(KeptQuery *query)
{
	ListCell   *lc;

	if (query->uses > 0)
		return;
	foreach(lc, query->former)
		SPI_freeplan(lfirst(lc));
	list_free(query->former);
	query->former = NIL;
}

/* Give up the oldest one that is not being executed. */
static void
drop_oldest(void)
{
	ListCell   *lc;

	foreach(lc, kept_queries)
	{
		KeptQuery  *query = lfirst(lc);

		if (query->uses > 0)
			continue;
		kept_queries = foreach_delete_current(kept_queries, lc);
		drop_former(query);
		SPI_freeplan(query->plan);
		pfree(query->source);
		pfree(query->time_zone);
		pfree(query);
		return;
	}
}

/* A new one, whose plan is to be set at once. */
static KeptQuery *
add_query(const char *source, Oid maker)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);
	KeptQuery  *query = palloc0(sizeof(KeptQuery));

	if (list_length(kept_queries) >= MOST_KEPT)
		drop_oldest();
	query->source = pstrdup(source);
	query->maker = maker;
	kept_queries = lappend(kept_queries, query);
	MemoryContextSwitchTo(old);
	return query;
}

static bool
have_types(SPIPlanPtr plan, const Parameters *parameters)
{
	if (SPI_getargcount(plan) != parameters->count)
		return false;
	for (int i = 0; i < parameters->count; i++)
	{
		if (SPI_getargtypeid(plan, i) != parameters->types[i])
			return false;
	}
	return true;
}

/* Is the plan still that of what the maker would say? */
static bool
is_current(const KeptQuery *query, Oid relation, const char *time_zone,
		   const Parameters *parameters)
{
	return query->relation == relation && query->functions == functions_changed &&
		strcmp(query->time_zone, time_zone) == 0 &&
		SPI_plan_is_valid(query->plan) && have_types(query->plan, parameters);
}

/* Whatever a maker says is prepared; run is one SELECT. */
static void
check_plan(SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);

	if (list_length(sources) != 1 ||
		((CachedPlanSource *) linitial(sources))->commandTag != CMDTAG_SELECT)
		salkpi_report_no_select();
}

static char *
ask_maker(Oid maker, Datum source)
{
	LOCAL_FCINFO(call, 1);
	FmgrInfo	function;
	Datum		query;

	fmgr_info(maker, &function);
	InitFunctionCallInfoData(*call, &function, 1, InvalidOid, NULL, NULL);
	call->args[0] = (NullableDatum) {source, false};
	query = FunctionCallInvoke(call);
	if (call->isnull)
		salkpi_report_no_select();
	return TextDatumGetCString(query);
}

/* What a maker says, planned. */
static SPIPlanPtr
make_plan(Oid maker, Datum source, const Parameters *parameters)
{
	char	   *query_text = ask_maker(maker, source);
	SPIPlanPtr	plan = SPI_prepare_cursor(query_text, parameters->count, parameters->types,
										  CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);

	if (plan == NULL)
		elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
	check_plan(plan);
	SPI_keepplan(plan);
	return plan;
}

/* Give a query a plan; the one it had is given up, once it is not being executed. */
static void
set_plan(KeptQuery *query, SPIPlanPtr plan)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	drop_former(query);
	if (query->uses > 0)
		query->former = lappend(query->former, query->plan);
	else if (query->plan != NULL)
		SPI_freeplan(query->plan);
	query->plan = plan;
	MemoryContextSwitchTo(old);
}

/* The query of a source and maker, made anew unless there is one that is still right. */
static KeptQuery *
fresh_query(Datum source, Oid maker, Oid relation, const char *time_zone,
			  const Parameters *parameters)
{
	static bool is_registered = false;
	const char *name = TextDatumGetCString(source);
	KeptQuery  *query = find_query(name, maker);
	uint64		functions;
	SPIPlanPtr	plan;

	if (!is_registered)
		CacheRegisterSyscacheCallback(PROCOID, note_function_change, (Datum) 0);
	is_registered = true;
	if (query != NULL && is_current(query, relation, time_zone, parameters))
		return query;
	functions = functions_changed;
	plan = make_plan(maker, source, parameters);
	time_zone = MemoryContextStrdup(CacheMemoryContext, time_zone);	/* before an entry is touched, lest it be left half made */
	query = find_query(name, maker);	/* again: the maker may have asked for others */
	if (query == NULL)
		query = add_query(name, maker);
	if (query->time_zone != NULL)
		pfree(query->time_zone);
	query->time_zone = (char *) time_zone;
	query->relation = relation;
	query->functions = functions;
	set_plan(query, plan);
	return query;
}

/* Lock the tables of a plan, and push what its query is to see. */
static void
push_snapshot(SPIPlanPtr plan)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);

	salkpi_push_snapshot(linitial_node(PlannedStmt, cached->stmt_list)->relationOids);
	ReleaseCachedPlan(cached, CurrentResourceOwner);
}

static void
run_plan(SPIPlanPtr plan, const Parameters *parameters, ReturnSetInfo *result)
{
	ParamListInfo params = makeParamList(parameters->count);
	DestReceiver *receiver = CreateDestReceiver(DestTuplestore);
	SPIExecuteOptions options = {.params = params,.read_only = true,.dest = receiver};

	for (int i = 0; i < parameters->count; i++)
		params->params[i] = (ParamExternData) {
			parameters->values[i], parameters->nulls[i], PARAM_FLAG_CONST, parameters->types[i]
		};
	SetTuplestoreDestReceiverParams(receiver, result->setResult, CurrentMemoryContext, false,
									result->setDesc, "columns of the query do not match those of its result");
	push_snapshot(plan);
	if (SPI_execute_plan_extended(plan, &options) != SPI_OK_SELECT)
		elog(ERROR, "a query over a bound source must be a SELECT");
	PopActiveSnapshot();
	receiver->rDestroy(receiver);
}

static void
run_query(KeptQuery *query, const Parameters *parameters, ReturnSetInfo *result)
{
	query->uses++;
	PG_TRY();
	{
		run_plan(query->plan, parameters, result);
	}
	PG_FINALLY();
	{
		query->uses--;
	}
	PG_END_TRY();
	drop_former(query);
}

/* kpi_source_rows(source, relation, time_zone, maker, parameters) */
PG_FUNCTION_INFO_V1(salkpi_source_rows);
Datum
salkpi_source_rows(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(1);
	char	   *time_zone = text_to_cstring(PG_GETARG_TEXT_PP(2));
	KeptQuery  *query;
	Parameters	parameters;

	check_maker(PG_GETARG_OID(3));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	salkpi_parameters_read(&parameters, PG_GETARG_DATUM(4));
	SPI_connect();
	AcceptInvalidationMessages();
	query = fresh_query(PG_GETARG_DATUM(0), PG_GETARG_OID(3), relation, time_zone, &parameters);
	run_query(query, &parameters, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
