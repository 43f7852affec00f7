//! `--output` of every verb with findings: the same forms, and no name in a database breaks out of one of them.

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
        assert!(markdown.stdout.starts_with(&format!("### Tenure {verb}\n")), "{markdown}");
        let rows: Vec<_> = markdown.stdout.lines().filter(|line| line.starts_with("| denied |")).collect();
        assert_eq!(rows.len(), told, "{markdown}");
        assert!(rows.iter().all(|row| !row.contains(['\u{1b}', '\u{202e}'])), "{markdown}");
        assert!(
            rows.iter()
                .map(|row| cells(row))
                .all(|(count, text)| { count == 5 && !text.contains(['@', '[', '<', '/']) }),
            "{markdown}"
        );
        for output in [github, markdown] {
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
        ("drift", "1 tenant, all as expected"),
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
        assert_eq!(markdown.stdout, format!("### Tenure {verb}\n\n{counts}\n\nNo findings.\n"));
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
