-- What only looks like something else: names, quotes, comments, and what the same file made. PostgreSQL's manual, chapter 4.1: https://www.postgresql.org/docs/15/sql-syntax-lexical.html

-- allow | quoting | strings | a text is no statement
SELECT 'DROP TABLE orders; DELETE FROM customers;';
-- allow | quoting | escape strings | the quote within is escaped
INSERT INTO audit_log (what) VALUES (E'it\'s; DROP TABLE orders; --');
-- allow | quoting | doubled quotes | one string
INSERT INTO audit_log (what) VALUES ('a''; TRUNCATE orders; SELECT ''b');
-- allow | quoting | dollar quotes | one string
INSERT INTO audit_log (what) VALUES ($x$ $$ ALTER TABLE orders DROP COLUMN note; $$ $x$);
-- allow | quoting | comments | nested
/* DROP TABLE orders; /* DELETE FROM customers; */ still one */ SELECT 1;
-- allow | quoting | comments | to the end of the line
SELECT 1; -- ; DROP TABLE orders;
-- allow | quoting | identifiers | a column whose name is a statement
CREATE TABLE odd ("DROP TABLE orders" int, "delete" text, "where" text);
-- allow | quoting | strings | over two lines are one
SELECT 'DROP TABLE '
    'orders;';
-- reject | quoting | comments | the comment ends before the statement
SELECT 1; /* harmless */ DROP TABLE invoices;
-- reject | quoting | comments | the dashes are in a string
SELECT '--'; DROP TABLE invoices; SELECT '--';
-- reject | quoting | comments | between the words
ALTER/**/TABLE orders/* DROP */DROP/* nothing */note;
-- reject | quoting | dollar quotes | the string ends, the statement does not
INSERT INTO audit_log (what) SELECT $a$ $a$; TRUNCATE invoices;
-- reject | quoting | identifiers | capitals and a space
DROP TABLE "Order Lines";
-- reject | quoting | identifiers | a column with a space
ALTER TABLE "Order Lines" DROP COLUMN "Unit Price";
-- reject | quoting | identifiers | in capitals, folded
DROP TABLE INVOICES;
-- reject | quoting | identifiers | by their letters' numbers
DROP TABLE U&"\0069nvoices";
-- reject | quoting | identifiers | a letter doubled as quote
TRUNCATE "invoices";
-- reject | same file | names | the new one is quoted with a capital, the dropped one is the old
CREATE TABLE "Invoices" (id int); DROP TABLE invoices;
-- allow | same file | names | the new one
CREATE TABLE "Invoices" (id int); DROP TABLE "Invoices";
-- reject | same file | schemas | the new one is in another schema
CREATE TABLE archive.invoices (id int); DROP TABLE invoices;
-- allow | same file | schemas | the new one
CREATE TABLE archive.invoices (id int); DROP TABLE archive.invoices;
-- reject | same file | schemas | the path leads to the old one of another schema
SET LOCAL search_path = archive; DROP TABLE orders;
-- reject | same file | schemas | made on one path, dropped on another
SET LOCAL search_path = archive; CREATE TABLE invoices (id int); SET LOCAL search_path = public; DROP TABLE invoices;
-- reject | same file | IF NOT EXISTS | it existed
CREATE TABLE IF NOT EXISTS invoices (id int); DROP TABLE invoices;
-- reject | same file | OR REPLACE | it existed
CREATE OR REPLACE VIEW paid_orders AS SELECT id, net FROM orders WHERE status = 'paid'; DROP VIEW paid_orders;
-- reject | same file | temporary | the old one is qualified
CREATE TEMP TABLE invoices (id int); DROP TABLE public.invoices;
-- allow | same file | temporary | hides the old one
CREATE TEMP TABLE invoices (id int); TRUNCATE invoices; DROP TABLE invoices;
-- reject | same file | temporary | the first DROP takes the new one, the second the old
CREATE TEMP TABLE invoices (id int); DROP TABLE invoices; DROP TABLE invoices;
-- allow | same file | temporary | by its schema
CREATE TEMP TABLE work (id int); DELETE FROM pg_temp.work; UPDATE work SET id = 1;
-- allow | same file | rows | of a new table
CREATE TABLE copy AS SELECT * FROM orders; DELETE FROM copy; UPDATE copy SET note = ''; TRUNCATE copy;
-- reject | same file | rows | a new view shows old rows
CREATE VIEW copy AS SELECT * FROM orders; DELETE FROM copy;
-- allow | same file | columns | a new column may be changed, renamed and dropped
ALTER TABLE orders ADD COLUMN tmp int; ALTER TABLE orders ALTER COLUMN tmp TYPE bigint; ALTER TABLE orders RENAME COLUMN tmp TO tmp2; ALTER TABLE orders DROP COLUMN tmp2;
-- allow | same file | constraints | of a new table
CREATE TABLE fresh (id int, name text); ALTER TABLE fresh ADD PRIMARY KEY (id), ADD UNIQUE (name), ALTER COLUMN name SET NOT NULL; ALTER TABLE fresh RENAME COLUMN name TO title; ALTER TABLE fresh RENAME TO fresher; ALTER TABLE fresher DROP COLUMN title;
-- allow | same file | constraints | of a new table, to an old one
CREATE TABLE fresh (id int, order_id int); ALTER TABLE fresh ADD FOREIGN KEY (order_id) REFERENCES orders (id);
-- reject | same file | rename | after it the name is the old table's
CREATE TABLE invoices_new (id int); ALTER TABLE invoices RENAME TO invoices_old; ALTER TABLE invoices_new RENAME TO invoices;
-- reject | same file | functions | another signature is another function
CREATE FUNCTION order_total(text) RETURNS numeric LANGUAGE sql AS 'SELECT 1::numeric'; DROP FUNCTION order_total(int);
-- allow | same file | functions | the new signature
CREATE FUNCTION order_total(text) RETURNS numeric LANGUAGE sql AS 'SELECT 1::numeric'; DROP FUNCTION order_total(text);
-- reject | same file | functions | a new function that deletes is called
CREATE FUNCTION cleanup() RETURNS void LANGUAGE sql AS 'DELETE FROM invoices'; SELECT cleanup();
-- reject | same file | indexes | the new one replaces a unique one
CREATE INDEX orders_number_plain ON orders (number); DROP INDEX orders_number_idx;
-- allow | same file | indexes | a new unique index is dropped again
CREATE TABLE fresh (a int); CREATE UNIQUE INDEX fresh_a ON fresh (a); DROP INDEX fresh_a;
-- reject | IF EXISTS | tables | it exists
DROP TABLE IF EXISTS public.invoices;
-- reject | IF EXISTS | columns | it exists, and the other does not
ALTER TABLE IF EXISTS orders DROP COLUMN IF EXISTS color, DROP COLUMN IF EXISTS note;
-- reject | several | statements | the last of many
CREATE TABLE a1 (id int); CREATE INDEX ON a1 (id); COMMENT ON TABLE a1 IS 'x'; INSERT INTO a1 VALUES (1); ALTER TABLE customers DROP COLUMN settings;
-- reject | several | actions | between harmless ones
ALTER TABLE orders ADD a1 int, ALTER qty SET STATISTICS 10, ALTER note TYPE varchar(5), ADD a2 int;
-- reject | several | transaction | in the file's own transaction
BEGIN; ALTER TABLE orders DROP COLUMN note; COMMIT;
-- allow | several | statements | no semicolon at the end, and empty ones
;;CREATE TABLE a1 (id int);;
CREATE TABLE a2 (id int)
