/*
 * Rights.  Readers run with the rights of their caller, so that a reader needs
 * those on the tables of the extension, and row-level security on them holds.
 */
CREATE FUNCTION @extschema@.kpi_rights(what text) RETURNS TABLE (privileges text, on_object text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	extension oid := (SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = '@extschema@.kpi_fact'::regclass AND d.deptype = 'e');
BEGIN
	IF what NOT IN ('reader', 'editor', 'runner') OR what IS NULL THEN
		PERFORM @extschema@.kpi_raise_unknown('kind of rights', what,
			'There are reader (reads what is recorded), editor (writes targets, holidays, the calendar, and own KPIs, selections and dimensions too) and runner (takes snapshots).');
	END IF;
	IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = '@extschema@.kpi_fact'::regclass), 'USAGE') THEN
		RAISE EXCEPTION 'permission denied to grant rights on the tables of salkpi'
			USING ERRCODE = 'insufficient_privilege', HINT = 'Their owner can.';
	END IF;
	RETURN QUERY
	SELECT 'USAGE', 'SCHEMA @extschema@'
	UNION ALL
	SELECT 'SELECT', 'TABLE ' || d.objid::regclass::text
	  FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
	 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND c.relkind IN ('r', 'v')
	   AND d.refobjid = extension
	   AND (d.objid <> '@extschema@.kpi_track_log'::regclass OR what = 'runner')	-- values of the sources
	UNION ALL	-- where a default took from PUBLIC what else all may call
	SELECT 'EXECUTE', 'ROUTINE ' || string_agg(d.objid::regprocedure::text, ', ' ORDER BY d.objid)
	  FROM pg_depend d
	 WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = extension
	   AND NOT has_function_privilege('public', d.objid, 'EXECUTE')
	HAVING count(*) > 0
	UNION ALL
	SELECT 'INSERT, UPDATE, DELETE', 'TABLE @extschema@.' || t.name
	  FROM unnest(CASE what WHEN 'editor' THEN '{kpi_target,kpi_holiday,kpi_calendar,kpi_definition_own,kpi_selection_own,kpi_dimension_own}'::text[]
							WHEN 'runner' THEN '{kpi_fact,kpi_run,kpi_problem,kpi_expected,kpi_alert,kpi_rep_role,kpi_track_log,kpi_track_mark}' END) t(name)
	UNION ALL
	SELECT DISTINCT 'USAGE', format('SCHEMA %I', s.relation_schema) FROM @extschema@.kpi_source s WHERE what = 'runner' AND @extschema@.kpi_source_relation(s.source) IS NOT NULL
	UNION ALL
	SELECT DISTINCT 'SELECT', 'TABLE ' || @extschema@.kpi_source_relation(s.source)::text FROM @extschema@.kpi_source s WHERE what = 'runner' AND @extschema@.kpi_source_relation(s.source) IS NOT NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_rights(text) IS
'what a reader, editor or runner needs: privileges, and the object they are on, as in a GRANT; an error for others than the owner of the tables';

CREATE FUNCTION @extschema@.kpi_grant(role name, what text) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	statement text;
BEGIN
	FOR statement IN SELECT format('GRANT %s ON %s TO %I', r.privileges, r.on_object, role) FROM @extschema@.kpi_rights(what) r LOOP
		EXECUTE statement;
		RETURN NEXT statement;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_grant(name, text) IS
'gives an existing role what it needs, and returns the statements that did: reader (to read all that is recorded), editor (reader, and to write targets, holidays, the calendar, own KPIs, selections and dimensions), runner (reader, and to take snapshots: to write facts and to read the sources bound now). Where PUBLIC may not call the extension''s functions the role may. What a table gets later, by an upgrade or kpi_bind, takes another call. An error for others than the owner of the tables';

CREATE FUNCTION @extschema@.kpi_ungrant(role name, what text) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	statement text;
BEGIN
	FOR statement IN SELECT format('REVOKE %s ON %s FROM %I', r.privileges, r.on_object, role)
					   FROM (SELECT * FROM @extschema@.kpi_rights(what)
							 EXCEPT SELECT * FROM @extschema@.kpi_rights('reader') WHERE what <> 'reader') r LOOP
		EXECUTE statement;
		RETURN NEXT statement;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_ungrant(name, text) IS
'takes back what kpi_grant gave, and returns the statements that did: of an editor or runner, who stays a reader, what that is beyond a reader';

/*
 * Which database role is which rep, as the last snapshot saw it, so that a
 * policy needs no rights on the CRM's tables.
 */
CREATE TABLE @extschema@.kpi_rep_role (
	rep		text NOT NULL,
	team	text NOT NULL,
	db_role	text NOT NULL,
	PRIMARY KEY (rep, team, db_role)
);
COMMENT ON TABLE @extschema@.kpi_rep_role IS
'the database role (column db_role of the source rep) and the team of each rep at the time of the last snapshot; for row-level security';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_rep_role', '');

CREATE FUNCTION @extschema@.kpi_keep_rep_roles(as_of timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_usable_columns() u WHERE u.source = 'rep' AND u.column_name = 'db_role') THEN
		DELETE FROM @extschema@.kpi_rep_role;
		RETURN;
	END IF;
	EXECUTE format($query$
		WITH now AS MATERIALIZED (
			SELECT DISTINCT @extschema@.kpi_member_part(r.id) AS rep, @extschema@.kpi_member_part(coalesce(nullif(r.team, ''), '(none)')) AS team, r.db_role
			  FROM (%s) r
			 WHERE r.id IS NOT NULL AND octet_length(r.db_role) BETWEEN 1 AND 63	-- what may be the name of a role
			   AND (greatest(r.valid_from, r.active_from) <= $1) IS NOT FALSE AND (least(r.valid_to, r.active_to) > $1) IS NOT FALSE
		), gone AS (
			DELETE FROM @extschema@.kpi_rep_role k WHERE NOT EXISTS (SELECT FROM now n WHERE (n.rep, n.team, n.db_role) = (k.rep, k.team, k.db_role))
		)
		INSERT INTO @extschema@.kpi_rep_role SELECT n.rep, n.team, n.db_role FROM now n ON CONFLICT DO NOTHING
		$query$, @extschema@.kpi_source_select('rep'))
	USING as_of;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_keep_rep_roles(timestamptz) IS
'called by a snapshot: makes kpi_rep_role what the source "rep" says of those on the roster';

/*
 * For policies.  The unknown member of a dimension is everybody's: it tells a
 * zero from a period that was not computed.
 */
CREATE FUNCTION @extschema@.kpi_is_own(dimension text, member text) RETURNS boolean
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	parts text[] := (SELECT d.parts FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_is_own.dimension);
	named text[];
	that_rep text;
	that_team text;
BEGIN
	IF NOT parts && '{rep,team}' THEN
		RETURN false;
	END IF;
	IF member = @extschema@.kpi_blank_member(dimension) THEN
		RETURN true;
	END IF;
	named := @extschema@.kpi_member_parts(member, cardinality(parts));
	that_rep := named[array_position(parts, 'rep')];
	that_team := named[array_position(parts, 'team')];
	RETURN EXISTS (SELECT FROM @extschema@.kpi_rep_role o JOIN pg_roles r ON r.rolname = o.db_role
					WHERE CASE WHEN that_rep IS NOT NULL THEN o.rep = that_rep ELSE o.team = that_team END AND pg_has_role(r.oid, 'USAGE'));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_is_own(text, text) IS
'whether a member of a dimension is the current role''s own: the rep whose db_role it is or is a member of, or, in a dimension without reps, the team of such a rep (combined dimensions by their part); true for the unknown member of such dimensions, false for the total and for dimensions with neither. For policies of row-level security';
