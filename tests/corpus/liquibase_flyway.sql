-- Liquibase policy checks, Flyway code checks: https://docs.liquibase.com/secure/user-guide-5-0/policy-check-library, https://documentation.red-gate.com/flyway/flyway-concepts/code-analysis

-- reject | drop | ChangeDropColumnWarn | values are gone
ALTER TABLE invoices DROP COLUMN amount;
-- reject | drop | ChangeDropTableWarn | rows are gone
drop table invoices;
-- reject | rows | ChangeTruncateTableWarn | rows are gone
TRUNCATE TABLE invoices;
-- reject | type | ModifyDataTypeWarn | smaller
ALTER TABLE orders ALTER COLUMN qty TYPE smallint;
-- reject | rights | SqlRevoke: REVOKE | the reports of the old release are refused
REVOKE ALL PRIVILEGES ON active_customers FROM corpus_reader;
-- reject | rename | CheckChangeTypes: renameSequence | the old release draws by name
ALTER SEQUENCE invoice_numbers RENAME TO bill_numbers;
-- reject | rename | CheckChangeTypes: renameView | the old release selects by name
ALTER VIEW paid_orders RENAME TO settled_orders;
-- reject | drop | CheckChangeTypes: dropPrimaryKey | with all that refers to it
ALTER TABLE customers DROP CONSTRAINT customers_pkey CASCADE;
-- reject | drop | CheckChangeTypes: dropProcedure | the old release calls it
DROP PROCEDURE close_month(date);
-- reject | code | CheckChangeTypes: executeCommand | a program on the server's machine
COPY invoices TO PROGRAM 'true';
-- reject | rows | Flyway RG: DELETE without WHERE | every row
DELETE FROM orders;
-- reject | rows | Flyway RG: UPDATE without WHERE | every row
UPDATE orders SET note = '';
-- reject | drop | Flyway RX001: DROP TABLE | lower case, over lines, with a comment within
drop /* old */
table
    invoices -- nobody reads it
;
-- reject | rights | Flyway RG: ALTER USER | another password
ALTER USER corpus_app PASSWORD 'new';

-- allow | rights | SqlGrantWarn | more rights break nothing
GRANT SELECT ON orders TO corpus_reader;
-- allow | rights | SqlGrantOptionWarn, SqlGrantAdminWarn | more rights
GRANT SELECT ON orders TO corpus_reader WITH GRANT OPTION; GRANT corpus_reader TO corpus_admin WITH ADMIN OPTION;
-- allow | new object | TableColumnLimit, ConstraintMustExist | style
CREATE TABLE plain_table (a int, b int, c int, d int, e int);
-- allow | rows | SqlSelectStarWarn | only reads
SELECT * FROM orders;
-- allow | rows | InsertAttributesWarn | seeds
INSERT INTO invoices VALUES (1, 1, 10), (2, 1, 20);
-- allow | comment | RequireChangesetComment | nobody asks for it
COMMENT ON TABLE orders IS NULL;
-- allow | rights | Flyway RG: GRANT TO PUBLIC | more rights
GRANT SELECT ON invoices TO PUBLIC;
