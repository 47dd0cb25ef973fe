/*
 * cells_rows.c
 *	  Reading a cube: rows of kpi_cells, or of a panel, from totals.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "cells.h"
#include "durations.h"
#include "salkpi.h"

/* Columns of a row of kpi_cells. */
#define CELLS_COLUMNS	9

static Datum
sum_array(const CellsReading *r, const Total *total)
{
	Datum		datums[SALKPI_MAX_SUMS];
	int			count = r->cube->grid.shape.nsums;
	int			i;

	for (i = 0; i < count; i++)
		datums[i] = NumericGetDatum(salkpi_sum_to_numeric(&total->sums[i],
														  r->cube->dscale[i]));
	return PointerGetDatum(construct_array(datums, count, NUMERICOID, -1, false,
										   TYPALIGN_INT));
}

/* The durations of a total that has been listed. */
static Datum
durations_of(const CellsReading *r, const Total *total)
{
	return PointerGetDatum(salkpi_durations_build(r->values + total->durations_end - total->ndurations,
												  total->ndurations));
}

/* One row of kpi_cells. */
static void
emit_tuple(CellsReading *r, uint32 p, const Total *total)
{
	const Shape *shape = &r->cube->grid.shape;
	Datum		values[CELLS_COLUMNS] = {0};
	bool		nulls[CELLS_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(shape->dimensions[r->d].name);
	values[1] = r->members;
	values[2] = Int32GetDatum(p + 1);
	values[3] = salkpi_bigints(total->counts, shape->ncounts);
	values[4] = sum_array(r, total);
	values[5] = salkpi_bigints(total->distincts, shape->ndistincts);
	values[6] = salkpi_bigints(&total->firsts, shape->nfirsts);
	values[7] = salkpi_bigints(&total->flagged, shape->nfirsts);
	nulls[8] = shape->ndurations == 0;
	if (!nulls[8])
		values[8] = durations_of(r, total);
	tuplestore_putvalues(r->result->setResult, r->result->setDesc, values,
						 nulls);
}

/* The same as a row of a panel: integers are counts, distincts, firsts, flagged. */
static void
emit_panel_row(CellsReading *r, uint32 p, const Total *total)
{
	const Shape *shape = &r->cube->grid.shape;
	PanelRow	row = {.period = p};
	int64	   *ints = row.ints;
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		*ints++ = total->counts[i];
	for (i = 0; i < shape->ndistincts; i++)
		*ints++ = total->distincts[i];
	if (shape->nfirsts > 0)
	{
		*ints++ = total->firsts;
		*ints++ = total->flagged;
	}
	for (i = 0; i < shape->nsums; i++)
		row.numerics[i] = NumericGetDatum(salkpi_sum_to_numeric(&total->sums[i],
																r->cube->dscale[i]));
	if (shape->ndurations > 0)
		row.durations = durations_of(r, total);
	salkpi_panel_row(&r->panel, &row);
}

/* One row of the result. */
void
salkpi_cells_emit(CellsReading *r, uint32 p, const Total *total)
{
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	if (r->result == NULL && r->is_new_member)
		salkpi_panel_member(&r->panel, r->dimension->spec->name, r->members);
	r->is_new_member = false;
	caller = MemoryContextSwitchTo(r->row_context);
	if (r->result == NULL)
		emit_panel_row(r, p, total);
	else
		emit_tuple(r, p, total);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(r->row_context);
}
