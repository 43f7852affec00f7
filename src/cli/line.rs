//! Parses the command line. Empty environment variables count as unset. For an invalid command line, finds the
//! output format and the matching help command.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _};

use super::args::Cli;
use super::examples;

pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    // CI systems set missing variables to an empty string.
    parse_with(arguments, is_empty)
}

/// The error of the command line itself: in the usage line of `error`, clap includes flags whose values come from the environment.
pub(super) fn without_environment(arguments: &[OsString], error: clap::Error) -> clap::Error {
    match parse_with(arguments, |_variable| true) {
        Err(other) if other.kind() == error.kind() => other,
        _ => error,
    }
}

/// Parses the command line without the environment variables that `is_unset` names.
fn parse_with(arguments: &[OsString], is_unset: fn(&OsStr) -> bool) -> Result<Cli, clap::Error> {
    let mut command = examples::added_to(Cli::command(), "").mut_args(|arg| {
        let is_unset = arg.get_env().is_some_and(is_unset);
        if is_unset { arg.env(Resettable::Reset) } else { arg }
    });
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn is_empty(variable: &OsStr) -> bool {
    std::env::var(variable).is_ok_and(|value| value.trim().is_empty())
}

/// Whether an invalid command line requests JSON, by a flag or else by the environment.
pub(super) fn wants_json(words: &[Cow<'_, str>]) -> bool {
    let flag_value = |flag: &str| {
        let value = |(at, word): (usize, &Cow<'_, str>)| match word.strip_prefix(flag)? {
            "" => words.get(at + 1).map(ToString::to_string),
            rest => rest.strip_prefix('=').map(str::to_owned),
        };
        words.iter().enumerate().rev().find_map(value)
    };
    match flag_value("--output").as_deref() {
        Some("json") => return true,
        Some("human") => return false,
        // The other formats have no representation of a usage error.
        Some(_) | None => {}
    }
    match flag_value("--format") {
        Some(format) => format == "json",
        None => std::env::var("TENURE_FORMAT").is_ok_and(|format| format == "json"),
    }
}

/// The value of `--env-file`, and the words without it.
pub(super) fn env_file(words: &[OsString]) -> Option<(OsString, Vec<OsString>)> {
    const FLAG: &str = "--env-file";
    let mut rest = Vec::new();
    let (mut file, mut words) = (None, words.iter());
    while let Some(word) = words.next() {
        if word == "--" {
            rest.push(word.clone());
            rest.extend(words.by_ref().cloned());
        } else if word == FLAG {
            // Without a value, clap reports it.
            file = Some(words.next()?.clone());
        } else if let Some(value) = word.to_str().and_then(|word| word.strip_prefix(FLAG)?.strip_prefix('='))
        {
            file = Some(value.into());
        } else {
            rest.push(word.clone());
        }
    }
    Some((file?, rest))
}

/// The commands of other tools, below the group in the first column, and what to do with Tenure.
const MEANT: &[(&str, &[&str], &str)] = &[
    (
        "migrate up",
        &["--dry-run", "--dryrun", "--pretend", "--check", "--fake"],
        "`tenure migrate up --plan` prints the steps and writes nothing; `tenure migrate up --branch local` runs them on a copy",
    ),
    (
        "migrate",
        &["run", "apply", "latest", "deploy", "upgrade", "dev"],
        "the command is `tenure migrate up`",
    ),
    ("migrate", &["create", "add", "generate", "make"], "the command is `tenure migrate new NAME`"),
    ("migrate", &["status", "info", "list", "version"], "the command is `tenure status`"),
    ("migrate", &["validate", "lint", "verify"], "the command is `tenure verify`"),
    ("migrate", &["down", "rollback", "undo", "revert", "downgrade", "reset"], NO_WAY_BACK),
    ("", &["up", "apply", "deploy", "upgrade"], "the command is `tenure migrate up`"),
    ("", &["down", "rollback", "undo", "revert", "downgrade"], NO_WAY_BACK),
    ("", &["new", "generate"], "the command is `tenure migrate new NAME`"),
    (
        "",
        &["create"],
        "the command is `tenure tenant create SLUG`, for a migration `tenure migrate new NAME`",
    ),
    (
        "",
        &["info", "version", "history", "list"],
        "the commands are `tenure status`, `tenure migrate history` and `tenure tenant list`",
    ),
    ("", &["lint", "validate", "check"], "the command is `tenure verify`"),
    ("", &["audit"], "the command is `tenure tenant audit`"),
    (
        "",
        &["baseline", "repair"],
        "the commands are `tenure migrate baseline VERSION` and `tenure migrate repair`",
    ),
];

const NO_WAY_BACK: &str = "Tenure runs no migration backwards: write the next one, which undoes the change, with `tenure migrate new \
     NAME`; `tenure restore-point` shows how to restore the database";

/// What was meant by a word that is no command or flag of Tenure, but one of other tools.
pub(super) fn meant(words: &[Cow<'_, str>], error: &clap::Error) -> Option<&'static str> {
    let kind = match error.kind() {
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    let help = help_command(words);
    let path = help.strip_prefix("tenure").and_then(|path| path.strip_suffix(" --help"))?.trim();
    let (_, _, meant) =
        MEANT.iter().find(|(group, known, _)| *group == path && known.contains(&word.as_str()))?;
    Some(meant)
}

/// The `--help` command of the subcommand that was meant.
pub(super) fn help_command(words: &[Cow<'_, str>]) -> String {
    let root = Cli::command();
    let (mut verb, mut path) = (&root, root.get_name().to_owned());
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if let Some(flag) = word.strip_prefix('-') {
            let matches_flag = |arg: &&clap::Arg| {
                let long = flag.strip_prefix('-').is_some_and(|long| arg.get_long() == Some(long));
                long || arg.get_short().is_some_and(|short| flag == short.to_string())
            };
            // Skip the flag's value.
            if root.get_arguments().find(matches_flag).is_some_and(|arg| arg.get_action().takes_values()) {
                let _value = words.next();
            }
            continue;
        }
        let Some(found) = verb.find_subcommand(word.as_ref()) else { break };
        path = format!("{path} {}", found.get_name());
        verb = found;
    }
    format!("{path} --help")
}
