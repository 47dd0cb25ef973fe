/*
 * ledger_fold.c
 *	  How the rows of a ledger become steps.
 *
 * A row is appended to a log, once for all dimensions: customer, amount, two
 * bounds, and its member in each.  From time to time the log is folded into
 * the steps of each dimension: a counting sort by customer, then a short sort
 * of each customer's steps, of which those at one bound are added up.  The log
 * may grow to a fixed size or half of what the steps need, whichever is more;
 * so folding costs a few passes over the rows, and memory is bounded by the
 * distinct (customer, member, bound).  A hash table of steps would cost a
 * cache miss for every row and dimension; so does finding a customer's number,
 * which is why that is done for a batch of rows at a time (segment.c).
 *
 * Merging is the same with the steps of another ledger instead of a log.
 *
 * A ledger with a limit of its memory looks at it before whatever needs much:
 * before a batch of customers is numbered, for the tables that may grow by it,
 * and before a fold, for the steps that then are there twice.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "ledger.h"
#include "salkpi.h"

/* Bytes that a log may always have. */
#define LOG_BYTES		((Size) 8 * 1024 * 1024)

/* Up to so many steps are sorted by insertion. */
#define SHORT_SORT		24

/* A key text is taken to have no more bytes than these. */
#define KEY_BYTES		64

/* The log has no more than this part of a limited ledger. */
#define LOG_SHARE		8

/* How many items are dealt with between two looks at interrupts; 2^n - 1. */
#define INTERRUPT_MASK	0xFFFF

/* How many rows the log may have beside so many steps of all dimensions. */
uint32
salkpi_ledger_log_limit(const Ledger *ledger, Size nsteps)
{
	Size		row = sizeof(int128) + salkpi_ledger_log_width(ledger) * sizeof(uint32);
	Size		bytes = Max(LOG_BYTES, nsteps * sizeof(LedgerStep) / 2);

	if (ledger->shape.memory_mb > 0)
		bytes = Min(bytes, (Size) ledger->shape.memory_mb * 1024 * 1024 / LOG_SHARE);
	return (uint32) Min(bytes / row, (Size) 1 << 30);
}

/*
 * May the ledger have so many bytes more?  The data type named by the error is
 * what tells it from other limits.
 */
void
salkpi_ledger_check_memory(const Ledger *ledger, Size more)
{
	Size		limit = (Size) ledger->shape.memory_mb * 1024 * 1024;

	if (limit > 0 &&
		MemoryContextMemAllocated(ledger->header.eoh_context, true) + more > limit)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("ledger needs more than %d MB", ledger->shape.memory_mb),
				 errdetail("It has %u customers so far.",
						   ledger->customers.index.count),
				 errhint("Make a ledger for each of some groups of customers, or allow it more memory."),
				 err_generic_string(PG_DIAG_DATATYPE_NAME, LEDGER_TYPE)));
}

/* Keep a copy of an amount that int128 cannot hold; returns its number. */
uint32
salkpi_ledger_keep_big(Ledger *ledger, Numeric big)
{
	MemoryContext context = ledger->header.eoh_context;
	Numeric		copy;

	if (ledger->big_context == NULL)
		ledger->big_context = AllocSetContextCreate(context, "kpi_ledger bigs",
													ALLOCSET_DEFAULT_SIZES);
	copy = (Numeric) MemoryContextAlloc(ledger->big_context, VARSIZE_ANY(big));
	memcpy(copy, big, VARSIZE_ANY(big));
	ledger->bigs = salkpi_grow(context, ledger->bigs, &ledger->nbigs,
							   (Size) ledger->big_count + 1, sizeof(Numeric));
	ledger->bigs[ledger->big_count] = copy;
	return ledger->big_count++;
}

/* Make a step of a sum; is it zero? */
static bool
set_step(Ledger *ledger, LedgerStep *step, uint32 member, uint32 bound,
		 ExactSum *sum)
{
	if (unlikely(sum->big != NULL || !salkpi_is_small(sum->small)))
		salkpi_sum_settle(sum, salkpi_fixed_scale(ledger->dscale));
	if (likely(sum->big == NULL))
		salkpi_step_set(step, member, bound, sum->small, false);
	else
		salkpi_step_set(step, member, bound,
						salkpi_ledger_keep_big(ledger, sum->big), true);
	return sum->small == 0 && sum->big == NULL;
}

/* Steps are sorted by member, then bound. */
static inline uint64
sort_key(const LedgerStep *step)
{
	return (uint64) step->member << 32 | step->place;
}

static int
compare_steps(const void *a, const void *b)
{
	uint64		x = sort_key(a);
	uint64		y = sort_key(b);

	CHECK_FOR_INTERRUPTS();
	return (x > y) - (x < y);
}

/* Sort the steps of a customer. */
void
salkpi_ledger_sort(LedgerStep *steps, Size count)
{
	Size		i;
	Size		j;

	if (count > SHORT_SORT)
	{
		qsort(steps, count, sizeof(LedgerStep), compare_steps);
		return;
	}
	for (i = 1; i < count; i++)
	{
		LedgerStep	step = steps[i];

		for (j = i; j > 0 && sort_key(&steps[j - 1]) > sort_key(&step); j--)
			steps[j] = steps[j - 1];
		steps[j] = step;
	}
}

/*
 * Add up the sorted steps of a customer that are at the same bound of a
 * member, leaving out zeros but for the first one in a member.  The result
 * goes to a place that may be that of the steps or before it; returns how many
 * there are.
 */
static Size
combine_steps(Ledger *ledger, const LedgerStep *steps, Size count,
			  LedgerStep *result)
{
	int			scale = salkpi_fixed_scale(ledger->dscale);
	Size		used = 0;
	Size		i = 0;

	while (i < count)
	{
		ExactSum	sum = salkpi_step_sum(ledger, &steps[i]);
		uint32		member = steps[i].member;
		uint32		bound = salkpi_step_bound(&steps[i]);
		bool		is_first = used == 0 || result[used - 1].member != member;

		while (++i < count && steps[i].member == member &&
			   salkpi_step_bound(&steps[i]) == bound)
		{
			ExactSum	addend = salkpi_step_sum(ledger, &steps[i]);

			salkpi_sum_add(&sum, addend.small, scale);
			if (unlikely(addend.big != NULL))
				salkpi_sum_add_big(&sum, addend.big);
		}
		if (!set_step(ledger, &result[used], member, bound, &sum) || is_first)
			used++;
	}
	return used;
}

/* How many steps does a row of the log make? */
static inline int
count_row_steps(const Ledger *ledger, const uint32 *words)
{
	return words[LEDGER_LOG_START] < words[LEDGER_LOG_END] &&
		words[LEDGER_LOG_END] < ledger->nbounds ? 2 : 1;
}

/*
 * Count the steps that each customer will have before they are combined, in
 * place[customer + 2]; returns their sum.
 */
static Size
count_steps(const Ledger *ledger, int d, const LedgerRuns *runs, Size *place)
{
	const LedgerDimension *dimension = &ledger->dimensions[d];
	const uint32 *words = ledger->log.words;
	Size		total = 0;
	uint32		i;

	for (i = 0; i < dimension->nfolded; i++)
		place[i + 2] = dimension->starts[i + 1] - dimension->starts[i];
	for (i = 0; runs != NULL && i < runs->count; i++)
		place[runs->customers[i] + 2] += runs->lengths[i];
	for (i = 0; i < ledger->log.nrows; i++, words += salkpi_ledger_log_width(ledger))
		place[words[LEDGER_LOG_CUSTOMER] + 2] += count_row_steps(ledger, words);
	for (i = 0; i < ledger->customers.index.count; i++)
		total += place[i + 2];
	return total;
}

/*
 * Put the steps that were folded before, and runs, where place[customer + 1]
 * says, and advance that.
 */
static void
scatter_steps(const LedgerDimension *dimension, const LedgerRuns *runs,
			  Size *place, LedgerStep *steps)
{
	const LedgerStep *from;
	uint32		i;

	for (i = 0; i < dimension->nfolded; i++)
	{
		Size		count = dimension->starts[i + 1] - dimension->starts[i];

		memcpy(&steps[place[i + 1]], &dimension->steps[dimension->starts[i]],
			   count * sizeof(LedgerStep));
		place[i + 1] += count;
	}
	if (runs == NULL)
		return;
	for (i = 0, from = runs->steps; i < runs->count; i++)
	{
		Size	   *next = &place[runs->customers[i] + 1];

		memcpy(&steps[*next], from, runs->lengths[i] * sizeof(LedgerStep));
		*next += runs->lengths[i];
		from += runs->lengths[i];
	}
}

/* The steps of a row whose amount is big. */
static void
set_big_steps(Ledger *ledger, const uint32 *words, uint32 member,
			  LedgerStep *step)
{
	uint32		big = words[LEDGER_LOG_BIG] - 1;
	Numeric		negative;

	salkpi_step_set(step, member, words[LEDGER_LOG_START], big, true);
	if (words[LEDGER_LOG_END] == ledger->nbounds)
		return;
	negative = salkpi_numeric_negate(ledger->bigs[big]);
	salkpi_step_set(step + 1, member, words[LEDGER_LOG_END],
					salkpi_ledger_keep_big(ledger, negative), true);
}

/* The same as scatter_steps() for the steps of the log. */
static void
scatter_log(Ledger *ledger, int d, Size *place, LedgerStep *steps)
{
	const uint32 *words = ledger->log.words;
	uint32		i;

	for (i = 0; i < ledger->log.nrows; i++, words += salkpi_ledger_log_width(ledger))
	{
		Size	   *next = &place[words[LEDGER_LOG_CUSTOMER] + 1];
		LedgerStep *step = &steps[*next];
		uint32		member = words[LEDGER_LOG_WORDS + d];
		int128		amount = ledger->log.amounts[i];

		if ((i & INTERRUPT_MASK) == 0)
			CHECK_FOR_INTERRUPTS();
		*next += count_row_steps(ledger, words);
		if (unlikely(words[LEDGER_LOG_BIG] != 0))
		{
			set_big_steps(ledger, words, member, step);
			continue;
		}
		salkpi_step_set(step, member, words[LEDGER_LOG_START], amount, false);
		if (count_row_steps(ledger, words) > 1)
			salkpi_step_set(step + 1, member, words[LEDGER_LOG_END], -amount, false);
	}
}

/*
 * Fold the log, or runs if there are any, into the steps of a dimension.
 * place[customer] is where a customer's steps start, first among the scattered
 * and then among the combined ones.
 */
void
salkpi_ledger_fold_dimension(Ledger *ledger, int d, const LedgerRuns *runs)
{
	LedgerDimension *dimension = &ledger->dimensions[d];
	MemoryContext context = ledger->header.eoh_context;
	uint32		ncustomers = ledger->customers.index.count;
	Size		place_size = ((Size) ncustomers + 2) * sizeof(Size);
	Size	   *place;
	Size		total;
	LedgerStep *steps;
	Size		used = 0;
	uint32		i;

	salkpi_ledger_check_memory(ledger, place_size);
	place = MemoryContextAllocExtended(context, place_size,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	total = count_steps(ledger, d, runs, place);
	salkpi_ledger_check_memory(ledger, (total + 1) * sizeof(LedgerStep));
	steps = MemoryContextAllocExtended(context, (total + 1) * sizeof(LedgerStep),
									   MCXT_ALLOC_HUGE);
	salkpi_prefer_huge_pages(steps, (total + 1) * sizeof(LedgerStep));
	for (i = 0; i < ncustomers; i++)
		place[i + 1] += place[i];
	scatter_steps(dimension, runs, place, steps);
	scatter_log(ledger, d, place, steps);
	for (i = 0; i < ncustomers; i++)
	{
		Size		start = place[i];
		Size		count = place[i + 1] - start;

		if ((i & INTERRUPT_MASK) == 0)
			CHECK_FOR_INTERRUPTS();
		salkpi_ledger_sort(&steps[start], count);
		place[i] = used;
		used += combine_steps(ledger, &steps[start], count, &steps[used]);
	}
	place[ncustomers] = used;
	if (dimension->steps != NULL)
		pfree(dimension->steps);
	pfree(dimension->starts);
	dimension->steps = repalloc_huge(steps, (used + 1) * sizeof(LedgerStep));
	dimension->starts = place;
	dimension->nfolded = ncustomers;
}

/* Keep those bigs only that are in a step. */
static void
sweep_bigs(Ledger *ledger)
{
	MemoryContext old_context = ledger->big_context;
	Numeric    *old = ledger->bigs;
	int			d;
	Size		i;

	ledger->big_context = NULL;
	ledger->bigs = NULL;
	ledger->nbigs = 0;
	ledger->big_count = 0;
	for (d = 0; d < ledger->shape.ndimensions; d++)
	{
		LedgerDimension *dimension = &ledger->dimensions[d];

		for (i = 0; i < dimension->starts[dimension->nfolded]; i++)
			if (dimension->steps[i].place & 1)
				dimension->steps[i].delta =
					salkpi_ledger_keep_big(ledger,
										   old[(uint32) dimension->steps[i].delta]);
	}
	pfree(old);
	MemoryContextDelete(old_context);
}

/* All dimensions are folded: the log is empty again. */
void
salkpi_ledger_fold_end(Ledger *ledger)
{
	Size		nsteps = 0;
	int			d;

	for (d = 0; d < ledger->shape.ndimensions; d++)
		nsteps += ledger->dimensions[d].starts[ledger->dimensions[d].nfolded];
	ledger->log.nrows = 0;
	ledger->log.limit = salkpi_ledger_log_limit(ledger, nsteps);
	if (ledger->big_count > 0)
		sweep_bigs(ledger);
}

/* Bytes that another batch of rows will need, apart from long key texts. */
static Size
batch_growth(const Ledger *ledger)
{
	const LedgerLog *log = &ledger->log;
	Size		width = salkpi_ledger_log_width(ledger);
	Size		growth = salkpi_texts_growth(&ledger->customers, SALKPI_BATCH,
											 log->batch.used);
	int			i;

	if (log->nrows + SALKPI_BATCH > log->namounts)
		growth += log->namounts * sizeof(int128);
	if ((log->nrows + SALKPI_BATCH) * width > log->nwords)
		growth += log->nwords * sizeof(uint32);
	for (i = 0; i < SALKPI_MAX_KEYS; i++)
		if (ledger->shape.key_used[i])
			growth += salkpi_texts_growth(&ledger->keys[i], SALKPI_BATCH,
										  SALKPI_BATCH * KEY_BYTES);
	for (i = 0; i < ledger->shape.ndimensions; i++)
		if (ledger->dimensions[i].spec->nkeys > 1)
			growth += salkpi_tuples_growth(&ledger->dimensions[i].members,
										   SALKPI_BATCH);
	return growth;
}

/* Find the numbers of the customers of the last rows. */
void
salkpi_ledger_number_customers(Ledger *ledger)
{
	LedgerLog  *log = &ledger->log;
	Size		width = salkpi_ledger_log_width(ledger);
	uint32		count = log->batch.count;
	uint32	   *words = log->words + (log->nrows - count) * width;
	uint32		numbers[SALKPI_BATCH];
	uint32		i;

	if (ledger->shape.memory_mb > 0)
		salkpi_ledger_check_memory(ledger, batch_growth(ledger));
	salkpi_batch_put(&ledger->customers, &log->batch, numbers);
	for (i = 0; i < count; i++)
		words[i * width + LEDGER_LOG_CUSTOMER] = numbers[i];
}

/* Bring all rows into the steps.  Adding rows may go on afterwards. */
void
salkpi_ledger_fold(Ledger *ledger)
{
	int			d;

	if (ledger->log.nrows == 0)
		return;
	salkpi_ledger_number_customers(ledger);
	for (d = 0; d < ledger->shape.ndimensions; d++)
		salkpi_ledger_fold_dimension(ledger, d, NULL);
	salkpi_ledger_fold_end(ledger);
}

/* An amount with more decimals than any before: the common scale grows. */
void
salkpi_ledger_grow_scale(Ledger *ledger, int dscale)
{
	int			old_scale = salkpi_fixed_scale(ledger->dscale);
	int			by = salkpi_fixed_scale(dscale) - old_scale;
	int			d;
	Size		i;

	if (by > 0)
		salkpi_ledger_fold(ledger);
	ledger->dscale = dscale;
	for (d = 0; d < ledger->shape.ndimensions && by > 0; d++)
	{
		LedgerDimension *dimension = &ledger->dimensions[d];

		for (i = 0; i < dimension->starts[dimension->nfolded]; i++)
		{
			LedgerStep *step = &dimension->steps[i];
			ExactSum	sum = salkpi_step_sum(ledger, step);

			if ((i & INTERRUPT_MASK) == 0)
				CHECK_FOR_INTERRUPTS();
			if (!salkpi_rescale(&sum.small, by))
				salkpi_sum_spill(&sum, old_scale);
			(void) set_step(ledger, step, step->member,
							salkpi_step_bound(step), &sum);
		}
	}
}

