//! `tenure init`

use std::path::Path;

use super::{Context, io};
use crate::error::{Code, Failure, Place};
use crate::output::Text;

/// Path and text of a file of a new project.
type NewFile = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// The files of a new project.
const NEW_PROJECT: &[NewFile] = files![
    "tenure.toml",
    "migrations/v0.0.0_to_v1.0.0_create_platform.sql",
    "tenant_templates/default/010_workspaces.sql",
];

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

pub(super) fn run(context: &Context) -> Result<u8, Failure> {
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
    write(&root, NEW_PROJECT)?;
    let files: Vec<&str> = NEW_PROJECT.iter().map(|(path, _)| *path).collect();
    let document = serde_json::json!({ "files": files });
    context.ui.result(&document, |_paint| {
        let mut text = Text::of_line("created a project; edit the files, then run `tenure migrate up`");
        for file in &files {
            text.line(format_args!("  {file}"));
        }
        text
    })?;
    Ok(0)
}

/// Writes files below `root`.
pub(super) fn write(root: &Path, files: &[NewFile]) -> Result<(), Failure> {
    for (path, text) in files {
        let path = root.join(path);
        let io = |error: std::io::Error| io(&path, &error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        std::fs::write(&path, text).map_err(io)?;
    }
    Ok(())
}
