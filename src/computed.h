/*
 * computed.h
 *	  What computed.c is asked for, and where it finds the facts.
 */
#ifndef SALKPI_COMPUTED_H
#define SALKPI_COMPUTED_H

#include "utils/date.h"
#include "utils/portal.h"

#include "evaluate.h"

/* The columns of kpi_resolved. */
enum
{
	RESOLVED_ORDINAL,
	RESOLVED_KPI,
	RESOLVED_NUMBER,
	RESOLVED_FORMULA,
	RESOLVED_N_FORMULA,
	RESOLVED_COUNTS_STATE,
	RESOLVED_REACH,
	RESOLVED_MONTHS,
	RESOLVED_UNIT,
	RESOLVED_BETTER,
	RESOLVED_LABEL,
	RESOLVED_MEASURES,
	RESOLVED_HAS_STATE,
	RESOLVED_TARGETS,
	RESOLVED_COLUMNS
};

typedef struct Definition
{
	Datum		columns[RESOLVED_COLUMNS];
	bool		nulls[RESOLVED_COLUMNS];
	char	   *kpi;
	FormulaNode *formula;
	FormulaNode *n;				/* counts the rows; NULL: nothing does */
	bool		counts_state;	/* by the denominator of a mean */
	bool		is_percent;
	bool		is_duration;	/* in days, from a distribution */
	bool		is_down;		/* is less better? */
	int			reach;
} Definition;

typedef enum PlaceKind
{
	PLACE_WHOLE,
	PLACE_CUT,
	PLACE_MONTH,
	PLACE_KINDS
} PlaceKind;

/* One text among others, to be found by its bytes. */
typedef struct TextKey
{
	const char *data;
	int			length;
	int			index;
} TextKey;

typedef struct Target
{
	int			member;
	int			base;
	int			row;			/* in the arrays given */
} Target;

typedef struct Request
{
	Definition *definitions;
	int			ndefinitions;
	Elements	members;
	TextKey	   *names;			/* of members, sorted */
	int			blank;			/* index of the blank member, maybe past the
								 * members */
	int			nplaces;		/* members with facts of their own */
	char	   *grain;
	Elements	starts;
	Elements	month_starts;
	int			per_year;
	Elements	bases;
	Elements	cut_bases;
	Elements	shown_bases;
	bool	   *is_additive;	/* by column of kpi_fact; NULL: no merging */
	FactRow   **places[PLACE_KINDS];	/* by member, then period */
	bool		has_beginning;	/* is it known from when to when there was
								 * nothing? */
	DateADT		first_day;		/* from that day */
	DateADT		beginning;		/* to before that one */
	bool	   *has_begun;		/* by column: is it a measure of what began
								 * then? */
	FactRow    *before[PLACE_KINDS];	/* any member in a period before that */
	Elements	target_kpis;
	Elements	target_members;
	Elements	target_periods;
	Elements	target_values;
	Elements	target_warn_at;
	Target	   *targets;		/* sorted by member and base */
	Evaluation	evaluation;
} Request;

/* computed_arguments.c */
extern Portal salkpi_read_request(FunctionCallInfo fcinfo, Request *request);

/* places.c */
extern TextKey salkpi_text_key(Datum value, int index);
extern int	salkpi_compare_keys(const void *a, const void *b);
extern TextKey *salkpi_sort_keys(const Elements *elements);
extern int	salkpi_find_key(const TextKey *keys, int n, Datum value);
extern bool salkpi_is_text(Datum value, const char *text);
extern int	salkpi_find_period(const Elements *starts, DateADT period);
extern FactRow *salkpi_fact_at(const Request *request, PlaceKind kind, int member, int base);
extern void salkpi_place_facts(Request *request, Portal facts);
extern void salkpi_set_window(Request *request, const Definition *definition,
							  int member, int base, bool is_cut);
extern void salkpi_set_months(Request *request, int member);

#endif							/* SALKPI_COMPUTED_H */
