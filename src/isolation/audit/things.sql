-- Owners, extensions, and SECURITY DEFINER functions.
, owned AS (
    SELECT t.nspname, t.nspowner, relowner AS owner,
        concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
            WHEN 'S' THEN 'sequence ' ELSE 'table ' END, relname) AS object,
        format('%s %I.%I', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, t.nspname, relname) AS target,
        'pg_class'::regclass::oid AS classid, c.oid AS objid
    FROM tenant t JOIN (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') OFFSET 0) c
        ON c.relnamespace = t.nsp AND c.relowner <> t.nspowner
    WHERE page
UNION ALL
    SELECT t.nspname, t.nspowner, proowner, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'),
        format('ROUTINE %s', p.oid::regprocedure), 'pg_proc'::regclass, p.oid
    FROM tenant t JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = t.nsp AND p.proowner <> t.nspowner WHERE page
UNION ALL
    SELECT t.nspname, t.nspowner, typowner, concat('type ', typname), format('TYPE %I.%I', t.nspname, typname),
        'pg_type'::regclass, y.oid
    FROM tenant t JOIN (SELECT * FROM pg_type WHERE typtype IN ('e', 'd', 'r') OFFSET 0) y
        ON y.typnamespace = t.nsp AND y.typowner <> t.nspowner
    WHERE page
),
home AS (SELECT nsp, nspname FROM tenant WHERE page UNION ALL SELECT nsp, nspname FROM platform)
SELECT 'wrong-owner' AS fact, nspname::text AS schema, object, pg_get_userbyid(owner)::text AS who,
    pg_get_userbyid(nspowner)::text AS other, NULL::text AS what, format('%s OWNER TO %I', target, pg_get_userbyid(nspowner)) AS target
FROM owned
WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = owner)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = owned.classid AND d.objid = owned.objid AND d.deptype = 'e')
UNION ALL
-- All objects owned by a tenant's role, in this database or on the server.
SELECT 'role-owns', t.nspname, concat(i.type, ' ', i.identity), t.rolname, pg_get_userbyid(t.nspowner), NULL,
    CASE WHEN t.nspowner <> t.role THEN format('%I TO %I', t.rolname, pg_get_userbyid(t.nspowner))
        ELSE format('%I TO CURRENT_USER', t.rolname) END
FROM tenant t JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = t.role AND d.deptype = 'o'
        AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())),
    LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
WHERE page
UNION ALL
SELECT 'extension', t.nspname, 'extension ' || extname, NULL, NULL, NULL,
    CASE WHEN extrelocatable THEN format('ALTER EXTENSION %I SET SCHEMA public', extname) END
FROM pg_extension e JOIN tenant t ON t.nsp = e.extnamespace WHERE page
UNION ALL
SELECT CASE WHEN path IS NULL THEN 'definer-path' ELSE 'definer-user-path' END, home.nspname,
    concat('function ', proname, '(', oidvectortypes(proargtypes), ')'), pg_get_userbyid(proowner), NULL, path,
    format('%s SET search_path = %I, pg_temp', p.oid::regprocedure, home.nspname)
FROM home JOIN (SELECT * FROM pg_proc WHERE prosecdef OFFSET 0) p ON p.pronamespace = home.nsp,
    LATERAL (SELECT max(setting) AS path FROM unnest(proconfig) AS setting WHERE setting ^@ 'search_path=') set_to
WHERE (path IS NULL OR strpos(path, '$user') > 0)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
-- A role with access to the platform schema may call the functions that PUBLIC may call.
SELECT 'definer-open', p.nspname, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'),
    pg_get_userbyid(proowner), t.nspname, t.rolname, format('ROUTINE %s', f.oid::regprocedure)
FROM platform p JOIN pg_proc f ON f.pronamespace = p.nsp AND prosecdef,
    LATERAL (SELECT nspname, rolname FROM tenant WHERE role IS NOT NULL AND has_schema_privilege(role, p.nsp, 'USAGE')
             AND has_function_privilege(role, f.oid, 'EXECUTE') ORDER BY nspname LIMIT 1) t
UNION ALL
SELECT 'public-schema', n.nspname, 'schema', NULL, NULL, NULL, NULL FROM pg_namespace n, aclexplode(nspacl) e
WHERE n.nspname = 'public' AND e.grantee = 0 AND e.privilege_type = 'CREATE' AND EXISTS (SELECT FROM tenant WHERE role IS NOT NULL)
