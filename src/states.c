/*
 * states.c
 *	  What the cube and the ledger have in common: bounds in time, keys and
 *	  members of dimensions.
 *
 * Both are cut by a grid of bounds and by the dimensions of a shape.  A
 * member of a dimension is a number: nothing to choose without keys, the
 * number of the key's text with one, that of a tuple with several.  In the
 * flat form members are numbered by the order of their texts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "salkpi.h"
#include "states.h"

/* The context of an aggregate's states; an error outside of an aggregate. */
MemoryContext
salkpi_aggregate_context(FunctionCallInfo fcinfo, const char *type)
{
	MemoryContext context;

	if (unlikely(!AggCheckCallContext(fcinfo, &context)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s functions that change a state can only be called by an aggregate",
						type)));
	return context;
}

/*
 * The bounds in an array, palloc'd: days or microseconds from 2000.  They
 * must be ascending, and a least number of them; whose they are is said in
 * messages, as in "bounds of a cube".
 */
int64 *
salkpi_bounds_read(ArrayType *array, BoundUnit unit, uint32 least,
				   const char *owner, uint32 *count)
{
	int64	   *bounds;
	uint32		i;

	if (ARR_NDIM(array) > 1 ||
		(ARR_HASNULL(array) && array_contains_nulls(array)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("bounds of a %s must be a one-dimensional array without NULL",
						owner)));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (*count < least)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a %s needs at least %u bounds", owner, least)));
	bounds = palloc_extended(*count * sizeof(int64), MCXT_ALLOC_HUGE);
	for (i = 0; i < *count; i++)
	{
		bounds[i] = unit == BOUND_DAYS ? ((DateADT *) ARR_DATA_PTR(array))[i] :
			((TimestampTz *) ARR_DATA_PTR(array))[i];
		if (i > 0 && bounds[i] <= bounds[i - 1])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("bounds of a %s must be ascending", owner),
					 errdetail("Bound %u is not after the one before it.",
							   i + 1)));
	}
	return bounds;
}

/* How many bounds, the first one, then differences. */
void
salkpi_put_bounds(FlatWriter *w, const int64 *bounds, uint32 count)
{
	uint32		i;

	salkpi_put_number(w, count);
	salkpi_put_signed(w, bounds[0]);
	for (i = 1; i < count; i++)
		salkpi_put_number(w, (uint64) bounds[i] - (uint64) bounds[i - 1]);
}

/* The same back, palloc'd. */
int64 *
salkpi_get_bounds(FlatReader *r, uint32 least, uint32 *count)
{
	int64	   *bounds;
	uint32		i;

	*count = salkpi_get_count(r, "number of bounds");
	if (*count < least)
		salkpi_flat_damaged(r, "number of bounds");
	bounds = palloc_extended(*count * sizeof(int64), MCXT_ALLOC_HUGE);
	bounds[0] = salkpi_get_signed(r, 64, "bounds");
	for (i = 1; i < *count; i++)
	{
		bounds[i] = (uint64) bounds[i - 1] + salkpi_get_number(r, "bounds");
		if (bounds[i] <= bounds[i - 1])
			salkpi_flat_damaged(r, "bounds");
	}
	return bounds;
}

/* The values of an array of integers or NULL; "what" they are. */
int
salkpi_int4_array(ArrayType *array, const char *what, Datum **values,
				  bool **nulls)
{
	int			count;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", what)));
	deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  values, nulls, &count);
	return count;
}

/*
 * For each atom, list the periods that it lies in, palloc'd: those of atom a
 * start at (*list)[(*list_start)[a]] and end where those of a + 1 start.
 */
void
salkpi_periods_list(const Period *periods, uint32 nperiods, uint32 natoms,
					Size **list_start, uint32 **list)
{
	Size	   *start = palloc0(((Size) natoms + 2) * sizeof(Size));
	Size		total = 0;
	uint32		p;
	int64		a;

	for (p = 0; p < nperiods; p++)
	{
		CHECK_FOR_INTERRUPTS();
		for (a = periods[p].first;
			 periods[p].is_wanted && a <= periods[p].last; a++)
			start[a + 2]++;
	}
	for (a = 0; a < (int64) natoms + 2; a++)
		start[a] = total += start[a];
	*list = palloc_extended((total + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (p = 0; p < nperiods; p++)
	{
		CHECK_FOR_INTERRUPTS();
		for (a = periods[p].first;
			 periods[p].is_wanted && a <= periods[p].last; a++)
			(*list)[start[a + 1]++] = p;
	}
	*list_start = start;
}

/* Order texts: numbers in order and, the inverse, ranks; palloc'd. */
void
salkpi_texts_order(const TextTable *table, uint32 **order, uint32 **rank)
{
	*order = salkpi_texts_sorted(table);
	*rank = salkpi_inverse(*order, table->index.count);
}

/* The same for the members of a dimension, whose keys are ordered already. */
void
salkpi_members_order(const Dimension *dimension, const TextTable *keys,
					 const TupleTable *members, uint32 *const *key_order,
					 uint32 *const *key_rank, uint32 *count, uint32 **order,
					 uint32 **rank)
{
	const uint32 *word_rank[SALKPI_MAX_KEYS];
	uint32		bound[SALKPI_MAX_KEYS];
	int			k;

	if (dimension->nkeys == 0)
	{
		*count = 1;
		*order = *rank = palloc0(sizeof(uint32));
		return;
	}
	for (k = 0; k < dimension->nkeys; k++)
	{
		word_rank[k] = key_rank[dimension->keys[k]];
		bound[k] = keys[dimension->keys[k]].index.count;
	}
	*count = bound[0];
	*order = key_order[dimension->keys[0]];
	*rank = key_rank[dimension->keys[0]];
	if (dimension->nkeys > 1)
	{
		*count = members->index.count;
		*order = salkpi_tuples_sorted(members, word_rank, bound);
		*rank = salkpi_inverse(*order, *count);
	}
}

/* The texts of a member as text[], NULL standing for the blank one. */
Datum
salkpi_member_texts(const Dimension *dimension, const TextTable *keys,
					const TupleTable *members, const uint32 *member)
{
	Datum		texts[SALKPI_MAX_KEYS];
	int			k;

	for (k = 0; k < dimension->nkeys; k++)
	{
		uint32		length = strlen(SALKPI_BLANK);
		const char *text = SALKPI_BLANK;
		uint32		key;

		if (member != NULL)
		{
			key = dimension->nkeys == 1 ? *member :
				salkpi_tuple_at(members, *member)[k];
			text = salkpi_text_at(&keys[dimension->keys[k]], key, &length);
		}
		texts[k] = PointerGetDatum(cstring_to_text_with_len(text, length));
	}
	return PointerGetDatum(construct_array(texts, dimension->nkeys, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

/* The number of the blank member, or SALKPI_NOT_FOUND. */
uint32
salkpi_member_blank(const Dimension *dimension, const TextTable *keys,
					const TupleTable *members)
{
	uint32		tuple[SALKPI_MAX_KEYS];
	int			k;

	for (k = 0; k < dimension->nkeys; k++)
	{
		tuple[k] = salkpi_text_find(&keys[dimension->keys[k]], SALKPI_BLANK,
									strlen(SALKPI_BLANK));
		if (tuple[k] == SALKPI_NOT_FOUND)
			return SALKPI_NOT_FOUND;
	}
	if (dimension->nkeys < 2)
		return dimension->nkeys == 0 ? 0 : tuple[0];
	return salkpi_tuple_find(members, tuple, dimension->nkeys);
}

/* The members of a combined dimension: tuples of ranks of keys. */
void
salkpi_put_members(FlatWriter *w, const Dimension *dimension,
				   const TupleTable *members, const uint32 *order,
				   uint32 count, uint32 *const *key_rank)
{
	uint32		before[SALKPI_MAX_KEYS];
	uint32		tuple[SALKPI_MAX_KEYS];
	uint32		i;
	int			k;

	salkpi_put_number(w, count);
	for (i = 0; i < count; i++)
	{
		const uint32 *words = salkpi_tuple_at(members, order[i]);

		CHECK_FOR_INTERRUPTS();
		for (k = 0; k < dimension->nkeys; k++)
			tuple[k] = key_rank[dimension->keys[k]][words[k]];
		salkpi_put_tuple(w, before, tuple, dimension->nkeys, i == 0);
	}
}

/*
 * The same back: they are put into a table, and their numbers there returned,
 * palloc'd.  keys and nkeys: numbers of the texts of each key, and how many.
 */
const uint32 *
salkpi_get_members(FlatReader *r, const Dimension *dimension,
				   TupleTable *members, const uint32 *const *keys,
				   const uint32 *nkeys, uint32 *count)
{
	uint32		bound[SALKPI_MAX_KEYS];
	uint32		ranks[SALKPI_MAX_KEYS];
	uint32		tuple[SALKPI_MAX_KEYS];
	uint32	   *numbers;
	uint32		i;
	int			k;

	*count = salkpi_get_count(r, "members");
	numbers = palloc_extended(((Size) *count + 1) * sizeof(uint32),
							  MCXT_ALLOC_HUGE);
	for (k = 0; k < dimension->nkeys; k++)
		bound[k] = nkeys[dimension->keys[k]];
	for (i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		salkpi_get_tuple(r, ranks, bound, dimension->nkeys, i == 0, "members");
		for (k = 0; k < dimension->nkeys; k++)
			tuple[k] = keys[dimension->keys[k]][ranks[k]];
		numbers[i] = salkpi_tuple_put(members, tuple, dimension->nkeys);
	}
	return numbers;
}

/*
 * Final function: a cube or a ledger as it is, by a read-only pointer in the current
 * context.  Before 16 the executor copies a result that lies elsewhere, and a
 * copy of an expanded object is a flat one, which the reader would have to
 * take apart again.
 */
PG_FUNCTION_INFO_V1(salkpi_state_final);
Datum
salkpi_state_final(PG_FUNCTION_ARGS)
{
	ExpandedObjectHeader *header;
	char	   *pointer;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(PG_GETARG_DATUM(0))))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	header = DatumGetEOHP(PG_GETARG_DATUM(0));
	pointer = palloc(EXPANDED_POINTER_SIZE);
	memcpy(pointer, header->eoh_ro_ptr, EXPANDED_POINTER_SIZE);
	PG_RETURN_POINTER(pointer);
}
