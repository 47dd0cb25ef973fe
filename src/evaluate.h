/*
 * evaluate.h
 *	  Values of formulas: what evaluate.c is given and what it returns.
 */
#ifndef SALKPI_EVALUATE_H
#define SALKPI_EVALUATE_H

#include "access/htup.h"
#include "access/tupdesc.h"

#include "formula.h"

typedef struct Rational
{
	Numeric		numerator;
	Numeric		denominator;	/* > 0, or NULL: the value is plain */
} Rational;

/* An array argument taken apart. */
typedef struct Elements
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Elements;

typedef struct Evaluation
{
	TupleDesc	tupdesc;		/* of kpi_fact */
	HeapTupleHeader *facts;		/* by periods before the current one; NULL:
								 * not computed */
	int			nfacts;
	int			periods_per_year;
	Elements	target_names;
	Elements	target_values;
	const char *reason;			/* why the last value was NULL */
	const FormulaNode *zero;	/* what divided by zero, if its result is kept */
} Evaluation;

/*
 * The value of a formula in the current period, in CurrentMemoryContext.
 * False if it is NULL; evaluation->reason says why.
 */
extern bool salkpi_formula_evaluate(Evaluation *evaluation,
									const FormulaNode *node, Rational *result);

/* numerator / denominator, which is > 0, rounded to 16 decimals. */
extern Numeric salkpi_formula_round(Numeric numerator, Numeric denominator);

#endif							/* SALKPI_EVALUATE_H */
