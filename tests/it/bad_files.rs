//! Files that are wrong: exit 2, a stable code, the place, and nothing written. One row of a table is one
//! way to be wrong; it is told to people and to programs alike.

use insta::assert_snapshot;

use crate::support::{Database, Project};

/// A first migration without fault.
pub const FIRST: (&str, &[u8]) = (
    "migrations/v0.0.0_to_v1.0.0_first.sql",
    b"-- Description: first\nCREATE TABLE datalinx_platform.things (id int, created_at timestamptz, updated_at timestamptz);\n",
);

/// Some files, the code that they get, and the place that is named, as `file`, `file:line:column` or nothing.
pub type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a str, &'a str);

/// Everything that a migration could have made.
fn catalog(db: &Database) -> Vec<String> {
    db.column(
        "SELECT 'schema ' || nspname::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' \
         UNION ALL SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1",
    )
}

/// A project of exactly these files.
pub fn project_of(files: &[(&str, &[u8])]) -> Project {
    let project = Project::empty();
    for (path, text) in files {
        project.file(path, text);
    }
    project
}

/// Every case gets its code, its place and exit 2, in both formats, and leaves the database as it was.
pub fn refused(cases: &[Case<'_>]) {
    let project = Project::empty();
    let before = catalog(&project.db);
    for (files, code, place) in cases {
        for entry in std::fs::read_dir(project.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
        for (path, text) in *files {
            project.file(path, text);
        }
        let names: Vec<_> = files.iter().map(|(name, text)| (name, String::from_utf8_lossy(text))).collect();
        let (exit, document) = project.json("migrate up");
        let error = &document["error"];
        assert_eq!((exit, error["code"].as_str()), (2, Some(*code)), "{names:?} {document}");
        assert_eq!(document.as_object().unwrap().len(), 2, "{document}");
        let mut shown = error["file"].as_str().unwrap_or_default().to_owned();
        if let (Some(line), Some(column)) = (error["line"].as_u64(), error["column"].as_u64()) {
            shown = format!("{shown}:{line}:{column}");
        }
        assert_eq!(shown, *place, "{names:?} {document}");
        let human = project.run("migrate up");
        assert_eq!((human.code, human.stdout.as_str()), (2, ""), "{human}");
        assert!(human.stderr.starts_with(&format!("error[{code}]: ")), "{human}");
        assert!(human.stderr.contains(error["message"].as_str().unwrap()), "{human} {document}");
        if !place.is_empty() {
            assert!(human.stderr.contains(&format!("--> {place}\n")), "{human}");
        }
    }
    assert_eq!(catalog(&project.db), before);
}

/// Two files.
type Pair<'a> = [(&'a str, &'a [u8]); 2];

/// The same, where the place is the second file.
fn refused_as_a_whole(files: &[(Pair<'_>, &str)]) {
    let cases: Vec<_> = files.iter().map(|(files, code)| (files.as_slice(), *code, files[1].0)).collect();
    refused(&cases);
}

const GOOD: &[u8] = b"-- Description: x\nALTER TABLE datalinx_platform.things ADD c int;\n";

#[test]
fn a_folder_without_a_project_is_refused() {
    refused(&[(&[], "no-project", ""), (&[("notes.txt", b"")], "no-project", "")]);
}

#[test]
fn a_project_without_migrations_is_refused() {
    refused(&[
        (&[("tenure.toml", b"")], "no-migrations", ""),
        (&[("migrations/README.md", b"")], "no-migrations", "migrations"),
    ]);
}

#[test]
fn an_invalid_file_name_is_refused() {
    let mut files = Vec::new();
    for name in [
        "v1.0.0_to_v1.0.1.sql",
        "v1.0.0_v1.0.1_x.sql",
        "1.0.0_to_1.0.1_x.sql",
        "v1.0_to_v1.1_x.sql",
        "v01.0.0_to_v1.0.1_x.sql",
        "v1.0.0_to_v1.0.1_x.SQL",
        "V1__x.sql",
        "add column.sql",
    ] {
        let path = format!("migrations/{name}");
        files.push(([FIRST, (path.leak(), GOOD)], "migration-name"));
    }
    refused_as_a_whole(&files);
}

#[test]
fn a_migration_leads_upwards() {
    let mut files = Vec::new();
    for name in ["v1.0.0_to_v1.0.0_x.sql", "v1.2.0_to_v1.1.9_x.sql", "v1.0.0_to_v1.0.0-rc.1_x.sql"] {
        let path = format!("migrations/{name}");
        files.push(([FIRST, (path.leak(), GOOD)], "migration-order"));
    }
    refused_as_a_whole(&files);
}

#[test]
fn a_gap_names_both_its_ends() {
    let late = "migrations/v1.0.1_to_v1.0.2_late.sql";
    refused(&[(&[FIRST, (late, GOOD)], "chain-gap", late)]);
    assert_snapshot!(project_of(&[FIRST, (late, GOOD)]).run("migrate up"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[chain-gap]: the chain has a gap: v1.0.1_to_v1.0.2_late.sql starts from 1.0.1, but v0.0.0_to_v1.0.0_first.sql leads to 1.0.0
    --> migrations/v1.0.1_to_v1.0.2_late.sql
     = help: add the missing migration, or rename the file after the gap
    ");
}

#[test]
fn a_fork_names_both_files() {
    let (a, b) = ("migrations/v1.0.0_to_v1.0.1_a.sql", "migrations/v1.0.0_to_v1.0.2_b.sql");
    refused(&[(&[FIRST, (a, GOOD), (b, GOOD)], "chain-fork", b)]);
    assert_snapshot!(project_of(&[FIRST, (a, GOOD), (b, GOOD)]).run("migrate up"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[chain-fork]: two migrations start from 1.0.0: v1.0.0_to_v1.0.1_a.sql and v1.0.0_to_v1.0.2_b.sql
    --> migrations/v1.0.0_to_v1.0.2_b.sql
     = help: keep one migration per version: rename the newer one to follow the other
    ");
    let same = "migrations/v1.0.0_to_v1.0.1_same.sql";
    refused(&[(&[FIRST, (a, GOOD), (same, GOOD)], "chain-fork", same)]);
    // Two lead to one version, and no two start from one.
    let (c, d) = ("migrations/v1.0.0_to_v1.0.5_f.sql", "migrations/v1.0.3_to_v1.0.5_g.sql");
    refused(&[(&[FIRST, (c, GOOD), (d, GOOD)], "chain-fork", d)]);
    assert_snapshot!(project_of(&[FIRST, (c, GOOD), (d, GOOD)]).run("migrate up"), @"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[chain-fork]: two migrations lead to 1.0.5: v1.0.0_to_v1.0.5_f.sql and v1.0.3_to_v1.0.5_g.sql
    --> migrations/v1.0.3_to_v1.0.5_g.sql
     = help: keep one migration per version: rename the newer one to follow the other
    ");
}

#[test]
fn a_header_agrees_with_the_name_and_says_what_the_file_does() {
    let file = "migrations/v1.0.0_to_v1.0.1_x.sql";
    let sql = "ALTER TABLE datalinx_platform.things ADD c int;\n";
    let headers = [
        ("-- a note\n-- Migration: v1.0.0 to v1.0.2\n-- Description: x\n", "header-mismatch", ":2:1"),
        ("-- Migration: v1.0.0\n-- Description: x\n", "header-invalid", ":1:1"),
        ("-- Migration: v1.0.0 to two\n-- Description: x\n", "header-invalid", ":1:1"),
        ("-- Migration: v1.0.0 to v1.0.1\n", "header-missing", ""),
        ("-- Description:\n", "header-missing", ""),
        ("-- Description: x\n-- Scope: world\n", "header-invalid", ":2:1"),
        ("", "header-missing", ""),
    ];
    let files = headers.map(|(header, code, at)| {
        let text = format!("{header}{sql}").leak();
        ([FIRST, (file, text.as_bytes())], code, format!("{file}{at}"))
    });
    let cases: Vec<_> =
        files.iter().map(|(files, code, place)| (files.as_slice(), *code, place.as_str())).collect();
    refused(&cases);
    let late = format!("{sql}-- Description: below the first statement\n");
    refused(&[(&[FIRST, (file, late.as_bytes())], "header-missing", file)]);
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_where_they_stand() {
    let file = "migrations/v1.0.0_to_v1.0.1_x.sql";
    let latin = b"-- Description: x\nCOMMENT ON TABLE datalinx_platform.things IS 'gr\xFC\xDFe';\n";
    refused(&[
        (&[FIRST, (file, latin)], "not-utf8", &format!("{file}:2:49")),
        // UTF-16 with its mark, as some editors save it.
        (&[FIRST, (file, b"\xFF\xFE-\0-\0")], "not-utf8", &format!("{file}:1:1")),
    ]);
}

#[test]
fn a_file_without_a_statement_is_refused() {
    let file = "migrations/v1.0.0_to_v1.0.1_x.sql";
    let texts = ["", "\n\n", "BEGIN;\nCOMMIT;\n", ";;\n"];
    refused_as_a_whole(&texts.map(|text: &str| ([FIRST, (file, text.as_bytes())], "migration-empty")));
    refused_as_a_whole(&[([FIRST, (file, b"/* Description: x */")], "header-missing")]);
}

#[test]
fn a_file_of_comments_moves_the_version_with_a_note() {
    for text in ["-- Description: x\n-- Migration: nothing else\n", "-- Description: x\nBEGIN;\nCOMMIT;\n"] {
        let project = project_of(&[FIRST, ("migrations/v1.0.0_to_v1.0.1_x.sql", text.as_bytes())]);
        let output = project.run("verify").ok();
        let is_empty = !text.contains("BEGIN");
        assert_eq!(
            output.stderr.contains("v1.0.0_to_v1.0.1_x.sql contains no statement"),
            is_empty,
            "{output}"
        );
        assert_eq!(project.run("migrate up").ok().code, 0);
        assert_eq!(project.json("status").1["platform"]["version"], "1.0.1");
    }
}

#[test]
fn a_migration_that_is_no_regular_file_is_refused() {
    let name = "v1.0.0_to_v1.0.1_x.sql";
    let project = project_of(&[FIRST]);
    let path = project.dir.path().join("migrations").join(name);
    let refused = |what: &str| {
        let (exit, document) = project.json("migrate up");
        assert_eq!((exit, document["error"]["code"].as_str()), (2, Some("io")), "{what}: {document}");
        assert!(document["error"]["message"].as_str().unwrap().contains(name), "{what}: {document}");
    };
    std::fs::create_dir(&path).unwrap();
    refused("a folder");
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("nowhere.sql", &path).unwrap();
    refused("a link that leads nowhere");
    std::fs::write(project.dir.path().join("there.txt"), GOOD).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("../there.txt", &path).unwrap();
    assert!(project.run("migrate up").ok().stdout.starts_with("done: the platform went from 0.0.0 to 1.0.1"));
}

#[test]
fn too_large_files_are_refused() {
    let file = "migrations/v1.0.0_to_v1.0.1_x.sql";
    let head = "-- Description: x\nALTER TABLE datalinx_platform.things ADD c int;\n-- ";
    let of = |bytes: usize| format!("{head}{}\n", "x".repeat(bytes - head.len() - 1)).into_bytes();
    let (most, more, many) = (of(16 << 20), of((16 << 20) + 1), of(17 << 20));
    refused(&[
        (&[FIRST, (file, &more)], "file-too-large", file),
        (&[FIRST, (file, &many)], "file-too-large", file),
        (&[FIRST, ("tenure.toml", &more)], "file-too-large", "tenure.toml"),
        (
            &[FIRST, ("tenant_templates/default/a.sql", &many)],
            "file-too-large",
            "tenant_templates/default/a.sql",
        ),
    ]);
    assert!(
        project_of(&[FIRST, (file, &most)]).run("verify").ok().stdout.starts_with("2 files, 2 statements")
    );
}

/// Runs the program within a limit: a pipe must not be waited for.
#[test]
fn pipes_and_folders_are_refused_without_waiting() {
    let project = project_of(&[FIRST]);
    let path = |name: &str| project.dir.path().join(name);
    std::fs::create_dir(path("folder.sql")).unwrap();
    std::os::unix::fs::symlink("loop.sql", path("loop.sql")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path("pipe.sql")).status().unwrap();
    assert!(made.success());
    project.file("closed.sql", "SELECT 1;");
    let nobody = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(path("closed.sql"), nobody).unwrap();
    // Root reads all the same.
    let closed = std::fs::read(path("closed.sql")).is_err();
    let names = ["folder.sql", "loop.sql", "pipe.sql", "missing.sql"];
    for name in names.into_iter().chain(closed.then_some("closed.sql")) {
        let mut command = project.command(["verify", name, "--format", "json"]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let waited = (0..200).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            child.try_wait().unwrap()
        });
        let Some(status) = waited else {
            child.kill().unwrap();
            panic!("{name} is waited for");
        };
        let document: serde_json::Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
        assert_eq!((status.code(), document["error"]["code"].as_str()), (Some(2), Some("io")), "{name}");
        assert!(document["error"]["message"].as_str().unwrap().contains(name), "{document}");
    }
    // The same in the place of a migration.
    std::fs::rename(path("pipe.sql"), path("migrations/v1.0.0_to_v1.0.1_x.sql")).unwrap();
    std::fs::rename(path("loop.sql"), path("migrations/v1.0.1_to_v1.0.2_x.sql")).unwrap();
    let (code, document) = project.json("verify");
    let codes: Vec<_> =
        document["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
    assert_eq!((code, codes), (2, vec!["io", "io"]), "{document}");
}

#[test]
fn a_template_says_its_version_once() {
    let (a, b) = ("tenant_templates/default/a.sql", "tenant_templates/default/b.sql");
    let table: &[u8] = b"CREATE TABLE {org_schema}.t (id int);\n";
    let at = |version: &str| {
        format!("-- Template: {version}\nCREATE TABLE {{org_schema}}.t (id int);\n").into_bytes()
    };
    let (known, unknown, none) = (at("v1.0.0"), at("v7.0.0"), at("newest"));
    refused(&[
        (&[FIRST, (a, table)], "header-missing", "tenant_templates/default"),
        (&[FIRST, (a, &known), (b, &known)], "header-invalid", &format!("{b}:1:1")),
        (
            &[FIRST, (a, b"-- Template: v1.0.0\n-- Template: v1.0.0\nSELECT 1;")],
            "header-invalid",
            &format!("{a}:2:1"),
        ),
        (&[FIRST, (a, &unknown)], "template-invalid", a),
        (&[FIRST, (a, &none)], "header-invalid", &format!("{a}:1:1")),
        (&[FIRST, (a, b"-- Template: v1.0.0\n")], "template-invalid", "tenant_templates/default"),
        (
            &[FIRST, ("tenant_templates/default/notes.txt", b"")],
            "template-invalid",
            "tenant_templates/default",
        ),
        (&[FIRST, (a, b"-- Template: v1.0.0\nCREATE TABLE t (id int;\n")], "syntax", &format!("{a}:2:23")),
        (
            &[FIRST, (a, b"-- Template: v1.0.0\nSELECT 1;\nROLLBACK;\n")],
            "transaction-control",
            &format!("{a}:3:1"),
        ),
        (
            &[FIRST, (a, b"-- Template: v1.0.0\nCREATE INDEX CONCURRENTLY i ON t (id);\n")],
            "template-invalid",
            &format!("{a}:2:1"),
        ),
    ]);
}

#[test]
fn settings_that_cannot_be_used_are_refused_where_they_stand() {
    refused(&[
        (&[FIRST, ("tenure.toml", b"[migrate]\nlock_timout = '5s'\n")], "settings", "tenure.toml:2:1"),
        (&[FIRST, ("tenure.toml", b"[migrate]\nlock_timeout = 'soon'\n")], "settings", "tenure.toml:2:16"),
        (&[FIRST, ("tenure.toml", b"[platform\n")], "settings", "tenure.toml:1:10"),
        (
            &[FIRST, ("tenure.toml", b"[verify.levels]\nno-such-rule = 'off'\n")],
            "settings",
            "tenure.toml:2:16",
        ),
        (&[FIRST, ("tenure.toml", b"\xFF")], "not-utf8", "tenure.toml:1:1"),
    ]);
}

#[test]
fn a_mark_at_the_start_and_windows_line_ends_are_accepted() {
    let file = "migrations/v1.0.0_to_v1.0.1_x.sql";
    let good = "\u{feff}-- Migration: v1.0.0 to v1.0.1\r\n-- Description: x\r\nBEGIN;\r\n\
                ALTER TABLE datalinx_platform.things\r\n  ADD c int;\r\nCOMMIT;\r\n";
    let project = project_of(&[FIRST, (file, good.as_bytes())]);
    let done = project.run("migrate up").ok();
    assert!(done.stdout.starts_with("done: the platform went from 0.0.0 to 1.0.1"), "{done}");
    assert_eq!(project.db.value("SELECT description FROM (SELECT count(*)::text AS description FROM pg_attribute WHERE attrelid = 'datalinx_platform.things'::regclass AND attname = 'c') c"), "1");
    // The same text with the other line ends is the same file.
    project.file(file, good.trim_start_matches('\u{feff}').replace("\r\n", "\n"));
    assert!(project.run("migrate up").ok().stdout.starts_with("nothing to do"));

    let wrong = good.replace("ADD c int;", "ADD c int int;");
    refused(&[(&[FIRST, (file, wrong.as_bytes())], "syntax", &format!("{file}:5:13"))]);
}
