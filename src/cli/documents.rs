//! `tenure completions`, `tenure man`

use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::Cli;
use super::examples::{self, Example};
use super::{Context, complete, io, ui};
use crate::error::Failure;
use crate::output::Text;

/// The exit codes of every command.
pub(super) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "Done, or nothing to do."),
    ("1", "Refused or failed."),
    ("2", "The command line, the settings or the files are invalid."),
    ("3", "The database could not be reached."),
    ("4", "Some tenants are done, others are not."),
    ("130", "Interrupted; work in progress was finished or rolled back."),
];

/// The environment variables that are not the value of a flag.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    ("CI", "If set, the private server is not started by default."),
    ("CLICOLOR_FORCE", "If not empty, output has colours also without a terminal."),
    ("NO_COLOR", "If not empty, output has no colours."),
    ("TENURE_PG_BINDIR", "Folder of PostgreSQL's programs, for the private server, pg_dump and pg_restore."),
];

pub(super) fn completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    ui::print(&complete::script(shell)?)?;
    Ok(0)
}

/// The result of `man`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct ManPages<'a> {
    dir: &'a Path,
}

pub(super) fn man(context: &Context, dir: &Path) -> Result<u8, Failure> {
    let io = |error: std::io::Error| io(dir, &error);
    std::fs::create_dir_all(dir).map_err(io)?;
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    write_pages(&root, "", dir).map_err(io)?;
    context.ui.note(&format!("man pages written to {}", dir.display()));
    context.ui.result(&ManPages { dir }, |_paint| Text::default())?;
    Ok(0)
}

/// Writes the pages of `command` and of its subcommands; `path` is its name in the list of examples.
fn write_pages(command: &Command, path: &str, dir: &Path) -> std::io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write_pages(verb, format!("{path} {}", verb.get_name()).trim(), dir)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    further_sections(command, examples::of(path)).to_writer(&mut page)?;
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    std::fs::write(dir.join(man.get_filename()), page)
}

fn further_sections(command: &Command, examples: &[Example]) -> Roff {
    let mut roff = Roff::default();
    let mut list = |title: &str, entries: &[(String, String)]| {
        roff.control("SH", [title]);
        for (term, text) in entries {
            roff.control("TP", []).text([bold(term.as_str())]).text([roman(text.as_str())]);
        }
    };
    let owned = |(term, text): &(&str, &str)| ((*term).to_owned(), (*text).to_owned());
    list("EXIT STATUS", &EXIT_CODES.iter().map(owned).collect::<Vec<_>>());
    let flags = command.get_arguments().filter_map(|arg| {
        let (variable, flag) = (arg.get_env()?.to_str()?, arg.get_long()?);
        Some((variable.to_owned(), format!("The default of --{flag}.")))
    });
    let mut environment: Vec<_> = flags.chain(ENVIRONMENT.iter().map(owned)).collect();
    environment.sort();
    list("ENVIRONMENT", &environment);
    if !examples.is_empty() {
        let examples: Vec<_> =
            examples.iter().map(|(line, effect)| ((*line).to_owned(), format!("{effect}."))).collect();
        list("EXAMPLES", &examples);
    }
    roff
}
