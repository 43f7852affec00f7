//! The results of operations on tenants' roles.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::ident::Identifier;
use crate::postgres::metadata::{RunStatus, Tenant};
use crate::tenant::Changed;

/// A password. `Debug` does not show it; it is serialized in one result only.
#[derive(Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password in plain text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(****)")
    }
}

/// The result of `tenant suspend` and `tenant resume`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct LoginChange {
    /// The tenant.
    #[serde(flatten)]
    pub changed: Changed,
    /// Its role, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The role's sessions that were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// The sessions of a role that can no longer log in.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Sessions {
    /// The number of sessions ended.
    pub ended: usize,
    /// The number of sessions left.
    pub left: usize,
    /// Why sessions are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// The result of `tenant login`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct LoggedIn {
    /// The tenant.
    pub tenant: Tenant,
    /// Its role.
    pub role: String,
    /// The new password, unless the login was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// The sessions that were ended, if the login was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// The result of `tenant grant`.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct Granted {
    /// The tenants that got a role or privileges.
    pub granted: Vec<GrantedTenant>,
    /// The number of tenants that lacked nothing.
    pub unchanged: usize,
    /// The tenants that failed.
    pub failures: Vec<crate::tenant::FailedTenant>,
}

impl Granted {
    /// The outcome of the run.
    pub fn ending(&self) -> RunStatus {
        match (self.failures.is_empty(), self.granted.is_empty()) {
            (true, true) => RunStatus::Nothing,
            (true, false) => RunStatus::Done,
            (false, true) if self.unchanged == 0 => RunStatus::Failed,
            (false, _) => RunStatus::Partial,
        }
    }
}

/// A tenant whose role was created or got privileges.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GrantedTenant {
    /// Its slug.
    pub slug: String,
    /// Its schema.
    pub schema: crate::ident::SchemaName,
    /// Its role.
    pub role: Identifier,
}
