//! `cargo xtask TASK`: frequent tasks of development.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "it writes files and runs cargo for a developer"
)]

mod chart;
mod record;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask TASK

  new-rule ID     add a rule of `verify`: src/verify/rules/, its row and its `RuleId`
  new-verb NAME   add a command: src/cli/, its variant and its arm
  bless           write the snapshots and the documents generated from the code
  docs            build the documentation of the code; warnings are errors
  chart           draw the chart of speed from benches/RESULTS.md
  record          record the program on a terminal for the README; needs script (util-linux)";

type Done = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["new-rule", id] => new_rule(&root(), id),
        ["new-verb", name] => new_verb(&root(), name),
        ["bless"] => bless(),
        ["docs"] => cargo(
            &["doc", "--no-deps", "--locked", "--document-private-items"],
            ("RUSTDOCFLAGS", "-D warnings"),
        ),
        ["chart"] => chart::write(&root()),
        ["record"] => {
            cargo(&["build", "--locked"], ("RUST_BACKTRACE", "0")).and_then(|()| record::write(&root()))
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn new_rule(root: &Path, id: &str) -> Done {
    let module = module(id)?;
    let variant = variant(&module);
    let list = File::read(root, "src/verify/rules/mod.rs")?;
    let list =
        list.with_module(&module)?.before("    template::ROWS,", &format!("    &[{module}::RULE],"))?;
    let ids = File::read(root, "src/verify/rule_id.rs")?;
    if ids.text.contains(&format!("\n    {variant},\n")) {
        return Err(format!("RuleId::{variant} already exists"));
    }
    let ids = ids.before("    TemplateBeyondTenant,", &format!("    {variant},"))?;
    create(
        root,
        &format!("src/verify/rules/{module}.rs"),
        &format!(
            r#"//! Why the statement is a hazard (manual, chapter).

use squawk_syntax::SyntaxKind;

use crate::sql::Node;
use crate::verify::rule::{{Impact, Judge, Rule}};
use crate::verify::rule_context::{{RuleContext, Span}};
use crate::verify::{{Level, RuleId}};

pub(in crate::verify) const RULE: Rule = Rule {{
    id: RuleId::{variant},
    level: Level::Warn,
    impact: &[Impact::OldWriters],
    why: "",
    remediation: "",
    bad: "",
    good: "",
    ignores_new_objects: true,
    judge: Judge::Code(judge),
}};

fn judge(context: &RuleContext<'_>) -> Vec<Span> {{
    context.nodes(&[SyntaxKind::DROP_TABLE]).map(Node::span).collect()
}}
"#
        ),
    )?;
    list.write()?;
    ids.write()?;
    eprintln!(
        "next: complete src/verify/rules/{module}.rs with a bad and a good example, add cases to tests/corpus/, then \
         `cargo xtask bless`"
    );
    Ok(())
}

fn new_verb(root: &Path, name: &str) -> Done {
    let module = module(name)?;
    let variant = variant(&module);
    let verbs = File::read(root, "src/cli/mod.rs")?.with_module(&module)?.before(
        "        Command::Doctor => ",
        &format!("        Command::{variant} => {module}::run(context).await,"),
    )?;
    let verbs = verbs.before(
        "    /// Print a shell completion script",
        &format!("    /// Describe the command in one line\n    {variant},"),
    )?;
    create(
        root,
        &format!("src/cli/{module}.rs"),
        &format!(
            r"//! `tenure {name}`

use super::{{Context, database}};
use crate::error::Failure;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {{
    let root = context.root()?;
    let connection = database::connect_root(context, &root).await?;
    connection.close().await;
    Ok(0)
}}
"
        ),
    )?;
    verbs.write()?;
    eprintln!(
        "next: put the operation, its result and its text into the feature's folder, call it in src/cli/{module}.rs and print \
         with `context.ui.result`; add tests in tests/it/ and describe the command in README.md and CHANGELOG.md; then \
         `cargo xtask bless`"
    );
    Ok(())
}

/// Inline snapshots are not updated: insta only writes proposals next to the test file.
fn bless() -> Done {
    cargo(&["test", "--locked", "--lib", "--test", "it"], ("INSTA_UPDATE", "always"))?;
    eprintln!("inline snapshots: accept them with `cargo insta review` (cargo install cargo-insta)");
    Ok(())
}

fn cargo(arguments: &[&str], (name, value): (&str, &str)) -> Done {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program).args(arguments).env(name, value).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {}: {status}", arguments.join(" "))),
        Err(error) => Err(format!("running cargo: {error}")),
    }
}

/// The module of a name in kebab-case.
fn module(name: &str) -> Result<String, String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase());
    if name.split('-').all(is_word) {
        Ok(name.replace('-', "_"))
    } else {
        Err(format!("invalid name {name:?}: use lower-case letters, and hyphens between words"))
    }
}

/// The enum variant of a module.
fn variant(module: &str) -> String {
    module.split('_').map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    word.get(..1).map_or_else(String::new, str::to_uppercase) + word.get(1..).unwrap_or_default()
}

/// A source file, changed in memory first so that nothing is written if an anchor is missing.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn read(root: &Path, path: &str) -> Result<Self, String> {
        let path = root.join(path);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, text })
    }

    /// Adds a module in alphabetical order.
    fn with_module(self, module: &str) -> Result<Self, String> {
        let name = |line: &str| {
            let declared = line.strip_prefix("pub(super) ").unwrap_or(line);
            Some(declared.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
        };
        if self.text.lines().filter_map(name).any(|other| other == module) {
            return Err(format!("{} already has a module {module}", self.path.display()));
        }
        let next = self.text.lines().find(|line| name(line).is_some_and(|other| other.as_str() > module));
        let last = self.text.lines().rfind(|line| name(line).is_some());
        let line = format!("mod {module};");
        match (next.map(str::to_owned), last.map(str::to_owned)) {
            (Some(next), _) => self.before(&next, &line),
            (None, Some(last)) => {
                let text = self.text.replacen(&last, &format!("{last}\n{line}"), 1);
                Ok(Self { text, ..self })
            }
            (None, None) => Err(format!("{} has no modules", self.path.display())),
        }
    }

    /// Adds lines before the line that begins with `anchor`.
    fn before(self, anchor: &str, lines: &str) -> Result<Self, String> {
        let begins = format!("\n{anchor}");
        let at = self.text.find(&begins);
        let at = at.ok_or_else(|| format!("{} has no line {anchor:?}", self.path.display()))? + 1;
        let text = format!("{}{lines}\n{}", &self.text[..at], &self.text[at..]);
        Ok(Self { text, ..self })
    }

    fn write(&self) -> Done {
        std::fs::write(&self.path, &self.text).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

fn create(root: &Path, path: &str, text: &str) -> Done {
    let file = File { path: root.join(path), text: text.to_owned() };
    if file.path.exists() { Err(format!("{path} already exists")) } else { file.write() }
}
