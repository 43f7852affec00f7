//! What `template check` found.

use serde::Serialize;
use serde::ser::SerializeStruct as _;

use crate::chain::Version;
use crate::template::SharedKey;
use crate::verify::{Finding, Summary};

/// What `template check` found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// By name.
    pub templates: Vec<CheckedTemplate>,
    /// What verification says of them.
    pub findings: Vec<Finding>,
    /// In numbers.
    pub summary: Summary,
}

/// One template.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedTemplate {
    /// The folder's name.
    pub name: String,
    /// The version that its own files make.
    pub version: Version,
    /// The version that a new tenant of it is at, with the chain's steps.
    pub latest: Version,
    /// The statements that a new tenant takes.
    pub statements: usize,
    /// The foreign keys to tables that tenants share.
    pub shared_keys: Vec<ShownKey>,
}

/// A foreign key to a shared table, as JSON.
#[derive(Debug, Clone)]
pub struct ShownKey(pub SharedKey);

impl Serialize for ShownKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(key) = self;
        let start = key.place.start();
        let mut out = serializer.serialize_struct("SharedKey", 5)?;
        out.serialize_field("table", &key.shown())?;
        out.serialize_field("file", key.place.file())?;
        out.serialize_field("line", &start.map(|at| at.line))?;
        out.serialize_field("column", &start.map(|at| at.column))?;
        out.serialize_field("statements_under_lock", &key.under_lock)?;
        out.end()
    }
}
