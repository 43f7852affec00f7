//! The results of units: the failed ones, and the slowest tenants.

use std::collections::HashMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Failure, Place};
use crate::ident::SchemaName;

/// A slow tenant.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
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
#[derive(Debug, Clone, JsonSchema, Serialize)]
#[serde(into = "UnitFailureJson")]
#[schemars(from = "UnitFailureJson")]
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

#[derive(JsonSchema, Serialize)]
struct UnitFailureJson {
    schema: SchemaName,
    migration: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    message: String,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    attempts: u32,
}

impl From<UnitFailure> for UnitFailureJson {
    fn from(UnitFailure { schema, migration, failure, attempts }: UnitFailure) -> Self {
        let start = failure.place.as_ref().and_then(Place::start);
        Self {
            schema,
            migration,
            code: failure.code.as_str(),
            retryable: failure.is_retryable(),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            sqlstate: failure.sqlstate,
            message: failure.message,
            attempts,
        }
    }
}
