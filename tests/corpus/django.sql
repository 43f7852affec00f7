-- django-migration-linter, django-pg-zero-downtime-migrations: https://github.com/3YOURMIND/django-migration-linter, https://github.com/tbicr/django-pg-zero-downtime-migrations

-- reject | column | NOT_NULL | a default that is dropped at once leaves old inserts without a value
ALTER TABLE "orders" ADD COLUMN "rank" integer DEFAULT 1 NOT NULL; ALTER TABLE "orders" ALTER COLUMN "rank" DROP DEFAULT;
-- reject | drop | DROP_COLUMN | as Django writes it
ALTER TABLE "orders" DROP COLUMN "note" CASCADE;
-- reject | drop | DROP_TABLE | as Django writes it
DROP TABLE "invoices" CASCADE;
-- reject | rename | RENAME_COLUMN | quoted
ALTER TABLE "Order Lines" RENAME COLUMN "Unit Price" TO "Price";
-- reject | rename | RENAME_TABLE | quoted
ALTER TABLE "Order Lines" RENAME TO order_lines;
-- reject | type | ALTER_COLUMN | shorter
ALTER TABLE "customers" ALTER COLUMN "phone" TYPE varchar(5) USING "phone"::varchar(5);
-- reject | constraint | ADD_UNIQUE | as Django writes it
ALTER TABLE "customers" ADD CONSTRAINT "customers_name_uniq" UNIQUE ("name");
-- reject | constraint | zero-downtime 10 | a primary key on a new column
ALTER TABLE audit_log ADD COLUMN id uuid PRIMARY KEY;
-- reject | constraint | zero-downtime 21 | deferrable or not
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_order_id_fk" FOREIGN KEY ("order_id") REFERENCES "orders" ("id") DEFERRABLE INITIALLY DEFERRED;
-- reject | constraint | zero-downtime 24 | ON CONFLICT (id) and references need the key
ALTER TABLE invoices DROP CONSTRAINT invoices_pkey;
-- reject | constraint | zero-downtime 23 | a key on what may be written twice
ALTER TABLE drafts ADD PRIMARY KEY (id);
-- reject | type | zero-downtime 12 | old code sends numbers, and compares them with numbers
ALTER TABLE invoices ALTER COLUMN amount TYPE varchar USING amount::varchar;
-- reject | column | zero-downtime 16 | the old release leaves the column to its default
ALTER TABLE orders ALTER COLUMN status DROP DEFAULT;

-- allow | new object | zero-downtime 1 and 3 | nobody uses them yet
CREATE SEQUENCE ticket_numbers; CREATE TABLE tickets (id int PRIMARY KEY DEFAULT nextval('ticket_numbers'), title text);
-- allow | column | zero-downtime 7 | nullable
ALTER TABLE "orders" ADD COLUMN "ip" inet NULL;
-- allow | column | zero-downtime 8 | a default of the database
ALTER TABLE "orders" ADD COLUMN "rank" integer DEFAULT 1 NOT NULL;
-- allow | constraint | zero-downtime 14 | looser
ALTER TABLE "invoices" ALTER COLUMN "order_id" DROP NOT NULL;
-- allow | column | zero-downtime 15 | inserts that failed without a value succeed
ALTER TABLE customers ALTER COLUMN level SET DEFAULT 0;
-- allow | constraint | zero-downtime 20 | looser
ALTER TABLE customers DROP CONSTRAINT customers_credit_positive;
-- allow | index | zero-downtime 29 | a lock, and an operator class
CREATE INDEX "customers_email_like" ON "customers" ("email" text_pattern_ops);
-- allow | index | zero-downtime 31 | partial
CREATE INDEX CONCURRENTLY orders_new ON orders (placed) WHERE status = 'new';
-- allow | type | zero-downtime ALTER COLUMN TYPE | longer
ALTER TABLE "customers" ALTER COLUMN "name" TYPE varchar(200) USING "name"::varchar(200);
-- allow | constraint | zero-downtime NOT NULL | the checked condition makes it cheap
ALTER TABLE "customers" ALTER COLUMN "nick" SET NOT NULL;
