/*
 * flat.c
 *	  Bytes of flat states: written canonically, read without trust.
 *
 * The states that grow (cube, ledger) are expanded objects in memory and
 * strings of bytes elsewhere: numbers of variable length, seven bits a byte,
 * signed ones with the sign in the lowest bit; lists start with their length;
 * a tuple starts with the difference to the one before, as far as they agree;
 * texts and tuples are sorted.  So the bytes depend on what the state holds
 * alone, and comparing bytes compares states.
 *
 * Nothing that is read is trusted: a length is compared with what is left
 * before anything is allocated, each number has a bound, each list an order.
 * As text a state is its type's name, a colon and hexadecimal digits.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "flat.h"
#include "salkpi.h"
#include "texts.h"

/* Bytes that a flat form starts with. */
#define FIRST_SIZE		1024

/* Start to write into a new chunk of a memory context. */
void
salkpi_flat_start(FlatWriter *w, const char *type, MemoryContext context)
{
	w->type = type;
	w->context = context;
	w->used = VARHDRSZ;
	w->size = FIRST_SIZE;
	w->data = MemoryContextAlloc(context, w->size);
}

/* What was written, as a varlena. */
struct varlena *
salkpi_flat_finish(FlatWriter *w)
{
	SET_VARSIZE(w->data, w->used);
	return (struct varlena *) w->data;
}

/* Make room for some bytes; a flat form is limited to 1 GB like any value. */
char *
salkpi_flat_reserve(FlatWriter *w, Size bytes)
{
	if (w->used + bytes > w->size)
	{
		if (w->used + bytes > MaxAllocSize)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("%s is larger than 1 GB", w->type),
					 errhint("Use fewer dimensions, members or entities, or a shorter range of time."),
					 err_generic_string(PG_DIAG_DATATYPE_NAME, w->type)));
		w->size = Min(Max(w->size * 2, w->used + bytes), MaxAllocSize);
		w->data = repalloc(w->data, w->size);
	}
	return w->data + w->used;
}

void
salkpi_put_text(FlatWriter *w, const char *text, uint32 length)
{
	salkpi_put_number(w, length);
	memcpy(salkpi_flat_reserve(w, length), text, length);
	w->used += length;
}

/* All texts of a table in an order. */
void
salkpi_put_texts(FlatWriter *w, const TextTable *table, const uint32 *order)
{
	uint32		i;

	salkpi_put_number(w, table->index.count);
	for (i = 0; i < table->index.count; i++)
	{
		uint32		length;
		const char *text = salkpi_text_at(table, order[i], &length);

		CHECK_FOR_INTERRUPTS();
		salkpi_put_text(w, text, length);
	}
}

/* Start to read; the value must not be toasted and outlive the reader. */
void
salkpi_flat_open(FlatReader *r, const char *type, struct varlena *flat)
{
	r->type = type;
	r->p = (const unsigned char *) VARDATA_ANY(flat);
	r->end = r->p + VARSIZE_ANY_EXHDR(flat);
}

/* Refuse a flat form that no state has. */
void
salkpi_flat_damaged(const FlatReader *r, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("%s value is damaged", r->type),
			 errdetail("Its %s cannot be read.", what)));
}

void
salkpi_flat_check_version(FlatReader *r, uint64 version)
{
	if (salkpi_get_number(r, "version") != version)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("%s value has an unknown version", r->type),
				 errdetail("It is not of version " UINT64_FORMAT ", and may come from a newer salkpi.",
						   version)));
}

/* A number below 2^bits. */
uint128
salkpi_get_wide(FlatReader *r, int bits, const char *what)
{
	uint128		value = 0;
	int			shift = 0;
	unsigned char byte;

	do
	{
		if (r->p == r->end || shift >= bits)
			salkpi_flat_damaged(r, what);
		byte = *r->p++;
		if (bits - shift < 7 && (byte & 0x7F) >> (bits - shift) != 0)
			salkpi_flat_damaged(r, what);
		value |= (uint128) (byte & 0x7F) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

/* The length of a list whose items take a byte at least. */
uint32
salkpi_get_count(FlatReader *r, const char *what)
{
	uint64		count = salkpi_get_number(r, what);

	if (count > r->end - r->p)
		salkpi_flat_damaged(r, what);
	return (uint32) count;
}

/* A text, inside of the flat form; it is valid in the server's encoding. */
const char *
salkpi_get_text(FlatReader *r, uint32 *length, const char *what)
{
	const char *text;

	*length = salkpi_get_count(r, what);
	text = (const char *) r->p;
	pg_verifymbstr(text, *length, false);	/* refuses \0 too */
	r->p += *length;
	return text;
}

/*
 * Texts, in bytewise order and of a least length, which are put into a table;
 * returns their numbers there, palloc'd.
 */
const uint32 *
salkpi_get_texts(FlatReader *r, TextTable *table, uint32 *count,
				 uint32 least_length, const char *what)
{
	const char *before = NULL;
	uint32		before_length = 0;
	uint32	   *numbers;
	uint32		i;

	*count = salkpi_get_count(r, what);
	numbers = palloc_extended(((Size) *count + 1) * sizeof(uint32),
							  MCXT_ALLOC_HUGE);
	for (i = 0; i < *count; i++)
	{
		uint32		length;
		const char *text = salkpi_get_text(r, &length, what);

		CHECK_FOR_INTERRUPTS();
		if (length < least_length ||
			(before != NULL && salkpi_compare_bytes(text, length, before, before_length) <= 0))
			salkpi_flat_damaged(r, what);
		numbers[i] = salkpi_text_put(table, text, length);
		before = text;
		before_length = length;
	}
	return numbers;
}

/* The bytes of a text form, palloc'd; not looked at yet. */
struct varlena *
salkpi_flat_from_text(const char *type, const char *text)
{
	Size		prefix = strlen(type);
	Size		length = strlen(text);
	struct varlena *flat;

	if (strncmp(text, type, prefix) != 0 || text[prefix] != ':' ||
		(length - prefix - 1) % 2 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", type),
				 errdetail("It starts with \"%s:\", followed by pairs of hexadecimal digits.",
						   type)));
	text += prefix + 1;
	length = (length - prefix - 1) / 2;
	flat = palloc(length + VARHDRSZ);
	SET_VARSIZE(flat, length + VARHDRSZ);
	if (hex_decode(text, length * 2, VARDATA(flat)) != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", type),
				 errdetail("There are spaces among its digits.")));
	return flat;
}

char *
salkpi_flat_to_text(const char *type, struct varlena *flat)
{
	Size		prefix = strlen(type) + 1;
	Size		length = VARSIZE_ANY_EXHDR(flat);
	char	   *text;

	if (length > (MaxAllocSize - prefix - 1) / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s is too large to be shown as text", type),
				 errhint("Use the binary form.")));
	text = palloc(prefix + length * 2 + 1);
	memcpy(text, type, prefix - 1);
	text[prefix - 1] = ':';
	hex_encode(VARDATA_ANY(flat), length, text + prefix);
	text[prefix + length * 2] = '\0';
	return text;
}

/* The rest of a message, palloc'd; not looked at yet. */
struct varlena *
salkpi_flat_from_message(StringInfo buffer)
{
	int			length = buffer->len - buffer->cursor;
	struct varlena *flat = palloc(length + VARHDRSZ);

	SET_VARSIZE(flat, length + VARHDRSZ);
	pq_copymsgbytes(buffer, VARDATA(flat), length);
	return flat;
}

bytea *
salkpi_flat_to_message(struct varlena *flat)
{
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbytes(&buffer, VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
	return pq_endtypsend(&buffer);
}

bool
salkpi_flat_equal(struct varlena *a, struct varlena *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}
