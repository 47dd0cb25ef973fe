/*
 * track.h
 *	  What a tuple of kpi_track_log holds about rows.
 *
 * It begins with two bytes: how many columns are noted, and how many bytes of
 * bits there are.  Each row is a letter; for an update the bits, one for each
 * column that sources read, set if it changed; then the values of the columns
 * as they were, unless it was inserted, and as they are, unless it was deleted.
 * A value is a letter and 8 bytes for integers and instants, 4 for a date, 16
 * for a uuid; the rest is text, of a length in one byte.
 */
#ifndef SALKPI_TRACK_H
#define SALKPI_TRACK_H

/* How a value is kept. */
#define VALUE_NULL		'n'
#define VALUE_INTEGER	'i'
#define VALUE_DATE		'd'
#define VALUE_TIMESTAMP	's'
#define VALUE_INSTANT	'z'
#define VALUE_UUID		'u'
#define VALUE_TEXT		't'

/* What happened to a row. */
#define ROW_INSERTED	'I'
#define ROW_DELETED		'D'
#define ROW_UPDATED		'U'		/* with a bit for each column, set if it changed */

#endif							/* SALKPI_TRACK_H */
