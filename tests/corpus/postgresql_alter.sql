-- PostgreSQL's manual, part VI, the ALTER commands but ALTER TABLE: https://www.postgresql.org/docs/15/sql-commands.html

-- reject | rename | ALTER AGGREGATE | calls fail
ALTER AGGREGATE product(numeric) RENAME TO multiply;
-- reject | rename | ALTER COLLATION | COLLATE plain fails
ALTER COLLATION plain RENAME TO simple;
-- reject | constraint | ALTER DOMAIN | NULLs of the old release are refused
ALTER DOMAIN sku SET NOT NULL;
-- reject | rename | ALTER DOMAIN | casts fail
ALTER DOMAIN sku RENAME TO article;
-- reject | column | ALTER DOMAIN | inserts that leave the column out get NULL
ALTER DOMAIN sku DROP DEFAULT;
-- allow | constraint | ALTER DOMAIN | looser
ALTER DOMAIN email_address DROP CONSTRAINT has_at;
-- allow | constraint | ALTER DOMAIN | looser
ALTER DOMAIN required_text DROP NOT NULL;
-- reject | rename | ALTER EXTENSION | nobody finds its functions, or it cannot be moved
CREATE SCHEMA tools; ALTER FUNCTION touch() SET SCHEMA tools;
-- reject | column | ALTER FOREIGN TABLE | the old release names the column
ALTER FOREIGN TABLE remote_prices DROP COLUMN price;
-- reject | rename | ALTER FOREIGN TABLE | the old release names the table
ALTER FOREIGN TABLE remote_prices RENAME TO prices;
-- allow | column | ALTER FOREIGN TABLE | one more column
ALTER FOREIGN TABLE remote_prices ADD COLUMN currency text;
-- reject | session | ALTER SERVER | the same query asks another server
ALTER SERVER remote_shop OPTIONS (SET host 'b');
-- reject | session | ALTER USER MAPPING | the other server refuses the password
ALTER USER MAPPING FOR corpus_app SERVER remote_shop OPTIONS (SET password 'b');
-- reject | rename | ALTER FUNCTION | calls fail
ALTER FUNCTION order_total(int) RENAME TO total_of_order;
-- reject | rename | ALTER ROUTINE | a procedure by its other name
ALTER ROUTINE close_month(date) RENAME TO close;
-- reject | rights | ALTER FUNCTION | it runs with other rights
ALTER FUNCTION order_total(int) SECURITY DEFINER;
-- allow | plan | ALTER FUNCTION | only the plan may differ
ALTER FUNCTION order_total(int) COST 10 PARALLEL SAFE;
-- reject | rights | ALTER GROUP | the role loses what the group may
ALTER GROUP corpus_reader DROP USER corpus_app;
-- allow | rights | ALTER GROUP | more rights
ALTER GROUP corpus_reader ADD USER corpus_admin;
-- allow | rename | ALTER INDEX | no query names an index
ALTER INDEX orders_placed_idx RENAME TO orders_by_date;
-- reject | rename | ALTER INDEX | renames the constraint that ON CONFLICT ON CONSTRAINT names
ALTER INDEX customers_email_key RENAME TO customers_mail_key;
-- allow | storage | ALTER INDEX | parameters
ALTER INDEX orders_placed_idx SET (fillfactor = 70);
-- allow | storage | ALTER INDEX | statistics of an expression
CREATE INDEX orders_sum_idx ON orders ((qty * price)); ALTER INDEX orders_sum_idx ALTER COLUMN 1 SET STATISTICS 500;
-- reject | rename | ALTER MATERIALIZED VIEW | selects fail
ALTER MATERIALIZED VIEW sales RENAME TO revenue;
-- reject | rename | ALTER MATERIALIZED VIEW | a column of it
ALTER MATERIALIZED VIEW sales RENAME COLUMN amount TO revenue;
-- reject | rename | ALTER MATERIALIZED VIEW | another schema
ALTER MATERIALIZED VIEW sales SET SCHEMA archive;
-- allow | storage | ALTER MATERIALIZED VIEW | parameters
ALTER MATERIALIZED VIEW sales SET (autovacuum_enabled = false);
-- reject | rename | ALTER OPERATOR | a === b is found no more
ALTER OPERATOR === (address, address) SET SCHEMA archive;
-- allow | rename | ALTER POLICY | no query names it
ALTER POLICY own_notes ON notes RENAME TO mine;
-- reject | rename | ALTER PROCEDURE | calls fail
ALTER PROCEDURE close_month(date) SET SCHEMA archive;
-- allow | replica | ALTER PUBLICATION | one more table, and it has a key
ALTER PUBLICATION warehouse ADD TABLE invoices;
-- reject | replica | ALTER PUBLICATION | without a key, updates and deletes of the old release fail
ALTER PUBLICATION warehouse ADD TABLE audit_log;
-- reject | rename | ALTER ROLE | the application cannot log in by its name
ALTER ROLE corpus_app RENAME TO corpus_web;
-- reject | session | ALTER ROLE | bare names mean other tables in each new session
ALTER ROLE corpus_app SET search_path = archive, public;
-- reject | rights | ALTER ROLE | no further session of the application
ALTER ROLE corpus_app CONNECTION LIMIT 0;
-- reject | rights | ALTER ROLE | the password has run out
ALTER ROLE corpus_app VALID UNTIL '2020-01-01';
-- allow | rename | ALTER RULE | no query names it
ALTER RULE keep_log ON audit_log RENAME TO keep_the_log;
-- reject | sequence | ALTER SEQUENCE | numbers run backwards into those that are used
ALTER SEQUENCE invoice_numbers INCREMENT BY -1;
-- reject | sequence | ALTER SEQUENCE | it ends soon
ALTER SEQUENCE invoice_numbers MAXVALUE 1000;
-- reject | sequence | ALTER SEQUENCE | it ends sooner
ALTER SEQUENCE invoice_numbers AS smallint;
-- reject | rename | ALTER SEQUENCE | another schema
ALTER SEQUENCE invoice_numbers SET SCHEMA archive;
-- allow | sequence | ALTER SEQUENCE | only gaps are bigger
ALTER SEQUENCE invoice_numbers CACHE 20;
-- allow | sequence | ALTER SEQUENCE | it goes with the column
ALTER SEQUENCE invoice_numbers OWNED BY orders.number;
-- allow | storage | ALTER STATISTICS | plans
ALTER STATISTICS customers_stats SET STATISTICS 200;
-- allow | rename | ALTER STATISTICS | no query names them
ALTER STATISTICS customers_stats RENAME TO customers_statistics;
-- reject | session | ALTER SYSTEM | bare names mean other tables after the next reload
ALTER SYSTEM SET search_path = archive;
-- reject | session | ALTER SYSTEM | whatever was configured is gone
ALTER SYSTEM RESET ALL;
-- reject | replace | ALTER TEXT SEARCH CONFIGURATION | words are found no more
ALTER TEXT SEARCH CONFIGURATION shop_search DROP MAPPING FOR word;
-- reject | rename | ALTER TEXT SEARCH CONFIGURATION | to_tsvector('shop_search', …) fails
ALTER TEXT SEARCH CONFIGURATION shop_search RENAME TO search;
-- reject | replace | ALTER TEXT SEARCH DICTIONARY | other words are found
ALTER TEXT SEARCH DICTIONARY shop_words (Accept = false);
-- allow | rename | ALTER TRIGGER | no query names it, and it is the only one
ALTER TRIGGER customers_touch ON customers RENAME TO touch_customers;
-- reject | rename | ALTER TYPE | casts fail
ALTER TYPE order_status RENAME TO status;
-- reject | rename | ALTER TYPE | another schema
ALTER TYPE order_status SET SCHEMA archive;
-- reject | type | ALTER TYPE | (home).zip fails
ALTER TYPE address RENAME ATTRIBUTE zip TO postcode CASCADE;
-- reject | type | ALTER TYPE | (home).zip fails
DROP CAST (address AS text); ALTER TYPE address DROP ATTRIBUTE zip CASCADE;
-- allow | type | ALTER TYPE | in the middle of the old labels
ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'packed' BEFORE 'shipped';
-- reject | rename | ALTER VIEW | selects fail
ALTER VIEW IF EXISTS active_customers SET SCHEMA archive;
-- reject | rights | ALTER VIEW | the readers of the view have no right to its table | from 15
ALTER VIEW active_customers SET (security_invoker = true);
-- reject | constraint | ALTER VIEW | inserts through the view are refused
ALTER VIEW paid_orders SET (check_option = 'cascaded');
-- reject | column | ALTER VIEW | inserts through the view get nothing
ALTER VIEW active_customers ALTER COLUMN country SET DEFAULT NULL;
-- reject | rename | ALTER DATABASE | nobody can connect by its name
ALTER DATABASE template0 RENAME TO template_of_old;
-- reject | session | ALTER DATABASE | nobody can connect
ALTER DATABASE postgres CONNECTION LIMIT 0;
-- reject | session | ALTER DATABASE | bare names mean other tables in each new session
ALTER DATABASE postgres SET search_path TO archive;
-- reject | rights | ALTER TABLE … OWNER | the application loses its table
ALTER TABLE notes OWNER TO corpus_admin;
