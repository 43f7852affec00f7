//! The corpus in `tests/corpus`: statements that manuals warn of or recommend, each with the verdict that
//! is true of it. The server takes every one of them, and `tenure verify` says of each what its label says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::support::{Database, Project, assert_generated};

/// Files that one run of the program is given: enough to be fast, and not more than a command line holds.
const AT_ONCE: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Reject,
    Allow,
}

/// A block of a file.
#[derive(Debug, Clone)]
struct Case {
    /// The file, without `.sql`.
    tool: String,
    line: usize,
    label: Label,
    kind: String,
    source: String,
    reason: String,
    /// The first server that knows the statement.
    from: u32,
    sql: String,
}

/// What the program says of a block: the rules that deny it, or the error that it is refused with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Judged(Vec<String>),
    Refused(String),
}

impl Case {
    fn place(&self) -> String {
        format!("tests/corpus/{}.sql:{}", self.tool, self.line)
    }

    /// Whether what the program says is what is true. A statement that the server takes may be denied, but
    /// it may not be unreadable.
    fn agrees(&self, verdict: &Verdict) -> bool {
        match (self.label, verdict) {
            (Label::Reject, Verdict::Judged(rules)) => !rules.is_empty(),
            (Label::Allow, Verdict::Judged(rules)) => rules.is_empty(),
            (_, Verdict::Refused(_)) => false,
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn base() -> String {
    std::fs::read_to_string(folder().join("base.sql")).unwrap()
}

/// The statements of all blocks.
pub fn statements() -> Vec<String> {
    corpus().0.into_iter().map(|case| case.sql).collect()
}

/// The blocks of all files, and the first line of each file: whose manual it follows.
fn corpus() -> (Vec<Case>, BTreeMap<String, String>) {
    let head = Regex::new(r"^-- (reject|allow) \| (.+)$").unwrap();
    let (mut cases, mut manuals) = (Vec::<Case>::new(), BTreeMap::new());
    let mut paths: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "sql")) {
        let tool = path.file_stem().unwrap().to_string_lossy().into_owned();
        if tool == "base" {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let manual = text.lines().next().unwrap().strip_prefix("-- ").unwrap();
        manuals.insert(tool.clone(), manual.to_owned());
        let mut in_block = false;
        for (index, line) in text.lines().enumerate().skip(1) {
            if let Some(found) = head.captures(line) {
                let label = if &found[1] == "reject" { Label::Reject } else { Label::Allow };
                cases.push(block(&tool, index + 1, label, &found[2]));
                in_block = true;
            } else if in_block {
                let case = cases.last_mut().unwrap();
                case.sql.push_str(line);
                case.sql.push('\n');
            } else {
                assert!(line.is_empty(), "{}:{}: SQL without a label", path.display(), index + 1);
            }
        }
    }
    (cases, manuals)
}

fn block(tool: &str, line: usize, label: Label, head: &str) -> Case {
    let mut fields: Vec<_> = head.split(" | ").map(str::to_owned).collect();
    let from = fields.last().and_then(|last| last.strip_prefix("from ")?.parse().ok());
    if from.is_some() {
        fields.pop();
    }
    assert!(fields.len() >= 3, "{tool}.sql:{line}: a kind, a source and a reason");
    let reason = fields.split_off(2).join(" | ");
    let source = fields.pop().unwrap();
    let kind = fields.pop().unwrap();
    Case {
        tool: tool.to_owned(),
        line,
        label,
        kind,
        source,
        reason,
        from: from.unwrap_or(0),
        sql: String::new(),
    }
}

/// What the program says of each block, as people would ask it, in few runs. A file that does not even
/// parse ends a run, so the run is made again without it.
fn verdicts(cases: &[Case]) -> Vec<Verdict> {
    let project = Project::empty();
    project.file("base.sql", base());
    for (index, case) in cases.iter().enumerate() {
        project.file(&format!("{index}.sql"), &case.sql);
    }
    let mut said = vec![Verdict::Judged(Vec::new()); cases.len()];
    let all: Vec<usize> = (0..cases.len()).collect();
    for chunk in all.chunks(AT_ONCE) {
        let mut left: Vec<usize> = chunk.to_vec();
        loop {
            let files: Vec<_> = left.iter().map(|index| format!("{index}.sql")).collect();
            let (code, document) = project.json(&format!("verify {} --base base.sql", files.join(" ")));
            if let Some(error) = document.get("error") {
                assert_eq!(code, 2, "{document}");
                let index = number(error["file"].as_str().unwrap_or_else(|| panic!("{document}")));
                assert!(left.contains(&index), "{document}");
                said[index] = Verdict::Refused(format!("{}: {}", error["code"], error["message"]));
                left.retain(|other| *other != index);
                continue;
            }
            for finding in document["findings"].as_array().unwrap() {
                let index = number(finding["file"].as_str().unwrap());
                let denies = finding["level"] == "deny" && finding["allowed"] == false;
                if let (true, Verdict::Judged(rules)) = (denies, &mut said[index]) {
                    rules.push(finding["rule"].as_str().unwrap().to_owned());
                }
            }
            assert_eq!(document["summary"]["files"], left.len(), "every file is judged");
            break;
        }
    }
    said
}

fn number(file: &str) -> usize {
    file.strip_suffix(".sql").unwrap().parse().unwrap()
}

#[test]
fn the_server_takes_every_statement() {
    let (cases, _) = corpus();
    let shop = Database::fresh();
    shop.run(&base());
    let version: u32 = shop.value("SHOW server_version_num").parse::<u32>().unwrap() / 10_000;
    let mut refused = Vec::new();
    for case in cases.iter().filter(|case| case.from <= version) {
        let own_transaction = case.sql.contains("COMMIT;");
        let inside = format!("BEGIN;\n{}\n;ROLLBACK", case.sql);
        let mut answer = if own_transaction { Err("25001".to_owned()) } else { shop.try_run(&inside) };
        if answer.as_ref().is_err_and(|error| error.starts_with("25001")) {
            let alone = Database::copy_of(&shop);
            answer = alone.try_run(&case.sql);
            alone.run("ALTER SYSTEM RESET ALL");
        }
        if let Err(error) = answer {
            refused.push(format!("{}: {error}\n{}", case.place(), case.sql));
        }
    }
    assert!(refused.is_empty(), "{} refused by the server:\n{}", refused.len(), refused.join("\n"));
    shop.run("DROP OWNED BY corpus_app, corpus_reader, corpus_admin CASCADE; DROP ROLE corpus_app, corpus_reader, corpus_admin");
    let admin = Database { name: "postgres".to_owned(), url: shop.url.clone() };
    admin.run("DROP DATABASE IF EXISTS corpus_other");
    std::mem::forget(admin);
}

#[test]
fn the_program_says_what_the_labels_say() {
    let (cases, manuals) = corpus();
    let rejects = cases.iter().filter(|case| case.label == Label::Reject).count();
    assert!(rejects >= 150 && cases.len() - rejects >= 70, "{rejects} of {}", cases.len());
    let said = verdicts(&cases);
    let wrong: Vec<_> = cases.iter().zip(&said).filter(|(case, verdict)| !case.agrees(verdict)).collect();
    let mut list = String::new();
    for (case, verdict) in &wrong {
        let _ = writeln!(
            list,
            "{}: {:?} | {} | {} | {}: {verdict:?}\n{}",
            case.place(),
            case.label,
            case.kind,
            case.source,
            case.reason,
            case.sql.trim_end()
        );
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{list}", wrong.len(), cases.len());
    assert_generated("docs/corpus.md", &document(&cases, &said, &manuals));
}

/// Each denial ends with the line that accepts it: with these lines, nothing is denied, and each line is used.
#[test]
fn the_proposed_lines_accept_every_denial() {
    let (cases, _) = corpus();
    let mut rejected: Vec<Case> = cases.into_iter().filter(|case| case.label == Label::Reject).collect();
    let denials = denials(&rejected);
    for (case, lines) in rejected.iter_mut().zip(&denials) {
        assert!(!lines.is_empty(), "{}: nothing to accept", case.place());
        let lines: String =
            lines.iter().map(|line| line.replace("<reason>", "it was tried") + "\n").collect();
        case.sql = format!("{lines}{}", case.sql);
    }
    let wrong: Vec<_> = rejected
        .iter()
        .zip(verdicts(&rejected))
        .filter(|(_, verdict)| *verdict != Verdict::Judged(Vec::new()))
        .map(|(case, verdict)| format!("{}: {verdict:?}\n{}", case.place(), case.sql))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rejected.len(), wrong.join("\n"));
}

/// The proposed line of each denial of each case.
fn denials(cases: &[Case]) -> Vec<Vec<String>> {
    let project = Project::empty();
    project.file("base.sql", base());
    let mut lines = vec![Vec::new(); cases.len()];
    for (index, case) in cases.iter().enumerate() {
        project.file(&format!("{index}.sql"), &case.sql);
    }
    let all: Vec<usize> = (0..cases.len()).collect();
    for chunk in all.chunks(AT_ONCE) {
        let files: Vec<_> = chunk.iter().map(|index| format!("{index}.sql")).collect();
        let (_, document) = project.json(&format!("verify {} --base base.sql", files.join(" ")));
        for finding in document["findings"].as_array().unwrap_or_else(|| panic!("{document}")) {
            if finding["level"] == "deny" && finding["allowed"] == false {
                let line = finding["allow_line"].as_str().unwrap_or_else(|| panic!("{finding}")).to_owned();
                lines[number(finding["file"].as_str().unwrap())].push(line);
            }
        }
    }
    lines
}

/// The beginning of a case of which the shadow says more than the text, with the rule.
const SHADOW_SAYS_MORE: &[(&str, &str)] = &[
    // The text names a view; the shadow names the tables whose rows are written.
    ("CREATE VIEW copy AS SELECT * FROM orders; DELETE FROM copy;", "deletes-rows"),
    ("DELETE FROM active_customers;", "deletes-rows"),
    ("UPDATE active_customers SET country", "values-changed"),
    ("CREATE VIEW short AS SELECT id, email", "values-changed"),
    // The text denies the UPDATE, the shadow also what the rule of its table does.
    ("ALTER TABLE stamps ADD COLUMN kind", "deletes-rows"),
    // The text denies the new owner of the sequence, the shadow what is dropped with it.
    ("CREATE TABLE fresh (a int); ALTER SEQUENCE invoice_numbers OWNED BY", "drop-default"),
    ("CREATE TABLE fresh (a int); ALTER SEQUENCE invoice_numbers OWNED BY", "drop-sequence"),
];

/// The shadow denies nothing that passes by the text, and reports each harm in the finding of the text. Compared are the
/// statements whose text is readable and that the shadow's role may run. `TENURE_TEST_CORPUS=all` compares all of them, else
/// every sixth.
#[test]
fn the_shadow_agrees_with_the_text() {
    const LEFT_OUT: &[&str] = &["not-observed", "execution-fails", "opaque-code"];
    let (cases, _) = corpus();
    let every = if std::env::var("TENURE_TEST_CORPUS").is_ok_and(|wanted| wanted == "all") { 1 } else { 6 };
    let chosen: Vec<&Case> = cases.iter().step_by(every).collect();
    // The shadow's role may not use other servers or own objects for others, and roles are the server's.
    let not_on_shadow = Regex::new(
        "FOREIGN DATA WRAPPER|CREATE SERVER|USER MAPPING|FOREIGN TABLE|CREATE ROLE|GRANT corpus_reader|OWNER TO corpus",
    )
    .unwrap();
    let base: Vec<_> =
        base().lines().filter(|line| !not_on_shadow.is_match(line)).map(str::to_owned).collect();
    let base = base.join("\n").replace("corpus_", "shadowed_");
    let admin = Database::fresh();
    admin.run("CREATE ROLE shadowed_app LOGIN; CREATE ROLE shadowed_reader; CREATE ROLE shadowed_admin; GRANT shadowed_reader TO shadowed_app");
    let compare = |case: &Case, shadow: &Database| -> Option<Vec<String>> {
        let project = Project::empty();
        project.file("tenure.toml", "[platform]\nschema = \"public\"\n");
        let head = "-- Description: one case\n-- Scope: platform\n";
        project.file("migrations/v0.0.0_to_v0.0.1_base.sql", format!("{head}{base}"));
        let sql = case.sql.replace("corpus_", "shadowed_");
        project.file("migrations/v0.0.1_to_v0.0.2_case.sql", format!("{head}{sql}"));
        let (_, document) =
            project.json(&format!("verify migrations/v0.0.1_to_v0.0.2_case.sql --shadow-url {}", shadow.url));
        let findings = document["findings"].as_array()?;
        let denied: Vec<_> =
            findings.iter().filter(|it| it["level"] == "deny" && it["allowed"] == false).collect();
        if document.get("error").is_some()
            || findings.iter().any(|it| LEFT_OUT.iter().any(|rule| it["rule"] == *rule))
        {
            return None;
        }
        let only_shadow = denied.iter().filter(|it| it["evidence"] == "effect");
        let is_known = |it: &serde_json::Value| {
            SHADOW_SAYS_MORE.iter().any(|(sql, rule)| case.sql.starts_with(sql) && it["rule"] == *rule)
        };
        Some(
            only_shadow
                .filter(|it| !is_known(it))
                .map(|it| format!("{}: {}: {}\n{}", case.place(), it["rule"], it["message"], case.sql))
                .collect(),
        )
    };
    let results = std::thread::scope(|scope| {
        let half = |from: usize| {
            let (chosen, compare) = (&chosen, &compare);
            scope.spawn(move || {
                let shadow = Database::fresh();
                let mine = chosen.iter().skip(from).step_by(2);
                mine.filter_map(|case| compare(case, &shadow)).collect::<Vec<_>>()
            })
        };
        let threads = [half(0), half(1)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    admin.run("DROP ROLE shadowed_app, shadowed_reader, shadowed_admin");
    let wrong: Vec<_> = results.iter().flatten().cloned().collect();
    assert!(results.len() * 10 > chosen.len() * 6, "{} of {} were compared", results.len(), chosen.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), results.len(), wrong.join("\n"));
}

/// The page that shows the result.
fn document(cases: &[Case], said: &[Verdict], manuals: &BTreeMap<String, String>) -> String {
    let mut text = String::from(
        "# The corpus\n\nGenerated by `tests/it/corpus.rs`; `cargo xtask bless` updates it.\n\n\
         The corpus contains statements that the manuals of other tools and of PostgreSQL warn of or recommend, in our own\n\
         words, with the expected verdict of each: `tests/corpus/README.md`. A **miss** is a harmful statement that passes. A\n\
         **false alarm** is a harmless statement that is denied. The server accepts all statements.\n",
    );
    let tools: BTreeSet<&str> = cases.iter().map(|case| case.tool.as_str()).collect();
    let kinds: BTreeSet<&str> = cases.iter().map(|case| case.kind.as_str()).collect();
    let _ = write!(text, "\n| manual | reject | allow | misses | false alarms |\n{RULER}");
    for tool in tools {
        let name = manuals[tool].split(':').next().unwrap();
        row(&mut text, &format!("[{name}](../tests/corpus/{tool}.sql)"), cases, said, |case| {
            case.tool == tool
        });
    }
    row(&mut text, "**all**", cases, said, |_| true);
    let _ = write!(text, "\n| kind | reject | allow | misses | false alarms |\n{RULER}");
    for kind in kinds {
        row(&mut text, kind, cases, said, |case| case.kind == kind);
    }
    text.push('\n');
    text.push_str(&crate::oracle::section());
    text
}

const RULER: &str = "| --- | --- | --- | --- | --- |\n";

fn row(text: &mut String, name: &str, cases: &[Case], said: &[Verdict], wanted: impl Fn(&Case) -> bool) {
    let count = |label: Label, wrong: bool| {
        let of_label = |(case, verdict): &(&Case, &Verdict)| {
            wanted(case) && case.label == label && !(wrong && case.agrees(verdict))
        };
        cases.iter().zip(said).filter(of_label).count()
    };
    let _ = writeln!(
        text,
        "| {name} | {} | {} | {} | {} |",
        count(Label::Reject, false),
        count(Label::Allow, false),
        count(Label::Reject, true),
        count(Label::Allow, true),
    );
}
