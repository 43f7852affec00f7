//! The results of units: the failed ones, and the slowest tenants.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::error::Failure;
use crate::ident::SchemaName;

/// A slow tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlowTenant {
    /// Its schema.
    pub schema: String,
    /// Duration of its units in milliseconds.
    pub duration_ms: u128,
}

impl SlowTenant {
    /// The `most` slowest tenants, slowest first.
    pub fn longest(all: &HashMap<String, Duration>, most: usize) -> Vec<Self> {
        let mut all: Vec<(&String, &Duration)> =
            all.iter().filter(|(_, elapsed)| !elapsed.is_zero()).collect();
        all.sort_unstable_by_key(|(schema, elapsed)| (std::cmp::Reverse(**elapsed), *schema));
        let longest = all.into_iter().take(most);
        longest
            .map(|(schema, elapsed)| Self { schema: schema.clone(), duration_ms: elapsed.as_millis() })
            .collect()
    }
}

/// A unit that failed and was rolled back.
#[derive(Debug, Clone)]
pub struct UnitFailure {
    /// The schema.
    pub schema: SchemaName,
    /// The name of the migration file.
    pub migration: String,
    /// The failure, with its place in the file.
    pub failure: Failure,
    /// Number of attempts.
    pub attempts: u32,
}

impl Serialize for UnitFailure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let start = self.failure.place.as_ref().and_then(crate::error::Place::start);
        let mut out = serializer.serialize_struct("UnitFailure", 9)?;
        out.serialize_field("schema", &self.schema)?;
        out.serialize_field("migration", &self.migration)?;
        out.serialize_field("code", self.failure.code.as_str())?;
        if let Some(sqlstate) = &self.failure.sqlstate {
            out.serialize_field("sqlstate", sqlstate)?;
        }
        out.serialize_field("message", &self.failure.message)?;
        out.serialize_field("retryable", &self.failure.is_retryable())?;
        if let Some(start) = start {
            out.serialize_field("line", &start.line)?;
            out.serialize_field("column", &start.column)?;
        }
        out.serialize_field("attempts", &self.attempts)?;
        out.end()
    }
}
