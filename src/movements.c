/*
 * movements.c
 *	  Reading a ledger: the movements of each member in each period asked for.
 *
 * A period goes from one bound, its opening, to another one, its closing; it
 * may overlap others, as a quarter does its months.  Between the two a customer
 * makes at most one movement in a member, which depends on its amounts at both
 * ends alone:
 *
 *		opening	closing
 *		none	some		new if it never paid before the opening, else a
 *							reactivation
 *		some	none		churn
 *		some	more, less	expansion or contraction, by the difference
 *
 * Only customers with a step between opening and closing move.  So each step
 * of a customer is added, once, to the member's total amount and number of
 * customers at its bound, and shown to the periods that it lies in: the first
 * one shown tells the opening amount, the last one the closing amount.  For
 * each bound the periods are listed beforehand; a step costs as many looks as
 * there are grains, however many the periods.  What did not move follows from
 * the totals: retained revenue is the opening without contraction and churn,
 * since the smaller of opening and closing is the opening less what was lost.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ledger.h"
#include "movements.h"
#include "panel.h"
#include "salkpi.h"

#define MOVEMENTS_COLUMNS	20

/* What a row has beside dimension, member and period. */
static const PanelShape movement_shape = {.nints = 9,.nnumerics = 8};

/* The steps of a run are fetched so many runs before they are read. */
#define RUNS_AHEAD			8

/* What a member has at a bound. */
typedef struct State
{
	ExactSum	amount;			/* paid; until summed up, its change */
	int64		customers;		/* who pay; the same */
} State;

/* A customer in a period in which it has a step. */
typedef struct Change
{
	uint64		visit;			/* number of the run in which it was seen */
	ExactSum	opening;		/* amount at the opening */
	ExactSum	closing;		/* amount after the last step so far */
} Change;

/* The steps of a customer in a member. */
typedef struct Run
{
	Size		start;			/* first of the dimension's steps */
	uint32		count;			/* how many */
} Run;

/* One call of kpi_movements. */
typedef struct Reading
{
	Ledger	   *ledger;			/* what is read */
	int			scale;			/* of its amounts */
	ReturnSetInfo *result;		/* where the rows go; NULL: into the panel */
	PanelWriter panel;			/* that */
	bool		is_new_member;	/* has the member no row there yet? */
	MemoryContext member_context;	/* lives as long as a member */
	MemoryContext row_context;	/* lives as long as a row */
	uint32		nperiods;		/* number of periods asked for */
	Period	   *periods;		/* bounds behind the opening up to the closing */
	Size	   *list_start;		/* where a bound's periods start */
	uint32	   *list;			/* the periods of each bound */
	State	   *states;			/* of the member, by bound */
	Movements  *movements;		/* of the member, by period */
	Change	   *changes;		/* of the customer, by period */
	uint32	   *touched;		/* periods in which the customer has a step */
	uint64		visit;			/* runs visited so far */
	LedgerDimension *dimension; /* being read */
	Datum		members;		/* text[] of the member */
} Reading;

PG_FUNCTION_INFO_V1(salkpi_ledger_movements);
PG_FUNCTION_INFO_V1(salkpi_ledger_panel);

static void
read_periods(Reading *r, ArrayType *openings, ArrayType *closings)
{
	Datum	   *opening;
	Datum	   *closing;
	bool	   *opening_null;
	bool	   *closing_null;
	int			p;

	r->nperiods = salkpi_int4_array(openings, "openings of periods", &opening,
									&opening_null);
	if (salkpi_int4_array(closings, "closings of periods", &closing,
						  &closing_null) != r->nperiods)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("openings and closings must be arrays of the same length")));
	r->periods = palloc0((r->nperiods + 1) * sizeof(Period));
	for (p = 0; p < r->nperiods; p++)
	{
		Period	   *period = &r->periods[p];

		if (opening_null[p] || closing_null[p])
			continue;
		period->is_wanted = true;
		period->first = DatumGetInt32(opening[p]);
		period->last = (int64) DatumGetInt32(closing[p]) - 1;
		if (period->first < 1 || period->last >= (int64) r->ledger->nbounds ||
			period->last < period->first - 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("period %d is outside of the ledger", p + 1),
					 errdetail("It goes from bound " INT64_FORMAT " to " INT64_FORMAT ", the ledger from 1 to %u.",
							   period->first, period->last + 1,
							   r->ledger->nbounds)));
	}
}

/* The movement of a customer in a period. */
static inline void
classify(Reading *r, uint32 p, const Change *change, uint32 first)
{
	salkpi_movement_add(&r->movements[p], &change->opening, &change->closing,
						first >= r->periods[p].first, r->scale);
}

/* Show a step of the current run to the periods that it lies in. */
static inline uint32
show_step(Reading *r, uint32 at, const ExactSum *before, const ExactSum *after,
		  uint32 ntouched)
{
	Size		i;

	for (i = r->list_start[at]; i < r->list_start[at + 1]; i++)
	{
		uint32		p = r->list[i];
		Change	   *change = &r->changes[p];

		if (change->visit != r->visit)
		{
			change->visit = r->visit;
			change->opening = *before;
			r->touched[ntouched++] = p;
		}
		change->closing = *after;
	}
	return ntouched;
}

/*
 * Go through the steps of a customer in a member, for all periods at once.
 * The first of them is where it first paid anything.
 */
static void
read_run(Reading *r, const Run *run)
{
	const LedgerStep *steps = &r->dimension->steps[run->start];
	uint32		first = salkpi_step_bound(&steps[0]);
	ExactSum	amount = {0, NULL};
	uint32		ntouched = 0;
	Size		i;

	r->visit++;
	for (i = 0; i < run->count; i++)
	{
		uint32		bound = salkpi_step_bound(&steps[i]);
		ExactSum	delta = salkpi_step_sum(r->ledger, &steps[i]);
		State	   *state = &r->states[bound];
		ExactSum	before = amount;

		salkpi_sum_add_sum(&amount, &delta, 1, r->scale);
		salkpi_sum_add_sum(&state->amount, &delta, 1, r->scale);
		state->customers += salkpi_sum_is_zero(&before) - salkpi_sum_is_zero(&amount);
		ntouched = show_step(r, bound, &before, &amount, ntouched);
	}
	for (i = 0; i < ntouched; i++)
		classify(r, r->touched[i], &r->changes[r->touched[i]], first);
	for (i = r->list_start[first]; i < r->list_start[first + 1]; i++)
		r->movements[r->list[i]].first++;
}

static bool
is_empty(const State *opening, const State *closing, const Movements *movements)
{
	/* a customer who moves is there at one end at least */
	return opening->customers == 0 && closing->customers == 0 &&
		movements->first == 0;
}

static Datum
amount_datum(const Reading *r, const ExactSum *amount)
{
	return NumericGetDatum(salkpi_sum_to_numeric(amount, r->ledger->dscale));
}

/* A row of kpi_movements, whose columns are those of a panel's row. */
static void
emit_tuple(Reading *r, const PanelRow *row)
{
	Datum		values[MOVEMENTS_COLUMNS];
	bool		nulls[MOVEMENTS_COLUMNS] = {false};
	int			i;

	values[0] = CStringGetTextDatum(r->dimension->spec->name);
	values[1] = r->members;
	values[2] = Int32GetDatum(row->period + 1);
	for (i = 0; i < movement_shape.nnumerics; i++)
		values[3 + i] = row->numerics[i];
	for (i = 0; i < movement_shape.nints; i++)
		values[3 + movement_shape.nnumerics + i] = Int64GetDatum(row->ints[i]);
	tuplestore_putvalues(r->result->setResult, r->result->setDesc, values,
						 nulls);
}

/* One row of the result. */
static void
emit(Reading *r, uint32 p, const State *opening, const State *closing,
	 const Movements *movements)
{
	MemoryContext caller;
	PanelRow	row = {.period = p};
	ExactSum	retained = opening->amount;
	int			k;

	CHECK_FOR_INTERRUPTS();
	if (r->result == NULL && r->is_new_member)
		salkpi_panel_member(&r->panel, r->dimension->spec->name, r->members);
	r->is_new_member = false;
	caller = MemoryContextSwitchTo(r->row_context);
	salkpi_sum_add_sum(&retained, &movements->amount[CONTRACTION], -1, r->scale);
	salkpi_sum_add_sum(&retained, &movements->amount[CHURN], -1, r->scale);
	row.numerics[0] = amount_datum(r, &opening->amount);
	row.numerics[6] = amount_datum(r, &closing->amount);
	row.numerics[7] = amount_datum(r, &retained);
	row.ints[0] = opening->customers;
	row.ints[6] = closing->customers;
	for (k = 0; k < MOVEMENT_KINDS; k++)
	{
		row.numerics[1 + k] = amount_datum(r, &movements->amount[k]);
		row.ints[1 + k] = movements->customers[k];
	}
	row.ints[7] = opening->customers - movements->customers[CHURN];
	row.ints[8] = movements->first;
	if (r->result == NULL)
		salkpi_panel_row(&r->panel, &row);
	else
		emit_tuple(r, &row);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(r->row_context);
}

/* The rows of a member, all of whose runs have been read. */
static void
emit_member(Reading *r, bool is_blank)
{
	uint32		b;
	uint32		p;

	for (b = 1; b < r->ledger->nbounds; b++)
	{
		salkpi_sum_add_sum(&r->states[b].amount, &r->states[b - 1].amount, 1, r->scale);
		r->states[b].customers += r->states[b - 1].customers;
	}
	for (p = 0; p < r->nperiods; p++)
	{
		const State *opening;
		const State *closing;

		if (!r->periods[p].is_wanted)
			continue;
		opening = &r->states[r->periods[p].first - 1];
		closing = &r->states[r->periods[p].last];
		if (is_blank || !is_empty(opening, closing, &r->movements[p]))
			emit(r, p, opening, closing, &r->movements[p]);
	}
}

/*
 * The run that begins with a step; a customer's steps are sorted by member,
 * and end where those of the next one start.
 */
static inline Run
run_at(const LedgerDimension *dimension, Size start, Size end)
{
	const LedgerStep *steps = dimension->steps;
	Run			run = {start, 1};

	while (start + run.count < end &&
		   steps[start + run.count].member == steps[start].member)
		run.count++;
	return run;
}

/*
 * The runs of a dimension grouped by member, palloc'd: those of member m start
 * at (*start)[m] and end where those of m + 1 start.
 */
static Run *
group_runs(const LedgerDimension *dimension, uint32 nmembers, Size **start)
{
	const Size *starts = dimension->starts;
	Size	   *place = palloc_extended(((Size) nmembers + 2) * sizeof(Size),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Size		total = 0;
	Run		   *runs;
	Run			run;
	Size		i;
	uint32		c;

	for (c = 0; c < dimension->nfolded; c++)
		for (i = starts[c]; i < starts[c + 1]; i += run.count)
		{
			run = run_at(dimension, i, starts[c + 1]);
			place[dimension->steps[i].member + 2]++;
			total++;
		}
	for (i = 1; i <= nmembers; i++)
		place[i] += place[i - 1];
	runs = palloc_extended((total + 1) * sizeof(Run), MCXT_ALLOC_HUGE);
	CHECK_FOR_INTERRUPTS();
	for (c = 0; c < dimension->nfolded; c++)
		for (i = starts[c]; i < starts[c + 1]; i += run.count)
		{
			run = run_at(dimension, i, starts[c + 1]);
			runs[place[dimension->steps[i].member + 1]++] = run;
		}
	*start = place;
	return runs;
}

/* Read a member: its runs, then what they sum up to. */
static void
read_member(Reading *r, const uint32 *member, const Run *runs, Size count,
			bool is_blank)
{
	const LedgerDimension *dimension = r->dimension;
	MemoryContext caller = MemoryContextSwitchTo(r->member_context);
	Size		i;

	r->members = salkpi_member_texts(dimension->spec, r->ledger->keys,
									 &dimension->members, member);
	r->is_new_member = true;
	memset(r->states, 0, r->ledger->nbounds * sizeof(State));
	memset(r->movements, 0, r->nperiods * sizeof(Movements));
	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i + RUNS_AHEAD < count)
			__builtin_prefetch(&dimension->steps[runs[i + RUNS_AHEAD].start]);
		read_run(r, &runs[i]);
	}
	emit_member(r, is_blank);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(r->member_context);
}

static void
read_dimension(Reading *r, LedgerDimension *dimension)
{
	uint32		nmembers = salkpi_ledger_nmembers(r->ledger, dimension);
	uint32		blank = salkpi_member_blank(dimension->spec, r->ledger->keys,
											&dimension->members);
	Size	   *start;
	Run		   *runs = group_runs(dimension, nmembers, &start);
	uint32		m;

	r->dimension = dimension;
	if (blank == SALKPI_NOT_FOUND)
		read_member(r, NULL, NULL, 0, true);
	for (m = 0; m < nmembers; m++)
		read_member(r, &m, runs + start[m], start[m + 1] - start[m],
					m == blank);
	pfree(runs);
	pfree(start);
}

/* Start to read a ledger, the first argument, in the periods of the next two. */
static void
open_reading(Reading *r, FunctionCallInfo fcinfo)
{
	memset(r, 0, sizeof(Reading));
	r->member_context = AllocSetContextCreate(CurrentMemoryContext,
											  "kpi_movements member",
											  ALLOCSET_DEFAULT_SIZES);
	r->row_context = AllocSetContextCreate(CurrentMemoryContext,
										   "kpi_movements row",
										   ALLOCSET_DEFAULT_SIZES);
	r->ledger = salkpi_ledger_get(PG_GETARG_DATUM(0));
	r->scale = salkpi_fixed_scale(r->ledger->dscale);
	read_periods(r, PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_ARRAYTYPE_P(2));
	salkpi_periods_list(r->periods, r->nperiods, r->ledger->nbounds,
						&r->list_start, &r->list);
	r->states = palloc_extended(r->ledger->nbounds * sizeof(State),
								MCXT_ALLOC_HUGE);
	r->movements = palloc_extended((r->nperiods + 1) * sizeof(Movements),
								   MCXT_ALLOC_HUGE);
	r->changes = palloc_extended((r->nperiods + 1) * sizeof(Change),
								 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	r->touched = palloc((r->nperiods + 1) * sizeof(uint32));
}

static void
read_ledger(Reading *r)
{
	int			d;

	for (d = 0; d < r->ledger->shape.ndimensions; d++)
		read_dimension(r, &r->ledger->dimensions[d]);
}

/* kpi_movements(ledger, opening, closing) */
Datum
salkpi_ledger_movements(PG_FUNCTION_ARGS)
{
	Reading		r;

	InitMaterializedSRF(fcinfo, 0);
	open_reading(&r, fcinfo);
	r.result = (ReturnSetInfo *) fcinfo->resultinfo;
	read_ledger(&r);
	return (Datum) 0;
}

/* kpi_panel(ledger, opening, closing) */
Datum
salkpi_ledger_panel(PG_FUNCTION_ARGS)
{
	Reading		r;

	open_reading(&r, fcinfo);
	salkpi_panel_start(&r.panel, &movement_shape, CurrentMemoryContext);
	read_ledger(&r);
	PG_RETURN_POINTER(salkpi_panel_finish(&r.panel));
}
