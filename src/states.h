/*
 * states.h
 *	  What the cube and the ledger have in common: bounds in time, keys and
 *	  members of dimensions.
 */
#ifndef SALKPI_STATES_H
#define SALKPI_STATES_H

#include "fmgr.h"
#include "nodes/nodes.h"
#include "utils/array.h"
#include "utils/expandeddatum.h"

#include "flat.h"
#include "segment.h"

typedef enum BoundUnit
{
	BOUND_DAYS = 'd',			/* bounds are dates */
	BOUND_INSTANTS = 't',		/* bounds are timestamps with time zone */
	BOUND_TIMES = 'w'			/* of accounts: timestamps without, of some wall clock */
} BoundUnit;

/* A period that is asked for. */
typedef struct Period
{
	bool		is_wanted;		/* has it a beginning? */
	int64		first;			/* first atom, from 0 */
	int64		last;			/* last atom; before the first one if empty */
} Period;

typedef struct GridType GridType;

/* What a cube and a ledger begin with. */
typedef struct GridState
{
	ExpandedObjectHeader header;	/* its context holds everything */
	const GridType *type;		/* which of them it is */
	struct varlena *flat;		/* the flat form between size and flatten */
} GridState;

/* What is not the same for both of them. */
struct GridType
{
	const char *name;			/* in SQL */
	/* Make a state of a flat form, in a new context below parent. */
	GridState  *(*load) (MemoryContext parent, struct varlena *flat);
	/* Merge a flat form into a state. */
	void		(*absorb) (GridState *state, struct varlena *flat);
	/* Write everything; scratch is left in the current context. */
	void		(*put) (FlatWriter *w, GridState *state);
};

extern MemoryContext salkpi_aggregate_context(FunctionCallInfo fcinfo,
											  const char *type);

/* Fails unless an aggregate calls; that it is one's node, as for each row, is told without a call. */
static inline void
salkpi_check_aggregate(FunctionCallInfo fcinfo, const char *type)
{
	if (unlikely(fcinfo->context == NULL || !IsA(fcinfo->context, AggState)))
		(void) salkpi_aggregate_context(fcinfo, type);
}

extern int64 *salkpi_bounds_read(ArrayType *array, BoundUnit unit,
								 uint32 least, const char *owner,
								 uint32 *count);
extern void salkpi_put_bounds(FlatWriter *w, const int64 *bounds,
							  uint32 count);
extern int64 *salkpi_get_bounds(FlatReader *r, uint32 least, uint32 *count);
extern int	salkpi_int4_array(ArrayType *array, const char *what,
							  Datum **values, bool **nulls);

extern void salkpi_periods_list(const Period *periods, uint32 nperiods,
								uint32 natoms, Size **list_start,
								uint32 **list);

extern void salkpi_texts_order(const TextTable *table, uint32 **order,
							   uint32 **rank);
extern void salkpi_members_order(const Dimension *dimension,
								 const TextTable *keys,
								 const TupleTable *members,
								 uint32 *const *key_order,
								 uint32 *const *key_rank, uint32 *count,
								 uint32 **order, uint32 **rank);
extern Datum salkpi_member_texts(const Dimension *dimension,
								 const TextTable *keys,
								 const TupleTable *members,
								 const uint32 *member);
extern uint32 salkpi_member_blank(const Dimension *dimension,
								  const TextTable *keys,
								  const TupleTable *members);
extern void salkpi_put_members(FlatWriter *w, const Dimension *dimension,
							   const TupleTable *members, const uint32 *order,
							   uint32 count, uint32 *const *key_rank);
extern const uint32 *salkpi_get_members(FlatReader *r,
										const Dimension *dimension,
										TupleTable *members,
										const uint32 *const *keys,
										const uint32 *nkeys, uint32 *count);

/* states_io.c */
extern void salkpi_grid_init(GridState *state, const GridType *type,
							 MemoryContext context);
extern GridState *salkpi_grid_get(const GridType *type, Datum datum);
extern Datum salkpi_grid_in(const GridType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_grid_out(const GridType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_grid_recv(const GridType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_grid_send(const GridType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_grid_eq(const GridType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_grid_ne(const GridType *type, FunctionCallInfo fcinfo);
extern Datum salkpi_grid_combine(const GridType *type, FunctionCallInfo fcinfo);

/* A function of a type, whose GridType is salkpi_name_type; and all of them. */
#define GRID_FUNCTION(name, action) \
PG_FUNCTION_INFO_V1(salkpi_##name##_##action); \
Datum \
salkpi_##name##_##action(PG_FUNCTION_ARGS) \
{ \
	return salkpi_grid_##action(&salkpi_##name##_type, fcinfo); \
} \
extern int	no_such_variable

#define GRID_FUNCTIONS(name) \
	GRID_FUNCTION(name, in); \
	GRID_FUNCTION(name, out); \
	GRID_FUNCTION(name, recv); \
	GRID_FUNCTION(name, send); \
	GRID_FUNCTION(name, eq); \
	GRID_FUNCTION(name, ne); \
	GRID_FUNCTION(name, combine)

/*
 * The state behind a datum: the expanded one that this aggregate owns, or one
 * loaded into its context.
 */
static inline GridState *
salkpi_grid_writable(const GridType *type, Datum datum, MemoryContext aggcontext)
{
	GridState  *state;

	if (unlikely(!VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(datum))))
		return type->load(aggcontext, (struct varlena *) PG_DETOAST_DATUM(datum));
	state = (GridState *) DatumGetEOHP(datum);
	if (unlikely(state->flat != NULL))
	{
		pfree(state->flat);
		state->flat = NULL;
	}
	return state;
}

/* The number of bounds at or before an instant. */
static inline uint32
salkpi_bounds_upper(const int64 *bounds, uint32 count, int64 at)
{
	uint32		low = 0;
	uint32		high = count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (bounds[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Number of a key's text; that of the blank member for NULL and ''. */
static inline uint32
salkpi_key_put(TextTable *table, const NullableDatum *arg)
{
	text	   *value = arg->isnull ? NULL : DatumGetTextPP(arg->value);

	if (value == NULL || VARSIZE_ANY_EXHDR(value) == 0)
		return salkpi_text_put(table, SALKPI_BLANK, strlen(SALKPI_BLANK));
	return salkpi_text_put(table, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* The member of a row, whose keys have these numbers, in a dimension. */
static inline uint32
salkpi_member_put(const Dimension *dimension, TupleTable *members,
				  const uint32 *keys)
{
	uint32		tuple[SALKPI_MAX_KEYS];
	int			i;

	if (dimension->nkeys == 0)
		return 0;
	if (dimension->nkeys == 1)
		return keys[dimension->keys[0]];
	for (i = 0; i < dimension->nkeys; i++)
		tuple[i] = keys[dimension->keys[i]];
	return salkpi_tuple_put(members, tuple, dimension->nkeys);
}

#endif							/* SALKPI_STATES_H */
