/*
 * ledger_fold.c
 *	  How the rows of a ledger become steps.
 *
 * A row is appended to a log, once for all dimensions: customer, amount, two
 * bounds, and its member in each.  From time to time the log is folded into
 * the steps of each dimension: a counting sort by customer, then a short sort
 * of each customer's new steps, which are merged with the old; those at one bound
 * are added up.  The log may grow to a fixed size or half of what the steps need,
 * whichever is more; so folding costs a few passes over the rows, and memory is
 * bounded by the distinct (customer, member, bound).  A hash table of steps would
 * cost a cache miss for every row and dimension; so does finding a customer's
 * number, which is why that is done for a batch of rows at a time (segment.c).
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
		MemoryContextMemAllocated(ledger->state.header.eoh_context, true) + more > limit)
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
	MemoryContext context = ledger->state.header.eoh_context;
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

#define ST_SORT sort_steps
#define ST_ELEMENT_TYPE LedgerStep
#define ST_COMPARE(a, b) ((sort_key(a) > sort_key(b)) - (sort_key(a) < sort_key(b)))
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* Sort the steps of a customer. */
void
salkpi_ledger_sort(LedgerStep *steps, Size count)
{
	Size		i;
	Size		j;

	if (count > SHORT_SORT)
	{
		sort_steps(steps, count);
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
 * Steps have room for more at their beginning, and are sorted behind that; merge
 * these, sorted as well, into them.  count: of all.
 */
static void
merge_steps(LedgerStep *steps, Size count, const LedgerStep *more, Size nmore)
{
	Size		next = nmore;

	for (Size i = 0; nmore > 0; i++)
		if (next == count || sort_key(more) <= sort_key(&steps[next]))
		{
			steps[i] = *more++;
			nmore--;
		}
		else
			steps[i] = steps[next++];
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

static inline const uint32 *
log_words(const Ledger *ledger, uint32 row)
{
	return ledger->log.words + row * salkpi_ledger_log_width(ledger);
}

/* Do the rows of the log come one customer after the other, by number? */
static bool
is_log_in_order(const Ledger *ledger)
{
	for (uint32 i = 1; i < ledger->log.nrows; i++)
		if (log_words(ledger, i)[LEDGER_LOG_CUSTOMER] < log_words(ledger, i - 1)[LEDGER_LOG_CUSTOMER])
			return false;
	return true;
}

/* Put the rows of the log in order of their customers, once for all dimensions: a counting sort. */
static void
sort_log(Ledger *ledger)
{
	LedgerLog  *log = &ledger->log;
	MemoryContext context = ledger->state.header.eoh_context;
	Size		width = salkpi_ledger_log_width(ledger);
	uint32		ncustomers = ledger->customers.index.count;
	uint32	   *place;
	uint32	   *words;
	int128	   *amounts;

	if (is_log_in_order(ledger))
		return;
	salkpi_ledger_check_memory(ledger, ((Size) ncustomers + 1 + log->nwords) * sizeof(uint32) +
							   log->namounts * sizeof(int128));
	place = palloc_extended(((Size) ncustomers + 1) * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	words = MemoryContextAllocHuge(context, log->nwords * sizeof(uint32));
	amounts = MemoryContextAllocHuge(context, log->namounts * sizeof(int128));
	for (uint32 i = 0; i < log->nrows; i++)
		place[log_words(ledger, i)[LEDGER_LOG_CUSTOMER] + 1]++;
	for (uint32 i = 0; i < ncustomers; i++)
		place[i + 1] += place[i];
	for (uint32 i = 0; i < log->nrows; i++)
	{
		const uint32 *row = log_words(ledger, i);
		uint32		to = place[row[LEDGER_LOG_CUSTOMER]]++;

		memcpy(words + to * width, row, width * sizeof(uint32));
		amounts[to] = log->amounts[i];
	}
	pfree(place);
	pfree(log->words);
	pfree(log->amounts);
	log->words = words;
	log->amounts = amounts;
	CHECK_FOR_INTERRUPTS();
}

/* What is folded into the steps of a dimension, a customer after the other. */
typedef struct Folding
{
	Ledger	   *ledger;
	int			d;				/* the dimension */
	uint32		next_row;		/* of the log, which is in order */
	const LedgerRuns *runs;		/* NULL: none */
	Size	   *run_start;		/* by customer: its run in runs->steps */
	uint32	   *run_length;		/* by customer */
} Folding;

/* Find the run of each customer. */
static void
index_runs(Folding *f)
{
	const LedgerRuns *runs = f->runs;
	Size		ncustomers = f->ledger->customers.index.count;
	Size		start = 0;

	salkpi_ledger_check_memory(f->ledger, (ncustomers + 1) * (sizeof(Size) + sizeof(uint32)));
	f->run_start = palloc_extended((ncustomers + 1) * sizeof(Size), MCXT_ALLOC_HUGE);
	f->run_length = palloc_extended((ncustomers + 1) * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < runs->count; i++)
	{
		f->run_start[runs->customers[i]] = start;
		f->run_length[runs->customers[i]] = runs->lengths[i];
		start += runs->lengths[i];
	}
}

/* How many steps there will be, before they are combined. */
static Size
count_steps(const Folding *f)
{
	const LedgerDimension *dimension = &f->ledger->dimensions[f->d];
	Size		total = dimension->starts[dimension->nfolded];

	for (uint32 i = 0; f->runs != NULL && i < f->runs->count; i++)
		total += f->runs->lengths[i];
	for (uint32 i = 0; i < f->ledger->log.nrows; i++)
		total += count_row_steps(f->ledger, log_words(f->ledger, i));
	return total;
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

/* The steps of a row of the log; returns how many there are. */
static int
set_row_steps(const Folding *f, uint32 row, LedgerStep *step)
{
	const uint32 *words = log_words(f->ledger, row);
	uint32		member = words[LEDGER_LOG_WORDS + f->d];
	int128		amount = f->ledger->log.amounts[row];
	int			count = count_row_steps(f->ledger, words);

	if (unlikely(words[LEDGER_LOG_BIG] != 0))
	{
		set_big_steps(f->ledger, words, member, step);
		return count;
	}
	salkpi_step_set(step, member, words[LEDGER_LOG_START], amount, false);
	if (count > 1)
		salkpi_step_set(step + 1, member, words[LEDGER_LOG_END], -amount, false);
	return count;
}

/*
 * All steps of a customer, sorted; returns how many.  Those folded before are,
 * so the others alone are brought in order, and then all together.
 */
static Size
gather_steps(Folding *f, uint32 customer, LedgerStep *steps)
{
	const LedgerDimension *dimension = &f->ledger->dimensions[f->d];
	const LedgerStep *folded = NULL;
	Size		nfolded = 0;
	Size		count;

	if (customer < dimension->nfolded)
	{
		folded = &dimension->steps[dimension->starts[customer]];
		nfolded = dimension->starts[customer + 1] - dimension->starts[customer];
	}
	count = nfolded;
	if (f->runs != NULL && f->run_length[customer] > 0)
	{
		memcpy(&steps[count], &f->runs->steps[f->run_start[customer]],
			   f->run_length[customer] * sizeof(LedgerStep));
		count += f->run_length[customer];
	}
	for (; f->next_row < f->ledger->log.nrows &&
		 log_words(f->ledger, f->next_row)[LEDGER_LOG_CUSTOMER] == customer; f->next_row++)
		count += set_row_steps(f, f->next_row, &steps[count]);
	salkpi_ledger_sort(&steps[nfolded], count - nfolded);
	merge_steps(steps, count, folded, nfolded);
	return count;
}

/*
 * Fold the log, or runs, into the steps of a dimension.  A customer's steps are
 * put behind those there are, and combined where they are; so memory is
 * written once, from the start to the end, however much might have been needed.
 */
static void
fold_dimension(Folding *f)
{
	Ledger	   *ledger = f->ledger;
	LedgerDimension *dimension = &ledger->dimensions[f->d];
	MemoryContext context = ledger->state.header.eoh_context;
	uint32		ncustomers = ledger->customers.index.count;
	Size		starts_size = ((Size) ncustomers + 1) * sizeof(Size);
	Size		steps_size = (count_steps(f) + 1) * sizeof(LedgerStep);
	Size	   *starts;
	LedgerStep *steps;
	Size		used = 0;

	salkpi_ledger_check_memory(ledger, starts_size + steps_size);
	starts = MemoryContextAllocHuge(context, starts_size);
	steps = MemoryContextAllocHuge(context, steps_size);
	salkpi_prefer_huge_pages(steps, steps_size);
	for (uint32 i = 0; i < ncustomers; i++)
	{
		Size		count = gather_steps(f, i, &steps[used]);

		if ((i & INTERRUPT_MASK) == 0)
			CHECK_FOR_INTERRUPTS();
		starts[i] = used;
		used += combine_steps(ledger, &steps[used], count, &steps[used]);
	}
	starts[ncustomers] = used;
	if (dimension->steps != NULL)
		pfree(dimension->steps);
	pfree(dimension->starts);
	dimension->steps = repalloc_huge(steps, (used + 1) * sizeof(LedgerStep));
	dimension->starts = starts;
	dimension->nfolded = ncustomers;
}

/* Fold runs into the steps of a dimension; the log is empty. */
void
salkpi_ledger_fold_runs(Ledger *ledger, int d, const LedgerRuns *runs)
{
	Folding		f = {.ledger = ledger,.d = d,.runs = runs};

	index_runs(&f);
	fold_dimension(&f);
	pfree(f.run_start);
	pfree(f.run_length);
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
	sort_log(ledger);
	for (d = 0; d < ledger->shape.ndimensions; d++)
		fold_dimension(&(Folding) {.ledger = ledger,.d = d});
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

