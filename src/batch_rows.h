/*
 * batch_rows.h
 *	  Some rows of a batch, and values of them.
 */
#ifndef SALKPI_BATCH_ROWS_H
#define SALKPI_BATCH_ROWS_H

#include "fmgr.h"

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

/* The only row of a batch: a call of a transition function is one of one row. */
static const BatchRows salkpi_one_row = {.count = 1};

/* The arguments of a call as those of its only row. */
static inline void
salkpi_arguments_of_call(FunctionCallInfo fcinfo, BatchArgument *args, int most)
{
	Assert(fcinfo->nargs <= most);
	for (int i = 0; i < fcinfo->nargs; i++)
		args[i] = (BatchArgument) {&fcinfo->args[i].value, &fcinfo->args[i].isnull};
}

#endif							/* SALKPI_BATCH_ROWS_H */
