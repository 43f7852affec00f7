-- Functions with the rights of others: SECURITY DEFINER, untrusted languages, LEAKPROOF. The program reads their texts.
, routine AS MATERIALIZED (
    SELECT f.oid, n.oid AS nsp, n.nspname, f.proname, f.proowner, f.prosecdef, f.proleakproof, f.prokind, l.lanname, l.lanpltrusted,
        concat('function ', proname, '(', oidvectortypes(proargtypes), ')') AS object, f.oid::regprocedure::text AS target,
        t.nspname AS of_tenant, t.role, t.template, f.prosrc, f.prosqlbody IS NOT NULL AS is_parsed,
        coalesce(f.prosqlbody::text !~ ':relid [1-9]', false) AS reads_nothing, f.prorettype = 'event_trigger'::regtype AS is_event, coalesce(f.proacl, acldefault('f', proowner)) AS acl,
        (SELECT max(setting) FROM unnest(proconfig) AS setting WHERE setting ^@ 'search_path=') AS path,
        EXISTS (SELECT FROM platform p WHERE p.nsp = n.oid) AS is_platform
    FROM (SELECT * FROM pg_proc WHERE oid >= 16384 AND (prosecdef OR proleakproof OR prolang NOT IN
            (SELECT oid FROM pg_language WHERE lanname IN ('sql', 'plpgsql'))) OFFSET 0) f
        JOIN pg_namespace n ON n.oid = f.pronamespace JOIN pg_language l ON l.oid = f.prolang LEFT JOIN tenant t ON t.nsp = n.oid
    WHERE n.nspname !~ '^pg_(toast|temp)'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
),
-- The schemas outside of the tenants' that a tenant may use. Without roles, the tenants' sessions may use the platform.
usable AS MATERIALIZED (
    SELECT DISTINCT n.oid AS nsp FROM pg_namespace n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) e
        LEFT JOIN audience a ON a.acts = e.grantee
    WHERE e.privilege_type = 'USAGE' AND a.acts IS NOT NULL
    UNION SELECT nsp FROM platform WHERE NOT EXISTS (SELECT FROM audience)
),
writable AS MATERIALIZED (
    SELECT c.oid FROM pg_class c, aclexplode(relacl) e JOIN audience a ON a.acts = e.grantee
    WHERE c.relkind IN ('r', 'p', 'v', 'f') AND e.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
        AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = c.relnamespace)
),
-- Who may call it: one of the tenants. A trigger, an event trigger, an aggregate and a type call it without a privilege of the caller.
callable AS MATERIALIZED (
    SELECT r.*, coalesce(r.of_tenant, by_right.first, by_use.first, (SELECT min(nspname) FROM tenant)) AS caller
    FROM routine r
        LEFT JOIN LATERAL (SELECT min(a.first) AS first, count(*) AS entries
            FROM aclexplode(acl) e LEFT JOIN audience a ON a.acts = e.grantee
            WHERE e.privilege_type = 'EXECUTE' AND (a.acts IS NOT NULL OR e.grantee = 0)) by_right ON true
        LEFT JOIN LATERAL (SELECT min(t.nspname::text) AS first, count(*) AS uses FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
                LEFT JOIN tenant t ON t.nsp = c.relnamespace
            WHERE g.tgfoid = r.oid AND NOT tgisinternal AND (t.nsp IS NOT NULL OR c.oid IN (SELECT oid FROM writable))) by_use ON true
    WHERE by_use.uses > 0
        OR EXISTS (SELECT FROM pg_event_trigger WHERE evtfoid = r.oid)
        OR EXISTS (SELECT FROM pg_depend d JOIN pg_proc a ON a.oid = d.objid AND a.prokind = 'a'
            WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = r.oid)
        OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = r.oid)
        OR by_right.entries > 0 AND NOT is_event AND (r.of_tenant IS NOT NULL OR r.nsp IN (SELECT nsp FROM usable)
            -- Called by an object that names it: a view, a cast, an operator, a policy.
            OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = r.oid
                AND d.classid NOT IN ('pg_extension'::regclass, 'pg_trigger'::regclass)))
),
definer AS MATERIALIZED (
    SELECT c.*,
        -- Names of a parsed body are resolved already, unless it calls functions of the product.
        is_parsed AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_proc'::regclass) AS is_bound,
        path IS NOT NULL AND strpos(path, '$user') = 0 AND path ~ '(^search_path=|[, ])"?pg_temp"?\s*$'
            AND path !~ '[=, ]"?pg_temp"?\s*,' AS is_safe,
        -- Without roles, an application may do what such a function does.
        EXISTS (SELECT FROM audience) AS has_roles
    FROM callable c WHERE prosecdef AND (of_tenant IS NULL OR proowner IS DISTINCT FROM role)
)
SELECT CASE WHEN path IS NULL THEN 'definer-path' ELSE 'definer-user-path' END AS fact, nspname::text AS schema, object,
    pg_get_userbyid(proowner)::text AS who, NULL::text AS other, path AS what,
    format('%s SET search_path = %I, pg_temp', target, nspname) AS target
FROM definer WHERE NOT is_safe AND NOT is_bound AND lanname NOT IN ('c', 'internal')
UNION ALL
SELECT 'definer-open', nspname, object, pg_get_userbyid(proowner), caller, CASE WHEN lanname IN ('sql', 'plpgsql') AND NOT is_parsed THEN prosrc END,
    'ROUTINE ' || target
FROM definer WHERE has_roles AND of_tenant IS NULL AND NOT (is_bound AND reads_nothing)
UNION ALL
SELECT 'definer-dynamic', nspname, object, pg_get_userbyid(proowner), of_tenant, CASE WHEN lanname IN ('sql', 'plpgsql') THEN prosrc END, lanname
FROM definer WHERE has_roles AND NOT is_parsed
UNION ALL
-- Names of relations outside of the tenant's schema in the text: qualified ones, and others that the search path finds.
SELECT 'definer-reach', nspname, object, pg_get_userbyid(proowner), of_tenant, string_agg(DISTINCT format('%s of %s', relname, home), ', '),
    NULL
FROM (
    SELECT d.nspname, d.object, d.proowner, d.of_tenant, c.relname, n.nspname AS home
    FROM (SELECT *, regexp_replace(regexp_replace(prosrc, '--[^\n]*', '', 'g'), '/\*.*?\*/', '', 'g') AS code FROM definer
            WHERE has_roles AND of_tenant IS NOT NULL AND NOT is_parsed) d,
        regexp_matches(code, '(\m(?:from|join|using|update|only|into|table|call|perform|execute|select)\s+|[,(]\s*)((?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*))\s*\.\s*("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)', 'gi') AS m
        JOIN pg_namespace n ON n.nspname = CASE WHEN m[2] ^@ '"' THEN replace(btrim(m[2], '"'), '""', '"') ELSE lower(m[2]) END
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND c.relname = CASE WHEN m[3] ^@ '"' THEN replace(btrim(m[3], '"'), '""', '"') ELSE lower(m[3]) END
    -- Rows that it only adds are not shown.
    WHERE lower(btrim(m[1])) <> 'into' AND n.nspname <> d.nspname AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = n.oid)
        AND (n.nspname <> 'information_schema')
        AND NOT EXISTS (SELECT FROM used u JOIN platform p ON p.nsp = n.oid WHERE u.template = d.template AND u.table_name = c.relname AND a_right = 'SELECT')
        AND NOT EXISTS (SELECT FROM pg_init_privs i, aclexplode(initprivs) e WHERE i.classoid = 'pg_class'::regclass AND i.objoid = c.oid
            AND i.objsubid = 0 AND e.grantee = 0 AND e.privilege_type = 'SELECT')
    UNION
    -- Unqualified names, along the function's search path.
    SELECT d.nspname, d.object, d.proowner, d.of_tenant, c.relname, n.nspname
    FROM definer d, regexp_split_to_table(substr(path, length('search_path=') + 1), '\s*,\s*') AS part
        JOIN pg_namespace n ON n.nspname = btrim(part, '"')
        CROSS JOIN regexp_matches(prosrc, '\m(?:from|join|using|update|only)\s+([a-z_][a-z0-9_$]*)\M(?!\s*[.(])', 'gi') AS m
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = lower(m[1])
    WHERE has_roles AND of_tenant IS NOT NULL AND NOT is_parsed AND n.nspname <> d.nspname AND n.nspname !~ '^pg_'
        AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = n.oid)
        AND NOT EXISTS (SELECT FROM pg_class own WHERE own.relnamespace = d.nsp AND own.relname = c.relname)
        AND NOT EXISTS (SELECT FROM used u JOIN platform p ON p.nsp = n.oid WHERE u.template = d.template AND u.table_name = c.relname AND a_right = 'SELECT')
    UNION
    -- A parsed body's dependencies.
    SELECT d.nspname, d.object, d.proowner, d.of_tenant, c.relname, n.nspname
    FROM definer d JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = d.oid AND e.refclassid = 'pg_class'::regclass
        JOIN pg_class c ON c.oid = e.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE has_roles AND of_tenant IS NOT NULL AND is_parsed AND n.nspname <> d.nspname AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = n.oid)
        AND NOT EXISTS (SELECT FROM used u JOIN platform p ON p.nsp = n.oid WHERE u.template = d.template AND u.table_name = c.relname AND a_right = 'SELECT')
) named GROUP BY nspname, object, proowner, of_tenant
UNION ALL
SELECT 'untrusted-code', nspname, object, pg_get_userbyid(proowner), caller, lanname, 'ROUTINE ' || target
FROM callable WHERE (NOT lanpltrusted OR lanname IN ('c', 'internal')) AND EXISTS (SELECT FROM audience)
UNION ALL
SELECT 'leakproof', nspname, object, pg_get_userbyid(proowner), caller, NULL, 'ROUTINE ' || target
FROM callable WHERE proleakproof AND EXISTS (SELECT FROM audience)
UNION ALL
-- The owner's rights go with a function that its text calls.
SELECT 'definer-calls', d.nspname, d.object, pg_get_userbyid(d.proowner), d.of_tenant, string_agg(DISTINCT format('%s.%s', n.nspname, f.proname), ', '), NULL
FROM definer d, regexp_matches(prosrc, '([a-z_][a-z0-9_$]*)\s*\.\s*([a-z_][a-z0-9_$]*)\s*\(', 'gi') AS m
    JOIN pg_namespace n ON n.nspname = lower(m[1]) JOIN pg_proc f ON f.pronamespace = n.oid AND f.proname = lower(m[2])
WHERE d.has_roles AND d.of_tenant IS NOT NULL AND n.nspname <> d.nspname AND f.oid >= 16384 AND NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = n.oid)
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'e')
    -- A function that acts on relations, or whose text is not known.
    AND (f.prosqlbody IS NOT NULL OR f.prosrc ~* '\m(from|join|update|delete|insert|merge|execute|truncate|copy|perform|call|table)\M')
    AND NOT (f.proname ^@ 'tenure_' AND EXISTS (SELECT FROM platform p WHERE p.nsp = n.oid))
GROUP BY d.nspname, d.object, d.proowner, d.of_tenant
