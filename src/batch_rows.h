/*
 * batch_rows.h
 *	  Some rows of a batch, and values of them.
 */
#ifndef SALKPI_BATCH_ROWS_H
#define SALKPI_BATCH_ROWS_H

/* So few that the values of all expressions stay in the second-level cache. */
#define BATCH_ROWS		256

/* Some rows of a batch, in order. */
typedef struct BatchRows
{
	int			count;
	uint16		row[BATCH_ROWS];
} BatchRows;

/* An argument of a function in each row of a batch. */
typedef struct BatchArgument
{
	const Datum *values;
	const bool *nulls;
} BatchArgument;

#endif							/* SALKPI_BATCH_ROWS_H */
