-- Tenure's own tables. They are made with the platform schema first in the search path, so nothing
-- here names it; pg_temp stands last in it, or a temporary table could take the place of one of these. A schema_version that exists already is used as it is.
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

CREATE TABLE tenant_version (
    schema_name text PRIMARY KEY,
    version text NOT NULL,
    template text,
    status text NOT NULL DEFAULT 'active',
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    created_at timestamp with time zone NOT NULL DEFAULT now()
);

CREATE TABLE run (
    id uuid PRIMARY KEY,
    command text NOT NULL,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    finished_at timestamp with time zone,
    outcome text,
    counts jsonb,
    tool_version text NOT NULL,
    started_by text NOT NULL DEFAULT session_user
);

CREATE TABLE migration_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL,
    schema_name text NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    name text NOT NULL,
    checksum text,
    applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user,
    duration_ms integer NOT NULL DEFAULT 0,
    tool_version text NOT NULL,
    allowed jsonb NOT NULL DEFAULT '[]',
    -- migrate, template, baseline, or repair: a row that says "this file, as it is now, is accepted".
    kind text NOT NULL DEFAULT 'migrate'
);
CREATE INDEX migration_history_schema ON migration_history (schema_name, id);
CREATE INDEX migration_history_checksum ON migration_history (to_version, id) WHERE kind IN ('migrate', 'repair');

-- Moves a tenant's version row, and prepares the transaction for the unit's statements: their lock timeout,
-- their search path. The row's lock makes a unit happen once however many runners there are; who waits for it
-- waits for a unit like itself, so no lock timeout counts. It has no search path of its own, or the one that it
-- sets would end with it; so its names are written out.
DO $do$
BEGIN
    EXECUTE format($function$
CREATE FUNCTION tenure_advance(the_schema text, from_version text, to_version text, lock_timeout_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    at_version text;
    ignored text;
BEGIN
    ignored := set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    -- A schema that is gone, or closed to the role, drops out of the search path without a word, and the
    -- unit's statements would fall into the next one, public.
    IF to_regnamespace(quote_ident(the_schema)) IS NULL THEN
        RAISE EXCEPTION 'schema %% does not exist', the_schema USING ERRCODE = '3F000';
    ELSIF NOT has_schema_privilege(the_schema, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied for schema %%', the_schema USING ERRCODE = '42501';
    END IF;
    ignored := set_config('lock_timeout', '0', true);
    UPDATE %1$I.tenant_version SET version = to_version, applied_at = clock_timestamp()
        WHERE schema_name = the_schema AND version = from_version;
    IF NOT FOUND THEN
        SELECT version INTO at_version FROM %1$I.tenant_version WHERE schema_name = the_schema;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'schema %% has no version row', the_schema USING ERRCODE = 'TN002';
        END IF;
        RAISE EXCEPTION 'schema %% is not at version %%', the_schema, from_version
            USING ERRCODE = 'TN001', DETAIL = at_version;
    END IF;
    ignored := set_config('lock_timeout', lock_timeout_ms::text, true);
    ignored := set_config('search_path', quote_ident(the_schema) || ', public', true);
END
$$
$function$, current_schema());
END
$do$;

-- Moves the platform's version row, which may have been written with a leading v by other hands.
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

-- Raises an error while a tenant is still at one of the versions.
CREATE FUNCTION tenure_expect_no_tenant_at(versions text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    behind bigint;
    an_example text;
BEGIN
    SELECT count(*), min(schema_name) INTO behind, an_example
        FROM tenant_version WHERE version = ANY (versions) AND status <> 'dropped';
    IF behind > 0 THEN
        RAISE EXCEPTION 'the platform waits for tenants that are behind: %', behind
            USING ERRCODE = 'TN003', DETAIL = 'one of them is ' || an_example;
    END IF;
END
$$;

-- Raises an error unless the platform is at the version, and keeps it there until the end of the transaction.
CREATE FUNCTION tenure_expect_platform(the_version text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at_version text;
BEGIN
    PERFORM set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    SELECT regexp_replace(version, '^v', '') INTO STRICT at_version FROM schema_version FOR SHARE;
    IF at_version <> the_version THEN
        RAISE EXCEPTION 'the platform is no longer at version %', the_version
            USING ERRCODE = 'TN004', DETAIL = at_version;
    END IF;
END
$$;

-- Raises an error unless exactly one row was found: a trigger or a view may swallow what is written.
CREATE FUNCTION tenure_expect_one(row_count bigint, the_thing text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF row_count <> 1 THEN
        RAISE EXCEPTION '% rows of % instead of one', row_count, the_thing USING ERRCODE = 'TN005';
    END IF;
END
$$;

-- Adds a row to the history, with the time since the unit's version row was moved or checked, in milliseconds;
-- returns that time.
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
