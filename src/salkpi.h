/*
 * salkpi.h
 *	  What the files of salkpi share.
 */
#ifndef SALKPI_H
#define SALKPI_H

#include "fmgr.h"

#include "compat.h"

#endif							/* SALKPI_H */
