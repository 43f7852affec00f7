-- What the code of blocks and routines does, and what a whole file changes. PostgreSQL's manual, chapters 43 and 38: https://www.postgresql.org/docs/15/plpgsql.html

-- reject | block | static SQL | the table is dropped as outside of the block
DO $$ BEGIN DROP TABLE invoices; END $$;
-- reject | block | ELSE | the branch may run
DO $$ BEGIN IF now() > '2000-01-01' THEN NULL; ELSE TRUNCATE invoices; END IF; END $$;
-- reject | block | loop | every turn deletes rows
DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM orders LOOP DELETE FROM invoices WHERE order_id = r.id; END LOOP; END $$;
-- reject | block | handler | the handler runs after an error
DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN ALTER TABLE orders DROP COLUMN note; END $$;
-- reject | block | quoted | the body is a plain string
DO 'BEGIN UPDATE customers SET country = ''US''; END';
-- reject | block | INTO | the statement stores its result in a variable
DO $$ DECLARE n int; BEGIN WITH gone AS (DELETE FROM invoices RETURNING 1) SELECT count(*) INTO n FROM gone; END $$;
-- reject | block | EXECUTE | the text does not show what runs
DO $$ DECLARE verb text := 'DROP'; BEGIN EXECUTE verb || ' TABLE invoices'; END $$;
-- reject | block | PERFORM | the function deletes all orders
DO $$ BEGIN PERFORM purge_orders(); END $$;
-- reject | block | expression | the function in a condition deletes all orders
DO $$ BEGIN IF purge_orders() > 0 THEN RAISE NOTICE 'purged'; END IF; END $$;
-- reject | block | declaration | the default of a variable deletes all orders
DO $$ DECLARE n bigint := purge_orders(); BEGIN NULL; END $$;
-- reject | block | guard | the new constraint refuses writes
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'orders_qty_positive') THEN ALTER TABLE orders ADD CONSTRAINT orders_qty_positive CHECK (qty > 0); END IF; END $$;
-- allow | block | guard | a new type
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'size') THEN CREATE TYPE size AS ENUM ('s', 'm'); END IF; END $$;
-- allow | block | handler | a new type, unless it exists
DO $$ BEGIN CREATE TYPE size AS ENUM ('s', 'm'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
-- allow | block | guard | a new column
DO $$ BEGIN IF NOT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'weight') THEN ALTER TABLE orders ADD COLUMN weight numeric; END IF; END $$;
-- allow | block | handler | a new column, filled
DO $$ BEGIN BEGIN ALTER TABLE orders ADD COLUMN weight numeric; EXCEPTION WHEN duplicate_column THEN RAISE NOTICE 'exists'; END; END $$;
-- allow | block | guard | a new table with an index and rows
DO $$ BEGIN IF to_regclass('sizes') IS NULL THEN CREATE TABLE sizes (id int PRIMARY KEY, name text); CREATE UNIQUE INDEX sizes_name ON sizes (name); INSERT INTO sizes VALUES (1, 's'); END IF; END $$;
-- allow | block | checks | it only reads and raises
DO $$ DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM invoices; IF n > 1000000 THEN RAISE EXCEPTION 'too many: %', n; END IF; END $$;
-- allow | block | index | no query names it
DO $$ BEGIN DROP INDEX orders_placed_idx; END $$;
-- allow | block | loop | only missing values are filled
DO $$ DECLARE i int; BEGIN FOR i IN 1..10 LOOP UPDATE orders SET note = '' WHERE note IS NULL AND id % 10 = i; END LOOP; END $$;

-- allow | after code | Allow | the code names another table
-- Allow: opaque-code because it was tried out
DO $$ BEGIN EXECUTE 'ALTER TABLE drafts ADD COLUMN done boolean'; END $$; ALTER TABLE orders ALTER qty TYPE bigint; DROP INDEX orders_placed_idx;
-- allow | absent | IF EXISTS | no schema of this name was created, and no function with these arguments
DROP FUNCTION IF EXISTS order_total(text); DROP INDEX IF EXISTS never_was;
-- reject | absent | IF EXISTS | the function has this argument
DROP FUNCTION IF EXISTS order_total(integer);
-- allow | known | CREATE SCHEMA | the file's own schema, its tables and sequences
CREATE SCHEMA reports; CREATE TABLE reports.days (id serial PRIMARY KEY, day date); DROP TABLE IF EXISTS reports.weeks; DROP SEQUENCE IF EXISTS reports.weeks_id_seq;

-- allow | net effect | foreign key | the same rows are refused, another action
ALTER TABLE "Order Lines" DROP CONSTRAINT "Order Lines_order_id_fkey"; ALTER TABLE "Order Lines" ADD CONSTRAINT "Order Lines_order_id_fkey" FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE;
-- reject | net effect | foreign key | to another table
ALTER TABLE "Order Lines" DROP CONSTRAINT "Order Lines_order_id_fkey"; ALTER TABLE "Order Lines" ADD FOREIGN KEY (order_id) REFERENCES invoices (id);
-- allow | net effect | unique index | the same one
DROP INDEX orders_number_idx; CREATE UNIQUE INDEX orders_number_idx ON orders (number);
-- reject | net effect | unique index | ON CONFLICT (number) finds none
DROP INDEX orders_number_idx; CREATE UNIQUE INDEX orders_number_idx ON orders (number, status);
-- reject | net effect | unique index | the name is in error handlers
ALTER INDEX orders_number_idx RENAME TO orders_number_key;
-- allow | net effect | plain index | nothing uses the name
ALTER INDEX orders_placed_idx RENAME TO orders_by_day;
-- allow | net effect | default | it gets another one
ALTER TABLE customers ALTER country DROP DEFAULT; ALTER TABLE customers ALTER country SET DEFAULT 'FR';
-- allow | net effect | triggers | off and on again
ALTER TABLE customers DISABLE TRIGGER customers_touch; ALTER TABLE customers ENABLE TRIGGER customers_touch;
-- reject | net effect | triggers | off, and only one on again
ALTER TABLE customers DISABLE TRIGGER ALL; ALTER TABLE customers ENABLE TRIGGER customers_touch;
-- allow | net effect | trigger | created again as it was
DROP TRIGGER customers_touch ON customers; CREATE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
-- reject | net effect | trigger | it fires at another time
DROP TRIGGER customers_touch ON customers; CREATE TRIGGER customers_touch BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION touch();
-- allow | net effect | view | all columns, and one more
DROP VIEW paid_orders; CREATE VIEW paid_orders AS SELECT id, net, tax FROM orders WHERE status = 'paid';
-- reject | net effect | view | other rows
DROP VIEW paid_orders; CREATE VIEW paid_orders AS SELECT id, net FROM orders WHERE status <> 'new';
-- reject | net effect | view | the new view lacks the privilege
DROP VIEW active_customers; CREATE VIEW active_customers AS SELECT id, email, country FROM customers WHERE last_seen IS NOT NULL;
-- allow | net effect | view | the privilege is granted again
DROP VIEW active_customers; CREATE VIEW active_customers AS SELECT id, email, country FROM customers WHERE last_seen IS NOT NULL; GRANT SELECT ON active_customers TO corpus_reader;
-- allow | net effect | constraint | the same under a second name
ALTER TABLE customers ADD CONSTRAINT credit_again CHECK (credit >= 0);
-- reject | net effect | constraint | another one
ALTER TABLE customers ADD CONSTRAINT credit_limit CHECK (credit >= 10);
-- allow | net effect | domain | its base type
ALTER TABLE "Order Lines" ALTER sku TYPE text;

-- reject | routine | default | the new function deletes the orders of each old row
CREATE FUNCTION count_up() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1'; ALTER TABLE customers ADD COLUMN n int DEFAULT count_up();
-- reject | routine | view | whoever reads it deletes the orders
CREATE FUNCTION count_up() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; RETURN 1; END $$; CREATE VIEW counted AS SELECT count_up() AS n;
-- reject | routine | trigger | the insert deletes the orders
CREATE TABLE fresh (a int); CREATE FUNCTION wipes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; RETURN NEW; END $$; CREATE TRIGGER w AFTER INSERT ON fresh FOR EACH ROW EXECUTE FUNCTION wipes(); INSERT INTO fresh VALUES (1);
-- reject | routine | nested | a stable function calls one that deletes
CREATE FUNCTION inner_one() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1'; CREATE FUNCTION outer_one() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner_one(); END'; SELECT outer_one();
-- reject | routine | EXECUTE | the body is not readable
CREATE FUNCTION hides() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'TRUN' || 'CATE invoices'; RETURN 1; END $$; CREATE TABLE fresh (a int DEFAULT hides()); INSERT INTO fresh DEFAULT VALUES;
-- allow | routine | helper | it fills only what is missing
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET note = '' WHERE note IS NULL; END $$; SELECT fill(); DROP FUNCTION fill();
-- allow | routine | trigger | it changes only the new row
CREATE TABLE fresh (a int, b int); CREATE FUNCTION sets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := NEW.a + 1; RETURN NEW; END $$; CREATE TRIGGER s BEFORE INSERT ON fresh FOR EACH ROW EXECUTE FUNCTION sets(); INSERT INTO fresh VALUES (1);
-- reject | routine | operator | comparisons of the old release call the new function
CREATE FUNCTION never(varchar, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false'; CREATE OPERATOR = (FUNCTION = never, LEFTARG = varchar, RIGHTARG = varchar);
-- reject | routine | sequence | it is dropped with its new owner
CREATE TABLE fresh (a int); ALTER SEQUENCE invoice_numbers OWNED BY fresh.a; DROP TABLE fresh CASCADE;
-- reject | routine | domain | it refuses NULL after its use in an old table
CREATE DOMAIN code AS text; ALTER TABLE customers ADD COLUMN code code; ALTER DOMAIN code SET NOT NULL;
-- reject | routine | child | every document appears twice
CREATE TABLE copies () INHERITS (documents); INSERT INTO copies SELECT * FROM documents;

-- reject | values | generated column | the source may be NULL
ALTER TABLE orders ADD COLUMN label text NOT NULL GENERATED ALWAYS AS (upper(note)) STORED;
-- reject | values | generated column | names are longer
ALTER TABLE customers ADD COLUMN short varchar(10) GENERATED ALWAYS AS (name) STORED;
-- reject | values | generated column | a bigint does not fit
ALTER TABLE customers ADD COLUMN few int GENERATED ALWAYS AS (points) STORED;
-- reject | values | generated column | the domain refuses addresses without @
ALTER TABLE customers ADD COLUMN mail email_address GENERATED ALWAYS AS (nick) STORED;
-- allow | values | generated column | the source is never NULL
ALTER TABLE customers ADD COLUMN label text NOT NULL GENERATED ALWAYS AS (upper(email)) STORED;
-- allow | values | generated column | every number fits
ALTER TABLE customers ADD COLUMN wide int NOT NULL GENERATED ALWAYS AS (level) STORED;
-- reject | values | index predicate | some notes are no numbers
CREATE INDEX some_notes ON orders (id) WHERE note::int > 5;
-- reject | values | index predicate | a division by zero
CREATE INDEX some_qty ON orders (id) WHERE 100 / qty > 5;
-- allow | values | index predicate | no value fails
CREATE INDEX some_orders ON orders (id) WHERE qty > 5;
-- reject | values | default | its CHECK refuses it
ALTER TABLE customers ALTER credit SET DEFAULT -1;
-- reject | values | default | the second row has the same number
ALTER TABLE orders ALTER number SET DEFAULT 1;
-- reject | values | default | it is too long
ALTER TABLE customers ALTER phone SET DEFAULT 'please ask in the office';
-- allow | values | default | a value that fits
ALTER TABLE customers ALTER credit SET DEFAULT 5;

-- allow | net effect | function | only the planner sees the new options
DROP FUNCTION order_total(int); CREATE FUNCTION order_total(order_id int) RETURNS numeric STABLE PARALLEL SAFE COST 20 LANGUAGE sql AS $$ SELECT total FROM orders WHERE id = order_id $$; GRANT EXECUTE ON FUNCTION order_total(int) TO corpus_app;
-- allow | net effect | type | the new type has all values
CREATE TYPE order_status_new AS ENUM ('new', 'packed', 'paid', 'shipped'); DROP VIEW paid_orders; ALTER TABLE orders ALTER status DROP DEFAULT; ALTER TABLE orders ALTER status TYPE order_status_new USING (status::text::order_status_new); ALTER TYPE order_status RENAME TO order_status_old; ALTER TYPE order_status_new RENAME TO order_status; DROP TYPE order_status_old; ALTER TABLE orders ALTER status SET DEFAULT 'new'; CREATE VIEW paid_orders AS SELECT id, net FROM orders WHERE status = 'paid';
-- reject | net effect | type | the old release still writes shipped
CREATE TYPE order_status_new AS ENUM ('new', 'paid'); DROP VIEW paid_orders; ALTER TABLE orders ALTER status DROP DEFAULT; ALTER TABLE orders ALTER status TYPE order_status_new USING (status::text::order_status_new); ALTER TYPE order_status RENAME TO order_status_old; ALTER TYPE order_status_new RENAME TO order_status; DROP TYPE order_status_old; ALTER TABLE orders ALTER status SET DEFAULT 'new'; CREATE VIEW paid_orders AS SELECT id, net FROM orders WHERE status = 'paid';
-- reject | net effect | type | its values compare in another order
CREATE TYPE order_status_new AS ENUM ('shipped', 'paid', 'new'); DROP VIEW paid_orders; ALTER TABLE orders ALTER status DROP DEFAULT; ALTER TABLE orders ALTER status TYPE order_status_new USING (status::text::order_status_new); ALTER TYPE order_status RENAME TO order_status_old; ALTER TYPE order_status_new RENAME TO order_status; DROP TYPE order_status_old; ALTER TABLE orders ALTER status SET DEFAULT 'new'; CREATE VIEW paid_orders AS SELECT id, net FROM orders WHERE status = 'paid';
-- allow | net effect | foreign key | the same under another name, and sessions may defer it
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk; ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE DEFERRABLE;
-- reject | net effect | foreign key | orders of a deleted customer refuse the delete
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk, ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id) DEFERRABLE;
-- allow | constraint | new columns | both are NULL in old rows
ALTER TABLE customers ADD COLUMN street text, ADD COLUMN city text, ADD CHECK ((street IS NULL) = (city IS NULL));
-- reject | constraint | new columns | both are NULL in old rows
ALTER TABLE customers ADD COLUMN street text, ADD COLUMN city text, ADD CHECK (street IS NOT NULL OR city IS NOT NULL);
-- allow | constraint | new column | NULL has no length
ALTER TABLE customers ADD COLUMN digest bytea CHECK (octet_length(digest) = 32), ADD COLUMN code text CHECK (code IS NULL OR code <> '');
-- allow | constraint | new column | it references nothing yet
ALTER TABLE customers ADD COLUMN last_order int, ADD CONSTRAINT last_order_fk FOREIGN KEY (last_order) REFERENCES orders (id), ADD UNIQUE (last_order, country);
-- reject | constraint | new column | the default references no order
ALTER TABLE customers ADD COLUMN last_order int, ADD CONSTRAINT last_order_fk FOREIGN KEY (last_order) REFERENCES orders (id) NOT VALID; ALTER TABLE customers ALTER last_order SET DEFAULT 0;
-- reject | constraint | new column | old rows must have it
ALTER TABLE invoices DROP CONSTRAINT invoices_pkey; ALTER TABLE invoices ADD COLUMN code int, ADD PRIMARY KEY (code);
-- allow | absent | CASCADE | it was never there
DROP VIEW IF EXISTS never_there CASCADE;
-- allow | code | routine | it computes a new value for each row
CREATE FUNCTION new_code(prefix text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE result text; BEGIN SELECT prefix || md5(random()::text) INTO result; RETURN result; END $$; ALTER TABLE customers ADD COLUMN code text; UPDATE customers SET code = new_code('c');
-- allow | code | functions of the server | ranges only compute
INSERT INTO audit_log (what) SELECT range_merge(int4range(1, 3), int4range(2, 5))::text || lower_inf(int8multirange(int8range(1, 2)))::text;
-- reject | rows | view | the upsert overwrites an old customer
CREATE VIEW short AS SELECT id, email, name, level, nick, phone FROM customers; INSERT INTO short VALUES (1, 'a@b', 'a', 1, 'a', '1') ON CONFLICT (id) DO UPDATE SET email = excluded.email;
-- reject | routine | BEGIN ATOMIC | the body deletes
CREATE FUNCTION count_up() RETURNS int LANGUAGE sql BEGIN ATOMIC DELETE FROM orders; SELECT 1; END; CREATE TABLE fresh (a int DEFAULT count_up());
-- allow | routine | BEGIN ATOMIC | the body computes
CREATE FUNCTION count_up(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a + 1; END; CREATE TABLE fresh (a int DEFAULT count_up(1)); INSERT INTO fresh SELECT count_up(2);
-- allow | block | IF in IF | both look for what is missing
DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'customers') THEN IF NOT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'customers' AND column_name = 'fax') THEN ALTER TABLE customers ADD COLUMN fax text; END IF; END IF; UPDATE customers SET fax = phone; END $$;
-- reject | block | IF in IF | it drops the column that is there
DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'customers') THEN IF EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'customers' AND column_name = 'phone') THEN ALTER TABLE customers DROP COLUMN phone; END IF; END IF; END $$;
-- allow | rights | row security | it was never on
ALTER TABLE drafts DISABLE ROW LEVEL SECURITY;
-- reject | rights | row security | it hides the rows of others
ALTER TABLE notes DISABLE ROW LEVEL SECURITY;
-- allow | net effect | CHECK over new columns | the defaults of the columns satisfy it
ALTER TABLE orders ADD COLUMN keep_days int NOT NULL DEFAULT -1, ADD COLUMN delete_days int NOT NULL DEFAULT 0; ALTER TABLE orders ADD CHECK (delete_days >= keep_days OR delete_days = 0);
-- allow | net effect | CHECK over new columns | the level has a default, and the others are NULL
ALTER TABLE orders ADD COLUMN level int DEFAULT 1, ADD COLUMN paid_by text, ADD COLUMN paid_at date; ALTER TABLE orders ADD CHECK (level = ANY (ARRAY[1, 2])), ADD CHECK (level = 1 OR (paid_by IS NOT NULL AND paid_at IS NOT NULL));
-- reject | net effect | CHECK over new columns | the defaults of the columns violate it
ALTER TABLE orders ADD COLUMN keep_days int NOT NULL DEFAULT 3, ADD COLUMN delete_days int NOT NULL DEFAULT 1; ALTER TABLE orders ADD CHECK (delete_days >= keep_days);
-- reject | net effect | CHECK over new columns | rows with the new value refuse what the old release writes
ALTER TABLE orders ADD COLUMN level int DEFAULT 1; ALTER TABLE orders ADD CHECK (level = 1 OR note IS NOT NULL);
-- reject | net effect | NOT VALID | rows that got another value cannot be updated
ALTER TABLE orders ADD COLUMN level int DEFAULT 7; ALTER TABLE orders ADD CHECK (level < 5) NOT VALID; ALTER TABLE orders ALTER level SET DEFAULT 1;
-- allow | net effect | UNIQUE over a new column | each row gets a UUID of its own
ALTER TABLE orders ADD COLUMN public_id uuid NOT NULL DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX orders_public_id ON orders (public_id);
-- allow | net effect | UNIQUE over a new column | each row gets a number of its own
ALTER TABLE customers ADD COLUMN seat int GENERATED BY DEFAULT AS IDENTITY; ALTER TABLE customers ADD CONSTRAINT seats UNIQUE (country, seat);
-- reject | net effect | UNIQUE over a new column | two rows may get the same time
ALTER TABLE orders ADD COLUMN made timestamptz DEFAULT now(); CREATE UNIQUE INDEX orders_made ON orders (made);
-- reject | net effect | UNIQUE over a new column | the rows of the old release get the same value
ALTER TABLE orders ADD COLUMN public_id uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX orders_public_id ON orders (public_id); ALTER TABLE orders ALTER public_id SET DEFAULT '6f5902ac-237b-4a2b-a1d2-2f5f9f3b7c11';
-- allow | net effect | NULLS NOT DISTINCT | the number is unique and never NULL | from 15
CREATE UNIQUE INDEX orders_number_note ON orders (number, note) NULLS NOT DISTINCT;
-- reject | net effect | NULLS NOT DISTINCT | two rows may have NULL in both columns | from 15
CREATE UNIQUE INDEX orders_note_placed ON orders (note, placed) NULLS NOT DISTINCT;
-- allow | net effect | foreign key | the same key, in another spelling
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk; ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers ON UPDATE NO ACTION ON DELETE CASCADE;
-- reject | net effect | foreign key | the order is no longer deleted
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk; ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers ON UPDATE CASCADE;
-- reject | net effect | foreign key | it is checked at the end of the transaction
ALTER TABLE orders DROP CONSTRAINT orders_customer_fk; ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE; ALTER TABLE orders ALTER CONSTRAINT orders_customer_fk DEFERRABLE INITIALLY DEFERRED;
-- allow | net effect | foreign key | the column was added with it
ALTER TABLE invoices ADD COLUMN customer_id bigint REFERENCES customers ON DELETE CASCADE DEFERRABLE; ALTER TABLE invoices ALTER CONSTRAINT invoices_customer_id_fkey NOT DEFERRABLE;
-- reject | type | domain of a new column | the domain refuses the NULL of old rows
ALTER TABLE drafts ADD COLUMN kind text; UPDATE drafts SET kind = 'x'; ALTER TABLE drafts ALTER kind TYPE required_text;
-- reject | type | domain of a new column | its CHECK refuses the NULL of old rows
CREATE DOMAIN kind AS text CHECK (VALUE IS NOT NULL); ALTER TABLE drafts ADD COLUMN kind kind DEFAULT 'a'; ALTER TABLE drafts ALTER kind DROP DEFAULT;
-- allow | type | domain of a new column | the domain allows NULL
ALTER TABLE drafts ADD COLUMN mail text; ALTER TABLE drafts ALTER mail TYPE email_address;
-- reject | net effect | materialized view | the index, the privileges and the definition are the same, but not the one column
DROP MATERIALIZED VIEW sales; CREATE MATERIALIZED VIEW sales AS SELECT customer_id, max(net) AS amount FROM orders GROUP BY customer_id; CREATE UNIQUE INDEX sales_customer_idx ON sales (customer_id); GRANT SELECT ON sales TO corpus_reader;
-- allow | net effect | materialized view | all is there again
DROP MATERIALIZED VIEW sales; CREATE MATERIALIZED VIEW sales AS SELECT customer_id, sum(net) AS amount FROM orders GROUP BY customer_id; CREATE UNIQUE INDEX sales_customer_idx ON sales (customer_id); GRANT SELECT ON sales TO corpus_reader;
-- reject | net effect | materialized view | REFRESH CONCURRENTLY needs the index
DROP MATERIALIZED VIEW sales; CREATE MATERIALIZED VIEW sales AS SELECT customer_id, sum(net) AS amount FROM orders GROUP BY customer_id; GRANT SELECT ON sales TO corpus_reader;
-- reject | rename | renamed column | its values prevent deletes in the other table
ALTER TABLE invoices RENAME order_id TO document_id; ALTER TABLE invoices ADD FOREIGN KEY (document_id) REFERENCES documents;
-- reject | rows | trigger of a fill | it overwrites rows of another table
UPDATE parcels SET weight = 1 WHERE weight IS NULL;
-- allow | rows | trigger of a fill | it fires for another column
UPDATE parcels SET code = '' WHERE code IS NULL;
-- reject | rows | trigger of a fill | its dynamic SQL deletes rows
ALTER TABLE stickers ADD COLUMN kind int; UPDATE stickers SET kind = 1;
-- reject | rows | rule of a fill | it deletes rows
ALTER TABLE stamps ADD COLUMN kind int; UPDATE stamps SET kind = 1;
-- reject | rename | table renamed in the file | the release uses the old name
ALTER TABLE drafts RENAME TO papers; ALTER TABLE papers ADD COLUMN kind boolean; UPDATE papers SET kind = false; ALTER TABLE papers ALTER kind SET NOT NULL, ALTER kind SET DEFAULT false;
-- reject | rename | table renamed in the file | the release reads an empty table
ALTER TABLE drafts RENAME TO papers; CREATE TABLE drafts (LIKE papers INCLUDING ALL);
-- allow | rename | table renamed in the file | no release uses it
CREATE TABLE new_kinds (id int PRIMARY KEY); ALTER TABLE new_kinds RENAME TO kinds; ALTER TABLE kinds ADD COLUMN label text NOT NULL; CREATE UNIQUE INDEX kinds_label ON kinds (label); DELETE FROM kinds;
-- reject | net effect | UNIQUE over a new column | all rows have the same value
ALTER TABLE orders ADD COLUMN public_id uuid DEFAULT gen_random_uuid(); UPDATE orders SET public_id = '6f5902ac-237b-4a2b-a1d2-2f5f9f3b7c11'; CREATE UNIQUE INDEX orders_public_id ON orders (public_id);
-- reject | net effect | UNIQUE over a new column | all rows have the first default
ALTER TABLE orders ADD COLUMN public_id uuid DEFAULT '6f5902ac-237b-4a2b-a1d2-2f5f9f3b7c11'; ALTER TABLE orders ALTER public_id SET DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX orders_public_id ON orders (public_id);
-- reject | net effect | UNIQUE over a new column | the sequence will return a number that a row has
ALTER TABLE orders ADD COLUMN seat int GENERATED BY DEFAULT AS IDENTITY; UPDATE orders SET seat = id; CREATE UNIQUE INDEX orders_seat ON orders (seat);
-- allow | net effect | UNIQUE over a new column | the sequence continues after the numbers of the rows
CREATE SEQUENCE seats; ALTER TABLE orders ADD COLUMN seat bigint; UPDATE orders SET seat = id; SELECT setval('seats', (SELECT max(seat) FROM orders)); ALTER TABLE orders ALTER seat SET DEFAULT nextval('seats'); CREATE UNIQUE INDEX orders_seat ON orders (seat);
-- reject | net effect | UNIQUE over a new column | the sequence begins again
CREATE SEQUENCE seats; ALTER TABLE orders ADD COLUMN seat bigint UNIQUE DEFAULT nextval('seats'); SELECT setval('seats', 1, false);
-- reject | net effect | UNIQUE over a new column | the identity begins again
ALTER TABLE orders ADD COLUMN seat int GENERATED BY DEFAULT AS IDENTITY UNIQUE; ALTER TABLE orders ALTER seat RESTART;
-- reject | net effect | UNIQUE over a new column | the numbers repeat
ALTER TABLE orders ADD COLUMN seat int GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 3 CYCLE) UNIQUE;
-- reject | net effect | UNIQUE over a new column | the sequence was there, and its numbers repeat
CREATE SEQUENCE IF NOT EXISTS rounds; ALTER TABLE orders ADD COLUMN round bigint UNIQUE DEFAULT nextval('rounds');
-- reject | net effect | UNIQUE over a new column | the new sequence is another one
CREATE SEQUENCE archive.rounds; ALTER TABLE orders ADD COLUMN round bigint UNIQUE DEFAULT nextval('public.rounds');
-- reject | net effect | CHECK over new columns | both texts are the same date
ALTER TABLE orders ADD COLUMN due date DEFAULT '2020-01-01'; ALTER TABLE orders ADD CHECK (due <> '2020-1-1');
-- allow | net effect | CHECK over new columns | the default is not NULL
ALTER TABLE orders ADD COLUMN due date DEFAULT '2020-01-01'; ALTER TABLE orders ADD CHECK (due IS NOT NULL);
-- reject | net effect | CHECK over new columns | the type rounds the default
ALTER TABLE orders ADD COLUMN level int DEFAULT 1.5; ALTER TABLE orders ADD CHECK (level < 2);
-- reject | net effect | CHECK over new columns | a row of NULLs is NULL
ALTER TABLE orders ADD COLUMN place address DEFAULT '(,)'; ALTER TABLE orders ADD CHECK (place IS NOT NULL);
-- reject | net effect | CHECK over new columns | an array and NULL are an array
ALTER TABLE orders ADD COLUMN sizes int[]; ALTER TABLE orders ADD CHECK ((sizes || ARRAY[1]) = ARRAY[2]);
-- reject | net effect | NOT VALID | rows that the file filled cannot be updated
ALTER TABLE orders ADD COLUMN level int; UPDATE orders SET level = 9; ALTER TABLE orders ADD CHECK (level < 5) NOT VALID;
-- reject | net effect | CHECK over new columns | the child table has the column
ALTER TABLE documents ADD COLUMN recipient text CHECK (recipient <> 'x');
-- reject | net effect | CHECK over new columns | the old table becomes a part
CREATE TABLE a (id int NOT NULL, title text) PARTITION BY LIST (id); CREATE TABLE b (id int NOT NULL, title text) PARTITION BY LIST (id); ALTER TABLE a ATTACH PARTITION b DEFAULT; ALTER TABLE b ATTACH PARTITION drafts DEFAULT; ALTER TABLE a ADD CHECK (id > 1);
-- reject | partition | a table that is in use | it accepts only rows within the bounds
CREATE TABLE a (id int NOT NULL, title text) PARTITION BY LIST (id); ALTER TABLE a ATTACH PARTITION drafts FOR VALUES IN (1);
-- allow | partition | a table that is in use | the only partition is the default
CREATE TABLE a (id int NOT NULL, title text) PARTITION BY LIST (id); ALTER TABLE a ATTACH PARTITION drafts DEFAULT;
-- reject | rows | a table that is in use | the new parent has its rows
CREATE TABLE a (id int NOT NULL, title text) PARTITION BY LIST (id); CREATE TABLE b PARTITION OF a DEFAULT PARTITION BY LIST (id); ALTER TABLE b ATTACH PARTITION drafts DEFAULT; DELETE FROM a;
-- reject | net effect | foreign key | its rows have a value, which prevents deletes
ALTER TABLE invoices ADD COLUMN document_id int DEFAULT 1 REFERENCES documents; ALTER TABLE invoices ALTER document_id DROP DEFAULT;
-- reject | net effect | foreign key | the rows that the file filled prevent deletes
ALTER TABLE invoices ADD COLUMN document_id int; UPDATE invoices SET document_id = order_id; ALTER TABLE invoices ADD FOREIGN KEY (document_id) REFERENCES documents;
-- allow | net effect | foreign key | a delete sets NULL
ALTER TABLE invoices ADD COLUMN document_id int; UPDATE invoices SET document_id = order_id; ALTER TABLE invoices ADD FOREIGN KEY (document_id) REFERENCES documents ON DELETE SET NULL;
-- reject | add column | DEFAULT NULL | the server requires a value
ALTER TABLE orders ADD COLUMN level int NOT NULL DEFAULT NULL::int;
-- reject | type | domain of a new column | its CHECK refuses the NULL of old rows
CREATE DOMAIN kind AS text CHECK (coalesce(VALUE, '') <> ''); ALTER TABLE drafts ADD COLUMN kind kind DEFAULT 'a'; ALTER TABLE drafts ALTER kind DROP DEFAULT;
-- reject | type | domain of a new column | the domain below it refuses NULL
ALTER TABLE drafts ADD COLUMN kind required_name DEFAULT 'a'; ALTER TABLE drafts ALTER kind DROP DEFAULT;
-- reject | net effect | materialized view | a column has another name
DROP MATERIALIZED VIEW sales; CREATE MATERIALIZED VIEW sales AS SELECT customer_id, sum(net) AS amount FROM orders GROUP BY customer_id; CREATE UNIQUE INDEX sales_customer_idx ON sales (customer_id); GRANT SELECT ON sales TO corpus_reader; ALTER MATERIALIZED VIEW sales RENAME COLUMN amount TO total;
-- reject | net effect | materialized view | it is in another schema
DROP MATERIALIZED VIEW sales; CREATE MATERIALIZED VIEW sales AS SELECT customer_id, sum(net) AS amount FROM orders GROUP BY customer_id; CREATE UNIQUE INDEX sales_customer_idx ON sales (customer_id); GRANT SELECT ON sales TO corpus_reader; ALTER MATERIALIZED VIEW sales SET SCHEMA archive;
-- reject | net effect | materialized view | it cannot be read
DROP MATERIALIZED VIEW sales; CREATE MATERIALIZED VIEW sales AS SELECT customer_id, sum(net) AS amount FROM orders GROUP BY customer_id; CREATE UNIQUE INDEX sales_customer_idx ON sales (customer_id); GRANT SELECT ON sales TO corpus_reader; REFRESH MATERIALIZED VIEW sales WITH NO DATA;
