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
