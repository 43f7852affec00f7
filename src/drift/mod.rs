//! Does each tenant have the schema that its version says? One question to the server, in pages, gives a
//! fingerprint of every tenant's schema; what it should be is a fingerprint too, of a tenant that is made
//! from the same files on a private server. Only those that differ are photographed. Writes nothing to the
//! database that is looked at.

mod compare;
mod fingerprints;
mod reference;
mod result;
mod surroundings;
pub mod text;

pub use self::result::{Basis, ComparedWith, DriftCounts, Drifted};
use std::collections::{BTreeMap, HashMap};

use futures_util::future::join;

use self::compare::Group;
use self::reference::Reference;
use self::surroundings::Surroundings;
use crate::chain::Version;
use crate::error::Failure;
use crate::executor::unknown_tenant;
use crate::ident::{SchemaName, Slug};
use crate::postgres::Connection;
use crate::postgres::catalog::{self, SchemaDifference};
use crate::postgres::metadata::{Tenant, state};
use crate::postgres::server::Environment;
use crate::project::Project;

/// Tenants are comparable that are at one version, come from one template, and brought it the same values, as far
/// as those give a schema its shape.
type Key = (Version, String, BTreeMap<String, String>);

/// What is known of how the tenants of a key should be; or why it is not known.
type References = BTreeMap<Key, Result<Reference, String>>;

/// Compares the tenants, all or only those of `only`.
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
    let is_asked = |tenant: &Tenant| only.is_empty() || only.iter().any(|slug| slug.as_str() == tenant.slug);
    let mut groups: BTreeMap<Key, Vec<Tenant>> = BTreeMap::new();
    let (mut counts, mut differences) = (DriftCounts::default(), Vec::new());
    for tenant in tenants {
        let Some(version) = tenant.version.clone() else {
            counts.unknown += usize::from(is_asked(&tenant));
            continue;
        };
        if let Err(error) = project.chain.find_tenant(&version, tenant.schema.as_str()) {
            if is_asked(&tenant) {
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
    // The others of a group may have to say what is usual in it.
    groups.retain(|_, tenants| tenants.iter().any(is_asked));
    differences.sort_by(|one: &SchemaDifference, other| one.schema.cmp(&other.schema));
    let mut drifted = Drifted { tenants: counts, differences, ..Drifted::default() };
    if groups.is_empty() {
        return Ok(drifted);
    }
    let keys: Vec<Key> = groups.keys().cloned().collect();
    let schemas: Vec<SchemaName> = groups.values().flatten().map(|tenant| tenant.schema.clone()).collect();
    let major = catalog::server_major(connection).await?;
    let surroundings = Surroundings::of(connection).await?;
    let (references, prints) = join(
        reference::make(project, &keys, &surroundings, (major, environment)),
        fingerprints::take(connection, &schemas),
    )
    .await;
    let (mut references, prints) = (references, prints?);
    for (key, tenants) in groups {
        let reference =
            references.remove(&key).unwrap_or_else(|| Err("nothing was made to compare with".to_owned()));
        let group = Group::of(key, &tenants, reference, &prints);
        group.compare(connection, is_asked, &mut drifted).await?;
    }
    drifted.differences.sort_by(|one, other| one.schema.cmp(&other.schema));
    Ok(drifted)
}
