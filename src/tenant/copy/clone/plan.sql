-- Reads what is needed to copy the rows of one schema into another with an equal snapshot. First the tables with rows of their
-- own and their writable columns: whether the type differs, which is so for a type in the schema (an enum, domain, composite type, or
-- array of one), and the type whose values name objects (regclass, regproc, …), if it is one, a domain over one or an array.
SELECT c.relname::text AS name, coalesce(jsonb_agg(jsonb_build_object('name', quote_ident(a.attname),
    'type', format_type(a.atttypid, a.atttypmod), 'differs', a.atttypid <> o.atttypid, 'is_array', base.is_array,
    'object', CASE WHEN element.typnamespace = 'pg_catalog'::regnamespace AND element.typname IN ('regclass', 'regtype', 'regconfig',
        'regdictionary', 'regcollation', 'regproc', 'regprocedure', 'regoper', 'regoperator', 'regnamespace') THEN element.typname END)
    ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '[]') AS columns
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_namespace source ON source.nspname = /*SOURCE*/
    JOIN pg_catalog.pg_class old ON old.relnamespace = source.oid AND old.relname = c.relname
    LEFT JOIN (pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute o ON o.attname = a.attname AND NOT o.attisdropped)
        ON a.attrelid = c.oid AND o.attrelid = old.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    LEFT JOIN (SELECT t.oid, t.typcategory = 'A' AS is_array, CASE t.typcategory WHEN 'A' THEN b.typelem ELSE b.oid END AS element
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END) base
        ON base.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type element ON element.oid = base.element
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
-- Tables and materialized views: the planner knows nothing of new rows. Only ANALYZE of the parent itself counts all rows of a
-- partitioned table.
SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = /*TARGET*/ AND c.relkind IN ('r', 'p', 'm')
ORDER BY 1;
-- Notes for the user: foreign tables.
SELECT c.relname::text AS relation
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = /*TARGET*/ AND c.relkind = 'f'
ORDER BY 1;
