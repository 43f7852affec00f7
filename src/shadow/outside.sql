-- What a database and its server hold outside of schemas, and no photograph of a schema shows: a line each.
-- Roles of sample tenants come and go with other shadows of the same server.
SELECT line FROM (
    SELECT 'event trigger ' || t::text AS line FROM pg_catalog.pg_event_trigger t
    UNION ALL SELECT 'publication ' || t::text FROM pg_catalog.pg_publication t
    UNION ALL SELECT 'publication of ' || t::text FROM pg_catalog.pg_publication_rel t
    UNION ALL SELECT 'subscription ' || t.subname FROM pg_catalog.pg_subscription t
    UNION ALL SELECT 'system function ' || t.oid::regprocedure::text || md5(t.prosrc) FROM pg_catalog.pg_proc t
        WHERE t.pronamespace = 'pg_catalog'::regnamespace AND t.oid >= 16384
    UNION ALL SELECT 'system relation ' || t.relname FROM pg_catalog.pg_class t
        WHERE t.relnamespace = 'pg_catalog'::regnamespace AND t.oid >= 16384
    UNION ALL SELECT 'cast ' || t::text FROM pg_catalog.pg_cast t WHERE t.oid >= 16384
    UNION ALL SELECT 'language ' || t::text FROM pg_catalog.pg_language t
    UNION ALL SELECT 'foreign data wrapper ' || t::text FROM pg_catalog.pg_foreign_data_wrapper t
    UNION ALL SELECT 'server ' || t::text FROM pg_catalog.pg_foreign_server t
    UNION ALL SELECT 'default privileges ' || t::text FROM pg_catalog.pg_default_acl t
    UNION ALL SELECT 'large object ' || t::text FROM pg_catalog.pg_largeobject_metadata t
    UNION ALL SELECT 'extension ' || t.extname || ' ' || t.extversion FROM pg_catalog.pg_extension t
    UNION ALL SELECT 'setting ' || concat_ws(' ', d.datname, r.rolname, t.setconfig)
        FROM pg_catalog.pg_db_role_setting t LEFT JOIN pg_catalog.pg_database d ON d.oid = t.setdatabase
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.setrole
        WHERE t.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    UNION ALL SELECT 'role ' || t::text FROM pg_catalog.pg_roles t WHERE t.rolname !~ 'tenure_(sample|reference)'
    UNION ALL SELECT 'member ' || concat_ws(' ', g.rolname, m.rolname)
        FROM pg_catalog.pg_auth_members t JOIN pg_catalog.pg_roles g ON g.oid = t.roleid
        JOIN pg_catalog.pg_roles m ON m.oid = t.member WHERE g.rolname !~ 'tenure_(sample|reference)'
) all_lines
