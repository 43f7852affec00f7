//! The results of the verbs on branches.

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::error::Failure;
use crate::postgres::metadata::RunStatus;

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

/// The command that deletes a branch, as a shell takes it wherever it is run: with the provider, which the environment
/// would choose otherwise, and the name as one word, whatever is in it.
pub fn to_delete(name: &str, provider: &str) -> String {
    let end_of_flags = if name.starts_with('-') { "-- " } else { "" };
    let quoted = name.replace('\'', r"'\''");
    format!("tenure branch delete --provider {provider} {end_of_flags}'{quoted}'")
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
    pub outcome: RunStatus,
    /// Who had made them.
    pub provider: &'static str,
    /// Those that are deleted, the oldest first.
    pub deleted: Vec<BranchRow>,
    /// How many of ours stay.
    pub kept: usize,
    /// Those that could not be deleted.
    pub failures: Vec<BranchFailure>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_to_a_shell() {
        assert_eq!(to_delete("pr-1", "neon"), "tenure branch delete --provider neon 'pr-1'");
        assert_eq!(to_delete("it's", "local"), r"tenure branch delete --provider local 'it'\''s'");
        assert_eq!(to_delete("-x y", "local"), "tenure branch delete --provider local -- '-x y'");
    }
}
