/*
 * first_atom.c
 *	  The first atom in which a cube has anything.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "cube.h"
#include "salkpi.h"

PG_FUNCTION_INFO_V1(salkpi_cube_first_atom);

/* The lesser of two atoms, but none before "from". */
static inline uint32
lesser_atom(uint32 atom, uint32 from, uint32 least)
{
	return atom >= from && atom < least ? atom : least;
}

static uint32
least_cell(const Cube *cube, const CubeDimension *dimension, uint32 from, uint32 least)
{
	Size		ncells = (Size) dimension->pages.index.count * CUBE_PAGE_ATOMS;
	Size		i;

	for (i = 0; i < ncells && least > from; i++)
	{
		const uint32 *page = salkpi_tuple_at(&dimension->pages,
											 i / CUBE_PAGE_ATOMS);
		uint32		atom = page[1] * CUBE_PAGE_ATOMS + i % CUBE_PAGE_ATOMS;

		if (atom >= from && atom < least &&
			!salkpi_cell_is_zero(cube, dimension->cells + i * cube->cell_size))
			least = atom;
	}
	return least;
}

/*
 * The smallest atom, none before "from", in which a dimension has anything.
 * The first difference of a stock is also its first state.
 */
static uint32
first_atom_of_dimension(const Cube *cube, const CubeDimension *dimension,
						uint32 from, uint32 least)
{
	uint32		i;

	least = least_cell(cube, dimension, from, least);
	for (i = 0; i < dimension->bigs.index.count; i++)
		if (dimension->big_values[i] != NULL)
			least = lesser_atom(salkpi_tuple_at(&dimension->bigs, i)[1], from, least);
	return least;
}

/* The same of what entities did, and of durations. */
static uint32
first_atom_of_events(const Cube *cube, uint32 from, uint32 least)
{
	uint32		i;
	int			e;

	for (e = 0; e < CUBE_ENTITIES; e++)
		for (i = 0; i < cube->events.visits[e].count; i++)
		{
			uint32		when = cube->events.visits[e].visits[i].when;

			if (e != CUBE_FIRST)
				least = lesser_atom(when, from, least);
			else if (when / 2 > 0)
				least = lesser_atom(when / 2 - 1, from, least);
		}
	for (i = 0; i < cube->events.durations.count; i++)
		least = lesser_atom(cube->events.durations.items[i].atom, from, least);
	return least;
}

/* kpi_first_atom(cube, from_atom) */
Datum
salkpi_cube_first_atom(PG_FUNCTION_ARGS)
{
	Cube	   *cube = salkpi_cube_of_datum(PG_GETARG_DATUM(0));
	uint32		from = Max(PG_GETARG_INT32(1), 1) - 1;
	uint32		least = cube->natoms;
	int			d;

	for (d = 0; d < cube->grid.shape.ndimensions && least > from; d++)
		least = first_atom_of_dimension(cube, &cube->dimensions[d], from, least);
	if (least > from)
		least = first_atom_of_events(cube, from, least);
	if (least == cube->natoms)
		PG_RETURN_NULL();
	PG_RETURN_INT32(least + 1);
}
