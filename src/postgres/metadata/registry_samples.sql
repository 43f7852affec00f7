-- The registry's columns that need a value, and one for each, as SQL: the first row of a referenced table, a text of a check
-- constraint, the first value of an enum, or a value of the type. A UUID is random.
SELECT a.attname::pg_catalog.text AS name, coalesce(
    (SELECT pg_catalog.format('(SELECT %I FROM %s ORDER BY 1 LIMIT 1)', r.attname, k.confrelid::pg_catalog.regclass)
     FROM pg_catalog.pg_constraint k
     JOIN pg_catalog.pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)]
     WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) LIMIT 1),
    (SELECT '''' || (pg_catalog.regexp_match(pg_catalog.pg_get_constraintdef(k.oid), '''((?:[^'']|'''')*)''::'))[1] || ''''
     FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'c' AND (k.conrelid = a.attrelid AND k.conkey = ARRAY[a.attnum] OR k.contypid = t.oid)
       AND t.typcategory = 'S' AND pg_catalog.pg_get_constraintdef(k.oid) ~ '''((?:[^'']|'''')*)''::' LIMIT 1),
    (SELECT pg_catalog.quote_literal(e.enumlabel) FROM pg_catalog.pg_enum e
     WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid) ORDER BY e.enumsortorder LIMIT 1),
    CASE coalesce(b.typcategory, t.typcategory)
        WHEN 'N' THEN '/*NUMBER*/'
        WHEN 'S' THEN pg_catalog.format('%L::%s', /*TEXT*/, pg_catalog.format_type(a.atttypid, a.atttypmod))
        WHEN 'B' THEN 'false'
        WHEN 'D' THEN '''2020-01-01'''
        WHEN 'T' THEN '''1 hour'''
        WHEN 'A' THEN '''{}'''
        WHEN 'I' THEN '''10.0.0.1'''
        WHEN 'R' THEN '''empty'''
        ELSE CASE coalesce(b.typname, t.typname)
            WHEN 'uuid' THEN 'pg_catalog.gen_random_uuid()'
            WHEN 'json' THEN '''{}'''
            WHEN 'jsonb' THEN '''{}'''
            WHEN 'bytea' THEN '''\x'''
            WHEN 'citext' THEN pg_catalog.quote_literal(/*TEXT*/)
        END
    END) AS value
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
WHERE a.attrelid = pg_catalog.to_regclass(/*REGISTRY*/) AND a.attnum > 0 AND NOT a.attisdropped
  AND (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
  AND t.typdefault IS NULL AND a.attname NOT IN (/*OWN*/)
ORDER BY a.attnum
