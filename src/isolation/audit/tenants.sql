-- What every question begins with: the tenants, as the program knows them, with what the catalog knows of their schemas
-- and roles; and for each role that acts for tenants, for which. A tenant's role acts for it, and so do the roles that
-- it is a member of, by which it inherits or which it may take on. The roles of other tenants end that way: to be a member
-- of one is a finding of its own.
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
-- The rights that tenants' roles have by their template on what is the platform's.
used AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(current_setting('tenure.audit')::jsonb -> 'uses')
        AS said (template text, table_name text, a_right text)
),
platform AS MATERIALIZED (
    SELECT oid AS nsp, nspname, nspowner, nspacl FROM pg_namespace
    WHERE nspname = current_setting('tenure.audit')::jsonb ->> 'platform'
)
