-- Holes between tenants. Each has a kind, a sentence, statements of the operator, and how to undo them. An exploit is run by the role
-- of the tenant one, in one session: its result or its error contains a secret of another tenant. `Then` is a query of the operator
-- that is true after the exploit. {one}, {two} and {three} are the roles, {p} begins the names of other roles and databases.

-- Kind: privilege on another tenant's objects
-- Hole: a privilege on a table, by PUBLIC's USAGE of the schema
GRANT USAGE ON SCHEMA org_two TO PUBLIC; GRANT SELECT ON org_two.notes TO {one};
-- Exploit: SELECT text FROM org_two.notes
-- Undo:
REVOKE USAGE ON SCHEMA org_two FROM PUBLIC; REVOKE SELECT ON org_two.notes FROM {one};

-- Hole: a privilege on a column
GRANT USAGE ON SCHEMA org_two TO {one}; GRANT SELECT (text) ON org_two.notes TO {one};
-- Exploit: SELECT text FROM org_two.notes
-- Undo:
REVOKE USAGE ON SCHEMA org_two FROM {one}; REVOKE SELECT (text) ON org_two.notes FROM {one};

-- Hole: a privilege by way of two group roles
CREATE ROLE {p}inner; CREATE ROLE {p}outer; GRANT {p}inner TO {p}outer; GRANT {p}outer TO {one};
GRANT USAGE ON SCHEMA org_two TO {p}inner; GRANT SELECT, UPDATE ON org_two.notes TO {p}inner;
-- Exploit: UPDATE org_two.notes SET text = text RETURNING text
-- Undo:
DROP OWNED BY {p}inner; DROP ROLE {p}inner, {p}outer;

-- Hole: a privilege on a sequence
CREATE SEQUENCE org_two.numbers; GRANT USAGE ON SCHEMA org_two TO {one}; GRANT USAGE ON SEQUENCE org_two.numbers TO {one};
-- Exploit: SELECT 'secret ' || nextval('org_two.numbers')
-- Undo:
DROP SEQUENCE org_two.numbers; REVOKE USAGE ON SCHEMA org_two FROM {one};

-- Kind: privilege on another tenant's schema
-- Hole: CREATE
GRANT USAGE, CREATE ON SCHEMA org_two TO {one};
-- Undo:
REVOKE USAGE, CREATE ON SCHEMA org_two FROM {one};

-- Hole: USAGE, and a function that everyone may call
CREATE FUNCTION org_two.all_notes() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = org_two, pg_temp
    AS 'SELECT text FROM notes';
GRANT EXECUTE ON FUNCTION org_two.all_notes() TO PUBLIC; GRANT USAGE ON SCHEMA org_two TO {one};
-- Exploit: SELECT org_two.all_notes()
-- Undo:
DROP FUNCTION org_two.all_notes(); REVOKE USAGE ON SCHEMA org_two FROM {one};

-- Kind: membership
-- Hole: in another tenant's role
GRANT {two} TO {one};
-- Exploit: SELECT text FROM org_two.notes
-- Undo:
REVOKE {two} FROM {one};

-- Hole: in a role between
CREATE ROLE {p}between; GRANT {two} TO {p}between; GRANT {p}between TO {one};
-- Exploit: SET ROLE {two}; SELECT text FROM org_two.notes
-- Undo:
DROP ROLE {p}between;

-- Hole: without inheritance, by SET ROLE
ALTER ROLE {one} NOINHERIT; GRANT {two} TO {one};
-- Exploit: SET ROLE {two}; SELECT text FROM org_two.notes
-- Undo:
REVOKE {two} FROM {one}; ALTER ROLE {one} INHERIT;

-- Hole: of a role of another database
CREATE ROLE {p}away; COMMENT ON ROLE {p}away IS 'tenure: of database elsewhere'; GRANT {two} TO {p}away;
-- Undo:
DROP ROLE {p}away;

-- Kind: ADMIN OPTION
-- Hole: on a group role
CREATE ROLE {p}readers; GRANT {p}readers TO {one} WITH ADMIN OPTION;
-- Exploit: GRANT {p}readers TO {three}
-- Then: SELECT pg_has_role('{three}', '{p}readers', 'MEMBER')
-- Undo:
DROP ROLE {p}readers;

-- Hole: on a role by way of another
CREATE ROLE {p}readers; CREATE ROLE {p}admins; GRANT {p}readers TO {p}admins WITH ADMIN OPTION; GRANT {p}admins TO {one};
-- Undo:
DROP ROLE {p}readers; DROP ROLE {p}admins;

-- Kind: attribute of the role
-- Hole: SUPERUSER
ALTER ROLE {one} SUPERUSER;
-- Exploit: SELECT text FROM org_two.notes
-- Undo:
ALTER ROLE {one} NOSUPERUSER;

-- Hole: BYPASSRLS
ALTER ROLE {one} BYPASSRLS;
-- Exploit: SELECT text FROM datalinx_platform.shared_notes WHERE tenant <> current_user
-- Undo:
ALTER ROLE {one} NOBYPASSRLS;

-- Hole: CREATEROLE
ALTER ROLE {one} CREATEROLE;
-- Undo:
ALTER ROLE {one} NOCREATEROLE;

-- Hole: REPLICATION of a group role
CREATE ROLE {p}copying REPLICATION; GRANT {p}copying TO {one};
-- Undo:
DROP ROLE {p}copying;

-- Kind: predefined role
-- Hole: pg_read_all_data
GRANT pg_read_all_data TO {one};
-- Exploit: SELECT text FROM org_two.notes
-- Undo:
REVOKE pg_read_all_data FROM {one};

-- Hole: pg_write_all_data by way of a group
CREATE ROLE {p}writers; GRANT pg_write_all_data TO {p}writers; GRANT {p}writers TO {one};
-- Exploit: INSERT INTO org_two.notes VALUES (2, 'by one')
-- Then: SELECT EXISTS (SELECT FROM org_two.notes WHERE text = 'by one')
-- Undo:
DELETE FROM org_two.notes WHERE id = 2; DROP ROLE {p}writers;

-- Hole: pg_monitor
GRANT pg_monitor TO {one};
-- Undo:
REVOKE pg_monitor FROM {one};

-- Kind: role that owns
-- Hole: a group role owns a table of another tenant
CREATE ROLE {p}owners; GRANT {p}owners TO {one}; GRANT USAGE ON SCHEMA org_two TO {p}owners; ALTER TABLE org_two.notes OWNER TO {p}owners;
-- Exploit: SELECT text FROM org_two.notes
-- Undo:
ALTER TABLE org_two.notes OWNER TO CURRENT_USER; DROP OWNED BY {p}owners; DROP ROLE {p}owners;

-- Hole: a group role owns a table in public
CREATE ROLE {p}owners; GRANT {p}owners TO {one}; CREATE TABLE public.owned AS SELECT * FROM org_two.notes; ALTER TABLE public.owned OWNER TO {p}owners;
-- Exploit: SELECT text FROM public.owned
-- Undo:
DROP TABLE public.owned; DROP OWNED BY {p}owners; DROP ROLE {p}owners;

-- Hole: a tenant owns a function in public
CREATE FUNCTION public.helper() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION public.helper() OWNER TO {one};
-- Undo:
DROP FUNCTION public.helper();

-- Hole: a tenant owns a schema, a type and an operator
CREATE SCHEMA lair AUTHORIZATION {one}; CREATE TYPE public.mood AS ENUM ('ok'); ALTER TYPE public.mood OWNER TO {one};
CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int); ALTER OPERATOR public.=== (int, int) OWNER TO {one};
-- Undo:
DROP SCHEMA lair; DROP TYPE public.mood; DROP OPERATOR public.=== (int, int);

-- Kind: view of another tenant's table
-- Hole: a view
CREATE VIEW org_one.v AS SELECT * FROM org_two.notes;
-- Exploit: SELECT text FROM org_one.v
-- Undo:
DROP VIEW org_one.v;

-- Hole: a materialized view
CREATE MATERIALIZED VIEW org_one.m AS SELECT * FROM org_two.notes;
-- Exploit: SELECT text FROM org_one.m
-- Undo:
DROP MATERIALIZED VIEW org_one.m;

-- Kind: view on a view
-- Hole: by way of a view in public
CREATE VIEW public.middle AS SELECT * FROM org_two.notes; CREATE VIEW org_one.v AS SELECT * FROM public.middle;
-- Exploit: SELECT text FROM org_one.v
-- Undo:
DROP VIEW public.middle CASCADE;

-- Hole: by way of three views in other schemas
CREATE SCHEMA deep; CREATE VIEW deep.a AS SELECT * FROM org_two.notes; CREATE VIEW deep.b AS SELECT * FROM deep.a;
CREATE VIEW datalinx_platform.c AS SELECT * FROM deep.b; CREATE VIEW org_one.v AS SELECT text FROM datalinx_platform.c;
-- Exploit: SELECT text FROM org_one.v
-- Undo:
DROP SCHEMA deep CASCADE;

-- Hole: by way of a materialized view
CREATE MATERIALIZED VIEW public.filled AS SELECT * FROM org_two.notes; CREATE VIEW org_one.v AS SELECT * FROM public.filled;
-- Exploit: SELECT text FROM org_one.v
-- Undo:
DROP MATERIALIZED VIEW public.filled CASCADE;

-- Hole: a subquery in a view that the tenant may only update
CREATE VIEW public.middle AS SELECT * FROM org_two.notes; CREATE VIEW org_one.v AS SELECT id, (SELECT max(text) FROM public.middle) AS text FROM org_one.notes;
-- Exploit: SELECT text FROM org_one.v
-- Undo:
DROP VIEW public.middle CASCADE;

-- Kind: shared view
-- Hole: a view of all tenants in public
CREATE VIEW public.all_notes AS SELECT * FROM org_one.notes UNION ALL SELECT * FROM org_two.notes; GRANT SELECT ON public.all_notes TO {one};
-- Exploit: SELECT text FROM public.all_notes WHERE text LIKE 'secret%'
-- Undo:
DROP VIEW public.all_notes;

-- Hole: a view of the platform that the template names
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT current_user AS me, text FROM org_two.notes;
-- Exploit: SELECT text FROM datalinx_platform.whoami
-- Undo:
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT current_user AS me, 'note' AS text;

-- Hole: a column of a materialized view for PUBLIC
CREATE MATERIALIZED VIEW public.filled AS SELECT * FROM org_two.notes; GRANT SELECT (text) ON public.filled TO PUBLIC;
-- Exploit: SELECT text FROM public.filled
-- Undo:
DROP MATERIALIZED VIEW public.filled;

-- Kind: inheritance
-- Hole: a parent in public, and its privilege
CREATE TABLE public.every (LIKE org_two.notes); ALTER TABLE org_two.notes INHERIT public.every; GRANT SELECT ON public.every TO {one};
-- Exploit: SELECT text FROM public.every
-- Undo:
ALTER TABLE org_two.notes NO INHERIT public.every; DROP TABLE public.every;

-- Hole: another tenant's child
ALTER TABLE org_two.notes INHERIT org_one.notes;
-- Exploit: SELECT text FROM org_one.notes
-- Undo:
ALTER TABLE org_two.notes NO INHERIT org_one.notes;

-- Hole: a child in public
CREATE TABLE public.more (LIKE org_one.notes INCLUDING ALL); INSERT INTO public.more VALUES (9, 'secret of two'); ALTER TABLE public.more INHERIT org_one.notes;
-- Exploit: SELECT text FROM org_one.notes
-- Undo:
DROP TABLE public.more;

-- Hole: a view of a parent of another tenant's table
CREATE TABLE public.every (LIKE org_two.notes); ALTER TABLE org_two.notes INHERIT public.every; CREATE VIEW org_one.v AS SELECT * FROM public.every;
-- Exploit: SELECT text FROM org_one.v
-- Undo:
DROP VIEW org_one.v; ALTER TABLE org_two.notes NO INHERIT public.every; DROP TABLE public.every;

-- Kind: partition
-- Hole: a partitioned table outside
CREATE TABLE public.parts (id int, text text) PARTITION BY LIST (id); CREATE TABLE org_two.part PARTITION OF public.parts FOR VALUES IN (2);
INSERT INTO org_two.part VALUES (2, 'secret of two'); GRANT SELECT ON public.parts TO {one};
-- Exploit: SELECT text FROM public.parts
-- Undo:
DROP TABLE public.parts;

-- Hole: a partition of another tenant's table
CREATE TABLE org_two.parts (id int, text text) PARTITION BY LIST (id); CREATE TABLE org_one.part PARTITION OF org_two.parts DEFAULT;
-- Undo:
DROP TABLE org_two.parts;

-- Kind: rule
-- Hole: on the tenant's table
CREATE RULE r AS ON UPDATE TO org_one.notes DO ALSO UPDATE org_two.notes SET text = text || '!';
-- Exploit: UPDATE org_one.notes SET text = text
-- Then: SELECT text LIKE '%!' FROM org_two.notes
-- Undo:
DROP RULE r ON org_one.notes; UPDATE org_two.notes SET text = 'secret of two';

-- Hole: on a table in public
CREATE TABLE public.inbox (text text); GRANT INSERT ON public.inbox TO {one};
CREATE RULE r AS ON INSERT TO public.inbox DO ALSO UPDATE org_two.notes SET text = new.text;
-- Exploit: INSERT INTO public.inbox VALUES ('by one')
-- Then: SELECT text = 'by one' FROM org_two.notes
-- Undo:
DROP TABLE public.inbox; UPDATE org_two.notes SET text = 'secret of two';

-- Hole: on a table of the platform that shows the tenant's rows
CREATE RULE r AS ON DELETE TO datalinx_platform.shared_notes DO ALSO DELETE FROM org_two.notes;
-- Undo:
DROP RULE r ON datalinx_platform.shared_notes;

-- Kind: trigger
-- Hole: with another tenant's function
CREATE FUNCTION org_two.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON org_one.notes FOR EACH ROW EXECUTE FUNCTION org_two.touch();
-- Undo:
DROP FUNCTION org_two.touch() CASCADE;

-- Hole: with a function of the owner's rights in public
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'BEGIN SELECT max(text) INTO NEW.text FROM org_two.notes; RETURN NEW; END'; REVOKE EXECUTE ON FUNCTION public.touch() FROM PUBLIC;
CREATE TRIGGER t BEFORE UPDATE ON org_one.notes FOR EACH ROW EXECUTE FUNCTION public.touch();
-- Exploit: UPDATE org_one.notes SET id = id RETURNING text
-- Undo:
DROP FUNCTION public.touch() CASCADE; UPDATE org_one.notes SET text = 'note of one';

-- Hole: with an argument that names another tenant
CREATE FUNCTION org_one.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON org_one.notes FOR EACH ROW EXECUTE FUNCTION org_one.touch('org_two.notes');
-- Undo:
DROP FUNCTION org_one.touch() CASCADE;

-- Hole: of a table in public with a tenant's function
CREATE TABLE public.inbox (text text); GRANT INSERT ON public.inbox TO {one};
CREATE FUNCTION org_two.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON public.inbox FOR EACH ROW EXECUTE FUNCTION org_two.touch();
-- Undo:
DROP TABLE public.inbox; DROP FUNCTION org_two.touch();

-- Kind: foreign key
-- Hole: to another tenant's table
ALTER TABLE org_one.notes ADD CONSTRAINT out FOREIGN KEY (id) REFERENCES org_two.notes;
-- Exploit: INSERT INTO org_one.notes VALUES (7, 'secret: no id 7 there')
-- Then: SELECT NOT EXISTS (SELECT FROM org_one.notes WHERE id = 7)
-- Undo:
ALTER TABLE org_one.notes DROP CONSTRAINT out;

-- Hole: of a shared table to a tenant's, with a privilege
CREATE TABLE public.inbox (id int REFERENCES org_two.notes); GRANT INSERT ON public.inbox TO {one};
-- Undo:
DROP TABLE public.inbox;

-- Kind: default
-- Hole: another tenant's sequence
CREATE SEQUENCE org_two.numbers; ALTER TABLE org_one.notes ALTER id SET DEFAULT nextval('org_two.numbers');
-- Undo:
ALTER TABLE org_one.notes ALTER id DROP DEFAULT; DROP SEQUENCE org_two.numbers;

-- Hole: a text with another tenant's table
ALTER TABLE org_one.notes ALTER text SET DEFAULT 'org_two.notes';
-- Undo:
ALTER TABLE org_one.notes ALTER text DROP DEFAULT;

-- Kind: policy
-- Hole: that reads another tenant's table
CREATE POLICY p ON org_one.notes USING (EXISTS (SELECT FROM org_two.notes));
-- Undo:
DROP POLICY p ON org_one.notes;

-- Hole: for a tenant that names another
CREATE POLICY other ON datalinx_platform.shared_notes TO {one} USING (tenant = '{two}' OR text = 'org_two');
-- Exploit: SELECT text FROM datalinx_platform.shared_notes WHERE tenant <> current_user
-- Undo:
DROP POLICY other ON datalinx_platform.shared_notes;

-- Kind: constraint, index or statistics
-- Hole: a check with another tenant's function
CREATE FUNCTION org_two.is_ok(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'; ALTER TABLE org_one.notes ADD CONSTRAINT c CHECK (org_two.is_ok(text));
-- Undo:
ALTER TABLE org_one.notes DROP CONSTRAINT c; DROP FUNCTION org_two.is_ok(text);

-- Hole: an index with another tenant's function
CREATE FUNCTION org_two.key(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE INDEX i ON org_one.notes (org_two.key(text));
-- Undo:
DROP INDEX org_one.i; DROP FUNCTION org_two.key(text);

-- Hole: statistics of another tenant's table
CREATE STATISTICS org_one.s ON id, text FROM org_two.notes;
-- Undo:
DROP STATISTICS org_one.s;

-- Kind: type
-- Hole: a column of another tenant's type
CREATE TYPE org_two.mood AS ENUM ('ok'); ALTER TABLE org_one.notes ADD mood org_two.mood;
-- Undo:
ALTER TABLE org_one.notes DROP mood; DROP TYPE org_two.mood;

-- Hole: a domain that names another tenant
CREATE DOMAIN org_one.d AS text CHECK (value <> 'org_two.notes');
-- Undo:
DROP DOMAIN org_one.d;

-- Kind: operator, aggregate or text search
-- Hole: an operator of another tenant's function
CREATE FUNCTION org_two.same(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR org_one.=== (FUNCTION = org_two.same, LEFTARG = int, RIGHTARG = int);
-- Undo:
DROP OPERATOR org_one.=== (int, int); DROP FUNCTION org_two.same(int, int);

-- Hole: an aggregate of another tenant's function
CREATE FUNCTION org_two.more(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE org_one.total(int) (SFUNC = org_two.more, STYPE = int);
-- Undo:
DROP AGGREGATE org_one.total(int); DROP FUNCTION org_two.more(int, int);

-- Hole: a configuration with another tenant's dictionary
CREATE TEXT SEARCH DICTIONARY org_two.plain (TEMPLATE = simple); CREATE TEXT SEARCH CONFIGURATION org_one.plain (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION org_one.plain ALTER MAPPING FOR word WITH org_two.plain;
-- Undo:
DROP TEXT SEARCH CONFIGURATION org_one.plain; DROP TEXT SEARCH DICTIONARY org_two.plain;

-- Kind: text of a function
-- Hole: a query of another tenant's table with the owner's rights
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp AS 'BEGIN RETURN (SELECT text FROM org_two.notes); END';
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: a parsed body
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp BEGIN ATOMIC SELECT text FROM org_two.notes; END;
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: a search path of another tenant
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_two, pg_temp AS 'SELECT text FROM notes';
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: a constant of EXECUTE
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp
    AS $$ DECLARE t text; BEGIN EXECUTE 'SELECT text FROM org_two.notes' INTO t; RETURN t; END $$;
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Kind: dynamic SQL with the owner's rights
-- Hole: in public
CREATE FUNCTION public.run(q text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'DECLARE t text; BEGIN EXECUTE q INTO t; RETURN t; END';
-- Exploit: SELECT public.run('SELECT text FROM org_two.notes')
-- Undo:
DROP FUNCTION public.run(text);

-- Hole: in the tenant's schema
CREATE FUNCTION org_one.count_of(s text, t text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp
    AS $$ DECLARE n text; BEGIN EXECUTE format('SELECT max(text) FROM %I.%I', s, t) INTO n; RETURN n; END $$;
-- Exploit: SELECT org_one.count_of('org_two', 'notes')
-- Undo:
DROP FUNCTION org_one.count_of(text, text);

-- Hole: query_to_xml
CREATE FUNCTION org_one.q(q text) RETURNS xml LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS $$ SELECT query_to_xml(q, true, true, '') $$;
-- Exploit: SELECT org_one.q('SELECT text FROM org_two.notes')::text
-- Undo:
DROP FUNCTION org_one.q(text);

-- Hole: a procedure in the platform
CREATE PROCEDURE datalinx_platform.run(q text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN EXECUTE q; END';
-- Exploit: CALL datalinx_platform.run('UPDATE org_two.notes SET text = ''by one''')
-- Then: SELECT text = 'by one' FROM org_two.notes
-- Undo:
DROP PROCEDURE datalinx_platform.run(text); UPDATE org_two.notes SET text = 'secret of two';

-- Kind: dynamic SQL in parts
-- Hole: a name in two parts
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp
    AS $$ DECLARE t text; BEGIN EXECUTE 'SELECT text FROM org_' || 'two.notes' INTO t; RETURN t; END $$;
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: a search path of the caller's choice
CREATE FUNCTION org_one.f(p text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = org_one, pg_temp
    AS $$ BEGIN PERFORM set_config('search_path', p, true); RETURN (SELECT max(text) FROM notes); END $$;
-- Exploit: SELECT org_one.f('org_two')
-- Undo:
DROP FUNCTION org_one.f(text);

-- Kind: search path of a function with the owner's rights
-- Hole: none
CREATE TABLE public.config (value text); CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    AS 'BEGIN RETURN (SELECT value FROM config LIMIT 1); END';
-- Exploit: CREATE FUNCTION pg_temp.evil() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT text FROM org_two.notes); END $$; CREATE TEMP VIEW config AS SELECT pg_temp.evil() AS value; SELECT public.f()
-- Undo:
DROP FUNCTION public.f(); DROP TABLE public.config;

-- Hole: pg_temp is not last
CREATE TABLE public.config (value text); CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public
    AS 'BEGIN RETURN (SELECT value FROM config LIMIT 1); END';
-- Exploit: CREATE FUNCTION pg_temp.evil() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT text FROM org_two.notes); END $$; CREATE TEMP VIEW config AS SELECT pg_temp.evil() AS value; SELECT public.f()
-- Undo:
DROP FUNCTION public.f(); DROP TABLE public.config;

-- Hole: pg_temp is first, in the tenant's schema
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_temp, org_one AS 'BEGIN RETURN (SELECT max(text) FROM notes); END';
-- Exploit: CREATE FUNCTION pg_temp.evil() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT text FROM org_two.notes); END $$; CREATE TEMP VIEW notes AS SELECT pg_temp.evil() AS text; SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: the caller's schema
CREATE FUNCTION datalinx_platform.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "$user", pg_temp AS 'SELECT 1';
-- Undo:
DROP FUNCTION datalinx_platform.f();

-- Kind: function with the owner's rights
-- Hole: in the platform, of another tenant's rows
CREATE FUNCTION datalinx_platform.notes_of(t name) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = datalinx_platform, pg_temp
    AS 'SELECT text FROM notes WHERE tenant = t';
-- Exploit: SELECT datalinx_platform.notes_of('{two}')
-- Undo:
DROP FUNCTION datalinx_platform.notes_of(name);

-- Hole: in a schema that tenants may not use, by way of an operator
CREATE SCHEMA hidden; CREATE FUNCTION hidden.f(int, int) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = hidden, pg_temp AS 'SELECT text FROM org_two.notes';
CREATE OPERATOR public.### (FUNCTION = hidden.f, LEFTARG = int, RIGHTARG = int);
-- Exploit: SELECT 1 OPERATOR(public.###) 1
-- Undo:
DROP SCHEMA hidden CASCADE;

-- Hole: by way of an aggregate, without a privilege on it
CREATE SCHEMA hidden; CREATE FUNCTION hidden.f(text, int) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = hidden, pg_temp AS 'SELECT text FROM org_two.notes';
REVOKE EXECUTE ON FUNCTION hidden.f(text, int) FROM PUBLIC; CREATE AGGREGATE public.agg(int) (SFUNC = hidden.f, STYPE = text);
-- Exploit: SELECT public.agg(1)
-- Undo:
DROP SCHEMA hidden CASCADE;

-- Hole: by way of a cast
CREATE SCHEMA hidden; CREATE TYPE public.key AS (id int); CREATE FUNCTION hidden.f(public.key) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = hidden, pg_temp AS 'SELECT text FROM org_two.notes';
CREATE CAST (public.key AS text) WITH FUNCTION hidden.f(public.key);
-- Exploit: SELECT CAST(ROW(1)::public.key AS text)
-- Undo:
DROP SCHEMA hidden CASCADE; DROP TYPE public.key;

-- Kind: function of a tenant with the owner's rights
-- Hole: reads a table of the platform
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS $$ SELECT text FROM datalinx_platform.notes WHERE text LIKE 'secret%' $$;
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: reads a table that its search path finds
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_one, public, pg_temp AS 'SELECT text FROM secrets';
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Hole: calls a function of the platform
CREATE FUNCTION datalinx_platform.g() RETURNS text LANGUAGE sql AS $$ SELECT text FROM datalinx_platform.notes WHERE text LIKE 'secret%' $$;
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS 'SELECT datalinx_platform.g()';
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f(); DROP FUNCTION datalinx_platform.g();

-- Hole: reads a system catalog
CREATE FUNCTION org_one.f() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = org_one, pg_temp AS $$ SELECT 'secret ' || rolname FROM pg_catalog.pg_authid LIMIT 1 $$;
-- Exploit: SELECT org_one.f()
-- Undo:
DROP FUNCTION org_one.f();

-- Kind: CREATE on a schema
-- Hole: public, for a tenant
GRANT CREATE ON SCHEMA public TO {one};
-- Exploit: CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN DELETE FROM org_two.notes; RETURN $1; END $$
-- Then: SELECT public.upper('x'::varchar) IS NOT NULL AND NOT EXISTS (SELECT FROM org_two.notes WHERE text = pg_catalog.upper('x'))
-- Undo:
DROP FUNCTION public.upper(varchar); REVOKE CREATE ON SCHEMA public FROM {one}; INSERT INTO org_two.notes VALUES (1, 'secret of two') ON CONFLICT DO NOTHING;

-- Hole: public, for PUBLIC
GRANT CREATE ON SCHEMA public TO PUBLIC;
-- Exploit: CREATE FUNCTION public.trap() RETURNS int LANGUAGE sql AS 'SELECT 1'
-- Then: SELECT to_regprocedure('public.trap()') IS NOT NULL
-- Undo:
DROP FUNCTION public.trap(); REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Hole: the platform, by way of a group
CREATE ROLE {p}makers; GRANT CREATE ON SCHEMA datalinx_platform TO {p}makers; GRANT {p}makers TO {one};
-- Undo:
DROP OWNED BY {p}makers; DROP ROLE {p}makers;

-- Hole: another schema, by way of two groups
CREATE SCHEMA extras; CREATE ROLE {p}makers; CREATE ROLE {p}staff; GRANT CREATE ON SCHEMA extras TO {p}makers; GRANT {p}makers TO {p}staff; GRANT {p}staff TO {one};
-- Undo:
DROP SCHEMA extras; DROP ROLE {p}makers, {p}staff;

-- Kind: privilege on the own schema
-- Hole: CREATE
GRANT CREATE ON SCHEMA org_one TO {one};
-- Undo:
REVOKE CREATE ON SCHEMA org_one FROM {one};

-- Hole: TRIGGER, whose function runs for the operator
GRANT TRIGGER ON org_one.notes TO {one};
-- Undo:
REVOKE TRIGGER ON org_one.notes FROM {one};

-- Hole: a grant option
GRANT SELECT ON org_one.notes TO {one} WITH GRANT OPTION;
-- Undo:
REVOKE GRANT OPTION FOR SELECT ON org_one.notes FROM {one};

-- Kind: privilege on the platform
-- Hole: a table
GRANT SELECT ON datalinx_platform.notes TO {one};
-- Exploit: SELECT text FROM datalinx_platform.notes WHERE text LIKE 'secret%'
-- Undo:
REVOKE SELECT ON datalinx_platform.notes FROM {one};

-- Hole: a column for PUBLIC
GRANT SELECT (text) ON datalinx_platform.notes TO PUBLIC;
-- Exploit: SELECT text FROM datalinx_platform.notes WHERE text LIKE 'secret%'
-- Undo:
REVOKE SELECT (text) ON datalinx_platform.notes FROM PUBLIC;

-- Hole: the version rows
GRANT UPDATE ON datalinx_platform.tenant_version TO {one};
-- Undo:
REVOKE UPDATE ON datalinx_platform.tenant_version FROM {one};

-- Hole: a grant option on a table that the template names
GRANT SELECT ON datalinx_platform.shared_notes TO {one} WITH GRANT OPTION;
-- Undo:
REVOKE SELECT ON datalinx_platform.shared_notes FROM {one};

-- Kind: privilege in another schema
-- Hole: a table in public
GRANT SELECT ON public.secrets TO {one};
-- Exploit: SELECT text FROM public.secrets
-- Undo:
REVOKE SELECT ON public.secrets FROM {one};

-- Hole: a table for PUBLIC in a schema for one tenant
CREATE SCHEMA extras; GRANT USAGE ON SCHEMA extras TO {one}; CREATE TABLE extras.t AS SELECT 'secret of two' AS text; GRANT SELECT ON extras.t TO PUBLIC;
-- Exploit: SELECT text FROM extras.t
-- Undo:
DROP SCHEMA extras CASCADE;

-- Hole: a column, by way of a group
CREATE ROLE {p}readers; GRANT {p}readers TO {one}; GRANT SELECT (text) ON public.secrets TO {p}readers;
-- Exploit: SELECT text FROM public.secrets
-- Undo:
DROP OWNED BY {p}readers; DROP ROLE {p}readers;

-- Hole: a sequence
CREATE SEQUENCE public.numbers; GRANT UPDATE ON SEQUENCE public.numbers TO {one};
-- Undo:
DROP SEQUENCE public.numbers;

-- Kind: system catalog
-- Hole: pg_authid
GRANT SELECT ON pg_catalog.pg_authid TO {one};
-- Exploit: SELECT 'secret ' || coalesce(rolpassword, rolname) FROM pg_catalog.pg_authid WHERE rolname = '{two}'
-- Undo:
REVOKE SELECT ON pg_catalog.pg_authid FROM {one};

-- Hole: pg_statistic, for PUBLIC
GRANT SELECT ON pg_catalog.pg_statistic TO PUBLIC; INSERT INTO org_two.notes SELECT n, 'secret ' || n % 3 FROM generate_series(10, 99) n; ANALYZE org_two.notes;
-- Exploit: SELECT stavalues1::text FROM pg_catalog.pg_statistic WHERE starelid::regclass::text = 'org_two.notes' AND stavalues1::text LIKE '%secret%'
-- Undo:
REVOKE SELECT ON pg_catalog.pg_statistic FROM PUBLIC; DELETE FROM org_two.notes WHERE id >= 10; ANALYZE org_two.notes;

-- Hole: a column
GRANT SELECT (rolname, rolpassword) ON pg_catalog.pg_authid TO {one};
-- Exploit: SELECT 'secret ' || coalesce(rolpassword, rolname) FROM pg_catalog.pg_authid WHERE rolname = '{two}'
-- Undo:
REVOKE SELECT (rolname, rolpassword) ON pg_catalog.pg_authid FROM {one};

-- Hole: user mappings, with passwords
GRANT SELECT ON pg_catalog.pg_user_mapping TO {one};
-- Undo:
REVOKE SELECT ON pg_catalog.pg_user_mapping FROM {one};

-- Kind: function of the server
-- Hole: pg_read_file
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO {one};
-- Exploit: SELECT 'secret ' || pg_read_file('PG_VERSION')
-- Undo:
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) FROM {one};

-- Hole: pg_ls_dir, for PUBLIC
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO PUBLIC;
-- Exploit: SELECT 'secret ' || pg_ls_dir('.') LIMIT 1
-- Undo:
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) FROM PUBLIC;

-- Hole: lo_export, by way of a group
CREATE ROLE {p}files; GRANT {p}files TO {one}; GRANT EXECUTE ON FUNCTION pg_catalog.lo_export(oid, text) TO {p}files;
-- Undo:
DROP OWNED BY {p}files; DROP ROLE {p}files;

-- Kind: large object
-- Hole: for a tenant
SELECT lo_from_bytea(424242, 'secret of two'); GRANT SELECT ON LARGE OBJECT 424242 TO {one};
-- Exploit: SELECT convert_from(lo_get(424242), 'UTF8')
-- Undo:
SELECT lo_unlink(424242);

-- Hole: for PUBLIC
SELECT lo_from_bytea(424242, 'secret of two'); GRANT SELECT, UPDATE ON LARGE OBJECT 424242 TO PUBLIC;
-- Exploit: SELECT convert_from(lo_get(424242), 'UTF8')
-- Undo:
SELECT lo_unlink(424242);

-- Hole: of another tenant, shared by it
SELECT lo_from_bytea(424242, 'secret of two'); ALTER LARGE OBJECT 424242 OWNER TO {two}; GRANT SELECT ON LARGE OBJECT 424242 TO {one};
-- Exploit: SELECT convert_from(lo_get(424242), 'UTF8')
-- Undo:
SELECT lo_unlink(424242);

-- Hole: of a group role
CREATE ROLE {p}files; GRANT {p}files TO {one}, {two}; SELECT lo_from_bytea(424242, 'secret of two'); ALTER LARGE OBJECT 424242 OWNER TO {p}files;
-- Exploit: SELECT convert_from(lo_get(424242), 'UTF8')
-- Undo:
SELECT lo_unlink(424242); DROP ROLE {p}files;

-- Kind: foreign server or wrapper
-- Hole: USAGE of a wrapper
CREATE FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN DATA WRAPPER w TO {one};
-- Exploit: CREATE SERVER evil FOREIGN DATA WRAPPER w
-- Then: SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = 'evil')
-- Undo:
DROP FOREIGN DATA WRAPPER w CASCADE;

-- Hole: USAGE of a server, for PUBLIC
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN SERVER s TO PUBLIC;
-- Undo:
DROP FOREIGN DATA WRAPPER w CASCADE;

-- Kind: foreign table
-- Hole: in the tenant's schema
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE org_one.f (text text) SERVER s OPTIONS (schema_name 'org_two', table_name 'notes');
-- Undo:
DROP FOREIGN DATA WRAPPER w CASCADE;

-- Hole: in public, with a privilege
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE public.f (text text) SERVER s; GRANT SELECT ON public.f TO {one};
-- Undo:
DROP FOREIGN DATA WRAPPER w CASCADE;

-- Hole: a view of one
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE public.f (text text) SERVER s; CREATE VIEW org_one.v AS SELECT * FROM public.f;
-- Undo:
DROP FOREIGN DATA WRAPPER w CASCADE;

-- Kind: database or tablespace
-- Hole: CREATE on the database
GRANT CREATE ON DATABASE {db} TO {one};
-- Exploit: CREATE SCHEMA mine
-- Then: SELECT to_regnamespace('mine') IS NOT NULL
-- Undo:
DROP SCHEMA mine; REVOKE CREATE ON DATABASE {db} FROM {one};

-- Hole: CREATE on another database
GRANT CREATE ON DATABASE postgres TO {one};
-- Undo:
REVOKE CREATE ON DATABASE postgres FROM {one};

-- Hole: CREATE on a tablespace
GRANT CREATE ON TABLESPACE pg_default TO {one};
-- Undo:
REVOKE CREATE ON TABLESPACE pg_default FROM {one};

-- Kind: privilege on a setting
-- Hole: SET lo_compat_privileges
-- From: 15
GRANT SET ON PARAMETER lo_compat_privileges TO {one}; SELECT lo_from_bytea(424242, 'secret of two');
-- Exploit: SET lo_compat_privileges = on; SELECT convert_from(lo_get(424242), 'UTF8')
-- Undo:
REVOKE SET ON PARAMETER lo_compat_privileges FROM {one}; SELECT lo_unlink(424242);

-- Hole: ALTER SYSTEM, for a group
-- From: 15
CREATE ROLE {p}tuning; GRANT {p}tuning TO {one}; GRANT ALTER SYSTEM ON PARAMETER work_mem TO {p}tuning;
-- Undo:
REVOKE ALTER SYSTEM ON PARAMETER work_mem FROM {p}tuning; DROP ROLE {p}tuning;

-- Kind: language
-- Hole: an internal language that counts as trusted
UPDATE pg_catalog.pg_language SET lanpltrusted = true WHERE lanname = 'internal'; GRANT USAGE ON LANGUAGE internal TO PUBLIC;
-- Exploit: CREATE FUNCTION pg_temp.r(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'; SELECT 'secret ' || pg_temp.r('PG_VERSION')
-- Undo:
REVOKE USAGE ON LANGUAGE internal FROM PUBLIC; UPDATE pg_catalog.pg_language SET lanpltrusted = false WHERE lanname = 'internal';

-- Kind: code of the server
-- Hole: an internal function in public
CREATE FUNCTION public.read(text) RETURNS text LANGUAGE internal STRICT AS 'pg_read_file_all';
-- Exploit: SELECT 'secret ' || public.read('PG_VERSION')
-- Undo:
DROP FUNCTION public.read(text);

-- Hole: a LEAKPROOF function
CREATE FUNCTION public.tell(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF COST 0.0001 AS 'BEGIN IF $1 LIKE ''secret%'' THEN RAISE ''%'', $1; END IF; RETURN true; END';
-- Exploit: SELECT * FROM datalinx_platform.own_notes WHERE public.tell(text)
-- Undo:
DROP FUNCTION public.tell(text);

-- Kind: default privileges
-- Hole: in the platform
ALTER DEFAULT PRIVILEGES IN SCHEMA datalinx_platform GRANT SELECT ON TABLES TO {one};
CREATE TABLE datalinx_platform.next AS SELECT 'secret of two' AS text;
-- Exploit: SELECT text FROM datalinx_platform.next
-- Undo:
DROP TABLE datalinx_platform.next; ALTER DEFAULT PRIVILEGES IN SCHEMA datalinx_platform REVOKE SELECT ON TABLES FROM {one};

-- Hole: everywhere, for PUBLIC
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
-- Undo:
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;

-- Hole: in public, by way of a group
CREATE ROLE {p}readers; GRANT {p}readers TO {one}; ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {p}readers;
-- Undo:
DROP OWNED BY {p}readers; DROP ROLE {p}readers;

-- Hole: in another tenant's schema
ALTER DEFAULT PRIVILEGES IN SCHEMA org_two GRANT SELECT ON TABLES TO {one};
-- Undo:
ALTER DEFAULT PRIVILEGES IN SCHEMA org_two REVOKE SELECT ON TABLES FROM {one};

-- Kind: setting
-- Hole: the search path of the role
ALTER ROLE {one} SET search_path = org_two;
-- Undo:
ALTER ROLE {one} RESET search_path;

-- Hole: the search path of the database
ALTER DATABASE {db} SET search_path = org_two, public;
-- Undo:
ALTER DATABASE {db} RESET search_path;

-- Hole: the search path of all roles
ALTER ROLE ALL IN DATABASE {db} SET search_path = public, org_two;
-- Undo:
ALTER ROLE ALL IN DATABASE {db} RESET search_path;

-- Hole: lo_compat_privileges of the database
ALTER DATABASE {db} SET lo_compat_privileges = on; SELECT lo_from_bytea(424242, 'secret of two');
-- Exploit: SELECT convert_from(lo_get(424242), 'UTF8')
-- Undo:
ALTER DATABASE {db} RESET lo_compat_privileges; SELECT lo_unlink(424242);

-- Kind: view that depends on who asks
-- Hole: without security_barrier
ALTER VIEW datalinx_platform.own_notes RESET (security_barrier);
-- Exploit: CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF $1 LIKE 'secret%' THEN RAISE '%', $1; END IF; RETURN true; END $$; SELECT 1 FROM datalinx_platform.own_notes WHERE pg_temp.peek(text)
-- Undo:
ALTER VIEW datalinx_platform.own_notes SET (security_barrier);

-- Hole: in the tenant's schema
CREATE VIEW org_one.mine AS SELECT text FROM datalinx_platform.notes WHERE tenant = current_user;
-- Exploit: CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF $1 LIKE 'secret%' THEN RAISE '%', $1; END IF; RETURN true; END $$; SELECT 1 FROM org_one.mine WHERE pg_temp.peek(text)
-- Undo:
DROP VIEW org_one.mine;

-- Hole: by way of a function
CREATE FUNCTION datalinx_platform.me() RETURNS name LANGUAGE plpgsql STABLE AS 'BEGIN RETURN current_user; END';
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT n.tenant AS me, n.text FROM datalinx_platform.notes n JOIN (SELECT datalinx_platform.me() AS me) w ON w.me = n.tenant;
-- Exploit: CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF $1 LIKE 'secret%' THEN RAISE '%', $1; END IF; RETURN true; END $$; SELECT 1 FROM datalinx_platform.whoami WHERE pg_temp.peek(text)
-- Undo:
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT current_user AS me, 'note' AS text; DROP FUNCTION datalinx_platform.me();

-- Kind: setting that chooses rows
-- Hole: of a view
CREATE OR REPLACE VIEW datalinx_platform.own_notes WITH (security_barrier) AS SELECT tenant, text FROM datalinx_platform.shared_notes WHERE tenant = current_setting('app.tenant')::name;
-- Exploit: SET app.tenant = '{two}'; SELECT text FROM datalinx_platform.own_notes
-- Undo:
CREATE OR REPLACE VIEW datalinx_platform.own_notes WITH (security_barrier) AS SELECT tenant, text FROM datalinx_platform.shared_notes WHERE tenant = current_user;

-- Hole: of a policy
CREATE POLICY chosen ON datalinx_platform.shared_notes USING (tenant = current_setting('app.tenant', true)::name);
-- Exploit: SET app.tenant = '{two}'; SELECT text FROM datalinx_platform.shared_notes WHERE tenant <> current_user
-- Undo:
DROP POLICY chosen ON datalinx_platform.shared_notes;

-- Kind: row-level security
-- Hole: policies without ENABLE
ALTER TABLE datalinx_platform.shared_notes DISABLE ROW LEVEL SECURITY;
-- Exploit: SELECT text FROM datalinx_platform.shared_notes WHERE tenant <> current_user
-- Undo:
ALTER TABLE datalinx_platform.shared_notes ENABLE ROW LEVEL SECURITY;

-- Hole: a view of the table's owner
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT tenant AS me, text FROM datalinx_platform.shared_notes;
-- Exploit: SELECT text FROM datalinx_platform.whoami WHERE me <> current_user
-- Undo:
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT current_user AS me, 'note' AS text;

-- Hole: a second policy that is always true
CREATE POLICY everything ON datalinx_platform.shared_notes FOR SELECT USING (true);
-- Exploit: SELECT text FROM datalinx_platform.shared_notes WHERE tenant <> current_user
-- Undo:
DROP POLICY everything ON datalinx_platform.shared_notes;

-- Kind: view of a system catalog
-- Hole: what the owner sees in a materialized view
CREATE MATERIALIZED VIEW org_one.m AS SELECT pid, query FROM pg_catalog.pg_stat_activity;
-- Undo:
DROP MATERIALIZED VIEW org_one.m;

-- Hole: pg_authid in the tenant's schema
CREATE VIEW org_one.v AS SELECT rolname, rolpassword FROM pg_catalog.pg_authid;
-- Exploit: SELECT 'secret ' || coalesce(rolpassword, rolname) FROM org_one.v LIMIT 1
-- Undo:
DROP VIEW org_one.v;

-- Hole: pg_largeobject in the platform, by a view that the template names
SELECT lo_from_bytea(424242, 'secret of two');
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT current_user AS me, (convert_from(data, 'UTF8') COLLATE "default") AS text FROM pg_catalog.pg_largeobject WHERE loid = 424242;
-- Exploit: SELECT text FROM datalinx_platform.whoami
-- Undo:
CREATE OR REPLACE VIEW datalinx_platform.whoami AS SELECT current_user AS me, 'note' AS text; SELECT lo_unlink(424242);

-- Kind: event trigger
-- Hole: with the owner's rights and the caller's search path
CREATE FUNCTION public.noted() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM 1; END'; CREATE EVENT TRIGGER {p}noted ON ddl_command_end EXECUTE FUNCTION public.noted();
-- Undo:
DROP EVENT TRIGGER {p}noted; DROP FUNCTION public.noted();

-- Hole: with a tenant's function
CREATE FUNCTION org_two.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER {p}noted ON ddl_command_end EXECUTE FUNCTION org_two.noted();
-- Undo:
DROP EVENT TRIGGER {p}noted; DROP FUNCTION org_two.noted();

-- Kind: role of another database
-- Hole: with privileges on a tenant
CREATE ROLE {p}away; COMMENT ON ROLE {p}away IS 'tenure: of database elsewhere'; GRANT SELECT ON org_one.notes TO {p}away;
-- Undo:
DROP OWNED BY {p}away; DROP ROLE {p}away;

-- Hole: as a tenant's role
COMMENT ON ROLE {one} IS 'tenure: of database elsewhere';
-- Undo:
COMMENT ON ROLE {one} IS 'tenure: of database {db}';

-- Kind: owner or extension in a tenant's schema
-- Hole: another owner
CREATE ROLE {p}other; ALTER TABLE org_one.notes OWNER TO {p}other;
-- Undo:
ALTER TABLE org_one.notes OWNER TO CURRENT_USER; DROP ROLE {p}other;

-- Hole: the tenant
ALTER TABLE org_one.notes OWNER TO {one};
-- Undo:
ALTER TABLE org_one.notes OWNER TO CURRENT_USER; GRANT SELECT, INSERT, UPDATE, DELETE ON org_one.notes TO {one}; REVOKE TRIGGER, TRUNCATE, REFERENCES ON org_one.notes FROM {one};

-- Hole: an extension
CREATE EXTENSION citext SCHEMA org_one;
-- Undo:
DROP EXTENSION citext;

-- Kind: one role for two tenants
-- Hole: in the version rows
UPDATE datalinx_platform.tenant_version SET role = '{one}' WHERE schema_name = 'org_two';
-- Undo:
UPDATE datalinx_platform.tenant_version SET role = '{two}' WHERE schema_name = 'org_two';
