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

-- A tenant gets another name, is put aside, is brought back, is deleted for good.
ALTER TABLE tenant_version
    -- The state that it had before it was dropped, and gets back.
    ADD COLUMN former_status text,
    -- Once its tables are being deleted it cannot be brought back.
    ADD COLUMN purge_began_at timestamp with time zone,
    -- Set where the registry's row was to stay, and with it this one.
    ADD COLUMN purged_at timestamp with time zone;

-- A row that records another name has the new one in schema_name, and in name the one before.
CREATE INDEX migration_history_former ON migration_history (name, id) WHERE kind IN ('rename', 'drop', 'undrop');

-- Like tenure_hold, for who changes the schema's name: while a unit runs without a transaction, it raises an error. To wait
-- here for that unit would be to hold a snapshot that the unit may be waiting for.
CREATE FUNCTION tenure_hold_still(the_schema text, states text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('tenure alone'), hashtext(the_schema)) THEN
        RAISE EXCEPTION 'a unit that needs to be alone is running on schema %', the_schema USING ERRCODE = 'TN008';
    END IF;
    PERFORM tenure_hold(the_schema, states);
END
$$;

-- Raises an error if a schema or a tenant of that name is there; the registry's rows are counted by who asks.
CREATE FUNCTION tenure_expect_free(the_schema text, registered bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF registered > 0 OR EXISTS (SELECT FROM pg_namespace WHERE nspname = the_schema)
        OR EXISTS (SELECT FROM tenant_version WHERE schema_name = the_schema) THEN
        RAISE EXCEPTION 'schema %, or a tenant of that name, is there already', the_schema USING ERRCODE = 'TN007';
    END IF;
END
$$;

-- Notes in the history that the schema got another name, at the version that it has; returns that version.
CREATE FUNCTION tenure_record_name(the_run uuid, the_schema text, the_former text, the_tool text, the_kind text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at_version text;
BEGIN
    SELECT version INTO STRICT at_version FROM tenant_version WHERE schema_name = the_schema;
    PERFORM tenure_record(the_run, the_schema, at_version, at_version, the_former, NULL, the_tool, '[]', the_kind);
    RETURN at_version;
END
$$;

-- Puts a tenant aside under a name of its own, which it returns and leaves in the setting tenure.aside of the transaction.
-- A schema that somebody dropped by hand is no hindrance.
CREATE FUNCTION tenure_put_aside(the_schema text, the_slug text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    stem text := format('dropped_%s_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'), the_schema);
    ending text := '';
    number integer := 1;
BEGIN
    -- Of two at once each finds a name of its own.
    PERFORM pg_advisory_xact_lock(hashtext('tenure aside'));
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
    PERFORM set_config('tenure.aside', stem || ending, true);
    RETURN stem || ending;
END
$$;

-- Brings a tenant that was put aside back under a name that is free, in the state that it had; returns that state.
CREATE FUNCTION tenure_bring_back(the_schema text, the_new_schema text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at_state text;
BEGIN
    EXECUTE format('ALTER SCHEMA %I RENAME TO %I', the_schema, the_new_schema);
    UPDATE tenant_version SET schema_name = the_new_schema, status = coalesce(former_status, 'active'),
            former_status = NULL, former_schema = NULL, former_slug = NULL, dropped_at = NULL
        WHERE schema_name = the_schema AND purge_began_at IS NULL AND purged_at IS NULL RETURNING status INTO at_state;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the tenant of schema % is being deleted for good', the_schema USING ERRCODE = 'TN006';
    END IF;
    RETURN at_state;
END
$$;

-- What is outside of the schema and depends on something in it, such as `view public.v`. What belongs to no schema and goes
-- with what it is of (casts, members of publications) does not count.
CREATE FUNCTION tenure_dependents(the_schema text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path FROM CURRENT SET jit = off AS $$
    WITH home AS MATERIALIZED (SELECT oid FROM pg_namespace WHERE nspname = the_schema),
    member AS MATERIALIZED (
        SELECT 'pg_class'::regclass AS class, c.oid FROM pg_class c JOIN home ON home.oid = relnamespace WHERE relkind NOT IN ('i', 'I')
        UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN home ON home.oid = typnamespace
        UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN home ON home.oid = pronamespace
        UNION ALL SELECT 'pg_operator'::regclass, o.oid FROM pg_operator o JOIN home ON home.oid = oprnamespace
        UNION ALL SELECT 'pg_opclass'::regclass, o.oid FROM pg_opclass o JOIN home ON home.oid = opcnamespace
        UNION ALL SELECT 'pg_opfamily'::regclass, o.oid FROM pg_opfamily o JOIN home ON home.oid = opfnamespace
        UNION ALL SELECT 'pg_collation'::regclass, l.oid FROM pg_collation l JOIN home ON home.oid = collnamespace
        UNION ALL SELECT 'pg_ts_config'::regclass, g.oid FROM pg_ts_config g JOIN home ON home.oid = cfgnamespace
        UNION ALL SELECT 'pg_ts_dict'::regclass, g.oid FROM pg_ts_dict g JOIN home ON home.oid = dictnamespace
    ),
    -- A rule, a constraint, a default, a trigger, a policy is where its table is.
    dependent AS (
        SELECT d.classid, d.objid, d.objsubid, ev_class AS of_view,
            CASE WHEN k.conrelid = 0 THEN 'pg_type'::regclass
                WHEN coalesce(w.oid, k.oid, a.oid, t.oid, p.oid) IS NOT NULL THEN 'pg_class'::regclass ELSE d.classid END AS class,
            coalesce(ev_class, nullif(conrelid, 0), contypid, adrelid, tgrelid, polrelid, d.objid) AS holder
        FROM member JOIN pg_depend d ON refclassid = member.class AND refobjid = member.oid
            LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
            LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
            LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
            LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
            LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
        WHERE d.classid NOT IN ('pg_cast'::regclass, 'pg_amop'::regclass, 'pg_amproc'::regclass, 'pg_default_acl'::regclass,
            'pg_publication_rel'::regclass, 'pg_transform'::regclass)
    ),
    outside AS (
        SELECT DISTINCT CASE WHEN of_view IS NULL THEN classid ELSE class END AS class, coalesce(of_view, objid) AS oid,
            CASE WHEN of_view IS NULL THEN objsubid ELSE 0 END AS subid
        FROM dependent JOIN home ON true
            LEFT JOIN pg_class c ON dependent.class = 'pg_class'::regclass AND c.oid = holder
            LEFT JOIN pg_type y ON dependent.class = 'pg_type'::regclass AND y.oid = holder
            LEFT JOIN pg_proc f ON dependent.class = 'pg_proc'::regclass AND f.oid = holder
        WHERE CASE WHEN coalesce(c.oid, y.oid, f.oid) IS NULL
            THEN (SELECT schema IS DISTINCT FROM quote_ident(the_schema) FROM pg_identify_object(dependent.class, holder, 0))
            ELSE coalesce(relnamespace, typnamespace, pronamespace) NOT IN (home.oid, 'pg_toast'::regnamespace) END
    )
    SELECT said FROM (
        SELECT type || ' ' || identity AS said FROM outside, pg_identify_object(class, outside.oid, subid)
        UNION SELECT 'extension ' || quote_ident(extname) FROM pg_extension JOIN home ON home.oid = extnamespace
    ) named ORDER BY said COLLATE "C"
$$;

-- Raises an error that names them, if there are any.
CREATE FUNCTION tenure_expect_no_dependents(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(said, ', ') INTO names FROM tenure_dependents(the_schema) AS said;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'others depend on what is in schema %: %', the_schema, names USING ERRCODE = 'TN009';
    END IF;
END
$$;

-- Raises an error unless the current role may drop all that is in the schema: as the schema's owner it may, but for the foreign
-- keys of what is another's.
CREATE FUNCTION tenure_expect_ours(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    thing text;
BEGIN
    SELECT said INTO thing FROM (
        SELECT 'schema ' || quote_ident(nspname) AS said FROM pg_namespace
            WHERE nspname = the_schema AND NOT pg_has_role(nspowner, 'USAGE')
        UNION ALL SELECT format('table %I.%I', nspname, relname)
        FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_constraint k ON k.conrelid = c.oid
            WHERE nspname = the_schema AND contype = 'f' AND NOT pg_has_role(relowner, 'USAGE')
    ) others ORDER BY said LIMIT 1;
    IF thing IS NOT NULL THEN
        RAISE EXCEPTION '% does not belong to %', thing, current_user USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

-- Drops things of one kind. Where that needs CASCADE, it is made sure first that it stays within the schema.
CREATE FUNCTION tenure_purge_these(the_schema text, the_kind text, the_names text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('DROP %s %s', the_kind, the_names);
EXCEPTION WHEN dependent_objects_still_exist THEN
    PERFORM tenure_expect_no_dependents(the_schema);
    EXECUTE format('DROP %s %s CASCADE', the_kind, the_names);
END
$$;

-- Deletes of a dropped tenant as much as takes about so many locks: to drop a table takes one for each of its indexes,
-- constraints, defaults and so on, and the server's table of locks is small. Foreign keys go first, then views that no other
-- view stands on, then tables, partitions before what they are parts of, then the rest, group by group. Returns how many things
-- it dropped; 0 when only DROP SCHEMA is left.
CREATE FUNCTION tenure_purge_some(the_schema text, locks integer) RETURNS integer
-- What it asks of the catalogs costs less than to compile it would.
LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
    home oid := to_regnamespace(quote_ident(the_schema));
    the_kind text;
    names text;
    dropped integer;
    a_key record;
BEGIN
    UPDATE tenant_version SET purge_began_at = now() WHERE schema_name = the_schema AND purge_began_at IS NULL;
    IF home IS NULL THEN
        RETURN 0;
    END IF;
    -- A key takes itself, four triggers and two tables. One to a shared table goes with its own table, so that the shared one is
    -- locked once; one of a partitioned table has more below it, and waits for its partitions to be gone.
    dropped := 0;
    FOR a_key IN
        SELECT format('ALTER TABLE %I.%I DROP CONSTRAINT %I', the_schema, c.relname, conname) AS command
        FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_class r ON r.oid = confrelid
        WHERE connamespace = home AND contype = 'f' AND conparentid = 0 AND c.relkind = 'r' AND r.relkind = 'r'
            AND r.relnamespace = home AND conrelid <> confrelid AND NOT c.relispartition AND NOT r.relispartition
        ORDER BY k.oid LIMIT greatest(locks / 7, 1)
    LOOP
        EXECUTE a_key.command;
        dropped := dropped + 1;
    END LOOP;
    IF dropped > 0 THEN
        RETURN dropped;
    END IF;
    WITH candidate AS (
        SELECT c.oid, format('%I.%I', the_schema, relname) AS name, relkind
        FROM pg_class c
        WHERE relnamespace = home AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)
            AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
                WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass
                    AND ev_class <> c.oid)
        ORDER BY relkind NOT IN ('v', 'm'),
            -- What a key still leads to comes last.
            EXISTS (SELECT FROM pg_constraint WHERE confrelid = c.oid AND contype = 'f'), relkind, c.oid LIMIT 200
    ), weighed AS (
        SELECT *, row_number() OVER step AS nth, sum(weight) OVER step AS total, first_value(relkind) OVER step AS first_kind
        FROM (SELECT *, row_number() OVER () AS place, 6
                + (SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_class'::regclass AND refobjid = candidate.oid)
                + (SELECT coalesce(sum(CASE contype WHEN 'f' THEN 6 ELSE 1 END), 0) FROM pg_constraint WHERE conrelid = candidate.oid)
                AS weight FROM candidate) counted
        WINDOW step AS (ORDER BY place)
    )
    SELECT CASE first_kind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
            string_agg(name, ', ' ORDER BY nth), count(*)
        INTO the_kind, names, dropped
        FROM weighed
        WHERE (relkind = first_kind OR relkind::text || first_kind::text IN ('rp', 'pr')) AND (total <= locks OR nth = 1)
        GROUP BY first_kind;
    IF names IS NULL THEN
        -- What a range type or an extension brought goes with it.
        WITH thing AS (
            SELECT 1 AS class, 'ROUTINE' AS kind, p.oid, format('%I.%I(%s)', the_schema, proname,
                    pg_get_function_identity_arguments(p.oid)) AS name
            FROM pg_proc p WHERE pronamespace = home AND prokind <> 'a' AND NOT EXISTS (SELECT FROM pg_depend
                WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype IN ('i', 'e'))
            UNION ALL SELECT 2, 'SEQUENCE', c.oid, format('%I.%I', the_schema, relname)
            FROM pg_class c WHERE relnamespace = home AND relkind = 'S'
            UNION ALL SELECT CASE typtype WHEN 'd' THEN 3 ELSE 4 END, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid,
                format('%I.%I', the_schema, typname)
            FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
            WHERE typnamespace = home AND (typtype IN ('d', 'e', 'r') OR (typtype = 'c' AND relkind = 'c'))
        ), first AS (
            SELECT * FROM thing WHERE class = (SELECT min(class) FROM thing) ORDER BY oid LIMIT greatest(locks / 6, 1)
        )
        SELECT min(kind), string_agg(name, ', ' ORDER BY oid), count(*) INTO the_kind, names, dropped FROM first;
    END IF;
    IF names IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM tenure_purge_these(the_schema, the_kind, names);
    RETURN dropped;
END
$$;

-- Drops what is left of a dropped tenant's schema.
CREATE FUNCTION tenure_purge_rest(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF to_regnamespace(quote_ident(the_schema)) IS NOT NULL THEN
        PERFORM tenure_expect_no_dependents(the_schema);
        EXECUTE format('DROP SCHEMA %I CASCADE', the_schema);
    END IF;
END
$$;

-- Raises an error where the tenant is deleted already and only its rows stayed.
CREATE FUNCTION tenure_expect_unpurged(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM tenant_version WHERE schema_name = the_schema AND purged_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the tenant of schema % is deleted already', the_schema USING ERRCODE = 'TN002';
    END IF;
END
$$;

-- Raises an error where the registry did not give up a deleted row; its rows are counted by who asks.
CREATE FUNCTION tenure_expect_gone(the_schema text, registered bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF registered > 0 THEN
        RAISE EXCEPTION 'the registry keeps the row of schema %, by a trigger or a rule', the_schema USING ERRCODE = 'TN010';
    END IF;
END
$$;

-- Provisioning.
ALTER TABLE tenant_version
    -- The values of the template's parameters that the schema's shape may depend on.
    ADD COLUMN parameters jsonb,
    -- Which attempt makes a tenant that is being made, and until when it may.
    ADD COLUMN making uuid,
    ADD COLUMN making_until timestamp with time zone,
    -- Of a schema that was made in advance: its place in the pool of its template, the checksum of the template, and the
    -- version at which it was proved that it can have another name.
    ADD COLUMN pool_slot integer,
    ADD COLUMN made_from text,
    ADD COLUMN proved_at text;
CREATE UNIQUE INDEX tenant_version_pool ON tenant_version (template, pool_slot) WHERE pool_slot IS NOT NULL;

-- What had to be done after a tenant was made is done. Told twice, it is done once.
CREATE FUNCTION tenure_made(the_schema text, the_attempt uuid) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE tenant_version SET status = 'active'
        WHERE schema_name = the_schema AND making = the_attempt AND status IN ('creating', 'active');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the tenant of schema % is no longer being made by this run', the_schema USING ERRCODE = 'TNP02';
    END IF;
END
$$;

-- Takes back a tenant that was being made: that of the attempt, or, where none is given, of one whose time is over. A copy
-- has no time: how long its rows take nobody knows.
CREATE FUNCTION tenure_unmake(the_schema text, the_attempt uuid) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    tenant tenant_version;
BEGIN
    PERFORM tenure_hold(the_schema, ARRAY['creating']);
    SELECT * INTO tenant FROM tenant_version WHERE schema_name = the_schema;
    IF the_attempt IS NOT NULL AND tenant.making IS DISTINCT FROM the_attempt THEN
        RAISE EXCEPTION 'the tenant of schema % is no longer being made by this run', the_schema USING ERRCODE = 'TNP02';
    ELSIF the_attempt IS NULL AND tenant.making_until > clock_timestamp() THEN
        RAISE EXCEPTION 'the tenant of schema % is being made by another run', the_schema
            USING ERRCODE = 'TNP03', DETAIL = to_char(tenant.making_until AT TIME ZONE 'UTC', '"until" YYYY-MM-DD HH24:MI:SS "UTC"');
    ELSIF the_attempt IS NULL AND tenant.making_until IS NULL THEN
        RAISE EXCEPTION 'the tenant of schema % is being cloned or imported by another run', the_schema USING ERRCODE = 'TNP04';
    END IF;
    PERFORM tenure_expect_no_dependents(the_schema);
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', the_schema);
    PERFORM tenure_role_drop(the_schema);
    DELETE FROM tenant_version WHERE schema_name = the_schema;
    RETURN tenant.version;
END
$$;

-- Nobody waits for a schema that was made in advance: one that is behind is not taken.
CREATE OR REPLACE FUNCTION tenure_expect_no_tenant_at(versions text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    behind bigint;
    an_example text;
BEGIN
    SELECT count(*), min(schema_name) INTO behind, an_example
        FROM tenant_version WHERE version = ANY (versions) AND status NOT IN ('dropped', 'pooled');
    IF behind > 0 THEN
        RAISE EXCEPTION 'the platform waits for tenants that are behind: %', behind
            USING ERRCODE = 'TN003', DETAIL = 'one of them is ' || an_example;
    END IF;
END
$$;

-- Makes a tenant's schema of one that was made in advance. Of those that others are taking just now none is waited for; where
-- none is left, or a unit without a transaction is at work on it, an error says so.
CREATE FUNCTION tenure_take(
    the_template text, the_version text, the_checksum text, the_schema text, the_run uuid, the_tool text
) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    pooled text;
BEGIN
    SELECT schema_name INTO pooled FROM tenant_version
        WHERE pool_slot IS NOT NULL AND template = the_template AND status = 'pooled' AND version = the_version
            AND made_from = the_checksum AND proved_at = the_version AND to_regnamespace(quote_ident(schema_name)) IS NOT NULL
        ORDER BY pool_slot LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR NOT pg_try_advisory_xact_lock(hashtext('tenure alone'), hashtext(pooled))
        OR EXISTS (SELECT FROM migration_history
            WHERE schema_name = pooled AND kind = 'begun' AND from_version = the_version) THEN
        RAISE EXCEPTION 'the pool of the template % is empty', the_template USING ERRCODE = 'TNP01';
    END IF;
    EXECUTE format('ALTER SCHEMA %I RENAME TO %I', pooled, the_schema);
    UPDATE tenant_version SET schema_name = the_schema, status = 'active', pool_slot = NULL, made_from = NULL, proved_at = NULL,
            applied_at = clock_timestamp(), created_at = now()
        WHERE schema_name = pooled;
    PERFORM tenure_record_name(the_run, the_schema, pooled, the_tool, 'rename');
END
$$;

-- Drops a schema that was made in advance and that nobody has taken.
CREATE FUNCTION tenure_drain(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM tenure_hold_still(the_schema, ARRAY['pooled']);
    PERFORM tenure_expect_no_dependents(the_schema);
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', the_schema);
    DELETE FROM tenant_version WHERE schema_name = the_schema;
END
$$;

-- Walls: a role a tenant. Roles belong to the whole server, so its name is kept rather than made up again, and a comment
-- on each says to which database it belongs: a copy of a database must not act on the roles of the one it was copied from.
ALTER TABLE tenant_version ADD COLUMN role text;

CREATE FUNCTION tenure_role_mark() RETURNS text
LANGUAGE sql STABLE AS $$ SELECT 'tenure: of database ' || current_database() $$;

-- Raises an error where the role, which a tenant has, is not this database's.
CREATE FUNCTION tenure_role_expect_own(the_role text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    a_mark text;
BEGIN
    SELECT shobj_description(oid, 'pg_authid') INTO a_mark FROM pg_roles WHERE rolname = the_role;
    IF a_mark IS DISTINCT FROM tenure_role_mark() THEN
        RAISE EXCEPTION 'the role % is not of this database', the_role
            USING ERRCODE = 'TNR01', DETAIL = coalesce('its comment says ' || a_mark, 'Tenure did not make it'),
                HINT = 'in a copy of a database, set [tenants] role_prefix in tenure.toml and run `tenure tenant grant`; in one that '
                    'was renamed, COMMENT ON ROLE says so';
    END IF;
END
$$;

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
        IF a_mark IS DISTINCT FROM tenure_role_mark() THEN
            RAISE EXCEPTION 'the role % is there already', the_role
                USING ERRCODE = 'TNR01', DETAIL = coalesce('its comment says ' || a_mark, 'Tenure did not make it');
        ELSIF is_mighty THEN
            RAISE EXCEPTION 'the role % is there already', the_role
                USING ERRCODE = 'TNR01', DETAIL = 'it may do more than a role of a tenant',
                    HINT = '`tenure tenant audit` says what, and the statement that takes it away';
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

-- What a role owns or has rights on, but for what is in the schema; NULL where that is nothing.
CREATE FUNCTION tenure_role_holds(the_role text, the_schema text) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT string_agg(DISTINCT said, ', ') FROM (
        SELECT CASE WHEN dbid <> 0 AND datname IS DISTINCT FROM current_database() THEN concat('what is in database ', datname)
            WHEN classid = 'pg_namespace'::regclass AND objid = home.oid OR i.schema = quote_ident(the_schema)
                OR EXISTS (SELECT FROM pg_default_acl a WHERE a.oid = objid AND classid = 'pg_default_acl'::regclass
                           AND defaclnamespace = home.oid) THEN NULL
            ELSE concat_ws(' ', i.type, i.identity) END AS said
        FROM pg_shdepend d LEFT JOIN pg_database ON pg_database.oid = dbid
            LEFT JOIN pg_namespace home ON home.nspname = the_schema
            LEFT JOIN LATERAL pg_identify_object(classid, objid, objsubid) i ON dbid = 0 OR datname = current_database()
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = quote_ident(the_role)::regrole
    ) held
$$;

-- Gives a tenant its role; with a verifier of a password the role may log in. A role that an earlier database of this name
-- left behind is used again, unless others have given it something.
CREATE FUNCTION tenure_role_make(the_schema text, the_role text, the_verifier text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    role_before text;
    another text;
    is_new boolean;
BEGIN
    PERFORM tenure_role_yield(the_role, the_schema);
    is_new := tenure_role_take(the_role);
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
            another := tenure_role_holds(the_role, the_schema);
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

-- The role of a tenant, if it has one that is this database's.
CREATE FUNCTION tenure_role_of(the_schema text) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT t.role FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role
        WHERE t.schema_name = the_schema AND shobj_description(r.oid, 'pg_authid') = tenure_role_mark()
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
    -- What is not ours need not be opened, but must not be left open.
    IF FOUND AND can_log_in <> (opens AND may_log_in) AND NOT (opens AND tenure_role_of(the_schema) IS NULL) THEN
        PERFORM tenure_role_expect_own(the_role);
        EXECUTE format('ALTER ROLE %I %s', the_role, CASE WHEN opens THEN 'LOGIN' ELSE 'NOLOGIN' END);
    END IF;
    RETURN tenure_role_of(the_schema);
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

-- A tenant that was dropped keeps its role, closed, but not the role's name where another tenant is to have that.
CREATE FUNCTION tenure_role_yield(the_role text, to_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    of_schema text;
    other_name text;
BEGIN
    SELECT schema_name INTO of_schema FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role
        WHERE t.role = the_role AND t.schema_name <> to_schema AND t.status = 'dropped'
            AND shobj_description(r.oid, 'pg_authid') = tenure_role_mark()
        -- Who brings it back just now, or deletes it, comes first.
        LIMIT 1 FOR UPDATE OF t;
    IF FOUND THEN
        -- Like no other of the server.
        other_name := 'dropped_' || md5(current_database() || ' ' || of_schema);
        EXECUTE format('ALTER ROLE %I RENAME TO %I', the_role, other_name);
        UPDATE tenant_version SET role = other_name WHERE schema_name = of_schema;
    END IF;
END
$$;

-- Gives the role of a tenant another name; returns that, if the tenant has a role.
CREATE FUNCTION tenure_role_rename(the_schema text, the_role text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    role_before text;
BEGIN
    SELECT r.rolname INTO role_before FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role
        WHERE t.schema_name = the_schema;
    IF NOT FOUND THEN
        -- One that somebody dropped has no name to keep.
        UPDATE tenant_version SET role = NULL, login = false WHERE schema_name = the_schema;
        RETURN NULL;
    ELSIF role_before = the_role THEN
        RETURN role_before;
    END IF;
    PERFORM tenure_role_expect_own(role_before);
    PERFORM tenure_role_yield(the_role, the_schema);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = the_role) THEN
        RAISE EXCEPTION 'the role % is there already', the_role
            USING ERRCODE = 'TNR01', DETAIL = 'so that of schema ' || the_schema || ' cannot be called so';
    END IF;
    EXECUTE format('ALTER ROLE %I RENAME TO %I', role_before, the_role);
    UPDATE tenant_version SET role = the_role WHERE schema_name = the_schema;
    RETURN the_role;
END
$$;

-- The role that goes with the tenant, if it has one that is this database's and nobody else's. Rights go with a role; what it
-- owns outside of the schema does not, and what other databases know of it cannot: then an error names that.
CREATE FUNCTION tenure_role_goes(the_schema text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text;
    role_oid oid;
    names text;
BEGIN
    SELECT r.rolname, r.oid INTO the_role, role_oid FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role
        WHERE t.schema_name = the_schema AND shobj_description(r.oid, 'pg_authid') = tenure_role_mark()
            AND NOT EXISTS (SELECT FROM tenant_version o WHERE o.role = t.role AND o.schema_name <> the_schema);
    SELECT string_agg(DISTINCT said, ', ') INTO names FROM (
        SELECT CASE WHEN datname IS DISTINCT FROM current_database() AND dbid <> 0 THEN concat('what is in database ', datname)
            ELSE (SELECT CASE WHEN schema IS DISTINCT FROM quote_ident(the_schema) THEN type || ' ' || identity END
                    FROM pg_identify_object(classid, objid, 0)) END AS said
        FROM pg_shdepend LEFT JOIN pg_database d ON d.oid = dbid
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = role_oid
            AND (deptype = 'o' OR datname IS DISTINCT FROM current_database() AND dbid <> 0)
            AND classid <> 'pg_default_acl'::regclass
            AND (classid <> 'pg_namespace'::regclass OR objid IS DISTINCT FROM to_regnamespace(quote_ident(the_schema))::oid)
    ) held;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'the role % cannot go with schema %, it has to do with: %', the_role, the_schema, names
            USING ERRCODE = 'TN009';
    END IF;
    IF the_role IS NOT NULL THEN
        BEGIN
            -- Who may not do this may not drop it.
            EXECUTE format('ALTER ROLE %I NOLOGIN', the_role);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'the role % cannot be dropped by %', the_role, current_user
                USING ERRCODE = 'insufficient_privilege', DETAIL = SQLERRM;
        END;
    END IF;
    RETURN the_role;
END
$$;

-- Drops the role of a tenant whose schema is gone. A role of another database is left alone.
CREATE FUNCTION tenure_role_drop(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text := tenure_role_goes(the_schema);
BEGIN
    IF the_role IS NULL THEN
        RETURN;
    END IF;
    -- Its rights elsewhere can be taken away by who has its own.
    IF NOT pg_has_role(the_role, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', the_role);
    END IF;
    EXECUTE format('DROP OWNED BY %1$I; DROP ROLE %1$I', the_role);
    UPDATE tenant_version SET role = NULL, login = false WHERE schema_name = the_schema;
END
$$;
