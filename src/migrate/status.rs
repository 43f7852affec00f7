//! `status`: the versions of the platform and the tenants. Writes nothing.

use super::{PlatformStatus, Status, TenantLine, TenantStatus};
use crate::chain::{ChainCoverage, Divergence};
use crate::error::Failure;
use crate::postgres::Connection;
use crate::postgres::metadata::tenant_registry::{self, Wanted};
use crate::postgres::metadata::{failures, platform_fingerprint, state};
use crate::project::{Project, Root};

/// Whether to list the tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Numbers only.
    Counts,
    /// Numbers and a list.
    Tenants,
}

/// What to check besides the versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing.
    Versions,
    /// Also whether something else changed the platform schema.
    Drift,
}

/// The failure for an applied migration whose file is missing, if any. It names the migration, while the error of a broken chain
/// only names the gap.
pub async fn missing_file(connection: &mut Connection, root: &Root) -> Result<Option<Failure>, Failure> {
    let (state, _unread) = state::survey(connection, &root.settings).await?;
    let edges = root.edges()?;
    let missing = state.applied.into_iter().find(|applied| {
        !applied.missing_accepted && !edges.contains(&(applied.from.clone(), applied.to.clone()))
    });
    Ok(missing.map(|applied| Divergence::Missing { applied }.failure(ChainCoverage::Insufficient)))
}

/// Reads the versions and compares them with the chain. `trouble` is a problem that the caller has found; it becomes the first in
/// the result.
pub async fn status(
    connection: &mut Connection,
    project: &Project,
    list: List,
    trouble: Option<Failure>,
    check: Check,
) -> Result<Status, Failure> {
    let (state, unread) = state::survey(connection, &project.settings).await?;
    let latest = project.chain.latest();
    let fleet = state.fleet();
    let version = (!unread.platform).then_some(state.platform);
    let pending = match version.as_ref().and_then(|version| project.chain.position(version)) {
        Some(position) => {
            project.chain.migrations()[position..].iter().map(|migration| migration.file.clone()).collect()
        }
        // The version is not in the chain: pending files are unknown.
        None => Vec::new(),
    };
    // Another file is only looked for in a complete chain.
    let refused = match &trouble {
        Some(_) => None,
        None => Divergence::check(&project.chain, &state.applied, &fleet).err(),
    };
    // No run migrates a tenant whose version is not in the chain, so each such version is a failure.
    let elsewhere = state
        .examples
        .iter()
        .filter_map(|(version, schema)| project.chain.find_tenant(version, schema).err().map(Failure::from))
        .filter(|failure| refused.as_ref() != Some(failure));
    let elsewhere: Vec<_> = elsewhere.collect();
    let trouble: Vec<Failure> =
        trouble.into_iter().chain(unread.failures).chain(refused).chain(elsewhere).collect();
    let known = state.tenants.values().sum::<usize>();
    let current = state.tenants.get(&latest).copied().unwrap_or_default();
    let ahead = state.tenants.iter().filter(|(version, _)| **version > latest).map(|(_, count)| count).sum();
    let unknown = state.unknown + unread.tenants;
    let tenants = TenantStatus {
        total: known + unknown,
        current,
        behind: known - current - ahead,
        ahead,
        unknown,
        versions: state.tenants,
    };
    let lines = match list {
        List::Counts => None,
        List::Tenants => {
            // A tenant with an invalid version is listed without a version.
            let wanted = Wanted { lenient: true, ..Wanted::default() };
            let rows = tenant_registry::read(connection, &project.settings, state.presence, &wanted).await?;
            let mut rows: Vec<_> = rows.into_iter().map(|row| row.tenant).collect();
            rows.sort_by(|one, other| one.schema.cmp(&other.schema));
            Some(
                rows.into_iter()
                    .map(|row| TenantLine {
                        slug: row.slug,
                        schema: row.schema,
                        version: row.version,
                        status: row.status,
                        schema_missing: row.schema_missing,
                    })
                    .collect(),
            )
        }
    };
    let schema = project.settings.platform_schema();
    let drift = if check == Check::Drift && version.is_some() {
        platform_fingerprint::compare(connection, (&schema, state.presence), &project.chain).await?
    } else {
        None
    };
    // Only a schema that is behind can have a failure. A role that may not read the table sees none.
    let may_have_failed = state.presence.own_tables_current && (tenants.behind > 0 || !pending.is_empty());
    let failures = if may_have_failed {
        failures::read(connection, &schema).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    Ok(Status {
        platform: PlatformStatus { schema, version, latest, pending, drift },
        tenants,
        list: lines,
        failures,
        trouble,
        allow_newer: project.settings.migrate.allow_newer,
    })
}
