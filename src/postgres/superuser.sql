-- What lets the superuser of a private server run single statements for the role of the project's statements, in its transaction.
-- Sent by the superuser before the first statement of the project runs; {role} is the quoted role.
--
-- Invariant: only the superuser writes the table, and a row holds only for the session of its process, which sends nothing of
-- the project until the superuser has deleted the row.
-- Like a catalog, it is not an object of the project, for Tenure and for pg_dump.
SET LOCAL allow_system_table_mods = on;
CREATE SCHEMA pg_tenure;
SET LOCAL allow_system_table_mods = off;
CREATE TABLE pg_tenure.statement (
    id uuid PRIMARY KEY,
    pid integer NOT NULL,
    backend_start timestamptz NOT NULL,
    -- The statements, in order, and the names in the first.
    texts text[] NOT NULL,
    names name[] NOT NULL
);

-- The statements of that row. Refused if they name a role that could do more than one of the project.
CREATE FUNCTION pg_tenure.texts_of(the_id uuid) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_texts text[];
    the_names name[];
    a_name text;
BEGIN
    SELECT texts, names INTO STRICT the_texts, the_names
        FROM pg_tenure.statement JOIN pg_stat_activity USING (pid, backend_start)
        WHERE id = the_id AND pid = pg_backend_pid();
    SELECT r.rolname INTO a_name FROM pg_roles r WHERE r.rolname = ANY (the_names)
        AND (r.rolsuper OR r.rolcreaterole OR r.rolreplication OR EXISTS (
            SELECT FROM pg_roles more WHERE (more.rolsuper OR more.rolname IN (
                'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
                AND pg_has_role(r.oid, more.oid, 'MEMBER')))
        LIMIT 1;
    IF FOUND THEN
        RAISE insufficient_privilege USING MESSAGE = format('permission denied: the role %I has more rights than the project', a_name);
    END IF;
    RETURN the_texts;
END
$$;

-- Runs them with the search path of the session.
CREATE FUNCTION pg_tenure.run(the_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    a_text pg_catalog.text;
BEGIN
    FOREACH a_text IN ARRAY pg_tenure.texts_of(the_id) LOOP
        EXECUTE a_text;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION pg_tenure.texts_of(uuid), pg_tenure.run(uuid) FROM PUBLIC;
GRANT USAGE ON SCHEMA pg_tenure TO {role};
GRANT EXECUTE ON FUNCTION pg_tenure.run(uuid) TO {role};
