-- Migrations that are as dark as those of losses.sql, and hurt nobody.

-- case: column-added-by-format
-- why: a nullable column is added
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TABLE %I ADD COLUMN %I %s', 'customers', 'birthday', 'date');
END $$;

-- case: table-made-by-letters
-- why: the assembled text is a CREATE statement
-- scope: tenant
DO $$
DECLARE verb text := chr(67) || chr(82) || chr(69) || chr(65) || chr(84) || chr(69);
BEGIN
    EXECUTE verb || ' TABLE wishes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), what text,'
        || ' created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now())';
END $$;

-- case: indexes-in-loop
-- why: every table with the column gets a non-unique index
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = current_schema() AND c.column_name = 'updated_at' AND t.table_type = 'BASE TABLE'
            AND c.table_name IN ('customers', 'orders', 'payments', 'tickets') LOOP
        EXECUTE format('CREATE INDEX %I ON %I (updated_at)', found.table_name || '_updated_idx', found.table_name);
    END LOOP;
END $$;

-- case: comments-in-loop
-- why: a comment changes nothing
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('COMMENT ON TABLE %I IS %L', found.relname, 'DROP TABLE ' || found.relname || ' is not allowed');
    END LOOP;
END $$;

-- case: reading-function-called
-- why: the function only counts
-- scope: tenant
SELECT count_rows('orders'), count_rows('payments');

-- case: reading-function-made-and-called
-- why: the function reads two tables and is dropped
-- scope: tenant
CREATE FUNCTION check_sums() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE broken bigint;
BEGIN
    SELECT count(*) INTO broken FROM orders WHERE total <> net + tax;
    RETURN broken = 0;
END $$;
SELECT check_sums();
DROP FUNCTION check_sums();

-- case: dropping-function-not-called
-- why: the function would drop a table but is not called
-- scope: tenant
CREATE FUNCTION drop_payments() RETURNS void LANGUAGE plpgsql
    AS $$ BEGIN DROP TABLE payments CASCADE; END $$;

-- case: deleting-procedure-not-called
-- why: the procedure would delete rows but is not called
-- scope: tenant
CREATE PROCEDURE forget_customer(wanted text) LANGUAGE sql
    AS $$ DELETE FROM customers WHERE email = wanted $$;

-- case: own-table-dropped
-- why: the block drops its own table
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE step_one (id uuid, created_at timestamptz, updated_at timestamptz)';
    EXECUTE 'INSERT INTO step_one (id) SELECT id FROM orders';
    EXECUTE 'DROP TABLE step_one';
END $$;

-- case: own-view-dropped-by-cascade
-- why: all dependent objects are created in the same file
-- scope: tenant
CREATE TABLE step_two (id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz);
CREATE VIEW step_two_ids AS SELECT id FROM step_two;
DO $$ BEGIN
    EXECUTE 'DROP TABLE step_two CASCADE';
END $$;

-- case: cascade-reaches-nothing
-- why: the type is created in the same file and has no dependents
-- scope: tenant
CREATE TYPE step_kind AS ENUM ('a', 'b');
DO $$ BEGIN
    EXECUTE format('DROP TYPE %I CASCADE', 'step_kind');
END $$;

-- case: new-column-filled
-- why: only the new column is written
-- scope: tenant
ALTER TABLE products ADD COLUMN margin numeric;
DO $$ BEGIN
    EXECUTE 'UPDATE products SET margin = price - cost';
END $$;

-- case: new-column-filled-by-function
-- why: the function writes only the new column and is dropped
-- scope: tenant
ALTER TABLE invoices ADD COLUMN year int;
CREATE FUNCTION fill_years() RETURNS void LANGUAGE sql
    AS $$ UPDATE invoices SET year = split_part(number, '-', 1)::int $$;
SELECT fill_years();
DROP FUNCTION fill_years();

-- case: temporary-table-dropped
-- why: the table is temporary and created in the same file
-- scope: tenant
CREATE TEMPORARY TABLE plan_of_rows AS SELECT id, number FROM orders;
DO $$ BEGIN
    EXECUTE 'DELETE FROM plan_of_rows WHERE number > 1';
    EXECUTE 'TRUNCATE plan_of_rows';
    EXECUTE 'DROP TABLE plan_of_rows';
END $$;

-- case: temporary-copy-emptied
-- why: only rows of a temporary copy are deleted
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TEMPORARY TABLE customers_seen ON COMMIT DROP AS SELECT id FROM customers';
    EXECUTE 'DELETE FROM customers_seen';
END $$;

-- case: rights-granted-in-loop
-- why: privileges are only granted
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'p') LOOP
        EXECUTE format('GRANT SELECT ON %I TO hidden_reader', found.relname);
    END LOOP;
END $$;

-- case: rights-revoked-that-nobody-had
-- why: the role had no privilege on the table
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON TABLE %I FROM %I', 'salaries', 'hidden_reader');
END $$;

-- case: same-view-again
-- why: the view is replaced by itself
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW active_customers AS SELECT id, email, name, country, active FROM customers WHERE active';
END $$;

-- case: same-view-from-the-catalog
-- why: the view is replaced by its definition in the catalog
-- scope: tenant
DO $$
DECLARE was text := pg_get_viewdef('open_orders'::regclass);
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW open_orders AS ' || was;
END $$;

-- case: same-function-again
-- why: the function is replaced by itself
-- scope: tenant
DO $$ BEGIN
    EXECUTE pg_get_functiondef('find_customers(text)'::regprocedure);
END $$;

-- case: view-with-one-more-column
-- why: the new column is the last one
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW active_customers AS'
        || ' SELECT id, email, name, country, active, nickname FROM customers WHERE active';
END $$;

-- case: new-view-on-old-view
-- why: a new view removes nothing
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE VIEW customer_order_sums AS SELECT email, sum(net) AS net FROM customer_orders GROUP BY email';
END $$;

-- case: new-materialized-view
-- why: the view is new and refreshed
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE MATERIALIZED VIEW stock_report AS SELECT sku, price FROM products';
    EXECUTE 'REFRESH MATERIALIZED VIEW stock_report';
END $$;

-- case: trigger-function-without-trigger
-- why: no trigger calls the function
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE FUNCTION delete_lines() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN DELETE FROM order_lines; RETURN NULL; END' $$;
END $do$;

-- case: trigger-on-new-table
-- why: the trigger rejects rows of a table that the running release does not use
-- scope: tenant
CREATE TABLE closed_days (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    day date,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
DO $$ BEGIN
    EXECUTE 'CREATE TRIGGER closed_days_closed BEFORE INSERT ON closed_days FOR EACH ROW EXECUTE FUNCTION refuse()';
END $$;

-- case: rule-on-new-table
-- why: the rule is on a table that the running release does not use
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE sink (id uuid, created_at timestamptz, updated_at timestamptz)';
    EXECUTE 'CREATE RULE sink_nothing AS ON INSERT TO sink DO INSTEAD NOTHING';
END $$;

-- case: row-security-on-new-table
-- why: the table, its policy and the hidden rows are new
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE secrets (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), what text,'
        || ' created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now())';
    EXECUTE 'ALTER TABLE secrets ENABLE ROW LEVEL SECURITY';
    EXECUTE 'CREATE POLICY nobody ON secrets USING (false)';
END $$;

-- case: policy-that-sleeps
-- why: row security of the table stays disabled
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE POLICY pinned_memos ON memos USING (pinned)';
END $$;

-- case: partition-for-new-values
-- why: no row has the value, and no other partition accepts it
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('CREATE TABLE readings_%s PARTITION OF readings FOR VALUES IN (%L)', 'asia', 'asia');
END $$;

-- case: new-table-made-a-partition
-- why: the attached table is new and empty
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE readings_africa (LIKE readings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)';
    EXECUTE 'ALTER TABLE readings ATTACH PARTITION readings_africa FOR VALUES IN (''africa'')';
END $$;

-- case: own-partition-detached
-- why: the partition is made, detached and dropped in one block
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE readings_moon PARTITION OF readings FOR VALUES IN (''moon'')';
    EXECUTE 'ALTER TABLE readings DETACH PARTITION readings_moon';
    EXECUTE 'DROP TABLE readings_moon';
END $$;

-- case: empty-child-of-old-parent
-- why: the child is new and has no rows
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE offers (sum numeric) INHERITS (documents)';
END $$;

-- case: condition-never-true
-- why: the table to drop never existed
-- scope: tenant
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = 'legacy_orders') THEN
        EXECUTE 'DROP TABLE legacy_orders CASCADE';
    END IF;
END $$;

-- case: loop-over-nothing
-- why: no table matches
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_name LIKE 'zz\_%' LOOP
        EXECUTE 'TRUNCATE ' || quote_ident(found.table_name);
    END LOOP;
END $$;

-- case: if-exists-never-was
-- why: neither the table nor the column ever existed
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP TABLE IF EXISTS {org_schema}.legacy_customers CASCADE';
    EXECUTE 'ALTER TABLE customers DROP COLUMN IF EXISTS fax';
END $$;

-- case: strings-of-statements
-- why: the text is not executed
-- scope: tenant
DO $$
DECLARE warning text := 'DROP TABLE orders; DELETE FROM customers; TRUNCATE payments;';
BEGIN
    RAISE NOTICE '% has % letters', warning, length(warning);
    PERFORM 'ALTER TABLE orders DROP COLUMN note';
END $$;

-- case: statements-kept-in-a-table
-- why: the statements are rows of a new table and are not executed
-- scope: tenant
CREATE TABLE runbook (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    step text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
INSERT INTO runbook (step) VALUES ('DROP TABLE orders CASCADE'), ('DELETE FROM customers'), ($$ DO 'BEGIN TRUNCATE tickets; END' $$);

-- case: names-like-statements
-- why: the text in double quotes is a name
-- scope: tenant
CREATE TABLE "DROP TABLE orders" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "DELETE FROM" text,
    "TRUNCATE" int,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
DO $$ BEGIN
    EXECUTE format('ALTER TABLE %I RENAME COLUMN %I TO %I', 'DROP TABLE orders', 'TRUNCATE', 'DROP COLUMN');
END $$;

-- case: analyze-in-loop
-- why: only planner statistics are updated
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' LOOP
        EXECUTE 'ANALYZE ' || quote_ident(found.relname);
    END LOOP;
END $$;

-- case: overload-with-two-arguments
-- why: no call with one argument matches the new function
-- scope: tenant
DO $do$ BEGIN
    EXECUTE $$ CREATE FUNCTION order_total(wanted int, rate numeric) RETURNS numeric LANGUAGE sql STABLE
        AS 'SELECT net * rate FROM orders WHERE number = wanted' $$;
END $do$;

-- case: column-widened
-- why: all existing values still fit
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE varchar(%s)', 'products', 'summary', 200);
END $$;

-- case: enum-gets-a-value
-- why: existing values keep their name and position
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TYPE order_status ADD VALUE %L', 'returned');
END $$;

-- case: new-type-for-new-column
-- why: type and column are new, and the column may be empty
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TYPE urgency AS ENUM (''low'', ''high'')';
    EXECUTE 'ALTER TABLE tickets ADD COLUMN urgency urgency';
END $$;

-- case: new-domain-for-new-column
-- why: the check belongs to a domain used only by the new column
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE DOMAIN web_address AS text CHECK (VALUE LIKE ''https://%'')';
    EXECUTE 'ALTER TABLE customers ADD COLUMN site web_address';
END $$;

-- case: own-sequence-set
-- why: the sequence is created in the same file
-- scope: tenant
CREATE SEQUENCE complaint_numbers;
SELECT setval('complaint_numbers', (SELECT count(*) + 100 FROM tickets));

-- case: own-sequence-dropped-with-its-owner
-- why: both are created in the same file
-- scope: tenant
CREATE SEQUENCE draft_numbers;
CREATE TABLE draft_plan (id uuid, number bigint, created_at timestamptz, updated_at timestamptz);
ALTER SEQUENCE draft_numbers OWNED BY draft_plan.number;
DO $$ BEGIN
    EXECUTE 'DROP TABLE ' || quote_ident('draft_plan');
END $$;

-- case: required-column-with-default
-- why: an INSERT without the column gets its default
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE payments ADD COLUMN currency text NOT NULL DEFAULT ''EUR''';
END $$;

-- case: check-on-new-column
-- why: the check passes if the column is omitted
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE orders ADD COLUMN weight numeric CONSTRAINT orders_weight_positive CHECK (weight > 0)';
END $$;

-- case: unique-index-on-new-column
-- why: rows of the running release have NULL in the column, and NULLs are distinct
-- scope: tenant
ALTER TABLE customers ADD COLUMN loyalty_card text;
DO $$ BEGIN
    EXECUTE 'CREATE UNIQUE INDEX customers_loyalty_idx ON customers (loyalty_card)';
END $$;

-- case: foreign-key-on-new-column
-- why: the column is NULL, and is set to NULL when the referenced row is deleted
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE tickets ADD COLUMN customer_id uuid REFERENCES customers (id) ON DELETE SET NULL';
    EXECUTE 'CREATE INDEX tickets_customer_idx ON tickets (customer_id)';
END $$;

-- case: generated-column-added
-- why: the column is computed from written values and cannot fail
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE customers ADD COLUMN name_upper text GENERATED ALWAYS AS (upper(name)) STORED';
END $$;

-- case: identity-column-added
-- why: the server fills the column
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER TABLE audit_log ADD COLUMN line bigint GENERATED BY DEFAULT AS IDENTITY';
END $$;

-- case: own-table-renamed
-- why: the renamed object is created in the same file
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE parcels_next (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), weight int,'
        || ' created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now())';
    EXECUTE 'ALTER TABLE parcels_next RENAME TO parcels';
END $$;

-- case: own-columns-retyped
-- why: the table is created in the same file
-- scope: tenant
CREATE TABLE rates (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    rate numeric(10, 4),
    old_rate text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
DO $$ BEGIN
    EXECUTE 'ALTER TABLE rates ALTER rate TYPE int';
    EXECUTE 'ALTER TABLE rates DROP COLUMN old_rate';
    EXECUTE 'ALTER TABLE rates ALTER rate SET NOT NULL';
END $$;

-- case: own-rows-changed
-- why: only rows of a table created in the same file are changed
-- scope: tenant
CREATE TABLE first_orders AS
    SELECT gen_random_uuid() AS id, customer_id, min(number) AS number, now() AS created_at, now() AS updated_at
    FROM orders GROUP BY customer_id;
DO $$ BEGIN
    EXECUTE 'UPDATE first_orders SET number = number + 1000';
    EXECUTE 'WITH gone AS (DELETE FROM first_orders WHERE number > 1002 RETURNING id) SELECT count(*) FROM gone';
END $$;

-- case: own-function-replaced
-- why: both definitions are in the same file
-- scope: tenant
CREATE FUNCTION shipping(weight numeric) RETURNS numeric LANGUAGE sql AS $$ SELECT weight * 2 $$;
DO $do$ BEGIN
    EXECUTE $$ CREATE OR REPLACE FUNCTION shipping(weight numeric) RETURNS numeric LANGUAGE sql AS 'SELECT weight * 3' $$;
    EXECUTE 'ALTER FUNCTION shipping(numeric) STRICT';
END $do$;

-- case: statistics-in-loop
-- why: only the planner uses it
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT attname FROM pg_attribute
        WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped LOOP
        EXECUTE format('ALTER TABLE orders ALTER %I SET STATISTICS 500', found.attname);
    END LOOP;
    EXECUTE 'CREATE STATISTICS orders_status_customer ON status, customer_id FROM orders';
END $$;

-- case: storage-in-loop
-- why: fill factor and autovacuum settings change no rows
-- scope: tenant
DO $$
DECLARE relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['orders', 'order_lines', 'audit_log'] LOOP
        EXECUTE format('ALTER TABLE %I SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)', relation);
    END LOOP;
END $$;

-- case: index-that-is-there
-- why: the index and the column already exist
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE INDEX IF NOT EXISTS orders_customer_idx ON orders (customer_id)';
    EXECUTE 'ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text';
END $$;

-- case: plain-index-made-anew
-- why: the index is not unique and is created again
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'DROP INDEX customers_name_idx';
    EXECUTE 'CREATE INDEX customers_name_idx ON customers (name)';
END $$;

-- case: constraint-validated-in-loop
-- why: new rows are already checked, and existing rows comply
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND NOT convalidated LOOP
        EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', found.relation, found.conname);
    END LOOP;
END $$;

-- case: not-null-where-it-is
-- why: the columns were already NOT NULL
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT attname FROM pg_attribute
        WHERE attrelid = 'customers'::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull LOOP
        EXECUTE format('ALTER TABLE customers ALTER %I SET NOT NULL', found.attname);
    END LOOP;
END $$;

-- case: same-default-again
-- why: the default is unchanged
-- scope: tenant
DO $$ BEGIN
    EXECUTE format('ALTER TABLE customers ALTER country SET DEFAULT %L', 'DE');
END $$;

-- case: same-owner-again
-- why: the owner is unchanged
-- scope: tenant
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT tablename, tableowner FROM pg_tables WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO %I', found.tablename, found.tableowner);
    END LOOP;
END $$;

-- case: cost-of-a-function
-- why: only the planner uses it
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'ALTER FUNCTION find_customers(text) COST 500 ROWS 20';
END $$;

-- case: settings-of-the-transaction
-- why: the settings end with the transaction
-- scope: tenant
SELECT set_config('work_mem', '64MB', true), pg_advisory_xact_lock(42);
DO $$ BEGIN
    PERFORM pg_notify('shop', 'DROP TABLE orders');
END $$;

-- case: function-of-the-session
-- why: the function is temporary, only reads and is dropped
-- scope: tenant
CREATE FUNCTION pg_temp.drop_everything() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM orders $$;
SELECT pg_temp.drop_everything();
DROP FUNCTION pg_temp.drop_everything();

-- case: copy-of-a-table
-- why: the rows are copied to a new table and kept
-- scope: tenant
DO $$ BEGIN
    EXECUTE 'CREATE TABLE audit_log_copy (LIKE audit_log INCLUDING ALL)';
    EXECUTE 'INSERT INTO audit_log_copy SELECT * FROM audit_log';
END $$;

-- case: text-applied-that-only-adds
-- why: an existing function executes a text that adds an index
-- scope: tenant
SELECT apply_text(concat('cre', 'ate ', 'index tickets_closed_idx on tickets (closed_at)'));

-- case: comments-of-deletions
-- why: the statements are in comments
-- scope: tenant
-- DROP TABLE orders CASCADE;
/* DELETE FROM customers; /* TRUNCATE payments; */ */
DO $$ BEGIN
    -- EXECUTE 'DROP TABLE orders';
    /* EXECUTE 'TRUNCATE payments'; */
    EXECUTE 'SELECT 1 -- DELETE FROM tickets';
END $$;

-- case: platform-column-added
-- why: a nullable column is added to three tables
-- scope: platform
DO $$
DECLARE relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['plans', 'users', 'api_keys'] LOOP
        EXECUTE format('ALTER TABLE datalinx_platform.%I ADD COLUMN %I text', relation, 'remark');
    END LOOP;
END $$;

-- case: platform-text-applied
-- why: an existing function executes a text that creates a table
-- scope: platform
SELECT datalinx_platform.apply_text('CREATE TABLE datalinx_platform.invitations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),'
    || ' email text, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now())');

-- case: platform-text-backwards
-- why: the reversed text is a SELECT
-- scope: platform
DO $$ BEGIN
    EXECUTE reverse('snalp.mroftalp_xnilatad MORF )*(tnuoc TCELES');
END $$;

-- case: platform-text-encoded
-- why: the decoded text is a comment on a column
-- scope: platform
DO $$ BEGIN
    EXECUTE convert_from(decode('Q09NTUVOVCBPTiBDT0xVTU4gZGF0YWxpbnhfcGxhdGZvcm0ucGxhbnMuc2VhdHMgSVMgJ0RST1AgQ09MVU1OIHNlYXRzJw==', 'base64'), 'UTF8');
END $$;

-- case: platform-default-computed
-- why: the function in the default only counts, and the default is dropped
-- scope: platform
ALTER TABLE datalinx_platform.plans ADD COLUMN sessions_then bigint DEFAULT datalinx_platform.count_sessions();
ALTER TABLE datalinx_platform.plans ALTER sessions_then DROP DEFAULT;

-- case: platform-event-trigger-made-and-dropped
-- why: it is dropped before the next statement
-- scope: platform
DO $$ BEGIN
    EXECUTE 'CREATE EVENT TRIGGER quiet_time ON sql_drop WHEN TAG IN (''DROP AGGREGATE'')'
        || ' EXECUTE FUNCTION datalinx_platform.refuse_ddl()';
    EXECUTE 'DROP EVENT TRIGGER quiet_time';
END $$;

-- case: platform-extension-that-is-there
-- why: the extension already exists
-- scope: platform
DO $$ BEGIN
    EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I', 'citext');
END $$;

-- case: platform-schema-made-and-dropped
-- why: CASCADE drops only objects of the same file
-- scope: platform
CREATE SCHEMA datalinx_workshop;
CREATE TABLE datalinx_workshop.plans AS SELECT * FROM datalinx_platform.plans;
DO $$ BEGIN
    EXECUTE 'DROP SCHEMA datalinx_workshop CASCADE';
END $$;

-- case: platform-enum-gets-a-value
-- why: existing values keep their names
-- scope: platform
SELECT datalinx_platform.apply_text($$ALTER TYPE datalinx_platform.member_level ADD VALUE 'owner'$$);

-- case: platform-indexes-in-loop
-- why: foreign keys without an index get one
-- scope: platform
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT conrelid::regclass AS relation, conname, a.attname
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.connamespace = 'datalinx_platform'::regnamespace LOOP
        EXECUTE format('CREATE INDEX %I ON %s (%I)', found.conname || '_idx', found.relation, found.attname);
    END LOOP;
END $$;

-- case: platform-rights-for-readers
-- why: privileges are only granted
-- scope: platform
DO $$ BEGIN
    EXECUTE 'GRANT USAGE ON SCHEMA datalinx_platform TO hidden_reader';
    EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA datalinx_platform TO hidden_reader';
END $$;

-- case: platform-users-counted
-- why: users are counted into a new table and not changed
-- scope: platform
DO $$ BEGIN
    CREATE TABLE datalinx_platform.user_counts (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        organization_id uuid,
        users bigint,
        created_at timestamptz DEFAULT now(),
        updated_at timestamptz DEFAULT now()
    );
    INSERT INTO datalinx_platform.user_counts (organization_id, users)
        SELECT organization_id, count(*) FROM datalinx_platform.users GROUP BY organization_id;
    DELETE FROM datalinx_platform.user_counts WHERE users = 0;
END $$;

-- case: platform-view-behind-a-function
-- why: the view is new, and reading it only counts
-- scope: platform
CREATE VIEW datalinx_platform.session_count AS SELECT datalinx_platform.count_sessions() AS sessions;
DO $$ BEGIN
    PERFORM sessions FROM datalinx_platform.session_count;
END $$;
