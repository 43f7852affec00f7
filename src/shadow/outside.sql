-- The objects of a database and its server outside of schemas, which no schema snapshot contains. A line for each, with the names
-- by which a file refers to it and the schema that it concerns, if any. Roles of sample tenants are excluded: other shadows on
-- the same server create and drop them.
SELECT line, what, array_to_string(names, E'\n') AS names, home FROM (
    SELECT 'event trigger ' || t::text AS line, 'event trigger' AS what, ARRAY[t.evtname::text] AS names, NULL AS home
        FROM pg_catalog.pg_event_trigger t
    UNION ALL SELECT 'publication ' || t::text, 'publication', ARRAY[t.pubname::text], NULL FROM pg_catalog.pg_publication t
    UNION ALL SELECT 'publication of ' || t::text, 'publication', ARRAY[p.pubname::text], NULL
        FROM pg_catalog.pg_publication_rel t JOIN pg_catalog.pg_publication p ON p.oid = t.prpubid
    UNION ALL SELECT 'subscription ' || t.subname, 'subscription', ARRAY[t.subname::text], NULL FROM pg_catalog.pg_subscription t
    UNION ALL SELECT 'system function ' || t.oid::regprocedure::text || md5(t.prosrc), 'system function', ARRAY[t.proname::text], NULL
        FROM pg_catalog.pg_proc t WHERE t.pronamespace = 'pg_catalog'::regnamespace AND t.oid >= 16384
    UNION ALL SELECT 'system relation ' || t.relname, 'system relation', ARRAY[t.relname::text], NULL FROM pg_catalog.pg_class t
        WHERE t.relnamespace = 'pg_catalog'::regnamespace AND t.oid >= 16384
    UNION ALL SELECT 'cast ' || t::text, 'cast', ARRAY[s.typname::text, r.typname::text], NULL FROM pg_catalog.pg_cast t
        JOIN pg_catalog.pg_type s ON s.oid = t.castsource JOIN pg_catalog.pg_type r ON r.oid = t.casttarget WHERE t.oid >= 16384
    UNION ALL SELECT 'language ' || t::text, 'language', ARRAY[t.lanname::text], NULL FROM pg_catalog.pg_language t
    UNION ALL SELECT 'foreign data wrapper ' || t::text, 'foreign data wrapper', ARRAY[t.fdwname::text], NULL
        FROM pg_catalog.pg_foreign_data_wrapper t
    UNION ALL SELECT 'server ' || t::text, 'server', ARRAY[t.srvname::text], NULL FROM pg_catalog.pg_foreign_server t
    UNION ALL SELECT 'default privileges ' || t::text, 'default privileges', '{}', n.nspname::text
        FROM pg_catalog.pg_default_acl t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.defaclnamespace
    UNION ALL SELECT 'large object ' || t::text, 'large object', '{}', NULL FROM pg_catalog.pg_largeobject_metadata t
    UNION ALL SELECT concat_ws(' ', 'extension', t.extname, t.extversion, 'in', n.nspname), 'extension', ARRAY[t.extname::text], n.nspname::text
        FROM pg_catalog.pg_extension t JOIN pg_catalog.pg_namespace n ON n.oid = t.extnamespace
    UNION ALL SELECT 'setting ' || concat_ws(' ', d.datname, r.rolname, t.setconfig), 'setting', array_remove(ARRAY[r.rolname::text], NULL), NULL
        FROM pg_catalog.pg_db_role_setting t LEFT JOIN pg_catalog.pg_database d ON d.oid = t.setdatabase
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.setrole
        WHERE t.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    UNION ALL SELECT 'role ' || t::text, 'role', ARRAY[t.rolname::text], NULL
        FROM pg_catalog.pg_roles t WHERE t.rolname !~ 'tenure_(sample|reference|shadow_)'
    UNION ALL SELECT 'member ' || concat_ws(' ', g.rolname, m.rolname), 'member of a role', ARRAY[g.rolname::text, m.rolname::text], NULL
        FROM pg_catalog.pg_auth_members t JOIN pg_catalog.pg_roles g ON g.oid = t.roleid
        JOIN pg_catalog.pg_roles m ON m.oid = t.member WHERE g.rolname !~ 'tenure_(sample|reference|shadow_)' AND m.rolname !~ '^tenure_shadow'
) all_lines
