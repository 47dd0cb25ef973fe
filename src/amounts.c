/*
 * amounts.c
 *	  The type kpi_amounts: what the lines of each purchase, or of each
 *	  customer, add up to.
 *
 * The average purchase is all revenue by the purchases with a positive line:
 * a credit note reduces the revenue, and is no purchase of its own.  A
 * purchase has many lines, and they may lie in any part of the rows; so the
 * state of the aggregate is a table of purchases (keyed.c) with the sum of
 * each one's lines and whether any of them was positive.  The same table of
 * customers tells who bought, and how much of the revenue is that of the
 * largest few.
 *
 * A line without key or amount is left out: it cannot be told what it belongs
 * to, or what it changes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "keyed.h"
#include "salkpi.h"

/* How many customers a concentration is of, if it is not said. */
#define LARGEST_CUSTOMERS	10

/* Can lines add up to this?  The flag says that one of them was positive. */
static bool
is_possible(const KeyedItem *item)
{
	return item->flag || salkpi_sum_is_negative(&item->sums[0]) ||
		salkpi_sum_is_zero(&item->sums[0]);
}

/* ---------- The aggregate ---------- */

/* Add a line, whose key and amount are no NULL. */
static inline void
add_line(Keyed *keyed, FunctionCallInfo fcinfo)
{
	Amount		amount;
	KeyedItem	item;

	salkpi_keyed_expect(keyed, fcinfo);
	salkpi_amount_get(keyed->amount_type, PG_GETARG_DATUM(2), &amount);
	salkpi_key_get(keyed->kind, PG_GETARG_DATUM(1), &item.key);
	item.flag = amount.sign > 0;
	salkpi_keyed_scale(keyed, &amount, &item.sums[0]);
	salkpi_keyed_add(keyed, &item);
}

static const KeyedType amounts_type = {"kpi_amounts", 1, false, is_possible, add_line};

/* Transition, for keys and amounts of each type. */
PG_FUNCTION_INFO_V1(salkpi_amounts_add);
Datum
salkpi_amounts_add(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		return salkpi_keyed_transition(&amounts_type, fcinfo);
	fcinfo->isnull = PG_ARGISNULL(0);
	return PG_GETARG_DATUM(0);
}

KEYED_FUNCTIONS(amounts);

/* ---------- Reading ---------- */

/* What all keys of a table have together. */
typedef struct AmountTotals
{
	int			dscale;			/* of the amounts */
	int64		count;			/* keys with a positive amount */
	ExactSum	total;			/* all amounts */
} AmountTotals;

static void
read_totals(Datum datum, AmountTotals *totals)
{
	KeyedScan	scan;
	KeyedItem	item;

	salkpi_keyed_scan(&scan, &amounts_type, datum);
	memset(totals, 0, sizeof(AmountTotals));
	totals->dscale = scan.head.dscale;
	while (salkpi_keyed_next(&scan, &item))
	{
		totals->count += item.flag;
		salkpi_sum_add_sum(&totals->total, &item.sums[0], 1,
						   salkpi_fixed_scale(totals->dscale));
	}
}

/* kpi_count(kpi_amounts) */
PG_FUNCTION_INFO_V1(salkpi_amounts_count);
Datum
salkpi_amounts_count(PG_FUNCTION_ARGS)
{
	AmountTotals totals;

	read_totals(PG_GETARG_DATUM(0), &totals);
	PG_RETURN_INT64(totals.count);
}

/* kpi_total(kpi_amounts) */
PG_FUNCTION_INFO_V1(salkpi_amounts_total);
Datum
salkpi_amounts_total(PG_FUNCTION_ARGS)
{
	AmountTotals totals;

	read_totals(PG_GETARG_DATUM(0), &totals);
	PG_RETURN_NUMERIC(salkpi_sum_to_numeric(&totals.total, totals.dscale));
}

/* kpi_average(kpi_amounts) */
PG_FUNCTION_INFO_V1(salkpi_amounts_average);
Datum
salkpi_amounts_average(PG_FUNCTION_ARGS)
{
	AmountTotals totals;

	read_totals(PG_GETARG_DATUM(0), &totals);
	return salkpi_keyed_quotient(fcinfo,
								 salkpi_sum_to_numeric(&totals.total,
													   totals.dscale),
								 int64_to_numeric(totals.count), false);
}

/*
 * The largest first; both are settled, at the scale given.  There are many
 * comparisons, so what one of them needs is freed.
 */
static int
compare_sums(const void *a, const void *b, void *scale)
{
	const ExactSum *x = a;
	const ExactSum *y = b;
	Numeric		x_value = x->big;
	Numeric		y_value = y->big;
	int			order;

	CHECK_FOR_INTERRUPTS();
	if (x->big == NULL && y->big == NULL)
		return (x->small < y->small) - (x->small > y->small);
	if (x->big == NULL)
		x_value = salkpi_int128_to_numeric(x->small, *(int *) scale);
	if (y->big == NULL)
		y_value = salkpi_int128_to_numeric(y->small, *(int *) scale);
	order = salkpi_numeric_compare(y_value, x_value);
	if (x->big == NULL)
		pfree(x_value);
	if (y->big == NULL)
		pfree(y_value);
	return order;
}

/* The sum of the n largest of a table, and that of all. */
static void
sum_largest(Datum datum, int n, ExactSum *largest, AmountTotals *totals)
{
	KeyedScan	scan;
	KeyedItem	item;
	ExactSum   *sums;
	int			scale;
	uint32		i;

	salkpi_keyed_scan(&scan, &amounts_type, datum);
	sums = palloc_extended((scan.head.count + 1) * sizeof(ExactSum),
						   MCXT_ALLOC_HUGE);
	totals->dscale = scan.head.dscale;
	scale = salkpi_fixed_scale(totals->dscale);
	for (i = 0; salkpi_keyed_next(&scan, &item); i++)
		sums[i] = item.sums[0];
	qsort_arg(sums, scan.head.count, sizeof(ExactSum), compare_sums, &scale);
	for (i = 0; i < scan.head.count; i++)
	{
		salkpi_sum_add_sum(&totals->total, &sums[i], 1, scale);
		if (i < n)
			*largest = totals->total;
	}
}

/* What of 100 the n largest have; NULL if all together are not positive. */
static Datum
return_concentration(FunctionCallInfo fcinfo, int n)
{
	AmountTotals totals = {0};
	ExactSum	largest = {0, NULL};

	sum_largest(PG_GETARG_DATUM(0), n, &largest, &totals);
	return salkpi_keyed_quotient(fcinfo,
								 salkpi_sum_to_numeric(&largest, totals.dscale),
								 salkpi_sum_to_numeric(&totals.total,
													   totals.dscale), true);
}

/* kpi_concentration(kpi_amounts) */
PG_FUNCTION_INFO_V1(salkpi_amounts_concentration);
Datum
salkpi_amounts_concentration(PG_FUNCTION_ARGS)
{
	return return_concentration(fcinfo, LARGEST_CUSTOMERS);
}

/* kpi_concentration(kpi_amounts, integer) */
PG_FUNCTION_INFO_V1(salkpi_amounts_concentration_of);
Datum
salkpi_amounts_concentration_of(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_INT32(1) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of the largest must be positive, not %d",
						PG_GETARG_INT32(1))));
	return return_concentration(fcinfo, PG_GETARG_INT32(1));
}
