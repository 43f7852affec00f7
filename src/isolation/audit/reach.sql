-- Objects in one tenant's schema that depend on objects in another's, according to pg_depend.
, node AS MATERIALIZED (
    SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid, t.nsp, t.nspname, page
    FROM tenant t JOIN (SELECT * FROM pg_class OFFSET 0) c ON c.relnamespace = t.nsp
UNION ALL
    SELECT 'pg_type'::regclass, y.oid, t.nsp, t.nspname, page
    FROM tenant t JOIN (SELECT * FROM pg_type OFFSET 0) y ON y.typnamespace = t.nsp
UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, t.nsp, t.nspname, page
    FROM tenant t JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = t.nsp
UNION ALL
    SELECT 'pg_constraint'::regclass, o.oid, t.nsp, t.nspname, page
    FROM tenant t JOIN (SELECT * FROM pg_constraint OFFSET 0) o ON o.connamespace = t.nsp
UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, t.nsp, t.nspname, page
    FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid, t.nsp, t.nspname, page
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN tenant t ON t.nsp = c.relnamespace WHERE NOT tgisinternal
UNION ALL
    SELECT 'pg_policy'::regclass, l.oid, t.nsp, t.nspname, page
    FROM pg_policy l JOIN pg_class c ON c.oid = l.polrelid JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, t.nsp, t.nspname, page
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN tenant t ON t.nsp = c.relnamespace
),
edge AS MATERIALIZED (
    SELECT d.classid, d.objid, d.refclassid, d.refobjid, a.nspname, b.nspname AS other
    FROM pg_depend d JOIN node a ON a.classid = d.classid AND a.objid = d.objid
        JOIN node b ON b.classid = d.refclassid AND b.objid = d.refobjid
    WHERE a.nsp <> b.nsp AND a.page
),
-- Views that run with their owner's privileges and show tables that the template does not name.
opening AS MATERIALIZED (
    SELECT DISTINCT t.nspname, c.relname, c.relkind, s.relname AS table_name
    FROM platform p JOIN pg_class s ON s.relnamespace = p.nsp
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class c ON c.oid = w.ev_class
        JOIN tenant t ON t.nsp = c.relnamespace AND t.page AND t.role IS NOT NULL AND t.template IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM used u WHERE u.template = t.template AND u.table_name = s.relname AND a_right = 'SELECT')
        AND NOT coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1']
),
-- Shared objects that depend on a tenant's objects and that another tenant may use.
outside AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relowner, c.relacl, min(b.nspname) AS first, max(b.nspname) AS last
    FROM pg_depend d JOIN node b ON b.classid = d.refclassid AND b.objid = d.refobjid
        JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
        JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = c.relnamespace)
        AND NOT coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1']
    GROUP BY c.oid, n.nspname, c.relname, c.relkind, c.relowner, c.relacl
)
SELECT 'cross-tenant-dependency' AS fact, nspname::text AS schema,
    CASE classid
        WHEN 'pg_class'::regclass THEN concat(CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'i' THEN 'index '
            WHEN 'I' THEN 'index ' WHEN 'c' THEN 'type ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END, c.relname)
        WHEN 'pg_type'::regclass THEN 'type ' || (SELECT typname FROM pg_type WHERE oid = objid)
        WHEN 'pg_proc'::regclass THEN (SELECT concat('function ', proname, '(', oidvectortypes(proargtypes), ')')
            FROM pg_proc WHERE oid = objid)
        WHEN 'pg_constraint'::regclass THEN (SELECT coalesce('table ' || k.relname || ': ', '') || CASE contype
                WHEN 'f' THEN 'foreign key ' ELSE 'constraint ' END || conname
            FROM pg_constraint LEFT JOIN pg_class k ON k.oid = conrelid WHERE pg_constraint.oid = objid)
        WHEN 'pg_rewrite'::regclass THEN (SELECT CASE WHEN rulename <> '_RETURN'
                THEN 'table ' || k.relname || ': rule ' || rulename
                WHEN k.relkind = 'm' THEN 'materialized view ' || k.relname ELSE 'view ' || k.relname END
            FROM pg_rewrite JOIN pg_class k ON k.oid = ev_class WHERE pg_rewrite.oid = objid)
        WHEN 'pg_trigger'::regclass THEN (SELECT concat('table ', k.relname, ': trigger ', tgname)
            FROM pg_trigger JOIN pg_class k ON k.oid = tgrelid WHERE pg_trigger.oid = objid)
        WHEN 'pg_policy'::regclass THEN (SELECT concat('table ', k.relname, ': policy ', polname)
            FROM pg_policy JOIN pg_class k ON k.oid = polrelid WHERE pg_policy.oid = objid)
        ELSE (SELECT concat('table ', k.relname, ': default of ', attname) FROM pg_attrdef
            JOIN pg_class k ON k.oid = adrelid JOIN pg_attribute a ON a.attrelid = adrelid AND a.attnum = adnum
            WHERE pg_attrdef.oid = objid) END AS object,
    NULL::text AS who, other::text AS other,
    string_agg(DISTINCT CASE refclassid
        WHEN 'pg_class'::regclass THEN (SELECT coalesce(CASE r.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view '
                WHEN 'm' THEN 'materialized view ' END || r.relname, 'table ' || coalesce(o.relname, r.relname))
            FROM pg_class r LEFT JOIN pg_index i ON i.indexrelid = r.oid LEFT JOIN pg_class o ON o.oid = i.indrelid
            WHERE r.oid = refobjid)
        WHEN 'pg_proc'::regclass THEN (SELECT concat('function ', proname, '(', oidvectortypes(proargtypes), ')')
            FROM pg_proc WHERE oid = refobjid)
        WHEN 'pg_type'::regclass THEN 'type ' || (SELECT typname FROM pg_type WHERE oid = refobjid)
        ELSE 'a constraint' END, ', ') AS what,
    NULL::text AS target
FROM edge LEFT JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
GROUP BY classid, objid, nspname, other, c.relkind, c.relname
UNION ALL
SELECT 'view-opens-platform', nspname, CASE relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || relname, NULL, NULL,
    string_agg(table_name, ', ' ORDER BY table_name), format('%I.%I', nspname, relname)
FROM opening GROUP BY nspname, relname, relkind
UNION ALL
SELECT 'shared-reach', o.nspname, CASE relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view ' ELSE 'table ' END
        || relname, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END, CASE WHEN o.first <> a.last THEN o.first ELSE o.last END,
    string_agg(DISTINCT privilege_type, ', '), format('TABLE %I.%I', o.nspname, relname)
FROM outside o, aclexplode(relacl) e
    JOIN (SELECT acts, first, last FROM acting
          UNION ALL SELECT 0, min(nspname), max(nspname) FROM hand HAVING count(*) > 0) a ON a.acts = e.grantee
WHERE e.grantee <> o.relowner AND (o.first <> a.first OR o.last <> a.last OR a.first <> a.last)
GROUP BY o.nspname, relname, relkind, grantee, o.first, o.last, a.last
