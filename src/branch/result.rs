//! The results of the `branch` commands.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Failure;
use crate::output::without_credentials;
use crate::postgres::metadata::RunStatus;

/// The result of `branch create`. It contains URLs with passwords, since the caller needs them to connect.
#[derive(Clone, JsonSchema, Serialize)]
pub struct BranchCreated {
    /// The name.
    pub name: String,
    /// The provider.
    pub provider: &'static str,
    /// The provider's id.
    pub id: String,
    /// The direct URL, for migrations.
    pub database_url: String,
    /// The URL of a transaction pooler, if there is one.
    pub pooled_url: Option<String>,
    /// `created`, or `reset` for an existing branch.
    pub origin: &'static str,
    /// The provider's id or name of the parent.
    pub parent: Option<String>,
    /// The expiry time.
    pub expires_at: Option<String>,
}

/// The shell command that deletes a branch. It contains the provider, since the environment may have another
/// default, and quotes the name.
pub fn delete_command(name: &str, provider: &str) -> String {
    let end_of_flags = if name.starts_with('-') { "-- " } else { "" };
    let quoted = name.replace('\'', r"'\''");
    format!("tenure branch delete --provider {provider} {end_of_flags}'{quoted}'")
}

/// A branch in a list.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct BranchRow {
    /// The name.
    pub name: String,
    /// The provider.
    pub provider: &'static str,
    /// The provider's id.
    pub id: String,
    /// The provider's id or name of the parent.
    pub parent: Option<String>,
    /// The time of its creation or its last reset.
    pub created_at: Option<String>,
    /// The expiry time.
    pub expires_at: Option<String>,
}

/// The result of `branch list`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct BranchList {
    /// The branches, in order of creation.
    pub branches: Vec<BranchRow>,
}

/// The result of `branch delete`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct BranchDeleted {
    /// The name.
    pub name: String,
    /// The provider.
    pub provider: &'static str,
    /// Whether this call deleted it; otherwise it did not exist.
    pub deleted: bool,
}

/// The result of `branch gc`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct BranchesCollected {
    /// The outcome.
    pub outcome: RunStatus,
    /// The provider.
    pub provider: &'static str,
    /// The deleted branches, in order of creation.
    pub deleted: Vec<BranchRow>,
    /// The number of branches that remain.
    pub kept: usize,
    /// The branches that could not be deleted.
    pub failures: Vec<BranchFailure>,
}

/// A branch that could not be deleted.
#[derive(Debug, Clone, JsonSchema, Serialize)]
#[serde(into = "BranchFailureJson")]
#[schemars(from = "BranchFailureJson")]
pub struct BranchFailure {
    /// The name.
    pub name: String,
    /// The error.
    pub failure: Failure,
}

#[derive(JsonSchema, Serialize)]
struct BranchFailureJson {
    name: String,
    code: &'static str,
    message: String,
}

impl From<BranchFailure> for BranchFailureJson {
    fn from(BranchFailure { name, failure }: BranchFailure) -> Self {
        let message = without_credentials(&failure.message);
        Self { name, code: failure.code.as_str(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_to_a_shell() {
        assert_eq!(delete_command("pr-1", "neon"), "tenure branch delete --provider neon 'pr-1'");
        assert_eq!(delete_command("it's", "local"), r"tenure branch delete --provider local 'it'\''s'");
        assert_eq!(delete_command("-x y", "local"), "tenure branch delete --provider local -- '-x y'");
    }
}
