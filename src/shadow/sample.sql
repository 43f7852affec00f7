-- Inserts three rows into each empty table of a schema: one with a value in every column, one with only the required columns, one
-- with other values, so that a change is visible in each column. Values come from the literals in a check constraint. If a row is
-- refused, other texts are tried, then the row without the checked columns. A table that accepts no row stays empty. Rounds
-- repeat until no table is filled, so the order of foreign keys does not matter.
DO $$
DECLARE
    the_schema text := current_setting('tenure.sample_schema');
    a_table record;
    a_column record;
    names text;
    vals text;
    one text;
    filled boolean;
    has_rows boolean;
    done oid[] := '{}';
    taken boolean;
BEGIN
    LOOP
        filled := false;
        FOR a_table IN
            SELECT c.oid, c.oid::regclass::text AS name FROM pg_catalog.pg_class c
            WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = the_schema)
              AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid <> ALL (done)
              AND NOT current_setting('tenure.sample_skip')::jsonb ? c.relname
            ORDER BY c.relname
        LOOP
            EXECUTE 'SELECT EXISTS (SELECT FROM ' || a_table.name || ')' INTO has_rows;
            IF has_rows THEN
                done := done || a_table.oid;
                CONTINUE;
            END IF;
            FOR n IN 1..3 LOOP
              taken := false;
              FOR try IN 1..3 LOOP
                EXIT WHEN taken;
                names := '';
                vals := '';
                FOR a_column IN
                    SELECT a.attname, a.attnotnull OR coalesce(t.typnotnull, false) AS needed, a.atthasdef, a.attidentity <> '' AS is_identity,
                           pg_catalog.format_type(a.atttypid, a.atttypmod) AS full_type, a.atttypmod,
                           coalesce(nullif(t.typbasetype, 0), t.oid) AS base,
                           coalesce(b.typcategory, t.typcategory) AS category,
                           coalesce(b.typname, t.typname) AS type_name,
                           (SELECT format('(SELECT %I FROM %s ORDER BY 1 OFFSET %s %% greatest((SELECT count(*) FROM %2$s), 1) LIMIT 1)',
                                          r.attname, k.confrelid::regclass, n - 1)
                            FROM pg_catalog.pg_constraint k
                            JOIN pg_catalog.pg_attribute r ON r.attrelid = k.confrelid
                             AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)]
                            WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
                              AND k.confrelid <> k.conrelid LIMIT 1) AS referenced,
                           coalesce(e.typcategory, '') AS element,
                           EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'c'
                                   AND a.attnum = ANY (k.conkey)) AS is_checked,
                           (SELECT array_agg(replace(literal[1], '''''', ''''))
                            FROM pg_catalog.pg_constraint k, regexp_matches(pg_catalog.pg_get_constraintdef(k.oid),
                                 '''((?:[^'']|'''')*)''::', 'g') literal
                            WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]) AS choices,
                           EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'f'
                                   AND a.attnum = ANY (k.conkey) AND k.confrelid = k.conrelid) AS of_itself
                    FROM pg_catalog.pg_attribute a
                    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                    LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
                    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
                    WHERE a.attrelid = a_table.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                    ORDER BY a.attnum
                LOOP
                    CONTINUE WHEN a_column.is_identity OR a_column.of_itself;
                    CONTINUE WHEN n = 2 AND (a_column.atthasdef OR NOT a_column.needed);
                    CONTINUE WHEN try = 3 AND a_column.is_checked AND (a_column.atthasdef OR NOT a_column.needed);
                    one := CASE
                        WHEN a_column.referenced IS NOT NULL THEN a_column.referenced
                        WHEN a_column.category = 'E' THEN (
                            SELECT quote_literal(enumlabel) FROM pg_catalog.pg_enum WHERE enumtypid = a_column.base
                            ORDER BY enumsortorder OFFSET (n / 2) % greatest((SELECT count(*) FROM pg_catalog.pg_enum WHERE enumtypid = a_column.base), 1) LIMIT 1)
                        WHEN a_column.category = 'N' THEN n::text
                        WHEN a_column.category = 'S' AND try = 1 AND a_column.choices IS NOT NULL THEN
                            quote_literal(a_column.choices[1 + (n / 2) % cardinality(a_column.choices)])
                        WHEN a_column.category = 'S' THEN
                            quote_literal(CASE WHEN a_column.atttypmod > 4 THEN left('sample ' || n, a_column.atttypmod - 4) ELSE 'sample ' || n END)
                        WHEN a_column.category = 'B' THEN (n = 1)::text
                        WHEN a_column.category = 'D' THEN quote_literal((timestamp '2020-01-01 10:00' + n * interval '1 day 1 hour')::text)
                        WHEN a_column.category = 'T' THEN quote_literal(n || ' hours')
                        WHEN a_column.category = 'A' THEN quote_literal(CASE a_column.element WHEN 'S' THEN '{sample ' || n || '}'
                            WHEN 'N' THEN '{' || n || '}' ELSE '{}' END)
                        WHEN a_column.category = 'I' THEN quote_literal('10.0.0.' || n)
                        WHEN a_column.type_name = 'uuid' THEN quote_literal(md5(a_table.name || n)::uuid::text)
                        WHEN a_column.type_name IN ('json', 'jsonb') THEN quote_literal('{"sample": ' || n || '}')
                        WHEN a_column.type_name = 'bytea' THEN quote_literal('\x0' || n)
                        WHEN a_column.category = 'R' THEN quote_literal('empty')
                        ELSE 'NULL'
                    END;
                    names := names || ', ' || quote_ident(a_column.attname);
                    vals := vals || ', ' || coalesce(one, 'NULL');
                END LOOP;
                BEGIN
                    IF names = '' THEN
                        EXECUTE 'INSERT INTO ' || a_table.name || ' DEFAULT VALUES';
                    ELSE
                        EXECUTE format('INSERT INTO %s (%s) VALUES (%s)', a_table.name, substr(names, 3), substr(vals, 3));
                    END IF;
                    filled := true;
                    taken := true;
                EXCEPTION WHEN OTHERS THEN
                    -- The table refuses the row: a check, a trigger, or a foreign key to a table that is still empty.
                    NULL;
                END;
              END LOOP;
            END LOOP;
        END LOOP;
        EXIT WHEN NOT filled;
    END LOOP;
END
$$;
