-- Tenant roles: missing roles, excessive attributes, missing privileges.
-- Dropped tenants are excluded: their roles get missing privileges when they are restored.
, walled AS MATERIALIZED (
    SELECT * FROM tenant WHERE has_role AND role IS NOT NULL AND page AND status <> 'dropped' AND (current_setting('tenure.audit')::jsonb ->> 'roles')::boolean
),
-- An owner has all privileges and may grant them.
owning AS MATERIALIZED (
    SELECT nspowner AS owner FROM tenant UNION SELECT nspowner FROM platform
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
    UNION SELECT relowner FROM pg_class c JOIN (SELECT nsp FROM tenant UNION ALL SELECT nsp FROM platform) n ON n.nsp = c.relnamespace
)
SELECT 'role-missing' AS fact, nspname::text AS schema, 'schema' AS object, NULL::text AS who, NULL::text AS other,
    NULL::text AS what, NULL::text AS target
FROM tenant WHERE page AND (role IS NULL OR NOT has_role) AND status NOT IN ('dropped', 'pooled')
    AND (current_setting('tenure.audit')::jsonb ->> 'roles')::boolean
UNION ALL
SELECT 'role-overprivileged', nspname, 'role ' || r.rolname, r.rolname, NULL,
    concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN rolreplication THEN 'REPLICATION' END),
    format('%I %s', r.rolname, concat_ws(' ', CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
        CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END, CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END,
        CASE WHEN rolcreatedb THEN 'NOCREATEDB' END, CASE WHEN rolreplication THEN 'NOREPLICATION' END))
FROM tenant t JOIN pg_roles r ON r.oid = t.role
WHERE page AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
UNION ALL
-- Through a membership: predefined roles, roles with such an attribute, and owners.
SELECT 'role-member', h.nspname, 'role ' || h.rolname, h.rolname, NULL, r.rolname, format('%I FROM %I', r.rolname, h.rolname)
FROM hand h JOIN pg_roles r ON r.oid = h.acts JOIN tenant t ON t.nsp = h.nsp
WHERE t.page AND h.acts <> t.role
    AND (r.rolname ^@ 'pg_' OR r.oid IN (SELECT owner FROM owning) OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication)
UNION ALL
SELECT 'role-elsewhere', nspname, 'role ' || rolname, rolname, shobj_description(role, 'pg_authid'), NULL, quote_ident(rolname)
FROM tenant
WHERE page AND has_role AND role IS NOT NULL
    AND shobj_description(role, 'pg_authid') IS DISTINCT FROM 'tenure: of database ' || current_database()
UNION ALL
SELECT 'role-open', nspname, 'role ' || t.rolname, t.rolname, status, NULL, quote_ident(t.rolname)
FROM tenant t JOIN pg_roles r ON r.oid = t.role WHERE page AND status IN ('suspended', 'dropped') AND r.rolcanlogin
UNION ALL
SELECT 'role-lacks', nspname, 'schema', rolname, NULL, 'USAGE', NULL
FROM walled WHERE NOT has_schema_privilege(role, nsp, 'USAGE')
UNION ALL
SELECT 'role-lacks', nspname, concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '
        WHEN 'f' THEN 'foreign table ' ELSE 'table ' END, relname), rolname, NULL, lacking, NULL
FROM walled t JOIN (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') OFFSET 0) c ON c.relnamespace = t.nsp,
    LATERAL (SELECT concat_ws(', ', CASE WHEN NOT has_table_privilege(role, c.oid, 'SELECT') THEN 'SELECT' END,
        CASE WHEN relkind <> 'm' AND NOT has_table_privilege(role, c.oid, 'INSERT') THEN 'INSERT' END,
        CASE WHEN relkind <> 'm' AND NOT has_table_privilege(role, c.oid, 'UPDATE') THEN 'UPDATE' END,
        CASE WHEN relkind <> 'm' AND NOT has_table_privilege(role, c.oid, 'DELETE') THEN 'DELETE' END) AS lacking) l
WHERE lacking <> ''
UNION ALL
SELECT 'role-lacks', nspname, 'sequence ' || relname, rolname, NULL, 'USAGE, SELECT', NULL
FROM walled t JOIN (SELECT * FROM pg_class WHERE relkind = 'S' OFFSET 0) c ON c.relnamespace = t.nsp
WHERE NOT (has_sequence_privilege(role, c.oid, 'USAGE') AND has_sequence_privilege(role, c.oid, 'SELECT'))
    -- An identity sequence needs only the privilege on its table.
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'
                    AND d.refclassid = 'pg_class'::regclass)
UNION ALL
SELECT 'role-lacks', nspname, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'), rolname, NULL, 'EXECUTE', NULL
FROM walled t JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = t.nsp
WHERE NOT has_function_privilege(role, p.oid, 'EXECUTE')
UNION ALL
-- Default privileges of the schema's owner.
SELECT 'role-lacks', nspname, 'default privileges on ' || word, rolname, NULL, wanted, NULL
FROM walled t, (VALUES ('r'::"char", 'tables', 4, 'SELECT, INSERT, UPDATE, DELETE'), ('S', 'sequences', 2, 'USAGE, SELECT'),
        ('f', 'routines', 1, 'EXECUTE')) AS needed (sort, word, rights, wanted)
WHERE rights > (SELECT count(*) FROM pg_default_acl d, aclexplode(defaclacl) e
    WHERE d.defaclnamespace = t.nsp AND d.defaclobjtype = sort AND d.defaclrole = t.nspowner AND e.grantee = t.role
        AND strpos(wanted, e.privilege_type) > 0)
UNION ALL
SELECT 'role-lacks', t.nspname, format('table %s of %s', relname, p.nspname), rolname, NULL,
    string_agg(a_right, ', ' ORDER BY a_right), NULL
FROM walled t JOIN used u ON u.template = t.template, platform p JOIN pg_class c ON c.relnamespace = p.nsp
WHERE c.relname = u.table_name
    AND NOT (has_schema_privilege(t.role, p.nsp, 'USAGE') AND has_table_privilege(t.role, c.oid, u.a_right))
GROUP BY t.nspname, relname, p.nspname, rolname
