//! The results of `tenant pool`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::metadata::RunStatus;

/// The state of a pool schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolState {
    /// A new tenant may take it.
    Ready,
    /// It is behind the platform's version.
    Behind,
    /// It was migrated. The check that schemas of its template can be created in advance was not repeated at its new version yet.
    Unproved,
    /// Its template changed or no longer exists.
    Outdated,
}

impl PoolState {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Behind => "behind",
            Self::Unproved => "unproved",
            Self::Outdated => "outdated",
        }
    }
}

/// A pool schema.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct PooledSchema {
    /// Its name until it is taken.
    pub schema: SchemaName,
    /// The template that it was created from.
    pub template: String,
    /// Its version.
    pub version: Version,
    /// Its state.
    pub state: PoolState,
    /// The time of its creation.
    pub created_at: String,
}

/// The result of `tenant pool list`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct PoolList {
    /// The schemas, in order of templates, then of slots (positions in the pool).
    pub pool: Vec<PooledSchema>,
}

/// The result of `tenant pool fill`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct PoolFilled {
    /// The outcome of the run.
    pub outcome: RunStatus,
    /// The template.
    pub template: String,
    /// The version of the schemas.
    pub version: Version,
    /// The requested number of schemas.
    pub wanted: usize,
    /// The number of schemas that existed and remain.
    pub there: usize,
    /// The number of schemas created.
    pub made: usize,
    /// The number of unusable schemas removed.
    pub removed: usize,
    /// The schemas that could not be created or removed.
    pub failures: Vec<PoolFailure>,
}

/// The result of `tenant pool drain`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct PoolDrained {
    /// The outcome of the run.
    pub outcome: RunStatus,
    /// The number of schemas removed.
    pub removed: usize,
    /// The schemas that could not be removed.
    pub failures: Vec<PoolFailure>,
}

/// A schema that could not be created or removed.
#[derive(Debug, Clone, JsonSchema, Serialize)]
#[serde(into = "PoolFailureJson")]
#[schemars(from = "PoolFailureJson")]
pub struct PoolFailure(pub Failure);

#[derive(JsonSchema, Serialize)]
struct PoolFailureJson {
    code: &'static str,
    message: String,
}

impl From<PoolFailure> for PoolFailureJson {
    fn from(PoolFailure(failure): PoolFailure) -> Self {
        Self { code: failure.code.as_str(), message: failure.message }
    }
}

impl RunStatus {
    /// The outcome of work on several schemas, of which `done` succeeded.
    pub fn of_many(done: usize, failed: &[PoolFailure]) -> Self {
        if failed.iter().any(|failed| failed.0.code == Code::Interrupted) {
            return Self::Interrupted;
        }
        match (failed.is_empty(), done) {
            (true, 0) => Self::Nothing,
            (true, _) => Self::Done,
            (false, 0) => Self::Failed,
            (false, _) => Self::Partial,
        }
    }
}
