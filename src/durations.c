/*
 * durations.c
 *	  The type kpi_durations: an exact, mergeable distribution of durations.
 *
 * Mean, median and percentiles of a cycle length do not add up over months
 * or teams; the multiset of its durations does.  So that is what is stored:
 * every distinct duration, ascending, each as its distance from the one before
 * and with how many there are of it, if any occurs more than once.  The more
 * durations there are the smaller are the distances, and a number takes as few
 * bytes as it needs: two each for some hundred cycles of weeks that were timed
 * by the second.  There is one such sequence for each multiset and no padding,
 * hence equal values are equal bytes, whatever the order of the rows and the
 * shape of the plan that collected them.
 *
 * An aggregate collects its rows in another form, the open one, for which see
 * durations_state.c.  Open states travel between processes, and a user's own
 * aggregate can get hold of one, so every function accepts both forms; what
 * functions return (those of a transition aside), print and send is canonical.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "durations.h"
#include "durations_private.h"

/* Decimals of a number of days. */
#define DAYS_SCALE			16

/* ---------- Both forms ---------- */

void
salkpi_durations_too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("kpi_durations value is too large"),
			 errdetail("A value holds at most %zu different durations.",
					   (Size) DURATIONS_MAX)));
}

void
salkpi_durations_too_many(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of durations is out of range"),
			 errdetail("A kpi_durations value holds at most %lld durations.",
					   (long long) PG_INT64_MAX)));
}

void
salkpi_durations_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("kpi_durations value is damaged")));
}

/*
 * What can be told about a datum in constant time.  Everything else holds for
 * any value of the type, since input checks it.
 */
static bool
is_well_formed(const struct varlena *v)
{
	const Durations *d = (const Durations *) v;
	const OpenDurations *open = (const OpenDurations *) v;
	Size		size = VARSIZE(v);

	if (size <= offsetof(Durations, steps) || d->layout != DURATIONS_LAYOUT)
		return false;
	if (d->form == DURATIONS_CANONICAL)
		return d->numbers <= (DURATIONS_SECONDS | DURATIONS_COUNTED);
	return d->form == DURATIONS_OPEN &&
		size >= offsetof(OpenDurations, tallies) &&
		open->used >= 0 && open->used <= open_capacity(open);
}

void
salkpi_durations_check(const struct varlena *v)
{
	if (!is_well_formed(v))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("kpi_durations value has an unknown format"),
				 errhint("It may have been written by a newer version of salkpi.")));
}

/* The argument of an entry point, which must be canonical. */
static const Durations *
as_canonical(const struct varlena *v)
{
	salkpi_durations_check(v);
	if (((const Durations *) v)->form != DURATIONS_CANONICAL)
		elog(ERROR, "kpi_durations value is not in its canonical form");
	return (const Durations *) v;
}

/*
 * A canonical value in CurrentMemoryContext for the steps that were measured,
 * which are to be written next.
 */
static Durations *
begin_writing(StepWriter *w)
{
	Durations	head = {.layout = DURATIONS_LAYOUT,.form = DURATIONS_CANONICAL};
	Durations  *d;
	Size		size;
	int64		total = w->last.upto;

	if (w->count > DURATIONS_MAX)
		salkpi_durations_too_large();
	w->in_seconds &= w->count > 0;
	w->is_counted = total != w->count;
	head.numbers = (w->in_seconds ? DURATIONS_SECONDS : 0) | (w->is_counted ? DURATIONS_COUNTED : 0);
	size = offsetof(Durations, steps) + number_size(w->count) + w->values_size +
		(w->is_counted ? number_size(total) + w->counts_size : 0);
	d = palloc(size);
	memcpy(d, &head, offsetof(Durations, steps));
	SET_VARSIZE(d, size);
	w->next = put_number(d->steps, w->count);
	if (w->is_counted)
		w->next = put_number(w->next, total);
	w->count = 0;
	w->last = (Step) {0, 0};
	return d;
}

static void
put_steps(StepWriter *w, const Step *steps, Size n)
{
	for (Size i = 0; i < n; i++)
	{
		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		put_step(w, steps[i].value, steps[i].upto);
	}
}

/* The canonical value of n steps, in CurrentMemoryContext. */
Durations *
salkpi_durations_of_steps(const Step *steps, Size n)
{
	StepWriter	w = {.in_seconds = true};
	Durations  *d;

	for (Size i = 0; i < n && w.in_seconds; i++)
		w.in_seconds = steps[i].value % USECS_PER_SEC == 0;
	put_steps(&w, steps, n);
	d = begin_writing(&w);
	put_steps(&w, steps, n);
	return d;
}

/* ---------- The canonical form ---------- */

int64
salkpi_durations_count(const struct varlena *v)
{
	return read_steps(as_canonical(v)).total;
}

/* At most 2^63 durations of at most 2^63: the sum is within 2^126. */
void
salkpi_durations_sum(const struct varlena *v, int128 *sum)
{
	StepReader	r = read_steps(as_canonical(v));

	*sum = 0;
	while (next_step(&r))
	{
		if ((r.nread & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		*sum += (int128) r.step.value * r.times;
	}
}

void
salkpi_durations_at(const struct varlena *v, int64 rank, int64 *value, int64 *next)
{
	StepReader	r = read_steps(as_canonical(v));

	if (rank < 0 || rank >= r.total)
		elog(ERROR, "rank %lld of a kpi_durations value is out of range",
			 (long long) rank);
	while (r.step.upto <= rank && next_step(&r))
		if ((r.nread & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
	*value = r.step.value;
	if (r.step.upto == rank + 1)
		(void) next_step(&r);
	*next = r.step.value;
}

/* Values in order, as steps. */
static void
put_values(StepWriter *w, const int64 *values, Size n)
{
	for (Size i = 0; i < n; i++)
	{
		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (i + 1 == n || values[i + 1] != values[i])
			put_step(w, values[i], i + 1);
	}
}

struct varlena *
salkpi_durations_build(const int64 *values, Size n)
{
	StepWriter	w = {.in_seconds = true};
	Durations  *d;

	for (Size i = 0; i < n && w.in_seconds; i++)
		w.in_seconds = values[i] % USECS_PER_SEC == 0;
	put_values(&w, values, n);
	d = begin_writing(&w);
	put_values(&w, values, n);
	return (struct varlena *) d;
}

/* The steps of two canonical values together. */
static void
put_merged(StepWriter *w, const Durations *da, const Durations *db)
{
	StepReader	a = read_steps(da);
	StepReader	b = read_steps(db);
	bool		has_a = next_step(&a);
	bool		has_b = next_step(&b);
	int64		upto = 0;

	while (has_a || has_b)
	{
		int64		value = has_a && (!has_b || a.step.value <= b.step.value) ? a.step.value : b.step.value;

		if ((w->count & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (has_a && a.step.value == value)
		{
			upto += a.times;
			has_a = next_step(&a);
		}
		if (has_b && b.step.value == value)
		{
			upto += b.times;
			has_b = next_step(&b);
		}
		put_step(w, value, upto);
	}
}

struct varlena *
salkpi_durations_merge(const struct varlena *va, const struct varlena *vb)
{
	const Durations *a = as_canonical(va);
	const Durations *b = as_canonical(vb);
	int64		count_a = salkpi_durations_count(va);
	int64		count_b = salkpi_durations_count(vb);
	int64		total;
	StepWriter	w = {.in_seconds = (a->numbers & b->numbers & DURATIONS_SECONDS) != 0};
	Durations  *d;

	if (count_a == 0 || count_b == 0)
		return (struct varlena *) (count_a == 0 ? vb : va);
	if (pg_add_s64_overflow(count_a, count_b, &total))
		salkpi_durations_too_many();
	put_merged(&w, a, b);
	d = begin_writing(&w);
	put_merged(&w, a, b);
	return (struct varlena *) d;
}

struct varlena *
salkpi_durations_get(Datum datum)
{
	struct varlena *v = PG_DETOAST_DATUM(datum);

	salkpi_durations_check(v);
	if (((Durations *) v)->form == DURATIONS_OPEN)
		v = (struct varlena *) salkpi_durations_close((OpenDurations *) v);
	return v;
}

/* ---------- Days ---------- */

static inline Datum
int64_datum(int64 value)
{
	return NumericGetDatum(int64_to_numeric(value));
}

/*
 * microseconds / (n * a day), both exact and n > 0, rounded once: half a unit
 * of the last decimal is added to the magnitude, and the rest cut off.
 */
static Numeric
rounded_days(Datum microseconds, Datum n)
{
	Datum		zero = int64_datum(0);
	Datum		two = int64_datum(2);
	Datum		unit = NumericGetDatum(int64_div_fast_to_numeric(1, DAYS_SCALE));
	Datum		scale = int64_datum(INT64CONST(10000000000000000));
	Datum		divisor = DirectFunctionCall2(numeric_mul, n,
											  int64_datum(USECS_PER_DAY));
	Datum		units = DirectFunctionCall2(numeric_mul, scale,
											DirectFunctionCall1(numeric_abs, microseconds));

	units = DirectFunctionCall2(numeric_add, divisor,
								DirectFunctionCall2(numeric_mul, units, two));
	units = DirectFunctionCall2(numeric_div_trunc, units,
								DirectFunctionCall2(numeric_mul, divisor, two));
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, microseconds, zero)))
		units = DirectFunctionCall1(numeric_uminus, units);
	return DatumGetNumeric(DirectFunctionCall2(numeric_mul, units, unit));
}

/* Quotient and remainder fit in 64 bits, where the sum may not. */
Numeric
salkpi_days_mean(int128 sum, int64 count)
{
	Datum		n = int64_datum(count);
	Datum		whole = DirectFunctionCall2(numeric_mul, n,
											int64_datum((int64) (sum / count)));

	return rounded_days(DirectFunctionCall2(numeric_add, whole,
											int64_datum((int64) (sum % count))),
						n);
}

Numeric
salkpi_durations_mean(const struct varlena *d)
{
	int64		count = salkpi_durations_count(d);
	int128		sum;

	if (count == 0)
		return NULL;
	salkpi_durations_sum(d, &sum);
	return salkpi_days_mean(sum, count);
}

/*
 * percentile_cont: p of the way from rank 0 to rank count - 1, between two
 * durations in proportion.
 */
Numeric
salkpi_durations_quantile(const struct varlena *d, Numeric p)
{
	Datum		one = int64_datum(1);
	int64		count = salkpi_durations_count(d);
	int64		rank;
	int64		lower;
	int64		upper;
	Datum		position;
	Datum		part;
	Datum		distance;

	if (DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(p),
										 int64_datum(0))) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(p), one)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantile must be between 0 and 1, not %s",
						DatumGetCString(DirectFunctionCall1(numeric_out,
															NumericGetDatum(p))))));
	if (count == 0)
		return NULL;
	position = DirectFunctionCall2(numeric_mul, NumericGetDatum(p),
								   int64_datum(count - 1));
	part = DirectFunctionCall1(numeric_floor, position);
	rank = DatumGetInt64(DirectFunctionCall1(numeric_int8, part));
	part = DirectFunctionCall2(numeric_sub, position, part);
	salkpi_durations_at(d, rank, &lower, &upper);
	distance = DirectFunctionCall2(numeric_sub, int64_datum(upper),
								   int64_datum(lower));
	distance = DirectFunctionCall2(numeric_mul, part, distance);
	return rounded_days(DirectFunctionCall2(numeric_add, distance,
											int64_datum(lower)), one);
}

bool
salkpi_durations_equal(const struct varlena *a, const struct varlena *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* ---------- SQL functions ---------- */

static struct varlena *
get_durations(FunctionCallInfo fcinfo, int arg)
{
	return salkpi_durations_get(PG_GETARG_DATUM(arg));
}

PG_FUNCTION_INFO_V1(salkpi_durations_eq);
Datum
salkpi_durations_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(salkpi_durations_equal(get_durations(fcinfo, 0),
							 get_durations(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(salkpi_durations_ne);
Datum
salkpi_durations_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!salkpi_durations_equal(get_durations(fcinfo, 0),
							  get_durations(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(salkpi_durations_hash);
Datum
salkpi_durations_hash(PG_FUNCTION_ARGS)
{
	struct varlena *d = get_durations(fcinfo, 0);

	return hash_any((unsigned char *) VARDATA(d), VARSIZE(d) - VARHDRSZ);
}

PG_FUNCTION_INFO_V1(salkpi_durations_hash_extended);
Datum
salkpi_durations_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *d = get_durations(fcinfo, 0);

	return hash_any_extended((unsigned char *) VARDATA(d),
							 VARSIZE(d) - VARHDRSZ, PG_GETARG_INT64(1));
}

PG_FUNCTION_INFO_V1(salkpi_kpi_count);
Datum
salkpi_kpi_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(salkpi_durations_count(get_durations(fcinfo, 0)));
}

PG_FUNCTION_INFO_V1(salkpi_kpi_mean);
Datum
salkpi_kpi_mean(PG_FUNCTION_ARGS)
{
	Numeric		mean = salkpi_durations_mean(get_durations(fcinfo, 0));

	if (mean == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(mean);
}

/* kpi_quantile, and those of fixed shares of the durations. */
static Datum
return_quantile(FunctionCallInfo fcinfo, Numeric p)
{
	Numeric		quantile = salkpi_durations_quantile(get_durations(fcinfo, 0),
													 p);

	if (quantile == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(quantile);
}

PG_FUNCTION_INFO_V1(salkpi_kpi_quantile);
Datum
salkpi_kpi_quantile(PG_FUNCTION_ARGS)
{
	return return_quantile(fcinfo, PG_GETARG_NUMERIC(1));
}

PG_FUNCTION_INFO_V1(salkpi_kpi_median);
Datum
salkpi_kpi_median(PG_FUNCTION_ARGS)
{
	return return_quantile(fcinfo, int64_div_fast_to_numeric(5, 1));
}

PG_FUNCTION_INFO_V1(salkpi_kpi_p90);
Datum
salkpi_kpi_p90(PG_FUNCTION_ARGS)
{
	return return_quantile(fcinfo, int64_div_fast_to_numeric(9, 1));
}
