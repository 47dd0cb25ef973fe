/*
 * states_io.c
 *	  What SQL, and the executor, want of a cube or a ledger as a value.
 *
 * Both are expanded objects in memory, and bytes elsewhere (flat.c).  How the
 * bytes are written and read differs, and is in the type's functions: cube_io.c,
 * ledger_io.c.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "salkpi.h"
#include "states.h"

/*
 * Expanded object method: the size of the flat form, which is written here
 * and kept in the state until it is asked for.
 */
static Size
get_flat_size(ExpandedObjectHeader *eohptr)
{
	GridState  *state = (GridState *) eohptr;
	MemoryContext scratch;
	MemoryContext caller;
	FlatWriter	w;

	if (state->flat != NULL)
		return VARSIZE(state->flat);
	salkpi_flat_start(&w, state->type->name, eohptr->eoh_context);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "order of a state",
									ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	state->type->put(&w, state);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	state->flat = salkpi_flat_finish(&w);
	return VARSIZE(state->flat);
}

/* Expanded object method: hand the flat form over. */
static void
flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	GridState  *state = (GridState *) eohptr;

	(void) get_flat_size(eohptr);
	Assert(VARSIZE(state->flat) == allocated_size);
	memcpy(result, state->flat, allocated_size);
	pfree(state->flat);
	state->flat = NULL;
}

static const ExpandedObjectMethods grid_methods = {get_flat_size, flatten_into};

/* Make a state, whose type's fields are behind it, an expanded object. */
void
salkpi_grid_init(GridState *state, const GridType *type, MemoryContext context)
{
	EOH_init_header(&state->header, &grid_methods, context);
	state->type = type;
}

/* The state of an argument, for reading; flat ones are loaded. */
GridState *
salkpi_grid_get(const GridType *type, Datum datum)
{
	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		return (GridState *) DatumGetEOHP(datum);
	return type->load(CurrentMemoryContext, (struct varlena *) PG_DETOAST_DATUM(datum));
}

/* Read a flat form from outside and write it anew: valid and canonical. */
static Datum
verified(const GridType *type, struct varlena *flat)
{
	GridState  *state = type->load(CurrentMemoryContext, flat);
	Size		size = EOH_get_flat_size(&state->header);
	struct varlena *result = palloc(size);

	EOH_flatten_into(&state->header, result, size);
	DeleteExpandedObject(EOHPGetRWDatum(&state->header));
	return PointerGetDatum(result);
}

Datum
salkpi_grid_in(const GridType *type, FunctionCallInfo fcinfo)
{
	return verified(type, salkpi_flat_from_text(type->name, PG_GETARG_CSTRING(0)));
}

Datum
salkpi_grid_out(const GridType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_CSTRING(salkpi_flat_to_text(type->name, PG_GETARG_VARLENA_PP(0)));
}

Datum
salkpi_grid_recv(const GridType *type, FunctionCallInfo fcinfo)
{
	return verified(type, salkpi_flat_from_message((StringInfo) PG_GETARG_POINTER(0)));
}

Datum
salkpi_grid_send(const GridType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_BYTEA_P(salkpi_flat_to_message(PG_GETARG_VARLENA_PP(0)));
}

Datum
salkpi_grid_eq(const GridType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_BOOL(salkpi_flat_equal(PG_GETARG_VARLENA_PP(0),
									 PG_GETARG_VARLENA_PP(1)));
}

Datum
salkpi_grid_ne(const GridType *type, FunctionCallInfo fcinfo)
{
	PG_RETURN_BOOL(!salkpi_flat_equal(PG_GETARG_VARLENA_PP(0),
									  PG_GETARG_VARLENA_PP(1)));
}

/* Combine two states of one grid; the left one is changed in place. */
Datum
salkpi_grid_combine(const GridType *type, FunctionCallInfo fcinfo)
{
	MemoryContext context = salkpi_aggregate_context(fcinfo, type->name);
	GridState  *state;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		state = type->load(context, (struct varlena *) PG_GETARG_VARLENA_P(1));
	else
		state = salkpi_grid_writable(type, PG_GETARG_DATUM(0), context);
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1))
		type->absorb(state, (struct varlena *) PG_GETARG_VARLENA_P(1));
	PG_RETURN_DATUM(EOHPGetRWDatum(&state->header));
}
