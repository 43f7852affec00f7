//! The picture in ARCHITECTURE.md is true: an arrow points down, and a crate has one home.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use crate::repo_lints;

/// Each layer, from the top, and the ones that it names. What stands here and is not used is wrong too.
const MAY_NAME: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "dry_run",
            "report",
            "init",
            "django",
            "drift",
            "shadow",
            "tenant",
            "migrate",
            "doctor",
            "restore_point",
            "wait",
            "runs",
            "diagram",
            "branch",
            "isolation",
            "executor",
            "project",
            "postgres",
            "program",
            "template",
            "verify",
            "queries",
            "output",
            "event",
            "settings",
            "chain",
            "sql",
            "ident",
            "error",
        ],
    ),
    (
        "dry_run",
        &[
            "shadow", "migrate", "branch", "executor", "project", "postgres", "verify", "queries", "output",
            "event", "chain", "sql", "ident", "error",
        ],
    ),
    (
        "report",
        &[
            "drift", "migrate", "runs", "diagram", "project", "postgres", "verify", "output", "chain", "sql",
            "ident", "error",
        ],
    ),
    (
        "init",
        &[
            "drift", "shadow", "tenant", "migrate", "executor", "project", "postgres", "template", "output",
            "settings", "chain", "sql", "ident", "error",
        ],
    ),
    ("django", &["project", "program", "template", "chain", "sql", "ident", "error"]),
    (
        "drift",
        &[
            "shadow", "tenant", "migrate", "executor", "project", "postgres", "verify", "output", "event",
            "chain", "ident", "error",
        ],
    ),
    (
        "shadow",
        &[
            "tenant", "migrate", "executor", "project", "postgres", "template", "verify", "queries", "event",
            "settings", "chain", "sql", "ident", "error",
        ],
    ),
    (
        "tenant",
        &[
            "migrate",
            "isolation",
            "executor",
            "project",
            "postgres",
            "program",
            "template",
            "output",
            "event",
            "settings",
            "chain",
            "sql",
            "ident",
            "error",
        ],
    ),
    (
        "migrate",
        &[
            "executor", "project", "postgres", "verify", "output", "event", "settings", "chain", "sql",
            "ident", "error",
        ],
    ),
    ("doctor", &["postgres", "output", "settings", "ident", "error"]),
    ("restore_point", &["postgres", "output", "ident", "error"]),
    ("diagram", &["project", "postgres", "verify", "output", "sql", "ident", "error"]),
    ("runs", &["executor", "postgres", "output", "ident", "error"]),
    ("wait", &["postgres", "output", "settings", "chain", "ident", "error"]),
    ("branch", &["postgres", "output", "settings", "ident", "error"]),
    ("isolation", &["project", "postgres", "verify", "output", "settings", "sql", "ident", "error"]),
    ("executor", &["postgres", "event", "settings", "chain", "sql", "ident", "error"]),
    ("project", &["program", "template", "verify", "queries", "settings", "chain", "sql", "ident", "error"]),
    ("postgres", &["program", "verify", "queries", "event", "settings", "chain", "sql", "ident", "error"]),
    ("program", &[]),
    ("template", &["verify", "output", "chain", "sql", "ident", "error"]),
    ("verify", &["queries", "output", "chain", "sql", "error"]),
    ("queries", &["output", "sql", "ident", "error"]),
    ("output", &["event", "ident", "error"]),
    ("event", &["ident", "error"]),
    ("settings", &["sql", "ident", "error"]),
    ("chain", &["sql", "ident", "error"]),
    ("sql", &["ident", "error"]),
    ("ident", &["error"]),
    ("error", &[]),
];

/// Crates that not everybody may name, and who may.
const HOMES: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["output"]),
    ("anyhow", &["cli"]),
    ("backon", &["postgres"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("console", &["cli", "output"]),
    ("csv", &["queries", "runs", "tenant"]),
    ("dotenvy", &["cli"]),
    ("futures_util", &["drift", "dry_run", "executor", "postgres"]),
    ("humantime", &["settings"]),
    ("indicatif", &["cli"]),
    ("maud", &["report"]),
    ("postgres_protocol", &["tenant"]),
    ("quick_xml", &["verify"]),
    ("rand", &["tenant"]),
    ("rayon", &["project", "verify"]),
    ("refinery", &["postgres"]),
    ("refinery_core", &["postgres"]),
    ("reqwest", &["branch"]),
    ("rpds", &["verify"]),
    ("rustix", &["postgres", "tenant"]),
    ("rustls", &["branch"]),
    ("semver", &["chain"]),
    ("serde_sarif", &["verify"]),
    ("sha2", &["branch", "chain", "postgres", "tenant"]),
    ("sqlx", &["postgres"]),
    ("squawk_lexer", &["sql"]),
    ("squawk_linter", &["verify"]),
    ("squawk_syntax", &["sql", "verify"]),
    ("strsim", &["error"]),
    ("strum", &["verify"]),
    ("tar", &["tenant"]),
    ("tempfile", &["cli", "postgres", "tenant"]),
    ("tokio", &["branch", "cli", "django", "executor", "migrate", "postgres", "tenant", "wait"]),
    ("tokio_util", &["cli", "drift", "dry_run", "executor", "migrate", "shadow", "tenant"]),
    ("toml", &["error", "init", "settings"]),
    ("tracing", &["cli"]),
    ("tracing_subscriber", &["cli"]),
    ("url", &["branch", "postgres", "verify"]),
];

/// What runs units without asking whether they were verified, and the one file that may name it: there a run takes
/// an `ApprovedPlan`.
const UNVERIFIED: (&str, &str) = ("unverified", "src/migrate/run.rs");

/// Which layers each one names, and which it is named by a first word of a path: `crate::x`, `sqlx::`.
#[derive(Default)]
struct Named {
    layers: BTreeSet<String>,
    crates: BTreeSet<String>,
}

fn named() -> BTreeMap<String, Named> {
    let first = Regex::new(r"\b([a-z_][a-z0-9_]*)::").unwrap();
    let ours = Regex::new(r"\bcrate::(\{|[a-z_]+)").unwrap();
    let mut found: BTreeMap<String, Named> = BTreeMap::new();
    for (path, text) in repo_lints::files("src", "rs") {
        let below = path.strip_prefix("src/").unwrap();
        let layer = below.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if matches!(layer.as_str(), "main" | "lib") {
            continue;
        }
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        let named = found.entry(layer.clone()).or_default();
        named.crates.extend(first.captures_iter(&code).map(|word| word[1].to_owned()));
        for group in ours.captures_iter(&code) {
            let names = if &group[1] == "{" {
                members(&code[group.get(0).unwrap().end()..])
            } else {
                vec![group[1].to_owned()]
            };
            named.layers.extend(names.into_iter().filter(|name| *name != layer));
        }
    }
    found
}

/// The first words of a `use` group, behind its opening brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut word) = (0, Vec::new(), String::new());
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut word)),
            _ if depth == 0 => word.push(letter),
            _ => {}
        }
    }
    names.push(word);
    let first = |name: String| name.trim().split("::").next().unwrap_or_default().to_owned();
    names.into_iter().map(first).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_arrow_points_down() {
    for (index, (layer, names)) in MAY_NAME.iter().enumerate() {
        for name in *names {
            let below = MAY_NAME[index + 1..].iter().any(|(other, _)| other == name);
            assert!(below, "{layer} may not name {name}, which is not below it");
        }
    }
    // They stand side by side.
    for (layer, other) in [("postgres", "project"), ("project", "postgres")] {
        let (_, names) = MAY_NAME.iter().find(|(name, _)| *name == layer).unwrap();
        assert!(!names.contains(&other), "{layer} may not name {other}");
    }
}

#[test]
fn the_layers_name_what_they_may_and_no_other() {
    let found = named();
    let there: BTreeSet<_> = found.keys().map(String::as_str).collect();
    assert_eq!(there, MAY_NAME.iter().map(|(layer, _)| *layer).collect(), "the folders of src");
    for (layer, names) in MAY_NAME {
        let seen: BTreeSet<_> = found[*layer].layers.iter().map(String::as_str).collect();
        assert_eq!(seen, names.iter().copied().collect(), "src/{layer} names, and may name");
    }
}

#[test]
fn the_picture_in_the_documents_shows_these_layers_in_this_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let picture = text.split("```").nth(1).unwrap();
    let layer = Regex::new(r"(?m)^.{0,12}src/(\w+)[./]").unwrap();
    let shown: Vec<_> = layer.captures_iter(picture).map(|found| found[1].to_owned()).collect();
    let ours: Vec<_> = ["main"].into_iter().chain(MAY_NAME.iter().map(|(layer, _)| *layer)).collect();
    assert_eq!(shown, ours);
}

#[test]
fn a_crate_has_one_home() {
    let found = named();
    for (name, homes) in HOMES {
        let seen: Vec<_> = found
            .iter()
            .filter(|(_, named)| named.crates.contains(*name))
            .map(|(layer, _)| layer.as_str())
            .collect();
        assert_eq!(seen, *homes, "who names {name}, and who may");
    }
}

#[test]
fn only_the_runner_of_approved_plans_runs_units() {
    let (module, runner) = UNVERIFIED;
    let path = Regex::new(&format!(r"\bexecutor::(\{{[^}}]*\b)?{module}\b")).unwrap();
    let naming = repo_lints::files("src", "rs").into_iter().filter(|(_, text)| path.is_match(text));
    assert_eq!(naming.map(|(file, _)| file).collect::<Vec<_>>(), [runner], "executor::{module}");
}

#[test]
fn programs_are_started_with_an_environment_of_their_own() {
    let creating: Vec<_> = repo_lints::files("src", "rs")
        .into_iter()
        .filter(|(_, text)| {
            text.split("#[cfg(test)]").next().is_some_and(|code| code.contains("Command::new("))
        })
        .map(|(file, _)| file)
        .collect();
    // The demo runs this program itself.
    assert_eq!(creating, ["src/cli/demo.rs", "src/program.rs"], "use program::command");
}

#[test]
fn every_dependency_has_a_reason_in_the_documents() {
    let read =
        |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let text = read("ARCHITECTURE.md");
    let reasons = text.split("## Dependencies").nth(1).unwrap();
    for (path, section) in [
        ("Cargo.toml", "dependencies"),
        ("Cargo.toml", "dev-dependencies"),
        ("benches/rivals/Cargo.toml", "dependencies"),
    ] {
        let manifest: toml::Table = read(path).parse().unwrap();
        for name in manifest[section].as_table().unwrap().keys() {
            let said = Regex::new(&format!(r"(?m)^\| [^|]*\b{name}\b[^|]*\| .+\|$")).unwrap();
            assert!(said.is_match(reasons), "ARCHITECTURE.md, \"Dependencies\": why is {name} there?");
        }
    }
}
