
-- ---------- dictionary: what is known of each key, at any instant ----------

CREATE TYPE @extschema@.kpi_dictionary;

CREATE FUNCTION @extschema@.kpi_dictionary_in(cstring) RETURNS @extschema@.kpi_dictionary
AS 'MODULE_PATHNAME', 'salkpi_dictionary_in'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_out(@extschema@.kpi_dictionary) RETURNS cstring
AS 'MODULE_PATHNAME', 'salkpi_dictionary_out'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE @extschema@.kpi_dictionary (
	INPUT = @extschema@.kpi_dictionary_in,
	OUTPUT = @extschema@.kpi_dictionary_out,
	ALIGNMENT = double,
	STORAGE = extended
);

COMMENT ON TYPE @extschema@.kpi_dictionary IS
'attributes of keys at any instant, made in a query by the aggregate kpi_dictionary and handed to kpi_lookup as an uncorrelated subquery. It is not to be stored and cannot be read from text';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_in(cstring) IS 'raises an error: a kpi_dictionary is made in the query';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_out(@extschema@.kpi_dictionary) IS 'tells how many keys a kpi_dictionary has';

-- One transition function for any number of attributes; the overloads differ
-- in nothing else.

CREATE FUNCTION @extschema@.kpi_dictionary_add(internal, key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_add'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_add(internal, key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text, a3 text, a4 text) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_add'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_add(internal, key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text, a3 text, a4 text, a5 text, a6 text, a7 text, a8 text, a9 text, a10 text) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_add'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_add(internal, key text, valid_from timestamptz, valid_to timestamptz, a1 numeric, a2 numeric, a3 timestamptz, a4 text, a5 text) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_add'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_add(internal, key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text, a3 text, a4 text, a5 text, a6 text, a7 text, a8 text, a9 text, a10 text, a11 numeric, a12 numeric, a13 timestamptz, a14 text, a15 text) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_add'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_combine'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'salkpi_dictionary_serialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'salkpi_dictionary_deserialize'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_dictionary_final(internal) RETURNS @extschema@.kpi_dictionary
AS 'MODULE_PATHNAME', 'salkpi_dictionary_final'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE AGGREGATE @extschema@.kpi_dictionary(key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text) (
	SFUNC = @extschema@.kpi_dictionary_add,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = @extschema@.kpi_dictionary_final,
	COMBINEFUNC = @extschema@.kpi_dictionary_combine,
	SERIALFUNC = @extschema@.kpi_dictionary_serialize,
	DESERIALFUNC = @extschema@.kpi_dictionary_deserialize,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_dictionary(key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text, a3 text, a4 text) (
	SFUNC = @extschema@.kpi_dictionary_add,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = @extschema@.kpi_dictionary_final,
	COMBINEFUNC = @extschema@.kpi_dictionary_combine,
	SERIALFUNC = @extschema@.kpi_dictionary_serialize,
	DESERIALFUNC = @extschema@.kpi_dictionary_deserialize,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_dictionary(key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text, a3 text, a4 text, a5 text, a6 text, a7 text, a8 text, a9 text, a10 text) (
	SFUNC = @extschema@.kpi_dictionary_add,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = @extschema@.kpi_dictionary_final,
	COMBINEFUNC = @extschema@.kpi_dictionary_combine,
	SERIALFUNC = @extschema@.kpi_dictionary_serialize,
	DESERIALFUNC = @extschema@.kpi_dictionary_deserialize,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_dictionary(key text, valid_from timestamptz, valid_to timestamptz, a1 numeric, a2 numeric, a3 timestamptz, a4 text, a5 text) (
	SFUNC = @extschema@.kpi_dictionary_add,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = @extschema@.kpi_dictionary_final,
	COMBINEFUNC = @extschema@.kpi_dictionary_combine,
	SERIALFUNC = @extschema@.kpi_dictionary_serialize,
	DESERIALFUNC = @extschema@.kpi_dictionary_deserialize,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_dictionary(key text, valid_from timestamptz, valid_to timestamptz, a1 text, a2 text, a3 text, a4 text, a5 text, a6 text, a7 text, a8 text, a9 text, a10 text, a11 numeric, a12 numeric, a13 timestamptz, a14 text, a15 text) (
	SFUNC = @extschema@.kpi_dictionary_add,
	STYPE = internal,
	SSPACE = 65536,
	FINALFUNC = @extschema@.kpi_dictionary_final,
	COMBINEFUNC = @extschema@.kpi_dictionary_combine,
	SERIALFUNC = @extschema@.kpi_dictionary_serialize,
	DESERIALFUNC = @extschema@.kpi_dictionary_deserialize,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_dictionary_add(internal, text, timestamptz, timestamptz, text, text) IS 'transition function of kpi_dictionary with two attributes';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_add(internal, text, timestamptz, timestamptz, text, text, text, text) IS 'transition function of kpi_dictionary with four attributes';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_add(internal, text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text) IS 'transition function of kpi_dictionary with ten attributes';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_add(internal, text, timestamptz, timestamptz, numeric, numeric, timestamptz, text, text) IS 'transition function of kpi_dictionary with two numbers, an instant and two texts';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_add(internal, text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text, numeric, numeric, timestamptz, text, text) IS 'transition function of kpi_dictionary with ten texts, two numbers, an instant and two texts';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_combine(internal, internal) IS 'combine function of kpi_dictionary';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_serialize(internal) IS 'serialization function of kpi_dictionary';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_deserialize(bytea, internal) IS 'deserialization function of kpi_dictionary';
COMMENT ON FUNCTION @extschema@.kpi_dictionary_final(internal) IS 'final function of kpi_dictionary';
COMMENT ON AGGREGATE @extschema@.kpi_dictionary(text, timestamptz, timestamptz, text, text) IS
'dictionary of keys with up to two attributes. Each row is a version of its key, valid from valid_from (NULL: since ever) to before valid_to (NULL: until ever). Of versions with the same valid_from the one valid longer wins, then the one with the greater attributes, compared in turn by bytes, NULL being the smallest. A NULL key is left out; without rows the dictionary is empty. An error beyond 1 GB';
COMMENT ON AGGREGATE @extschema@.kpi_dictionary(text, timestamptz, timestamptz, text, text, text, text) IS
'dictionary of keys with up to four attributes. Each row is a version of its key, valid from valid_from (NULL: since ever) to before valid_to (NULL: until ever). Of versions with the same valid_from the one valid longer wins, then the one with the greater attributes, compared in turn by bytes, NULL being the smallest. A NULL key is left out; without rows the dictionary is empty. An error beyond 1 GB';
COMMENT ON AGGREGATE @extschema@.kpi_dictionary(text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text) IS
'dictionary of keys with up to ten attributes. Each row is a version of its key, valid from valid_from (NULL: since ever) to before valid_to (NULL: until ever). Of versions with the same valid_from the one valid longer wins, then the one with the greater attributes, compared in turn by bytes, NULL being the smallest. A NULL key is left out; without rows the dictionary is empty. An error beyond 1 GB';
COMMENT ON AGGREGATE @extschema@.kpi_dictionary(text, timestamptz, timestamptz, numeric, numeric, timestamptz, text, text) IS
'dictionary of keys with up to two numbers (attributes 1 and 2), an instant (3) and two texts (4 and 5), which nothing has to be read from. Each row is a version of its key, valid from valid_from (NULL: since ever) to before valid_to (NULL: until ever). Of versions with the same valid_from the one valid longer wins, then the one with the greater attributes, compared in turn (texts by bytes), NULL being the smallest. A NULL key is left out; without rows the dictionary is empty. An error beyond 1 GB';
COMMENT ON AGGREGATE @extschema@.kpi_dictionary(text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text, numeric, numeric, timestamptz, text, text) IS
'dictionary of keys with up to ten texts (attributes 1 to 10), two numbers (11 and 12), an instant (13) and two texts (14 and 15), which nothing has to be read from. Each row is a version of its key, valid from valid_from (NULL: since ever) to before valid_to (NULL: until ever). Of versions with the same valid_from the one valid longer wins, then the one with the greater attributes, compared in turn (texts by bytes), NULL being the smallest. A NULL key is left out; without rows the dictionary is empty. An error beyond 1 GB';

CREATE FUNCTION @extschema@.kpi_lookup(dictionary @extschema@.kpi_dictionary, key text, attribute integer, at timestamptz) RETURNS text
AS 'MODULE_PATHNAME', 'salkpi_kpi_lookup'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_lookup_number(dictionary @extschema@.kpi_dictionary, key text, attribute integer, at timestamptz) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_lookup_number'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_lookup_instant(dictionary @extschema@.kpi_dictionary, key text, attribute integer, at timestamptz) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'salkpi_kpi_lookup_instant'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_rate(rates @extschema@.kpi_dictionary, currency text, at timestamptz) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_rate'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_lookup_first(dictionary @extschema@.kpi_dictionary, key text) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'salkpi_kpi_lookup_first'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_changes(dictionary @extschema@.kpi_dictionary, key text) RETURNS timestamptz[]
AS 'MODULE_PATHNAME', 'salkpi_kpi_changes'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_knows(dictionary @extschema@.kpi_dictionary, key text) RETURNS boolean
AS 'MODULE_PATHNAME', 'salkpi_kpi_knows'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_lookup(@extschema@.kpi_dictionary, text, integer, timestamptz) IS
'an attribute (from 1) of a key at an instant: of the version valid then (of several, the one that started last), else of the version that started last before, else of the first one; at NULL, as at the end of time. NULL for a key that is not known and for any other NULL. An error when there is no such attribute, when it is no text, and when the dictionary comes out of a table';
COMMENT ON FUNCTION @extschema@.kpi_lookup_number(@extschema@.kpi_dictionary, text, integer, timestamptz) IS
'an attribute as kpi_lookup gives it, of those that are numbers; an error when it is none';
COMMENT ON FUNCTION @extschema@.kpi_lookup_instant(@extschema@.kpi_dictionary, text, integer, timestamptz) IS
'an attribute as kpi_lookup gives it, of those that are instants; an error when it is none';
COMMENT ON FUNCTION @extschema@.kpi_rate(@extschema@.kpi_dictionary, text, timestamptz) IS
'reporting currency for one unit of a currency at an instant: attribute 1, a number; NULL before the first known rate: never a guess';
COMMENT ON FUNCTION @extschema@.kpi_lookup_first(@extschema@.kpi_dictionary, text) IS
'the smallest valid_from of the versions of a key, those since ever aside. NULL if there is none, if the key is not known, and for NULL';
COMMENT ON FUNCTION @extschema@.kpi_changes(@extschema@.kpi_dictionary, text) IS
'the instants, ascending, from which a key has another version than before. NULL if there is none, if the key is not known, and for NULL';
COMMENT ON FUNCTION @extschema@.kpi_knows(@extschema@.kpi_dictionary, text) IS
'whether a dictionary has a key. NULL for NULL';
