-- Reads what is needed to copy the rows of one schema into another with an equal snapshot. First the tables with rows of their
-- own, their writable columns, and the expressions that read these from the source. A type in the schema (an enum, domain,
-- composite type, or array of one) is a different type in each schema; its values are cast through text.
SELECT c.relname::text AS name,
    coalesce(string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), '') AS columns,
    coalesce(string_agg(quote_ident(a.attname) || CASE WHEN a.atttypid <> o.atttypid
        THEN '::text::' || format_type(a.atttypid, a.atttypmod) ELSE '' END, ', ' ORDER BY a.attnum), '') AS values
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_namespace source ON source.nspname = /*SOURCE*/
    JOIN pg_catalog.pg_class old ON old.relnamespace = source.oid AND old.relname = c.relname
    LEFT JOIN (pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute o ON o.attname = a.attname AND NOT o.attisdropped)
        ON a.attrelid = c.oid AND o.attrelid = old.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE n.nspname = /*TARGET*/ AND c.relkind = 'r'
GROUP BY c.oid, c.relname ORDER BY c.oid;
-- Foreign keys within the schema, and constraints that are not valid: they are dropped while rows are copied. Inherited
-- constraints follow their parent's.
SELECT c.relname::text AS relation, con.conname::text AS name, pg_catalog.pg_get_constraintdef(con.oid) AS definition,
    pg_catalog.obj_description(con.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = /*TARGET*/ AND con.conparentid = 0 AND con.coninhcount = 0
    AND (con.contype = 'f' AND EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.oid = con.confrelid AND r.relnamespace = n.oid)
        OR con.contype IN ('c', 'n') AND NOT con.convalidated)
ORDER BY con.oid;
-- Enabled triggers and rules, and their modes. PostgreSQL 14 marks a partition's clone of a trigger as internal.
SELECT 'TRIGGER' AS kind, c.relname::text AS relation, t.tgname::text AS name, t.tgenabled::text AS state
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = /*TARGET*/ AND c.relkind IN ('r', 'p') AND t.tgenabled <> 'D'
    AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
UNION ALL
SELECT 'RULE', c.relname::text, r.rulename::text, r.ev_enabled::text
FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = /*TARGET*/ AND c.relkind IN ('r', 'p') AND r.ev_enabled <> 'D' AND r.rulename <> '_RETURN'
ORDER BY 1, 2, 3;
-- Sequences with their counterparts: the sequence of the same column, or with the same name.
SELECT s.relname::text AS source, coalesce(
    (SELECT ts.relname::text FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
        JOIN pg_catalog.pg_class tc ON tc.relname = c.relname AND tc.relnamespace = target.oid
        JOIN pg_catalog.pg_attribute ta ON ta.attrelid = tc.oid AND ta.attname = a.attname
        JOIN pg_catalog.pg_depend td ON td.refobjid = tc.oid AND td.refobjsubid = ta.attnum AND td.deptype = 'i'
            AND td.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND td.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        JOIN pg_catalog.pg_class ts ON ts.oid = td.objid AND ts.relkind = 'S'
        WHERE d.objid = s.oid AND d.deptype = 'i' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass),
    s.relname::text) AS target
FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace,
    pg_catalog.pg_namespace target
WHERE n.nspname = /*SOURCE*/ AND target.nspname = /*TARGET*/ AND s.relkind = 'S'
ORDER BY 1;
-- Materialized views, in order of their dependencies.
WITH RECURSIVE uses AS (
    SELECT r.ev_class AS who, d.refobjid AS what
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.refobjid <> r.ev_class
        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    WHERE r.rulename = '_RETURN'
), view AS (
    SELECT c.oid, c.relname FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = /*TARGET*/ AND c.relkind = 'm'
), reach AS (
    SELECT oid AS root, oid AS at, 0 AS depth FROM view
    UNION SELECT root, what, depth + 1 FROM reach JOIN uses ON who = at
)
SELECT view.relname::text AS name, source.relispopulated AS populated
FROM view JOIN reach ON root = view.oid
    JOIN pg_catalog.pg_class source ON source.relname = view.relname AND source.relkind = 'm'
    JOIN pg_catalog.pg_namespace n ON n.oid = source.relnamespace AND n.nspname = /*SOURCE*/
GROUP BY view.relname, source.relispopulated ORDER BY max(depth), view.relname;
-- Foreign keys to tables in other schemas: creating one locks the referenced table until COMMIT.
SELECT count(*)::int8 AS keys FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class r ON r.oid = con.confrelid
WHERE n.nspname = /*TARGET*/ AND con.contype = 'f' AND r.relnamespace <> n.oid;
-- Partitions and child tables in other schemas, whose rows appear in the source.
SELECT p.relname::text AS relation, c.oid::pg_catalog.regclass::text AS child
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
WHERE n.nspname = /*SOURCE*/ AND c.relnamespace <> n.oid AND p.relkind IN ('r', 'p')
ORDER BY 1, 2;
-- Notes for the user: foreign tables, and columns that may refer to large objects, which belong to no schema.
SELECT c.relname::text AS relation, a.attname::text AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON c.relkind = 'r' AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND (a.atttypid = 'pg_catalog.oid'::pg_catalog.regtype
            OR a.atttypid IN (SELECT oid FROM pg_catalog.pg_type WHERE typname = 'lo'
                AND typbasetype = 'pg_catalog.oid'::pg_catalog.regtype))
WHERE n.nspname = /*TARGET*/ AND (c.relkind = 'f' OR a.attname IS NOT NULL)
ORDER BY 1, 2;
