//! `tenure restore-point`, and `migrate up --restore-branch`.

use std::time::Duration;

use uuid::Uuid;

use super::branch::{self as branches, AtNeon};
use super::{Context, database, unless_interrupted};
use crate::branch::{AnyProvider, BranchName, Guard, Kind, Provider as _};
use crate::error::{Code, Failure};
use crate::postgres::Connection;
use crate::postgres::metadata::state;
use crate::restore_point::{self, Which};
use crate::settings::Settings;

/// Lifetime of a restore branch.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

pub(super) async fn run(context: &Context, run: Option<&str>) -> Result<u8, Failure> {
    let which = match run.map(|id| id.parse().map(Which::Run).map_err(|_| id)) {
        None => Which::Newest,
        Some(Ok(run)) => run,
        Some(Err(id)) => return Err(invalid_run_id(context, id).await),
    };
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let presence = state::presence(&mut connection, &root.settings).await?;
    if !presence.own_tables {
        return Err(Failure::new(Code::RunUnknown, "this database has no recorded runs"));
    }
    let project = std::env::var("NEON_PROJECT_ID").ok().filter(|project| !project.is_empty());
    let point =
        restore_point::read(&mut connection, &root.settings.platform_schema(), which, project.as_deref())
            .await?;
    connection.close().await;
    context.ui.result(&point, |paint| restore_point::text::restore_point(&point, paint))?;
    Ok(0)
}

/// The failure for an invalid run ID; its hint lists recent runs if the database is reachable.
async fn invalid_run_id(context: &Context, id: &str) -> Failure {
    let failure = Failure::new(Code::Usage, format!("{id:?} is not a run ID"));
    let recent_runs = async {
        let root = context.root()?;
        let mut connection = database::connect_root(context, &root).await?;
        restore_point::newest(&mut connection, &root.settings.platform_schema()).await
    };
    match recent_runs.await {
        Ok(recent_runs) => failure.hint(recent_runs),
        Err(_) => failure.hint("omit it to use the latest run that changed something"),
    }
}

/// Creates a branch of the current database and keeps it. No transaction may be open.
pub(super) async fn branch(
    context: &Context,
    settings: &Settings,
    connection: &Connection,
) -> Result<(), Failure> {
    let settings = &branches::overlaid(settings.clone())?;
    let provider = branches::provider(context, settings, Kind::Neon, &AtNeon { project_id: None }).await?;
    let host = connection.host();
    let work = async {
        let AnyProvider::Neon(neon) = &provider else { return Err(neon_only()) };
        let parent = neon.find_by_host(&host).await?;
        let name = BranchName::for_restore_point(Uuid::new_v4());
        let mut wanted = branches::wanted(settings, Kind::Neon, Some(name), None)?;
        wanted.parent = Some(parent.0);
        wanted.expires = LIFETIME;
        let guard = Guard::create(provider, wanted, branches::tell(context.ui)).await?;
        // The branch is usable only after its operations have finished.
        let (provider, branch) = guard.branch()?;
        provider.ready(branch).await?;
        Ok(guard)
    };
    let guard = unless_interrupted(Box::pin(work)).await?;
    let made = guard.branch()?.1.clone();
    guard.keep();
    let until = made.expires_at.map(|until| format!(", until {until}")).unwrap_or_default();
    context.ui.note(&format!("created the restore branch {}{until}", made.name));
    Ok(())
}

fn neon_only() -> Failure {
    Failure::new(Code::Usage, "--restore-branch works only with a Neon database")
}
