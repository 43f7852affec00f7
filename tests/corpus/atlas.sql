-- Atlas: https://atlasgo.io/lint/analyzers

-- reject | drop | DS101 | a schema is gone with all that it holds
DROP SCHEMA archive CASCADE;
-- reject | drop | DS102 | a table is gone
DROP TABLE IF EXISTS "Order Lines";
-- reject | drop | DS103 | a column is gone with its values
ALTER TABLE orders DROP COLUMN IF EXISTS note;
-- reject | drop | DS103 | also where another action hides it
ALTER TABLE orders ADD COLUMN remark text, DROP COLUMN note, ADD COLUMN gift boolean;
-- reject | drop | DS103 | no word COLUMN
ALTER TABLE orders DROP note;
-- reject | index | MF101 | the second row with that name is refused
CREATE UNIQUE INDEX customers_name_key ON customers (name);
-- reject | index | MF101 | CONCURRENTLY makes it no weaker
CREATE UNIQUE INDEX CONCURRENTLY customers_phone_key ON customers (phone);
-- reject | index | MF102 | a plain index is made a unique one
DROP INDEX orders_placed_idx; CREATE UNIQUE INDEX orders_placed_idx ON orders (placed);
-- reject | column | MF103 | a required column without a default
ALTER TABLE orders ADD COLUMN channel text NOT NULL;
-- reject | column | MF104 | a nullable column made required
ALTER TABLE orders ALTER COLUMN placed SET NOT NULL;
-- reject | rename | BC101 | a table of another name
ALTER TABLE IF EXISTS orders RENAME TO purchases;
-- reject | rename | BC102 | a column of another name, without the word COLUMN
ALTER TABLE orders RENAME note TO remark;
-- reject | constraint | CD101 | the cascade that the old release relies on is gone
ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_customer_fk;
-- reject | constraint | PG104 | a primary key forbids NULLs that were written
ALTER TABLE audit_log ADD PRIMARY KEY (what);
-- reject | constraint | PG105 | a unique constraint
ALTER TABLE events_2024 ADD UNIQUE (id);
-- reject | type | PG301 | a smaller number no longer holds what is written
ALTER TABLE customers ALTER COLUMN points TYPE int;
-- reject | constraint | PG304 | a primary key from an index on a nullable column
ALTER TABLE audit_log ADD COLUMN id bigint; CREATE UNIQUE INDEX audit_log_id ON audit_log (id); ALTER TABLE audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY USING INDEX audit_log_id;
-- reject | constraint | PG305 | a condition on what is written
ALTER TABLE orders ADD CHECK (price < 1000000);

-- allow | new object | BC101 | the safe way: the new name beside the old one
CREATE VIEW purchases AS SELECT * FROM orders;
-- allow | column | BC102 | the safe way: the new column beside the old one, generated from it
ALTER TABLE orders ADD COLUMN remark text GENERATED ALWAYS AS (note) STORED;
-- allow | column | MF103 | with a default
ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web';
-- allow | index | MF101 | on a table of the same file
CREATE TABLE coupons (code text, customer_id bigint); CREATE UNIQUE INDEX coupons_code_key ON coupons (code);
-- allow | index | MF101 | on a new column that stays NULL under the old release: NULLs differ
ALTER TABLE customers ADD COLUMN token text; CREATE UNIQUE INDEX customers_token_key ON customers (token);
-- allow | column | MF104 | a validated condition says already that it is never NULL
ALTER TABLE customers ALTER COLUMN nick SET NOT NULL;
-- allow | index | PG101 | a lock
CREATE INDEX ON invoices (order_id);
-- allow | index | PG102 | a lock
DROP INDEX IF EXISTS orders_placed_idx;
-- allow | type | PG301 | more letters fit
ALTER TABLE customers ALTER COLUMN phone TYPE varchar(40);
-- allow | type | PG301 | all letters fit
ALTER TABLE customers ALTER COLUMN phone SET DATA TYPE text;
-- allow | type | PG301 | a rewrite, and every number fits
ALTER TABLE orders ALTER COLUMN qty TYPE bigint;
-- allow | column | PG302 | a rewrite, and old inserts get a value
ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
-- allow | new object | PG110 | style
CREATE TABLE flags (a boolean, b bigint, c boolean, d bigint);
-- allow | new object | NM101 to NM106 | style
CREATE TABLE "Strange Name" (id int CONSTRAINT "My Key" PRIMARY KEY, "Amount" int CONSTRAINT "Positive" CHECK ("Amount" > 0));
