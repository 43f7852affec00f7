-- The contents of schemas: a row for each object and each part of an object (a column, an index, …). Equal
-- schemas give equal texts: they contain no OID, attribute number or sequence value, and a placeholder for the
-- schema's own name.
-- It runs with search_path = pg_catalog, pg_temp, so names are printed with their schema. A property is `name=value`; \x1f
-- separates properties, \x1e the members of a list. Columns of releases after 14 are not used; what they
-- contain (NULLS NOT DISTINCT, NOT ENFORCED, WITHOUT OVERLAPS) is in the printed definitions.
s AS MATERIALIZED (
    SELECT oid, nspname, nspowner, nspacl,
        -- A qualifier as the server prints it: the name, quoted if necessary, and a dot. In a string an
        -- apostrophe in the name is doubled.
        format('(?<![\w$."])(?:%s|%s)(?=\.)', printed, replace(printed, '''', '''''')) AS qualifier,
        -- A separate word, with or without quotes, in text that users wrote.
        CASE WHEN quote_ident(nspname) = nspname THEN format('(?<![\w$.])(?:%s|"%s")(?![\w$])', printed, printed)
            ELSE format('(?<![\w$."])%s(?!["\w$])', printed) END AS word,
        -- In a role's name there may be a prefix or suffix, since role names are unique in a server.
        format('(?<![[:alnum:]])%s(?![[:alnum:]])', regexp_replace(nspname, '([^[:alnum:]_])', '\\\1', 'g')) AS role_part,
        -- A text without this is not examined further; a name with doubled quotes may be in any text.
        CASE WHEN nspname ~ '["'']' THEN '' ELSE nspname::text END AS hint
    FROM (SELECT *, regexp_replace(quote_ident(nspname), '([^[:alnum:]_"])', '\\\1', 'g') AS printed
          FROM pg_namespace WHERE nspname = ANY (/*SCHEMAS*/)) named
),
-- Objects of an extension are excluded, and functions of a range type.
member AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
    UNION ALL SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_type'::regclass AND deptype = 'i' AND classid = 'pg_proc'::regclass
),
-- The documented options of tables, TOAST tables, views and indexes in PostgreSQL 14 to 18 (manual, CREATE
-- TABLE, "Storage Parameters"; CREATE VIEW, "Parameters"; CREATE INDEX, "Index Storage Parameters"). Others are
-- not compared: the server sets some itself, with different values in every schema, such as pg_attver in
-- pg_attribute since 15.20. For the same reason only the two documented options of a column are compared.
documented (option) AS (
    VALUES ('fillfactor'), ('toast_tuple_target'), ('parallel_workers'), ('user_catalog_table'), ('autovacuum_enabled'),
        ('vacuum_index_cleanup'), ('vacuum_truncate'), ('vacuum_max_eager_freeze_failure_rate'),
        ('autovacuum_vacuum_threshold'), ('autovacuum_vacuum_max_threshold'), ('autovacuum_vacuum_scale_factor'),
        ('autovacuum_vacuum_insert_threshold'), ('autovacuum_vacuum_insert_scale_factor'),
        ('autovacuum_analyze_threshold'), ('autovacuum_analyze_scale_factor'), ('autovacuum_vacuum_cost_delay'),
        ('autovacuum_vacuum_cost_limit'), ('autovacuum_freeze_min_age'), ('autovacuum_freeze_max_age'),
        ('autovacuum_freeze_table_age'), ('autovacuum_multixact_freeze_min_age'),
        ('autovacuum_multixact_freeze_max_age'), ('autovacuum_multixact_freeze_table_age'),
        ('log_autovacuum_min_duration'), ('check_option'), ('security_barrier'), ('security_invoker'),
        ('deduplicate_items'), ('buffering'), ('fastupdate'), ('gin_pending_list_limit'), ('pages_per_range'),
        ('autosummarize')
),
-- Options by relation: the compared ones, and how an index's definition prints all and the compared ones. The
-- options of an extension's access method and of a foreign-data wrapper are unknown here; all of those are
-- compared, except for the prefix pg_, which PostgreSQL reserves.
options AS MATERIALIZED (
    SELECT relation AS oid,
        string_agg(in_toast || option, E'\x1e' ORDER BY option COLLATE "C") FILTER (WHERE is_compared) AS compared,
        ' WITH (' || string_agg(printed, ', ' ORDER BY nth) || ')' AS printed,
        coalesce(' WITH (' || string_agg(printed, ', ' ORDER BY nth) FILTER (WHERE is_compared) || ')', '') AS printed_compared
    FROM (
        SELECT c.oid AS relation, option, nth, CASE relkind WHEN 't' THEN 'toast.' ELSE '' END AS in_toast,
            quote_ident(key) || '=' || CASE WHEN quote_ident(value) = value THEN value ELSE quote_literal(value) END AS printed,
            CASE WHEN amname IS NULL OR amname IN ('heap', 'btree', 'hash', 'gist', 'spgist', 'gin', 'brin')
                THEN key IN (SELECT documented.option FROM documented) ELSE NOT key ^@ 'pg_' END AS is_compared
        FROM (SELECT * FROM pg_class WHERE reloptions IS NOT NULL
                AND (relkind = 't' OR relnamespace IN (SELECT oid FROM s)) OFFSET 0) c
            LEFT JOIN pg_am ON pg_am.oid = relam, unnest(reloptions) WITH ORDINALITY AS written (option, nth),
            split_part(option, '=', 1) AS key, substr(option, length(key) + 2) AS value
    ) each_option
    GROUP BY relation
),
rel AS MATERIALIZED (
    SELECT s.oid AS nsp, c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.reltype,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite type' ELSE 'table' END AS kind,
        c.relispartition, c.relpartbound, c.relpersistence, c.reltoastrelid, c.relam, c.relrowsecurity,
        c.relforcerowsecurity, c.relreplident, c.relispopulated, c.reloftype
    -- No index starts with a namespace column, so read it once.
    FROM s JOIN (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') OFFSET 0) c
        ON c.relnamespace = s.oid
    WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
),
parent AS MATERIALIZED (
    SELECT inhrelid, string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) AS names
    FROM pg_inherits GROUP BY inhrelid
),
typ AS MATERIALIZED (
    SELECT s.oid AS nsp, t.oid, t.typname, t.typtype, t.typowner, t.typacl, t.typrelid, t.typbasetype, t.typtypmod,
        t.typnotnull, t.typdefault, t.typcollation
    FROM s JOIN (SELECT * FROM pg_type WHERE typtype IN ('e', 'd', 'r', 'c') OFFSET 0) t ON t.typnamespace = s.oid
    WHERE (t.typrelid = 0 OR EXISTS (SELECT FROM rel WHERE rel.oid = t.typrelid AND rel.relkind = 'c'))
        AND NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
),
line AS MATERIALIZED (
    SELECT s.oid AS nsp, 'schema' AS kind, '{org_schema}'::text AS object, NULL::text AS part, NULL::text AS name,
        ''::text AS properties, NULL::text AS code, 'pg_namespace'::regclass::oid AS classid, s.oid AS objid, 0 AS subid,
        s.nspowner AS owner, 'n'::"char" AS acl_of, s.nspacl AS acl
    FROM s
UNION ALL
    -- Tables and views. Composite types follow below.
    SELECT nsp, kind, relname, NULL, NULL,
        concat_ws(E'\x1f',
            'definition=' || CASE WHEN relkind IN ('v', 'm') THEN rtrim(pg_get_viewdef(rel.oid), ';') END,
            'persistence=' || CASE relpersistence WHEN 'u' THEN 'unlogged' END,
            'partition key=' || CASE relkind WHEN 'p' THEN pg_get_partkeydef(rel.oid) END,
            CASE WHEN relispartition THEN 'partition of=' ELSE 'inherits=' END || parent.names,
            'partition bound=' || CASE WHEN relispartition THEN pg_get_expr(relpartbound, rel.oid) END,
            'of type=' || CASE WHEN reloftype <> 0 THEN format_type(reloftype, NULL) END,
            'access method=' || CASE WHEN relkind IN ('r', 'm') AND amname <> 'heap' THEN amname END,
            'options=' || nullif(concat_ws(E'\x1e', options.compared, toast.compared), ''),
            'row security=' || CASE WHEN relforcerowsecurity AND relrowsecurity THEN 'forced'
                WHEN relrowsecurity THEN 'enabled' WHEN relforcerowsecurity THEN 'forced, but not enabled' END,
            'replica identity=' || CASE relreplident WHEN 'n' THEN CASE WHEN relkind IN ('r', 'p') THEN 'nothing' END
                WHEN 'f' THEN 'full' WHEN 'i' THEN 'an index' END,
            'populated=' || CASE WHEN NOT relispopulated THEN 'no' END,
            'server=' || srvname || concat('(', (SELECT string_agg(option, ', ' ORDER BY option COLLATE "C")
                FROM unnest(ftoptions) AS option WHERE NOT option ^@ 'pg_'), ')')),
        NULL, 'pg_class'::regclass, rel.oid, 0, relowner, 'r', relacl
    FROM rel LEFT JOIN parent ON parent.inhrelid = rel.oid LEFT JOIN pg_am ON pg_am.oid = rel.relam
        LEFT JOIN options ON options.oid = rel.oid LEFT JOIN options toast ON toast.oid = rel.reltoastrelid
        LEFT JOIN pg_foreign_table ON ftrelid = rel.oid LEFT JOIN pg_foreign_server ON pg_foreign_server.oid = ftserver
    WHERE relkind NOT IN ('S', 'c')
UNION ALL
    -- Columns. The position is compared, not the attribute number: a dropped column leaves a gap.
    SELECT nsp, kind, relname, 'column', attname,
        concat_ws(E'\x1f',
            'type=' || format_type(a.atttypid, a.atttypmod),
            'not null=' || CASE WHEN a.attnotnull THEN
                -- From 18 on it is also a constraint, which may be not validated.
                CASE WHEN current_setting('server_version_num')::int >= 180000 AND EXISTS (SELECT FROM pg_constraint v
                        WHERE v.conrelid = a.attrelid AND v.contype = 'n' AND v.conkey[1] = a.attnum AND NOT v.convalidated)
                    THEN 'not validated' ELSE 'yes' END END,
            'default=' || CASE WHEN a.attgenerated = '' AND a.atthasdef THEN pg_get_expr(d.adbin, d.adrelid) END,
            'generated=' || CASE a.attgenerated WHEN 's' THEN pg_get_expr(d.adbin, d.adrelid) || ' stored'
                WHEN 'v' THEN pg_get_expr(d.adbin, d.adrelid) || ' virtual' END,
            'identity=' || CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
            'sequence=' || CASE WHEN a.attidentity <> '' THEN
                (SELECT concat_ws(' ', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement, 'min',
                    q.seqmin, 'max', q.seqmax, 'cache', q.seqcache, CASE WHEN q.seqcycle THEN 'cycle' END)
                 FROM pg_depend o JOIN pg_sequence q ON q.seqrelid = o.objid
                 WHERE o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass
                    AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum AND o.deptype = 'i') END,
            'collation=' || CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
            'storage=' || CASE WHEN a.attstorage <> t.typstorage THEN
                CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END END,
            'compression=' || CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
            'statistics target=' || CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END,
            'options=' || CASE WHEN a.attoptions IS NOT NULL OR a.attfdwoptions IS NOT NULL THEN
                (SELECT string_agg(option, E'\x1e' ORDER BY option COLLATE "C") FROM (
                    SELECT option FROM unnest(a.attoptions) AS option
                        WHERE split_part(option, '=', 1) IN ('n_distinct', 'n_distinct_inherited')
                    UNION ALL SELECT option FROM unnest(a.attfdwoptions) AS option WHERE NOT option ^@ 'pg_') compared) END,
            'position=' || row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum)),
        NULL, 'pg_class'::regclass, rel.oid, a.attnum, relowner, 'c', a.attacl
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE relkind <> 'S' AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
    -- Constraints of tables and domains. NOT NULL is a property of the column in every release.
    SELECT coalesce(rel.nsp, typ.nsp), coalesce(rel.kind, 'domain'), coalesce(rel.relname, typ.typname), 'constraint', conname,
        concat_ws(E'\x1f',
            'type=' || CASE con.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion'
                WHEN 'f' THEN 'foreign key' ELSE 'check' END,
            'columns=' || (SELECT string_agg(a.attname, E'\x1e' ORDER BY a.attname COLLATE "C") FROM pg_attribute a
                WHERE a.attrelid = con.conrelid AND a.attnum = ANY (con.conkey)),
            'definition=' || CASE WHEN con.convalidated THEN pg_get_constraintdef(con.oid)
                ELSE regexp_replace(pg_get_constraintdef(con.oid), ' NOT VALID$', '') END,
            'validated=' || CASE WHEN NOT con.convalidated THEN 'no' END,
            'valid=' || CASE WHEN NOT i.indisvalid THEN 'no' END,
            -- The definition does not contain them.
            'options=' || options.compared),
        NULL, 'pg_constraint'::regclass, con.oid, 0, coalesce(relowner, typowner), NULL, NULL
    FROM pg_constraint con LEFT JOIN rel ON rel.oid = con.conrelid LEFT JOIN typ ON typ.oid = con.contypid
        LEFT JOIN pg_index i ON i.indexrelid = con.conindid AND con.contype IN ('p', 'u', 'x')
        LEFT JOIN options ON options.oid = i.indexrelid
    WHERE con.contype IN ('p', 'u', 'x', 'c', 'f') AND (rel.oid IS NOT NULL OR typ.oid IS NOT NULL)
        AND con.connamespace IN (SELECT oid FROM s)
UNION ALL
    -- Indexes without a constraint.
    SELECT nsp, kind, rel.relname, 'index', ic.relname,
        concat_ws(E'\x1f',
            -- Parameters of an operator class are compared unchanged.
            'definition=' || CASE WHEN options.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
                ELSE replace(pg_get_indexdef(i.indexrelid), options.printed, options.printed_compared) END,
            'unique=' || CASE WHEN i.indisunique THEN 'yes' END,
            'columns=' || CASE WHEN i.indisunique AND i.indexprs IS NULL AND i.indpred IS NULL THEN
                (SELECT string_agg(a.attname, E'\x1e' ORDER BY a.attname COLLATE "C") FROM pg_attribute a
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) END,
            'valid=' || CASE WHEN NOT i.indisvalid THEN 'no' END,
            'replica identity=' || CASE WHEN i.indisreplident THEN 'yes' END),
        NULL, 'pg_class'::regclass, i.indexrelid, 0, ic.relowner, NULL, NULL
    FROM rel JOIN pg_index i ON i.indrelid = rel.oid JOIN pg_class ic ON ic.oid = i.indexrelid
        LEFT JOIN options ON options.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint con
                      WHERE con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x'))
UNION ALL
    SELECT nsp, kind, relname, 'trigger', tgname,
        concat_ws(E'\x1f', 'definition=' || pg_get_triggerdef(t.oid), 'enabled=' || CASE tgenabled
            WHEN 'D' THEN 'no' WHEN 'R' THEN 'on a replica' WHEN 'A' THEN 'always' END),
        NULL, 'pg_trigger'::regclass, t.oid, 0, relowner, NULL, NULL
    FROM rel JOIN pg_trigger t ON t.tgrelid = rel.oid WHERE NOT t.tgisinternal
UNION ALL
    SELECT nsp, kind, relname, 'rule', rulename,
        concat_ws(E'\x1f', 'definition=' || rtrim(pg_get_ruledef(r.oid), ';'), 'enabled=' || CASE ev_enabled
            WHEN 'D' THEN 'no' WHEN 'R' THEN 'on a replica' WHEN 'A' THEN 'always' END),
        NULL, 'pg_rewrite'::regclass, r.oid, 0, relowner, NULL, NULL
    FROM rel JOIN pg_rewrite r ON r.ev_class = rel.oid WHERE r.rulename <> '_RETURN'
UNION ALL
    SELECT nsp, kind, relname, 'policy', polname,
        concat_ws(E'\x1f',
            'command=' || CASE polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                WHEN 'd' THEN 'delete' ELSE 'all' END,
            'permissive=' || CASE WHEN NOT polpermissive THEN 'no' END,
            'roles=' || (SELECT string_agg(who, E'\x1e' ORDER BY who COLLATE "C") FROM (
                SELECT CASE WHEN role = 0 THEN 'public' WHEN role = s.nspowner THEN '{owner}'
                    ELSE regexp_replace(pg_get_userbyid(role), s.role_part, '{org_schema}') END AS who
                FROM unnest(polroles) AS role) named),
            'using=' || pg_get_expr(polqual, polrelid),
            'check=' || pg_get_expr(polwithcheck, polrelid)),
        NULL, 'pg_policy'::regclass, p.oid, 0, relowner, NULL, NULL
    FROM rel JOIN s ON s.oid = rel.nsp JOIN pg_policy p ON p.polrelid = rel.oid
UNION ALL
    -- Sequences, except for those of identity columns.
    SELECT nsp, kind, relname, NULL, NULL,
        concat_ws(E'\x1f', 'type=' || format_type(seqtypid, NULL), 'start=' || seqstart, 'increment=' || seqincrement,
            'min=' || seqmin, 'max=' || seqmax, 'cache=' || seqcache, 'cycle=' || CASE WHEN seqcycle THEN 'yes' END,
            'owned by=' || (SELECT o.refobjid::regclass || '.' || quote_ident(a.attname)
                FROM pg_depend o JOIN pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
                WHERE o.classid = 'pg_class'::regclass AND o.objid = rel.oid AND o.deptype = 'a'
                    AND o.refclassid = 'pg_class'::regclass)),
        NULL, 'pg_class'::regclass, rel.oid, 0, relowner, 's', relacl
    FROM rel JOIN pg_sequence q ON q.seqrelid = rel.oid
    WHERE NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = rel.oid
                        AND o.deptype = 'i' AND o.refclassid = 'pg_class'::regclass)
UNION ALL
    SELECT s.oid, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        p.proname || '(' || oidvectortypes(p.proargtypes) || ')', NULL, NULL,
        concat_ws(E'\x1f',
            'arguments=' || pg_get_function_arguments(p.oid),
            'result=' || pg_get_function_result(p.oid),
            'language=' || l.lanname,
            'window=' || CASE p.prokind WHEN 'w' THEN 'yes' END,
            'volatility=' || CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
            'strict=' || CASE WHEN p.proisstrict THEN 'yes' END,
            'security=' || CASE WHEN p.prosecdef THEN 'definer' END,
            'leakproof=' || CASE WHEN p.proleakproof THEN 'yes' END,
            'parallel=' || CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END,
            'cost=' || p.procost,
            'rows=' || nullif(p.prorows, 0),
            'library=' || p.probin,
            'aggregate=' || CASE WHEN p.prokind = 'a' THEN
                (SELECT concat_ws(', ', g.aggkind::text, g.aggtransfn::text, format_type(g.aggtranstype, NULL), g.agginitval,
                    g.aggfinalfn::text, g.aggcombinefn::text, g.aggmtransfn::text, g.aggsortop::regoperator::text)
                 FROM pg_aggregate g WHERE g.aggfnoid = p.oid) END,
            'definition=' || pg_get_function_sqlbody(p.oid)),
        -- The SET clauses: the server adds none, and any parameter is allowed.
        concat_ws(E'\x1f', 'options=' || array_to_string(p.proconfig, E'\x1e'),
            'body=' || CASE WHEN p.prosqlbody IS NULL AND p.prokind <> 'a' THEN p.prosrc END),
        'pg_proc'::regclass, p.oid, 0, p.proowner, 'f', p.proacl
    FROM s JOIN (SELECT * FROM pg_proc OFFSET 0) p ON p.pronamespace = s.oid JOIN pg_language l ON l.oid = p.prolang
    WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
UNION ALL
    -- Types.
    SELECT nsp, CASE typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'composite type' END,
        typname, NULL, NULL,
        concat_ws(E'\x1f',
            'labels=' || CASE typtype WHEN 'e' THEN (SELECT string_agg(enumlabel, E'\x1e' ORDER BY enumsortorder)
                FROM pg_enum WHERE enumtypid = typ.oid) END,
            'type=' || CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod)
                WHEN 'r' THEN (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = typ.oid) END,
            'not null=' || CASE WHEN typnotnull THEN 'yes' END,
            'default=' || typdefault,
            'collation=' || CASE typtype WHEN 'd' THEN (SELECT typ.typcollation::regcollation::text FROM pg_type b
                WHERE b.oid = typ.typbasetype AND b.typcollation <> typ.typcollation) END),
        NULL, 'pg_type'::regclass, typ.oid, 0, typowner, 'T', typacl
    FROM typ
UNION ALL
    SELECT s.oid, 'statistics', x.stxname, NULL, NULL,
        concat_ws(E'\x1f', 'definition=' || pg_get_statisticsobjdef(x.oid),
            'statistics target=' || CASE WHEN x.stxstattarget >= 0 THEN x.stxstattarget END), NULL,
        'pg_statistic_ext'::regclass, x.oid, 0, x.stxowner, NULL, NULL
    FROM s JOIN pg_statistic_ext x ON x.stxnamespace = s.oid
UNION ALL
    SELECT s.oid, 'collation', c.collname, NULL, NULL,
        concat_ws(E'\x1f', 'provider=' || c.collprovider::text,
            -- ICU's locale, in a column whose name differs between releases.
            'locale=' || coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate),
            'ctype=' || CASE WHEN c.collctype <> c.collcollate THEN c.collctype END,
            'rules=' || (to_jsonb(c) ->> 'collicurules'),
            'deterministic=' || CASE WHEN NOT c.collisdeterministic THEN 'no' END), NULL,
        'pg_collation'::regclass, c.oid, 0, c.collowner, NULL, NULL
    FROM s JOIN pg_collation c ON c.collnamespace = s.oid
    WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_collation'::regclass AND e.objid = c.oid)
UNION ALL
    SELECT s.oid, 'operator', concat(o.oprname, '(', coalesce(format_type(nullif(o.oprleft, 0), NULL), 'none'), ', ',
            format_type(o.oprright, NULL), ')'), NULL, NULL,
        concat_ws(E'\x1f', 'definition=' || o.oprcode::regprocedure, 'result=' || format_type(o.oprresult, NULL)), NULL,
        'pg_operator'::regclass, o.oid, 0, o.oprowner, NULL, NULL
    FROM s JOIN pg_operator o ON o.oprnamespace = s.oid
    WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_operator'::regclass AND e.objid = o.oid)
),
-- The functions and operators that expressions use. Not all syntax can name its operator (CASE, IN, IS DISTINCT FROM, NULLIF, USING),
-- so equal texts may have different meanings. A dependency on an object of the server itself is not recorded (manual, pg_depend).
-- The definitions of triggers, aggregates and operators name their functions.
depender AS MATERIALIZED (
    SELECT classid, objid, subid, classid AS by_class, objid AS by_object, subid AS by_sub, part IS DISTINCT FROM 'trigger' AS of_functions
    FROM line WHERE kind NOT IN ('schema', 'aggregate', 'operator')
UNION ALL
    SELECT 'pg_class'::regclass, rel.oid, 0, 'pg_rewrite'::regclass, r.oid, 0, true
    FROM rel JOIN pg_rewrite r ON r.ev_class = rel.oid WHERE r.rulename = '_RETURN'
UNION ALL
    SELECT 'pg_class'::regclass, rel.oid, d.adnum, 'pg_attrdef'::regclass, d.oid, 0, true
    FROM rel JOIN pg_attrdef d ON d.adrelid = rel.oid
),
used AS MATERIALIZED (
    SELECT by.classid, by.objid, by.subid, string_agg(DISTINCT CASE d.refclassid WHEN 'pg_operator'::regclass
            THEN 'operator ' || d.refobjid::regoperator ELSE 'function ' || d.refobjid::regprocedure END COLLATE "C", E'\x1e') AS names
    FROM depender by JOIN pg_depend d ON d.classid = by.by_class AND d.objid = by.by_object AND d.objsubid = by.by_sub
    WHERE d.refclassid = 'pg_operator'::regclass OR d.refclassid = 'pg_proc'::regclass AND by.of_functions
    GROUP BY by.classid, by.objid, by.subid
),
-- Comments and privileges of all objects. A privilege is listed if it differs from the owner's default.
whole AS MATERIALIZED (
    SELECT line.nsp, line.kind, line.object, line.part, line.name,
        -- `a IN ('x', 'y')` of a varchar is printed differently after a dump and restore; both forms are
        -- normalized here.
        concat_ws(E'\x1f', CASE WHEN strpos(line.properties, '''::character varying') = 0 THEN line.properties
            ELSE regexp_replace(regexp_replace(line.properties,
                '\(ARRAY\[((?:E?''(?:[^'']|'''')*''::character varying(?:, )?)+)\]\)::text\[\]', 'ARRAY[\1]', 'g'),
                '\((E?''(?:[^'']|'''')*''::character varying)\)::text', '\1', 'g') END, 'uses=' || used.names) AS properties,
        concat_ws(E'\x1f', 'comment=' || d.description, line.code) AS code,
        concat_ws(E'\x1f',
            'owner=' || CASE WHEN line.part IS NULL AND line.owner <> s.nspowner THEN
                regexp_replace(pg_get_userbyid(line.owner), s.role_part, '{org_schema}') END,
            'privileges=' || CASE WHEN line.acl IS NOT NULL THEN
                (SELECT string_agg(said, E'\x1e' ORDER BY said COLLATE "C") FROM (
                    SELECT sign || CASE WHEN grantee = 0 THEN 'public' WHEN grantee = s.nspowner THEN '{owner}'
                        ELSE regexp_replace(pg_get_userbyid(grantee), s.role_part, '{org_schema}') END || ': ' || privilege_type
                        || CASE WHEN is_grantable THEN ' with grant option' ELSE '' END AS said
                    FROM (
                        (SELECT '' AS sign, grantee, privilege_type, is_grantable FROM aclexplode(line.acl)
                         EXCEPT SELECT '', grantee, privilege_type, is_grantable
                            FROM aclexplode(acldefault(line.acl_of, line.owner)))
                        UNION ALL
                        (SELECT 'revoked from ', grantee, privilege_type, is_grantable
                            FROM aclexplode(acldefault(line.acl_of, line.owner))
                         EXCEPT SELECT 'revoked from ', grantee, privilege_type, is_grantable FROM aclexplode(line.acl))
                    ) entry) told) END,
            'default privileges=' || CASE WHEN line.kind = 'schema' THEN
                (SELECT string_agg(said, E'\x1e' ORDER BY said COLLATE "C") FROM (
                    SELECT concat_ws(' ', 'of', CASE WHEN defaclrole = s.nspowner THEN '{owner}'
                            ELSE regexp_replace(pg_get_userbyid(defaclrole), s.role_part, '{org_schema}') END, 'on',
                        CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                            WHEN 'T' THEN 'types' ELSE defaclobjtype::text END, 'to',
                        CASE WHEN grantee = 0 THEN 'public' WHEN grantee = s.nspowner THEN '{owner}'
                            ELSE regexp_replace(pg_get_userbyid(grantee), s.role_part, '{org_schema}') END || ':',
                        privilege_type, CASE WHEN is_grantable THEN 'with grant option' END) AS said
                    FROM pg_default_acl, aclexplode(defaclacl) WHERE defaclnamespace = s.oid) told) END) AS access,
        s.nspname, s.qualifier, s.word, s.hint
    FROM line JOIN s ON s.oid = line.nsp
        LEFT JOIN used ON used.classid = line.classid AND used.objid = line.objid AND used.subid = line.subid
        LEFT JOIN pg_description d ON d.classoid = line.classid AND d.objoid = line.objid AND d.objsubid = line.subid
    ORDER BY line.nsp
),
neutral AS (
    SELECT nspname AS schema, kind, part, name,
        CASE WHEN strpos(object, hint) > 0 AND kind IN ('function', 'procedure', 'aggregate', 'operator')
            THEN regexp_replace(object, qualifier, '{org_schema}', 'g') ELSE object END AS object,
        CASE WHEN strpos(properties, hint) = 0 THEN properties
            -- Outside of strings it is a schema name only before a dot; inside, wherever it is a separate word.
            ELSE CASE WHEN strpos(properties, '''') = 0 THEN regexp_replace(properties, qualifier, '{org_schema}', 'g')
                ELSE (SELECT string_agg(CASE WHEN nth % 2 = 0 THEN regexp_replace(piece, word, '{org_schema}', 'g')
                        ELSE piece END, '''' ORDER BY nth)
                    FROM unnest(string_to_array(regexp_replace(properties, qualifier, '{org_schema}', 'g'), ''''))
                        WITH ORDINALITY AS pieces (piece, nth)) END END AS properties,
        CASE WHEN strpos(code, hint) = 0 THEN code
            ELSE regexp_replace(code, word, '{org_schema}', 'g') END AS code,
        access
    FROM whole
)
