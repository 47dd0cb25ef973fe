/*
 * cube_sums.c
 *	  The sums of a cube that its cells cannot hold, and the scale of all.
 *
 * A sum is an int128 in its cell, at a scale that all cells of the measure
 * have in common; what does not fit is added to a Numeric beside it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "cube.h"

/* Add to the part of a sum that is kept as a Numeric. */
void
salkpi_cube_add_big(Cube *cube, CubeDimension *dimension, uint32 member,
					uint32 atom, int s, Numeric addend)
{
	uint32		key[3] = {member, atom, s};
	uint32		number = salkpi_tuple_put(&dimension->bigs, key, 3);
	MemoryContext context = cube->state.header.eoh_context;
	Numeric		old;

	dimension->big_values = salkpi_grow(context, dimension->big_values,
										&dimension->nbig_values,
										(Size) number + 1, sizeof(Numeric));
	old = dimension->big_values[number];
	if (old != NULL)
		addend = salkpi_numeric_add(old, addend);
	dimension->big_values[number] = (Numeric)
		MemoryContextAlloc(context, VARSIZE_ANY(addend));
	memcpy(dimension->big_values[number], addend, VARSIZE_ANY(addend));
	if (old != NULL)
		pfree(old);
}

/* Multiply one sum of all cells of a dimension by 10^by. */
static void
rescale_dimension(Cube *cube, CubeDimension *dimension, int s, int by,
				  int old_scale)
{
	Size		ncells = (Size) dimension->pages.index.count * CUBE_PAGE_ATOMS;
	Size		i;

	for (i = 0; i < ncells; i++)
	{
		char	   *cell = dimension->cells + i * cube->cell_size;
		int128	   *sum = &salkpi_cell_sums(cube, cell)[s];
		uint32	   *page;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (salkpi_rescale(sum, by))
			continue;
		page = salkpi_tuple_at(&dimension->pages, i / CUBE_PAGE_ATOMS);
		salkpi_cube_add_big(cube, dimension, page[0],
							page[1] * CUBE_PAGE_ATOMS + i % CUBE_PAGE_ATOMS, s,
							salkpi_int128_to_numeric(*sum, old_scale));
		*sum = 0;
	}
}

/* A value with more decimals than any before: the measure's scale grows. */
void
salkpi_cube_grow_scale(Cube *cube, int s, int dscale)
{
	int			old_scale = salkpi_fixed_scale(cube->dscale[s]);
	int			by = salkpi_fixed_scale(dscale) - old_scale;
	int			d;

	for (d = 0; d < cube->grid.shape.ndimensions && by > 0; d++)
		rescale_dimension(cube, &cube->dimensions[d], s, by, old_scale);
	cube->dscale[s] = dscale;
}

/* Numerics that fit in a cell's integer go back to it; zero remains as NULL. */
static void
settle_bigs(Cube *cube, CubeDimension *dimension)
{
	uint32		i;

	for (i = 0; i < dimension->bigs.index.count; i++)
	{
		uint32	   *key = salkpi_tuple_at(&dimension->bigs, i);
		int			s = key[2];
		int128	   *cell_sum = &salkpi_cell_sums(cube,
												 salkpi_cube_cell(cube, dimension,
																  key[0], key[1]))[s];
		Numeric		old = dimension->big_values[i];
		ExactSum	sum = {*cell_sum, old};

		CHECK_FOR_INTERRUPTS();
		salkpi_sum_settle(&sum, salkpi_fixed_scale(cube->dscale[s]));
		*cell_sum = sum.small;
		dimension->big_values[i] = NULL;
		if (sum.big != NULL)
			salkpi_cube_add_big(cube, dimension, key[0], key[1], s,
								salkpi_numeric_pad(sum.big, cube->dscale[s]));
		if (old != NULL)
			pfree(old);
	}
}

/* Integers that a settled sum does not keep as such become Numerics. */
static void
spill_large_sums(Cube *cube, CubeDimension *dimension)
{
	Size		ncells = (Size) dimension->pages.index.count * CUBE_PAGE_ATOMS;
	Size		i;
	int			s;

	for (i = 0; i < ncells; i++)
	{
		int128	   *sums = salkpi_cell_sums(cube, dimension->cells +
											i * cube->cell_size);

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		for (s = 0; s < cube->grid.shape.nsums; s++)
			if (!salkpi_is_small(sums[s]))
			{
				uint32	   *page = salkpi_tuple_at(&dimension->pages,
												   i / CUBE_PAGE_ATOMS);

				salkpi_cube_add_big(cube, dimension, page[0],
									page[1] * CUBE_PAGE_ATOMS +
									i % CUBE_PAGE_ATOMS, s,
									salkpi_int128_to_numeric(sums[s],
															 salkpi_fixed_scale(cube->dscale[s])));
				sums[s] = 0;
			}
	}
}

/*
 * Bring sums into the form that depends on their values alone.  Done before a
 * cube is written or read; adding to it may go on afterwards.
 */
void
salkpi_cube_settle(Cube *cube)
{
	int			d;

	for (d = 0; d < cube->grid.shape.ndimensions; d++)
	{
		spill_large_sums(cube, &cube->dimensions[d]);
		settle_bigs(cube, &cube->dimensions[d]);
	}
}
