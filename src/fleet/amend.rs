//! What changes the books and no schema: `migrate baseline`, `migrate repair`.

use uuid::Uuid;

use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::outcome::{Ending, Way};
use crate::postgres::history::Before;
use crate::postgres::message::Run;
use crate::postgres::{Connection, books, history, state};
use crate::project::Project;

/// Declares that the platform of a database made by other means is at `version`. Refused where it has a
/// version already.
pub async fn baseline(
    connection: &mut Connection,
    project: &Project,
    version: &Version,
    command: &str,
) -> Result<Way, Failure> {
    project.chain.find(version)?;
    let before = match state::read(connection, &project.settings).await {
        Ok(state) if state.platform != Version::ZERO => {
            return Err(Failure::new(
                Code::BaselineRefused,
                format!("the platform is at {} already", state.platform),
            )
            .hint("a baseline is for a database without a version; `tenure migrate up` moves this one"));
        }
        Ok(_) => Before::Zero,
        // An empty or unreadable schema_version is what a baseline mends.
        Err(failure) if failure.code == Code::VersionUnknown => Before::Unreadable,
        Err(failure) => return Err(failure),
    };
    let run = new_run(project);
    books::ensure(connection, &run.platform).await?;
    history::begin_run(connection, &run, command).await?;
    let declared = history::baseline(connection, &run, before, version).await;
    end(connection, &run, &declared, "{}").await?;
    declared?;
    Ok(Way { from: Version::ZERO, to: version.clone() })
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
    books::ensure(connection, &run.platform).await?;
    history::begin_run(connection, &run, command).await?;
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
    let ending = if outcome.is_ok() { Ending::Done } else { Ending::Failed };
    let noted = history::end_run(connection, run, ending.as_str(), counts).await;
    if outcome.is_ok() { noted } else { Ok(()) }
}

fn new_run(project: &Project) -> Run {
    Run { id: Uuid::new_v4(), platform: project.settings.platform_schema(), limits: project.settings.migrate }
}
