-- eugene, pgfence: https://kaveland.no/eugene/hints.html, https://github.com/flvmnt/pgfence

-- reject | constraint | E1 | a condition on what is written
alter table customers add constraint last_seen_not_null check (last_seen is not null);
-- reject | column | E2 | a required column
alter table orders alter column note set not null;
-- reject | column | E4 | one that inserts must give
alter table invoices add column currency text not null;
-- reject | type | E5 | fewer digits
alter table orders alter price set data type numeric(6, 2);
-- reject | constraint | E7 | no two alike
alter table invoices add constraint unique_amount unique(amount);
-- reject | constraint | E8 | no two alike
alter table invoices add constraint amount_excl exclude (amount with =);
-- reject | rows | pgfence: TRUNCATE | several tables
TRUNCATE invoices, audit_log;
-- reject | rows | pgfence: DELETE WHERE TRUE | a condition that is none
DELETE FROM invoices WHERE TRUE;
-- reject | rights | pgfence: FORCE ROW LEVEL SECURITY | the owner, as which the application runs, sees fewer rows
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
-- reject | rights | pgfence: DISABLE ROW LEVEL SECURITY | everybody sees every note
ALTER TABLE notes DISABLE ROW LEVEL SECURITY;
-- reject | drop | pgfence: DROP SCHEMA CASCADE | several schemas
DROP SCHEMA IF EXISTS archive, "Old Reports" CASCADE;
-- reject | partition | pgfence: INHERIT | every draft is a document from now on
ALTER TABLE drafts INHERIT documents;
-- reject | storage | pgfence: SET UNLOGGED | a crash empties the table, and a standby cannot read it
ALTER TABLE invoices SET UNLOGGED;
-- reject | code | pgfence: opaque DO | a loop over tables nobody named
DO $do$
DECLARE r record;
BEGIN
    FOR r IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'tmp%' LOOP
        EXECUTE format('DROP TABLE %I', r.relname);
    END LOOP;
END
$do$;

-- allow | column | E3 | style
alter table customers add column meta json;
-- allow | type | E5 | every number fits
alter table customers alter level set data type int;
-- allow | index | E6 | a lock
create index orders_total_idx on orders (total);
-- allow | column | E9 | no lock timeout
alter table customers add column fax text;
-- allow | column | E11 | a rewrite
alter table invoices add column serial_no serial;
-- allow | type | W13 | style
create type document_kind as enum ('bill', 'receipt');
-- allow | column | W12 | two statements for what one could do
alter table orders add column a int; alter table orders add column b int;
-- allow | new object | W14, E15 | a foreign key without an index, on a new table
create table returns (id bigint generated always as identity primary key, order_id int not null references orders (id));
-- allow | index | pgfence: CLUSTER | a lock
CLUSTER orders USING orders_pkey;
-- allow | index | pgfence: VACUUM FULL | a lock
VACUUM FULL orders;
-- allow | storage | pgfence: SET LOGGED | a rewrite
ALTER TABLE orders SET LOGGED;
-- allow | new object | pgfence: REFRESH MATERIALIZED VIEW | a lock
REFRESH MATERIALIZED VIEW sales;
-- allow | new object | pgfence: REFRESH MATERIALIZED VIEW CONCURRENTLY | nobody waits
REFRESH MATERIALIZED VIEW CONCURRENTLY sales;
-- allow | new object | pgfence: CREATE TYPE | nobody uses it yet
CREATE TYPE size AS ENUM ('s', 'm', 'l'); ALTER TYPE size ADD VALUE 'xl' AFTER 'l';
-- allow | session | pgfence: always do this | limits that end with the session
SET lock_timeout = '2s'; SET statement_timeout = '5min'; SET idle_in_transaction_session_timeout = '30s'; SET application_name = 'migrate:add'; ALTER TABLE orders ADD COLUMN gift boolean;
