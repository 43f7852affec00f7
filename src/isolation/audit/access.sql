-- Privileges across tenants, and memberships.
, thing AS MATERIALIZED (
    SELECT nsp, nspname, 'schema' AS object, format('SCHEMA %I', nspname) AS target, 'n' AS sort, nspowner AS owner,
        nspacl AS acl
    FROM tenant
UNION ALL
    SELECT t.nsp, t.nspname,
        concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
            WHEN 'S' THEN 'sequence ' ELSE 'table ' END, relname),
        format('%s %I.%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, t.nspname, relname), 'r', relowner, relacl
    FROM tenant t JOIN (SELECT * FROM pg_class WHERE relacl IS NOT NULL OFFSET 0) c ON c.relnamespace = t.nsp
UNION ALL
    SELECT t.nsp, t.nspname, concat('table ', relname, ': column ', attname),
        format('(%I) ON TABLE %I.%I', attname, t.nspname, relname), 'c', relowner, attacl
    FROM (SELECT * FROM pg_attribute WHERE attacl IS NOT NULL AND NOT attisdropped OFFSET 0) a
        JOIN pg_class c ON c.oid = a.attrelid JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT t.nsp, t.nspname, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'),
        format('ROUTINE %s', p.oid::regprocedure), 'f', proowner, proacl
    FROM tenant t JOIN (SELECT * FROM pg_proc WHERE proacl IS NOT NULL OFFSET 0) p ON p.pronamespace = t.nsp
UNION ALL
    SELECT t.nsp, t.nspname, concat('type ', typname), format('TYPE %I.%I', t.nspname, typname), 'T', typowner, typacl
    FROM tenant t JOIN (SELECT * FROM pg_type WHERE typacl IS NOT NULL OFFSET 0) y ON y.typnamespace = t.nsp
UNION ALL
    SELECT t.nsp, t.nspname, concat('default privileges on ', word),
        format('FOR ROLE %I IN SCHEMA %I|%s', pg_get_userbyid(defaclrole), t.nspname, upper(word)),
        CASE WHEN defaclobjtype IN ('r', 'S') THEN 'd' ELSE 'D' END, defaclrole, defaclacl
    FROM tenant t JOIN pg_default_acl d ON d.defaclnamespace = t.nsp,
        LATERAL (SELECT CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'routines'
            ELSE 'types' END AS word) named
),
-- The owner's own privileges are ignored.
entry AS MATERIALIZED (
    SELECT thing.*, e.grantee, e.privilege_type, e.is_grantable FROM thing, aclexplode(acl) e WHERE e.grantee <> owner
),
-- Roles marked for another database, or for this one without being a tenant's.
stranger AS MATERIALIZED (
    SELECT objoid AS role, nullif(substr(description, length('tenure: of database ') + 1), current_database()) AS of_database
    FROM pg_shdescription
    WHERE classoid = 'pg_authid'::regclass AND description ^@ 'tenure: of database '
),
shared AS MATERIALIZED (
    SELECT 'schema' AS object, format('SCHEMA %I', nspname) AS target, NULL::name AS relname, 'n'::"char" AS relkind,
        nspowner AS owner, nspacl AS acl
    FROM platform
UNION ALL
    SELECT concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence '
            ELSE 'table ' END, relname),
        format('%s %I.%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname), relname, relkind,
        relowner, relacl
    FROM pg_class c JOIN platform p ON p.nsp = c.relnamespace WHERE relacl IS NOT NULL AND c.oid NOT IN (SELECT oid FROM invoking)
UNION ALL
    SELECT concat('table ', relname, ': column ', attname), format('(%I) ON TABLE %I.%I', attname, nspname, relname), relname,
        relkind, relowner, attacl
    FROM platform p JOIN pg_class c ON p.nsp = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE attacl IS NOT NULL AND NOT attisdropped
),
shared_entry AS MATERIALIZED (
    SELECT shared.*, e.grantee, e.privilege_type, e.is_grantable FROM shared, aclexplode(acl) e WHERE e.grantee <> owner
),
-- PUBLIC includes every tenant role with access to the platform schema.
shared_hand AS MATERIALIZED (
    SELECT nspname, template, acts FROM hand
UNION ALL
    SELECT t.nspname, t.template, 0 FROM tenant t, platform p
    WHERE t.role IS NOT NULL AND has_schema_privilege(t.role, p.nsp, 'USAGE')
)
SELECT 'public-right' AS fact, nspname::text AS schema, object, NULL::text AS who, NULL::text AS other,
    string_agg(DISTINCT privilege_type, ', ') AS what, target
FROM entry WHERE grantee = 0 AND sort IN ('n', 'r', 'c', 'd') GROUP BY nspname, object, target
UNION ALL
SELECT CASE WHEN tenants = 1 AND EXISTS (SELECT FROM tenant t WHERE t.role = grantee) THEN 'cross-tenant-privilege'
        ELSE 'right-through' END,
    nspname, object, pg_get_userbyid(grantee), CASE WHEN first <> nspname THEN first ELSE last END,
    string_agg(DISTINCT privilege_type, ', '), target
FROM entry JOIN acting ON acts = grantee WHERE first <> nspname OR last <> nspname
GROUP BY nspname, object, grantee, first, last, tenants, target
UNION ALL
SELECT 'role-right', entry.nspname, object, pg_get_userbyid(grantee), NULL,
    string_agg(DISTINCT privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', '), target
FROM entry JOIN hand h ON h.nsp = entry.nsp AND h.acts = grantee
WHERE is_grantable OR (sort = 'n' AND privilege_type = 'CREATE') OR privilege_type = 'TRIGGER'
GROUP BY entry.nspname, object, grantee, target
UNION ALL
SELECT 'stranger-right', nspname, object, pg_get_userbyid(grantee), of_database,
    string_agg(DISTINCT privilege_type, ', '), target
FROM entry JOIN stranger ON stranger.role = grantee
WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = grantee)
    AND (of_database IS NOT NULL OR NOT EXISTS (SELECT FROM acting WHERE acts = grantee))
GROUP BY nspname, object, grantee, of_database, target
UNION ALL
SELECT 'stranger-right', NULL, object, pg_get_userbyid(grantee), of_database,
    string_agg(DISTINCT privilege_type, ', '), target
FROM shared_entry JOIN stranger ON stranger.role = grantee
-- Privileges of a template's group role are reported for its first tenant.
WHERE of_database IS NOT NULL AND NOT EXISTS (SELECT FROM acting WHERE acts = grantee)
GROUP BY object, grantee, of_database, target
UNION ALL
SELECT 'member-across', h.nspname, 'role ' || h.rolname, pg_get_userbyid(h.acts), t.nspname, t.rolname,
    format('%I FROM %I', t.rolname, pg_get_userbyid(h.acts))
FROM hand h JOIN membership m ON m.member = h.acts JOIN tenant t ON t.role = m.roleid AND t.nsp <> h.nsp
UNION ALL
-- One of several tenants is named. The uses of a template that the project does not have are unknown.
SELECT 'platform-right', NULL, object, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END, min(h.nspname),
    string_agg(DISTINCT privilege_type || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END, ', '), target
FROM shared_entry e JOIN shared_hand h ON h.acts = e.grantee
WHERE h.template IS NOT NULL AND NOT CASE WHEN is_grantable THEN false ELSE CASE relkind
    WHEN 'n' THEN privilege_type = 'USAGE' AND (grantee = 0 OR EXISTS (SELECT FROM used u WHERE u.template = h.template))
    WHEN 'S' THEN privilege_type = 'USAGE' AND EXISTS (SELECT FROM used u WHERE u.template = h.template AND a_right = 'INSERT')
    ELSE EXISTS (SELECT FROM used u
                 WHERE u.template = h.template AND u.table_name = e.relname AND u.a_right = e.privilege_type) END END
GROUP BY object, grantee, target
