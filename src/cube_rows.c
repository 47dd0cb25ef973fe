/*
 * cube_rows.c
 *	  Adding rows to a cube.
 *
 * Rows come a batch at a time (batch.c), or one by one where an aggregate is
 * the executor's.  What is done to them is decided once a batch: each measure,
 * each key and each dimension goes through all rows before the next one does,
 * and texts are looked up together.
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
#define FLOW_ARGS			(ARG_FLOW_DURATION + 1)

#define ARG_STOCK_FROM		3
#define ARG_STOCK_TO		4
#define ARG_STOCK_KEYS		5
#define ARG_STOCK_COUNTS	(ARG_STOCK_KEYS + SALKPI_MAX_KEYS)
#define ARG_STOCK_SUMS		(ARG_STOCK_COUNTS + 4)

/* What each row adds to its cell in each dimension. */
struct CubeWork
{
	uint32		start[BATCH_ROWS];	/* bounds at or before the row */
	uint32		end[BATCH_ROWS];	/* a stock's: before its end */
	uint16		counts[BATCH_ROWS]; /* bit i: cN is true */
	uint8		sums[BATCH_ROWS];	/* bit i: mN is there, in sum[i] */
	uint8		bigs[BATCH_ROWS];	/* bit i: mN is there, in big[i] */
	int128		sum[SALKPI_MAX_SUMS][BATCH_ROWS];	/* at the measure's fixed
													 * scale */
	Numeric		big[SALKPI_MAX_SUMS][BATCH_ROWS];	/* what does not fit in
													 * that */
	uint8		events[BATCH_ROWS]; /* bit e: e1, e2 or f1 is there */
	bool		has_duration[BATCH_ROWS];	/* is d1 there? */
	uint32		entity[CUBE_ENTITIES][BATCH_ROWS];	/* numbers of the texts */
	uint32		keys[SALKPI_MAX_KEYS][BATCH_ROWS];	/* as well */
	uint32		members[BATCH_ROWS];	/* of the dimension at hand */
	TextRef		texts[BATCH_ROWS];	/* of the key or entities at hand */
	uint32		numbers[BATCH_ROWS];	/* of those */
};

PG_FUNCTION_INFO_V1(salkpi_cube_add_instant);
PG_FUNCTION_INFO_V1(salkpi_cube_add_day);
PG_FUNCTION_INFO_V1(salkpi_cube_add_stock);

/* ---------- what rows are made of ---------- */

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

static void
read_counts(CubeWork *w, int ncounts, const BatchArgument *args, const BatchRows *rows)
{
	for (int i = 0; i < rows->count; i++)
		w->counts[rows->row[i]] = 0;
	for (int c = 0; c < ncounts; c++)
		for (int i = 0; i < rows->count; i++)
		{
			int			row = rows->row[i];

			w->counts[row] |= (!args[c].nulls[row] && DatumGetBool(args[c].values[row])) << c;
		}
}

/* A value with more decimals than any before makes those read so far anew. */
static void
read_sum(Cube *cube, int s, const BatchArgument *arg, const BatchRows *rows)
{
	CubeWork   *w = cube->work;

	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		struct varlena *num;
		NumericParts parts;
		bool		is_small;

		if (arg->nulls[row])
			continue;
		num = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(arg->values[row]));
		salkpi_numeric_read(num, &parts);
		if (unlikely(parts.dscale > cube->dscale[s]))
		{
			salkpi_cube_grow_scale(cube, s, parts.dscale);
			i = -1;
			continue;
		}
		is_small = salkpi_parts_to_int128(&parts, salkpi_fixed_scale(cube->dscale[s]),
										  &w->sum[s][row]);
		w->big[s][row] = DatumGetNumeric(PointerGetDatum(num));
		w->sums[row] = (w->sums[row] & ~(1U << s)) | (uint32) is_small << s;
		w->bigs[row] = (w->bigs[row] & ~(1U << s)) | (uint32) !is_small << s;
	}
}

static void
read_measures(Cube *cube, const BatchArgument *counts, const BatchArgument *sums,
			  const BatchRows *rows)
{
	const Shape *shape = &cube->grid.shape;
	CubeWork   *w = cube->work;

	read_counts(w, shape->ncounts, counts, rows);
	for (int i = 0; i < rows->count; i++)
		w->sums[rows->row[i]] = w->bigs[rows->row[i]] = 0;
	for (int s = 0; s < shape->nsums; s++)
		read_sum(cube, s, &sums[s], rows);
}

static inline bool
has_measures(const CubeWork *w, int row)
{
	return (w->counts[row] | w->sums[row] | w->bigs[row]) != 0;
}

static inline TextRef
text_of(const BatchArgument *arg, int row)
{
	const text *value = DatumGetTextPP(arg->values[row]);

	return (TextRef) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

/* The entities of e1, e2 or f1. */
static void
read_entities(Cube *cube, int e, const BatchArgument *arg, const BatchRows *rows)
{
	CubeWork   *w = cube->work;
	int			count = 0;

	for (int i = 0; i < rows->count; i++)
		if (!arg->nulls[rows->row[i]])
			w->texts[count++] = text_of(arg, rows->row[i]);
	salkpi_texts_put(&cube->entities[e], w->texts, count, w->numbers);
	count = 0;
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		if (arg->nulls[row])
			continue;
		w->events[row] |= 1U << e;
		w->entity[e][row] = w->numbers[count++];
	}
}

/* The keys of rows; NULL and '' are those of the blank member. */
static void
read_keys(Cube *cube, const BatchArgument *args, const BatchRows *rows)
{
	const TextRef blank = {SALKPI_BLANK, strlen(SALKPI_BLANK)};
	CubeWork   *w = cube->work;

	for (int k = 0; k < SALKPI_MAX_KEYS; k++)
	{
		if (!cube->grid.shape.key_used[k])
			continue;
		for (int i = 0; i < rows->count; i++)
		{
			int			row = rows->row[i];

			w->texts[i] = args[k].nulls[row] ? blank : text_of(&args[k], row);
			if (w->texts[i].length == 0)
				w->texts[i] = blank;
		}
		salkpi_texts_put(&cube->keys[k], w->texts, rows->count, w->numbers);
		for (int i = 0; i < rows->count; i++)
			w->keys[k][rows->row[i]] = w->numbers[i];
	}
}

/* ---------- adding them ---------- */

/* The members of rows in a dimension. */
static const uint32 *
find_members(Cube *cube, CubeDimension *dimension, const BatchRows *rows)
{
	const Dimension *spec = dimension->spec;
	CubeWork   *w = cube->work;

	if (spec->nkeys == 1)
		return w->keys[spec->keys[0]];
	for (int i = 0; i < rows->count; i++)
	{
		uint32		tuple[SALKPI_MAX_KEYS];
		int			row = rows->row[i];

		for (int k = 0; k < spec->nkeys; k++)
			tuple[k] = w->keys[spec->keys[k]][row];
		w->members[row] = spec->nkeys == 0 ? 0 :
			salkpi_tuple_put(&dimension->members, tuple, spec->nkeys);
	}
	return w->members;
}

/* Add the measures of a row to a cell, or subtract them (sign -1). */
static inline void
add_measures(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom,
			 int row, int sign)
{
	const Shape *shape = &cube->grid.shape;
	const CubeWork *w = cube->work;
	char	   *cell = salkpi_cube_cell(cube, dimension, member, atom);
	int64	   *counts = salkpi_cell_counts(cell);
	int128	   *sums = salkpi_cell_sums(cube, cell);
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		counts[i] += sign * (int64) (w->counts[row] >> i & 1);
	for (i = 0; i < shape->nsums; i++)
		if (w->sums[row] >> i & 1)
			salkpi_cube_add_sum(cube, dimension, member, atom, i, &sums[i],
								sign * w->sum[i][row]);
	for (i = 0; i < shape->nsums && unlikely(w->bigs[row] != 0); i++)
		if (w->bigs[row] >> i & 1)
			salkpi_cube_add_big(cube, dimension, member, atom, i,
								sign > 0 ? w->big[i][row] :
								salkpi_numeric_negate(w->big[i][row]));
}

/* Add the measures of rows that have any. */
static void
add_all_measures(Cube *cube, const BatchRows *rows)
{
	const CubeWork *w = cube->work;

	for (int d = 0; d < cube->grid.shape.ndimensions; d++)
	{
		CubeDimension *dimension = &cube->dimensions[d];
		const uint32 *members = find_members(cube, dimension, rows);

		for (int i = 0; i < rows->count; i++)
		{
			int			row = rows->row[i];

			if (!has_measures(w, row))
				continue;
			if (cube->grid.kind == CUBE_FLOW)
				add_measures(cube, dimension, members[row], w->start[row] - 1, row, 1);
			else
			{
				add_measures(cube, dimension, members[row], w->start[row], row, 1);
				if (w->end[row] < cube->natoms)
					add_measures(cube, dimension, members[row], w->end[row], row, -1);
			}
		}
	}
}

/* Add what a flow has beside measures. */
static void
add_events(Cube *cube, const BatchArgument *args, const BatchRows *rows)
{
	CubeEvents *events = &cube->events;
	CubeWork   *w = cube->work;

	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		uint32		keys[SALKPI_MAX_KEYS];
		uint64		code;

		if (w->events[row] == 0 && !w->has_duration[row])
			continue;
		for (int k = 0; k < SALKPI_MAX_KEYS; k++)
			keys[k] = w->keys[k][row];
		code = salkpi_key_code(events, keys);
		for (int e = 0; e < cube->grid.shape.ndistincts; e++)
			if (w->events[row] >> e & 1)
				salkpi_visit_put(&events->visits[e],
								 &(Visit) {code, w->entity[e][row], w->start[row] - 1});
		if (w->events[row] >> CUBE_FIRST & 1)
		{
			const BatchArgument *flag = &args[ARG_FLOW_FLAG];
			FirstEvent	first = w->start[row] * 2 +
				(!flag->nulls[row] && DatumGetBool(flag->values[row]));

			salkpi_visit_put(&events->visits[CUBE_FIRST],
							 &(Visit) {code, w->entity[CUBE_FIRST][row], first});
		}
		if (w->has_duration[row])
			salkpi_duration_add(&events->durations,
								&(Duration) {code, DatumGetInt64(args[ARG_FLOW_DURATION].values[row]), w->start[row] - 1});
	}
}

/*
 * Read what a flow has beside measures: of rows inside of the bounds or, of
 * first events, of all.
 */
static void
read_events(Cube *cube, const BatchArgument *args, const BatchRows *inside, const BatchRows *all)
{
	const Shape *shape = &cube->grid.shape;
	CubeWork   *w = cube->work;

	for (int i = 0; i < all->count; i++)
	{
		w->events[all->row[i]] = 0;
		w->has_duration[all->row[i]] = false;
	}
	for (int e = 0; e < shape->ndistincts; e++)
		read_entities(cube, e, &args[ARG_FLOW_DISTINCTS + e], inside);
	if (shape->nfirsts > 0)
		read_entities(cube, CUBE_FIRST, &args[ARG_FLOW_FIRST], all);
	for (int i = 0; i < inside->count && shape->ndurations > 0; i++)
		w->has_duration[inside->row[i]] = !args[ARG_FLOW_DURATION].nulls[inside->row[i]];
}

/* Add rows to a flow. */
static void
add_flow(Cube *cube, const BatchArgument *args, const BatchRows *rows, bool by_day)
{
	const BatchArgument *at = &args[ARG_AT];
	CubeWork   *w = cube->work;
	BatchRows	all;
	BatchRows	inside;
	int			count = 0;

	all.count = inside.count = 0;
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		if (at->nulls[row])
			continue;
		all.row[all.count++] = row;
		w->start[row] = find_atom(cube, by_day ? DatumGetDateADT(at->values[row]) :
								  DatumGetTimestampTz(at->values[row]));
		if (w->start[row] > 0 && w->start[row] < cube->grid.nbounds)
			inside.row[inside.count++] = row;
		else
			w->counts[row] = w->sums[row] = w->bigs[row] = 0;
	}
	read_measures(cube, &args[ARG_FLOW_COUNTS], &args[ARG_FLOW_SUMS], &inside);
	read_events(cube, args, &inside, &all);
	for (int i = 0; i < all.count; i++)	/* what contributes nothing leaves no trace */
	{
		int			row = all.row[i];

		if (has_measures(w, row) || w->events[row] != 0 || w->has_duration[row])
			all.row[count++] = row;
	}
	all.count = count;
	read_keys(cube, &args[ARG_FLOW_KEYS], &all);
	add_all_measures(cube, &all);
	add_events(cube, args, &all);
}

/*
 * Add rows to a stock: each is there at the instants t with from < t and
 * to >= t, that is from the first instant after "from" up to, not including,
 * the first one after "to".
 */
static void
add_stock(Cube *cube, const BatchArgument *args, const BatchRows *rows)
{
	const BatchArgument *from = &args[ARG_STOCK_FROM];
	const BatchArgument *to = &args[ARG_STOCK_TO];
	const CubeGrid *grid = &cube->grid;
	CubeWork   *w = cube->work;
	BatchRows	there;
	int			count = 0;

	there.count = 0;
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		w->start[row] = from->nulls[row] ? 0 :
			salkpi_bounds_upper(grid->bounds, grid->nbounds, DatumGetTimestampTz(from->values[row]));
		w->end[row] = to->nulls[row] ? cube->natoms :
			salkpi_bounds_upper(grid->bounds, grid->nbounds, DatumGetTimestampTz(to->values[row]));
		if (w->start[row] < w->end[row])
			there.row[there.count++] = row;
	}
	read_measures(cube, &args[ARG_STOCK_COUNTS], &args[ARG_STOCK_SUMS], &there);
	for (int i = 0; i < there.count; i++)
		if (has_measures(w, there.row[i]))
			there.row[count++] = there.row[i];
	there.count = count;
	read_keys(cube, &args[ARG_STOCK_KEYS], &there);
	add_all_measures(cube, &there);
}

/* ---------- the aggregate ---------- */

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

/* The cube of an aggregate, with room for the work on rows. */
static Cube *
state_cube(FunctionCallInfo fcinfo, CubeKind kind, BoundUnit unit)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, CUBE_TYPE);
	Cube	   *cube = PG_ARGISNULL(ARG_STATE) ?
		start_cube(fcinfo, context, kind, unit) :
		(Cube *) salkpi_grid_writable(&salkpi_cube_type, PG_GETARG_DATUM(ARG_STATE), context);

	if (unlikely(cube->work == NULL))
	{
		/* An aggregate of somebody's own may begin with any cube. */
		if (cube->grid.kind != kind || cube->grid.unit != unit)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("state is a cube of other rows, or has bounds of another type")));
		cube->work = MemoryContextAllocZero(cube->state.header.eoh_context, sizeof(CubeWork));
	}
	return cube;
}

/* Rows of a flow that have an instant. */
Datum
salkpi_cube_add_instants(FunctionCallInfo fcinfo, const BatchArgument *args, const BatchRows *rows)
{
	Cube	   *cube = state_cube(fcinfo, CUBE_FLOW, BOUND_INSTANTS);

	add_flow(cube, args, rows, false);
	return EOHPGetRWDatum(&cube->state.header);
}

/* Rows of a flow that have a day. */
Datum
salkpi_cube_add_days(FunctionCallInfo fcinfo, const BatchArgument *args, const BatchRows *rows)
{
	Cube	   *cube = state_cube(fcinfo, CUBE_FLOW, BOUND_DAYS);

	add_flow(cube, args, rows, true);
	return EOHPGetRWDatum(&cube->state.header);
}

/* Rows of a stock. */
Datum
salkpi_cube_add_stocks(FunctionCallInfo fcinfo, const BatchArgument *args, const BatchRows *rows)
{
	Cube	   *cube = state_cube(fcinfo, CUBE_STOCK, BOUND_INSTANTS);

	add_stock(cube, args, rows);
	return EOHPGetRWDatum(&cube->state.header);
}

Datum
salkpi_cube_add_instant(PG_FUNCTION_ARGS)
{
	BatchArgument args[FLOW_ARGS];

	salkpi_arguments_of_call(fcinfo, args, FLOW_ARGS);
	PG_RETURN_DATUM(salkpi_cube_add_instants(fcinfo, args, &salkpi_one_row));
}

Datum
salkpi_cube_add_day(PG_FUNCTION_ARGS)
{
	BatchArgument args[FLOW_ARGS];

	salkpi_arguments_of_call(fcinfo, args, FLOW_ARGS);
	PG_RETURN_DATUM(salkpi_cube_add_days(fcinfo, args, &salkpi_one_row));
}

Datum
salkpi_cube_add_stock(PG_FUNCTION_ARGS)
{
	BatchArgument args[FLOW_ARGS];

	salkpi_arguments_of_call(fcinfo, args, FLOW_ARGS);
	PG_RETURN_DATUM(salkpi_cube_add_stocks(fcinfo, args, &salkpi_one_row));
}
