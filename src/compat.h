/*
 * compat.h
 *	  Every difference between the PostgreSQL versions that salkpi builds on.
 */
#ifndef SALKPI_COMPAT_H
#define SALKPI_COMPAT_H

/* From 16 on functions that SQL calls are seen outside, where others are not (Makefile). */
#if PG_VERSION_NUM < 160000
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(function) \
extern PGDLLEXPORT Datum function(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, function) (void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_, function) (void) \
{ \
	static const Pg_finfo_record info = {1}; \
	return &info; \
} \
extern int	no_such_variable
#endif

/* 16 split the detoasting macros off to varatt.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * 16 moved the columns that a query reads from its range table to a list of
 * its own, and gave flatten_join_alias_vars an argument for the planner.
 */
#if PG_VERSION_NUM >= 160000
#define salkpi_selected_columns(query, entry) \
	(getRTEPermissionInfo((query)->rteperminfos, (entry))->selectedCols)
#define salkpi_flatten_join_alias_vars(query, node) \
	flatten_join_alias_vars(NULL, (query), (node))
#else
#define salkpi_selected_columns(query, entry)	((entry)->selectedCols)
#define salkpi_flatten_join_alias_vars(query, node) \
	flatten_join_alias_vars((query), (node))
#endif

/* 16 checks the rights on all kinds of objects by one function. */
#if PG_VERSION_NUM >= 160000
#define salkpi_function_aclcheck(function, role) \
	object_aclcheck(ProcedureRelationId, (function), (role), ACL_EXECUTE)
#else
#define salkpi_function_aclcheck(function, role) \
	pg_proc_aclcheck((function), (role), ACL_EXECUTE)
#endif

/* 18 no longer asks whether an execution will go on. */
#if PG_VERSION_NUM >= 180000
#define salkpi_executor_run(query) ExecutorRun((query), ForwardScanDirection, 0)
#else
#define salkpi_executor_run(query) ExecutorRun((query), ForwardScanDirection, 0, true)
#endif

#endif							/* SALKPI_COMPAT_H */
