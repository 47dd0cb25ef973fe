/*
 * cells.c
 *	  Reading a cube: the values of each member in each period asked for.
 *
 * The periods of a flow are ranges of atoms and may overlap: months, quarters,
 * years and cut periods are read at once.  For each atom the periods that it
 * lies in are listed beforehand; a cell is then added to those, which costs
 * as many additions as there are grains, however sparse the members and
 * however many the periods.  A period that nothing was added to is not even
 * looked at.  Periods that begin together, as those since ever do, have what the
 * next shorter one has, and what came after.
 *
 * Entities are counted beforehand, in all dimensions at once (cells_events.c).
 *
 * The periods of a stock are instants.  A member's differences are added up in
 * order of time, once, whatever the number of instants.
 */
#include "postgres.h"

#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "cells.h"
#include "durations.h"
#include "salkpi.h"

PG_FUNCTION_INFO_V1(salkpi_cube_cells);
PG_FUNCTION_INFO_V1(salkpi_cube_panel);

/* The atoms of a period must lie in the cube, its instant must be one. */
static void
check_period(const CellsReading *r, int p, bool has_last)
{
	const Period *period = &r->lists.periods[p];
	bool		is_flow = r->cube->grid.kind == CUBE_FLOW;

	if (is_flow ? !has_last : (has_last && period->last != period->first))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 is_flow ?
				 errmsg("period %d has a first atom, but no last one", p + 1) :
				 errmsg("period %d of a stock must be one instant", p + 1)));
	if (period->first < 0 || period->last >= (int64) r->cube->natoms ||
		period->last < period->first - 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period %d is outside of the cube", p + 1),
				 errdetail("It goes from atom " INT64_FORMAT " to " INT64_FORMAT ", the cube from 1 to %u.",
						   period->first + 1, period->last + 1,
						   r->cube->natoms)));
}

static void
read_periods(CellsReading *r, ArrayType *first_atoms, ArrayType *last_atoms)
{
	Datum	   *first;
	Datum	   *last;
	bool	   *first_null;
	bool	   *last_null;
	int			p;

	r->lists.nperiods = salkpi_int4_array(first_atoms, "atoms of periods", &first,
									&first_null);
	if (salkpi_int4_array(last_atoms, "atoms of periods", &last,
						  &last_null) != r->lists.nperiods)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("first and last atoms must be arrays of the same length")));
	r->lists.periods = palloc0((r->lists.nperiods + 1) * sizeof(Period));
	for (p = 0; p < r->lists.nperiods; p++)
	{
		Period	   *period = &r->lists.periods[p];

		if (first_null[p])
			continue;
		period->is_wanted = true;
		period->first = (int64) DatumGetInt32(first[p]) - 1;
		period->last = last_null[p] ? period->first :
			(int64) DatumGetInt32(last[p]) - 1;
		check_period(r, p, !last_null[p]);
	}
}

static int
compare_ends(const void *a, const void *b, void *arg)
{
	const Period *periods = arg;
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	if (periods[x].last != periods[y].last)
		return periods[x].last < periods[y].last ? -1 : 1;
	return (x > y) - (x < y);
}

/* Which counts of entities are measures at all: it takes going through them. */
static void
read_wanted(CellsReading *r, ArrayType *measures)
{
	const Shape *shape = &r->cube->grid.shape;
	int			count = shape->ncounts + shape->ndistincts + 2 * shape->nfirsts;
	Datum	   *values;
	bool	   *nulls;
	int			e;

	if (salkpi_int4_array(measures, "measures", &values, &nulls) < count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be a measure for each of %d integers", count)));
	for (e = 0; e < shape->ndistincts; e++)
		r->is_unwanted[COUNT_DISTINCTS + e] = nulls[shape->ncounts + e];
	if (shape->nfirsts > 0)
		r->is_unwanted[COUNT_FIRSTS] = nulls[count - 2] && nulls[count - 1];
}

/* Put the wanted periods in order. */
static void
order_periods(CellsReading *r)
{
	uint32		p;

	r->wanted = palloc((r->lists.nperiods + 1) * sizeof(uint32));
	for (p = 0; p < r->lists.nperiods; p++)
		if (r->lists.periods[p].is_wanted)
			r->wanted[r->nwanted++] = p;
	qsort_arg(r->wanted, r->nwanted, sizeof(uint32), compare_ends,
			  r->lists.periods);
}

/* Do all wanted periods begin at the same atom, as sums since ever do? */
static bool
are_nested(const CellsReading *r)
{
	uint32		i;

	for (i = 1; i < r->nwanted; i++)
		if (r->lists.periods[r->wanted[i]].first != r->lists.periods[r->wanted[0]].first)
			return false;
	return r->nwanted > 1 && r->cube->grid.shape.ndurations == 0;
}

/* The periods of each atom: of nested ones the first that it is in. */
static void
list_periods(CellsReading *r)
{
	PeriodLists *lists = &r->lists;
	Period	   *listed = palloc((lists->nperiods + 1) * sizeof(Period));
	int64		next;
	uint32		i;

	memcpy(listed, lists->periods, lists->nperiods * sizeof(Period));
	lists->is_nested = are_nested(r);
	if (lists->is_nested)
	{
		lists->first = next = lists->periods[r->wanted[0]].first;
		for (i = 0; i < r->nwanted; i++)
		{
			listed[r->wanted[i]].first = next;
			next = lists->periods[r->wanted[i]].last + 1;
		}
	}
	salkpi_periods_list(listed, lists->nperiods, r->cube->natoms,
						&lists->start, &lists->list);
	pfree(listed);
}

/* Start to walk through a table of the current dimension. */
static void
start_walk(CellsReading *r, CellsWalk *walk, const TupleTable *table)
{
	walk->table = table;
	walk->sorted = salkpi_cube_sorted(r->cube, &r->order, r->d, table);
	walk->next = 0;
	walk->atom = 0;
}

/* The same for counts that are not dense. */
static void
start_counts_walk(CellsReading *r, CellsWalk *walk, const TupleTable *counts)
{
	const uint32 *rank[2] = {r->order.member_rank[r->d], NULL};
	uint32		bound[2] = {r->order.nmembers[r->d], r->lists.nperiods};

	walk->table = counts;
	walk->sorted = salkpi_tuples_sorted(counts, rank, bound);
	walk->next = 0;
}

/* The walk's next tuple, if it is of this member; else NULL. */
static inline const uint32 *
peek(const CellsWalk *walk, uint32 member)
{
	const uint32 *tuple;

	if (walk->next >= walk->table->index.count)
		return NULL;
	tuple = salkpi_tuple_at(walk->table, walk->sorted[walk->next]);
	return tuple[0] == member ? tuple : NULL;
}

/* The next cell of this member that is not zero and its atom; else NULL. */
static char *
peek_cell(CellsReading *r, uint32 member, uint32 *atom)
{
	CellsWalk	   *walk = &r->cells;
	const uint32 *page;

	while ((page = peek(walk, member)) != NULL)
	{
		char	   *cells = r->dimension->cells + r->cube->cell_size *
			CUBE_PAGE_ATOMS * (Size) walk->sorted[walk->next];

		for (; walk->atom < CUBE_PAGE_ATOMS; walk->atom++)
		{
			char	   *cell = cells + walk->atom * r->cube->cell_size;

			*atom = page[1] * CUBE_PAGE_ATOMS + walk->atom;
			if (!salkpi_cell_is_zero(r->cube, cell))
				return cell;
		}
		walk->next++;
		walk->atom = 0;
	}
	return NULL;
}

/* The same for large sums: the value, its atom and which sum it is. */
static Numeric
peek_big(CellsReading *r, uint32 member, uint32 *atom, uint32 *sum)
{
	CellsWalk	   *walk = &r->bigs;
	const uint32 *key;

	for (; (key = peek(walk, member)) != NULL; walk->next++)
	{
		Numeric		value = r->dimension->big_values[walk->sorted[walk->next]];

		*atom = key[1];
		*sum = key[2];
		if (value != NULL)
			return value;
	}
	return NULL;
}

/* The total of a period, which the member now has something in. */
static inline Total *
touch(CellsReading *r, uint32 p)
{
	Total	   *total = &r->totals[p];

	if (!total->is_touched)
	{
		total->is_touched = true;
		r->touched[r->ntouched++] = p;
	}
	return total;
}

static inline void
add_count(int64 *count, int64 addend)
{
	if (unlikely(pg_add_s64_overflow(*count, addend, count)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("bigint out of range")));
}

static void
add_cell(CellsReading *r, Total *total, char *cell)
{
	const Shape *shape = &r->cube->grid.shape;
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		add_count(&total->counts[i], salkpi_cell_counts(cell)[i]);
	for (i = 0; i < shape->nsums; i++)
		salkpi_sum_add(&total->sums[i], salkpi_cell_sums(r->cube, cell)[i],
					   salkpi_fixed_scale(r->cube->dscale[i]));
}

static void
settle_total(const CellsReading *r, Total *total)
{
	int			i;

	for (i = 0; i < r->cube->grid.shape.nsums; i++)
		salkpi_sum_settle(&total->sums[i],
						  salkpi_fixed_scale(r->cube->dscale[i]));
}

/* Is there anything in a settled total? */
static bool
is_zero(const CellsReading *r, const Total *total)
{
	const Shape *shape = &r->cube->grid.shape;
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		if (total->counts[i] != 0)
			return false;
	for (i = 0; i < shape->nsums; i++)
		if (total->sums[i].small != 0 || total->sums[i].big != NULL)
			return false;
	for (i = 0; i < shape->ndistincts; i++)
		if (total->distincts[i] != 0)
			return false;
	return total->firsts == 0 && total->ndurations == 0;
}

/* Add the cells of a member to the periods of their atoms. */
static void
total_cells(CellsReading *r, uint32 member)
{
	char	   *cell;
	Numeric		big;
	uint32		atom;
	uint32		s;
	Size		i;

	for (; (cell = peek_cell(r, member, &atom)) != NULL; r->cells.atom++)
		for (i = r->lists.start[atom]; i < r->lists.start[atom + 1]; i++)
			add_cell(r, touch(r, r->lists.list[i]), cell);
	for (; (big = peek_big(r, member, &atom, &s)) != NULL; r->bigs.next++)
		for (i = r->lists.start[atom]; i < r->lists.start[atom + 1]; i++)
			salkpi_sum_add_big(&touch(r, r->lists.list[i])->sums[s], big);
}

/* What counts of a kind are of in a total. */
static inline int64 *
counted(Total *total, int kind)
{
	if (kind == COUNT_FIRSTS)
		return &total->firsts;
	if (kind == COUNT_FLAGGED)
		return &total->flagged;
	return &total->distincts[kind - COUNT_DISTINCTS];
}

/* Add the entities of a member to the periods in which they count. */
static void
total_entities(CellsReading *r, uint32 member, int kind)
{
	const Counts *counts = &r->counts[kind][r->d];
	CellsWalk	   *walk = &r->sparse[kind];
	const Count *dense = counts->dense + (Size) member * counts->nperiods;
	const uint32 *key;
	uint32		p;

	for (p = 0; p < counts->nperiods && counts->dense != NULL; p++)
		if (dense[p].count != 0)
			*counted(touch(r, p), kind) = dense[p].count;
	for (; counts->dense == NULL && (key = peek(walk, member)) != NULL;
		 walk->next++)
		*counted(touch(r, key[1]), kind) = counts->values[walk->sorted[walk->next]].count;
}

/* Count the durations of a member, which follow those of the member before. */
static void
total_durations(CellsReading *r, uint32 member)
{
	uint32		rank = r->order.member_rank[r->d][member];
	uint32		n = r->durations_end;
	Size		i;

	r->durations_start = n;
	for (; n < r->cube->events.durations.count && r->durations[n].member == rank; n++)
		for (i = r->lists.start[r->durations[n].atom];
			 i < r->lists.start[r->durations[n].atom + 1]; i++)
			touch(r, r->lists.list[i])->ndurations++;
	r->durations_end = n;
}

/*
 * Put them behind each other by period: in order of their value, as they come.
 * There is room for those of one member, in each of its periods.
 */
static void
list_durations(CellsReading *r)
{
	Size		end = 0;
	uint32		n;
	Size		i;

	for (i = 0; i < r->ntouched; i++)
	{
		r->totals[r->touched[i]].durations_end = end;
		end += r->totals[r->touched[i]].ndurations;
	}
	r->values = salkpi_reserve(r->context, r->values, &r->values_size, end, sizeof(int64));
	for (n = r->durations_start; n < r->durations_end; n++)
	{
		CHECK_FOR_INTERRUPTS();
		for (i = r->lists.start[r->durations[n].atom];
			 i < r->lists.start[r->durations[n].atom + 1]; i++)
			r->values[r->totals[r->lists.list[i]].durations_end++] = r->durations[n].value;
	}
}

/* Of nested periods each has what the one before it has. */
static void
add_shorter(CellsReading *r)
{
	const Shape *shape = &r->cube->grid.shape;
	const Total *shorter = NULL;
	uint32		i;
	int			n;

	for (i = 0; i < r->nwanted; i++)
	{
		uint32		p = r->wanted[i];

		if (shorter != NULL)
		{
			Total	   *total = touch(r, p);

			for (n = 0; n < shape->ncounts; n++)
				add_count(&total->counts[n], shorter->counts[n]);
			for (n = 0; n < shape->nsums; n++)
				salkpi_sum_add_sum(&total->sums[n], &shorter->sums[n], 1,
								   salkpi_fixed_scale(r->cube->dscale[n]));
			for (n = 0; n < shape->ndistincts; n++)
				total->distincts[n] += shorter->distincts[n];
			total->firsts += shorter->firsts;
			total->flagged += shorter->flagged;
		}
		if (r->totals[p].is_touched)
			shorter = &r->totals[p];
	}
}

static int
compare_periods(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

/* The rows of a member of a flow; each period of the blank one has a row. */
static void
read_flow_member(CellsReading *r, uint32 member, bool is_blank)
{
	const Shape *shape = &r->cube->grid.shape;
	uint32		i;
	int			kind;

	r->ntouched = 0;
	total_cells(r, member);
	for (kind = 0; kind < COUNT_KINDS; kind++)
		if (r->counts[kind] != NULL)
			total_entities(r, member, kind);
	if (shape->ndurations > 0)
		total_durations(r, member);
	if (r->lists.is_nested)
		add_shorter(r);
	for (i = 0; i < r->lists.nperiods && is_blank; i++)
		if (r->lists.periods[i].is_wanted)
			(void) touch(r, i);
	qsort(r->touched, r->ntouched, sizeof(uint32), compare_periods);
	if (shape->ndurations > 0)
		list_durations(r);
	for (i = 0; i < r->ntouched; i++)
	{
		Total	   *total = &r->totals[r->touched[i]];

		settle_total(r, total);
		if (is_blank || !is_zero(r, total))
			salkpi_cells_emit(r, r->touched[i], total);
		memset(total, 0, sizeof(Total));
	}
}

/* Add the differences of a member up to an instant to its state. */
static void
advance_stock(CellsReading *r, uint32 member, int64 instant, Total *total)
{
	char	   *cell;
	Numeric		big;
	uint32		atom;
	uint32		s;

	for (; (cell = peek_cell(r, member, &atom)) != NULL && atom <= instant;
		 r->cells.atom++)
		add_cell(r, total, cell);
	for (; (big = peek_big(r, member, &atom, &s)) != NULL && atom <= instant;
		 r->bigs.next++)
		salkpi_sum_add_big(&total->sums[s], big);
	settle_total(r, total);
}

/* The next instant at which something changes; the end if there is none. */
static int64
next_change(CellsReading *r, uint32 member)
{
	int64		next = r->cube->natoms;
	uint32		atom;
	uint32		s;

	if (peek_cell(r, member, &atom) != NULL)
		next = atom;
	if (peek_big(r, member, &atom, &s) != NULL)
		next = Min(next, atom);
	return next;
}

/* The first wanted instant, from number i on, that is not before an atom. */
static uint32
skip_instants(const CellsReading *r, uint32 i, int64 atom)
{
	uint32		high = r->nwanted;

	while (i < high)
	{
		uint32		middle = i + (high - i) / 2;

		if (r->lists.periods[r->wanted[middle]].first < atom)
			i = middle + 1;
		else
			high = middle;
	}
	return i;
}

/* The rows of a member of a stock; where it is nothing, time is skipped. */
static void
read_stock_member(CellsReading *r, uint32 member, bool is_blank)
{
	Total		total = {0};
	uint32		i = 0;

	while (i < r->nwanted)
	{
		uint32		p = r->wanted[i];

		advance_stock(r, member, r->lists.periods[p].first, &total);
		if (is_blank || !is_zero(r, &total))
		{
			salkpi_cells_emit(r, p, &total);
			i++;
		}
		else
			i = skip_instants(r, i, next_change(r, member));
	}
	while (peek(&r->cells, member) != NULL)
		r->cells.next++;
	r->cells.atom = 0;
	while (peek(&r->bigs, member) != NULL)
		r->bigs.next++;
}

/* Zeros for a blank member that no row had. */
static void
emit_blank(CellsReading *r)
{
	Total		total = {0};
	uint32		p;

	r->members = salkpi_member_texts(r->dimension->spec, r->cube->keys,
									 &r->dimension->members, NULL);
	r->is_new_member = true;
	for (p = 0; p < r->lists.nperiods; p++)
		if (r->lists.periods[p].is_wanted)
			salkpi_cells_emit(r, p, &total);
}

static void
read_members(CellsReading *r)
{
	uint32		blank = salkpi_member_blank(r->dimension->spec,
											r->cube->keys,
											&r->dimension->members);
	MemoryContext caller = MemoryContextSwitchTo(r->member_context);
	uint32		i;

	if (blank == SALKPI_NOT_FOUND)
		emit_blank(r);
	for (i = 0; i < r->order.nmembers[r->d]; i++)
	{
		uint32		member = r->order.member_order[r->d][i];

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(r->member_context);
		r->members = salkpi_member_texts(r->dimension->spec, r->cube->keys,
										 &r->dimension->members, &member);
		r->is_new_member = true;
		if (r->cube->grid.kind == CUBE_FLOW)
			read_flow_member(r, member, member == blank);
		else
			read_stock_member(r, member, member == blank);
	}
	MemoryContextSwitchTo(caller);
}

static void
read_dimension(CellsReading *r, int d)
{
	const Shape *shape = &r->cube->grid.shape;
	CubeDimension *dimension = &r->cube->dimensions[d];
	int			kind;

	r->d = d;
	r->dimension = dimension;
	start_walk(r, &r->cells, &dimension->pages);
	start_walk(r, &r->bigs, &dimension->bigs);
	for (kind = 0; kind < COUNT_KINDS; kind++)
		if (r->counts[kind] != NULL && r->counts[kind][d].dense == NULL)
			start_counts_walk(r, &r->sparse[kind], &r->counts[kind][d].sparse);
	if (shape->ndurations > 0)
		r->durations = salkpi_durations_by_member(r->cube, &r->order, d,
												  &r->columns[d], r->by_value);
	r->durations_end = 0;
	read_members(r);
	if (shape->ndurations > 0)
		pfree(r->durations);
}

/* Start to read a cube, the first argument, in the periods of the next two. */
static void
open_reading(CellsReading *r, FunctionCallInfo fcinfo)
{
	memset(r, 0, sizeof(CellsReading));
	r->context = CurrentMemoryContext;
	r->member_context = AllocSetContextCreate(CurrentMemoryContext,
											  "kpi_cells member",
											  ALLOCSET_DEFAULT_SIZES);
	r->row_context = AllocSetContextCreate(CurrentMemoryContext,
										   "kpi_cells row",
										   ALLOCSET_DEFAULT_SIZES);
	r->cube = salkpi_cube_of_datum(PG_GETARG_DATUM(0));
	read_periods(r, PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_ARRAYTYPE_P(2));
	if (PG_NARGS() == 4 && !PG_ARGISNULL(3))
		read_wanted(r, PG_GETARG_ARRAYTYPE_P(3));
	order_periods(r);
	if (r->cube->grid.kind == CUBE_FLOW)
		list_periods(r);
	r->totals = palloc_extended((r->lists.nperiods + 1) * sizeof(Total),
								MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	r->touched = palloc((r->lists.nperiods + 1) * sizeof(uint32));
	salkpi_cube_order(r->cube, &r->order);
	if (r->cube->grid.kind != CUBE_FLOW)
		return;
	salkpi_count_entities(r->cube, &r->order, &r->lists, r->is_unwanted,
						  r->counts);
	r->columns = salkpi_member_columns(r->cube);
	r->by_value = salkpi_durations_by_value(r->cube);
}

static void
read_cube(CellsReading *r)
{
	int			d;

	for (d = 0; d < r->cube->grid.shape.ndimensions; d++)
		read_dimension(r, d);
}

/* kpi_cells(cube, first_atom, last_atom) */
Datum
salkpi_cube_cells(PG_FUNCTION_ARGS)
{
	CellsReading		r;

	InitMaterializedSRF(fcinfo, 0);
	open_reading(&r, fcinfo);
	r.result = (ReturnSetInfo *) fcinfo->resultinfo;
	read_cube(&r);
	return (Datum) 0;
}

/*
 * kpi_panel(cube, first_atom, last_atom, measures) and, of sums in the currency that is
 * the last part of each member, kpi_panel(cube, first_atom, last_atom, rates, at)
 */
Datum
salkpi_cube_panel(PG_FUNCTION_ARGS)
{
	CellsReading		r;
	PanelShape	shape;
	PanelRates	rates;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	open_reading(&r, fcinfo);
	shape.nints = r.cube->grid.shape.ncounts + r.cube->grid.shape.ndistincts +
		2 * r.cube->grid.shape.nfirsts;
	shape.nnumerics = r.cube->grid.shape.nsums;
	shape.ndurations = r.cube->grid.shape.ndurations;
	salkpi_panel_start(&r.panel, &shape, CurrentMemoryContext);
	if (PG_NARGS() > 4)
	{
		salkpi_panel_rates(&rates, fcinfo, 3, r.lists.nperiods);
		r.panel.rates = &rates;
	}
	read_cube(&r);
	PG_RETURN_POINTER(salkpi_panel_finish(&r.panel));
}
