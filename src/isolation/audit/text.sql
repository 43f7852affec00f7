-- Texts of functions, triggers, expressions and settings that name another tenant's schema. Most tenants have equal texts, so
-- each distinct text is searched once, without the tenant's own name. The program analyses the matches.
-- Printing a default is slow, and most tenants have the same ones.
, tree AS MATERIALIZED (
    SELECT t.nsp, t.nspname, concat('table ', relname, ': default of ', attname) AS object, d.oid, md5(adbin::text) AS digest
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN tenant t ON t.nsp = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = adrelid AND a.attnum = adnum
),
printed AS MATERIALIZED (
    SELECT digest, pg_get_expr(adbin, adrelid) AS text
    FROM (SELECT digest, min(oid) AS oid FROM tree GROUP BY digest) one JOIN pg_attrdef d USING (oid)
),
source AS MATERIALIZED (
    SELECT t.nsp, t.nspname, concat('function ', proname, '(', oidvectortypes(proargtypes), ')') AS object, 'names' AS fact,
        prosrc AS text
    FROM tenant t JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = t.nsp WHERE prosqlbody IS NULL
UNION ALL
    SELECT t.nsp, t.nspname, concat('function ', proname, '(', oidvectortypes(proargtypes), ')'), 'setting', setting
    FROM tenant t JOIN (SELECT * FROM pg_proc WHERE proconfig IS NOT NULL OFFSET 0) p ON p.pronamespace = t.nsp,
        unnest(proconfig) AS setting
UNION ALL
    SELECT t.nsp, t.nspname, 'role ' || t.rolname, 'setting', setting
    FROM tenant t JOIN pg_db_role_setting s ON s.setrole = t.role, unnest(setconfig) AS setting
UNION ALL
    -- Of the database, of all roles, and of shared functions.
    SELECT 0, '', CASE WHEN s.setdatabase <> 0 THEN 'database ' || current_database() ELSE 'all roles' END, 'setting', setting
    FROM pg_db_role_setting s, unnest(setconfig) AS setting
    WHERE s.setrole = 0 AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND EXISTS (SELECT FROM audience)
UNION ALL
    SELECT 0, '', concat('table ', n.nspname, '.', c.relname, ': policy ', polname), 'names',
        concat_ws(' AND ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy l JOIN pg_class c ON c.oid = l.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM tenant t WHERE t.nsp = c.relnamespace)
        AND EXISTS (SELECT FROM aclexplode(relacl) e JOIN audience a ON a.acts = e.grantee WHERE e.grantee <> relowner)
UNION ALL
    -- Functions in a view can run SQL of a string, such as dblink, or query_to_xml in a materialized view.
    SELECT t.nsp, t.nspname, concat(CASE relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END, relname), 'names', pg_get_viewdef(c.oid)
    FROM tenant t JOIN (SELECT * FROM pg_class WHERE relkind IN ('v', 'm') OFFSET 0) c ON c.relnamespace = t.nsp
    WHERE relkind = 'm' OR EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_proc'::regclass WHERE w.ev_class = c.oid)
UNION ALL
    SELECT t.nsp, t.nspname, concat('type ', typname, ': constraint ', conname), 'expression', pg_get_expr(conbin, 0)
    FROM (SELECT * FROM pg_constraint WHERE contype = 'c' AND contypid <> 0 OFFSET 0) o JOIN pg_type y ON y.oid = contypid
        JOIN tenant t ON t.nsp = y.typnamespace
UNION ALL
    SELECT t.nsp, t.nspname, concat('foreign table ', relname), 'names', array_to_string(ftoptions, ' ')
    FROM pg_foreign_table f JOIN pg_class c ON c.oid = ftrelid JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT t.nsp, t.nspname, concat('table ', relname, ': trigger ', tgname), 'names', encode(tgargs, 'escape')
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN tenant t ON t.nsp = c.relnamespace
    WHERE NOT tgisinternal AND tgnargs > 0
UNION ALL
    SELECT nsp, nspname, object, 'expression', text FROM tree JOIN printed USING (digest)
UNION ALL
    SELECT t.nsp, t.nspname, concat('table ', relname, ': constraint ', conname), 'expression', pg_get_expr(conbin, conrelid)
    FROM (SELECT * FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 OFFSET 0) o JOIN pg_class c ON c.oid = conrelid
        JOIN tenant t ON t.nsp = c.relnamespace
UNION ALL
    SELECT t.nsp, t.nspname, concat('table ', relname, ': policy ', polname), 'expression',
        concat_ws(' AND ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy l JOIN pg_class c ON c.oid = l.polrelid JOIN tenant t ON t.nsp = c.relnamespace
),
own AS MATERIALIZED (
    SELECT source.*, CASE WHEN strpos(text, nspname) = 0 THEN text ELSE regexp_replace(text,
            '(?<![\w$])' || regexp_replace(nspname, '(\W)', '\\\1', 'g') || '(?![\w$])', '', 'g') END AS others
    FROM source
),
-- A plain name is matched as a word; other names are searched in the text.
word AS MATERIALIZED (
    SELECT DISTINCT others, t.nspname AS named
    FROM (SELECT DISTINCT others FROM own) texts, regexp_matches(others, '[A-Za-z_][A-Za-z0-9_$]*', 'g') AS found
        JOIN tenant t ON t.nspname = lower(found[1])
UNION
    SELECT others, t.nspname FROM (SELECT DISTINCT others FROM own) texts
        JOIN (SELECT nspname FROM tenant WHERE nspname !~ '^[a-z_][a-z0-9_$]*$') t ON strpos(others, t.nspname) > 0
)
SELECT fact, nullif(own.nspname, '')::text AS schema, object, NULL::text AS who, named::text AS other, text AS what,
    -- Ambiguous if the tenant or the platform has an object of that name.
    CASE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = named
            AND (c.relnamespace = own.nsp OR c.relnamespace IN (SELECT nsp FROM platform))) THEN 'ambiguous' END AS target
FROM own JOIN word USING (others) WHERE named <> own.nspname
