//! The JSON results of `template check` and `template squash`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::{SharedKey, TEMPLATES, text};
use crate::chain::Version;
use crate::error::Place;
use crate::output::{Paint, Text};
use crate::sql::Scope;
use crate::verify::format::Findings;
use crate::verify::{Evidence, Finding, FindingTarget, Lowered, RuleId, Summary};

/// The result of `template check`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Checked {
    /// The templates, sorted by name.
    pub templates: Vec<CheckedTemplate>,
    /// The findings of verification.
    pub findings: Vec<Finding>,
    /// The lowered settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lowered: Vec<Lowered>,
    /// The counts of the findings.
    pub summary: Summary,
    /// The trials on a shadow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// A trial: a tenant of one template, created at the latest version on a shadow and compared with one of an older version
/// of the template.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Proof {
    /// The template.
    pub template: String,
    /// Its own version.
    pub version: Version,
    /// The older version that it is compared with; `None` for the oldest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// The version at which the tenants were created.
    pub at: Version,
    /// Whether the tenant could be created and equals that of the older version.
    pub proved: bool,
    /// The differences, or why it could not be created.
    pub differences: Vec<String>,
}

impl Findings for Checked {
    const COMMAND: &'static str = "template check";

    /// Those of the text, then a finding for each template that does not make the tenant that it should.
    fn findings(&self) -> Cow<'_, [Finding]> {
        let rule = RuleId::NewTenantDiffers.rule();
        let failed = self.proofs.iter().filter(|proof| !proof.proved).map(|proof| Finding {
            rule: rule.id,
            level: rule.level,
            subject: FindingTarget::Text {
                place: Place::File(format!("{TEMPLATES}/{}", proof.template)),
                scope: Some(Scope::Tenant),
            },
            evidence: Evidence::Effect,
            message: std::iter::once(&text::proved(proof, Paint::PLAIN))
                .chain(&proof.differences)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("\n  "),
            help: rule.remediation.to_owned(),
            observed: Vec::new(),
            allow_line: None,
            allowed: None,
        });
        self.findings.iter().cloned().chain(failed).collect()
    }

    fn summary(&self) -> String {
        self.summary.to_string()
    }

    fn text(&self, paint: Paint) -> Text {
        text::checked(self, paint)
    }

    fn lowered(&self) -> &[Lowered] {
        &self.lowered
    }
}

/// The result of `template squash`.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct Squashed {
    /// The original template.
    pub template: String,
    /// Its version.
    pub from: Version,
    /// The version of the new template.
    pub to: Version,
    /// The new template's name; `None` if there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// The files written.
    pub files: Vec<String>,
    /// The files replaced.
    pub removed: Vec<String>,
}

/// One template.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct CheckedTemplate {
    /// The folder's name.
    pub name: String,
    /// The version that its own files create.
    pub version: Version,
    /// The version of a new tenant, including the steps of the chain.
    pub latest: Version,
    /// The number of statements for a new tenant.
    pub statements: usize,
    /// The number of transactions: more than one if steps need their own.
    pub transactions: usize,
    /// The foreign keys to shared tables.
    pub shared_keys: Vec<SharedKeyJson>,
}

/// A foreign key to a shared table, as JSON.
#[derive(Debug, Clone, JsonSchema, Serialize)]
#[serde(into = "SharedKeyDocument")]
#[schemars(from = "SharedKeyDocument")]
pub struct SharedKeyJson(pub SharedKey);

#[derive(JsonSchema, Serialize)]
struct SharedKeyDocument {
    table: String,
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    /// The number of statements that run while the shared table is locked.
    statements_under_lock: usize,
}

impl From<SharedKeyJson> for SharedKeyDocument {
    fn from(SharedKeyJson(key): SharedKeyJson) -> Self {
        let start = key.place.start();
        Self {
            table: key.shown(),
            file: key.place.file().to_owned(),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            statements_under_lock: key.under_lock,
        }
    }
}
