/*
 * accounts.c
 *	  The type kpi_accounts: what each customer pays at the opening and at the
 *	  closing of a period.
 *
 * Retention, churn and the movements of recurring revenue follow from what a
 * customer, with all its subscriptions, pays at two instants; so these are
 * what the state of the aggregates keeps of each (keyed.c), however many
 * intervals there are.  An interval [from, to) is active at the instant t if
 * from < t and to >= t: what ends exactly when the period ends is still there,
 * and gone in the next one.  One flag tells whether the customer paid at all
 * before the opening, which tells the new from the returning.
 *
 * The ledger does the same for many periods, dimensions and members at once.
 * The arithmetic of movements is in movements.h, for both.
 *
 * An interval that is active at neither instant and says nothing about the
 * time before (it begins at the closing or later, or is empty) is left out, as
 * is one without customer, or without amount or of 0.  A negative amount would
 * spoil every sum that it is in: that is an error.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "keyed.h"
#include "movements.h"
#include "salkpi.h"

/* The amounts of a customer. */
#define AT_OPENING		0
#define AT_CLOSING		1

/* Columns of kpi_movements. */
#define MOVEMENTS_COLUMNS	17

/* Can intervals make this?  The flag is of one who paid before the opening. */
static bool
is_possible(const KeyedItem *item)
{
	return !salkpi_sum_is_negative(&item->sums[AT_OPENING]) &&
		!salkpi_sum_is_negative(&item->sums[AT_CLOSING]) &&
		(item->flag || salkpi_sum_is_zero(&item->sums[AT_OPENING]));
}

/* ---------- The aggregate ---------- */

/* A row: days or microseconds from 2000. */
typedef struct Span
{
	bool		since_ever;		/* has it no beginning? */
	int64		from;			/* else the first instant */
	int64		to;				/* first instant behind; the largest if open */
	int64		bounds[2];		/* opening and closing */
} Span;

static int64
get_instant(FunctionCallInfo fcinfo, int arg, BoundUnit unit)
{
	return unit == BOUND_DAYS ? PG_GETARG_DATEADT(arg) :
		PG_GETARG_TIMESTAMP(arg);
}

/*
 * The interval and the period of a row, from the argument "arg" on.  Events,
 * which have no end, are intervals that go on.
 */
static inline void
get_interval(FunctionCallInfo fcinfo, int arg, bool has_end, BoundUnit unit,
			 Span *span)
{
	int			bounds = arg + 1 + has_end;

	if (unlikely(PG_ARGISNULL(bounds) || PG_ARGISNULL(bounds + 1)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("opening and closing must not be NULL")));
	span->since_ever = PG_ARGISNULL(arg);
	span->from = span->since_ever ? 0 : get_instant(fcinfo, arg, unit);
	span->to = !has_end || PG_ARGISNULL(arg + 1) ? PG_INT64_MAX :
		get_instant(fcinfo, arg + 1, unit);
	span->bounds[0] = get_instant(fcinfo, bounds, unit);
	span->bounds[1] = get_instant(fcinfo, bounds + 1, unit);
}

/* Since ever is before any instant, -infinity too. */
static inline bool
begins_before(const Span *span, int64 instant)
{
	return span->since_ever || span->from < instant;
}

/* The bounds of the first row are those of all. */
static void
set_bounds(Keyed *keyed, const Span *span)
{
	if (span->bounds[1] < span->bounds[0])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("closing must not be before opening")));
	memcpy(keyed->bounds, span->bounds, sizeof(keyed->bounds));
}

static inline void
check_bounds(const Keyed *keyed, const Span *span)
{
	if (unlikely(keyed->bounds[0] != span->bounds[0] ||
				 keyed->bounds[1] != span->bounds[1]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("opening and closing must be the same in all rows that are aggregated"),
				 errhint("To have several periods, GROUP BY them.")));
}

static void
raise_negative(const Amount *amount)
{
	Datum		value = amount->is_numeric ? amount->datum :
		NumericGetDatum(int64_to_numeric(amount->integer));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("recurring amount \"%s\" is negative",
					DatumGetCString(DirectFunctionCall1(numeric_out, value))),
			 errhint("Leave such rows out before they are aggregated.")));
}

/* Add an interval that begins before the closing. */
static inline void
add_interval(Keyed *keyed, const Span *span, const Amount *amount,
			 KeyedItem *item)
{
	ExactSum	sum = {0, NULL};
	bool		is_active[2];
	int			i;

	for (i = AT_OPENING; i <= AT_CLOSING; i++)
		is_active[i] = begins_before(span, keyed->bounds[i]) &&
			span->to >= keyed->bounds[i];
	if (is_active[AT_OPENING] || is_active[AT_CLOSING])
		salkpi_keyed_scale(keyed, amount, &sum);
	for (i = AT_OPENING; i <= AT_CLOSING; i++)
	{
		item->sums[i].small = is_active[i] ? sum.small : 0;
		item->sums[i].big = is_active[i] ? sum.big : NULL;
	}
	item->flag = begins_before(span, keyed->bounds[AT_OPENING]);
	salkpi_keyed_add(keyed, item);
}

/*
 * Add an interval.  By the number of arguments behind the customer: (at, opening,
 * closing), (from, to, opening, closing), and the same behind an amount.
 */
static inline void
add_row(Keyed *keyed, FunctionCallInfo fcinfo)
{
	bool		is_first = keyed->kind == 0;
	bool		has_amount = PG_NARGS() == 7;
	Span		span;
	Amount		amount;
	KeyedItem	item;

	salkpi_keyed_expect(keyed, fcinfo);
	get_interval(fcinfo, has_amount ? 3 : 2, PG_NARGS() > 5, keyed->unit, &span);
	if (is_first)
		set_bounds(keyed, &span);
	check_bounds(keyed, &span);
	if (PG_ARGISNULL(1) || (has_amount && PG_ARGISNULL(2)))
		return;
	salkpi_amount_get(keyed->amount_type, PG_GETARG_DATUM(2), &amount);
	if (amount.sign < 0)
		raise_negative(&amount);
	if (amount.sign == 0 || !begins_before(&span, span.to) || !begins_before(&span, span.bounds[1]))
		return;
	salkpi_key_get(keyed->kind, PG_GETARG_DATUM(1), &item.key);
	add_interval(keyed, &span, &amount, &item);
}

static const KeyedType accounts_type = {"kpi_accounts", 2, true, is_possible, add_row};

/* Transition, for customers, amounts and instants of each type. */
PG_FUNCTION_INFO_V1(salkpi_accounts_add);
Datum
salkpi_accounts_add(PG_FUNCTION_ARGS)
{
	return salkpi_keyed_transition(&accounts_type, fcinfo);
}

KEYED_FUNCTIONS(accounts);

/* ---------- Reading ---------- */

/* What all customers of a table have and do together. */
typedef struct Balance
{
	int			dscale;			/* of the amounts */
	int			scale;			/* of their integers */
	ExactSum	amount[2];		/* at opening and closing */
	int64		customers[2];	/* who pay then */
	Movements	movements;		/* in between */
} Balance;

static void
read_balance(Datum datum, Balance *balance)
{
	KeyedScan	scan;
	KeyedItem	item;
	int			i;

	salkpi_keyed_scan(&scan, &accounts_type, datum);
	memset(balance, 0, sizeof(Balance));
	balance->dscale = scan.head.dscale;
	balance->scale = salkpi_fixed_scale(balance->dscale);
	while (salkpi_keyed_next(&scan, &item))
	{
		for (i = AT_OPENING; i <= AT_CLOSING; i++)
		{
			salkpi_sum_add_sum(&balance->amount[i], &item.sums[i], 1,
							   balance->scale);
			balance->customers[i] += !salkpi_sum_is_zero(&item.sums[i]);
		}
		balance->movements.first += !item.flag;
		salkpi_movement_add(&balance->movements, &item.sums[AT_OPENING],
							&item.sums[AT_CLOSING], !item.flag,
							balance->scale);
	}
}

/* Add up movements, each taken as often as said. */
static ExactSum
sum_movements(const Balance *balance, const int *factors)
{
	ExactSum	sum = {0, NULL};
	int			k;

	for (k = 0; k < MOVEMENT_KINDS; k++)
		if (factors[k] != 0)
			salkpi_sum_add_sum(&sum, &balance->movements.amount[k], factors[k],
							   balance->scale);
	return sum;
}

/*
 * The amount at the opening with movements added, each as often as said, or
 * the movements alone, by that at the opening, in percent.
 */
static Datum
return_revenue_rate(FunctionCallInfo fcinfo, bool with_opening,
					const int *factors)
{
	Balance		balance;
	ExactSum	sum;

	read_balance(PG_GETARG_DATUM(0), &balance);
	sum = sum_movements(&balance, factors);
	if (with_opening)
		salkpi_sum_add_sum(&sum, &balance.amount[AT_OPENING], 1, balance.scale);
	return salkpi_keyed_quotient(fcinfo, salkpi_sum_to_numeric(&sum, balance.dscale),
						   salkpi_sum_to_numeric(&balance.amount[AT_OPENING],
												 balance.dscale), true);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_net_retention);
Datum
salkpi_accounts_net_retention(PG_FUNCTION_ARGS)
{
	const int	factors[MOVEMENT_KINDS] = {[EXPANSION] = 1,[CONTRACTION] = -1,[CHURN] = -1};

	return return_revenue_rate(fcinfo, true, factors);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_gross_retention);
Datum
salkpi_accounts_gross_retention(PG_FUNCTION_ARGS)
{
	const int	factors[MOVEMENT_KINDS] = {[CONTRACTION] = -1,[CHURN] = -1};

	return return_revenue_rate(fcinfo, true, factors);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_revenue_churn);
Datum
salkpi_accounts_revenue_churn(PG_FUNCTION_ARGS)
{
	const int	factors[MOVEMENT_KINDS] = {[CONTRACTION] = 1,[CHURN] = 1};

	return return_revenue_rate(fcinfo, false, factors);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_net_churn);
Datum
salkpi_accounts_net_churn(PG_FUNCTION_ARGS)
{
	const int	factors[MOVEMENT_KINDS] = {[EXPANSION] = -1,[CONTRACTION] = 1,[CHURN] = 1};

	return return_revenue_rate(fcinfo, false, factors);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_quick_ratio);
Datum
salkpi_accounts_quick_ratio(PG_FUNCTION_ARGS)
{
	const int	gains[MOVEMENT_KINDS] = {[NEW] = 1,[REACTIVATION] = 1,[EXPANSION] = 1};
	const int	losses[MOVEMENT_KINDS] = {[CONTRACTION] = 1,[CHURN] = 1};
	Balance		balance;
	ExactSum	gained;
	ExactSum	lost;

	read_balance(PG_GETARG_DATUM(0), &balance);
	gained = sum_movements(&balance, gains);
	lost = sum_movements(&balance, losses);
	return salkpi_keyed_quotient(fcinfo,
						   salkpi_sum_to_numeric(&gained, balance.dscale),
						   salkpi_sum_to_numeric(&lost, balance.dscale), false);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_retention);
Datum
salkpi_accounts_retention(PG_FUNCTION_ARGS)
{
	Balance		balance;
	int64		opening;

	read_balance(PG_GETARG_DATUM(0), &balance);
	opening = balance.customers[AT_OPENING];
	return salkpi_keyed_quotient(fcinfo,
						   int64_to_numeric(opening - balance.movements.customers[CHURN]),
						   int64_to_numeric(opening), true);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_churn);
Datum
salkpi_accounts_churn(PG_FUNCTION_ARGS)
{
	Balance		balance;

	read_balance(PG_GETARG_DATUM(0), &balance);
	return salkpi_keyed_quotient(fcinfo,
						   int64_to_numeric(balance.movements.customers[CHURN]),
						   int64_to_numeric(balance.customers[AT_OPENING]), true);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_per_account);
Datum
salkpi_accounts_per_account(PG_FUNCTION_ARGS)
{
	Balance		balance;

	read_balance(PG_GETARG_DATUM(0), &balance);
	return salkpi_keyed_quotient(fcinfo,
						   salkpi_sum_to_numeric(&balance.amount[AT_CLOSING],
												 balance.dscale),
						   int64_to_numeric(balance.customers[AT_CLOSING]), false);
}

PG_FUNCTION_INFO_V1(salkpi_accounts_new);
Datum
salkpi_accounts_new(PG_FUNCTION_ARGS)
{
	Balance		balance;

	read_balance(PG_GETARG_DATUM(0), &balance);
	PG_RETURN_INT64(balance.movements.first);
}

static Datum
amount_datum(const Balance *balance, const ExactSum *amount)
{
	return NumericGetDatum(salkpi_sum_to_numeric(amount, balance->dscale));
}

/* kpi_movements(kpi_accounts): one row. */
PG_FUNCTION_INFO_V1(salkpi_accounts_movements);
Datum
salkpi_accounts_movements(PG_FUNCTION_ARGS)
{
	Datum		values[MOVEMENTS_COLUMNS];
	bool		nulls[MOVEMENTS_COLUMNS] = {false};
	TupleDesc	tupdesc;
	Balance		balance;
	ExactSum	retained;
	int			k;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	read_balance(PG_GETARG_DATUM(0), &balance);
	retained = balance.amount[AT_OPENING];
	salkpi_sum_add_sum(&retained, &balance.movements.amount[CONTRACTION], -1,
					   balance.scale);
	salkpi_sum_add_sum(&retained, &balance.movements.amount[CHURN], -1,
					   balance.scale);
	values[0] = amount_datum(&balance, &balance.amount[AT_OPENING]);
	values[6] = amount_datum(&balance, &balance.amount[AT_CLOSING]);
	values[7] = amount_datum(&balance, &retained);
	values[8] = Int64GetDatum(balance.customers[AT_OPENING]);
	values[14] = Int64GetDatum(balance.customers[AT_CLOSING]);
	for (k = 0; k < MOVEMENT_KINDS; k++)
	{
		values[1 + k] = amount_datum(&balance, &balance.movements.amount[k]);
		values[9 + k] = Int64GetDatum(balance.movements.customers[k]);
	}
	values[15] = Int64GetDatum(balance.customers[AT_OPENING] -
							   balance.movements.customers[CHURN]);
	values[16] = Int64GetDatum(balance.movements.first);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}
