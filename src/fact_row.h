/*
 * fact_row.h
 *	  Rows of kpi_fact as values.
 */
#ifndef SALKPI_FACT_ROW_H
#define SALKPI_FACT_ROW_H

#include "access/htup.h"
#include "access/tupdesc.h"

/* kpi_fact's columns up to "days" say what a row is about. */
#define SALKPI_FIRST_MEASURE	10

/* A row taken apart, by column from 0. */
typedef struct FactRow
{
	Datum	   *values;
	bool	   *nulls;
} FactRow;

extern Datum salkpi_measure_zero(Oid type);
extern Datum salkpi_measure_sum(Oid type, Datum a, Datum b);

extern FactRow *salkpi_fact_open(TupleDesc tupdesc, HeapTuple tuple);
extern FactRow *salkpi_fact_open_datum(TupleDesc tupdesc, HeapTupleHeader header);
extern FactRow *salkpi_fact_zero(TupleDesc tupdesc, const FactRow *blank);
extern FactRow *salkpi_fact_sum(TupleDesc tupdesc, const FactRow *a, const FactRow *b,
								const bool *is_additive);
extern bool *salkpi_fact_listed(TupleDesc tupdesc, const Datum *measures, int n);
extern Datum salkpi_fact_missing(TupleDesc tupdesc, const FactRow *row);

#endif							/* SALKPI_FACT_ROW_H */
