-- pgroll: https://pgroll.com/docs/latest/operations. Its operations as plain SQL, without the views of both versions that make them safe there.

-- reject | column | alter_column: add not null | binds old writers
ALTER TABLE customers ALTER COLUMN last_seen SET NOT NULL;
-- reject | type | alter_column: change type | a stricter type
ALTER TABLE orders ALTER COLUMN note TYPE date USING note::date;
-- reject | type | alter_column: change type | an enum refuses other words
ALTER TABLE orders ALTER COLUMN note TYPE order_status USING note::order_status;
-- reject | constraint | alter_column: add check | on what is written
ALTER TABLE invoices ADD CONSTRAINT invoices_amount CHECK (length(amount::text) > 3);
-- reject | constraint | alter_column: add foreign key | ON DELETE CASCADE also deletes what the old release keeps
ALTER TABLE invoices ADD CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE NOT VALID;
-- reject | constraint | alter_column: add unique | in one statement with something harmless
ALTER TABLE invoices ADD COLUMN memo text, ADD CONSTRAINT u UNIQUE (order_id);
-- reject | constraint | create_constraint: exclude | rows that were accepted are refused
ALTER TABLE orders ADD CONSTRAINT x EXCLUDE USING btree (placed WITH =) WHERE (placed IS NOT NULL);
-- reject | column | alter_column: change default to null | inserts leave it out and fail
ALTER TABLE customers ALTER COLUMN credit SET DEFAULT NULL;
-- reject | drop | drop_column | one column
ALTER TABLE ONLY customers DROP COLUMN level;
-- reject | drop | drop_table | one table
DROP TABLE public.invoices RESTRICT;
-- reject | constraint | drop_constraint | ON CONFLICT ON CONSTRAINT names it
ALTER TABLE customers DROP CONSTRAINT customers_email_key RESTRICT;
-- reject | rename | rename_constraint | ON CONFLICT ON CONSTRAINT names it
ALTER TABLE customers RENAME CONSTRAINT customers_email_key TO customers_mail_key;
-- reject | rename | rename_column | in a view
ALTER VIEW active_customers RENAME COLUMN email TO mail;
-- reject | replica | set_replica_identity: nothing | published: each UPDATE of the old release fails
ALTER TABLE customers REPLICA IDENTITY NOTHING;
-- reject | index | create_index: unique | partial is unique as well
CREATE UNIQUE INDEX one_new_order ON orders (customer_id) WHERE status = 'new';
-- reject | rows | raw sql | everything that the table held
DELETE FROM invoices;

-- allow | column | add_column | with a condition that a missing value meets
ALTER TABLE customers ADD COLUMN age int CHECK (age >= 0);
-- allow | column | add_column | with a condition that the default meets
ALTER TABLE customers ADD COLUMN tier text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'pro'));
-- allow | column | add_column | unique: NULLs differ
ALTER TABLE customers ADD COLUMN passport text UNIQUE;
-- allow | comment | alter_column: change comment | nobody asks for it
COMMENT ON COLUMN customers.email IS 'DROP TABLE customers; used to sign in';
-- allow | index | create_index | with a method and parameters
CREATE INDEX customers_settings ON customers USING gin (settings) WITH (fastupdate = off);
-- allow | index | drop_index | not unique
DROP INDEX public.orders_placed_idx;
-- allow | constraint | drop_constraint: check | looser
ALTER TABLE customers DROP CONSTRAINT customers_phone_given;
-- allow | constraint | alter_column: drop not null | looser
ALTER TABLE customers ALTER email DROP NOT NULL;
-- allow | replica | set_replica_identity: full | writes cost more
ALTER TABLE customers REPLICA IDENTITY FULL;
-- allow | new object | create_table | with all that a table can have
CREATE TABLE reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id int NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    stars smallint NOT NULL CONSTRAINT stars_range CHECK (stars BETWEEN 1 AND 5),
    body text,
    UNIQUE (order_id)
);
