/*
 * flat.h
 *	  Bytes of flat states: written canonically, read without trust.
 *
 * The small functions are here, since states are written and read number by
 * number.
 */
#ifndef SALKPI_FLAT_H
#define SALKPI_FLAT_H

#include "lib/stringinfo.h"

#include "segment.h"

/* Room that any one number needs: 128 bits, seven a byte. */
#define SALKPI_NUMBER_ROOM	19

/* A flat form that is being written. */
typedef struct FlatWriter
{
	const char *type;			/* name of the type, for messages */
	MemoryContext context;		/* of the result */
	char	   *data;			/* a varlena, whose size is set at the end */
	Size		used;			/* bytes written */
	Size		size;			/* bytes allocated */
} FlatWriter;

/* A flat form that is being read. */
typedef struct FlatReader
{
	const char *type;			/* name of the type, for messages */
	const unsigned char *p;		/* next byte */
	const unsigned char *end;	/* first byte behind */
} FlatReader;

extern void salkpi_flat_start(FlatWriter *w, const char *type,
							  MemoryContext context);
extern struct varlena *salkpi_flat_finish(FlatWriter *w);
extern char *salkpi_flat_reserve(FlatWriter *w, Size bytes);
extern void salkpi_put_text(FlatWriter *w, const char *text, uint32 length);
extern void salkpi_put_texts(FlatWriter *w, const TextTable *table,
							 const uint32 *order);

extern void salkpi_flat_open(FlatReader *r, const char *type,
							 struct varlena *flat);
extern void salkpi_flat_damaged(const FlatReader *r, const char *what);
extern void salkpi_flat_check_version(FlatReader *r, uint64 version);
extern uint128 salkpi_get_wide(FlatReader *r, int bits, const char *what);
extern uint32 salkpi_get_count(FlatReader *r, const char *what);
extern const char *salkpi_get_text(FlatReader *r, uint32 *length,
								   const char *what);
extern const uint32 *salkpi_get_texts(FlatReader *r, TextTable *table,
									  uint32 *count, uint32 least_length,
									  const char *what);

extern struct varlena *salkpi_flat_from_text(const char *type,
											 const char *text);
extern char *salkpi_flat_to_text(const char *type, struct varlena *flat);
extern struct varlena *salkpi_flat_from_message(StringInfo buffer);
extern bytea *salkpi_flat_to_message(struct varlena *flat);
extern bool salkpi_flat_equal(struct varlena *a, struct varlena *b);

static inline void
salkpi_put_number(FlatWriter *w, uint128 value)
{
	char	   *p = w->used + SALKPI_NUMBER_ROOM <= w->size ?
		w->data + w->used : salkpi_flat_reserve(w, SALKPI_NUMBER_ROOM);
	char	   *start = p;
	uint64		low;

	for (; value > PG_UINT64_MAX; value >>= 7)
		*p++ = (char) (0x80 | (value & 0x7F));
	for (low = (uint64) value; low >= 0x80; low >>= 7)
		*p++ = (char) (0x80 | (low & 0x7F));
	*p++ = (char) low;
	w->used += p - start;
}

static inline void
salkpi_put_signed(FlatWriter *w, int128 value)
{
	salkpi_put_number(w, (uint128) value << 1 ^ (uint128) (value >> 127));
}

/*
 * Write a tuple: its words, of which those up to and including the first that
 * differs from the tuple before are written as a difference.
 */
static inline void
salkpi_put_tuple(FlatWriter *w, uint32 *before, const uint32 *tuple, int width,
				 bool is_first)
{
	bool		differs = is_first;
	int			i;

	for (i = 0; i < width; i++)
	{
		salkpi_put_number(w, differs ? tuple[i] : tuple[i] - before[i]);
		differs = differs || tuple[i] != before[i];
		before[i] = tuple[i];
	}
}

static inline uint64
salkpi_get_number(FlatReader *r, const char *what)
{
	if (likely(r->p < r->end && *r->p < 0x80))
		return *r->p++;
	return (uint64) salkpi_get_wide(r, 64, what);
}

static inline int128
salkpi_get_signed(FlatReader *r, int bits, const char *what)
{
	uint128		value;

	if (likely(r->p < r->end && *r->p < 0x80))
		value = *r->p++;
	else
		value = salkpi_get_wide(r, bits, what);
	return (int128) (value >> 1) ^ -(int128) (value & 1);
}

/*
 * The next tuple of a list, in place of the one before; see
 * salkpi_put_tuple().  Each word must be below its bound, each tuple greater
 * than the one before.
 */
static inline void
salkpi_get_tuple(FlatReader *r, uint32 *tuple, const uint32 *bound, int width,
				 bool is_first, const char *what)
{
	bool		differs = is_first;
	int			i;

	for (i = 0; i < width; i++)
	{
		uint64		word = salkpi_get_number(r, what);
		uint64		before = differs ? 0 : tuple[i];

		if (word >= bound[i] || before + word >= bound[i])
			salkpi_flat_damaged(r, what);
		tuple[i] = before + word;
		differs = differs || word != 0;
	}
	if (!differs)
		salkpi_flat_damaged(r, what);
}

#endif							/* SALKPI_FLAT_H */
