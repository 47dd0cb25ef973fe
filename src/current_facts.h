/*
 * current_facts.h
 *	  The current facts of a dimension, beside those that panels make.
 */
#ifndef SALKPI_CURRENT_FACTS_H
#define SALKPI_CURRENT_FACTS_H

#include "executor/spi.h"

#include "facts.h"

/* Columns of a current fact, as it is asked for, before the measures. */
enum
{
	CURRENT_GRAIN,
	CURRENT_PERIOD,
	CURRENT_MEMBER,
	CURRENT_CTID,
	CURRENT_PERIOD_END,
	CURRENT_IS_COMPLETE,
	CURRENT_DAYS,
	CURRENT_KEYS
};

typedef struct CurrentFacts
{
	Facts	   *facts;			/* those of the panels: current ones get rows
								 * among them */
	MemoryContext context;		/* of all but rows */
	StringInfoData key;			/* of a period */
	TextTable	period_keys;	/* of those asked for, see put_period_key() */
	uint32	   *period_numbers; /* of each such key: the period, as in facts */
	SPIPlanPtr	plan;			/* asks for the current facts of a dimension */
	Datum		plan_values[3];
	MinimalTuple *rows;			/* of each row of the facts, or NULL; in
								 * facts->context */
	Size		nrows;			/* allocated */
	TupleDesc	columns;		/* of the plan */
	Datum	   *values;			/* of the row looked at */
	bool	   *nulls;
} CurrentFacts;

/* A measure of the current fact that is at hand. */
static inline NullableDatum
salkpi_current_measure(const CurrentFacts *c, int m)
{
	return (NullableDatum) {
		c->values[CURRENT_KEYS + m], c->nulls[CURRENT_KEYS + m]
	};
}

extern void salkpi_current_open(CurrentFacts *c, Facts *facts, Datum *grains,
								Datum *starts, const uint32 *numbers, int count);
extern void salkpi_current_plan(CurrentFacts *c, Oid schema, char *const *measures);
extern void salkpi_current_ask(CurrentFacts *c, Datum dimension, Datum blank);
extern bool salkpi_current_get(CurrentFacts *c, uint32 row);

#endif							/* SALKPI_CURRENT_FACTS_H */
