/*
 * cube.h
 *	  The cube: period x segment x measure cells of one pass over the rows.
 */
#ifndef SALKPI_CUBE_H
#define SALKPI_CUBE_H

#include "batch_rows.h"
#include "cube_events.h"
#include "numbers.h"
#include "segment.h"
#include "states.h"

/* The name of the type. */
#define CUBE_TYPE			"kpi_cube"

/* Atoms of one page of cells. */
#define CUBE_PAGE_ATOMS		4

typedef enum CubeKind
{
	CUBE_FLOW = 'f',			/* events in the atoms between bounds */
	CUBE_STOCK = 's'			/* differences of states at the bounds */
} CubeKind;

/* What must agree between cubes that are merged. */
typedef struct CubeGrid
{
	CubeKind	kind;			/* flow or stock */
	BoundUnit	unit;			/* of the bounds */
	uint32		nbounds;		/* number of bounds */
	int64	   *bounds;			/* days or microseconds from 2000, ascending */
	Shape		shape;			/* dimensions and slots in use */
} CubeGrid;

/* The page of a member that was used last: rows tend to come by time. */
typedef struct RecentPage
{
	uint32		atoms;			/* atom / CUBE_PAGE_ATOMS */
	uint32		page;			/* number of the page + 1; 0 = none yet */
} RecentPage;

/* The cells of one dimension; tables of tuples with arrays beside them. */
typedef struct CubeDimension
{
	const Dimension *spec;		/* its name and keys, in the shape */
	TupleTable	members;		/* (text number of each key), nkeys > 1 only */

	TupleTable	pages;			/* (member, atom / CUBE_PAGE_ATOMS) */
	char	   *cells;			/* CUBE_PAGE_ATOMS cells for each page */
	Size		npages;			/* pages allocated in cells */
	RecentPage *recent;			/* for each member */
	Size		nrecent;		/* allocated */

	TupleTable	bigs;			/* (member, atom, sum): what int128 cannot hold */
	Numeric    *big_values;		/* for each of bigs; NULL = 0 */
	Size		nbig_values;	/* allocated */
} CubeDimension;

/* What the rows at hand add; see cube_rows.c. */
typedef struct CubeWork CubeWork;

typedef struct Cube
{
	GridState	state;			/* its context holds everything */
	CubeGrid	grid;			/* bounds and shape */
	uint32		natoms;			/* flow: between the bounds; stock: at them */
	uint32		last_atom;		/* atom of the last row */
	int			dscale[SALKPI_MAX_SUMS];	/* largest display scale seen */
	Size		cell_size;		/* bytes: int64 counts, then int128 sums */
	TextTable	keys[SALKPI_MAX_KEYS];	/* texts of the keys in use */
	TextTable	entities[CUBE_ENTITIES];	/* those of e1, e2 and f1 */
	CubeEvents	events;			/* what those did, and durations */
	CubeDimension *dimensions;	/* as in the shape */
	CubeWork   *work;			/* NULL until rows are added */
} Cube;

/* The order in which a cube is written and read. */
typedef struct CubeOrder
{
	uint32	   *key_order[SALKPI_MAX_KEYS]; /* numbers of texts, bytewise */
	uint32	   *key_rank[SALKPI_MAX_KEYS];	/* the inverse */
	uint32	   *nmembers;		/* of each dimension */
	uint32	  **member_order;	/* of each dimension: numbers of members */
	uint32	  **member_rank;	/* the inverse */
} CubeOrder;

/* cube.c */
extern Cube *salkpi_cube_create(MemoryContext parent, const CubeGrid *grid);
extern RecentPage *salkpi_cube_page(Cube *cube, CubeDimension *dimension,
									uint32 member, uint32 atoms);
extern bool salkpi_cube_has_entities(const Shape *shape, int e);

extern void salkpi_cube_order(const Cube *cube, CubeOrder *order);
extern uint32 *salkpi_cube_sorted(const Cube *cube, const CubeOrder *order,
								  int d, const TupleTable *table);

/* cube_rows.c */
extern PGDLLEXPORT Datum salkpi_cube_add_instant(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum salkpi_cube_add_day(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum salkpi_cube_add_stock(PG_FUNCTION_ARGS);
extern Datum salkpi_cube_add_instants(FunctionCallInfo fcinfo, const BatchArgument *args,
									  const BatchRows *rows);
extern Datum salkpi_cube_add_days(FunctionCallInfo fcinfo, const BatchArgument *args,
								  const BatchRows *rows);
extern Datum salkpi_cube_add_stocks(FunctionCallInfo fcinfo, const BatchArgument *args,
									const BatchRows *rows);

/* cube_sums.c */
extern void salkpi_cube_add_big(Cube *cube, CubeDimension *dimension,
								uint32 member, uint32 atom, int s,
								Numeric addend);
extern void salkpi_cube_grow_scale(Cube *cube, int s, int dscale);
extern void salkpi_cube_settle(Cube *cube);

/* cube_io.c */
extern const GridType salkpi_cube_type;
extern Cube *salkpi_cube_of_datum(Datum datum);

/* The counts and the sums of a cell. */
static inline int64 *
salkpi_cell_counts(char *cell)
{
	return (int64 *) cell;
}

static inline int128 *
salkpi_cell_sums(const Cube *cube, char *cell)
{
	return (int128 *) (cell + cube->grid.shape.ncounts * sizeof(int64));
}

/* The cell of a member in an atom; a new one is all zeros. */
static inline char *
salkpi_cube_cell(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom)
{
	uint32		atoms = atom / CUBE_PAGE_ATOMS;
	RecentPage *recent;

	if (member < dimension->nrecent &&
		dimension->recent[member].page != 0 &&
		dimension->recent[member].atoms == atoms)
		recent = &dimension->recent[member];
	else
		recent = salkpi_cube_page(cube, dimension, member, atoms);
	return dimension->cells + cube->cell_size *
		((Size) (recent->page - 1) * CUBE_PAGE_ATOMS + atom % CUBE_PAGE_ATOMS);
}

/* Add to a sum in a cell; on overflow what was there becomes a Numeric. */
static inline void
salkpi_cube_add_sum(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom,
					int s, int128 *sum, int128 addend)
{
	int128		result;

	if (unlikely(__builtin_add_overflow(*sum, addend, &result)))
	{
		int			scale = salkpi_fixed_scale(cube->dscale[s]);

		salkpi_cube_add_big(cube, dimension, member, atom, s,
							salkpi_int128_to_numeric(*sum, scale));
		result = addend;
	}
	*sum = result;
}

/* Does a cell hold nothing? */
static inline bool
salkpi_cell_is_zero(const Cube *cube, const char *cell)
{
	const int64 *words = (const int64 *) cell;
	Size		i;

	for (i = 0; i < cube->cell_size / sizeof(int64); i++)
		if (words[i] != 0)
			return false;
	return true;
}

#endif							/* SALKPI_CUBE_H */
