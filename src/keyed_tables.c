/*
 * keyed_tables.c
 *	  Sums of amounts by key: the tables of an aggregate's groups, and rows that
 *	  wait to be added to them.
 *
 * With many groups nearly all of a row's time is that of memory: the table of
 * its group is in no cache, and neither is the end of its log.  One row after
 * the other the processor would wait for each of these.  So where groups are in
 * a hash table, rows are kept until there are some; then what all of them need
 * is fetched together.  And tables lie so that what rows need of one is a cache line.
 *
 * Whoever reads a table has its rows added first (salkpi_keyed_unique()).
 */
#include "postgres.h"

#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "keyed.h"
#include "salkpi.h"

/* Rows that wait: more than a processor fetches at a time, few enough to stay in its cache. */
#define MOST_WAITING		64

/* Arguments that a row has at most, behind the state. */
#define MOST_ARGUMENTS		6

/* Bytes of those by reference, of which there are two; what is longer does not wait. */
#define BYTES_KEPT			24
#define MOST_REFERENCES		2

/* Transition functions of an aggregate's tables; rows of further ones do not wait. */
#define MOST_FUNCTIONS		4

/* Most heads of tables that are made at a time. */
#define MOST_HEADS			64

/* A line of a processor's cache. */
#define CACHE_LINE			64

/* What kind of rows a transition function has. */
typedef struct RowFunction
{
	FmgrInfo	flinfo;			/* a copy */
	const KeyedType *type;		/* of the tables to which it adds */
	int			nargs;			/* with the state */
	int			nreferences;	/* arguments by reference */
	int			references[MOST_REFERENCES];	/* which */
	int16		lengths[MOST_REFERENCES];	/* of their types */
} RowFunction;

/* A row: the call of a transition function. */
typedef union WaitingRow
{
	FunctionCallInfoBaseData call;	/* whose first argument is the datum of its table */
	struct
	{
		char		call[SizeForFunctionCallInfo(MOST_ARGUMENTS + 1)];
		char		bytes[MOST_REFERENCES][BYTES_KEPT]; /* what others refer to */
	}			room;
} WaitingRow;

/* The rows that wait, and what they are arguments of. */
typedef struct Waiting
{
	int			nfunctions;
	RowFunction functions[MOST_FUNCTIONS];
	bool		is_broken;		/* could some not be added? */
	int			nrows;
	WaitingRow	rows[MOST_WAITING];
} Waiting;

/* The tables whose states are in one context of an aggregate's. */
typedef struct KeyedTables
{
	struct KeyedTables *next;
	MemoryContext parent;		/* that of the states */
	MemoryContext context;		/* that of the tables: a child of it */
	char	   *heads;			/* memory for tables to come */
	int			nheads;			/* for how many */
	int			last_nheads;	/* for how many it was at first */
	Waiting    *waiting;		/* NULL as long as no row had to wait */
	MemoryContextCallback callback; /* when the context is freed */
} KeyedTables;

/* Those that there are: a few, the last one used first. */
static KeyedTables *all_tables = NULL;

static void
forget(void *tables)
{
	KeyedTables **place = &all_tables;

	while (*place != tables)
		place = &(*place)->next;
	*place = (*place)->next;
}

/* Those with states in that context, or else NULL. */
static KeyedTables *
find_tables(MemoryContext parent)
{
	KeyedTables **place = &all_tables;
	KeyedTables *tables;

	while (*place != NULL && (*place)->parent != parent)
		place = &(*place)->next;
	tables = *place;
	if (tables == NULL || tables == all_tables)
		return tables;
	*place = tables->next;
	tables->next = all_tables;
	all_tables = tables;
	return tables;
}

static KeyedTables *
create_tables(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "salkpi tables", ALLOCSET_DEFAULT_SIZES);
	KeyedTables *tables = MemoryContextAllocZero(context, sizeof(KeyedTables));

	tables->next = all_tables;
	tables->parent = parent;
	tables->context = context;
	tables->callback.func = forget;
	tables->callback.arg = tables;
	MemoryContextRegisterResetCallback(context, &tables->callback);
	all_tables = tables;
	return tables;
}

/* Memory for the head of a table, of which the line that rows need begins one of the cache. */
static void *
take_head(KeyedTables *tables)
{
	if (tables->nheads == 0)
	{
		tables->nheads = Min(Max(tables->last_nheads * 2, 1), MOST_HEADS);
		tables->last_nheads = tables->nheads;
		tables->heads = MemoryContextAlloc(tables->context, tables->nheads * KEYED_SIZE + CACHE_LINE);
		tables->heads = (char *) TYPEALIGN(CACHE_LINE, tables->heads + KEYED_HOT) - KEYED_HOT;
	}
	tables->nheads--;
	tables->heads += KEYED_SIZE;
	return tables->heads - KEYED_SIZE;
}

/*
 * An empty table as the state of an aggregate, in one context with all its
 * tables: for each new group the executor walks all contexts.
 */
Keyed *
salkpi_keyed_start(const KeyedType *type, FunctionCallInfo fcinfo)
{
	MemoryContext parent = salkpi_aggregate_context(fcinfo, type->name);
	KeyedTables *tables = find_tables(parent);

	if (tables == NULL)
		tables = create_tables(parent);
	return salkpi_keyed_create(type, tables->context, take_head(tables));
}

/* ---------- Rows that wait ---------- */

/* The transition function of a call, or NULL if there are too many. */
static RowFunction *
find_function(Waiting *waiting, const KeyedType *type, FunctionCallInfo fcinfo)
{
	RowFunction *function;
	Oid		   *types;
	int			i;

	for (i = 0; i < waiting->nfunctions; i++)
		if (waiting->functions[i].flinfo.fn_oid == fcinfo->flinfo->fn_oid)
			return &waiting->functions[i];
	if (i == MOST_FUNCTIONS)
		return NULL;
	function = &waiting->functions[i];
	function->flinfo = *fcinfo->flinfo;
	function->type = type;
	(void) get_func_signature(function->flinfo.fn_oid, &types, &function->nargs);
	Assert(function->nargs <= MOST_ARGUMENTS + 1);
	function->nreferences = 0;
	for (i = 1; i < function->nargs; i++)
	{
		if (get_typbyval(types[i]))
			continue;
		Assert(function->nreferences < MOST_REFERENCES);
		function->references[function->nreferences] = i;
		function->lengths[function->nreferences++] = get_typlen(types[i]);
	}
	pfree(types);
	waiting->nfunctions++;
	return function;
}

/* Copy a value by reference; false if it is too long for that. */
static inline bool
keep(char *bytes, NullableDatum *arg, int16 length)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(arg->value);
	Size		size = length;

	if (length == -1)
	{
		if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
			return false;
		size = VARSIZE_ANY(value);
	}
	if (size > BYTES_KEPT)
		return false;
	memcpy(bytes, value, size);
	arg->value = PointerGetDatum(bytes);
	return true;
}

/* Keep a call of a function; false if its arguments cannot be kept. */
static inline bool
keep_row(WaitingRow *row, FunctionCallInfo fcinfo, RowFunction *function)
{
	int			i;

	if (row->call.flinfo != &function->flinfo)
		InitFunctionCallInfoData(row->call, &function->flinfo, function->nargs, InvalidOid, NULL, NULL);
	__builtin_prefetch(DatumGetPointer(fcinfo->args[0].value), 1);
	memcpy(row->call.args, fcinfo->args, function->nargs * sizeof(NullableDatum));
	for (i = 0; i < function->nreferences; i++)
	{
		NullableDatum *arg = &row->call.args[function->references[i]];

		if (!arg->isnull && !keep(row->room.bytes[i], arg, function->lengths[i]))
			return false;
	}
	return true;
}

static inline Keyed *
table_of(const WaitingRow *row)
{
	Keyed	   *keyed = salkpi_keyed_open(row->call.args[0].value);

	if (keyed == NULL)
		elog(ERROR, "a state in a hash table is not open");
	return keyed;
}

static inline const KeyedType *
type_of(const WaitingRow *row)
{
	return ((const RowFunction *) row->call.flinfo)->type;
}

/* Have fetched what rows need beside the line of a table that is on its way: the ends of logs, and bounds. */
static void
fetch(const WaitingRow *rows, int nrows)
{
	int			i;

	for (i = 0; i < nrows; i++)
	{
		const Keyed *keyed = table_of(&rows[i]);

		__builtin_prefetch(keyed->end, 1);
		__builtin_prefetch(keyed->end + CACHE_LINE / 4, 1);
		if (type_of(&rows[i])->has_bounds)
			__builtin_prefetch(keyed->bounds);
	}
}

static void
add_waiting(Waiting *waiting)
{
	int			nrows = waiting->nrows;
	int			i;

	/* Whoever has caught the error of a row shall not go on without the others. */
	if (waiting->is_broken)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rows of an aggregate could not be added, as an earlier error has said")));
	fetch(waiting->rows, nrows);
	waiting->is_broken = true;
	for (i = 0; i < nrows; i++)
		type_of(&waiting->rows[i])->add_row(table_of(&waiting->rows[i]), &waiting->rows[i].call);
	waiting->is_broken = false;
	waiting->nrows = 0;
}

/*
 * Keep the row of a call, whose state is open and in the executor's hash table,
 * for later; false if it has to be added at once.
 */
bool
salkpi_keyed_wait(const KeyedType *type, FunctionCallInfo fcinfo)
{
	MemoryContext parent;
	KeyedTables *tables;
	RowFunction *function;

	(void) AggCheckCallContext(fcinfo, &parent);
	tables = find_tables(parent);
	if (unlikely(tables == NULL))
		return false;
	if (unlikely(tables->waiting == NULL))
		tables->waiting = MemoryContextAllocZero(tables->context, sizeof(Waiting));
	if (tables->waiting->nrows == MOST_WAITING)
		add_waiting(tables->waiting);
	function = find_function(tables->waiting, type, fcinfo);
	if (function == NULL || !keep_row(&tables->waiting->rows[tables->waiting->nrows], fcinfo, function))
		return false;
	tables->waiting->nrows++;
	return true;
}

/* Add the rows that wait for a table, and for those beside it. */
void
salkpi_keyed_add_waiting(const Keyed *keyed)
{
	KeyedTables *tables = all_tables;

	while (tables != NULL && tables->context != keyed->header.eoh_context)
		tables = tables->next;
	if (tables != NULL && tables->waiting != NULL && tables->waiting->nrows > 0)
		add_waiting(tables->waiting);
}
