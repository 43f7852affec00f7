//! `tenure migrate new`

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use std::path::Path;

use super::{Context, io, unless_interrupted};
use crate::chain::{Bump, FileName, Version};
use crate::django::{self, DjangoRequest};
use crate::error::{Code, Failure};
use crate::output::Text;
use crate::project::MIGRATIONS;
use crate::sql::Scope;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Short description, such as "add phone"; with --from-django the Django migration, such as 0002_phone
    #[arg(required_unless_present = "from_django")]
    name: Option<String>,
    /// Write the next migration of this Django app, with the SQL of `manage.py sqlmigrate`, and its reverse file
    #[arg(long, value_name = "APP", conflicts_with = "from")]
    from_django: Option<String>,
    /// Scope of all statements [default: derived from the names in each statement]
    #[arg(long, value_enum)]
    scope: Option<ScopeArg>,
    /// Version that the first migration starts from, that of a database with a baseline [default: 0.0.0]
    #[arg(long, value_name = "VERSION")]
    from: Option<Version>,
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
    /// The Django migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    django: Option<String>,
    /// The file that undoes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reverse: Option<String>,
    /// Why there is no such file.
    #[serde(skip_serializing_if = "Option::is_none")]
    irreversible: Option<String>,
}

pub(super) async fn run(context: &Context, args: &NewArgs) -> Result<u8, Failure> {
    if let Some(app) = &args.from_django {
        return Box::pin(from_django(context, args, app)).await;
    }
    let given = args.name.as_deref().unwrap_or_default();
    let root = context.root()?;
    let folder = root.path.join(MIGRATIONS);
    let from = match (root.load(), &args.from) {
        (Ok(project), Some(from)) if project.chain.latest() != *from => {
            let latest = project.chain.latest();
            let message =
                format!("--from is {from}, but the migrations lead to {latest}, where the next one starts");
            return Err(Failure::new(Code::Usage, message).hint("omit --from"));
        }
        (Ok(project), _) => project.chain.latest(),
        // The first migration has no chain before it.
        (Err(failure), from) if failure.code == Code::NoMigrations => from.clone().unwrap_or(Version::ZERO),
        (Err(failure), _) => return Err(failure),
    };
    let to = from.bumped(bump(args, &from));
    let name = FileName { from, to, name: file_name_words(given)? };
    let scope = args.scope.map_or("", |scope| match scope {
        ScopeArg::Platform => "-- Scope: platform\n",
        ScopeArg::Tenant => "-- Scope: tenant\n",
    });
    let text = format!(
        "-- Migration: v{} to v{}\n-- Description: {}\n{scope}BEGIN;\n\nCOMMIT;\n",
        name.from,
        name.to,
        description(given),
    );
    write(&folder, &name, &text)?;
    let file = format!("{MIGRATIONS}/{name}");
    let written =
        Written { file, from: name.from, to: name.to, django: None, reverse: None, irreversible: None };
    context.ui.result(&written, |_paint| Text::of_line(&written.file))?;
    Ok(0)
}

fn bump(args: &NewArgs, from: &Version) -> Bump {
    match args.bump {
        BumpArg::Major => Bump::Major,
        BumpArg::Patch if *from == Version::ZERO => Bump::Major,
        BumpArg::Minor => Bump::Minor,
        BumpArg::Patch => Bump::Patch,
    }
}

/// Writes a file of `migrations/`; never overwrites one.
fn write(folder: &Path, name: &FileName, text: &str) -> Result<(), Failure> {
    let path = folder.join(name.to_string());
    let io = |error: std::io::Error| io(&path, &error);
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(io)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(io)
}

/// Writes the files of a Django migration.
async fn from_django(context: &Context, args: &NewArgs, app: &str) -> Result<u8, Failure> {
    let project = context.project()?;
    let scope = args.scope.map(|scope| match scope {
        ScopeArg::Platform => Scope::Platform,
        ScopeArg::Tenant => Scope::Tenant,
    });
    let bump = bump(args, &project.chain.latest());
    let request = DjangoRequest { app, name: args.name.as_deref(), bump, scope };
    let new = unless_interrupted(django::new_migration(&project, request)).await?;
    let folder = project.root.join(MIGRATIONS);
    let (name, text) = &new.file;
    write(&folder, name, text)?;
    if let Ok((name, text)) = &new.reverse {
        write(&folder, name, text)?;
    }
    let shown = |name: &FileName| format!("{MIGRATIONS}/{name}");
    let written = Written {
        file: shown(name),
        from: name.from.clone(),
        to: name.to.clone(),
        django: Some(new.django),
        reverse: new.reverse.as_ref().ok().map(|(name, _)| shown(name)),
        irreversible: new.reverse.err(),
    };
    context.ui.result(&written, |paint| {
        let mut text = Text::of_line(&written.file);
        if let Some(file) = &written.reverse {
            text.line(file);
        }
        if let Some(why) = &written.irreversible {
            text.line(paint.dim(&format!("note: no reverse file: {why}")));
        }
        text
    })?;
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
