//! The command line read, with variables that are empty as good as not set; and of a line that is wrong, in which
//! format that is told, and whose help is of use.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _};

use super::args::Cli;

/// Reads it.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    // A CI system gives a variable that it does not know as an empty one.
    let mut command = Cli::command().mut_args(|arg| {
        let is_unset = arg.get_env().is_some_and(is_empty);
        if is_unset { arg.env(Resettable::Reset) } else { arg }
    });
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn is_empty(variable: &OsStr) -> bool {
    std::env::var(variable).is_ok_and(|value| value.trim().is_empty())
}

/// Whether a line that cannot be read asks for JSON, as far as can be told: by a flag, or else by the environment.
pub(super) fn wants_json(words: &[Cow<'_, str>]) -> bool {
    let said = |flag: &str| {
        let value = |(at, word): (usize, &Cow<'_, str>)| match word.strip_prefix(flag)? {
            "" => words.get(at + 1).map(ToString::to_string),
            rest => rest.strip_prefix('=').map(str::to_owned),
        };
        words.iter().enumerate().rev().find_map(value)
    };
    match said("--output").as_deref() {
        Some("json") => return true,
        Some("human") => return false,
        // Other forms are of files, or of what is not told here.
        Some(_) | None => {}
    }
    match said("--format") {
        Some(format) => format == "json",
        None => std::env::var("TENURE_FORMAT").is_ok_and(|format| format == "json"),
    }
}

/// The command that says more about the verb that a line was meant for.
pub(super) fn help(words: &[Cow<'_, str>]) -> String {
    let root = Cli::command();
    let (mut verb, mut path) = (&root, root.get_name().to_owned());
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if let Some(flag) = word.strip_prefix('-') {
            let is_it = |arg: &&clap::Arg| {
                let long = flag.strip_prefix('-').is_some_and(|long| arg.get_long() == Some(long));
                long || arg.get_short().is_some_and(|short| flag == short.to_string())
            };
            // Its value is no verb.
            if root.get_arguments().find(is_it).is_some_and(|arg| arg.get_action().takes_values()) {
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
