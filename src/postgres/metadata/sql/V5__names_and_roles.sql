-- Locks that only Tenure can take; settings that follow a rename; roles: a search path for logins, no old members, and a purge that a
-- privilege does not hold up.

-- Rows to lock: every role can take an advisory lock, whose key it can guess. A session that runs a unit outside of a transaction has
-- another one hold the row with the schema's name; nobody waits for such a row. The other rows are held for moments.
CREATE TABLE tenure_lock (name text PRIMARY KEY);
INSERT INTO tenure_lock VALUES ('names of dropped tenants'), ('group roles');

-- The elements of a search path as strings, with another name for a schema.
CREATE FUNCTION tenure_renamed_path(the_path text, old_name text, new_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT string_agg(quote_literal(CASE WHEN element = old_name THEN new_name ELSE element END), ', ' ORDER BY place)
    FROM regexp_matches(the_path, '"(?:[^"]|"")*"|[^,[:space:]]+', 'g') WITH ORDINALITY AS found (part, place),
        LATERAL (SELECT CASE WHEN part[1] ^@ '"' THEN replace(substr(part[1], 2, length(part[1]) - 2), '""', '"') ELSE part[1] END) named (element)
$$;

-- Changes the search paths of a schema's functions where they contain an old name of the schema.
CREATE FUNCTION tenure_follow_settings(the_schema text, old_name text, new_name text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT p.oid::regprocedure AS routine, substr(setting, length('search_path=') + 1) AS path
        FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid, unnest(p.proconfig) AS setting
        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = (SELECT oid FROM pg_namespace WHERE nspname = the_schema)
            AND d.classid = 'pg_proc'::regclass AND setting ^@ 'search_path='
    LOOP
        IF tenure_renamed_path(found.path, old_name, new_name) <> tenure_renamed_path(found.path, '', '') THEN
            EXECUTE format('ALTER ROUTINE %s SET search_path = %s', found.routine, tenure_renamed_path(found.path, old_name, new_name));
        END IF;
    END LOOP;
END
$$;

-- Changes the search path of the role of a tenant, whose version row has the new name already. Other settings of the role are left
-- alone: it may set them itself.
CREATE FUNCTION tenure_role_follow(the_schema text, old_name text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT r.role_name, CASE WHEN s.setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) ELSE '' END AS place,
            substr(setting, length('search_path=') + 1) AS path
        FROM tenure_role_of(the_schema) r JOIN pg_db_role_setting s ON s.setrole = r.role_oid, unnest(s.setconfig) AS setting
        WHERE r.is_own AND setting ^@ 'search_path='
            AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    LOOP
        IF tenure_renamed_path(found.path, old_name, the_schema) <> tenure_renamed_path(found.path, '', '') THEN
            EXECUTE format('ALTER ROLE %I%s SET search_path = %s', found.role_name, found.place,
                tenure_renamed_path(found.path, old_name, the_schema));
        END IF;
    END LOOP;
END
$$;

-- Gives a role a search path in this database, unless it has one. One with the name of its schema finds its tables without: by "$user".
CREATE FUNCTION tenure_role_path(the_schema text, the_role text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF the_role <> the_schema AND NOT EXISTS (SELECT FROM pg_db_role_setting s, unnest(setconfig) AS setting
        WHERE setrole = quote_ident(the_role)::regrole AND setting ^@ 'search_path='
            AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
    THEN
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I, public', the_role, current_database(), the_schema);
    END IF;
END
$$;

-- Gives a tenant its role; with a verifier of a password the role may log in. A role that an earlier database of this name left
-- behind is used again, unless others have given it something.
CREATE OR REPLACE FUNCTION tenure_role_make(the_schema text, the_role text, the_verifier text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    role_before text;
    another text;
    is_new boolean;
BEGIN
    PERFORM tenure_role_free_name(the_role, the_schema);
    is_new := tenure_role_ensure(the_role);
    SELECT role INTO role_before FROM tenant_version WHERE schema_name = the_schema;
    IF is_new THEN
        -- A tenant whose role somebody dropped does not share this one.
        UPDATE tenant_version SET role = NULL, login = false WHERE role = the_role AND schema_name <> the_schema;
    ELSIF role_before IS DISTINCT FROM the_role THEN
        SELECT schema_name INTO another FROM tenant_version WHERE role = the_role;
        IF NOT FOUND THEN
            SELECT m.roleid::regrole::text INTO another FROM pg_auth_members m
                WHERE m.member = quote_ident(the_role)::regrole
                    AND shobj_description(m.roleid, 'pg_authid') IS DISTINCT FROM tenure_role_mark();
        END IF;
        IF another IS NULL THEN
            -- Its members would have the rights of the next tenant.
            SELECT format('its members: %s', string_agg(m.member::regrole::text, ', ' ORDER BY m.member::regrole::text)) INTO another
                FROM pg_auth_members m WHERE m.roleid = quote_ident(the_role)::regrole AND m.member <> current_user::regrole
                HAVING count(*) > 0;
        END IF;
        IF another IS NULL THEN
            -- What it owns or has rights on, except in the schema.
            SELECT string_agg(DISTINCT said, ', ') INTO another FROM (
                SELECT CASE WHEN dbid <> 0 AND datname IS DISTINCT FROM current_database() THEN concat('what is in database ', datname)
                    WHEN classid = 'pg_namespace'::regclass AND objid = home.oid OR i.schema = quote_ident(the_schema)
                        OR EXISTS (SELECT FROM pg_default_acl a WHERE a.oid = objid AND classid = 'pg_default_acl'::regclass
                                   AND defaclnamespace = home.oid) THEN NULL
                    ELSE concat_ws(' ', i.type, i.identity) END AS said
                FROM pg_shdepend d LEFT JOIN pg_database ON pg_database.oid = dbid
                    LEFT JOIN pg_namespace home ON home.nspname = the_schema
                    LEFT JOIN LATERAL pg_identify_object(classid, objid, objsubid) i ON dbid = 0 OR datname = current_database()
                WHERE refclassid = 'pg_authid'::regclass AND refobjid = quote_ident(the_role)::regrole
            ) held;
        END IF;
        IF another IS NOT NULL THEN
            RAISE EXCEPTION 'the role % is there already', the_role
                USING ERRCODE = 'TNR01', DETAIL = 'it has to do with ' || another;
        END IF;
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', the_role);
    END IF;
    -- A copy of a database has the rights of the roles that it was copied with.
    IF role_before IS DISTINCT FROM the_role
        AND EXISTS (SELECT FROM pg_roles WHERE rolname = role_before) THEN
        EXECUTE format('REVOKE ALL ON SCHEMA %1$I FROM %2$I; REVOKE ALL ON ALL TABLES IN SCHEMA %1$I FROM %2$I; '
            'REVOKE ALL ON ALL SEQUENCES IN SCHEMA %1$I FROM %2$I; REVOKE ALL ON ALL ROUTINES IN SCHEMA %1$I FROM %2$I; '
            'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I REVOKE ALL ON TABLES FROM %2$I; '
            'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I REVOKE ALL ON SEQUENCES FROM %2$I; '
            'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I REVOKE ALL ON ROUTINES FROM %2$I', the_schema, role_before);
    END IF;
    IF is_new OR role_before IS DISTINCT FROM the_role THEN
        UPDATE tenant_version SET role = the_role, login = the_verifier IS NOT NULL WHERE schema_name = the_schema;
    END IF;
    PERFORM tenure_role_path(the_schema, the_role);
    IF the_verifier IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', the_role, the_verifier);
    END IF;
END
$$;

-- Lets a tenant's role log in with a new password, or, without a verifier, no longer; returns its name.
CREATE OR REPLACE FUNCTION tenure_role_login(the_schema text, the_verifier text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text;
BEGIN
    SELECT role_name INTO the_role FROM tenure_role_of(the_schema);
    IF the_role IS NULL THEN
        RAISE EXCEPTION 'the tenant of schema % has no role', the_schema USING ERRCODE = 'TNR02';
    END IF;
    PERFORM tenure_role_ensure(the_role);
    PERFORM tenure_role_path(the_schema, the_role);
    IF the_verifier IS NULL THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', the_role);
    ELSE
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', the_role, the_verifier);
    END IF;
    UPDATE tenant_version SET login = the_verifier IS NOT NULL WHERE schema_name = the_schema;
    RETURN the_role;
END
$$;

-- Returns the role that is dropped with a tenant: only one of this database that no other tenant has. Rights go with a role. Where it
-- owns something outside of the schema, or has to do with another database, an error names that.
CREATE OR REPLACE FUNCTION tenure_role_droppable(the_schema text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text;
    the_oid oid;
    names text;
BEGIN
    SELECT role_name, role_oid INTO the_role, the_oid FROM tenure_role_of(the_schema)
        WHERE is_own AND NOT EXISTS (SELECT FROM tenant_version WHERE role = role_name AND schema_name <> the_schema);
    IF the_role IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT string_agg(DISTINCT said, ', ') INTO names FROM (
        SELECT CASE WHEN datname IS DISTINCT FROM current_database() AND dbid <> 0 THEN concat('what is in database ', datname)
            ELSE (SELECT CASE WHEN schema IS DISTINCT FROM quote_ident(the_schema) THEN type || ' ' || identity END
                    FROM pg_identify_object(classid, objid, 0)) END AS said
        FROM pg_shdepend LEFT JOIN pg_database d ON d.oid = dbid
        -- Only what it owns: a privilege, which any role can grant to it, keeps the role and not the tenant.
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = the_oid AND deptype = 'o'
            AND classid <> 'pg_default_acl'::regclass
            AND (classid <> 'pg_namespace'::regclass OR objid IS DISTINCT FROM to_regnamespace(quote_ident(the_schema))::oid)
    ) held;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'the role % cannot go with schema %, it has to do with: %', the_role, the_schema, names
            USING ERRCODE = 'TN009';
    END IF;
    BEGIN
        -- A role without the right to do this has no right to drop it.
        EXECUTE format('ALTER ROLE %I NOLOGIN', the_role);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role % cannot be dropped by %', the_role, current_user
            USING ERRCODE = 'insufficient_privilege', DETAIL = SQLERRM;
    END;
    RETURN the_role;
END
$$;

-- Drops the role of a tenant whose schema is gone. A role of another database is left alone. Where others granted it a privilege that
-- the current role cannot revoke, or in another database, it stays, without login and under another name; the result says why.
CREATE FUNCTION tenure_role_remove(the_schema text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text := tenure_role_droppable(the_schema);
    left_name text;
    why text;
    names text;
    a_group text;
BEGIN
    IF the_role IS NULL THEN
        RETURN NULL;
    END IF;
    -- Only a member may drop what it owns and revoke its rights elsewhere.
    IF NOT pg_has_role(the_role, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', the_role);
    END IF;
    BEGIN
        EXECUTE format('DROP OWNED BY %I', the_role);
        EXECUTE format('DROP ROLE %I', the_role);
    EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
        GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL, names = MESSAGE_TEXT;
        why := coalesce(nullif(why, ''), names);
        left_name := 'dropped_' || md5(concat_ws(' ', current_database(), the_schema, clock_timestamp()));
        EXECUTE format('ALTER ROLE %I RENAME TO %I', the_role, left_name);
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', left_name);
        FOR a_group IN SELECT roleid::regrole::text FROM pg_auth_members WHERE member = quote_ident(left_name)::regrole LOOP
            EXECUTE format('REVOKE %s FROM %I', a_group, left_name);
        END LOOP;
        BEGIN
            EXECUTE format('DROP OWNED BY %I', left_name);
        EXCEPTION WHEN insufficient_privilege THEN
            -- What remains is named by the result.
            NULL;
        END;
    END;
    UPDATE tenant_version SET role = NULL, login = false WHERE schema_name = the_schema;
    RETURN CASE WHEN left_name IS NOT NULL THEN format('%s: %s', left_name, replace(why, E'\n', ', ')) END;
END
$$;

-- Locks a tenant's version row until the end of the transaction, and returns it; raises an error unless the tenant is in one of
-- the states. A change of the schema's name needs is_still: then it also raises an error while a unit runs on the schema outside of a
-- transaction. To wait here for that unit would hold a snapshot that the unit may be waiting for.
CREATE OR REPLACE FUNCTION tenure_hold(the_schema text, states text[], is_still boolean DEFAULT false) RETURNS tenant_version
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    held tenant_version;
BEGIN
    PERFORM set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    SELECT * INTO held FROM tenant_version WHERE schema_name = the_schema FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'schema % has no version row', the_schema USING ERRCODE = 'TN002';
    ELSIF held.status <> ALL (states) THEN
        RAISE EXCEPTION 'the tenant of schema % is %', the_schema, held.status
            USING ERRCODE = 'TN006', DETAIL = held.status;
    END IF;
    -- Behind the version row's lock no session makes the row of the other lock.
    IF is_still AND EXISTS (SELECT FROM tenure_lock WHERE name = the_schema) THEN
        PERFORM FROM tenure_lock WHERE name = the_schema FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a unit that needs to be alone is running on schema %', the_schema USING ERRCODE = 'TN008';
        END IF;
    END IF;
    RETURN held;
END
$$;

-- Gives the version row of one schema of the pool to a tenant, and records it; the caller renames the schema. It waits for nobody: an
-- error says that another session has taken it or is at work on it.
CREATE OR REPLACE FUNCTION tenure_take(
    the_pooled text, the_template text, the_version text, the_checksum text, the_schema text, the_run uuid, the_tool text
) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    WITH still AS MATERIALIZED (
        SELECT name FROM tenure_lock WHERE name = the_pooled FOR UPDATE SKIP LOCKED
    ),
    free AS MATERIALIZED (
        SELECT schema_name AS pooled FROM tenant_version
        WHERE schema_name = the_pooled AND pool_slot IS NOT NULL AND template = the_template AND status = 'pooled'
            AND version = the_version AND made_from = the_checksum AND proved_at = the_version
            AND to_regnamespace(quote_ident(the_pooled)) IS NOT NULL
            AND (NOT EXISTS (SELECT FROM tenure_lock WHERE name = the_pooled) OR EXISTS (SELECT FROM still))
            AND NOT EXISTS (SELECT FROM migration_history
                WHERE schema_name = the_pooled AND kind = 'begun' AND from_version = the_version)
        FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        UPDATE tenant_version SET schema_name = the_schema, status = 'active', pool_slot = NULL, made_from = NULL, proved_at = NULL,
            applied_at = clock_timestamp(), created_at = now()
        FROM free WHERE schema_name = pooled RETURNING version
    ),
    noted AS (
        INSERT INTO migration_history (run_id, schema_name, from_version, to_version, name, duration_ms, tool_version, kind)
        SELECT the_run, the_schema, version, version, the_pooled,
            extract(epoch FROM clock_timestamp() - now()) * 1000, the_tool, 'rename' FROM taken
        RETURNING 1
    )
    SELECT tenure_refuse('TNP01', format('schema %s of the pool is not free', the_pooled)) FROM noted HAVING count(*) <> 1
$$;

-- Drops a tenant: its schema and its version row get a name of their own, which the setting tenure.dropped holds until the end of the
-- transaction. A schema that somebody dropped by hand is no hindrance.
CREATE OR REPLACE FUNCTION tenure_drop_tenant(the_schema text, the_slug text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    stem text := format('dropped_%s_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'), the_schema);
    ending text := '';
    number integer := 1;
BEGIN
    -- Of two sessions each finds a name of its own.
    PERFORM FROM tenure_lock WHERE name = 'names of dropped tenants' FOR UPDATE;
    LOOP
        WHILE octet_length(stem || ending) > 63 LOOP
            stem := left(stem, -1);
        END LOOP;
        EXIT WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = stem || ending)
            AND NOT EXISTS (SELECT FROM tenant_version WHERE schema_name = stem || ending);
        number := number + 1;
        ending := '_' || number;
    END LOOP;
    IF to_regnamespace(quote_ident(the_schema)) IS NOT NULL THEN
        EXECUTE format('ALTER SCHEMA %I RENAME TO %I', the_schema, stem || ending);
    END IF;
    UPDATE tenant_version SET schema_name = stem || ending, status = 'dropped', former_status = status,
            former_schema = the_schema, former_slug = the_slug, dropped_at = now()
        WHERE schema_name = the_schema;
    RETURN set_config('tenure.dropped', stem || ending, true);
END
$$;

-- Gives the group role of a template's tenants the rights that the template uses on platform tables: [{"table": …, "rights": […]}].
-- There is one group, since the rights on a table stand in one row of the catalog, which has no room for a thousand roles. Rights that
-- are there already are left alone, so that sessions that make tenants do not wait for each other.
CREATE OR REPLACE FUNCTION tenure_role_group(the_group text, the_uses jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    is_alone boolean := false;
    wanted record;
    a_sequence regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = the_group
                    AND shobj_description(oid, 'pg_authid') = tenure_role_mark()) THEN
        PERFORM FROM tenure_lock WHERE name = 'group roles' FOR UPDATE;
        is_alone := true;
        PERFORM tenure_role_ensure(the_group);
    END IF;
    FOR wanted IN
        SELECT format('%I.%I', current_schema(), u ->> 'table') AS table_name, a_right
        FROM jsonb_array_elements(the_uses) u, jsonb_array_elements_text(u -> 'rights') a_right
    LOOP
        IF has_schema_privilege(the_group, current_schema(), 'USAGE')
            AND has_table_privilege(the_group, wanted.table_name, wanted.a_right) AND wanted.a_right <> 'INSERT' THEN
            CONTINUE;
        END IF;
        IF NOT is_alone AND NOT has_table_privilege(the_group, wanted.table_name, wanted.a_right) THEN
            PERFORM FROM tenure_lock WHERE name = 'group roles' FOR UPDATE;
            is_alone := true;
        END IF;
        IF NOT has_schema_privilege(the_group, current_schema(), 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), the_group);
        END IF;
        IF NOT has_table_privilege(the_group, wanted.table_name, wanted.a_right) THEN
            EXECUTE format('GRANT %s ON %s TO %I', wanted.a_right, wanted.table_name, the_group);
        END IF;
        -- Rows with a serial column cannot be inserted without its sequence.
        IF wanted.a_right = 'INSERT' THEN
            FOR a_sequence IN
                SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
                WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjid = wanted.table_name::regclass AND d.deptype = 'a'
                    -- has_sequence_privilege raises an error for other relations.
                    AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(the_group, d.objid, 'USAGE') END
            LOOP
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', a_sequence, the_group);
            END LOOP;
        END IF;
    END LOOP;
END
$$;
