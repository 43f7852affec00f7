//! Decides which denials are true, and what was missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::chain::{Chain, Denial, File};
use super::facts::{Key, Weight};
use super::replay::{FileRun, Observation};
use crate::support::Database;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Something that was there before the file is lost, changed or refused.
    True,
    /// Something changes that people disagree on, or the denial is not about a loss.
    Arguable,
    ProvablyFalse,
    /// The statement did not run.
    Unknown,
}

/// A denial, what it is, and what its statement did.
#[derive(Debug)]
pub struct JudgedDenial {
    pub denial: Denial,
    pub verdict: Truth,
    pub why: String,
    pub statement: String,
}

/// A harm at a statement without a denial.
#[derive(Debug)]
pub struct Miss {
    pub file: String,
    pub statement: String,
    pub what: String,
}

#[derive(Debug)]
pub struct Judged {
    pub chain: String,
    pub files: usize,
    pub statements: usize,
    pub refused: Vec<(String, String)>,
    pub failed: Vec<(String, String)>,
    pub denials: Vec<JudgedDenial>,
    pub misses: Vec<Miss>,
    /// The date and the server's version.
    pub measured: String,
}

/// Rules about the text, the session or the rights of a file, whose verdict no catalog shows.
const NOT_ABOUT_A_LOSS: &[&str] = &[
    "opaque-code",
    "search-path",
    "set-role",
    "disables-safeguards",
    "beyond-tenant",
    "template-beyond-tenant",
    "read-before-made",
    "duplicate-column",
    "change-role",
    "drop-role",
    "alter-system",
    "change-database",
    "write-to-catalog",
    "drop-owned",
    "change-replication",
    "names-one-tenant",
    "publish-without-key",
    "unverifiable",
    "revoke",
];

/// Rules about rows and the next values of sequences, whose harm a sample without such rows does not show.
const ABOUT_ROWS: &[&str] =
    &["change-sequence", "delete-rows", "delete-without-where", "overwrite-rows", "update-without-where"];

pub fn judge(chain: &Chain, denials: &[Denial], runs: &[FileRun]) -> Judged {
    let mut judged = Judged {
        files: chain.files.len(),
        statements: chain.files.iter().map(|file| file.statements.len()).sum(),
        refused: chain.refused.clone(),
        failed: Vec::new(),
        denials: Vec::new(),
        misses: Vec::new(),
        measured: measured(),
        chain: chain.name.clone(),
    };
    for (file, run) in chain.files.iter().zip(runs) {
        let mut denied: BTreeSet<usize> = BTreeSet::new();
        for denial in denials.iter().filter(|denial| denial.path == file.path) {
            let at = file.statements.iter().position(|it| it.start <= denial.at && denial.at < it.end);
            let (verdict, why, statement) = match at {
                Some(at) => {
                    let statement = &file.statements[at];
                    let at = uses(file, at, denial);
                    let (verdict, why) = weigh(denial, &statement.text, run, &at);
                    denied.extend(at);
                    (verdict, why, statement.text.clone())
                }
                None => (Truth::Unknown, "no statement is there".to_owned(), String::new()),
            };
            judged.denials.push(JudgedDenial { denial: denial.clone(), verdict, why, statement });
        }
        for (index, what) in misses(run, &denied) {
            let (name, text) = (file.name.clone(), file.statements[index].text.clone());
            if is_upsert(&text) {
                continue;
            }
            judged.misses.push(Miss { file: name, statement: text, what });
        }
        for (statement, observed) in file.statements.iter().zip(&run.statements) {
            if let Some(error) = observed.failed.as_ref().or(observed.refused.as_ref()) {
                judged.failed.push((file.name.clone(), format!("{error}: {}", short(&statement.text))));
            }
        }
    }
    judged
}

/// The statement with a denial, and if it is in the body of a routine, the later statements that use the routine, also through
/// others.
fn uses(file: &File, at: usize, denial: &Denial) -> Vec<usize> {
    let statement = &file.statements[at];
    let mut names: Vec<String> =
        routine(&statement.text).filter(|_| denial.at > statement.start).into_iter().collect();
    let mut found = vec![at];
    for (index, later) in file.statements.iter().enumerate().skip(at + 1) {
        if names.iter().any(|name| mentions(&later.text, name)) {
            found.push(index);
            names.extend(routine(&later.text));
        }
    }
    found
}

/// Whether it writes rows that its text contains, over existing ones: a warning.
fn is_upsert(sql: &str) -> bool {
    static UPSERT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?is)\A\s*insert\s.*\bvalues\b.*\bon\s+conflict\b.*\bdo\s+update\b").unwrap()
    });
    UPSERT.is_match(sql)
}

/// The name of the routine that a statement creates.
fn routine(sql: &str) -> Option<String> {
    static CREATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?is)\A\s*create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+(?:"?\w+"?\.)?"?(\w+)"#)
            .unwrap()
    });
    CREATE.captures(sql).map(|found| found[1].to_lowercase())
}

/// Whether `name` is a word of the text.
fn mentions(sql: &str, name: &str) -> bool {
    let sql = sql.to_lowercase();
    let mut words = sql.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.any(|word| word == name)
}

/// Whether a denial of statements that were observed is true.
fn weigh(denial: &Denial, text: &str, run: &FileRun, at: &[usize]) -> (Truth, String) {
    let all = || at.iter().map(|index| &run.statements[*index]);
    if let Some(error) = all().find_map(|it| it.failed.as_ref()) {
        return (Truth::Unknown, error.clone());
    }
    if let Some(error) = all().find_map(|it| it.refused.as_ref()) {
        return (Truth::True, format!("refused by rows: {error}"));
    }
    let worst = all().filter_map(|observed| worst(run, observed, |key| may_concern(&denial.rule, key)));
    // The statements that replace an enum by one with other values do not name it.
    let about_types = ["change-column-type", "drop-type", "rename-object"].contains(&denial.rule.as_str());
    let mut harms =
        run.changes.iter().filter(|(key, change)| key.kind == "enum" && change.weight == Weight::Harm);
    let replaced = harms.find(|(key, _)| about_types && text.contains(&key.object));
    let replaced = replaced.map(|(key, change)| (Weight::Harm, format!("{key}: {}", change.what)));
    match worst.chain(replaced).max_by_key(|(weight, _)| *weight) {
        Some((Weight::Harm, what)) => (Truth::True, what),
        Some((_, what)) => (Truth::Arguable, what),
        None if NOT_ABOUT_A_LOSS.contains(&denial.rule.as_str()) => {
            (Truth::Arguable, "not about a loss".to_owned())
        }
        None if ABOUT_ROWS.contains(&denial.rule.as_str()) => {
            (Truth::Unknown, "no sample row is written".to_owned())
        }
        None => (Truth::ProvablyFalse, String::new()),
    }
}

/// Whether a denial of this rule may be about a change of `key`.
fn may_concern(rule: &str, key: &Key) -> bool {
    let part = key.part.as_ref().map_or("", |(part, _)| part.as_str());
    if key.kind == "name" {
        return rule == "rename-object";
    }
    match rule {
        "add-unique" | "drop-unique" => matches!(part, "index" | "constraint"),
        "add-check" | "add-foreign-key" | "drop-action" | "change-constraint" => part == "constraint",
        "set-not-null" | "add-required-column" | "change-column-type" | "drop-column" | "drop-default" => {
            part == "column"
        }
        "create-trigger" | "drop-trigger" | "disable-trigger" | "create-rule" => {
            matches!(part, "trigger" | "rule" | "policy")
        }
        _ => true,
    }
}

fn worst(run: &FileRun, observed: &Observation, concerns: impl Fn(&Key) -> bool) -> Option<(Weight, String)> {
    if let Some(write) = observed.writes.first() {
        let weight = if write.starts_with("FILL") { Weight::Arguable } else { Weight::Harm };
        return Some((weight, write.clone()));
    }
    let changes = observed
        .touched
        .iter()
        .filter(|key| concerns(key))
        .filter_map(|key| Some((key, run.changes.get(key)?)));
    let (key, change) = changes.max_by_key(|(_, change)| change.weight)?;
    Some((change.weight, format!("{key}: {}", change.what)))
}

/// Harms that no denied statement has a part in, each at the first statement that does.
fn misses(run: &FileRun, denied: &BTreeSet<usize>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // The parts of a lost object, or of one that was created again, go with it.
    let is_whole = |key: &Key| {
        let rows = Key { kind: "rows".to_owned(), ..key.whole() };
        let is_other = key.kind != "rows" && run.changes.contains_key(&rows);
        key.part.is_none()
            || !is_other && run.changes.get(&key.whole()).is_none_or(|whole| whole.what != "lost")
    };
    // A view shows what a denied statement does to the columns of tables.
    let denied_columns: BTreeSet<&str> = denied
        .iter()
        .flat_map(|index| &run.statements[*index].touched)
        .filter(|key| key.kind == "table" && key.is_part("column") && run.changes.contains_key(key))
        .filter_map(|key| key.part.as_ref().map(|(_, name)| name.as_str()))
        .collect();
    let is_shown = |key: &Key| {
        let column = key.part.as_ref().filter(|_| key.kind == "view" && key.is_part("column"));
        column.is_some_and(|(_, name)| denied_columns.contains(name.as_str()))
    };
    let harms = run.changes.iter().filter(|(key, change)| {
        change.weight == Weight::Harm && key.kind != "name" && is_whole(key) && !is_shown(key)
    });
    for (key, change) in harms {
        let touches = |key: &Key, index: usize| run.statements[index].touched.contains(key);
        let by: Vec<usize> = (0..run.statements.len()).filter(|index| touches(key, *index)).collect();
        if let Some(first) = by.first().filter(|_| !by.iter().any(|index| denied.contains(index))) {
            found.push((*first, format!("{key}: {}", change.what)));
        }
    }
    for (index, observed) in run.statements.iter().enumerate().filter(|(index, _)| !denied.contains(index)) {
        let writes = observed.writes.iter().filter(|write| !write.starts_with("FILL"));
        found.extend(writes.map(|write| (index, write.clone())));
    }
    found.sort();
    found
}

fn measured() -> String {
    let db = Database::fresh();
    db.value("SELECT to_char(now(), 'YYYY-MM-DD') || ', PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)")
}

impl Judged {
    pub fn count(&self, verdict: Truth) -> usize {
        self.denials.iter().filter(|it| it.verdict == verdict).count()
    }

    /// All denials and misses, for people.
    pub fn list(&self) -> String {
        let mut text = format!("{self}\n");
        for (file, why) in &self.refused {
            let _ = writeln!(text, "REFUSED {file}: {why}");
        }
        for (file, why) in &self.failed {
            let _ = writeln!(text, "FAILED {file}: {why}");
        }
        for miss in &self.misses {
            let _ = writeln!(text, "MISS {}: {}\n    {}", miss.file, miss.what, short(&miss.statement));
        }
        for it in &self.denials {
            let place = format!("{}:{}", it.denial.path, it.denial.at.0);
            let _ = writeln!(
                text,
                "{:?} {} {place}: {}\n    {}\n    {}",
                it.verdict,
                it.denial.rule,
                it.why,
                it.denial.message,
                short(&it.statement)
            );
        }
        text
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_rule: BTreeMap<(&str, bool), usize> = BTreeMap::new();
        for it in &self.denials {
            *by_rule.entry((it.denial.rule.as_str(), it.verdict == Truth::ProvablyFalse)).or_default() += 1;
        }
        let list = by_rule
            .iter()
            .filter(|((_, wrong), _)| *wrong)
            .map(|((rule, _), count)| format!("{rule} {count}"));
        write!(
            f,
            "{}: {} files, {} statements, {} denials: {} true, {} arguable, {} unknown, {} provably false ({}); {} missed; {} files refused, {} statements failed",
            self.chain,
            self.files,
            self.statements,
            self.denials.len(),
            self.count(Truth::True),
            self.count(Truth::Arguable),
            self.count(Truth::Unknown),
            self.count(Truth::ProvablyFalse),
            list.collect::<Vec<_>>().join(", "),
            self.misses.len(),
            self.refused.len(),
            self.failed.len(),
        )
    }
}

fn short(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
