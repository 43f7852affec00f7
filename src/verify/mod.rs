//! Judges a file: would it break the release that is still running? Rules, the policy, Allow lines, findings and their formats
//! live here, with the model of the schema that each statement runs against. No code here reads files or connects to a database;
//! text that cannot be judged is denied.
//!
//! [`verify`] calls `judge` (rules → raw findings), `Policy` (levels) and `allow` (accepted findings), and sorts the result.

mod allow;
mod effects;
mod finding;
pub mod format;
mod judge;
mod new_objects;
mod new_parts;
mod observed_effects;
mod policy;
mod routines;
mod rule;
mod rule_context;
mod rule_id;
mod rules;
mod schema;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::error::Place;
use crate::sql::{Script, mentions, names_org_schema};

pub use allow::{accepted, names};
pub use effects::{StatementEffect, TableEffect};
pub use finding::{Counts, Evidence, Finding, FindingTarget, Level, Object, Summary};
pub use observed_effects::{ObservedEffect, ObservedEffects, ObservedPart};
pub use policy::{Lowered, Policy, PolicyError};
pub use rule::{EXAMPLES_ACT_ON, Impact, RULES, Rule, Tool, find};
pub use rule_id::RuleId;
pub use schema::{
    CatalogObject, CatalogSchema, CatalogTenant, CodeReplay, CodeStep, Conversion as TypeConversion,
    DatabaseCatalog, Effect, Entity, EntityColumn, EntitySchema, ForeignKey, Schema, ScriptReplay,
    StatementContext, appends_columns, is_builtin_function, is_plain_row_write,
};

/// A file to verify.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// The parsed text.
    pub script: &'a Script,
    /// The statements to judge, in order, each with the schema before it. Statements that Tenure runs itself are excluded.
    pub replay: &'a ScriptReplay<'a>,
    /// The kind of file.
    pub kind: Kind<'a>,
    /// The effects that were observed, if the file was run on a shadow.
    pub observed_effects: Option<&'a ObservedEffects>,
    /// The schemas of the project.
    pub schemas: ProjectSchemas<'a>,
}

/// The schemas of a project, by purpose.
#[derive(Debug, Clone, Copy)]
pub struct ProjectSchemas<'a> {
    /// The platform schema: in a platform statement, `users` and `platform.users` are the same table.
    pub platform: &'a str,
    /// The prefix of tenant schemas; empty if tenant schemas have no common prefix.
    pub prefix: &'a str,
    /// The schemas on a unit's search path after its own schema.
    pub shared: &'a [String],
    /// The registry of tenants in the platform's schema, and the columns that Tenure needs in it.
    pub registry: (&'a str, &'a [&'a str]),
}

impl ProjectSchemas<'_> {
    /// Whether `schema` is the schema of one tenant.
    pub(crate) fn is_tenant_schema(&self, schema: &str) -> bool {
        !self.prefix.is_empty()
            && schema.starts_with(self.prefix)
            && schema != self.platform
            && !names_org_schema(schema)
    }

    /// Whether `text` may contain the name of such a schema. A cheap check, false for most texts.
    pub(crate) fn may_name_tenant(&self, text: &str) -> bool {
        // Unicode escapes may encode any name.
        !self.prefix.is_empty() && (mentions(text, &self.prefix.to_ascii_lowercase()) || mentions(text, "u&"))
    }
}

/// The kind of a file.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// A migration of the chain.
    Migration,
    /// A reverse file. It undoes a step, so rules for the running release do not apply; only a shadow judges it.
    Reverse,
    /// A file of a tenant template, with the template's earlier files. The schema is new, so only effects outside of it and on
    /// objects that the template did not create are judged.
    Template(&'a [&'a Script]),
    /// A file outside of a project.
    Loose,
}

/// The findings in `file` under `policy`, in the order of the text.
pub fn verify(file: &File<'_>, policy: &Policy) -> Vec<Finding> {
    let (allows, mut errors) = allow::allow_lines(file.script);
    let is_reverse = matches!(file.kind, Kind::Reverse);
    let mut raws = if is_reverse {
        Vec::new()
    } else {
        judge::catch_panic(|| judge::raw_findings(file, policy), file.script)
    };
    raws.sort_by_key(|raw| (raw.range.start, raw.range.end));
    let of_text: Vec<_> =
        raws.into_iter().filter_map(|raw| policy.level(raw.rule).map(|level| (raw, level))).collect();
    let mut found: Vec<Found> = of_text.iter().map(|(raw, level)| Found::new(file, raw, *level)).collect();
    if let Some(observed_effects) = file.observed_effects {
        observed_effects.merge(file, policy, &mut found);
    }
    for allow in &allows {
        let accepted = found
            .iter_mut()
            .find(|found| found.finding.allowed.is_none() && allow.accepts(found.finding.rule, &found.words));
        match accepted {
            Some(found) => found.finding.allowed = Some(allow.because.clone()),
            None if is_reverse => {}
            // The line may accept a finding that only a shadow reports.
            None if file.observed_effects.is_none()
                && (is_opaque(&of_text) || rules::shadow::ROWS.iter().any(|row| row.id == allow.rule)) => {}
            None => errors.push(allow::unused(allow)),
        }
    }
    if let Some(observed_effects) = file.observed_effects {
        for found in &mut found {
            observed_effects.accept_observed(found);
        }
    }
    for (rule, range, message) in errors {
        if let Some(level) = policy.level(rule) {
            let raw = judge::RawFinding::of_file(rule, range, message);
            found.push(Found::new(file, &raw, level));
        }
    }
    found.sort_by_key(|found| found.range.start);
    found.into_iter().map(|found| found.finding).collect()
}

/// A finding, its span, and its names.
#[derive(Debug)]
struct Found {
    finding: Finding,
    range: Range<usize>,
    /// The names that an Allow line may use.
    words: Vec<String>,
    /// Whether the statement is in the body of a DO block or a routine.
    in_code: bool,
    /// Whether a run on a shadow shows what the code does elsewhere.
    shadow_shows: bool,
}

impl Found {
    fn new(file: &File<'_>, raw: &judge::RawFinding, level: Level) -> Self {
        Self {
            finding: finding(file, raw, level),
            range: raw.range.clone(),
            words: raw.words.clone(),
            in_code: raw.in_code,
            shadow_shows: raw.shadow_shows,
        }
    }
}

/// Whether the file contains code whose effects the text does not show.
fn is_opaque(found: &[(judge::RawFinding, Level)]) -> bool {
    found.iter().any(|(raw, _)| raw.rule.id == RuleId::OpaqueCode)
}

fn finding(file: &File<'_>, raw: &judge::RawFinding, level: Level) -> Finding {
    let source = &file.script.source;
    let whole = raw.range.is_empty();
    let place = if whole { Place::File(source.file.clone()) } else { Place::at(source, raw.range.clone()) };
    Finding {
        rule: raw.rule.id,
        level,
        subject: FindingTarget::Text { place, scope: raw.scope },
        evidence: Evidence::Text,
        message: raw.message.clone(),
        help: raw.rule.remediation.to_owned(),
        observed: Vec::new(),
        allow_line: (level == Level::Deny && raw.rule.can_be_accepted())
            .then(|| allow::proposed(raw.rule.id, &raw.object)),
        allowed: None,
    }
}
