/*
 * read_parallel.c
 *	  Reading sources side by side, in parallel workers.
 *
 * Once the dictionaries are there, the queries over the other sources have
 * nothing to do with each other.  A worker takes one after the other, the next
 * that no other has taken, and sends its readings.  That is worth more than
 * workers that share in each query: the state of one has millions of customers,
 * and would be sent and merged.
 *
 * Where it cannot be done, or there is not enough to read, the caller reads
 * the sources itself: a query must be safe in a worker, as the planner sees
 * it, temporary tables are not, nor is a ledger that takes more memory than it
 * may, which is known only then.
 *
 * What the workers share is in one piece of memory, see Shared; parameters in
 * it are read where they are.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "port/atomics.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/shm_mq.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/wait_event.h"

#include "read_sources.h"
#include "salkpi.h"

/* Keys of what is shared. */
#define KEY_SHARED	UINT64CONST(1)
#define KEY_QUEUES	UINT64CONST(2)

#define QUEUE_SIZE	((Size) 1024 * 1024)

/* At the start of the shared memory; offsets are from there, 0 = NULL. */
typedef struct Shared
{
	pg_atomic_uint32 next;		/* the next step to be taken */
	Oid			reading;		/* type kpi_reading */
	int			nsteps;
	int			nparameters;
	Size		types;			/* of the parameters: Oid[nparameters] */
	Size		dictionaries;	/* parameters that are the same for all steps:
								 * SharedDatum[nparameters] */
	Size		steps;			/* SharedStep[nsteps] */
	Size		turns;			/* their numbers in the order in which they are
								 * taken: int[nsteps] */
} Shared;

typedef struct SharedDatum
{
	bool		isnull;
	Size		offset;			/* of a varlena; 0 = by value */
	Datum		value;			/* by value */
} SharedDatum;

typedef struct SharedStep
{
	Size		source;			/* texts */
	Size		reads;
	Size		relation;
	Size		query;
	Size		parameters;		/* SharedDatum[nparameters]; NULL = of
								 * dictionaries */
} SharedStep;

/* Where things are laid out, one behind the other. */
typedef struct Layout
{
	char	   *bytes;			/* NULL: they are only measured */
	Size		used;
} Layout;

/* ---------- What can be read by workers ---------- */

typedef struct Contents
{
	bool		are_safe;		/* can a worker run it? */
	BlockNumber blocks;			/* that it would read */
} Contents;

static void
look_at_relation(Oid oid, Contents *found)
{
	Relation	relation = relation_open(oid, NoLock);	/* the query holds one */

	if (relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP ||
		relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		found->are_safe = false;
	else if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		found->blocks += min_parallel_table_scan_size;	/* no small one is partitioned */
	else if (RELKIND_HAS_STORAGE(relation->rd_rel->relkind))
		found->blocks += RelationGetNumberOfBlocks(relation);
	relation_close(relation, NoLock);
}

static bool
is_unsafe_function(Oid function, void *context)
{
	return func_parallel(function) != PROPARALLEL_SAFE;
}

/*
 * What the planner takes for safe, and besides window functions: no other
 * worker has a part in the query.
 */
static bool
look_at_node(Node *node, void *context)
{
	Contents   *found = context;

	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		if (((RangeTblEntry *) node)->rtekind == RTE_RELATION)
			look_at_relation(((RangeTblEntry *) node)->relid, found);
		return false;
	}
	if (IsA(node, Query))
	{
		if (((Query *) node)->rowMarks != NIL)
			found->are_safe = false;	/* a view that locks rows */
		return query_tree_walker((Query *) node, look_at_node, context, QTW_EXAMINE_RTES_BEFORE);
	}
	if (IsA(node, CoerceToDomain) || IsA(node, NextValueExpr) ||
		check_functions_in_node(node, is_unsafe_function, NULL))
		found->are_safe = false;
	return expression_tree_walker(node, look_at_node, context);
}

/*
 * How many workers there should be for some queries: one for each that reads
 * as much as the planner wants of a parallel scan; none if one is not safe.
 * *blocks: how much each reads.
 */
static int
count_workers(const Reading *r, char *const *queries, int nqueries, BlockNumber *blocks)
{
	int			nworkers = 0;

	for (int i = 0; i < nqueries; i++)
	{
		Contents	found = {.are_safe = true};

		(void) look_at_node((Node *) salkpi_analyze_query(queries[i], &r->parameters), &found);
		if (!found.are_safe)
			return 0;
		if (found.blocks >= Max(min_parallel_table_scan_size, 1))
			nworkers++;
		blocks[i] = found.blocks;
	}
	return Min(nworkers, max_parallel_workers_per_gather);
}

/*
 * The order in which they are taken: the largest first, lest one that is begun
 * last is waited for.
 */
static void
order_turns(int *turns, const BlockNumber *blocks, int count)
{
	for (int i = 0; i < count; i++)
	{
		int			at = i;

		for (; at > 0 && blocks[turns[at - 1]] < blocks[i]; at--)
			turns[at] = turns[at - 1];
		turns[at] = i;
	}
}

/* ---------- What they share ---------- */

static Size
put_bytes(Layout *l, const void *bytes, Size size)
{
	Size		offset = MAXALIGN(l->used);

	if (l->bytes != NULL)
		memcpy(l->bytes + offset, bytes, size);
	l->used = offset + size;
	return offset;
}

static Size
put_string(Layout *l, const char *string)
{
	return put_bytes(l, string, strlen(string) + 1);
}

/* Does one of some queries have a parameter, counted from 0? */
static bool
is_asked_for(int parameter, char *const *queries, int nqueries)
{
	char	   *name = psprintf("$%d", parameter + 1);

	for (int i = 0; i < nqueries; i++)
		for (const char *at = queries[i]; (at = strstr(at, name)) != NULL; at += strlen(name))
			if (!isdigit((unsigned char) at[strlen(name)]))
				return true;
	return false;
}

/* Parameters of the dictionaries' type, or the others; as far as the queries have them. */
static Size
put_parameters(Layout *l, const Parameters *parameters, Oid dictionary, bool are_dictionaries, char *const *queries, int nqueries)
{
	SharedDatum *datums = palloc0(parameters->count * sizeof(SharedDatum));

	for (int i = 0; i < parameters->count; i++)
	{
		datums[i].isnull = parameters->nulls[i] || (parameters->types[i] == dictionary) != are_dictionaries ||
			!is_asked_for(i, queries, nqueries);
		if (datums[i].isnull)
			continue;
		if (get_typbyval(parameters->types[i]))
			datums[i].value = parameters->values[i];
		else
		{
			struct varlena *value = PG_DETOAST_DATUM(parameters->values[i]);

			Assert(get_typlen(parameters->types[i]) == -1);
			datums[i].offset = put_bytes(l, value, VARSIZE(value));
		}
	}
	return put_bytes(l, datums, parameters->count * sizeof(SharedDatum));
}

/* Lay out what workers share; returns its size. */
static Size
lay_out(char *bytes, Reading *r, const Step *steps, char *const *queries, const int *turns, int nsteps)
{
	Layout		layout = {.bytes = bytes};
	Layout	   *l = &layout;
	Oid			dictionary = salkpi_dictionary_type(r);
	SharedStep *shared_steps = palloc(nsteps * sizeof(SharedStep));
	Shared		shared = {
		.reading = r->columns->tdtypeid,.nsteps = nsteps,.nparameters = r->parameters.count
	};

	(void) put_bytes(l, &shared, sizeof(Shared));
	shared.types = put_bytes(l, r->parameters.types, r->parameters.count * sizeof(Oid));
	shared.dictionaries = put_parameters(l, &r->parameters, dictionary, true, queries, nsteps);
	for (int i = 0; i < nsteps; i++)
	{
		salkpi_set_parameters(r, steps[i].source);
		shared_steps[i] = (SharedStep) {
			put_string(l, steps[i].source), put_string(l, steps[i].reads),
			put_string(l, steps[i].relation), put_string(l, queries[i]),
			put_parameters(l, &r->parameters, dictionary, false, &queries[i], 1)
		};
	}
	shared.steps = put_bytes(l, shared_steps, nsteps * sizeof(SharedStep));
	shared.turns = put_bytes(l, turns, nsteps * sizeof(int));
	pg_atomic_init_u32(&shared.next, 0);
	if (bytes != NULL)
		memcpy(bytes, &shared, sizeof(Shared));
	return l->used;
}

/* ---------- A worker ---------- */

static void
get_parameters(const Shared *shared, Parameters *parameters, Size offset)
{
	char	   *base = (char *) shared;
	const SharedDatum *datums = (const SharedDatum *) (base + offset);
	const SharedDatum *dictionaries = (const SharedDatum *) (base + shared->dictionaries);

	for (int i = 0; i < shared->nparameters; i++)
	{
		const SharedDatum *datum = datums[i].isnull ? &dictionaries[i] : &datums[i];

		parameters->nulls[i] = datum->isnull;
		parameters->values[i] = datum->offset > 0 ? PointerGetDatum(base + datum->offset) : datum->value;
	}
}

/* Send the readings of a step: its number, and the composite. */
static void
send_readings(shm_mq_handle *queue, Reading *r, int32 number)
{
	ListCell   *cell;

	foreach(cell, r->readings)
	{
		HeapTupleHeader reading = (HeapTupleHeader) lfirst(cell);
		shm_mq_iovec parts[] = {{(char *) &number, sizeof(number)},
		{(char *) reading, HeapTupleHeaderGetDatumLength(reading)}};

		if (shm_mq_sendv(queue, parts, lengthof(parts), false, true) != SHM_MQ_SUCCESS)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the session that reads the sources is gone")));
	}
}

static void
work_on(Reading *r, Shared *shared, shm_mq_handle *queue, int number)
{
	char	   *base = (char *) shared;
	const SharedStep *shared_step = (const SharedStep *) (base + shared->steps) + number;
	Step		step = {
		.source = base + shared_step->source,.reads = base + shared_step->reads,
		.relation = base + shared_step->relation,.query = base + shared_step->query
	};
	MemoryContext caller;

	r->context = AllocSetContextCreate(CurrentMemoryContext, "kpi_read_sources step", ALLOCSET_DEFAULT_SIZES);
	r->readings = NIL;
	caller = MemoryContextSwitchTo(r->context);
	pgstat_report_appname(psprintf("kpi_snapshot: reading %s", step.source));
	get_parameters(shared, &r->parameters, shared_step->parameters);
	salkpi_read_step(r, &step);
	send_readings(queue, r, number);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(r->context);
}

/* The worker's main function. */
PGDLLEXPORT void salkpi_read_worker(dsm_segment *segment, shm_toc *toc);

void
salkpi_read_worker(dsm_segment *segment, shm_toc *toc)
{
	Shared	   *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	shm_mq	   *mq = (shm_mq *) ((char *) shm_toc_lookup(toc, KEY_QUEUES, false) + ParallelWorkerNumber * QUEUE_SIZE);
	shm_mq_handle *queue;
	Reading		r = {.columns = lookup_rowtype_tupdesc_copy(shared->reading, -1)};
	uint32		next;

	shm_mq_set_sender(mq, MyProc);
	queue = shm_mq_attach(mq, segment, NULL);
	r.parameters = (Parameters) {
		.count = shared->nparameters,.types = (Oid *) ((char *) shared + shared->types),
		.values = palloc(shared->nparameters * sizeof(Datum)),
		.nulls = palloc(shared->nparameters * sizeof(bool))
	};
	while ((next = pg_atomic_fetch_add_u32(&shared->next, 1)) < shared->nsteps)
		work_on(&r, shared, queue, ((const int *) ((char *) shared + shared->turns))[next]);
	shm_mq_detach(queue);
}

/* ---------- The leader ---------- */

/* Take a message from a queue: false when there is none yet; *is_open: will there be more? */
static bool
take_message(shm_mq_handle *queue, List **readings, MemoryContext context, bool *is_open)
{
	Size		size;
	void	   *bytes;
	int32		number;
	char	   *reading;

	switch (shm_mq_receive(queue, &size, &bytes, true))
	{
		case SHM_MQ_WOULD_BLOCK:
			return false;
		case SHM_MQ_DETACHED:
			*is_open = false;
			return true;
		default:
			memcpy(&number, bytes, sizeof(number));
			reading = MemoryContextAlloc(context, size - sizeof(number));
			memcpy(reading, (char *) bytes + sizeof(number), size - sizeof(number));
			readings[number] = lappend(readings[number], reading);
			return true;
	}
}

/* Take all that the workers send, until they have ended. */
static void
take_messages(ParallelContext *parallel, List **readings, MemoryContext context)
{
	char	   *queues = shm_toc_lookup(parallel->toc, KEY_QUEUES, false);
	shm_mq_handle **handles = palloc(parallel->nworkers_launched * sizeof(shm_mq_handle *));
	bool	   *are_open = palloc(parallel->nworkers_launched * sizeof(bool));
	int			nopen = parallel->nworkers_launched;

	for (int w = 0; w < parallel->nworkers_launched; w++)
	{
		handles[w] = shm_mq_attach((shm_mq *) (queues + w * QUEUE_SIZE), parallel->seg, parallel->worker[w].bgwhandle);
		are_open[w] = true;
	}
	while (nopen > 0)
	{
		bool		got_any = false;

		CHECK_FOR_INTERRUPTS();
		for (int w = 0; w < parallel->nworkers_launched; w++)
		{
			if (!are_open[w])
				continue;
			got_any |= take_message(handles[w], readings, context, &are_open[w]);
			nopen -= !are_open[w];
		}
		if (!got_any)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
		}
	}
}

/* The library that a function of the extension is in. */
static char *
library_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	char	   *library;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	library = TextDatumGetCString(SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin, &isnull));
	ReleaseSysCache(tuple);
	return library;
}

/* Start the workers, and take what they send; false when there are not two. */
static bool
run_workers(Reading *r, const Step *steps, char *const *queries, const int *turns, int nsteps, int nworkers,
			const char *library, List **readings)
{
	Size		size = lay_out(NULL, r, steps, queries, turns, nsteps);
	ParallelContext *parallel;
	char	   *shared;
	char	   *queues;
	bool		are_enough;

	EnterParallelMode();
	parallel = CreateParallelContext(library, "salkpi_read_worker", nworkers);
	shm_toc_estimate_chunk(&parallel->estimator, size);
	shm_toc_estimate_chunk(&parallel->estimator, nworkers * QUEUE_SIZE);
	shm_toc_estimate_keys(&parallel->estimator, 2);
	InitializeParallelDSM(parallel);
	shared = shm_toc_allocate(parallel->toc, size);
	(void) lay_out(shared, r, steps, queries, turns, nsteps);
	shm_toc_insert(parallel->toc, KEY_SHARED, shared);
	queues = shm_toc_allocate(parallel->toc, nworkers * QUEUE_SIZE);
	for (int w = 0; w < nworkers; w++)
		shm_mq_set_receiver(shm_mq_create(queues + w * QUEUE_SIZE, QUEUE_SIZE), MyProc);
	shm_toc_insert(parallel->toc, KEY_QUEUES, queues);
	LaunchParallelWorkers(parallel);
	are_enough = parallel->nworkers_launched >= 2;
	if (!are_enough)
	{
		/* One has nothing to do, but for what it may have begun, which is read so that it ends. */
		pg_atomic_write_u32(&((Shared *) shared)->next, PG_INT32_MAX);
		readings = palloc0(nsteps * sizeof(List *));
	}
	take_messages(parallel, readings, r->context);
	WaitForParallelWorkersToFinish(parallel);
	DestroyParallelContext(parallel);
	ExitParallelMode();
	return are_enough;
}

/*
 * The same in a subtransaction, from which false is returned, too, when a
 * ledger is too large for its memory.
 */
static bool
try_workers(Reading *r, const Step *steps, char *const *queries, const int *turns, int nsteps, int nworkers,
			const char *library, List **readings)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool is_done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		is_done = run_workers(r, steps, queries, turns, nsteps, nworkers, library, readings);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	if (error != NULL && !salkpi_is_ledger_too_large(error))
		ReThrowError(error);
	return is_done;
}

/*
 * Run the queries of steps that leave no dictionaries; false when they should
 * be run one by one.  function: some C function of the extension.
 */
bool
salkpi_read_in_parallel(Reading *r, const Step *steps, int nsteps, Oid function)
{
	char	  **queries = palloc(nsteps * sizeof(char *));
	List	  **readings = palloc0(nsteps * sizeof(List *));
	BlockNumber *blocks = palloc(nsteps * sizeof(BlockNumber));
	int		   *turns = palloc(nsteps * sizeof(int));
	MemoryContext caller;
	int			nworkers;

	if (nsteps < 2 || max_parallel_workers_per_gather < 2 || IsInParallelMode() || !IsUnderPostmaster)
		return false;
	for (int i = 0; i < nsteps; i++)
	{
		salkpi_set_parameters(r, steps[i].source);
		queries[i] = pstrdup(salkpi_source_query(r, &steps[i], 1));
	}
	nworkers = count_workers(r, queries, nsteps, blocks);
	if (nworkers < 2)
		return false;
	order_turns(turns, blocks, nsteps);
	salkpi_set_progress(psprintf("%d sources side by side", nsteps));
	if (!try_workers(r, steps, queries, turns, nsteps, nworkers, library_of(function), readings))
		return false;
	caller = MemoryContextSwitchTo(r->context);	/* the list outlives SPI, as what is in it */
	for (int i = 0; i < nsteps; i++)
		r->readings = list_concat(r->readings, readings[i]);
	MemoryContextSwitchTo(caller);
	return true;
}
