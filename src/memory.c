/*
 * memory.c
 *	  What the C library does with memory while sources are read.
 *
 * Reading fills and frees arrays of many megabytes, one source after the other.
 * By default glibc gives each back to the kernel as soon as it is freed, and the
 * next source touches new pages for the first time: a fault for each, a fifth
 * of a snapshot's time.  So until the transaction ends what is freed is kept for
 * what comes next, and taken in huge pages as far as it is not much; then all of
 * it goes back.  Elsewhere than with glibc nothing of this is done.
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "utils/memutils.h"

#include "read_sources.h"
#include "segment.h"

#ifdef __GLIBC__

/* As much at the end of the heap is asked for in huge pages; arrays ask for themselves. */
#define HUGE_AT_FIRST	((Size) 64 * 1024 * 1024)

/*
 * What is set by hand is no longer adapted by glibc.  So afterwards it is what
 * adapting ends at, once a block of the size was freed that it adapts up to.
 */
#define LARGEST_ADAPTED	(4 * 1024 * 1024 * (int) sizeof(long))

static bool keeps = false;

static void
give_back(void *arg)
{
	keeps = false;
	mallopt(M_MMAP_MAX, 65536);
	mallopt(M_MMAP_THRESHOLD, LARGEST_ADAPTED);
	mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_ADAPTED);
	malloc_trim(0);
}

/*
 * Keep memory that is freed, until the transaction ends: its own memory goes
 * last, after that of everything that was done in it.
 */
void
salkpi_keep_memory(void)
{
	MemoryContextCallback *at_end;
	void	   *heap;

	if (keeps)
		return;
	at_end = MemoryContextAllocZero(TopTransactionContext, sizeof(MemoryContextCallback));
	at_end->func = give_back;
	MemoryContextRegisterResetCallback(TopTransactionContext, at_end);
	keeps = true;
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);	/* never */
	heap = malloc(HUGE_AT_FIRST);
	if (heap != NULL)
		salkpi_prefer_huge_pages(heap, HUGE_AT_FIRST);
	free(heap);
}

#else

void
salkpi_keep_memory(void)
{
}

#endif
