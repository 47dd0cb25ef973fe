/*
 * member.c
 *	  The names of members, as facts have them.
 *
 * A name is in the indexes of the facts, which take no more than a third of a
 * page.  So a part that is too long, such as a reason for losing that somebody
 * has written a letter about, is its beginning and a hash of all of it.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "facts.h"
#include "salkpi.h"

/* Most bytes of a part: those of ten find room. */
#define PART_MAX		240

/* What stands for the rest of it: " ... " and 16 digits. */
#define PART_HASH		21

/* Append a part as it is in names. */
void
salkpi_member_part(StringInfo name, const char *part, uint32 length)
{
	int			kept;

	if (length <= PART_MAX)
	{
		appendBinaryStringInfo(name, part, length);
		return;
	}
	kept = pg_mbcliplen(part, length, PART_MAX - PART_HASH);
	appendBinaryStringInfo(name, part, kept);
	appendStringInfo(name, " ... %016llx",
					 (unsigned long long) hash_bytes_extended((const unsigned char *) part, length, 0));
}

/* kpi_member_part(text) */
PG_FUNCTION_INFO_V1(salkpi_kpi_member_part);
Datum
salkpi_kpi_member_part(PG_FUNCTION_ARGS)
{
	text	   *part = PG_GETARG_TEXT_PP(0);
	StringInfoData name;

	if (VARSIZE_ANY_EXHDR(part) <= PART_MAX)
		PG_RETURN_TEXT_P(part);
	initStringInfo(&name);
	salkpi_member_part(&name, VARDATA_ANY(part), VARSIZE_ANY_EXHDR(part));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(name.data, name.len));
}
