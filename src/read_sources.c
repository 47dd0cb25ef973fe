/*
 * read_sources.c
 *	  kpi_read_sources: runs the queries that read the sources.
 *
 * Which they are is worked out in SQL (kpi_reading_plan, kpi_source_query).
 * They run here since each leaves dictionaries to those after it, and gives
 * panels: of a million opportunities a dictionary has a hundred megabytes,
 * which PL/pgSQL would copy half a dozen times on the way from one query to the
 * next.  Here what a query gives is taken from the executor.
 *
 * All queries see one moment: what the calling statement sees, or more (see
 * execute.c), for which all tables are locked first.  Those that leave nothing
 * to others may be run side by side, see read_parallel.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "read_sources.h"
#include "salkpi.h"
#include "states.h"

/* Columns of a query over a source: those of kpi_reading, then dictionaries. */
#define READING_COLUMNS		8
#define READING_RATES		6	/* a dictionary */
#define MOST_DICTIONARIES	2

/* Most groups of customers that a source is read in. */
#define MOST_BUCKETS	65536

/* Of kpi_parameters, the periods outside of which rows may be left out, if any. */
#define PARAMETER_ONLY_WITHIN	(20 - 1)

/* Attributes of kpi_reading_step. */
enum
{
	STEP_SOURCE,
	STEP_READS,
	STEP_RELATION,
	STEP_PARTS,
	STEP_COLUMNS,
	STEP_QUERY,
	STEP_KEEPS,
	STEP_ATTRIBUTES
};

/* Where the rows of a query go. */
typedef struct Rows
{
	DestReceiver receiver;
	Reading    *reading;
	int			nreadings;		/* columns that are those of a reading: all or none */
	uint64		count;			/* rows received in this try */
	uint64		returned;		/* rows returned, in this or an earlier one */
	int			ndictionaries;	/* those of the first row, in reading->context */
	NullableDatum dictionaries[MOST_DICTIONARIES];
} Rows;

/* The columns must have the types of a reading and of dictionaries. */
static void
receive_start(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	const Rows *rows = (const Rows *) self;
	TupleDesc	expected = rows->reading->columns;
	bool		is_right = tupdesc->natts >= rows->nreadings &&
		tupdesc->natts <= rows->nreadings + MOST_DICTIONARIES;

	for (int i = 0; i < tupdesc->natts && is_right; i++)
		is_right = TupleDescAttr(tupdesc, i)->atttypid ==
			TupleDescAttr(expected, i < rows->nreadings ? i : READING_RATES)->atttypid;
	if (!is_right)
		elog(ERROR, "a query over a source has the wrong columns");
}

static Datum
copy_dictionary(Datum datum)
{
	struct varlena *dictionary = PG_DETOAST_DATUM(datum);
	struct varlena *copy = palloc(VARSIZE(dictionary));

	salkpi_prefer_huge_pages(copy, VARSIZE(dictionary));
	memcpy(copy, dictionary, VARSIZE(dictionary));
	return PointerGetDatum(copy);
}

/* Copy the dictionaries of a row to where they stay. */
static void
keep_dictionaries(Rows *rows, const TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->reading->context);

	rows->ndictionaries = slot->tts_tupleDescriptor->natts - rows->nreadings;
	for (int i = 0; i < rows->ndictionaries; i++)
	{
		bool		isnull = slot->tts_isnull[rows->nreadings + i];

		rows->dictionaries[i] = (NullableDatum) {
			isnull ? 0 : copy_dictionary(slot->tts_values[rows->nreadings + i]), isnull
		};
	}
	MemoryContextSwitchTo(caller);
}

static void
keep_reading(Reading *r, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(r->context);
	HeapTuple	tuple = heap_form_tuple(r->columns, slot->tts_values, slot->tts_isnull);

	r->readings = lappend(r->readings, DatumGetPointer(HeapTupleGetDatum(tuple)));
	MemoryContextSwitchTo(caller);
}

/* The readings as an array, as construct_array makes it, without touching its memory twice. */
static ArrayType *
make_array(const Reading *r)
{
	Size		size = ARR_OVERHEAD_NONULLS(1);
	ArrayType  *array;
	char	   *at;
	ListCell   *cell;

	if (r->readings == NIL)
		return construct_empty_array(r->columns->tdtypeid);
	foreach(cell, r->readings)
		size += MAXALIGN(VARSIZE(lfirst(cell)));
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array size exceeds the maximum allowed (%d)", (int) MaxAllocSize)));
	array = palloc(size);
	salkpi_prefer_huge_pages(array, size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = r->columns->tdtypeid;
	ARR_DIMS(array)[0] = list_length(r->readings);
	ARR_LBOUND(array)[0] = 1;
	at = ARR_DATA_PTR(array);
	foreach(cell, r->readings)
	{
		Size		length = VARSIZE(lfirst(cell));

		memcpy(at, lfirst(cell), length);
		memset(at + length, 0, MAXALIGN(length) - length);
		at += MAXALIGN(length);
	}
	return array;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Rows	   *rows = (Rows *) self;

	slot_getallattrs(slot);
	if (rows->count++ == 0)
		keep_dictionaries(rows, slot);
	/* What an earlier try has returned is the same, however customers are grouped. */
	if (rows->nreadings > 0 && rows->count > rows->returned)
	{
		keep_reading(rows->reading, slot);
		rows->returned++;
	}
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}

/* The query over a source, see kpi_source_query. */
const char *
salkpi_source_query(Reading *r, const Step *step, int buckets)
{
	Oid			types[] = {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4OID, TEXTOID, BOOLOID, BOOLOID};
	Datum		values[] = {CStringGetTextDatum(step->source), step->columns, step->parts,
		r->dimensions.value, Int32GetDatum(buckets), CStringGetTextDatum(step->reads),
	BoolGetDatum(!r->parameters.nulls[PARAMETER_ONLY_WITHIN]), BoolGetDatum(r->with_faults)};
	char		nulls[] = "        ";
	const char *query = psprintf("SELECT %s.kpi_generic(%s.kpi_source_query($1, $2, $3, $4, $5, $6, $7, $8))",
								 r->schema, r->schema);

	if (r->dimensions.isnull)
		nulls[3] = 'n';
	if (SPI_execute_with_args(query, lengthof(types), types, values, nulls, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "there is no query over source %s", step->source);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Hand the dictionaries of a query on to the steps behind. */
static void
hand_on(Reading *r, const Step *step, const Rows *rows)
{
	Assert(step->nkeeps <= rows->ndictionaries);
	for (int i = 0; i < step->nkeeps; i++)
	{
		int			parameter = DatumGetInt32(step->keeps[i]) - 1;

		r->parameters.values[parameter] = rows->dictionaries[i].value;
		r->parameters.nulls[parameter] = rows->dictionaries[i].isnull;
	}
}

/* What to do about an error that does not say so itself. */
static const char *
hint_of(const Step *step, const ErrorData *error)
{
	if (error->hint != NULL)
		return error->hint;
	if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
		return "Whoever reads it as a whole needs SELECT on the tables under it and, where row-level security would hide rows, BYPASSRLS or to own them.";
	if (error->sqlerrcode == ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE)
		return "It may be one of its amounts, or what they add up to: look for the largest ones.";
	return psprintf("SELECT * FROM %s may show it too.", step->relation);
}

/* An error tells which source it was. */
static void
report_source(const Step *step, const ErrorData *error)
{
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("cannot read source \"%s\" (%s): %s", step->source, step->relation, error->message),
			 errdetail("%s", error->detail != NULL ? error->detail : "The facts are as they were."),
			 errhint("%s", hint_of(step, error)),
			 error->context != NULL ? errcontext("%s", error->context) : 0));
}

/* A ledger of more than its memory, or a datum, may have shows before there is any row. */
bool
salkpi_is_ledger_too_large(const ErrorData *error)
{
	return error->datatype_name != NULL && strcmp(error->datatype_name, "kpi_ledger") == 0 &&
		(error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED ||
		 error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

/*
 * Run the query of a step, with the customers in so many groups.  Returns false
 * when its ledger is too large.  Other errors are raised with the name of the
 * source, except that of being cancelled.
 */
static bool
try_step(Reading *r, const Step *step, int buckets, Rows *rows)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(r->step_context);
	PG_TRY();
	{
		rows->count = 0;
		/* Of a dictionary a worker would make a part, that is sent and put in once more. */
		salkpi_execute_query(step->query != NULL ? step->query : salkpi_source_query(r, step, buckets),
							 &r->parameters, step->nkeeps > 0 ? 0 : CURSOR_OPT_PARALLEL_OK, &rows->receiver);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(r->step_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(r->step_context);
	CurrentResourceOwner = owner;
	if (error == NULL)
		return true;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	if (!salkpi_is_ledger_too_large(error) || buckets >= MOST_BUCKETS)
		report_source(step, error);
	return false;
}

static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

static void
report_read(const Step *step, TimestampTz began)
{
	ereport(NOTICE,
			(errmsg("%s%s%s (%s): %ld ms", step->source, strcmp(step->reads, "source") == 0 ? "" : ", ",
					strcmp(step->reads, "source") == 0 ? "" : step->reads, step->relation,
					TimestampDifferenceMilliseconds(began, GetCurrentTimestamp()))));
}

/* Tell other sessions what is being read. */
void
salkpi_set_progress(const char *what)
{
	set_locally("application_name", psprintf("kpi_snapshot: reading %s", what));
}

/* Read a source in as few groups of customers as will do. */
static void
read_source(Reading *r, const Step *step, Rows *rows)
{
	const char *hashing = GetConfigOption("enable_hashagg", false, false);
	TimestampTz began = GetCurrentTimestamp();
	int			buckets = 1;

	while (!try_step(r, step, buckets, rows))
	{
		buckets *= 16;
		ereport(NOTICE,
				(errmsg("%s (%s): a ledger of all customers would need more than ledger_memory_mb; they are read in %d groups",
						step->source, step->relation, buckets)));
		set_locally("enable_hashagg", "off");	/* sorted, a group at a time is in memory */
	}
	if (buckets > 1)
		set_locally("enable_hashagg", hashing);
	report_read(step, began);
}

/*
 * In a PG_CATCH without a subtransaction: raise the error with the name of the
 * source, except that of being cancelled, and one that the leader looks for.
 */
static void
rethrow_error(const Reading *r, const Step *step)
{
	ErrorData  *error;

	MemoryContextSwitchTo(r->context);
	error = CopyErrorData();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || salkpi_is_ledger_too_large(error))
		PG_RE_THROW();
	FlushErrorState();
	report_source(step, error);
}

/*
 * The same in a parallel worker, which cannot try again, and has no need to: a
 * ledger that is too large is an error that makes its leader do so.
 */
void
salkpi_read_step(Reading *r, const Step *step)
{
	TimestampTz began = GetCurrentTimestamp();
	Rows		rows = {
		.receiver = {receive_row, receive_start, receive_nothing, receive_nothing, DestTuplestore},
		.reading = r,
		.nreadings = READING_COLUMNS
	};

	PG_TRY();
	{
		salkpi_execute_query(step->query, &r->parameters, 0, &rows.receiver);
	}
	PG_CATCH();
	{
		rethrow_error(r, step);
	}
	PG_END_TRY();
	report_read(step, began);
}

static char *
text_or_null(const Parameters *attributes, int i)
{
	return attributes->nulls[i] ? NULL : TextDatumGetCString(attributes->values[i]);
}

Oid
salkpi_dictionary_type(const Reading *r)
{
	return TupleDescAttr(r->columns, READING_RATES)->atttypid;
}

/* Give the queries the parameters of a source; dictionaries stay. */
void
salkpi_set_parameters(Reading *r, const char *source)
{
	Oid			dictionary = salkpi_dictionary_type(r);

	for (int s = 0; s < r->nsources; s++)
	{
		const Parameters *own = &r->source_parameters[s];
		text	   *name = DatumGetTextPP(r->sources[s]);

		if (strlen(source) != VARSIZE_ANY_EXHDR(name) || memcmp(source, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) != 0)
			continue;
		for (int i = 0; i < own->count; i++)
			if (own->types[i] != dictionary)
			{
				r->parameters.values[i] = own->values[i];
				r->parameters.nulls[i] = own->nulls[i];
			}
	}
}

/* Get the step that a kpi_reading_step says. */
static Step
get_step(Datum composite)
{
	Parameters	attributes;
	Step		step;
	bool	   *nulls;

	salkpi_parameters_read(&attributes, composite);
	step = (Step) {
		.source = text_or_null(&attributes, STEP_SOURCE),
		.reads = text_or_null(&attributes, STEP_READS),
		.relation = text_or_null(&attributes, STEP_RELATION),
		.parts = attributes.values[STEP_PARTS],.columns = attributes.values[STEP_COLUMNS],
		.query = text_or_null(&attributes, STEP_QUERY)
	};
	step.nkeeps = salkpi_int4_array(DatumGetArrayTypeP(attributes.values[STEP_KEEPS]), "parameters", &step.keeps, &nulls);
	return step;
}

static void
take_step(Reading *r, const Step *step)
{
	MemoryContext caller = MemoryContextSwitchTo(r->step_context);
	Rows		rows = {
		/* To SPI it is one of the receivers that take rows. */
		.receiver = {receive_row, receive_start, receive_nothing, receive_nothing, DestTuplestore},
		.reading = r
	};

	salkpi_set_parameters(r, step->source);
	if (step->reads != NULL && strcmp(step->reads, "source") == 0)
		r->nread++;
	salkpi_set_progress(psprintf("%s (%d of %d)", step->source, r->nread + (step->reads == NULL), r->nsources));
	if (step->reads != NULL)
	{
		rows.nreadings = READING_COLUMNS;
		read_source(r, step, &rows);
	}
	else
		(void) try_step(r, step, MOST_BUCKETS, &rows);
	hand_on(r, step, &rows);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(r->step_context);
}

/* Lock the tables that a step reads, and return them. */
static List *
lock_step(const Reading *r, const Step *step)
{
	List	   *relations = NIL;

	PG_TRY();
	{
		relations = salkpi_lock_relations(step->relation);
	}
	PG_CATCH();
	{
		rethrow_error(r, step);
	}
	PG_END_TRY();
	return relations;
}

static Step *
get_steps(ArrayType *composites, int *nsteps)
{
	Datum	   *datums;
	Step	   *steps;

	deconstruct_array(composites, ARR_ELEMTYPE(composites), -1, false, TYPALIGN_DOUBLE, &datums, NULL, nsteps);
	steps = palloc((*nsteps + 1) * sizeof(Step));
	for (int i = 0; i < *nsteps; i++)
		steps[i] = get_step(datums[i]);
	return steps;
}

/* Take those steps that leave dictionaries to others, then the others. */
static void
take_all_steps(Reading *r, ArrayType *composites, Oid function)
{
	List	   *relations = NIL;
	int			nsteps;
	Step	   *steps = get_steps(composites, &nsteps);
	int			nothers = 0;

	for (int i = 0; i < nsteps; i++)
		relations = list_concat(relations, lock_step(r, &steps[i]));
	salkpi_push_snapshot(relations);
	for (int i = 0; i < nsteps; i++)
	{
		if (steps[i].nkeeps > 0)
			take_step(r, &steps[i]);
		else
			steps[nothers++] = steps[i];
	}
	if (!salkpi_read_in_parallel(r, steps, nothers, function))
		for (int i = 0; i < nothers; i++)
			take_step(r, &steps[i]);
	PopActiveSnapshot();
}

/* Read the parameters of each source from an array of kpi_parameters. */
static void
open_parameters(Reading *r, ArrayType *sources, ArrayType *parameters)
{
	Datum	   *composites;
	int			count;

	deconstruct_array(sources, TEXTOID, -1, false, TYPALIGN_INT, &r->sources, NULL, &r->nsources);
	deconstruct_array(parameters, ARR_ELEMTYPE(parameters), -1, false, TYPALIGN_DOUBLE, &composites, NULL, &count);
	if (count != r->nsources)
		elog(ERROR, "there must be parameters for each source");
	r->source_parameters = palloc((count + 1) * sizeof(Parameters));
	for (int s = 0; s < count; s++)
		salkpi_parameters_read(&r->source_parameters[s], composites[s]);
	if (count > 0)
		salkpi_parameters_read(&r->parameters, composites[0]);
}

/* Ask kpi_reading_plan for the steps, and take those. */
static void
take_steps(Reading *r, FunctionCallInfo fcinfo)
{
	Oid		   *types;
	int			nargs;
	Datum		values[4];
	char		nulls[4];
	Datum		datum;
	bool		isnull;

	get_func_signature(fcinfo->flinfo->fn_oid, &types, &nargs);
	Assert(nargs == lengthof(values));
	for (int i = 0; i < nargs; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	if (SPI_execute_with_args(psprintf("SELECT p.steps, p.parameters, p.time_zone FROM %s.kpi_reading_plan($1, $2, $3, $4) p", r->schema),
							  nargs, types, values, nulls, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "there is no plan to read the sources");
	set_locally("TimeZone", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3));
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	open_parameters(r, PG_GETARG_ARRAYTYPE_P(0), DatumGetArrayTypeP(datum));
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	take_all_steps(r, DatumGetArrayTypeP(datum), fcinfo->flinfo->fn_oid);
}

/* kpi_read_sources(sources, wanted_parts, wanted_dimensions, grids) */
PG_FUNCTION_INFO_V1(salkpi_read_sources);
Datum
salkpi_read_sources(PG_FUNCTION_ARGS)
{
	Reading		r = {
		.schema = quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid))),
		.context = CurrentMemoryContext,
		.dimensions = {PG_GETARG_DATUM(2), PG_ARGISNULL(2)},
		.with_faults = PG_ARGISNULL(1)
	};
	ErrorContextCallback *caller = error_context_stack;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("sources and grids must not be NULL")));
	salkpi_keep_memory();
	r.columns = lookup_rowtype_tupdesc_copy(get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid)), -1);
	r.step_context = AllocSetContextCreate(CurrentMemoryContext, "kpi_read_sources step", ALLOCSET_DEFAULT_SIZES);
	error_context_stack = NULL; /* a long statement that says nothing of sources */
	SPI_connect();
	take_steps(&r, fcinfo);
	SPI_finish();
	error_context_stack = caller;
	PG_RETURN_ARRAYTYPE_P(make_array(&r));
}
