/*
 * panel.h
 *	  The type kpi_panel for other C files: writing one, row by row.
 *
 * A panel is what a state holds in some periods, by dimension and member: a
 * row for each member and period, of some integers, some numerics and, at
 * most, one distribution of durations.  Rows come member by member, dimension
 * by dimension.
 */
#ifndef SALKPI_PANEL_H
#define SALKPI_PANEL_H

#include "fmgr.h"

#include "flat.h"

/* The name of the type. */
#define PANEL_TYPE			"kpi_panel"

/* Most integers, or numerics, of a row. */
#define PANEL_MAX_VALUES	32

/* More periods than any calendar has. */
#define SALKPI_MOST_PERIODS	1000000

/* What the rows of a panel have. */
typedef struct PanelShape
{
	int			nints;			/* integers */
	int			nnumerics;		/* numerics */
	int			ndurations;		/* distributions, 0 or 1 */
} PanelShape;

/* A row; what it points to is copied. */
typedef struct PanelRow
{
	uint32		period;			/* counted from 0 */
	int64		ints[PANEL_MAX_VALUES];
	Datum		numerics[PANEL_MAX_VALUES];
	Datum		durations;		/* a kpi_durations */
} PanelRow;

/*
 * Rates by which the numerics of a row are multiplied: the last part of each
 * member is not one, but the currency in which they are; blank = none is needed.
 */
typedef struct PanelRates
{
	struct varlena *dictionary; /* a kpi_dictionary of rates; may be NULL */
	uint32		nperiods;		/* periods */
	const Datum *instants;		/* of each period, when the rate is wanted */
	const bool *no_instant;		/* of each period: is there none? */
	Datum	   *rates;			/* of the current member, by period; 0 = none */
} PanelRates;

typedef struct PanelWriter
{
	FlatWriter	flat;			/* where the bytes go */
	PanelShape	shape;			/* of each row */
	const char *dimension;		/* the current one; NULL at first */
	bool		in_member;		/* are rows of a member being written? */
	PanelRates *rates;			/* NULL: numerics are as they are */
} PanelWriter;

extern void salkpi_panel_start(PanelWriter *w, const PanelShape *shape,
							   MemoryContext context);
extern void salkpi_panel_member(PanelWriter *w, const char *dimension, Datum parts);
extern void salkpi_panel_rates(PanelRates *rates, FunctionCallInfo fcinfo,
							   int arg, uint32 nperiods);
extern void salkpi_panel_row(PanelWriter *w, const PanelRow *row);
extern struct varlena *salkpi_panel_finish(PanelWriter *w);
extern Datum salkpi_bigints(const int64 *values, int count);

/* A panel that is being read. */
typedef struct PanelReader
{
	FlatReader	flat;			/* where the bytes come from */
	PanelShape	shape;			/* of each row */
	const char *dimension;		/* the current one; not terminated */
	uint32		dimension_length;	/* its bytes; 0 at the end */
	uint32		nparts;			/* parts of the current member */
	const char *parts[SALKPI_MAX_KEYS]; /* those, not terminated */
	uint32		part_lengths[SALKPI_MAX_KEYS];	/* their bytes */
} PanelReader;

extern void salkpi_panel_open(PanelReader *r, struct varlena *panel);
extern bool salkpi_panel_next_dimension(PanelReader *r);
extern bool salkpi_panel_next_member(PanelReader *r);
extern bool salkpi_panel_next_row(PanelReader *r, PanelRow *row);
extern bool salkpi_panel_is_blank(const PanelReader *r);
extern int	salkpi_panel_compare(const PanelReader *a, const PanelReader *b);

#endif							/* SALKPI_PANEL_H */
