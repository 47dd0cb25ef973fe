/*
 * shape.h
 *	  What the dimensions of a state are, and what it holds.
 */
#ifndef SALKPI_SHAPE_H
#define SALKPI_SHAPE_H

#define SALKPI_MAX_KEYS			10
#define SALKPI_MAX_COUNTS		10
#define SALKPI_MAX_SUMS			6
#define SALKPI_MAX_DISTINCTS	2
#define SALKPI_MAX_DIMENSIONS	64

/* One dimension of a shape. */
typedef struct Dimension
{
	char	   *name;			/* as the user gave it */
	int			nkeys;			/* keys that are combined; 0 = the total */
	int			keys[SALKPI_MAX_KEYS];	/* which, 0 for k1 */
} Dimension;

/* What a shape is of. */
typedef enum ShapeKind
{
	SHAPE_FLOW,					/* a cube of events */
	SHAPE_STOCK,				/* a cube of states */
	SHAPE_LEDGER				/* a ledger: dimensions, no slots */
} ShapeKind;

/* What a cube or a ledger holds. */
typedef struct Shape
{
	ShapeKind	kind;			/* of what */
	char	   *text;			/* canonical text of all of this */
	int			ndimensions;	/* number of dimensions */
	Dimension  *dimensions;		/* in the order given */
	bool		key_used[SALKPI_MAX_KEYS];	/* is the key in a dimension? */
	int			ncounts;		/* c: counts of a cell */
	int			nsums;			/* m: sums of a cell */
	int			ndistincts;		/* e: distinct counts */
	int			nfirsts;		/* f: first events, 0 or 1 */
	int			ndurations;		/* d: distributions, 0 or 1 */
	int			memory_mb;		/* mb: most megabytes of a ledger; 0 = any */
} Shape;

extern void salkpi_shape_parse(const char *text, ShapeKind kind, Shape *shape);

#endif							/* SALKPI_SHAPE_H */
