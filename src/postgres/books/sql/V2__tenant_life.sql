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
