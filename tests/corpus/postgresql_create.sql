-- PostgreSQL's manual, part VI, the CREATE commands: https://www.postgresql.org/docs/15/sql-commands.html

-- allow | new object | CREATE ACCESS METHOD | nobody uses it yet
CREATE ACCESS METHOD heap_two TYPE TABLE HANDLER heap_tableam_handler;
-- allow | new object | CREATE AGGREGATE | nobody calls it yet
CREATE AGGREGATE total_length(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
-- allow | new object | CREATE CAST | explicit only
CREATE CAST (address AS varchar) WITH FUNCTION address_text(address);
-- allow | new object | CREATE COLLATION | nobody uses it yet
CREATE COLLATION IF NOT EXISTS posix FROM "POSIX";
-- allow | new object | CREATE CONVERSION | not the default
CREATE CONVERSION my_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
-- allow | new object | CREATE DATABASE | another database
CREATE DATABASE corpus_other;
-- allow | new object | CREATE DOMAIN | nobody uses it yet
CREATE DOMAIN zip_code AS text NOT NULL CHECK (VALUE ~ '^[0-9]{5}$');
-- reject | trigger | CREATE EVENT TRIGGER | the old release's CREATE TEMP TABLE is refused
CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION refuse_ddl();
-- allow | new object | CREATE EXTENSION | it is there
CREATE EXTENSION IF NOT EXISTS plpgsql;
-- allow | new object | CREATE FOREIGN DATA WRAPPER, SERVER, FOREIGN TABLE, USER MAPPING | nobody uses them yet
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (id int NOT NULL) SERVER s; CREATE USER MAPPING FOR PUBLIC SERVER s;
-- allow | new object | CREATE FUNCTION | its body is text, and does not run
CREATE FUNCTION clear_all() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN DROP TABLE orders; DELETE FROM customers; END $body$;
-- allow | new object | CREATE FUNCTION | a body that is SQL, and does not run
CREATE FUNCTION clear_notes() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM notes; END;
-- allow | new object | CREATE OR REPLACE FUNCTION | there is none of that name yet
CREATE OR REPLACE FUNCTION net(price numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT price / 1.19 $$;
-- reject | replace | CREATE OR REPLACE FUNCTION | a trigger's function: every update vanishes
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
-- reject | replace | CREATE OR REPLACE FUNCTION | security and body
CREATE OR REPLACE FUNCTION same_address(address, address) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'gone'; END $$;
-- reject | replace | CREATE OR REPLACE PROCEDURE | the same call deletes more
CREATE OR REPLACE PROCEDURE close_month(month date) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM events; END $$;
-- reject | replace | CREATE OR REPLACE AGGREGATE | the same call adds
CREATE OR REPLACE AGGREGATE product(numeric) (SFUNC = numeric_add, STYPE = numeric);
-- allow | index | CREATE INDEX | descending, with more columns, on an expression that never fails
CREATE INDEX orders_wide_idx ON orders (placed DESC NULLS LAST, lower(note)) INCLUDE (qty);
-- reject | index | CREATE INDEX | the expression fails for a quantity of 0, and the insert with it
CREATE INDEX orders_each_idx ON orders ((price / qty));
-- reject | index | CREATE INDEX | the expression fails for a note that is no number
CREATE INDEX orders_note_number_idx ON orders ((note::int));
-- allow | index | CREATE INDEX ON ONLY | of a partitioned table
CREATE INDEX events_at_idx ON ONLY events (at); CREATE INDEX events_2024_at_idx ON events_2024 (at); ALTER INDEX events_at_idx ATTACH PARTITION events_2024_at_idx;
-- reject | index | CREATE UNIQUE INDEX | NULLS NOT DISTINCT | from 15
CREATE UNIQUE INDEX ON orders (placed) NULLS NOT DISTINCT;
-- reject | index | CREATE UNIQUE INDEX | on an expression
CREATE UNIQUE INDEX customers_email_ci ON customers (lower(email));
-- allow | new object | CREATE MATERIALIZED VIEW | nobody reads it yet
CREATE MATERIALIZED VIEW order_counts AS SELECT status, count(*) AS n FROM orders GROUP BY status WITH NO DATA;
-- reject | code | CREATE MATERIALIZED VIEW | its query calls a function that deletes
CREATE MATERIALIZED VIEW purged AS SELECT purge_orders() AS n;
-- allow | new object | CREATE OPERATOR | on a type of the same file
CREATE TYPE point_3d AS (x int, y int, z int); CREATE FUNCTION same(point_3d, point_3d) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.x = $2.x'; CREATE OPERATOR ~== (LEFTARG = point_3d, RIGHTARG = point_3d, FUNCTION = same);
-- reject | rights | CREATE POLICY | restrictive: fewer notes are seen, fewer can be written
CREATE POLICY only_new ON notes AS RESTRICTIVE USING (id > 1000);
-- allow | new object | CREATE PROCEDURE | nobody calls it yet
CREATE PROCEDURE archive_orders() LANGUAGE sql AS $$ DELETE FROM orders $$;
-- allow | replica | CREATE PUBLICATION | the table has a key
CREATE PUBLICATION invoices_only FOR TABLE invoices;
-- reject | replica | CREATE PUBLICATION | without a key, updates and deletes of the old release fail
CREATE PUBLICATION drafts_only FOR TABLE drafts;
-- reject | replica | CREATE PUBLICATION | some of all the tables have no key
CREATE PUBLICATION everything FOR ALL TABLES;
-- allow | rights | CREATE ROLE | nobody uses it yet
CREATE ROLE corpus_new LOGIN CONNECTION LIMIT 3; CREATE GROUP corpus_group; CREATE USER corpus_user IN ROLE corpus_group;
-- reject | rule | CREATE RULE | inserts of the old release do nothing
CREATE RULE no_insert AS ON INSERT TO orders DO INSTEAD NOTHING;
-- reject | rule | CREATE RULE | each delete deletes more
CREATE RULE also AS ON DELETE TO invoices DO ALSO DELETE FROM notes WHERE id = old.id;
-- reject | rule | CREATE OR REPLACE RULE | in the place of the one that kept the log
CREATE OR REPLACE RULE keep_log AS ON DELETE TO audit_log DO INSTEAD DELETE FROM notes;
-- allow | new object | CREATE SCHEMA | with what is in it
CREATE SCHEMA billing CREATE TABLE bills (id int PRIMARY KEY, amount numeric) CREATE VIEW big_bills AS SELECT * FROM bills WHERE amount > 100;
-- allow | new object | CREATE SEQUENCE | owned by an old column
CREATE SEQUENCE IF NOT EXISTS line_numbers AS bigint START WITH 100 OWNED BY "Order Lines".id;
-- allow | storage | CREATE STATISTICS | plans
CREATE STATISTICS orders_stats (dependencies, ndistinct) ON status, qty FROM orders;
-- allow | new object | CREATE TABLE | IF NOT EXISTS, and it exists: nothing happens
CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY);
-- allow | new object | CREATE TABLE | like another
CREATE TABLE orders_copy (LIKE orders INCLUDING ALL);
-- allow | new object | CREATE TABLE | inherits, and is empty
CREATE TABLE contracts (signed date) INHERITS (documents);
-- allow | partition | CREATE TABLE PARTITION OF | the default partition
CREATE TABLE events_rest PARTITION OF events DEFAULT;
-- allow | partition | CREATE TABLE PARTITION BY | a new tree
CREATE TABLE measures (at date NOT NULL, v int) PARTITION BY LIST (v); CREATE TABLE measures_1 PARTITION OF measures FOR VALUES IN (1);
-- allow | new object | CREATE TABLE AS | only reads
CREATE TABLE order_report AS SELECT status, count(*) FROM orders GROUP BY status;
-- reject | code | CREATE TABLE AS | its query calls a function that deletes
CREATE TABLE order_report AS SELECT purge_orders() AS n;
-- allow | new object | CREATE UNLOGGED TABLE | nobody uses it yet
CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value text);
-- allow | new object | CREATE TEMPORARY TABLE | of this session
CREATE TEMPORARY TABLE work (id int) ON COMMIT DROP;
-- allow | new object | CREATE TEXT SEARCH | nobody uses them yet
CREATE TEXT SEARCH CONFIGURATION more (COPY = simple); CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple); ALTER TEXT SEARCH CONFIGURATION more ALTER MAPPING FOR word WITH words;
-- reject | trigger | CREATE TRIGGER | every insert fails
CREATE TRIGGER closed BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse();
-- reject | trigger | CREATE TRIGGER | every delete is quietly dropped
CREATE TRIGGER keep BEFORE DELETE ON invoices FOR EACH ROW EXECUTE FUNCTION swallow();
-- reject | trigger | CREATE CONSTRAINT TRIGGER | every insert fails at its end
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
-- reject | trigger | CREATE OR REPLACE TRIGGER | in the place of the one that touches
CREATE OR REPLACE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION swallow();
-- reject | trigger | CREATE TRIGGER | for a statement, by the old words
CREATE TRIGGER closed BEFORE TRUNCATE OR DELETE ON drafts FOR EACH STATEMENT EXECUTE PROCEDURE refuse();
-- reject | trigger | CREATE TRIGGER | through a view
CREATE TRIGGER instead INSTEAD OF INSERT ON paid_orders FOR EACH ROW EXECUTE FUNCTION swallow();
-- allow | trigger | CREATE TRIGGER | on a table of the same file
CREATE TABLE stamped (id int PRIMARY KEY, last_seen timestamp); CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION touch();
-- allow | new object | CREATE TYPE | a range, a composite, an enum
CREATE TYPE price_range AS RANGE (subtype = numeric); CREATE TYPE pair AS (a int, b int); CREATE TYPE mood AS ENUM ();
-- allow | new object | CREATE VIEW | on old tables
CREATE VIEW big_orders WITH (security_barrier) AS SELECT * FROM orders WHERE price > 100 WITH CHECK OPTION;
-- allow | new object | CREATE VIEW | recursive
CREATE RECURSIVE VIEW numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
-- allow | replace | CREATE OR REPLACE VIEW | a column more, at the end
CREATE OR REPLACE VIEW active_customers AS SELECT id, email, country, phone FROM customers WHERE last_seen IS NOT NULL;
-- allow | replace | CREATE OR REPLACE VIEW | there is none of that name yet
CREATE OR REPLACE VIEW late_orders AS SELECT * FROM orders WHERE placed IS NULL;
-- reject | replace | CREATE OR REPLACE VIEW | the same columns, other values
CREATE OR REPLACE VIEW active_customers AS SELECT id, name::text AS email, country FROM customers WHERE last_seen IS NOT NULL;
-- reject | replace | CREATE OR REPLACE VIEW | no rows
CREATE OR REPLACE VIEW paid_orders AS SELECT id, net FROM orders WHERE false;
-- allow | new object | CREATE OPERATOR FAMILY | nobody uses it yet
CREATE OPERATOR FAMILY shop_family USING btree;
-- allow | storage | ALTER TABLESPACE | plans
ALTER TABLESPACE pg_default SET (random_page_cost = 1.1);
-- allow | new object | EXPLAIN ANALYZE CREATE TABLE AS | a new table
EXPLAIN ANALYZE CREATE TABLE order_report AS SELECT id FROM orders;
