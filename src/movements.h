/*
 * movements.h
 *	  What a customer can do between an opening and a closing.
 */
#ifndef SALKPI_MOVEMENTS_H
#define SALKPI_MOVEMENTS_H

#include "numbers.h"

/* The movements; a customer makes one of them at most. */
typedef enum MovementKind
{
	NEW,
	REACTIVATION,
	EXPANSION,
	CONTRACTION,
	CHURN
} MovementKind;

#define MOVEMENT_KINDS	(CHURN + 1)

/* The movements of some customers in a period. */
typedef struct Movements
{
	ExactSum	amount[MOVEMENT_KINDS]; /* all positive */
	int64		customers[MOVEMENT_KINDS];	/* who made them */
	int64		first;			/* customers whose first instant lies in it */
} Movements;

static inline void
salkpi_movement_count(Movements *movements, MovementKind kind,
					  const ExactSum *amount, int sign, int scale)
{
	salkpi_sum_add_sum(&movements->amount[kind], amount, sign, scale);
	movements->customers[kind]++;
}

/*
 * Add the movement of a customer from its amount at the opening to that at the
 * closing; is it new if it comes, having had nothing before?
 */
static inline void
salkpi_movement_add(Movements *movements, const ExactSum *opening,
					const ExactSum *closing, bool is_new, int scale)
{
	bool		was_there = !salkpi_sum_is_zero(opening);
	bool		is_there = !salkpi_sum_is_zero(closing);
	ExactSum	difference = *closing;

	if (!was_there && is_there)
		salkpi_movement_count(movements, is_new ? NEW : REACTIVATION, closing,
							  1, scale);
	else if (was_there && !is_there)
		salkpi_movement_count(movements, CHURN, opening, 1, scale);
	else if (was_there)
	{
		salkpi_sum_add_sum(&difference, opening, -1, scale);
		if (salkpi_sum_is_zero(&difference))
			return;
		if (salkpi_sum_is_negative(&difference))
			salkpi_movement_count(movements, CONTRACTION, &difference, -1,
								  scale);
		else
			salkpi_movement_count(movements, EXPANSION, &difference, 1, scale);
	}
}

#endif							/* SALKPI_MOVEMENTS_H */
