//! The seeds' own examples, letter for letter.

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
    let Place::Span(source, range) = &found[0].place else { panic!("no span") };
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
    assert!(findings_in(template, Kind::Template(&[&earlier]), &Policy::default()).is_empty());
}

#[test]
fn the_indexes_only_warn() {
    let sql =
        "CREATE INDEX idx_jobs_status ON pipeline_jobs(status)\nWHERE status IN ('pending', 'running');";
    assert_eq!(ids(sql), ["index-locks-writes"]);
    assert!(denied(sql).is_empty());
}
