/*
 * read_sources.h
 *	  Reading the sources: what the files that do so share.
 */
#ifndef SALKPI_READ_SOURCES_H
#define SALKPI_READ_SOURCES_H

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "execute.h"

/* A call of kpi_read_sources, or the part of it that a worker takes. */
typedef struct Reading
{
	const char *schema;			/* of the extension, quoted */
	TupleDesc	columns;		/* of kpi_reading */
	List	   *readings;		/* the result: pointers to such composites */
	MemoryContext context;		/* of what the steps leave to each other */
	MemoryContext step_context; /* of the rest */
	Parameters	parameters;		/* of the queries */
	Datum	   *sources;		/* texts: those read, nsources of them */
	Parameters *source_parameters;	/* of each, dictionaries aside */
	NullableDatum dimensions;	/* those wanted */
	bool		with_faults;	/* are bad rows looked for? */
	int			nsources;		/* number of sources */
	int			nread;			/* of those that were begun */
} Reading;

/* One query, see kpi_reading_step. */
typedef struct Step
{
	const char *source;
	const char *reads;			/* as of kpi_part; NULL for a dictionary alone */
	const char *relation;		/* for messages */
	Datum		parts;
	Datum		columns;
	const char *query;			/* NULL: kpi_source_query writes it */
	Datum	   *keeps;			/* numbers of the parameters, integers, that
								 * its dictionaries become */
	int			nkeeps;			/* of them */
} Step;

extern const char *salkpi_source_query(Reading *r, const Step *step, int buckets);
extern void salkpi_set_parameters(Reading *r, const char *source);
extern Oid	salkpi_dictionary_type(const Reading *r);
extern void salkpi_set_progress(const char *what);
extern void salkpi_read_step(Reading *r, const Step *step);
extern bool salkpi_is_ledger_too_large(const ErrorData *error);

extern bool salkpi_read_in_parallel(Reading *r, const Step *steps, int nsteps, Oid function);
extern void salkpi_keep_memory(void);

#endif							/* SALKPI_READ_SOURCES_H */
