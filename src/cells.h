/*
 * cells.h
 *	  Reading a cube: what is at hand while it goes on.
 */
#ifndef SALKPI_CELLS_H
#define SALKPI_CELLS_H

#include "nodes/execnodes.h"

#include "cells_events.h"
#include "panel.h"

/* What is known of a member in a period. */
typedef struct Total
{
	bool		is_touched;		/* in the list of those touched? */
	int64		counts[SALKPI_MAX_COUNTS];
	ExactSum	sums[SALKPI_MAX_SUMS];	/* at the measure's fixed scale */
	int64		distincts[SALKPI_MAX_DISTINCTS];	/* entities */
	int64		firsts;			/* entities whose first event this is */
	int64		flagged;		/* of these, the flagged ones */
	int64		ndurations;		/* durations */
	Size		durations_end;	/* where the next one goes to */
} Total;

/* A table of tuples being walked in order, a member at a time. */
typedef struct CellsWalk
{
	const TupleTable *table;	/* whose first word is the member */
	uint32	   *sorted;			/* numbers of the tuples in order */
	uint32		next;			/* index in sorted */
	int			atom;			/* cells only: atom in the page */
} CellsWalk;

/* One call of kpi_cells. */
typedef struct CellsReading
{
	Cube	   *cube;			/* what is read */
	CubeOrder	order;			/* its members in order */
	ReturnSetInfo *result;		/* where the rows go; NULL: into the panel */
	PanelWriter panel;			/* that */
	bool		is_new_member;	/* has the member no row there yet? */
	MemoryContext context;		/* lives as long as this */
	MemoryContext member_context;	/* lives as long as a member */
	MemoryContext row_context;	/* lives as long as a row */
	PeriodLists lists;			/* periods asked for; flow: those of each atom */
	bool		is_unwanted[COUNT_KINDS];	/* flow: counts that are left zero */
	Counts	   *counts[COUNT_KINDS];	/* flow: entities, for each dimension */
	Total	   *totals;			/* of the member, for each of them */
	uint32	   *touched;		/* periods in which the member has something */
	uint32		ntouched;		/* how many */
	uint32	   *wanted;			/* wanted periods in the order in which they end */
	uint32		nwanted;		/* how many */
	int			d;				/* dimension being read */
	CubeDimension *dimension;	/* that */
	CellsWalk		cells;			/* through its pages */
	CellsWalk		bigs;			/* through its large sums */
	CellsWalk		sparse[COUNT_KINDS];	/* through counts that are not dense */
	MemberColumn *columns;		/* members of codes */
	Duration   *by_value;		/* all durations */
	MemberDuration *durations;	/* the same by member of this dimension */
	uint32		durations_start;	/* of this member in that */
	uint32		durations_end;	/* first one behind */
	int64	   *values;			/* those of this member, by touched period */
	Size		values_size;	/* allocated */
	Datum		members;		/* text[] of this member */
} CellsReading;

/* cells_rows.c */
extern void salkpi_cells_emit(CellsReading *r, uint32 p, const Total *total);

#endif							/* SALKPI_CELLS_H */
