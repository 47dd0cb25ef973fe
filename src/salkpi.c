/*
 * salkpi.c
 *	  The module's magic block and start; every feature has a file of its own.
 */
#include "postgres.h"

#include "fmgr.h"

#include "batch.h"
#include "salkpi.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	salkpi_batch_register();
}
