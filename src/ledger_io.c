/*
 * ledger_io.c
 *	  The flat form of a ledger: stored, sent, compared, merged.
 *
 * Flat, a ledger is a string of bytes that depends on its rows alone (flat.c):
 *
 *		version, unit			a byte each
 *		shape					a text
 *		bounds					how many, the first, differences
 *		scale					the largest display scale
 *		keys, then customers	for each table in use: sorted texts
 *		for each dimension:
 *			members				combined keys only: tuples of key numbers
 *			steps				for each customer in order: how many, then
 *								(member, bound) and the change; a change that
 *								int128 cannot hold is a zero and a numeric as
 *								text, a zero one is a zero and an empty text
 *
 * Merging is reading: the steps that are read are folded into those of
 * another ledger, and loading is merging into an empty one.  What is read must
 * be what rows can make: no amount is ever below zero, and only the first
 * change of a customer in a member is nothing.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "ledger.h"
#include "salkpi.h"

#define LEDGER_VERSION	1

/* The order in which a ledger is written. */
typedef struct LedgerOrder
{
	uint32	   *key_order[SALKPI_MAX_KEYS]; /* numbers of texts, bytewise */
	uint32	   *key_rank[SALKPI_MAX_KEYS];	/* the inverse */
	uint32	   *customer_order; /* the same for customers */
	uint32	   *customer_rank;	/* the inverse */
	uint32	   *member_rank;	/* of the members of the current dimension */
} LedgerOrder;

/* A flat form that is being read. */
typedef struct Reader
{
	FlatReader	flat;			/* the bytes */
	BoundUnit	unit;			/* of the bounds */
	int64	   *bounds;			/* those */
	uint32		nbounds;		/* how many */
	char	   *shape;			/* as it is written there */
	int			scale;			/* fixed scale of the changes */
	const uint32 *keys[SALKPI_MAX_KEYS];	/* numbers in the ledger of its
											 * texts */
	uint32		nkeys[SALKPI_MAX_KEYS]; /* how many there are */
	const uint32 *customers;	/* the same for customers */
	uint32		ncustomers;		/* how many there are */
	Size		nsteps;			/* of the dimension, read so far */
	Size		steps_size;		/* allocated for them */
} Reader;

/* The member of a dimension without keys, in all ledgers. */
static const uint32 total_member = 0;

/* A change, of which zero alone does not tell enough. */
static void
put_change(FlatWriter *w, const Ledger *ledger, const LedgerStep *step)
{
	ExactSum	sum = salkpi_step_sum(ledger, step);
	char	   *text = "";

	salkpi_put_signed(w, sum.small);
	if (sum.small != 0)
		return;
	if (sum.big != NULL)
		text = DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(salkpi_numeric_pad(sum.big,
																					  ledger->dscale))));
	salkpi_put_text(w, text, strlen(text));
}

/* The steps of a customer in order of its members' texts. */
static void
put_steps(FlatWriter *w, const Ledger *ledger, const LedgerOrder *order,
		  const LedgerStep *steps, Size count, LedgerStep *scratch)
{
	uint32		before[2];
	Size		i;

	for (i = 0; i < count; i++)
	{
		scratch[i] = steps[i];
		scratch[i].member = order->member_rank[steps[i].member];
	}
	salkpi_ledger_sort(scratch, count);
	salkpi_put_number(w, count);
	for (i = 0; i < count; i++)
	{
		uint32		tuple[2] = {scratch[i].member,
		salkpi_step_bound(&scratch[i])};

		salkpi_put_tuple(w, before, tuple, 2, i == 0);
		put_change(w, ledger, &scratch[i]);
	}
}

static void
put_dimension(FlatWriter *w, const Ledger *ledger, LedgerOrder *order,
			  const LedgerDimension *dimension)
{
	uint32		nmembers;
	uint32	   *member_order;
	LedgerStep *scratch = NULL;
	Size		size = 0;
	uint32		i;

	salkpi_members_order(dimension->spec, ledger->keys, &dimension->members,
						 order->key_order, order->key_rank, &nmembers,
						 &member_order, &order->member_rank);
	if (dimension->spec->nkeys > 1)
		salkpi_put_members(w, dimension->spec, &dimension->members,
						   member_order, nmembers, order->key_rank);
	for (i = 0; i < dimension->nfolded; i++)
	{
		uint32		customer = order->customer_order[i];
		Size		start = dimension->starts[customer];
		Size		count = dimension->starts[customer + 1] - start;

		CHECK_FOR_INTERRUPTS();
		scratch = salkpi_grow(CurrentMemoryContext, scratch, &size, count,
							  sizeof(LedgerStep));
		put_steps(w, ledger, order, &dimension->steps[start], count, scratch);
	}
}

/* Write everything; scratch is left in the current context. */
static void
put_ledger(FlatWriter *w, GridState *state)
{
	Ledger	   *ledger = (Ledger *) state;
	const Shape *shape = &ledger->shape;
	LedgerOrder order;
	int			i;

	salkpi_ledger_fold(ledger);
	salkpi_put_number(w, LEDGER_VERSION);
	salkpi_put_number(w, ledger->unit);
	salkpi_put_text(w, shape->text, strlen(shape->text));
	salkpi_put_bounds(w, ledger->bounds, ledger->nbounds);
	salkpi_put_number(w, ledger->dscale);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (shape->key_used[i])
		{
			salkpi_texts_order(&ledger->keys[i], &order.key_order[i],
							   &order.key_rank[i]);
			salkpi_put_texts(w, &ledger->keys[i], order.key_order[i]);
		}
	salkpi_texts_order(&ledger->customers, &order.customer_order,
					   &order.customer_rank);
	salkpi_put_texts(w, &ledger->customers, order.customer_order);
	for (i = 0; i < shape->ndimensions; i++)
		put_dimension(w, ledger, &order, &ledger->dimensions[i]);
}

/* Read the head of a flat form, up to its bounds. */
static void
read_head(Reader *r, struct varlena *flat)
{
	const char *text;
	uint32		length;

	memset(r, 0, sizeof(Reader));
	salkpi_flat_open(&r->flat, LEDGER_TYPE, flat);
	salkpi_flat_check_version(&r->flat, LEDGER_VERSION);
	r->unit = salkpi_get_number(&r->flat, "unit");
	if (r->unit != BOUND_DAYS && r->unit != BOUND_INSTANTS)
		salkpi_flat_damaged(&r->flat, "unit");
	text = salkpi_get_text(&r->flat, &length, "shape");
	r->shape = pnstrdup(text, length);
	r->bounds = salkpi_get_bounds(&r->flat, 1, &r->nbounds);
}

/* A change that int128 cannot hold; NULL if there is none. */
static Numeric
read_big(Reader *r, const Ledger *ledger)
{
	uint32		length;
	const char *text = salkpi_get_text(&r->flat, &length, "large amounts");
	Numeric		value;
	NumericParts parts;

	if (length == 0)
		return NULL;
	value = DatumGetNumeric(DirectFunctionCall3(numeric_in,
												CStringGetDatum(pnstrdup(text, length)),
												ObjectIdGetDatum(InvalidOid),
												Int32GetDatum(-1)));
	salkpi_numeric_read((struct varlena *) value, &parts);
	if (parts.dscale > ledger->dscale || parts.ndigits == 0)
		salkpi_flat_damaged(&r->flat, "large amounts");
	return value;
}

/* Read the change of a step, at the scale that it was written with. */
static ExactSum
read_change(Reader *r, const Ledger *ledger)
{
	ExactSum	change = {salkpi_get_signed(&r->flat, 128, "amounts"), NULL};

	if (!salkpi_is_small(change.small))
		salkpi_flat_damaged(&r->flat, "amounts");
	if (change.small == 0)
		change.big = read_big(r, ledger);
	return change;
}

/* Add a change to the amount that a customer pays in a member. */
static void
follow(const Reader *r, ExactSum *amount, const ExactSum *change)
{
	salkpi_sum_add(amount, change->small, r->scale);
	if (change->big != NULL)
		salkpi_sum_add_big(amount, change->big);
	if (amount->big != NULL)
		salkpi_sum_settle(amount, r->scale);
	if (salkpi_sum_is_negative(amount))
		salkpi_flat_damaged(&r->flat, "amounts");
}

/* The step of a change, at the ledger's scale. */
static void
set_step(const Reader *r, Ledger *ledger, LedgerStep *step, uint32 member,
		 uint32 bound, ExactSum change)
{
	int			by = salkpi_fixed_scale(ledger->dscale) - r->scale;

	if (change.big == NULL && !salkpi_rescale(&change.small, by))
		salkpi_sum_spill(&change, r->scale);
	if (change.big == NULL)
		salkpi_step_set(step, member, bound, change.small, false);
	else
		salkpi_step_set(step, member, bound,
						salkpi_ledger_keep_big(ledger, change.big), true);
}

/* Read the steps of a customer behind those of the customers before. */
static uint32
read_steps(Reader *r, Ledger *ledger, const uint32 *members, uint32 nmembers,
		   LedgerRuns *runs)
{
	uint32		bound[2] = {nmembers, ledger->nbounds};
	uint32		count = salkpi_get_count(&r->flat, "steps");
	uint32		tuple[2] = {0, 0};
	ExactSum	amount = {0, NULL};
	uint32		i;

	if (count == 0)
		salkpi_flat_damaged(&r->flat, "steps");
	if (r->nsteps + count > r->steps_size)
		salkpi_ledger_check_memory(ledger, Max(r->steps_size * 2, r->nsteps + count) *
								   sizeof(LedgerStep));
	runs->steps = salkpi_grow(CurrentMemoryContext, runs->steps,
							  &r->steps_size, r->nsteps + count,
							  sizeof(LedgerStep));
	for (i = 0; i < count; i++)
	{
		uint32		member = tuple[0];
		ExactSum	change;

		salkpi_get_tuple(&r->flat, tuple, bound, 2, i == 0, "steps");
		change = read_change(r, ledger);
		if (i == 0 || tuple[0] != member)
			amount = (ExactSum) {0, NULL};
		else if (change.small == 0 && change.big == NULL)
			salkpi_flat_damaged(&r->flat, "steps");
		follow(r, &amount, &change);
		set_step(r, ledger, &runs->steps[r->nsteps++], members[tuple[0]],
				 tuple[1], change);
	}
	return count;
}

/* The steps of a dimension, folded into the ledger. */
static void
absorb_steps(Ledger *ledger, int d, Reader *r, const uint32 *members,
			 uint32 nmembers)
{
	LedgerRuns	runs = {.count = r->ncustomers,.customers = r->customers};
	uint32		i;

	runs.lengths = palloc_extended(((Size) runs.count + 1) * sizeof(uint32),
								   MCXT_ALLOC_HUGE);
	r->nsteps = 0;
	r->steps_size = 0;
	for (i = 0; i < runs.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		runs.lengths[i] = read_steps(r, ledger, members, nmembers, &runs);
	}
	salkpi_ledger_check_memory(ledger, r->steps_size * sizeof(LedgerStep));
	salkpi_ledger_fold_runs(ledger, d, &runs);
	if (runs.steps != NULL)
		pfree(runs.steps);
	pfree(runs.lengths);
}

static void
absorb_dimension(Ledger *ledger, int d, Reader *r)
{
	LedgerDimension *dimension = &ledger->dimensions[d];
	const Dimension *spec = dimension->spec;
	const uint32 *members = &total_member;
	uint32		nmembers = 1;

	if (spec->nkeys == 1)
	{
		members = r->keys[spec->keys[0]];
		nmembers = r->nkeys[spec->keys[0]];
	}
	else if (spec->nkeys > 1)
		members = salkpi_get_members(&r->flat, spec, &dimension->members,
									 r->keys, r->nkeys, &nmembers);
	absorb_steps(ledger, d, r, members, nmembers);
}

/* Everything behind the head of a flat form goes into a ledger of its grid. */
static void
absorb_body(Ledger *ledger, Reader *r)
{
	uint64		dscale = salkpi_get_number(&r->flat, "scale");
	int			i;

	if (dscale > SALKPI_MAX_DSCALE)
		salkpi_flat_damaged(&r->flat, "scale");
	r->scale = salkpi_fixed_scale((int) dscale);
	salkpi_ledger_fold(ledger);
	if ((int) dscale > ledger->dscale)
		salkpi_ledger_grow_scale(ledger, (int) dscale);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (ledger->shape.key_used[i])
			r->keys[i] = salkpi_get_texts(&r->flat, &ledger->keys[i],
										  &r->nkeys[i], 1, "keys");
	r->customers = salkpi_get_texts(&r->flat, &ledger->customers,
									&r->ncustomers, 0, "customers");
	for (i = 0; i < ledger->shape.ndimensions; i++)
		absorb_dimension(ledger, i, r);
	salkpi_ledger_fold_end(ledger);
	if (r->flat.p != r->flat.end)
		salkpi_flat_damaged(&r->flat, "end");
}

/* A ledger made from a flat form, in a new context below "parent". */
static GridState *
load_ledger(MemoryContext parent, struct varlena *flat)
{
	Reader		r;
	Ledger	   *ledger;

	read_head(&r, flat);
	ledger = salkpi_ledger_create(parent, r.unit, r.bounds, r.nbounds, r.shape);
	absorb_body(ledger, &r);
	return &ledger->state;
}

/* Ledgers of different grids or shapes cannot be merged: say what differs. */
static void
check_same_grid(const Ledger *ledger, Reader *r)
{
	Shape		shape;

	if (r->unit != ledger->unit || r->nbounds != ledger->nbounds ||
		memcmp(r->bounds, ledger->bounds, r->nbounds * sizeof(int64)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge ledgers with different bounds"),
				 errdetail("One has %u %s, the other %u %s.", ledger->nbounds,
						   ledger->unit == BOUND_DAYS ? "days" : "instants",
						   r->nbounds,
						   r->unit == BOUND_DAYS ? "days" : "instants")));
	salkpi_shape_parse(r->shape, SHAPE_LEDGER, &shape);
	if (strcmp(ledger->shape.text, shape.text) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge ledgers of different shapes"),
				 errdetail("The shapes are \"%s\" and \"%s\".",
						   ledger->shape.text, shape.text)));
}

/* Merge a flat form into a ledger. */
static void
absorb_ledger(GridState *state, struct varlena *flat)
{
	Ledger	   *ledger = (Ledger *) state;
	Reader		r;

	read_head(&r, flat);
	check_same_grid(ledger, &r);
	absorb_body(ledger, &r);
}

const GridType salkpi_ledger_type = {LEDGER_TYPE, load_ledger, absorb_ledger, put_ledger};

GRID_FUNCTIONS(ledger);
