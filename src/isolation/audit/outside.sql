-- Privileges outside of the tenants' schemas and the platform's: other schemas, the system catalogs, the database, the server.
-- Privileges that the server and extensions begin with.
, initial AS MATERIALIZED (
    SELECT i.classoid, i.objoid, i.objsubid, e.grantee, e.privilege_type FROM pg_init_privs i, aclexplode(i.initprivs) e
),
place AS MATERIALIZED (
    SELECT n.oid AS nsp, n.nspname, n.nspowner, n.nspacl FROM pg_namespace n
    WHERE n.nspname !~ '^pg_(toast|temp)' AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = n.oid)
),
-- Who may use a schema; without that, a privilege on an object in it has no effect.
usable AS MATERIALIZED (
    SELECT DISTINCT p.nsp, e.grantee AS acts FROM place p, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) e
        JOIN audience a ON a.acts = e.grantee
    WHERE e.privilege_type = 'USAGE'
),
thing AS MATERIALIZED (
    SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid, 0 AS objsubid, p.nsp, p.nspname,
        concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
            WHEN 'S' THEN 'sequence ' ELSE 'table ' END, relname) AS object,
        format('%s %I.%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname) AS target,
        relowner AS owner, relacl AS acl
    FROM place p JOIN (SELECT * FROM pg_class WHERE relacl IS NOT NULL OFFSET 0) c ON c.relnamespace = p.nsp
    WHERE NOT EXISTS (SELECT FROM platform WHERE platform.nsp = p.nsp)
UNION ALL
    SELECT 'pg_class'::regclass, c.oid, attnum, p.nsp, p.nspname, concat('table ', relname, ': column ', attname),
        format('(%I) ON TABLE %I.%I', attname, nspname, relname), relowner, attacl
    FROM place p JOIN (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') OFFSET 0) c ON c.relnamespace = p.nsp,
        LATERAL (SELECT * FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL AND NOT attisdropped OFFSET 0) a
    WHERE NOT EXISTS (SELECT FROM platform WHERE platform.nsp = p.nsp)
UNION ALL
    -- Only functions that not everyone may call from the beginning, such as pg_read_file.
    SELECT 'pg_proc'::regclass, f.oid, 0, p.nsp, p.nspname, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'),
        format('ROUTINE %s', f.oid::regprocedure), proowner, proacl
    FROM place p JOIN pg_proc f ON f.pronamespace = p.nsp
    WHERE proacl IS NOT NULL AND EXISTS (SELECT FROM initial i WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = f.oid)
),
entry AS MATERIALIZED (
    SELECT thing.*, e.grantee, e.privilege_type, a.first FROM thing, aclexplode(acl) e JOIN audience a ON a.acts = e.grantee
    WHERE e.grantee <> owner AND NOT (classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM invoking))
        AND NOT EXISTS (SELECT FROM initial i
            WHERE i.classoid = classid AND i.objoid = objid AND i.objsubid IN (0, thing.objsubid)
                AND i.privilege_type = e.privilege_type AND i.grantee IN (0, e.grantee))
        -- The information schema, which every role may read, is not in the list.
        AND NOT (nspname = 'information_schema' AND objid < 16384 AND e.privilege_type = 'SELECT')
        AND EXISTS (SELECT FROM usable u WHERE u.nsp = thing.nsp AND (u.acts = 0 OR e.grantee = 0
            OR EXISTS (SELECT FROM hand one JOIN hand two ON one.nsp = two.nsp WHERE one.acts = e.grantee AND two.acts = u.acts)))
),
server_thing AS (
    SELECT 'foreign data wrapper ' || fdwname AS object, format('FOREIGN DATA WRAPPER %I', fdwname) AS target, fdwowner AS owner,
        fdwacl AS acl, NULL::text AS of_one
    FROM pg_foreign_data_wrapper
UNION ALL
    SELECT 'foreign server ' || srvname, format('FOREIGN SERVER %I', srvname), srvowner, srvacl, NULL FROM pg_foreign_server
UNION ALL
    SELECT 'tablespace ' || spcname, format('TABLESPACE %I', spcname), spcowner, spcacl, 'CREATE' FROM pg_tablespace
UNION ALL
    -- PUBLIC may connect and create temporary tables by default.
    SELECT 'database ' || datname, format('DATABASE %I', datname), datdba, datacl, CASE WHEN datname = current_database() THEN 'CREATE' END
    FROM pg_database
UNION ALL
    SELECT concat('large object ', oid), format('LARGE OBJECT %s', oid), lomowner, lomacl, NULL
    FROM pg_largeobject_metadata WHERE lomacl IS NOT NULL
),
-- Roles other than the tenants' that may create objects in a schema of the product.
made AS MATERIALIZED (
    SELECT * FROM pg_default_acl WHERE defaclnamespace NOT IN (SELECT nsp FROM tenant)
        AND defaclrole NOT IN (SELECT role FROM tenant WHERE role IS NOT NULL)
),
maker AS MATERIALIZED (
    SELECT d.* FROM made d JOIN pg_roles r ON r.oid = d.defaclrole
    WHERE r.rolsuper OR EXISTS (SELECT FROM tenant t WHERE t.nspowner = d.defaclrole)
        OR EXISTS (SELECT FROM pg_namespace n WHERE n.oid = d.defaclnamespace AND has_schema_privilege(d.defaclrole, n.oid, 'CREATE'))
        OR d.defaclnamespace = 0 AND EXISTS (SELECT FROM pg_namespace n
            WHERE n.nspname !~ '^pg_' AND has_schema_privilege(d.defaclrole, n.oid, 'CREATE'))
)
SELECT 'outside-right' AS fact, nspname::text AS schema, object, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END::text AS who,
    first::text AS other, string_agg(DISTINCT privilege_type, ', ') AS what, target
FROM entry GROUP BY nspname, object, grantee, first, target
UNION ALL
SELECT 'public-schema', p.nspname, 'schema', CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee) END, a.first, NULL,
    format('SCHEMA %I', p.nspname)
FROM place p, aclexplode(nspacl) e JOIN audience a ON a.acts = e.grantee
WHERE e.privilege_type = 'CREATE' AND e.grantee <> nspowner AND NOT EXISTS (SELECT FROM platform WHERE platform.nsp = p.nsp)
UNION ALL
SELECT 'server-right', NULL, object, CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee) END, min(a.first),
    string_agg(DISTINCT privilege_type, ', '), target
FROM server_thing s, aclexplode(acl) e JOIN audience a ON a.acts = e.grantee
WHERE e.grantee <> owner AND (of_one IS NULL OR e.privilege_type = of_one)
    AND NOT (object ^@ 'database ' AND e.grantee = 0 AND e.privilege_type IN ('CONNECT', 'TEMPORARY'))
GROUP BY object, e.grantee, target
UNION ALL
-- A language whose functions act outside of the database, and that the catalog calls trusted: a tenant may create temporary functions.
SELECT 'server-right', NULL, 'language ' || lanname, CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee) END, min(a.first), 'USAGE',
    format('LANGUAGE %I', lanname)
FROM pg_language l, aclexplode(coalesce(lanacl, acldefault('l', lanowner))) e JOIN audience a ON a.acts = e.grantee
WHERE lanpltrusted AND (lanname IN ('c', 'internal') OR lanname ~ 'u$' AND lanispl) AND e.grantee <> lanowner
GROUP BY lanname, e.grantee
UNION ALL
-- Default privileges outside of the tenants' schemas open the next object.
SELECT CASE WHEN e.grantee = 0 THEN 'public-right' ELSE 'right-through' END, n.nspname, 'default privileges on ' || word,
    CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee) END, a.first, string_agg(DISTINCT e.privilege_type, ', '),
    format('FOR ROLE %I%s|%s', pg_get_userbyid(defaclrole), ' IN SCHEMA ' || quote_ident(n.nspname), upper(word))
FROM maker d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(defaclacl) e JOIN audience a ON a.acts = e.grantee,
    LATERAL (SELECT CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'routines'
        WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects' ELSE 'types' END AS word) named
WHERE e.grantee <> defaclrole
    -- PUBLIC may call functions and use types by default.
    AND (e.grantee <> 0 AND d.defaclnamespace = 0 OR defaclobjtype IN ('r', 'S', 'n', 'L'))
GROUP BY n.nspname, word, e.grantee, a.first, defaclrole
UNION ALL
-- Settings that switch off a protection, of the database, of all roles, of a tenant's role, or of the server.
SELECT 'setting-opens', t.nspname, CASE WHEN s.setrole <> 0 THEN 'role ' || pg_get_userbyid(s.setrole)
        WHEN s.setdatabase <> 0 THEN 'database ' || current_database() ELSE 'all roles' END, NULL, NULL, setting,
    CASE WHEN s.setrole <> 0 THEN format('ROLE %I', pg_get_userbyid(s.setrole)) ELSE 'ROLE ALL' END
        || CASE WHEN s.setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) ELSE '' END
        || ' RESET ' || split_part(setting, '=', 1)
FROM pg_db_role_setting s LEFT JOIN tenant t ON t.role = s.setrole, unnest(setconfig) AS setting
WHERE (s.setrole = 0 OR t.nsp IS NOT NULL)
    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND (setting ~* '^lo_compat_privileges=(t|tr|tru|true|y|ye|yes|on|1)$' OR setting ~* '^session_replication_role=replica$')
    AND EXISTS (SELECT FROM audience)
UNION ALL
SELECT 'setting-opens', NULL, 'server', NULL, NULL, 'lo_compat_privileges=on', NULL
FROM pg_settings WHERE name = 'lo_compat_privileges' AND setting = 'on' AND source NOT IN ('database', 'user', 'database user', 'global')
    AND EXISTS (SELECT FROM audience)
