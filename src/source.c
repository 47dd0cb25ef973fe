/*
 * source.c
 *	  Reading sources: what is done to each of their values, and the type under
 *	  a domain.
 *
 * Ids are compared, looked up and shown as texts, whatever type a CRM gives
 * them; this makes the text of a number, which a cast does through its output
 * function and a copy.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "numbers.h"
#include "salkpi.h"

PG_FUNCTION_INFO_V1(salkpi_id_text);
Datum
salkpi_id_text(PG_FUNCTION_ARGS)
{
	char		digits[MAXINT8LEN + 1];
	int			length = pg_lltoa(PG_GETARG_INT64(0), digits);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(digits, length));
}

/*
 * A dropped column has type 0 until the planner's order of things has filtered
 * it out: what is no type, or is none any more, has no base.
 */
PG_FUNCTION_INFO_V1(salkpi_kpi_base_type);
Datum
salkpi_kpi_base_type(PG_FUNCTION_ARGS)
{
	Oid			type = PG_GETARG_OID(0);

	if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)))
		PG_RETURN_NULL();
	PG_RETURN_OID(getBaseType(type));
}

/*
 * Whether a number is NaN or infinite, which no sum can take.  Asked of every
 * row; two comparisons would cost ten times as much.
 */
PG_FUNCTION_INFO_V1(salkpi_is_infinite);
Datum
salkpi_is_infinite(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(salkpi_numeric_is_special((struct varlena *) PG_GETARG_VARLENA_PP(0)));
}

/* As days since 2000: 4000-01-01 BC and 200000-01-01. */
#define FIRST_KNOWN_DAY		(-2191089)
#define LAST_KNOWN_DAY		72318015

/*
 * A date can lie where no instant does, or so near the last one that what is
 * added to it does not: far from all days, it is as good as infinite.
 */
PG_FUNCTION_INFO_V1(salkpi_known_day);
Datum
salkpi_known_day(PG_FUNCTION_ARGS)
{
	DateADT		day = PG_GETARG_DATEADT(0);

	if (day < FIRST_KNOWN_DAY)
		DATE_NOBEGIN(day);
	else if (day > LAST_KNOWN_DAY)
		DATE_NOEND(day);
	PG_RETURN_DATEADT(day);
}
