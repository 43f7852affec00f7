//! The result of `tenure drift`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::text;
use crate::chain::Version;
use crate::output::{Paint, Text};
use crate::postgres::catalog::SchemaDifference;
use crate::postgres::metadata::platform_fingerprint::PlatformDrift;
use crate::verify::format::Findings;
use crate::verify::{Evidence, Finding, FindingTarget, Object, RuleId, Tool};

/// The result of the comparison.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct Drifted {
    /// The numbers of tenants.
    pub tenants: DriftCounts,
    /// The platform schema, if all tenants were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformDrift>,
    /// The differences, in order of schemas.
    pub differences: Vec<SchemaDifference>,
    /// The references of the comparison.
    pub references: Vec<ComparedWith>,
}

/// The numbers of tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct DriftCounts {
    /// Compared tenants.
    pub total: usize,
    /// Tenants without differences.
    pub same: usize,
    /// Tenants with differences.
    pub different: usize,
    /// Tenants without a version, which cannot be compared.
    #[serde(skip_serializing_if = "is_none")]
    pub unknown: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The reference of the tenants of one version and template.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ComparedWith {
    /// Their version.
    pub version: Version,
    /// Their template.
    pub template: String,
    /// The parameter values that affect the schema.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Number of tenants.
    pub tenants: usize,
    /// The basis for definitions.
    pub definitions: Basis,
    /// The basis for owners and privileges.
    pub access: Basis,
    /// Why no reference could be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// The basis of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// A tenant created from the template and the migrations.
    Files,
    /// The majority of the tenants.
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
                subject: FindingTarget::Object(Object {
                    schema: Some(schema.to_string()),
                    object: object.clone(),
                    other: None,
                }),
                evidence: Evidence::Catalog,
                message: format!("in {schema}, {object}: {change}"),
                help: rule.remediation.to_owned(),
                observed: Vec::new(),
                allow_line: None,
                allowed: None,
            }
        };
        self.differences.iter().map(of).collect()
    }

    fn summary(&self) -> String {
        text::summary(self, Paint::PLAIN)
    }

    fn text(&self, paint: Paint) -> Text {
        text::drifted(self, paint)
    }
}
