/*
 * facts.h
 *	  The facts that panels make together, a dimension at a time.
 */
#ifndef SALKPI_FACTS_H
#define SALKPI_FACTS_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"

#include "panel.h"
#include "segment.h"

/* A panel and what its values are. */
typedef struct FactPanel
{
	PanelReader reader;			/* at its current dimension */
	bool		is_open;		/* is there one? */
	int			measures[2 * PANEL_MAX_VALUES + 1]; /* of each value: the
													 * measure, from 0; -1 =
													 * none */
} FactPanel;

/* Rows in a block of values; a power of two. */
#define FACTS_BLOCK		256

typedef struct Facts
{
	MemoryContext values_context;	/* of values, which serve one dimension after
									 * the other */
	int			nmeasures;		/* measures of a fact */
	Oid		   *types;			/* of each measure */
	NullableDatum *zeros;		/* of each measure: 0, by its type */
	FactPanel  *panels;			/* npanels of them */
	int			npanels;
	MemoryContext context;		/* of all that follows: it lives as long as a
								 * dimension is the current one */
	const char *dimension;		/* its name, not terminated */
	uint32		dimension_length;	/* in bytes */
	TextTable	members;		/* names of members */
	uint32		blank;			/* the blank one of them */
	TupleTable	rows;			/* (member, period from 0) */
	int			nplaces;		/* measures that a panel has in the dimension */
	int		   *places;			/* of each measure, its place among those; -1: none */
	NullableDatum **values;		/* of each row, for each place, so many rows in a
								 * block; of all dimensions */
	Size		nblocks;		/* blocks allocated */
	Size		blocks_size;	/* room for so many */
	uint32		nperiods;		/* periods in known */
	bool	   *known;			/* by period and measure: do members that have
								 * no value have 0? */
	Size		nknown;			/* allocated */
} Facts;

/* The values of a fact by place. */
static inline NullableDatum *
salkpi_fact_values(const Facts *f, uint32 row)
{
	return f->values[row / FACTS_BLOCK] + (Size) (row % FACTS_BLOCK) * f->nplaces;
}

/* That of a measure: NULL where no panel has one. */
static inline NullableDatum
salkpi_fact_value(const Facts *f, uint32 row, int measure)
{
	NullableDatum none = {.isnull = true};

	return f->places[measure] < 0 ? none : salkpi_fact_values(f, row)[f->places[measure]];
}

/* What a fact has of a measure of which no panel has a value for it. */
static inline NullableDatum
salkpi_fact_blank(const Facts *f, uint32 period, int measure)
{
	NullableDatum unknown = {.isnull = true};

	return period < f->nperiods && f->known[(Size) period * f->nmeasures + measure] ?
		f->zeros[measure] : unknown;
}

extern void salkpi_facts_open(Facts *f, FunctionCallInfo fcinfo, int nargs,
							  const Oid *types, int nmeasures);
extern bool salkpi_facts_next(Facts *f);
extern void salkpi_facts_start(Facts *f, text *dimension);
extern uint32 salkpi_facts_put(Facts *f, uint32 member, uint32 period);
extern void salkpi_facts_known(Facts *f, uint32 period, int measure);
extern bool salkpi_fact_equals(const Facts *f, int measure, Datum a, Datum b);
extern bool salkpi_fact_is_needed(const Facts *f, uint32 member,
								  const NullableDatum *values);

/* member.c */
extern void salkpi_member_part(StringInfo name, const char *part, uint32 length);

/* new_facts.c */
typedef struct NewFacts NewFacts;

extern NewFacts *salkpi_new_facts_begin(ReturnSetInfo *result, Oid schema);
extern TupleDesc salkpi_new_facts_columns(const NewFacts *facts);
extern int64 salkpi_new_facts_number(const NewFacts *facts);
extern void salkpi_new_facts_put(NewFacts *facts, Datum *values, bool *nulls);

#endif							/* SALKPI_FACTS_H */
