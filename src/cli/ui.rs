//! The terminal: results to stdout, talk to stderr, colours and questions. The only place that prints.

use std::io::{ErrorKind, IsTerminal};

use console::Term;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{Color, Format, Global};
use super::progress::{Manner, Progress};
use crate::error::{Code, Failure};
use crate::output::{self, Paint};
use crate::verify::format;

/// How this process talks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ui {
    pub(super) format: Format,
    talk: Talk,
    yes: bool,
    stdout: Paint,
    stderr: Paint,
}

/// How much goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Talk {
    Little,
    Normal,
    Much,
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
        let talk = match (global.quiet, global.verbose) {
            (true, _) => Talk::Little,
            (false, 0) => Talk::Normal,
            (false, _) => Talk::Much,
        };
        Self { format: global.format, talk, yes: global.yes, stdout: paint(stdout), stderr: paint(stderr) }
    }

    /// Writes a result: as text for people, or as the one JSON document.
    pub(super) fn result(
        self,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Failure> {
        self.put(Outcome::Done, value, text).or_else(Unwritten::unless_closed)
    }

    /// Writes a result that may be a failure: people find a failure on stderr, programs always on stdout.
    pub(super) fn outcome(
        self,
        outcome: Outcome,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Failure> {
        self.put(outcome, value, text).or_else(Unwritten::unless_closed)
    }

    /// The same for a result that is worth nothing to who does not read it, such as one with a password: a pipe that the reader
    /// closed is an error too.
    pub(super) fn secret(
        self,
        outcome: Outcome,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Failure> {
        self.put(outcome, value, text).map_err(|unwritten| unwritten.0)
    }

    fn put(
        self,
        outcome: Outcome,
        value: &impl Serialize,
        text: impl FnOnce(Paint) -> String,
    ) -> Result<(), Unwritten> {
        match (self.format, outcome) {
            (Format::Human, Outcome::Failed) => {
                let text = text(self.stderr);
                write(std::io::stderr().lock(), &format!("{}\n", text.trim_end()))
                    .map_err(Unwritten::of("stderr"))
            }
            (Format::Human, Outcome::Done) => put(&text(self.stdout)),
            (Format::Json, _) => {
                let json = serde_json::to_string(value).map_err(|error| {
                    Unwritten(Failure::new(Code::Io, error.to_string()), ErrorKind::Other)
                })?;
                put(&format!("{json}\n"))
            }
        }
    }

    /// The same terminal, another format.
    pub(super) fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Says something to people, unless they want it quiet.
    pub(super) fn note(self, text: &str) {
        if self.talk >= Talk::Normal {
            say(text);
        }
    }

    /// Says several things.
    pub(super) fn notes(self, texts: &[String]) {
        for text in texts {
            self.note(text);
        }
    }

    /// Tells GitHub's runner what to hide from its log. It reads commands on stderr too, and stdout holds
    /// nothing but the result.
    pub(super) fn mask(secrets: &[String]) {
        for secret in secrets {
            say(&format::github_mask(secret));
        }
    }

    /// How stdout is painted.
    pub(super) fn stdout_paint(self) -> Paint {
        self.stdout
    }

    /// How stderr is painted.
    pub(super) fn stderr_paint(self) -> Paint {
        self.stderr
    }

    /// Tells a failure: on stderr for people, on stdout for programs.
    pub(super) fn failure(self, failure: &Failure, more: impl IntoIterator<Item = (&'static str, Value)>) {
        match self.format {
            Format::Human => complain(&output::failure(failure, self.stderr)),
            Format::Json => {
                let mut document = json!({ "error": output::failure_json(failure) });
                if let Some(object) = document.as_object_mut() {
                    object.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
                }
                // Who cannot be told there may read this.
                if put(&format!("{document}\n")).is_err() {
                    complain(&output::failure(failure, self.stderr));
                }
            }
        }
    }

    /// Asks before something dangerous. Without a terminal `--yes` is required.
    pub(super) fn confirm(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let refused = |message: &str| {
            Failure::new(Code::ConfirmationRequired, message).hint("say --yes to do it without being asked")
        };
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(refused(&format!("{question}: not done, since nobody can be asked here")));
        }
        let _asked = write(std::io::stderr().lock(), &format!("{question}? [y/N] "));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        match answer.trim() {
            "y" | "Y" | "yes" if read.is_ok() => Ok(()),
            _ => Err(refused(&format!("{question}: not done"))),
        }
    }

    /// Asks that the name of what is done away with be said. What was said in the command line must be it; without
    /// a terminal it must have been said there.
    pub(super) fn confirm_name(question: &str, name: &str, said: Option<&str>) -> Result<(), Failure> {
        let hint = format!("say --confirm {name}");
        let refused = |message: String| Failure::new(Code::ConfirmationRequired, message).hint(hint.clone());
        match said {
            Some(said) if said == name => return Ok(()),
            Some(said) => {
                let message = format!("--confirm says {said:?}, and it is {name:?}: nothing was done");
                return Err(Failure::new(Code::Usage, message).hint(hint));
            }
            None if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) => {
                return Err(refused(format!("{question}: not done, since nobody can be asked here")));
            }
            None => {}
        }
        let _asked = write(std::io::stderr().lock(), &format!("{question}? Type {name} to do it: "));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        if read.is_ok() && answer.trim() == name {
            return Ok(());
        }
        Err(refused(format!("{question}: not done")))
    }

    /// Where events go: a bar on a terminal, a line now and then elsewhere, a line for each with `-v`.
    pub(super) fn progress(self) -> Progress {
        let manner = match self.talk {
            Talk::Little => Manner::Quiet,
            Talk::Much => Manner::All,
            Talk::Normal if Term::stderr().is_term() => Manner::Bar,
            Talk::Normal => Manner::NowAndThen,
        };
        Progress::new(manner, self.stderr)
    }
}

/// Whether a result is what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
}

/// A result that could not be written, and how.
struct Unwritten(Failure, ErrorKind);

impl Unwritten {
    fn of(stream: &str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self(Failure::new(Code::Io, format!("writing to {stream}: {error}")), error.kind())
    }

    /// A pipe that the reader closed is no error: `tenure … | head` ends quietly.
    fn unless_closed(self) -> Result<(), Failure> {
        if self.1 == ErrorKind::BrokenPipe { Ok(()) } else { Err(self.0) }
    }
}

/// Writes to stdout. A pipe that the reader closed is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    put(text).or_else(Unwritten::unless_closed)
}

fn put(text: &str) -> Result<(), Unwritten> {
    write(std::io::stdout().lock(), text).map_err(Unwritten::of("stdout"))
}

/// Writes a line to stderr; where nobody reads it any more, it is lost, and the work goes on.
fn say(line: &str) {
    let _said = write(std::io::stderr().lock(), &format!("{line}\n"));
}

fn write(mut to: impl std::io::Write, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes()).and_then(|()| to.flush())
}

/// Tells people what went wrong, also where they want it quiet.
pub(super) fn complain(text: &str) {
    say(text);
}
