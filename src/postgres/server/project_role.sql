-- Creates the role of the project's statements and gives it the empty database. Sent by the superuser in one transaction; {role} is
-- the quoted role.
CREATE ROLE {role} LOGIN CREATEROLE CREATEDB BYPASSRLS;
DO $$
BEGIN
    IF current_setting('server_version_num')::integer < 160000 THEN
        -- CREATEROLE suffices to become a member of any role there (manual, chapter Role Attributes).
        DELETE FROM pg_authid
            WHERE rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files');
    ELSE
        -- As the owner of a database in most services, it may use the roles that it creates.
        ALTER ROLE {role} SET createrole_self_grant = 'set, inherit';
    END IF;
    IF current_setting('server_version_num')::integer >= 150000 THEN
        EXECUTE 'GRANT SET ON PARAMETER session_replication_role TO {role}';
    END IF;
END
$$;
GRANT pg_read_all_stats, pg_signal_backend TO {role};
GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO {role};
ALTER SCHEMA public OWNER TO {role};
ALTER DATABASE {database} OWNER TO {role}
