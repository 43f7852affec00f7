//! Compares each tenant's schema with the schema that its version defines. The expected schema is a tenant created from
//! the same files on a private server. Fingerprints are compared first; only schemas that differ are read completely.
//! Writes nothing to the checked database.

mod compare;
mod fingerprints;
mod reference;
mod result;
mod server_objects;
pub mod text;

pub use self::result::{Basis, ComparedWith, DriftCounts, Drifted};
pub use self::server_objects::ServerObjects;
use std::collections::{BTreeMap, HashMap};

use futures_util::future::join;

use self::compare::Group;
use self::reference::{Expected, Reference};
use crate::chain::Version;
use crate::error::Failure;
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::catalog::{self, Change, Fingerprint, SchemaDifference, SchemaSnapshot};
use crate::postgres::metadata::platform_fingerprint::{self, PlatformDrift};
use crate::postgres::metadata::{Tenant, state, unknown_tenant};
use crate::postgres::server::Environment;
use crate::project::Project;

/// Tenants with equal keys must have equal schemas: version, template, and the parameter values that affect the schema.
type Key = (Version, String, BTreeMap<String, String>);

/// The reference of each key, or the reason for its absence.
type References = BTreeMap<Key, Result<Reference, String>>;

/// Compares all tenants, or only those in `only` unless empty.
pub async fn drift(
    connection: &mut Connection,
    project: &Project,
    only: &[Slug],
    environment: &Environment,
) -> Result<Drifted, Failure> {
    let presence = state::presence(connection, &project.settings).await?;
    let tenants = state::tenants(connection, &project.settings, presence, &[]).await?;
    let has_shaping = project.templates.values().any(|template| template.parameters.affect_schema());
    let mut shaping = if has_shaping && presence.own_tables {
        state::parameters(connection, &project.settings).await?
    } else {
        HashMap::new()
    };
    for slug in only {
        if !tenants.iter().any(|tenant| tenant.slug == slug.as_str() && tenant.version.is_some()) {
            return Err(unknown_tenant(connection, &project.settings, slug).await);
        }
    }
    let is_requested =
        |tenant: &Tenant| only.is_empty() || only.iter().any(|slug| slug.as_str() == tenant.slug);
    let mut groups: BTreeMap<Key, Vec<Tenant>> = BTreeMap::new();
    let (mut counts, mut differences) = (DriftCounts::default(), Vec::new());
    for tenant in tenants {
        let Some(version) = tenant.version.clone() else {
            counts.unknown += usize::from(is_requested(&tenant));
            continue;
        };
        if let Err(error) = project.chain.find_tenant(&version, tenant.schema.as_str()) {
            if is_requested(&tenant) {
                counts.total += 1;
                counts.different += 1;
                let change = Failure::from(error).message;
                differences.push(SchemaDifference {
                    schema: tenant.schema,
                    object: "version".to_owned(),
                    change,
                });
            }
            continue;
        }
        let template = tenant.template.clone().unwrap_or_else(|| project.settings.tenants.template.clone());
        let values = shaping.remove(tenant.schema.as_str()).unwrap_or_default();
        groups.entry((version, template, values)).or_default().push(tenant);
    }
    let schema = project.settings.platform_schema();
    let platform = if only.is_empty() {
        platform_fingerprint::compare(connection, (&schema, presence), &project.chain).await?
    } else {
        None
    };
    // The other tenants of a group are needed to find the majority.
    groups.retain(|_, tenants| tenants.iter().any(is_requested));
    differences.sort_by(|one: &SchemaDifference, other| one.schema.cmp(&other.schema));
    let changed_at = match &platform {
        Some(PlatformDrift::Different { at, .. }) => Some(at.clone()),
        _ => None,
    };
    let mut drifted = Drifted { tenants: counts, platform, differences, ..Drifted::default() };
    if groups.is_empty() && changed_at.is_none() {
        return Ok(drifted);
    }
    let keys: Vec<Key> = groups.keys().cloned().collect();
    let schemas: Vec<SchemaName> = groups.values().flatten().map(|tenant| tenant.schema.clone()).collect();
    let major = catalog::server_major(connection).await?;
    let server_objects = ServerObjects::of(connection).await?;
    let expected = Expected { keys: &keys, platform: changed_at.as_ref() };
    let ((mut references, platform), prints) = join(
        reference::create(project, expected, &server_objects, (major, environment)),
        fingerprints::take(connection, &schemas),
    )
    .await;
    let prints = prints?;
    for (key, tenants) in groups {
        let reference = references.remove(&key).unwrap_or_else(|| Err("no reference was created".to_owned()));
        let group = Group::of(key, &tenants, reference, &prints);
        group.compare(connection, is_requested, &mut drifted).await?;
    }
    if changed_at.is_some() {
        let found = platform_differences(connection, project, platform.as_ref()).await?;
        drifted.differences.extend(found);
    }
    drifted.differences.sort_by(|one, other| one.schema.cmp(&other.schema));
    Ok(drifted)
}

/// Compares `tenants`, which may have no version yet, with the schema that the files create at `version`.
pub async fn compare_as(
    connection: &mut Connection,
    (version, template): (&Version, &str),
    tenants: &[Tenant],
    (print, snapshot): (Fingerprint, SchemaSnapshot),
) -> Result<Drifted, Failure> {
    let schemas: Vec<SchemaName> = tenants.iter().map(|tenant| tenant.schema.clone()).collect();
    let prints = fingerprints::take(connection, &schemas).await?;
    let snapshot = snapshot.without(|key| key.kind == catalog::Kind::Extension);
    let key = (version.clone(), template.to_owned(), BTreeMap::new());
    let group = Group::of(key, tenants, Ok(Reference { print, snapshot }), &prints);
    let mut drifted = Drifted::default();
    group.compare(connection, |_| true, &mut drifted).await?;
    drifted.differences.sort_by(|one, other| one.schema.cmp(&other.schema));
    Ok(drifted)
}

/// The differences of the platform schema, whose fingerprint differs, from `expected`, which the files create. If the files give
/// none, for example because the schema is older than the first file, one line says that it was changed.
async fn platform_differences(
    connection: &mut Connection,
    project: &Project,
    expected: Option<&SchemaSnapshot>,
) -> Result<Vec<SchemaDifference>, Failure> {
    let schema = project.settings.platform_schema();
    let line = |object: String, change: String| SchemaDifference { schema: schema.clone(), object, change };
    let mut lines = Vec::new();
    if let Some(expected) = expected {
        let seen = reference::platform_snapshot(connection, project).await?;
        let changes = Change::between(expected, &seen).into_iter().filter(|change| !change.is_access());
        lines.extend(changes.map(|change| line(change.object.to_string(), change.line())));
    }
    if lines.is_empty() {
        lines.push(line("schema".to_owned(), "changed since the last step of the platform".to_owned()));
    }
    Ok(lines)
}
