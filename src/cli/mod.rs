//! The command line: read the arguments, call one function, print its result. The only layer
//! that reads the environment, prints, or knows an exit code; a verb's file has no logic of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "only cli reads the environment and writes files that were asked for"
)]
#![expect(clippy::doc_markdown, reason = "clap shows doc comments on a terminal")]

mod args;
mod baseline;
mod branch;
mod connect;
mod database;
mod demo;
mod dev;
mod doctor;
mod documents;
mod drift;
mod dry_run;
mod events;
mod explain;
mod history;
mod init;
mod line;
mod migrate;
mod new;
mod progress;
mod queries;
mod repair;
mod restore;
mod shadow;
mod signals;
mod squash;
mod status;
mod template;
mod tenant;
mod ui;
mod up;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use self::args::{Cli, Global};
use self::branch::BranchVerb;
use self::demo::DemoArgs;
use self::dev::Dev;
use self::drift::DriftArgs;
use self::explain::ExplainArgs;
use self::migrate::Migrate;
use self::queries::Queries;
use self::signals::{stop_on_signals, unless_interrupted};
use self::status::StatusArgs;
use self::template::Template;
use self::tenant::Tenant;
use self::ui::Ui;
use self::verify::VerifyArgs;
use crate::error::{Code, Failure, Place};
use crate::output;
use crate::project::{Project, Root, STACK};

/// What every verb gets.
struct Context {
    global: Global,
    ui: Ui,
    here: PathBuf,
}

impl Context {
    /// The project's folder and settings.
    fn root(&self) -> Result<Root, Failure> {
        Root::find(self.global.project.as_deref(), &self.here)
    }

    /// The whole project.
    fn project(&self) -> Result<Project, Failure> {
        self.root()?.load()
    }
}

/// Runs the program and says its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let given = arguments.clone();
    let deep = std::thread::Builder::new().name("main".to_owned()).stack_size(STACK).spawn(|| program(given));
    match deep.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        // Where there is no room for it, the stack that there is does for all but the deepest files.
        Err(_) => program(arguments),
    }
}

fn program(arguments: Vec<OsString>) -> ExitCode {
    let cli = match line::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, &arguments),
    };
    log(cli.global.verbose);
    ExitCode::from(run(cli))
}

/// Runs one command line; the demo runs several.
fn run(cli: Cli) -> u8 {
    let ui = Ui::new(&cli.global);
    let outcome = std::env::current_dir()
        .context("reading the current folder")
        .and_then(|here| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("starting the runtime")?;
            Ok((here, runtime))
        })
        .map_err(|error| Failure::new(Code::Io, format!("{error:#}")))
        .and_then(|(here, runtime)| {
            let context = Context { global: cli.global, ui, here };
            runtime.block_on(signals::heeding(Box::pin(dispatch(&context, cli.command))))
        });
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            ui.failure(&failure, None);
            failure.class().exit_code()
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move the platform and every tenant along the chain of migrations
    #[command(subcommand)]
    Migrate(Migrate),
    /// Show where the platform and the tenants are
    Status(StatusArgs),
    /// Make and look at tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Look at the tenant templates
    #[command(subcommand)]
    Template(Template),
    /// Judge migrations and templates by their text, without a database
    Verify(VerifyArgs),
    /// Explain a rule or an error code, with examples
    Explain(ExplainArgs),
    /// Compare every tenant's schema with what its version says
    Drift(DriftArgs),
    /// The queries that the running release sends
    #[command(subcommand)]
    Queries(Queries),
    /// Copies of a database to try things on
    #[command(subcommand)]
    Branch(BranchVerb),
    /// Begin a project: settings, a first migration, a tenant template
    Init,
    /// Show the main job end to end, in a folder and on a private server of its own
    Demo(DemoArgs),
    /// Run the project's private server
    #[command(subcommand)]
    Dev(Dev),
    /// Look at the server, the role and the connection, and say what is not as it should be
    Doctor,
    /// How to get back to just before a run
    RestorePoint {
        /// The run's id; one that is not known shows the newest [default: the newest that changed something]
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Write a completion script for a shell to stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// The folder; it is made if it is missing
        dir: PathBuf,
    },
}

async fn dispatch(context: &Context, command: Command) -> Result<u8, Failure> {
    database::check_name(context)?;
    match command {
        Command::Migrate(verb) => migrate::run(context, verb).await,
        Command::Status(args) => status::run(context, &args).await,
        Command::Tenant(verb) => tenant::run(context, verb).await,
        Command::Template(verb) => template::run(context, verb).await,
        Command::Verify(args) => verify::run(context, &args).await,
        Command::Explain(args) => explain::run(context, &args),
        Command::Drift(args) => Box::pin(drift::run(context, &args)).await,
        Command::Queries(verb) => queries::run(context, verb).await,
        Command::Branch(verb) => branch::run(context, &verb).await,
        Command::Init => init::run(context),
        Command::Demo(args) => demo::run(context, &args).await,
        Command::Dev(verb) => dev::run(context, verb).await,
        Command::Doctor => doctor::run(context).await,
        Command::RestorePoint { run } => restore::run(context, run.as_deref()).await,
        Command::Completions { shell } => documents::completions(shell),
        Command::Man { dir } => documents::man(context, &dir),
    }
}

/// Help and version are results; anything else is a failure, in JSON where JSON was asked for.
fn unparsed(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            // A closed pipe is no error.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                ui::complain(&format!("error: writing to stdout: {error}"));
                ExitCode::from(Code::Io.class().exit_code())
            }
            _ => ExitCode::SUCCESS,
        };
    }
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let plain = error.render().to_string();
    let message = masked(&plain, &words);
    if line::wants_json(&words) {
        // The first paragraph says what is wrong and names it; the rest is usage and advice.
        let said = message.trim_start_matches("error: ").lines().take_while(|line| !line.trim().is_empty());
        let message = said.map(str::trim).collect::<Vec<_>>().join(" ");
        let document = serde_json::json!({ "error": output::failure_json(
            &Failure::new(Code::Usage, message).hint(format!("see `{}`", line::help(&words)))) });
        // The exit code says so in any case.
        let _printed = ui::print(&format!("{document}\n"));
    } else if message == plain {
        // A closed pipe is no error.
        let _printed = error.print();
    } else {
        ui::complain(message.trim_end());
    }
    ExitCode::from(Code::Usage.class().exit_code())
}

/// What the parser says, without a URL or a password that stands among the words of the command line: it repeats what
/// it cannot place.
fn masked(message: &str, words: &[std::borrow::Cow<'_, str>]) -> String {
    let given = words.iter().flat_map(|word| {
        // A flag's value is told without the flag.
        let value = word.strip_prefix('-').and_then(|flag| flag.split_once('=')).map(|(_, value)| value);
        std::iter::once(&**word).chain(value)
    });
    let message = given
        .filter_map(|word| Some((word, word.split_once("://")?.0)))
        .fold(message.to_owned(), |message, (word, scheme)| {
            message.replace(word, &format!("{scheme}://***"))
        });
    output::without_secrets(&message)
}

/// `-v` shows what the program does, `-vv` in detail, `-vvv` the driver's words too.
fn log(verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
}

/// What the command line names could not be read or written.
fn io(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display().to_string();
    Failure::new(Code::Io, format!("{shown}: {error}")).at(Place::File(shown))
}

/// The command as it stands in a run's row: the verb and its flags, no URL.
fn command_line(verb: &str) -> String {
    format!("tenure {verb}")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
