-- What a sign-up needs of the pool, without PL/pgSQL: the first function of that language that a session calls loads it, which
-- takes longer than all the rest. Like V1, it names nothing with its schema.

-- Raises an error. Since it has a setting of its own, the server looks for its language only when it is called.
CREATE FUNCTION tenure_refuse(the_code text, the_message text, the_detail text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION '%', the_message USING ERRCODE = the_code, DETAIL = coalesce(the_detail, '');
END
$$;

CREATE OR REPLACE FUNCTION tenure_expect_platform(the_version text) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT set_config('tenure.began', extract(epoch FROM clock_timestamp())::text, true);
    -- Materialized, so that the row is locked before it is judged.
    WITH platform AS MATERIALIZED (
        SELECT regexp_replace(version, '^v', '') AS at_version FROM schema_version FOR SHARE
    )
    SELECT tenure_refuse('TN004', 'the platform is no longer at version ' || the_version, string_agg(at_version, ', '))
        FROM platform HAVING count(*) <> 1 OR min(at_version) <> the_version
$$;

CREATE OR REPLACE FUNCTION tenure_expect_one(row_count bigint, the_thing text) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT tenure_refuse('TN005', format('%s rows of %s instead of one', row_count, the_thing), NULL) WHERE row_count <> 1
$$;

DROP FUNCTION tenure_take(text, text, text, text, uuid, text);

-- Makes the version row of one schema of the pool that of a tenant, and notes it; the schema gets its new name from who asks. Nobody is
-- waited for: an error says that somebody else has taken it or is at work on it.
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
    SELECT tenure_refuse('TNP01', format('schema %s of the pool is not free', the_pooled), NULL)
        FROM noted HAVING count(*) <> 1
$$;
