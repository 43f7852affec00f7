//! Tenants made of other tenants: with one of every kind of object, compared by snapshots, dumps and rows.

mod archive;
mod carried;
mod clone;
mod crafted_archives;
mod lost_commits;
mod meaning;
mod privileges;
mod quoted_names;
mod restored;
mod unfinished;

use crate::support::{Database, Project};

const EVERYTHING: &str = include_str!("everything.sql");
const ROWS: &str = include_str!("rows.sql");

/// The seeds' project with a template that makes one of everything, and a tenant `alpha` with rows.
fn with_everything() -> Project {
    let project = Project::seeds();
    project.file("tenant_templates/default/900_everything.sql", EVERYTHING);
    project.run("migrate up").passes();
    project.create(&["alpha"]);
    fill(&project.db, "org_alpha");
    project
}

/// Gives the tenant of `schema` its rows.
fn fill(db: &Database, schema: &str) {
    db.run(&format!("SET search_path = {schema}; {ROWS}"));
}

/// A line for each table and materialized view of `schema`: its rows' number and checksum.
fn rows(db: &Database, schema: &str) -> Vec<String> {
    db.column(&format!(
        "SELECT c.relname || ' ' || (xpath('/row/c/text()', query_to_xml(format('SELECT count(*)::text || '' '' || \
         coalesce(md5(string_agg(t::text, E''\\n'' ORDER BY t::text)), ''-'') AS c FROM ONLY %s t', c.oid::regclass), \
         false, true, '')))[1]::text FROM pg_class c WHERE c.relnamespace = '{schema}'::regnamespace \
         AND c.relkind IN ('r', 'm') ORDER BY c.relname"
    ))
}

/// The metadata rows and the schemas of tenants, and whether something of ours is left over.
fn state(project: &Project) -> Vec<String> {
    project.db.column(
        "SELECT concat_ws(' ', slug, schema_name, version, status) FROM datalinx_platform.organizations \
           FULL JOIN datalinx_platform.tenant_version USING (schema_name) \
         UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ '^(org|tenure)_' ORDER BY 1",
    )
}

/// The command, outcome and slug of the runs of a verb.
fn runs(project: &Project, verb: &str) -> Vec<String> {
    project.db.column(&format!(
        "SELECT concat_ws(' ', command, outcome, counts->>'slug') FROM datalinx_platform.run \
         WHERE command = 'tenure tenant {verb}' ORDER BY started_at"
    ))
}
