/*
 * execute.h
 *	  Running queries over the sources.
 */
#ifndef SALKPI_EXECUTE_H
#define SALKPI_EXECUTE_H

#include "nodes/parsenodes.h"
#include "tcop/dest.h"

/* The parameters of a query, $1 and so on. */
typedef struct Parameters
{
	int			count;
	Oid		   *types;
	Datum	   *values;
	bool	   *nulls;
} Parameters;

extern void salkpi_parameters_read(Parameters *parameters, Datum composite);
extern Query *salkpi_analyze_query(const char *query, const Parameters *parameters);
extern void salkpi_report_no_select(void);
extern void salkpi_push_snapshot(const List *relations);
extern List *salkpi_lock_relations(const char *relation);
extern void salkpi_execute_query(const char *query, const Parameters *parameters, int cursor_options,
								 DestReceiver *receiver);

#endif							/* SALKPI_EXECUTE_H */
