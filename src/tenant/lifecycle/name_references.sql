-- Texts outside of the schema `own` that contain a name as a word: bodies and settings of functions, strings in expressions,
-- settings of roles. Stored references follow a rename, so only the strings of an expression matter: the stored trees are
-- searched for their bytes first, since printing all expressions would be slow. Follows WITH given (own, name, bytes) AS (VALUES
-- (…)),
sought AS (
    SELECT name, bytes, format('(?<![\w$])%s(?![\w$])', regexp_replace(name, '([^[:alnum:]_])', '\\\1', 'g')) AS word
    FROM given
),
outside AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
        AND nspname <> (SELECT own FROM given)
),
relation AS (
    SELECT c.oid, format('%I.%I', nspname, relname) AS name,
        CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind
    FROM pg_class c JOIN outside ON outside.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
),
routine AS (
    SELECT p.oid, format('%s %I.%I(%s)', CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, nspname, proname,
        oidvectortypes(proargtypes)) AS name, prosrc, prosqlbody, proconfig, proargdefaults
    FROM pg_proc p JOIN outside ON outside.oid = pronamespace WHERE prokind <> 'a'
)
SELECT name || ': ' || what AS line FROM (
    SELECT routine.name, 'body' AS what FROM routine, sought
    WHERE (strpos(prosrc, sought.name) > 0 AND prosrc ~ word)
        OR (prosqlbody IS NOT NULL AND strpos(prosqlbody::text, bytes) > 0 AND pg_get_function_sqlbody(routine.oid) ~ word)
UNION ALL
    SELECT routine.name, 'options' FROM routine, sought WHERE array_to_string(proconfig, ' ') ~ word
UNION ALL
    SELECT routine.name, 'arguments' FROM routine, sought
    WHERE proargdefaults IS NOT NULL AND strpos(proargdefaults::text, bytes) > 0 AND pg_get_function_arguments(routine.oid) ~ word
UNION ALL
    SELECT kind || ' ' || relation.name, 'default of ' || attname
    FROM pg_attrdef d JOIN relation ON relation.oid = adrelid
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum, sought
    WHERE strpos(adbin::text, bytes) > 0 AND pg_get_expr(adbin, adrelid) ~ word
UNION ALL
    SELECT kind || ' ' || relation.name, 'constraint ' || conname
    FROM pg_constraint k JOIN relation ON relation.oid = conrelid, sought
    WHERE conbin IS NOT NULL AND strpos(conbin::text, bytes) > 0 AND pg_get_constraintdef(k.oid) ~ word
UNION ALL
    SELECT kind || ' ' || relation.name, 'policy ' || polname
    FROM pg_policy JOIN relation ON relation.oid = polrelid, sought
    WHERE strpos(concat(polqual::text, polwithcheck::text), bytes) > 0
        AND concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ~ word
UNION ALL
    SELECT kind || ' ' || relation.name, CASE rulename WHEN '_RETURN' THEN 'definition' ELSE 'rule ' || rulename END
    FROM pg_rewrite r JOIN relation ON relation.oid = ev_class, sought
    WHERE strpos(concat(ev_action::text, ev_qual::text), bytes) > 0 AND pg_get_ruledef(r.oid) ~ word
UNION ALL
    SELECT kind || ' ' || relation.name, 'index ' || i.indexrelid::regclass
    FROM pg_index i JOIN relation ON relation.oid = indrelid, sought
    WHERE (indexprs IS NOT NULL OR indpred IS NOT NULL)
        AND strpos(concat(indexprs::text, indpred::text), bytes) > 0 AND pg_get_indexdef(indexrelid) ~ word
UNION ALL
    SELECT kind || ' ' || relation.name, 'trigger ' || tgname
    FROM pg_trigger t JOIN relation ON relation.oid = tgrelid, sought
    WHERE NOT tgisinternal AND (strpos(encode(tgargs, 'escape'), sought.name) > 0 OR strpos(tgqual::text, bytes) > 0)
        AND pg_get_triggerdef(t.oid) ~ word
UNION ALL
    SELECT coalesce('role ' || r.rolname, 'database ' || d.datname), 'settings'
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase, sought
    -- A tenant may set what it likes for its own role; the search path of the renamed tenant's role follows.
    WHERE (setdatabase = 0 OR d.datname = current_database()) AND CASE WHEN setrole = 0 THEN array_to_string(setconfig, ' ') ~ word
        ELSE EXISTS (SELECT FROM unnest(setconfig) AS setting WHERE setting ^@ 'search_path=' AND setting ~ word)
            AND NOT coalesce(shobj_description(setrole, 'pg_authid') ^@ 'tenure: of database ', false) END
) held (name, what)
