//! What `tenure drift` found.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::text;
use crate::chain::Version;
use crate::error::Class;
use crate::output::Paint;
use crate::postgres::catalog::SchemaDifference;
use crate::verify::format::Findings;
use crate::verify::{Evidence, Finding, Object, RuleId, Subject, Tool};

/// The tenants compared with what they should be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Drifted {
    /// In numbers.
    pub tenants: DriftCounts,
    /// What is different, in order of schemas.
    pub differences: Vec<SchemaDifference>,
    /// What they were compared with.
    pub references: Vec<ComparedWith>,
}

/// The tenants in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DriftCounts {
    /// Those that were compared.
    pub total: usize,
    /// Those that are as they should be.
    pub same: usize,
    /// Those that are not.
    pub different: usize,
    /// Those without a version, which cannot be compared.
    #[serde(skip_serializing_if = "is_none")]
    pub unknown: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What the tenants of one version and template were compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComparedWith {
    /// Their version.
    pub version: Version,
    /// Their template.
    pub template: String,
    /// The values of the template's parameters that give their schemas their shape.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// How many they are.
    pub tenants: usize,
    /// Where their definitions should be as.
    pub definitions: Basis,
    /// Where their owners and privileges should be as.
    pub access: Basis,
    /// Why no tenant could be made to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// What is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// A tenant made from the template and the migrations.
    Files,
    /// What most of the tenants have.
    Majority,
}

impl Findings for Drifted {
    const COMMAND: &'static str = Tool::Drift.command();

    fn findings(&self) -> Cow<'_, [Finding]> {
        let rule = RuleId::SchemaDrift.rule();
        let of = |difference: &SchemaDifference| {
            let SchemaDifference { schema, object, change } = difference;
            Finding {
                rule: rule.id,
                level: rule.level,
                subject: Subject::Object(Object {
                    schema: Some(schema.to_string()),
                    object: object.clone(),
                    other: None,
                }),
                evidence: Evidence::Catalog,
                message: format!("in {schema}, {object}: {change}"),
                help: rule.remediation.to_owned(),
                allowed: None,
            }
        };
        self.differences.iter().map(of).collect()
    }

    fn summary(&self) -> String {
        text::counts(self.tenants, Paint::Plain)
    }

    fn text(&self, paint: Paint) -> String {
        text::drifted(self, paint)
    }

    fn exit_code(&self) -> u8 {
        if self.tenants.different > 0 { Class::Refused.exit_code() } else { 0 }
    }
}
