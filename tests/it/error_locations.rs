//! A refusal points to what is wrong, and its advice is about that.

use serde_json::{Value, json};

use crate::support::Project;

const FIRST: &str = "CREATE TABLE datalinx_platform.a (id int);";

fn error(project: &Project, line: &str) -> (i32, Value) {
    let (exit, mut document) = project.json(line);
    (exit, document["error"].take())
}

#[test]
fn transaction_control_is_shown_where_it_stands() {
    for (sql, message, line) in [
        ("BEGIN;\nSELECT 1;\nCOMMIT;\nROLLBACK;", "ROLLBACK ", 6),
        ("BEGIN;\nSELECT 1;\nROLLBACK;", "ROLLBACK ", 5),
        ("BEGIN;\nSELECT 1;\nCOMMIT;\nSELECT 2;", "COMMIT ", 5),
        ("BEGIN;\nSELECT 1;\nSELECT 2;", "the file opens a transaction that it does not close", 3),
    ] {
        let project = Project::empty();
        project.migration("0.0.0", "1.0.0", "odd", sql);
        let (exit, error) = error(&project, "verify");
        assert_eq!((exit, &error["code"]), (2, &json!("transaction-control")), "{sql}: {error}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{sql}: {error}");
        assert_eq!(error["line"], line, "{sql}: {error}");
    }
}

#[test]
fn a_description_that_says_nothing_is_shown() {
    let project = Project::empty();
    project.file("migrations/v0.0.0_to_v1.0.0_a.sql", format!("-- Description: A\n{FIRST}\n"));
    let (_, document) = project.json("verify");
    let all = document["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["rule"] == "missing-description").unwrap();
    assert_eq!(found["message"], "`-- Description: A` does not say what the migration is for");
}

#[test]
fn an_unknown_schema_hint_asks_whether_it_is_the_platform() {
    let project = Project::empty();
    project.file("tenure.toml", "[platform]\nschema = \"core\"\n");
    project.migration("0.0.0", "1.0.0", "first", "ALTER TABLE datalinx_platform.users ADD c int;");
    let (exit, error) = error(&project, "verify");
    assert_eq!((exit, &error["code"]), (2, &json!("scope-unclear")), "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("[platform] schema") && hint.contains("tenure.toml"), "{hint}");
    assert!(error["message"].as_str().unwrap().contains("datalinx_platform"), "{error}");
}

#[test]
fn the_private_server_can_be_stopped_whatever_the_settings_say() {
    let project = Project::empty();
    project.migration("0.0.0", "1.0.0", "first", FIRST);
    let url = project.run("dev start --format json").ok().stdout;
    project.file("tenure.toml", "[platform\n");
    assert_eq!(project.run("status").code, 2);
    let shown = project.json("dev url").1;
    assert!(url.contains(shown["url"].as_str().unwrap()), "{url} {shown}");
    assert_eq!(
        project.json("dev stop"),
        (0, json!({ "outcome": "done", "running": false, "stopped": true }))
    );
    project.run("dev reset --yes").passes();
}

#[test]
fn an_unreadable_file_is_named_in_json() {
    let project = Project::with_tenants(&[]);
    for (line, file) in [
        ("verify nofile.sql", "nofile.sql"),
        ("verify migrations", "migrations"),
        ("tenant create --from nofile.csv", "nofile.csv"),
        ("tenant import nofile", "nofile"),
        ("verify --queries nofile --shadow", "nofile"),
        ("migrate up --events nofolder/events", "nofolder/events"),
        ("tenant export a --to nofolder/a", "nofolder/a"),
    ] {
        if line.contains("export") {
            project.create(&["a"]);
        }
        let (exit, error) = error(&project, line);
        assert_eq!((exit, &error["code"]), (2, &json!("io")), "{line}: {error}");
        assert_eq!(error["file"], file, "{line}: {error}");
    }
}

#[test]
fn a_setting_for_an_unknown_rule_is_shown_in_place() {
    let project = Project::empty();
    project.migration("0.0.0", "1.0.0", "first", FIRST);
    for (wrong, line) in
        [("drop-colum = \"off\"", 3), ("drop-table = \"of\"", 3), ("unverifiable = \"off\"", 3)]
    {
        project.file("tenure.toml", format!("[verify.levels]\ndrop-view = \"warn\"\n{wrong}\n"));
        let (exit, error) = error(&project, "verify");
        assert_eq!((exit, &error["code"]), (2, &json!("settings")), "{wrong}: {error}");
        assert_eq!([&error["file"], &error["line"]], [&json!("tenure.toml"), &json!(line)], "{wrong}");
    }
    project.file("tenure.toml", "[verify.levels]\ndrop-view = \"warn\"\n");
    project.run("verify").passes();
}

#[test]
fn a_base_is_for_files_outside_of_the_migrations() {
    let project = Project::empty();
    project.migration("0.0.0", "1.0.0", "first", FIRST);
    project.file("base.sql", "CREATE TABLE t (id int);").file("loose.sql", "SELECT 1;");
    let inside = "migrations/v0.0.0_to_v1.0.0_first.sql";
    for line in
        [format!("verify {inside} --base base.sql"), format!("verify {inside} loose.sql --base base.sql")]
    {
        let (exit, error) = error(&project, &line);
        assert_eq!((exit, &error["code"]), (2, &json!("usage")), "{line}: {error}");
        assert!(error["message"].as_str().unwrap().contains("--base"), "{line}: {error}");
    }
    project.run("verify loose.sql --base base.sql").passes();
    project.run(&format!("verify {inside}")).passes();
}

#[test]
fn unjudged_statements_are_counted() {
    let project = Project::seeds();
    project.migration("1.0.4", "1.0.5", "odd", "ALTER TABEL users ADD c int;");
    let output = project.run("verify");
    assert_eq!(output.code, 2, "{output}");
    let last = output.stdout.lines().last().unwrap().to_owned();
    assert!(last.ends_with("nothing found; 1 error, so not all could be judged"), "{output}");
    project.remove("migrations/v1.0.4_to_v1.0.5_odd.sql");
    let output = project.run("verify").ok();
    assert!(output.stdout.ends_with("nothing found\n"), "{output}");
}

#[test]
fn an_error_in_code_is_shown_at_its_line() {
    let function = "CREATE FUNCTION datalinx_platform.half(n int) RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n\n  RETURN 1 / (n - n);\nEND $$;";
    for (sql, at, said) in [
        ("DO $$\nBEGIN\n  PERFORM 1;\n  EXECUTE 'SELECT nope';\nEND $$;", 7, vec!["in line 4 of the block"]),
        (
            "DO $body$ BEGIN\n  IF true THEN\n    RAISE EXCEPTION 'no';\n  END IF;\nEND $body$;",
            6,
            vec!["no", "in line 3 of the block"],
        ),
        ("DO '\nBEGIN PERFORM 1;\n\n  DROP TABLE gone; END';", 7, vec!["in line 4 of the block"]),
        (
            &format!("{function}\nDO $$ BEGIN\n  PERFORM datalinx_platform.half(4);\nEND $$;"),
            10,
            vec!["in line 4 of half(integer), in line 2 of the block"],
        ),
        (&format!("{function}\nSELECT datalinx_platform.half(4);"), 9, vec!["in line 4 of half(integer)"]),
    ] {
        let project = Project::empty();
        project.without_rules();
        project.migration("0.0.0", "1.0.0", "first", &format!("-- Scope: platform\n{sql}"));
        let (exit, document) = project.json("migrate up");
        let failure = &document["failures"][0];
        let message = failure["message"].as_str().unwrap_or_default();
        assert_eq!((exit, &failure["line"]), (1, &json!(at)), "{sql}: {document:#}");
        assert!(said.iter().all(|part| message.contains(part)), "{sql}: {message}");
    }
}
