//! Reads the queries of a release from files and folders.

use std::path::Path;

use super::Project;
use super::files::{check_given, entries, io, read_given, read_inside};
use crate::error::{Code, Failure, Place};
use crate::queries::capture::ProjectStatements;
use crate::queries::{self, Format, Release, Tenants};

/// The only hidden folder that is searched for queries.
const SQLX: &str = ".sqlx";

/// Folders with third-party files, which are not searched.
const FOREIGN: &[&str] = &["node_modules", "target"];

/// Reads the queries in `paths`, files or folders relative to `here`, of the project in `root`. Folders are searched recursively. A path without a
/// query is an error.
pub fn release<P: AsRef<Path>>(
    root: &Path,
    here: &Path,
    paths: &[P],
    tenants: Tenants<'_>,
) -> Result<Release, Failure> {
    let mut release = Release::default();
    for path in paths {
        let (path, shown) = (here.join(path), path.as_ref().to_string_lossy().replace('\\', "/"));
        let (before, skipped) = (release.total(), release.skipped.len());
        if path.is_dir() {
            check_given(Some(root), &path, &shown)?;
            folder(&mut release, (&path, &path), shown.trim_end_matches('/'), tenants)?;
        } else {
            // A missing file is reported before an unknown extension.
            std::fs::metadata(&path).map_err(|error| io(&path, &error).at(Place::File(shown.clone())))?;
            let Some(format) = Format::of(&shown) else {
                return Err(none(&shown, "its name does not end in .sql, .json or .csv"));
            };
            queries::read(&mut release, &read_given(Some(root), &path, &shown)?, format, tenants)?;
        }
        if release.total() == before {
            let first = release.skipped.get(skipped);
            let why = first.map(|skipped| format!(" ({}: {})", skipped.place, skipped.why));
            return Err(none(&shown, &format!("it contains no query{}", why.unwrap_or_default())));
        }
    }
    Ok(release)
}

impl Project {
    /// The queries of the release that runs beside this project, where some were given.
    pub fn release<P: AsRef<Path>>(&self, here: &Path, paths: &[P]) -> Result<Option<Release>, Failure> {
        if paths.is_empty() {
            return Ok(None);
        }
        let platform = self.settings.platform_schema();
        let tenants =
            Tenants { prefix: self.settings.tenants.schema_prefix.as_str(), platform: platform.as_str() };
        release(&self.root, here, paths, tenants).map(Some)
    }
}

/// The statements of a project's files.
pub fn statements(project: &Project) -> ProjectStatements {
    let mut files = ProjectStatements::default();
    for migration in project.chain.migrations().iter().chain(project.chain.downs()) {
        files.add(&migration.script);
    }
    for (script, _) in project.templates.values().flat_map(|template| &template.files) {
        files.add(script);
    }
    files
}

fn none(shown: &str, why: &str) -> Failure {
    Failure::new(Code::QueriesInvalid, format!("{shown}: {why}"))
        .at(Place::File(shown.to_owned()))
        .hint("use .sql files, sqlx's .sqlx/query-*.json, an export of pg_stat_statements, or a folder of such files")
}

/// Reads the `.sql` files and sqlx's files of a folder. Exports must be given as files, since a folder may contain other
/// CSV files. A link must not lead out of the folder `given`.
fn folder(
    release: &mut Release,
    (given, path): (&Path, &Path),
    shown: &str,
    tenants: Tenants<'_>,
) -> Result<(), Failure> {
    for name in entries(path)? {
        let (inner, shown) = (path.join(&name), format!("{shown}/{name}"));
        let kind = std::fs::symlink_metadata(&inner).map_err(|error| io(&inner, &error))?;
        // Links to folders are not followed: they may form a cycle.
        if kind.is_dir() {
            if (name == SQLX || !name.starts_with('.')) && !FOREIGN.contains(&name.as_str()) {
                folder(release, (given, &inner), &shown, tenants)?;
            }
        } else if let Some(format) = format_in_folder(&name).filter(|_| inner.is_file()) {
            queries::read(release, &read_inside(given, &inner, &shown)?, format, tenants)?;
        }
    }
    Ok(())
}

fn format_in_folder(name: &str) -> Option<Format> {
    match Format::of(name)? {
        Format::Sql if !name.starts_with('.') => Some(Format::Sql),
        Format::Json if name.starts_with("query-") => Some(Format::Json),
        _ => None,
    }
}
