/*
 * places.c
 *	  Facts in their places.
 *
 * A place is found by member and by how many periods it lies before the newest
 * one.  There are three kinds of them: the whole periods, those cut to the
 * length of the running one (grain "month_cut" and the like), and the months,
 * where the grain is another.
 *
 * An unfinished period, or a cut one, looks one period and one year back at
 * cut ones.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "computed.h"
#include "salkpi.h"
#include "texts.h"

#define MONTH "month"
#define DAY "day"

/* ---------- names and periods ---------- */

TextKey
salkpi_text_key(Datum value, int index)
{
	text	   *t = DatumGetTextPP(value);

	return (TextKey) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), index};
}

int
salkpi_compare_keys(const void *a, const void *b)
{
	const TextKey *left = a;
	const TextKey *right = b;

	return salkpi_compare_by_length(left->data, left->length, right->data, right->length);
}

TextKey *
salkpi_sort_keys(const Elements *elements)
{
	TextKey	   *names = palloc(sizeof(TextKey) * (elements->count + 1));

	for (int i = 0; i < elements->count; i++)
		names[i] = salkpi_text_key(elements->values[i], i);
	qsort(names, elements->count, sizeof(TextKey), salkpi_compare_keys);
	return names;
}

/* The index of a text, or -1. */
int
salkpi_find_key(const TextKey *names, int n, Datum value)
{
	TextKey		key = salkpi_text_key(value, -1);
	const TextKey *found = bsearch(&key, names, n, sizeof(TextKey), salkpi_compare_keys);

	return found == NULL ? -1 : found->index;
}

bool
salkpi_is_text(Datum value, const char *text)
{
	TextKey		name = salkpi_text_key(value, -1);

	return name.length == strlen(text) && memcmp(name.data, text, name.length) == 0;
}

/* How many periods back a first day lies, or -1; starts has the newest first. */
int
salkpi_find_period(const Elements *starts, DateADT period)
{
	int			low = 0;
	int			high = starts->count - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		DateADT		start = DatumGetDateADT(starts->values[middle]);

		if (start == period)
			return middle;
		if (start > period)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

/* ---------- facts in their places ---------- */

static int
periods_of(const Request *request, PlaceKind kind)
{
	return kind == PLACE_MONTH ? request->month_starts.count : request->starts.count;
}

static FactRow **
place(const Request *request, PlaceKind kind, int member, int base)
{
	return &request->places[kind][member * periods_of(request, kind) + base];
}

/* NULL also before the first period of a calendar. */
FactRow *
salkpi_fact_at(const Request *request, PlaceKind kind, int member, int base)
{
	return base < periods_of(request, kind) ? *place(request, kind, member, base) : NULL;
}

/* The same with zeros where it is known that there was nothing yet. */
static FactRow *
whole_at(const Request *request, PlaceKind kind, int member, int base)
{
	const Elements *starts = kind == PLACE_MONTH ? &request->month_starts : &request->starts;
	FactRow    *row = salkpi_fact_at(request, kind, member, base);

	if (row == NULL && request->has_beginning && base > 0 && base < starts->count &&
		DatumGetDateADT(starts->values[base]) >= request->first_day &&
		DatumGetDateADT(starts->values[base - 1]) <= request->beginning)
		return request->before[kind];
	return row;
}

static bool
is_complete(const Request *request, const FactRow *row)
{
	return DatumGetBool(row->values[request->evaluation.columns.is_complete - 1]);
}

/* A row that nobody asked for, such as that of a month that begins no quarter, has no place. */
static void
put_fact(Request *request, FactRow *row)
{
	const FactColumns *columns = &request->evaluation.columns;
	Datum		grain = row->values[columns->grain - 1];
	PlaceKind	kind = salkpi_is_text(grain, request->grain) ? PLACE_WHOLE :
		salkpi_is_text(grain, MONTH) ? PLACE_MONTH : PLACE_CUT;
	int			base = salkpi_find_period(kind == PLACE_MONTH ? &request->month_starts : &request->starts,
								   DatumGetDateADT(row->values[columns->period - 1]));
	int			member = salkpi_find_key(request->names, request->members.count,
								   row->values[columns->member - 1]);

	if (base < 0)
		return;
	*place(request, kind, member < 0 ? request->blank : member, base) = row;
}

/* Zeros for what began later; of other measures it is not known. */
static FactRow *
row_before_data(const Request *request, const FactRow *blank)
{
	TupleDesc	tupdesc = request->evaluation.tupdesc;
	FactRow    *row = salkpi_fact_zero(tupdesc, blank);

	for (int i = 0; i < tupdesc->natts; i++)
		row->nulls[i] = row->nulls[i] || !request->has_begun[i];
	return row;
}

/* Members without a fact in a computed period share its row of zeros. */
static void
fill_gaps(Request *request, PlaceKind kind)
{
	for (int base = 0; base < periods_of(request, kind); base++)
	{
		FactRow    *blank = *place(request, kind, request->blank, base);
		FactRow    *zero = NULL;

		if (blank != NULL && request->has_beginning && request->before[kind] == NULL)
			request->before[kind] = row_before_data(request, blank);
		for (int member = 0; blank != NULL && member < request->members.count; member++)
		{
			FactRow   **row = place(request, kind, member, base);

			if (*row != NULL)
				continue;
			if (zero == NULL)
				zero = salkpi_fact_zero(request->evaluation.tupdesc, blank);
			*row = zero;
		}
	}
}

/* Puts the members' sum in the place of the first. */
static void
merge_members(Request *request, PlaceKind kind)
{
	for (int base = 0; base < periods_of(request, kind); base++)
	{
		FactRow    *sum = NULL;

		for (int member = 0; member < request->members.count; member++)
		{
			FactRow    *row = *place(request, kind, member, base);

			CHECK_FOR_INTERRUPTS();
			if (sum != NULL && row != NULL)
				sum = salkpi_fact_sum(request->evaluation.tupdesc, sum, row,
									  request->is_additive);
			else if (sum == NULL)
				sum = row;
		}
		if (request->members.count > 0)
			*place(request, kind, 0, base) = sum;
	}
}

/* Puts up to so many rows in their places; they stay in memory of SPI. */
static void
place_rows(Request *request, Portal facts, long count)
{
	SPI_cursor_fetch(facts, true, count);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		FactRow    *row = salkpi_fact_open(request->evaluation.tupdesc, SPI_tuptable->vals[i]);

		CHECK_FOR_INTERRUPTS();
		salkpi_check_fact(&request->evaluation.columns, row);
		put_fact(request, row);
	}
}

static bool
has_gaps(const Request *request, PlaceKind kind)
{
	for (int member = 0; member < request->members.count; member++)
		for (int base = 0; base < periods_of(request, kind); base++)
			if (*place(request, kind, member, base) == NULL)
				return true;
	return false;
}

/*
 * Facts of the blank member are there to fill gaps, and where no period is
 * unfinished none are cut: then what is left of the cursor need not be read.
 */
static bool
has_enough(const Request *request)
{
	if (has_gaps(request, PLACE_WHOLE) || has_gaps(request, PLACE_MONTH))
		return false;
	return request->members.count == 0 || request->starts.count == 0 ||
		is_complete(request, *place(request, PLACE_WHOLE, 0, 0));
}

void
salkpi_place_facts(Request *request, Portal facts)
{
	long		own = (long) request->members.count *
		(request->starts.count + request->month_starts.count);

	for (PlaceKind kind = 0; kind < PLACE_KINDS; kind++)
		request->places[kind] = palloc0(sizeof(FactRow *) * request->nplaces *
										periods_of(request, kind));
	if (own > 0)
		place_rows(request, facts, own);
	if (!has_enough(request))
		place_rows(request, facts, FETCH_ALL);
	for (PlaceKind kind = 0; kind < PLACE_KINDS; kind++)
	{
		fill_gaps(request, kind);
		if (request->is_additive != NULL)
			merge_members(request, kind);
	}
}

/* ---------- what a formula reads ---------- */

/* How many periods before one lies the same of the year before: of days that depends on the day. */
static int
periods_of_year(const Request *request, int base)
{
	Datum		year_before;

	if (strcmp(request->grain, DAY) != 0 || base >= request->starts.count)
		return request->per_year;
	year_before = DirectFunctionCall2(date_mi_interval, request->starts.values[base],
									  IntervalPGetDatum(&(Interval) {.month = MONTHS_PER_YEAR}));
	return DatumGetDateADT(request->starts.values[base]) - DatumGetDateADT(DirectFunctionCall1(timestamp_date, year_before));
}

/* The rows from a base on; a period that is not whole is compared with cut ones. */
void
salkpi_set_window(Request *request, const Definition *definition, int member, int base, bool is_cut)
{
	FactRows   *facts = &request->evaluation.facts;
	FactRow    *present = salkpi_fact_at(request, PLACE_WHOLE, member, base);
	bool		is_part = is_cut || (present != NULL && !is_complete(request, present));

	facts->count = definition->reach + 1;
	facts->per_year = periods_of_year(request, base);
	facts->before = request->before[PLACE_WHOLE];
	for (int i = 0; i < facts->count; i++)
	{
		bool		looks_back = i == 1 || (i == facts->per_year && i > 0);
		PlaceKind	kind = is_part && (looks_back || (i == 0 && is_cut)) ? PLACE_CUT : PLACE_WHOLE;

		facts->rows[i] = salkpi_fact_at(request, kind, member, base + i);
		facts->whole[i] = whole_at(request, PLACE_WHOLE, member, base + i);
	}
}

void
salkpi_set_months(Request *request, int member)
{
	FactRows   *months = &request->evaluation.months;
	PlaceKind	kind = strcmp(request->grain, MONTH) == 0 ? PLACE_WHOLE : PLACE_MONTH;
	int			count = periods_of(request, kind);

	months->count = count;
	months->rows = count > 0 ? place(request, kind, member, 0) : NULL;
	months->before = request->before[kind];
	if (months->whole == NULL)
		months->whole = palloc(sizeof(FactRow *) * (count + 1));
	for (int i = 0; i < count; i++)
		months->whole[i] = whole_at(request, kind, member, i);
}
