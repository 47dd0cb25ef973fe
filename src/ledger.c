/*
 * ledger.c
 *	  The ledger: the steps of each customer's recurring amount.
 *
 * What a customer pays is a sum of intervals, and whatever is asked of it is
 * asked at instants: who paid at the beginning of a month, who at its end, and
 * how did they differ.  So a ledger is given those instants, the bounds, and
 * keeps of an interval the bounds at which it comes and goes.  An interval
 * [from, to) counts at t if from < t and to >= t: it comes at the first bound
 * after from, and goes at the first one after to.
 *
 * Movements do not add up over members (a change of plan is a loss and a gain
 * by plan, and nothing in the total), so each dimension has steps of its own:
 * for each customer and member the changes of its amount, ascending, each
 * bound once.  An interval that touches the next one, or lies between two
 * bounds, leaves no step; but the first step is always at the first bound
 * after the customer first paid in the member, zero or not, which tells the
 * new from the returning.
 *
 * A row is appended to a log, from where it gets into the steps now and then
 * (ledger_fold.c).
 *
 * Amounts are integers at a common scale, exactly as in a cube (numbers.c);
 * those that do not fit are numerics kept aside, found by the step's number.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "ledger.h"
#include "salkpi.h"

/* Arguments of the transition functions. */
#define ARG_STATE		0
#define ARG_BOUNDS		1
#define ARG_SHAPE		2
#define ARG_CUSTOMER	3
#define ARG_FROM		4
#define ARG_TO			5
#define ARG_AMOUNT		6
#define ARG_KEYS		7

PG_FUNCTION_INFO_V1(salkpi_ledger_add_instant);
PG_FUNCTION_INFO_V1(salkpi_ledger_add_day);
PG_FUNCTION_INFO_V1(salkpi_ledger_size);

/* An empty ledger in a new context below "parent"; everything is copied. */
Ledger *
salkpi_ledger_create(MemoryContext parent, BoundUnit unit, const int64 *bounds,
					 uint32 nbounds, const char *shape)
{
	MemoryContext context = AllocSetContextCreate(parent, LEDGER_TYPE,
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Ledger	   *ledger = palloc0(sizeof(Ledger));
	int			i;

	salkpi_grid_init(&ledger->state, &salkpi_ledger_type, context);
	ledger->unit = unit;
	ledger->nbounds = nbounds;
	ledger->bounds = palloc_extended(nbounds * sizeof(int64), MCXT_ALLOC_HUGE);
	memcpy(ledger->bounds, bounds, nbounds * sizeof(int64));
	salkpi_shape_parse(shape, SHAPE_LEDGER, &ledger->shape);
	salkpi_texts_init(&ledger->customers, context);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (ledger->shape.key_used[i])
			salkpi_texts_init(&ledger->keys[i], context);
	ledger->dimensions = palloc0(ledger->shape.ndimensions *
								 sizeof(LedgerDimension));
	for (i = 0; i < ledger->shape.ndimensions; i++)
	{
		LedgerDimension *dimension = &ledger->dimensions[i];

		dimension->spec = &ledger->shape.dimensions[i];
		if (dimension->spec->nkeys > 1)
			salkpi_tuples_init(&dimension->members, context,
							   dimension->spec->nkeys);
		dimension->starts = palloc0(sizeof(Size));
	}
	ledger->log.limit = salkpi_ledger_log_limit(ledger, 0);
	MemoryContextSwitchTo(caller);
	return ledger;
}

/* The ledger of an argument, folded. */
Ledger *
salkpi_ledger_get(Datum datum)
{
	Ledger	   *ledger = (Ledger *) salkpi_grid_get(&salkpi_ledger_type, datum);

	salkpi_ledger_fold(ledger);
	return ledger;
}

/* Is the argument not NULL? */
#define HAS_ARG(n)	(!fcinfo->args[n].isnull)

/* The state of a first row: an empty ledger made from its arguments. */
static Ledger *
start_ledger(FunctionCallInfo fcinfo, MemoryContext aggcontext, BoundUnit unit)
{
	int64	   *bounds;
	uint32		nbounds;

	if (!HAS_ARG(ARG_BOUNDS) || !HAS_ARG(ARG_SHAPE))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("bounds and shape of a ledger must not be NULL")));
	bounds = salkpi_bounds_read(PG_GETARG_ARRAYTYPE_P(ARG_BOUNDS), unit, 1,
								"ledger", &nbounds);
	return salkpi_ledger_create(aggcontext, unit, bounds, nbounds,
								text_to_cstring(PG_GETARG_TEXT_PP(ARG_SHAPE)));
}

/*
 * Read the amount of a row: an integer at the common scale, or a numeric kept
 * aside whose number + 1 goes to *big.  False if it is zero.
 */
static inline bool
read_amount(Ledger *ledger, Datum datum, int128 *amount, uint32 *big)
{
	struct varlena *num = pg_detoast_datum_packed((struct varlena *)
												  DatumGetPointer(datum));
	NumericParts parts;

	salkpi_numeric_read(num, &parts);
	if (parts.ndigits == 0)
		return false;
	if (unlikely(parts.negative))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recurring amount \"%s\" is negative",
						DatumGetCString(DirectFunctionCall1(numeric_out,
															PointerGetDatum(num)))),
				 errhint("Leave such rows out before they are aggregated.")));
	if (unlikely(parts.dscale > ledger->dscale))
		salkpi_ledger_grow_scale(ledger, parts.dscale);
	*big = 0;
	if (likely(salkpi_parts_to_int128(&parts,
									  salkpi_fixed_scale(ledger->dscale),
									  amount)))
		return true;
	*amount = 0;
	*big = salkpi_ledger_keep_big(ledger,
								  DatumGetNumeric(PointerGetDatum(num))) + 1;
	return true;
}

/* Append a row to the log; its members are to be filled in. */
static inline uint32 *
append_row(Ledger *ledger, text *customer, uint32 start, uint32 end,
		   int128 amount, uint32 big)
{
	MemoryContext context = ledger->state.header.eoh_context;
	LedgerLog  *log = &ledger->log;
	Size		width = salkpi_ledger_log_width(ledger);
	uint32	   *words;

	log->amounts = salkpi_reserve(context, log->amounts, &log->namounts,
								  (Size) log->nrows + 1, sizeof(int128));
	log->words = salkpi_reserve(context, log->words, &log->nwords,
								(log->nrows + 1) * width, sizeof(uint32));
	log->amounts[log->nrows] = start < end ? amount : 0;
	words = log->words + log->nrows++ * width;
	words[LEDGER_LOG_START] = start;
	words[LEDGER_LOG_END] = end;
	words[LEDGER_LOG_BIG] = start < end ? big : 0;
	salkpi_batch_add(&ledger->customers, &log->batch, VARDATA_ANY(customer),
					 VARSIZE_ANY_EXHDR(customer));
	return words + LEDGER_LOG_WORDS;
}

/*
 * Add a row of which all but the amount is known to count: it comes at a bound
 * and goes at another or the same one.
 */
static inline void
add_interval(Ledger *ledger, FunctionCallInfo fcinfo, uint32 start, uint32 end)
{
	uint32		keys[SALKPI_MAX_KEYS];
	uint32	   *members;
	int128		amount;
	uint32		big;
	int			i;

	if (ledger->log.nrows >= ledger->log.limit)
		salkpi_ledger_fold(ledger);
	if (!read_amount(ledger, fcinfo->args[ARG_AMOUNT].value, &amount, &big))
		return;
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (ledger->shape.key_used[i])
			keys[i] = salkpi_key_put(&ledger->keys[i],
									 &fcinfo->args[ARG_KEYS + i]);
	if (ledger->log.batch.count == SALKPI_BATCH)
		salkpi_ledger_number_customers(ledger);
	members = append_row(ledger, PG_GETARG_TEXT_PP(ARG_CUSTOMER), start, end,
						 amount, big);
	for (i = 0; i < ledger->shape.ndimensions; i++)
		members[i] = salkpi_member_put(ledger->dimensions[i].spec,
									   &ledger->dimensions[i].members, keys);
}

/*
 * Add a row [from, to), if it has a customer, an amount, a length and begins
 * before the last bound.  Without "from" it was there at the first bound,
 * whatever that is.
 */
static inline void
add_row(Ledger *ledger, FunctionCallInfo fcinfo, int64 from, int64 to)
{
	uint32		start = 0;

	if (!HAS_ARG(ARG_CUSTOMER) || !HAS_ARG(ARG_AMOUNT) || to <= from)
		return;
	if (HAS_ARG(ARG_FROM))
		start = salkpi_bounds_upper(ledger->bounds, ledger->nbounds, from);
	if (start < ledger->nbounds)
		add_interval(ledger, fcinfo, start,
					 salkpi_bounds_upper(ledger->bounds, ledger->nbounds, to));
}

/* Transition of a ledger whose rows have instants. */
Datum
salkpi_ledger_add_instant(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, LEDGER_TYPE);
	Ledger	   *ledger = PG_ARGISNULL(ARG_STATE) ?
		start_ledger(fcinfo, context, BOUND_INSTANTS) :
		(Ledger *) salkpi_grid_writable(&salkpi_ledger_type, PG_GETARG_DATUM(ARG_STATE), context);

	add_row(ledger, fcinfo,
			HAS_ARG(ARG_FROM) ? PG_GETARG_TIMESTAMPTZ(ARG_FROM) : DT_NOBEGIN,
			HAS_ARG(ARG_TO) ? PG_GETARG_TIMESTAMPTZ(ARG_TO) : DT_NOEND);
	PG_RETURN_DATUM(EOHPGetRWDatum(&ledger->state.header));
}

/* Transition of a ledger whose rows have days. */
Datum
salkpi_ledger_add_day(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, LEDGER_TYPE);
	Ledger	   *ledger = PG_ARGISNULL(ARG_STATE) ?
		start_ledger(fcinfo, context, BOUND_DAYS) :
		(Ledger *) salkpi_grid_writable(&salkpi_ledger_type, PG_GETARG_DATUM(ARG_STATE), context);

	add_row(ledger, fcinfo,
			HAS_ARG(ARG_FROM) ? PG_GETARG_DATEADT(ARG_FROM) : DATEVAL_NOBEGIN,
			HAS_ARG(ARG_TO) ? PG_GETARG_DATEADT(ARG_TO) : DATEVAL_NOEND);
	PG_RETURN_DATUM(EOHPGetRWDatum(&ledger->state.header));
}

/* kpi_ledger_size(ledger) */
Datum
salkpi_ledger_size(PG_FUNCTION_ARGS)
{
	Datum		datum = PG_GETARG_DATUM(0);

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		PG_RETURN_INT64(MemoryContextMemAllocated(DatumGetEOHP(datum)->eoh_context,
												  true));
	PG_RETURN_INT64(toast_raw_datum_size(datum));
}
