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

/* Rows of kpi_fact, the newest first; NULL: not computed. */
typedef struct FactRows
{
	HeapTupleHeader *rows;
	int			count;
	int			per_year;		/* how many of them make up a year */
} FactRows;

/* Columns of kpi_fact that tell what a row is about: attribute numbers. */
typedef struct FactColumns
{
	int			period;
	int			period_end;
	int			days;
	int			is_complete;
} FactColumns;

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
	FactColumns columns;
	FactRows	facts;			/* by periods before the current one; within
								 * sum_months the months */
	FactRows	months;
	bool		in_months;		/* is the operand of sum_months evaluated? */
	Elements	target_names;
	Elements	target_values;
	Elements	setting_names;
	Elements	setting_values;
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
