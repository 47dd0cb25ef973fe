/*
 * server.h
 *	  What a fuzz target uses of server.c.
 */
#ifndef SALKPI_FUZZ_SERVER_H
#define SALKPI_FUZZ_SERVER_H

#include <setjmp.h>

extern jmp_buf on_error;		/* where an error goes */
extern void free_all(void);		/* what was palloc'd */

#endif							/* SALKPI_FUZZ_SERVER_H */
