/*
 * cube_io.c
 *	  The flat form of a cube: stored, sent, compared, merged.
 *
 * Flat, a cube is a string of bytes that depends on its rows alone, so that
 * two cubes are equal if and only if their bytes are: texts are sorted
 * bytewise and numbered in that order, tuples are sorted by those numbers,
 * cells that are zero are left out and sums are settled (numbers.c).  In turn:
 *
 *		version, kind, unit		a byte each
 *		shape					a text
 *		bounds					how many, the first, differences
 *		scales					the largest display scale of each sum
 *		keys, then entities		for each table in use: sorted texts
 *		for each dimension:
 *			members				combined keys only: tuples of key numbers
 *			cells				(member, atom), the counts, the sums
 *			large sums			(member, atom, sum), a numeric as text
 *		distinct counts, firsts, durations	see cube_events_io.c
 *
 * How numbers, lists and tuples are written, and read without trust, is said
 * in flat.c.
 *
 * Merging is reading: the bytes of one cube are read into another one, and
 * loading is merging into an empty cube.  The input functions write what they
 * have read anew, so that any accepted input is canonical.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "cube.h"
#include "salkpi.h"

#define CUBE_VERSION	1

/* A flat form that is being read. */
typedef struct Reader
{
	FlatReader	flat;			/* the bytes */
	const uint32 *keys[SALKPI_MAX_KEYS];	/* numbers in the cube of its texts */
	uint32		nkeys[SALKPI_MAX_KEYS]; /* how many there are */
	const uint32 *entities[CUBE_ENTITIES];	/* the same for entities */
	uint32		nentities[CUBE_ENTITIES];	/* how many there are */
	const uint32 *members;		/* the same for members of this dimension */
	uint32		nmembers;		/* how many there are */
	int			scale[SALKPI_MAX_SUMS]; /* fixed scale of the sums read */
} Reader;

/* The member of a dimension without keys, in all cubes. */
static const uint32 total_member = 0;

static void
put_grid(FlatWriter *w, const CubeGrid *grid)
{
	salkpi_put_number(w, CUBE_VERSION);
	salkpi_put_number(w, grid->kind);
	salkpi_put_number(w, grid->unit);
	salkpi_put_text(w, grid->shape.text, strlen(grid->shape.text));
	salkpi_put_bounds(w, grid->bounds, grid->nbounds);
}

static void
put_cell(FlatWriter *w, const Cube *cube, char *cell)
{
	const Shape *shape = &cube->grid.shape;
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		salkpi_put_signed(w, salkpi_cell_counts(cell)[i]);
	for (i = 0; i < shape->nsums; i++)
		salkpi_put_signed(w, salkpi_cell_sums(cube, cell)[i]);
}

static uint32
count_cells(const Cube *cube, const CubeDimension *dimension)
{
	Size		ncells = (Size) dimension->pages.index.count * CUBE_PAGE_ATOMS;
	uint32		count = 0;
	Size		i;

	for (i = 0; i < ncells; i++)
		if (!salkpi_cell_is_zero(cube, dimension->cells + i * cube->cell_size))
			count++;
	return count;
}

static void
put_cells(FlatWriter *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, &dimension->pages);
	uint32		before[2];
	bool		is_first = true;
	uint32		i;
	int			a;

	salkpi_put_number(w, count_cells(cube, dimension));
	for (i = 0; i < dimension->pages.index.count; i++)
	{
		const uint32 *page = salkpi_tuple_at(&dimension->pages, sorted[i]);

		CHECK_FOR_INTERRUPTS();
		for (a = 0; a < CUBE_PAGE_ATOMS; a++)
		{
			uint32		tuple[2] = {order->member_rank[d][page[0]],
			page[1] * CUBE_PAGE_ATOMS + a};
			char	   *cell = dimension->cells + cube->cell_size *
				((Size) sorted[i] * CUBE_PAGE_ATOMS + a);

			if (salkpi_cell_is_zero(cube, cell))
				continue;
			salkpi_put_tuple(w, before, tuple, 2, is_first);
			put_cell(w, cube, cell);
			is_first = false;
		}
	}
	pfree(sorted);
}

static void
put_bigs(FlatWriter *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, &dimension->bigs);
	uint32		before[3];
	uint32		count = 0;
	bool		is_first = true;
	uint32		i;

	for (i = 0; i < dimension->bigs.index.count; i++)
		count += dimension->big_values[i] != NULL;
	salkpi_put_number(w, count);
	for (i = 0; i < dimension->bigs.index.count; i++)
	{
		const uint32 *key = salkpi_tuple_at(&dimension->bigs, sorted[i]);
		uint32		tuple[3] = {order->member_rank[d][key[0]], key[1], key[2]};
		Numeric		value = dimension->big_values[sorted[i]];
		char	   *text;

		if (value == NULL)
			continue;
		text = DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value)));
		salkpi_put_tuple(w, before, tuple, 3, is_first);
		salkpi_put_text(w, text, strlen(text));
		is_first = false;
	}
}

static void
put_dimension(FlatWriter *w, const Cube *cube, const CubeOrder *order, int d)
{
	if (cube->dimensions[d].spec->nkeys > 1)
		salkpi_put_members(w, cube->dimensions[d].spec,
						   &cube->dimensions[d].members,
						   order->member_order[d], order->nmembers[d],
						   order->key_rank);
	put_cells(w, cube, order, d);
	put_bigs(w, cube, order, d);
}

/* The ranks of combinations in their canonical order, which is also given. */
static uint32 *
order_combinations(const Cube *cube, const CubeOrder *order,
				   uint32 **combination_order)
{
	const KeyCodes *c = &cube->events.codes;
	const uint32 *rank[SALKPI_MAX_KEYS];
	uint32		bound[SALKPI_MAX_KEYS];
	int			k;

	for (k = 0; k < c->nkeys; k++)
	{
		rank[k] = order->key_rank[c->keys[k]];
		bound[k] = cube->keys[c->keys[k]].index.count;
	}
	*combination_order = salkpi_tuples_sorted(&c->tuples, rank, bound);
	return salkpi_inverse(*combination_order, c->tuples.index.count);
}

/* Write what entities did, and the durations. */
static void
put_events(FlatWriter *w, const Cube *cube, const CubeOrder *order,
		   uint32 *const *entity_order)
{
	const Shape *shape = &cube->grid.shape;
	uint32	   *combination_order;
	uint32	   *rank = order_combinations(cube, order, &combination_order);
	int			e;

	salkpi_put_combinations(w, &cube->events.codes, order->key_rank,
							combination_order);
	for (e = 0; e < CUBE_ENTITIES; e++)
		if (salkpi_cube_has_entities(shape, e))
			salkpi_put_visits(w, &cube->events.visits[e], entity_order[e],
							  cube->entities[e].index.count, rank);
	if (shape->ndurations > 0)
		salkpi_put_durations(w, &cube->events.durations, rank);
}

/* Write everything; scratch is left in the current context. */
static void
put_cube(FlatWriter *w, GridState *state)
{
	Cube	   *cube = (Cube *) state;
	const Shape *shape = &cube->grid.shape;
	CubeOrder	order;
	uint32	   *entity_order[CUBE_ENTITIES];
	int			i;

	salkpi_number_codes(&cube->events);
	for (i = 0; i < CUBE_ENTITIES; i++)
		salkpi_visits_settle(&cube->events.visits[i]);
	salkpi_cube_settle(cube);
	salkpi_cube_order(cube, &order);
	put_grid(w, &cube->grid);
	for (i = 0; i < shape->nsums; i++)
		salkpi_put_number(w, cube->dscale[i]);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			salkpi_put_texts(w, &cube->keys[i], order.key_order[i]);
	for (i = 0; i < CUBE_ENTITIES; i++)
		if (salkpi_cube_has_entities(shape, i))
		{
			entity_order[i] = salkpi_texts_sorted(&cube->entities[i]);
			salkpi_put_texts(w, &cube->entities[i], entity_order[i]);
		}
	for (i = 0; i < shape->ndimensions; i++)
		put_dimension(w, cube, &order, i);
	put_events(w, cube, &order, entity_order);
}

/* The head of a flat form, palloc'd. */
static void
get_grid(Reader *r, CubeGrid *grid)
{
	const char *text;
	uint32		length;

	salkpi_flat_check_version(&r->flat, CUBE_VERSION);
	grid->kind = salkpi_get_number(&r->flat, "kind");
	if (grid->kind != CUBE_FLOW && grid->kind != CUBE_STOCK)
		salkpi_flat_damaged(&r->flat, "kind");
	grid->unit = salkpi_get_number(&r->flat, "unit");
	if (grid->unit != BOUND_DAYS && grid->unit != BOUND_INSTANTS)
		salkpi_flat_damaged(&r->flat, "unit");
	text = salkpi_get_text(&r->flat, &length, "shape");
	salkpi_shape_parse(pnstrdup(text, length),
					   grid->kind == CUBE_STOCK ? SHAPE_STOCK : SHAPE_FLOW,
					   &grid->shape);
	grid->bounds = salkpi_get_bounds(&r->flat, grid->kind == CUBE_FLOW ? 2 : 1,
									 &grid->nbounds);
}

/* Add a sum that was read at its own scale to one at the cube's scale. */
static void
absorb_sum(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom,
		   int s, int128 value, const Reader *r)
{
	int			scale = r->scale[s];
	int128		scaled = value;

	if (!salkpi_is_small(value))
		salkpi_flat_damaged(&r->flat, "sums");
	if (salkpi_rescale(&scaled, salkpi_fixed_scale(cube->dscale[s]) - scale))
		salkpi_cube_add_sum(cube, dimension, member, atom, s,
							&salkpi_cell_sums(cube, salkpi_cube_cell(cube, dimension, member, atom))[s],
							scaled);
	else
		salkpi_cube_add_big(cube, dimension, member, atom, s,
							salkpi_int128_to_numeric(value, scale));
}

static void
absorb_cells(Cube *cube, CubeDimension *dimension, Reader *r)
{
	const Shape *shape = &cube->grid.shape;
	uint32		bound[2] = {r->nmembers, cube->natoms};
	uint32		count = salkpi_get_count(&r->flat, "cells");
	uint32		tuple[2];
	uint32		i;
	int			j;

	if (count > 0 && cube->cell_size == 0)
		salkpi_flat_damaged(&r->flat, "cells");
	for (i = 0; i < count; i++)
	{
		uint32		member;
		int64	   *counts;

		CHECK_FOR_INTERRUPTS();
		salkpi_get_tuple(&r->flat, tuple, bound, 2, i == 0, "cells");
		member = r->members[tuple[0]];
		counts = salkpi_cell_counts(salkpi_cube_cell(cube, dimension, member,
													 tuple[1]));
		for (j = 0; j < shape->ncounts; j++)
			if (pg_add_s64_overflow(counts[j],
									salkpi_get_signed(&r->flat, 64, "counts"),
									&counts[j]))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("bigint out of range")));
		for (j = 0; j < shape->nsums; j++)
			absorb_sum(cube, dimension, member, tuple[1], j,
					   salkpi_get_signed(&r->flat, 128, "sums"), r);
	}
}

static void
absorb_bigs(Cube *cube, CubeDimension *dimension, Reader *r)
{
	uint32		bound[3] = {r->nmembers, cube->natoms, cube->grid.shape.nsums};
	uint32		count = salkpi_get_count(&r->flat, "large sums");
	uint32		tuple[3];
	uint32		i;

	for (i = 0; i < count; i++)
	{
		NumericParts parts;
		Numeric		value;
		const char *text;
		uint32		length;

		CHECK_FOR_INTERRUPTS();
		salkpi_get_tuple(&r->flat, tuple, bound, 3, i == 0, "large sums");
		text = salkpi_get_text(&r->flat, &length, "large sums");
		value = DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(pnstrdup(text, length)),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
		salkpi_numeric_read((struct varlena *) value, &parts);
		if (parts.dscale > cube->dscale[tuple[2]])
			salkpi_flat_damaged(&r->flat, "large sums");
		salkpi_cube_add_big(cube, dimension, r->members[tuple[0]], tuple[1],
							tuple[2], value);
	}
}

static void
absorb_dimension(Cube *cube, int d, Reader *r)
{
	CubeDimension *dimension = &cube->dimensions[d];
	const Dimension *spec = dimension->spec;

	r->members = &total_member;
	r->nmembers = 1;
	if (spec->nkeys == 1)
	{
		r->members = r->keys[spec->keys[0]];
		r->nmembers = r->nkeys[spec->keys[0]];
	}
	else if (spec->nkeys > 1)
		r->members = salkpi_get_members(&r->flat, spec, &dimension->members,
										r->keys, r->nkeys, &r->nmembers);
	absorb_cells(cube, dimension, r);
	absorb_bigs(cube, dimension, r);
}

/* Read what entities did, and the durations. */
static void
absorb_events(Cube *cube, Reader *r)
{
	const Shape *shape = &cube->grid.shape;
	TupleTable *members[SALKPI_MAX_DIMENSIONS];
	const uint64 *codes;
	uint32		count;
	int			i;

	for (i = 0; i < shape->ndimensions; i++)
		members[i] = &cube->dimensions[i].members;
	codes = salkpi_absorb_combinations(&r->flat, &cube->events, members, r->keys,
									   r->nkeys, &count);
	for (i = 0; i < CUBE_ENTITIES; i++)
		if (salkpi_cube_has_entities(shape, i))
			salkpi_absorb_visits(&r->flat, &cube->events.visits[i], r->entities[i],
								 r->nentities[i], codes, count,
								 i == CUBE_FIRST ? ((uint64) cube->grid.nbounds + 1) * 2 :
								 cube->natoms);
	if (shape->ndurations > 0)
		salkpi_absorb_durations(&r->flat, &cube->events.durations, codes,
								count, cube->natoms);
}

/* Everything behind the head of a flat form goes into a cube of its grid. */
static void
absorb_body(Cube *cube, Reader *r)
{
	const Shape *shape = &cube->grid.shape;
	int			i;

	for (i = 0; i < shape->nsums; i++)
	{
		uint64		dscale = salkpi_get_number(&r->flat, "scales");

		if (dscale > SALKPI_MAX_DSCALE)
			salkpi_flat_damaged(&r->flat, "scales");
		r->scale[i] = salkpi_fixed_scale((int) dscale);
		if (dscale > cube->dscale[i])
			salkpi_cube_grow_scale(cube, i, (int) dscale);
	}
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			r->keys[i] = salkpi_get_texts(&r->flat, &cube->keys[i],
										  &r->nkeys[i], 1, "keys");
	for (i = 0; i < CUBE_ENTITIES; i++)
		if (salkpi_cube_has_entities(shape, i))
			r->entities[i] = salkpi_get_texts(&r->flat, &cube->entities[i],
											  &r->nentities[i], 0,
											  "entities");
	for (i = 0; i < shape->ndimensions; i++)
		absorb_dimension(cube, i, r);
	absorb_events(cube, r);
	if (r->flat.p != r->flat.end)
		salkpi_flat_damaged(&r->flat, "end");
}

static void
start_reading(Reader *r, struct varlena *flat)
{
	memset(r, 0, sizeof(Reader));
	salkpi_flat_open(&r->flat, CUBE_TYPE, flat);
}

/* A cube made from a flat form, in a new context below "parent". */
static GridState *
load_cube(MemoryContext parent, struct varlena *flat)
{
	Reader		r;
	CubeGrid	grid;
	Cube	   *cube;

	start_reading(&r, flat);
	get_grid(&r, &grid);
	cube = salkpi_cube_create(parent, &grid);
	absorb_body(cube, &r);
	return &cube->state;
}

/* Cubes of different grids or shapes cannot be merged: say what differs. */
static void
check_same_grid(const CubeGrid *a, const CubeGrid *b)
{
	if (a->kind != b->kind || a->unit != b->unit || a->nbounds != b->nbounds ||
		memcmp(a->bounds, b->bounds, a->nbounds * sizeof(int64)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge cubes with different bounds"),
				 errdetail("A %s of %u bounds meets a %s of %u.",
						   a->kind == CUBE_FLOW ? "flow" : "stock", a->nbounds,
						   b->kind == CUBE_FLOW ? "flow" : "stock", b->nbounds)));
	if (strcmp(a->shape.text, b->shape.text) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge cubes of different shapes"),
				 errdetail("The shapes are \"%s\" and \"%s\".", a->shape.text,
						   b->shape.text)));
}

/* Merge a flat form into a cube. */
static void
absorb_cube(GridState *state, struct varlena *flat)
{
	Cube	   *cube = (Cube *) state;
	Reader		r;
	CubeGrid	grid;

	start_reading(&r, flat);
	get_grid(&r, &grid);
	check_same_grid(&cube->grid, &grid);
	absorb_body(cube, &r);
}

const GridType salkpi_cube_type = {CUBE_TYPE, load_cube, absorb_cube, put_cube};

/* The cube of an argument, settled, for reading. */
Cube *
salkpi_cube_of_datum(Datum datum)
{
	Cube	   *cube = (Cube *) salkpi_grid_get(&salkpi_cube_type, datum);

	salkpi_cube_settle(cube);
	return cube;
}

GRID_FUNCTIONS(cube);
