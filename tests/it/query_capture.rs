//! `tenure queries capture`: what the release that runs has sent, from the server's statistics, once for all
//! tenants and without anybody's data.

use tempfile::TempDir;
use tenure::postgres::server::DATABASE;
use tenure::queries::Tenants;

use crate::support::{OwnServer, Project};

/// A server that counts queries, which the server of all other tests does not.
fn counting() -> (OwnServer, Project) {
    let server = OwnServer::start(&["pg_stat_statements"]);
    let project = Project::seeds_in(server.database(DATABASE));
    project.db.run("CREATE EXTENSION pg_stat_statements");
    (server, project)
}

fn read_back(dir: &TempDir, file: &str) -> Vec<(String, Option<u64>)> {
    let tenants = Tenants { prefix: "org_", platform: "datalinx_platform" };
    let release = tenure::project::release(dir.path(), dir.path(), &[file], tenants).unwrap();
    assert!(release.skipped.is_empty(), "{:?}", release.skipped);
    release.queries.iter().map(|query| (query.text.clone(), query.calls)).collect()
}

#[test]
fn the_queries_of_all_tenants_are_captured_once() {
    let (_server, project) = counting();
    let _done = project.run("migrate up").ok();
    let _done = project.run("tenant create acme").ok();
    let _done = project.run("tenant create beta").ok();
    let db = &project.db;
    db.run("SELECT pg_stat_statements_reset()::text");
    let _done = project.run("migrate up").ok();
    let _done = project.run("status").ok();
    let _done = project.run("tenant list").ok();
    for tenant in ["org_acme", "org_beta"] {
        db.run(&format!("SELECT name::text FROM {tenant}.workspaces WHERE name = 'private word'"));
        db.run(&format!(
            "SET search_path = {tenant}, public; SELECT name::text FROM workspaces WHERE name LIKE 'private%'"
        ));
    }
    db.run("SELECT email::text FROM datalinx_platform.users WHERE created_at > now() - interval '3 days'");
    db.run(
        "CREATE ROLE somebody PASSWORD 'private word'; DROP ROLE somebody; SELECT 'private word' AS other",
    );

    let output = project.run("queries capture --to queries.csv").ok();
    assert!(output.stdout.starts_with("captured: ") && output.stdout.contains("left out: "), "{output}");
    let text = std::fs::read_to_string(project.dir.path().join("queries.csv")).unwrap();
    assert!(
        !text.contains("private") && !text.contains("PASSWORD") && !text.contains("tenant_version"),
        "{text}"
    );
    let captured = read_back(&project.dir, "queries.csv");
    for (query, calls) in [
        ("SELECT name::text FROM {org_schema}.workspaces WHERE name = $1", 2),
        ("SELECT name::text FROM workspaces WHERE name LIKE $1", 2),
        (
            "SELECT email::text FROM datalinx_platform.users WHERE created_at > now() - CAST($1 AS interval)",
            1,
        ),
    ] {
        assert!(captured.contains(&(query.to_owned(), Some(calls))), "{query}: {captured:?}");
    }

    let stdout = project.run("queries capture").ok().stdout;
    assert!(stdout.starts_with("calls,query\n"), "{stdout}");
    let _done = project.run("queries capture --to again.json").ok();
    assert_eq!(read_back(&project.dir, "again.json").len(), captured.len());
    let (code, document) = project.json("queries capture");
    assert_eq!((code, document["queries"].as_array().unwrap().len()), (0, captured.len()));
    assert!(document["left_out"]["utility"].as_u64().unwrap() > 0, "{document}");
}

#[test]
fn without_statistics_the_error_explains_the_setup() {
    let project = Project::seeds();
    let (code, document) = project.json("queries capture");
    assert_eq!((code, document["error"]["code"].as_str()), (1, Some("no-statistics")), "{document}");
    // The extension alone is not enough: its library must have been loaded when the server started.
    project.db.run("CREATE EXTENSION pg_stat_statements");
    let output = project.run("queries capture");
    assert_eq!(output.code, 1, "{output}");
    assert!(
        output.stderr.contains("[no-statistics]") && output.stderr.contains("shared_preload_libraries"),
        "{output}"
    );
}
