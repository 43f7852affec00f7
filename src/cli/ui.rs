//! The terminal: results on stdout, notes and failures on stderr, colours and prompts. The only module that prints, and it
//! prints only [`Text`], whose lines are escaped.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Term;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::args::{Color, Format, Global};
use super::document::{Document, Failed, OUTCOME, WithError};
use super::events::now_ms;
use super::progress::{Progress, ProgressMode};
use crate::error::{Code, Failure};
use crate::output::{self, GivenCredentials, Paint, Terminal, Text, escape};
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
    /// Whether stdout contains events, with the result or the failure as the last one.
    events: bool,
}

/// Whether the program at the other end of stdout does not read, so that nothing more is written to it.
static STDOUT_GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// Writes nothing more to stdout.
pub(super) fn give_up_stdout() {
    STDOUT_GIVEN_UP.store(true, Ordering::Relaxed);
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
        let now = OffsetDateTime::now_utc();
        let paint = |is_coloured: bool, term: &Term| {
            // A pseudo-terminal without a size, such as the one of a CI system, has no limit.
            let columns = term.size_checked().map_or(usize::MAX, |(_rows, columns)| usize::from(columns));
            Paint { is_coloured, terminal: term.is_term().then_some(Terminal { columns, now }) }
        };
        let (stdout, stderr) = match global.color {
            // console takes an empty CLICOLOR_FORCE for a set one.
            Color::Auto if std::env::var_os("CLICOLOR_FORCE").is_some_and(|force| force.is_empty()) => {
                let is_off = std::env::var_os("CLICOLOR").is_some_and(|value| value == "0");
                let may = |term: &Term| !is_off && term.features().colors_supported();
                (may(&Term::stdout()), may(&Term::stderr()))
            }
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
            stdout: paint(stdout, &Term::stdout()),
            stderr: paint(stderr, &Term::stderr()),
            reveals: false,
            events: false,
        }
    }

    /// Writes a result to stdout, as text or as the JSON document.
    pub(super) fn result(
        self,
        value: &impl Document,
        text: impl FnOnce(Paint) -> Text,
    ) -> Result<(), Failure> {
        self.write_out(Outcome::Done, value, text).or_else(WriteError::ignore_closed_pipe)
    }

    /// Writes a result that may be a failure: text of a failure goes to stderr, JSON always to stdout.
    pub(super) fn outcome(
        self,
        outcome: Outcome,
        value: &impl Document,
        text: impl FnOnce(Paint) -> Text,
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
        value: &impl Document,
        text: impl FnOnce(Paint) -> Text,
    ) -> Result<(), Failure> {
        self.revealing().write_out(outcome, value, text).map_err(|write_error| write_error.0)
    }

    fn write_out(
        self,
        outcome: Outcome,
        value: &impl Document,
        text: impl FnOnce(Paint) -> Text,
    ) -> Result<(), WriteError> {
        let write_out = |text: &Text| if self.reveals { write_raw(text) } else { write_out(text) };
        match (self.format, outcome) {
            (Format::Human, Outcome::Failed) => {
                let text = text(self.stderr);
                let shown =
                    if self.reveals { Cow::Borrowed(text.as_str()) } else { without_given(text.as_str()) };
                write_stderr(&shown).map_err(WriteError::of("stderr"))
            }
            (Format::Human, Outcome::Done) => write_out(&text(self.stdout)),
            (Format::Json, outcome) if self.events => {
                let text = text(self.stderr);
                match outcome {
                    Outcome::Failed => print_error(&text),
                    Outcome::Done => self.note_text(&text),
                }
                write_out(&Text::of_json(&as_event(json(value, outcome)?)))
            }
            (Format::Json, outcome) => write_out(&Text::of_json(&json(value, outcome)?.into())),
        }
    }

    /// Writes the result or the failure as an event on stdout, and its text to stderr.
    pub(super) fn with_events(mut self) -> Self {
        self.format = Format::Json;
        self.events = true;
        self
    }

    /// Whether the result is an event.
    pub(super) fn writes_events(self) -> bool {
        self.events
    }

    pub(super) fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The same without notes, as with `--quiet`.
    pub(super) fn quiet(mut self) -> Self {
        self.verbosity = Verbosity::Quiet;
        self
    }

    /// Prints a note of one line to stderr unless `--quiet` is set.
    pub(super) fn note(self, line: &str) {
        self.note_text(&Text::of_line(line));
    }

    /// Prints a text to stderr unless `--quiet` is set.
    pub(super) fn note_text(self, text: &Text) {
        if self.verbosity >= Verbosity::Normal {
            print_error(text);
        }
    }

    /// Whether `-v` is set.
    pub(super) fn is_verbose(self) -> bool {
        self.verbosity >= Verbosity::Verbose
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
            // The runner must read the secret itself.
            let _said = write_stderr(format::github_mask(secret).as_str());
        }
    }

    pub(super) fn stdout_paint(self) -> Paint {
        self.stdout
    }

    pub(super) fn stderr_paint(self) -> Paint {
        self.stderr
    }

    /// Prints a failure, as text to stderr or as JSON to stdout.
    pub(super) fn failure(self, failure: &Failure) {
        self.fail(failure, &Failed { error: failure.into() });
    }

    /// Prints a failure like [`Ui::failure`]. In JSON, the keys of `document` are next to it.
    pub(super) fn failure_with<T>(self, failure: &Failure, document: &T)
    where
        for<'a> WithError<&'a T>: Document,
    {
        self.fail(failure, &WithError { document, error: Some(failure.into()) });
    }

    fn fail(self, failure: &Failure, document: &impl Document) {
        let print = || print_error(&output::failure(failure, self.stderr));
        if self.format == Format::Human || self.events {
            print();
        }
        if self.format == Format::Json {
            let written = json(document, Outcome::Failed).and_then(|document| {
                let document = if self.events { as_event(document) } else { document.into() };
                write_out(&Text::of_json(&document))
            });
            if written.is_err() && !self.events {
                // Fall back to stderr.
                print();
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
        prompt(&format!("{question}? [y/N]"));
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
        prompt(&format!("{question}? Type {name} to confirm:"));
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
            // The bar would be torn apart by the events.
            Verbosity::Normal if self.events && Term::stdout().is_term() => ProgressMode::Periodic,
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
pub(super) fn print(text: &Text) -> Result<(), Failure> {
    write_out(text).or_else(WriteError::ignore_closed_pipe)
}

/// Writes a page to stdout, in which everything is escaped already. Ignores a closed pipe.
pub(super) fn print_page(html: &str) -> Result<(), Failure> {
    let written = write(std::io::stdout().lock(), html).map_err(WriteError::of("stdout"));
    written.or_else(WriteError::ignore_closed_pipe)
}

/// Writes a JSON document to stdout. Ignores a closed pipe.
pub(super) fn print_json(document: &impl Document, outcome: Outcome) -> Result<(), Failure> {
    let written = json(document, outcome).and_then(|document| write_out(&Text::of_json(&document.into())));
    written.or_else(WriteError::ignore_closed_pipe)
}

/// The keys of a document, with the outcome as the first one.
fn json(document: &impl Document, outcome: Outcome) -> Result<Map<String, Value>, WriteError> {
    let mut keys = match serde_json::to_value(document) {
        Ok(Value::Object(keys)) => keys,
        Ok(_) => Map::new(),
        Err(error) => {
            return Err(WriteError(Failure::new(Code::Io, error.to_string()), ErrorKind::Other));
        }
    };
    let word = keys.shift_remove(OUTCOME).unwrap_or_else(|| match outcome {
        Outcome::Done => "done".into(),
        Outcome::Failed => "failed".into(),
    });
    keys.shift_insert(0, OUTCOME.to_owned(), word);
    Ok(keys)
}

/// Writes an event to stdout.
pub(super) fn print_event(line: &Text) -> std::io::Result<()> {
    write(std::io::stdout().lock(), &without_given(line.as_str()))
}

/// The document with the keys of an event.
fn as_event(document: Map<String, Value>) -> Value {
    let at = u64::try_from(now_ms()).unwrap_or(u64::MAX);
    let mut event = Map::from_iter([("at_ms".to_owned(), at.into()), ("event".to_owned(), "result".into())]);
    event.extend(document);
    event.into()
}

fn write_out(text: &Text) -> Result<(), WriteError> {
    if STDOUT_GIVEN_UP.load(Ordering::Relaxed) {
        return Ok(());
    }
    write(std::io::stdout().lock(), &without_given(text.as_str())).map_err(WriteError::of("stdout"))
}

fn write_raw(text: &Text) -> Result<(), WriteError> {
    write(std::io::stdout().lock(), text.as_str()).map_err(WriteError::of("stdout"))
}

/// Writes to stderr, even with `--quiet`. Ignores write errors, so that the work continues.
pub(super) fn print_error(text: &Text) {
    let _said = write_stderr(&without_given(text.as_str()));
}

/// Writes to stderr, without the empty lines at the end.
fn write_stderr(text: &str) -> std::io::Result<()> {
    let mut to = std::io::stderr().lock();
    writeln!(to, "{}", text.trim_end()).and_then(|()| to.flush())
}

/// Asks a question in the current line.
fn prompt(question: &str) {
    let mut to = std::io::stderr().lock();
    let _asked = write!(to, "{} ", without_given(&escape(question))).and_then(|()| to.flush());
}

fn write(mut to: impl std::io::Write, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes()).and_then(|()| to.flush())
}

/// Escapes the lines of another writer of this program, such as debug logs, before they reach stderr.
#[derive(Debug)]
pub(super) struct EscapedStderr;

impl std::io::Write for EscapedStderr {
    /// Takes whole lines.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let text = Text::of_line(line.strip_suffix('\n').unwrap_or(&line));
        write(std::io::stderr().lock(), &without_given(text.as_str()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
