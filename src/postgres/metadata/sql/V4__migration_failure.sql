-- The failures of units, at most one for each schema in a run. The texts contain neither rows nor literals.
CREATE TABLE migration_failure (
    schema_name text NOT NULL,
    run_id uuid NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    -- The file, and the line of the statement that failed.
    name text NOT NULL,
    line integer,
    code text NOT NULL,
    sqlstate text,
    message text NOT NULL,
    attempts integer NOT NULL,
    failed_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    failed_by text NOT NULL DEFAULT session_user,
    PRIMARY KEY (schema_name, run_id)
);
