//! `migrate baseline` and `migrate repair`: they change metadata, not schemas.

use super::VersionChange;
use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::postgres::metadata::history::{self, Before};
use crate::postgres::metadata::{self, RunStatus, runs, state, version_rows};
use crate::project::Project;

/// Whether a baseline is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaselineCheck {
    /// Refuse the baseline if the registry is missing.
    Enforce,
    /// Skip that check (`--yes`).
    Skip,
}

/// Sets the platform's version of a database that Tenure did not create. Refused if it already has a version or no
/// registry.
pub async fn baseline(
    connection: &mut Connection,
    project: &Project,
    (version, declared): (&Version, BaselineCheck),
    command: &str,
) -> Result<VersionChange, Failure> {
    project.chain.find(version)?;
    let (state, unread) = state::survey(connection, &project.settings).await?;
    let before = if unread.platform {
        // A baseline repairs an empty or unreadable schema_version.
        Before::Unreadable
    } else if let Some(failure) = unread.failures.into_iter().next() {
        return Err(failure);
    } else if state.platform == Version::ZERO {
        Before::Zero
    } else {
        let delete = version_rows::delete_platform(&project.settings.platform_schema());
        return Err(Failure::new(
            Code::BaselineRefused,
            format!("the platform is already at {}", state.platform),
        )
        .hint(format!(
            "a baseline is only for a database without a version; `tenure migrate up` migrates this one. To replace a wrong \
             baseline, run `{delete}` first"
        )));
    };
    if *version != Version::ZERO && !state.presence.registry && declared == BaselineCheck::Enforce {
        return Err(registry_missing(project, version));
    }
    let run = new_run(project);
    metadata::ensure(connection, &run.platform, run.limits.lock_timeout).await?;
    runs::begin(connection, &run, command).await?;
    let declared = history::baseline(connection, &run, before, version).await;
    end(connection, &run, &declared, "{}").await?;
    declared?;
    Ok(VersionChange { from: Version::ZERO, to: version.clone() })
}

/// The failure for a missing registry: with a version, `migrate up` would skip the migrations that create it.
fn registry_missing(project: &Project, version: &Version) -> Failure {
    let (schema, registry) = (project.settings.platform_schema(), &project.settings.tenants.registry);
    let first = project.chain.first();
    let hint = if first == Version::ZERO {
        "an empty database is at 0.0.0 and needs only `tenure migrate up`; --yes skips this check".to_owned()
    } else {
        format!("first create the objects that exist at version {first}; --yes skips this check")
    };
    let message =
        format!("the table {schema}.{registry} does not exist, so the platform is probably not at {version}");
    Failure::new(Code::BaselineRefused, message).hint(hint)
}

/// The edited and deleted files of applied migrations that [`repair`] may accept. Writes nothing.
pub async fn repairable(connection: &mut Connection, project: &Project) -> Result<Vec<Divergence>, Failure> {
    let state = state::read(connection, &project.settings).await?;
    Divergence::repairable(&project.chain, &state.applied, &state.fleet())
}

/// Accepts these files. The history keeps the old and the new checksum.
pub async fn repair(
    connection: &mut Connection,
    project: &Project,
    found: &[Divergence],
    command: &str,
) -> Result<(), Failure> {
    let run = new_run(project);
    metadata::ensure(connection, &run.platform, run.limits.lock_timeout).await?;
    runs::begin(connection, &run, command).await?;
    let repaired = history::repair(connection, &run, found).await;
    let counts = serde_json::json!({ "repaired": found.len() });
    end(connection, &run, &repaired, &counts.to_string()).await?;
    repaired
}

/// Records how the run ended. Ignores a failure to record it after another failure.
async fn end(
    connection: &mut Connection,
    run: &Run,
    outcome: &Result<(), Failure>,
    counts: &str,
) -> Result<(), Failure> {
    let ending = if outcome.is_ok() { RunStatus::Done } else { RunStatus::Failed };
    let recorded = runs::end(connection, run, ending.as_str(), counts).await;
    if outcome.is_ok() { recorded } else { Ok(()) }
}

fn new_run(project: &Project) -> Run {
    Run::new(&project.settings, project.settings.migrate)
}
