//! The terminal: results on stdout, notes and failures on stderr, colours and prompts. The only module that prints.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal};
use std::sync::OnceLock;

use console::Term;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{Color, Format, Global};
use super::progress::{Progress, ProgressMode};
use crate::error::{Code, Failure};
use crate::output::{self, GivenCredentials, Paint};
use crate::verify::format;

/// The output settings of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ui {
    pub(super) format: Format,
    verbosity: Verbosity,
    yes: bool,
    stdout: Paint,
    stderr: Paint,
    /// Whether results may contain a password of the command line.
    reveals: bool,
}

/// The credentials that no output repeats.
static GIVEN: OnceLock<GivenCredentials> = OnceLock::new();

/// Sets the words and values whose credentials no output repeats.
pub(super) fn hide_credentials(words: impl IntoIterator<Item = String>) {
    // A second command line of this process: the demo's steps contain none.
    let _first = GIVEN.set(GivenCredentials::of(words));
}

/// The text without the credentials of the command line.
pub(super) fn without_given(text: &str) -> Cow<'_, str> {
    GIVEN.get().map_or(Cow::Borrowed(text), |given| given.mask(text))
}

/// How much is printed to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

impl Ui {
    pub(super) fn new(global: &Global) -> Self {
        let paint = |enabled: bool| if enabled { Paint::Coloured } else { Paint::Plain };
        let (stdout, stderr) = match global.color {
            // console obeys NO_COLOR, CLICOLOR and CLICOLOR_FORCE.
            Color::Auto => (console::colors_enabled(), console::colors_enabled_stderr()),
            Color::Always => (true, true),
            Color::Never => (false, false),
        };
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        Self {
            format: global.format,
            verbosity,
            yes: global.yes,
            stdout: paint(stdout),
            stderr: paint(stderr),
            reveals: false,
        }
    }

    /// Writes a result to stdout, as text or as the JSON document.
    pub(super) fn result(
        self,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Failure> {
        self.write_out(Outcome::Done, value, text).or_else(WriteError::ignore_closed_pipe)
    }

    /// Writes a result that may be a failure: text of a failure goes to stderr, JSON always to stdout.
    pub(super) fn outcome(
        self,
        outcome: Outcome,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Failure> {
        self.write_out(outcome, value, text).or_else(WriteError::ignore_closed_pipe)
    }

    /// For a result with the URL of a branch, which may contain the password of the given URL.
    pub(super) fn revealing(mut self) -> Self {
        self.reveals = true;
        self
    }

    /// Like [`Ui::outcome`], for a result that must be read, such as a password: a closed pipe is an error too.
    pub(super) fn secret(
        self,
        outcome: Outcome,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Failure> {
        self.revealing().write_out(outcome, value, text).map_err(|write_error| write_error.0)
    }

    fn write_out(
        self,
        outcome: Outcome,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), WriteError> {
        let write_out = |text: &str| if self.reveals { write_raw(text) } else { write_out(text) };
        match (self.format, outcome) {
            (Format::Human, Outcome::Failed) => {
                let text = text(self.stderr);
                let text = if self.reveals { Cow::Borrowed(text.as_str()) } else { without_given(&text) };
                write(std::io::stderr().lock(), &format!("{}\n", text.trim_end()))
                    .map_err(WriteError::of("stderr"))
            }
            (Format::Human, Outcome::Done) => write_out(&text(self.stdout)),
            (Format::Json, _) => {
                let json = serde_json::to_string(value).map_err(|error| {
                    WriteError(Failure::new(Code::Io, error.to_string()), ErrorKind::Other)
                })?;
                write_out(&format!("{json}\n"))
            }
        }
    }

    pub(super) fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Prints a note to stderr unless `--quiet` is set.
    pub(super) fn note(self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            write_stderr(text);
        }
    }

    /// Prints several notes.
    pub(super) fn notes(self, texts: &[String]) {
        for text in texts {
            self.note(text);
        }
    }

    /// Masks secrets in the log of GitHub's runner. It reads commands on stderr too, and stdout contains only
    /// the result.
    pub(super) fn mask(secrets: &[String]) {
        for secret in secrets {
            let _said = write(std::io::stderr().lock(), &format!("{}\n", format::github_mask(secret)));
        }
    }

    pub(super) fn stdout_paint(self) -> Paint {
        self.stdout
    }

    pub(super) fn stderr_paint(self) -> Paint {
        self.stderr
    }

    /// Prints a failure, as text to stderr or as JSON to stdout.
    pub(super) fn failure(self, failure: &Failure, more: impl IntoIterator<Item = (&'static str, Value)>) {
        match self.format {
            Format::Human => print_error(&output::failure(failure, self.stderr)),
            Format::Json => {
                let mut document = json!({ "error": output::failure_json(failure) });
                if let Some(object) = document.as_object_mut() {
                    object.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
                }
                // Fall back to stderr.
                if write_out(&format!("{document}\n")).is_err() {
                    print_error(&output::failure(failure, self.stderr));
                }
            }
        }
    }

    /// Asks for confirmation. Without a terminal, `--yes` is required.
    pub(super) fn confirm(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let refused = |message: &str| {
            Failure::new(Code::ConfirmationRequired, message).hint("pass --yes to skip the prompt")
        };
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(refused(&format!(
                "{question}: not done, there is no terminal to ask for confirmation"
            )));
        }
        let _asked = write(std::io::stderr().lock(), &format!("{question}? [y/N] "));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        match answer.trim() {
            "y" | "Y" | "yes" if read.is_ok() => Ok(()),
            _ => Err(refused(&format!("{question}: not done"))),
        }
    }

    /// Asks to type `name` as confirmation. A value of `--confirm` must equal it. Without a terminal, `--confirm` is
    /// required.
    pub(super) fn confirm_name(question: &str, name: &str, given: Option<&str>) -> Result<(), Failure> {
        let hint = format!("pass --confirm {name}");
        let refused = |message: String| Failure::new(Code::ConfirmationRequired, message).hint(hint.clone());
        match given {
            Some(given) if given == name => return Ok(()),
            Some(given) => {
                let message = format!("--confirm is {given:?}, expected {name:?}: nothing was done");
                return Err(Failure::new(Code::Usage, message).hint(hint));
            }
            None if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) => {
                return Err(refused(format!(
                    "{question}: not done, there is no terminal to ask for confirmation"
                )));
            }
            None => {}
        }
        let _asked = write(std::io::stderr().lock(), &format!("{question}? Type {name} to confirm: "));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        if read.is_ok() && answer.trim() == name {
            return Ok(());
        }
        Err(refused(format!("{question}: not done")))
    }

    /// The progress display for this terminal and verbosity.
    pub(super) fn progress(self) -> Progress {
        let mode = match self.verbosity {
            Verbosity::Quiet => ProgressMode::Quiet,
            Verbosity::Verbose => ProgressMode::EveryEvent,
            Verbosity::Normal if Term::stderr().is_term() => ProgressMode::Bar,
            Verbosity::Normal => ProgressMode::Periodic,
        };
        Progress::new(mode, self.stderr)
    }
}

/// Whether the command succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
}

/// A failed write and the kind of its I/O error.
struct WriteError(Failure, ErrorKind);

impl WriteError {
    fn of(stream: &str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self(Failure::new(Code::Io, format!("writing to {stream}: {error}")), error.kind())
    }

    /// Ignores a closed pipe, so that `tenure … | head` succeeds.
    fn ignore_closed_pipe(self) -> Result<(), Failure> {
        if self.1 == ErrorKind::BrokenPipe { Ok(()) } else { Err(self.0) }
    }
}

/// Writes to stdout. Ignores a closed pipe.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write_out(text).or_else(WriteError::ignore_closed_pipe)
}

fn write_out(text: &str) -> Result<(), WriteError> {
    write_raw(&without_given(text))
}

fn write_raw(text: &str) -> Result<(), WriteError> {
    write(std::io::stdout().lock(), text).map_err(WriteError::of("stdout"))
}

/// Writes a line to stderr. Ignores write errors, so that the work continues.
fn write_stderr(line: &str) {
    let _said = write(std::io::stderr().lock(), &format!("{}\n", without_given(line)));
}

fn write(mut to: impl std::io::Write, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes()).and_then(|()| to.flush())
}

/// Prints a line to stderr, even with `--quiet`.
pub(super) fn print_error(text: &str) {
    write_stderr(text);
}
