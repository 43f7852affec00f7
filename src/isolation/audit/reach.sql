-- Objects in one tenant's schema that depend on objects in another's, according to pg_depend.
, node AS MATERIALIZED (
    SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid, t.nsp, t.nspname
    FROM tenant t JOIN (SELECT * FROM pg_class OFFSET 0) c ON c.relnamespace = t.nsp
UNION ALL
    SELECT 'pg_type'::regclass, y.oid, t.nsp, t.nspname
    FROM tenant t JOIN (SELECT * FROM pg_type OFFSET 0) y ON y.typnamespace = t.nsp
UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, t.nsp, t.nspname
    FROM tenant t JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = t.nsp
UNION ALL
    SELECT 'pg_constraint'::regclass, o.oid, t.nsp, t.nspname
    FROM tenant t JOIN (SELECT * FROM pg_constraint OFFSET 0) o ON o.connamespace = t.nsp
UNION ALL
    SELECT 'pg_operator'::regclass, o.oid, t.nsp, t.nspname FROM pg_operator o JOIN tenant t ON t.nsp = o.oprnamespace
UNION ALL
    SELECT 'pg_opclass'::regclass, o.oid, t.nsp, t.nspname FROM pg_opclass o JOIN tenant t ON t.nsp = o.opcnamespace
UNION ALL
    SELECT 'pg_opfamily'::regclass, o.oid, t.nsp, t.nspname FROM pg_opfamily o JOIN tenant t ON t.nsp = o.opfnamespace
UNION ALL
    SELECT 'pg_collation'::regclass, o.oid, t.nsp, t.nspname FROM pg_collation o JOIN tenant t ON t.nsp = o.collnamespace
UNION ALL
    SELECT 'pg_conversion'::regclass, o.oid, t.nsp, t.nspname FROM pg_conversion o JOIN tenant t ON t.nsp = o.connamespace
UNION ALL
    SELECT 'pg_ts_config'::regclass, o.oid, t.nsp, t.nspname FROM pg_ts_config o JOIN tenant t ON t.nsp = o.cfgnamespace
UNION ALL
    SELECT 'pg_ts_dict'::regclass, o.oid, t.nsp, t.nspname FROM pg_ts_dict o JOIN tenant t ON t.nsp = o.dictnamespace
UNION ALL
    SELECT 'pg_statistic_ext'::regclass, o.oid, t.nsp, t.nspname FROM pg_statistic_ext o JOIN tenant t ON t.nsp = o.stxnamespace
UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, t.nsp, t.nspname
    FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid, t.nsp, t.nspname
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN tenant t ON t.nsp = c.relnamespace WHERE NOT tgisinternal
UNION ALL
    SELECT 'pg_policy'::regclass, l.oid, t.nsp, t.nspname
    FROM pg_policy l JOIN pg_class c ON c.oid = l.polrelid JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid, t.nsp, t.nspname
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN tenant t ON t.nsp = c.relnamespace
),
-- Dependencies on a tenant's objects, of another tenant's or of no tenant's.
crossing AS MATERIALIZED (
    SELECT d.classid, d.objid, d.refclassid, d.refobjid, a.nspname, b.nspname AS other
    FROM pg_depend d JOIN node b ON b.classid = d.refclassid AND b.objid = d.refobjid
        LEFT JOIN node a ON a.classid = d.classid AND a.objid = d.objid
    WHERE a.nsp <> b.nsp OR (a.nsp IS NULL AND d.deptype <> 'i')
),
edge AS MATERIALIZED (SELECT * FROM crossing WHERE nspname IS NOT NULL),
-- Relations outside of the tenants' schemas. A view with security_invoker gives nobody more than they have.
shared AS MATERIALIZED (
    SELECT c.oid, n.oid AS nsp, n.nspname, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity,
        concat(CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
            WHEN 'S' THEN 'sequence ' ELSE 'table ' END, relname) AS object,
        EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o ~* '^security_invoker=(t|tr|tru|true|y|ye|yes|on|1)$') AS is_invoker,
        EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o ~* '^security_barrier=(t|tr|tru|true|y|ye|yes|on|1)$') AS is_barrier,
        EXISTS (SELECT FROM platform WHERE platform.nsp = n.oid) AS is_platform,
        EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') AS is_extension
    FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = n.oid)
),
-- Privileges of tenants on them.
given AS MATERIALIZED (
    SELECT s.oid, e.grantee, e.privilege_type, a.first, a.last FROM shared s, aclexplode(relacl) e JOIN audience a ON a.acts = e.grantee
    WHERE e.grantee <> relowner
    UNION
    SELECT s.oid, e.grantee, e.privilege_type, a.first, a.last
    FROM shared s, LATERAL (SELECT attacl FROM pg_attribute WHERE attrelid = s.oid AND attacl IS NOT NULL AND NOT attisdropped OFFSET 0) c,
        aclexplode(attacl) e JOIN audience a ON a.acts = e.grantee
    WHERE e.grantee <> relowner
),
-- Views and rules act with their owner's privileges on what they name; a parent shows its children. The children of tenants' own
-- tables are in their schemas, or the parent is in a node of another tenant, which is a direct dependency.
rule_edge AS MATERIALIZED (
    SELECT DISTINCT w.ev_class AS src, d.refobjid AS dst, w.ev_type = '1' AS is_select
    FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    WHERE w.oid >= 16384 AND d.refobjid <> w.ev_class
),
-- Steps from a shared relation. A step from a security_invoker view counts only in a materialized view, which its owner fills.
step AS MATERIALIZED (
    SELECT e.src, e.dst, s.is_invoker AND is_select AS is_asked, s.relkind = 'm' AS is_filled FROM rule_edge e JOIN shared s ON s.oid = e.src
    UNION
    SELECT inhparent, inhrelid, false, false FROM pg_inherits JOIN shared s ON s.oid = inhparent
),
reached AS (
    SELECT src AS root, dst, is_filled FROM step WHERE NOT is_asked
    UNION
    SELECT r.root, s.dst, r.is_filled OR s.is_filled FROM reached r JOIN step s ON s.src = r.dst WHERE r.is_filled OR NOT s.is_asked
),
-- The tenants that a shared relation reaches: by views, rules and children, and by triggers, defaults, constraints and policies.
reaching AS MATERIALIZED (
    SELECT root, min(nspname) AS first, max(nspname) AS last FROM (
        SELECT root, t.nspname FROM reached JOIN pg_class c ON c.oid = dst JOIN tenant t ON t.nsp = c.relnamespace
    UNION ALL
        SELECT s.oid, d.other
        FROM (SELECT * FROM crossing WHERE nspname IS NULL) d
            LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
            LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
            LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
            LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
            JOIN shared s ON s.oid = CASE d.classid WHEN 'pg_class'::regclass THEN d.objid
                ELSE coalesce(tgrelid, adrelid, polrelid, nullif(conrelid, 0)) END
    ) named GROUP BY root
),
-- What a tenant's views, rules and parents show of shared relations.
leaving AS MATERIALIZED (
    SELECT t.nsp, t.nspname, t.role, t.template, c.oid, c.relname, c.relkind, c.relowner, s.oid AS shared_oid, s.is_invoker, s.nspname AS shared_schema,
        s.object AS shared_object, s.relname AS shared_name, s.relkind AS shared_kind, s.is_platform, s.is_extension, s.nsp AS shared_nsp,
        concat(CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' ELSE 'table ' END, c.relname) AS object,
        EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o ~* '^security_barrier=(t|tr|tru|true|y|ye|yes|on|1)$') AS is_barrier
    FROM (SELECT src, dst, is_select FROM rule_edge UNION SELECT inhparent, inhrelid, false FROM pg_inherits) e
        JOIN shared s ON s.oid = e.dst JOIN pg_class c ON c.oid = e.src JOIN tenant t ON t.nsp = c.relnamespace
    WHERE NOT (is_select AND EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o ~* '^security_invoker=(t|tr|tru|true|y|ye|yes|on|1)$'))
),
-- Views whose rows are seen with the conditions of a tenant's query: no view with security_barrier is between.
seen AS (
    SELECT s.oid FROM shared s WHERE relkind = 'v' AND NOT is_invoker AND EXISTS (SELECT FROM given g WHERE g.oid = s.oid)
    UNION
    SELECT shared_oid FROM leaving WHERE shared_kind = 'v' AND NOT is_barrier
    UNION
    SELECT s.oid FROM seen JOIN shared before ON before.oid = seen.oid AND NOT before.is_barrier JOIN step ON step.src = seen.oid
        JOIN shared s ON s.oid = step.dst AND s.relkind = 'v' AND NOT s.is_invoker
    WHERE NOT step.is_asked
),
-- Functions that tell who asks, and functions of the product that call one.
teller AS MATERIALIZED (
    SELECT oid, false AS is_setting FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname IN ('current_user', 'session_user', 'getpgusername',
        'pg_has_role', 'current_schema', 'current_schemas', 'inet_client_addr', 'inet_client_port', 'pg_backend_pid',
        'current_setting') OR proname ~ '^has_.*_privilege$')
    UNION ALL
    SELECT oid, prosrc ~* 'current_setting\s*\(\s*''[^'']*[.]' FROM pg_proc
    WHERE oid >= 16384 AND (prosqlbody IS NOT NULL AND prosqlbody::text ~ ':op (9|10|11|12|14) '
        OR prosrc ~* '\m(current_user|session_user|current_role|current_setting|pg_has_role|has_\w+_privilege|getpgusername|current_schemas?)\M')
),
telling AS MATERIALIZED (
    SELECT concat('SQLVALUEFUNCTION :op (9|10|11|12|14) |:funcid (', string_agg(oid::text, '|'), ') ') AS pattern,
        concat(':funcid (', coalesce(string_agg(oid::text, '|') FILTER (WHERE is_setting), '0'), ') ') AS setting_pattern
    FROM teller
),
-- The tree of each view that a tenant sees, with the places that tell who asks marked.
tree AS MATERIALIZED (
    SELECT looked.oid, nspname, object, relname, is_barrier, owner, reader, string_agg(marked, ' ') AS marked, bool_or(of_setting) AS of_setting,
        -- Without roles, an application reads what it likes.
        EXISTS (SELECT FROM audience) AS has_roles
    FROM (
        SELECT s.oid, s.nspname, s.object, s.relname, s.is_barrier, s.relowner AS owner, NULL::name AS reader FROM seen JOIN shared s USING (oid)
        UNION
        SELECT oid, nspname, object, relname, is_barrier, relowner, nspname FROM leaving WHERE relkind = 'v'
    ) looked JOIN pg_rewrite w ON w.ev_class = looked.oid AND w.ev_type = '1', telling,
        LATERAL (SELECT regexp_replace(ev_action::text, pattern, '@ASKS@', 'g') AS marked,
            ev_action::text ~ setting_pattern OR (ev_action::text ~ ':funcid (2077|3294) '
                AND pg_get_viewdef(looked.oid) ~ 'current_setting\((''[^'']*[.]|[^''])') AS of_setting) texts
    GROUP BY looked.oid, nspname, object, relname, is_barrier, owner, reader
),
-- Catalogs that not everyone may read. What the server was made with is in no dependency.
secret AS MATERIALIZED (
    -- A materialized view also contains what its owner sees in these.
    SELECT c.oid, c.relname, true AS is_filled_only FROM pg_class c
    WHERE c.relnamespace = 'pg_catalog'::regnamespace
        AND c.relname IN ('pg_stat_activity', 'pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_user_mappings', 'pg_stat_replication', 'pg_settings')
    UNION ALL
    SELECT c.oid, c.relname, false FROM pg_class c
    WHERE c.oid < 16384 AND relkind IN ('r', 'v') AND relnamespace = 'pg_catalog'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_init_privs i, aclexplode(initprivs) e WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid
            AND i.objsubid = 0 AND e.grantee = 0 AND e.privilege_type = 'SELECT')
        AND relname !~ '^pg_toast'
),
-- The views that a tenant may read, with their trees. The tree of a catalog's view is not needed.
shown AS MATERIALIZED (
    SELECT v.*, w.ev_action::text AS tree FROM (
        SELECT s.oid, s.nspname, s.object, s.relname, NULL::name AS reader FROM shared s
        WHERE s.relkind IN ('v', 'm') AND NOT s.is_invoker AND NOT is_extension
            AND (EXISTS (SELECT FROM given g WHERE g.oid = s.oid) OR EXISTS (SELECT FROM leaving WHERE shared_oid = s.oid)
                OR EXISTS (SELECT FROM reached r JOIN given g ON g.oid = r.root WHERE r.dst = s.oid))
        UNION ALL
        SELECT c.oid, t.nspname, concat(CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'materialized view ' END, c.relname), c.relname, t.nspname
        FROM tenant t JOIN (SELECT * FROM pg_class WHERE relkind IN ('v', 'm') OFFSET 0) c ON c.relnamespace = t.nsp
        WHERE NOT EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o ~* '^security_invoker=(t|tr|tru|true|y|ye|yes|on|1)$')
    ) v JOIN pg_rewrite w ON w.ev_class = v.oid
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
        WHEN 'pg_attrdef'::regclass THEN (SELECT concat('table ', k.relname, ': default of ', attname) FROM pg_attrdef
            JOIN pg_class k ON k.oid = adrelid JOIN pg_attribute a ON a.attrelid = adrelid AND a.attnum = adnum
            WHERE pg_attrdef.oid = objid)
        ELSE (SELECT concat_ws(' ', type, coalesce(name, identity)) FROM pg_identify_object(classid, objid, 0)) END AS object,
    NULL::text AS who, other::text AS other,
    string_agg(DISTINCT CASE refclassid
        WHEN 'pg_class'::regclass THEN (SELECT coalesce(CASE r.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view '
                WHEN 'm' THEN 'materialized view ' END || r.relname, 'table ' || coalesce(o.relname, r.relname))
            FROM pg_class r LEFT JOIN pg_index i ON i.indexrelid = r.oid LEFT JOIN pg_class o ON o.oid = i.indrelid
            WHERE r.oid = refobjid)
        WHEN 'pg_proc'::regclass THEN (SELECT concat('function ', proname, '(', oidvectortypes(proargtypes), ')')
            FROM pg_proc WHERE oid = refobjid)
        WHEN 'pg_type'::regclass THEN 'type ' || (SELECT typname FROM pg_type WHERE oid = refobjid)
        ELSE coalesce((SELECT type FROM pg_identify_object(refclassid, refobjid, 0)), 'an object') END, ', ') AS what,
    NULL::text AS target
FROM edge LEFT JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
GROUP BY classid, objid, nspname, other, c.relkind, c.relname
UNION ALL
-- By way of shared relations.
SELECT 'cross-tenant-dependency', l.nspname, l.object, NULL, CASE WHEN r.first <> l.nspname THEN r.first ELSE r.last END,
    string_agg(DISTINCT format('%s of %s, and so on objects', shared_object, shared_schema), ', '), NULL
FROM leaving l JOIN reaching r ON r.root = l.shared_oid WHERE r.first <> l.nspname OR r.last <> l.nspname
GROUP BY l.nspname, l.object, r.first, r.last
UNION ALL
-- The tenant may read what its template names; what every role may read is reported as a privilege.
SELECT 'view-opens-platform', l.nspname, l.object, NULL, NULL, string_agg(DISTINCT shared_object || ' of ' || shared_schema, ', '),
    format('%I.%I', l.nspname, l.relname)
FROM leaving l
WHERE role IS NOT NULL AND template IS NOT NULL AND NOT is_extension AND (NOT is_invoker OR l.relkind = 'm')
    AND NOT EXISTS (SELECT FROM used u WHERE is_platform AND u.template = l.template AND u.table_name = shared_name AND a_right = 'SELECT')
    AND NOT EXISTS (SELECT FROM given g WHERE NOT is_platform AND g.oid = shared_oid AND g.privilege_type = 'SELECT')
GROUP BY l.nspname, l.object, l.relname
UNION ALL
SELECT 'shared-reach', s.nspname, s.object, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END,
    CASE WHEN o.first <> g.last THEN o.first ELSE o.last END,
    string_agg(DISTINCT privilege_type, ', '), format('TABLE %I.%I', s.nspname, relname)
FROM reaching o JOIN shared s ON s.oid = o.root JOIN given g ON g.oid = o.root
WHERE o.first <> g.first OR o.last <> g.last OR g.first <> g.last
GROUP BY s.nspname, s.object, relname, grantee, o.first, o.last, g.first, g.last
UNION ALL
SELECT 'leaky-view', nspname, object, NULL, reader, marked, format('VIEW %I.%I', nspname, relname) FROM tree WHERE has_roles AND NOT is_barrier AND marked ~ '@ASKS@'
UNION ALL
SELECT 'setting-decides', nspname, object, NULL, reader, NULL, NULL FROM tree WHERE has_roles AND of_setting
UNION ALL
SELECT 'setting-decides', s.nspname, concat(s.object, ': policy ', polname), NULL, NULL, NULL, NULL
FROM pg_policy l JOIN shared s ON s.oid = polrelid, telling,
    LATERAL (SELECT concat(pg_get_expr(polqual, polrelid), ' ', pg_get_expr(polwithcheck, polrelid)) AS text,
        concat(polqual::text, ' ', polwithcheck::text) AS code) said
WHERE EXISTS (SELECT FROM given g WHERE g.oid = s.oid) AND (text ~ 'current_setting\((''[^'']*[.]|[^''])' OR code ~ setting_pattern)
UNION ALL
-- Policies that have no effect.
SELECT 'row-security', s.nspname, s.object, NULL, min(g.first), 'off', format('TABLE %I.%I ENABLE ROW LEVEL SECURITY', s.nspname, s.relname)
FROM shared s JOIN given g ON g.oid = s.oid
WHERE NOT relrowsecurity AND relkind IN ('r', 'p') AND EXISTS (SELECT FROM pg_policy WHERE polrelid = s.oid) AND g.privilege_type IN ('SELECT', 'UPDATE', 'DELETE', 'INSERT')
GROUP BY s.nspname, s.object, s.relname
UNION ALL
-- Next to a policy that tells who asks, one that is always true.
SELECT 'row-security', s.nspname, concat(s.object, ': policy ', polname), NULL, NULL, 'true', format('%I ON %I.%I', polname, s.nspname, s.relname)
FROM pg_policy l JOIN shared s ON s.oid = polrelid, telling
WHERE polpermissive AND polcmd IN ('*', 'r') AND coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true'
    AND EXISTS (SELECT FROM unnest(polroles) AS role JOIN audience ON acts = role) AND EXISTS (SELECT FROM given g WHERE g.oid = s.oid)
    AND EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = s.oid AND polqual::text ~ pattern)
UNION ALL
-- The policies of a table are those of the view's owner, who may be above them.
SELECT 'row-security', v.nspname, v.object, NULL, v.reader, concat(s.object, ' of ', s.nspname), NULL
FROM tree v JOIN rule_edge e ON e.src = v.oid AND is_select JOIN shared s ON s.oid = e.dst JOIN pg_roles r ON r.oid = v.owner, telling
WHERE v.has_roles AND s.relrowsecurity AND v.marked !~ '@ASKS@' AND (rolsuper OR rolbypassrls OR NOT relforcerowsecurity AND v.owner = s.relowner)
    AND EXISTS (SELECT FROM pg_policy l WHERE l.polrelid = s.oid AND (polroles <> '{0}' OR concat(polqual::text, polwithcheck::text) ~ pattern))
UNION ALL
SELECT 'secret-catalog', v.nspname, v.object, NULL, v.reader, string_agg(DISTINCT s.relname, ', '), format('VIEW %I.%I', v.nspname, v.relname)
FROM shown v JOIN secret s ON (NOT is_filled_only OR v.object ^@ 'materialized view ') AND strpos(tree, concat(':relid ', s.oid, ' ')) > 0
WHERE EXISTS (SELECT FROM audience)
GROUP BY v.nspname, v.object, v.reader, v.relname
UNION ALL
SELECT 'foreign-table', nspname, object, NULL, other, srvname, NULL FROM (
    SELECT s.oid, s.nspname, s.object, (SELECT min(g.first) FROM given g WHERE g.oid = s.oid) AS other FROM shared s
    WHERE s.relkind = 'f' AND (EXISTS (SELECT FROM given g WHERE g.oid = s.oid) OR EXISTS (SELECT FROM leaving WHERE shared_oid = s.oid)
        OR EXISTS (SELECT FROM reached r JOIN given g ON g.oid = r.root WHERE r.dst = s.oid))
    UNION ALL
    SELECT c.oid, t.nspname, concat('foreign table ', c.relname), NULL FROM pg_class c JOIN tenant t ON t.nsp = c.relnamespace WHERE relkind = 'f'
) f JOIN pg_foreign_table p ON p.ftrelid = f.oid JOIN pg_foreign_server v ON v.oid = p.ftserver
WHERE EXISTS (SELECT FROM audience)
UNION ALL
SELECT 'event-trigger', NULL, 'event trigger ' || evtname, NULL, t.nspname, proname, NULL
FROM pg_event_trigger g JOIN pg_proc f ON f.oid = evtfoid JOIN tenant t ON t.nsp = f.pronamespace
