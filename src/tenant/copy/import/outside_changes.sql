-- Changes of this transaction outside of the restored schema and of the renamed one. A foreign key updates the referenced table's
-- own row, so tables are detected by their types.
WITH mine AS (SELECT pg_catalog.pg_current_xact_id()::pg_catalog.xid AS id,
    ARRAY(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN (/*OWN*/) OR nspname LIKE 'pg\_toast%') AS own)
SELECT pg_catalog.pg_current_xact_id()::text AS transaction, coalesce(left(string_agg(DISTINCT name, ', '), 300), '') AS outside FROM (
    SELECT 'schema ' || nspname AS name FROM pg_catalog.pg_namespace x, mine WHERE x.xmin = mine.id AND NOT x.oid = ANY (own)
    UNION ALL SELECT 'type ' || typname FROM pg_catalog.pg_type x, mine WHERE x.xmin = mine.id AND NOT x.typnamespace = ANY (own)
    UNION ALL SELECT 'function ' || proname FROM pg_catalog.pg_proc x, mine WHERE x.xmin = mine.id AND NOT x.pronamespace = ANY (own)
    UNION ALL SELECT 'extension ' || extname FROM pg_catalog.pg_extension x, mine WHERE x.xmin = mine.id
    UNION ALL SELECT 'event trigger ' || evtname FROM pg_catalog.pg_event_trigger x, mine WHERE x.xmin = mine.id
    UNION ALL SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger x JOIN pg_catalog.pg_class c ON c.oid = x.tgrelid, mine
        WHERE x.xmin = mine.id AND NOT x.tgisinternal AND NOT c.relnamespace = ANY (own)
    UNION ALL SELECT 'rule ' || rulename FROM pg_catalog.pg_rewrite x JOIN pg_catalog.pg_class c ON c.oid = x.ev_class, mine
        WHERE x.xmin = mine.id AND NOT c.relnamespace = ANY (own)
    UNION ALL SELECT 'policy ' || polname FROM pg_catalog.pg_policy x JOIN pg_catalog.pg_class c ON c.oid = x.polrelid, mine
        WHERE x.xmin = mine.id AND NOT c.relnamespace = ANY (own)
    UNION ALL SELECT 'index of ' || c.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indrelid, mine
        WHERE x.xmin = mine.id AND NOT c.relnamespace = ANY (own)
    UNION ALL SELECT 'sequence ' || c.relname FROM pg_catalog.pg_sequence x JOIN pg_catalog.pg_class c ON c.oid = x.seqrelid, mine
        WHERE x.xmin = mine.id AND NOT c.relnamespace = ANY (own)
    UNION ALL SELECT 'column of ' || c.relname FROM pg_catalog.pg_attribute x JOIN pg_catalog.pg_class c ON c.oid = x.attrelid, mine
        WHERE x.xmin = mine.id AND NOT c.relnamespace = ANY (own)
) found
