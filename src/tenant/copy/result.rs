//! The results of the verbs that make a tenant of what is there: adopt, clone, export, import.

use serde::Serialize;

use crate::chain::Version;
use crate::postgres::catalog::SchemaDifference;
use crate::postgres::metadata::{RunStatus, Tenant};

/// What `tenant adopt` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// `done`.
    pub outcome: RunStatus,
    /// The tenant as it is now.
    pub tenant: Tenant,
    /// How its schema differs from what the files make; not empty only where that was accepted.
    pub differences: Vec<SchemaDifference>,
    /// How owners and privileges differ, which refuses nothing.
    pub access: Vec<SchemaDifference>,
}

/// What `tenant clone` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cloned {
    /// `done`.
    pub outcome: RunStatus,
    /// The slug of the tenant that was cloned.
    pub source: String,
    /// The new tenant.
    pub tenant: Tenant,
    /// How many tables were copied.
    pub tables: usize,
    /// How many rows were copied.
    pub rows: u64,
    /// How owners and privileges of the source differ from the new tenant's.
    pub access: Vec<SchemaDifference>,
    /// What was not copied, and why.
    pub notes: Vec<String>,
}

/// What `tenant export` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// `done`.
    pub outcome: RunStatus,
    /// The tenant.
    pub tenant: Tenant,
    /// The file; `-` for stdout.
    pub file: String,
    /// How many bytes its dump has.
    pub bytes: u64,
}

/// What `tenant import` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// `done`.
    pub outcome: RunStatus,
    /// The tenant as it is now.
    pub tenant: Tenant,
    /// The version that it was exported at.
    pub from: Version,
    /// How many rows came out of the file.
    pub rows: u64,
    /// How many units brought it along.
    pub units: usize,
    /// Definitions that are printed in other words since, where that was accepted.
    pub differences: Vec<SchemaDifference>,
}
