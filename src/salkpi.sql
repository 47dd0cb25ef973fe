-- complain if the script is sourced in psql, rather than through CREATE EXTENSION
\echo Use "CREATE EXTENSION salkpi" to load this file. \quit

/* Texts of queries are made by format(), to which the schema's name is a part of the format; quotes, dollars and backslashes PostgreSQL refuses itself. */
DO $$
BEGIN
	IF pg_catalog.strpos('@extschema@', '%') > 0 THEN
		RAISE EXCEPTION 'invalid character in extension "salkpi" schema: must not contain "%%"'
			USING ERRCODE = 'invalid_schema_name';
	END IF;
END;
$$;
