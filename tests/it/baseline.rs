//! `migrate baseline`: a database that was made by other means gets its version, once.

use serde_json::json;

use crate::support::Project;

/// The seeds' project on a database where somebody ran the files up to 1.0.2 by hand.
fn made_by_hand(version_table: &str) -> Project {
    let project = Project::seeds();
    project.db.run(&format!("CREATE SCHEMA datalinx_platform; {version_table}"));
    for file in [
        "v0.0.0_to_v1.0.0_create_platform",
        "v1.0.0_to_v1.0.1_add_mfa_columns",
        "v1.0.1_to_v1.0.2_create_audit_log",
    ] {
        let text =
            std::fs::read_to_string(project.dir.path().join(format!("migrations/{file}.sql"))).unwrap();
        let text: String = text.split("-- Update version").next().unwrap().replace("BEGIN;", "");
        project.db.run(&format!("SET search_path = datalinx_platform; {text}"));
    }
    project
}

/// The table as the seeds' documents have it.
const THEIR_TABLE: &str = "CREATE TABLE datalinx_platform.schema_version \
    (version varchar(20) PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now(), description text);";

fn version(project: &Project) -> Vec<String> {
    project.db.column("SELECT version::text FROM datalinx_platform.schema_version")
}

#[test]
fn a_database_without_a_version_gets_one_and_goes_on_from_there() {
    let project = made_by_hand("");
    let (exit, document) = project.json("migrate baseline 1.0.2");
    assert_eq!(
        (exit, document),
        (0, json!({ "outcome": "done", "platform": { "from": "0.0.0", "to": "1.0.2" } }))
    );
    let (exit, document) = project.json("migrate up");
    assert_eq!((exit, &document["platform"]), (0, &json!({ "from": "1.0.2", "to": "1.0.4" })), "{document}");
    let kinds = "SELECT kind || ' ' || from_version || ' ' || to_version FROM datalinx_platform.migration_history ORDER BY id";
    assert_eq!(
        project.db.column(kinds),
        ["baseline 0.0.0 1.0.2", "migrate 1.0.2 1.0.3", "migrate 1.0.3 1.0.4"]
    );
    assert!(project.run("tenant create acme_corp").ok().stdout.starts_with("created"));
}

#[test]
fn a_version_table_that_is_there_is_used_as_it_is() {
    for written in ["1.0.2", "v1.0.2"] {
        let row =
            format!("INSERT INTO datalinx_platform.schema_version VALUES ('{written}', now(), 'by hand');");
        let project = made_by_hand(&format!("{THEIR_TABLE}{row}"));
        let (_, status) = project.json("status");
        assert_eq!(status["platform"]["version"], "1.0.2", "{status}");
        let (exit, document) = project.json("migrate up");
        assert_eq!(
            (exit, &document["platform"]),
            (0, &json!({ "from": "1.0.2", "to": "1.0.4" })),
            "{document}"
        );
        // Their column is still theirs, and there is still one row.
        let rows = project.db.rows("SELECT version::text, description FROM datalinx_platform.schema_version");
        assert_eq!(rows, [["1.0.4", "by hand"]]);
        assert!(project.run("tenant create acme_corp").ok().stdout.starts_with("created"));
    }
}

#[test]
fn a_version_that_is_there_is_not_overruled() {
    let row = "INSERT INTO datalinx_platform.schema_version VALUES ('1.0.2');";
    let project = made_by_hand(&format!("{THEIR_TABLE}{row}"));
    let before = project.db.dump(&[]);
    let (exit, document) = project.json("migrate baseline 1.0.1");
    assert_eq!((exit, document["error"]["code"].as_str()), (1, Some("baseline-refused")), "{document}");
    assert!(project.db.dump(&[]) == before);
}

#[test]
fn a_baseline_names_a_version_of_the_chain() {
    let project = made_by_hand("");
    let before = project.db.dump(&[]);
    let (exit, document) = project.json("migrate baseline 1.0.9");
    assert_eq!((exit, document["error"]["code"].as_str()), (2, Some("version-not-in-chain")), "{document}");
    let (exit, document) = project.json("migrate baseline newest");
    assert_eq!((exit, document["error"]["code"].as_str()), (2, Some("usage")), "{document}");
    assert!(project.db.dump(&[]) == before);
}

#[test]
fn an_empty_version_table_is_no_fresh_database_and_a_baseline_mends_it() {
    let project = made_by_hand(THEIR_TABLE);
    let before = project.db.dump(&[]);
    let (exit, document) = project.json("migrate up");
    assert_eq!(
        (exit, document["error"]["code"].as_str()),
        (1, Some("database-version-unknown")),
        "{document}"
    );
    assert!(document["error"]["hint"].as_str().unwrap().contains("tenure migrate baseline"), "{document}");
    assert!(project.db.dump(&[]) == before);
    assert!(project.run("migrate baseline 1.0.2").ok().stdout.contains("1.0.2"));
    assert_eq!(version(&project), ["1.0.2"]);
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    assert_eq!(version(&project), ["1.0.4"]);
}

#[test]
fn an_empty_database_gets_no_baseline_by_mistake() {
    let project = Project::seeds();
    let before = project.db.dump(&[]);
    let (exit, document) = project.json("migrate baseline 1.0.2");
    assert_eq!((exit, document["error"]["code"].as_str()), (1, Some("baseline-refused")), "{document}");
    assert!(document["error"]["hint"].as_str().unwrap().contains("tenure migrate up"), "{document}");
    assert!(project.db.dump(&[]) == before);
    // Who knows better says so; and what was wrong can be put right.
    project.run("migrate baseline 1.0.2 --yes").passes();
    assert_eq!(version(&project), ["1.0.2"]);
    let (_, document) = project.json("migrate baseline 1.0.1");
    let hint = document["error"]["hint"].as_str().unwrap();
    let sql = hint.split('`').find(|part| part.starts_with("DELETE")).unwrap();
    project.db.run(sql);
    project.run("migrate baseline 0.0.0").passes();
    assert_eq!(version(&project), ["0.0.0"]);
    project.run("migrate up").passes();
    project.run("tenant create acme_corp").passes();
}
