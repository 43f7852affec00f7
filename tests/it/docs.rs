//! The documents are true: every command that README.md shows is run, in order, in one project, and
//! prints what it shows; the list of rules is the program's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use tenure::error::{Class, Code, Retry};
use tenure::postgres::server::Binaries;
use tenure::settings::{Settings, setting_keys};
use tenure::verify::{Impact, Rule, Tool};

use crate::command_line::verbs;
use crate::repo_lints;
use crate::support::{Finish as _, Output, Project, assert_generated, environment};

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A fenced block: what stands behind the three backticks, and its lines.
fn blocks(text: &str) -> Vec<(String, String)> {
    let fence = Regex::new(r"(?ms)^```([^\n]*)\n(.*?)^```$").unwrap();
    fence.captures_iter(text).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
}

/// What differs from run to run.
fn without_chance(text: &str) -> String {
    let text = Regex::new(r"\d+ ms|\d+\.\d s").unwrap().replace_all(text, "N ms").into_owned();
    // Shown only if a unit takes long.
    let text = Regex::new(r"(?m)^slowest: .*\n").unwrap().replace_all(&text, "").into_owned();
    let text = Regex::new(r"dropped_\d{8}").unwrap().replace_all(&text, "dropped_20261121").into_owned();
    let time = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00").unwrap();
    let text = time.replace_all(&text, "TIME").into_owned();
    let text = Regex::new(r"id [0-9a-f-]{36}").unwrap().replace_all(&text, "id UUID").into_owned();
    Regex::new(r"password \w{32}").unwrap().replace_all(&text, "password SECRET").into_owned()
}

#[test]
fn the_tour_in_the_readme_is_true() {
    let commands = run_blocks(&Project::empty(), "README.md", None);
    assert!(commands > 6, "the tour has only {commands} commands");
}

#[test]
fn the_commands_in_the_documents_are_true() {
    let mut commands = 0;
    for entry in std::fs::read_dir(document("docs")).unwrap() {
        let entry = entry.unwrap();
        // Folders hold decisions, which show no commands.
        if entry.path().is_dir() {
            continue;
        }
        let name = format!("docs/{}", entry.file_name().into_string().unwrap());
        // `existing::django` runs it where Django is installed.
        if name.ends_with("/django.md") {
            continue;
        }
        // That page shows a chain of its own.
        let own = ["/verify.md", "/tutorial.md", "/existing.md"].iter().any(|page| name.ends_with(page));
        let project = if own { Project::empty() } else { Project::with_tenants(&["acme_corp"]) };
        commands += run_blocks(&project, &name, None);
    }
    assert!(commands > 0);
}

/// Writes the files and runs the commands that a document shows, in its order; how many commands. With another PATH, if it is given.
pub fn run_blocks(project: &Project, name: &str, search: Option<&str>) -> usize {
    let text = std::fs::read_to_string(document(name)).unwrap();
    let mut commands = 0;
    for (kind, lines) in blocks(&text) {
        if let Some(path) = kind.strip_prefix("sql file=") {
            project.file(path, &lines);
        } else if kind == "sh run" {
            run_script(project, &lines, search).passes();
            commands += 1;
        } else if let Some(rest) = kind.strip_prefix("console") {
            let expected = rest.trim().strip_prefix("exit=").map_or(0, |code| code.parse().unwrap());
            let mut seen = String::new();
            for command in lines.lines().filter_map(|line| line.strip_prefix("$ ")) {
                let words = shlex::split(command).unwrap();
                assert_eq!(words[0], "tenure", "{command}");
                let mut run = project.command(&words[1..]);
                if let Some(search) = search {
                    run.env("PATH", search);
                }
                let output = Output::of(&run.finish());
                assert_eq!(output.code, expected, "{command}: {output}");
                let _ = write!(seen, "$ {command}\n{}", output.stdout);
                commands += 1;
            }
            let (shown, seen) = (without_chance(&lines), without_chance(&seen));
            assert!(shown == seen, "{name} shows:\n{shown}\nthe program prints:\n{seen}");
        }
    }
    commands
}

/// Runs a script in which `tenure` is the program under test.
fn run_script(project: &Project, script: &str, search: Option<&str>) -> Output {
    let program = Path::new(assert_cmd::cargo::cargo_bin!("tenure")).parent().unwrap();
    let mut command = Command::new("bash");
    command.args(["-euc", script]).current_dir(project.dir.path()).env("DATABASE_URL", &project.db.url);
    let search = search.map_or_else(|| std::env::var("PATH").unwrap(), str::to_owned);
    let postgres = Binaries::find(&environment()).unwrap();
    let path = format!("{}:{}:{search}", program.display(), postgres.folder().display());
    Output::of(&command.env("PATH", path).finish())
}

#[test]
fn docs_rules_md_is_the_list_of_rules() {
    let mut text = String::from(
        "# Rules\n\nGenerated from the list in `src/verify/`; `cargo xtask bless` updates it.\n\n\
         A rule checks one statement. `deny` refuses the migration, `warn` reports, `off` disables the rule.\n\
         `[verify.levels]` in `tenure.toml` changes the level of a rule. A line `-- Allow: RULE [object] because …`\n\
         in the file accepts one finding. Most rules ignore objects that the same file creates.\n\n\
         Rules read the existing schema from the text: for a file of the project from the chain and the template, for\n\
         another file from `--base`. If an object is unknown, since no text shows the effects of earlier code or\n\
         `--base` is missing, a rule assumes the worst.\n\nWhat a rule protects:\n\n",
    );
    for danger in Impact::ALL {
        let _ = writeln!(text, "- **{danger}**: {}", danger.doc());
    }
    let _ = write!(
        text,
        "\nThe examples act on this schema:\n\n```sql\n{}```\n",
        tenure::verify::EXAMPLES_ACT_ON
    );
    for rule in Tool::Verify.rules() {
        let impact: Vec<_> = rule.impact.iter().map(ToString::to_string).collect();
        let _ = write!(
            text,
            "\n## {}\n\n**{}** ({}). The statement {}.\n\nRemediation: {}.\n",
            rule.id,
            rule.level,
            impact.join(", "),
            rule.why,
            rule.remediation,
        );
        for (word, example) in [("Refused", rule.bad), ("Passes", rule.good)] {
            if !example.is_empty() {
                let _ = write!(text, "\n{word}:\n\n```sql\n{}\n```\n", example.trim());
            }
        }
    }
    assert_generated("docs/rules.md", &text);
}

#[test]
fn docs_audit_md_is_the_list_of_its_rules() {
    let mut text = String::from(
        "# Rules of the audit\n\nGenerated from the list in `src/verify/rules/catalog.rs`; `cargo xtask bless` updates it.\n\n\
         `tenure tenant audit` reads the database's catalog; [isolation.md](isolation.md) describes what it checks. A finding with the level\n\
         `deny` makes the exit code 1; `warn` only reports. `[audit.levels]` in `tenure.toml` changes the level of a rule, also to `off`.\n\
         Each finding shows the statement that fixes it, if there is one.\n",
    );
    text.extend(Tool::Audit.rules().map(section));
    text.push_str(
        "\n# Rules of drift\n\n`tenure drift` compares each tenant's schema with the one that the files define, and the platform's with what its last step left; [operations.md](operations.md) has more.\n\
         No setting changes the level of its rule.\n",
    );
    text.extend(Tool::Drift.rules().map(section));
    text.push_str(
        "\n# Holes that the audit finds\n\nA test plants each of these holes, on PostgreSQL 14, 15 and 18, and the audit reports it. For those with a yes, the test also logs in\n\
         as a tenant and reads or changes something of others. The statements are in `tests/it/isolation/audit_cases/holes.sql`; beside it\n\
         are objects that look similar, about which the audit reports nothing (`harmless.sql`).\n\n",
    );
    text.push_str(&crate::isolation::table_of_holes());
    assert_generated("docs/audit.md", &text);
}

/// A rule that judges a database.
fn section(rule: &Rule) -> String {
    format!(
        "\n## {}\n\n**{}**. Found where {}.\n\nWhy: {}.\n\nWhat to do: {}.\n\nExample:\n\n```{}\n{}\n```\n",
        rule.id,
        rule.level,
        rule.summary(),
        rule.why,
        rule.remediation,
        if rule.bad.starts_with("$ ") { "text" } else { "sql" },
        rule.bad,
    )
}

#[test]
fn the_schemas_of_the_documents_are_those_of_the_program() {
    let mut names = Vec::new();
    for (command, schema) in tenure::cli::json_schemas() {
        let name = format!("{}.json", command.replace(' ', "-"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        assert_generated(&format!("schemas/output/{name}"), &text);
        names.push(name);
    }
    let folder = std::fs::read_dir(document("schemas/output")).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    files.sort();
    assert_eq!(names, files);
}

#[test]
fn the_schema_of_the_settings_is_that_of_the_program() {
    let schema = Settings::json_schema();
    assert_generated("schemas/tenure.json", &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()));
    let settings = std::fs::read_to_string(document("tenure.toml")).unwrap();
    let settings: serde_json::Value = toml::from_str(&settings).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&settings), "{:?}", validator.iter_errors(&settings).next());
    for (table, key) in [("platform", "shema"), ("migrate", "lock_timout")] {
        assert!(!validator.is_valid(&serde_json::json!({ table: { key: "x" } })), "{table}.{key}");
    }
    let reference = std::fs::read_to_string(document("docs/reference.md")).unwrap();
    for key in setting_keys(&schema) {
        let (table, last) = key.rsplit_once('.').unwrap();
        let is_listed = reference.lines().any(|line| {
            line.starts_with(&format!("| `{key}`"))
                || (line.starts_with(&format!("| `{table}."))
                    && line.split(" | ").next().unwrap().contains(&format!("`.{last}`")))
                || line.starts_with(&format!("| `{key}."))
        });
        assert!(is_listed, "docs/reference.md has no {key}");
    }
}

#[test]
fn docs_cli_md_is_the_help_of_every_command() {
    let project = Project::empty();
    let mut found = Vec::new();
    verbs(&project, "", &mut found);
    let mut text = String::from(
        "# Command line\n\nGenerated from the program; `cargo xtask bless` updates it. The flags that every command has stand here once:\n\
         `tenure --help` shows them.\n",
    );
    for (verb, help) in &found {
        let own = help.split("\nGlobal options:\n").next().unwrap().trim();
        let global = help.split_once("\nGlobal options:\n").map(|(_, global)| global.trim_end());
        let own = if verb.is_empty() {
            format!("{own}\n\nGlobal options:\n{}", global.unwrap())
        } else {
            own.to_owned()
        };
        let examples = help.split_once("\nExamples:\n").filter(|_| !own.contains("\nExamples:\n"));
        let examples =
            examples.map(|(_, list)| format!("\n\nExamples:\n{}", list.trim_end())).unwrap_or_default();
        let name = format!("tenure {verb}");
        let _ = write!(text, "\n## {}\n\n```text\n{own}{examples}\n```\n", name.trim());
    }
    assert_generated("docs/cli.md", &text);
}

#[test]
fn every_page_is_in_the_book_and_in_the_readme() {
    let [summary, readme] =
        ["docs/SUMMARY.md", "README.md"].map(|name| std::fs::read_to_string(document(name)).unwrap());
    assert!(readme.lines().count() <= 200, "README.md has {} lines", readme.lines().count());
    for (path, _) in repo_lints::files("docs", "md") {
        let page = path.strip_prefix("docs/").unwrap();
        if page != "SUMMARY.md" && !page.starts_with("decisions/") {
            assert!(summary.contains(&format!("({page})")), "docs/SUMMARY.md has no {page}");
            assert!(readme.contains(&format!("(docs/{page})")), "README.md has no docs/{page}");
        }
    }
}

#[test]
fn docs_errors_md_is_the_list_of_codes() {
    let mut text = String::from(
        "# Errors\n\nGenerated from `src/error/codes.rs` and `src/error/explanations.toml`; `cargo xtask bless` updates it.\n\n\
         Every failure has a code, which people see in brackets and programs find in `error.code` with\n\
         `--format json`. A code keeps its name and its exit code. The column *retry* says whether the same command may succeed\n\
         later without another change; `error.retryable` says it of one failure. It depends on the SQLSTATE where the server has\n\
         one: a lock timeout, a deadlock or a lost connection passes, an invalid statement does not.\n\n\
         `tenure explain CODE` prints the explanation of a code, also as JSON. In an example, `…` replaces omitted text.\n",
    );
    for (class, means) in [
        (Class::Refused, "refused or failed"),
        (Class::Usage, "the command line, the settings or the files are wrong"),
        (Class::Unreachable, "the database could not be reached"),
        (Class::Interrupted, "interrupted, cleanly"),
    ] {
        let _ = write!(
            text,
            "\n## Exit code {}: {means}\n\n| code | retry | |\n| --- | --- | --- |\n",
            class.exit_code()
        );
        for code in Code::ALL.iter().filter(|code| code.class() == class) {
            let retry = match code.retry() {
                Retry::Helps => "yes",
                Retry::BySqlstate => "by SQLSTATE",
                Retry::Useless => "no",
            };
            let _ = writeln!(text, "| [`{0}`](#{0}) | {retry} | {1} |", code.as_str(), code.doc());
        }
    }
    text.push_str(
        "\nExit code 0 is done, or nothing to do. Exit code 4 is no failure of one kind: part of the fleet is done\n\
         and part is not; the result's `failures` or `failed` say what, each with its code.\n",
    );
    text.push_str("\n## Explanations\n");
    for code in Code::ALL {
        let explanation = code.explanation().unwrap();
        let _ = write!(
            text,
            "\n### {}\n\n{}\n\nCause: {}\n\nExample:\n\n```text\n{}\n```\n\nNext step: {}\n",
            code.as_str(),
            code.doc(),
            explanation.cause,
            explanation.example.trim_end(),
            explanation.next_step,
        );
    }
    for code in Code::ALL {
        assert!(
            text.contains(&format!("| [`{0}`](#{0}) |", code.as_str())),
            "{} has no exit code here",
            code.as_str()
        );
    }
    assert_generated("docs/errors.md", &text);
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").unwrap();
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned);
    let pages = repo_lints::files("docs", "md").into_iter().map(|(path, _)| path);
    for name in documents.into_iter().chain(pages) {
        let path = document(&name);
        let text = std::fs::read_to_string(&path).unwrap();
        for found in link.captures_iter(&text) {
            assert!(path.parent().unwrap().join(&found[1]).exists(), "{name}: {}", &found[1]);
        }
    }
}

#[test]
fn every_event_of_a_run_is_described() {
    let schemas = tenure::cli::json_schemas();
    let events = schemas["events"]["anyOf"][0]["oneOf"].as_array().unwrap();
    let text = std::fs::read_to_string(document("docs/operations.md")).unwrap();
    let names = events.iter().map(|event| event["properties"]["event"]["const"].as_str().unwrap());
    // The others are of other verbs, which have no such file.
    let of_runs: Vec<&str> =
        names.filter(|name| !name.starts_with("hook-") && !name.starts_with("tenant-")).collect();
    assert!(of_runs.len() > 6, "{of_runs:?}");
    for name in of_runs.into_iter().chain(["tenant-gone"]) {
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}
