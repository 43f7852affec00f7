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
use std::collections::{BTreeMap, HashMap};

use futures_util::future::join;

use self::compare::Group;
use self::reference::Reference;
use self::server_objects::ServerObjects;
use crate::chain::Version;
use crate::error::Failure;
use crate::executor::unknown_tenant;
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::catalog::{self, SchemaDifference};
use crate::postgres::metadata::{Tenant, state};
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
            return Err(unknown_tenant(slug));
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
    // The other tenants of a group are needed to find the majority.
    groups.retain(|_, tenants| tenants.iter().any(is_requested));
    differences.sort_by(|one: &SchemaDifference, other| one.schema.cmp(&other.schema));
    let mut drifted = Drifted { tenants: counts, differences, ..Drifted::default() };
    if groups.is_empty() {
        return Ok(drifted);
    }
    let keys: Vec<Key> = groups.keys().cloned().collect();
    let schemas: Vec<SchemaName> = groups.values().flatten().map(|tenant| tenant.schema.clone()).collect();
    let major = catalog::server_major(connection).await?;
    let server_objects = ServerObjects::of(connection).await?;
    let (references, prints) = join(
        reference::create(project, &keys, &server_objects, (major, environment)),
        fingerprints::take(connection, &schemas),
    )
    .await;
    let (mut references, prints) = (references, prints?);
    for (key, tenants) in groups {
        let reference = references.remove(&key).unwrap_or_else(|| Err("no reference was created".to_owned()));
        let group = Group::of(key, &tenants, reference, &prints);
        group.compare(connection, is_requested, &mut drifted).await?;
    }
    drifted.differences.sort_by(|one, other| one.schema.cmp(&other.schema));
    Ok(drifted)
}
