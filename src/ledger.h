/*
 * ledger.h
 *	  The ledger: the steps of each customer's recurring amount.
 */
#ifndef SALKPI_LEDGER_H
#define SALKPI_LEDGER_H

#include "numbers.h"
#include "segment.h"
#include "states.h"

/* The name of the type. */
#define LEDGER_TYPE		"kpi_ledger"

/*
 * A change of what a customer pays in a member, at the first bound that sees
 * it.  A change that int128 cannot hold is a numeric kept aside.
 */
typedef struct LedgerStep
{
	int128		delta;			/* times 10^scale; number of the numeric if big */
	uint32		member;			/* number in the dimension */
	uint32		place;			/* bound * 2 + is it big? */
} LedgerStep;

/*
 * One dimension.  The steps of a customer are sorted by member and bound, one
 * for each; its first one in a member is at the first bound after it first
 * paid there, and is kept even if it is zero.  All others are not zero.
 */
typedef struct LedgerDimension
{
	const Dimension *spec;		/* its name and keys, in the shape */
	TupleTable	members;		/* (text number of each key), nkeys > 1 only */
	uint32		nfolded;		/* customers in starts; others have no steps */
	Size	   *starts;			/* by customer: its first step; one more */
	LedgerStep *steps;			/* of one customer after the other, settled */
} LedgerDimension;

/* Words of a row in the log, before its members. */
#define LEDGER_LOG_CUSTOMER		0	/* number of the customer */
#define LEDGER_LOG_START		1	/* the bound at which it comes */
#define LEDGER_LOG_END			2	/* at which it goes; the same: never seen */
#define LEDGER_LOG_BIG			3	/* number of its big amount + 1; 0 = none */
#define LEDGER_LOG_WORDS		4

/* Rows that are not folded into steps yet. */
typedef struct LedgerLog
{
	uint32		nrows;			/* rows in use */
	uint32		limit;			/* rows at which it is folded */
	TextBatch	batch;			/* customers of the last rows, without number */
	int128	   *amounts;		/* times 10^scale, by row */
	Size		namounts;		/* allocated */
	uint32	   *words;			/* by row: the above, its members */
	Size		nwords;			/* allocated */
} LedgerLog;

typedef struct Ledger
{
	GridState	state;			/* its context holds everything */
	BoundUnit	unit;			/* of the bounds */
	uint32		nbounds;		/* number of bounds */
	int64	   *bounds;			/* days or microseconds from 2000, ascending */
	Shape		shape;			/* dimensions */
	int			dscale;			/* largest display scale seen */
	TextTable	keys[SALKPI_MAX_KEYS];	/* texts of the keys in use */
	TextTable	customers;		/* those of the customers */
	LedgerDimension *dimensions;	/* as in the shape */
	LedgerLog	log;			/* rows to come */
	MemoryContext big_context;	/* of the bigs; NULL if there are none */
	Numeric    *bigs;			/* changes that int128 cannot hold */
	Size		nbigs;			/* allocated */
	uint32		big_count;		/* in use */
} Ledger;

/* Steps that are read from a flat form, by customer. */
typedef struct LedgerRuns
{
	uint32		count;			/* customers */
	const uint32 *customers;	/* their numbers in the ledger */
	uint32	   *lengths;		/* how many steps each of them has */
	LedgerStep *steps;			/* of all, one customer after the other */
} LedgerRuns;

/* ledger.c */
extern Ledger *salkpi_ledger_create(MemoryContext parent, BoundUnit unit,
									const int64 *bounds, uint32 nbounds,
									const char *shape);
extern Ledger *salkpi_ledger_get(Datum datum);

/* ledger_fold.c */
extern uint32 salkpi_ledger_log_limit(const Ledger *ledger, Size nsteps);
extern void salkpi_ledger_check_memory(const Ledger *ledger, Size more);
extern uint32 salkpi_ledger_keep_big(Ledger *ledger, Numeric big);
extern void salkpi_ledger_number_customers(Ledger *ledger);
extern void salkpi_ledger_sort(LedgerStep *steps, Size count);
extern void salkpi_ledger_fold_runs(Ledger *ledger, int d,
									const LedgerRuns *runs);
extern void salkpi_ledger_fold_end(Ledger *ledger);
extern void salkpi_ledger_fold(Ledger *ledger);
extern void salkpi_ledger_grow_scale(Ledger *ledger, int dscale);

/* ledger_io.c */
extern const GridType salkpi_ledger_type;

/* How many members a dimension has. */
static inline uint32
salkpi_ledger_nmembers(const Ledger *ledger, const LedgerDimension *dimension)
{
	if (dimension->spec->nkeys == 0)
		return 1;
	if (dimension->spec->nkeys == 1)
		return ledger->keys[dimension->spec->keys[0]].index.count;
	return dimension->members.index.count;
}

/* Words of a row in the log. */
static inline Size
salkpi_ledger_log_width(const Ledger *ledger)
{
	return LEDGER_LOG_WORDS + ledger->shape.ndimensions;
}

/* The bound of a step. */
static inline uint32
salkpi_step_bound(const LedgerStep *step)
{
	return step->place / 2;
}

/* The value of a step. */
static inline ExactSum
salkpi_step_sum(const Ledger *ledger, const LedgerStep *step)
{
	if (unlikely(step->place & 1))
		return (ExactSum) {0, ledger->bigs[(uint32) step->delta]};
	return (ExactSum) {step->delta, NULL};
}

/* A step of a big that was kept, or another one. */
static inline void
salkpi_step_set(LedgerStep *step, uint32 member, uint32 bound, int128 delta,
				bool is_big)
{
	step->delta = delta;
	step->member = member;
	step->place = bound * 2 + is_big;
}

#endif							/* SALKPI_LEDGER_H */
