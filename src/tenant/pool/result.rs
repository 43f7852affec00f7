//! The results of the verbs on the pool of schemas that are made in advance.

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::metadata::RunStatus;

/// Whether a new tenant may take a schema of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolState {
    /// Yes.
    Ready,
    /// Not until it is at the platform's version.
    Behind,
    /// It was migrated, and nobody made sure yet that it can still have another name.
    Unproved,
    /// Never: its template is gone, or says something else now.
    Outdated,
}

impl PoolState {
    /// The word in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Behind => "behind",
            Self::Unproved => "unproved",
            Self::Outdated => "outdated",
        }
    }
}

/// A schema that was made in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PooledSchema {
    /// Its name until somebody takes it.
    pub schema: SchemaName,
    /// The template that it was made from.
    pub template: String,
    /// Its version.
    pub version: Version,
    /// Whether it may be taken.
    pub state: PoolState,
    /// When it was made.
    pub created_at: String,
}

/// What `tenant pool list` shows.
#[derive(Debug, Clone, Serialize)]
pub struct PoolList {
    /// By template, then by place.
    pub pool: Vec<PooledSchema>,
}

/// What `tenant pool fill` did.
#[derive(Debug, Clone, Serialize)]
pub struct PoolFilled {
    /// How it ended.
    pub outcome: RunStatus,
    /// The template.
    pub template: String,
    /// The version of the schemas.
    pub version: Version,
    /// How many there were to be.
    pub wanted: usize,
    /// How many were there and stay.
    pub there: usize,
    /// How many were made.
    pub made: usize,
    /// How many could not be taken any more and were removed.
    pub removed: usize,
    /// Those that could not be made or removed.
    pub failures: Vec<PoolFailure>,
}

/// What `tenant pool drain` did.
#[derive(Debug, Clone, Serialize)]
pub struct PoolDrained {
    /// How it ended.
    pub outcome: RunStatus,
    /// How many were removed.
    pub removed: usize,
    /// Those that could not be.
    pub failures: Vec<PoolFailure>,
}

/// A schema that could not be made or removed.
#[derive(Debug, Clone)]
pub struct PoolFailure(pub Failure);

impl Serialize for PoolFailure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("PoolFailure", 2)?;
        out.serialize_field("code", self.0.code.as_str())?;
        out.serialize_field("message", &self.0.message)?;
        out.end()
    }
}

impl RunStatus {
    /// How work on several schemas ended of which `done` are done.
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
