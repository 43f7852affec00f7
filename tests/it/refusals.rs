//! What is refused, with exit 1 and nothing written: a denied statement, an applied file that changed or
//! went, a database that this chain does not know, a slug that can be none. And how a refusal of a
//! changed file is lifted.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::Project;

/// The seeds' example of what not to do, word for word.
const BAD: &str = "-- BAD: Breaking change (don't do this)\nALTER TABLE users DROP COLUMN email;";

/// The seeds' project, migrated, with one tenant.
fn migrated() -> Project {
    let project = Project::seeds();
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    assert!(project.run("tenant create acme_corp").ok().stdout.starts_with("created"));
    project
}

/// Runs `line` for people and for programs, both of which must exit 1 and leave the database as it is.
/// The program's document and the people's text.
fn refused(project: &Project, line: &str) -> (Value, String) {
    refused_apart_from(project, line, &[])
}

/// The same, without these parts of the dump.
fn refused_apart_from(project: &Project, line: &str, without: &[&str]) -> (Value, String) {
    let before = project.db.dump(without);
    let (exit, document) = project.json(line);
    assert_eq!(exit, 1, "{document}");
    let human = project.run(line);
    assert_eq!((human.code, human.stdout.as_str()), (1, ""), "{human}");
    let after = project.db.dump(without);
    let written: Vec<_> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
    assert!(after == before, "{line}: {written:#?}");
    (document, human.to_string())
}

#[test]
fn the_seeds_bad_example_is_refused_with_the_line_under_it() {
    let project = Project::seeds();
    project.migration("1.0.4", "1.0.5", "drop_email", BAD);
    let (document, human) = refused(&project, "migrate up");
    assert_snapshot!(human, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    checked 6 files, 12 statements: 1 finding is denied.

    error[drop-column]: `DROP COLUMN email` drops a column that the running release may read or write
     --> migrations/v1.0.4_to_v1.0.5_drop_email.sql:4:19
      |
    4 | ALTER TABLE users DROP COLUMN email;
      |                   ^^^^^^^^^^^^^^^^^ on platform
      |
      = note: to accept it, add the line `-- Allow: drop-column users.email because <reason>`; see also `tenure explain drop-column`
      = help: stop using it in one release, and drop it in a later migration when that release no longer runs

    6 files, 12 statements: 1 denied
    refused: nothing was written
    ");
    let keys: Vec<_> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["outcome", "error", "findings"]);
    let error = &document["error"];
    assert_eq!(
        [&error["code"], &error["file"], &error["line"], &error["column"]],
        [
            &json!("finding-denied"),
            &json!("migrations/v1.0.4_to_v1.0.5_drop_email.sql"),
            &json!(4),
            &json!(19)
        ],
    );
    let found = &document["findings"][0];
    assert_eq!(
        [&found["rule"], &found["level"], &found["line"]],
        [&json!("drop-column"), &json!("deny"), &json!(4)]
    );
    // The plan of it is refused as well: it would promise what is not done.
    assert_eq!(project.run("migrate up --plan").code, 1);
    assert_eq!(project.run("verify").code, 1);
}

#[test]
fn a_denied_statement_far_ahead_stops_what_stands_before_it() {
    let project = migrated();
    project.migration("1.0.4", "1.0.5", "fine", "ALTER TABLE users ADD COLUMN phone VARCHAR(50);");
    project.migration("1.0.5", "1.0.6", "drop_email", BAD);
    assert_eq!(refused(&project, "migrate up").0["error"]["code"], "finding-denied");
    // What is not asked for is not judged.
    assert!(project.run("migrate up --to 1.0.5").ok().stdout.starts_with("done"));
}

#[test]
fn a_finding_that_is_allowed_with_a_reason_passes_and_is_kept_in_the_history() {
    let project = Project::seeds();
    let allowed = format!("-- Allow: drop-column because nobody reads it since 4.2\n{BAD}");
    project.next_migration(&allowed);
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    let kept = project
        .db
        .value("SELECT allowed::text FROM datalinx_platform.migration_history WHERE to_version = '1.0.5'");
    assert_eq!(
        serde_json::from_str::<Value>(&kept).unwrap(),
        json!([{ "rule": "drop-column", "line": 5, "because": "nobody reads it since 4.2" }]),
    );
}

#[test]
fn an_applied_file_that_was_edited_is_refused_and_repair_accepts_it() {
    let project = migrated();
    let file = "migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql";
    let text = std::fs::read_to_string(project.dir.path().join(file)).unwrap();
    project.file(file, format!("{text}-- an afterthought\n"));
    let (document, human) = refused(&project, "migrate up");
    assert_snapshot!(human, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[migration-edited]: v1.0.0_to_v1.0.1_add_mfa_columns.sql was edited after it was applied at TIME: its checksum was SHA256 and is SHA256
    --> migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql
     = help: restore the file and write a new migration; if the edit has no effect, `tenure migrate repair` accepts it
    ");
    let error = &document["error"];
    assert_eq!([&error["code"], &error["file"]], [&json!("migration-edited"), &json!(file)]);
    let history = |column: &str| {
        let from = "FROM datalinx_platform.migration_history WHERE to_version = '1.0.1' ORDER BY id";
        project.db.column(&format!("SELECT {column}::text {from}"))
    };
    // When, and both checksums: those of the history and of the file as it is now.
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&history("checksum")[0]), "{message}");
    assert!(message.contains(&history("applied_at")[0]), "{message}");
    assert_eq!(refused(&project, "tenant create globex").0["error"]["code"], "migration-edited");

    let before = history("row_to_json(migration_history)");
    assert_snapshot!(project.run("migrate repair --yes").ok(), @"
    exit code: 0
    ----- stdout -----
    done: accepted 1 migration; no schema was changed
      edited:  v1.0.0_to_v1.0.1_add_mfa_columns.sql

    ----- stderr -----
    v1.0.0_to_v1.0.1_add_mfa_columns.sql was edited after it was applied at TIME: its checksum was SHA256 and is SHA256
      no commit of git has the applied text, so the changed lines are unknown
    ");
    assert!(message.contains(history("checksum").last().unwrap()), "{message}");
    assert_eq!(history("row_to_json(migration_history)")[..before.len()], before[..], "append only");
    assert!(project.run("migrate up").ok().stdout.starts_with("nothing to do"));
    assert_eq!(
        project.json("migrate repair --yes"),
        (0, json!({ "outcome": "done", "edited": [], "gone": [] }))
    );
    // The file as it was is now the edited one.
    project.file(file, text);
    assert_eq!(refused(&project, "migrate up").0["error"]["code"], "migration-edited");
}

#[test]
fn an_applied_file_that_is_gone_is_refused_and_repair_accepts_it() {
    let project = Project::empty();
    project.migration("0.0.0", "1.0.0", "first", "CREATE TABLE datalinx_platform.a (id int);");
    project.migration("1.0.0", "1.0.1", "second", "CREATE TABLE datalinx_platform.b (id int);");
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    project.remove("migrations/v0.0.0_to_v1.0.0_first.sql");
    let (document, human) = refused(&project, "migrate up");
    assert_snapshot!(human, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[migration-gone]: v0.0.0_to_v1.0.0_first.sql was applied at TIME and is no longer in migrations/
    --> migrations/v0.0.0_to_v1.0.0_first.sql
     = help: restore the file; if it was removed on purpose, `tenure migrate repair` accepts that
    ");
    assert_eq!(document["error"]["code"], "migration-gone");
    let rows = || {
        project
            .db
            .column("SELECT row_to_json(h)::text FROM datalinx_platform.migration_history h ORDER BY id")
    };
    let before = rows();
    assert_eq!(
        project.json("migrate repair --yes"),
        (0, json!({ "outcome": "done", "edited": [], "gone": ["v0.0.0_to_v1.0.0_first.sql"] })),
    );
    assert_eq!(rows()[..before.len()], before[..], "append only");
    assert!(project.run("migrate up").ok().stdout.starts_with("nothing to do"));
    project.migration("1.0.1", "1.0.2", "third", "CREATE TABLE datalinx_platform.c (id int);");
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
}

#[test]
fn the_newest_applied_file_that_is_gone_leaves_the_database_beyond_the_chain() {
    let project = migrated();
    project.remove("migrations/v1.0.3_to_v1.0.4_create_service_accounts.sql");
    assert_eq!(refused(&project, "migrate up").0["error"]["code"], "version-beyond");
    assert_eq!(refused(&project, "migrate repair --yes").0["error"]["code"], "version-beyond");
}

#[test]
fn a_database_at_a_version_that_the_chain_does_not_know_is_left_alone() {
    let project = migrated();
    let set = |version: &str| {
        project.db.run(&format!("UPDATE datalinx_platform.schema_version SET version = '{version}'"));
    };
    set("1.0.2-odd");
    let (document, human) = refused(&project, "migrate up");
    assert_eq!(document["error"]["code"], "database-version-unknown");
    assert_snapshot!(human, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[database-version-unknown]: the platform is at version 1.0.2-odd, which is not in the chain; it leads from 0.0.0 to 1.0.4
     = help: this checkout may lack migrations; for a schema created by other means use `tenure migrate baseline`
    ");
    set("7.1.0");
    let (document, human) = refused(&project, "migrate up");
    assert_eq!(document["error"]["code"], "version-beyond");
    assert_snapshot!(human, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[version-beyond]: the platform is at version 7.1.0, beyond the end of the chain at 1.0.4
     = help: this checkout is older than the database: use the newer release, or restore a deleted last file; --allow-newer leaves the database as it is
    ");
    assert_snapshot!(project.run("status"), @"
    exit code: 0
    ----- stdout -----
    platform  datalinx_platform  7.1.0  ahead of this checkout, whose latest version is 1.0.4
    tenants   1, 1 current

    ----- stderr -----
    error[version-beyond]: the platform is at version 7.1.0, beyond the end of the chain at 1.0.4
     = help: this checkout is older than the database: use the newer release, or restore a deleted last file; --allow-newer leaves the database as it is
    ");
    assert_eq!(project.run("status --check").code, 1);
    for (version, code) in [("newest", "database-version-unknown"), ("", "database-version-unknown")] {
        set(version);
        assert_eq!(refused(&project, "migrate up").0["error"]["code"], code, "{version:?}");
    }
    set("1.0.4");
    // A tenant by itself can be lost too.
    for (version, code) in [("0.9.9", "database-version-unknown"), ("8.0.0", "version-beyond")] {
        project.db.run(&format!("UPDATE datalinx_platform.tenant_version SET version = '{version}'"));
        assert_eq!(refused(&project, "migrate up").0["error"]["code"], code, "{version:?}");
    }
}

#[test]
fn a_version_row_too_many_or_too_few_is_refused() {
    let project = migrated();
    project.db.run("INSERT INTO datalinx_platform.schema_version (version) VALUES ('1.0.0')");
    assert_eq!(refused(&project, "migrate up").0["error"]["code"], "database-version-unknown");
    project.db.run("DELETE FROM datalinx_platform.schema_version");
    assert_eq!(refused(&project, "migrate up").0["error"]["code"], "database-version-unknown");
}

#[test]
fn a_target_that_is_no_version_of_the_chain_is_a_wrong_command_line() {
    let project = Project::seeds();
    let (exit, document) = project.json("migrate up --to 1.0.9");
    assert_eq!((exit, document["error"]["code"].as_str()), (2, Some("version-not-in-chain")), "{document}");
}

#[test]
fn an_invalid_slug_makes_no_tenant() {
    let project = migrated();
    let long = "a".repeat(60);
    let code =
        |slug: &str| refused(&project, &format!("tenant create {slug}")).0["failures"][0]["code"].clone();
    for slug in
        ["Acme", "1acme", "_acme", "acme-corp", "acme.corp", "ac\u{e9}", "a;b", "a\"b", &long.to_uppercase()]
    {
        assert_eq!(code(slug), "slug-invalid", "{slug}");
    }
    assert_eq!(code(&long), "schema-name-too-long");
    assert_eq!(code("acme_corp"), "tenant-exists");
    assert!(project.run(&format!("tenant create {}", "a".repeat(59))).ok().stdout.starts_with("created"));
    // A schema of that name that no tenant owns.
    project.db.run("CREATE SCHEMA org_squatter");
    let noted = ["--exclude-table-data=*.run", "--exclude-table-data=*.migration_history_id_seq"];
    let (document, _) = refused_apart_from(&project, "tenant create squatter", &noted);
    assert_eq!(document["failures"][0]["code"], "tenant-exists");
    assert_snapshot!(refused(&project, "tenant create Acme").1, @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[slug-invalid]: "Acme" is not a slug: a slug is a lower-case letter followed by lower-case letters, digits and _
     = help: for example: acme_corp; give the full name with --name
    "#);
    assert_snapshot!(refused(&project, "tenant create acme_corp").1, @"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[tenant-exists]: the tenant acme_corp already exists
     = help: choose another slug, or accept it with --if-not-exists
    ");
}

#[test]
fn an_existing_schema_makes_no_tenant() {
    let project = migrated();
    project.file("tenure.toml", "[tenants]\nschema_prefix = \"\"\n");
    for slug in ["public", "information_schema", "pg_catalog", "pg_acme", "datalinx_platform"] {
        let (document, _) = refused(&project, &format!("tenant create {slug}"));
        assert_eq!(document["failures"][0]["code"], "schema-name-reserved", "{slug}");
    }
    assert_snapshot!(refused(&project, "tenant create public").1, @r#"
    exit code: 1
    ----- stdout -----

    ----- stderr -----
    error[schema-name-reserved]: the schema name "public", or its slug, is reserved for extensions and shared objects
     = help: choose another slug
    "#);
    assert!(project.run("tenant create globex").ok().stdout.starts_with("created globex  globex"));
}

#[test]
fn a_tenant_needs_a_platform_and_a_template_that_is_there() {
    let project = Project::seeds();
    assert_eq!(refused(&project, "tenant create acme_corp").0["error"]["code"], "not-migrated");
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    let document = project.json("tenant create acme_corp --template gold").1;
    assert_eq!(document["failures"][0]["code"], "template-missing", "{document}");
    assert_eq!(refused(&project, "migrate up --tenant acme_corp").0["error"]["code"], "tenant-unknown");
    assert_eq!(refused(&project, "tenant show acme_corp").0["error"]["code"], "tenant-unknown");
}

#[test]
fn a_missing_applied_file_in_the_middle_is_reported() {
    let project = Project::with_tenants(&[]);
    for file in ["v1.0.1_to_v1.0.2_create_audit_log.sql", "v0.0.0_to_v1.0.0_create_platform.sql"] {
        let path = format!("migrations/{file}");
        let text = std::fs::read(project.dir.path().join(&path)).unwrap();
        project.remove(&path);
        for verb in ["migrate up", "tenant create a", "migrate repair --yes"] {
            let (code, document) = project.json(verb);
            assert_eq!(
                (code, document["error"]["code"].as_str()),
                (1, Some("migration-gone")),
                "{verb}: {document}"
            );
            assert_eq!(document["error"]["file"].as_str(), Some(path.as_str()));
        }
        project.file(&path, text);
    }
    project.run("migrate up").passes();
    // A gap that the database knows nothing of stays a gap.
    project.migration("1.0.5", "1.0.6", "later", "ALTER TABLE users ADD COLUMN x int;");
    let (code, document) = project.json("migrate up");
    assert_eq!((code, document["error"]["code"].as_str()), (2, Some("chain-gap")));
}
