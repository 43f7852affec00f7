-- Privileges on settings (PostgreSQL 15 and later). Everyone may set what needs no privilege.
SELECT 'server-right' AS fact, NULL::text AS schema, 'parameter ' || parname AS object,
    CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee) END::text AS who, min(a.first)::text AS other,
    string_agg(DISTINCT privilege_type, ', ') AS what, 'PARAMETER ' || parname AS target
FROM pg_parameter_acl p LEFT JOIN pg_settings s ON lower(s.name) = p.parname, aclexplode(paracl) e JOIN audience a ON a.acts = e.grantee
WHERE privilege_type = 'ALTER SYSTEM' OR s.context LIKE 'superuser%' OR (s.name IS NULL AND strpos(parname, '.') = 0)
GROUP BY parname, e.grantee
