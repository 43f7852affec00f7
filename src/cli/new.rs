//! `tenure migrate new`

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Context, io};
use crate::chain::{Bump, FileName, Version};
use crate::error::{Code, Failure};
use crate::project::MIGRATIONS;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// What it does, in a few words
    name: String,
    /// Whose its statements are; they say it themselves where the names are known
    #[arg(long, value_enum)]
    scope: Option<ScopeArg>,
    /// Which part of the version grows
    #[arg(long, value_enum, default_value = "patch")]
    bump: BumpArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeArg {
    Platform,
    Tenant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BumpArg {
    Major,
    Minor,
    Patch,
}

/// The file that was written.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
    from: Version,
    to: Version,
}

pub(super) fn run(context: &Context, args: &NewArgs) -> Result<u8, Failure> {
    let root = context.root()?;
    let folder = root.path.join(MIGRATIONS);
    let from = match root.load() {
        Ok(project) => project.chain.latest(),
        // The first migration has no chain before it.
        Err(failure) if failure.code == Code::NoMigrations => Version::ZERO,
        Err(failure) => return Err(failure),
    };
    let bump = match args.bump {
        BumpArg::Major => Bump::Major,
        BumpArg::Patch if from == Version::ZERO => Bump::Major,
        BumpArg::Minor => Bump::Minor,
        BumpArg::Patch => Bump::Patch,
    };
    let to = from.bumped(bump);
    let name = FileName { from, to, name: words(&args.name)? };
    let scope = args.scope.map_or("", |scope| match scope {
        ScopeArg::Platform => "-- Scope: platform\n",
        ScopeArg::Tenant => "-- Scope: tenant\n",
    });
    let text = format!(
        "-- Migration: v{} to v{}\n-- Description: {}\n{scope}BEGIN;\n\nCOMMIT;\n",
        name.from,
        name.to,
        description(&args.name),
    );
    let path = folder.join(name.to_string());
    let io = |error: std::io::Error| io(&path, &error);
    std::fs::create_dir_all(&folder).map_err(io)?;
    // Never over a file that is there.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(io)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(io)?;
    let written = Written { file: format!("{MIGRATIONS}/{name}"), from: name.from, to: name.to };
    context.ui.result(&written, |_paint| format!("{}\n", written.file))?;
    Ok(0)
}

/// A name for a file: lower case, words joined by `_`.
fn words(name: &str) -> Result<String, Failure> {
    let parts: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(Failure::new(Code::Usage, format!("{name:?} has no letter or digit for a file's name")));
    }
    Ok(parts.join("_").to_lowercase())
}

/// What the header says: the words as they were given, on one line, with a capital.
fn description(name: &str) -> String {
    let words = name
        .split(|c: char| c.is_whitespace() || c == '_')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
