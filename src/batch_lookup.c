/*
 * batch_lookup.c
 *	  Looking a batch of keys up in a dictionary.
 *
 * A row asks several things of one key: whether an opportunity is known, whose
 * it is, when it was closed.  The key is looked up once.  And where a key is
 * found takes two cache misses; those of a batch are on their way together.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "batch.h"
#include "dictionary.h"

/* A question to a dictionary: its arguments are those of the SQL function. */
typedef struct Lookup
{
	BatchExpression *block;		/* what is known of the key: a KeyBlock or NULL */
	AttributeKind kind;			/* of the attribute asked for */
} Lookup;

static const text *
key_of(const BatchExpression *keys, int row)
{
	return DatumGetTextPP(keys->values[row]);
}

static inline bool
are_same_keys(const text *a, const text *b)
{
	return a == b ||
		(VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		 salkpi_same_bytes(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)));
}

/* The rows whose key is there and is not that of the row before, with its hash. */
static void
hash_keys(const Dictionary *d, const BatchExpression *keys, const BatchRows *rows,
		  BatchRows *searched, uint32 *hashes)
{
	const text *before = NULL;

	searched->count = 0;
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		const text *key;
		uint32		hash;

		if (keys->nulls[row])
			continue;
		key = key_of(keys, row);
		if (before != NULL && are_same_keys(before, key))
			continue;
		before = key;
		hash = salkpi_hash_text(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
		__builtin_prefetch(&d->slots[hash & d->mask]);
		hashes[searched->count] = hash;
		searched->row[searched->count++] = row;
	}
}

/* A key that is not known, and NULL, are NULL. */
static void
evaluate_block(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *keys = e->args[1];
	BatchRows	searched;
	uint32		hashes[BATCH_ROWS];
	const Dictionary *d;
	const KeyBlock *block = NULL;
	int			next = 0;

	salkpi_batch_evaluate(e->args[0], rows);
	salkpi_batch_evaluate(e->args[1], rows);
	if (e->args[0]->nulls[0])
	{
		for (int i = 0; i < rows->count; i++)
			e->nulls[rows->row[i]] = true;
		return;
	}
	d = salkpi_dictionary_get(e->args[0]->values[0]);
	hash_keys(d, keys, rows, &searched, hashes);
	for (int i = 0; i < searched.count; i++)
	{
		const Slot *slot = &d->slots[hashes[i] & d->mask];

		if (slot->id != 0)
			__builtin_prefetch((const char *) d + slot->id);
	}
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		if (next < searched.count && searched.row[next] == row)
		{
			block = salkpi_dictionary_find(d, key_of(keys, row), hashes[next]);
			next++;
		}
		e->nulls[row] = keys->nulls[row] || block == NULL;
		e->values[row] = PointerGetDatum(block);
	}
}

/* kpi_lookup(dictionary, key, attribute, at) and the like for other kinds. */
static void
evaluate_lookup(BatchExpression *e, const BatchRows *rows)
{
	const Lookup *lookup = e->details;
	const BatchExpression *block = lookup->block;
	const BatchExpression *at = e->args[3];
	const Dictionary *d = NULL;

	salkpi_batch_evaluate(lookup->block, rows);
	salkpi_batch_evaluate(e->args[2], rows);
	salkpi_batch_evaluate(e->args[3], rows);
	if (!e->args[0]->nulls[0] && !e->args[2]->nulls[0])
	{
		d = salkpi_dictionary_get(e->args[0]->values[0]);
		salkpi_dictionary_check(d, DatumGetInt32(e->args[2]->values[0]), lookup->kind);
	}
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		const char *found = d == NULL || block->nulls[row] ? NULL :
			salkpi_dictionary_attribute(d, (const KeyBlock *) DatumGetPointer(block->values[row]),
										DatumGetInt32(e->args[2]->values[0]),
										at->nulls[row] ? DT_NOEND : DatumGetTimestampTz(at->values[row]));

		e->nulls[row] = found == NULL;
		if (found != NULL)
			e->values[row] = lookup->kind == ATTRIBUTE_INSTANT ?
				TimestampTzGetDatum(get_instant((const Instant *) found)) : PointerGetDatum(found);
	}
}

/* kpi_lookup_first(dictionary, key) */
static void
evaluate_first(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *block = ((const Lookup *) e->details)->block;

	salkpi_batch_evaluate(((const Lookup *) e->details)->block, rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];
		TimestampTz first = block->nulls[row] ? DT_NOBEGIN :
			((const KeyBlock *) DatumGetPointer(block->values[row]))->first;

		e->nulls[row] = TIMESTAMP_IS_NOBEGIN(first);
		e->values[row] = TimestampTzGetDatum(first);
	}
}

/* kpi_knows(dictionary, key) */
static void
evaluate_knows(BatchExpression *e, const BatchRows *rows)
{
	const BatchExpression *block = ((const Lookup *) e->details)->block;

	salkpi_batch_evaluate(((const Lookup *) e->details)->block, rows);
	for (int i = 0; i < rows->count; i++)
	{
		int			row = rows->row[i];

		e->nulls[row] = e->args[0]->nulls[0] || e->args[1]->nulls[row];
		e->values[row] = BoolGetDatum(!block->nulls[row]);
	}
}

/* What is known of a key, the same for all that ask. */
static BatchExpression *
shared_block(BatchProgram *program, BatchExpression *dictionary, BatchExpression *key)
{
	BatchExpression *block;
	ListCell   *cell;

	foreach(cell, program->expressions)
	{
		block = lfirst(cell);
		if (block->evaluate == evaluate_block &&
			block->args[0] == dictionary && block->args[1] == key)
			return block;
	}
	block = salkpi_batch_expression(program, NULL, evaluate_block);
	block->nargs = 2;
	block->args = palloc(2 * sizeof(BatchExpression *));
	block->args[0] = dictionary;
	block->args[1] = key;
	program->expressions = lappend(program->expressions, block);
	return block;
}

/*
 * Compile a call of a function if it asks a dictionary that is the same for all
 * rows; the arguments are compiled.
 */
bool
salkpi_batch_compile_lookup(BatchExpression *e, PGFunction function)
{
	static const struct
	{
		PGFunction	function;
		BatchEvaluate evaluate;
		AttributeKind kind;
	}			lookups[] = {
		{salkpi_kpi_lookup, evaluate_lookup, ATTRIBUTE_TEXT},
		{salkpi_kpi_lookup_number, evaluate_lookup, ATTRIBUTE_NUMBER},
		{salkpi_kpi_lookup_instant, evaluate_lookup, ATTRIBUTE_INSTANT},
		{salkpi_kpi_lookup_first, evaluate_first, ATTRIBUTE_INSTANT},
		{salkpi_kpi_knows, evaluate_knows, ATTRIBUTE_TEXT}
	};
	Lookup	   *lookup;

	for (int i = 0; i < lengthof(lookups); i++)
	{
		if (lookups[i].function != function)
			continue;
		if (!e->args[0]->is_constant || (e->nargs > 2 && !e->args[2]->is_constant))
			return false;
		lookup = palloc(sizeof(Lookup));
		lookup->kind = lookups[i].kind;
		lookup->block = shared_block(e->program, e->args[0], e->args[1]);
		e->details = lookup;
		e->evaluate = lookups[i].evaluate;
		return true;
	}
	return false;
}
