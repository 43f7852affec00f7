-- squawk: https://squawkhq.com/docs/rules

-- reject | drop | ban-drop-column | the old release names the column in its selects and inserts
ALTER TABLE customers DROP COLUMN phone;
-- reject | drop | ban-drop-table | rows and table are gone
DROP TABLE invoices;
-- reject | drop | ban-drop-database | a whole database is gone
DROP DATABASE IF EXISTS shop_of_last_year;
-- reject | drop | ban-drop-schema | whatever the schema holds is gone, or its name is
DROP SCHEMA "Old Reports";
-- reject | drop | ban-drop-view | the old release selects from it
DROP VIEW active_customers;
-- reject | drop | ban-drop-function | the old release calls it
DROP FUNCTION order_total(int);
-- reject | drop | ban-drop-type | the old release may cast to it
DROP TYPE address CASCADE;
-- reject | drop | ban-drop-domain | the old release may cast to it
DROP DOMAIN email_address;
-- reject | drop | ban-drop-sequence | the old release may draw numbers from it
CREATE SEQUENCE receipt_numbers; DROP SEQUENCE invoice_numbers CASCADE;
-- reject | drop | ban-drop-extension | every function and type of it is gone
DROP EXTENSION plpgsql CASCADE;
-- reject | drop | ban-drop-default | inserts of the old release leave the column out and fail
ALTER TABLE orders ALTER COLUMN number DROP DEFAULT;
-- reject | trigger | ban-drop-trigger | what the trigger wrote for the old release is no longer written
DROP TRIGGER customers_touch ON customers;
-- reject | trigger | ban-disable-trigger | the same, without a DROP
ALTER TABLE customers DISABLE TRIGGER customers_touch;
-- reject | trigger | ban-disable-trigger | foreign keys are triggers too: rows without a customer get in
ALTER TABLE orders DISABLE TRIGGER ALL;
-- reject | rights | ban-drop-policy | rows that the old release saw are hidden
DROP POLICY own_notes ON notes;
-- reject | rights | ban-alter-policy-condition | other rows are seen than before
ALTER POLICY own_notes ON notes USING (false);
-- reject | rights | ban-alter-policy-roles | nobody but the reader sees rows now
ALTER POLICY own_notes ON notes TO corpus_reader;
-- reject | rights | ban-alter-row-level-security | no policy: the application sees no row
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
-- reject | rights | ban-revoke | the next insert of the old release is refused
REVOKE INSERT ON orders FROM corpus_app;
-- reject | column | ban-alter-identity | inserts leave the column out and fail
ALTER TABLE customers ALTER COLUMN id DROP IDENTITY;
-- reject | column | ban-alter-identity | explicit ids of the old release are refused
ALTER TABLE customers ALTER COLUMN id SET GENERATED ALWAYS;
-- reject | column | ban-drop-generated-expression | new rows of the old release have no total
ALTER TABLE orders ALTER COLUMN total DROP EXPRESSION;
-- reject | type | changing-column-type | a longer name no longer fits
ALTER TABLE customers ALTER COLUMN name TYPE varchar(10);
-- reject | column | adding-not-nullable-field | inserts that leave it out fail
ALTER TABLE customers ALTER COLUMN settings SET NOT NULL;
-- reject | column | adding-required-field | inserts do not know it and fail
ALTER TABLE customers ADD COLUMN birthday date NOT NULL;
-- reject | constraint | adding-foreign-key-constraint | an order for an unknown number is refused from now on
ALTER TABLE invoices ADD CONSTRAINT invoices_order_fk FOREIGN KEY (order_id) REFERENCES orders (id);
-- reject | constraint | constraint-missing-not-valid | a new condition binds what the old release writes
ALTER TABLE orders ADD CONSTRAINT orders_qty_positive CHECK (qty > 0);
-- reject | constraint | constraint-missing-not-valid | NOT VALID spares old rows, not new writes
ALTER TABLE orders ADD CONSTRAINT orders_qty_positive CHECK (qty > 0) NOT VALID;
-- reject | constraint | disallowed-unique-constraint | the second row of the same amount is refused
ALTER TABLE invoices ADD CONSTRAINT invoices_amount_key UNIQUE (amount);
-- reject | constraint | ban-alter-domain-with-add-constraint | values that passed are refused
ALTER DOMAIN email_address ADD CONSTRAINT short CHECK (length(VALUE) < 100);
-- reject | constraint | ban-alter-domain-with-add-constraint | NOT VALID binds what is written from now on
ALTER DOMAIN email_address ADD CONSTRAINT short CHECK (length(VALUE) < 100) NOT VALID;
-- reject | constraint | ban-drop-constraint | ON CONFLICT (email) has no unique constraint to refer to
ALTER TABLE customers DROP CONSTRAINT customers_email_key;
-- reject | constraint | ban-drop-constraint | deleting a customer leaves its orders behind
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk;
-- reject | rename | renaming-column | the old release says the old name
ALTER TABLE customers RENAME COLUMN email TO mail;
-- reject | rename | renaming-table | the old release says the old name
ALTER TABLE customers RENAME TO clients;
-- reject | rename | renaming-object | the old release casts to the old label
ALTER TYPE order_status RENAME VALUE 'paid' TO 'settled';
-- reject | rename | ban-set-schema | the old release finds no invoices on its search path
ALTER TABLE invoices SET SCHEMA archive;
-- reject | rows | ban-truncate-cascade | every order is gone with the customers
TRUNCATE customers CASCADE;
-- reject | partition | ban-detach-inheritance | letters are no longer among the documents
ALTER TABLE letters NO INHERIT documents;
-- reject | sequence | ban-alter-sequence-values | numbers are drawn a second time
ALTER SEQUENCE invoice_numbers RESTART WITH 1;
-- reject | session | ban-alter-system-options | every session of the server may only read
ALTER SYSTEM SET default_transaction_read_only = on;
-- reject | rights | ban-alter-role-options | the application can no longer log in
ALTER ROLE corpus_app NOLOGIN;
-- reject | session | ban-alter-database-options | each new session may only read
ALTER DATABASE postgres SET default_transaction_read_only = on;
-- reject | replace | ban-replace-view-function | rows that were shown are gone from the view
CREATE OR REPLACE VIEW active_customers AS SELECT id, email, country FROM customers WHERE last_seen > now() - interval '1 day';
-- reject | replace | ban-replace-view-function | every call of the old release gets nothing
CREATE OR REPLACE FUNCTION order_total(order_id int) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT 0::numeric $$;
-- reject | replace | ban-alter-function-options | a NULL argument no longer reaches the body
ALTER FUNCTION same_address(address, address) STRICT;
-- reject | replace | ban-alter-function-options | the function finds other tables than before
ALTER FUNCTION order_total(int) SET search_path = archive;
-- reject | type | ban-add-composite-attribute | ROW('a', 'b')::address has too few fields now
ALTER TYPE address ADD ATTRIBUTE city text;
-- reject | constraint | ban-new-write-restriction | two bookings may no longer overlap
ALTER TABLE invoices ADD CONSTRAINT one_invoice EXCLUDE USING btree (order_id WITH =);

-- allow | column | ban-add-column | nobody has to know a nullable column
ALTER TABLE customers ADD COLUMN birthday date;
-- allow | column | adding-field-with-default | old inserts get the default
ALTER TABLE customers ADD COLUMN newsletter boolean NOT NULL DEFAULT false;
-- allow | type | ban-char-field | style
CREATE TABLE shelves (id bigint PRIMARY KEY, code char(4));
-- allow | type | prefer-bigint-over-int, prefer-identity, prefer-text-field, prefer-timestamptz | style
CREATE TABLE stores (id serial PRIMARY KEY, name varchar(20), opened timestamp, rank smallint);
-- allow | type | ban-create-domain-with-constraint | nobody uses the new domain yet
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
-- allow | type | ban-add-enum-value, require-enum-value-ordering | the old labels stay
ALTER TYPE order_status ADD VALUE 'returned';
-- allow | constraint | ban-drop-not-null | what was accepted is accepted
ALTER TABLE customers ALTER COLUMN name DROP NOT NULL;
-- allow | index | require-concurrent-index-creation | writers wait, none fails
CREATE INDEX customers_name_idx ON customers (name);
-- allow | index | require-concurrent-index-creation | alone, outside of a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS customers_name_idx ON customers (name);
-- allow | index | require-concurrent-index-deletion | a plan is slower, no result differs
DROP INDEX orders_placed_idx;
-- allow | index | require-concurrent-index-deletion | alone, outside of a transaction
DROP INDEX CONCURRENTLY IF EXISTS orders_placed_idx;
-- allow | index | require-concurrent-reindex | a lock
REINDEX TABLE orders;
-- allow | session | require-timeout-settings, require-lock-timeout, require-statement-timeout | limits of the migration itself
SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '1min'; ALTER TABLE orders ADD COLUMN gift boolean;
-- allow | session | require-timeout-settings | as its manual writes them, without LOCAL
SET lock_timeout = '1s'; SET statement_timeout = '5s'; ALTER TABLE orders ADD COLUMN gift boolean;
-- allow | new object | require-table-schema | style
CREATE TABLE coupons (code text PRIMARY KEY);
-- allow | new object | prefer-robust-stmts | style
CREATE TABLE IF NOT EXISTS coupons (code text PRIMARY KEY);
-- allow | session | ban-uncommitted-transaction, transaction-nesting | the file's own transaction
BEGIN; ALTER TABLE orders ADD COLUMN gift boolean; COMMIT;
-- allow | rights | ban-create-policy | row security is off on this table, so it does nothing
CREATE POLICY all_rows ON invoices USING (true);
-- allow | replace | ban-alter-view-options | nothing but the plan may differ
ALTER VIEW active_customers SET (security_barrier = true);
-- allow | style | identifier-too-long | cut to 63 bytes, and new
CREATE TABLE a_table_whose_name_is_so_long_that_the_server_cuts_it_somewhere_near_its_end (id int);
-- allow | constraint | disallowed-unique-constraint | the index is there already: nothing new is demanded
ALTER TABLE orders ADD CONSTRAINT orders_number_key UNIQUE USING INDEX orders_number_idx;
