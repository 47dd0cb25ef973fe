/*
 * state.c
 *	  Fuzzes the input of a state type, TYPE in its functions' names.
 *
 * An input is a letter, t for text or b for the binary form, and what is to be
 * read.  It may be refused.  If it is not, then what was read is written and
 * read again in both forms, and must be the same: the form is canonical.  So
 * is that of what an aggregate makes of it and the same once more.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"

#include "compat.h"
#include "server.h"

#define PASTE(type, action)		salkpi_##type##_##action
#define FUNCTION(type, action)	PASTE(type, action)

extern Datum FUNCTION(TYPE, in) (PG_FUNCTION_ARGS);
extern Datum FUNCTION(TYPE, out) (PG_FUNCTION_ARGS);
extern Datum FUNCTION(TYPE, recv) (PG_FUNCTION_ARGS);
extern Datum FUNCTION(TYPE, send) (PG_FUNCTION_ARGS);
extern Datum FUNCTION(TYPE, combine) (PG_FUNCTION_ARGS);
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

static Datum
call(PGFunction function, Datum arg)
{
	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = arg;
	fcinfo->args[0].isnull = false;
	return function(fcinfo);
}

static Datum
read_text(const char *text)
{
	return call(FUNCTION(TYPE, in), CStringGetDatum(text));
}

/* The bytes end where their memory ends, so that reading on is seen. */
static Datum
read_message(const uint8 *data, size_t size)
{
	StringInfoData message;

	message.data = palloc(size);
	memcpy(message.data, data, size);
	message.len = message.maxlen = size;
	message.cursor = 0;
	return call(FUNCTION(TYPE, recv), PointerGetDatum(&message));
}

static char *
write_text(Datum value)
{
	return DatumGetCString(call(FUNCTION(TYPE, out), value));
}

/* A state with another one; both may be the aggregate's own. */
static Datum
combine(Datum a, Datum b)
{
	LOCAL_FCINFO(fcinfo, 2);

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = a;
	fcinfo->args[1].value = b;
	fcinfo->args[0].isnull = fcinfo->args[1].isnull = false;
	return FUNCTION(TYPE, combine) (fcinfo);
}

static void
must_be_same(Datum a, Datum b)
{
	if (VARSIZE(a) != VARSIZE(b) ||
		memcmp(DatumGetPointer(a), DatumGetPointer(b), VARSIZE(a)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	if (size == 0 || (data[0] != 't' && data[0] != 'b'))
		return -1;
	if (setjmp(on_error) == 0)
	{
		Datum		value = data[0] == 't' ?
			read_text(pnstrdup((const char *) data + 1, size - 1)) :
			read_message(data + 1, size - 1);
		char	   *text = write_text(value);
		bytea	   *message = DatumGetByteaPP(call(FUNCTION(TYPE, send), value));

		must_be_same(read_text(text), value);
		must_be_same(read_message((uint8 *) VARDATA_ANY(message),
								  VARSIZE_ANY_EXHDR(message)), value);
		text = write_text(combine(read_text(text), value));
		if (strcmp(write_text(read_text(text)), text) != 0)
			abort();
	}
	free_all();
	return 0;
}
