/*
 * formula.h
 *	  KPI formulas as trees: what the parser makes and the evaluation reads.
 */
#ifndef SALKPI_FORMULA_H
#define SALKPI_FORMULA_H

#include "nodes/pg_list.h"
#include "utils/numeric.h"

/* A formula, also an expanded one, has at most this many bytes ... */
#define SALKPI_FORMULA_MAX_LENGTH 32768

/* ... this many levels, so that recursion over it is shallow ... */
#define SALKPI_FORMULA_MAX_DEPTH 500

/* ... and no sum_last, mean_last or sum_months over more than this many periods. */
#define SALKPI_FORMULA_MAX_PERIODS 1000

/* ... within each other neither: so often its leaves may be read for a value. */
#define SALKPI_FORMULA_MAX_READS 100000

#define SALKPI_MONTHS_PER_YEAR 12

typedef enum FormulaKind
{
	/* leaves */
	FORMULA_NUMBER,				/* 12.5 */
	FORMULA_NAME,				/* a measure or a KPI */
	FORMULA_DAYS,				/* days() */
	FORMULA_TARGET,				/* target(kpi) */
	FORMULA_SETTING,			/* setting(name) */
	FORMULA_MEAN,				/* mean(state) */
	FORMULA_QUANTILE,			/* quantile(state, fraction) */

	/* operators */
	FORMULA_ADD,
	FORMULA_SUBTRACT,
	FORMULA_MULTIPLY,
	FORMULA_DIVIDE,
	FORMULA_NEGATE,

	/* functions of values */
	FORMULA_LEAST,
	FORMULA_GREATEST,
	FORMULA_NULLIF,
	FORMULA_COALESCE,
	FORMULA_PRIOR,
	FORMULA_YEAR_AGO,
	FORMULA_SUM_LAST,
	FORMULA_MEAN_LAST,
	FORMULA_SUM_MONTHS
} FormulaKind;

/* Subtrees are never changed once made, and may have several parents. */
typedef struct FormulaNode
{
	FormulaKind kind;
	int			depth;			/* levels of this subtree, a leaf has 1 */
	double		reads;			/* how often leaves are read for a value of its
								 * operands, in one period */
	bool		is_ratio;		/* can its value have a denominator? */
	char	   *name;			/* NAME; the argument of TARGET, SETTING, MEAN,
								 * QUANTILE */
	Numeric		number;			/* NUMBER; the fraction of QUANTILE */
	int			periods;		/* SUM_LAST, MEAN_LAST, SUM_MONTHS: how many */
	List	   *args;			/* FormulaNode of the operands, in order */
	int			column;			/* leaves that read a row: its attribute
								 * number, set by salkpi_formula_bind */
} FormulaNode;

/* How a formula uses a name, as the SQL functions spell it. */
typedef struct FormulaName
{
	const char *name;
	const char *used_as;		/* value, state, target or setting */
} FormulaName;

/* Periods, or months, back from some one; all in between are meant too. */
typedef struct FormulaRange
{
	int			nearest;
	int			farthest;
} FormulaRange;

/* A leaf of an expanded formula that reads something. */
typedef struct FormulaRead
{
	FormulaName use;
	const char *part;			/* numerator, denominator or both */
	FormulaRange periods;		/* back from the current one */
	bool		in_months;		/* within sum_months? */
	FormulaRange months;		/* then: back from the last complete month of
								 * these periods */
} FormulaRead;

/* A KPI that salkpi_formula_expand puts in the place of its name. */
typedef struct FormulaKpi
{
	const char *name;
	const char *text;			/* its formula as written */
	FormulaNode *expanded;		/* filled in when first needed */
	bool		is_open;		/* being expanded: to meet it again is a cycle */
} FormulaKpi;

/* formula.c */
extern FormulaNode *salkpi_formula_make(FormulaKind kind);
extern void salkpi_formula_add_operand(FormulaNode *node, FormulaNode *operand);
extern void salkpi_formula_check_reads(const FormulaNode *node);
extern FormulaNode *salkpi_formula_parse(const char *text, const char *kpi);
extern const char *salkpi_formula_function(FormulaKind kind);
extern void salkpi_formula_context(void *kpi);

/* formula_tree.c */
extern char *salkpi_formula_deparse(const FormulaNode *node);
extern FormulaNode *salkpi_formula_expand(FormulaNode *node,
										  FormulaKpi *kpis, int nkpis);
extern int	salkpi_formula_reach(const FormulaNode *node, int periods_per_year);
extern int	salkpi_formula_months(const FormulaNode *node);
extern List *salkpi_formula_names(const FormulaNode *node);
extern List *salkpi_formula_reads(const FormulaNode *node, int periods_per_year);

#endif							/* SALKPI_FORMULA_H */
