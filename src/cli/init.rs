//! `tenure init`

use std::path::Path;

use super::{Context, io};
use crate::error::{Code, Failure, Place};

/// A file of a new project, and its text.
type NewFile = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// What a project begins with.
const BEGINNING: &[NewFile] = files![
    "tenure.toml",
    "migrations/v0.0.0_to_v1.0.0_create_platform.sql",
    "tenant_templates/default/010_workspaces.sql",
];

/// A whole project, for the demo.
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
                format!("{taken} is there already: this is a project"),
            )
            .at(Place::File(taken.to_owned()))
            .hint("`tenure status` shows where it stands"));
        }
    }
    write(&root, BEGINNING)?;
    let files: Vec<&str> = BEGINNING.iter().map(|(path, _)| *path).collect();
    let document = serde_json::json!({ "files": files });
    context.ui.result(&document, |_paint| {
        format!(
            "a project is begun; change the files as you like, then run `tenure migrate up`\n  {}\n",
            files.join("\n  ")
        )
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
