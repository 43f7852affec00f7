//! What changes the books and no schema: `migrate baseline`, `migrate repair`.

use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::executor::VersionChange;
use crate::postgres::Connection;
use crate::postgres::batch::Run;
use crate::postgres::metadata::history::{self, Before};
use crate::postgres::metadata::{self, RunStatus, runs, state, version_rows};
use crate::project::Project;

/// How sure somebody is of a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// It may be meant for another database.
    Doubtful,
    /// It holds, whatever the database looks like.
    Surely,
}

/// Declares that the platform of a database made by other means is at `version`. Refused where it has a
/// version already, and where nothing was made.
pub async fn baseline(
    connection: &mut Connection,
    project: &Project,
    (version, declared): (&Version, Declared),
    command: &str,
) -> Result<VersionChange, Failure> {
    project.chain.find(version)?;
    let (state, unread) = state::survey(connection, &project.settings).await?;
    let before = if unread.platform {
        // An empty or unreadable schema_version is what a baseline mends.
        Before::Unreadable
    } else if let Some(failure) = unread.failures.into_iter().next() {
        return Err(failure);
    } else if state.platform == Version::ZERO {
        Before::Zero
    } else {
        let delete = version_rows::delete_platform(&project.settings.platform_schema());
        return Err(Failure::new(
            Code::BaselineRefused,
            format!("the platform is at {} already", state.platform),
        )
        .hint(format!(
            "a baseline is for a database without a version; `tenure migrate up` moves this one. One that is wrong is \
             taken back by `{delete}`, and the right one declared"
        )));
    };
    if *version != Version::ZERO && !state.presence.registry && declared == Declared::Doubtful {
        return Err(nothing_there(project, version));
    }
    let run = new_run(project);
    metadata::ensure(connection, &run.platform, run.limits.lock_timeout).await?;
    runs::begin(connection, &run, command).await?;
    let declared = history::baseline(connection, &run, before, version).await;
    end(connection, &run, &declared, "{}").await?;
    declared?;
    Ok(VersionChange { from: Version::ZERO, to: version.clone() })
}

/// The registry is not there: with a version all the same, `migrate up` would leave out what makes it.
fn nothing_there(project: &Project, version: &Version) -> Failure {
    let (schema, registry) = (project.settings.platform_schema(), &project.settings.tenants.registry);
    let first = project.chain.first();
    let hint = if first == Version::ZERO {
        "an empty database is at 0.0.0, and `tenure migrate up` brings it along; --yes declares the baseline all the same".to_owned()
    } else {
        format!("make what the chain begins with at {first} before; --yes declares the baseline all the same")
    };
    let message =
        format!("there is no table {schema}.{registry}, so nothing shows that the platform is at {version}");
    Failure::new(Code::BaselineRefused, message).hint(hint)
}

/// Accepts every applied migration that was edited or is gone, as it is now. The history keeps both.
pub async fn repair(
    connection: &mut Connection,
    project: &Project,
    command: &str,
) -> Result<Vec<Divergence>, Failure> {
    let state = state::read(connection, &project.settings).await?;
    let found = Divergence::find(&project.chain, &state.applied);
    if found.is_empty() {
        return Ok(found);
    }
    let run = new_run(project);
    metadata::ensure(connection, &run.platform, run.limits.lock_timeout).await?;
    runs::begin(connection, &run, command).await?;
    let repaired = history::repair(connection, &run, &found).await;
    let counts = serde_json::json!({ "repaired": found.len() });
    end(connection, &run, &repaired, &counts.to_string()).await?;
    repaired?;
    Ok(found)
}

/// Notes how the run ended. A failure to note it counts only where nothing else failed.
async fn end(
    connection: &mut Connection,
    run: &Run,
    outcome: &Result<(), Failure>,
    counts: &str,
) -> Result<(), Failure> {
    let ending = if outcome.is_ok() { RunStatus::Done } else { RunStatus::Failed };
    let noted = runs::end(connection, run, ending.as_str(), counts).await;
    if outcome.is_ok() { noted } else { Ok(()) }
}

fn new_run(project: &Project) -> Run {
    Run::new(&project.settings, project.settings.migrate)
}
