//! `tenure demo`: an end-to-end example in its own folder, on its own private server. Each step runs this
//! program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::args::Format;
use super::{Context, database, init, ui};
use crate::error::{Code, Failure};
use crate::output::Text;
use crate::postgres::server::Persistent;
use crate::project::MIGRATIONS;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Folder to create; a folder of an earlier demo is replaced
    #[arg(long, value_name = "DIR", default_value = "tenure-demo")]
    dir: PathBuf,
}

/// Marker file of a demo folder, which a new demo may delete.
const MARKER: &str = ".tenure/demo";

/// A compatible migration, for the platform and for every tenant.
const GOOD: &str = "ALTER TABLE users ADD COLUMN IF NOT EXISTS phone VARCHAR(50);\n\
                    ALTER TABLE workspaces ADD COLUMN IF NOT EXISTS archived_at TIMESTAMP WITH TIME ZONE;";
/// A migration that breaks the running release.
const BAD: &str = "ALTER TABLE users DROP COLUMN email;";

/// A step that was run.
#[derive(Debug, JsonSchema, Serialize)]
struct Step {
    command: String,
    exit_code: i32,
}

/// The result of `demo`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct DemoRun<'a> {
    /// The folder of the project.
    dir: &'a Path,
    steps: &'a [Step],
}

struct Demo<'a> {
    context: &'a Context,
    dir: PathBuf,
    program: PathBuf,
    steps: Vec<Step>,
}

pub(super) async fn run(context: &Context, args: &DemoArgs) -> Result<u8, Failure> {
    let dir = context.here.join(&args.dir);
    delete_earlier_demo(&dir).await?;
    init::write(&dir, init::EXAMPLE.iter().copied())?;
    init::write(&dir, [(MARKER, "created by `tenure demo`, which may delete this folder\n")])?;
    let program = std::env::current_exe().map_err(|error| Failure::new(Code::Io, error.to_string()))?;
    let mut demo = Demo { context, dir, program, steps: Vec::new() };
    demo.print_heading("migrate the platform from 0.0.0 to the latest version");
    demo.run_step(&["migrate", "up"], 0)?;
    demo.print_heading("create three tenants");
    demo.run_step(&["tenant", "create", "acme_corp", "--name", "Acme Corp"], 0)?;
    demo.run_step(&["tenant", "create", "retail_inc", "--name", "Retail Inc"], 0)?;
    demo.run_step(&["tenant", "create", "globex"], 0)?;
    demo.run_step(&["status", "--tenants"], 0)?;
    demo.print_heading("add a migration for the platform and every tenant");
    demo.run_step(&["migrate", "new", "add phone and archive"], 0)?;
    demo.insert_sql("add_phone_and_archive", GOOD)?;
    demo.run_step(&["migrate", "up"], 0)?;
    demo.print_heading("a migration that would break the running release is refused");
    demo.run_step(&["migrate", "new", "drop email"], 0)?;
    let bad = demo.insert_sql("drop_email", BAD)?;
    demo.run_step(&["migrate", "up"], 1)?;
    std::fs::remove_file(&bad).map_err(|error| Failure::new(Code::Io, error.to_string()))?;
    demo.print_heading("remove that file; nothing was changed");
    demo.run_step(&["status"], 0)?;
    demo.finish(args)
}

impl Demo<'_> {
    fn print_heading(&self, text: &str) {
        if self.context.ui.format == Format::Human {
            // The demo's result reports write errors.
            let _written = ui::print(&Text::of_lines(&format!("\n# {text}\n")));
        }
    }

    /// Runs this program in the demo's folder. Fails if the exit code is not `expected`.
    fn run_step(&mut self, words: &[&str], expected: i32) -> Result<(), Failure> {
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
            Format::Human => ui::print(&Text::of_line(format_args!("$ {command}")))?,
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
                format!("{command} exited with code {exit_code}, expected {expected}"),
            )
            .hint(format!("the demo folder is {}", self.dir.display())));
        }
        self.steps.push(Step { command, exit_code });
        Ok(())
    }

    /// Inserts `sql` between BEGIN and COMMIT of the migration `name`.
    fn insert_sql(&self, name: &str, sql: &str) -> Result<PathBuf, Failure> {
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
            ui::print(&Text::of_lines(&format!("> {}\n", sql.replace('\n', "\n> "))))?;
        }
        Ok(file.path())
    }

    fn finish(self, args: &DemoArgs) -> Result<u8, Failure> {
        let program =
            if is_on_path(&self.program) { "tenure".to_owned() } else { self.program.display().to_string() };
        let document = DemoRun { dir: &self.dir, steps: &self.steps };
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
            let mut text = Text::default();
            text.blank();
            text.line(format_args!("{} Next steps:", paint.good("Demo complete.")));
            for (word, rest) in &next {
                text.line(format_args!("  {word} {rest}"));
            }
            text
        })?;
        Ok(0)
    }
}

/// Deletes the folder of an earlier demo. Fails if the folder has other contents.
async fn delete_earlier_demo(dir: &Path) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::new(Code::Io, format!("{}: {error}", dir.display()));
    if !dir.exists() || std::fs::read_dir(dir).map_err(io)?.next().is_none() {
        return Ok(());
    }
    if !dir.join(MARKER).is_file() {
        return Err(Failure::new(
            Code::ProjectExists,
            format!("{} exists and was not created by `tenure demo`", dir.display()),
        )
        .hint("choose another folder with --dir"));
    }
    Persistent::of(dir, &database::environment())?.reset().await?;
    std::fs::remove_dir_all(dir).map_err(io)
}

/// Whether `tenure` on the PATH is this program.
fn is_on_path(program: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|folder| folder.join("tenure").canonicalize().is_ok_and(|found| found == program))
}
