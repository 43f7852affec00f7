//! The results of the verbs on branches.

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::Ending;
use crate::error::Failure;

/// What `branch create` made. It holds URLs with passwords: they are what was asked for.
#[derive(Clone, Serialize)]
pub struct BranchMade {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub provider: &'static str,
    /// What the provider calls it.
    pub id: String,
    /// Where it is, for migrations.
    pub database_url: String,
    /// Through a transaction pooler, where there is one.
    pub pooled_url: Option<String>,
    /// `created`, or `reset`: it was there and ours, and is as its parent is now.
    pub origin: &'static str,
    /// What it is a copy of, as the provider calls that.
    pub parent: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<String>,
}

/// A branch of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BranchRow {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub provider: &'static str,
    /// What the provider calls it.
    pub id: String,
    /// What it is a copy of, as the provider calls that.
    pub parent: Option<String>,
    /// When it was made, or was last made as its parent was.
    pub created_at: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<String>,
}

/// What `branch list` shows.
#[derive(Debug, Clone, Serialize)]
pub struct BranchList {
    /// The oldest first.
    pub branches: Vec<BranchRow>,
}

/// What `branch delete` did.
#[derive(Debug, Clone, Serialize)]
pub struct BranchDeleted {
    /// The name.
    pub name: String,
    /// Who had made it.
    pub provider: &'static str,
    /// Whether this call deleted it; if not, it was gone already.
    pub deleted: bool,
}

/// What `branch gc` did.
#[derive(Debug, Clone, Serialize)]
pub struct BranchesCollected {
    /// How it ended.
    pub outcome: Ending,
    /// Who had made them.
    pub provider: &'static str,
    /// Those that are deleted, the oldest first.
    pub deleted: Vec<BranchRow>,
    /// How many of ours stay.
    pub kept: usize,
    /// Those that could not be deleted.
    pub failed: Vec<BranchFailure>,
}

/// A branch that could not be deleted.
#[derive(Debug, Clone)]
pub struct BranchFailure {
    /// Its name.
    pub name: String,
    /// Why.
    pub failure: Failure,
}

impl Serialize for BranchFailure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("BranchFailure", 3)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("code", self.failure.code.as_str())?;
        out.serialize_field("message", &self.failure.message)?;
        out.end()
    }
}
