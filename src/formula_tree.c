/*
 * formula_tree.c
 *	  Expands KPIs in formulas, writes formulas back, and says what they read.
 *
 * Expansion puts the formula of a KPI in the place of its name.  Shifts need
 * no special care: prior(x) shifts whatever x stands for.  The argument of
 * target() names the KPI whose target is meant, that of setting() a setting,
 * and that of mean() and quantile() a distribution: none is expanded.
 *
 * Writing back keeps the tree: a + (b + c) keeps its parentheses, because
 * the common denominator of a sum depends on the order.
 *
 * All memory is allocated in the caller's context and not freed here.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"

#include "formula.h"
#include "salkpi.h"

/* ---------- writing back ---------- */

/* How tightly the outermost operator of a subtree binds. */
static int
precedence(const FormulaNode *node)
{
	switch (node->kind)
	{
		case FORMULA_ADD:
		case FORMULA_SUBTRACT:
			return 1;
		case FORMULA_MULTIPLY:
		case FORMULA_DIVIDE:
			return 2;
		case FORMULA_NEGATE:
			return 3;
		default:
			return 4;
	}
}

static const char *
operator_text(FormulaKind kind)
{
	switch (kind)
	{
		case FORMULA_ADD:
			return " + ";
		case FORMULA_SUBTRACT:
			return " - ";
		case FORMULA_MULTIPLY:
			return " * ";
		default:
			return " / ";
	}
}

static void
deparse_number(StringInfo out, Numeric number)
{
	appendStringInfoString(out,
						   DatumGetCString(DirectFunctionCall1(numeric_out,
															   NumericGetDatum(number))));
}

static void deparse_node(StringInfo out, const FormulaNode *node);

/* An operand, in parentheses unless it binds at least as tightly as asked. */
static void
deparse_operand(StringInfo out, const FormulaNode *node, int lowest)
{
	bool		in_parentheses = precedence(node) < lowest;

	if (in_parentheses)
		appendStringInfoChar(out, '(');
	deparse_node(out, node);
	if (in_parentheses)
		appendStringInfoChar(out, ')');
}

/* A minus sign and its operand; two signs are kept apart. */
static void
deparse_negation(StringInfo out, const FormulaNode *node)
{
	const FormulaNode *operand = linitial(node->args);

	appendStringInfoString(out, operand->kind == FORMULA_NEGATE ? "- " : "-");
	deparse_operand(out, operand, precedence(node));
}

static void
deparse_call(StringInfo out, const FormulaNode *node)
{
	ListCell   *lc;
	const char *separator = "";

	appendStringInfo(out, "%s(", salkpi_formula_function(node->kind));
	if (node->name != NULL)
		appendStringInfoString(out, node->name);
	foreach(lc, node->args)
	{
		appendStringInfoString(out, separator);
		deparse_node(out, lfirst(lc));
		separator = ", ";
	}
	if (node->periods > 0)
		appendStringInfo(out, ", %d", node->periods);
	if (node->kind == FORMULA_QUANTILE)
	{
		appendStringInfoString(out, ", ");
		deparse_number(out, node->number);
	}
	appendStringInfoChar(out, ')');
}

/* Expansion can double a formula again and again: stop in time. */
static void
check_expanded_length(int length)
{
	if (length > SALKPI_FORMULA_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("expanded formula is longer than %d bytes",
						SALKPI_FORMULA_MAX_LENGTH)));
}

static void
deparse_node(StringInfo out, const FormulaNode *node)
{
	check_stack_depth();
	switch (node->kind)
	{
		case FORMULA_NUMBER:
			deparse_number(out, node->number);
			break;
		case FORMULA_NAME:
			appendStringInfoString(out, node->name);
			break;
		case FORMULA_NEGATE:
			deparse_negation(out, node);
			break;
		case FORMULA_ADD:
		case FORMULA_SUBTRACT:
		case FORMULA_MULTIPLY:
		case FORMULA_DIVIDE:
			deparse_operand(out, linitial(node->args), precedence(node));
			appendStringInfoString(out, operator_text(node->kind));
			deparse_operand(out, lsecond(node->args), precedence(node) + 1);
			break;
		default:
			deparse_call(out, node);
			break;
	}
	check_expanded_length(out->len);
}

/* The canonical text: parsing it gives the same tree again. */
char *
salkpi_formula_deparse(const FormulaNode *node)
{
	StringInfoData out;

	initStringInfo(&out);
	deparse_node(&out, node);
	return out.data;
}

/* ---------- expansion ---------- */

typedef struct Expansion
{
	FormulaKpi *kpis;			/* ordered by name */
	int			nkpis;
	List	   *path;			/* FormulaKpi being expanded, outermost first */
} Expansion;

static int
compare_kpis(const void *a, const void *b)
{
	return strcmp(((const FormulaKpi *) a)->name, ((const FormulaKpi *) b)->name);
}

static void
sort_kpis(FormulaKpi *kpis, int nkpis)
{
	qsort(kpis, nkpis, sizeof(FormulaKpi), compare_kpis);
	for (int i = 1; i < nkpis; i++)
	{
		if (strcmp(kpis[i - 1].name, kpis[i].name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("KPI \"%s\" is given more than once", kpis[i].name)));
	}
}

/* Names the KPIs from the first visit of this one to the present. */
static void
report_cycle(const Expansion *expansion, const FormulaKpi *kpi)
{
	StringInfoData cycle;
	bool		is_inside = false;
	ListCell   *lc;

	initStringInfo(&cycle);
	foreach(lc, expansion->path)
	{
		is_inside = is_inside || lfirst(lc) == kpi;
		if (is_inside)
			appendStringInfo(&cycle, "%s -> ", ((FormulaKpi *) lfirst(lc))->name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_RECURSION),
			 errmsg("formula of KPI \"%s\" depends on itself", kpi->name),
			 errdetail("The cycle is %s%s.", cycle.data, kpi->name)));
}

static FormulaNode *expand_node(Expansion *expansion, FormulaNode *node);

static bool
is_plain_measure(const FormulaNode *node, const FormulaKpi *kpi)
{
	return node->kind == FORMULA_NAME && strcmp(node->name, kpi->name) == 0;
}

/* A name that is no KPI stays; each KPI is expanded once and then shared. */
static FormulaNode *
expand_name(Expansion *expansion, FormulaNode *node)
{
	FormulaKpi	key = {.name = node->name};
	FormulaKpi *kpi;
	FormulaNode *tree;

	kpi = bsearch(&key, expansion->kpis, expansion->nkpis, sizeof(FormulaKpi),
				  compare_kpis);
	if (kpi == NULL)
		return node;
	if (kpi->expanded != NULL)
		return kpi->expanded;
	if (kpi->is_open)
		report_cycle(expansion, kpi);
	kpi->is_open = true;
	expansion->path = lappend(expansion->path, kpi);
	tree = salkpi_formula_parse(kpi->text, kpi->name);
	kpi->expanded = is_plain_measure(tree, kpi) ? tree : expand_node(expansion, tree);
	expansion->path = list_delete_last(expansion->path);
	kpi->is_open = false;
	return kpi->expanded;
}

static FormulaNode *
expand_node(Expansion *expansion, FormulaNode *node)
{
	FormulaNode *expanded;
	ListCell   *lc;

	check_stack_depth();
	if (node->kind == FORMULA_NAME)
		return expand_name(expansion, node);
	if (node->args == NIL)
		return node;
	expanded = salkpi_formula_make(node->kind);
	expanded->periods = node->periods;
	foreach(lc, node->args)
		salkpi_formula_add_operand(expanded,
								   expand_node(expansion, lfirst(lc)));
	return expanded;
}

/* The tree with KPIs replaced by their formulas.  Sorts kpis. */
FormulaNode *
salkpi_formula_expand(FormulaNode *node, FormulaKpi *kpis, int nkpis)
{
	Expansion	expansion = {.kpis = kpis, .nkpis = nkpis};

	sort_kpis(kpis, nkpis);
	node = expand_node(&expansion, node);
	salkpi_formula_check_reads(node);
	return node;
}

/* ---------- what a formula reads ---------- */

/*
 * How many rows before the first of an array a formula reads.  Of sum_months
 * the array of periods has only what tells where its months end; the months
 * are in an array of their own, in which it reaches as far as a sum_last.
 */
static int
reach_from(const FormulaNode *node, int offset, int periods_per_year, bool in_months)
{
	int			reach = 0;
	ListCell   *lc;

	check_stack_depth();
	switch (node->kind)
	{
		case FORMULA_NUMBER:
		case FORMULA_TARGET:
		case FORMULA_SETTING:
			return 0;
		case FORMULA_NAME:
		case FORMULA_DAYS:
		case FORMULA_MEAN:
		case FORMULA_QUANTILE:
			return offset;
		case FORMULA_PRIOR:
			offset += 1;
			break;
		case FORMULA_YEAR_AGO:
			offset += periods_per_year;
			break;
		case FORMULA_SUM_MONTHS:
			if (!in_months)
				return offset;
			/* FALLTHROUGH */
		case FORMULA_SUM_LAST:
		case FORMULA_MEAN_LAST:
			offset += node->periods - 1;
			reach = offset;		/* they ask whether a period was computed */
			break;
		default:
			break;
	}
	foreach(lc, node->args)
	{
		int			of_operand = reach_from(lfirst(lc), offset, periods_per_year,
										in_months);

		reach = Max(reach, of_operand);
	}
	return reach;
}

/* The largest number of periods before the current one that is read. */
int
salkpi_formula_reach(const FormulaNode *node, int periods_per_year)
{
	return reach_from(node, 0, periods_per_year, false);
}

/*
 * The largest number of months that a formula reads, back from the last one
 * that is complete; 0 if none.
 */
int
salkpi_formula_months(const FormulaNode *node)
{
	int			months = 0;
	ListCell   *lc;

	check_stack_depth();
	if (node->kind == FORMULA_SUM_MONTHS)
		return 1 + reach_from(node, 0, SALKPI_MONTHS_PER_YEAR, true);
	foreach(lc, node->args)
	{
		int			of_operand = salkpi_formula_months(lfirst(lc));

		months = Max(months, of_operand);
	}
	return months;
}

static const char *
use_of_name(FormulaKind kind)
{
	switch (kind)
	{
		case FORMULA_NAME:
			return "value";
		case FORMULA_TARGET:
			return "target";
		case FORMULA_SETTING:
			return "setting";
		default:
			return "state";
	}
}

static List *
collect_names(const FormulaNode *node, List *names)
{
	ListCell   *lc;

	check_stack_depth();
	if (node->name != NULL)
	{
		FormulaName *name = palloc(sizeof(FormulaName));

		name->name = node->name;
		name->used_as = use_of_name(node->kind);
		names = lappend(names, name);
	}
	foreach(lc, node->args)
		names = collect_names(lfirst(lc), names);
	return names;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	const FormulaName *left = lfirst(a);
	const FormulaName *right = lfirst(b);
	int			order = strcmp(left->name, right->name);

	return order != 0 ? order : strcmp(left->used_as, right->used_as);
}

/* The distinct FormulaName in a formula, ordered by name and use. */
List *
salkpi_formula_names(const FormulaNode *node)
{
	List	   *names = collect_names(node, NIL);
	List	   *distinct = NIL;
	ListCell   *lc;
	const ListCell *last = NULL;

	list_sort(names, compare_names);
	foreach(lc, names)
	{
		if (last == NULL || compare_names(last, lc) != 0)
			distinct = lappend(distinct, lfirst(lc));
		last = lc;
	}
	return distinct;
}

/* The mean of a distribution is its sum by the number of its values. */
static const char *
part_of_leaf(const FormulaNode *node, bool is_below)
{
	if (node->kind == FORMULA_MEAN)
		return "both";
	return is_below ? "denominator" : "numerator";
}

/* What the operators passed on the way down made of a leaf. */
static FormulaRead
read_of_operand(const FormulaNode *node, FormulaRead read, int periods_per_year)
{
	FormulaRange *range = read.in_months ? &read.months : &read.periods;
	int			shift = 0;

	if (node->kind == FORMULA_PRIOR)
		shift = 1;
	else if (node->kind == FORMULA_YEAR_AGO)
		shift = read.in_months ? SALKPI_MONTHS_PER_YEAR : periods_per_year;
	range->nearest += shift;
	range->farthest += shift;
	if (node->kind == FORMULA_SUM_MONTHS)
	{
		read.in_months = true;
		range = &read.months;
	}
	if (node->kind == FORMULA_SUM_LAST || node->kind == FORMULA_MEAN_LAST ||
		node->kind == FORMULA_SUM_MONTHS)
		range->farthest += node->periods - 1;
	return read;
}

/*
 * A sum reads all of its periods, a shift all of those further back: what a
 * leaf reads has no gaps.  A divisor of a divisor stands above the line again.
 */
static List *
collect_reads(const FormulaNode *node, int periods_per_year, FormulaRead read,
			  bool is_below, List *reads)
{
	ListCell   *lc;

	check_stack_depth();
	if (node->name != NULL)
	{
		FormulaRead *leaf = palloc(sizeof(FormulaRead));

		*leaf = read;
		leaf->use.name = node->name;
		leaf->use.used_as = use_of_name(node->kind);
		leaf->part = part_of_leaf(node, is_below);
		reads = lappend(reads, leaf);
	}
	read = read_of_operand(node, read, periods_per_year);
	foreach(lc, node->args)
	{
		bool		is_divisor = node->kind == FORMULA_DIVIDE && lc != list_head(node->args);

		reads = collect_reads(lfirst(lc), periods_per_year, read,
							  is_below != is_divisor, reads);
	}
	return reads;
}

/* A FormulaRead for each leaf that names something, from left to right. */
List *
salkpi_formula_reads(const FormulaNode *node, int periods_per_year)
{
	FormulaRead read = {0};

	return collect_reads(node, periods_per_year, read, false, NIL);
}
