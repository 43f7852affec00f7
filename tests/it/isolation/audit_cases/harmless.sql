-- Objects that look like a hole between tenants and are none. The audit reports nothing about them.

-- Kind: temporary and large objects
-- Harmless: temporary objects of a session of the tenant, which stays open
SELECT 1;
-- As one: CREATE TEMP TABLE mine (id serial PRIMARY KEY, text text); CREATE TEMP VIEW seen AS SELECT * FROM mine; CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE pg_temp.t AS ENUM ('a'); GRANT SELECT ON mine TO PUBLIC
-- Undo:
SELECT 1;

-- Harmless: a large object of the tenant
SELECT lo_from_bytea(424242, 'own'); ALTER LARGE OBJECT 424242 OWNER TO {one};
-- Undo:
SELECT lo_unlink(424242);

-- Harmless: a large object of the operator
SELECT lo_from_bytea(424242, 'secret of two');
-- Undo:
SELECT lo_unlink(424242);

-- Kind: shared objects that no tenant may use
-- Harmless: a view of all tenants
CREATE VIEW datalinx_platform.everything AS SELECT * FROM org_one.notes UNION ALL SELECT * FROM org_two.notes;
-- Undo:
DROP VIEW datalinx_platform.everything;

-- Harmless: a parent of all tenants' tables
CREATE TABLE public.every (LIKE org_one.notes); ALTER TABLE org_one.notes INHERIT public.every; ALTER TABLE org_two.notes INHERIT public.every;
-- Undo:
ALTER TABLE org_one.notes NO INHERIT public.every; ALTER TABLE org_two.notes NO INHERIT public.every; DROP TABLE public.every;

-- Harmless: a table in public, with a trigger and a rule
CREATE TABLE public.inbox (text text); CREATE RULE r AS ON INSERT TO public.inbox DO ALSO DELETE FROM org_two.notes;
-- Undo:
DROP TABLE public.inbox;

-- Harmless: a table for PUBLIC in a schema that no tenant may use
CREATE SCHEMA closed; CREATE TABLE closed.t AS SELECT 'secret of two' AS text; GRANT SELECT ON closed.t TO PUBLIC;
-- Undo:
DROP SCHEMA closed CASCADE;

-- Harmless: a view of a catalog
CREATE VIEW public.passwords AS SELECT * FROM pg_catalog.pg_authid;
-- Undo:
DROP VIEW public.passwords;

-- Harmless: a foreign table, a server and a mapping of the tenant
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR {one} SERVER s; CREATE FOREIGN TABLE public.f (text text) SERVER s;
-- Undo:
DROP FOREIGN DATA WRAPPER w CASCADE;

-- Kind: views
-- Harmless: with security_invoker
-- From: 15
CREATE VIEW public.everything WITH (security_invoker = on) AS SELECT * FROM org_one.notes UNION ALL SELECT * FROM org_two.notes; GRANT SELECT ON public.everything TO PUBLIC;
-- Undo:
DROP VIEW public.everything;

-- Harmless: of a view with security_invoker
-- From: 15
CREATE VIEW public.everything WITH (security_invoker) AS SELECT * FROM org_two.notes; CREATE VIEW org_one.a AS SELECT * FROM public.everything;
-- Undo:
DROP VIEW public.everything CASCADE;

-- Harmless: of own views and tables
CREATE VIEW org_one.a AS SELECT * FROM org_one.notes; CREATE VIEW org_one.b AS SELECT * FROM org_one.a; CREATE MATERIALIZED VIEW org_one.c AS SELECT * FROM org_one.b;
-- Undo:
DROP VIEW org_one.a CASCADE;

-- Harmless: of what the template names
CREATE VIEW org_one.a AS SELECT text FROM datalinx_platform.own_notes;
-- Undo:
DROP VIEW org_one.a;

-- Harmless: current_user in a column, or as a condition of own rows
CREATE VIEW org_one.a AS SELECT current_user AS me, text FROM org_one.notes WHERE text <> current_user;
-- Undo:
DROP VIEW org_one.a;

-- Harmless: an outer view with security_barrier
CREATE VIEW org_one.a WITH (security_barrier) AS SELECT text FROM datalinx_platform.own_notes WHERE tenant = current_user;
-- Undo:
DROP VIEW org_one.a;

-- Kind: functions with the owner's rights
-- Harmless: nobody may call it
CREATE FUNCTION datalinx_platform.run(q text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE q; END'; REVOKE EXECUTE ON FUNCTION datalinx_platform.run(text) FROM PUBLIC;
-- Undo:
DROP FUNCTION datalinx_platform.run(text);

-- Harmless: in a schema that no tenant may use
CREATE SCHEMA closed; CREATE FUNCTION closed.run(q text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE q; END';
-- Undo:
DROP SCHEMA closed CASCADE;

-- Harmless: with own names and a safe search path
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS 'SELECT max(text) FROM notes';
-- Undo:
DROP FUNCTION org_one.f();

-- Harmless: constant dynamic SQL
CREATE FUNCTION org_one.f() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp AS $$ BEGIN EXECUTE 'UPDATE notes SET id = id'; END $$;
-- Undo:
DROP FUNCTION org_one.f();

-- Harmless: dynamic SQL with quoted values and own names
CREATE FUNCTION org_one.f(c text, v text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp
    AS $$ BEGIN EXECUTE format('UPDATE org_one.notes SET %I = %L WHERE id = $1', c, v) USING 1; END $$;
-- Undo:
DROP FUNCTION org_one.f(text, text);

-- Harmless: a parsed body without a search path
CREATE FUNCTION org_one.f() RETURNS bigint LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT count(*) FROM org_one.notes; END;
-- Undo:
DROP FUNCTION org_one.f();

-- Harmless: a shared one that only computes
CREATE FUNCTION datalinx_platform.f(t text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT lower(t) || ''!''';
-- Undo:
DROP FUNCTION datalinx_platform.f(text);

-- Harmless: a trigger of a table that tenants may not write
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM org_two.notes; RETURN NEW; END'; REVOKE EXECUTE ON FUNCTION public.touch() FROM PUBLIC;
CREATE TRIGGER t BEFORE INSERT ON public.secrets FOR EACH ROW EXECUTE FUNCTION public.touch();
-- Undo:
DROP FUNCTION public.touch() CASCADE;

-- Kind: functions with the caller's rights
-- Harmless: dynamic SQL
CREATE FUNCTION public.run(q text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE q; END';
-- Undo:
DROP FUNCTION public.run(text);

-- Harmless: another tenant in a comment
CREATE FUNCTION org_one.f() RETURNS int LANGUAGE sql AS 'SELECT 1 -- not org_two.notes';
-- Undo:
DROP FUNCTION org_one.f();

-- Harmless: LEAKPROOF, without EXECUTE
CREATE FUNCTION public.tell(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF AS 'BEGIN RETURN true; END'; REVOKE EXECUTE ON FUNCTION public.tell(text) FROM PUBLIC;
-- Undo:
DROP FUNCTION public.tell(text);

-- Harmless: a trigger with an own function
CREATE FUNCTION org_one.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON org_one.notes FOR EACH ROW EXECUTE FUNCTION org_one.touch('org_one.notes');
-- Undo:
DROP FUNCTION org_one.touch() CASCADE;

-- Harmless: an event trigger of the operator
CREATE FUNCTION public.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER {p}noted ON ddl_command_end EXECUTE FUNCTION public.noted();
-- Undo:
DROP EVENT TRIGGER {p}noted; DROP FUNCTION public.noted();

-- Kind: privileges without effect
-- Harmless: EXECUTE that everyone has
GRANT EXECUTE ON FUNCTION pg_catalog.now() TO {one};
-- Undo:
REVOKE EXECUTE ON FUNCTION pg_catalog.now() FROM {one};

-- Harmless: SELECT that everyone has
GRANT SELECT ON pg_catalog.pg_class, information_schema.tables TO {one}; GRANT SELECT (relname) ON pg_catalog.pg_class TO {one};
-- Undo:
REVOKE SELECT ON pg_catalog.pg_class, information_schema.tables FROM {one}; REVOKE SELECT (relname) ON pg_catalog.pg_class FROM {one};

-- Harmless: SET of a setting that everyone may set
-- From: 15
GRANT SET ON PARAMETER work_mem TO {one}; GRANT SET ON PARAMETER app.tenant TO PUBLIC;
-- Undo:
REVOKE SET ON PARAMETER work_mem FROM {one}; REVOKE SET ON PARAMETER app.tenant FROM PUBLIC;

-- Harmless: USAGE of a trusted language
GRANT USAGE ON LANGUAGE plpgsql TO {one};
-- Undo:
REVOKE USAGE ON LANGUAGE plpgsql FROM {one};

-- Harmless: CONNECT and TEMPORARY
GRANT CONNECT, TEMPORARY ON DATABASE {db} TO {one};
-- Undo:
REVOKE CONNECT, TEMPORARY ON DATABASE {db} FROM {one};

-- Harmless: a membership that gives nothing
-- From: 16
GRANT {two} TO {one} WITH INHERIT FALSE, SET FALSE;
-- Undo:
REVOKE {two} FROM {one};

-- Kind: roles of others
-- Harmless: an application's role that is a member of all tenants
CREATE ROLE {p}app; GRANT {one}, {two}, {three} TO {p}app; GRANT SELECT ON datalinx_platform.notes, public.secrets TO {p}app; GRANT pg_read_all_data TO {p}app;
-- Undo:
DROP OWNED BY {p}app; DROP ROLE {p}app;

-- Harmless: a group of operators that owns a schema
CREATE ROLE {p}operators CREATEROLE; CREATE SCHEMA ops AUTHORIZATION {p}operators; GRANT CREATE ON SCHEMA public TO {p}operators;
-- Undo:
DROP OWNED BY {p}operators; DROP ROLE {p}operators;

-- Harmless: default privileges of a role that can make nothing, and of the tenant
CREATE ROLE {p}nobody; ALTER DEFAULT PRIVILEGES FOR ROLE {p}nobody GRANT SELECT ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES FOR ROLE {one} GRANT SELECT ON TABLES TO {two};
-- Undo:
DROP OWNED BY {p}nobody; DROP ROLE {p}nobody; ALTER DEFAULT PRIVILEGES FOR ROLE {one} REVOKE SELECT ON TABLES FROM {two};

-- Harmless: a group without privileges
CREATE ROLE {p}nothing; GRANT {p}nothing TO {one}, {two};
-- Undo:
DROP ROLE {p}nothing;

-- Kind: settings
-- Harmless: of the database and of roles
ALTER DATABASE {db} SET search_path = datalinx_platform, public; ALTER ROLE {one} SET statement_timeout = '10s'; ALTER ROLE {one} SET search_path = org_one; ALTER ROLE {two} SET application_name = 'x';
-- Undo:
ALTER DATABASE {db} RESET search_path; ALTER ROLE {one} RESET ALL; ALTER ROLE {two} RESET ALL;

-- Harmless: lo_compat_privileges off
ALTER DATABASE {db} SET lo_compat_privileges = off; ALTER ROLE {one} SET lo_compat_privileges = 'no';
-- Undo:
ALTER DATABASE {db} RESET lo_compat_privileges; ALTER ROLE {one} RESET ALL;

-- Kind: own objects of a tenant
-- Harmless: partitions, rules, statistics, a foreign key and a domain
CREATE TABLE org_one.parts (id int, text text) PARTITION BY LIST (id); CREATE TABLE org_one.part PARTITION OF org_one.parts DEFAULT;
CREATE RULE r AS ON DELETE TO org_one.notes DO ALSO DELETE FROM org_one.parts; CREATE STATISTICS org_one.s ON id, text FROM org_one.notes;
CREATE TABLE org_one.refers (id int REFERENCES org_one.notes, person uuid REFERENCES datalinx_platform.users); CREATE DOMAIN org_one.d AS text CHECK (value <> 'org_two');
-- Undo:
DROP RULE r ON org_one.notes; DROP TABLE org_one.parts, org_one.refers; DROP STATISTICS org_one.s; DROP DOMAIN org_one.d;

-- Harmless: policies of own rows by a setting
ALTER TABLE org_one.notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON org_one.notes USING (text = current_setting('app.person', true));
-- Undo:
DROP POLICY p ON org_one.notes; ALTER TABLE org_one.notes DISABLE ROW LEVEL SECURITY;

-- Harmless: a word that is another tenant's schema
ALTER TABLE org_one.notes ALTER text SET DEFAULT 'org_two'; COMMENT ON TABLE org_one.notes IS 'like org_two.notes';
-- Undo:
ALTER TABLE org_one.notes ALTER text DROP DEFAULT; COMMENT ON TABLE org_one.notes IS NULL;

-- Harmless: types, operators and text search of public
CREATE TYPE public.mood AS ENUM ('ok'); ALTER TABLE org_one.notes ADD mood public.mood; CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
CREATE TEXT SEARCH CONFIGURATION public.plain (COPY = simple); CREATE COLLATION public.plain FROM "C"; CREATE CAST (public.mood AS int) WITH INOUT;
-- Undo:
ALTER TABLE org_one.notes DROP mood; DROP TYPE public.mood CASCADE; DROP OPERATOR public.=== (int, int); DROP TEXT SEARCH CONFIGURATION public.plain; DROP COLLATION public.plain;

-- Kind: extensions
-- Harmless: in public, with their functions, operators and views
CREATE EXTENSION pg_stat_statements SCHEMA public; CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION pgcrypto SCHEMA public; CREATE EXTENSION dblink SCHEMA public; CREATE EXTENSION postgres_fdw SCHEMA public;
-- Undo:
DROP EXTENSION pg_stat_statements, citext, pgcrypto, dblink, postgres_fdw;

-- Harmless: a publication of all tables
CREATE PUBLICATION {p}all FOR ALL TABLES;
-- Undo:
DROP PUBLICATION {p}all;

-- Kind: odd objects
-- Harmless: odd names, arguments and columns
CREATE FUNCTION org_one."f | ON %s''""$" (OUT a int, VARIADIC b text[]) LANGUAGE sql AS 'SELECT 1'; CREATE TABLE org_one."T | ON (x)" ("a b" int, "c""d" text DEFAULT E'\\\n{', EXCLUDE USING btree ("a b" WITH =));
ALTER TABLE org_one."T | ON (x)" DROP COLUMN "a b"; CREATE VIEW org_one."v {(" AS SELECT 1 AS "{(\)}"; CREATE FUNCTION org_one.empty() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER "t :targetList (" BEFORE INSERT ON org_one.notes FOR EACH ROW EXECUTE FUNCTION org_one.empty(E'\\ \n \t ü', '');
CREATE VIEW org_one."current user" AS SELECT current_user AS ":targetList (", text FROM datalinx_platform.own_notes;
-- Undo:
DROP FUNCTION org_one."f | ON %s''""$"; DROP TABLE org_one."T | ON (x)"; DROP VIEW org_one."v {("; DROP FUNCTION org_one.empty() CASCADE; DROP VIEW org_one."current user";

-- Harmless: a role and a schema with odd names
CREATE ROLE "{p}Odd ""| ON role"; CREATE SCHEMA "Odd ""| schema" AUTHORIZATION "{p}Odd ""| ON role"; ALTER DEFAULT PRIVILEGES FOR ROLE "{p}Odd ""| ON role" GRANT SELECT ON TABLES TO "{p}Odd ""| ON role";
-- Undo:
DROP OWNED BY "{p}Odd ""| ON role"; DROP ROLE "{p}Odd ""| ON role";
