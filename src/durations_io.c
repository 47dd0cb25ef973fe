/*
 * durations_io.c
 *	  Text and binary input and output of kpi_durations.
 *
 * Both write the version, and every distinct duration in microseconds with
 * how many there are of it, ascending.  As there is one such sequence for each
 * multiset, only that one is read: what is out of order, repeated, counted
 * zero times or written in another way is an error, so that equal texts are
 * equal values, and nothing that was read has to be checked again.
 */
#include "postgres.h"

#include "common/int.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "durations.h"
#include "durations_private.h"

/* Appends a step as step n, or returns why a value cannot have it there. */
static const char *
append_step(Step *steps, Size n, int64 value, int64 count)
{
	int64		upto = n == 0 ? 0 : steps[n - 1].upto;

	if (n > 0 && steps[n - 1].value >= value)
		return "Durations must be in ascending order, each of them once.";
	if (count <= 0)
		return "The count of a duration must be positive.";
	if (pg_add_s64_overflow(upto, count, &upto))
		return "The counts of the durations add up to too large a number.";
	steps[n].value = value;
	steps[n].upto = upto;
	return NULL;
}

static Step *
allocate_steps(Size n)
{
	if (n > DURATIONS_MAX)
		salkpi_durations_too_large();
	return palloc(n * sizeof(Step));
}

/* ---------- Text ---------- */

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
parse_step(const char *text, const char **at, Step *steps, Size n)
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
	reason = append_step(steps, n, value, count);
	if (reason != NULL)
		report_malformed_text(text, start, reason);
}

/* Reads 1:{value,value*count,...}, 1 being the version. */
static Durations *
parse_durations(const char *text)
{
	const char *at = text;
	Step	   *steps;
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
	steps = allocate_steps(limit);
	if (*at != '}')
	{
		parse_step(text, &at, steps, n++);
		while (*at == ',')
		{
			if ((n & INTERRUPT_MASK) == INTERRUPT_MASK)
				CHECK_FOR_INTERRUPTS();
			at++;
			parse_step(text, &at, steps, n++);
		}
	}
	if (*at != '}')
		report_malformed_text(text, at, "\",\" or \"}\" is expected.");
	if (at[1] != '\0')
		report_malformed_text(text, at + 1, "Nothing may follow the \"}\".");
	return salkpi_durations_of_steps(steps, n);
}

static char *
format_durations(const Durations *d)
{
	StringInfoData s;
	StepReader	r = read_steps(d);

	initStringInfo(&s);
	appendStringInfo(&s, "%d:{", DURATIONS_VERSION);
	while (next_step(&r))
	{
		if ((r.nread & INTERRUPT_MASK) == INTERRUPT_MASK)
			CHECK_FOR_INTERRUPTS();
		if (r.nread > 1)
			appendStringInfoChar(&s, ',');
		appendStringInfo(&s, INT64_FORMAT, r.step.value);
		if (r.times > 1)
			appendStringInfo(&s, "*" INT64_FORMAT, r.times);
	}
	appendStringInfoChar(&s, '}');
	return s.data;
}

/* ---------- Binary ---------- */

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
	Step	   *steps;
	Size		n;

	if (buffer->len - buffer->cursor < 6)
		report_malformed_binary("The message is too short.");
	if (pq_getmsgint(buffer, 2) != DURATIONS_VERSION)
		report_malformed_binary("The version is unknown.");
	n = pq_getmsgint(buffer, 4);
	if (buffer->len - buffer->cursor != n * sizeof(Tally))
		report_malformed_binary("The length does not match the number of durations.");
	steps = allocate_steps(n);
	for (Size i = 0; i < n; i++)
	{
		int64		value = pq_getmsgint64(buffer);
		int64		count = pq_getmsgint64(buffer);
		const char *reason = append_step(steps, i, value, count);

		if (reason != NULL)
			report_malformed_binary(reason);
	}
	return salkpi_durations_of_steps(steps, n);
}

static bytea *
send_durations(const Durations *d)
{
	StringInfoData s;
	StepReader	r = read_steps(d);

	pq_begintypsend(&s);
	pq_sendint16(&s, DURATIONS_VERSION);
	pq_sendint32(&s, r.count);
	while (next_step(&r))
	{
		pq_sendint64(&s, r.step.value);
		pq_sendint64(&s, r.times);
	}
	return pq_endtypsend(&s);
}

/* ---------- SQL functions ---------- */

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
	struct varlena *d = salkpi_durations_get(PG_GETARG_DATUM(0));

	PG_RETURN_CSTRING(format_durations((Durations *) d));
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
	struct varlena *d = salkpi_durations_get(PG_GETARG_DATUM(0));

	PG_RETURN_BYTEA_P(send_durations((Durations *) d));
}
