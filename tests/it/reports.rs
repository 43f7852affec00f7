//! `--output` of every verb with findings: the same forms, and no name in a database breaks out of one of them.

use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::support::{Output, Project};

/// A name that is everything at once: a workflow command on a line of its own, cells, tags, links, mentions, a colour, a mark
/// that turns the order of what is read.
const HOSTILE: &str = "a\n::error::p%0Ab|`</code>@x[l](http://e)\u{1b}[31m\u{202e}";

/// Tenants of which one shows another's rows by a view of a hostile name, two have a column more, and one has a table of that
/// name and one that is called like a URL with a password.
fn fleet() -> Project {
    let project = Project::with_tenants(&["one", "two", "three"]);
    let name = HOSTILE.replace('"', "\"\"");
    project.db.run(&format!(
        "CREATE VIEW org_one.\"{name}\" AS SELECT id FROM org_two.workspaces; \
         CREATE TABLE org_two.\"{name}\" (id int); CREATE TABLE org_two.\"postgres://u:pw@h/d\" (id int); \
         ALTER TABLE org_two.workspaces ADD COLUMN more int; ALTER TABLE org_three.workspaces ADD COLUMN more int"
    ));
    project.file(
        "tenant_templates/default/900_beyond.sql",
        "CREATE TABLE public.beyond (id int, created_at timestamptz, updated_at timestamptz);\n",
    );
    project
}

/// The number of cells of a row, and its text outside of code spans.
fn cells(row: &str) -> (usize, String) {
    let (mut cells, mut text, mut fence) = (0, String::new(), 0);
    let mut rest = row;
    while let Some(letter) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches('`').len();
        match letter {
            '`' => {
                fence = if fence == 0 {
                    run
                } else if fence == run {
                    0
                } else {
                    fence
                }
            }
            '\\' if rest.starts_with("\\|") => {}
            '|' => cells += 1,
            letter if fence == 0 => text.push(letter),
            _ => {}
        }
        rest = &rest[if rest.starts_with("\\|") { 2 } else { run.max(letter.len_utf8()) }..];
    }
    assert_eq!(fence, 0, "{row}");
    (cells - 1, text)
}

fn sarif(output: &Output) -> Value {
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    // Every required key of the schema is a field without which this does not parse.
    serde_json::from_value::<serde_sarif::sarif::Sarif>(document.clone()).unwrap();
    let run = &document["runs"][0];
    assert_eq!(run["invocations"][0]["exitCode"], output.code, "{output}");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "{result}");
        assert!(!result["partialFingerprints"].as_object().unwrap().is_empty(), "{result}");
    }
    run.clone()
}

/// The test cases of a `JUnit` document: class name, name, and the tags in it. Checks the counts that consumers read.
fn junit(output: &Output) -> Vec<(String, String, Vec<String>)> {
    let mut reader = quick_xml::Reader::from_str(&output.stdout);
    reader.config_mut().check_end_names = true;
    let (mut open, mut counts, mut cases) = (Vec::<String>::new(), Vec::new(), Vec::new());
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error}: {output}"));
        let (start, is_empty) = match event {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let tag = start.name().as_ref().to_owned();
        let attribute = |name: &str| {
            let found = start.try_get_attribute(name).unwrap();
            found
                .map(|it| it.normalized_value(quick_xml::XmlVersion::Explicit1_0).unwrap().into_owned())
                .unwrap_or_default()
        };
        let parent = open.last().map(String::as_str).unwrap_or_default();
        match (parent, tag.as_str()) {
            ("", "testsuites") => {}
            ("testsuites", "testsuite") => {
                counts = ["tests", "failures", "errors", "skipped"].map(&attribute).to_vec();
            }
            ("testsuite", "testcase") => {
                cases.push((attribute("classname"), attribute("name"), Vec::new()));
                *seen.entry(tag.clone()).or_default() += 1;
            }
            ("testcase", "failure" | "error" | "skipped" | "system-out") => {
                *seen.entry(tag.clone()).or_default() += 1;
                assert!(tag == "system-out" || !attribute("message").is_empty(), "{output}");
                cases.last_mut().unwrap().2.push(tag.clone());
            }
            other => panic!("{other:?}: {output}"),
        }
        if !is_empty {
            open.push(tag);
        }
    }
    let count = |tag: &str| seen.get(tag).copied().unwrap_or_default().to_string();
    assert_eq!(counts, ["testcase", "failure", "error", "skipped"].map(count), "{output}");
    cases
}

/// The issues of a Code Quality report, which GitLab accepts only with these keys.
fn codequality(output: &Output) -> Vec<Value> {
    let schema = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": { "type": "string", "minLength": 1 },
                "check_name": { "type": "string", "minLength": 1 },
                "fingerprint": { "type": "string", "pattern": "^[0-9a-f:]{32,}$" },
                "severity": { "enum": ["info", "minor", "major", "critical", "blocker"] },
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": { "type": "string", "minLength": 1, "pattern": "^[^./]" },
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": { "begin": { "type": "integer", "minimum": 1 } },
                        },
                    },
                },
            },
        },
    });
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    jsonschema::validate(&schema, &document).unwrap_or_else(|error| panic!("{error}: {document:#}"));
    let issues = document.as_array().unwrap().clone();
    let all: std::collections::BTreeSet<_> = issues.iter().map(|it| it["fingerprint"].to_string()).collect();
    assert_eq!(all.len(), issues.len(), "each has a fingerprint of its own: {document:#}");
    issues
}

#[test]
fn test_reports_show_denials_warnings_accepted_findings_and_errors() {
    let project = Project::seeds();
    let sql = "-- Allow: drop-table old because nobody < & > reads it\nDROP TABLE datalinx_platform.old;\n\
               ALTER TABLE users DROP COLUMN email;\nALTER TABLE users DROP COLUMN display_name;\n\
               CREATE INDEX i ON users (role);";
    project.migration("1.0.4", "1.0.5", "drop_what_nobody_reads", sql);
    let file = "migrations/v1.0.4_to_v1.0.5_drop_what_nobody_reads.sql";
    let output = project.run("verify --output junit");
    let case = |name: &str, tags: &[&str]| {
        (file.to_owned(), name.to_owned(), tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>())
    };
    let cases = junit(&output);
    assert_eq!((output.code, cases[0].1.as_str()), (1, "verify"), "{output}");
    assert_eq!(
        cases[1..],
        [
            case("drop-table", &["skipped", "system-out"]),
            case("drop-column", &["failure"]),
            case("index-locks-writes", &["system-out"]),
        ],
        "{output}"
    );
    assert!(output.stdout.contains("nobody &lt; &amp; &gt; reads it"), "{output}");
    assert!(output.stdout.contains("(and 1 other)"), "{output}");

    let output = project.run("verify --output codequality");
    let issues = codequality(&output);
    let shown = |issue: &Value| (issue["check_name"].clone(), issue["severity"].clone());
    let expected = [("drop-table", "info"), ("drop-column", "critical"), ("drop-column", "critical")]
        .into_iter()
        .chain([("index-locks-writes", "minor")]);
    assert_eq!(
        issues.iter().map(shown).collect::<Vec<_>>(),
        expected.map(|(rule, severity)| (json!(rule), json!(severity))).collect::<Vec<_>>()
    );
    assert!(issues.iter().all(|issue| issue["location"]["path"] == file), "{output}");
    // A fingerprint does not depend on the line.
    let text = std::fs::read_to_string(project.dir.path().join(file)).unwrap();
    project.file(file, text.replace("-- Allow:", "\n\n-- Allow:"));
    let moved = codequality(&project.run("verify --output codequality"));
    for (before, after) in issues.iter().zip(&moved) {
        assert_eq!(before["fingerprint"], after["fingerprint"]);
        assert_ne!(before["location"]["lines"], after["location"]["lines"]);
    }

    project.file(file, "-- no header\n");
    let output = project.run("verify --output junit");
    assert!(output.code == 2 && junit(&output).iter().any(|(_, _, tags)| tags == &["error"]), "{output}");
    let issues = codequality(&project.run("verify --output codequality"));
    assert!(issues.iter().any(|issue| issue["severity"] == "blocker"), "{issues:?}");
    let outside = Project::empty();
    let output = outside.run("verify --output codequality");
    assert_eq!((output.code, codequality(&output)[0]["check_name"].as_str()), (2, Some("no-project")));
    assert_eq!(junit(&outside.run("verify --output junit"))[1].1, "no-project");
}

#[test]
fn positions_are_links_to_the_checked_commit() {
    let project = Project::seeds();
    project.next_migration("ALTER TABLE users DROP COLUMN email;");
    let file = "migrations/v1.0.4_to_v1.0.5_next.sql";
    let github =
        [("GITHUB_SERVER_URL", "https://g.h"), ("GITHUB_REPOSITORY", "us/app"), ("GITHUB_SHA", "abc")];
    let gitlab = [("CI_PROJECT_URL", "https://g.l/us/app"), ("CI_COMMIT_SHA", "abc")];
    let hostile = [("CI_PROJECT_URL", "https://u:pw@g.l/us"), ("CI_COMMIT_SHA", "abc")];
    for (environment, link) in [
        (&[][..], format!("]({file}#L3)")),
        (&github, format!("](https://g.h/us/app/blob/abc/{file}#L3)")),
        (&gitlab, format!("](https://g.l/us/app/-/blob/abc/{file}#L3)")),
        (&hostile, format!("]({file}#L3)")),
    ] {
        let output = project.run_env(environment, "verify --output markdown");
        assert!(output.code == 1 && output.stdout.contains(&link), "{link}: {output}");
    }
}

#[test]
fn every_verb_with_findings_has_every_form() {
    let project = fleet();
    for (verb, rule, findings) in [
        ("tenant audit", "cross-tenant-dependency", 1),
        ("drift", "schema-drift", 5),
        ("template check", "template-beyond-tenant", 1),
    ] {
        let plain = project.run(verb);
        assert_eq!(plain.code, 1, "{verb}: {plain}");
        let human = project.run(&format!("{verb} --output human --format json"));
        assert_eq!((human.code, human.stdout), (1, plain.stdout), "{verb}");
        let (_, document) = project.json(verb);
        let output = project.run(&format!("{verb} --output json"));
        assert_eq!(
            (output.code, serde_json::from_str::<Value>(&output.stdout).unwrap()),
            (1, document),
            "{verb}"
        );

        let run = sarif(&project.run(&format!("{verb} --output sarif")));
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), findings, "{run:#}");
        for result in results {
            assert_eq!((&result["ruleId"], &result["level"]), (&rule.into(), &"error".into()), "{result}");
            let location = &result["locations"][0];
            if verb == "template check" {
                let place = &location["physicalLocation"];
                assert_eq!(place["artifactLocation"]["uri"], "tenant_templates/default/900_beyond.sql");
                assert_eq!(
                    (&place["region"]["startLine"], location.get("logicalLocations")),
                    (&1.into(), None)
                );
            } else {
                assert_eq!(location.get("physicalLocation"), None, "{location}");
                let logical = &location["logicalLocations"][0];
                let name = logical["name"].as_str().unwrap();
                assert!(logical["fullyQualifiedName"].as_str().unwrap().ends_with(name), "{logical}");
            }
            assert!(!result["message"]["text"].as_str().unwrap().contains("](http"), "{result}");
        }

        // What is the same of several tenants is told of one.
        let told = if verb == "drift" { findings - 1 } else { findings };
        let github = project.run(&format!("{verb} --output github"));
        assert_eq!((github.code, github.stdout.lines().count()), (1, told + 1), "{github}");
        let (last, commands) = github
            .stdout
            .lines()
            .collect::<Vec<_>>()
            .split_last()
            .map(|(last, all)| (*last, all.to_vec()))
            .unwrap();
        for command in commands {
            let properties = command.strip_prefix("::error ").unwrap().split("::").next().unwrap();
            assert_eq!(properties.contains("file="), verb == "template check", "{command}");
            assert!(properties.ends_with(&format!("title={rule}")), "{command}");
        }
        assert!(!last.starts_with("::") && !github.stdout.contains(['\u{1b}', '\u{202e}']), "{github}");

        let markdown = project.run(&format!("{verb} --output markdown"));
        assert_eq!(markdown.code, 1, "{markdown}");
        assert!(markdown.stdout.starts_with(&format!("### Tenure {verb} checked ")), "{markdown}");
        let rows: Vec<_> = markdown.stdout.lines().filter(|line| line.starts_with("| denied |")).collect();
        assert_eq!(rows.len(), told, "{markdown}");
        assert!(rows.iter().all(|row| !row.contains(['\u{1b}', '\u{202e}'])), "{markdown}");
        // Only a file has a link.
        let is_linked = verb == "template check";
        let link = "[](tenant_templates/default/900_beyond.sql#L1)";
        for (count, text) in rows.iter().map(|row| cells(row)) {
            let rest = text.replacen(link, "", 1);
            assert!(count == 6 && !rest.contains(['@', '[', '<', '/']), "{text}: {markdown}");
            assert_eq!(rest != text, is_linked, "{text}");
        }
        assert_eq!(markdown.stdout.contains("`-- Allow: template-beyond-tenant "), is_linked);
        let xml = project.run(&format!("{verb} --output junit"));
        let failed = junit(&xml).into_iter().filter(|(_, name, tags)| name == rule && tags == &["failure"]);
        assert_eq!((xml.code, failed.count()), (1, findings), "{xml}");
        let issues = project.run(&format!("{verb} --output codequality"));
        let found = codequality(&issues);
        assert_eq!((issues.code, found.len()), (1, findings), "{issues}");
        assert!(found.iter().all(|issue| issue["check_name"] == rule), "{issues}");
        assert!(!xml.stdout.contains(['\u{1b}', '\u{202e}']), "{xml}");
        for output in [github, markdown, xml, issues] {
            assert!(!output.stdout.contains("u:pw"), "{output}");
        }
    }
}

#[test]
fn a_name_in_a_database_stays_on_its_line() {
    let project = fleet();
    for verb in ["tenant audit", "drift"] {
        let human = project.run(verb);
        assert!(human.stdout.contains("\\n\\u{3a}:error::p%0A"), "{human}");
        assert!(!human.stdout.contains(['\u{1b}', '\u{202e}']), "{human}");
        assert!(!human.stdout.lines().any(|line| line.starts_with("::")), "{human}");
    }
    let (_, document) = project.json("drift");
    let names: Vec<_> =
        document["differences"].as_array().unwrap().iter().map(|it| it["object"].as_str().unwrap()).collect();
    assert!(names.iter().any(|name| name.contains(HOSTILE)), "a program gets the name as it is: {names:?}");
}

#[test]
fn where_nothing_is_found_each_form_says_so() {
    let project = Project::with_tenants(&["one"]);
    for (verb, counts) in [
        ("tenant audit", "1 tenant: nothing found"),
        ("drift", "1 tenant, all as expected; the platform schema is as expected"),
        ("template check", "4 files, 8 statements: nothing found"),
    ] {
        let run = sarif(&project.run(&format!("{verb} --output sarif")).ok());
        assert_eq!(
            (&run["results"], &run["invocations"][0]["executionSuccessful"]),
            (&json!([]), &json!(true))
        );
        let github = project.run(&format!("{verb} --output github")).ok();
        assert_eq!(github.stdout, format!("{counts}\n"));
        let markdown = project.run(&format!("{verb} --output markdown")).ok();
        assert_eq!(markdown.stdout, {
            let checked = counts.split(": ").next().unwrap();
            format!("### Tenure {verb} checked {checked}: nothing found.\n")
        });
        assert_eq!(junit(&project.run(&format!("{verb} --output junit")).ok()).len(), 1);
        assert_eq!(project.run(&format!("{verb} --output codequality")).ok().stdout, "[]\n");
    }
}

#[test]
fn a_failure_is_told_in_the_form_that_was_asked_for() {
    let project = Project::with_tenants(&["one"]);
    for line in ["tenant audit --tenant nobody", "drift --tenant nobody"] {
        let run = sarif(&project.run(&format!("{line} --output sarif")));
        let invocation = &run["invocations"][0];
        assert_eq!((&run["results"], &invocation["executionSuccessful"]), (&json!([]), &json!(false)));
        assert_eq!(invocation["toolExecutionNotifications"][0]["descriptor"]["id"], "tenant-unknown");
        let github = project.run(&format!("{line} --output github"));
        assert!(github.stdout.starts_with("::error title=tenant-unknown::"), "{github}");
        let markdown = project.run(&format!("{line} --output markdown"));
        assert!(markdown.stdout.contains("| error |  | `tenant-unknown` |"), "{markdown}");
        let json = project.run(&format!("{line} --output json"));
        let document: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(document["error"]["code"], "tenant-unknown");
        let human = project.run(&format!("{line} --output human --format json"));
        assert!(human.stderr.contains("error[tenant-unknown]") && human.stdout.is_empty(), "{human}");
        assert_eq!([github.code, markdown.code, json.code, human.code], [1; 4]);
    }
    // A place in a file is one in these forms too.
    project.file("tenant_templates/default/900_odd.sql", "SELECT 1;\nSELEC 2;\n");
    let github = project.run("template check --output github");
    assert_eq!(github.code, 2, "{github}");
    assert!(
        github.stdout.starts_with("::error file=tenant_templates/default/900_odd.sql,line=2,"),
        "{github}"
    );
}
