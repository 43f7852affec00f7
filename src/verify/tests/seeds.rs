//! The examples of the specification, verbatim.

use super::*;

#[test]
fn the_sample_migration_and_the_good_example_have_no_finding() {
    let sample = "-- Migration: v1.0.2 to v1.0.3\n-- Description: Add settings column to workspaces\nBEGIN;\n-- Add column\nALTER TABLE workspaces\nADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}';\n-- Update version\nUPDATE datalinx_platform.schema_version\nSET version = '1.0.3', applied_at = NOW();\nCOMMIT;\n";
    assert!(findings(sample).is_empty());
    assert!(
        findings("-- GOOD: Additive change\nALTER TABLE users ADD COLUMN IF NOT EXISTS phone VARCHAR(50);")
            .is_empty()
    );
}

#[test]
fn the_bad_example_is_denied_where_it_stands() {
    let sql = "-- BAD: Breaking change (don't do this)\nALTER TABLE users DROP COLUMN email;";
    let found = findings(sql);
    assert_eq!(found.len(), 1);
    let Some(Place::Span(source, range)) = found[0].place() else { panic!("no span") };
    assert_eq!(&source.text[range.clone()], "DROP COLUMN email");
    assert_eq!(found[0].rule.as_str(), "drop-column");
    assert!(found[0].denies());
}

#[test]
fn the_core_tables_have_no_finding() {
    let tables = "CREATE TABLE datalinx_platform.organizations (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), slug VARCHAR(100) UNIQUE NOT NULL, settings JSONB DEFAULT '{}');
CREATE TABLE datalinx_platform.users (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), organization_id UUID REFERENCES organizations(id), email VARCHAR(255) UNIQUE NOT NULL);
CREATE INDEX idx_users_organization ON datalinx_platform.users(organization_id);";
    assert_eq!(ids(tables), [""; 0]);
    let template = "-- Template: v1.0.0\nCREATE TABLE {org_schema}.mappings (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id UUID REFERENCES workspaces(id), created_by UUID REFERENCES datalinx_platform.users(id));
CREATE INDEX idx_mappings_workspace ON mappings(workspace_id);
CREATE INDEX idx_mappings_field_mappings ON mappings USING GIN (field_mappings);
CREATE UNIQUE INDEX idx_sources ON data_sources(name);";
    let earlier = parse("CREATE TABLE {org_schema}.data_sources (name text);");
    let found = findings_in(template, Kind::Template(&[&earlier]), &Policy::default());
    assert_eq!(without_conventions(found), [""; 0]);
}

#[test]
fn the_indexes_only_warn() {
    let sql =
        "CREATE INDEX idx_jobs_status ON pipeline_jobs(status)\nWHERE status IN ('pending', 'running');";
    assert_eq!(ids(sql), ["index-locks-writes"]);
    assert!(denied(sql).is_empty());
}

/// The tables of the specification.
const PLATFORM_TABLES: &str = r"
CREATE TABLE datalinx_platform.organizations (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
name VARCHAR(255) NOT NULL,
slug VARCHAR(100) UNIQUE NOT NULL,
schema_name VARCHAR(100) UNIQUE NOT NULL,
created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
settings JSONB DEFAULT '{}'
);
CREATE TABLE datalinx_platform.users (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
organization_id UUID REFERENCES organizations(id),
email VARCHAR(255) UNIQUE NOT NULL,
password_hash VARCHAR(255),
display_name VARCHAR(255),
role VARCHAR(50) NOT NULL DEFAULT 'viewer',
created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
last_login_at TIMESTAMP WITH TIME ZONE,
mfa_enabled BOOLEAN DEFAULT FALSE
);
";

const TENANT_TABLES: &str = r#"
CREATE TABLE {org_schema}.workspaces (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
name VARCHAR(255) NOT NULL,
description TEXT,
target_schema_id UUID,
github_repo_url VARCHAR(500),
repo_subdirectory VARCHAR(255),
created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
settings JSONB DEFAULT '{}'
);
CREATE TABLE {org_schema}.data_sources (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
workspace_id UUID REFERENCES workspaces(id),
name VARCHAR(255) NOT NULL,
source_type VARCHAR(50) NOT NULL, -- 'postgresql', 'snowflake', 'api', 'file'
connection_config JSONB NOT NULL, -- Encrypted credentials
schema_cache JSONB, -- Cached source schema
last_schema_refresh TIMESTAMP WITH TIME ZONE,
created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
is_active BOOLEAN DEFAULT TRUE
);
CREATE TABLE {org_schema}.mappings (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
workspace_id UUID REFERENCES workspaces(id),
target_table VARCHAR(255) NOT NULL,
source_table VARCHAR(255) NOT NULL,
field_mappings JSONB NOT NULL,
-- Example: {"customer_id": {"source": "cust_id", "transform": null}}
decorators JSONB DEFAULT '[]',
-- Example: [{"type": "identity_resolution", "config": {...}}]
cte_definitions JSONB DEFAULT '[]',
status VARCHAR(50) DEFAULT 'draft',
version INTEGER DEFAULT 1,
created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE {org_schema}.pipeline_jobs (
id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
workspace_id UUID REFERENCES workspaces(id),
job_type VARCHAR(50) NOT NULL, -- 'full_refresh', 'incremental', 'mapping_test'
status VARCHAR(50) NOT NULL DEFAULT 'pending',
-- 'pending', 'running', 'completed', 'failed'
started_at TIMESTAMP WITH TIME ZONE,
completed_at TIMESTAMP WITH TIME ZONE,
error_message TEXT,
run_metadata JSONB DEFAULT '{}',
-- Rows processed, duration, etc.
created_by UUID REFERENCES datalinx_platform.users(id)
);
"#;

#[test]
fn the_tables_as_they_are_shown_have_no_finding_at_all() {
    let shown =
        |found: Vec<Finding>| found.iter().map(|finding| finding.rule.to_string()).collect::<Vec<_>>();
    let default = Policy::default();
    for before in [Schema::empty(PLATFORM), Schema::unknown(PLATFORM)] {
        for sql in [PLATFORM_TABLES, TENANT_TABLES] {
            assert_eq!(shown(findings_before(&before, sql, Kind::Migration, &default)), [""; 0]);
            assert_eq!(shown(findings_before(&before, sql, Kind::Loose, &default)), [""; 0]);
        }
        assert_eq!(shown(findings_before(&before, TENANT_TABLES, Kind::Template(&[]), &default)), [""; 0]);
    }
}

#[test]
fn on_those_tables_only_the_bad_example_has_a_finding() {
    let before = base(&format!("{PLATFORM_TABLES}{TENANT_TABLES}"));
    let of = |sql: &str| findings_before(&before, sql, Kind::Migration, &Policy::default());
    assert_eq!(
        of("-- GOOD: Additive change\nALTER TABLE users ADD COLUMN IF NOT EXISTS phone VARCHAR(50);"),
        []
    );
    assert_eq!(
        of("-- Add column\nALTER TABLE workspaces\nADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}';"),
        []
    );
    assert_eq!(of("-- BAD: Breaking change (don't do this)\nALTER TABLE users DROP COLUMN email;").len(), 1);
}
