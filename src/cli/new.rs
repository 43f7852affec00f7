//! `tenure migrate new`

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, io};
use crate::chain::{Bump, FileName, Version};
use crate::error::{Code, Failure};
use crate::output::Text;
use crate::project::MIGRATIONS;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Short description, such as "add phone"
    name: String,
    /// Scope of all statements [default: derived from the names in each statement]
    #[arg(long, value_enum)]
    scope: Option<ScopeArg>,
    /// Version part to increment
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

/// The migration file that was written.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Written {
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
    let name = FileName { from, to, name: file_name_words(&args.name)? };
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
    // Never overwrite a file.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(io)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(io)?;
    let written = Written { file: format!("{MIGRATIONS}/{name}"), from: name.from, to: name.to };
    context.ui.result(&written, |_paint| Text::of_line(&written.file))?;
    Ok(0)
}

/// The file name: lower case, words joined by `_`.
fn file_name_words(name: &str) -> Result<String, Failure> {
    let parts: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(Failure::new(
            Code::Usage,
            format!("{name:?} contains no letter or digit for the file name"),
        ));
    }
    Ok(parts.join("_").to_lowercase())
}

/// The description in the header: `name` on one line, capitalized.
fn description(name: &str) -> String {
    let text = name
        .split(|c: char| c.is_whitespace() || c == '_')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
