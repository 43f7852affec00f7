//! The JSON of the command line is a contract: these keys, these types, and exactly one document on
//! stdout, also when it fails. A key may be added; one that goes or changes its type breaks somebody.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::{Map, Value};

use crate::support::{Project, check_document, is_valid_document};

/// Keys that a document may leave out.
const OPTIONAL: &[&str] = &["list", "failures"];

/// The document with types in place of values; of a list, its first.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(list) => list.iter().take(1).map(shape).collect(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| (key.clone(), shape(value))).collect::<Map<_, _>>().into()
        }
    }
}

/// The exit code, what is in the words of the contract itself, and the shape, a key a line.
fn shown(project: &Project, line: &str) -> String {
    let output = project.run_words(line.split_whitespace().chain(["--format", "json"]));
    assert_eq!(output.stdout.lines().count(), 1, "one document, on one line: {output}");
    assert_eq!(output.stderr, "", "programs read stdout: {output}");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    check_document(line.split_whitespace(), &document);
    let word = document["error"].get("code").or_else(|| document.get("outcome"));
    let word = word.map(|word| format!(" {word}")).unwrap_or_default();
    let mut text = format!("exit {}{word}\n", output.code);
    for (key, value) in shape(&document).as_object().unwrap() {
        writeln!(text, "{key}: {value}").unwrap();
    }
    text
}

fn migrated() -> Project {
    let project = Project::seeds();
    assert!(project.run("migrate up").ok().stdout.starts_with("done"));
    project
}

fn with_tenants() -> Project {
    let project = migrated();
    for slug in ["acme_corp", "globex"] {
        assert!(project.run(&format!("tenant create {slug}")).ok().stdout.starts_with("created"));
    }
    project
}

#[test]
fn migrate_up() {
    let project = Project::seeds();
    assert_snapshot!(shown(&project, "migrate up --plan"), @r#"
    exit 0 "done"
    outcome: "string"
    steps: [{"migration":"string","from":"string","to":"string","platform":"boolean","tenants":"number","transactional":"boolean"}]
    "#);
    assert_snapshot!(shown(&project, "migrate up"), @r#"
    exit 0 "done"
    outcome: "string"
    run: "string"
    platform: {"from":"string","to":"string"}
    tenants: {"total":"number","migrated":"number","unchanged":"number","failed":"number"}
    units: "number"
    duration_ms: "number"
    failures: []
    "#);
    assert_snapshot!(shown(&project, "migrate up"), @r#"
    exit 0 "nothing"
    outcome: "string"
    platform: {"from":"string","to":"string"}
    tenants: {"total":"number","migrated":"number","unchanged":"number","failed":"number"}
    units: "number"
    duration_ms: "number"
    failures: []
    "#);
    assert_snapshot!(shown(&project, "migrate up --plan"), @r#"
    exit 0 "done"
    outcome: "string"
    steps: []
    "#);
}

#[test]
fn migrate_up_that_fails_before_anything_moved() {
    let project = migrated();
    project.migration("1.0.4", "1.0.5", "no_such_table", "ALTER TABLE datalinx_platform.nobody ADD c int;");
    assert_snapshot!(shown(&project, "migrate up"), @r#"
    exit 1 "failed"
    outcome: "string"
    run: "string"
    platform: {"from":"string","to":"string"}
    tenants: {"total":"number","migrated":"number","unchanged":"number","failed":"number","left":"number"}
    units: "number"
    duration_ms: "number"
    failures: [{"schema":"string","migration":"string","code":"string","sqlstate":"string","message":"string","retryable":"boolean","line":"number","column":"number","attempts":"number"}]
    "#);
}

#[test]
fn migrate_up_that_does_part_of_the_fleet() {
    let project = with_tenants();
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    project.db.run("ALTER TABLE org_globex.workspaces ADD COLUMN more int");
    assert_snapshot!(shown(&project, "migrate up"), @r#"
    exit 4 "partial"
    outcome: "string"
    run: "string"
    platform: {"from":"string","to":"string"}
    tenants: {"total":"number","migrated":"number","unchanged":"number","failed":"number","left":"number"}
    units: "number"
    duration_ms: "number"
    failures: [{"schema":"string","migration":"string","code":"string","sqlstate":"string","message":"string","retryable":"boolean","line":"number","column":"number","attempts":"number"}]
    "#);
    assert_snapshot!(shown(&project, "status --tenants --check"), @r#"
    exit 1 "done"
    outcome: "string"
    platform: {"schema":"string","version":"string","latest":"string","pending":["string"],"drift":{"state":"string"}}
    tenants: {"total":"number","current":"number","behind":"number","ahead":"number","unknown":"number","versions":{"1.0.4":"number","1.0.5":"number"}}
    list: [{"slug":"string","schema":"string","version":"string","status":"string"}]
    failures: [{"schema":"string","migration":"string","line":"number","code":"string","sqlstate":"string","message":"string","attempts":"number","run":"string","failed_at":"string","failed_by":"string"}]
    "#);
}

#[test]
fn status() {
    let project = Project::seeds();
    assert_snapshot!(shown(&project, "status"), @r#"
    exit 0 "done"
    outcome: "string"
    platform: {"schema":"string","version":"string","latest":"string","pending":["string"]}
    tenants: {"total":"number","current":"number","behind":"number","ahead":"number","unknown":"number","versions":{}}
    "#);
    assert_eq!(project.json("status --check").0, 1);
    let project = with_tenants();
    assert_snapshot!(shown(&project, "status"), @r#"
    exit 0 "done"
    outcome: "string"
    platform: {"schema":"string","version":"string","latest":"string","pending":[]}
    tenants: {"total":"number","current":"number","behind":"number","ahead":"number","unknown":"number","versions":{"1.0.4":"number"}}
    "#);
    assert_snapshot!(shown(&project, "status --tenants"), @r#"
    exit 0 "done"
    outcome: "string"
    platform: {"schema":"string","version":"string","latest":"string","pending":[]}
    tenants: {"total":"number","current":"number","behind":"number","ahead":"number","unknown":"number","versions":{"1.0.4":"number"}}
    list: [{"slug":"string","schema":"string","version":"string","status":"string"}]
    "#);
    assert_eq!(project.json("status --check").0, 0);
    project.migration("1.0.4", "1.0.5", "more", "ALTER TABLE workspaces ADD COLUMN more int;");
    assert_eq!((project.json("status").0, project.json("status --check").0), (0, 1));
}

#[test]
fn tenants() {
    let project = migrated();
    assert_snapshot!(shown(&project, "tenant create acme_corp"), @r#"
    exit 0 "done"
    outcome: "string"
    created: [{"id":"string","slug":"string","schema":"string","version":"string"}]
    existing: []
    failures: []
    "#);
    assert_snapshot!(shown(&project, "tenant create acme_corp --if-not-exists"), @r#"
    exit 0 "nothing"
    outcome: "string"
    created: []
    existing: [{"id":"string","slug":"string","schema":"string","version":"string"}]
    failures: []
    "#);
    assert_snapshot!(shown(&project, "tenant create acme_corp"), @r#"
    exit 1 "tenant-exists"
    outcome: "string"
    error: {"code":"string","message":"string","retryable":"boolean","hint":"string"}
    created: []
    existing: []
    failures: [{"slug":"string","code":"string","message":"string"}]
    "#);
    assert_snapshot!(shown(&project, "tenant list"), @r#"
    exit 0 "done"
    outcome: "string"
    tenants: [{"id":"string","slug":"string","name":"string","schema":"string","version":"string","template":"string","status":"string","created_at":"string"}]
    "#);
    assert_snapshot!(shown(&project, "tenant show acme_corp"), @r#"
    exit 0 "done"
    outcome: "string"
    id: "string"
    slug: "string"
    name: "string"
    schema: "string"
    version: "string"
    template: "string"
    status: "string"
    created_at: "string"
    size_bytes: "number"
    tables: [{"name":"string","rows":"null","bytes":"number"}]
    counted: "boolean"
    role: "null"
    history: [{"run_id":"string","schema":"string","from":"string","to":"string","name":"string","kind":"string","checksum":"string","applied_at":"string","applied_by":"string","duration_ms":"number","tool_version":"string","allowed":[]}]
    "#);
    let (_, list) = project.json("tenant list");
    let (_, status) = project.json("status --tenants");
    let tenant = &list["tenants"][0];
    for key in ["slug", "schema", "version", "status"] {
        assert_eq!(tenant[key], status["list"][0][key], "{key}");
    }
}

#[test]
fn verify_and_history() {
    let project = migrated();
    assert_snapshot!(shown(&project, "migrate history"), @r#"
    exit 0 "done"
    outcome: "string"
    history: [{"run_id":"string","schema":"string","from":"string","to":"string","name":"string","kind":"string","checksum":"string","applied_at":"string","applied_by":"string","duration_ms":"number","tool_version":"string","allowed":[]}]
    migrations: [{"migration":"string","from":"string","to":"string","scope":"string","units":"number","p50_ms":"number","p90_ms":"number","p99_ms":"number","max_ms":"number"}]
    "#);
    project.migration("1.0.4", "1.0.5", "bad", "ALTER TABLE users DROP COLUMN email;");
    assert_snapshot!(shown(&project, "verify"), @r#"
    exit 1 "failed"
    outcome: "string"
    findings: [{"rule":"string","level":"string","file":"string","line":"number","column":"number","end_line":"number","end_column":"number","scope":"string","evidence":"string","message":"string","help":"string","allow_line":"string","allowed":"boolean"}]
    summary: {"files":"number","statements":"number","deny":"number","warn":"number","allowed":"number"}
    "#);
    assert_snapshot!(shown(&project, "verify migrations/v1.0.4_to_v1.0.5_bad.sql"), @r#"
    exit 1 "failed"
    outcome: "string"
    findings: [{"rule":"string","level":"string","file":"string","line":"number","column":"number","end_line":"number","end_column":"number","scope":"string","evidence":"string","message":"string","help":"string","allow_line":"string","allowed":"boolean"}]
    summary: {"files":"number","statements":"number","deny":"number","warn":"number","allowed":"number"}
    "#);
    assert_snapshot!(shown(&project, "migrate up"), @r#"
    exit 1 "finding-denied"
    outcome: "string"
    error: {"code":"string","message":"string","retryable":"boolean","hint":"string","file":"string","line":"number","column":"number"}
    findings: [{"rule":"string","level":"string","file":"string","line":"number","column":"number","end_line":"number","end_column":"number","scope":"string","evidence":"string","message":"string","help":"string","allow_line":"string","allowed":"boolean"}]
    "#);
}

#[test]
fn errors() {
    let project = migrated();
    assert_snapshot!(shown(&project, "tenant show nobody"), @r#"
    exit 1 "tenant-unknown"
    outcome: "string"
    error: {"code":"string","message":"string","retryable":"boolean","hint":"string"}
    "#);
    project.migration("1.0.4", "1.0.5", "odd", "ALTER TABEL users ADD c int;");
    assert_snapshot!(shown(&project, "migrate up"), @r#"
    exit 2 "syntax"
    outcome: "string"
    error: {"code":"string","message":"string","retryable":"boolean","file":"string","line":"number","column":"number"}
    "#);
    project.migration("1.0.4", "1.0.5", "odd", "SELECT 1;");
    assert_snapshot!(shown(&project, "status"), @r#"
    exit 2 "scope-unclear"
    outcome: "string"
    error: {"code":"string","message":"string","retryable":"boolean","hint":"string","file":"string","line":"number","column":"number"}
    "#);
}

#[test]
fn a_wrong_command_line_is_one_document_too() {
    let project = Project::seeds();
    for line in [
        "migrate",
        "migrate upp",
        "migrate up --tenants",
        "migrate up --to newest",
        "migrate up --lock-timeout soon",
        "migrate up --tenant a --platform-only",
        "migrate baseline",
        "status everything",
        "tenant create",
        "tenant create a --from b.csv",
        "status -q -v",
        "status --color sometimes",
        "completions ksh",
    ] {
        for output in [
            project.run(&format!("{line} --format json")),
            project.run(&format!("{line} --format=json")),
            project.run(&format!("--format json {line}")),
            project.run_env(&[("TENURE_FORMAT", "json")], line),
        ] {
            assert_eq!((output.code, output.stderr.as_str()), (2, ""), "{line}: {output}");
            let document: Value = serde_json::from_str(&output.stdout).unwrap();
            assert_eq!(document["error"]["code"], "usage", "{line}: {document}");
            let message = document["error"]["message"].as_str().unwrap();
            assert!(
                !message.is_empty() && !message.contains("Migrations and provisioning"),
                "{line}: {message}"
            );
            // What comes after is of use: it names what is missing or wrong.
            assert!(!message.trim_end().ends_with(':'), "{line}: {message}");
        }
        let human = project.run(line);
        assert_eq!((human.code, human.stdout.as_str()), (2, ""), "{line}: {human}");
        assert!(
            human.stderr.contains("Usage: tenure") || human.stderr.contains("try '--help'"),
            "{line}: {human}"
        );
    }
}

#[test]
fn wait_runs_and_diagram() {
    let project = with_tenants();
    assert_snapshot!(shown(&project, "wait --version 1.0.4"), @r#"
    exit 0 "done"
    outcome: "string"
    version: "string"
    reached: "boolean"
    platform: {"schema":"string","version":"string","reached":"boolean"}
    tenants: {"total":"number","reached":"number","missing":"number","versions":{}}
    missing: []
    waited_ms: "number"
    "#);
    assert_snapshot!(shown(&project, "wait --version 1.0.4 --tenant nobody --timeout 0s"), @r#"
    exit 1 "wait-timeout"
    outcome: "string"
    error: {"code":"string","message":"string","retryable":"boolean","hint":"string"}
    version: "string"
    reached: "boolean"
    tenants: {"total":"number","reached":"number","missing":"number","versions":{}}
    missing: [{"slug":"string","version":"null"}]
    waited_ms: "number"
    "#);
    assert_snapshot!(shown(&project, "run list"), @r#"
    exit 0 "done"
    outcome: "string"
    runs: [{"id":"string","command":"string","outcome":"string","started_at":"string","finished_at":"string","duration_ms":"number","started_by":"string","tool_version":"string","units":"number","failed":"number"}]
    "#);
    assert_snapshot!(shown(&project, "diagram"), @r#"
    exit 0 "done"
    outcome: "string"
    output: "string"
    clusters: [{"kind":"string","name":"string","tables":[{"name":"string","columns":[{"name":"string","type":"string","not_null":"boolean","primary":"boolean","keys":["string"]}]}]}]
    references: [{"from":["number"],"columns":["string"],"to":["number"],"optional":"boolean","one_to_one":"boolean"}]
    text: "string"
    "#);
    assert_snapshot!(shown(&project, "report --html report.html"), @r#"
    exit 0 "done"
    outcome: "string"
    file: "string"
    tenants: "number"
    bytes: "number"
    "#);
}

/// The checks of all tests depend on it.
#[test]
fn a_document_with_an_unknown_or_a_missing_key_is_none_of_its_schema() {
    let project = with_tenants();
    for line in ["status --tenants", "tenant list", "tenant show globex", "migrate up --plan", "run list"] {
        let words: Vec<&str> = line.split(' ').collect();
        let (_, document) = project.json(line);
        assert!(is_valid_document(&words, &document), "{line}");
        let keys: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
        for key in keys {
            let mut less = document.clone();
            less.as_object_mut().unwrap().remove(&key);
            assert_eq!(is_valid_document(&words, &less), OPTIONAL.contains(&key.as_str()), "{line}: {key}");
            let mut other = document.clone();
            other[&key] = serde_json::json!([["no"]]);
            assert!(!is_valid_document(&words, &other), "{line}: {key}");
        }
        let mut more = document.clone();
        more["one_more"] = true.into();
        assert!(!is_valid_document(&words, &more), "{line}");
    }
}
