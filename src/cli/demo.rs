//! `tenure demo`: the main job from beginning to end, in a folder and on a private server of its own. Each
//! step is this program run as people would run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde::Serialize;

use super::args::Format;
use super::{Context, database, init, ui};
use crate::error::{Code, Failure};
use crate::postgres::server::Persistent;
use crate::project::MIGRATIONS;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder to make; one that an earlier demo made is made anew
    #[arg(long, value_name = "DIR", default_value = "tenure-demo")]
    dir: PathBuf,
}

/// Says that a folder is a demo's, so that a new demo may delete it.
const MARK: &str = ".tenure/demo";

/// The seeds' GOOD example, and a change of every tenant beside it.
const GOOD: &str = "ALTER TABLE users ADD COLUMN IF NOT EXISTS phone VARCHAR(50);\n\
                    ALTER TABLE workspaces ADD COLUMN IF NOT EXISTS archived_at TIMESTAMP WITH TIME ZONE;";
/// The seeds' BAD example.
const BAD: &str = "ALTER TABLE users DROP COLUMN email;";

/// One step, as it went.
#[derive(Debug, Serialize)]
struct Step {
    command: String,
    exit_code: i32,
}

struct Demo<'a> {
    context: &'a Context,
    dir: PathBuf,
    program: PathBuf,
    steps: Vec<Step>,
}

pub(super) async fn run(context: &Context, args: &DemoArgs) -> Result<u8, Failure> {
    let dir = context.here.join(&args.dir);
    clear(&dir).await?;
    init::write(&dir, init::EXAMPLE)?;
    init::write(&dir, &[(MARK, "made by `tenure demo`, which may delete it\n")])?;
    let program = std::env::current_exe().map_err(|error| Failure::new(Code::Io, error.to_string()))?;
    let mut demo = Demo { context, dir, program, steps: Vec::new() };
    demo.say("the platform goes from 0.0.0 to the newest version");
    demo.step(&["migrate", "up"], 0)?;
    demo.say("three customers sign up");
    demo.step(&["tenant", "create", "acme_corp", "--name", "Acme Corp"], 0)?;
    demo.step(&["tenant", "create", "retail_inc", "--name", "Retail Inc"], 0)?;
    demo.step(&["tenant", "create", "globex"], 0)?;
    demo.step(&["status", "--tenants"], 0)?;
    demo.say("one more migration, for the platform and for every tenant");
    demo.step(&["migrate", "new", "add phone and archive"], 0)?;
    demo.fill("add_phone_and_archive", GOOD)?;
    demo.step(&["migrate", "up"], 0)?;
    demo.say("a migration that would break the release still running is refused");
    demo.step(&["migrate", "new", "drop email"], 0)?;
    let bad = demo.fill("drop_email", BAD)?;
    demo.step(&["migrate", "up"], 1)?;
    std::fs::remove_file(&bad).map_err(|error| Failure::new(Code::Io, error.to_string()))?;
    demo.say("that file is removed again; the fleet is as it was");
    demo.step(&["status"], 0)?;
    demo.end(args)
}

impl Demo<'_> {
    fn say(&self, text: &str) {
        if self.context.ui.format == Format::Human {
            // The demo's result says whether it could be written.
            let _said = ui::print(&format!("\n# {text}\n"));
        }
    }

    /// Runs this program in the demo's folder; any other exit code than `expected` ends the demo.
    fn step(&mut self, words: &[&str], expected: i32) -> Result<(), Failure> {
        let shown = words
            .iter()
            .map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() });
        let command = format!("tenure {}", shown.collect::<Vec<_>>().join(" "));
        let mut process = Command::new(&self.program);
        process
            .args(words)
            .current_dir(&self.dir)
            .env("DATABASE_URL", database::EMBEDDED)
            .env_remove("TENURE_PROJECT");
        match self.context.ui.format {
            Format::Human => ui::print(&format!("$ {command}\n"))?,
            Format::Json => {
                process.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        let status = process
            .status()
            .map_err(|error| Failure::new(Code::Io, format!("running {command}: {error}")))?;
        let exit_code = status.code().unwrap_or(-1);
        if exit_code != expected {
            return Err(Failure::new(
                Code::StatementFailed,
                format!("{command} ended with {exit_code}, not {expected}"),
            )
            .hint(format!("the demo's folder is {}", self.dir.display())));
        }
        self.steps.push(Step { command, exit_code });
        Ok(())
    }

    /// Writes a statement between the BEGIN and COMMIT of the new migration `name`.
    fn fill(&self, name: &str, sql: &str) -> Result<PathBuf, Failure> {
        let io =
            |error: std::io::Error| Failure::new(Code::Io, format!("writing the migration {name}: {error}"));
        let folder = self.dir.join(MIGRATIONS);
        let ending = format!("_{name}.sql");
        let mut files = std::fs::read_dir(&folder).map_err(io)?.filter_map(Result::ok);
        let file = files
            .find(|entry| entry.file_name().to_string_lossy().ends_with(&ending))
            .ok_or_else(|| Failure::new(Code::Io, format!("the migration {name} was not written")))?;
        let text = std::fs::read_to_string(file.path()).map_err(io)?;
        std::fs::write(file.path(), text.replace("BEGIN;\n\n", &format!("BEGIN;\n{sql}\n"))).map_err(io)?;
        if self.context.ui.format == Format::Human {
            ui::print(&format!("> {}\n", sql.replace('\n', "\n> ")))?;
        }
        Ok(file.path())
    }

    fn end(self, args: &DemoArgs) -> Result<u8, Failure> {
        let program =
            if on_path(&self.program) { "tenure".to_owned() } else { self.program.display().to_string() };
        let document = serde_json::json!({ "dir": self.dir, "steps": self.steps });
        self.context.ui.result(&document, |paint| {
            let next = [
                ("cd", args.dir.display().to_string()),
                ("export", "DATABASE_URL=embedded".to_owned()),
                (program.as_str(), "status --tenants".to_owned()),
                (program.as_str(), "migrate history".to_owned()),
                (program.as_str(), "tenant show acme_corp".to_owned()),
                (program.as_str(), "dev psql".to_owned()),
                (program.as_str(), "dev stop".to_owned()),
            ];
            let lines: Vec<_> = next.iter().map(|(word, rest)| format!("  {word} {rest}")).collect();
            format!("\n{} To go on:\n{}\n", paint.good("That is the main job."), lines.join("\n"))
        })?;
        Ok(0)
    }
}

/// Makes room: what an earlier demo made is deleted, what anybody else made is left alone.
async fn clear(dir: &Path) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::new(Code::Io, format!("{}: {error}", dir.display()));
    if !dir.exists() || std::fs::read_dir(dir).map_err(io)?.next().is_none() {
        return Ok(());
    }
    if !dir.join(MARK).is_file() {
        return Err(Failure::new(
            Code::ProjectExists,
            format!("{} is there and is not a demo's", dir.display()),
        )
        .hint("name another folder with --dir"));
    }
    Persistent::of(dir, &database::environment())?.reset().await?;
    std::fs::remove_dir_all(dir).map_err(io)
}

/// Whether typing `tenure` would start this program.
fn on_path(program: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|folder| folder.join("tenure").canonicalize().is_ok_and(|found| found == program))
}
