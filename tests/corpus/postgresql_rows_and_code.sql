-- PostgreSQL's manual, part VI, what reads, writes and runs: https://www.postgresql.org/docs/15/sql-commands.html

-- allow | session | ANALYZE, CHECKPOINT, SHOW | nothing changes
ANALYZE orders; SHOW work_mem;
-- allow | session | CHECKPOINT | nothing changes
CHECKPOINT;
-- reject | code | CALL | nobody sees what it does
CALL close_month('2024-02-01');
-- allow | rows | DECLARE, FETCH, MOVE, CLOSE | only read
DECLARE c CURSOR FOR SELECT * FROM orders; FETCH 10 FROM c; MOVE NEXT IN c; CLOSE c;
-- reject | rows | DELETE WHERE CURRENT OF | a row is gone
INSERT INTO invoices VALUES (1, 1, 1); DECLARE c CURSOR FOR SELECT * FROM invoices; FETCH 1 FROM c; DELETE FROM invoices WHERE CURRENT OF c;
-- allow | index | CLUSTER | a lock
CLUSTER invoices USING invoices_pkey;
-- reject | rows | COPY | deletes, and writes down what it deleted
COPY (DELETE FROM invoices RETURNING id) TO '/dev/null';
-- reject | code | COPY | a program on the server's machine
COPY invoices FROM PROGRAM 'true';
-- reject | code | COPY | calls a function that deletes
COPY (SELECT purge_orders()) TO '/dev/null';
-- reject | code | DO | the block deletes
DO LANGUAGE plpgsql 'BEGIN DELETE FROM orders; END';
-- reject | code | DO | the block builds its text
DO $$ BEGIN EXECUTE concat('TRUN', 'CATE invoices'); END $$;
-- reject | rows | DELETE | through a view
DELETE FROM active_customers;
-- reject | rows | DELETE | by another table
DELETE FROM orders USING customers WHERE orders.customer_id = customers.id;
-- reject | rows | DELETE | ONLY
DELETE FROM ONLY documents WHERE id = id;
-- reject | rows | DELETE | in a WITH of a SELECT
WITH gone AS (DELETE FROM invoices RETURNING *) SELECT count(*) FROM gone;
-- reject | rows | DELETE | in a WITH of an INSERT: moved away from where the old release reads
WITH moved AS (DELETE FROM orders WHERE id < 100 RETURNING id, note) INSERT INTO archive.orders SELECT id, note FROM moved;
-- reject | rows | DELETE | deep in a WITH
WITH a AS (SELECT 1 AS x), b AS (WITH c AS (SELECT x FROM a) SELECT x FROM c), d AS (DELETE FROM invoices WHERE id IN (SELECT x FROM b) RETURNING id) SELECT * FROM d;
-- reject | rows | EXPLAIN ANALYZE | it is done
EXPLAIN ANALYZE DELETE FROM invoices;
-- reject | rows | EXPLAIN (ANALYZE) | it is done
EXPLAIN (COSTS off, ANALYZE on) UPDATE invoices SET amount = 0;
-- allow | rows | EXPLAIN | it is not done
EXPLAIN DELETE FROM invoices;
-- allow | rows | EXPLAIN | it is not done
EXPLAIN (ANALYZE false, VERBOSE) DELETE FROM invoices;
-- reject | code | EXPLAIN ANALYZE | calls a function that deletes
EXPLAIN ANALYZE SELECT purge_orders();
-- reject | code | EXECUTE | what was prepared is done
PREPARE p AS DELETE FROM invoices; EXECUTE p;
-- allow | rows | INSERT | nothing that is there changes
INSERT INTO customers (email, name, nick, phone, level) VALUES ('a@b', 'A', 'a', '1', 0) ON CONFLICT (email) DO NOTHING;
-- allow | rows | INSERT | with its id
INSERT INTO orders (id, customer_id, qty, price) OVERRIDING SYSTEM VALUE SELECT 1, id, 1, 1 FROM customers LIMIT 0;
-- reject | rows | INSERT ON CONFLICT | overwrites every row
INSERT INTO invoices SELECT * FROM invoices ON CONFLICT (id) DO UPDATE SET amount = 0;
-- reject | code | INSERT | calls a function that deletes
INSERT INTO audit_log (what) VALUES (purge_orders()::text);
-- allow | session | LISTEN, NOTIFY, UNLISTEN | nobody is hurt
LISTEN shop; NOTIFY shop, 'moved'; UNLISTEN *;
-- allow | session | LOCK | a lock
LOCK TABLE orders IN SHARE MODE;
-- reject | rows | MERGE | deletes | from 15
MERGE INTO invoices USING orders ON invoices.order_id = orders.id WHEN MATCHED THEN DELETE;
-- reject | rows | MERGE | overwrites | from 15
MERGE INTO invoices i USING orders o ON i.order_id = o.id WHEN MATCHED THEN UPDATE SET amount = 0 WHEN NOT MATCHED THEN DO NOTHING;
-- allow | rows | MERGE | only adds | from 15
MERGE INTO invoices i USING orders o ON i.order_id = o.id WHEN NOT MATCHED THEN INSERT VALUES (o.id, o.id, o.price);
-- allow | session | PREPARE, DEALLOCATE | nothing is done
PREPARE q (int) AS SELECT * FROM orders WHERE id = $1; DEALLOCATE q;
-- reject | rows | REFRESH MATERIALIZED VIEW | selects fail until it is filled
REFRESH MATERIALIZED VIEW sales WITH NO DATA;
-- allow | index | REINDEX | alone
REINDEX INDEX CONCURRENTLY orders_placed_idx;
-- allow | rows | SELECT | only reads
SELECT o.id, now(), coalesce(o.note, ''), (SELECT count(*) FROM invoices) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.email LIKE '%drop table%' FOR UPDATE OF o;
-- allow | new object | SELECT INTO | a new table
SELECT id, note INTO order_notes FROM orders;
-- reject | code | SELECT | calls a function that deletes
SELECT purge_orders();
-- reject | code | SELECT | as a table
SELECT * FROM purge_orders() AS n;
-- reject | code | SELECT | qualified, quoted, in a condition
SELECT 1 WHERE "public"."purge_orders" () IS NOT NULL;
-- reject | code | SELECT | written as if it were a column
SELECT o.wipe FROM orders o;
-- reject | code | VALUES | calls a function that deletes
VALUES (1), (purge_orders());
-- reject | code | SELECT | runs a text that nobody parsed
SELECT query_to_xml('SELECT purge_orders()', true, false, '');
-- reject | sequence | SELECT setval | numbers are drawn a second time
SELECT setval('invoice_numbers', 1);
-- reject | code | SELECT lo_unlink | large objects are gone
SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
-- reject | code | SELECT pg_terminate_backend | sessions of the old release end
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'corpus_app';
-- allow | session | SELECT set_config | for this transaction
SELECT set_config('lock_timeout', '1s', true);
-- allow | session | SELECT pg_advisory_xact_lock | for this transaction
SELECT pg_advisory_xact_lock(42);
-- allow | rows | TABLE, VALUES | only read
TABLE orders; VALUES (1, 'DELETE FROM orders');
-- reject | rows | TRUNCATE | one partition
TRUNCATE events_2024;
-- reject | rows | UPDATE | every row, by a condition that is none
UPDATE customers SET email = 'x' || id WHERE 1 = 1;
-- reject | rows | UPDATE | every row, by a condition that is true for each
UPDATE customers SET email = 'x' || id WHERE id IS NOT NULL;
-- reject | rows | UPDATE | what was there is overwritten
UPDATE customers SET phone = NULL WHERE phone IS NOT NULL;
-- reject | rows | UPDATE | in a WITH
WITH u AS (UPDATE invoices SET amount = 0 RETURNING id) SELECT id FROM u;
-- reject | rows | UPDATE | through a view
UPDATE active_customers SET country = '' WHERE true;
-- allow | rows | UPDATE | fills what is empty, from another table
UPDATE orders SET placed = c.joined FROM customers c WHERE c.id = orders.customer_id AND orders.placed IS NULL;
-- allow | session | VACUUM | alone
VACUUM (ANALYZE) orders;
-- reject | rights | GRANT and REVOKE | one of each
GRANT SELECT ON orders TO corpus_admin; REVOKE UPDATE ON orders FROM corpus_app;
-- reject | rights | REVOKE | of a schema
REVOKE USAGE ON SCHEMA archive FROM corpus_app;
-- reject | rights | REVOKE | from everybody
REVOKE EXECUTE ON FUNCTION order_total(int) FROM PUBLIC, corpus_app;
-- reject | rights | REVOKE | a role from a role
REVOKE corpus_reader FROM corpus_app;
-- reject | rights | REVOKE | one column
REVOKE SELECT (email), UPDATE (email) ON customers FROM corpus_app;
-- reject | rights | REASSIGN OWNED | all tables of a role are another's
REASSIGN OWNED BY corpus_app TO corpus_admin;
-- allow | rights | GRANT | on a schema, a function, a column
GRANT USAGE ON SCHEMA "Old Reports" TO corpus_app; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO corpus_admin; GRANT SELECT (id, email) ON customers TO corpus_reader;
-- allow | rights | ALTER DEFAULT PRIVILEGES | of what is made later
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO corpus_reader;
-- allow | rights | REVOKE | on a table of the same file
CREATE TABLE secrets (id int); REVOKE ALL ON secrets FROM PUBLIC; GRANT SELECT ON secrets TO corpus_app;
-- allow | rights | ALTER TABLE OWNER | a table of the same file
CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO corpus_app; ALTER TABLE owned ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON owned USING (true);
-- allow | session | SET CONSTRAINTS | of this transaction
SET CONSTRAINTS ALL DEFERRED;
-- allow | session | SET, RESET | of this session, which ends
SET work_mem = '64MB'; CREATE INDEX ON invoices (amount); RESET work_mem;
-- allow | session | DISCARD | of this session
DISCARD PLANS;
-- reject | rows | UPDATE of the catalog | a column is required now, without ALTER TABLE
UPDATE pg_catalog.pg_attribute SET attnotnull = true WHERE attname = 'note' AND attrelid = 'orders'::regclass;
-- reject | rows | DELETE of the catalog | a constraint is gone, without ALTER TABLE
DELETE FROM pg_constraint WHERE conname = 'customers_email_key';
-- reject | code | DECLARE, FETCH | the query of the cursor calls a function that deletes
DECLARE c CURSOR FOR SELECT purge_orders(); FETCH ALL FROM c;
-- reject | code | EXPLAIN ANALYZE EXECUTE | what was prepared is done
PREPARE p AS DELETE FROM invoices; EXPLAIN ANALYZE EXECUTE p;
-- reject | code | SELECT pg_cancel_backend | a query of the old release is broken off
SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'corpus_app';
-- allow | sequence | SELECT nextval | a gap
SELECT nextval('invoice_numbers');
-- allow | session | SELECT pg_notify, pg_sleep, version | nothing changes
SELECT pg_notify('a', 'b'), version(), pg_sleep(0), current_setting('work_mem'), gen_random_uuid();
-- allow | index | REINDEX SCHEMA | alone
REINDEX SCHEMA public;
-- allow | rights | GRANT DELETE, TRUNCATE | more rights
GRANT DELETE, TRUNCATE, TRIGGER ON orders TO corpus_admin;
-- allow | rows | INSERT RETURNING | what comes back is nobody's
INSERT INTO notes (id, body) SELECT 1, 'UPDATE orders SET note = NULL' WHERE NOT EXISTS (SELECT 1 FROM notes) RETURNING id;
-- allow | rows | WITH | only reads, and adds
WITH late AS (SELECT id FROM orders WHERE placed IS NULL) INSERT INTO audit_log (what) SELECT id::text FROM late;
-- allow | comment | COMMENT | on all kinds of things
COMMENT ON FUNCTION order_total(int) IS 'a'; COMMENT ON CONSTRAINT customers_pkey ON customers IS 'b'; COMMENT ON SCHEMA archive IS 'c'; COMMENT ON TYPE address IS 'd'; COMMENT ON INDEX orders_placed_idx IS 'e';
