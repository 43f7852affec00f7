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
    /// What was tried on a shadow, if something was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// A tenant of one template, made at the chain's end on a shadow, and how it differs from one of an older
/// version of the template.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The template.
    pub template: String,
    /// Its own version.
    pub version: Version,
    /// The older one that it is compared with; none of the oldest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// The version at which the tenants were made.
    pub at: Version,
    /// Whether the tenant could be made, and is the same as the older template's.
    pub proved: bool,
    /// What is different, or why it could not be made.
    pub differences: Vec<String>,
}

impl Checked {
    /// Whether something denies, or could not be proved.
    pub fn is_refused(&self) -> bool {
        self.summary.deny > 0 || self.proofs.iter().any(|proof| !proof.proved)
    }
}

/// What `template squash` did.
#[derive(Debug, Clone, Serialize)]
pub struct Squashed {
    /// The template that it began with.
    pub template: String,
    /// Its version.
    pub from: Version,
    /// The version of the new one.
    pub to: Version,
    /// The new template's name; none where there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// The files that were written.
    pub files: Vec<String>,
    /// The files that they replace.
    pub removed: Vec<String>,
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
    /// How many transactions they are in: more than one where steps need their own.
    pub transactions: usize,
    /// The foreign keys to tables that tenants share.
    pub shared_keys: Vec<SharedKeyJson>,
}

/// A foreign key to a shared table, as JSON.
#[derive(Debug, Clone)]
pub struct SharedKeyJson(pub SharedKey);

impl Serialize for SharedKeyJson {
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
