/*
 * evaluate.c
 *	  Evaluates KPI formulas exactly, and the SQL functions about formulas.
 *
 * Every intermediate result is a rational: a numeric numerator over a numeric
 * denominator.  There is one division, at the very end, and its quotient is
 * rounded once: numeric's own division picks a scale and rounds to it, and to
 * round that again could be off by one in the last place.
 *
 * A value made without any division, mean or quantile is plain: it has no
 * denominator and is returned as it is.  Whether a value is plain depends on
 * the formula alone and not on the data, so that a ratio over a denominator
 * that happens to be 1 still shows it.  Ratios are not reduced: what comes
 * out of 100 * (a - b) / b is the sum 100 * (a - b) and the sum b.
 *
 * NULL spreads to everything made from it, least and greatest included: the
 * least of a known and an unknown number is not known.  The reason given is
 * that of the operand that comes first.
 *
 * Sums, differences and products of numeric are exact as long as the scales
 * of the factors add up to no more than 16383 decimals, numeric's own limit;
 * beyond it we raise an error rather than let numeric round.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "durations.h"
#include "formula.h"
#include "salkpi.h"

/* numeric.c's NUMERIC_DSCALE_MAX: products are rounded beyond it */
#define MAX_NUMERIC_SCALE 16383

#define MAX_PERIODS_PER_YEAR 1000
#define MICROSECONDS_PER_DAY INT64CONST(86400000000)

/* Why a value is NULL, as kpi_evaluate spells it. */
#define NOT_COMPUTED "not computed"
#define NOT_AVAILABLE "not available"
#define ZERO_DENOMINATOR "zero denominator"
#define NO_TARGET "no target"

typedef struct Rational
{
	Numeric		numerator;
	Numeric		denominator;	/* > 0, or NULL: the value is plain */
} Rational;

/* An array argument taken apart. */
typedef struct Elements
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Elements;

typedef struct Evaluation
{
	TupleDesc	tupdesc;		/* of kpi_fact */
	HeapTupleHeader *facts;		/* by periods before the current one; NULL:
								 * not computed */
	int			nfacts;
	int			periods_per_year;
	Elements	target_names;
	Elements	target_values;
	const char *reason;			/* why the last value was NULL */
	const FormulaNode *zero;	/* what divided by zero, if its result is kept */
} Evaluation;

/* What a call of kpi_evaluate leaves for the next, in fn_extra. */
typedef struct FormulaCache
{
	MemoryContext context;		/* holds text and tree; replaced with them */
	text	   *text;			/* the formula, as given */
	FormulaNode *tree;
	Oid			fact_type;		/* kpi_fact */
	Oid			state_type;		/* kpi_durations */
	uint64		fact_version;	/* of the row type that the tree's columns
								 * were looked up in */
	TupleDesc	result;
} FormulaCache;

PG_FUNCTION_INFO_V1(salkpi_kpi_formula_names);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_expand);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_reach);
PG_FUNCTION_INFO_V1(salkpi_kpi_evaluate);

static bool evaluate(Evaluation *evaluation, const FormulaNode *node, int offset,
					 Rational *result);

/* ---------- numeric ---------- */

static Numeric
apply(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

static int
sign(Numeric a)
{
	return compare(a, int64_to_numeric(0));
}

static Numeric
negate(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_uminus, NumericGetDatum(a)));
}

static int
scale(Numeric a)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(a)));
}

static Numeric
multiply(Numeric a, Numeric b)
{
	if (scale(a) + scale(b) > MAX_NUMERIC_SCALE)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("formula cannot be evaluated exactly"),
				 errdetail("A product would have more than %d decimals.",
						   MAX_NUMERIC_SCALE)));
	return apply(numeric_mul, a, b);
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

/* In base 10^18, whose digits are int64 whatever the number. */
static Numeric
int128_to_numeric(int128 value)
{
	const int64 base = INT64CONST(1000000000000000000);

	if (value >= PG_INT64_MIN && value <= PG_INT64_MAX)
		return int64_to_numeric((int64) value);
	return apply(numeric_add,
				 multiply(int128_to_numeric(value / base), int64_to_numeric(base)),
				 int64_to_numeric((int64) (value % base)));
}

/*
 * numerator / denominator rounded to 16 decimals, half away from zero: the
 * integer quotient of numerator * 10^16, one more if the remainder is half
 * the denominator or above, times 10^-16.
 */
static Numeric
rounded_quotient(Numeric numerator, Numeric denominator)
{
	Numeric		unit = DatumGetNumeric(DirectFunctionCall3(numeric_in,
														   CStringGetDatum("0.0000000000000001"),
														   ObjectIdGetDatum(InvalidOid),
														   Int32GetDatum(-1)));
	bool		is_negative = sign(numerator) < 0;
	Numeric		scaled;
	Numeric		quotient;
	Numeric		remainder;

	scaled = multiply(is_negative ? negate(numerator) : numerator,
					  int64_to_numeric(INT64CONST(10000000000000000)));
	quotient = apply(numeric_div_trunc, scaled, denominator);
	remainder = apply(numeric_sub, scaled, multiply(quotient, denominator));
	if (compare(apply(numeric_add, remainder, remainder), denominator) >= 0)
		quotient = apply(numeric_add, quotient, int64_to_numeric(1));
	return multiply(is_negative ? negate(quotient) : quotient, unit);
}

/* ---------- rationals ---------- */

static bool
have_same_denominator(const Rational *a, const Rational *b)
{
	if (a->denominator == NULL || b->denominator == NULL)
		return a->denominator == b->denominator;
	return compare(a->denominator, b->denominator) == 0;
}

/* a + b or a - b, by numeric_add or numeric_sub. */
static Rational
rational_sum(PGFunction function, Rational a, Rational b)
{
	if (have_same_denominator(&a, &b))
		return (Rational) {apply(function, a.numerator, b.numerator), a.denominator};
	return (Rational) {
		apply(function, product(a.numerator, b.denominator),
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

	if (sign(result.denominator) < 0)
	{
		result.numerator = negate(result.numerator);
		result.denominator = negate(result.denominator);
	}
	return result;
}

static int
rational_compare(Rational a, Rational b)
{
	return compare(product(a.numerator, b.denominator),
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
	evaluation->zero = node;
	return unknown(evaluation, ZERO_DENOMINATOR);
}

static bool
is_computed(const Evaluation *evaluation, int offset)
{
	return offset < evaluation->nfacts && evaluation->facts[offset] != NULL;
}

/* Sets *value to a column of the row that many periods ago. */
static bool
read_column(Evaluation *evaluation, int column, int offset, Datum *value)
{
	HeapTupleData tuple = {0};
	bool		isnull;

	if (!is_computed(evaluation, offset))
		return unknown(evaluation, NOT_COMPUTED);
	tuple.t_data = evaluation->facts[offset];
	tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
	*value = heap_getattr(&tuple, column, evaluation->tupdesc, &isnull);
	if (isnull)
		return unknown(evaluation, NOT_AVAILABLE);
	return true;
}

static Numeric
check_finite(Numeric value, const char *what, const char *name)
{
	if (numeric_is_nan(value) || numeric_is_inf(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
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

/* The targets given are those of the current period. */
static bool
evaluate_target(Evaluation *evaluation, const char *name, int offset, Rational *result)
{
	const Elements *names = &evaluation->target_names;
	const Elements *values = &evaluation->target_values;

	for (int i = 0; i < names->count && offset == 0; i++)
	{
		if (names->nulls[i] || values->nulls[i] ||
			strcmp(TextDatumGetCString(names->values[i]), name) != 0)
			continue;
		result->numerator = check_finite(DatumGetNumeric(values->values[i]),
										 "target of KPI", name);
		result->denominator = NULL;
		return true;
	}
	return unknown(evaluation, NO_TARGET);
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

	whole = apply(numeric_div_trunc, position, int64_to_numeric(1));
	rank = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(whole)));
	salkpi_durations_at(durations, rank, &below);
	salkpi_durations_at(durations, Min(rank + 1, last), &above);
	return apply(numeric_add, int64_to_numeric(below),
				 multiply(apply(numeric_sub, position, whole),
						  int128_to_numeric((int128) above - below)));
}

/* mean or quantile of a distribution, in days */
static bool
evaluate_distribution(Evaluation *evaluation, const FormulaNode *node, int offset,
					  Rational *result)
{
	Numeric		day = int64_to_numeric(MICROSECONDS_PER_DAY);
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
		result->numerator = int128_to_numeric(sum);
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
			if (sign(right.numerator) == 0)
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

/* sum_last and mean_last, over the periods offset, offset + 1, ... ago */
static bool
evaluate_last(Evaluation *evaluation, const FormulaNode *node, int offset,
			  Rational *result)
{
	Rational	periods = {int64_to_numeric(node->periods), NULL};

	for (int i = 0; i < node->periods; i++)
	{
		Rational	value;

		if (!is_computed(evaluation, offset + i))
			return unknown(evaluation, NOT_COMPUTED);
		if (!evaluate(evaluation, linitial(node->args), offset + i, &value))
			return false;
		*result = i == 0 ? value : rational_sum(numeric_add, *result, value);
	}
	if (node->kind == FORMULA_MEAN_LAST)
		*result = rational_quotient(*result, periods);
	return true;
}

/*
 * The value of a formula that many periods before the current one, in the
 * current memory context.  False if it is NULL; evaluation->reason says why.
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
		case FORMULA_MEAN:
		case FORMULA_QUANTILE:
			return evaluate_distribution(evaluation, node, offset, result);
		case FORMULA_NEGATE:
			if (!evaluate(evaluation, linitial(node->args), offset, result))
				return false;
			result->numerator = negate(result->numerator);
			return true;
		case FORMULA_LEAST:
		case FORMULA_GREATEST:
			return evaluate_extreme(evaluation, node, offset, result);
		case FORMULA_PRIOR:
			return evaluate(evaluation, linitial(node->args), offset + 1, result);
		case FORMULA_YEAR_AGO:
			return evaluate(evaluation, linitial(node->args),
							offset + evaluation->periods_per_year, result);
		case FORMULA_SUM_LAST:
		case FORMULA_MEAN_LAST:
			return evaluate_last(evaluation, node, offset, result);
		default:
			return evaluate_binary(evaluation, node, offset, result);
	}
}

/* ---------- columns ---------- */

/* Columns of kpi_fact that are numbers and yet no measures. */
static bool
is_bookkeeping(const char *name)
{
	return strcmp(name, "run") == 0;
}

static bool
is_number(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID;
}

static Form_pg_attribute
find_attribute(TupleDesc tupdesc, const char *name)
{
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return attribute;
	}
	return NULL;
}

/* The attribute number of a measure that is a number, or a distribution. */
static int
find_measure(TupleDesc tupdesc, const char *name, Oid state_type, bool want_state)
{
	Form_pg_attribute attribute = find_attribute(tupdesc, name);
	bool		is_state = attribute != NULL && attribute->atttypid == state_type;

	if (attribute == NULL || is_bookkeeping(name) ||
		!(is_state || is_number(attribute->atttypid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("measure \"%s\" does not exist", name)));
	if (is_state && !want_state)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("measure \"%s\" is a distribution, expected a number", name),
				 errhint("Write mean(%s) or quantile(%s, 0.5).", name, name)));
	if (want_state && !is_state)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("measure \"%s\" is a number, expected a distribution", name)));
	return attribute->attnum;
}

/* Looks up the column of every leaf, also of those never reached. */
static void
resolve_columns(FormulaNode *node, TupleDesc tupdesc, Oid state_type)
{
	ListCell   *lc;

	check_stack_depth();
	switch (node->kind)
	{
		case FORMULA_NAME:
			node->column = find_measure(tupdesc, node->name, state_type, false);
			break;
		case FORMULA_DAYS:
			node->column = find_measure(tupdesc, "days", state_type, false);
			break;
		case FORMULA_MEAN:
		case FORMULA_QUANTILE:
			node->column = find_measure(tupdesc, node->name, state_type, true);
			break;
		default:
			break;
	}
	foreach(lc, node->args)
		resolve_columns(lfirst(lc), tupdesc, state_type);
}

/* ---------- the cache in fn_extra ---------- */

/*
 * The row type is that of the declared argument, which is known even where
 * no row is given; the distribution type lives in the function's own schema.
 */
static FormulaCache *
make_cache(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);
	FormulaCache *cache = palloc0(sizeof(FormulaCache));
	Oid		   *arguments;
	int			narguments;

	(void) get_func_signature(flinfo->fn_oid, &arguments, &narguments);
	cache->fact_type = get_element_type(arguments[1]);
	cache->state_type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
										CStringGetDatum("kpi_durations"),
										ObjectIdGetDatum(get_func_namespace(flinfo->fn_oid)));
	if (get_call_result_type(fcinfo, NULL, &cache->result) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	cache->result = BlessTupleDesc(cache->result);
	MemoryContextSwitchTo(old);
	return cache;
}

static bool
is_same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/*
 * Parses another formula.  The new context belongs to the per-call one until
 * that has succeeded, so that an error leaves the cache as it was.
 */
static void
cache_formula(FormulaCache *cache, const text *formula, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "salkpi formula",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(formula), NULL);
	text	   *copy = (text *) pg_detoast_datum_copy((struct varlena *) formula);

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, parent);
	if (cache->context != NULL)
		MemoryContextDelete(cache->context);
	cache->context = context;
	cache->text = copy;
	cache->tree = tree;
	cache->fact_version = INVALID_TUPLEDESC_IDENTIFIER;
}

/*
 * The cache for this formula and the present shape of kpi_fact, whose
 * descriptor, pinned, is put into *tupdesc.
 */
static FormulaCache *
get_cache(FunctionCallInfo fcinfo, const text *formula, TupleDesc *tupdesc)
{
	FormulaCache *cache = fcinfo->flinfo->fn_extra;
	uint64		version;

	if (cache == NULL)
		cache = fcinfo->flinfo->fn_extra = make_cache(fcinfo);
	if (cache->text == NULL || !is_same_text(cache->text, formula))
		cache_formula(cache, formula, fcinfo->flinfo->fn_mcxt);
	*tupdesc = lookup_rowtype_tupdesc(cache->fact_type, -1);
	version = assign_record_type_identifier(cache->fact_type, -1);
	if (cache->fact_version != version)
	{
		cache->fact_version = INVALID_TUPLEDESC_IDENTIFIER;
		resolve_columns(cache->tree, *tupdesc, cache->state_type);
		cache->fact_version = version;
	}
	return cache;
}

/* ---------- arguments ---------- */

static Elements
array_elements(ArrayType *array, const char *name)
{
	Elements	elements = {0};
	int16		length;
	bool		by_value;
	char		alignment;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be a one-dimensional array", name)));
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment,
					  &elements.values, &elements.nulls, &elements.count);
	return elements;
}

/* Arrays of names and of what belongs to each. */
static void
check_same_length(const Elements *a, const Elements *b, const char *names)
{
	if (a->count != b->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must have the same number of elements", names),
				 errdetail("They have %d and %d.", a->count, b->count)));
}

static void
read_facts(Evaluation *evaluation, ArrayType *array)
{
	Elements	rows = array_elements(array, "facts");

	evaluation->nfacts = rows.count;
	evaluation->facts = palloc0(sizeof(HeapTupleHeader) * rows.count);
	for (int i = 0; i < rows.count; i++)
	{
		if (!rows.nulls[i])
			evaluation->facts[i] = DatumGetHeapTupleHeader(rows.values[i]);
	}
}

static int
check_periods_per_year(int periods)
{
	if (periods < 1 || periods > MAX_PERIODS_PER_YEAR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("periods_per_year must be between 1 and %d, not %d",
						MAX_PERIODS_PER_YEAR, periods)));
	return periods;
}

static char *
text_element(const Elements *elements, int i, const char *name)
{
	if (elements->nulls[i])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not contain NULL", name)));
	return TextDatumGetCString(elements->values[i]);
}

static FormulaKpi *
read_kpis(const Elements *names, const Elements *formulas)
{
	FormulaKpi *kpis = palloc0(sizeof(FormulaKpi) * names->count);

	check_same_length(names, formulas, "kpis and formulas");
	for (int i = 0; i < names->count; i++)
	{
		kpis[i].name = text_element(names, i, "kpis");
		kpis[i].text = text_element(formulas, i, "formulas");
	}
	return kpis;
}

/* The fraction is NULL when there is none; the value too when there is a reason. */
static Datum
make_result(TupleDesc tupdesc, const Rational *fraction, const char *reason)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, true, true};

	if (fraction != NULL)
	{
		values[0] = values[1] = NumericGetDatum(fraction->numerator);
		nulls[0] = nulls[1] = false;
	}
	if (fraction != NULL && fraction->denominator != NULL)
	{
		values[2] = NumericGetDatum(fraction->denominator);
		nulls[2] = false;
		if (reason == NULL)
			values[0] = NumericGetDatum(rounded_quotient(fraction->numerator,
														 fraction->denominator));
	}
	if (reason != NULL)
	{
		nulls[0] = true;
		values[3] = CStringGetTextDatum(reason);
		nulls[3] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
}

/* ---------- SQL functions ---------- */

Datum
salkpi_kpi_formula_names(PG_FUNCTION_ARGS)
{
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, salkpi_formula_names(tree))
	{
		const FormulaName *name = lfirst(lc);
		Datum		values[2] = {CStringGetTextDatum(name->name),
		CStringGetTextDatum(name->used_as)};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
salkpi_kpi_formula_expand(PG_FUNCTION_ARGS)
{
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	Elements	names = array_elements(PG_GETARG_ARRAYTYPE_P(1), "kpis");
	Elements	formulas = array_elements(PG_GETARG_ARRAYTYPE_P(2), "formulas");
	FormulaKpi *kpis = read_kpis(&names, &formulas);

	tree = salkpi_formula_expand(tree, kpis, names.count);
	PG_RETURN_TEXT_P(cstring_to_text(salkpi_formula_deparse(tree)));
}

Datum
salkpi_kpi_formula_reach(PG_FUNCTION_ARGS)
{
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	int			periods_per_year = check_periods_per_year(PG_GETARG_INT32(1));

	PG_RETURN_INT32(salkpi_formula_reach(tree, periods_per_year));
}

Datum
salkpi_kpi_evaluate(PG_FUNCTION_ARGS)
{
	Evaluation	evaluation = {0};
	FormulaCache *cache;
	Rational	result;
	bool		is_known;
	bool		has_fraction;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("formula and periods_per_year must not be NULL")));
	evaluation.periods_per_year = check_periods_per_year(PG_GETARG_INT32(2));
	if (!PG_ARGISNULL(1))
		read_facts(&evaluation, PG_GETARG_ARRAYTYPE_P(1));
	if (!PG_ARGISNULL(3))
		evaluation.target_names = array_elements(PG_GETARG_ARRAYTYPE_P(3), "target_names");
	if (!PG_ARGISNULL(4))
		evaluation.target_values = array_elements(PG_GETARG_ARRAYTYPE_P(4), "target_values");
	check_same_length(&evaluation.target_names, &evaluation.target_values,
					  "target_names and target_values");
	cache = get_cache(fcinfo, PG_GETARG_TEXT_PP(0), &evaluation.tupdesc);
	is_known = evaluate(&evaluation, cache->tree, 0, &result);
	ReleaseTupleDesc(evaluation.tupdesc);
	has_fraction = is_known || (evaluation.zero == cache->tree &&
								cache->tree->kind != FORMULA_NULLIF);
	PG_RETURN_DATUM(make_result(cache->result, has_fraction ? &result : NULL,
								is_known ? NULL : evaluation.reason));
}
