//! `verify --policy-from`: a change cannot lower the policy of its base unseen.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Finish as _, Project};

pub fn git(folder: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(words);
    let output = command.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder).finish();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The seeds' project with these settings, committed as `base`, then with others and a migration.
fn changed(before: Option<&str>, after: &str, sql: &str) -> Project {
    let project = Project::seeds();
    let folder = project.dir.path();
    if let Some(before) = before {
        project.file("tenure.toml", before);
    }
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "base"]);
    git(folder, &["tag", "base"]);
    project.file("tenure.toml", after);
    project.next_migration(sql);
    project
}

fn lowered(document: &Value) -> Vec<(String, bool)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lowered = document["lowered"].as_array().cloned().unwrap_or_default();
    lowered.iter().map(|it| (text(&it["setting"]), it["taken"].as_bool().unwrap())).collect()
}

const OFF: &str = "[verify.levels]\ndrop-table = \"off\"\n";

#[test]
fn a_lowered_level_is_in_every_report() {
    let project = changed(None, OFF, "DROP TABLE users;");
    let (code, document) = project.json("verify");
    assert_eq!((code, document["summary"]["deny"].as_u64()), (0, Some(0)), "{document}");
    let expected = json!([{
        "setting": "verify.levels.drop-table", "value": "off", "instead_of": "deny", "taken": true,
    }]);
    assert_eq!(document["lowered"], expected);
    for (format, shown) in [
        ("human", "lowered: verify.levels.drop-table is off, the default is deny\n"),
        ("github", "::warning title=lowered level::verify.levels.drop-table is off, the default is deny\n"),
        ("markdown", "| `verify.levels.drop-table` | `off` | `deny` | in effect |\n"),
        ("sarif", "verify.levels.drop-table is off, the default is deny."),
    ] {
        let output = project.run(&format!("verify --output {format}")).ok();
        assert!(output.stdout.contains(shown), "{output}");
    }
    assert_eq!(lowered(&project.json("template check").1), [("verify.levels.drop-table".to_owned(), true)]);
    let project = Project::with_tenants(&["one"]);
    project.file("tenure.toml", "[audit.levels]\ncross-tenant-dependency = \"off\"\n");
    let (_, audit) = project.json("tenant audit");
    assert_eq!(lowered(&audit), [("audit.levels.cross-tenant-dependency".to_owned(), true)]);
    assert!(project.run("tenant audit").stdout.contains("lowered: audit.levels"));
}

#[test]
fn the_stricter_level_of_base_and_change_is_in_effect() {
    type Case = (Option<&'static str>, &'static str, &'static str, i32, &'static [(&'static str, bool)]);
    let cases: [Case; 6] = [
        (None, OFF, "DROP TABLE users;", 1, &[("verify.levels.drop-table", false)]),
        (Some(""), OFF, "DROP TABLE users;", 1, &[("verify.levels.drop-table", false)]),
        // A stricter level of the base was removed.
        (
            Some("[verify.levels]\nindex-locks-writes = \"deny\"\n"),
            "",
            "CREATE INDEX i ON users (id);",
            1,
            &[("verify.levels.index-locks-writes", false)],
        ),
        // What the base allows stays allowed, and a stricter level of the change counts.
        (Some(OFF), OFF, "DROP TABLE users;", 0, &[("verify.levels.drop-table", true)]),
        (Some(OFF), "", "DROP TABLE users;", 1, &[]),
        (
            Some("[verify]\ncontract = \"allow\"\n"),
            "[verify]\ncontract = \"queries\"\n[audit.levels]\nrole-open = \"off\"\n",
            "-- Scope: platform\nSELECT 1;",
            0,
            &[("audit.levels.role-open", false), ("verify.contract", false)],
        ),
    ];
    for (before, after, sql, code, expected) in cases {
        let project = changed(before, after, sql);
        for from in ["base", "HEAD", "main"] {
            let (seen, document) = project.json(&format!("verify --policy-from {from}"));
            assert_eq!(seen, code, "{before:?} {after:?}: {document}");
            let expected: Vec<_> = expected.iter().map(|(key, taken)| ((*key).to_owned(), *taken)).collect();
            assert_eq!(lowered(&document), expected, "{before:?} {after:?}");
        }
        // The same from a file.
        project.file("base/tenure.toml", before.unwrap_or_default());
        assert_eq!(project.run("verify --policy-from base/tenure.toml").code, code);
        let files = std::fs::read_dir(project.dir.path().join("migrations")).unwrap();
        let newest = files.map(|file| file.unwrap().file_name().into_string().unwrap()).max().unwrap();
        assert_eq!(project.run(&format!("verify --policy-from base migrations/{newest}")).code, code);
    }
    let project = changed(None, OFF, "DROP TABLE users;");
    for (format, shown) in [
        ("human", "lowered: verify.levels.drop-table is off; not taken, since the base has deny\n"),
        ("github", "::verify.levels.drop-table is off; not taken, since the base has deny\n"),
        ("markdown", "| `verify.levels.drop-table` | `off` | `deny` | not taken: the base is stricter |\n"),
        ("sarif", "verify.levels.drop-table is off; not taken, since the base has deny."),
    ] {
        let output = project.run(&format!("verify --policy-from base --output {format}"));
        assert!(output.code == 1 && output.stdout.contains(shown), "{output}");
    }
}

#[test]
fn names_that_decide_what_is_judged_are_those_of_the_base() {
    let project = changed(
        None,
        "[tenants]\nschema_prefix = \"t_\"\nsearch_path = [\"org_other\"]\n",
        "-- Scope: platform\nDELETE FROM org_acme.workspaces WHERE id IS NULL;",
    );
    let (code, document) = project.json("verify --policy-from base");
    assert_eq!(code, 1, "{document}");
    assert!(document["findings"].to_string().contains("names-one-tenant"), "{document}");
    let settings = ["tenants.schema_prefix", "tenants.search_path"].map(|key| (key.to_owned(), false));
    assert_eq!(lowered(&document), settings);
}

#[test]
fn a_change_that_creates_the_project_names_its_schemas() {
    let project = Project::empty();
    let folder = project.dir.path();
    git(folder, &["init", "--quiet"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "-m", "base"]);
    project.file("tenure.toml", format!("{OFF}[platform]\nschema = \"core\"\n"));
    project.migration("0.0.0", "1.0.0", "first", "-- Scope: platform\nCREATE TABLE core.a (id int);");
    let (code, document) = project.json("verify --policy-from HEAD");
    assert_eq!(code, 0, "{document}");
    assert_eq!(lowered(&document), [("verify.levels.drop-table".to_owned(), false)]);
}

#[test]
fn only_a_commit_or_a_settings_file_is_a_base() {
    let project = changed(None, OFF, "-- Scope: platform\nSELECT 1;");
    // A file of the change is not a base by the name of a commit.
    project.file("HEAD^1", OFF);
    for from in ["HEAD^1", "-x", "--output=x", "nobody", ""] {
        let output = project.run_words(["verify", &format!("--policy-from={from}"), "--format", "json"]);
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &document["error"]["code"]), (2, &json!("usage")), "{from}: {output}");
    }
    assert!(!project.dir.path().join("x").exists());
    project.file("wrong.toml", "[verify.levels]\nno-such-rule = \"off\"\n");
    project.expect_error("verify --policy-from wrong.toml", "settings");
    project.expect_error("verify --policy-from missing.toml", "io");
    let outside = Project::seeds();
    outside.expect_error("verify --policy-from HEAD", "usage");
}
