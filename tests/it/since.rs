//! `verify --since`: only what a change adds or edits is judged, in the context of the whole chain.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::policy_from::git;
use crate::support::{Finish as _, Project};

const OLD: &str = "migrations/v1.0.4_to_v1.0.5_old.sql";
const NEW: &str = "migrations/v1.0.5_to_v1.0.6_new.sql";

/// The seeds' project with a denied migration that is applied already, on the branch `base`; HEAD is on another branch.
fn applied() -> Project {
    let project = Project::seeds();
    let folder = project.dir.path();
    project.migration(
        "1.0.4",
        "1.0.5",
        "old",
        "ALTER TABLE users DROP COLUMN email;\nALTER TABLE users DROP COLUMN display_name;",
    );
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "base"]);
    git(folder, &["branch", "base"]);
    git(folder, &["checkout", "--quiet", "-b", "change"]);
    // The target branch goes on.
    git(folder, &["checkout", "--quiet", "base"]);
    project.file("README.md", "more");
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "more"]);
    git(folder, &["checkout", "--quiet", "change"]);
    project
}

fn files(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["file"].as_str().unwrap()).collect()
}

#[test]
fn only_new_and_changed_files_are_judged() {
    let project = applied();
    let folder = project.dir.path();
    assert_eq!(project.run("verify").code, 1);
    let (code, document) = project.json("verify --since base");
    assert_eq!((code, &document["findings"]), (0, &json!([])), "{document}");
    let read = document["summary"]["read"].as_u64().unwrap();
    assert_eq!((&document["summary"]["files"], read > 5), (&json!(0), true), "{document}");
    // Not committed, then staged, then committed: each is new. What the chain before it did is known.
    project.migration("1.0.5", "1.0.6", "new", "ALTER TABLE users ADD COLUMN email text, DROP COLUMN role;");
    for words in [&["status"][..], &["add", "."], &["commit", "--quiet", "-m", "new"]] {
        git(folder, words);
        let (code, document) = project.json("verify --since base");
        assert_eq!((code, files(&document)), (1, vec![NEW]), "{document}");
        assert_eq!(document["findings"][0]["rule"], "drop-column", "{document}");
        assert_eq!(document["summary"]["files"], 1);
        assert_eq!(document["summary"]["read"], read + 1);
    }
    for (format, shown) in [
        ("human", format!("1 file of {} judged, ", read + 1)),
        ("github", format!("1 file of {} judged, ", read + 1)),
        ("markdown", format!("1 file of {} judged", read + 1)),
        ("sarif", "drop-column".to_owned()),
    ] {
        let output = project.run(&format!("verify --since base --output {format}"));
        assert!(output.code == 1 && output.stdout.contains(&shown), "{output}");
        assert!(!output.stdout.contains(OLD), "{output}");
    }
    // An edit of an old file counts, and its Allow lines too.
    let old = std::fs::read_to_string(folder.join(OLD)).unwrap();
    project.file(OLD, format!("{old}-- Allow: drop-view because x\n"));
    let (_, document) = project.json("verify --since base");
    let found = document["findings"].to_string();
    assert!(files(&document).contains(&OLD) && found.contains("allow-unused"), "{document}");
    // A name that git would take for an option, or write to a file.
    for from in ["-x", "--output=x", "nobody", "", "other/main"] {
        let output = project.run_words(["verify", &format!("--since={from}"), "--format", "json"]);
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &document["error"]["code"]), (2, &json!("usage")), "{from}: {output}");
    }
    assert!(!folder.join("x").exists());
    let output = project.run("verify --since other/main");
    assert!(output.stderr.contains("`git fetch other main`"), "{output}");
}

#[test]
fn files_of_templates_reverse_files_and_links_are_found() {
    let project = applied();
    let folder = project.dir.path();
    git(folder, &["tag", "now"]);
    project.file("tenant_templates/default/900_more.sql", "DELETE FROM datalinx_platform.users;");
    let (code, document) = project.json("verify --since now");
    assert_eq!((code, files(&document)), (1, vec!["tenant_templates/default/900_more.sql"; 2]), "{document}");
    project.file(".gitignore", "*.sql\n");
    assert_eq!(project.json("verify --since now").0, 1, "an ignored file is read like others");
    std::fs::remove_file(folder.join("tenant_templates/default/900_more.sql")).unwrap();
    project.file(
        "migrations/v1.0.5_to_v1.0.4_old.sql",
        "-- Migration: v1.0.5 to v1.0.4\n-- Description: back\nDROP TABLE users;\n",
    );
    let (code, document) = project.json("verify --since now");
    assert_eq!((code, &document["summary"]["files"]), (0, &json!(1)), "{document}");
    std::fs::remove_file(folder.join("migrations/v1.0.5_to_v1.0.4_old.sql")).unwrap();
    // Git sees only the link, whatever it leads to.
    std::fs::rename(folder.join("migrations"), folder.join("files")).unwrap();
    std::os::unix::fs::symlink("files", folder.join("migrations")).unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "-m", "link"]);
    assert_eq!(files(&project.json("verify --since HEAD").1), [OLD, OLD]);
}

#[test]
fn a_missing_merge_base_and_a_missing_repository_are_told() {
    let project = applied();
    let clones = tempfile::tempdir().unwrap();
    let url = format!("file://{}", project.dir.path().display());
    git(clones.path(), &["clone", "--quiet", "--depth=1", "--branch=change", &url, "shallow"]);
    let shallow = clones.path().join("shallow");
    git(&shallow, &["fetch", "--quiet", "--depth=1", "origin", "base:refs/remotes/origin/base"]);
    let at = |folder: &Path| format!("-C {} verify --since origin/base", folder.display());
    let output = project.run(&at(&shallow));
    assert!(output.code == 2 && output.stderr.contains("[no-merge-base]"), "{output}");
    assert!(output.stderr.contains("`git fetch --unshallow`"), "{output}");
    git(&shallow, &["fetch", "--quiet", "--unshallow", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
    assert_eq!(project.run(&at(&shallow)).code, 0);
    git(&shallow, &["checkout", "--quiet", "--orphan", "other"]);
    git(&shallow, &["commit", "--quiet", "-m", "other"]);
    let output = project.run(&at(&shallow));
    assert!(output.code == 2 && output.stderr.contains("[no-merge-base]"), "{output}");

    let outside = Project::seeds();
    let output = outside.run("verify --since HEAD");
    assert!(output.code == 2 && output.stderr.contains("git finds no repository here"), "{output}");
    let mut without_git = Command::new(assert_cmd::cargo::cargo_bin!("tenure"));
    without_git.args(["verify", "--since", "HEAD"]).current_dir(project.dir.path()).env("PATH", "/nowhere");
    let output = without_git.finish();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("running git for --since"), "{stderr}");
}

#[test]
fn only_changed_migrations_run_on_a_shadow() {
    let project = applied();
    assert_eq!(project.run("verify --since base --shadow").code, 0);
    let hidden = "-- Scope: platform\nDO $$ BEGIN EXECUTE 'ALTER TABLE users DROP COLUMN role'; END $$;";
    project.migration("1.0.5", "1.0.6", "new", hidden);
    let (code, document) = project.json("verify --since base --shadow");
    assert_eq!((code, files(&document)), (1, vec![NEW, NEW]), "{document}");
    assert_eq!(document["findings"][1]["rule"], "drop-column", "{document}");
    let effects = document["effects"].as_array().unwrap();
    assert!(!effects.is_empty() && effects.iter().all(|effect| effect["file"] == NEW), "{document}");
}
