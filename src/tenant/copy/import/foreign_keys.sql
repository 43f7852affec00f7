-- For each of these foreign keys a query that counts the keys of rows that are missing (MATCH SIMPLE: a key with a NULL refers to none).
SELECT pg_catalog.format('SELECT %L AS key, %L AS referenced, count(*)::int8 AS keys FROM (SELECT DISTINCT %s FROM ONLY %s t WHERE %s AND NOT EXISTS (SELECT FROM %s r WHERE %s)) missing',
    pg_catalog.format('%s (%s)', c.conrelid::pg_catalog.regclass, string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.n)),
    c.confrelid::pg_catalog.regclass,
    string_agg('t.' || pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.n), c.conrelid::pg_catalog.regclass,
    string_agg('t.' || pg_catalog.quote_ident(a.attname) || ' IS NOT NULL', ' AND '), c.confrelid::pg_catalog.regclass,
    string_agg(pg_catalog.format('r.%I OPERATOR(%I.%s) t.%I', f.attname, s.nspname, o.oprname, a.attname), ' AND ')) AS query
FROM (VALUES /*KEYS*/) AS key (relation, name)
    JOIN pg_catalog.pg_constraint c ON c.conrelid = key.relation::pg_catalog.regclass AND pg_catalog.quote_ident(c.conname) = key.name
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey), pg_catalog.unnest(c.conpfeqop)) WITH ORDINALITY AS k (of_table, of_other, operator, n)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.of_table
    JOIN pg_catalog.pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = k.of_other
    JOIN pg_catalog.pg_operator o ON o.oid = k.operator JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace
WHERE c.contype = 'f'
GROUP BY c.oid, c.conrelid, c.confrelid
ORDER BY c.conrelid::pg_catalog.regclass::text
