/*
 * formula.c
 *	  Reads KPI formulas into trees.
 *
 * A formula says how a KPI is worked out from measures:
 *
 *		expression: term (('+' | '-') term)*
 *		term:       unary (('*' | '/') unary)*
 *		unary:      '-' unary | primary
 *		primary:    number | name | function '(' arguments ')' | '(' expression ')'
 *
 * It is a small language of its own rather than SQL text, so that whoever may
 * define a KPI cannot run SQL with it, and so that ratios can be evaluated
 * exactly (see evaluate.c).  A recursive descent parser is enough for it.
 *
 * A name is a measure or a KPI; names are lower case, so that nothing has to
 * be folded or quoted.  The argument of target() names a KPI, that of setting()
 * a setting, and that of mean() and quantile() a distribution.
 *
 * All memory is allocated in the caller's context and not freed here.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"

#include "formula.h"
#include "salkpi.h"

/* Digits that a literal may have: as many as numeric(p,s) may declare. */
#define MAX_LITERAL_LENGTH 1000

typedef enum TokenKind
{
	TOKEN_END,
	TOKEN_NUMBER,
	TOKEN_NAME,
	TOKEN_SYMBOL				/* one of + - * / ( ) , */
} TokenKind;

typedef struct Parser
{
	const char *text;			/* the whole formula */
	const char *kpi;			/* the KPI it belongs to, or NULL */
	TokenKind	token;			/* the token not yet consumed */
	const char *start;			/* its first byte */
	int			length;			/* its bytes */
	int			nesting;		/* parentheses, calls, signs we are inside of */
} Parser;

/*
 * What an argument may be, by one letter each: v an expression, n a number
 * of periods, p a fraction, s the name of something that is no value.
 */
typedef struct FormulaFunction
{
	const char *name;
	FormulaKind kind;
	const char *arguments;		/* letters as above */
	bool		is_variadic;	/* the last argument may be repeated */
	const char *usage;			/* for hints */
} FormulaFunction;

static const FormulaFunction functions[] = {
	{"coalesce", FORMULA_COALESCE, "vv", true, "coalesce(x, y, ...)"},
	{"days", FORMULA_DAYS, "", false, "days()"},
	{"greatest", FORMULA_GREATEST, "vv", true, "greatest(x, y, ...)"},
	{"least", FORMULA_LEAST, "vv", true, "least(x, y, ...)"},
	{"mean", FORMULA_MEAN, "s", false, "mean(distribution)"},
	{"mean_last", FORMULA_MEAN_LAST, "vn", false, "mean_last(x, n)"},
	{"nullif", FORMULA_NULLIF, "vv", false, "nullif(x, y)"},
	{"prior", FORMULA_PRIOR, "v", false, "prior(x)"},
	{"quantile", FORMULA_QUANTILE, "sp", false, "quantile(distribution, fraction)"},
	{"setting", FORMULA_SETTING, "s", false, "setting(name)"},
	{"sum_last", FORMULA_SUM_LAST, "vn", false, "sum_last(x, n)"},
	{"sum_months", FORMULA_SUM_MONTHS, "vn", false, "sum_months(x, n)"},
	{"target", FORMULA_TARGET, "s", false, "target(kpi)"},
	{"year_ago", FORMULA_YEAR_AGO, "v", false, "year_ago(x)"},
};

static FormulaNode *parse_expression(Parser *parser);

/* ---------- errors ---------- */

/*
 * The DETAIL of a grammar error: where, in characters from 1.  Bytes will do:
 * what comes before an error is ASCII, or it would have been the error.
 */
static int
error_position(const Parser *parser)
{
	int			position = parser->start - parser->text + 1;

	if (parser->kpi != NULL)
		return errdetail("The error is at character %d of the formula of KPI \"%s\".",
						 position, parser->kpi);
	return errdetail("The error is at character %d of the formula.", position);
}

static void
syntax_error(const Parser *parser)
{
	if (parser->length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("syntax error at end of formula"),
				 error_position(parser)));
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("syntax error in formula at or near \"%.*s\"",
					parser->length, parser->start),
			 error_position(parser)));
}

static void
wrong_arguments(const Parser *parser, const FormulaFunction *function)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("wrong number of arguments for formula function \"%s\"",
					function->name),
			 error_position(parser),
			 errhint("Write %s.", function->usage)));
}

static void
check_depth(int depth)
{
	if (depth > SALKPI_FORMULA_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("formula is nested too deeply"),
				 errdetail("It may have at most %d levels.",
						   SALKPI_FORMULA_MAX_DEPTH)));
}

/* How often leaves are read for a value: operands in each of the periods. */
static double
count_reads(const FormulaNode *node)
{
	return Max(node->reads, 1) * Max(node->periods, 1);
}

void
salkpi_formula_check_reads(const FormulaNode *node)
{
	if (count_reads(node) > SALKPI_FORMULA_MAX_READS)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("formula reads too many values"),
				 errdetail("It may read at most %d, each in all periods that functions within each other look back at.",
						   SALKPI_FORMULA_MAX_READS)));
}

/* An error context: whatever goes wrong, it is said with the formula of which KPI. */
void
salkpi_formula_context(void *kpi)
{
	errcontext("formula of KPI \"%s\"", (const char *) kpi);
}

/* ---------- lexer ---------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Upper case belongs to a name here, so that the message shows all of it. */
static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int
number_length(const char *s)
{
	const char *p = s;

	while (is_digit(*p))
		p++;
	if (*p == '.')
		p++;
	while (is_digit(*p))
		p++;
	return p - s;
}

static int
name_length(const char *s)
{
	const char *p = s;

	while (is_letter(*p) || is_digit(*p))
		p++;
	return p - s;
}

static void
check_number(const Parser *parser)
{
	char		next = parser->start[parser->length];

	if (is_letter(next) || next == '.')
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("trailing junk after number \"%.*s\" in formula",
						parser->length, parser->start),
				 error_position(parser)));
	if (parser->length > MAX_LITERAL_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number in formula has more than %d characters",
						MAX_LITERAL_LENGTH),
				 error_position(parser)));
}

static void
check_name(const Parser *parser)
{
	for (int i = 0; i < parser->length; i++)
	{
		if (parser->start[i] >= 'A' && parser->start[i] <= 'Z')
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("name \"%.*s\" in formula is not lower case",
							parser->length, parser->start),
					 error_position(parser),
					 errhint("Names consist of lower-case letters, digits and underscores.")));
	}
	if (parser->length >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name in formula has more than %d characters",
						NAMEDATALEN - 1),
				 error_position(parser)));
}

/* Reports a character that no token starts with; a run of non-ASCII as one. */
static void
unexpected_character(Parser *parser)
{
	parser->length = 1;
	if (IS_HIGHBIT_SET(*parser->start))
		while (IS_HIGHBIT_SET(parser->start[parser->length]))
			parser->length++;
	syntax_error(parser);
}

/* Moves on to the next token. */
static void
advance(Parser *parser)
{
	const char *s = parser->start + parser->length;

	while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')
		s++;
	parser->start = s;
	if (*s == '\0')
	{
		parser->token = TOKEN_END;
		parser->length = 0;
	}
	else if (is_digit(*s) || (*s == '.' && is_digit(s[1])))
	{
		parser->token = TOKEN_NUMBER;
		parser->length = number_length(s);
		check_number(parser);
	}
	else if (is_letter(*s))
	{
		parser->token = TOKEN_NAME;
		parser->length = name_length(s);
		check_name(parser);
	}
	else if (strchr("+-*/(),", *s) != NULL)
	{
		parser->token = TOKEN_SYMBOL;
		parser->length = 1;
	}
	else
		unexpected_character(parser);
}

static bool
is_symbol(const Parser *parser, char symbol)
{
	return parser->token == TOKEN_SYMBOL && *parser->start == symbol;
}

static void
expect(Parser *parser, char symbol)
{
	if (!is_symbol(parser, symbol))
		syntax_error(parser);
	advance(parser);
}

/* ---------- parser ---------- */

/* A node without operands. */
FormulaNode *
salkpi_formula_make(FormulaKind kind)
{
	FormulaNode *node = palloc0(sizeof(FormulaNode));

	node->kind = kind;
	node->depth = 1;
	node->is_ratio = kind == FORMULA_DIVIDE || kind == FORMULA_MEAN ||
		kind == FORMULA_QUANTILE || kind == FORMULA_MEAN_LAST;
	return node;
}

/* Operands are added while a node is made, before anything points to it. */
void
salkpi_formula_add_operand(FormulaNode *node, FormulaNode *operand)
{
	/* nullif compares with its second operand and returns the first */
	if (node->kind != FORMULA_NULLIF || node->args == NIL)
		node->is_ratio |= operand->is_ratio;
	node->args = lappend(node->args, operand);
	node->depth = Max(node->depth, operand->depth + 1);
	check_depth(node->depth);
	node->reads += count_reads(operand);
	salkpi_formula_check_reads(node);
}

static FormulaNode *
make_binary(FormulaKind kind, FormulaNode *left, FormulaNode *right)
{
	FormulaNode *node = salkpi_formula_make(kind);

	salkpi_formula_add_operand(node, left);
	salkpi_formula_add_operand(node, right);
	return node;
}

static void
enter(Parser *parser)
{
	check_stack_depth();
	check_depth(++parser->nesting);
}

static char *
take_text(Parser *parser, TokenKind kind)
{
	char	   *text;

	if (parser->token != kind)
		syntax_error(parser);
	text = pnstrdup(parser->start, parser->length);
	advance(parser);
	return text;
}

static Numeric
take_number(Parser *parser)
{
	char	   *text = take_text(parser, TOKEN_NUMBER);

	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

/* A number of periods: an integer literal. */
static int
take_periods(Parser *parser)
{
	Parser		at = *parser;
	char	   *text = take_text(parser, TOKEN_NUMBER);
	long		periods = strtol(text, NULL, 10);

	if (strchr(text, '.') != NULL ||
		periods < 1 || periods > SALKPI_FORMULA_MAX_PERIODS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of periods in formula must be an integer between 1 and %d, not %s",
						SALKPI_FORMULA_MAX_PERIODS, text),
				 error_position(&at)));
	return (int) periods;
}

/* A fraction: a literal between 0 and 1. */
static Numeric
take_fraction(Parser *parser)
{
	Parser		at = *parser;
	Numeric		fraction = take_number(parser);

	if (DatumGetBool(DirectFunctionCall2(numeric_gt,
										 NumericGetDatum(fraction),
										 NumericGetDatum(int64_to_numeric(1)))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction in formula must be between 0 and 1, not %.*s",
						at.length, at.start),
				 error_position(&at)));
	return fraction;
}

static const FormulaFunction *
find_function(const char *name, int length)
{
	for (size_t i = 0; i < lengthof(functions); i++)
	{
		if (strlen(functions[i].name) == (size_t) length &&
			memcmp(functions[i].name, name, length) == 0)
			return &functions[i];
	}
	return NULL;
}

/* A measure, KPI or distribution; the names of functions are reserved. */
static char *
take_name(Parser *parser)
{
	const FormulaFunction *function = NULL;

	if (parser->token == TOKEN_NAME)
		function = find_function(parser->start, parser->length);
	if (function != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" in formula is a function, not a name", function->name),
				 error_position(parser),
				 errhint("Write %s.", function->usage)));
	return take_text(parser, TOKEN_NAME);
}

static void
parse_argument(Parser *parser, FormulaNode *node, char letter)
{
	switch (letter)
	{
		case 'n':
			node->periods = take_periods(parser);
			break;
		case 'p':
			node->number = take_fraction(parser);
			break;
		case 's':
			node->name = take_name(parser);
			break;
		default:
			salkpi_formula_add_operand(node, parse_expression(parser));
			break;
	}
}

/* The arguments of a function, from after its opening parenthesis. */
static FormulaNode *
parse_arguments(Parser *parser, const FormulaFunction *function)
{
	FormulaNode *node = salkpi_formula_make(function->kind);
	int			declared = strlen(function->arguments);
	int			given;

	for (given = 0; !is_symbol(parser, ')'); given++)
	{
		if (given > 0)
			expect(parser, ',');
		if (given >= declared && !function->is_variadic)
			wrong_arguments(parser, function);
		parse_argument(parser, node,
					   function->arguments[Min(given, declared - 1)]);
	}
	if (given < declared)
		wrong_arguments(parser, function);
	advance(parser);
	return node;
}

static FormulaNode *
parse_name_or_call(Parser *parser)
{
	Parser		at = *parser;
	const FormulaFunction *function;
	FormulaNode *node;

	function = find_function(parser->start, parser->length);
	advance(parser);
	if (!is_symbol(parser, '('))
	{
		*parser = at;
		node = salkpi_formula_make(FORMULA_NAME);
		node->name = take_name(parser);
		return node;
	}
	if (function == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("formula function \"%.*s\" does not exist", at.length, at.start),
				 error_position(&at),
				 errhint("Formulas know coalesce, days, greatest, least, mean, mean_last, nullif, prior, quantile, setting, sum_last, sum_months, target and year_ago.")));
	advance(parser);
	enter(parser);
	node = parse_arguments(parser, function);
	parser->nesting--;
	return node;
}

static FormulaNode *
parse_primary(Parser *parser)
{
	FormulaNode *node;

	if (parser->token == TOKEN_NAME)
		return parse_name_or_call(parser);
	if (is_symbol(parser, '('))
	{
		enter(parser);
		advance(parser);
		node = parse_expression(parser);
		expect(parser, ')');
		parser->nesting--;
		return node;
	}
	node = salkpi_formula_make(FORMULA_NUMBER);
	node->number = take_number(parser);
	return node;
}

static FormulaNode *
parse_unary(Parser *parser)
{
	FormulaNode *node;

	if (!is_symbol(parser, '-'))
		return parse_primary(parser);
	enter(parser);
	advance(parser);
	node = salkpi_formula_make(FORMULA_NEGATE);
	salkpi_formula_add_operand(node, parse_unary(parser));
	parser->nesting--;
	return node;
}

static FormulaNode *
parse_term(Parser *parser)
{
	FormulaNode *node = parse_unary(parser);

	while (is_symbol(parser, '*') || is_symbol(parser, '/'))
	{
		FormulaKind kind = is_symbol(parser, '*') ? FORMULA_MULTIPLY : FORMULA_DIVIDE;

		advance(parser);
		node = make_binary(kind, node, parse_unary(parser));
	}
	return node;
}

static FormulaNode *
parse_expression(Parser *parser)
{
	FormulaNode *node = parse_term(parser);

	while (is_symbol(parser, '+') || is_symbol(parser, '-'))
	{
		FormulaKind kind = is_symbol(parser, '+') ? FORMULA_ADD : FORMULA_SUBTRACT;

		advance(parser);
		node = make_binary(kind, node, parse_term(parser));
	}
	return node;
}

/*
 * The tree of a formula.  kpi is the KPI it belongs to, which error messages
 * then name, or NULL.
 */
FormulaNode *
salkpi_formula_parse(const char *text, const char *kpi)
{
	Parser		parser = {.text = text, .kpi = kpi, .start = text};
	FormulaNode *node;

	if (strlen(text) > SALKPI_FORMULA_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("formula is longer than %d bytes", SALKPI_FORMULA_MAX_LENGTH)));
	advance(&parser);
	node = parse_expression(&parser);
	if (parser.token != TOKEN_END)
		syntax_error(&parser);
	salkpi_formula_check_reads(node);
	return node;
}

/* The name of a function, NULL for what is not one. */
const char *
salkpi_formula_function(FormulaKind kind)
{
	for (size_t i = 0; i < lengthof(functions); i++)
	{
		if (functions[i].kind == kind)
			return functions[i].name;
	}
	return NULL;
}
