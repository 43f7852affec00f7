//! The command line: each file reads the arguments of a command, calls one function and prints its result.
//! Only this module reads the environment, prints and sets the exit code. Commands contain no other logic.
#![expect(clippy::disallowed_methods, reason = "only cli reads the environment and writes requested files")]
#![expect(clippy::doc_markdown, reason = "clap shows doc comments on a terminal")]

mod args;
mod baseline;
mod branch;
mod complete;
mod connect;
mod database;
mod demo;
mod dev;
mod diagram;
mod doctor;
mod document;
mod documents;
mod drift;
mod dry_run;
mod env_file;
mod events;
mod examples;
mod explain;
mod history;
mod html_report;
mod init;
mod line;
mod lock_wait;
mod migrate;
mod new;
mod overview;
mod progress;
mod queries;
mod repair;
mod report;
mod restore;
mod runs;
mod shadow;
mod signals;
mod squash;
mod status;
mod template;
mod tenant;
mod ui;
mod up;
mod verify;
mod wait;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use clap::error::ContextValue;
use tracing::field::{Field, Visit};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use self::args::{Cli, Format, Global};
use self::branch::BranchVerb;
use self::demo::DemoArgs;
use self::dev::Dev;
use self::diagram::DiagramArgs;
pub use self::document::json_schemas;
use self::drift::DriftArgs;
use self::explain::ExplainArgs;
use self::html_report::ReportArgs;
use self::init::InitArgs;
use self::migrate::Migrate;
use self::queries::Queries;
use self::runs::RunVerb;
use self::signals::{stop_on_signals, unless_interrupted};
use self::status::StatusArgs;
use self::template::Template;
use self::tenant::Tenant;
use self::ui::Ui;
use self::verify::VerifyArgs;
use self::wait::WaitArgs;
use crate::error::{Code, Failure, Place};
use crate::event::NoticeLevel;
use crate::output::{self, Paint, Text};
use crate::postgres::{self, NOTICES};
use crate::project::{Project, Root, STACK};

/// The context of every command.
struct Context {
    global: Global,
    ui: Ui,
    here: PathBuf,
    /// Whether a note names the session that holds a lock.
    reports_waits: bool,
}

impl Context {
    /// The project's folder and settings.
    fn root(&self) -> Result<Root, Failure> {
        Root::find(self.global.project.as_deref(), &self.here)
    }

    fn project(&self) -> Result<Project, Failure> {
        self.root()?.load()
    }
}

/// Runs the program and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let given = arguments.clone();
    let thread =
        std::thread::Builder::new().name("main".to_owned()).stack_size(STACK).spawn(|| program(given));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        // Without memory for a large stack, the default stack suffices for all but the most deeply nested files.
        Err(_) => program(arguments),
    }
}

fn program(arguments: Vec<OsString>) -> ExitCode {
    if complete::complete(&arguments) {
        return ExitCode::SUCCESS;
    }
    ui::hide_credentials(given_texts(&arguments));
    // Before the command line is checked: a required value may be in the file.
    if let Some((file, rest)) = line::env_file(&arguments) {
        let failure = env_file::restart(&file, &rest);
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        report_early(&failure, line::wants_json(&words));
        return ExitCode::from(failure.class().exit_code());
    }
    let cli = match line::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return report_parse_error(error, &arguments),
    };
    init_logging(cli.global.verbose);
    ExitCode::from(run(cli))
}

/// The words of the command line, and the values of the variables that it reads.
fn given_texts(arguments: &[OsString]) -> impl Iterator<Item = String> {
    let is_read = |name: &OsString| {
        name.to_str().is_some_and(|name| name.starts_with("TENURE_") || name.starts_with("DATABASE_URL"))
    };
    let values = std::env::vars_os().filter(move |(name, _)| is_read(name)).map(|(_, value)| value);
    let all = arguments.iter().skip(1).cloned().chain(values);
    all.map(|text| text.to_string_lossy().into_owned()).collect::<Vec<_>>().into_iter()
}

/// Runs one command line; the demo runs several.
fn run(cli: Cli) -> u8 {
    let ui = Ui::new(&cli.global);
    // Every failure ends the events, also one before the run.
    let ui = if cli.command.as_ref().is_some_and(Command::streams_events) && ui.format == Format::Human {
        ui.with_events()
    } else {
        ui
    };
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
            let command = cli.command;
            let reports_waits = !command.as_ref().is_some_and(lock_wait::has_reports);
            let context = Context { global: cli.global, ui, here, reports_waits };
            runtime.block_on(signals::heeding(Box::pin(async {
                match command {
                    Some(command) => dispatch(&context, command).await,
                    None => overview::run(&context).await,
                }
            })))
        });
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            ui.failure(&failure);
            failure.class().exit_code()
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Migrate the platform and all tenants
    #[command(subcommand)]
    Migrate(Migrate),
    /// Show the versions of the platform and the tenants
    Status(StatusArgs),
    /// Wait until the platform and all tenants have reached a version; only reads
    Wait(WaitArgs),
    /// List recorded runs and show their units and failures
    #[command(subcommand)]
    Run(RunVerb),
    /// Create, inspect and change tenants
    #[command(subcommand)]
    Tenant(Tenant),
    /// Check and squash tenant templates
    #[command(subcommand)]
    Template(Template),
    /// Check migrations and templates for unsafe changes, without a database
    Verify(VerifyArgs),
    /// Explain a rule or an error code, with examples
    Explain(ExplainArgs),
    /// Write a page about the chain, the fleet, failures, drift, durations and runs
    Report(ReportArgs),
    /// Draw the tables and their references as an entity-relationship diagram
    Diagram(DiagramArgs),
    /// Compare each tenant's schema with the schema that its version defines
    Drift(DriftArgs),
    /// Capture the queries of the running release
    #[command(subcommand)]
    Queries(Queries),
    /// Create and delete database branches (copies)
    #[command(subcommand)]
    Branch(BranchVerb),
    /// Create a project: settings, a first migration, a tenant template
    Init(InitArgs),
    /// Run an end-to-end example in a new folder, on its own private server
    Demo(DemoArgs),
    /// Manage the project's private server
    #[command(subcommand)]
    Dev(Dev),
    /// Check the server, the role, the connection and the registry for problems
    Doctor,
    /// Show how to restore the database to its state before a run
    RestorePoint {
        /// ID of the run; an unknown ID lists recent runs [default: the latest run that changed something]
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Print a shell completion script
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages to a folder
    Man {
        /// Target folder; created if missing
        dir: PathBuf,
    },
}

impl Command {
    /// Whether stdout contains events, of which the result is the last one.
    fn streams_events(&self) -> bool {
        matches!(self, Self::Migrate(Migrate::Up(args)) if args.streams_events())
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<u8, Failure> {
    database::check_database_url(context)?;
    match command {
        Command::Migrate(verb) => migrate::run(context, verb).await,
        Command::Status(args) => status::run(context, &args).await,
        Command::Wait(args) => wait::run(context, &args).await,
        Command::Run(verb) => runs::run(context, verb).await,
        Command::Tenant(verb) => Box::pin(tenant::run(context, verb)).await,
        Command::Template(verb) => template::run(context, verb).await,
        Command::Verify(args) => verify::run(context, &args).await,
        Command::Explain(args) => explain::run(context, &args),
        Command::Report(args) => html_report::run(context, &args).await,
        Command::Diagram(args) => diagram::run(context, &args).await,
        Command::Drift(args) => drift::run(context, &args).await,
        Command::Queries(verb) => queries::run(context, verb).await,
        Command::Branch(verb) => branch::run(context, &verb).await,
        Command::Init(args) => init::run(context, &args).await,
        Command::Demo(args) => demo::run(context, &args).await,
        Command::Dev(verb) => dev::run(context, verb).await,
        Command::Doctor => doctor::run(context).await,
        Command::RestorePoint { run } => restore::run(context, run.as_deref()).await,
        Command::Completions { shell } => documents::completions(shell),
        Command::Man { dir } => documents::man(context, &dir),
    }
}

/// Prints a failure before the command line is parsed.
fn report_early(failure: &Failure, in_json: bool) {
    if in_json {
        // The exit code reports the failure in any case.
        let _printed = ui::print_json(&document::Failed { error: failure.into() }, ui::Outcome::Failed);
    } else {
        ui::print_error(&output::failure(failure, Paint::PLAIN));
    }
}

/// Prints help and version to stdout, and anything else as a failure, in JSON if requested.
fn report_parse_error(error: clap::Error, arguments: &[OsString]) -> ExitCode {
    // The message repeats words, which must not add lines to it.
    let escaped: Vec<OsString> =
        arguments.iter().map(|word| output::escape(&word.to_string_lossy()).into()).collect();
    let error = if escaped == arguments { error } else { line::parse(&escaped).err().unwrap_or(error) };
    // The help shows the variables.
    let error = if error.use_stderr() { line::without_environment(&escaped, error) } else { error };
    let error = with_escaped_values(error);
    let arguments = &escaped;
    if !error.use_stderr() {
        return match error.print() {
            // Ignore a closed pipe.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                ui::print_error(&Text::of_line(format_args!("error: writing to stdout: {error}")));
                ExitCode::from(Code::Io.class().exit_code())
            }
            _ => ExitCode::SUCCESS,
        };
    }
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let meant = line::meant(&words, &error);
    let plain = error.render().to_string();
    let message = output::without_secrets(&output::without_credentials(&ui::without_given(&plain)));
    if line::wants_json(&words) {
        // The first paragraph describes the error; the rest is usage and advice.
        let first_paragraph =
            message.trim_start_matches("error: ").lines().take_while(|line| !line.trim().is_empty());
        let message = first_paragraph.map(str::trim).collect::<Vec<_>>().join(" ");
        let hint = meant.map_or_else(|| format!("see `{}`", line::help_command(&words)), str::to_owned);
        let failure = Failure::new(Code::Usage, message).hint(hint);
        // The exit code reports the failure in any case.
        let _printed = ui::print_json(&document::Failed { error: (&failure).into() }, ui::Outcome::Failed);
        return ExitCode::from(Code::Usage.class().exit_code());
    }
    let message = match meant {
        Some(meant) => format!("{}\n\nhelp: {meant}", message.trim_end()),
        None => message,
    };
    let text = Text::of_lines(message.trim_end());
    if text.as_str().trim_end() == plain.trim_end() {
        // In colour. Ignore a closed pipe.
        let _printed = error.print();
    } else {
        ui::print_error(&text);
    }
    ExitCode::from(Code::Usage.class().exit_code())
}

/// The error with escaped values: those of variables are not among the arguments.
fn with_escaped_values(mut error: clap::Error) -> clap::Error {
    let texts = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, output::escape(text))),
        _ => None,
    });
    for (kind, text) in texts.collect::<Vec<_>>() {
        let _before = error.insert(kind, ContextValue::String(text));
    }
    error
}

/// `-vv` enables debug logs, `-vvv` trace logs, including those of the driver. The logs leave out the server's notices, which may
/// contain rows.
fn init_logging(verbose: u8) {
    let level = match verbose {
        0 | 1 => LevelFilter::OFF,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let logs = Targets::new().with_default(level).with_target(NOTICES, LevelFilter::OFF);
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| ui::EscapedStderr)
        .log_internal_errors(false)
        .with_filter(logs);
    let notices = NoticeLayer.with_filter(Targets::new().with_target(NOTICES, LevelFilter::INFO));
    tracing_subscriber::registry().with(notices).with(log).init();
}

/// Passes the server's notices to the connection that receives them.
struct NoticeLayer;

impl<S: tracing::Subscriber> Layer<S> for NoticeLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _context: LayerContext<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::WARN => NoticeLevel::Warning,
            tracing::Level::INFO => NoticeLevel::Notice,
            _ => return,
        };
        let mut message = NoticeText(String::new());
        event.record(&mut message);
        postgres::receive_notice(level, message.0);
    }
}

/// The message of an event.
struct NoticeText(String);

impl Visit for NoticeText {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }
}

/// A failure to read or write `path`.
fn io(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display().to_string();
    Failure::new(Code::Io, format!("{shown}: {error}")).at(Place::File(shown))
}

/// The command as recorded in a run's row, without URLs.
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
