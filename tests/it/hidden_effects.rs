//! Migrations that hide from their text what they do, and others that are as dark and do no harm: on a shadow
//! each of the first is found at its statement, and none of the others is refused (`tests/hidden/README.md`).
//! The table in `docs/verification.md` is made from what the program says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tenure::error::Source;
use tenure::sql::Script;

use crate::support::{Database, OwnServer, Project, assert_generated};

/// One case.
#[derive(Debug, Clone)]
struct Case {
    id: String,
    /// `kind`, `line`, `why`, `probe`, `scope`.
    head: BTreeMap<String, String>,
    sql: String,
}

fn text(name: &str) -> String {
    let path = format!("{}/tests/hidden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cases(name: &str) -> Vec<Case> {
    let text = text(name);
    let mut found: Vec<Case> = Vec::new();
    let mut in_head = false;
    for line in text.lines() {
        if let Some(id) = line.strip_prefix("-- case: ") {
            found.push(Case { id: id.trim().to_owned(), head: BTreeMap::new(), sql: String::new() });
            in_head = true;
            continue;
        }
        let Some(case) = found.last_mut() else { continue };
        let head = line.strip_prefix("-- ").and_then(|rest| rest.split_once(": "));
        let is_key = |key: &str| in_head && ["kind", "line", "why", "probe", "scope"].contains(&key);
        if let Some((key, value)) = head.filter(|(key, _)| is_key(key)) {
            case.head.insert(key.to_owned(), value.trim().to_owned());
        } else {
            in_head = false;
            let _ = writeln!(case.sql, "{line}");
        }
    }
    found
}

/// The section `name` of the base.
fn section(name: &str) -> String {
    let base = text("base.sql");
    let begin = format!("-- section: {name}\n");
    let rest = &base[base.find(&begin).unwrap() + begin.len()..];
    rest[..rest.find("-- section: ").unwrap_or(rest.len())].to_owned()
}

/// A project whose first step and template make the base.
fn project(db: Database) -> Project {
    let project = Project::empty_in(db);
    let body = |sections: &[&str]| sections.iter().map(|name| section(name)).collect::<Vec<_>>().join("\n");
    let platform = body(&["platform", "platform rows"]);
    project.migration("0.0.0", "1.0.0", "base", &format!("-- Scope: platform\n{platform}"));
    let tenant = body(&["tenant", "tenant rows"]);
    project.file("tenant_templates/default/010_base.sql", format!("-- Template: v1.0.0\n{tenant}"));
    project
}

fn make_roles(db: &Database) {
    for statement in section("roles").split(';').map(str::trim).filter(|sql| !sql.is_empty()) {
        db.run(statement);
    }
}

/// What the program says of `case`, with `more` on its command line: the exit code, the findings, and the
/// lines of each statement in its file.
fn verdict(project: &Project, case: &Case, more: &[&str]) -> (i32, Value, Vec<RangeInclusive<u64>>) {
    let scope = &case.head["scope"];
    let file = "migrations/v1.0.0_to_v1.0.1_case.sql";
    let text = format!(
        "-- Migration: v1.0.0 to v1.0.1\n-- Description: {}\n-- Scope: {scope}\n{}",
        case.id, case.sql
    );
    project.file(file, &text);
    let script = Script::parse(Source::new(file, text.as_str())).unwrap();
    let line = |offset| script.source.position(offset).line as u64;
    let lines = script.statements.iter().map(|it| line(it.range.start)..=line(it.range.end)).collect();
    let url = project.db.url_as("hidden_owner");
    let url = url.as_str();
    let words = ["--format", "json", "verify", "--shadow-url", url, file];
    let output = project.run_words(words.iter().chain(more));
    let document: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}: {output}", case.id));
    // What could not be watched is no verdict.
    assert!(document["error"].is_null(), "{}: {output}", case.id);
    (output.code, document, lines)
}

fn denials(document: &Value) -> Vec<&Value> {
    let findings = document["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().filter(|it| it["level"] == "deny" && it["allowed"] == false).collect()
}

/// `judge` on each case, on a few databases at once; what it says, in order. The server is this call's own: a shadow sees
/// roles that anybody makes meanwhile.
fn each<T: Send>(cases: &[Case], judge: impl Fn(&Project, &Case) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let server = OwnServer::start(&[]);
    let projects = ["first", "second", "third"].map(|name| project(server.database(name)));
    make_roles(&projects[0].db);
    // A shadow's role needs no right but its database; this one may also use the release's role.
    projects[0].db.run("CREATE ROLE hidden_owner LOGIN BYPASSRLS");
    projects[0].db.run("GRANT hidden_app TO hidden_owner");
    for project in &projects {
        project.db.run(&format!("ALTER DATABASE {} OWNER TO hidden_owner", project.db.name));
        project.db.run("ALTER SCHEMA public OWNER TO hidden_owner");
    }
    std::thread::scope(|scope| {
        for project in &projects {
            let (next, done, judge) = (&next, &done, &judge);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { break };
                    let said = judge(project, case);
                    done.lock().unwrap().insert(at, said);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// Which evidence finds the loss of `case` at its statement; or all that was said.
fn evidence(project: &Project, case: &Case) -> Result<&'static str, String> {
    let statement: usize = case.head["line"].parse().unwrap();
    let finds = |document: &Value, lines: &[RangeInclusive<u64>], evidence: &str| {
        let at =
            |finding: &Value| lines[statement - 1].contains(&finding["line"].as_u64().unwrap_or_default());
        // A finding from the text may be confirmed by the effect.
        let has = |finding: &Value| {
            finding["evidence"] == evidence || (evidence == "effect" && finding.get("observed").is_some())
        };
        // The finding of a body that the statement uses names the line of the use.
        let used = |finding: &Value| {
            let observed = finding["observed"].as_array().into_iter().flatten();
            lines[statement - 1].clone().any(|line| {
                observed
                    .clone()
                    .any(|it| it.as_str().unwrap_or_default().ends_with(&format!(" in line {line}")))
            })
        };
        denials(document).into_iter().any(|finding| has(finding) && (at(finding) || used(finding)))
    };
    let (_, document, lines) = verdict(project, case, &[]);
    for evidence in ["effect", "text"] {
        if finds(&document, &lines, evidence) {
            return Ok(evidence);
        }
    }
    // What is right by all that the catalog says may still be wrong for the query that the release sends.
    project.file("old/probe.sql", format!("{}\n", case.head["probe"]));
    let (_, document, lines) = verdict(project, case, &["--queries", "old"]);
    if finds(&document, &lines, "queries") {
        return Ok("queries");
    }
    let told = document["findings"].as_array().into_iter().flatten();
    let told: Vec<_> = told
        .map(|it| {
            format!("{} {} {} {} {}", it["level"], it["rule"], it["line"], it["evidence"], it["message"])
        })
        .collect();
    Err(format!("{} (statement {statement}): {} {told:?}", case.id, document["error"]))
}

/// So many are found by what they do, on each release of PostgreSQL.
const BY_EFFECT: usize = 100;

#[test]
fn every_hidden_loss_is_found_at_its_statement() {
    let cases = cases("losses.sql");
    let found = each(&cases, evidence);
    let missed: Vec<&String> = found.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(missed.is_empty(), "{} of {} missed:\n{missed:#?}", missed.len(), cases.len());
    let count = |wanted: &str| found.iter().filter(|it| **it == Ok(wanted)).count();
    assert!(count("effect") >= BY_EFFECT, "only {} by effect", count("effect"));
    let mut table = format!(
        "All {} hidden losses are found at their statement: at least {BY_EFFECT} by effect, the others by text or by a query of \
         the release.\n\n| Migration | How it hides the loss | Breaks |\n| --- | --- | --- |\n",
        cases.len(),
    );
    for case in &cases {
        let _ = writeln!(table, "| {} | {} | {} |", case.id, case.head["why"], case.head["kind"]);
    }
    assert_part("losses", &table);
}

/// The look-alike that the role of a shadow may not run.
const NEEDS_SUPERUSER: &str = "platform-event-trigger-made-and-dropped";

#[test]
fn no_look_alike_is_refused() {
    let cases = cases("look_alikes.sql");
    let refused: Vec<String> = each(&cases, |project, case| {
        let (code, document, _) = verdict(project, case, &[]);
        let denials = denials(&document);
        let told: Vec<_> = denials.iter().map(|it| format!("{} {}", it["rule"], it["message"])).collect();
        (code != 0 || !told.is_empty()).then(|| format!("{}: {} {told:?}", case.id, document["error"]))
    })
    .into_iter()
    .flatten()
    .collect();
    // Only a superuser may create an event trigger, and its function would run with the rights of whoever comes after.
    let (unrun, refused): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|it| it.starts_with(NEEDS_SUPERUSER) && it.contains("not-observed"));
    assert_eq!(unrun.len(), 1, "{unrun:#?}");
    assert!(refused.is_empty(), "{} of {} refused:\n{refused:#?}", refused.len(), cases.len());
    let mut table = format!(
        "None of {} look-alikes is refused.\n\n| Migration | Why it is harmless |\n| --- | --- |\n",
        cases.len() - 1
    );
    for case in cases.iter().filter(|case| case.id != NEEDS_SUPERUSER) {
        let _ = writeln!(table, "| {} | {} |", case.id, case.head["why"]);
    }
    assert_part("look-alikes", &table);
}

/// `table` is what stands in its part of the document.
fn assert_part(part: &str, table: &str) {
    // Two tests may write it.
    static WRITING: Mutex<()> = Mutex::new(());
    let _guard = WRITING.lock().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verification.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (begin, end) = (format!("<!-- {part}: begin -->\n"), format!("<!-- {part}: end -->"));
    let from = text.find(&begin).unwrap() + begin.len();
    let to = text.find(&end).unwrap();
    assert_generated("docs/verification.md", &format!("{}\n{table}\n{}", &text[..from], &text[to..]));
}
