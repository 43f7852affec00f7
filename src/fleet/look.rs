//! Where everything stands: `status`. Writes nothing.

use crate::chain::Divergence;
use crate::error::Failure;
use crate::outcome::{PlatformStatus, Status, TenantLine, TenantStatus};
use crate::postgres::{Connection, state};
use crate::project::{Project, Root};

/// Whether the tenants are listed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// No.
    Nothing,
    /// Yes.
    Tenants,
}

/// The applied migration whose file is gone, if one is: what is left of a chain then has a gap, or makes
/// no sense, and the file that is missing is the better thing to say.
pub async fn gone(connection: &mut Connection, root: &Root) -> Result<Option<Failure>, Failure> {
    let state = state::read(connection, &root.settings).await?;
    let edges = root.edges()?;
    let missing = state.applied.into_iter().find(|applied| {
        applied.checksum.is_some() && !edges.contains(&(applied.from.clone(), applied.to.clone()))
    });
    Ok(missing.map(|applied| Divergence::Gone { applied }.into()))
}

/// The state of the fleet against the chain.
pub async fn status(connection: &mut Connection, project: &Project, list: List) -> Result<Status, Failure> {
    let state = state::read(connection, &project.settings).await?;
    let latest = project.chain.latest();
    let pending = match project.chain.position(&state.platform) {
        Some(position) => {
            project.chain.migrations()[position..].iter().map(|migration| migration.file.clone()).collect()
        }
        // A version that the chain does not know: nothing can be said to be pending.
        None => Vec::new(),
    };
    let current = state.tenants.get(&latest).copied().unwrap_or_default();
    let tenants = TenantStatus {
        total: state.total_tenants(),
        current,
        behind: state.tenants.values().sum::<usize>() - current,
        unknown: state.unknown,
        versions: state.tenants.clone(),
    };
    let lines = match list {
        List::Nothing => None,
        List::Tenants => {
            let rows = state::tenants(connection, &project.settings, state.presence, &[]).await?;
            Some(
                rows.into_iter()
                    .map(|row| TenantLine {
                        slug: row.slug,
                        schema: row.schema,
                        version: row.version,
                        status: row.status,
                    })
                    .collect(),
            )
        }
    };
    let schema = project.settings.platform_schema();
    Ok(Status {
        platform: PlatformStatus { schema, version: state.platform, latest, pending },
        tenants,
        list: lines,
    })
}
