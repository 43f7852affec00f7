//! Applied migrations whose files were edited, removed or renumbered, and databases that are ahead of the files.

use serde_json::{Value, json};

use crate::policy_from::git;
use crate::support::Project;

const TENANT_FILE: &str = "migrations/v1.0.2_to_v1.0.3_add_workspace_settings.sql";
const PLATFORM_FILE: &str = "migrations/v1.0.1_to_v1.0.2_create_audit_log.sql";
const LAST: &str = "migrations/v1.0.3_to_v1.0.4_create_service_accounts.sql";

fn text(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.dir.path().join(file)).unwrap()
}

fn hint(document: &Value) -> &str {
    document["error"]["hint"].as_str().unwrap()
}

/// `line` fails with `code`; the database stays as it is.
#[track_caller]
fn refused(project: &Project, line: &str, code: &str) -> Value {
    let before = project.db.dump(&[]);
    let document = project.expect_error(line, code);
    assert!(project.db.dump(&[]) == before, "{line}");
    document
}

/// A migration of the platform with its own UPDATE of the version row.
fn versioned(from: &str, to: &str, sql: &str) -> String {
    format!(
        "-- Migration: v{from} to v{to}\n-- Description: a step\nBEGIN;\n{sql};\n\
         UPDATE datalinx_platform.schema_version SET version = '{to}', applied_at = NOW();\nCOMMIT;\n"
    )
}

type Edit = fn(String) -> String;

#[test]
fn status_check_agrees_with_migrate_up() {
    let project = Project::with_tenants(&["acme"]);
    assert_eq!(project.run("status --check").code, 0);
    let edits: [(&str, Edit); 3] = [
        (TENANT_FILE, |text| text.replace("'{}'", "'[]'")),
        (PLATFORM_FILE, |text| format!("{text}-- more\n")),
        ("migrations/v0.0.0_to_v1.0.0_create_platform.sql", |text| {
            text.replace("COMMIT;", "-- more\nCOMMIT;")
        }),
    ];
    for (file, edit) in edits {
        let before = text(&project, file);
        project.file(file, edit(before.clone()));
        refused(&project, "migrate up", "migration-edited");
        let (exit, status) = project.json("status --check");
        assert_eq!(exit, 1, "{status}");
        assert_eq!(status["trouble"][0]["code"], "migration-edited", "{status}");
        assert_eq!(status["trouble"][0]["file"], file, "{status}");
        assert_eq!(project.run("status").code, 0);
        project.file(file, before);
        assert_eq!(project.run("status --check").code, 0);
    }
    // A removed file that is not needed, and one that another file replaces.
    let first = text(&project, "migrations/v0.0.0_to_v1.0.0_create_platform.sql");
    project.remove("migrations/v0.0.0_to_v1.0.0_create_platform.sql");
    refused(&project, "migrate up", "migration-gone");
    assert_eq!(project.json("status --check").1["trouble"][0]["code"], "migration-gone");
    project.file("migrations/v0.0.0_to_v1.0.0_other.sql", first.replace("BEGIN;", "BEGIN;\n-- other"));
    refused(&project, "migrate up", "other-history");
    assert_eq!(project.json("status --check").1["trouble"][0]["code"], "other-history");
}

#[test]
fn repair_shows_the_changed_lines_and_asks() {
    let project = Project::with_tenants(&["acme"]);
    let folder = project.dir.path();
    for words in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "-m", "base"]] {
        git(folder, words);
    }
    for (file, now, removed, added) in [
        (TENANT_FILE, "JSONB DEFAULT '[]'", "- ADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}'", "'[]'"),
        (
            TENANT_FILE,
            "JSONB DEFAULT '{}' NOT NULL",
            "JSONB DEFAULT '{}';",
            "+ ADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}' NOT NULL;",
        ),
    ] {
        let before = text(&project, file);
        project.file(file, before.replace("JSONB DEFAULT '{}'", now));
        refused(&project, "migrate repair", "confirmation-required");
        let output = project.run("migrate repair");
        assert!(output.stderr.contains(removed) && output.stderr.contains(added), "{output}");
        assert!(
            output.stderr.contains("from line 6") && output.stderr.contains("no schema is changed"),
            "{output}"
        );
        assert!(!output.stderr.contains("ALTER TABLE"), "{output}");
        project.file(file, before);
    }
    let before = text(&project, PLATFORM_FILE);
    project.file(PLATFORM_FILE, format!("{before}-- an afterthought\n"));
    assert_eq!(
        project.json("migrate repair --yes"),
        (0, json!({ "outcome": "done", "edited": ["v1.0.1_to_v1.0.2_create_audit_log.sql"], "gone": [] }))
    );
    assert_eq!(project.run("status --check").code, 0);
    // Nothing to accept needs no answer.
    project.run("migrate repair").passes();
}

#[test]
fn repair_does_not_accept_a_file_that_the_database_needs() {
    let project = Project::with_tenants(&["acme"]);
    let (last, middle) = (text(&project, LAST), text(&project, TENANT_FILE));
    project.remove(LAST);
    refused(&project, "migrate repair --yes", "version-beyond");
    project.remove(TENANT_FILE);
    refused(&project, "migrate repair --yes", "version-beyond");
    project.file(LAST, last);
    // The rest is no chain.
    refused(&project, "migrate repair --yes", "migration-gone");
    project.file(TENANT_FILE, middle);
    // The first files are not needed, unless the database is at a version that went with them.
    let project = steps();
    project.remove("migrations/v0.0.0_to_v1.0.0_s0.sql").remove("migrations/v1.0.0_to_v1.0.1_s1.sql");
    let set = |version: &str| {
        project.db.run(&format!("UPDATE datalinx_platform.schema_version SET version = '{version}'"));
    };
    for version in ["1.0.0", "0.0.0"] {
        set(version);
        refused(&project, "migrate repair --yes", "migration-gone");
    }
    set("1.0.3");
    project.run("migrate repair --yes").passes();
}

/// Three applied steps of a platform.
fn steps() -> Project {
    let project = Project::empty();
    for (at, (from, to)) in
        [("0.0.0", "1.0.0"), ("1.0.0", "1.0.1"), ("1.0.1", "1.0.2"), ("1.0.2", "1.0.3")].iter().enumerate()
    {
        project.migration(
            from,
            to,
            &format!("s{at}"),
            &format!("CREATE TABLE datalinx_platform.t{at} (id int);"),
        );
    }
    project.run("migrate up").passes();
    project
}

#[test]
fn a_file_that_comes_back_is_compared_with_the_applied_one() {
    let project = steps();
    let files = ["migrations/v0.0.0_to_v1.0.0_s0.sql", "migrations/v1.0.0_to_v1.0.1_s1.sql"];
    let texts = files.map(|file| text(&project, file));
    for file in files {
        project.remove(file);
    }
    project.run("migrate repair --yes").passes();
    assert_eq!(project.run("status --check").code, 0);
    for (file, text) in files.iter().zip(&texts).rev() {
        project.file(file, text.replace("(id int)", "(id bigint)"));
        let document = refused(&project, "migrate up", "migration-edited");
        assert_eq!(document["error"]["file"], *file);
        assert_eq!(project.json("status --check").1["trouble"][0]["code"], "migration-edited");
        // The applied text is no divergence.
        project.file(file, text);
        assert!(project.run("migrate up").ok().stdout.starts_with("nothing to do"));
    }
}

#[test]
fn a_database_ahead_of_the_files_is_left_alone() {
    for ahead in ["platform and tenants", "one tenant"] {
        let project = Project::with_tenants(&["acme", "globex", "late"]);
        project.db.run(
            "UPDATE datalinx_platform.tenant_version SET version = '1.0.2' WHERE schema_name = 'org_late'",
        );
        let last = if ahead == "one tenant" {
            // The newer release stopped after one tenant.
            project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
            project.run("migrate up --tenant acme").passes();
            "migrations/v1.0.4_to_v1.0.5_next.sql"
        } else {
            LAST
        };
        project.remove(last);
        for line in [
            "migrate up",
            "migrate up --tenant late",
            "migrate up --platform-only",
            "migrate up --plan",
            "tenant create b",
        ] {
            let document = refused(&project, line, "version-beyond");
            assert!(hint(&document).contains("older than the database"), "{line}: {document}");
            assert!(hint(&document).contains("--allow-newer"), "{line}: {document}");
        }
        let (exit, status) = project.json("status --check");
        let expected = if ahead == "one tenant" { json!([1, 1, 1]) } else { json!([2, 0, 1]) };
        let counts =
            json!([status["tenants"]["ahead"], status["tenants"]["current"], status["tenants"]["behind"]]);
        assert_eq!((exit, counts), (1, expected), "{ahead}: {status}");
        let before = project.db.dump(&[]);
        let output = project.run("migrate up --allow-newer").ok();
        assert!(output.stdout.starts_with("nothing to do"), "{output}");
        assert!(output.stderr.contains("older than the database"), "{output}");
        project.run("migrate up --allow-newer --tenant late").passes();
        project.file("tenure.toml", "[migrate]\nallow_newer = true\n");
        assert_eq!(project.json("migrate up").1["outcome"], "nothing");
        assert!(project.db.dump(&[]) == before, "{ahead}");
        // A tenant is behind.
        assert_eq!(project.run("status --check").code, 1);
        project.db.run(
            "UPDATE datalinx_platform.tenant_version SET version = '1.0.4' WHERE schema_name = 'org_late'",
        );
        assert_eq!(project.run("status --check").code, 0);
        // The setting changes nothing else.
        project.file(TENANT_FILE, format!("{}-- more\n", text(&project, TENANT_FILE)));
        assert_eq!(project.json("migrate up").1["outcome"], "nothing");
    }
}

#[test]
fn allowing_a_newer_database_changes_nothing_on_another_one() {
    let project = Project::with_tenants(&["acme"]);
    project.file("tenure.toml", "[migrate]\nallow_newer = true\n");
    project.next_migration("ALTER TABLE workspaces ADD COLUMN note text;");
    assert_eq!(project.json("migrate up --allow-newer").1["outcome"], "done");
    assert_eq!(project.versions(), "platform 1.0.5, acme 1.0.5");
    project.file(TENANT_FILE, format!("{}-- more\n", text(&project, TENANT_FILE)));
    refused(&project, "migrate up", "migration-edited");
}

/// Bob's file ran as 1.0.5. The main branch has Carol's file as 1.0.5 and Bob's as 1.0.6.
fn two_branches(bob: [&str; 2], carol: &str, sql: &str) -> Project {
    let project = Project::with_tenants(&["acme"]);
    let [bob, bob_on_main] = bob;
    let before = format!("migrations/v1.0.4_to_v1.0.5_{bob}.sql");
    project.file(&before, versioned("1.0.4", "1.0.5", sql));
    project.run("migrate up").passes();
    project.remove(&before);
    let carols = "ALTER TABLE datalinx_platform.users ADD COLUMN carol int";
    project.file(&format!("migrations/v1.0.4_to_v1.0.5_{carol}.sql"), versioned("1.0.4", "1.0.5", carols));
    project.file(&format!("migrations/v1.0.5_to_v1.0.6_{bob_on_main}.sql"), versioned("1.0.5", "1.0.6", sql));
    project
}

#[test]
fn a_file_of_another_branch_is_not_an_edit() {
    let bobs = "ALTER TABLE datalinx_platform.users ADD COLUMN bob int";
    for (bob, carol, sql) in [
        (["bob", "bob"], "carol", bobs),
        // Equal names: the text alone says it.
        (["change", "change"], "change", bobs),
        (["bob", "bobs_column"], "carol", bobs),
        // The text was changed too: the names alone say it.
        (["bob", "bob"], "carol", "-- Scope: tenant\nALTER TABLE workspaces ADD COLUMN bob int"),
    ] {
        let project = two_branches(bob, carol, sql);
        let bobs_file = format!("v1.0.4_to_v1.0.5_{}.sql", bob[0]);
        let (carols, moved) =
            (format!("v1.0.4_to_v1.0.5_{carol}.sql"), format!("v1.0.5_to_v1.0.6_{}.sql", bob[1]));
        for line in ["migrate up", "migrate repair --yes", "migrate up --plan"] {
            let document = refused(&project, line, "other-history");
            let message = document["error"]["message"].as_str().unwrap();
            assert!([&bobs_file, &carols, &moved].iter().all(|file| message.contains(*file)), "{message}");
            let hint = hint(&document);
            assert!(
                hint.contains("a new step after 1.0.6") && hint.contains("development database"),
                "{hint}"
            );
            assert!(!hint.contains("repair"), "{hint}");
        }
        assert_eq!(project.json("status --check").1["trouble"][0]["code"], "other-history");
        // The help works.
        project.remove(&format!("migrations/{moved}")).remove(&format!("migrations/{carols}"));
        project.file(&format!("migrations/{bobs_file}"), versioned("1.0.4", "1.0.5", sql));
        project.migration(
            "1.0.5",
            "1.0.6",
            "carol",
            "ALTER TABLE datalinx_platform.users ADD COLUMN carol int;",
        );
        project.run("migrate up").passes();
        assert_eq!(project.run("status --check").code, 0);
    }
}

#[test]
fn a_file_of_another_branch_from_another_version_is_not_missing() {
    // On main, Carol's file leads from 1.0.4 to 1.0.6, and Bob's follows it.
    let project =
        two_branches(["bob", "bob"], "carol", "ALTER TABLE datalinx_platform.users ADD COLUMN bob int");
    project.remove("migrations/v1.0.4_to_v1.0.5_carol.sql").remove("migrations/v1.0.5_to_v1.0.6_bob.sql");
    project.migration("1.0.4", "1.0.6", "carol", "ALTER TABLE datalinx_platform.users ADD COLUMN carol int;");
    let bob = versioned("1.0.6", "1.0.7", "ALTER TABLE datalinx_platform.users ADD COLUMN bob int");
    project.file("migrations/v1.0.6_to_v1.0.7_bob.sql", bob);
    let document = refused(&project, "migrate up", "other-history");
    assert!(
        document["error"]["message"].as_str().unwrap().contains("v1.0.6_to_v1.0.7_bob.sql"),
        "{document}"
    );
    refused(&project, "migrate repair --yes", "other-history");
    // A renamed file is no other one.
    let project = Project::with_tenants(&[]);
    let first = text(&project, PLATFORM_FILE);
    project.remove(PLATFORM_FILE).file("migrations/v1.0.1_to_v1.0.2_audit.sql", first);
    assert_eq!(project.run("status --check").code, 0);
}
