/*
 * durations.c
 *	  The type kpi_durations: an exact, mergeable distribution of durations.
 *
 * Mean, median and percentiles of a cycle length do not add up over months
 * or teams; the multiset of its durations does.  So that is what is stored:
 * every distinct duration in microseconds, ascending, each with the number of
 * durations up to and including it.  Counting up rather than one by one makes
 * the duration of any rank a binary search.  There is one such sequence for
 * each multiset and no padding, hence equal values are equal bytes, whatever
 * the order of the rows and the shape of the plan that collected them.
 *
 * An aggregate cannot afford to keep that order for each row.  Its state is a
 * value of the same type in the open form: tallies in the order they came,
 * with room to spare, in one chunk that is changed in place.  When it is full
 * it is folded (sorted, equal durations made one) and, if that leaves less
 * than half of it free, moved to a chunk of twice the size.  A fold thus costs
 * O(n log n) but happens after at least n / 2 rows, and durations in whole
 * days need no more room than there are different ones.  A grown state is
 * returned as a fresh chunk, never repalloc'd: the executor copies it to the
 * aggregate's context and frees the old one.
 *
 * Open states travel between processes, and a user's own aggregate can get
 * hold of one, so every function accepts both forms; what functions return
 * (those of a transition aside), print and send is canonical.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "durations.h"
#include "salkpi.h"

#define DURATIONS_VERSION	1
#define DURATIONS_CANONICAL	0
#define DURATIONS_OPEN		1

/* Decimals of a number of days. */
#define DAYS_SCALE			16

/* The smallest open state; a power of two, as the allocator rounds. */
#define OPEN_SIZE_MIN		64

/* How many steps a loop takes between two looks at interrupts; 2^n - 1. */
#define INTERRUPT_MASK		0xFFFF

typedef struct Step
{
	int64		value;			/* microseconds */
	int64		upto;			/* number of durations <= value */
} Step;

typedef struct Durations
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint16		version;		/* DURATIONS_VERSION */
	uint16		form;			/* DURATIONS_CANONICAL */
	Step		steps[FLEXIBLE_ARRAY_MEMBER];	/* both fields ascending */
} Durations;

typedef struct Tally
{
	int64		value;			/* microseconds */
	int64		count;			/* number of durations, > 0 */
} Tally;

typedef struct OpenDurations
{
	int32		vl_len_;		/* varlena header, including room to spare */
	uint16		version;		/* DURATIONS_VERSION */
	uint16		form;			/* DURATIONS_OPEN */
	int64		used;			/* tallies in use; zeros follow them */
	Tally		tallies[FLEXIBLE_ARRAY_MEMBER]; /* in any order */
} OpenDurations;

/* How many different durations fit in a datum, in either form. */
#define DURATIONS_MAX \
	((MaxAllocSize - offsetof(OpenDurations, tallies)) / sizeof(Tally))

#define compare_int64(a, b)	(((a) > (b)) - ((a) < (b)))

#define ST_SORT sort_values
#define ST_ELEMENT_TYPE int64
#define ST_COMPARE(a, b) compare_int64(*(a), *(b))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_tallies
#define ST_ELEMENT_TYPE Tally
#define ST_COMPARE(a, b) compare_int64((a)->value, (b)->value)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---------- Both forms ---------- */

static void
report_too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("kpi_durations value is too large"),
			 errdetail("A value holds at most %zu different durations.",
					   (Size) DURATIONS_MAX)));
}

static void
report_too_many(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of durations is out of range"),
			 errdetail("A kpi_durations value holds at most %lld durations.",
					   (long long) PG_INT64_MAX)));
}

static inline Size
step_count(const Durations *d)
{
	return (VARSIZE(d) - offsetof(Durations, steps)) / sizeof(Step);
}

static inline Size
open_capacity(const OpenDurations *state)
{
	return (VARSIZE(state) - offsetof(OpenDurations, tallies)) / sizeof(Tally);
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

	if (size < offsetof(Durations, steps) || d->version != DURATIONS_VERSION)
		return false;
	if (d->form == DURATIONS_CANONICAL)
		return (size - offsetof(Durations, steps)) % sizeof(Step) == 0;
	return d->form == DURATIONS_OPEN &&
		size >= offsetof(OpenDurations, tallies) &&
		open->used >= 0 && open->used <= open_capacity(open);
}

static void
check_well_formed(const struct varlena *v)
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
	check_well_formed(v);
	if (((const Durations *) v)->form != DURATIONS_CANONICAL)
		elog(ERROR, "kpi_durations value is not in its canonical form");
	return (const Durations *) v;
}

/* An empty canonical value in CurrentMemoryContext with room for n steps. */
static Durations *
create_durations(Size n)
{
	Durations  *d;
	Size		size;

	if (n > DURATIONS_MAX)
		report_too_large();
	size = offsetof(Durations, steps) + n * sizeof(Step);
	d = palloc(size);
	SET_VARSIZE(d, size);
	d->version = DURATIONS_VERSION;
	d->form = DURATIONS_CANONICAL;
	return d;
}

/* ---------- The canonical form ---------- */

int64
salkpi_durations_count(const struct varlena *v)
{
	const Durations *d = as_canonical(v);
	Size		n = step_count(d);

	return n == 0 ? 0 : d->steps[n - 1].upto;
}

/* At most 2^63 durations of at most 2^63: the sum is within 2^126. */
void
salkpi_durations_sum(const struct varlena *v, int128 *sum)
{
	const Durations *d = as_canonical(v);
	Size		n = step_count(d);
	int64		before = 0;

	*sum = 0;
	for (Size i = 0; i < n; i++)
	{
		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		*sum += (int128) d->steps[i].value * (d->steps[i].upto - before);
		before = d->steps[i].upto;
	}
}

void
salkpi_durations_at(const struct varlena *v, int64 rank, int64 *value)
{
	const Durations *d = as_canonical(v);
	Size		low = 0;
	Size		high = step_count(d);

	if (rank < 0 || rank >= salkpi_durations_count(v))
		elog(ERROR, "rank %lld of a kpi_durations value is out of range",
			 (long long) rank);
	while (low < high)
	{
		Size		middle = low + (high - low) / 2;

		if (d->steps[middle].upto <= rank)
			low = middle + 1;
		else
			high = middle;
	}
	*value = d->steps[low].value;
}

struct varlena *
salkpi_durations_build(int64 *values, Size n)
{
	Durations  *d;
	Size		distinct = 0;
	Size		last = 0;

	sort_values(values, n);
	for (Size i = 0; i < n; i++)
		distinct += (i == 0 || values[i] != values[i - 1]);
	d = create_durations(distinct);
	for (Size i = 0; i < n; i++)
	{
		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (i > 0 && values[i] != values[i - 1])
			last++;
		d->steps[last].value = values[i];
		d->steps[last].upto = i + 1;
	}
	return (struct varlena *) d;
}

/*
 * Merges two canonical values into out, or only counts the result's steps if
 * out is NULL.
 */
static Size
merge_steps(const Durations *a, const Durations *b, Step *out)
{
	Size		na = step_count(a);
	Size		nb = step_count(b);
	Size		i = 0;
	Size		j = 0;
	Size		n = 0;

	while (i < na || j < nb)
	{
		bool		from_a = j == nb ||
			(i < na && a->steps[i].value <= b->steps[j].value);
		int64		value = from_a ? a->steps[i].value : b->steps[j].value;

		if ((n & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (i < na && a->steps[i].value == value)
			i++;
		if (j < nb && b->steps[j].value == value)
			j++;
		if (out != NULL)
		{
			out[n].value = value;
			out[n].upto = (i > 0 ? a->steps[i - 1].upto : 0) +
				(j > 0 ? b->steps[j - 1].upto : 0);
		}
		n++;
	}
	return n;
}

struct varlena *
salkpi_durations_merge(const struct varlena *va, const struct varlena *vb)
{
	const Durations *a = as_canonical(va);
	const Durations *b = as_canonical(vb);
	Durations  *d;
	int64		total;

	if (pg_add_s64_overflow(salkpi_durations_count(va),
							salkpi_durations_count(vb), &total))
		report_too_many();
	d = create_durations(merge_steps(a, b, NULL));
	merge_steps(a, b, d->steps);
	return (struct varlena *) d;
}

/* ---------- The open form ---------- */

/* An empty state with room for at least n tallies, for more if possible. */
static OpenDurations *
create_open(Size n)
{
	OpenDurations *state;
	Size		size = OPEN_SIZE_MIN;

	if (n > DURATIONS_MAX)
		report_too_large();
	while (size < offsetof(OpenDurations, tallies) + n * sizeof(Tally))
		size *= 2;
	size = Min(size, MaxAllocSize);
	state = palloc0(size);
	SET_VARSIZE(state, size);
	state->version = DURATIONS_VERSION;
	state->form = DURATIONS_OPEN;
	return state;
}

/* Sorts the tallies and makes those of the same duration one, in place. */
static void
fold(OpenDurations *state)
{
	Tally	   *tallies = state->tallies;
	int64		n = 0;

	sort_tallies(tallies, state->used);
	for (int64 i = 0; i < state->used; i++)
	{
		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (n == 0 || tallies[n - 1].value != tallies[i].value)
			tallies[n++] = tallies[i];
		else if (pg_add_s64_overflow(tallies[n - 1].count, tallies[i].count,
									 &tallies[n - 1].count))
			report_too_many();
	}
	memset(&tallies[n], 0, (state->used - n) * sizeof(Tally));
	state->used = n;
}

/*
 * The state with room for n more tallies: itself, or a copy of twice the size
 * in CurrentMemoryContext.
 */
static OpenDurations *
make_room(OpenDurations *state, Size n)
{
	OpenDurations *grown;
	Size		wanted;

	if (state->used + n <= open_capacity(state))
		return state;
	fold(state);
	wanted = state->used + n;
	if (wanted > DURATIONS_MAX)
		report_too_large();
	if (2 * wanted <= open_capacity(state) ||
		open_capacity(state) == DURATIONS_MAX)
		return state;
	grown = create_open(Min(2 * wanted, DURATIONS_MAX));
	memcpy(grown->tallies, state->tallies, state->used * sizeof(Tally));
	grown->used = state->used;
	return grown;
}

/* Adds a value of either form to a state; the result is as make_room's. */
static OpenDurations *
add_durations(OpenDurations *state, const struct varlena *v)
{
	const Durations *d = (const Durations *) v;
	const OpenDurations *open = (const OpenDurations *) v;
	bool		is_open = d->form == DURATIONS_OPEN;
	Size		n = is_open ? open->used : step_count(d);
	int64		before = 0;

	state = make_room(state, n);
	for (Size i = 0; i < n; i++)
	{
		Tally	   *tally = &state->tallies[state->used++];

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (is_open)
			*tally = open->tallies[i];
		else
		{
			tally->value = d->steps[i].value;
			tally->count = d->steps[i].upto - before;
			before = d->steps[i].upto;
		}
	}
	return state;
}

/* The canonical form of a state, which is left as it is. */
static Durations *
close_state(const OpenDurations *state)
{
	Size		size = offsetof(OpenDurations, tallies) +
		state->used * sizeof(Tally);
	OpenDurations *copy = memcpy(palloc(size), state, size);
	Durations  *d;
	int64		total = 0;

	SET_VARSIZE(copy, size);
	fold(copy);
	d = create_durations(copy->used);
	for (int64 i = 0; i < copy->used; i++)
	{
		if (pg_add_s64_overflow(total, copy->tallies[i].count, &total))
			report_too_many();
		d->steps[i].value = copy->tallies[i].value;
		d->steps[i].upto = total;
	}
	pfree(copy);
	return d;
}

struct varlena *
salkpi_durations_get(Datum datum)
{
	struct varlena *v = PG_DETOAST_DATUM(datum);

	check_well_formed(v);
	if (((Durations *) v)->form == DURATIONS_OPEN)
		v = (struct varlena *) close_state((OpenDurations *) v);
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
salkpi_durations_mean(const struct varlena *d)
{
	int64		count = salkpi_durations_count(d);
	Datum		n = int64_datum(count);
	Datum		whole;
	int128		sum;

	if (count == 0)
		return NULL;
	salkpi_durations_sum(d, &sum);
	whole = DirectFunctionCall2(numeric_mul, n,
								int64_datum((int64) (sum / count)));
	return rounded_days(DirectFunctionCall2(numeric_add, whole,
											int64_datum((int64) (sum % count))),
						n);
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
	salkpi_durations_at(d, rank, &lower);
	salkpi_durations_at(d, Min(rank + 1, count - 1), &upper);
	distance = DirectFunctionCall2(numeric_sub, int64_datum(upper),
								   int64_datum(lower));
	distance = DirectFunctionCall2(numeric_mul, part, distance);
	return rounded_days(DirectFunctionCall2(numeric_add, distance,
											int64_datum(lower)), one);
}

/* ---------- Input and output ---------- */

/* Appends a step as step n, or returns why a value cannot have it there. */
static const char *
append_step(Durations *d, Size n, int64 value, int64 count)
{
	int64		upto = n == 0 ? 0 : d->steps[n - 1].upto;

	if (n > 0 && d->steps[n - 1].value >= value)
		return "Durations must be in ascending order, each of them once.";
	if (count <= 0)
		return "The count of a duration must be positive.";
	if (pg_add_s64_overflow(upto, count, &upto))
		return "The counts of the durations add up to too large a number.";
	d->steps[n].value = value;
	d->steps[n].upto = upto;
	return NULL;
}

static void
report_malformed_text(const char *text, const char *at, const char *reason)
{
	int			shown = pg_mbcliplen(text, strlen(text), 64);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("malformed kpi_durations literal: \"%.*s\"%s", shown, text,
					text[shown] == '\0' ? "" : "..."),
			 errdetail("%s (At byte %zu.)", reason, (Size) (at - text) + 1)));
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Reads a number written as kpi_durations_out writes it, moving *at behind
 * it; false if there is none, or one too large.
 */
static bool
parse_int64(const char **at, int64 *number)
{
	const char *s = *at;
	bool		negative = *s == '-';
	int64		n = 0;

	s += negative;
	if (!is_digit(*s) || (*s == '0' && (negative || is_digit(s[1]))))
		return false;
	for (; is_digit(*s); s++)
	{
		int			digit = negative ? '0' - *s : *s - '0';

		if (pg_mul_s64_overflow(n, 10, &n) ||
			pg_add_s64_overflow(n, digit, &n))
			return false;
	}
	*at = s;
	*number = n;
	return true;
}

/* Reads "value" or "value*count", count being two or more. */
static void
parse_step(const char *text, const char **at, Durations *d, Size n)
{
	const char *start = *at;
	const char *reason;
	int64		value;
	int64		count = 1;

	if (!parse_int64(at, &value))
		report_malformed_text(text, *at,
							  "A duration in microseconds is expected.");
	if (**at == '*')
	{
		++*at;
		if (!parse_int64(at, &count))
			report_malformed_text(text, *at, "A count is expected.");
		if (count == 1)
			report_malformed_text(text, start, "A count of 1 is not written.");
	}
	reason = append_step(d, n, value, count);
	if (reason != NULL)
		report_malformed_text(text, start, reason);
}

/* Reads 1:{value,value*count,...}, 1 being the version. */
static Durations *
parse_durations(const char *text)
{
	const char *at = text;
	Durations  *d;
	int64		version;
	Size		n = 0;
	Size		limit = 1;

	if (!parse_int64(&at, &version) || at[0] != ':' || at[1] != '{')
		report_malformed_text(text, at,
							  "A version and \":{\" are expected, as in \"1:{60000000,90000000*3}\".");
	if (version != DURATIONS_VERSION)
		report_malformed_text(text, text, "The version is unknown.");
	at += 2;
	for (const char *s = at; *s != '\0'; s++)
		limit += *s == ',';
	d = create_durations(limit);
	if (*at != '}')
	{
		parse_step(text, &at, d, n++);
		while (*at == ',')
		{
			if ((n & INTERRUPT_MASK) == INTERRUPT_MASK)
				CHECK_FOR_INTERRUPTS();
			at++;
			parse_step(text, &at, d, n++);
		}
	}
	if (*at != '}')
		report_malformed_text(text, at, "\",\" or \"}\" is expected.");
	if (at[1] != '\0')
		report_malformed_text(text, at + 1, "Nothing may follow the \"}\".");
	SET_VARSIZE(d, offsetof(Durations, steps) + n * sizeof(Step));
	return d;
}

static char *
format_durations(const Durations *d)
{
	StringInfoData s;
	Size		n = step_count(d);
	int64		before = 0;

	initStringInfo(&s);
	appendStringInfo(&s, "%d:{", DURATIONS_VERSION);
	for (Size i = 0; i < n; i++)
	{
		int64		count = d->steps[i].upto - before;

		if ((i & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		before = d->steps[i].upto;
		if (i > 0)
			appendStringInfoChar(&s, ',');
		appendStringInfo(&s, INT64_FORMAT, d->steps[i].value);
		if (count > 1)
			appendStringInfo(&s, "*" INT64_FORMAT, count);
	}
	appendStringInfoChar(&s, '}');
	return s.data;
}

static void
report_malformed_binary(const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("malformed kpi_durations in binary format"),
			 errdetail("%s", reason)));
}

/* Reads version, number of steps, and for each its duration and count. */
static Durations *
receive_durations(StringInfo buffer)
{
	Durations  *d;
	Size		n;

	if (buffer->len - buffer->cursor < 6)
		report_malformed_binary("The message is too short.");
	if (pq_getmsgint(buffer, 2) != DURATIONS_VERSION)
		report_malformed_binary("The version is unknown.");
	n = pq_getmsgint(buffer, 4);
	if (buffer->len - buffer->cursor != n * sizeof(Tally))
		report_malformed_binary("The length does not match the number of durations.");
	d = create_durations(n);
	for (Size i = 0; i < n; i++)
	{
		int64		value = pq_getmsgint64(buffer);
		int64		count = pq_getmsgint64(buffer);
		const char *reason = append_step(d, i, value, count);

		if (reason != NULL)
			report_malformed_binary(reason);
	}
	return d;
}

static bytea *
send_durations(const Durations *d)
{
	StringInfoData s;
	Size		n = step_count(d);
	int64		before = 0;

	pq_begintypsend(&s);
	pq_sendint16(&s, DURATIONS_VERSION);
	pq_sendint32(&s, n);
	for (Size i = 0; i < n; i++)
	{
		pq_sendint64(&s, d->steps[i].value);
		pq_sendint64(&s, d->steps[i].upto - before);
		before = d->steps[i].upto;
	}
	return pq_endtypsend(&s);
}

/* ---------- SQL functions ---------- */

static struct varlena *
get_durations(FunctionCallInfo fcinfo, int arg)
{
	return salkpi_durations_get(PG_GETARG_DATUM(arg));
}

/*
 * The state to add to: the aggregate's own if it is open, else an open copy
 * in CurrentMemoryContext.
 */
static OpenDurations *
get_state(FunctionCallInfo fcinfo)
{
	struct varlena *v;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("transition function of kpi_durations can be called only by an aggregate")));
	if (PG_ARGISNULL(0))
		return create_open(1);
	v = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	check_well_formed(v);
	if (((Durations *) v)->form == DURATIONS_OPEN)
		return (OpenDurations *) v;
	return add_durations(create_open(1), v);
}

PG_FUNCTION_INFO_V1(salkpi_durations_in);
Datum
salkpi_durations_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(parse_durations(PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(salkpi_durations_out);
Datum
salkpi_durations_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(format_durations((Durations *) get_durations(fcinfo, 0)));
}

PG_FUNCTION_INFO_V1(salkpi_durations_recv);
Datum
salkpi_durations_recv(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(receive_durations((StringInfo) PG_GETARG_POINTER(0)));
}

PG_FUNCTION_INFO_V1(salkpi_durations_send);
Datum
salkpi_durations_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(send_durations((Durations *) get_durations(fcinfo, 0)));
}

static bool
are_equal(const struct varlena *a, const struct varlena *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

PG_FUNCTION_INFO_V1(salkpi_durations_eq);
Datum
salkpi_durations_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(are_equal(get_durations(fcinfo, 0),
							 get_durations(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(salkpi_durations_ne);
Datum
salkpi_durations_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!are_equal(get_durations(fcinfo, 0),
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

/* Transition of kpi_durations(bigint): adds one duration; NULL adds none. */
PG_FUNCTION_INFO_V1(salkpi_durations_add);
Datum
salkpi_durations_add(PG_FUNCTION_ARGS)
{
	OpenDurations *state;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	state = make_room(get_state(fcinfo), 1);
	state->tallies[state->used].value = PG_GETARG_INT64(1);
	state->tallies[state->used++].count = 1;
	PG_RETURN_POINTER(state);
}

/* Combine function, and the transition of kpi_rollup. */
PG_FUNCTION_INFO_V1(salkpi_durations_combine);
Datum
salkpi_durations_combine(PG_FUNCTION_ARGS)
{
	struct varlena *v;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	v = PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	check_well_formed(v);
	PG_RETURN_POINTER(add_durations(get_state(fcinfo), v));
}

PG_FUNCTION_INFO_V1(salkpi_durations_final);
Datum
salkpi_durations_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(get_durations(fcinfo, 0));
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

PG_FUNCTION_INFO_V1(salkpi_kpi_quantile);
Datum
salkpi_kpi_quantile(PG_FUNCTION_ARGS)
{
	Numeric		quantile = salkpi_durations_quantile(get_durations(fcinfo, 0),
													 PG_GETARG_NUMERIC(1));

	if (quantile == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(quantile);
}
