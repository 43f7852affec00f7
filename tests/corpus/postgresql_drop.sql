-- PostgreSQL's manual, part VI, the DROP commands: https://www.postgresql.org/docs/15/sql-commands.html

-- reject | drop | DROP AGGREGATE | calls fail
DROP AGGREGATE product(numeric);
-- reject | drop | DROP CAST | casts fail
DROP CAST (address AS text);
-- reject | drop | DROP COLLATION | COLLATE plain fails
DROP COLLATION plain;
-- reject | drop | DROP DOMAIN | with the columns that have it
DROP DOMAIN sku CASCADE;
-- reject | drop | DROP FOREIGN DATA WRAPPER | with servers and tables
DROP FOREIGN DATA WRAPPER remote_wrapper CASCADE;
-- reject | drop | DROP FOREIGN TABLE | selects fail
DROP FOREIGN TABLE remote_prices;
-- reject | drop | DROP FUNCTION | without its parameters
DROP FUNCTION order_total;
-- reject | rights | DROP GROUP | the application loses what the group may
DROP OWNED BY corpus_reader; DROP GROUP corpus_reader;
-- reject | index | DROP INDEX | ON CONFLICT (note) finds no unique index
DROP INDEX IF EXISTS orders_note_idx;
-- reject | index | DROP INDEX | one plain, one unique
DROP INDEX orders_placed_idx, orders_number_idx;
-- reject | drop | DROP INDEX CASCADE | whoever depends on it goes too
DROP INDEX sales_customer_idx CASCADE;
-- reject | drop | DROP MATERIALIZED VIEW | selects fail
DROP MATERIALIZED VIEW sales;
-- reject | drop | DROP OPERATOR | a === b fails
DROP OPERATOR === (address, address);
-- reject | rights | DROP OWNED | tables of the role, and its rights
DROP OWNED BY corpus_app CASCADE;
-- reject | rights | DROP POLICY | nobody sees a note
DROP POLICY IF EXISTS own_notes ON notes;
-- reject | drop | DROP ROUTINE | calls fail
DROP ROUTINE close_month(date);
-- reject | rights | DROP ROLE | the application cannot log in
REASSIGN OWNED BY corpus_app TO corpus_admin; DROP OWNED BY corpus_app; DROP ROLE corpus_app;
-- reject | rule | DROP RULE | the log can be deleted now
DROP RULE keep_log ON audit_log;
-- reject | drop | DROP SERVER | with its tables
DROP SERVER remote_shop CASCADE;
-- allow | storage | DROP STATISTICS | plans
DROP STATISTICS customers_stats;
-- reject | drop | DROP TABLE | a parent with its children
DROP TABLE documents CASCADE;
-- reject | drop | DROP TABLE | a partitioned table
DROP TABLE events;
-- reject | drop | DROP TEXT SEARCH CONFIGURATION | to_tsvector('shop_search', …) fails
DROP TEXT SEARCH CONFIGURATION shop_search;
-- reject | drop | DROP TEXT SEARCH DICTIONARY | ts_lexize('shop_words', …) fails
DROP TEXT SEARCH DICTIONARY shop_words;
-- reject | trigger | DROP TRIGGER | IF EXISTS
DROP TRIGGER IF EXISTS customers_touch ON customers CASCADE;
-- reject | drop | DROP TYPE | with the columns that have it
DROP TYPE IF EXISTS order_status CASCADE;
-- reject | rights | DROP USER MAPPING | the other server refuses
DROP USER MAPPING FOR corpus_app SERVER remote_shop;
-- reject | drop | DROP VIEW | several
DROP VIEW active_customers, paid_orders;
-- reject | drop | DROP VIEW | made anew with fewer columns
DROP VIEW active_customers; CREATE VIEW active_customers AS SELECT id, email FROM customers;
-- allow | new object | DROP TABLE | of the same file
CREATE TABLE scratch (id int); INSERT INTO scratch SELECT id FROM orders; DROP TABLE scratch;
-- allow | new object | DROP everything | of the same file
CREATE TYPE kind AS ENUM ('a'); CREATE FUNCTION f(a kind) RETURNS kind LANGUAGE sql AS 'SELECT a'; CREATE VIEW v AS SELECT f('a'); CREATE SEQUENCE q; DROP VIEW v; DROP FUNCTION f(kind); DROP TYPE kind; DROP SEQUENCE q;
-- reject | drop | DROP FUNCTION | made anew with another signature
DROP FUNCTION IF EXISTS order_total(int); CREATE FUNCTION order_total(order_id int, net boolean) RETURNS numeric LANGUAGE sql AS 'SELECT 1::numeric';
