//! The results of the verbs on tenants' roles.

use std::fmt;

use serde::Serialize;

use crate::ident::Identifier;
use crate::postgres::metadata::{RunStatus, Tenant};
use crate::tenant::Changed;

/// A password, which is shown once: in the one result that it belongs to. Debug does not show it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Of that text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(****)")
    }
}

/// What `tenant suspend` and `tenant resume` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginChange {
    /// The tenant.
    #[serde(flatten)]
    pub changed: Changed,
    /// Its role, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What became of the role's sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// The sessions of a role that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sessions {
    /// How many were ended.
    pub ended: usize,
    /// How many were not.
    pub left: usize,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// What `tenant login` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedIn {
    /// The tenant.
    pub tenant: Tenant,
    /// Its role.
    pub role: String,
    /// The new password; none where the role may no longer log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// What became of the sessions of a role that may no longer log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// What `tenant grant` did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Granted {
    /// Those that had no role, or not all of its rights.
    pub granted: Vec<GrantedTenant>,
    /// How many had all of them.
    pub unchanged: usize,
    /// Those for which it failed.
    pub failures: Vec<crate::tenant::FailedTenant>,
}

impl Granted {
    /// How it ended.
    pub fn ending(&self) -> RunStatus {
        match (self.failures.is_empty(), self.granted.is_empty()) {
            (true, true) => RunStatus::Nothing,
            (true, false) => RunStatus::Done,
            (false, true) if self.unchanged == 0 => RunStatus::Failed,
            (false, _) => RunStatus::Partial,
        }
    }
}

/// A tenant that `tenant grant` gave something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantedTenant {
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: crate::ident::SchemaName,
    /// Its role.
    pub role: Identifier,
}
