/*
 * server.c
 *	  As much of a server as the input and output of a state needs.
 *
 * A fuzzer calls them some ten thousand times a second, without a server.  Memory
 * is malloc'd piece by piece, so that the address sanitizer sees every byte too
 * many, and freed after each run; an error is formatted and then ends the run.
 * Whatever else the server has is not linked, and calling it is a crash: the
 * input of a state has no business with it.  Of numerics there are none: what
 * would be one ends the run like an error.
 */
#include "postgres.h"

#include <setjmp.h>

#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"
#include "server.h"

#undef qsort
#undef vsnprintf

volatile sig_atomic_t InterruptPending = false;
MemoryContext CurrentMemoryContext = NULL;

/* ---------- Memory ---------- */

typedef struct Piece
{
	struct Piece *next;
	size_t		size;			/* of what follows, aligned like palloc */
} Piece;

static Piece *pieces = NULL;

void *
palloc(Size size)
{
	Piece	   *piece;

	if (size > MaxAllocSize)
		elog(ERROR, "invalid memory alloc request size %zu", size);
	piece = malloc(sizeof(Piece) + size);
	if (piece == NULL)
		abort();
	piece->next = pieces;
	piece->size = size;
	pieces = piece;
	return piece + 1;
}

void *
palloc_extended(Size size, int flags)
{
	void	   *pointer = palloc(size);

	return flags & MCXT_ALLOC_ZERO ? memset(pointer, 0, size) : pointer;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	return palloc_extended(size, flags);
}

/* There is one context, whose memory is freed at the end of a run. */
static MemoryContextData only_context;

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size least, Size first, Size largest)
{
	return &only_context;
}

void
MemoryContextDelete(MemoryContext context)
{
}

static MemoryContextCallback *callbacks = NULL;

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
	callback->next = callbacks;
	callbacks = callback;
}

/* What was there is freed with the rest. */
void *
repalloc(void *pointer, Size size)
{
	return memcpy(palloc(size), pointer, Min(size, ((Piece *) pointer - 1)->size));
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

char *
pstrdup(const char *text)
{
	return strcpy(palloc(strlen(text) + 1), text);
}

char *
pnstrdup(const char *text, Size length)
{
	char	   *copy = palloc(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* Freed with the rest, at the end. */
void
pfree(void *pointer)
{
}

void
free_all(void)
{
	for (; callbacks != NULL; callbacks = callbacks->next)
		callbacks->func(callbacks->arg);
	while (pieces != NULL)
	{
		Piece	   *next = pieces->next;

		free(pieces);
		pieces = next;
	}
}

/* ---------- Errors ---------- */

jmp_buf		on_error;
static char message[8192];

static int
format_message(const char *format, va_list args)
{
	vsnprintf(message, sizeof(message), format, args);
	return 0;
}

#define MESSAGE_FUNCTION(name) \
int \
name(const char *format,...) \
{ \
	va_list		args; \
\
	va_start(args, format); \
	format_message(format, args); \
	va_end(args); \
	return 0; \
}

MESSAGE_FUNCTION(errmsg)
MESSAGE_FUNCTION(errmsg_internal)
MESSAGE_FUNCTION(errdetail)
MESSAGE_FUNCTION(errhint)

bool
errstart(int level, const char *domain)
{
	return true;
}

bool
errstart_cold(int level, const char *domain)
{
	return true;
}

int
errcode(int sqlstate)
{
	return 0;
}

int
err_generic_string(int field, const char *text)
{
	return 0;
}

void
errfinish(const char *file, int line, const char *function)
{
	longjmp(on_error, 1);
}

/* A failed assertion, whose arguments differ between versions. */
void
ExceptionalCondition()
{
	abort();
}

void
ProcessInterrupts(void)
{
}

/* ---------- Values, strings, messages ---------- */

/* Like the server's; the pointers are not aligned. */
void
EOH_init_header(ExpandedObjectHeader *object, const ExpandedObjectMethods *methods,
				MemoryContext context)
{
	varatt_expanded pointer = {object};

	object->vl_len_ = EOH_HEADER_MAGIC;
	object->eoh_methods = methods;
	object->eoh_context = context;
	SET_VARTAG_EXTERNAL(object->eoh_rw_ptr, VARTAG_EXPANDED_RW);
	memcpy(VARDATA_EXTERNAL(object->eoh_rw_ptr), &pointer, sizeof(pointer));
	SET_VARTAG_EXTERNAL(object->eoh_ro_ptr, VARTAG_EXPANDED_RO);
	memcpy(VARDATA_EXTERNAL(object->eoh_ro_ptr), &pointer, sizeof(pointer));
}

ExpandedObjectHeader *
DatumGetEOHP(Datum datum)
{
	varatt_expanded pointer;

	memcpy(&pointer, VARDATA_EXTERNAL(DatumGetPointer(datum)), sizeof(pointer));
	return pointer.eohptr;
}

Size
EOH_get_flat_size(ExpandedObjectHeader *object)
{
	return object->eoh_methods->get_flat_size(object);
}

void
EOH_flatten_into(ExpandedObjectHeader *object, void *result, Size size)
{
	object->eoh_methods->flatten_into(object, result, size);
}

void
DeleteExpandedObject(Datum datum)
{
}

/* No value is toasted, but an object may have to become flat. */
struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	ExpandedObjectHeader *object;
	Size		size;
	struct varlena *flat;

	if (!VARATT_IS_EXTERNAL_EXPANDED(datum))
		return datum;
	object = DatumGetEOHP(PointerGetDatum(datum));
	size = EOH_get_flat_size(object);
	flat = palloc(size);
	EOH_flatten_into(object, flat, size);
	return flat;
}

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	return pg_detoast_datum(datum);
}

/* A function of numerics, like all that are called like this. */
Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum a)
{
	longjmp(on_error, 1);
}

Datum
DirectFunctionCall2Coll(PGFunction function, Oid collation, Datum a, Datum b)
{
	longjmp(on_error, 1);
}

Datum
DirectFunctionCall3Coll(PGFunction function, Oid collation, Datum a, Datum b, Datum c)
{
	longjmp(on_error, 1);
}

Numeric
int64_to_numeric(int64 value)
{
	longjmp(on_error, 1);
}

Numeric
int64_div_fast_to_numeric(int64 value, int decimals)
{
	longjmp(on_error, 1);
}

/* Each call is one of an aggregate. */
int
AggCheckCallContext(FunctionCallInfo fcinfo, MemoryContext *context)
{
	if (context != NULL)
		*context = &only_context;
	return AGG_CONTEXT_AGGREGATE;
}

int
pg_mbcliplen(const char *text, int length, int limit)
{
	return Min(length, limit);
}

void
initStringInfo(StringInfo out)
{
	out->maxlen = 1024;
	out->data = palloc(out->maxlen);
	out->len = out->cursor = 0;
	out->data[0] = '\0';
}

void
enlargeStringInfo(StringInfo out, int needed)
{
	if (out->len + needed >= out->maxlen)
	{
		char	   *data;

		out->maxlen = 2 * (out->len + needed + 1);
		data = palloc(out->maxlen);
		memcpy(data, out->data, out->len + 1);
		out->data = data;
	}
}

void
appendBinaryStringInfo(StringInfo out,
#if PG_VERSION_NUM >= 160000
					   const void *data,
#else
					   const char *data,
#endif
					   int length)
{
	enlargeStringInfo(out, length);
	memcpy(out->data + out->len, data, length);
	out->len += length;
	out->data[out->len] = '\0';
}

void
appendStringInfoString(StringInfo out, const char *text)
{
	appendBinaryStringInfo(out, text, strlen(text));
}

#undef appendStringInfoChar
void
appendStringInfoChar(StringInfo out, char c)
{
	appendBinaryStringInfo(out, &c, 1);
}

void
appendStringInfo(StringInfo out, const char *format,...)
{
	char		text[256];
	va_list		args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) >= sizeof(text))
		abort();
	va_end(args);
	appendStringInfoString(out, text);
}

const char *
pq_getmsgbytes(StringInfo in, int length)
{
	const char *bytes = in->data + in->cursor;

	if (length < 0 || length > in->len - in->cursor)
		elog(ERROR, "insufficient data left in message");
	in->cursor += length;
	return bytes;
}

unsigned int
pq_getmsgint(StringInfo in, int length)
{
	const unsigned char *bytes = (const unsigned char *) pq_getmsgbytes(in, length);
	unsigned int value = 0;
	int			i;

	for (i = 0; i < length; i++)
		value = value << 8 | bytes[i];
	return value;
}

int64
pq_getmsgint64(StringInfo in)
{
	uint64		high = pq_getmsgint(in, 4);

	return (int64) (high << 32 | pq_getmsgint(in, 4));
}

/* As it is, and without the zero that would hide who reads on. */
char *
pq_getmsgtext(StringInfo in, int length, int *bytes)
{
	*bytes = length;
	return (char *) pq_getmsgbytes(in, length);
}

void
pq_begintypsend(StringInfo out)
{
	initStringInfo(out);
	appendBinaryStringInfo(out, "\0\0\0\0", VARHDRSZ);
}

bytea *
pq_endtypsend(StringInfo out)
{
	SET_VARSIZE(out->data, out->len);
	return (bytea *) out->data;
}

void
pq_sendbytes(StringInfo out,
#if PG_VERSION_NUM >= 160000
			 const void *bytes,
#else
			 const char *bytes,
#endif
			 int length)
{
	appendBinaryStringInfo(out, bytes, length);
}

void
pq_copymsgbytes(StringInfo in, char *out, int length)
{
	memcpy(out, pq_getmsgbytes(in, length), length);
}

/* ---------- Bytes ---------- */

void
pg_qsort(void *base, size_t count, size_t size, int (*compare) (const void *, const void *))
{
	qsort(base, count, size, compare);
}

uint64
hex_encode(const char *bytes, size_t length, char *out)
{
	size_t		i;

	for (i = 0; i < length; i++)
	{
		out[2 * i] = "0123456789abcdef"[(unsigned char) bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return 2 * length;
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdefABCDEF";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	if (at == NULL)
		elog(ERROR, "invalid hexadecimal digit");
	return at - digits < 16 ? at - digits : at - digits - 6;
}

/* Spaces between two digits are left out, as the server does. */
uint64
hex_decode(const char *text, size_t length, char *out)
{
	const char *end = text + length;
	uint64		n = 0;

	while (text < end)
	{
		if (strchr(" \n\t\r", *text) != NULL)
		{
			text++;
			continue;
		}
		if (text + 1 >= end)
			elog(ERROR, "invalid hexadecimal data");
		out[n++] = hex_digit(text[0]) << 4 | hex_digit(text[1]);
		text += 2;
	}
	return n;
}

/* In the encoding of this server any byte is a character, but for zero. */
bool
pg_verifymbstr(const char *text, int length, bool is_asked)
{
	if (memchr(text, '\0', length) != NULL)
		elog(ERROR, "invalid byte sequence");
	return true;
}

uint32
hash_bytes(const unsigned char *bytes, int length)
{
	uint32		hash = 2166136261;

	while (length-- > 0)
		hash = (hash ^ *bytes++) * 16777619;
	return hash;
}
