//! Tenure's own tables: one folder holds all SQL that names them, and those of a build from before the first release are refused.

use regex::Regex;
use tenure::chain::Checksum;

use crate::repo_lints;
use crate::support::{Project, Session};

/// Folders that may hold these words: the SQL itself; what a user's file may not do or may read; the words of the documentation.
const HOMES: &[&str] =
    &["src/postgres/metadata/", "src/sql/", "src/verify/", "src/chain/", "src/error/codes.rs"];

/// The tables, their functions, and the columns whose names nothing else has.
fn words() -> Regex {
    let functions = include_str!("../../src/postgres/metadata/sql/V1__metadata.sql")
        .lines()
        .filter_map(|line| line.strip_prefix("CREATE FUNCTION ")?.split('(').next())
        .collect::<Vec<_>>();
    assert!(functions.len() > 20, "{functions:?}");
    Regex::new(&format!(
        r"\b(tenant_version|schema_version|migration_history\w*|migration_failure|tenure_lock|tenure_schema_history|making_until|pool_slot|purge_began_at|{})\b|\}}\.run\b",
        functions.join("|")
    ))
    .unwrap()
}

/// The migrations of the own tables with their checksums. A database made by one that is changed later would be refused, so there are
/// only further ones.
const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__metadata.sql", "bd27ea6f37c8d6f23c3146598174284244bbe4fde502d3d9f7c67c661f502967"),
    ("V2__replica_identity.sql", "9aeb9e5b0504e3d1a50edea68713c2c3c0d53b4e6e104c700cf85dc26e8cdcce"),
    ("V3__platform_fingerprint.sql", "99d884d21cb494a0708a2a1782ecf57ab2c72441aed51461f7926bd331818104"),
    ("V4__migration_failure.sql", "45d4f833fffead82b8e413b7d2d3a0311f15c7549422547a50b42d1bb786d669"),
    ("V5__names_and_roles.sql", "a038818338ad04ba94e880ff1bcbdb617d6d73b655fb8a0249c321ab67ea355e"),
    ("V6__found_row.sql", "045583aea4a2e4bbdf9ac5166e70e7c20abddd5204dad3012567bbf7385830a8"),
];

#[test]
fn the_migrations_of_the_own_tables_only_grow() {
    let folder = "src/postgres/metadata/sql/";
    let found: Vec<_> = repo_lints::files(folder, "sql")
        .into_iter()
        .map(|(path, text)| (path[folder.len()..].to_owned(), Checksum::of(&text).as_str().to_owned()))
        .collect();
    let known = MIGRATIONS.iter().map(|(name, sum)| ((*name).to_owned(), (*sum).to_owned()));
    assert_eq!(found, known.collect::<Vec<_>>(), "do not change a migration: add another");
}

#[test]
fn only_the_metadata_folder_names_tenures_own_tables() {
    let words = words();
    let mut found = Vec::new();
    for (path, text) in repo_lints::files("src", "rs") {
        if HOMES.iter().any(|home| path.starts_with(home)) || path.ends_with("/tests.rs") {
            continue;
        }
        // Tests of the module, at its end, are users' files and expected output.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        found.extend(
            lines
                .filter(|(_, line)| words.is_match(line))
                .map(|(at, line)| format!("{path}:{}: {line}", at + 1)),
        );
    }
    assert!(found.is_empty(), "this belongs into src/postgres/metadata:\n{}", found.join("\n"));
}

#[test]
fn a_database_of_a_build_before_the_first_release_is_refused_and_left_as_it_is() {
    let project = Project::seeds();
    project.db.run(include_str!("before_release.sql"));
    let before = project.db.dump(&[]);
    for line in [
        "status",
        "status --tenants",
        "migrate up",
        "migrate up --plan",
        "migrate history",
        "migrate baseline 1.0.4",
        "migrate repair",
        "tenant create newco",
        "tenant list",
        "tenant show acme",
        "tenant drop acme --confirm acme",
        "tenant pool fill 1",
        "tenant audit",
        "drift",
    ] {
        let (exit, document) = project.json(line);
        let error = &document["error"];
        assert_eq!((exit, &error["code"]), (1, &"metadata-unsupported".into()), "{line}: {document}");
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("tenure tenant export"), "{line}: {document}");
    }
    let (exit, document) = project.json("doctor");
    let checks = document["checks"].as_array().unwrap();
    let own = checks.iter().find(|check| check["check"] == "own-tables").unwrap();
    assert_eq!((exit, &own["state"]), (1, &"fail".into()), "{document}");
    assert!(own["message"].as_str().unwrap().contains("before the first release"), "{document}");
    assert_eq!(project.db.dump(&[]), before);
}

/// To make the tables waits for nobody for longer than the lock timeout: others would wait behind it.
#[test]
fn the_own_tables_are_made_without_a_long_wait() {
    let project = Project::seeds();
    project.db.run("CREATE SCHEMA datalinx_platform");
    let holder = Session::holding(
        &project.db,
        "SET LOCAL idle_in_transaction_session_timeout = '20s'; CREATE TABLE datalinx_platform.tenant_version ()",
    );
    let (code, document) = project.json("migrate up --lock-timeout 300ms");
    let error = &document["error"];
    assert_eq!((code, &error["sqlstate"]), (1, &"55P03".into()), "{document}");
    assert!(error["hint"].as_str().unwrap().contains("try again"), "{error}");
    holder.release();
    project.run("migrate up --lock-timeout 300ms").passes();
    assert_eq!(project.versions(), "platform 1.0.4");
}
