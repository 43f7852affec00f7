-- What a schema requires outside of itself: the extensions that its objects depend on, the roles in its privileges and policies,
-- the tablespaces of its tables and indexes, and the roles that define default privileges in it. The owner is excluded: the importing role owns the schema.
WITH relation AS (SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/)),
member (classid, objid) AS (
    SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid FROM relation
    UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, oid FROM pg_catalog.pg_attrdef WHERE adrelid IN (SELECT oid FROM relation)
    UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, oid FROM pg_catalog.pg_rewrite WHERE ev_class IN (SELECT oid FROM relation)
    UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, oid FROM pg_catalog.pg_trigger WHERE tgrelid IN (SELECT oid FROM relation)
    UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, oid FROM pg_catalog.pg_policy WHERE polrelid IN (SELECT oid FROM relation)
    UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid FROM pg_catalog.pg_constraint
        WHERE connamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/)
    UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid FROM pg_catalog.pg_proc
        WHERE pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/)
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid FROM pg_catalog.pg_type
        WHERE typnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/)
    UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid FROM pg_catalog.pg_operator
        WHERE oprnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/)
    UNION ALL SELECT 'pg_catalog.pg_default_acl'::pg_catalog.regclass, oid FROM pg_catalog.pg_default_acl
        WHERE defaclnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = /*SCHEMA*/)
)
SELECT DISTINCT 'extension' AS kind, x.extname::text AS name, x.extversion AS version, n.nspname::text AS schema
FROM member JOIN pg_catalog.pg_depend d USING (classid, objid)
    JOIN pg_catalog.pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
        AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
UNION SELECT 'extension', x.extname::text, x.extversion, n.nspname::text
FROM pg_catalog.pg_extension x JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace WHERE n.nspname = /*SCHEMA*/
UNION SELECT 'role', r.rolname::text, NULL, NULL
FROM member JOIN pg_catalog.pg_shdepend d USING (classid, objid) JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
WHERE d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype IN ('a', 'r')
UNION SELECT 'tablespace', s.spcname::text, NULL, NULL
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
WHERE c.oid IN (SELECT oid FROM relation)
UNION SELECT CASE defaclrole WHEN nspowner THEN 'owner' ELSE 'role' END, pg_catalog.pg_get_userbyid(defaclrole)::text, NULL, NULL
FROM pg_catalog.pg_default_acl JOIN pg_catalog.pg_namespace n ON n.oid = defaclnamespace WHERE n.nspname = /*SCHEMA*/
ORDER BY 1, 2
