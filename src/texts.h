/*
 * texts.h
 *	  Texts compared by their bytes, whatever the collation is.
 */
#ifndef SALKPI_TEXTS_H
#define SALKPI_TEXTS_H

#include "salkpi.h"

/* The order of the collation "C": of bytes, a text being below its continuations. */
static inline int
salkpi_compare_bytes(const char *a, Size length_a, const char *b, Size length_b)
{
	int			order = memcmp(a, b, Min(length_a, length_b));

	return order != 0 ? order : (length_a > length_b) - (length_a < length_b);
}

static inline int
salkpi_compare_texts(const text *a, const text *b)
{
	return salkpi_compare_bytes(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
								VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
}

/* With how many bytes do both begin? */
static inline Size
salkpi_common_bytes(const char *a, Size length_a, const char *b, Size length_b)
{
	Size		most = Min(length_a, length_b);
	Size		n = 0;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* Shorter ones first: faster, where any order will do. */
static inline int
salkpi_compare_by_length(const char *a, Size length_a, const char *b, Size length_b)
{
	return length_a == length_b ? memcmp(a, b, length_a) : length_a < length_b ? -1 : 1;
}

#endif							/* SALKPI_TEXTS_H */
