/*
 * salkpi.h
 *	  What the files of salkpi share.
 */
#ifndef SALKPI_H
#define SALKPI_H

#include "fmgr.h"

#include "compat.h"

/* How many steps a loop takes between two looks at interrupts; 2^n - 1. */
#define INTERRUPT_MASK	0xFFF

/* source.c: what the SQL function kpi_id_text is, told from others by its address. */
extern PGDLLEXPORT Datum salkpi_id_text(PG_FUNCTION_ARGS);

#endif							/* SALKPI_H */
