//! The seeds' own SQL, taken out of the document that the project was born from, letter for letter.

use std::path::Path;

use insta::assert_snapshot;

use crate::support::Project;

/// The document, where it is there: it lies beside the repository, not in it.
fn document() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds/datalinx_database_design.txt");
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        #[expect(
            clippy::print_stderr,
            reason = "a test that was passed over must not look like one that ran"
        )]
        {
            eprintln!("SKIPPED: {} is not there", path.display());
        }
    }
    text
}

/// The lines from the first one that begins with `first` to the next that begins with `last`.
#[track_caller]
fn block(text: &str, first: &str, last: &str) -> String {
    let start = text.find(&format!("\n{first}")).unwrap_or_else(|| panic!("{first:?} is not there")) + 1;
    let end = start
        + text[start..].find(&format!("\n{last}")).unwrap_or_else(|| panic!("{last:?} is not there"))
        + 1;
    let line_end = end + text[end..].find('\n').unwrap_or(text.len() - end);
    format!("{}\n", &text[start..line_end])
}

fn table(text: &str, name: &str) -> String {
    block(text, &format!("CREATE TABLE {name} ("), ");")
}

fn statement(text: &str, first: &str) -> String {
    let start = text.find(&format!("\n{first}")).unwrap_or_else(|| panic!("{first:?} is not there")) + 1;
    let end = start + text[start..].find(';').unwrap() + 1;
    format!("{}\n", &text[start..end])
}

/// A project of the document's blocks: the platform, the template, and the sample migration by its name.
fn project_of(text: &str) -> Project {
    let project = Project::empty();
    let platform = [
        // The schema that the document makes first; the tenants' are Tenure's to make.
        statement(text, "CREATE SCHEMA datalinx_platform;")
            .replace("CREATE SCHEMA", "CREATE SCHEMA IF NOT EXISTS"),
        table(text, "datalinx_platform.organizations"),
        table(text, "datalinx_platform.users"),
        statement(text, "CREATE INDEX idx_users_organization"),
    ];
    project.migration("0.0.0", "1.0.2", "create_platform", &platform.concat());
    let tables = ["workspaces", "data_sources", "mappings", "pipeline_jobs"]
        .map(|name| table(text, &format!("{{org_schema}}.{name}")));
    let indexes = ["sources_workspace", "mappings_workspace", "mappings_field_mappings", "jobs_status"]
        .map(|name| statement(text, &format!("CREATE INDEX idx_{name}")));
    project.file(
        "tenant_templates/default/010_tables.sql",
        format!("-- Template: v1.0.2\n{}{}", tables.concat(), indexes.concat()),
    );
    let sample = block(text, "-- Migration: v1.0.2 to v1.0.3", "COMMIT;");
    let name = text.lines().find_map(|line| line.split_once("v1.0.2_to_v1.0.3")).unwrap().1;
    project.file(&format!("migrations/v1.0.2_to_v1.0.3{name}"), sample);
    project
}

#[test]
fn the_seeds_blocks_make_a_platform_and_tenants() {
    let Some(text) = document() else { return };
    let project = project_of(&text);
    let _platform = project.run("migrate up --to 1.0.2").ok();
    project.create(&["acme_corp", "retail_inc"]);
    let tables = "SELECT a.attrelid::regclass || ' ' || count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                  WHERE c.relkind = 'r' AND a.attnum > 0 AND (c.relnamespace::regnamespace::text LIKE 'org%' \
                  OR c.relname IN ('organizations', 'users', 'schema_version')) GROUP BY a.attrelid ORDER BY 1";
    assert_snapshot!(project.db.column(tables).join("\n"), @"
    datalinx_platform.organizations 7
    datalinx_platform.schema_version 2
    datalinx_platform.users 9
    org_acme_corp.data_sources 9
    org_acme_corp.mappings 11
    org_acme_corp.pipeline_jobs 9
    org_acme_corp.workspaces 9
    org_retail_inc.data_sources 9
    org_retail_inc.mappings 11
    org_retail_inc.pipeline_jobs 9
    org_retail_inc.workspaces 9
    ");
    let indexes =
        "SELECT schemaname || '.' || indexname FROM pg_indexes WHERE indexname LIKE 'idx%' ORDER BY 1";
    assert_snapshot!(project.db.column(indexes).join("\n"), @"
    datalinx_platform.idx_users_organization
    org_acme_corp.idx_jobs_status
    org_acme_corp.idx_mappings_field_mappings
    org_acme_corp.idx_mappings_workspace
    org_acme_corp.idx_sources_workspace
    org_retail_inc.idx_jobs_status
    org_retail_inc.idx_mappings_field_mappings
    org_retail_inc.idx_mappings_workspace
    org_retail_inc.idx_sources_workspace
    ");
}

#[test]
fn the_sample_migration_runs_once_for_each_tenant() {
    let Some(text) = document() else { return };
    let project = project_of(&text);
    let _platform = project.run("migrate up --to 1.0.2").ok();
    project.create(&["acme_corp", "retail_inc"]);
    // The document's own table has the column already; without it the sample shows what it does.
    project.db.run("ALTER TABLE org_acme_corp.workspaces DROP COLUMN settings");
    assert_snapshot!(project.run("migrate up"), @r#"
    exit code: 0
    ----- stdout -----
    done: the platform went from 1.0.2 to 1.0.3; 2 tenants, 2 migrated; 2 units in N ms

    ----- stderr -----
    NOTICE: column "settings" of relation "workspaces" already exists, skipping (1 tenant)  v1.0.2_to_v1.0.3_add_workspace_settings.sql:5
    "#);
    assert_eq!(project.versions(), "platform 1.0.3, acme_corp 1.0.3, retail_inc 1.0.3");
    let settings = "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'settings' AND NOT attisdropped \
                    AND attrelid::regclass::text LIKE 'org%' ORDER BY 1";
    assert_eq!(project.db.column(settings), ["org_acme_corp.workspaces", "org_retail_inc.workspaces"]);
    let units = "SELECT schema_name || ' ' || name FROM datalinx_platform.migration_history WHERE to_version = '1.0.3' ORDER BY id";
    assert_snapshot!(project.db.column(units).join("\n"), @"
    org_acme_corp v1.0.2_to_v1.0.3_add_workspace_settings.sql
    org_retail_inc v1.0.2_to_v1.0.3_add_workspace_settings.sql
    datalinx_platform v1.0.2_to_v1.0.3_add_workspace_settings.sql
    ");
}

#[test]
fn the_good_example_passes_and_the_bad_one_is_refused() {
    let Some(text) = document() else { return };
    let project = project_of(&text);
    let _newest = project.run("migrate up").ok();
    project.migration("1.0.3", "1.0.4", "good", &block(&text, "-- GOOD", "ALTER TABLE"));
    let _good = project.run("migrate up").ok();
    let phone = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute \
                 WHERE attrelid = 'datalinx_platform.users'::regclass AND attname = 'phone'";
    assert_eq!(project.db.value(phone), "character varying(50)");

    let before = project.db.dump(&[]);
    project.migration("1.0.4", "1.0.5", "bad", &block(&text, "-- BAD", "ALTER TABLE"));
    assert_snapshot!(project.run("migrate up"), @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    checked 1 file, 1 statement: 1 finding is denied.

    error[drop-column]: `DROP COLUMN email` drops a column that the running release may read or write
     --> migrations/v1.0.4_to_v1.0.5_bad.sql:4:19
      |
    4 | ALTER TABLE users DROP COLUMN email;
      |                   ^^^^^^^^^^^^^^^^^ on platform
      |
      = note: to accept it, add the line `-- Allow: drop-column users.email because <reason>`; see also `tenure explain drop-column`
      = help: stop using it in one release, and drop it in a later migration when that release no longer runs

    1 file, 1 statement: 1 denied
    refused: nothing was written
    ");
    assert_eq!(project.db.dump(&[]), before);
}
