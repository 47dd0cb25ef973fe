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

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "cube.h"
#include "salkpi.h"

/* Arguments of both transition functions, and where a flow's go on. */
#define ARG_STATE			0
#define ARG_BOUNDS			1
#define ARG_SHAPE			2
#define ARG_AT				3
#define ARG_FLOW_KEYS		4
#define ARG_FLOW_COUNTS		(ARG_FLOW_KEYS + SALKPI_MAX_KEYS)
#define ARG_FLOW_SUMS		(ARG_FLOW_COUNTS + SALKPI_MAX_COUNTS)
#define ARG_FLOW_DISTINCTS	(ARG_FLOW_SUMS + SALKPI_MAX_SUMS)
#define ARG_FLOW_FIRST		(ARG_FLOW_DISTINCTS + SALKPI_MAX_DISTINCTS)
#define ARG_FLOW_FLAG		(ARG_FLOW_FIRST + 1)
#define ARG_FLOW_DURATION	(ARG_FLOW_FLAG + 1)

#define ARG_STOCK_FROM		3
#define ARG_STOCK_TO		4
#define ARG_STOCK_KEYS		5
#define ARG_STOCK_COUNTS	(ARG_STOCK_KEYS + SALKPI_MAX_KEYS)
#define ARG_STOCK_SUMS		(ARG_STOCK_COUNTS + 4)

/* What a row adds to its cell in each dimension. */
typedef struct Row
{
	uint32		counts;			/* bit i: cN is true */
	uint32		sums;			/* bit i: mN is there, in sum[i] */
	uint32		bigs;			/* bit i: mN is there, in big[i] */
	int128		sum[SALKPI_MAX_SUMS];	/* at the measure's fixed scale */
	Numeric		big[SALKPI_MAX_SUMS];	/* what does not fit in that */
	uint32		distincts;		/* bit e: eN is there, in entity[e] */
	uint32		entity[CUBE_ENTITIES];	/* numbers of the texts */
	bool		has_first;		/* is f1 there, in entity[CUBE_FIRST]? */
	FirstEvent	first;			/* that */
	bool		has_duration;	/* is d1 there? */
	int64		duration;		/* in microseconds */
	uint32		keys[SALKPI_MAX_KEYS];	/* numbers of the texts */
} Row;

PG_FUNCTION_INFO_V1(salkpi_cube_add_instant);
PG_FUNCTION_INFO_V1(salkpi_cube_add_day);
PG_FUNCTION_INFO_V1(salkpi_cube_add_stock);
PG_FUNCTION_INFO_V1(salkpi_cube_combine);

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

	EOH_init_header(&cube->header, &salkpi_cube_methods, context);
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
static pg_noinline RecentPage *
find_page(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atoms)
{
	MemoryContext context = cube->header.eoh_context;
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

/* The cell of a member in an atom; a new one is all zeros. */
static inline char *
find_cell(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom)
{
	uint32		atoms = atom / CUBE_PAGE_ATOMS;
	RecentPage *recent;

	if (member < dimension->nrecent &&
		dimension->recent[member].page != 0 &&
		dimension->recent[member].atoms == atoms)
		recent = &dimension->recent[member];
	else
		recent = find_page(cube, dimension, member, atoms);
	return dimension->cells + cube->cell_size *
		((Size) (recent->page - 1) * CUBE_PAGE_ATOMS + atom % CUBE_PAGE_ATOMS);
}

char *
salkpi_cube_cell(Cube *cube, CubeDimension *dimension, uint32 member,
				 uint32 atom)
{
	return find_cell(cube, dimension, member, atom);
}

/* Add to a sum in a cell; on overflow what was there becomes a Numeric. */
static inline void
add_to_sum(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom,
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

void
salkpi_cube_add_sum(Cube *cube, CubeDimension *dimension, uint32 member,
					uint32 atom, int s, int128 addend)
{
	char	   *cell = salkpi_cube_cell(cube, dimension, member, atom);

	add_to_sum(cube, dimension, member, atom, s,
			   &salkpi_cell_sums(cube, cell)[s], addend);
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

/*
 * The number of bounds at or before an instant of a flow, whose rows tend to
 * come in order of time.
 */
static inline uint32
find_atom(Cube *cube, int64 at)
{
	const int64 *bounds = cube->grid.bounds;
	uint32		last = cube->last_atom;
	uint32		upper;

	if (bounds[last] <= at && at < bounds[last + 1])
		return last + 1;
	upper = salkpi_bounds_upper(bounds, cube->grid.nbounds, at);
	if (upper > 0 && upper < cube->grid.nbounds)
		cube->last_atom = upper - 1;
	return upper;
}

/* Is the argument in use, and not NULL? */
#define HAS_ARG(n)	(!fcinfo->args[n].isnull)

/* The state of a first row: an empty cube made from its arguments. */
static Cube *
start_cube(FunctionCallInfo fcinfo, MemoryContext aggcontext, CubeKind kind,
		   BoundUnit unit)
{
	CubeGrid	grid = {.kind = kind,.unit = unit};

	if (PG_ARGISNULL(ARG_BOUNDS) || PG_ARGISNULL(ARG_SHAPE))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("bounds and shape of a cube must not be NULL")));
	grid.bounds = salkpi_bounds_read(PG_GETARG_ARRAYTYPE_P(ARG_BOUNDS), unit,
									 kind == CUBE_FLOW ? 2 : 1, "cube",
									 &grid.nbounds);
	grid.shape.text = text_to_cstring(PG_GETARG_TEXT_PP(ARG_SHAPE));
	return salkpi_cube_create(aggcontext, &grid);
}

/*
 * The cube behind a state: the expanded one that this aggregate owns, or one
 * loaded into its context.
 */
static inline Cube *
writable_cube(Datum datum, MemoryContext aggcontext)
{
	Cube	   *cube;

	if (unlikely(!VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(datum))))
		return salkpi_cube_load(aggcontext,
								(struct varlena *) PG_DETOAST_DATUM(datum));
	cube = (Cube *) DatumGetEOHP(datum);
	if (unlikely(cube->flat != NULL))
	{
		pfree(cube->flat);
		cube->flat = NULL;
	}
	return cube;
}

static void
read_sum(Cube *cube, Row *row, int s, Datum datum)
{
	struct varlena *num = pg_detoast_datum_packed((struct varlena *)
												  DatumGetPointer(datum));
	NumericParts parts;

	salkpi_numeric_read(num, &parts);
	if (unlikely(parts.dscale > cube->dscale[s]))
		salkpi_cube_grow_scale(cube, s, parts.dscale);
	if (likely(salkpi_parts_to_int128(&parts,
									  salkpi_fixed_scale(cube->dscale[s]),
									  &row->sum[s])))
		row->sums |= 1U << s;
	else
	{
		row->big[s] = DatumGetNumeric(PointerGetDatum(num));
		row->bigs |= 1U << s;
	}
}

/* Read the measures of a row; is any of them there? */
static inline bool
read_measures(Cube *cube, FunctionCallInfo fcinfo, int counts, int sums,
			  Row *row)
{
	const Shape *shape = &cube->grid.shape;
	int			i;

	row->counts = 0;
	row->sums = 0;
	row->bigs = 0;
	for (i = 0; i < shape->ncounts; i++)
		if (HAS_ARG(counts + i) && DatumGetBool(fcinfo->args[counts + i].value))
			row->counts |= 1U << i;
	for (i = 0; i < shape->nsums; i++)
		if (HAS_ARG(sums + i))
			read_sum(cube, row, i, fcinfo->args[sums + i].value);
	return (row->counts | row->sums | row->bigs) != 0;
}

static inline uint32
intern_entity(TextTable *table, Datum datum)
{
	text	   *value = DatumGetTextPP(datum);

	return salkpi_text_put_again(table, VARDATA_ANY(value),
								 VARSIZE_ANY_EXHDR(value));
}

static inline void
read_keys(Cube *cube, FunctionCallInfo fcinfo, int keys, Row *row)
{
	int			i;

	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (cube->grid.shape.key_used[i])
			row->keys[i] = salkpi_key_put(&cube->keys[i],
										  &fcinfo->args[keys + i]);
}

/* Add the measures of a row to a cell, or subtract them (sign -1). */
static inline void
add_measures(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom,
			 const Row *row, int sign)
{
	const Shape *shape = &cube->grid.shape;
	char	   *cell = find_cell(cube, dimension, member, atom);
	int64	   *counts = salkpi_cell_counts(cell);
	int128	   *sums = salkpi_cell_sums(cube, cell);
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		counts[i] += sign * (int64) (row->counts >> i & 1);
	for (i = 0; i < shape->nsums; i++)
		if (row->sums >> i & 1)
			add_to_sum(cube, dimension, member, atom, i, &sums[i],
					   sign * row->sum[i]);
	for (i = 0; i < shape->nsums && unlikely(row->bigs != 0); i++)
		if (row->bigs >> i & 1)
			salkpi_cube_add_big(cube, dimension, member, atom, i,
								sign > 0 ? row->big[i] :
								salkpi_numeric_negate(row->big[i]));
}

/*
 * Read what a flow has beside measures, for a row inside of the bounds or, of
 * first events, outside; is any of it there?  "upper" bounds are at or before
 * the row.
 */
static inline bool
read_events(Cube *cube, FunctionCallInfo fcinfo, uint32 upper, bool inside,
			Row *row)
{
	const Shape *shape = &cube->grid.shape;
	int			e;

	row->distincts = 0;
	for (e = 0; e < shape->ndistincts && inside; e++)
		if (HAS_ARG(ARG_FLOW_DISTINCTS + e))
		{
			row->distincts |= 1U << e;
			row->entity[e] = intern_entity(&cube->entities[e],
										   fcinfo->args[ARG_FLOW_DISTINCTS + e].value);
		}
	row->has_first = shape->nfirsts > 0 && HAS_ARG(ARG_FLOW_FIRST);
	if (row->has_first)
	{
		row->entity[CUBE_FIRST] = intern_entity(&cube->entities[CUBE_FIRST],
												fcinfo->args[ARG_FLOW_FIRST].value);
		row->first = upper * 2 + (HAS_ARG(ARG_FLOW_FLAG) &&
								  PG_GETARG_BOOL(ARG_FLOW_FLAG));
	}
	row->has_duration = inside && shape->ndurations > 0 &&
		HAS_ARG(ARG_FLOW_DURATION);
	if (row->has_duration)
		row->duration = PG_GETARG_INT64(ARG_FLOW_DURATION);
	return row->distincts != 0 || row->has_first || row->has_duration;
}

/* Add what a flow has beside measures. */
static inline void
add_events(Cube *cube, uint32 atom, const Row *row)
{
	CubeEvents *events = &cube->events;
	uint64		code = salkpi_key_code(events, row->keys);
	int			e;

	for (e = 0; e < cube->grid.shape.ndistincts; e++)
		if (row->distincts >> e & 1)
			salkpi_visit_put(&events->visits[e],
							 &(Visit) {code, row->entity[e], atom});
	if (row->has_first)
		salkpi_visit_put(&events->visits[CUBE_FIRST],
						 &(Visit) {code, row->entity[CUBE_FIRST], row->first});
	if (row->has_duration)
		salkpi_duration_add(&events->durations,
							&(Duration) {code, row->duration, atom});
}

/* Add a row to a flow: "upper" bounds are at or before its instant. */
static void
add_flow_row(Cube *cube, FunctionCallInfo fcinfo, uint32 upper)
{
	bool		inside = upper > 0 && upper < cube->grid.nbounds;
	bool		has_measures;
	bool		has_events;
	Row			row;
	int			d;

	has_measures = inside && read_measures(cube, fcinfo, ARG_FLOW_COUNTS,
										   ARG_FLOW_SUMS, &row);
	has_events = read_events(cube, fcinfo, upper, inside, &row);
	if (!has_measures && !has_events)
		return;
	read_keys(cube, fcinfo, ARG_FLOW_KEYS, &row);
	for (d = 0; d < cube->grid.shape.ndimensions; d++)
	{
		CubeDimension *dimension = &cube->dimensions[d];
		uint32		member = salkpi_member_put(dimension->spec,
											   &dimension->members, row.keys);

		if (has_measures)
			add_measures(cube, dimension, member, upper - 1, &row, 1);
	}
	if (has_events)
		add_events(cube, upper - 1, &row);
}

/*
 * Transition of a stock: the row is there at the instants t with from < t and
 * to >= t, that is from the first instant after "from" up to, not including,
 * the first one after "to".
 */
Datum
salkpi_cube_add_stock(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, CUBE_TYPE);
	Cube	   *cube = PG_ARGISNULL(ARG_STATE) ?
		start_cube(fcinfo, context, CUBE_STOCK, BOUND_INSTANTS) :
		writable_cube(PG_GETARG_DATUM(ARG_STATE), context);
	const int64 *bounds = cube->grid.bounds;
	uint32		start = 0;
	uint32		end = cube->natoms;
	Row			row;
	int			d;

	if (HAS_ARG(ARG_STOCK_FROM))
		start = salkpi_bounds_upper(bounds, cube->grid.nbounds,
									PG_GETARG_TIMESTAMPTZ(ARG_STOCK_FROM));
	if (HAS_ARG(ARG_STOCK_TO))
		end = salkpi_bounds_upper(bounds, cube->grid.nbounds,
								  PG_GETARG_TIMESTAMPTZ(ARG_STOCK_TO));
	if (start < end && read_measures(cube, fcinfo, ARG_STOCK_COUNTS,
									 ARG_STOCK_SUMS, &row))
	{
		read_keys(cube, fcinfo, ARG_STOCK_KEYS, &row);
		for (d = 0; d < cube->grid.shape.ndimensions; d++)
		{
			CubeDimension *dimension = &cube->dimensions[d];
			uint32		member = salkpi_member_put(dimension->spec,
												   &dimension->members,
												   row.keys);

			add_measures(cube, dimension, member, start, &row, 1);
			if (end < cube->natoms)
				add_measures(cube, dimension, member, end, &row, -1);
		}
	}
	PG_RETURN_DATUM(EOHPGetRWDatum(&cube->header));
}

/* Transition of a flow whose rows have an instant. */
Datum
salkpi_cube_add_instant(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, CUBE_TYPE);
	Cube	   *cube = PG_ARGISNULL(ARG_STATE) ?
		start_cube(fcinfo, context, CUBE_FLOW, BOUND_INSTANTS) :
		writable_cube(PG_GETARG_DATUM(ARG_STATE), context);

	if (HAS_ARG(ARG_AT))
		add_flow_row(cube, fcinfo,
					 find_atom(cube, PG_GETARG_TIMESTAMPTZ(ARG_AT)));
	PG_RETURN_DATUM(EOHPGetRWDatum(&cube->header));
}

/* Transition of a flow whose rows have a day. */
Datum
salkpi_cube_add_day(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, CUBE_TYPE);
	Cube	   *cube = PG_ARGISNULL(ARG_STATE) ?
		start_cube(fcinfo, context, CUBE_FLOW, BOUND_DAYS) :
		writable_cube(PG_GETARG_DATUM(ARG_STATE), context);

	if (HAS_ARG(ARG_AT))
		add_flow_row(cube, fcinfo, find_atom(cube, PG_GETARG_DATEADT(ARG_AT)));
	PG_RETURN_DATUM(EOHPGetRWDatum(&cube->header));
}

/* Combine two cubes of one grid; the left one is changed in place. */
Datum
salkpi_cube_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, CUBE_TYPE);
	Cube	   *cube;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		cube = salkpi_cube_load(context,
								(struct varlena *) PG_GETARG_VARLENA_P(1));
	else
		cube = writable_cube(PG_GETARG_DATUM(0), context);
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1))
		salkpi_cube_absorb(cube, (struct varlena *) PG_GETARG_VARLENA_P(1));
	PG_RETURN_DATUM(EOHPGetRWDatum(&cube->header));
}
