-- What the last build before the first release kept in a database with one tenant: its tables after five migrations, one of its
-- functions, its rows. (It had some forty functions more.)
CREATE SCHEMA datalinx_platform;
SET search_path = datalinx_platform;
CREATE TABLE schema_version (
    version varchar(100) NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tenant_version (
    schema_name text PRIMARY KEY,
    version text NOT NULL,
    template text,
    status text NOT NULL DEFAULT 'active',
    applied_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    dropped_at timestamptz,
    former_schema text,
    former_slug text,
    login boolean NOT NULL DEFAULT false,
    former_status text,
    purge_began_at timestamptz,
    purged_at timestamptz,
    parameters jsonb,
    making uuid,
    making_until timestamptz,
    pool_slot integer,
    made_from text,
    proved_at text,
    role text
);
CREATE UNIQUE INDEX tenant_version_pool ON tenant_version (template, pool_slot) WHERE pool_slot IS NOT NULL;
CREATE TABLE run (
    id uuid PRIMARY KEY,
    command text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome text,
    counts jsonb,
    tool_version text NOT NULL,
    started_by text NOT NULL DEFAULT session_user,
    wal_lsn pg_lsn,
    timeline integer,
    restore_point text
);
CREATE TABLE migration_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL,
    schema_name text NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    name text NOT NULL,
    checksum text,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user,
    duration_ms integer NOT NULL DEFAULT 0,
    tool_version text NOT NULL,
    allowed jsonb NOT NULL DEFAULT '[]',
    kind text NOT NULL DEFAULT 'migrate'
);
CREATE FUNCTION tenure_hold_still(the_schema text, states text[]) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE TABLE tenure_schema_history (
    version int4 PRIMARY KEY,
    name varchar(255),
    applied_on varchar(255),
    checksum varchar(255)
);
INSERT INTO tenure_schema_history VALUES
    (1, 'own_tables', '2026-11-30T07:41:16.24995713Z', '13291297472821614437'),
    (2, 'tenant_life', '2026-11-30T07:41:16.285809835Z', '3677054200556879848'),
    (3, 'restore_points', '2026-11-30T07:41:16.308011837Z', '16553691915323999282'),
    (4, 'pool_in_sql', '2026-11-30T07:41:16.308685173Z', '4915555453079649057'),
    (5, 'versions_and_attempts', '2026-11-30T07:41:16.313637324Z', '6901943611733765391');
CREATE TABLE organizations (id uuid PRIMARY KEY, name text NOT NULL, slug text NOT NULL, schema_name text NOT NULL);
CREATE SCHEMA org_acme;
CREATE TABLE org_acme.workspaces (id int PRIMARY KEY, name text);
INSERT INTO schema_version (version) VALUES ('1.0.4');
INSERT INTO organizations VALUES ('06479ec9-abaf-4165-8ddd-5d6ba27a72a3', 'acme', 'acme', 'org_acme');
INSERT INTO tenant_version (schema_name, version, template) VALUES ('org_acme', '1.0.4', 'default');
INSERT INTO run (id, command, outcome, tool_version) VALUES (gen_random_uuid(), 'tenure tenant create acme', 'done', '0.1.0');
INSERT INTO migration_history (run_id, schema_name, from_version, to_version, name, tool_version, kind)
    SELECT id, 'org_acme', '0.0.0', '1.0.4', 'default', '0.1.0', 'template' FROM run;
