-- The common part of all queries: the tenants of the program with the schemas and roles of the catalog, and for each role
-- the tenants for which it acts. A tenant's role acts for the tenant, as do the roles of which it is a member, by inheritance
-- or SET ROLE. Roles of other tenants are not followed: such a membership is a finding of its own.
tenant AS MATERIALIZED (
    SELECT n.oid AS nsp, n.nspname, n.nspowner, n.nspacl, r.oid AS role, r.rolname, said.has_role, said.template,
        said.status, said.page
    FROM jsonb_to_recordset(current_setting('tenure.audit')::jsonb -> 'tenants')
            AS said (schema text, role text, has_role boolean, template text, status text, page boolean)
        JOIN pg_namespace n ON n.nspname = said.schema
        LEFT JOIN pg_roles r ON r.rolname = said.role
),
hand AS (
    SELECT nsp, nspname, rolname, template, role AS acts FROM tenant WHERE role IS NOT NULL
    UNION
    SELECT h.nsp, h.nspname, h.rolname, h.template, m.roleid FROM hand h JOIN pg_auth_members m ON m.member = h.acts
    WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = m.roleid)
),
acting AS MATERIALIZED (
    SELECT acts, min(nspname) AS first, max(nspname) AS last, count(*) AS tenants FROM hand GROUP BY acts
),
-- The platform privileges that templates give to tenant roles.
used AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(current_setting('tenure.audit')::jsonb -> 'uses')
        AS said (template text, table_name text, a_right text)
),
platform AS MATERIALIZED (
    SELECT oid AS nsp, nspname, nspowner, nspacl FROM pg_namespace
    WHERE nspname = current_setting('tenure.audit')::jsonb ->> 'platform'
)
