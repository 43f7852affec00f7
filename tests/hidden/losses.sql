-- Migrations that hurt the running release or its data in a way that their text hides.

-- case: column-dropped-by-format
-- kind: data, readers, writers
-- line: 1
-- why: the statement is assembled from parts
-- probe: SELECT phone FROM customers ORDER BY email;
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TABLE %I DROP COLUMN %I', 'customers', 'phone');
END $$;

-- case: table-dropped-by-letters
-- kind: data, readers, writers
-- line: 1
-- why: the verb is spelled with the numbers of its letters
-- probe: SELECT amount FROM payments ORDER BY amount;
-- scope: tenant
DO $$
DECLARE verb text := chr(68) || chr(82) || chr(79) || chr(80);
BEGIN
    EXECUTE verb || ' TABLE payments';
END $$;

-- case: table-emptied-in-loop
-- kind: data
-- line: 2
-- why: the loop finds the table by its name prefix
-- probe: SELECT what FROM audit_log ORDER BY what;
-- scope: tenant
CREATE TABLE audit_days (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    day date,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_name LIKE 'audit%' LOOP
        EXECUTE 'TRUN' || 'CATE ' || quote_ident(found.table_name);
    END LOOP;
END $$;

-- case: rows-deleted-by-old-function
-- kind: data
-- line: 1
-- why: an existing function deletes the orders and, by cascade, their lines
-- probe: SELECT number, total FROM orders ORDER BY number;
-- scope: tenant
SELECT purge_orders(now());

-- case: rows-deleted-by-old-procedure
-- kind: data
-- line: 1
-- why: the procedure deletes the events of the given year
-- probe: SELECT day, kind FROM events ORDER BY day;
-- scope: tenant
CALL close_year(2024);

-- case: column-dropped-by-new-function
-- kind: data, readers, writers
-- line: 2
-- why: a function is created, called and dropped
-- probe: SELECT sku, tags FROM products ORDER BY sku;
-- scope: tenant
CREATE FUNCTION prepare_products() RETURNS void LANGUAGE plpgsql
    AS $$ BEGIN ALTER TABLE products DROP COLUMN tags; END $$;
SELECT prepare_products();
DROP FUNCTION prepare_products();

-- case: rows-deleted-in-with-of-function
-- kind: data
-- line: 2
-- why: a counting query deletes the rows that it counts
-- probe: SELECT subject FROM tickets ORDER BY subject;
-- scope: tenant
CREATE FUNCTION count_closed() RETURNS bigint LANGUAGE sql AS $$
    WITH closed AS (DELETE FROM tickets WHERE closed_at IS NOT NULL RETURNING id)
    SELECT count(*) FROM closed
$$;
SELECT count_closed();

-- case: view-on-view-dropped-by-cascade
-- kind: readers
-- line: 1
-- why: the view is created again, but its dependent view is not
-- probe: SELECT email, net FROM customer_orders ORDER BY net;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP VIEW active_customers CASCADE';
    EXECUTE 'CREATE VIEW active_customers AS SELECT id, email, name, country, active FROM customers WHERE active';
    EXECUTE 'GRANT SELECT, INSERT ON active_customers TO hidden_app';
END $$;

-- case: materialized-view-dropped-by-cascade
-- kind: readers
-- line: 1
-- why: the materialized view depends on the view that is dropped and created again
-- probe: SELECT email, net FROM sales ORDER BY email;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP VIEW order_sums CASCADE';
    EXECUTE 'CREATE VIEW order_sums AS SELECT customer_id, sum(net) AS net FROM orders GROUP BY customer_id';
    EXECUTE 'GRANT SELECT ON order_sums TO hidden_app';
END $$;

-- case: foreign-key-dropped-by-cascade
-- kind: writers
-- line: 1
-- why: the key is added again, but not the foreign key that referenced it, so orders of a deleted customer remain
-- probe: SELECT remove_customer('dora@example.com');
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE customers DROP CONSTRAINT customers_pkey CASCADE';
    EXECUTE 'ALTER TABLE customers ADD CONSTRAINT customers_pkey PRIMARY KEY (id)';
END $$;

-- case: columns-dropped-with-type
-- kind: data
-- line: 1
-- why: CASCADE drops the column of the type, and an empty column of the same name replaces it
-- probe: SELECT (home).city FROM customers ORDER BY email;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP TYPE postal_address CASCADE';
    EXECUTE 'CREATE TYPE postal_address AS (street text, zip text, city text)';
    EXECUTE 'ALTER TABLE customers ADD COLUMN home postal_address';
END $$;

-- case: column-made-anew
-- kind: data
-- line: 1
-- why: the column looks the same, but its values are lost
-- probe: SELECT email, nickname FROM customers ORDER BY email;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE customers DROP COLUMN nickname';
    EXECUTE 'ALTER TABLE customers ADD COLUMN nickname text';
END $$;

-- case: table-made-anew
-- kind: data
-- line: 1
-- why: the table looks the same, but its rows are lost
-- probe: SELECT what FROM audit_log ORDER BY what;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE audit_log_next (LIKE audit_log INCLUDING ALL)';
    EXECUTE 'DROP TABLE audit_log';
    EXECUTE 'ALTER TABLE audit_log_next RENAME TO audit_log';
    EXECUTE 'ALTER INDEX audit_log_next_pkey RENAME TO audit_log_pkey';
    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON audit_log TO hidden_app';
END $$;

-- case: table-replaced-by-copy
-- kind: writers
-- line: 1
-- why: the copy has the rows, but neither the key nor the defaults
-- probe: INSERT INTO settings (key, value) VALUES ('theme', '{}') ON CONFLICT (key) DO UPDATE SET value = '{}';
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE settings_next AS SELECT * FROM settings';
    EXECUTE 'DROP TABLE settings';
    EXECUTE 'ALTER TABLE settings_next RENAME TO settings';
    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON settings TO hidden_app';
END $$;

-- case: function-replaced-in-execute
-- kind: readers
-- line: 1
-- why: the function of the same signature returns another result
-- probe: SELECT order_total(1);
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE OR REPLACE FUNCTION order_total(wanted int) RETURNS numeric LANGUAGE sql STABLE
        AS 'SELECT net FROM orders WHERE number = wanted' $$;
END $do$;

-- case: functions-swapped-by-names
-- kind: readers
-- line: 2
-- why: the new function takes the name of the old one
-- probe: SELECT discounted(100, 10);
-- scope: tenant
CREATE FUNCTION discounted_v2(price numeric, percent numeric) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS $$ SELECT trunc(price * (100 - coalesce(percent, 0) / 2) / 100, 1) $$;
DO $$ BEGIN
    EXECUTE 'ALTER FUNCTION discounted(numeric, numeric) RENAME TO discounted_v1';
    EXECUTE 'ALTER FUNCTION discounted_v2(numeric, numeric) RENAME TO discounted';
END $$;

-- case: function-dropped-in-loop
-- kind: readers
-- line: 1
-- why: the loop finds the function in the catalog
-- probe: SELECT find_customers('dale');
-- scope: tenant
DO $$
DECLARE routine regprocedure;
BEGIN
    FOR routine IN SELECT oid FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'find\_%' LOOP
        EXECUTE 'DROP FUNCTION ' || routine;
    END LOOP;
END $$;

-- case: function-finds-no-tables
-- kind: readers
-- line: 1
-- why: the function searches its tables in the wrong schema
-- probe: SELECT order_total(2);
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION order_total(int) SET search_path = %L', 'pg_catalog');
END $$;

-- case: function-made-strict
-- kind: readers
-- line: 1
-- why: calls without a percentage return NULL now
-- probe: SELECT discounted(80, NULL);
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER FUNCTION discounted(numeric, numeric) ' || 'STRICT';
END $$;

-- case: function-loses-its-rights
-- kind: readers
-- line: 1
-- why: the function no longer runs with its owner's privileges, which its callers lack
-- probe: SELECT salary_count();
-- scope: tenant
DO $$
DECLARE routine regprocedure;
BEGIN
    FOR routine IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosecdef LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY INVOKER', routine);
    END LOOP;
END $$;

-- case: function-made-ambiguous
-- kind: readers
-- line: 1
-- why: a call with one argument matches the old and the new function
-- probe: SELECT find_customers('gale');
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE FUNCTION find_customers(part text, highest int DEFAULT 10) RETURNS SETOF text LANGUAGE sql STABLE
        AS 'SELECT email FROM customers WHERE name ILIKE part LIMIT highest' $$;
END $do$;

-- case: built-in-function-shadowed
-- kind: readers
-- line: 1
-- why: for a varchar, the new function is preferred to the built-in one, and existing queries call it
-- probe: SELECT lower(title) FROM products ORDER BY sku;
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE FUNCTION lower(word varchar) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(word::text)' $$;
END $do$;

-- case: column-of-parent-dropped
-- kind: data, readers, writers
-- line: 1
-- why: the column is also dropped from the inheriting table
-- probe: SELECT title, body FROM contracts ORDER BY title;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE ' || 'documents' || ' DROP ' || 'body';
END $$;

-- case: child-leaves-its-parent
-- kind: readers, writers
-- line: 1
-- why: the rows of the child are no longer read through the parent
-- probe: SELECT title FROM documents ORDER BY title;
-- scope: tenant
DO $$
DECLARE child regclass;
BEGIN
    FOR child IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'documents'::regclass LOOP
        EXECUTE format('ALTER TABLE %s NO INHERIT documents', child);
    END LOOP;
END $$;

-- case: rows-of-another-table-appear
-- kind: readers
-- line: 1
-- why: the parent now also returns the rows of the other table
-- probe: SELECT count(*) FROM documents;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE letters INHERIT documents';
END $$;

-- case: domain-checked
-- kind: writers
-- line: 1
-- why: the domain rejects values that the release writes
-- probe: INSERT INTO products (sku, title, price, cost) VALUES ('LONG-SKU-1000', 'Bench', 80, 40);
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER DOMAIN sku_code ADD CONSTRAINT sku_code_short CHECK (length(VALUE) <= 6)';
END $$;

-- case: domain-refuses-null
-- kind: writers
-- line: 1
-- why: the column has the domain type, and the release omits it
-- probe: INSERT INTO customers (email, name) VALUES ('new@example.com', 'New');
-- scope: tenant
DO $$
DECLARE kind regtype;
BEGIN
    FOR kind IN SELECT oid FROM pg_type
        WHERE typnamespace = current_schema()::regnamespace AND typtype = 'd' AND typname LIKE 'phone%' LOOP
        EXECUTE format('ALTER DOMAIN %s SET NOT NULL', kind);
    END LOOP;
END $$;

-- case: attribute-dropped
-- kind: data, readers, writers
-- line: 1
-- why: every value of the type loses a part
-- probe: SELECT (home).zip FROM customers ORDER BY email;
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TYPE %I DROP ATTRIBUTE %I CASCADE', 'postal_address', 'zip');
END $$;

-- case: enum-value-renamed
-- kind: readers, writers
-- line: 1
-- why: the release compares with a value that no longer exists
-- probe: SELECT number FROM orders WHERE status = 'paid';
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TYPE order_status RENAME VALUE %L TO %L', 'paid', 'settled');
END $$;

-- case: enum-replaced-by-smaller-one
-- kind: data, readers, writers
-- line: 1
-- why: the new type lacks a value, and rows with that value get another one
-- probe: SELECT number FROM orders WHERE status::text = 'on_hold';
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP VIEW open_orders';
    EXECUTE 'ALTER TYPE order_status RENAME TO order_status_old';
    EXECUTE $e$CREATE TYPE order_status AS ENUM ('open', 'paid', 'shipped')$e$;
    EXECUTE 'ALTER TABLE orders ALTER status DROP DEFAULT';
    EXECUTE $e$ALTER TABLE orders ALTER status TYPE order_status
        USING CASE status::text WHEN 'on_hold' THEN 'open' ELSE status::text END::order_status$e$;
    EXECUTE $e$ALTER TABLE orders ALTER status SET DEFAULT 'open'$e$;
    EXECUTE 'DROP TYPE order_status_old';
    EXECUTE $e$CREATE VIEW open_orders AS SELECT number, net, tax, net + tax AS due FROM orders WHERE status = 'open'$e$;
    EXECUTE 'GRANT SELECT ON open_orders TO hidden_app';
END $$;

-- case: columns-retyped-in-loop
-- kind: data, readers, writers
-- line: 1
-- why: the loop rounds away the decimals in every matching column
-- probe: SELECT amount, fee FROM payments ORDER BY amount;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT attname FROM pg_attribute
        WHERE attrelid = 'payments'::regclass AND atttypid = 'numeric'::regtype LOOP
        EXECUTE format('ALTER TABLE payments ALTER %I TYPE int', found.attname);
    END LOOP;
END $$;

-- case: column-cut-short
-- kind: data, writers
-- line: 1
-- why: the values are truncated, and longer ones are rejected
-- probe: SELECT summary FROM products ORDER BY sku;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE products ALTER summary TYPE varchar(10) USING left(summary, 10)';
END $$;

-- case: uuid-made-text
-- kind: readers, writers
-- line: 1
-- why: the comparison with a uuid has no operator
-- probe: SELECT amount FROM payments WHERE external_id = '00000000-0000-4000-8000-000000000131'::uuid;
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE %s', 'payments', 'external_id', 'text');
END $$;

-- case: jsonb-made-json
-- kind: readers, writers
-- line: 1
-- why: json has no containment operator
-- probe: SELECT key FROM settings WHERE value @> '{"day": 1}';
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND data_type = 'jsonb' LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I DROP DEFAULT, ALTER %2$I TYPE json USING %2$I::json',
            found.table_name, found.column_name);
        EXECUTE format('ALTER TABLE %I ALTER %I SET DEFAULT %L', found.table_name, found.column_name, '{}');
    END LOOP;
END $$;

-- case: trigger-refuses
-- kind: writers
-- line: 1
-- why: an existing function rejects every new row
-- probe: INSERT INTO invoices (number, amount) VALUES ('2025-4', 5);
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TRIGGER invoices_check BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION refuse()';
END $$;

-- case: trigger-swallows
-- kind: writers
-- line: 1
-- why: new rows are discarded without an error
-- probe: INSERT INTO payments (customer_email, external_id, amount) VALUES ('gus@example.com', gen_random_uuid(), 9) RETURNING amount;
-- scope: tenant
DO $$
DECLARE called text := (SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'skip%');
BEGIN
    EXECUTE format('CREATE TRIGGER payments_seen BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION %I()', called);
END $$;

-- case: trigger-changes-what-is-written
-- kind: writers
-- line: 1
-- why: the trigger writes another value than the release sent
-- probe: UPDATE customers SET name = 'Dora O''Dale' WHERE email = 'dora@example.com' RETURNING name;
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE FUNCTION tidy_name() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN NEW.name = regexp_replace(NEW.name, ''[^A-Za-z ]'', '''', ''g''); RETURN NEW; END' $$;
    EXECUTE 'CREATE TRIGGER customers_tidy BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tidy_name()';
END $do$;

-- case: triggers-disabled-in-loop
-- kind: writers
-- line: 1
-- why: the trigger filled a NOT NULL column
-- probe: INSERT INTO tickets (subject) VALUES ('Door bell');
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid = 'tickets'::regclass LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', found.relation, found.tgname);
    END LOOP;
END $$;

-- case: trigger-function-refuses
-- kind: writers
-- line: 1
-- why: the trigger's function gets another body
-- probe: UPDATE tickets SET body = 'since Tuesday' WHERE subject = 'Lamp flickers';
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE OR REPLACE FUNCTION fill_search_text() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN IF TG_OP = ''UPDATE'' THEN RAISE EXCEPTION ''read only''; END IF; RETURN NEW; END' $$;
END $do$;

-- case: rows-deleted-by-trigger
-- kind: data
-- line: 1
-- why: the table's trigger deletes the audit log when this key is written
-- probe: SELECT count(*) FROM audit_log;
-- scope: tenant
INSERT INTO settings (key, value) VALUES ('retention', '{"days": 30}');

-- case: rule-writes-nothing
-- kind: writers
-- line: 1
-- why: the rule replaces the INSERT with nothing
-- probe: INSERT INTO audit_log (what) VALUES ('signed out') RETURNING what;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE RULE audit_log_quiet AS ON INSERT TO audit_log ' || 'DO INSTEAD ' || 'NOTHING';
END $$;

-- case: rule-keeps-old-values
-- kind: writers
-- line: 1
-- why: updates of the price change nothing, without an error
-- probe: UPDATE products SET price = 50 WHERE sku = 'A-100';
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE RULE products_fixed AS ON UPDATE TO products WHERE OLD.price <> NEW.price DO INSTEAD NOTHING';
END $$;

-- case: policy-narrowed
-- kind: readers, writers
-- line: 1
-- why: the policy shows pinned notes only
-- probe: SELECT body FROM notes ORDER BY body;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT polname FROM pg_policy WHERE polrelid = 'notes'::regclass LOOP
        EXECUTE format('ALTER POLICY %I ON notes USING (pinned)', found.polname);
    END LOOP;
END $$;

-- case: policy-dropped-in-loop
-- kind: readers, writers
-- line: 1
-- why: with row security enabled, no policy means no rows
-- probe: SELECT count(*) FROM notes;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT policyname, tablename FROM pg_policies
        WHERE schemaname = current_schema() AND policyname LIKE 'all%' LOOP
        EXECUTE format('DROP POLICY %I ON %I', found.policyname, found.tablename);
    END LOOP;
END $$;

-- case: policy-restricts-writes
-- kind: writers
-- line: 1
-- why: a restrictive policy rejects rows that the permissive one accepts
-- probe: INSERT INTO notes (body, pinned) VALUES ('new', true);
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE POLICY few_pins ON notes AS RESTRICTIVE FOR INSERT WITH CHECK (NOT pinned)';
END $$;

-- case: row-security-switched-on
-- kind: readers, writers
-- line: 1
-- why: an existing, inactive policy hides every row
-- probe: SELECT body FROM memos ORDER BY body;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT DISTINCT tablename FROM pg_policies WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', found.tablename);
    END LOOP;
END $$;

-- case: row-security-forced
-- kind: readers, writers
-- line: 1
-- why: the release owns the table and was exempt from the policies
-- probe: SELECT body FROM drafts ORDER BY body;
-- scope: tenant
DO $$ BEGIN
    EXECUTE replace('ALTER TABLE drafts # ROW LEVEL SECURITY', '#', 'FORCE');
END $$;

-- case: owner-changed
-- kind: readers, writers
-- line: 1
-- why: the release could use the table because it owned it
-- probe: SELECT pinned FROM drafts ORDER BY body;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tableowner = 'hidden_app' LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO %I', found.tablename, session_user);
    END LOOP;
END $$;

-- case: rights-revoked-in-loop
-- kind: writers
-- line: 1
-- why: the loop revokes the privilege to change rows of every table
-- probe: UPDATE orders SET note = 'gift' WHERE number = 1;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') LOOP
        EXECUTE format('REVOKE UPDATE ON %I FROM hidden_app', found.relname);
    END LOOP;
END $$;

-- case: rights-of-everybody-revoked
-- kind: readers, writers
-- line: 1
-- why: the release called the functions through the privilege of PUBLIC
-- probe: SELECT find_customers('ekes');
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA %I FROM %s', current_schema(), 'PUBLIC');
END $$;

-- case: rights-lost-with-the-view
-- kind: readers
-- line: 1
-- why: the view is created again without its privileges
-- probe: SELECT number, due FROM open_orders;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP VIEW open_orders';
    EXECUTE $e$CREATE VIEW open_orders AS SELECT number, net, tax, net + tax AS due FROM orders WHERE status = 'open'$e$;
END $$;

-- case: sequence-restarted
-- kind: writers
-- line: 1
-- why: the next number is already used by an order
-- probe: INSERT INTO orders (customer_id) VALUES ('00000000-0000-4000-8000-000000000104');
-- scope: tenant
SELECT greatest(1, setval('order_numbers', 1, count(*) < 0)) FROM orders;

-- case: sequence-ended
-- kind: writers
-- line: 1
-- why: the sequence is exhausted
-- probe: SELECT next_receipt();
-- scope: tenant
DO $$ BEGIN
    PERFORM nextval('receipt_numbers'), nextval('receipt_numbers');
    EXECUTE format('ALTER SEQUENCE receipt_numbers MAXVALUE %s', currval('receipt_numbers'));
END $$;

-- case: sequence-dropped-with-its-owner
-- kind: writers
-- line: 3
-- why: the sequence is owned by a table of the same file and is dropped with it
-- probe: SELECT next_receipt();
-- scope: tenant
CREATE TABLE receipt_plan (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number bigint,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
ALTER SEQUENCE receipt_numbers OWNED BY receipt_plan.number;
DROP TABLE receipt_plan;

-- case: identity-made-always
-- kind: writers
-- line: 1
-- why: the release inserts its own numbers when it imports
-- probe: INSERT INTO tickets (number, subject) VALUES (900, 'imported');
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND is_identity = 'YES' LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I SET GENERATED ALWAYS', found.table_name, found.column_name);
    END LOOP;
END $$;

-- case: identity-dropped
-- kind: writers
-- line: 1
-- why: the NOT NULL column is no longer filled
-- probe: INSERT INTO tickets (subject, body) VALUES ('Broken hinge', 'left side');
-- scope: tenant
DO $$ BEGIN
    EXECUTE concat_ws(' ', 'ALTER TABLE tickets', 'ALTER number', 'DROP', 'IDENTITY');
END $$;

-- case: generated-column-made-plain
-- kind: readers
-- line: 1
-- why: the column is no longer computed for new rows
-- probe: INSERT INTO products (sku, title, price, cost) VALUES ('C-1', 'Stool', 30, 12) RETURNING label;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE products ALTER label DROP EXPRESSION';
END $$;

-- case: generated-column-computed-otherwise
-- kind: readers
-- line: 1
-- why: the total no longer includes the tax
-- probe: SELECT number, total FROM orders ORDER BY number;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE orders DROP COLUMN total';
    EXECUTE 'ALTER TABLE orders ADD COLUMN total numeric GENERATED ALWAYS AS (net) STORED';
END $$;

-- case: default-dropped-in-loop
-- kind: writers
-- line: 1
-- why: the release omits the NOT NULL column
-- probe: INSERT INTO customers (email, name) VALUES ('lea@example.com', 'Lea');
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'customers' AND column_default LIKE '%DE%' LOOP
        EXECUTE format('ALTER TABLE customers ALTER %I DROP DEFAULT', found.column_name);
    END LOOP;
END $$;

-- case: default-does-not-fit
-- kind: writers
-- line: 1
-- why: the new default violates the CHECK of its own column
-- probe: INSERT INTO customers (email, name) VALUES ('mia@example.com', 'Mia');
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TABLE customers ALTER country SET DEFAULT %L', 'Germany');
END $$;

-- case: new-column-required
-- kind: writers
-- line: 1
-- why: the new NOT NULL column loses its default after existing rows are filled
-- probe: INSERT INTO payments (customer_email, external_id, amount) VALUES ('gus@example.com', gen_random_uuid(), 12);
-- scope: tenant
DO $$ BEGIN
    EXECUTE $e$ALTER TABLE payments ADD COLUMN currency text NOT NULL DEFAULT 'EUR'$e$;
    EXECUTE 'ALTER TABLE payments ALTER currency DROP DEFAULT';
END $$;

-- case: not-null-in-loop
-- kind: writers
-- line: 1
-- why: the loop sets NOT NULL on every column without NULL values
-- probe: INSERT INTO tickets (subject) VALUES ('No body');
-- scope: tenant
DO $$
DECLARE found record; nulls bigint;
BEGIN
    FOR found IN SELECT attname FROM pg_attribute
        WHERE attrelid = 'tickets'::regclass AND attnum > 0 AND NOT attisdropped AND NOT attnotnull LOOP
        EXECUTE format('SELECT count(*) FROM tickets WHERE %I IS NULL', found.attname) INTO nulls;
        IF nulls = 0 THEN
            EXECUTE format('ALTER TABLE tickets ALTER %I SET NOT NULL', found.attname);
        END IF;
    END LOOP;
END $$;

-- case: check-added-in-loop
-- kind: writers
-- line: 1
-- why: a NOT VALID CHECK still rejects new rows
-- probe: INSERT INTO payments (customer_email, external_id, amount) VALUES ('gus@example.com', gen_random_uuid(), -5);
-- scope: tenant
DO $$
DECLARE relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['payments', 'invoices'] LOOP
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (amount > 0) NOT VALID', relation, relation || '_amount_positive');
    END LOOP;
END $$;

-- case: unique-index-in-block
-- kind: writers
-- line: 1
-- why: two customers share a number
-- probe: INSERT INTO customers (email, name, phone) VALUES ('kid@example.com', 'Kid', '+49 30 1');
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('CREATE %s INDEX customers_phone_idx ON customers (phone)', 'UNIQUE');
END $$;

-- case: conflict-index-dropped
-- kind: writers
-- line: 1
-- why: the release's ON CONFLICT needs the index
-- probe: INSERT INTO products (sku, title, price, cost) VALUES ('A-100', 'Lamp', 1, 1) ON CONFLICT (sku) WHERE retired_at IS NULL DO NOTHING;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT indexname FROM pg_indexes
        WHERE schemaname = current_schema() AND indexdef LIKE '%WHERE (retired_at IS NULL)' LOOP
        EXECUTE format('DROP INDEX %I', found.indexname);
    END LOOP;
END $$;

-- case: unique-key-made-partial
-- kind: writers
-- line: 1
-- why: the release's ON CONFLICT finds no index that covers all rows
-- probe: INSERT INTO customers (email, name) VALUES ('dora@example.com', 'Dora') ON CONFLICT (email) DO NOTHING;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE customers DROP CONSTRAINT customers_email_key';
    EXECUTE 'CREATE UNIQUE INDEX customers_email_key ON customers (email) WHERE active';
END $$;

-- case: constraint-renamed
-- kind: writers
-- line: 1
-- why: the release's ON CONFLICT names the constraint
-- probe: INSERT INTO settings (key) VALUES ('mail') ON CONFLICT ON CONSTRAINT settings_key_key DO NOTHING;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT conname FROM pg_constraint WHERE conrelid = 'settings'::regclass AND contype = 'u' LOOP
        EXECUTE format('ALTER TABLE settings RENAME CONSTRAINT %I TO %I', found.conname, 'uq_' || found.conname);
    END LOOP;
END $$;

-- case: unique-key-made-deferrable
-- kind: writers
-- line: 1
-- why: ON CONFLICT cannot use a deferrable key
-- probe: INSERT INTO orders (number, customer_id) VALUES (1, '00000000-0000-4000-8000-000000000104') ON CONFLICT (number) DO NOTHING;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE orders DROP CONSTRAINT orders_number_key';
    EXECUTE 'ALTER TABLE orders ADD CONSTRAINT orders_number_key UNIQUE (number) DEFERRABLE INITIALLY DEFERRED';
END $$;

-- case: foreign-key-without-action
-- kind: writers
-- line: 1
-- why: the foreign key of the same name no longer cascades, so a customer with orders cannot be deleted
-- probe: DELETE FROM customers WHERE email = 'emil@example.com';
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE orders DROP CONSTRAINT orders_customer_fk';
    EXECUTE 'ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id)';
END $$;

-- case: foreign-key-added
-- kind: writers
-- line: 1
-- why: the log also contains actors that are not customers
-- probe: INSERT INTO audit_log (actor_id, what) VALUES ('00000000-0000-4000-8000-000000000999', 'import');
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE audit_log ADD FOREIGN KEY (actor_id) REFERENCES customers (id) NOT VALID';
END $$;

-- case: foreign-keys-asleep
-- kind: data
-- line: 2
-- why: customers are deleted while foreign keys are disabled, so their orders reference missing rows
-- probe: SELECT c.email, o.number FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.number;
-- scope: tenant
SELECT set_config('session_replication_role', 'replica', true);
DO $$ BEGIN
    EXECUTE 'DELETE FROM customers WHERE NOT active';
END $$;

-- case: rows-deleted-by-cascade
-- kind: data
-- line: 1
-- why: deleting one customer also deletes its orders and their lines
-- probe: SELECT sum(quantity) FROM order_lines;
-- scope: tenant
DO $$
DECLARE relation text := 'customers';
BEGIN
    EXECUTE format('DELETE FROM %I WHERE email LIKE %L', relation, 'fay@%');
END $$;

-- case: table-made-unlogged
-- kind: data
-- line: 1
-- why: the server empties the table after a crash
-- probe: SELECT relpersistence FROM pg_class WHERE oid = 'audit_log'::regclass;
-- scope: tenant
DO $$
DECLARE relation regclass;
BEGIN
    FOR relation IN SELECT oid FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname LIKE '%\_log' LOOP
        EXECUTE format('ALTER TABLE %s SET UNLOGGED', relation);
    END LOOP;
END $$;

-- case: columns-swapped-by-names
-- kind: readers, writers
-- line: 1
-- why: price and cost swap names
-- probe: SELECT sku, price, cost FROM products ORDER BY sku;
-- scope: tenant
DO $$
DECLARE step text[];
BEGIN
    FOREACH step SLICE 1 IN ARRAY ARRAY[['price', 'tmp'], ['cost', 'price'], ['tmp', 'cost']] LOOP
        EXECUTE format('ALTER TABLE products RENAME %I TO %I', step[1], step[2]);
    END LOOP;
END $$;

-- case: values-swapped
-- kind: data
-- line: 1
-- why: two values of each row are swapped
-- probe: SELECT number, net, tax FROM orders ORDER BY number;
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('UPDATE orders SET %I = %I, %2$I = %1$I', 'net', 'tax');
END $$;

-- case: values-cleaned-in-loop
-- kind: data
-- line: 1
-- why: the loop overwrites every text column
-- probe: SELECT subject, body FROM tickets ORDER BY subject;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT attname FROM pg_attribute
        WHERE attrelid = 'tickets'::regclass AND atttypid = 'text'::regtype AND NOT attisdropped LOOP
        EXECUTE format('UPDATE tickets SET %I = initcap(%1$I)', found.attname);
    END LOOP;
END $$;

-- case: rows-exchanged
-- kind: data
-- line: 1
-- why: the number of rows is the same, but one row is replaced
-- probe: SELECT key FROM settings ORDER BY key;
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('DELETE FROM settings WHERE key = %L', 'billing');
    EXECUTE format('INSERT INTO settings (key) VALUES (%L)', 'billing_v2');
END $$;

-- case: values-overwritten-on-conflict
-- kind: data
-- line: 1
-- why: the INSERT conflicts with a row and overwrites its value
-- probe: SELECT value FROM settings WHERE key = 'theme';
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ INSERT INTO settings (key, value) VALUES ('theme', '{"mode": "light"}')
        ON CONFLICT (key) DO UPDATE SET value = excluded.value $$;
END $do$;

-- case: tables-swapped-by-names
-- kind: readers, writers
-- line: 1
-- why: the release now reads and writes the table of old invoices
-- probe: SELECT number FROM invoices ORDER BY number;
-- scope: tenant
DO $$
DECLARE step text[];
BEGIN
    FOREACH step SLICE 1 IN ARRAY ARRAY[['invoices', 'tmp'], ['invoices_old', 'invoices'], ['tmp', 'invoices_old']] LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', step[1], step[2]);
    END LOOP;
END $$;

-- case: table-behind-a-view
-- kind: writers
-- line: 1
-- why: a view replaces the table, shows the same rows and accepts no writes
-- probe: INSERT INTO invoices (number, amount) VALUES ('2025-5', 7);
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE invoices RENAME TO invoices_data';
    EXECUTE 'CREATE VIEW invoices AS SELECT DISTINCT * FROM invoices_data';
    EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON invoices TO hidden_app';
END $$;

-- case: view-shows-fewer-rows
-- kind: readers
-- line: 1
-- why: the view has the same columns but omits rows
-- probe: SELECT email FROM active_customers ORDER BY email;
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW active_customers AS SELECT id, email, name, country, active'
        || ' FROM customers WHERE active AND country = ''DE''';
END $$;

-- case: view-means-something-else
-- kind: readers
-- line: 1
-- why: the column has the same name and type but another meaning
-- probe: SELECT number, due FROM open_orders ORDER BY number;
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE OR REPLACE VIEW open_orders AS
        SELECT number, net, tax, net - tax AS due FROM orders WHERE status = 'open' $$;
END $do$;

-- case: view-refuses-rows
-- kind: writers
-- line: 1
-- why: the view rejects writes of rows that it does not show
-- probe: INSERT INTO active_customers (id, email, name, country, active) VALUES (gen_random_uuid(), 'ned@example.com', 'Ned', 'DE', false);
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER VIEW active_customers SET (check_option = %L)', 'local');
END $$;

-- case: materialized-view-emptied
-- kind: readers
-- line: 1
-- why: reading the view fails until it is refreshed
-- probe: SELECT count(*) FROM sales;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT matviewname FROM pg_matviews WHERE schemaname = current_schema() LOOP
        EXECUTE format('REFRESH MATERIALIZED VIEW %I WITH NO DATA', found.matviewname);
    END LOOP;
END $$;

-- case: default-partition-loses-rows
-- kind: data
-- line: 1
-- why: rows of the new partition's range are deleted
-- probe: SELECT day FROM events WHERE kind = 'import';
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DELETE FROM events_default WHERE day >= ''2026-01-01'' AND day < ''2027-01-01''';
    EXECUTE 'CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM (''2026-01-01'') TO (''2027-01-01'')';
END $$;

-- case: new-partition-refuses-rows
-- kind: writers
-- line: 1
-- why: rows that went to the default partition violate a CHECK of the new one
-- probe: INSERT INTO events (day, kind) VALUES ('2027-03-01', 'backup');
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE TABLE events_2027 PARTITION OF events (CONSTRAINT known_kind CHECK (kind IN ('login', 'export')))
        FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') $$;
END $do$;

-- case: partition-detached-in-loop
-- kind: readers, writers
-- line: 1
-- why: the rows of the partition are no longer read through its parent
-- probe: SELECT sum(amount) FROM readings;
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT inhrelid::regclass AS part FROM pg_inherits
        WHERE inhparent = 'readings'::regclass AND inhrelid::regclass::text LIKE '%\_us' LOOP
        EXECUTE format('ALTER TABLE readings DETACH PARTITION %s', found.part);
    END LOOP;
END $$;

-- case: oldest-partition-dropped
-- kind: data
-- line: 1
-- why: the loop drops the first partition that it finds
-- probe: SELECT count(*) FROM events;
-- scope: tenant
DO $$
DECLARE part regclass := (SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'events'::regclass);
BEGIN
    EXECUTE 'DROP TABLE ' || part;
END $$;

-- case: default-partition-detached
-- kind: readers, writers
-- line: 1
-- why: rows of a month without a partition are rejected
-- probe: INSERT INTO events (day, kind) VALUES ('2031-01-01', 'login');
-- scope: tenant
DO $$
DECLARE part regclass := (SELECT partdefid FROM pg_partitioned_table WHERE partrelid = 'events'::regclass);
BEGIN
    EXECUTE format('ALTER TABLE events DETACH PARTITION %s', part);
END $$;

-- case: rows-deleted-by-create-table
-- kind: data
-- line: 1
-- why: the query that fills the new table calls a function that deletes rows
-- probe: SELECT count(*) FROM orders;
-- scope: tenant
CREATE TABLE order_report AS
    SELECT gen_random_uuid() AS id, purge_orders(now()) AS orders, now() AS created_at, now() AS updated_at;

-- case: rows-deleted-by-view
-- kind: data
-- line: 2
-- why: reading the new view runs a function that deletes rows
-- probe: SELECT subject, body FROM tickets ORDER BY subject;
-- scope: tenant
CREATE VIEW late_parcels AS SELECT tidy_tickets('Late parcel') AS subject;
SELECT subject FROM late_parcels;

-- case: rows-deleted-by-operator
-- kind: data
-- line: 2
-- why: the operator calls a function that deletes rows
-- probe: SELECT count(*) FROM tickets;
-- scope: tenant
CREATE OPERATOR ~~> (RIGHTARG = text, FUNCTION = tidy_tickets);
SELECT ~~> 'Wrong colour'::text;

-- case: rows-deleted-by-aggregate
-- kind: data
-- line: 3
-- why: the aggregate deletes a row for each value that it is given
-- probe: SELECT number, amount FROM invoices_old ORDER BY number;
-- scope: tenant
CREATE FUNCTION next_sum(so_far numeric, amount numeric) RETURNS numeric LANGUAGE plpgsql
    AS $$ BEGIN DELETE FROM invoices_old i WHERE i.amount = $2; RETURN coalesce(so_far, 0) + $2; END $$;
CREATE AGGREGATE total_of(numeric) (SFUNC = next_sum, STYPE = numeric);
SELECT total_of(amount) FROM invoices_old WHERE number < '2019-3';

-- case: text-applied-by-old-function
-- kind: data, readers, writers
-- line: 1
-- why: an existing function executes the given text
-- probe: SELECT method FROM payments ORDER BY amount;
-- scope: tenant
SELECT apply_text(concat('alter', ' table ', 'payments', ' drop', ' method'));

-- case: comments-say-something-else
-- kind: data
-- line: 2
-- why: the comments describe a new column, but the block clears another one
-- probe: SELECT number, note FROM orders ORDER BY number;
-- scope: tenant
-- Adds the column that the next release will use. Nothing that is there is touched.
ALTER TABLE orders ADD COLUMN remark text;
/* Keeps the old column in step with the new one, for the release that is still running. */
DO $$ BEGIN
    -- copies note to remark
    EXECUTE 'UPDATE orders SET note = remark /* remark = note */';
END $$;

-- case: enum-label-written-over
-- kind: readers, writers
-- line: 1
-- why: the enum label is changed directly in the catalog
-- probe: SELECT count(*) FROM orders WHERE status = 'shipped';
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'UPDATE pg_catalog.pg_enum SET enumlabel = ''sent'' WHERE enumlabel = ''shipped'''
        || ' AND enumtypid = ''order_status''::regtype';
END $$;

-- case: extension-dropped
-- kind: data, readers, writers
-- line: 1
-- why: the column of the extension's type is dropped with it
-- probe: SELECT handle::text FROM datalinx_platform.users ORDER BY email;
-- scope: platform
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT extname FROM pg_extension WHERE extname LIKE 'ci%' LOOP
        EXECUTE format('DROP EXTENSION %I CASCADE', found.extname);
    END LOOP;
END $$;

-- case: platform-text-applied
-- kind: data, readers, writers
-- line: 1
-- why: an existing function executes the given text
-- probe: SELECT display_name FROM datalinx_platform.users ORDER BY email;
-- scope: platform
SELECT datalinx_platform.apply_text('ALTER TABLE datalinx_platform.users' || ' DROP ' || 'COLUMN display_name');

-- case: platform-text-backwards
-- kind: data
-- line: 1
-- why: the statement is stored reversed
-- probe: SELECT token FROM datalinx_platform.sessions ORDER BY token;
-- scope: platform
DO $$ BEGIN
    EXECUTE reverse('snoisses.mroftalp_xnilatad ETACNURT');
END $$;

-- case: platform-text-encoded
-- kind: data
-- line: 1
-- why: the statement is encoded in base64
-- probe: SELECT prefix FROM datalinx_platform.api_keys ORDER BY prefix;
-- scope: platform
DO $$ BEGIN
    EXECUTE convert_from(decode('REVMRVRFIEZST00gZGF0YWxpbnhfcGxhdGZvcm0uYXBpX2tleXMgV0hFUkUgcmV2b2tlZA==', 'base64'), 'UTF8');
END $$;

-- case: platform-rows-deleted-by-default
-- kind: data
-- line: 1
-- why: the default of the new column calls a function that deletes rows of another table
-- probe: SELECT datalinx_platform.count_sessions();
-- scope: platform
ALTER TABLE datalinx_platform.plans ADD COLUMN used int DEFAULT datalinx_platform.prune_sessions();
ALTER TABLE datalinx_platform.plans ALTER used DROP DEFAULT;

-- case: platform-rows-deleted-by-check
-- kind: data
-- line: 2
-- why: the CHECK of the new table calls a function that deletes rows
-- probe: SELECT count(*) FROM datalinx_platform.sessions;
-- scope: platform
CREATE TABLE datalinx_platform.sweeps (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    what text CHECK (datalinx_platform.prune_sessions() = 0 OR what IS NULL),
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
INSERT INTO datalinx_platform.sweeps (what) VALUES ('first');

-- case: platform-emptied-by-cascade
-- kind: data
-- line: 1
-- why: TRUNCATE CASCADE of the plans also empties organizations, users and dependent tables
-- probe: SELECT email, role FROM datalinx_platform.users ORDER BY email;
-- scope: platform
DO $$ BEGIN
    EXECUTE format('TRUNCATE %I.%I CASCADE', 'datalinx_platform', 'plans');
END $$;

-- case: platform-view-dropped-by-cascade
-- kind: readers
-- line: 1
-- why: the view is created again, but its dependent view is not
-- probe: SELECT email, level FROM datalinx_platform.live_members ORDER BY email, level;
-- scope: platform
DO $$
DECLARE was text := pg_get_viewdef('datalinx_platform.live_users'::regclass);
BEGIN
    EXECUTE 'DROP VIEW datalinx_platform.live_users CASCADE';
    EXECUTE 'CREATE VIEW datalinx_platform.live_users AS ' || was;
    EXECUTE 'GRANT SELECT ON datalinx_platform.live_users TO hidden_app';
END $$;

-- case: platform-schema-closed
-- kind: readers, writers
-- line: 1
-- why: without USAGE on the schema, its tables are not accessible
-- probe: SELECT code, seats FROM datalinx_platform.plans ORDER BY code;
-- scope: platform
DO $$ BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM %I', 'datalinx_platform', 'hidden_app');
END $$;

-- case: platform-column-hidden
-- kind: readers
-- line: 1
-- why: the privilege to read the table is granted again for some columns only
-- probe: SELECT email, locale FROM datalinx_platform.users ORDER BY email;
-- scope: platform
DO $$ BEGIN
    EXECUTE 'REVOKE SELECT ON datalinx_platform.users FROM hidden_app';
    EXECUTE 'GRANT SELECT (id, organization_id, email, display_name, role, locked_at) ON datalinx_platform.users TO hidden_app';
END $$;

-- case: platform-table-moved
-- kind: readers, writers
-- line: 2
-- why: the table is moved to another schema
-- probe: SELECT name FROM datalinx_platform.organizations ORDER BY name;
-- scope: platform
CREATE SCHEMA datalinx_registry;
DO $$ BEGIN
    EXECUTE format('ALTER TABLE %I.organizations SET SCHEMA %I', 'datalinx_platform', 'datalinx_registry');
END $$;

-- case: platform-function-changed
-- kind: readers
-- line: 1
-- why: the function is created from its own text with one word replaced
-- probe: SELECT datalinx_platform.user_label('ann@example.com');
-- scope: platform
DO $$ BEGIN
    EXECUTE replace(pg_get_functiondef('datalinx_platform.user_label(text)'::regprocedure), 'display_name', 'role');
END $$;

-- case: platform-event-trigger
-- kind: writers
-- line: 1
-- why: the server now rejects every new table, including temporary tables of the release
-- probe: SELECT email INTO TEMPORARY mailing FROM datalinx_platform.users;
-- scope: platform
DO $$ BEGIN
    EXECUTE 'CREATE EVENT TRIGGER quiet_time ON ddl_command_start EXECUTE FUNCTION datalinx_platform.refuse_ddl()';
END $$;

-- case: platform-sequence-dropped
-- kind: writers
-- line: 1
-- why: only the release uses the sequence; the catalog has no dependency
-- probe: SELECT nextval('datalinx_platform.request_numbers') > 0;
-- scope: platform
DO $$
DECLARE found regclass;
BEGIN
    FOR found IN SELECT oid FROM pg_class WHERE relkind = 'S' AND relname LIKE 'request%' LOOP
        EXECUTE 'DROP SEQUENCE ' || found;
    END LOOP;
END $$;

-- case: platform-values-guessed
-- kind: data
-- line: 1
-- why: a language that a user chose is overwritten
-- probe: SELECT email, locale FROM datalinx_platform.users ORDER BY email;
-- scope: platform
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT id FROM datalinx_platform.users LOOP
        EXECUTE 'UPDATE datalinx_platform.users SET locale = $1 WHERE id = $2' USING 'en', found.id;
    END LOOP;
END $$;

-- case: sequence-set-back-by-a-name
-- kind: writers
-- line: 1
-- why: the function name is assembled, and the next number is already used by an order
-- probe: INSERT INTO orders (customer_id) VALUES ('00000000-0000-4000-8000-000000000104');
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('SELECT %s(%L, %s, false)', 'set' || 'val', 'order_numbers', 1);
END $$;

-- case: values-rotated
-- kind: data
-- line: 1
-- why: every name still exists but belongs to another user
-- probe: SELECT email, display_name FROM datalinx_platform.users ORDER BY email;
-- scope: platform
DO $$ BEGIN
    EXECUTE 'UPDATE datalinx_platform.users u SET display_name = coalesce((SELECT min(v.display_name) FROM '
        || 'datalinx_platform.users v WHERE v.display_name > u.display_name), (SELECT min(v.display_name) FROM datalinx_platform.users v))';
END $$;
