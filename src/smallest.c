/*
 * smallest.c
 *	  The aggregate kpi_smallest: the five smallest distinct texts.
 *
 * It keeps the keys of a few bad rows while a source is scanned, so almost
 * every value is larger than the five kept so far and has to be turned away
 * at once: the state is walked, not taken apart, and nothing is allocated.
 *
 * Smaller means by bytes, as under the collation "C": the same on every
 * machine, though "10" comes before "9".  NULL is left out.
 *
 * The state is an ordinary text[], ascending, each element once.  Nothing in
 * it is changed in place, and as anybody can call the transition function
 * with any array, each call looks whether it is such a state.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "salkpi.h"
#include "texts.h"

#define SMALLEST_MAX	5

typedef struct Smallest
{
	int			n;				/* how many texts, 0..SMALLEST_MAX */
	text	   *texts[SMALLEST_MAX + 1];	/* ascending; one more than kept,
											 * while one is put in */
} Smallest;

static void
report_not_a_state(const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("array is not a state of kpi_smallest"),
			 errdetail("%s", reason)));
}

/* Reads a state; the texts stay where they are, inside the array. */
static void
read_state(const ArrayType *array, Smallest *state)
{
	char	   *at = ARR_DATA_PTR(array);

	if (ARR_ELEMTYPE(array) != TEXTOID || ARR_NDIM(array) != 1 ||
		ARR_DIMS(array)[0] > SMALLEST_MAX)
		report_not_a_state("A state has one dimension and one to five elements.");
	if (ARR_HASNULL(array))
		report_not_a_state("A state has no NULL elements.");
	state->n = ARR_DIMS(array)[0];
	for (int i = 0; i < state->n; i++)
	{
		state->texts[i] = (text *) at;
		if (i > 0 && salkpi_compare_texts(state->texts[i - 1], state->texts[i]) >= 0)
			report_not_a_state("A state is in ascending order of bytes, each element once.");
		at = att_addlength_pointer(at, -1, at);
		at = (char *) att_align_nominal(at, TYPALIGN_INT);
	}
}

/* Puts a text in its place; false if the state stays as it was. */
static bool
put_text(Smallest *state, text *t)
{
	int			place = state->n;

	while (place > 0)
	{
		int			order = salkpi_compare_texts(t, state->texts[place - 1]);

		if (order == 0)
			return false;
		if (order > 0)
			break;
		place--;
	}
	if (place == SMALLEST_MAX)
		return false;
	memmove(&state->texts[place + 1], &state->texts[place],
			(state->n - place) * sizeof(text *));
	state->texts[place] = t;
	state->n = Min(state->n + 1, SMALLEST_MAX);
	return true;
}

/* A new array in CurrentMemoryContext. */
static ArrayType *
write_state(const Smallest *state)
{
	Datum		elements[SMALLEST_MAX];

	for (int i = 0; i < state->n; i++)
		elements[i] = PointerGetDatum(state->texts[i]);
	return construct_array(elements, state->n, TEXTOID, -1, false,
						   TYPALIGN_INT);
}

PG_FUNCTION_INFO_V1(salkpi_smallest_add);
Datum
salkpi_smallest_add(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_ARGISNULL(0) ? NULL : PG_GETARG_ARRAYTYPE_P(0);
	Smallest	state = {0};

	if (array != NULL)
		read_state(array, &state);
	if (!PG_ARGISNULL(1) && put_text(&state, PG_GETARG_TEXT_PP(1)))
		array = write_state(&state);
	if (array == NULL)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(salkpi_smallest_combine);
Datum
salkpi_smallest_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Smallest	state;
	Smallest	other;
	bool		has_changed = false;

	read_state(array, &state);
	read_state(PG_GETARG_ARRAYTYPE_P(1), &other);
	for (int i = 0; i < other.n; i++)
		has_changed |= put_text(&state, other.texts[i]);
	if (has_changed)
		array = write_state(&state);
	PG_RETURN_ARRAYTYPE_P(array);
}
