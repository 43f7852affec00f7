-- Owners and extensions.
, owned AS (
    SELECT t.nspname, t.nspowner, relowner AS owner,
        concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
            WHEN 'S' THEN 'sequence ' ELSE 'table ' END, relname) AS object,
        format('%s %I.%I', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, t.nspname, relname) AS target,
        'pg_class'::regclass::oid AS classid, c.oid AS objid
    FROM tenant t JOIN (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') OFFSET 0) c
        ON c.relnamespace = t.nsp AND c.relowner <> t.nspowner
UNION ALL
    SELECT t.nspname, t.nspowner, proowner, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'),
        format('ROUTINE %s', p.oid::regprocedure), 'pg_proc'::regclass, p.oid
    FROM tenant t JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = t.nsp AND p.proowner <> t.nspowner
UNION ALL
    SELECT t.nspname, t.nspowner, typowner, concat('type ', typname), format('TYPE %I.%I', t.nspname, typname),
        'pg_type'::regclass, y.oid
    FROM tenant t JOIN (SELECT * FROM pg_type WHERE typtype IN ('e', 'd', 'r') OFFSET 0) y
        ON y.typnamespace = t.nsp AND y.typowner <> t.nspowner
)
SELECT 'wrong-owner' AS fact, nspname::text AS schema, object, pg_get_userbyid(owner)::text AS who,
    pg_get_userbyid(nspowner)::text AS other, NULL::text AS what, format('%s OWNER TO %I', target, pg_get_userbyid(nspowner)) AS target
FROM owned
WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = owner)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = owned.classid AND d.objid = owned.objid AND d.deptype = 'e')
UNION ALL
-- All objects owned by a tenant's role, in this database or on the server, except those that every role may make: temporary ones,
-- large objects, and its own default privileges and user mappings.
SELECT 'role-owns', t.nspname, concat(i.type, ' ', i.identity), t.rolname, pg_get_userbyid(t.nspowner), NULL,
    CASE WHEN t.nspowner <> t.role THEN format('%I TO %I', t.rolname, pg_get_userbyid(t.nspowner))
        ELSE format('%I TO CURRENT_USER', t.rolname) END
FROM tenant t JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = t.role AND d.deptype = 'o'
        AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())),
    LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
WHERE d.classid NOT IN ('pg_largeobject'::regclass, 'pg_default_acl'::regclass, 'pg_user_mapping'::regclass) AND coalesce(i.schema !~ '^pg_(toast_)?temp', true)
    AND NOT (d.classid = 'pg_namespace'::regclass AND i.identity ~ '^pg_(toast_)?temp')
UNION ALL
SELECT 'extension', t.nspname, 'extension ' || extname, NULL, NULL, NULL,
    CASE WHEN extrelocatable THEN format('ALTER EXTENSION %I SET SCHEMA public', extname) END
FROM pg_extension e JOIN tenant t ON t.nsp = e.extnamespace
