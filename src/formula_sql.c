/*
 * formula_sql.c
 *	  The SQL functions about formulas: their arguments, columns and results.
 *
 * kpi_evaluate is called for every row of a report with the same few formulas.
 * So what it made of a formula, the tree with the column of every leaf, stays
 * in fn_extra until another formula comes or kpi_fact gets another shape.
 * Columns are looked up for all leaves at once, also for those that no value
 * depends on: whether a formula fits kpi_fact must not depend on the data.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "evaluate.h"
#include "salkpi.h"
#define MAX_PERIODS_PER_YEAR 1000

/* What a call of kpi_evaluate leaves for the next, in fn_extra. */
typedef struct FormulaCache
{
	MemoryContext context;		/* holds text and tree; replaced with them */
	text	   *text;			/* the formula, as given */
	FormulaNode *tree;
	Oid			fact_type;		/* kpi_fact */
	Oid			state_type;		/* kpi_durations */
	uint64		fact_version;	/* of the row type that the columns here and
								 * of the tree were looked up in */
	FactColumns columns;
	TupleDesc	result;
} FormulaCache;

PG_FUNCTION_INFO_V1(salkpi_kpi_formula_names);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_expand);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_reach);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_months);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_reads);
PG_FUNCTION_INFO_V1(salkpi_kpi_evaluate);

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

static FactColumns
find_columns(TupleDesc tupdesc)
{
	Form_pg_attribute period = find_attribute(tupdesc, "period");
	Form_pg_attribute period_end = find_attribute(tupdesc, "period_end");
	Form_pg_attribute days = find_attribute(tupdesc, "days");
	Form_pg_attribute is_complete = find_attribute(tupdesc, "is_complete");

	if (period == NULL || period->atttypid != DATEOID ||
		period_end == NULL || period_end->atttypid != DATEOID ||
		days == NULL || days->atttypid != INT4OID ||
		is_complete == NULL || is_complete->atttypid != BOOLOID)
		elog(ERROR, "kpi_fact lacks period, period_end, days or is_complete");
	return (FactColumns) {period->attnum, period_end->attnum, days->attnum, is_complete->attnum};
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
		cache->columns = find_columns(*tupdesc);
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

static FactRows
read_facts(ArrayType *array, const char *name, int per_year)
{
	Elements	elements = array_elements(array, name);
	FactRows	facts = {.count = elements.count,.per_year = per_year};

	facts.rows = palloc0(sizeof(HeapTupleHeader) * elements.count);
	for (int i = 0; i < elements.count; i++)
	{
		if (!elements.nulls[i])
			facts.rows[i] = DatumGetHeapTupleHeader(elements.values[i]);
	}
	return facts;
}

/* Names in one argument and a value for each in the next; NULL: none. */
static void
read_given(FunctionCallInfo fcinfo, int argument, const char *names_name,
		   const char *values_name, Elements *names, Elements *values)
{
	if (!PG_ARGISNULL(argument))
		*names = array_elements(PG_GETARG_ARRAYTYPE_P(argument), names_name);
	if (!PG_ARGISNULL(argument + 1))
		*values = array_elements(PG_GETARG_ARRAYTYPE_P(argument + 1), values_name);
	check_same_length(names, values, psprintf("%s and %s", names_name, values_name));
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
			values[0] = NumericGetDatum(salkpi_formula_round(fraction->numerator,
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
salkpi_kpi_formula_months(PG_FUNCTION_ARGS)
{
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);

	PG_RETURN_INT32(salkpi_formula_months(tree));
}

Datum
salkpi_kpi_formula_reads(PG_FUNCTION_ARGS)
{
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	int			periods_per_year = check_periods_per_year(PG_GETARG_INT32(1));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, salkpi_formula_reads(tree, periods_per_year))
	{
		const FormulaRead *read = lfirst(lc);
		Datum		values[7] = {CStringGetTextDatum(read->use.name),
			CStringGetTextDatum(read->use.used_as),
			CStringGetTextDatum(read->part),
			Int32GetDatum(read->periods.nearest),
			Int32GetDatum(read->periods.farthest),
			Int32GetDatum(read->months.nearest),
		Int32GetDatum(read->months.farthest)};
		bool		nulls[7] = {false};

		nulls[5] = nulls[6] = !read->in_months;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
salkpi_kpi_evaluate(PG_FUNCTION_ARGS)
{
	Evaluation	evaluation = {0};
	FormulaCache *cache;
	Rational	result;
	int			periods_per_year;
	bool		is_known;
	bool		has_fraction;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("formula and periods_per_year must not be NULL")));
	periods_per_year = check_periods_per_year(PG_GETARG_INT32(2));
	if (!PG_ARGISNULL(1))
		evaluation.facts = read_facts(PG_GETARG_ARRAYTYPE_P(1), "facts", periods_per_year);
	read_given(fcinfo, 3, "target_names", "target_values",
			   &evaluation.target_names, &evaluation.target_values);
	if (!PG_ARGISNULL(5))
		evaluation.months = read_facts(PG_GETARG_ARRAYTYPE_P(5), "months",
									   SALKPI_MONTHS_PER_YEAR);
	read_given(fcinfo, 6, "setting_names", "setting_values",
			   &evaluation.setting_names, &evaluation.setting_values);
	cache = get_cache(fcinfo, PG_GETARG_TEXT_PP(0), &evaluation.tupdesc);
	evaluation.columns = cache->columns;
	is_known = salkpi_formula_evaluate(&evaluation, cache->tree, &result);
	ReleaseTupleDesc(evaluation.tupdesc);
	has_fraction = is_known || (evaluation.zero == cache->tree &&
								cache->tree->kind != FORMULA_NULLIF);
	PG_RETURN_DATUM(make_result(cache->result, has_fraction ? &result : NULL,
								is_known ? NULL : evaluation.reason));
}
