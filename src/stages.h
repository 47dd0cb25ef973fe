/*
 * stages.h
 *	  The way of one opportunity through the stages, from its history.
 */
#ifndef SALKPI_STAGES_H
#define SALKPI_STAGES_H

#include "utils/array.h"
#include "utils/timestamp.h"

#include "salkpi.h"
#include "segment.h"

typedef enum Outcome
{
	OPEN,
	WON,
	LOST
} Outcome;

/* The stages, in their order. */
typedef struct Stages Stages;

/* A row of the history. */
typedef struct Step
{
	TimestampTz from;
	TimestampTz to;				/* if it says so, or with the next */
	bool		has_end;		/* is "to" known? */
	bool		has_keys;		/* are they not NULL? */
	Outcome		outcome;		/* the row's, else its stage's */
	int32		level;			/* of the stage; places beyond are in stages.c */
	uint32		stage;			/* number of the stage that it is in */
	Datum		name;			/* of that stage, a text, if there is one */
	Datum		keys;			/* what tells the members it belongs to, a text[] */
} Step;

/* That a deal entered a stage for the first time, or that a stay in one ended. */
typedef struct StageEvent
{
	TimestampTz at;
	TimestampTz since;			/* of a stay: its begin */
	Datum		stage;			/* its name, a text */
	const Step *step;			/* the row that says so; NULL: none does */
	bool		entered;		/* or: left */
	bool		advanced;		/* did a later stage or the deal follow? */
	bool		by_closing;		/* was it the closing of the deal? */
} StageEvent;

/* The columns of kpi_step. */
enum
{
	STEP_FROM,
	STEP_TO,
	STEP_STAGE,
	STEP_STATUS,
	STEP_KEYS,
	STEP_COLUMNS
};

/* The columns of kpi_stage_event, none of them NULL: that is read faster. */
enum
{
	EVENT_AT,
	EVENT_SINCE,
	EVENT_ENTERED,
	EVENT_ADVANCED,
	EVENT_CLOSING,
	EVENT_STAGE,
	EVENT_KEYS,
	EVENT_COLUMNS
};

/* A deal, and what became of it. */
typedef struct Walk
{
	MemoryContext context;		/* of what is kept from deal to deal */
	const Stages *stages;
	Step	   *steps;			/* in the order of stays, once it has been walked */
	uint32		nsteps;
	Size		steps_size;		/* room for how many */
	bool		is_closed;		/* is closed_at known? */
	TimestampTz closed_at;
	bool		is_won;			/* has it been won by now? */
	StageEvent *events;			/* what became of it */
	uint32		nevents;
	Size		events_size;	/* room for how many */

	/* While it is walked. */
	MemoryContext strangers_context;
	TextTable	strangers;		/* names of stages that are not in the list */
	bool	   *entered;		/* by number of the stage */
	Size		entered_size;	/* room for how many */
	const Step **order;			/* steps as stages are entered */
	Size		order_size;		/* room for how many */
	int32		highest;		/* level reached at any time */
} Walk;

extern const Stages *salkpi_stages_create(ArrayType *names, ArrayType *positions,
										  ArrayType *outcomes);
extern bool salkpi_stages_are_of(const Stages *stages, const ArrayType *names,
								 const ArrayType *positions, const ArrayType *outcomes);
extern void salkpi_walk_begin(Walk *walk);
extern Step *salkpi_walk_add(Walk *walk, TimestampTz from, const text *name, const text *status);
extern void salkpi_walk(Walk *walk);

/* SQL function, told from others by its address. */
extern PGDLLEXPORT Datum salkpi_kpi_stage_events(PG_FUNCTION_ARGS);

/* The columns of an event; no_keys: an empty text[]. */
static inline void
salkpi_event_values(const StageEvent *event, Datum no_keys, Datum *values)
{
	values[EVENT_AT] = TimestampTzGetDatum(event->at);
	values[EVENT_SINCE] = TimestampTzGetDatum(event->since);
	values[EVENT_ENTERED] = BoolGetDatum(event->entered);
	values[EVENT_ADVANCED] = BoolGetDatum(event->advanced);
	values[EVENT_CLOSING] = BoolGetDatum(event->by_closing);
	values[EVENT_STAGE] = event->stage;
	values[EVENT_KEYS] = event->step != NULL && event->step->has_keys ? event->step->keys : no_keys;
}

#endif							/* SALKPI_STAGES_H */
