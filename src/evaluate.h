/*
 * evaluate.h
 *	  Values of formulas: what evaluate.c is given and what it returns.
 */
#ifndef SALKPI_EVALUATE_H
#define SALKPI_EVALUATE_H

#include "utils/array.h"

#include "fact_row.h"
#include "formula.h"

typedef struct Rational
{
	Numeric		numerator;
	Numeric		denominator;	/* > 0, or NULL: the value is plain */
} Rational;

/*
 * Rows of kpi_fact, the newest first; NULL: not computed.  What a running period
 * is compared with is cut to its length, and is so in "rows" alone: what is added
 * up over periods is whole but for the newest one.  Where it is known that there
 * was nothing yet, "whole" has 0 for what began later, and NULL for the rest.
 */
typedef struct FactRows
{
	FactRow   **rows;
	FactRow   **whole;
	const FactRow *before;		/* in "whole": a period before all data */
	int			count;
	int			per_year;		/* how many of them make up a year */
} FactRows;

/* Columns of kpi_fact that tell what a row is about: attribute numbers. */
typedef struct FactColumns
{
	int			grain;
	int			member;
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
	List	   *lacking;		/* columns that are NULL: one, or those of alternatives */
	const FormulaNode *zero;	/* what divided by zero, if its result is kept */
} Evaluation;

/* A value as kpi_evaluate gives it; numbers that there are not are NULL. */
typedef struct FormulaValue
{
	Numeric		value;
	Numeric		numerator;		/* also of what divides by zero, without value */
	Numeric		denominator;
	const char *reason;			/* why there is no value */
	List	   *lacking;		/* columns that are not available, if that is why */
} FormulaValue;

/* evaluate.c */
extern FormulaValue salkpi_formula_evaluate(Evaluation *evaluation,
											const FormulaNode *node);

/* formula_arguments.c */
extern Elements salkpi_array_elements(ArrayType *array, const char *name);
extern void salkpi_check_same_length(const Elements *a, const Elements *b,
									 const char *names);
extern int	salkpi_check_periods_per_year(int periods);
extern Oid	salkpi_durations_type(Oid function);
extern FactColumns salkpi_fact_columns(TupleDesc tupdesc);
extern void salkpi_check_fact(const FactColumns *columns, const FactRow *row);
extern void salkpi_formula_bind(FormulaNode *node, TupleDesc tupdesc,
								Oid durations_type);

#endif							/* SALKPI_EVALUATE_H */
