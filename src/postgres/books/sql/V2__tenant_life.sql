-- A tenant's whole life: what becomes of it after it was made. Like V1, it names nothing with its schema.
ALTER TABLE tenant_version
    -- A tenant that was dropped has another schema name and another slug until it is deleted for good.
    ADD COLUMN dropped_at timestamp with time zone,
    ADD COLUMN former_schema text,
    ADD COLUMN former_slug text,
    -- Whether the tenant's role may log in while the tenant is active.
    ADD COLUMN login boolean NOT NULL DEFAULT false;

-- Takes a tenant's version row until the end of the transaction, and raises an error unless the tenant is in one
-- of the states.
CREATE FUNCTION tenure_hold(the_schema text, states text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at_state text;
BEGIN
    PERFORM set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    SELECT status INTO at_state FROM tenant_version WHERE schema_name = the_schema FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'schema % has no version row', the_schema USING ERRCODE = 'TN002';
    ELSIF at_state <> ALL (states) THEN
        RAISE EXCEPTION 'the tenant of schema % is %', the_schema, at_state
            USING ERRCODE = 'TN006', DETAIL = at_state;
    END IF;
END
$$;

-- Walls: a role a tenant. Roles belong to the whole server, so its name is kept rather than made up again, and a comment
-- on each says to which database it belongs: a copy of a database must not act on the roles of the one it was copied from.
ALTER TABLE tenant_version ADD COLUMN role text;

CREATE FUNCTION tenure_role_mark() RETURNS text
LANGUAGE sql STABLE AS $$ SELECT 'tenure: of database ' || current_database() $$;

-- Makes sure that there is a role of that name which is this database's; returns whether it was made.
CREATE FUNCTION tenure_role_take(the_role text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    a_mark text;
    is_mighty boolean;
BEGIN
    SELECT shobj_description(oid, 'pg_authid'),
            rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
        INTO a_mark, is_mighty FROM pg_roles WHERE rolname = the_role;
    IF FOUND THEN
        IF a_mark IS DISTINCT FROM tenure_role_mark() OR is_mighty THEN
            RAISE EXCEPTION 'the role % is there already', the_role
                USING ERRCODE = 'TNR01', DETAIL = coalesce('its comment says ' || a_mark, 'Tenure did not make it');
        END IF;
        RETURN false;
    END IF;
    BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', the_role);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        RAISE EXCEPTION 'the role % is there already', the_role
            USING ERRCODE = 'TNR01', DETAIL = 'it was made at this moment';
    END;
    EXECUTE format('COMMENT ON ROLE %I IS %L', the_role, tenure_role_mark());
    RETURN true;
END
$$;

-- Gives a tenant its role; with a verifier of a password the role may log in. A role that an earlier database of this name
-- left behind is used again, unless others have given it something.
CREATE FUNCTION tenure_role_make(the_schema text, the_role text, the_verifier text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    role_before text;
    another text;
    is_new boolean := tenure_role_take(the_role);
BEGIN
    SELECT role INTO role_before FROM tenant_version WHERE schema_name = the_schema;
    IF role_before IS DISTINCT FROM the_role AND NOT is_new THEN
        SELECT schema_name INTO another FROM tenant_version WHERE role = the_role;
        IF NOT FOUND THEN
            SELECT m.roleid::regrole::text INTO another FROM pg_auth_members m
                WHERE m.member = quote_ident(the_role)::regrole
                    AND shobj_description(m.roleid, 'pg_authid') IS DISTINCT FROM tenure_role_mark();
        END IF;
        IF another IS NOT NULL THEN
            RAISE EXCEPTION 'the role % is there already', the_role
                USING ERRCODE = 'TNR01', DETAIL = 'it belongs to ' || another;
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
    IF the_verifier IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', the_role, the_verifier);
    END IF;
END
$$;

-- Gives the role of all tenants of a template what the template uses of the platform: [{"table": …, "rights": […]}]. One role
-- for all of them, since the rights on a table stand in one row of the catalog, which has no room for a thousand. What is
-- there already is left alone, so that tenants that are made at once do not wait for each other.
CREATE FUNCTION tenure_role_group(the_group text, the_uses jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    is_alone boolean := false;
    wanted record;
    a_sequence regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = the_group
                    AND shobj_description(oid, 'pg_authid') = tenure_role_mark()) THEN
        PERFORM pg_advisory_xact_lock(hashtext('tenure'), hashtext(the_group));
        is_alone := true;
        PERFORM tenure_role_take(the_group);
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
            PERFORM pg_advisory_xact_lock(hashtext('tenure'), hashtext(the_group));
            is_alone := true;
        END IF;
        IF NOT has_schema_privilege(the_group, current_schema(), 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), the_group);
        END IF;
        IF NOT has_table_privilege(the_group, wanted.table_name, wanted.a_right) THEN
            EXECUTE format('GRANT %s ON %s TO %I', wanted.a_right, wanted.table_name, the_group);
        END IF;
        -- A serial column's rows cannot be written without its sequence.
        IF wanted.a_right = 'INSERT' THEN
            FOR a_sequence IN
                SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
                WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjid = wanted.table_name::regclass AND d.deptype = 'a'
                    -- What is no sequence must not be asked for a sequence's rights.
                    AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(the_group, d.objid, 'USAGE') END
            LOOP
                EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', a_sequence, the_group);
            END LOOP;
        END IF;
    END LOOP;
END
$$;

-- Gives a tenant's role its rights on the schema, and on what the current role will make in it. The group is that of its
-- template, where that uses something of the platform. A schema with nothing in it needs no more.
CREATE FUNCTION tenure_role_cover(the_schema text, the_role text, the_group text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('REVOKE ALL ON SCHEMA %1$I FROM PUBLIC; GRANT USAGE ON SCHEMA %1$I TO %2$I; '
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %2$I; '
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT USAGE, SELECT ON SEQUENCES TO %2$I; '
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT EXECUTE ON ROUTINES TO %2$I', the_schema, the_role);
    IF the_group IS NOT NULL AND NOT pg_has_role(the_role, the_group, 'MEMBER') THEN
        EXECUTE format('GRANT %I TO %I', the_group, the_role);
    END IF;
END
$$;

-- The same, and the rights on what is in the schema already: all that the current role may grant. What others made is theirs
-- to grant.
CREATE FUNCTION tenure_role_grant(the_schema text, the_role text, the_group text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    schema_oid oid := quote_ident(the_schema)::regnamespace;
    rights text;
    named text;
BEGIN
    PERFORM tenure_role_cover(the_schema, the_role, the_group);
    FOR rights, named IN
        SELECT CASE relkind WHEN 'S' THEN 'USAGE, SELECT ON SEQUENCE' ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLE' END,
            string_agg(oid::regclass::text, ', ')
        FROM pg_class WHERE relnamespace = schema_oid AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND pg_has_role(relowner, 'USAGE')
        GROUP BY 1
        UNION ALL SELECT 'EXECUTE ON ROUTINE', string_agg(oid::regprocedure::text, ', ')
        FROM pg_proc WHERE pronamespace = schema_oid AND pg_has_role(proowner, 'USAGE') HAVING count(*) > 0
    LOOP
        EXECUTE format('GRANT %s %s TO %I', rights, named, the_role);
    END LOOP;
END
$$;

-- Closes a tenant's role, or opens it again if it may log in; returns its name, if there is one.
CREATE FUNCTION tenure_role_turn(the_schema text, opens boolean) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text;
    may_log_in boolean;
    can_log_in boolean;
BEGIN
    SELECT t.role, t.login, r.rolcanlogin INTO the_role, may_log_in, can_log_in
        FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role WHERE t.schema_name = the_schema;
    IF FOUND AND can_log_in <> (opens AND may_log_in) THEN
        PERFORM tenure_role_take(the_role);
        EXECUTE format('ALTER ROLE %I %s', the_role, CASE WHEN opens THEN 'LOGIN' ELSE 'NOLOGIN' END);
    END IF;
    RETURN the_role;
END
$$;

-- Lets a tenant's role log in with a new password, or, without a verifier, no longer; returns its name.
CREATE FUNCTION tenure_role_login(the_schema text, the_verifier text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text;
BEGIN
    SELECT r.rolname INTO the_role FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role
        WHERE t.schema_name = the_schema;
    IF the_role IS NULL THEN
        RAISE EXCEPTION 'the tenant of schema % has no role', the_schema USING ERRCODE = 'TNR02';
    END IF;
    PERFORM tenure_role_take(the_role);
    IF the_verifier IS NULL THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', the_role);
    ELSE
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', the_role, the_verifier);
    END IF;
    UPDATE tenant_version SET login = the_verifier IS NOT NULL WHERE schema_name = the_schema;
    RETURN the_role;
END
$$;
