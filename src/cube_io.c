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
 *			distinct counts		for each: (member, entity, atom)
 *			firsts				(member, entity), the first and the flag
 *			durations			(member, atom), how many, sorted differences
 *
 * Numbers are variable-length integers, seven bits a byte; signed ones have
 * the sign in the lowest bit.  Lists start with their length.  A tuple starts
 * with the difference to the one before, as far as they agree.
 *
 * Merging is reading: the bytes of one cube are read into another one, and
 * loading is merging into an empty cube.  Nothing that is read is trusted:
 * lengths are compared with what is left before anything is allocated, all
 * orders and ranges are checked, and the input functions write what they
 * have read anew, so that any accepted input is canonical.
 */
#include "postgres.h"

#include "common/int.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "cube.h"
#include "salkpi.h"

#define CUBE_VERSION	1

/* What the text form starts with. */
#define TEXT_PREFIX		"kpi_cube:"

/* Room that any one number needs: 128 bits, seven a byte. */
#define NUMBER_ROOM		19

/* A flat form that is being written. */
typedef struct Writer
{
	MemoryContext context;		/* of the result */
	char	   *data;			/* a varlena, whose size is set at the end */
	Size		used;			/* bytes written */
	Size		size;			/* bytes allocated */
} Writer;

/* A flat form that is being read. */
typedef struct Reader
{
	const unsigned char *p;		/* next byte */
	const unsigned char *end;	/* first byte behind */
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

PG_FUNCTION_INFO_V1(salkpi_cube_in);
PG_FUNCTION_INFO_V1(salkpi_cube_out);
PG_FUNCTION_INFO_V1(salkpi_cube_recv);
PG_FUNCTION_INFO_V1(salkpi_cube_send);
PG_FUNCTION_INFO_V1(salkpi_cube_eq);
PG_FUNCTION_INFO_V1(salkpi_cube_ne);

/* Make room for some bytes; a flat form is limited to 1 GB like any value. */
static char *
reserve(Writer *w, Size bytes)
{
	if (w->used + bytes > w->size)
	{
		if (w->used + bytes > MaxAllocSize)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("kpi_cube is larger than 1 GB"),
					 errhint("Use fewer dimensions, members or distinct counts, or a shorter range of time.")));
		w->size = Min(Max(w->size * 2, w->used + bytes), MaxAllocSize);
		w->data = repalloc(w->data, w->size);
	}
	return w->data + w->used;
}

static inline void
put_number(Writer *w, uint128 value)
{
	char	   *p = w->used + NUMBER_ROOM <= w->size ? w->data + w->used :
		reserve(w, NUMBER_ROOM);
	char	   *start = p;
	uint64		low;

	for (; value > PG_UINT64_MAX; value >>= 7)
		*p++ = (char) (0x80 | (value & 0x7F));
	for (low = (uint64) value; low >= 0x80; low >>= 7)
		*p++ = (char) (0x80 | (low & 0x7F));
	*p++ = (char) low;
	w->used += p - start;
}

static inline void
put_signed(Writer *w, int128 value)
{
	put_number(w, (uint128) value << 1 ^ (uint128) (value >> 127));
}

static void
put_text(Writer *w, const char *text, uint32 length)
{
	put_number(w, length);
	memcpy(reserve(w, length), text, length);
	w->used += length;
}

/*
 * Write a tuple: its words, of which those up to and including the first that
 * differs from the tuple before are written as a difference.
 */
static inline void
put_tuple(Writer *w, uint32 *before, const uint32 *tuple, int width,
		  bool is_first)
{
	bool		differs = is_first;
	int			i;

	for (i = 0; i < width; i++)
	{
		put_number(w, differs ? tuple[i] : tuple[i] - before[i]);
		differs = differs || tuple[i] != before[i];
		before[i] = tuple[i];
	}
}

static void
put_grid(Writer *w, const CubeGrid *grid)
{
	uint32		i;

	put_number(w, CUBE_VERSION);
	put_number(w, grid->kind);
	put_number(w, grid->unit);
	put_text(w, grid->shape.text, strlen(grid->shape.text));
	put_number(w, grid->nbounds);
	put_signed(w, grid->bounds[0]);
	for (i = 1; i < grid->nbounds; i++)
		put_number(w, (uint64) grid->bounds[i] - (uint64) grid->bounds[i - 1]);
}

static void
put_texts(Writer *w, const TextTable *table, const uint32 *order)
{
	uint32		i;

	put_number(w, table->index.count);
	for (i = 0; i < table->index.count; i++)
	{
		uint32		length;
		const char *text = salkpi_text_at(table, order[i], &length);

		CHECK_FOR_INTERRUPTS();
		put_text(w, text, length);
	}
}

static void
put_members(Writer *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	uint32		before[SALKPI_MAX_KEYS];
	uint32		tuple[SALKPI_MAX_KEYS];
	uint32		i;
	int			k;

	put_number(w, order->nmembers[d]);
	for (i = 0; i < order->nmembers[d]; i++)
	{
		const uint32 *words = salkpi_tuple_at(&dimension->members,
											  order->member_order[d][i]);

		CHECK_FOR_INTERRUPTS();
		for (k = 0; k < dimension->nkeys; k++)
			tuple[k] = order->key_rank[dimension->keys[k]][words[k]];
		put_tuple(w, before, tuple, dimension->nkeys, i == 0);
	}
}

static void
put_cell(Writer *w, const Cube *cube, char *cell)
{
	const Shape *shape = &cube->grid.shape;
	int			i;

	for (i = 0; i < shape->ncounts; i++)
		put_signed(w, salkpi_cell_counts(cell)[i]);
	for (i = 0; i < shape->nsums; i++)
		put_signed(w, salkpi_cell_sums(cube, cell)[i]);
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
put_cells(Writer *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, &dimension->pages,
											CUBE_NO_ENTITY);
	uint32		before[2];
	bool		is_first = true;
	uint32		i;
	int			a;

	put_number(w, count_cells(cube, dimension));
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
			put_tuple(w, before, tuple, 2, is_first);
			put_cell(w, cube, cell);
			is_first = false;
		}
	}
	pfree(sorted);
}

static void
put_bigs(Writer *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, &dimension->bigs,
											CUBE_NO_ENTITY);
	uint32		before[3];
	uint32		count = 0;
	bool		is_first = true;
	uint32		i;

	for (i = 0; i < dimension->bigs.index.count; i++)
		count += dimension->big_values[i] != NULL;
	put_number(w, count);
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
		put_tuple(w, before, tuple, 3, is_first);
		put_text(w, text, strlen(text));
		is_first = false;
	}
}

static void
put_distincts(Writer *w, const Cube *cube, const CubeOrder *order, int d, int e)
{
	const TupleTable *table = &cube->dimensions[d].distincts[e];
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, table, e);
	uint32		before[3];
	uint32		i;

	put_number(w, table->index.count);
	for (i = 0; i < table->index.count; i++)
	{
		const uint32 *key = salkpi_tuple_at(table, sorted[i]);
		uint32		tuple[3] = {order->member_rank[d][key[0]],
		order->entity_rank[e][key[1]], key[2]};

		CHECK_FOR_INTERRUPTS();
		put_tuple(w, before, tuple, 3, i == 0);
	}
	pfree(sorted);
}

static void
put_firsts(Writer *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	const TupleTable *table = &dimension->firsts;
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, table, CUBE_FIRST);
	uint32		before[2];
	uint32		i;

	put_number(w, table->index.count);
	for (i = 0; i < table->index.count; i++)
	{
		const uint32 *key = salkpi_tuple_at(table, sorted[i]);
		uint32		tuple[2] = {order->member_rank[d][key[0]],
		order->entity_rank[CUBE_FIRST][key[1]]};

		CHECK_FOR_INTERRUPTS();
		put_tuple(w, before, tuple, 2, i == 0);
		put_number(w, dimension->first_at[sorted[i]]);
	}
	pfree(sorted);
}

static int
compare_durations(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	CHECK_FOR_INTERRUPTS();
	return (x > y) - (x < y);
}

static void
put_durations(Writer *w, const Cube *cube, const CubeOrder *order, int d)
{
	const CubeDimension *dimension = &cube->dimensions[d];
	const TupleTable *table = &dimension->durations;
	uint32	   *sorted = salkpi_cube_sorted(cube, order, d, table,
											CUBE_NO_ENTITY);
	uint32		before[2];
	uint32		i;
	uint32		v;

	put_number(w, table->index.count);
	for (i = 0; i < table->index.count; i++)
	{
		const uint32 *key = salkpi_tuple_at(table, sorted[i]);
		uint32		tuple[2] = {order->member_rank[d][key[0]], key[1]};
		DurationList *list = &dimension->duration_lists[sorted[i]];

		put_tuple(w, before, tuple, 2, i == 0);
		put_number(w, list->count);
		qsort(list->values, list->count, sizeof(int64), compare_durations);
		put_signed(w, list->values[0]);
		for (v = 1; v < list->count; v++)
			put_number(w, (uint64) list->values[v] - (uint64) list->values[v - 1]);
	}
	pfree(sorted);
}

static void
put_dimension(Writer *w, const Cube *cube, const CubeOrder *order, int d)
{
	const Shape *shape = &cube->grid.shape;
	int			e;

	if (cube->dimensions[d].nkeys > 1)
		put_members(w, cube, order, d);
	put_cells(w, cube, order, d);
	put_bigs(w, cube, order, d);
	for (e = 0; e < shape->ndistincts; e++)
		put_distincts(w, cube, order, d, e);
	if (shape->nfirsts > 0)
		put_firsts(w, cube, order, d);
	if (shape->ndurations > 0)
		put_durations(w, cube, order, d);
}

/* Write everything; scratch is left in the current context. */
static void
put_cube(Writer *w, Cube *cube)
{
	const Shape *shape = &cube->grid.shape;
	CubeOrder	order;
	int			i;

	salkpi_cube_settle(cube);
	salkpi_cube_order(cube, &order);
	put_grid(w, &cube->grid);
	for (i = 0; i < shape->nsums; i++)
		put_number(w, cube->dscale[i]);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			put_texts(w, &cube->keys[i], order.key_order[i]);
	for (i = 0; i < CUBE_ENTITIES; i++)
		if (salkpi_cube_has_entities(shape, i))
			put_texts(w, &cube->entities[i], order.entity_order[i]);
	for (i = 0; i < shape->ndimensions; i++)
		put_dimension(w, cube, &order, i);
}

/*
 * Expanded object method: the size of the flat form, which is written here
 * and kept in the cube until it is asked for.
 */
static Size
get_flat_size(ExpandedObjectHeader *eohptr)
{
	Cube	   *cube = (Cube *) eohptr;
	MemoryContext scratch;
	MemoryContext caller;
	Writer		w = {eohptr->eoh_context, NULL, VARHDRSZ, 1024};

	if (cube->flat != NULL)
		return VARSIZE(cube->flat);
	w.data = MemoryContextAlloc(w.context, w.size);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "kpi_cube order",
									ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	put_cube(&w, cube);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	SET_VARSIZE(w.data, w.used);
	cube->flat = (struct varlena *) w.data;
	return w.used;
}

/* Expanded object method: hand the flat form over. */
static void
flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	Cube	   *cube = (Cube *) eohptr;

	(void) get_flat_size(eohptr);
	Assert(VARSIZE(cube->flat) == allocated_size);
	memcpy(result, cube->flat, allocated_size);
	pfree(cube->flat);
	cube->flat = NULL;
}

const ExpandedObjectMethods salkpi_cube_methods = {get_flat_size, flatten_into};

static void
damaged(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("kpi_cube value is damaged"),
			 errdetail("Its %s cannot be read.", what)));
}

/* A number below 2^bits. */
static uint128
get_wide(Reader *r, int bits, const char *what)
{
	uint128		value = 0;
	int			shift = 0;
	unsigned char byte;

	do
	{
		if (r->p == r->end || shift >= bits)
			damaged(what);
		byte = *r->p++;
		if (bits - shift < 7 && (byte & 0x7F) >> (bits - shift) != 0)
			damaged(what);
		value |= (uint128) (byte & 0x7F) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static inline uint64
get_number(Reader *r, const char *what)
{
	if (likely(r->p < r->end && *r->p < 0x80))
		return *r->p++;
	return (uint64) get_wide(r, 64, what);
}

static inline int128
get_signed(Reader *r, int bits, const char *what)
{
	uint128		value;

	if (likely(r->p < r->end && *r->p < 0x80))
		value = *r->p++;
	else
		value = get_wide(r, bits, what);
	return (int128) (value >> 1) ^ -(int128) (value & 1);
}

/* The length of a list whose items take a byte at least. */
static uint32
get_count(Reader *r, const char *what)
{
	uint64		count = get_number(r, what);

	if (count > r->end - r->p)
		damaged(what);
	return (uint32) count;
}

/* A text, inside of the flat form; it is valid in the server's encoding. */
static const char *
get_text(Reader *r, uint32 *length, const char *what)
{
	const char *text;

	*length = get_count(r, what);
	text = (const char *) r->p;
	pg_verifymbstr(text, *length, false);
	if (memchr(text, '\0', *length) != NULL)
		damaged(what);
	r->p += *length;
	return text;
}

/* The next tuple of a list, in place of the one before; see put_tuple(). */
static void
get_tuple(Reader *r, uint32 *tuple, const uint32 *bound, int width,
		  bool is_first, const char *what)
{
	bool		differs = is_first;
	int			i;

	for (i = 0; i < width; i++)
	{
		uint64		word = get_number(r, what);
		uint64		before = differs ? 0 : tuple[i];

		if (word >= bound[i] || before + word >= bound[i])
			damaged(what);
		tuple[i] = before + word;
		differs = differs || word != 0;
	}
	if (!differs)
		damaged(what);
}

static void
get_bounds(Reader *r, CubeGrid *grid)
{
	uint32		count = get_count(r, "number of bounds");
	uint32		i;

	if (count < (grid->kind == CUBE_FLOW ? 2 : 1))
		damaged("number of bounds");
	grid->nbounds = count;
	grid->bounds = palloc_extended(count * sizeof(int64), MCXT_ALLOC_HUGE);
	grid->bounds[0] = get_signed(r, 64, "bounds");
	for (i = 1; i < count; i++)
	{
		uint64		before = grid->bounds[i - 1];

		grid->bounds[i] = before + get_number(r, "bounds");
		if (grid->bounds[i] <= grid->bounds[i - 1])
			damaged("bounds");
	}
}

/* The head of a flat form, palloc'd. */
static void
get_grid(Reader *r, CubeGrid *grid)
{
	const char *text;
	uint32		length;
	uint64		version = get_number(r, "version");

	if (version != CUBE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("kpi_cube value has an unknown version"),
				 errdetail("It is not of version %d, and may come from a newer salkpi.",
						   CUBE_VERSION)));
	grid->kind = get_number(r, "kind");
	if (grid->kind != CUBE_FLOW && grid->kind != CUBE_STOCK)
		damaged("kind");
	grid->unit = get_number(r, "unit");
	if (grid->unit != CUBE_DAYS && grid->unit != CUBE_INSTANTS)
		damaged("unit");
	text = get_text(r, &length, "shape");
	salkpi_shape_parse(pnstrdup(text, length), grid->kind == CUBE_STOCK,
					   &grid->shape);
	get_bounds(r, grid);
}

/* Texts, which are put into the cube's table; returns their numbers there. */
static const uint32 *
get_texts(Reader *r, TextTable *table, uint32 *count, uint32 least_length,
		  const char *what)
{
	const char *before = NULL;
	uint32		before_length = 0;
	uint32	   *numbers;
	uint32		i;

	*count = get_count(r, what);
	numbers = palloc_extended(((Size) *count + 1) * sizeof(uint32),
							  MCXT_ALLOC_HUGE);
	for (i = 0; i < *count; i++)
	{
		uint32		length;
		const char *text = get_text(r, &length, what);
		int			order = before == NULL ? 1 :
			memcmp(text, before, Min(length, before_length));

		CHECK_FOR_INTERRUPTS();
		if (length < least_length || order < 0 ||
			(order == 0 && length <= before_length))
			damaged(what);
		numbers[i] = salkpi_text_put(table, text, length);
		before = text;
		before_length = length;
	}
	return numbers;
}

/* The members of a combined dimension, put into the cube's table. */
static const uint32 *
get_members(Reader *r, CubeDimension *dimension, uint32 *count)
{
	int			nkeys = dimension->nkeys;
	uint32		bound[SALKPI_MAX_KEYS];
	uint32		ranks[SALKPI_MAX_KEYS];
	uint32		tuple[SALKPI_MAX_KEYS];
	uint32	   *numbers;
	uint32		i;
	int			k;

	*count = get_count(r, "members");
	numbers = palloc_extended(((Size) *count + 1) * sizeof(uint32),
							  MCXT_ALLOC_HUGE);
	for (k = 0; k < nkeys; k++)
		bound[k] = r->nkeys[dimension->keys[k]];
	for (i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		get_tuple(r, ranks, bound, nkeys, i == 0, "members");
		for (k = 0; k < nkeys; k++)
			tuple[k] = r->keys[dimension->keys[k]][ranks[k]];
		numbers[i] = salkpi_tuple_put(&dimension->members, tuple, nkeys);
	}
	return numbers;
}

/* Add a sum that was read at its own scale to one at the cube's scale. */
static void
absorb_sum(Cube *cube, CubeDimension *dimension, uint32 member, uint32 atom,
		   int s, int128 value, int scale)
{
	int128		scaled = value;

	if (!salkpi_is_small(value))
		damaged("sums");
	if (salkpi_rescale(&scaled, salkpi_fixed_scale(cube->dscale[s]) - scale))
		salkpi_cube_add_sum(cube, dimension, member, atom, s, scaled);
	else
		salkpi_cube_add_big(cube, dimension, member, atom, s,
							salkpi_int128_to_numeric(value, scale));
}

static void
absorb_cells(Cube *cube, CubeDimension *dimension, Reader *r)
{
	const Shape *shape = &cube->grid.shape;
	uint32		bound[2] = {r->nmembers, cube->natoms};
	uint32		count = get_count(r, "cells");
	uint32		tuple[2];
	uint32		i;
	int			j;

	for (i = 0; i < count; i++)
	{
		uint32		member;
		int64	   *counts;

		CHECK_FOR_INTERRUPTS();
		get_tuple(r, tuple, bound, 2, i == 0, "cells");
		member = r->members[tuple[0]];
		counts = salkpi_cell_counts(salkpi_cube_cell(cube, dimension, member,
													 tuple[1]));
		for (j = 0; j < shape->ncounts; j++)
			if (pg_add_s64_overflow(counts[j], get_signed(r, 64, "counts"),
									&counts[j]))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("bigint out of range")));
		for (j = 0; j < shape->nsums; j++)
			absorb_sum(cube, dimension, member, tuple[1], j,
					   get_signed(r, 128, "sums"), r->scale[j]);
	}
}

static void
absorb_bigs(Cube *cube, CubeDimension *dimension, Reader *r)
{
	uint32		bound[3] = {r->nmembers, cube->natoms, cube->grid.shape.nsums};
	uint32		count = get_count(r, "large sums");
	uint32		tuple[3];
	uint32		i;

	for (i = 0; i < count; i++)
	{
		NumericParts parts;
		Numeric		value;
		const char *text;
		uint32		length;

		CHECK_FOR_INTERRUPTS();
		get_tuple(r, tuple, bound, 3, i == 0, "large sums");
		text = get_text(r, &length, "large sums");
		value = DatumGetNumeric(DirectFunctionCall3(numeric_in,
													CStringGetDatum(pnstrdup(text, length)),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
		salkpi_numeric_read((struct varlena *) value, &parts);
		if (parts.dscale > cube->dscale[tuple[2]])
			damaged("large sums");
		salkpi_cube_add_big(cube, dimension, r->members[tuple[0]], tuple[1],
							tuple[2], value);
	}
}

static void
absorb_distincts(Cube *cube, CubeDimension *dimension, Reader *r, int e)
{
	uint32		bound[3] = {r->nmembers, r->nentities[e], cube->natoms};
	uint32		count = get_count(r, "distinct counts");
	uint32		tuple[3];
	uint32		i;

	for (i = 0; i < count; i++)
	{
		uint32		key[3];

		CHECK_FOR_INTERRUPTS();
		get_tuple(r, tuple, bound, 3, i == 0, "distinct counts");
		key[0] = r->members[tuple[0]];
		key[1] = r->entities[e][tuple[1]];
		key[2] = tuple[2];
		(void) salkpi_tuple_put(&dimension->distincts[e], key, 3);
	}
}

static void
absorb_firsts(Cube *cube, CubeDimension *dimension, Reader *r)
{
	uint32		bound[2] = {r->nmembers, r->nentities[CUBE_FIRST]};
	uint32		count = get_count(r, "firsts");
	uint32		tuple[2];
	uint32		i;

	for (i = 0; i < count; i++)
	{
		uint64		first;

		CHECK_FOR_INTERRUPTS();
		get_tuple(r, tuple, bound, 2, i == 0, "firsts");
		first = get_number(r, "firsts");
		if (first / 2 > cube->grid.nbounds)
			damaged("firsts");
		salkpi_cube_add_first(cube, dimension, r->members[tuple[0]],
							  r->entities[CUBE_FIRST][tuple[1]],
							  (uint32) first);
	}
}

static void
absorb_durations(Cube *cube, CubeDimension *dimension, Reader *r)
{
	uint32		bound[2] = {r->nmembers, cube->natoms};
	uint32		count = get_count(r, "durations");
	uint32		tuple[2];
	uint32		i;

	for (i = 0; i < count; i++)
	{
		uint32		nvalues;
		int64		value;

		get_tuple(r, tuple, bound, 2, i == 0, "durations");
		nvalues = get_count(r, "durations");
		if (nvalues == 0)
			damaged("durations");
		for (value = get_signed(r, 64, "durations");; nvalues--)
		{
			int64		before = value;

			CHECK_FOR_INTERRUPTS();
			salkpi_cube_add_duration(cube, dimension, r->members[tuple[0]],
									 tuple[1], value);
			if (nvalues == 1)
				break;
			value = (uint64) before + get_number(r, "durations");
			if (value < before)
				damaged("durations");
		}
	}
}

static void
absorb_dimension(Cube *cube, int d, Reader *r)
{
	CubeDimension *dimension = &cube->dimensions[d];
	const Shape *shape = &cube->grid.shape;
	int			e;

	r->members = &total_member;
	r->nmembers = 1;
	if (dimension->nkeys == 1)
	{
		r->members = r->keys[dimension->keys[0]];
		r->nmembers = r->nkeys[dimension->keys[0]];
	}
	else if (dimension->nkeys > 1)
		r->members = get_members(r, dimension, &r->nmembers);
	absorb_cells(cube, dimension, r);
	absorb_bigs(cube, dimension, r);
	for (e = 0; e < shape->ndistincts; e++)
		absorb_distincts(cube, dimension, r, e);
	if (shape->nfirsts > 0)
		absorb_firsts(cube, dimension, r);
	if (shape->ndurations > 0)
		absorb_durations(cube, dimension, r);
}

/* Everything behind the head of a flat form goes into a cube of its grid. */
static void
absorb_body(Cube *cube, Reader *r)
{
	const Shape *shape = &cube->grid.shape;
	int			i;

	for (i = 0; i < shape->nsums; i++)
	{
		uint64		dscale = get_number(r, "scales");

		if (dscale > SALKPI_MAX_DSCALE)
			damaged("scales");
		r->scale[i] = salkpi_fixed_scale((int) dscale);
		if (dscale > cube->dscale[i])
			salkpi_cube_grow_scale(cube, i, (int) dscale);
	}
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
			r->keys[i] = get_texts(r, &cube->keys[i], &r->nkeys[i], 1, "keys");
	for (i = 0; i < CUBE_ENTITIES; i++)
		if (salkpi_cube_has_entities(shape, i))
			r->entities[i] = get_texts(r, &cube->entities[i], &r->nentities[i],
									   0, "entities");
	for (i = 0; i < shape->ndimensions; i++)
		absorb_dimension(cube, i, r);
	if (r->p != r->end)
		damaged("end");
}

static void
start_reading(Reader *r, struct varlena *flat)
{
	memset(r, 0, sizeof(Reader));
	r->p = (const unsigned char *) VARDATA_ANY(flat);
	r->end = r->p + VARSIZE_ANY_EXHDR(flat);
}

/* A cube made from a flat form, in a new context below "parent". */
Cube *
salkpi_cube_load(MemoryContext parent, struct varlena *flat)
{
	Reader		r;
	CubeGrid	grid;
	Cube	   *cube;

	start_reading(&r, flat);
	get_grid(&r, &grid);
	cube = salkpi_cube_create(parent, &grid);
	absorb_body(cube, &r);
	return cube;
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
void
salkpi_cube_absorb(Cube *cube, struct varlena *flat)
{
	Reader		r;
	CubeGrid	grid;

	start_reading(&r, flat);
	get_grid(&r, &grid);
	check_same_grid(&cube->grid, &grid);
	absorb_body(cube, &r);
}

/* Read a flat form from outside and write it anew: valid and canonical. */
static Datum
verified(struct varlena *flat)
{
	Cube	   *cube = salkpi_cube_load(CurrentMemoryContext, flat);
	Size		size = EOH_get_flat_size(&cube->header);
	struct varlena *result = palloc(size);

	EOH_flatten_into(&cube->header, result, size);
	DeleteExpandedObject(EOHPGetRWDatum(&cube->header));
	return PointerGetDatum(result);
}

Datum
salkpi_cube_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	Size		prefix = strlen(TEXT_PREFIX);
	Size		length = strlen(text);
	struct varlena *flat;

	if (strncmp(text, TEXT_PREFIX, prefix) != 0 || (length - prefix) % 2 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "kpi_cube"),
				 errdetail("It starts with \"%s\", followed by pairs of hexadecimal digits.",
						   TEXT_PREFIX)));
	length = (length - prefix) / 2;
	flat = palloc(length + VARHDRSZ);
	SET_VARSIZE(flat, length + VARHDRSZ);
	if (hex_decode(text + prefix, length * 2, VARDATA(flat)) != length)
		damaged("text");
	PG_RETURN_DATUM(verified(flat));
}

Datum
salkpi_cube_out(PG_FUNCTION_ARGS)
{
	struct varlena *flat = PG_GETARG_VARLENA_PP(0);
	Size		prefix = strlen(TEXT_PREFIX);
	Size		length = VARSIZE_ANY_EXHDR(flat);
	char	   *text;

	if (length > (MaxAllocSize - prefix - 1) / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("kpi_cube is too large to be shown as text"),
				 errhint("Use the binary form.")));
	text = palloc(prefix + length * 2 + 1);
	memcpy(text, TEXT_PREFIX, prefix);
	hex_encode(VARDATA_ANY(flat), length, text + prefix);
	text[prefix + length * 2] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
salkpi_cube_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buffer->len - buffer->cursor;
	struct varlena *flat = palloc(length + VARHDRSZ);

	SET_VARSIZE(flat, length + VARHDRSZ);
	pq_copymsgbytes(buffer, VARDATA(flat), length);
	PG_RETURN_DATUM(verified(flat));
}

Datum
salkpi_cube_send(PG_FUNCTION_ARGS)
{
	struct varlena *flat = PG_GETARG_VARLENA_PP(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendbytes(&buffer, VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

static bool
flat_equal(struct varlena *a, struct varlena *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

Datum
salkpi_cube_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(flat_equal(PG_GETARG_VARLENA_PP(0), PG_GETARG_VARLENA_PP(1)));
}

Datum
salkpi_cube_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!flat_equal(PG_GETARG_VARLENA_PP(0),
							   PG_GETARG_VARLENA_PP(1)));
}
