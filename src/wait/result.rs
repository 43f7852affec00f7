//! The result of `tenure wait`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Wanted;
use crate::chain::Version;
use crate::ident::SchemaName;
use crate::output::plural;
use crate::postgres::metadata::reached::{AtVersion, NamedTenant, Seen};
use crate::settings::Settings;

/// What was reached of a version.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Waited {
    /// The version that was waited for.
    pub version: Version,
    /// Whether everything is at this version or a later one.
    pub reached: bool,
    /// The platform, unless only tenants were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformReached>,
    /// The numbers of tenants.
    pub tenants: ReachedCounts,
    /// Tenants that are missing, at most 100 of each version.
    pub missing: Vec<Missing>,
    /// The duration in milliseconds.
    pub waited_ms: u128,
}

/// The platform.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct PlatformReached {
    /// Its schema.
    pub schema: SchemaName,
    /// Its version; `None` before the first migration.
    pub version: Option<Version>,
    /// Whether it has reached the version.
    pub reached: bool,
}

/// The numbers of tenants.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct ReachedCounts {
    /// All tenants, or the requested ones.
    pub total: usize,
    /// Those that have reached the version.
    pub reached: usize,
    /// Those that have not.
    pub missing: usize,
    /// The missing tenants with a version, by version.
    pub versions: BTreeMap<Version, usize>,
}

/// A tenant that has not reached the version.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Missing {
    /// Its names.
    #[serde(flatten)]
    pub tenant: NamedTenant,
    /// Its version; `None` if there is no such tenant, or no version of it.
    pub version: Option<Version>,
}

impl Waited {
    pub(super) fn of(settings: &Settings, wanted: &Wanted, seen: &Seen) -> Self {
        // A database that was never migrated is at 0.0.0.
        let has = |version: Option<&Version>| *version.unwrap_or(&Version::ZERO) >= wanted.version;
        let platform = wanted.tenants.is_empty().then(|| PlatformReached {
            schema: settings.platform_schema(),
            version: seen.platform.clone(),
            reached: has(seen.platform.as_ref()),
        });
        let mut counts = ReachedCounts::default();
        let mut missing = Vec::new();
        let nobody = |slug: &crate::ident::Slug| AtVersion {
            version: None,
            count: 1,
            named: vec![NamedTenant { slug: Some(slug.to_string()), schema: None }],
        };
        // Before the first migration, the tables of the requested tenants do not exist.
        let absent = if seen.tenants.is_empty() { wanted.tenants.as_slice() } else { &[] };
        for tenants in seen.tenants.iter().cloned().chain(absent.iter().map(nobody)) {
            counts.total += tenants.count;
            if tenants.version.as_ref().is_some_and(|version| has(Some(version))) {
                counts.reached += tenants.count;
                continue;
            }
            counts.missing += tenants.count;
            if let Some(version) = &tenants.version {
                *counts.versions.entry(version.clone()).or_default() += tenants.count;
            }
            let version = &tenants.version;
            missing
                .extend(tenants.named.into_iter().map(|tenant| Missing { tenant, version: version.clone() }));
        }
        missing.sort_by(|one, other| {
            (&one.version, &one.tenant.schema).cmp(&(&other.version, &other.tenant.schema))
        });
        let reached = platform.as_ref().is_none_or(|platform| platform.reached) && counts.missing == 0;
        Self { version: wanted.version.clone(), reached, platform, tenants: counts, missing, waited_ms: 0 }
    }

    /// Whether everything is at the version or a later one.
    pub fn is_reached(&self) -> bool {
        self.reached
    }

    /// The state in one line.
    pub fn state(&self) -> String {
        let tenants = &self.tenants;
        let of_tenants =
            format!("{} of {} at {}", tenants.reached, plural(tenants.total, "tenant"), self.version);
        match &self.platform {
            Some(PlatformReached { version: Some(version), .. }) => {
                format!("platform at {version}, {of_tenants}")
            }
            Some(_) => "the database was not migrated yet".to_owned(),
            None => of_tenants,
        }
    }
}
