-- schema_version has no key, so the server refuses to update its row while a publication contains it (manual, chapter Logical
-- Replication, "Publication"). A table that another role has made stays as it is; `tenure doctor` reports it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('schema_version') AND relkind IN ('r', 'p') AND relreplident = 'd'
                AND pg_has_role(relowner, 'USAGE')
                AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)) THEN
        ALTER TABLE schema_version REPLICA IDENTITY FULL;
    END IF;
END
$$;
