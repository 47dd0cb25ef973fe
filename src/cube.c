/*
 * cube.c
 *	  The cube: period x segment x measure cells of one pass over the rows.
 *
 * A cube is the state of the snapshot's aggregates.  It is given a grid of
 * bounds, a shape (which keys make which dimensions, how many measures of
 * each kind) and then rows; for each dimension it keeps cells for every
 * (member, atom) that occurs.  An atom is the finest piece of time: a flow's
 * atom lies between two bounds, and whatever periods are asked for later are
 * ranges of atoms; a stock's atoms are the instants at which it is wanted,
 * and its cells hold differences, so that a row costs two additions however
 * long it is valid.
 *
 * The cube is an expanded object with a memory context of its own.  There is
 * one in a query, not one for each of many groups; for those, expanded states
 * are far too slow.  Everything that the transition needs is in the state:
 * bounds and shape are read from the first row's arguments and not looked at
 * again.
 *
 * Everything hangs on tables of tuples (segment.h).  Cells come in pages of
 * four atoms, found by (member, page): dense data pays for few look-ups (and
 * rows by time for hardly any), sparse data (a hundred thousand members, each
 * sold on a few days of thirty years) does not pay for the days between.
 * Distinct counts, first events and durations are kept for all dimensions at
 * once, with the keys of their rows (cube_events.c), so that the count of any range
 * of atoms is exact, also after merging.
 *
 * A row that contributes nothing (its instant is NULL or outside, no count is
 * true, all else is NULL) leaves no trace.  A row outside of the bounds still
 * counts as an entity's first event, since that is what makes a later one not
 * the first.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "cube.h"
#include "salkpi.h"

/* Are the entities of table e (e1, e2, then f1) in use? */
bool
salkpi_cube_has_entities(const Shape *shape, int e)
{
	return e == CUBE_FIRST ? shape->nfirsts > 0 : e < shape->ndistincts;
}

static void
init_dimension(CubeDimension *dimension, const Dimension *spec,
			   MemoryContext context)
{
	dimension->spec = spec;
	if (spec->nkeys > 1)
		salkpi_tuples_init(&dimension->members, context, spec->nkeys);
	salkpi_tuples_init(&dimension->pages, context, 2);
	salkpi_tuples_init(&dimension->bigs, context, 3);
}

/* An empty cube in a new context below "parent"; the grid is copied. */
Cube *
salkpi_cube_create(MemoryContext parent, const CubeGrid *grid)
{
	MemoryContext context = AllocSetContextCreate(parent, "kpi_cube",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Cube	   *cube = palloc0(sizeof(Cube));
	Shape	   *shape = &cube->grid.shape;
	int			i;

	salkpi_grid_init(&cube->state, &salkpi_cube_type, context);
	cube->grid = *grid;
	cube->grid.bounds = MemoryContextAllocHuge(context,
											   grid->nbounds * sizeof(int64));
	memcpy(cube->grid.bounds, grid->bounds, grid->nbounds * sizeof(int64));
	salkpi_shape_parse(grid->shape.text,
					   grid->kind == CUBE_STOCK ? SHAPE_STOCK : SHAPE_FLOW, shape);
	cube->natoms = grid->nbounds - (grid->kind == CUBE_FLOW ? 1 : 0);
	cube->cell_size = shape->ncounts * sizeof(int64) +
		shape->nsums * sizeof(int128);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			salkpi_texts_init(&cube->keys[i], context);
	for (i = 0; i < CUBE_ENTITIES; i++)
		if (salkpi_cube_has_entities(shape, i))
			salkpi_texts_init(&cube->entities[i], context);
	salkpi_events_init(&cube->events, context, shape);
	cube->dimensions = palloc0(shape->ndimensions * sizeof(CubeDimension));
	for (i = 0; i < shape->ndimensions; i++)
		init_dimension(&cube->dimensions[i], &shape->dimensions[i], context);
	MemoryContextSwitchTo(caller);
	return cube;
}

/* Find the page of (member, atoms), make it if it is new, remember it. */
RecentPage *
salkpi_cube_page(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atoms)
{
	MemoryContext context = cube->state.header.eoh_context;
	uint32		key[2] = {member, atoms};
	uint32		page = salkpi_tuple_put(&dimension->pages, key, 2);
	RecentPage *recent;

	dimension->cells = salkpi_grow(context, dimension->cells,
								   &dimension->npages, (Size) page + 1,
								   cube->cell_size * CUBE_PAGE_ATOMS);
	dimension->recent = salkpi_grow(context, dimension->recent,
									&dimension->nrecent, (Size) member + 1,
									sizeof(RecentPage));
	recent = &dimension->recent[member];
	recent->atoms = atoms;
	recent->page = page + 1;
	return recent;
}

/* Find the canonical order of keys and members; all of it is palloc'd. */
void
salkpi_cube_order(const Cube *cube, CubeOrder *order)
{
	const Shape *shape = &cube->grid.shape;
	int			i;

	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			salkpi_texts_order(&cube->keys[i], &order->key_order[i],
							   &order->key_rank[i]);
	order->nmembers = palloc(shape->ndimensions * sizeof(uint32));
	order->member_order = palloc(shape->ndimensions * sizeof(uint32 *));
	order->member_rank = palloc(shape->ndimensions * sizeof(uint32 *));
	for (i = 0; i < shape->ndimensions; i++)
		salkpi_members_order(cube->dimensions[i].spec, cube->keys,
							 &cube->dimensions[i].members, order->key_order,
							 order->key_rank, &order->nmembers[i],
							 &order->member_order[i], &order->member_rank[i]);
}

/*
 * The tuples of a table of dimension d in canonical order, palloc'd.  Their
 * first word is a member, the others are atoms, pages of atoms or sums.
 */
uint32 *
salkpi_cube_sorted(const Cube *cube, const CubeOrder *order, int d,
				   const TupleTable *table)
{
	const uint32 *rank[3] = {order->member_rank[d], NULL, NULL};
	uint32		small = Max(cube->natoms, SALKPI_MAX_SUMS);
	uint32		bound[3] = {order->nmembers[d], small, small};

	Assert(table->width <= lengthof(rank));
	return salkpi_tuples_sorted(table, rank, bound);
}
