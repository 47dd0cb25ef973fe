/*
 * setting.c
 *	  The value of a setting, and when a day begins; kpi_setting, kpi_midnight.
 *
 * What reads facts asks for a dozen settings, most of them on the way to
 * something else, and a look at an index takes a third of what a query does.
 * The caller needs the same rights as for one.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "salkpi.h"

/* Both tables begin with these columns. */
#define SETTING_NAME	1
#define SETTING_VALUE	2

static Relation
open_readable(const char *name, Oid schema)
{
	Oid			relation = get_relname_relid(name, schema);
	AclResult	rights = pg_class_aclcheck(relation, GetUserId(), ACL_SELECT);

	if (rights != ACLCHECK_OK)
		aclcheck_error(rights, OBJECT_TABLE, name);
	return table_open(relation, AccessShareLock);
}

/*
 * Sets *value to what a table has for a setting, palloc'd; it is left alone
 * where that is NULL.  False if there is no such row.
 */
static bool
find_value(const char *table, Oid schema, text *name, text **value)
{
	Relation	relation = open_readable(table, schema);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		is_found;

	ScanKeyInit(&key, SETTING_NAME, BTEqualStrategyNumber, F_TEXTEQ, PointerGetDatum(name));
	key.sk_collation = DEFAULT_COLLATION_OID;
	list_free(RelationGetIndexList(relation));	/* finds the primary key */
	scan = systable_beginscan(relation, relation->rd_pkindex, true, GetActiveSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	is_found = HeapTupleIsValid(tuple);
	if (is_found)
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, SETTING_VALUE, RelationGetDescr(relation), &isnull);

		if (!isnull)
			*value = DatumGetTextPCopy(datum);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return is_found;
}

/* kpi_setting(name) */
PG_FUNCTION_INFO_V1(salkpi_kpi_setting);
Datum
salkpi_kpi_setting(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	text	   *name = PG_GETARG_TEXT_PP(0);
	text	   *value = NULL;

	if (find_value("kpi_setting_default", schema, name, &value))
		(void) find_value("kpi_setting_value", schema, name, &value);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(value);
}

/* The day that a call was last about, and when it begins. */
typedef struct LastDay
{
	DateADT		day;
	TimestampTz begins;
	Size		length;			/* of the zone's name */
	char		zone[TZ_STRLEN_MAX];
} LastDay;

/*
 * Where clocks go back at the end of the first hour (Havana, the Azores) a day
 * has two midnights, of which PostgreSQL takes the second: the first is what
 * follows the last microsecond of the day before.  Where clocks go forward over
 * that one (Nuuk), midnight itself is the earlier of the two.
 */
static TimestampTz
beginning_of(DateADT day, Datum zone)
{
	Timestamp	midnight = DatumGetTimestamp(DirectFunctionCall1(date_timestamp, DateADTGetDatum(day)));
	TimestampTz begins = DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, zone, TimestampGetDatum(midnight)));

	if (!TIMESTAMP_NOT_FINITE(midnight) && midnight > MIN_TIMESTAMP)
	{
		TimestampTz before = DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, zone, TimestampGetDatum(midnight - 1)));

		begins = Min(begins, before + 1);
	}
	return begins;
}

/* kpi_midnight(day, zone): of rows, many in a row are of one day. */
PG_FUNCTION_INFO_V1(salkpi_kpi_midnight);
Datum
salkpi_kpi_midnight(PG_FUNCTION_ARGS)
{
	DateADT		day = PG_GETARG_DATEADT(0);
	text	   *zone = PG_GETARG_TEXT_PP(1);
	Size		length = VARSIZE_ANY_EXHDR(zone);
	LastDay    *last = fcinfo->flinfo->fn_extra;

	if (last == NULL || last->day != day || last->length != length ||
		memcmp(last->zone, VARDATA_ANY(zone), length) != 0)
	{
		TimestampTz begins = beginning_of(day, PointerGetDatum(zone));

		if (length > TZ_STRLEN_MAX) /* no zone has such a name */
			PG_RETURN_TIMESTAMPTZ(begins);
		if (last == NULL)
			last = fcinfo->flinfo->fn_extra = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(LastDay));
		last->day = day;
		last->begins = begins;
		last->length = length;
		memcpy(last->zone, VARDATA_ANY(zone), length);
	}
	PG_RETURN_TIMESTAMPTZ(last->begins);
}
