/*
 * track_rows.c
 *	  kpi_track_rows: which rows a tuple of kpi_track_log tells of.
 *
 * Anybody can hand in any bytes.  The values of a row come as texts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "salkpi.h"
#include "track.h"

typedef struct Reader
{
	const char *at;				/* next byte of the payload */
	const char *end;
	int			n_noted;		/* columns of each row */
	int			n_bits;			/* bytes of bits of each update */
} Reader;

static const char *
take_bytes(Reader *reader, Size length)
{
	const char *bytes = reader->at;

	if (reader->end - reader->at < (ptrdiff_t) length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("note of a change ends too early")));
	reader->at += length;
	return bytes;
}

static Datum
take_integer(Reader *reader, char form)
{
	int64		integer;
	char	   *string;

	memcpy(&integer, take_bytes(reader, sizeof(integer)), sizeof(integer));
	if (form == VALUE_INTEGER)
		string = DatumGetCString(DirectFunctionCall1(int8out, Int64GetDatum(integer)));
	else if (form == VALUE_INSTANT)
		string = DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(integer)));
	else
		string = DatumGetCString(DirectFunctionCall1(timestamp_out, TimestampGetDatum(integer)));
	return CStringGetTextDatum(string);
}

static Datum
take_text(Reader *reader, Size length)
{
	const char *bytes = take_bytes(reader, length);

	pg_verifymbstr(bytes, length, false);	/* refuses \0 too */
	return PointerGetDatum(cstring_to_text_with_len(bytes, length));
}

static Datum
take_value(Reader *reader, bool *is_null)
{
	char		form = *take_bytes(reader, 1);
	DateADT		date;
	pg_uuid_t	uuid;
	Size		length;

	*is_null = form == VALUE_NULL;
	switch (form)
	{
		case VALUE_NULL:
			return (Datum) 0;
		case VALUE_INTEGER:
		case VALUE_TIMESTAMP:
		case VALUE_INSTANT:
			return take_integer(reader, form);
		case VALUE_DATE:
			memcpy(&date, take_bytes(reader, sizeof(date)), sizeof(date));
			return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(date))));
		case VALUE_UUID:
			memcpy(&uuid, take_bytes(reader, sizeof(uuid)), sizeof(uuid));
			return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&uuid))));
		case VALUE_TEXT:
			length = (unsigned char) *take_bytes(reader, 1);
			return take_text(reader, length);
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("note of a change holds an unknown kind of value")));
	}
	return (Datum) 0;			/* for the compiler */
}

static Datum
take_row(Reader *reader)
{
	Datum	   *values = (Datum *) palloc(Max(reader->n_noted, 1) * sizeof(Datum));
	bool	   *nulls = (bool *) palloc(Max(reader->n_noted, 1) * sizeof(bool));
	int			lower = 1;
	int			i;

	for (i = 0; i < reader->n_noted; i++)
		values[i] = take_value(reader, &nulls[i]);
	return PointerGetDatum(construct_md_array(values, nulls, 1, &reader->n_noted, &lower,
											  TEXTOID, -1, false, TYPALIGN_INT));
}

/* The numbers of the columns whose bits are set, from 1. */
static Datum
take_bits(Reader *reader)
{
	const char *bits = take_bytes(reader, reader->n_bits);
	Datum	   *numbers = (Datum *) palloc((reader->n_bits * BITS_PER_BYTE + 1) * sizeof(Datum));
	int			n = 0;

	for (int i = 0; i < reader->n_bits * BITS_PER_BYTE; i++)
		if (bits[i / BITS_PER_BYTE] & 1 << i % BITS_PER_BYTE)
			numbers[n++] = Int32GetDatum(i + 1);
	return PointerGetDatum(construct_array(numbers, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(salkpi_track_rows);

Datum
salkpi_track_rows(PG_FUNCTION_ARGS)
{
	bytea	   *payload = PG_GETARG_BYTEA_PP(0);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Reader		reader = {VARDATA_ANY(payload), VARDATA_ANY(payload) + VARSIZE_ANY_EXHDR(payload), 0, 0};

	InitMaterializedSRF(fcinfo, 0);
	reader.n_noted = (unsigned char) *take_bytes(&reader, 1);
	reader.n_bits = (unsigned char) *take_bytes(&reader, 1);
	while (reader.at < reader.end)
	{
		char		what = *take_bytes(&reader, 1);
		Datum		values[3] = {0};
		bool		nulls[3] = {what == ROW_INSERTED, what == ROW_DELETED, what != ROW_UPDATED};

		CHECK_FOR_INTERRUPTS();
		if (what != ROW_INSERTED && what != ROW_DELETED && what != ROW_UPDATED)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("note of a change holds an unknown kind of row")));
		if (!nulls[2])
			values[2] = take_bits(&reader);
		if (!nulls[0])
			values[0] = take_row(&reader);
		if (!nulls[1])
			values[1] = take_row(&reader);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
