/*
 * compat.h
 *	  Every difference between the PostgreSQL versions that salkpi builds on.
 */
#ifndef SALKPI_COMPAT_H
#define SALKPI_COMPAT_H

/* 16 split the detoasting macros off to varatt.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif							/* SALKPI_COMPAT_H */
