/*
 * evaluate.c
 *	  Evaluates KPI formulas exactly.
 *
 * Every intermediate result is a rational: a numeric numerator over a numeric
 * denominator.  There is one division, at the very end, and its quotient is
 * rounded once.
 *
 * A value made without any division, mean or quantile is plain: it has no
 * denominator and is returned as it is.  Whether a value is plain depends on
 * the formula alone and not on the data, so that a ratio over a denominator
 * that happens to be 1 still shows it.  Ratios are not reduced: what comes
 * out of 100 * (a - b) / b is the sum 100 * (a - b) and the sum b.
 *
 * NULL spreads to everything made from it, least and greatest included: the
 * least of a known and an unknown number is not known.  The reason given is
 * that of the operand that comes first.  Only coalesce takes an unknown
 * operand for an answer; when none is known, a reason that says more than that
 * a measure is not available comes first.
 *
 * The operand of sum_months is evaluated with the months in place of the
 * periods, so that whatever it says of periods it says of months.
 *
 * Sums, differences and products of numeric are exact as long as the scales
 * of the factors add up to no more than 16383 decimals, numeric's own limit;
 * beyond it there is no value rather than one that numeric has rounded.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"

#include "durations.h"
#include "evaluate.h"
#include "numbers.h"
#include "salkpi.h"

/* Why a value is NULL, as kpi_evaluate spells it. */
#define NOT_COMPUTED "not computed"
#define NOT_AVAILABLE "not available"
#define ZERO_DENOMINATOR "zero denominator"
#define NO_TARGET "no target"
#define NOT_SET "not set"
#define OUT_OF_RANGE "out of range"

static bool evaluate(Evaluation *evaluation, const FormulaNode *node, int offset,
					 Rational *result);

/* ---------- numeric ---------- */

static int
scale(Numeric a)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(a)));
}

static Numeric
multiply(Numeric a, Numeric b)
{
	if (scale(a) + scale(b) > SALKPI_MAX_DSCALE)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("formula cannot be evaluated exactly"),
				 errdetail("A product would have more than %d decimals.",
						   SALKPI_MAX_DSCALE)));
	return salkpi_numeric_apply(numeric_mul, a, b);
}

/* The product where NULL stands for a denominator of 1. */
static Numeric
product(Numeric a, Numeric b)
{
	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	return multiply(a, b);
}

/* ---------- rationals ---------- */

static bool
have_same_denominator(const Rational *a, const Rational *b)
{
	if (a->denominator == NULL || b->denominator == NULL)
		return a->denominator == b->denominator;
	return salkpi_numeric_compare(a->denominator, b->denominator) == 0;
}

/* a + b or a - b, by numeric_add or numeric_sub. */
static Rational
rational_sum(PGFunction function, Rational a, Rational b)
{
	if (have_same_denominator(&a, &b))
		return (Rational) {salkpi_numeric_apply(function, a.numerator, b.numerator), a.denominator};
	return (Rational) {
		salkpi_numeric_apply(function, product(a.numerator, b.denominator),
							 product(b.numerator, a.denominator)),
			product(a.denominator, b.denominator)
	};
}

static Rational
rational_product(Rational a, Rational b)
{
	return (Rational) {
		multiply(a.numerator, b.numerator), product(a.denominator, b.denominator)
	};
}

/* a / b for b other than 0. */
static Rational
rational_quotient(Rational a, Rational b)
{
	Rational	result = {
		product(a.numerator, b.denominator), product(b.numerator, a.denominator)
	};

	if (salkpi_numeric_sign(result.denominator) < 0)
	{
		result.numerator = salkpi_numeric_negate(result.numerator);
		result.denominator = salkpi_numeric_negate(result.denominator);
	}
	return result;
}

static int
rational_compare(Rational a, Rational b)
{
	return salkpi_numeric_compare(product(a.numerator, b.denominator),
								  product(b.numerator, a.denominator));
}

/* One of two operands; it is a ratio if the other might have been one. */
static Rational
rational_choice(Rational chosen, Rational other)
{
	if (chosen.denominator == NULL && other.denominator != NULL)
		chosen.denominator = int64_to_numeric(1);
	return chosen;
}

/* ---------- leaves ---------- */

static bool
unknown(Evaluation *evaluation, const char *reason)
{
	evaluation->reason = reason;
	evaluation->zero = NULL;
	return false;
}

/*
 * Nothing can be divided by zero, but what there was to divide is told beside
 * the NULL when it is the whole formula that divides.
 */
static bool
divided_by_zero(Evaluation *evaluation, const FormulaNode *node,
				Numeric numerator, Rational *result)
{
	result->numerator = numerator;
	result->denominator = int64_to_numeric(0);
	(void) unknown(evaluation, ZERO_DENOMINATOR);
	evaluation->zero = node;
	return false;
}

static bool
is_computed(const Evaluation *evaluation, int offset)
{
	return offset < evaluation->facts.count && evaluation->facts.rows[offset] != NULL;
}

/* Nothing happened; it is no period for a mean, and its days are not known. */
static bool
is_before_data(const Evaluation *evaluation, int offset)
{
	return evaluation->facts.before != NULL && evaluation->facts.rows[offset] == evaluation->facts.before;
}

/* Sets *value to a column of the row that many periods ago. */
static bool
read_column(Evaluation *evaluation, int column, int offset, Datum *value)
{
	const FactRow *row;

	if (!is_computed(evaluation, offset))
		return unknown(evaluation, NOT_COMPUTED);
	row = evaluation->facts.rows[offset];
	if (row->nulls[column - 1])
	{
		if (is_before_data(evaluation, offset))
			return unknown(evaluation, NOT_COMPUTED);
		evaluation->lacking = list_append_unique_int(evaluation->lacking, column);
		return unknown(evaluation, NOT_AVAILABLE);
	}
	*value = row->values[column - 1];
	return true;
}

static Numeric
check_finite(Numeric value, const char *what, const char *name)
{
	if (numeric_is_nan(value) || numeric_is_inf(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s \"%s\" is not a finite number", what, name)));
	return value;
}

static Numeric
number_of_datum(Datum value, Oid type, const char *name)
{
	switch (type)
	{
		case INT2OID:
			return int64_to_numeric(DatumGetInt16(value));
		case INT4OID:
			return int64_to_numeric(DatumGetInt32(value));
		case INT8OID:
			return int64_to_numeric(DatumGetInt64(value));
		default:
			return check_finite(DatumGetNumeric(value), "measure", name);
	}
}

static bool
evaluate_measure(Evaluation *evaluation, const FormulaNode *node, int offset,
				 Rational *result)
{
	Form_pg_attribute attribute = TupleDescAttr(evaluation->tupdesc, node->column - 1);
	Datum		value;

	if (!read_column(evaluation, node->column, offset, &value))
		return false;
	result->numerator = number_of_datum(value, attribute->atttypid,
										NameStr(attribute->attname));
	result->denominator = NULL;
	return true;
}

/* Finds a value that was handed in under a name; what: for messages. */
static bool
find_given(const Elements *names, const Elements *values, const char *name,
		   const char *what, Rational *result)
{
	for (int i = 0; i < names->count; i++)
	{
		if (names->nulls[i] || values->nulls[i] ||
			strcmp(TextDatumGetCString(names->values[i]), name) != 0)
			continue;
		result->numerator = check_finite(DatumGetNumeric(values->values[i]), what, name);
		result->denominator = NULL;
		return true;
	}
	return false;
}

/* The targets given are those of the current period. */
static bool
evaluate_target(Evaluation *evaluation, const char *name, int offset, Rational *result)
{
	if (offset == 0 && !evaluation->in_months &&
		find_given(&evaluation->target_names, &evaluation->target_values, name,
				   "target of KPI", result))
		return true;
	return unknown(evaluation, NO_TARGET);
}

static bool
evaluate_setting(Evaluation *evaluation, const char *name, Rational *result)
{
	if (find_given(&evaluation->setting_names, &evaluation->setting_values, name,
				   "setting", result))
		return true;
	return unknown(evaluation, NOT_SET);
}

/* In microseconds: the value at position fraction * (count - 1), from 0. */
static Numeric
interpolate(const struct varlena *durations, Numeric fraction)
{
	int64		last = salkpi_durations_count(durations) - 1;
	Numeric		position = multiply(fraction, int64_to_numeric(last));
	Numeric		whole;
	int64		rank;
	int64		below;
	int64		above;

	whole = salkpi_numeric_apply(numeric_div_trunc, position, int64_to_numeric(1));
	rank = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(whole)));
	salkpi_durations_at(durations, rank, &below, &above);
	return salkpi_numeric_add(int64_to_numeric(below),
							  multiply(salkpi_numeric_apply(numeric_sub, position, whole),
									   salkpi_int128_to_numeric((int128) above - below, 0)));
}

/* mean or quantile of a distribution, in days */
static bool
evaluate_distribution(Evaluation *evaluation, const FormulaNode *node, int offset,
					  Rational *result)
{
	Numeric		day = int64_to_numeric(USECS_PER_DAY);
	struct varlena *durations;
	int64		count;
	int128		sum;
	Datum		value;

	if (!read_column(evaluation, node->column, offset, &value))
		return false;
	durations = salkpi_durations_get(value);
	count = salkpi_durations_count(durations);
	if (count == 0)
		return divided_by_zero(evaluation, node, int64_to_numeric(0), result);
	if (node->kind == FORMULA_QUANTILE)
	{
		result->numerator = interpolate(durations, node->number);
		result->denominator = day;
	}
	else
	{
		salkpi_durations_sum(durations, &sum);
		result->numerator = salkpi_int128_to_numeric(sum, 0);
		result->denominator = multiply(int64_to_numeric(count), day);
	}
	return true;
}

/* ---------- operators ---------- */

static bool
evaluate_binary(Evaluation *evaluation, const FormulaNode *node, int offset,
				Rational *result)
{
	Rational	left;
	Rational	right;

	if (!evaluate(evaluation, linitial(node->args), offset, &left))
		return false;
	if (!evaluate(evaluation, lsecond(node->args), offset, &right))
	{
		const FormulaNode *divisor = lsecond(node->args);

		if (node->kind == FORMULA_DIVIDE && divisor->kind == FORMULA_NULLIF &&
			evaluation->zero == divisor)
			return divided_by_zero(evaluation, node, left.numerator, result);
		return false;
	}
	switch (node->kind)
	{
		case FORMULA_ADD:
			*result = rational_sum(numeric_add, left, right);
			return true;
		case FORMULA_SUBTRACT:
			*result = rational_sum(numeric_sub, left, right);
			return true;
		case FORMULA_MULTIPLY:
			*result = rational_product(left, right);
			return true;
		case FORMULA_DIVIDE:
			if (salkpi_numeric_sign(right.numerator) == 0)
				return divided_by_zero(evaluation, node,
									   product(left.numerator, right.denominator),
									   result);
			*result = rational_quotient(left, right);
			return true;
		default:				/* FORMULA_NULLIF */
			if (rational_compare(left, right) == 0)
				return divided_by_zero(evaluation, node, left.numerator, result);
			*result = left;
			return true;
	}
}

static bool
evaluate_extreme(Evaluation *evaluation, const FormulaNode *node, int offset,
				 Rational *result)
{
	ListCell   *lc;

	if (!evaluate(evaluation, linitial(node->args), offset, result))
		return false;
	for_each_from(lc, node->args, 1)
	{
		Rational	other;
		int			order;

		if (!evaluate(evaluation, lfirst(lc), offset, &other))
			return false;
		order = rational_compare(other, *result);
		if (node->kind == FORMULA_LEAST ? order < 0 : order > 0)
			*result = rational_choice(other, *result);
		else
			*result = rational_choice(*result, other);
	}
	return true;
}

/* The first operand that is known. */
static bool
evaluate_coalesce(Evaluation *evaluation, const FormulaNode *node, int offset,
				  Rational *result)
{
	const char *reason = NULL;
	int			nlacking = list_length(evaluation->lacking);
	ListCell   *lc;

	foreach(lc, node->args)
	{
		if (evaluate(evaluation, lfirst(lc), offset, result))
		{
			evaluation->lacking = list_truncate(evaluation->lacking, nlacking);
			if (node->is_ratio && result->denominator == NULL)
				result->denominator = int64_to_numeric(1);
			return true;
		}
		if (reason == NULL || strcmp(reason, NOT_AVAILABLE) == 0)
			reason = evaluation->reason;
	}
	return unknown(evaluation, reason);
}

/* sum_last and mean_last, over the periods offset, offset + 1, ... ago */
static bool
evaluate_last(Evaluation *evaluation, const FormulaNode *node, int offset,
			  Rational *result)
{
	FactRow   **rows = evaluation->facts.rows;
	Rational	periods = {int64_to_numeric(node->periods), NULL};
	bool		is_known = true;

	for (int i = 0; i < node->periods && is_known; i++)
	{
		Rational	value;

		if (i > 0)
			evaluation->facts.rows = evaluation->facts.whole;
		is_known = is_computed(evaluation, offset + i) && (node->kind != FORMULA_MEAN_LAST || !is_before_data(evaluation, offset + i)) ?
			evaluate(evaluation, linitial(node->args), offset + i, &value) :
			unknown(evaluation, NOT_COMPUTED);
		if (is_known)
			*result = i == 0 ? value : rational_sum(numeric_add, *result, value);
	}
	evaluation->facts.rows = rows;
	if (is_known && node->kind == FORMULA_MEAN_LAST)
		*result = rational_quotient(*result, periods);
	return is_known;
}

static DateADT
day_of_row(const FactRow *row, int column)
{
	return DatumGetDateADT(row->values[column - 1]);
}

/* The end of the days that have begun of a period: of a complete one its end. */
static DateADT
end_of_begun(const Evaluation *evaluation, const FactRow *row)
{
	return day_of_row(row, evaluation->columns.period) +
		DatumGetInt32(row->values[evaluation->columns.days - 1]);
}

/*
 * Where in the months the last complete one is that ended with or before a
 * period: with one that is complete, else at the end of the days begun so far.
 * If it did not end on that very day, the month after it must be there and
 * reach so far, lest one that was not computed is passed over; this may be the
 * first of all, after one before all data.  Past the end of the array if there
 * is none.
 */
static int
last_complete_month(const Evaluation *evaluation, const FactRow *row)
{
	const FactRows *months = &evaluation->months;
	DateADT		end = end_of_begun(evaluation, row);

	for (int i = 0; i < months->count; i++)
	{
		const FactRow *month = months->rows[i];
		const FactRow *next = i > 0 ? months->rows[i - 1] : NULL;
		DateADT		month_end;

		if (month == NULL && months->whole[i] != NULL && next != NULL &&
			day_of_row(next, evaluation->columns.period) <= end &&
			day_of_row(next, evaluation->columns.period_end) >= end)
			return i;
		if (month == NULL)
			continue;
		month_end = day_of_row(month, evaluation->columns.period_end);
		if (month_end > end ||
			!DatumGetBool(month->values[evaluation->columns.is_complete - 1]))
			continue;
		if (month_end == end ||
			(next != NULL &&
			 day_of_row(next, evaluation->columns.period_end) >= end))
			return i;
		break;
	}
	return months->count;
}

static bool
evaluate_months(Evaluation *evaluation, const FormulaNode *node, int offset,
				Rational *result)
{
	FactRows	facts = evaluation->facts;
	bool		in_months = evaluation->in_months;
	bool		is_known;
	int			last;

	if (!is_computed(evaluation, offset) || is_before_data(evaluation, offset))
		return unknown(evaluation, NOT_COMPUTED);
	last = last_complete_month(evaluation, facts.rows[offset]);
	evaluation->facts = evaluation->months;
	evaluation->facts.rows = evaluation->months.whole;
	evaluation->in_months = true;
	is_known = evaluate_last(evaluation, node, last, result);
	evaluation->facts = facts;
	evaluation->in_months = in_months;
	return is_known;
}

/*
 * The value of a formula that many periods before the current one.  False if
 * it is NULL; evaluation->reason says why.
 */
static bool
evaluate(Evaluation *evaluation, const FormulaNode *node, int offset, Rational *result)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (node->kind)
	{
		case FORMULA_NUMBER:
			*result = (Rational) {node->number, NULL};
			return true;
		case FORMULA_NAME:
		case FORMULA_DAYS:
			return evaluate_measure(evaluation, node, offset, result);
		case FORMULA_TARGET:
			return evaluate_target(evaluation, node->name, offset, result);
		case FORMULA_SETTING:
			return evaluate_setting(evaluation, node->name, result);
		case FORMULA_MEAN:
		case FORMULA_QUANTILE:
			return evaluate_distribution(evaluation, node, offset, result);
		case FORMULA_NEGATE:
			if (!evaluate(evaluation, linitial(node->args), offset, result))
				return false;
			result->numerator = salkpi_numeric_negate(result->numerator);
			return true;
		case FORMULA_LEAST:
		case FORMULA_GREATEST:
			return evaluate_extreme(evaluation, node, offset, result);
		case FORMULA_COALESCE:
			return evaluate_coalesce(evaluation, node, offset, result);
		case FORMULA_PRIOR:
			return evaluate(evaluation, linitial(node->args), offset + 1, result);
		case FORMULA_YEAR_AGO:
			return evaluate(evaluation, linitial(node->args),
							offset + evaluation->facts.per_year, result);
		case FORMULA_SUM_LAST:
		case FORMULA_MEAN_LAST:
			return evaluate_last(evaluation, node, offset, result);
		case FORMULA_SUM_MONTHS:
			return evaluate_months(evaluation, node, offset, result);
		default:
			return evaluate_binary(evaluation, node, offset, result);
	}
}

/*
 * The value of a formula in the current period, in CurrentMemoryContext.  Only
 * where the formula as a whole divides by zero is there a fraction without a
 * value; nullif says that two things are equal, which is no fraction.
 */
static FormulaValue
formula_value(Evaluation *evaluation, const FormulaNode *node)
{
	FormulaValue value = {0};
	Rational	result;

	evaluation->lacking = NIL;
	if (!evaluate(evaluation, node, 0, &result))
	{
		value.reason = evaluation->reason;
		value.lacking = evaluation->lacking;
		if (evaluation->zero != node || node->kind == FORMULA_NULLIF)
			return value;
	}
	value.numerator = result.numerator;
	value.denominator = result.denominator;
	if (value.reason == NULL)
		value.value = result.denominator == NULL ? result.numerator :
			salkpi_numeric_quotient(result.numerator, result.denominator, SALKPI_RATIO_SCALE);
	return value;
}

/*
 * The same, without a value where a number on the way has more digits than
 * numeric holds: of one member or period, say, of which the others are told.
 * Numeric functions hold nothing but memory, so this needs no subtransaction.
 */
FormulaValue
salkpi_formula_evaluate(Evaluation *evaluation, const FormulaNode *node)
{
	MemoryContext context = CurrentMemoryContext;
	const FactRows facts = evaluation->facts;
	const bool	in_months = evaluation->in_months;
	FormulaValue value;

	PG_TRY();
	{
		value = formula_value(evaluation, node);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		evaluation->facts = facts;
		evaluation->in_months = in_months;
		value = (FormulaValue) {.reason = OUT_OF_RANGE};
	}
	PG_END_TRY();
	return value;
}
