/*
 * lineage.c
 *	  Where the columns of a view come from.
 *
 * kpi_lineage(relation) says of a table or view: which tables it reads and
 * which of their columns; what keeps its rows from being a function of those
 * tables alone; and, as far as a view is a plain join, the place (the entry of
 * its FROM list) and the expression from which each of its columns comes, and
 * the equalities by which places are joined.  With that one can tell which
 * rows of the view a changed row of a table is in.
 *
 * A plain join has no grouping, no DISTINCT, no set operation, no limit, no
 * subquery and no function that returns rows: each of its rows is one row of
 * each place, or none where an outer join found none.  Hence the two rules
 * that kpi_changes builds on:
 *
 *	- a column that is an expression over one place has, in any row of the view,
 *	  the value that the row of this place gives it (or NULL, so one is left out
 *	  that is not NULL where an outer join found no row);
 *	- an equality that stands in WHERE or in an inner join, or between the two
 *	  sides of an outer join, holds in every row of the view that has both of
 *	  its places.
 *
 * An expression is given as SQL over the columns of its table, without a
 * prefix, to be evaluated on the table or on rows of it that are gone.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "salkpi.h"

#define LINEAGE_COLUMNS		8

/* The columns of a row of the result. */
typedef enum LineageColumn
{
	LINEAGE_ITEM,				/* table, column, join, condition or fault */
	LINEAGE_PLACE,
	LINEAGE_RELATION,			/* the table at the place */
	LINEAGE_NAME,				/* of the view's column; of a fault: what it is */
	LINEAGE_EXPRESSION,
	LINEAGE_READ,				/* columns of the table that are read */
	LINEAGE_OTHER_PLACE,		/* of a join: the other side */
	LINEAGE_OTHER_EXPRESSION
} LineageColumn;

typedef struct Lineage
{
	ReturnSetInfo *result;
	List	   *within;			/* OIDs of the views that are being looked at */
	Query	   *query;			/* the view itself when it is a plain join */
	Bitmapset  *nullable;		/* its places of which outer joins may find no row */
} Lineage;

static void look_at_relation(Lineage *lineage, Oid relid, Bitmapset *read, int place);

/* ------------------------------------------------------------ the result */

static void
put(Lineage *lineage, const char *item, int place, Oid relid, const char *name,
	const char *expression, Datum columns, int other_place, const char *other_expression)
{
	Datum		values[LINEAGE_COLUMNS] = {0};
	bool		nulls[LINEAGE_COLUMNS];

	values[LINEAGE_ITEM] = CStringGetTextDatum(item);
	nulls[LINEAGE_ITEM] = false;
	values[LINEAGE_PLACE] = Int32GetDatum(place);
	nulls[LINEAGE_PLACE] = place == 0;
	values[LINEAGE_RELATION] = ObjectIdGetDatum(relid);
	nulls[LINEAGE_RELATION] = !OidIsValid(relid);
	nulls[LINEAGE_NAME] = name == NULL;
	if (name != NULL)
		values[LINEAGE_NAME] = CStringGetTextDatum(name);
	nulls[LINEAGE_EXPRESSION] = expression == NULL;
	if (expression != NULL)
		values[LINEAGE_EXPRESSION] = CStringGetTextDatum(expression);
	values[LINEAGE_READ] = columns;
	nulls[LINEAGE_READ] = columns == (Datum) 0;
	values[LINEAGE_OTHER_PLACE] = Int32GetDatum(other_place);
	nulls[LINEAGE_OTHER_PLACE] = other_place == 0;
	nulls[LINEAGE_OTHER_EXPRESSION] = other_expression == NULL;
	if (other_expression != NULL)
		values[LINEAGE_OTHER_EXPRESSION] = CStringGetTextDatum(other_expression);
	tuplestore_putvalues(lineage->result->setResult, lineage->result->setDesc, values, nulls);
}

static void
put_fault(Lineage *lineage, Oid relid, const char *what)
{
	put(lineage, "fault", 0, relid, what, NULL, (Datum) 0, 0, NULL);
}

static Datum
name_array(Datum *names, int n)
{
	return PointerGetDatum(n == 0 ? construct_empty_array(TEXTOID) :
						   construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The names of columns; NULL for all of the table's. */
static Datum
column_names(Oid relid, Bitmapset *columns)
{
	Relation	relation = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	Datum	   *names = (Datum *) palloc((desc->natts + 1) * sizeof(Datum));
	int			n = 0;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped &&
			(columns == NULL || bms_is_member(attribute->attnum, columns)))
			names[n++] = CStringGetTextDatum(NameStr(attribute->attname));
	}
	table_close(relation, AccessShareLock);
	return name_array(names, n);
}

/* ------------------------------------------------------------ functions */

/*
 * Whether what a function says depends on more than its arguments and the
 * session's formats, which a snapshot sets: the time, the user, other tables.
 * Of PostgreSQL's own those are the volatile ones and the stable ones that
 * take no argument or look into the catalogs; of others all but the immutable.
 */
static bool
depends_on_context(Oid function, void *context)
{
	char		volatility = func_volatile(function);
	char	   *name;
	int			n_arguments;
	Oid		   *types;

	if (volatility == PROVOLATILE_IMMUTABLE)
		return false;
	if (volatility == PROVOLATILE_VOLATILE || function >= FirstNormalObjectId)
		return true;
	get_func_signature(function, &types, &n_arguments);
	name = get_func_name(function);
	return n_arguments == 0 ||
		(n_arguments == 1 && strcmp(name, "age") == 0) ||
		strncmp(name, "pg_", 3) == 0 || strncmp(name, "has_", 4) == 0 ||
		strncmp(name, "to_reg", 6) == 0 || strncmp(name, "query_to_", 9) == 0 ||
		strncmp(name, "table_to_", 9) == 0 || strncmp(name, "schema_to_", 10) == 0 ||
		strncmp(name, "database_to_", 12) == 0 || strstr(name, "_description") != NULL ||
		strcmp(name, "current_setting") == 0;
}

static bool
find_context_function(Oid function, void *context)
{
	if (!depends_on_context(function, context))
		return false;
	*(Oid *) context = function;
	return true;
}

static void look_at_query(Lineage *lineage, Query *query);

/* Goes through a view's query with all that is in it. */
static bool
look_at_node(Node *node, Lineage *lineage)
{
	Oid			function = InvalidOid;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		look_at_query(lineage, (Query *) node);
		return query_tree_walker((Query *) node, look_at_node, lineage, QTW_IGNORE_JOINALIASES);
	}
	if (IsA(node, SQLValueFunction))
		put_fault(lineage, InvalidOid, "the time or the user");
	else if (IsA(node, TableSampleClause))
		put_fault(lineage, InvalidOid, "a sample");
	else if (check_functions_in_node(node, find_context_function, &function))
		put_fault(lineage, InvalidOid, psprintf("function %s", format_procedure(function)));
	return expression_tree_walker(node, look_at_node, lineage);
}

/* ------------------------------------------------------------ relations */

/* Columns of a relation, from a set of PostgreSQL's; NULL for all of them. */
static Bitmapset *
user_columns(Bitmapset *attributes)
{
	Bitmapset  *columns = bms_make_singleton(0);	/* so that none is not NULL */
	int			bit = -1;

	if (bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, attributes))
		return NULL;
	while ((bit = bms_next_member(attributes, bit)) >= 0)
		if (bit + FirstLowInvalidHeapAttributeNumber > 0)
			columns = bms_add_member(columns, bit + FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/* They are all before the table's own columns. */
static bool
has_system_columns(Bitmapset *attributes)
{
	int			first = bms_next_member(attributes, -1);

	return first >= 0 && first + FirstLowInvalidHeapAttributeNumber < 0;
}

static void
look_at_query(Lineage *lineage, Query *query)
{
	int			place = 0;
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		place++;
		/* Before 16 a view's query names the view itself too, as OLD and NEW. */
		if (entry->rtekind == RTE_RELATION && !list_member_oid(lineage->within, entry->relid))
		{
			Bitmapset  *attributes = salkpi_selected_columns(query, entry);

			if (has_system_columns(attributes)) /* which change with columns that are not read, or with none */
				put_fault(lineage, entry->relid, "read by its system columns");
			look_at_relation(lineage, entry->relid, user_columns(attributes),
							 query == lineage->query ? place : 0);
		}
	}
}

static void
look_at_relation(Lineage *lineage, Oid relid, Bitmapset *read, int place)
{
	char		kind = get_rel_relkind(relid);

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();		/* a view that names another twice doubles the work */
	switch (kind)
	{
		case RELKIND_VIEW:
			{
				Relation	view = table_open(relid, AccessShareLock);
				Query	   *outer = lineage->query;

				put(lineage, "view", 0, relid, NULL, NULL, (Datum) 0, 0, NULL);
				lineage->within = lcons_oid(relid, lineage->within);
				lineage->query = NULL;
				look_at_node((Node *) copyObject(get_view_query(view)), lineage);
				lineage->query = outer;
				lineage->within = list_delete_first(lineage->within);
				table_close(view, AccessShareLock);
				break;
			}
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			put(lineage, "table", place, relid, NULL, NULL, column_names(relid, read), 0, NULL);
			break;
		case RELKIND_FOREIGN_TABLE:
			put_fault(lineage, relid, "a foreign table");
			break;
		case RELKIND_MATVIEW:
			put_fault(lineage, relid, "a materialized view");
			break;
		default:
			put_fault(lineage, relid, "no table");
			break;
	}
}

/* ------------------------------------------------------------ plain joins */

/* Whether all of a FROM list are tables; PostgreSQL numbers them and their joins. */
static bool
has_only_tables(Query *query, Node *node)
{
	if (IsA(node, RangeTblRef))
	{
		RangeTblEntry *entry = rt_fetch(((RangeTblRef *) node)->rtindex, query->rtable);

		return entry->rtekind == RTE_RELATION && entry->tablesample == NULL &&
			(entry->relkind == RELKIND_RELATION || entry->relkind == RELKIND_PARTITIONED_TABLE);
	}
	if (IsA(node, JoinExpr))
		return has_only_tables(query, ((JoinExpr *) node)->larg) &&
			has_only_tables(query, ((JoinExpr *) node)->rarg);
	if (IsA(node, FromExpr))
	{
		ListCell   *cell;

		foreach(cell, ((FromExpr *) node)->fromlist)
			if (!has_only_tables(query, (Node *) lfirst(cell)))
				return false;
		return true;
	}
	return false;
}

static bool
is_plain_join(Query *query)
{
	return query->setOperations == NULL && query->groupClause == NIL &&
		query->groupingSets == NIL && query->havingQual == NULL &&
		query->distinctClause == NIL && query->limitCount == NULL &&
		query->limitOffset == NULL && query->cteList == NIL &&
		!query->hasAggs && !query->hasWindowFuncs && !query->hasTargetSRFs &&
		!query->hasSubLinks && has_only_tables(query, (Node *) query->jointree);
}

/* Whether an expression may have a value where an outer join found no row for it; of constants an instant alone would matter. */
static bool
has_value_without_row(const Lineage *lineage, Node *node, int place)
{
	if (place > 0)
		return bms_is_member(place, lineage->nullable) && contain_nonstrict_functions(node);
	return lineage->nullable != NULL && TypeCategory(exprType(node)) == TYPCATEGORY_DATETIME &&
		!(IsA(node, Const) && ((Const *) node)->constisnull);
}

/*
 * The place of all columns in an expression: 0 if it has none, -1 if several or
 * more than columns, or if there need be no row to give it a value.
 */
static int
place_of(const Lineage *lineage, Node *node, Bitmapset **columns)
{
	List	   *vars = pull_var_clause(node, 0);
	int			place = 0;
	ListCell   *cell;

	*columns = bms_make_singleton(0);
	foreach(cell, vars)
	{
		Var		   *var = lfirst_node(Var, cell);

		if (var->varattno <= 0 || var->varlevelsup != 0 ||
			(place != 0 && place != (int) var->varno))
			return -1;
		place = var->varno;
		*columns = bms_add_member(*columns, var->varattno);
	}
	return has_value_without_row(lineage, node, place) ? -1 : place;
}

static char *
sql_text(Query *query, Node *node, int place)
{
	Node	   *copy = copyObject(node);
	List	   *context = NIL;

	if (place > 0)
	{
		Oid			relid = rt_fetch(place, query->rtable)->relid;

		ChangeVarNodes(copy, place, 1, 0);
		context = deparse_context_for("r", relid);
	}
	return deparse_expression(copy, context, false, false);
}

static void
put_columns(Lineage *lineage, Query *query)
{
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);
		Node	   *node = salkpi_flatten_join_alias_vars(query, (Node *) entry->expr);
		Bitmapset  *columns;
		int			place = place_of(lineage, node, &columns);
		Oid			relid = place > 0 ? rt_fetch(place, query->rtable)->relid : InvalidOid;

		if (place >= 0 && !entry->resjunk)
			put(lineage, "column", place, relid, entry->resname, sql_text(query, node, place),
				place > 0 ? column_names(relid, columns) : name_array(NULL, 0), 0, NULL);
	}
}

static Bitmapset *
places_under(Node *node)
{
	Bitmapset  *places = NULL;
	ListCell   *cell;

	if (IsA(node, RangeTblRef))
		return bms_make_singleton(((RangeTblRef *) node)->rtindex);
	if (IsA(node, JoinExpr))
		return bms_union(places_under(((JoinExpr *) node)->larg), places_under(((JoinExpr *) node)->rarg));
	foreach(cell, castNode(FromExpr, node)->fromlist)
		places = bms_join(places, places_under((Node *) lfirst(cell)));
	return places;
}

static Bitmapset *
nullable_places(Node *node)
{
	Bitmapset  *places = NULL;
	ListCell   *cell;

	if (IsA(node, RangeTblRef))
		return NULL;
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;
		bool		keeps_left = join->jointype == JOIN_INNER || join->jointype == JOIN_LEFT;
		bool		keeps_right = join->jointype == JOIN_INNER || join->jointype == JOIN_RIGHT;

		return bms_union(keeps_left ? nullable_places(join->larg) : places_under(join->larg),
						 keeps_right ? nullable_places(join->rarg) : places_under(join->rarg));
	}
	foreach(cell, castNode(FromExpr, node)->fromlist)
		places = bms_join(places, nullable_places((Node *) lfirst(cell)));
	return places;
}

/* An equality of PostgreSQL's own between two places, given from both sides. */
static void
put_join(Lineage *lineage, Query *query, OpExpr *equality, JoinExpr *outer)
{
	Node	   *sides[2] = {linitial(equality->args), lsecond(equality->args)};
	Bitmapset  *columns[2];
	int			places[2];
	int			i;

	for (i = 0; i < 2; i++)
	{
		sides[i] = salkpi_flatten_join_alias_vars(query, sides[i]);
		places[i] = place_of(lineage, sides[i], &columns[i]);
		if (places[i] <= 0)
			return;
	}
	if (places[0] == places[1] || equality->opno >= FirstNormalObjectId ||
		!op_hashjoinable(equality->opno, exprType(sides[0])))
		return;
	if (outer != NULL &&
		bms_is_member(places[0], places_under(outer->larg)) ==
		bms_is_member(places[1], places_under(outer->larg)))
		return;
	for (i = 0; i < 2; i++)
	{
		Oid			relid = rt_fetch(places[i], query->rtable)->relid;

		put(lineage, "join", places[i], relid, NULL, sql_text(query, sides[i], places[i]),
			column_names(relid, columns[i]), places[1 - i], sql_text(query, sides[1 - i], places[1 - i]));
	}
}

static void
put_conditions(Lineage *lineage, Query *query, Node *condition, JoinExpr *outer)
{
	ListCell   *cell;

	if (condition == NULL)
		return;
	if (is_andclause(condition))
	{
		foreach(cell, ((BoolExpr *) condition)->args)
			put_conditions(lineage, query, (Node *) lfirst(cell), outer);
	}
	else if (IsA(condition, OpExpr) && list_length(((OpExpr *) condition)->args) == 2)
		put_join(lineage, query, (OpExpr *) condition, outer);
}

static void
put_joins(Lineage *lineage, Query *query, Node *node)
{
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;

		put_conditions(lineage, query, join->quals, join->jointype == JOIN_INNER ? NULL : join);
		put_joins(lineage, query, join->larg);
		put_joins(lineage, query, join->rarg);
	}
	else if (IsA(node, FromExpr))
	{
		ListCell   *cell;

		put_conditions(lineage, query, ((FromExpr *) node)->quals, NULL);
		foreach(cell, ((FromExpr *) node)->fromlist)
			put_joins(lineage, query, (Node *) lfirst(cell));
	}
}

/* What WHERE and the joins look at. */
static void
put_restricting_columns(Lineage *lineage, Query *query)
{
	Node	   *from = salkpi_flatten_join_alias_vars(query, (Node *) query->jointree);
	Bitmapset  *places = places_under((Node *) query->jointree);
	int			place = -1;

	while ((place = bms_next_member(places, place)) >= 0)
	{
		Oid			relid = rt_fetch(place, query->rtable)->relid;
		Bitmapset  *attributes = NULL;

		pull_varattnos(from, place, &attributes);
		put(lineage, "condition", place, relid, NULL, NULL, column_names(relid, user_columns(attributes)), 0, NULL);
	}
}

static void
look_at_view(Lineage *lineage, Oid relid)
{
	Relation	view = table_open(relid, AccessShareLock);
	Query	   *query = copyObject(get_view_query(view));

	put(lineage, "view", 0, relid, NULL, NULL, (Datum) 0, 0, NULL);
	lineage->within = list_make1_oid(relid);
	if (is_plain_join(query))
	{
		lineage->query = query;
		lineage->nullable = nullable_places((Node *) query->jointree);
		put_columns(lineage, query);
		put_joins(lineage, query, (Node *) query->jointree);
		put_restricting_columns(lineage, query);
	}
	look_at_node((Node *) query, lineage);
	table_close(view, AccessShareLock);
}

/* A table's own columns. */
static void
look_at_table(Lineage *lineage, Oid relid)
{
	Relation	table = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(table);
	int			i;

	look_at_relation(lineage, relid, NULL, 1);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		char	   *name = NameStr(attribute->attname);
		Datum		column;

		if (attribute->attisdropped)
			continue;
		column = CStringGetTextDatum(name);
		put(lineage, "column", 1, relid, name, quote_identifier(name), name_array(&column, 1), 0, NULL);
	}
	table_close(table, AccessShareLock);
}

PG_FUNCTION_INFO_V1(salkpi_lineage);

Datum
salkpi_lineage(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Lineage		lineage = {(ReturnSetInfo *) fcinfo->resultinfo, NIL, NULL, NULL};

	InitMaterializedSRF(fcinfo, 0);
	LockRelationOid(relid, AccessShareLock);	/* what is being dropped is gone then, and no error */
	if (get_rel_relkind(relid) == RELKIND_VIEW)
		look_at_view(&lineage, relid);
	else if (get_rel_relkind(relid) == RELKIND_RELATION ||
			 get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		look_at_table(&lineage, relid);
	else
		look_at_relation(&lineage, relid, NULL, 0);
	UnlockRelationOid(relid, AccessShareLock);
	return (Datum) 0;
}
