-- Tenure's own tables and functions. The platform schema stands first in the search path while they are made, so no name here
-- has a schema; pg_temp stands last, or a temporary table could take the place of one of these. A change of them is a further file.

-- A schema_version that exists already is used as it is.
DO $$
BEGIN
    IF to_regclass('schema_version') IS NULL THEN
        CREATE TABLE schema_version (
            version varchar(100) NOT NULL,
            applied_at timestamp with time zone NOT NULL DEFAULT now()
        );
        INSERT INTO schema_version (version) VALUES ('0.0.0');
    END IF;
END
$$;

-- A row for each tenant, and for each schema of the pool.
CREATE TABLE tenant_version (
    schema_name text PRIMARY KEY,
    version text NOT NULL,
    template text,
    status text NOT NULL DEFAULT 'active',
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    -- The values of the template's parameters that the schema's shape may depend on.
    parameters jsonb,
    -- Roles belong to the server, so the name is kept and not derived again. `login`: whether the role may log in while the
    -- tenant is active.
    role text,
    login boolean NOT NULL DEFAULT false,
    -- The attempt that makes the tenant, and until when nobody else removes it.
    making uuid,
    making_until timestamp with time zone,
    -- Of a schema of the pool: its place, the checksum of its template, and the version at which a rename was tried.
    pool_slot integer,
    made_from text,
    proved_at text,
    -- A dropped tenant has another schema name and another slug until it is purged, and gets back its former status.
    dropped_at timestamp with time zone,
    former_schema text,
    former_slug text,
    former_status text,
    -- Once its tables are being deleted it cannot be brought back. `purged_at` is set where the registry's row stays.
    purge_began_at timestamp with time zone,
    purged_at timestamp with time zone,
    -- Versions are compared as text, so each has one spelling: a semantic version without build metadata and without a leading
    -- v. A dropped tenant can be purged whatever stands here.
    CONSTRAINT tenant_version_version CHECK (status = 'dropped' OR version ~
        '^(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)([.](0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?$')
);
CREATE UNIQUE INDEX tenant_version_pool ON tenant_version (template, pool_slot) WHERE pool_slot IS NOT NULL;

CREATE TABLE run (
    id uuid PRIMARY KEY,
    command text NOT NULL,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    finished_at timestamp with time zone,
    outcome text,
    counts jsonb,
    tool_version text NOT NULL,
    started_by text NOT NULL DEFAULT session_user,
    -- Where the write-ahead log was before the first unit; the name of the restore point, where the role could make one.
    wal_lsn pg_lsn,
    timeline integer,
    restore_point text
);

CREATE TABLE migration_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL,
    schema_name text NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    -- The file or template; of a row that records another name of the schema, the name before.
    name text NOT NULL,
    checksum text,
    applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user,
    duration_ms integer NOT NULL DEFAULT 0,
    tool_version text NOT NULL,
    allowed jsonb NOT NULL DEFAULT '[]',
    -- `repair` says that a file is accepted as it is now.
    kind text NOT NULL DEFAULT 'migrate'
);
CREATE INDEX migration_history_schema ON migration_history (schema_name, id);
CREATE INDEX migration_history_checksum ON migration_history (to_version, id) WHERE kind IN ('migrate', 'repair');
CREATE INDEX migration_history_former ON migration_history (name, id) WHERE kind IN ('rename', 'drop', 'undrop');

-- Raises an error. A function with a setting of its own does not load its language before it is called: a sign-up from the pool
-- needs no PL/pgSQL, which a new session would have to load.
CREATE FUNCTION tenure_refuse(the_code text, the_message text, the_detail text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION '%', the_message USING ERRCODE = the_code, DETAIL = coalesce(the_detail, '');
END
$$;

-- Moves a tenant's version row. The row's lock makes a unit happen once however many runners there are.
CREATE FUNCTION tenure_advance(the_schema text, from_version text, to_version text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at_version text;
BEGIN
    PERFORM set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    -- A search path ignores a schema that is gone or closed to the role, and the unit's statements would act on public.
    IF to_regnamespace(quote_ident(the_schema)) IS NULL THEN
        RAISE EXCEPTION 'schema % does not exist', the_schema USING ERRCODE = '3F000';
    ELSIF NOT has_schema_privilege(the_schema, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied for schema %', the_schema USING ERRCODE = '42501';
    END IF;
    UPDATE tenant_version SET version = to_version, applied_at = clock_timestamp()
        WHERE schema_name = the_schema AND version = from_version;
    IF NOT FOUND THEN
        SELECT version INTO at_version FROM tenant_version WHERE schema_name = the_schema;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'schema % has no version row', the_schema USING ERRCODE = 'TN002';
        END IF;
        RAISE EXCEPTION 'schema % is not at version %', the_schema, from_version
            USING ERRCODE = 'TN001', DETAIL = at_version;
    END IF;
END
$$;

-- Moves the platform's version row. Others may have written it with a leading v.
CREATE FUNCTION tenure_advance_platform(from_version text, to_version text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at_version text;
BEGIN
    PERFORM set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    SELECT regexp_replace(version, '^v', '') INTO STRICT at_version FROM schema_version FOR UPDATE;
    IF at_version <> from_version THEN
        RAISE EXCEPTION 'the platform is not at version %', from_version
            USING ERRCODE = 'TN001', DETAIL = at_version;
    END IF;
    UPDATE schema_version SET version = to_version, applied_at = clock_timestamp();
END
$$;

-- Raises an error unless the platform is at the version, and keeps it there until the end of the transaction.
CREATE FUNCTION tenure_expect_platform(the_version text) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    -- Materialized, so that the row is locked before it is compared.
    WITH platform AS MATERIALIZED (
        SELECT regexp_replace(version, '^v', '') AS at_version FROM schema_version FOR SHARE
    )
    SELECT tenure_refuse('TN004', 'the platform is no longer at version ' || the_version, string_agg(at_version, ', '))
        FROM platform HAVING count(*) <> 1 OR min(at_version) <> the_version
$$;

-- Adds a row to the history with the milliseconds since the version row was locked; returns those.
CREATE FUNCTION tenure_record(
    the_run uuid, the_schema text, the_from text, the_to text, the_name text, the_checksum text,
    the_tool text, what_was_allowed jsonb, the_kind text
) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    began text := current_setting('tenure.began', true);
    took integer := 0;
BEGIN
    IF began <> '' THEN
        took := ((extract(epoch FROM clock_timestamp())::float8 - began::float8) * 1000)::integer;
    END IF;
    INSERT INTO migration_history
        (run_id, schema_name, from_version, to_version, name, checksum, duration_ms, tool_version, allowed, kind)
    VALUES
        (the_run, the_schema, the_from, the_to, the_name, the_checksum, took, the_tool, what_was_allowed, the_kind);
    RETURN took;
END
$$;

-- Records in the run's row where the write-ahead log is. A role without the right to make restore points, or a server that keeps too
-- little of the log for them, is no failure: then only the position is recorded. (In a CASE the call would need the right even where
-- it is not made.)
CREATE FUNCTION tenure_mark_run(the_run uuid) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    place pg_lsn := pg_current_wal_insert_lsn();
    named text;
BEGIN
    IF current_setting('wal_level') <> 'minimal'
        AND has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')
    THEN
        named := 'tenure_' || the_run;
        place := pg_create_restore_point(named);
    END IF;
    UPDATE run SET wal_lsn = place, restore_point = named,
        timeline = ('x' || left(pg_walfile_name(place), 8))::bit(32)::int
    WHERE id = the_run;
END
$$;

-- Locks a tenant's version row until the end of the transaction, and returns it; raises an error unless the tenant is in one of
-- the states. A change of the schema's name needs is_still: then it also raises an error while a unit runs on the schema outside of a
-- transaction. To wait here for that unit would hold a snapshot that the unit may be waiting for.
CREATE FUNCTION tenure_hold(the_schema text, states text[], is_still boolean DEFAULT false) RETURNS tenant_version
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    held tenant_version;
BEGIN
    IF is_still AND NOT pg_try_advisory_xact_lock(hashtext('tenure alone'), hashtext(the_schema)) THEN
        RAISE EXCEPTION 'a unit that needs to be alone is running on schema %', the_schema USING ERRCODE = 'TN008';
    END IF;
    PERFORM set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    SELECT * INTO held FROM tenant_version WHERE schema_name = the_schema FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'schema % has no version row', the_schema USING ERRCODE = 'TN002';
    ELSIF held.status <> ALL (states) THEN
        RAISE EXCEPTION 'the tenant of schema % is %', the_schema, held.status
            USING ERRCODE = 'TN006', DETAIL = held.status;
    END IF;
    RETURN held;
END
$$;

-- Gives the version row of one schema of the pool to a tenant, and records it; the caller renames the schema. It waits for nobody: an
-- error says that another session has taken it or is at work on it.
CREATE FUNCTION tenure_take(
    the_pooled text, the_template text, the_version text, the_checksum text, the_schema text, the_run uuid, the_tool text
) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    WITH free AS MATERIALIZED (
        SELECT schema_name AS pooled FROM tenant_version
        WHERE schema_name = the_pooled AND pool_slot IS NOT NULL AND template = the_template AND status = 'pooled'
            AND version = the_version AND made_from = the_checksum AND proved_at = the_version
            AND to_regnamespace(quote_ident(the_pooled)) IS NOT NULL
            AND pg_try_advisory_xact_lock(hashtext('tenure alone'), hashtext(the_pooled))
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
CREATE FUNCTION tenure_drop_tenant(the_schema text, the_slug text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    stem text := format('dropped_%s_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'), the_schema);
    ending text := '';
    number integer := 1;
BEGIN
    -- Of two sessions each finds a name of its own.
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
    RETURN set_config('tenure.dropped', stem || ending, true);
END
$$;

-- Names the objects outside of the schema that depend on something in it, such as `view public.v`. Objects that belong to no schema
-- and are dropped with what they refer to (casts, members of publications) do not count.
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

-- Raises an error that names them.
CREATE FUNCTION tenure_expect_no_dependents(the_schema text) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT tenure_refuse('TN009', format('others depend on what is in schema %s: %s', the_schema, string_agg(said, ', ')))
        FROM tenure_dependents(the_schema) AS said HAVING count(*) > 0
$$;

-- Drops objects of a dropped tenant with about `locks` locks: to drop a table takes one for each of its indexes, constraints, defaults
-- and so on, and the server's lock table is small. Foreign keys go first, then views on which no other view depends, then tables,
-- partitions before their parents, then the rest, kind by kind. Returns the number of dropped objects; 0 when only DROP SCHEMA is left.
CREATE FUNCTION tenure_purge_some(the_schema text, locks integer) RETURNS integer
-- To compile its queries would cost more than to run them.
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
    -- A foreign key takes itself, four triggers and two tables. One to a shared table is dropped with its table, so that the shared
    -- table is locked once; one of a partitioned table is dropped after the partitions.
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
            -- A table that a foreign key still refers to comes last.
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
        -- Functions of a range type or an extension are dropped with that.
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
    BEGIN
        EXECUTE format('DROP %s %s', the_kind, names);
    EXCEPTION WHEN dependent_objects_still_exist THEN
        -- CASCADE must stay within the schema.
        PERFORM tenure_expect_no_dependents(the_schema);
        EXECUTE format('DROP %s %s CASCADE', the_kind, names);
    END;
    RETURN dropped;
END
$$;

-- The comment on this database's roles. Roles belong to the server: a copy of a database must not change the roles of the original.
CREATE FUNCTION tenure_role_mark() RETURNS text
LANGUAGE sql STABLE AS $$ SELECT 'tenure: of database ' || current_database() $$;

-- The role of a tenant, if that role exists, and whether it is this database's.
CREATE FUNCTION tenure_role_of(
    the_schema text, OUT role_name text, OUT role_oid oid, OUT may_log_in boolean, OUT can_log_in boolean, OUT is_own boolean
)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT r.rolname::text, r.oid, t.login, r.rolcanlogin, shobj_description(r.oid, 'pg_authid') IS NOT DISTINCT FROM tenure_role_mark()
        FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role WHERE t.schema_name = the_schema
$$;

-- Raises an error unless the role, which a tenant has, is this database's.
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
CREATE FUNCTION tenure_role_ensure(the_role text) RETURNS boolean
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

-- Gives the role of a dropped tenant another name, where another tenant needs the one that it has.
CREATE FUNCTION tenure_role_free_name(the_role text, to_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    of_schema text;
    other_name text;
BEGIN
    SELECT schema_name INTO of_schema FROM tenant_version t JOIN pg_roles r ON r.rolname = t.role
        WHERE t.role = the_role AND t.schema_name <> to_schema AND t.status = 'dropped'
            AND shobj_description(r.oid, 'pg_authid') = tenure_role_mark()
        -- A session that brings it back or purges it comes first.
        LIMIT 1 FOR UPDATE OF t;
    IF FOUND THEN
        -- Unlike any other name of the server.
        other_name := 'dropped_' || md5(current_database() || ' ' || of_schema);
        EXECUTE format('ALTER ROLE %I RENAME TO %I', the_role, other_name);
        UPDATE tenant_version SET role = other_name WHERE schema_name = of_schema;
    END IF;
END
$$;

-- Gives a tenant its role; with a verifier of a password the role may log in. A role that an earlier database of this name left
-- behind is used again, unless others have given it something.
CREATE FUNCTION tenure_role_make(the_schema text, the_role text, the_verifier text) RETURNS void
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
    IF the_verifier IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', the_role, the_verifier);
    END IF;
END
$$;

-- Gives the group role of a template's tenants the rights that the template uses on platform tables: [{"table": …, "rights": […]}].
-- There is one group, since the rights on a table stand in one row of the catalog, which has no room for a thousand roles. Rights that
-- are there already are left alone, so that sessions that make tenants do not wait for each other.
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
            PERFORM pg_advisory_xact_lock(hashtext('tenure'), hashtext(the_group));
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

-- Gives a tenant's role its rights on the schema, on what the current role will make in it, and, where it is filled, on what is in it
-- already: all that the current role may grant. The group is that of its template, where that uses something of the platform.
CREATE FUNCTION tenure_role_grant(the_schema text, the_role text, the_group text, is_filled boolean) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    rights text;
    named text;
BEGIN
    EXECUTE format('REVOKE ALL ON SCHEMA %1$I FROM PUBLIC; GRANT USAGE ON SCHEMA %1$I TO %2$I; '
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %2$I; '
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT USAGE, SELECT ON SEQUENCES TO %2$I; '
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I GRANT EXECUTE ON ROUTINES TO %2$I', the_schema, the_role);
    IF the_group IS NOT NULL AND NOT pg_has_role(the_role, the_group, 'MEMBER') THEN
        EXECUTE format('GRANT %I TO %I', the_group, the_role);
    END IF;
    -- In a schema that is empty the search would take the longer the more tenants there are.
    IF NOT is_filled THEN
        RETURN;
    END IF;
    FOR rights, named IN
        SELECT CASE relkind WHEN 'S' THEN 'USAGE, SELECT ON SEQUENCE' ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLE' END,
            string_agg(oid::regclass::text, ', ')
        FROM pg_class WHERE relnamespace = quote_ident(the_schema)::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND pg_has_role(relowner, 'USAGE')
        GROUP BY 1
        UNION ALL SELECT 'EXECUTE ON ROUTINE', string_agg(oid::regprocedure::text, ', ')
        FROM pg_proc WHERE pronamespace = quote_ident(the_schema)::regnamespace AND pg_has_role(proowner, 'USAGE') HAVING count(*) > 0
    LOOP
        EXECUTE format('GRANT %s %s TO %I', rights, named, the_role);
    END LOOP;
END
$$;

-- Closes a tenant's role, or opens it if it may log in; returns its name, if it is this database's.
CREATE FUNCTION tenure_role_enable(the_schema text, is_enabled boolean) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    found_role record;
BEGIN
    SELECT * INTO found_role FROM tenure_role_of(the_schema);
    -- A role of another database need not be opened, but must not stay open.
    IF found_role.can_log_in <> (is_enabled AND found_role.may_log_in) AND NOT (is_enabled AND NOT found_role.is_own) THEN
        PERFORM tenure_role_expect_own(found_role.role_name);
        EXECUTE format('ALTER ROLE %I %s', found_role.role_name, CASE WHEN is_enabled THEN 'LOGIN' ELSE 'NOLOGIN' END);
    END IF;
    RETURN CASE WHEN found_role.is_own THEN found_role.role_name END;
END
$$;

-- Lets a tenant's role log in with a new password, or, without a verifier, no longer; returns its name.
CREATE FUNCTION tenure_role_login(the_schema text, the_verifier text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text;
BEGIN
    SELECT role_name INTO the_role FROM tenure_role_of(the_schema);
    IF the_role IS NULL THEN
        RAISE EXCEPTION 'the tenant of schema % has no role', the_schema USING ERRCODE = 'TNR02';
    END IF;
    PERFORM tenure_role_ensure(the_role);
    IF the_verifier IS NULL THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', the_role);
    ELSE
        EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', the_role, the_verifier);
    END IF;
    UPDATE tenant_version SET login = the_verifier IS NOT NULL WHERE schema_name = the_schema;
    RETURN the_role;
END
$$;

-- Gives the role of a tenant another name.
CREATE FUNCTION tenure_role_rename(the_schema text, the_role text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    role_before text;
BEGIN
    SELECT role_name INTO role_before FROM tenure_role_of(the_schema);
    IF role_before IS NULL THEN
        -- A role that somebody dropped has no name to keep.
        UPDATE tenant_version SET role = NULL, login = false WHERE schema_name = the_schema;
    ELSIF role_before <> the_role THEN
        PERFORM tenure_role_expect_own(role_before);
        PERFORM tenure_role_free_name(the_role, the_schema);
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = the_role) THEN
            RAISE EXCEPTION 'the role % is there already', the_role
                USING ERRCODE = 'TNR01', DETAIL = 'so that of schema ' || the_schema || ' cannot be called so';
        END IF;
        EXECUTE format('ALTER ROLE %I RENAME TO %I', role_before, the_role);
        UPDATE tenant_version SET role = the_role WHERE schema_name = the_schema;
    END IF;
END
$$;

-- Returns the role that is dropped with a tenant: only one of this database that no other tenant has. Rights go with a role. Where it
-- owns something outside of the schema, or has to do with another database, an error names that.
CREATE FUNCTION tenure_role_droppable(the_schema text) RETURNS text
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
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = the_oid
            AND (deptype = 'o' OR datname IS DISTINCT FROM current_database() AND dbid <> 0)
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

-- Drops the role of a tenant whose schema is gone. A role of another database is left alone.
CREATE FUNCTION tenure_role_drop(the_schema text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    the_role text := tenure_role_droppable(the_schema);
BEGIN
    IF the_role IS NULL THEN
        RETURN;
    END IF;
    -- Only a member may drop what it owns and revoke its rights elsewhere.
    IF NOT pg_has_role(the_role, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', the_role);
    END IF;
    EXECUTE format('DROP OWNED BY %1$I; DROP ROLE %1$I', the_role);
    UPDATE tenant_version SET role = NULL, login = false WHERE schema_name = the_schema;
END
$$;
