-- strong_migrations, online_migrations, safe-pg-migrations: https://github.com/ankane/strong_migrations, https://github.com/fatkodima/online_migrations, https://github.com/doctolib/safe-pg-migrations

-- reject | drop | strong_migrations: removing a column | two at once
ALTER TABLE customers DROP COLUMN nick, DROP COLUMN phone;
-- reject | type | strong_migrations: changing the type | JSON keys lose their order and doubles
ALTER TABLE customers ALTER COLUMN raw TYPE jsonb USING raw::jsonb;
-- reject | type | strong_migrations: changing the type | a text is no number for those who write text
ALTER TABLE orders ALTER COLUMN note TYPE int USING note::int;
-- reject | type | strong_migrations: changing the type | arithmetic of the old release fails
ALTER TABLE orders ALTER COLUMN qty TYPE text;
-- reject | type | strong_migrations: changing the type | hours move with the session's time zone
ALTER TABLE orders ALTER COLUMN placed TYPE timestamptz;
-- reject | type | strong_migrations: changing the type | cents are rounded away
ALTER TABLE orders ALTER COLUMN price TYPE numeric(10, 1);
-- reject | type | strong_migrations: changing the type | a limit where there was none
ALTER TABLE customers ALTER COLUMN nick TYPE varchar(100);
-- reject | rename | strong_migrations: renaming a schema | qualified names of the old release fail
ALTER SCHEMA archive RENAME TO attic;
-- reject | rename | strong_migrations: renaming an enum value | the old label is unknown
ALTER TYPE order_status RENAME VALUE 'new' TO 'open';
-- reject | drop | strong_migrations: creating a table with force | drops what is there first
DROP TABLE IF EXISTS invoices CASCADE; CREATE TABLE invoices (id bigserial PRIMARY KEY, order_id bigint, amount numeric);
-- reject | code | strong_migrations: executing SQL directly | nobody sees what the string does
DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'invoices'; END $$;
-- reject | rows | strong_migrations: backfilling data | overwrites what every row holds
UPDATE customers SET country = 'DE';
-- reject | constraint | strong_migrations: adding an exclusion constraint | rows that were accepted are refused
ALTER TABLE invoices ADD EXCLUDE USING hash (order_id WITH =);
-- reject | constraint | strong_migrations: adding a reference | NOT VALID binds new rows
ALTER TABLE invoices ADD CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders NOT VALID;
-- reject | constraint | strong_migrations: setting NOT NULL | the half way is binding too
ALTER TABLE customers ADD CONSTRAINT last_seen_given CHECK (last_seen IS NOT NULL) NOT VALID;
-- reject | constraint | online_migrations: adding a unique constraint | several columns
ALTER TABLE orders ADD CONSTRAINT one_a_day UNIQUE (customer_id, placed);
-- reject | drop | online_migrations: removing a table with multiple foreign keys | the table is gone
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk; DROP TABLE orders CASCADE;
-- reject | index | online_migrations: removing an index | ON CONFLICT (number) finds no unique index
DROP INDEX CONCURRENTLY orders_number_idx;
-- reject | index | online_migrations: replacing an index | unique before, not unique now
DROP INDEX orders_number_idx; CREATE INDEX orders_number_idx ON orders (number, placed);
-- reject | rename | online_migrations: renaming a table | a view keeps reads, and the sequence and TRUNCATE do not follow
ALTER TABLE customers RENAME TO clients; ALTER TABLE clients RENAME COLUMN name TO full_name;
-- reject | column | safe-pg-migrations: change_column_null | a required column
ALTER TABLE orders ALTER note SET NOT NULL;
-- reject | column | safe-pg-migrations: change_column_null | the condition on phone was never validated
ALTER TABLE customers ALTER COLUMN phone SET NOT NULL;
-- reject | drop | safe-pg-migrations: dropping a table | two tables
DROP TABLE invoices, drafts;

-- allow | type | strong_migrations: safe type changes | more digits at the same scale
ALTER TABLE orders ALTER COLUMN price TYPE numeric(14, 2);
-- allow | type | strong_migrations: safe type changes | no limit at all
ALTER TABLE orders ALTER COLUMN price TYPE numeric;
-- allow | type | strong_migrations: safe type changes | varchar without a limit holds what text holds
ALTER TABLE customers ALTER COLUMN phone TYPE varchar;
-- allow | column | strong_migrations: adding an auto-incrementing column | a rewrite
ALTER TABLE audit_log ADD COLUMN id bigserial;
-- allow | column | strong_migrations: adding a stored generated column | a rewrite
ALTER TABLE customers ADD COLUMN email_lower text GENERATED ALWAYS AS (lower(email)) STORED;
-- allow | column | strong_migrations: adding a json column | style
ALTER TABLE customers ADD COLUMN preferences json;
-- allow | constraint | strong_migrations: adding a check constraint | old rows are looked at, nothing new is demanded
ALTER TABLE customers VALIDATE CONSTRAINT customers_phone_given;
-- allow | constraint | strong_migrations: setting NOT NULL | validated, set, and the helper is dropped
ALTER TABLE customers ALTER COLUMN nick SET NOT NULL; ALTER TABLE customers DROP CONSTRAINT customers_nick_given;
-- allow | column | strong_migrations: adding a reference | a new nullable column refers to nothing under the old release
ALTER TABLE customers ADD COLUMN referred_by bigint REFERENCES customers (id);
-- allow | index | strong_migrations: adding a reference | with its index
ALTER TABLE orders ADD COLUMN courier_id bigint; CREATE INDEX ON orders (courier_id);
-- allow | rows | online_migrations: backfilling data | fills a column that the same file adds
ALTER TABLE customers ADD COLUMN country_code text; UPDATE customers SET country_code = upper(country) WHERE country_code IS NULL;
-- allow | rows | online_migrations: backfilling data | fills what is empty
UPDATE customers SET country = 'DE' WHERE country IS NULL;
-- allow | index | online_migrations: hash indexes | style
CREATE INDEX customers_email_hash ON customers USING hash (email);
-- allow | index | online_migrations: replacing an index | the new one first
CREATE INDEX orders_placed_status_idx ON orders (placed, status); DROP INDEX orders_placed_idx;
-- allow | new object | online_migrations: mismatched reference column types | style
CREATE TABLE ratings (id bigserial PRIMARY KEY, order_id bigint REFERENCES orders (id), invoice_id bigint REFERENCES invoices (id), stars int);
-- allow | new object | online_migrations: short primary key | style
CREATE TABLE tags (id smallint PRIMARY KEY);
-- allow | constraint | safe-pg-migrations: dropping a NULL constraint | what was accepted is accepted
ALTER TABLE invoices ALTER COLUMN order_id DROP NOT NULL;
-- allow | column | safe-pg-migrations: add_column | in its steps: column, default, backfill
ALTER TABLE orders ADD COLUMN source text; ALTER TABLE orders ALTER COLUMN source SET DEFAULT 'web'; UPDATE orders SET source = 'web' WHERE source IS NULL;
