-- What a copy of a schema would lose or share: indexes that a failed build left invalid (those of a partitioned table are incomplete,
-- not failed), partitions and child tables in other schemas, whose rows appear in the tenant's tables, and columns that may refer to
-- large objects, which belong to no schema.
WITH relation AS (
    SELECT c.oid, c.relkind, n.oid AS schema, n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
)
SELECT 'index' AS kind, c.name, r.name AS relation
FROM pg_catalog.pg_index i JOIN relation c ON c.oid = i.indexrelid JOIN relation r ON r.oid = i.indrelid
WHERE c.nspname = /*SCHEMA*/ AND c.relkind = 'i' AND NOT i.indisvalid
UNION ALL
SELECT 'child', c.name, p.name
FROM pg_catalog.pg_inherits i JOIN relation p ON p.oid = i.inhparent JOIN relation c ON c.oid = i.inhrelid
WHERE p.nspname = /*SCHEMA*/ AND c.schema <> p.schema AND p.relkind IN ('r', 'p')
UNION ALL
SELECT 'large objects', pg_catalog.quote_ident(a.attname), c.name
FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.nspname = /*SCHEMA*/ AND c.relkind = 'r' AND 'pg_catalog.oid'::pg_catalog.regtype IN (t.oid, t.typbasetype)
    AND EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
ORDER BY 1, 3, 2
