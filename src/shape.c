/*
 * shape.c
 *	  The shape of a cube or a ledger, in a language of its own.
 *
 *		total; rep=1; region=2; region+product=2,3 / c=3 m=2 e=1 f=1 d=1
 *
 * Dimensions are separated by semicolons, each a name and the keys (k1 .. k10)
 * whose texts make its members; without keys it has one member.  Behind the
 * slash stands how many counts, sums, distinct counts, firsts and durations
 * are in use, always the first of their kind; what is not mentioned is not
 * used.  A ledger has none of them, but may have a limit of its memory in
 * megabytes: "total; plan=1 / mb=256".  Spaces are free.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "salkpi.h"
#include "shape.h"

/* What a number in a shape may be at most: "c=3" */
typedef struct ShapeSlot
{
	char		letter;			/* name of the slot */
	int			limit;			/* how many there are in a flow */
	int			stock_limit;	/* and in a stock */
} ShapeSlot;

static const ShapeSlot shape_slots[] = {
	{'c', SALKPI_MAX_COUNTS, 4},
	{'m', SALKPI_MAX_SUMS, 4},
	{'e', SALKPI_MAX_DISTINCTS, 0},
	{'f', 1, 0},
	{'d', 1, 0},
};

static void
shape_error(const Shape *shape, const char *detail, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s shape \"%s\" is not valid",
					shape->kind == SHAPE_LEDGER ? "ledger" : "cube",
					shape->text),
			 errdetail(detail, name),
			 shape->kind == SHAPE_LEDGER ?
			 errhint("A shape looks like \"total; plan=1; region+channel=2,3\".") :
			 errhint("A shape looks like \"total; rep=1; region+product=2,3 / c=1 m=2\".")));
}

static const char *
skip_spaces(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/* A number of up to so many digits; -1 if there is none. */
static int
parse_number(const char **p, int most_digits)
{
	int			value = 0;
	int			digits = 0;

	for (*p = skip_spaces(*p); **p >= '0' && **p <= '9' && digits <= most_digits; (*p)++)
	{
		value = value * 10 + (**p - '0');
		digits++;
	}
	return digits > 0 && digits <= most_digits ? value : -1;
}

/* The keys of a dimension: "2,3" */
static const char *
parse_keys(const char *p, Shape *shape, Dimension *dimension)
{
	do
	{
		int			key = parse_number(&p, 2) - 1;
		int			i;

		if (key < 0 || key >= SALKPI_MAX_KEYS)
			shape_error(shape, "Dimension \"%s\" needs key numbers from 1 to 10.",
						dimension->name);
		for (i = 0; i < dimension->nkeys; i++)
			if (dimension->keys[i] == key)
				shape_error(shape, "Dimension \"%s\" names a key twice.",
							dimension->name);
		dimension->keys[dimension->nkeys++] = key;
		shape->key_used[key] = true;
		p = skip_spaces(p);
	} while (*p++ == ',');
	return p - 1;
}

static const char *
parse_dimension(const char *p, Shape *shape)
{
	Dimension  *dimension = &shape->dimensions[shape->ndimensions];
	Size		length = strcspn(p, " \t\r\n;=,/");
	int			i;

	if (length == 0 || length >= NAMEDATALEN)
		shape_error(shape, "Each dimension needs a name of up to %s bytes.", "63");
	dimension->name = pnstrdup(p, length);
	for (i = 0; i < shape->ndimensions; i++)
		if (strcmp(shape->dimensions[i].name, dimension->name) == 0)
			shape_error(shape, "Dimension \"%s\" is there twice.", dimension->name);
	p = skip_spaces(p + length);
	if (*p == '=')
		p = parse_keys(p + 1, shape, dimension);
	shape->ndimensions++;
	return p;
}

/* "c=3 m=2": how many of each slot are in use */
static void
parse_slots(const char *p, Shape *shape)
{
	int		   *value[] = {&shape->ncounts, &shape->nsums, &shape->ndistincts,
	&shape->nfirsts, &shape->ndurations};
	bool		seen[lengthof(shape_slots)] = {false};
	bool		is_stock = shape->kind == SHAPE_STOCK;
	int			sum = 0;

	for (p = skip_spaces(p); *p != '\0'; p = skip_spaces(p))
	{
		int			s = 0;

		while (s < lengthof(shape_slots) && shape_slots[s].letter != *p)
			s++;
		p = skip_spaces(p + 1);
		if (s == lengthof(shape_slots) || seen[s] || *p++ != '=')
			shape_error(shape, "Behind the slash, each of %s is followed by \"=\" and a number, once.",
						"c, m, e, f and d");
		seen[s] = true;
		*value[s] = parse_number(&p, 2);
		if (*value[s] < 0 || *value[s] > (is_stock ? shape_slots[s].stock_limit :
										  shape_slots[s].limit))
			shape_error(shape, is_stock ?
						"A stock has at most 4 counts and 4 sums, and no %s." :
						"A flow has at most 10 counts, 6 sums, 2 distinct counts, 1 first and 1 %s.",
						is_stock ? "others" : "duration");
		sum += *value[s];
	}
	if (sum == 0)
		shape_error(shape, "It measures nothing: behind the slash, say how many of %s are used.",
					"c, m, e, f and d");
}

/* "mb=256": the limit of a ledger's memory */
static void
parse_memory(const char *p, Shape *shape)
{
	if (strncmp(p, "mb", 2) == 0 && *(p = skip_spaces(p + 2)) == '=')
	{
		p++;
		shape->memory_mb = parse_number(&p, 4);
		p = skip_spaces(p);
	}
	if (shape->memory_mb <= 0 || *p != '\0')
		shape_error(shape, "Behind the slash of a ledger stands \"mb=\" and a number from 1 to %s.", "9999");
}

/* One way to write a shape, so that equal ones are equal texts. */
static char *
canonical_shape(const Shape *shape)
{
	int			value[] = {shape->ncounts, shape->nsums, shape->ndistincts,
	shape->nfirsts, shape->ndurations};
	StringInfoData s;
	int			i;
	int			k;

	initStringInfo(&s);
	for (i = 0; i < shape->ndimensions; i++)
	{
		const Dimension *dimension = &shape->dimensions[i];

		appendStringInfo(&s, "%s%s", i > 0 ? ";" : "", dimension->name);
		for (k = 0; k < dimension->nkeys; k++)
			appendStringInfo(&s, "%c%d", k > 0 ? ',' : '=',
							 dimension->keys[k] + 1);
	}
	if (shape->kind != SHAPE_LEDGER)
		appendStringInfoString(&s, " /");
	for (i = 0; i < lengthof(shape_slots); i++)
		if (value[i] > 0)
			appendStringInfo(&s, " %c=%d", shape_slots[i].letter, value[i]);
	if (shape->memory_mb > 0)
		appendStringInfo(&s, " / mb=%d", shape->memory_mb);
	return s.data;
}

/* Read a shape; everything in it is palloc'd. */
void
salkpi_shape_parse(const char *text, ShapeKind kind, Shape *shape)
{
	const char *p = text;

	memset(shape, 0, sizeof(Shape));
	shape->kind = kind;
	shape->text = pstrdup(text);
	shape->dimensions = palloc0(SALKPI_MAX_DIMENSIONS * sizeof(Dimension));
	do
	{
		if (shape->ndimensions == SALKPI_MAX_DIMENSIONS)
			shape_error(shape, "It has more than %s dimensions.", "64");
		p = skip_spaces(parse_dimension(skip_spaces(p), shape));
	} while (*p++ == ';');
	p--;
	if (kind != SHAPE_LEDGER)
	{
		if (*p != '/')
			shape_error(shape, "The dimensions are followed by a slash%s.", "");
		parse_slots(p + 1, shape);
	}
	else if (*p == '/')
		parse_memory(skip_spaces(p + 1), shape);
	else if (*p != '\0')
		shape_error(shape, "Its dimensions are separated by semicolons%s.", "");
	shape->text = canonical_shape(shape);
}
