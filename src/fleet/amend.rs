//! What changes the books and no schema: `migrate baseline`, `migrate repair`.

use uuid::Uuid;

use crate::chain::{Divergence, Version};
use crate::error::{Code, Failure};
use crate::outcome::Way;
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
    if project.chain.position(version).is_none() {
        let (first, latest) = (project.chain.first(), project.chain.latest());
        return Err(Failure::new(
            Code::UnknownVersion,
            format!("{version} is not a version of the chain, which leads from {first} to {latest}"),
        )
        .hint("the names in migrations/ show the versions"));
    }
    match state::read(connection, &project.settings).await {
        Ok(state) if state.platform != Version::ZERO => {
            return Err(Failure::new(
                Code::BaselineRefused,
                format!("the platform is at {} already", state.platform),
            )
            .hint("a baseline is for a database without a version; `tenure migrate up` moves this one"));
        }
        Ok(_) => {}
        // An empty or unreadable schema_version is what a baseline mends.
        Err(failure) if failure.code == Code::VersionUnknown => {}
        Err(failure) => return Err(failure),
    }
    let run = new_run(project);
    books::ensure(connection, &run.platform).await?;
    history::begin_run(connection, &run, command).await?;
    history::baseline(connection, &run, &Version::ZERO, version).await?;
    history::end_run(connection, &run, "done", "{}").await?;
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
    history::repair(connection, &run, &found).await?;
    let counts = serde_json::json!({ "repaired": found.len() });
    history::end_run(connection, &run, "done", &counts.to_string()).await?;
    Ok(found)
}

fn new_run(project: &Project) -> Run {
    Run { id: Uuid::new_v4(), platform: project.settings.platform_schema(), limits: project.settings.migrate }
}
