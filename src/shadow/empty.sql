-- Drops all contents of a database. Event triggers go first, since they may refuse the statements after them. Members of
-- extensions are dropped with their extension. The search path contains no schema in which a project could create operators or
-- functions, since this runs with the rights of a role that may have more than the project's.
BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
DO $$
DECLARE
    a_name text;
    an_oid oid;
BEGIN
    FOR a_name IN
        SELECT evtname FROM pg_catalog.pg_event_trigger t WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP EVENT TRIGGER %I', a_name);
    END LOOP;
    FOR a_name IN SELECT pubname FROM pg_catalog.pg_publication LOOP
        EXECUTE format('DROP PUBLICATION %I', a_name);
    END LOOP;
    FOR a_name IN SELECT extname FROM pg_catalog.pg_extension WHERE oid >= 16384 LOOP
        EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', a_name);
    END LOOP;
    FOR a_name IN SELECT fdwname FROM pg_catalog.pg_foreign_data_wrapper WHERE oid >= 16384 LOOP
        EXECUTE format('DROP FOREIGN DATA WRAPPER %I CASCADE', a_name);
    END LOOP;
    FOR a_name IN
        SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', a_name);
    END LOOP;
    FOR an_oid IN
        SELECT oid FROM pg_catalog.pg_proc WHERE oid >= 16384 AND pronamespace = 'pg_catalog'::regnamespace
    LOOP
        EXECUTE format('DROP ROUTINE %s CASCADE', an_oid::regprocedure);
    END LOOP;
    FOR an_oid IN SELECT oid FROM pg_catalog.pg_largeobject_metadata LOOP
        PERFORM lo_unlink(an_oid);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
    CREATE SCHEMA public;
    GRANT ALL ON SCHEMA public TO CURRENT_USER;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
END
$$;
COMMIT;
