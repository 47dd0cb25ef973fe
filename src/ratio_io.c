/*
 * ratio_io.c
 *	  Input and output of kpi_ratio: the text, which ratio_text.c reads.
 *
 * The binary form is the text as well: it is lossless, begins with a version,
 * and one reader for both is one to trust.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "ratio.h"

/* Longest text that is shown in a message, in bytes. */
#define SHOWN_LENGTH	64

static void
report_malformed(const char *text, int length, const char *at,
				 const char *wrong, int sqlstate)
{
	int			shown = pg_mbcliplen(text, length, SHOWN_LENGTH);

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("malformed kpi_ratio: \"%.*s\"%s", shown, text,
					shown == length ? "" : "..."),
			 errdetail("%s (At byte %d.)", wrong, (int) (at - text) + 1)));
}

/* What a scanned decimal is worth, at its least scale. */
static void
read_sum(const RatioDecimal *decimal, ExactSum *sum, int *scale)
{
	char	   *text;

	sum->big = NULL;
	if (salkpi_ratio_decimal_to_small(decimal, &sum->small, scale))
		return;
	text = pnstrdup(decimal->text, decimal->length);
	sum->big = DatumGetNumeric(DirectFunctionCall3(numeric_in,
												   CStringGetDatum(text),
												   ObjectIdGetDatum(InvalidOid),
												   Int32GetDatum(-1)));
	sum->small = 0;
	*scale = 0;
}

static Ratio *
read_ratio(const char *text, int length, int sqlstate)
{
	RatioText	scanned;
	RatioParts	parts;
	const char *at;
	const char *wrong = salkpi_ratio_scan(text, length, &scanned, &at);
	int			i;

	if (wrong != NULL)
		report_malformed(text, length, at, wrong, sqlstate);
	parts.rows = scanned.rows;
	for (i = 0; i < RATIO_SUMS; i++)
		read_sum(&scanned.sums[i], &parts.sums[i], &parts.scale[i]);
	return salkpi_ratio_write(&parts);
}

static void
append_sum(StringInfo out, const ExactSum *sum, int scale)
{
	char		room[RATIO_SMALL_ROOM];

	if (sum->big == NULL)
		appendStringInfoString(out, salkpi_ratio_format_small(room, sum->small,
															  scale));
	else
		appendStringInfoString(out,
							   DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(sum->big))));
}

static void
format_ratio(StringInfo out, Datum datum)
{
	RatioParts	parts;
	ExactSum   *missing = &parts.sums[RATIO_MISSING];

	salkpi_ratio_read(salkpi_ratio_get(datum), &parts);
	salkpi_ratio_settle(&parts);
	appendStringInfo(out, "%d:{", RATIO_VERSION);
	append_sum(out, &parts.sums[RATIO_NUMERATOR], parts.scale[RATIO_NUMERATOR]);
	appendStringInfoChar(out, '/');
	append_sum(out, &parts.sums[RATIO_DENOMINATOR],
			   parts.scale[RATIO_DENOMINATOR]);
	appendStringInfo(out, "," INT64_FORMAT, parts.rows);
	if (missing->big != NULL || missing->small != 0)
	{
		appendStringInfoChar(out, ',');
		append_sum(out, missing, parts.scale[RATIO_MISSING]);
	}
	appendStringInfoChar(out, '}');
}

/* ---------- SQL functions ---------- */

PG_FUNCTION_INFO_V1(salkpi_ratio_in);
Datum
salkpi_ratio_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);

	PG_RETURN_POINTER(read_ratio(text, strlen(text),
								 ERRCODE_INVALID_TEXT_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(salkpi_ratio_out);
Datum
salkpi_ratio_out(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	format_ratio(&out, PG_GETARG_DATUM(0));
	PG_RETURN_CSTRING(out.data);
}

PG_FUNCTION_INFO_V1(salkpi_ratio_recv);
Datum
salkpi_ratio_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length;
	char	   *text = pq_getmsgtext(message, message->len - message->cursor,
									 &length);

	PG_RETURN_POINTER(read_ratio(text, length,
								 ERRCODE_INVALID_BINARY_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(salkpi_ratio_send);
Datum
salkpi_ratio_send(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	pq_begintypsend(&out);
	format_ratio(&out, PG_GETARG_DATUM(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}
