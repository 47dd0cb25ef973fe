/*
 * read_sources.c
 *	  kpi_take_steps: runs the queries that read the sources.
 *
 * Which they are is worked out in SQL (kpi_reading_steps, kpi_source_query).
 * They run here since each leaves dictionaries to those after it: of a million
 * opportunities a dictionary has a hundred megabytes, which PL/pgSQL would copy
 * half a dozen times on the way from one query to the next.  Here each is taken
 * from the executor and handed on.
 *
 * All queries see what the calling statement sees.
 */
#include "postgres.h"

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
#include "utils/timestamp.h"

#include "execute.h"
#include "salkpi.h"
#include "states.h"

/* Most columns of a query: its readings and dictionaries. */
#define MOST_COLUMNS	4

/* Most groups of customers that a source is read in. */
#define MOST_BUCKETS	65536

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

/* The one row of a query, copied. */
typedef struct Row
{
	DestReceiver receiver;
	Oid			first;			/* type of the first column */
	Oid			dictionary;		/* and of the others */
	MemoryContext kept;			/* where dictionaries go */
	MemoryContext context;		/* where other values go */
	int			ncolumns;		/* 0 before there is a row */
	Datum		values[MOST_COLUMNS];
	bool		nulls[MOST_COLUMNS];
} Row;

/* A call of kpi_take_steps. */
typedef struct Reading
{
	const char *schema;			/* of the extension, quoted */
	Tuplestorestate *result;	/* where the readings go */
	MemoryContext context;		/* of what the steps leave to each other */
	MemoryContext step_context; /* of the rest */
	Oid			readings;		/* the type kpi_reading[] */
	Oid			dictionary;		/* kpi_dictionary */
	Parameters	parameters;		/* of the queries */
	NullableDatum dimensions;	/* those wanted */
	bool		only_some;		/* may rows be left out of other periods? */
	bool		with_faults;	/* are bad rows looked for? */
	int			nsources;		/* number of sources */
	int			nread;			/* of those that were begun */
} Reading;

/* One query, see kpi_reading_step. */
typedef struct Step
{
	const char *source;
	const char *reads;			/* as of kpi_part; NULL for a dictionary alone */
	const char *relation;		/* for messages */
	Datum		parts;
	Datum		columns;
	const char *query;			/* of a dictionary alone */
	Datum		keeps;			/* numbers of parameters */
} Step;

static void
refuse_query(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("query of a step %s", why),
			 errdetail("It must be a SELECT of one row, of readings and dictionaries or of a dictionary.")));
}

static void
receive_start(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	const Row  *row = (const Row *) self;

	if (tupdesc->natts < 1 || tupdesc->natts > MOST_COLUMNS)
		refuse_query("has the wrong number of columns");
	for (int i = 0; i < tupdesc->natts; i++)
		if (TupleDescAttr(tupdesc, i)->atttypid != (i == 0 ? row->first : row->dictionary))
			refuse_query("has columns of wrong types");
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Row		   *row = (Row *) self;
	MemoryContext caller;

	slot_getallattrs(slot);
	caller = CurrentMemoryContext;
	row->ncolumns = slot->tts_tupleDescriptor->natts;
	for (int i = 0; i < row->ncolumns; i++)
	{
		Oid			type = TupleDescAttr(slot->tts_tupleDescriptor, i)->atttypid;

		row->nulls[i] = slot->tts_isnull[i];
		MemoryContextSwitchTo(type == row->dictionary ? row->kept : row->context);
		if (!row->nulls[i])
			row->values[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(slot->tts_values[i]));
	}
	MemoryContextSwitchTo(caller);
	return false;
}

static void
receive_nothing(DestReceiver *self)
{
}

/*
 * Run the query of a step and take its first row.  To SPI the receiver is one
 * of those that take rows.
 */
static void
run_query(Reading *r, const Step *step, const char *query, Row *row)
{
	*row = (Row) {
		.receiver = {receive_row, receive_start, receive_nothing, receive_nothing, DestTuplestore},
		.first = step->reads != NULL ? r->readings : r->dictionary,
		.dictionary = r->dictionary,.kept = r->context,.context = r->step_context
	};
	salkpi_execute_query(query, &r->parameters, &row->receiver);
	if (row->ncolumns == 0)
		refuse_query("returns no row");
}

/* The query over a source, see kpi_source_query. */
static const char *
source_query(Reading *r, const Step *step, int buckets)
{
	Oid			types[] = {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4OID, TEXTOID, BOOLOID, BOOLOID};
	Datum		values[] = {CStringGetTextDatum(step->source), step->columns, step->parts,
		r->dimensions.value, Int32GetDatum(buckets), CStringGetTextDatum(step->reads),
	BoolGetDatum(r->only_some), BoolGetDatum(r->with_faults)};
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

/* The readings of a source are rows of the result. */
static void
return_readings(Reading *r, Datum array)
{
	ArrayType  *readings = DatumGetArrayTypeP(array);
	ArrayIterator iterator = array_create_iterator(readings, 0, NULL);
	Datum		reading;
	bool		isnull;

	while (array_iterate(iterator, &reading, &isnull))
	{
		HeapTupleHeader header = DatumGetHeapTupleHeader(reading);
		HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};

		tuplestore_puttuple(r->result, &tuple);
	}
	array_free_iterator(iterator);
}

/* Hand the dictionaries of a row on to the steps behind. */
static void
keep_dictionaries(Reading *r, const Step *step, const Row *row)
{
	int			first = step->reads == NULL ? 0 : 1;
	Datum	   *numbers;
	bool	   *nulls;
	int			count = salkpi_int4_array(DatumGetArrayTypeP(step->keeps), "parameters", &numbers, &nulls);

	for (int i = 0; i < count && first + i < row->ncolumns; i++)
	{
		int			p = nulls[i] ? -1 : DatumGetInt32(numbers[i]) - 1;

		if (p < 0 || p >= r->parameters.count || r->parameters.types[p] != r->dictionary)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter %d is no dictionary", p + 1)));
		r->parameters.values[p] = row->values[first + i];
		r->parameters.nulls[p] = row->nulls[first + i];
	}
}

/* An error tells which source it was. */
static void
report_source(const Step *step, const ErrorData *error)
{
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("cannot read source \"%s\" (%s): %s", step->source, step->relation, error->message),
			 errdetail("%s", error->detail != NULL ? error->detail : "The facts are as they were."),
			 errhint("%s", error->hint != NULL ? error->hint :
					 psprintf("SELECT * FROM %s may show it too.", step->relation))));
}

/* A ledger of more than its memory, or a datum, may have shows before there is any row. */
static bool
is_ledger_too_large(const ErrorData *error)
{
	return error->datatype_name != NULL && strcmp(error->datatype_name, "kpi_ledger") == 0 &&
		(error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED ||
		 error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

/*
 * Run the query of a step, with the customers in so many groups; is its ledger
 * too large?  Other errors are raised, except that of being cancelled with the
 * name of the source.
 */
static bool
try_step(Reading *r, const Step *step, int buckets, Row *row)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(r->step_context);
	PG_TRY();
	{
		run_query(r, step, step->reads == NULL ? step->query : source_query(r, step, buckets), row);
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
	if (!is_ledger_too_large(error) || buckets >= MOST_BUCKETS)
		report_source(step, error);
	return false;
}

static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* Read a source in as few groups of customers as will do. */
static void
read_source(Reading *r, const Step *step, Row *row)
{
	const char *hashing = GetConfigOption("enable_hashagg", false, false);
	TimestampTz began = GetCurrentTimestamp();
	int			buckets = 1;

	while (!try_step(r, step, buckets, row))
	{
		buckets *= 16;
		ereport(NOTICE,
				(errmsg("%s (%s): a ledger of all customers would need more than ledger_memory_mb; they are read in %d groups",
						step->source, step->relation, buckets)));
		set_locally("enable_hashagg", "off");	/* sorted, a group at a time is in memory */
	}
	if (buckets > 1)
		set_locally("enable_hashagg", hashing);
	return_readings(r, row->values[0]);
	ereport(NOTICE,
			(errmsg("%s%s%s (%s): %ld ms", step->source, strcmp(step->reads, "source") == 0 ? "" : ", ",
					strcmp(step->reads, "source") == 0 ? "" : step->reads, step->relation,
					TimestampDifferenceMilliseconds(began, GetCurrentTimestamp()))));
}

static char *
text_or_null(Datum value, bool isnull)
{
	return isnull ? NULL : TextDatumGetCString(value);
}

static void
take_step(Reading *r, Datum composite)
{
	MemoryContext caller = MemoryContextSwitchTo(r->step_context);
	Parameters	attributes;
	Datum	   *values;
	bool	   *nulls;
	Step		step;
	Row			row;

	(void) salkpi_parameters_read(&attributes, composite);
	Assert(attributes.count == STEP_ATTRIBUTES);
	values = attributes.values;
	nulls = attributes.nulls;
	if (nulls[STEP_SOURCE] || nulls[STEP_RELATION] || nulls[STEP_KEEPS] ||
		(nulls[STEP_READS] ? nulls[STEP_QUERY] : nulls[STEP_PARTS] || nulls[STEP_COLUMNS]))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("what a step needs must not be NULL")));
	step = (Step) {
		.source = text_or_null(values[STEP_SOURCE], nulls[STEP_SOURCE]),
		.reads = text_or_null(values[STEP_READS], nulls[STEP_READS]),
		.relation = text_or_null(values[STEP_RELATION], nulls[STEP_RELATION]),
		.parts = values[STEP_PARTS],.columns = values[STEP_COLUMNS],
		.query = text_or_null(values[STEP_QUERY], nulls[STEP_QUERY]),
		.keeps = values[STEP_KEEPS]
	};
	if (step.reads != NULL && strcmp(step.reads, "source") == 0)
		r->nread++;
	set_locally("application_name", psprintf("kpi_snapshot: reading %s (%d of %d)", step.source,
											 r->nread + (step.reads == NULL), r->nsources));
	if (step.reads != NULL)
		read_source(r, &step, &row);
	else
		(void) try_step(r, &step, MOST_BUCKETS, &row);
	keep_dictionaries(r, &step, &row);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(r->step_context);
}

/* The parameters as they are before the first step. */
static void
take_parameters(Reading *r, Datum composite)
{
	TupleDesc	tupdesc = salkpi_parameters_read(&r->parameters, composite);

	for (int i = 0; i < tupdesc->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(tupdesc, i)->attname), "rates") == 0)
			r->dictionary = TupleDescAttr(tupdesc, i)->atttypid;
}

/* kpi_take_steps(steps, parameters, dimensions, only_some, with_faults) */
PG_FUNCTION_INFO_V1(salkpi_take_steps);
Datum
salkpi_take_steps(PG_FUNCTION_ARGS)
{
	Reading		r = {
		.schema = quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid))),
		.context = CurrentMemoryContext,
		.dimensions = {PG_ARGISNULL(2) ? 0 : PG_GETARG_DATUM(2), PG_ARGISNULL(2)}
	};
	ArrayIterator steps;
	Datum		step;
	bool		isnull;

	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != 2)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only the dimensions of kpi_take_steps may be NULL")));
	InitMaterializedSRF(fcinfo, 0);
	r.result = ((ReturnSetInfo *) fcinfo->resultinfo)->setResult;
	r.readings = get_array_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	r.only_some = PG_GETARG_BOOL(3);
	r.with_faults = PG_GETARG_BOOL(4);
	r.nsources = PG_GETARG_INT32(5);
	steps = array_create_iterator(PG_GETARG_ARRAYTYPE_P(0), 0, NULL);
	r.step_context = AllocSetContextCreate(CurrentMemoryContext, "kpi_take_steps", ALLOCSET_DEFAULT_SIZES);
	take_parameters(&r, PG_GETARG_DATUM(1));
	SPI_connect();
	while (array_iterate(steps, &step, &isnull))
		if (!isnull)
			take_step(&r, step);
	SPI_finish();
	return (Datum) 0;
}
