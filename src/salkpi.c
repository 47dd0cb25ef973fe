/*
 * salkpi.c
 *	  The module's magic block; every feature has a file of its own.
 */
#include "postgres.h"

#include "fmgr.h"

#include "salkpi.h"

PG_MODULE_MAGIC;
