-- The common part of all queries: the tenants of the program with the schemas and roles of the catalog, and for each role
-- the tenants for which it acts. A tenant's role acts for the tenant, as do the roles of which it is a member, by inheritance
-- or SET ROLE. Roles of other tenants are not followed: such a membership is a finding of its own.
tenant AS MATERIALIZED (
    SELECT n.oid AS nsp, n.nspname, n.nspowner, n.nspacl, r.oid AS role, r.rolname, said.has_role, said.template, said.status
    FROM jsonb_to_recordset(current_setting('tenure.audit')::jsonb -> 'tenants')
            AS said (schema text, role text, has_role boolean, template text, status text)
        JOIN pg_namespace n ON n.nspname = said.schema
        LEFT JOIN pg_roles r ON r.rolname = said.role
),
-- Memberships that give something: privileges, SET ROLE, or the right to grant them. Servers before 16 have only such.
membership AS MATERIALIZED (
    SELECT m.member, m.roleid, m.admin_option FROM pg_auth_members m, to_jsonb(m) AS options
    WHERE m.admin_option OR coalesce((options ->> 'inherit_option')::boolean, true)
        OR coalesce((options ->> 'set_option')::boolean, true)
),
hand AS (
    SELECT nsp, nspname, rolname, template, role AS acts FROM tenant WHERE role IS NOT NULL
    UNION
    SELECT h.nsp, h.nspname, h.rolname, h.template, m.roleid FROM hand h JOIN membership m ON m.member = h.acts
    WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.role = m.roleid)
),
acting AS MATERIALIZED (
    SELECT acts, min(nspname) AS first, max(nspname) AS last, count(*) AS tenants FROM hand GROUP BY acts
),
-- The roles that act for tenants; 0 is PUBLIC, which acts for all tenants that have a role.
audience AS MATERIALIZED (
    SELECT acts, first, last FROM acting
    UNION ALL SELECT 0, min(nspname), max(nspname) FROM tenant WHERE role IS NOT NULL HAVING count(*) > 0
),
-- The platform privileges that templates give to tenant roles.
used AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(current_setting('tenure.audit')::jsonb -> 'uses')
        AS said (template text, table_name text, a_right text)
),
platform AS MATERIALIZED (
    SELECT oid AS nsp, nspname, nspowner, nspacl FROM pg_namespace
    WHERE nspname = current_setting('tenure.audit')::jsonb ->> 'platform'
),
-- Views that give nobody more than they have: with security_invoker and without rules.
invoking AS MATERIALIZED (
    SELECT c.oid FROM pg_class c
    WHERE relkind = 'v' AND EXISTS (SELECT FROM unnest(reloptions) o WHERE o ~* '^security_invoker=(t|tr|tru|true|y|ye|yes|on|1)$')
        AND NOT EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1')
)
