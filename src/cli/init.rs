//! `tenure init`

use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::args::Format;
use super::{Context, command_line, database, io, ui, unless_interrupted};
use crate::error::{Code, Failure, Place};
use crate::ident::Identifier;
use crate::init::{self, InitRequest};
use crate::migrate::{self, BaselineCheck};
use crate::output::Text;
use crate::project::{MIGRATIONS, Root, SETTINGS_FILE, TEMPLATES};
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
    /// Write the files of an existing database: the platform as a first migration, one tenant as the template; prove
    /// them on a private server, then ask whether the database gets the baseline (`--yes` in scripts)
    #[arg(long, conflicts_with = "platform")]
    from_database: bool,
    /// Schema of the tenant that becomes the template [default: the first of the most frequent shape]
    #[arg(long, value_name = "SCHEMA", requires = "from_database")]
    tenant: Option<String>,
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

pub(super) async fn run(context: &Context, args: &InitArgs) -> Result<u8, Failure> {
    if args.from_database {
        return Box::pin(from_database(context, args)).await;
    }
    new_project(context, args)
}

/// The folder of the new project.
fn root(context: &Context) -> PathBuf {
    context.global.project.as_ref().map_or_else(|| context.here.clone(), |dir| context.here.join(dir))
}

/// Writes the files of a database. Existing settings are kept.
async fn from_database(context: &Context, args: &InitArgs) -> Result<u8, Failure> {
    let root = root(context);
    expect_free(&root, &[MIGRATIONS, TEMPLATES])?;
    std::fs::create_dir_all(&root).map_err(|error| io(&root, &error))?;
    let has_settings = root.join(SETTINGS_FILE).exists();
    let given = if has_settings { Some(Root::find(Some(&root), &root)?.settings) } else { None };
    let mut connection = database::connect(context, &root).await?;
    let environment = database::environment();
    let request = InitRequest {
        root: &root,
        settings: given.as_ref(),
        tenant: args.tenant.as_deref(),
        environment: &environment,
    };
    let mut put = |path: &str, text: &str| write(&root, [(path, text)]);
    let mut done =
        unless_interrupted(Box::pin(init::from_database(&mut connection, request, &mut put))).await?;
    let is_human = context.ui.format == Format::Human;
    if is_human {
        ui::print(&init::text::initialized(&done, context.ui.stdout_paint()))?;
    }
    let question = format!("declare the platform's version in the database as {}", done.version);
    if done.proved && !done.has_version && context.ui.confirm(&question).is_ok() {
        let project = Root::find(Some(&root), &root)?.load()?;
        let command = command_line("init --from-database");
        let declared = (&done.version, BaselineCheck::Enforce);
        migrate::baseline(&mut connection, &project, declared, &command).await?;
        done.baseline = true;
    }
    connection.close().await;
    if is_human {
        ui::print(&init::text::next(&done, context.ui.stdout_paint()))?;
    } else {
        context.ui.result(&done, |paint| init::text::next(&done, paint))?;
    }
    Ok(done.outcome.exit_code())
}

/// Fails if the folder has one of these.
fn expect_free(root: &Path, names: &[&str]) -> Result<(), Failure> {
    for taken in names {
        if root.join(taken).exists() {
            return Err(Failure::new(
                Code::ProjectExists,
                format!("{taken} already exists: this folder contains a project"),
            )
            .at(Place::File((*taken).to_owned()))
            .hint("`tenure status` shows its state"));
        }
    }
    Ok(())
}

fn new_project(context: &Context, args: &InitArgs) -> Result<u8, Failure> {
    let root = root(context);
    expect_free(&root, &[SETTINGS_FILE, MIGRATIONS, TEMPLATES])?;
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
pub(super) fn write<'f>(
    root: &Path,
    files: impl IntoIterator<Item = (&'f str, impl AsRef<[u8]>)>,
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
