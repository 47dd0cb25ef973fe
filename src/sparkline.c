/*
 * sparkline.c
 *	  A line of one character per value.
 *
 * Eight block heights, U+2581 to U+2588, stand for the eighths between the
 * least and the greatest value, the fourth for all of them where these are
 * equal, and a middle dot for NULL, NaN and infinity.  Where the encoding has
 * no blocks they are the digits 1 to 8 and a full stop.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "numbers.h"
#include "salkpi.h"

#define HEIGHTS 8

PG_FUNCTION_INFO_V1(salkpi_kpi_sparkline);

static Datum
extreme(PGFunction choose, const Datum *values, const bool *nulls, int n)
{
	Datum		found = (Datum) 0;

	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			found = found == (Datum) 0 ? values[i] :
				DirectFunctionCall2(choose, found, values[i]);
	}
	return found;
}

/* From 0: how many eighths of the range lie below the value. */
static int
height_of(Datum value, Datum lowest, Datum highest)
{
	Datum		range = DirectFunctionCall2(numeric_sub, highest, lowest);
	Datum		above = DirectFunctionCall2(numeric_sub, value, lowest);
	Datum		eight = NumericGetDatum(int64_to_numeric(HEIGHTS));

	if (DatumGetBool(DirectFunctionCall2(numeric_eq, highest, lowest)))
		return 3;
	above = DirectFunctionCall2(numeric_div_trunc,
								DirectFunctionCall2(numeric_mul, above, eight), range);
	return Min(DatumGetInt32(DirectFunctionCall1(numeric_int4, above)), HEIGHTS - 1);
}

Datum
salkpi_kpi_sparkline(PG_FUNCTION_ARGS)
{
	bool		has_blocks = GetDatabaseEncoding() == PG_UTF8;
	Datum	   *values;
	bool	   *nulls;
	int			n;
	Datum		lowest;
	Datum		highest;
	StringInfoData line;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), NUMERICOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &n);
	for (int i = 0; i < n; i++)
		nulls[i] = nulls[i] || salkpi_numeric_is_special((struct varlena *) DatumGetPointer(values[i]));
	lowest = extreme(numeric_smaller, values, nulls, n);
	highest = extreme(numeric_larger, values, nulls, n);
	initStringInfo(&line);
	for (int i = 0; i < n; i++)
	{
		int			height = nulls[i] ? -1 : height_of(values[i], lowest, highest);

		if (has_blocks && height < 0)
			appendStringInfoString(&line, "\302\267");
		else if (has_blocks)
			appendStringInfo(&line, "\342\226%c", 0x81 + height);
		else
			appendStringInfoChar(&line, height < 0 ? '.' : '1' + height);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(line.data, line.len));
}
