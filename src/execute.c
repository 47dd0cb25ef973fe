/*
 * execute.c
 *	  Running queries over the sources; kpi_execute.
 *
 * EXECUTE ... USING in PL/pgSQL would see too little.  A reader is STABLE: what
 * it executes sees what the calling statement sees, whose snapshot was taken
 * before the tables of the query were locked.  Where that meant waiting for
 * someone who emptied a table and filled it again, the snapshot finds nothing
 * in its new file.  A plain SELECT locks first, and so finds the new rows.  Here
 * it is noticed, and the query then sees what a statement would that began after
 * the waiting.  Within a transaction that has one snapshot for all statements
 * that is no more, and an error.
 *
 * Besides, EXECUTE plans for the values at hand: each mention of a parameter
 * becomes a constant, with a copy of the value, again and again as the plan is
 * transformed.  A dictionary of a million opportunities that a query mentions
 * fifty times costs more than reading its table.  A generic plan mentions the
 * parameter itself; running it copies nothing.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
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

void
salkpi_report_no_select(void)
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
		salkpi_report_no_select();
	queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, statements), query,
												 parameters->types, parameters->count, NULL);
	if (list_length(queries) != 1 || linitial_node(Query, queries)->commandType != CMD_SELECT ||
		linitial_node(Query, queries)->hasModifyingCTE)
		salkpi_report_no_select();
	return linitial_node(Query, queries);
}

/* ---------- What a query sees ---------- */

/*
 * Is the file of a relation, which is locked, the one that a snapshot knows of?
 * VACUUM FULL and the like give it another one too, with all that the snapshot
 * sees in it, which is not told apart.
 */
static bool
is_file_seen(Oid relation, Relation pg_class, Snapshot snapshot)
{
	HeapTuple	current = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Form_pg_class now = HeapTupleIsValid(current) ? (Form_pg_class) GETSTRUCT(current) : NULL;
	bool		is_seen = true;

	if (now != NULL && RELKIND_HAS_STORAGE(now->relkind))
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	then;

		ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
		scan = systable_beginscan(pg_class, ClassOidIndexId, true, snapshot, 1, &key);
		then = systable_getnext(scan);
		is_seen = HeapTupleIsValid(then) && ((Form_pg_class) GETSTRUCT(then))->relfilenode == now->relfilenode;
		systable_endscan(scan);
	}
	if (now != NULL)
		ReleaseSysCache(current);
	return is_seen;
}

/* The first of some locked relations whose file a snapshot does not know of, if any. */
static Oid
find_unseen(const List *relations, Snapshot snapshot)
{
	Relation	pg_class = table_open(RelationRelationId, AccessShareLock);
	Oid			unseen = InvalidOid;
	ListCell   *cell;

	foreach(cell, relations)
	{
		if (is_file_seen(lfirst_oid(cell), pg_class, snapshot))
			continue;
		unseen = lfirst_oid(cell);
		break;
	}
	table_close(pg_class, AccessShareLock);
	return unseen;
}

/*
 * Push the snapshot that a query over some locked relations is to see: the
 * active one, or where it would miss what is in one of them that of a statement
 * that began now, which in parallel mode cannot be taken.
 */
void
salkpi_push_snapshot(const List *relations)
{
	Oid			unseen = find_unseen(relations, GetActiveSnapshot());

	if (OidIsValid(unseen) && !IsInParallelMode())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		unseen = find_unseen(relations, GetActiveSnapshot());
	}
	else
		PushActiveSnapshot(GetActiveSnapshot());
	if (OidIsValid(unseen))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access to table \"%s\"", get_rel_name(unseen)),
				 errdetail("It was emptied or written anew by another transaction, and its rows cannot be seen in this one."),
				 errhint("The transaction might succeed if retried.")));
}

/* Lock a relation, and the tables under it, as a query over it does; returns them all. */
List *
salkpi_lock_relations(const char *relation)
{
	const Parameters none = {0};
	Query	   *query = salkpi_analyze_query(psprintf("SELECT FROM %s", relation), &none);
	List	   *found;
	List	   *items;
	bool		has_row_security;
	List	   *relations = NIL;
	ListCell   *cell;

	extract_query_dependencies((Node *) query, &found, &items, &has_row_security);
	foreach(cell, found)
		relations = list_concat(relations, find_all_inheritors(lfirst_oid(cell), AccessShareLock, NULL));
	return relations;
}

/* ---------- Running it ---------- */

/* The plan of a SELECT, for these values of its parameters; NULL: for any. */
static PlannedStmt *
plan_query(const char *query, const Parameters *parameters, int cursor_options, ParamListInfo values)
{
	Query	   *analyzed = salkpi_analyze_query(query, parameters);
	bool		is_batch = salkpi_batch_may_plan(analyzed);
	PlannedStmt *plan = pg_plan_query(analyzed, query, cursor_options, values);

	if (is_batch)
		salkpi_batch_plan(plan);
	return plan;
}

/*
 * Run a SELECT, planned with these options: with CURSOR_OPT_CUSTOM_PLAN for the
 * values at hand.  It sees what the calling statement sees, or more, see above.
 */
void
salkpi_execute_query(const char *query, const Parameters *parameters, int cursor_options, DestReceiver *receiver)
{
	bool		is_custom = (cursor_options & CURSOR_OPT_CUSTOM_PLAN) != 0;
	ParamListInfo params = makeParamList(parameters->count);
	PlannedStmt *plan;
	QueryDesc  *execution;

	for (int i = 0; i < parameters->count; i++)
		params->params[i] = (ParamExternData) {
			parameters->values[i], parameters->nulls[i], is_custom ? PARAM_FLAG_CONST : 0, parameters->types[i]
		};
	plan = plan_query(query, parameters, cursor_options, is_custom ? params : NULL);
	salkpi_push_snapshot(plan->relationOids);
	execution = CreateQueryDesc(plan, query, GetActiveSnapshot(), InvalidSnapshot, receiver, params, NULL, 0);
	ExecutorStart(execution, 0);
	salkpi_executor_run(execution);
	ExecutorFinish(execution);
	ExecutorEnd(execution);
	FreeQueryDesc(execution);
	PopActiveSnapshot();
}

/* The query that an error came up in, as EXECUTE would say it: it names the relation that cannot be read. */
static void
tell_query(void *query)
{
	errcontext("SQL statement \"%s\"", (const char *) query);
}

/* kpi_execute(query, parameters, generic) */
PG_FUNCTION_INFO_V1(salkpi_execute);
Datum
salkpi_execute(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ErrorContextCallback context = {error_context_stack, tell_query, query};
	DestReceiver *receiver;
	Parameters	parameters;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	salkpi_parameters_read(&parameters, PG_GETARG_DATUM(1));
	/* The rows go where a set of rows goes, which is a file when they are many. */
	receiver = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(receiver, result->setResult, CurrentMemoryContext, false,
									result->setDesc, "columns of the query do not match those of its result");
	error_context_stack = &context;
	salkpi_execute_query(query, &parameters,
						 CURSOR_OPT_PARALLEL_OK | (PG_GETARG_BOOL(2) ? CURSOR_OPT_GENERIC_PLAN : CURSOR_OPT_CUSTOM_PLAN), receiver);
	error_context_stack = context.previous;
	receiver->rDestroy(receiver);
	return (Datum) 0;
}
