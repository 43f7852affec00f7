//! `tenure init`

use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

use clap::Args;

use super::{Context, io};
use crate::error::{Code, Failure, Place};
use crate::ident::Identifier;
use crate::output::Text;
use crate::project::SETTINGS_FILE;
use crate::sql;

/// Path and text of a file of a new project.
type NewFile = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// The files of a new project, with a placeholder for the platform's schema.
const NEW_PROJECT: &[NewFile] = &[
    ("tenure.toml", include_str!("new_project/tenure.toml")),
    ("migrations/v0.0.0_to_v1.0.0_create_platform.sql", include_str!("new_project/create_platform.sql")),
    ("tenant_templates/default/010_workspaces.sql", include_str!("new_project/workspaces.sql")),
];

/// The placeholder of the platform's schema.
const PLATFORM: &str = "{platform}";

/// The demo's project.
pub(super) const EXAMPLE: &[NewFile] = files![
    "tenure.toml",
    "migrations/v0.0.0_to_v1.0.0_create_platform.sql",
    "migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql",
    "migrations/v1.0.1_to_v1.0.2_create_audit_log.sql",
    "migrations/v1.0.2_to_v1.0.3_add_workspace_settings.sql",
    "migrations/v1.0.3_to_v1.0.4_create_service_accounts.sql",
    "tenant_templates/default/010_workspaces.sql",
    "tenant_templates/default/020_data_sources.sql",
    "tenant_templates/default/030_mappings.sql",
    "tenant_templates/default/040_pipeline_jobs.sql",
];

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Name of the platform's schema, which all tenants share
    #[arg(long, value_name = "NAME", default_value = "platform")]
    platform: String,
}

/// The commands to run next, with their effects.
const NEXT: &[(&str, &str)] = &[
    ("tenure migrate up", "create the platform"),
    ("tenure tenant create acme", "create a tenant"),
    ("tenure status", "show the versions"),
];

/// The result of `init`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Initialized<'a> {
    /// The files written.
    files: &'a [&'a str],
    /// The commands to run next.
    next: &'a [&'a str],
}

pub(super) fn run(context: &Context, args: &InitArgs) -> Result<u8, Failure> {
    let root =
        context.global.project.as_ref().map_or_else(|| context.here.clone(), |dir| context.here.join(dir));
    for taken in ["tenure.toml", "migrations", "tenant_templates"] {
        if root.join(taken).exists() {
            return Err(Failure::new(
                Code::ProjectExists,
                format!("{taken} already exists: this folder contains a project"),
            )
            .at(Place::File(taken.to_owned()))
            .hint("`tenure status` shows its state"));
        }
    }
    let platform = platform(&args.platform)?;
    let files = NEW_PROJECT.iter().map(|(path, text)| {
        let name =
            if *path == SETTINGS_FILE { platform.as_str().to_owned() } else { sql::shortest_form(&platform) };
        (*path, text.replace(PLATFORM, &name))
    });
    write(&root, files)?;
    let files: Vec<&str> = NEW_PROJECT.iter().map(|(path, _)| *path).collect();
    let next: Vec<&str> = NEXT.iter().map(|(line, _)| *line).collect();
    let document = Initialized { files: &files, next: &next };
    context.ui.result(&document, |paint| {
        let mut text = Text::of_line("created a project:");
        for file in &files {
            text.line(format_args!("  {file}"));
        }
        text.line("next:");
        for (line, effect) in NEXT {
            text.line(format_args!("  {}{}", paint.bold(&format!("{line:<27}")), paint.dim(effect)));
        }
        text
    })?;
    Ok(0)
}

/// The platform's schema. The server reserves some names (manual, chapter 5.10 "The System Catalog Schema").
fn platform(name: &str) -> Result<Identifier, Failure> {
    let invalid = |why: &str| {
        Err(Failure::new(Code::Usage, format!("{name:?} cannot be the platform's schema: {why}"))
            .hint("choose a name such as platform or shop"))
    };
    let Ok(identifier) = Identifier::new(name) else {
        return invalid("it is empty or has more than 63 bytes");
    };
    if name.starts_with("pg_") || name == "information_schema" {
        return invalid("it is a schema of the server");
    }
    if name.starts_with("org_") {
        return invalid("schemas of tenants start with org_");
    }
    if name.chars().any(|letter| letter.is_control() || matches!(letter, '"' | '\\' | '{' | '}')) {
        return invalid("it contains a control character, a quote, a backslash or a brace");
    }
    Ok(identifier)
}

/// Writes files below `root`.
pub(super) fn write(
    root: &Path,
    files: impl IntoIterator<Item = (&'static str, impl AsRef<[u8]>)>,
) -> Result<(), Failure> {
    for (path, text) in files {
        let path = root.join(path);
        let io = |error: std::io::Error| io(&path, &error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        std::fs::write(&path, text.as_ref()).map_err(io)?;
    }
    Ok(())
}
