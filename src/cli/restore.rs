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

/// So long a branch waits to be gone back to: what nobody needed by then is no loss.
const KEPT: Duration = Duration::from_hours(7 * 24);

pub(super) async fn run(context: &Context, run: Option<&str>) -> Result<u8, Failure> {
    let which = match run.map(|id| id.parse().map(Which::Run).map_err(|_| id)) {
        None => Which::Newest,
        Some(Ok(run)) => run,
        Some(Err(id)) => return Err(no_id(context, id).await),
    };
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let presence = state::presence(&mut connection, &root.settings).await?;
    if !presence.own_tables {
        return Err(Failure::new(Code::RunUnknown, "this database has seen no run"));
    }
    let project = std::env::var("NEON_PROJECT_ID").ok().filter(|project| !project.is_empty());
    let point =
        restore_point::read(&mut connection, &root.settings.platform_schema(), which, project.as_deref())
            .await?;
    connection.close().await;
    context.ui.result(&point, |paint| restore_point::text::restore_point(&point, paint))?;
    Ok(0)
}

/// What is wrong with the id, and which there are, as far as the database tells.
async fn no_id(context: &Context, id: &str) -> Failure {
    let failure = Failure::new(Code::Usage, format!("{id:?} is not a run's id"));
    let there = async {
        let root = context.root()?;
        let mut connection = database::connect_root(context, &root).await?;
        restore_point::newest(&mut connection, &root.settings.platform_schema()).await
    };
    match there.await {
        Ok(there) => failure.hint(there),
        Err(_) => failure.hint("leave it out for the newest run that changed something"),
    }
}

/// Makes a branch of the database as it is, and leaves it there. No transaction is open meanwhile.
pub(super) async fn branch(
    context: &Context,
    settings: &Settings,
    connection: &Connection,
) -> Result<(), Failure> {
    let settings = &branches::overlaid(settings.clone())?;
    let provider = branches::provider(context, settings, Kind::Neon, &AtNeon { project_id: None }).await?;
    let host = connection.host();
    let work = async {
        let AnyProvider::Neon(neon) = &provider else { return Err(not_neons()) };
        let parent = neon.of_host(&host).await?;
        let name = BranchName::before(Uuid::new_v4());
        let mut wanted = branches::wanted(settings, Kind::Neon, Some(name), None)?;
        wanted.parent = Some(parent.0);
        wanted.expires = KEPT;
        let guard = Guard::create(provider, wanted, branches::tell(context.ui)).await?;
        // Until its operations have ended there is nothing to go back to.
        let (provider, branch) = guard.made()?;
        provider.ready(branch).await?;
        Ok(guard)
    };
    let guard = unless_interrupted(Box::pin(work)).await?;
    let made = guard.made()?.1.clone();
    guard.keep();
    let until = made.expires_at.map(|until| format!(", until {until}")).unwrap_or_default();
    context.ui.note(&format!("the database as it is now is kept as the branch {}{until}", made.name));
    Ok(())
}

fn not_neons() -> Failure {
    Failure::new(Code::Usage, "a branch to go back to can be made at Neon only")
}
