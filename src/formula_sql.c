/*
 * formula_sql.c
 *	  The SQL functions about formulas.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "evaluate.h"
#include "salkpi.h"

PG_FUNCTION_INFO_V1(salkpi_kpi_formula_names);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_expand);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_reach);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_months);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_reads);
PG_FUNCTION_INFO_V1(salkpi_kpi_formula_resolve);
PG_FUNCTION_INFO_V1(salkpi_kpi_evaluate);

/* ---------- arguments ---------- */

static FactRows
read_facts(TupleDesc tupdesc, ArrayType *array, const char *name, int per_year)
{
	Elements	elements = salkpi_array_elements(array, name);
	FactRows	facts = {.count = elements.count,.per_year = per_year};

	facts.rows = facts.whole = palloc0(sizeof(FactRow *) * elements.count);
	for (int i = 0; i < elements.count; i++)
	{
		if (!elements.nulls[i])
			facts.rows[i] = salkpi_fact_open_datum(tupdesc,
												   DatumGetHeapTupleHeader(elements.values[i]));
	}
	return facts;
}

/* Names in one argument and a value for each in the next; NULL: none. */
static void
read_given(FunctionCallInfo fcinfo, int argument, const char *names_name,
		   const char *values_name, Elements *names, Elements *values)
{
	if (!PG_ARGISNULL(argument))
		*names = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(argument), names_name);
	if (!PG_ARGISNULL(argument + 1))
		*values = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(argument + 1), values_name);
	salkpi_check_same_length(names, values, psprintf("%s and %s", names_name, values_name));
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

	salkpi_check_same_length(names, formulas, "kpis and formulas");
	for (int i = 0; i < names->count; i++)
	{
		kpis[i].name = text_element(names, i, "kpis");
		kpis[i].text = text_element(formulas, i, "formulas");
	}
	return kpis;
}

static void
set_number(Datum *value, bool *isnull, Numeric number)
{
	*isnull = number == NULL;
	*value = NumericGetDatum(number);
}

static Datum
make_result(TupleDesc tupdesc, const FormulaValue *value)
{
	Datum		values[4] = {0};
	bool		nulls[4];

	set_number(&values[0], &nulls[0], value->value);
	set_number(&values[1], &nulls[1], value->numerator);
	set_number(&values[2], &nulls[2], value->denominator);
	nulls[3] = value->reason == NULL;
	if (!nulls[3])
		values[3] = CStringGetTextDatum(value->reason);
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
}

/* The row type of kpi_fact, pinned: that of the declared argument, also where no row is given. */
static TupleDesc
fact_descriptor(Oid function)
{
	Oid		   *arguments;
	int			narguments;

	(void) get_func_signature(function, &arguments, &narguments);
	return lookup_rowtype_tupdesc(get_element_type(arguments[1]), -1);
}

/* ---------- KPIs ready to evaluate ---------- */

/* What kpi_formula_resolve says about a KPI; the columns of its result. */
enum
{
	ANALYZED_ORDINAL,
	ANALYZED_FORMULA,
	ANALYZED_N_FORMULA,
	ANALYZED_COUNTS_STATE,
	ANALYZED_REACH,
	ANALYZED_MONTHS,
	ANALYZED_MEASURES,
	ANALYZED_HAS_STATE,
	ANALYZED_TARGETS,
	ANALYZED_COLUMNS
};

/* Names that a formula uses, as Datum arrays. */
typedef struct UsedNames
{
	Datum	   *measures;		/* distributions too */
	int			nmeasures;
	const char *state;			/* the last distribution; NULL: none */
	int			nstates;
	Datum	   *targets;
	int			ntargets;
} UsedNames;

static UsedNames
used_names(const FormulaNode *tree)
{
	List	   *names = salkpi_formula_names(tree);
	UsedNames	used = {0};
	ListCell   *lc;

	used.measures = palloc(sizeof(Datum) * (list_length(names) + 1));
	used.targets = palloc(sizeof(Datum) * (list_length(names) + 1));
	foreach(lc, names)
	{
		const FormulaName *name = lfirst(lc);
		Datum		text = CStringGetTextDatum(name->name);

		if (strcmp(name->used_as, "target") == 0)
			used.targets[used.ntargets++] = text;
		else if (strcmp(name->used_as, "setting") != 0)
			used.measures[used.nmeasures++] = text;
		if (strcmp(name->used_as, "state") == 0)
		{
			used.state = name->name;
			used.nstates++;
		}
	}
	return used;
}

static Datum
text_array(Datum *elements, int n)
{
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * The formula that counts the rows behind a KPI: the one given, else the mean
 * of the distribution that is all it reads, whose denominator counts them.
 */
static FormulaNode *
counting_formula(FormulaNode *given, const UsedNames *used)
{
	FormulaNode *mean;

	if (given != NULL || used->nstates != 1 || used->nmeasures != 1)
		return given;
	mean = salkpi_formula_make(FORMULA_MEAN);
	mean->name = pstrdup(used->state);
	return mean;
}

static void
resolve_formula(FormulaNode *tree, FormulaNode *n, int periods_per_year,
				Datum *values, bool *nulls)
{
	UsedNames	used;
	FormulaNode *counting;
	int			reach;
	int			months;

	/* First: it refuses a tree that shares so much that to walk it would not end. */
	values[ANALYZED_FORMULA] = CStringGetTextDatum(salkpi_formula_deparse(tree));
	used = used_names(tree);
	counting = counting_formula(n, &used);
	reach = salkpi_formula_reach(tree, periods_per_year);
	months = salkpi_formula_months(tree);
	nulls[ANALYZED_N_FORMULA] = counting == NULL;
	if (counting != NULL)
	{
		values[ANALYZED_N_FORMULA] = CStringGetTextDatum(salkpi_formula_deparse(counting));
		reach = Max(reach, salkpi_formula_reach(counting, periods_per_year));
		months = Max(months, salkpi_formula_months(counting));
	}
	values[ANALYZED_COUNTS_STATE] = BoolGetDatum(n == NULL && counting != NULL);
	values[ANALYZED_REACH] = Int32GetDatum(reach);
	values[ANALYZED_MONTHS] = Int32GetDatum(months);
	values[ANALYZED_MEASURES] = text_array(used.measures, used.nmeasures);
	values[ANALYZED_HAS_STATE] = BoolGetDatum(used.nstates > 0);
	values[ANALYZED_TARGETS] = text_array(used.targets, used.ntargets);
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
	Elements	names = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(1), "kpis");
	Elements	formulas = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(2), "formulas");
	FormulaKpi *kpis = read_kpis(&names, &formulas);

	tree = salkpi_formula_expand(tree, kpis, names.count);
	PG_RETURN_TEXT_P(cstring_to_text(salkpi_formula_deparse(tree)));
}

Datum
salkpi_kpi_formula_reach(PG_FUNCTION_ARGS)
{
	FormulaNode *tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	int			periods_per_year = salkpi_check_periods_per_year(PG_GETARG_INT32(1));

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
	int			periods_per_year = salkpi_check_periods_per_year(PG_GETARG_INT32(1));
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
salkpi_kpi_formula_resolve(PG_FUNCTION_ARGS)
{
	Elements	formulas = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(0), "formulas");
	Elements	counting = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(1), "n_formulas");
	int			periods_per_year = salkpi_check_periods_per_year(PG_GETARG_INT32(2));
	Elements	names = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(3), "kpis");
	Elements	texts = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(4), "formulas");
	Elements	of_kpis = salkpi_array_elements(PG_GETARG_ARRAYTYPE_P(5), "of_kpis");
	FormulaKpi *kpis = read_kpis(&names, &texts);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ErrorContextCallback context = {error_context_stack, salkpi_formula_context, NULL};

	salkpi_check_same_length(&formulas, &counting, "formulas and n_formulas");
	salkpi_check_same_length(&formulas, &of_kpis, "formulas and of_kpis");
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < formulas.count; i++)
	{
		Datum		values[ANALYZED_COLUMNS] = {Int64GetDatum(i + 1)};
		bool		nulls[ANALYZED_COLUMNS] = {false};
		FormulaNode *tree;
		FormulaNode *n = NULL;

		context.arg = text_element(&of_kpis, i, "of_kpis");
		error_context_stack = &context;
		tree = salkpi_formula_parse(text_element(&formulas, i, "formulas"), NULL);
		tree = salkpi_formula_expand(tree, kpis, names.count);
		if (!counting.nulls[i])
			n = salkpi_formula_expand(salkpi_formula_parse(TextDatumGetCString(counting.values[i]), NULL),
									  kpis, names.count);
		resolve_formula(tree, n, periods_per_year, values, nulls);
		error_context_stack = context.previous;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
salkpi_kpi_evaluate(PG_FUNCTION_ARGS)
{
	Evaluation	evaluation = {0};
	FormulaNode *tree;
	FormulaValue value;
	TupleDesc	facts;
	TupleDesc	result;
	int			periods_per_year;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("formula and periods_per_year must not be NULL")));
	periods_per_year = salkpi_check_periods_per_year(PG_GETARG_INT32(2));
	facts = fact_descriptor(fcinfo->flinfo->fn_oid);
	if (!PG_ARGISNULL(1))
		evaluation.facts = read_facts(facts, PG_GETARG_ARRAYTYPE_P(1), "facts", periods_per_year);
	read_given(fcinfo, 3, "target_names", "target_values",
			   &evaluation.target_names, &evaluation.target_values);
	if (!PG_ARGISNULL(5))
		evaluation.months = read_facts(facts, PG_GETARG_ARRAYTYPE_P(5), "months",
									   SALKPI_MONTHS_PER_YEAR);
	read_given(fcinfo, 6, "setting_names", "setting_values",
			   &evaluation.setting_names, &evaluation.setting_values);
	tree = salkpi_formula_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	salkpi_formula_bind(tree, facts, salkpi_durations_type(fcinfo->flinfo->fn_oid));
	evaluation.tupdesc = facts;
	evaluation.columns = salkpi_fact_columns(facts);
	value = salkpi_formula_evaluate(&evaluation, tree);
	ReleaseTupleDesc(facts);
	if (get_call_result_type(fcinfo, NULL, &result) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(make_result(BlessTupleDesc(result), &value));
}
