//! What `verify` says, in each of its outputs: the rules, one finding, all that is wrong with a project in
//! one run, and nothing at all. The verdicts themselves are `src/verify`'s.

use insta::assert_snapshot;
use serde_json::Value;
use tenure::error::Code;
use tenure::verify::{RULES, Tool};

use crate::bad_files::{FIRST, project_of};
use crate::support::{Finish as _, Output, Project};

/// Several files, each wrong in its own way, and one that is denied.
fn broken() -> Project {
    project_of(&[
        FIRST,
        ("migrations/v1.0.0_to_v1.0.1_no_header.sql", b"ALTER TABLE datalinx_platform.things ADD c int;\n"),
        (
            "migrations/v1.0.1_to_v1.0.2_syntax.sql",
            b"-- Description: x\nCREATE TABLE datalinx_platform.late (id int;\n",
        ),
        // The first follows from the file above and is left out; the second does not.
        (
            "migrations/v1.0.2_to_v1.0.3_unclear.sql",
            b"-- Description: x\nALTER TABLE late ADD c int;\nALTER TABLE nobodys ADD c int;\nALTER TABLE no_ones ADD c int;\n",
        ),
        ("migrations/v1.0.5_to_v1.0.6_late.sql", b"-- Description: x\nALTER TABLE things DROP COLUMN id;\n"),
        ("migrations/notes.sql", b""),
        ("tenant_templates/default/a.sql", b"-- Template: v1.0.0\nSELECT 1;\nROLLBACK;\n"),
    ])
}

/// The codes and the places that [`broken`] is to be told of, in that order.
const BROKEN: [(&str, &str); 7] = [
    ("transaction-control", "tenant_templates/default/a.sql:3"),
    ("migration-name", "migrations/notes.sql"),
    ("chain-gap", "migrations/v1.0.5_to_v1.0.6_late.sql"),
    ("header-missing", "migrations/v1.0.0_to_v1.0.1_no_header.sql"),
    ("syntax", "migrations/v1.0.1_to_v1.0.2_syntax.sql:2"),
    ("scope-unclear", "migrations/v1.0.2_to_v1.0.3_unclear.sql:3"),
    ("scope-unclear", "migrations/v1.0.2_to_v1.0.3_unclear.sql:4"),
];

fn place(file: &Value, line: &Value) -> String {
    let file = file.as_str().unwrap_or_default();
    line.as_u64().map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

#[test]
fn one_run_reports_every_error_and_judges_the_rest() {
    let project = broken();
    let (code, document) = project.json("verify");
    assert_eq!(code, 2, "{document}");
    let told: Vec<_> = document["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["code"].as_str().unwrap(), place(&error["file"], &error["line"])))
        .collect();
    let expected: Vec<_> = BROKEN.map(|(code, place)| (code, place.to_owned())).to_vec();
    assert_eq!(told, expected);
    assert_eq!(document["error"], document["errors"][0]);
    assert_eq!(document["findings"][0]["rule"], "drop-column", "{document}");
    assert_eq!(document["findings"].as_array().unwrap().len(), 1, "{document}");

    let human = project.run("verify");
    assert_eq!(human.code, 2, "{human}");
    for (code, place) in BROKEN {
        assert!(human.stderr.contains(&format!("error[{code}]")), "{code}: {human}");
        assert!(human.stderr.contains(&format!("--> {place}")), "{place}: {human}");
    }
    assert!(
        human.stdout.starts_with("checked 2 files, 2 statements: 1 finding is denied.\n\nerror[drop-column]"),
        "{human}"
    );
    assert!(
        human.stdout.ends_with("2 files, 2 statements: 1 denied; 7 errors, so not all could be judged\n"),
        "{human}"
    );

    let sarif = document_of(&project.run("verify --output sarif"), 2);
    let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let at = &result["locations"][0]["physicalLocation"];
            let line = place(&at["artifactLocation"]["uri"], &at["region"]["startLine"]);
            (result["ruleId"].as_str().unwrap().to_owned(), line)
        })
        .collect();
    let of_file = ("drop-column".to_owned(), "migrations/v1.0.5_to_v1.0.6_late.sql:2".to_owned());
    let expected: Vec<_> = BROKEN
        .iter()
        .map(|(code, place)| ((*code).to_owned(), (*place).to_owned()))
        .chain([of_file])
        .collect();
    assert_eq!(told, expected);
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);

    let github = project.run("verify --output github");
    assert_eq!(github.stdout.lines().filter(|line| line.starts_with("::error ")).count(), 8, "{github}");
    let markdown = project.run("verify --output markdown");
    assert_eq!(markdown.stdout.lines().filter(|line| line.starts_with("| error |")).count(), 7, "{markdown}");
    assert_eq!((github.code, markdown.code), (2, 2));

    // Other verbs stop at the first.
    let (code, document) = project.json("migrate up");
    assert_eq!((code, document["error"]["code"].as_str()), (2, Some(BROKEN[0].0)));
    assert_eq!(document.as_object().unwrap().len(), 2, "{document}");
}

#[test]
fn every_named_file_is_reported() {
    let project = Project::seeds();
    project.file("a.sql", "SELECT (;").file("b.sql", "DROP TABLE users;").file("c.sql", b"\xFF");
    let line = "verify a.sql b.sql c.sql missing.sql migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql";
    let (code, document) = project.json(line);
    let codes: Vec<_> =
        document["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
    assert_eq!((code, codes), (2, vec!["syntax", "not-utf8", "io"]), "{document}");
    assert_eq!(document["findings"][0]["file"], "b.sql", "{document}");
    assert_eq!(document["summary"]["files"], 2, "{document}");
    project.file("migrations/notes.txt", "");
    let (code, document) = project.json("verify migrations/notes.txt");
    assert_eq!((code, document["error"]["code"].as_str()), (2, Some("migration-name")), "{document}");
}

#[test]
fn an_unreadable_project_gives_a_complete_document() {
    let nowhere = Project::empty();
    let wrong = project_of(&[FIRST, ("tenure.toml", b"[verify.levels]\nno-such-rule = 'off'\n")]);
    let torn = project_of(&[FIRST, ("tenure.toml", b"[platform\n")]);
    for (project, code) in [(&nowhere, "no-project"), (&wrong, "settings"), (&torn, "settings")] {
        let json = document_of(&project.run("verify --output json"), 2);
        assert_eq!(json["error"]["code"], code, "{json}");
        assert_eq!(json["findings"], Value::Array(Vec::new()), "{json}");
        let sarif = document_of(&project.run("verify --output sarif"), 2);
        assert!(sarif.to_string().contains(&format!("\"{code}\"")), "{sarif}");
        assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], 2);
        let github = project.run("verify --output github");
        assert_eq!(github.code, 2);
        assert!(github.stdout.starts_with("::error "), "{github}");
        assert!(github.stdout.contains(&format!("title={code}::")), "{github}");
        let markdown = project.run("verify --output markdown");
        assert_eq!(markdown.code, 2);
        assert!(markdown.stdout.contains("| error |"), "{markdown}");
        let human = project.run("verify");
        assert_eq!((human.code, human.stdout.as_str()), (2, ""), "{human}");
    }
}

fn document_of(output: &Output, code: i32) -> Value {
    assert_eq!(output.code, code, "{output}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

const HOSTILE: &str = "-- Description: x\n\
    -- Allow: drop-view because <b>nobody</b> | reads `it`\n\
    DROP VIEW datalinx_platform.\"old\";\n\
    ALTER TABLE things\n  DROP COLUMN \"a|b`c</code>@x,y:z%0A[l](http://e.example)\";\n\
    -- ä 𝄞\n/* 𝄞 */ CREATE INDEX i ON things (id);\n";

fn hostile() -> Project {
    project_of(&[FIRST, ("migrations/v1.0.0_to_v1.0.1_odd.sql", HOSTILE.as_bytes())])
}

#[test]
fn sarif_is_what_its_schema_asks_for() {
    let project = hostile();
    let text = project.run("verify --output sarif");
    let sarif = document_of(&text, 1);
    // Every required key of the schema is a field without which this does not parse.
    serde_json::from_value::<serde_sarif::sarif::Sarif>(sarif.clone()).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!((&sarif["version"], &run["columnKind"]), (&"2.1.0".into(), &"unicodeCodePoints".into()));
    assert_eq!(run["tool"]["driver"]["name"], "tenure");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3, "{sarif}");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "{result}");
        let rule = tenure::verify::find(result["ruleId"].as_str().unwrap()).unwrap();
        assert!(rules[index]["help"]["text"].as_str().unwrap().contains(rule.remediation), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "migrations/v1.0.0_to_v1.0.1_odd.sql");
        assert_eq!(place["artifactLocation"]["uriBaseId"], "%SRCROOT%");
    }
    let of = |rule: &str| results.iter().find(|result| result["ruleId"] == rule).unwrap();
    let (view, index) = (of("drop-view"), of("index-locks-writes"));
    assert_eq!(view["suppressions"][0]["kind"], "inSource");
    assert_eq!(view["suppressions"][0]["justification"], "<b>nobody</b> | reads `it`");
    assert_eq!((&of("drop-column")["level"], &index["level"]), (&"error".into(), &"warning".into()));
    assert!(of("drop-column").get("suppressions").is_none());
    let region = index["locations"][0]["physicalLocation"]["region"].clone();
    // Counted in characters: the clef is one.
    assert_eq!(region, serde_json::json!({"endColumn": 38, "endLine": 7, "startColumn": 9, "startLine": 7}));

    let before = print_of(index);
    project.file("migrations/v1.0.0_to_v1.0.1_odd.sql", HOSTILE.replacen("-- ä", "\n\n-- moved\n-- ä", 1));
    let moved = document_of(&project.run("verify --output sarif"), 1);
    let index = moved["runs"][0]["results"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((print_of(&index), index["ruleId"].as_str()), (before, Some("index-locks-writes")));
}

fn print_of(result: &Value) -> Value {
    result["partialFingerprints"].clone()
}

#[test]
fn nothing_that_a_file_holds_breaks_out_of_an_annotation_or_a_cell() {
    let project = hostile();
    assert_snapshot!(project.run("verify --output github"), @r#"
    exit code: 1
    ----- stdout -----
    ::notice file=migrations/v1.0.0_to_v1.0.1_odd.sql,line=3,endLine=3,col=1,endColumn=33,title=drop-view::`DROP VIEW datalinx_platform."old"` drops a view that the running release may query%0Aallowed because <b>nobody</b> | reads `it`
    ::error file=migrations/v1.0.0_to_v1.0.1_odd.sql,line=5,endLine=5,col=3,endColumn=58,title=drop-column::`DROP COLUMN "a|b`c</code>@x,y:z%250A[l](http://***"` drops a column that the running release may read or write%0Ahelp: stop using it in one release, and drop it in a later migration when that release no longer runs
    ::warning file=migrations/v1.0.0_to_v1.0.1_odd.sql,line=7,endLine=7,col=9,endColumn=37,title=index-locks-writes::`CREATE INDEX i ON things (id)` blocks writes to the table until the index is built%0Ahelp: on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT
    2 files, 4 statements: 1 denied, 1 warned, 1 allowed

    ----- stderr -----
    "#);
    assert_snapshot!(project.run("verify --output markdown"), @r#"
    exit code: 1
    ----- stdout -----
    ### Tenure verify checked 2 files, 4 statements: 1 finding is denied, 1 is a warning, 1 is accepted.

    | | where | rule | what is wrong | what to do | to accept it |
    | --- | --- | --- | --- | --- | --- |
    | denied | [`migrations/v1.0.0_to_v1.0.1_odd.sql:5:3`](migrations/v1.0.0_to_v1.0.1_odd.sql#L5) | `drop-column` | `` `DROP COLUMN "a\|b`c</code>@x,y:z%0A[l](http://***"` drops a column that the running release may read or write `` | `stop using it in one release, and drop it in a later migration when that release no longer runs` | ``-- Allow: drop-column things."a\|b`c</code>@x,y:z%0A[l](http://***" because <reason>`` |

    | | where | rule | what is wrong | what to do |
    | --- | --- | --- | --- | --- |
    | warning | [`migrations/v1.0.0_to_v1.0.1_odd.sql:7:9`](migrations/v1.0.0_to_v1.0.1_odd.sql#L7) | `index-locks-writes` | `` `CREATE INDEX i ON things (id)` blocks writes to the table until the index is built `` | `on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT` |

    <details><summary>Details</summary>

    ```text
    error[drop-column]: `DROP COLUMN "a|b`c</code>@x,y:z%0A[l](http://***"` drops a column that the running release may read or write
     --> migrations/v1.0.0_to_v1.0.1_odd.sql:5:3
      |
    5 |   DROP COLUMN "a|b`c</code>@x,y:z%0A[l](http://***";
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ on platform
      |
      = note: to accept it, add the line `-- Allow: drop-column things."a|b`c</code>@x,y:z%0A[l](http://***" because <reason>`; see also `tenure explain drop-column`
      = help: stop using it in one release, and drop it in a later migration when that release no longer runs
    ```

    ```text
    warning[index-locks-writes]: `CREATE INDEX i ON things (id)` blocks writes to the table until the index is built
     --> migrations/v1.0.0_to_v1.0.1_odd.sql:7:9
      |
    7 | /* 𝄞 */ CREATE INDEX i ON things (id);
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ on platform
      |
      = help: on a big table, CREATE INDEX CONCURRENTLY in a migration of its own, without BEGIN and COMMIT
    ```

    </details>

    <details><summary>Accepted by the files: 1</summary>

    | | where | rule | what is accepted | because |
    | --- | --- | --- | --- | --- |
    | accepted | [`migrations/v1.0.0_to_v1.0.1_odd.sql:3:1`](migrations/v1.0.0_to_v1.0.1_odd.sql#L3) | `drop-view` | `` `DROP VIEW datalinx_platform."old"` drops a view that the running release may query `` | `` <b>nobody</b> \| reads `it` `` |

    </details>

    ----- stderr -----
    "#);
}

#[test]
fn no_findings_is_reported() {
    let project = Project::seeds();
    assert_snapshot!(project.run("verify --output github"), @"
    exit code: 0
    ----- stdout -----
    9 files, 19 statements: nothing found

    ----- stderr -----
    ");
    assert_snapshot!(project.run("verify --output markdown"), @"
    exit code: 0
    ----- stdout -----
    ### Tenure verify checked 9 files, 19 statements: nothing found.

    ----- stderr -----
    ");
    let sarif = document_of(&project.run("verify --output sarif"), 0);
    assert_eq!(sarif["runs"][0]["results"], Value::Array(Vec::new()));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], true);
    serde_json::from_value::<serde_sarif::sarif::Sarif>(sarif).unwrap();
}

#[test]
fn paths_begin_where_the_repository_does() {
    let project = project_of(&[
        ("db/migrations/v0.0.0_to_v1.0.0_first.sql", FIRST.1),
        ("db/migrations/v1.0.0_to_v1.0.1_bad.sql", b"-- Description: x\nDROP TABLE things;\n"),
        ("other/loose.sql", b"DROP TABLE users;"),
    ]);
    let root = project.dir.path().to_str().unwrap();
    let seen = |of: Output| {
        let command = of.stdout.lines().find(|line| line.starts_with("::error ")).unwrap().to_owned();
        command.split(['=', ',']).nth(1).unwrap().to_owned()
    };
    let file = "db/migrations/v1.0.0_to_v1.0.1_bad.sql";
    assert_eq!(seen(project.run("verify --output github -C db")), file);
    assert_eq!(seen(project.run("verify --output github -C ./db")), file);
    let mut below = project.command(["verify", "--output", "github"]);
    below.current_dir(project.dir.path().join("db")).env("GITHUB_WORKSPACE", root);
    assert_eq!(seen(Output::of(&below.finish())), file);
    assert_eq!(seen(project.run("verify --output github other/loose.sql")), "other/loose.sql");
    assert_eq!(seen(project.run("verify --output github -C db ./other/loose.sql")), "other/loose.sql");
    assert_eq!(seen(project.run(&format!("verify --output github -C db {root}/{file}"))), file);
}

#[test]
fn the_rules_are_listed_with_the_level_that_they_have_here() {
    let nowhere = Project::empty();
    let (code, document) = nowhere.json("verify --rules");
    let rules = document["rules"].as_array().unwrap();
    assert_eq!((code, rules.len()), (0, Tool::Verify.rules().count()));
    for (shown, rule) in rules.iter().zip(Tool::Verify.rules()) {
        assert_eq!(shown["id"], rule.id.as_str());
        assert_eq!(shown["level"], rule.level.to_string());
        for key in ["why", "instead", "bad", "good"] {
            assert!(shown[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {shown}");
        }
        assert!(shown["breaks"].as_array().is_some_and(|all| !all.is_empty()), "{shown}");
    }
    assert_eq!(rules[0]["breaks"], serde_json::json!(["data", "old-readers", "old-writers"]));
    assert_eq!(rules[0]["source"], "squawk: ban-drop-table");
    let human = nowhere.run("verify --rules").ok();
    assert_eq!(human.stdout.lines().filter(|line| line.contains("the statement ")).count(), rules.len());

    let strict = project_of(&[
        FIRST,
        ("tenure.toml", b"[verify.levels]\nlock-table = 'deny'\ndrop-table = 'off'\ntruncate = 'warn'\n"),
    ]);
    let level = |id: &str| {
        let (_, document) = strict.json("verify --rules");
        let rules = document["rules"].as_array().unwrap().clone();
        rules.iter().find(|rule| rule["id"] == id).unwrap()["level"].as_str().unwrap().to_owned()
    };
    assert_eq!(["lock-table", "drop-table", "truncate"].map(level), ["deny", "off", "warn"]);
    assert!(strict.run("explain drop-table").ok().stdout.starts_with("drop-table (off)\n"));
    // Settings that are wrong are no default ones.
    strict.file("tenure.toml", "[verify.levels]\nlock-tables = 'deny'\n");
    assert_eq!(strict.run("verify --rules").code, 2);
    assert_eq!(nowhere.run("verify --rules -C nowhere").code, 2);
    assert_eq!(nowhere.run("verify --rules --output sarif").code, 2);
}

#[test]
fn every_rule_and_every_code_is_explained_and_no_other_name() {
    let nowhere = Project::empty();
    for rule in RULES {
        let text = nowhere.run(&format!("explain {}", rule.id)).ok().stdout;
        for part in [rule.summary().as_str(), rule.why, rule.remediation] {
            // A sentence begins with a capital letter there.
            assert!(text.contains(&part[1..]), "{text}");
        }
    }
    for code in Code::ALL {
        assert!(RULES.iter().all(|rule| rule.id.as_str() != code.as_str()), "{code:?} is a rule's name too");
        let text = nowhere.run(&format!("explain {}", code.as_str())).ok().stdout;
        let explanation = code.explanation().unwrap();
        let example = explanation.example.lines().next().unwrap();
        for part in [code.doc(), &explanation.cause, &format!("\n    {example}\n"), &explanation.next_step] {
            assert!(text.contains(part), "{text}");
        }
    }
    for (id, key) in [("role-open", "audit_rule"), ("schema-drift", "drift_rule")] {
        let (_, document) = nowhere.json(&format!("explain {id}"));
        assert_eq!(
            (&document[key]["id"], &document[key]["level"]),
            (&id.into(), &"deny".into()),
            "{document}"
        );
    }
    let (_, rule) = nowhere.json("explain drop-column");
    assert_eq!((&rule["rule"]["id"], &rule["rule"]["level"]), (&"drop-column".into(), &"deny".into()));
    let (_, code) = nowhere.json("explain chain-gap");
    let code = code["error_code"].as_object().unwrap();
    let keys: Vec<_> = code.keys().collect();
    assert_eq!(keys, ["code", "means", "exit_code", "cause", "example", "next_step"]);
    assert_eq!(code["exit_code"], 2, "{code:?}");
    assert!(code["example"].as_str().unwrap().starts_with("$ tenure "), "{code:?}");
    assert_snapshot!(nowhere.run("explain drop-colum"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[usage]: no rule or error code is named "drop-colum"
     = help: did you mean drop-column?
    "#);
    assert_snapshot!(nowhere.run("explain xyzzy"), @r#"
    exit code: 2
    ----- stdout -----

    ----- stderr -----
    error[usage]: no rule or error code is named "xyzzy"
     = help: `tenure verify --rules` lists the rules, docs/errors.md the error codes
    "#);
}

/// A file outside of the project with a `Scope` line means the objects of the base, in whichever schema they are.
#[test]
fn a_scope_line_does_not_hide_the_base() {
    const HARMFUL: &[(&str, &str)] = &[
        ("CREATE TABLE IF NOT EXISTS items (id int); DELETE FROM items; DROP TABLE items;", "drop-table"),
        ("CREATE TABLE IF NOT EXISTS items (id int); TRUNCATE items;", "truncate"),
        (
            "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'DELETE FROM items; SELECT 2';",
            "replace-object",
        ),
        ("CREATE OR REPLACE VIEW v AS SELECT id + 1 AS id FROM items;", "replace-object"),
        ("CREATE OR REPLACE PROCEDURE p(a int) LANGUAGE sql AS 'DROP TABLE items';", "replace-object"),
        (
            "CREATE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';",
            "ambiguous-overload",
        ),
        ("DROP INDEX IF EXISTS items_note;", "drop-unique"),
    ];
    let harmless = "CREATE OR REPLACE FUNCTION brand_new() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
                    CREATE TABLE IF NOT EXISTS fresh (a int); DELETE FROM fresh; DROP TABLE fresh;";
    let project = Project::empty();
    for (base, of_base) in [
        ("base.sql", ""),
        ("tenant.sql", "-- Scope: tenant\n"),
        ("app.sql", "CREATE SCHEMA app; SET search_path = app;\n"),
    ] {
        project.file(
            base,
            format!(
                "{of_base}CREATE TABLE items (id int PRIMARY KEY, note text);\n\
             CREATE UNIQUE INDEX items_note ON items (note);\n\
             CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';\n\
             CREATE VIEW v AS SELECT id FROM items;\n\
             CREATE PROCEDURE p(a int) LANGUAGE sql AS 'DELETE FROM items';\n"
            ),
        );
        for scope in ["", "-- Scope: tenant\n", "-- Scope: platform\n"] {
            for (sql, rule) in HARMFUL {
                project.file("one.sql", format!("{scope}{sql}"));
                let (code, document) = project.json(&format!("verify one.sql --base {base}"));
                let findings = document["findings"].as_array().unwrap();
                assert!(
                    code == 1 && findings.iter().any(|it| it["rule"] == *rule),
                    "{base} {scope}{sql}: {document}"
                );
            }
            project.file("one.sql", format!("{scope}{harmless}"));
            let (code, document) = project.json(&format!("verify one.sql --base {base}"));
            assert_eq!(code, 0, "{base} {scope}: {document}");
        }
    }
}
