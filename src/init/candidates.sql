-- Columns that may hold the names of the tenants' schemas: of text, in tables that this role can read. A table that many schemas have
-- is a tenant's.
SELECT nspname AS schema, relname AS relation, attname AS column, is_unique FROM (
    SELECT n.nspname::text, c.relname::text, a.attname::text, c.relpages,
        EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indnkeyatts = 1
            AND i.indkey[0] = a.attnum AND i.indpred IS NULL) AS is_unique,
        count(*) OVER (PARTITION BY c.relname, a.attname) AS copies
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        JOIN pg_catalog.pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND base.typname IN ('text', 'varchar', 'name', 'bpchar', 'citext') AND c.relname NOT IN (/*OWN*/)
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
) found
ORDER BY is_unique DESC, (attname ~ 'schema') DESC, copies, relpages, 1, 2, 3 LIMIT 200
