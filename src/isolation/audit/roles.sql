-- Tenant roles: missing roles, excessive attributes, missing privileges.
-- Dropped tenants are excluded: their roles get missing privileges when they are restored.
, walled AS MATERIALIZED (
    SELECT * FROM tenant WHERE has_role AND role IS NOT NULL AND status <> 'dropped' AND (current_setting('tenure.audit')::jsonb ->> 'roles')::boolean
),
-- Roles that act for a tenant and are not its own: an owner has all privileges and may grant them. Temporary objects are not counted.
owning AS MATERIALIZED (
    SELECT acts AS owner FROM (SELECT DISTINCT acts FROM hand EXCEPT SELECT role FROM tenant) groups
    WHERE EXISTS (SELECT FROM pg_shdepend d
        LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relpersistence = 't'
        WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = acts AND d.deptype = 'o' AND c.oid IS NULL
            AND d.classid <> 'pg_default_acl'::regclass)
),
stranger AS (
    SELECT r.rolname, m.roleid AS acts, substr(description, length('tenure: of database ') + 1) AS of_database
    FROM pg_shdescription JOIN pg_roles r ON r.oid = objoid JOIN membership m ON m.member = objoid
    WHERE classoid = 'pg_authid'::regclass AND description ^@ 'tenure: of database '
        AND description <> 'tenure: of database ' || current_database()
    UNION
    SELECT s.rolname, m.roleid, s.of_database FROM stranger s JOIN membership m ON m.member = s.acts
    WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = s.acts)
)
SELECT 'role-missing' AS fact, nspname::text AS schema, 'schema' AS object, NULL::text AS who, NULL::text AS other,
    NULL::text AS what, NULL::text AS target
FROM tenant WHERE (role IS NULL OR NOT has_role) AND status NOT IN ('dropped', 'pooled')
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
WHERE (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
UNION ALL
-- Through a membership: predefined roles, roles with such an attribute, and owners.
SELECT 'role-member', h.nspname, 'role ' || h.rolname, h.rolname, NULL, r.rolname, format('%I FROM %I', r.rolname, h.rolname)
FROM hand h JOIN pg_roles r ON r.oid = h.acts
WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = h.acts)
    AND (r.rolname ^@ 'pg_' OR r.oid IN (SELECT owner FROM owning) OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication)
UNION ALL
-- The right to grant a role to others, and to oneself.
SELECT 'role-admin', h.nspname, 'role ' || h.rolname, pg_get_userbyid(h.acts), NULL, pg_get_userbyid(m.roleid),
    format('%I FROM %I', pg_get_userbyid(m.roleid), pg_get_userbyid(h.acts))
FROM hand h JOIN membership m ON m.member = h.acts WHERE m.admin_option
UNION ALL
-- A role of a tenant of another database, or of none, that is a member of a tenant's role.
SELECT 'stranger-member', t.nspname, 'role ' || s.rolname, s.rolname, s.of_database, pg_get_userbyid(s.acts),
    format('%I FROM %I', pg_get_userbyid(s.acts), s.rolname)
FROM stranger s JOIN tenant t ON t.role = s.acts
UNION ALL
SELECT 'role-elsewhere', nspname, 'role ' || rolname, rolname, shobj_description(role, 'pg_authid'), NULL, quote_ident(rolname)
FROM tenant
WHERE has_role AND role IS NOT NULL
    AND shobj_description(role, 'pg_authid') IS DISTINCT FROM 'tenure: of database ' || current_database()
UNION ALL
SELECT 'role-open', nspname, 'role ' || t.rolname, t.rolname, status, NULL, quote_ident(t.rolname)
FROM tenant t JOIN pg_roles r ON r.oid = t.role WHERE status IN ('suspended', 'dropped') AND r.rolcanlogin
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
