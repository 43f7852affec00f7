-- A tenant's version is compared as text, so it must be the text that Tenure writes: a semantic version (semver.org) without build
-- metadata and without a leading v. Like V1, this file names nothing with its schema.
-- NOT VALID: rows that are there already are not checked here, since every run refuses one that it cannot read and names it.
-- What was dropped may be deleted whatever stands there.
ALTER TABLE tenant_version ADD CONSTRAINT tenant_version_version CHECK (status = 'dropped' OR version ~
    '^(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)([.](0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?$'
) NOT VALID;

-- Raises an error unless each tenant is at one of the versions. One that is at a version that the chain does not have counts as behind.
CREATE FUNCTION tenure_expect_tenants_at(versions text[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    behind bigint;
    an_example text;
BEGIN
    SELECT count(*), min(schema_name) INTO behind, an_example
        FROM tenant_version WHERE version <> ALL (versions) AND status NOT IN ('dropped', 'pooled');
    IF behind > 0 THEN
        RAISE EXCEPTION 'the platform waits for tenants that are behind: %', behind
            USING ERRCODE = 'TN003', DETAIL = 'one of them is ' || an_example;
    END IF;
END
$$;
DROP FUNCTION tenure_expect_no_tenant_at(text[]);

-- Takes the version row of a tenant that is being made, and raises an error unless it is the attempt that makes it.
CREATE FUNCTION tenure_hold_making(the_schema text, the_attempt uuid) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM tenure_hold(the_schema, ARRAY['creating']);
    IF NOT EXISTS (SELECT FROM tenant_version WHERE schema_name = the_schema AND making = the_attempt) THEN
        RAISE EXCEPTION 'the tenant of schema % is no longer being made by this run', the_schema USING ERRCODE = 'TNP02';
    END IF;
END
$$;

-- Takes back a tenant that was being made: that of the attempt, or, where none is given, of one whose time is over. The history keeps
-- its rows, and a further row says that they were undone.
DROP FUNCTION tenure_unmake(text, uuid);
CREATE FUNCTION tenure_unmake(the_schema text, the_attempt uuid, the_run uuid, the_tool text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    tenant tenant_version;
BEGIN
    IF the_attempt IS NOT NULL THEN
        PERFORM tenure_hold_making(the_schema, the_attempt);
    ELSE
        BEGIN
            -- A run that copies rows keeps the version row locked meanwhile.
            PERFORM FROM tenant_version WHERE schema_name = the_schema FOR UPDATE NOWAIT;
        EXCEPTION WHEN lock_not_available THEN
            RAISE EXCEPTION 'the tenant of schema % is being made by another run', the_schema USING ERRCODE = 'TNP04';
        END;
        PERFORM tenure_hold(the_schema, ARRAY['creating']);
    END IF;
    SELECT * INTO tenant FROM tenant_version WHERE schema_name = the_schema;
    IF the_attempt IS NULL AND tenant.making_until > clock_timestamp() THEN
        RAISE EXCEPTION 'the tenant of schema % is being made by another run', the_schema
            USING ERRCODE = 'TNP03', DETAIL = to_char(tenant.making_until AT TIME ZONE 'UTC', '"until" YYYY-MM-DD HH24:MI:SS "UTC"');
    ELSIF the_attempt IS NULL AND tenant.making_until IS NULL THEN
        RAISE EXCEPTION 'the tenant of schema % is being made by another run', the_schema USING ERRCODE = 'TNP04';
    END IF;
    PERFORM tenure_expect_no_dependents(the_schema);
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', the_schema);
    PERFORM tenure_role_drop(the_schema);
    DELETE FROM tenant_version WHERE schema_name = the_schema;
    PERFORM tenure_record(the_run, the_schema, tenant.version, '0.0.0', coalesce(tenant.template, ''), NULL, the_tool, '[]', 'undone');
END
$$;
