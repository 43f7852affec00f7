//! Verification of a file by its text: would it break the release that is still running? Rules look at
//! one statement after the other and spare what the file itself has made; the policy gives each
//! finding its level; `-- Allow:` lines accept some. What cannot be judged is denied, never passed.
//!
//! The story: [`verify`] → `judge` (rules → raw findings) → `Policy` (levels) → `allow` (accepted) → sorted.

mod allow;
mod effects;
mod finding;
pub mod format;
mod judge;
mod new_objects;
mod observed_effects;
mod policy;
mod rule;
mod rule_context;
mod rule_id;
mod rules;
mod schema;
mod spared;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::error::Place;
use crate::sql::{Script, names_org_schema};

pub use allow::{accepted, names};
pub use effects::{StatementEffect, TableEffect};
pub use finding::{Counts, Evidence, Finding, Level, Object, Subject, Summary};
pub use observed_effects::{ObservedEffect, ObservedEffects};
pub use policy::{Policy, PolicyError};
pub use rule::{EXAMPLES_ACT_ON, Impact, RULES, Rule, Tool, find};
pub use rule_id::RuleId;
pub use schema::{Schema, ScriptReplay, StatementContext, is_of_server, shows_more};

/// A file to verify.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its text, parsed.
    pub script: &'a Script,
    /// The statements to judge, in order, and what they meet: those that Tenure does itself are not among
    /// them.
    pub walk: &'a ScriptReplay<'a>,
    /// What it is.
    pub kind: Kind<'a>,
    /// What others saw it do, if anybody looked.
    pub observed_effects: Option<&'a ObservedEffects>,
    /// The schemas of its project.
    pub schemas: ProjectSchemas<'a>,
}

/// The schemas of a project, by what they are for.
#[derive(Debug, Clone, Copy)]
pub struct ProjectSchemas<'a> {
    /// The platform schema: `users` in a platform statement and `platform.users` are one table.
    pub platform: &'a str,
    /// What the schema of a tenant begins with; empty where a name does not say that it is a tenant's.
    pub prefix: &'a str,
    /// What a unit's search path names behind the unit's own schema.
    pub shared: &'a [String],
}

impl ProjectSchemas<'_> {
    /// Whether `schema` is that of one tenant.
    pub(crate) fn is_of_tenant(&self, schema: &str) -> bool {
        !self.prefix.is_empty()
            && schema.starts_with(self.prefix)
            && schema != self.platform
            && !names_org_schema(schema)
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// A migration of the chain.
    Migration,
    /// A file of a tenant template, with the template's earlier files: the schema is fresh, so only what
    /// reaches beyond it, or beyond what the template makes, is judged.
    Template(&'a [&'a Script]),
    /// A file outside of the project, judged on its own.
    Loose,
}

/// What there is to say of `file` under `policy`, in the order of the text.
pub fn verify(file: &File<'_>, policy: &Policy) -> Vec<Finding> {
    let (allows, mut wrong) = allow::allows(file.script);
    let mut raws = judge::guarded(|| judge::raw_findings(file, policy), file.script);
    raws.sort_by_key(|raw| (raw.range.start, raw.range.end));
    let of_text: Vec<_> =
        raws.into_iter().filter_map(|raw| policy.level(raw.rule).map(|level| (raw, level))).collect();
    let mut found: Vec<Found> = of_text.iter().map(|(raw, level)| Found::new(file, raw, *level)).collect();
    if let Some(observed_effects) = file.observed_effects {
        found.extend(observed_effects.findings(file, policy, &of_text));
    }
    for allow in &allows {
        let accepted = found.iter_mut().find(|found| {
            found.finding.allowed.is_none() && allow.is_about(found.finding.rule, &found.words)
        });
        match accepted {
            Some(found) => found.finding.allowed = Some(allow.because.clone()),
            // It may accept what only a shadow shows.
            None if file.observed_effects.is_none() && is_opaque(&of_text) => {}
            None => wrong.push(allow::unused(allow)),
        }
    }
    if let Some(observed_effects) = file.observed_effects {
        for found in &mut found {
            observed_effects.clear(&mut found.finding, &found.range);
        }
    }
    for (rule, range, message) in wrong {
        if let Some(level) = policy.level(rule) {
            let raw = judge::Raw { rule, range, message, scope: None, words: Vec::new() };
            found.push(Found::new(file, &raw, level));
        }
    }
    found.sort_by_key(|found| found.range.start);
    found.into_iter().map(|found| found.finding).collect()
}

/// A finding with what is needed until all is told.
#[derive(Debug)]
struct Found {
    finding: Finding,
    range: Range<usize>,
    /// The names that an Allow line may call it by.
    words: Vec<String>,
}

impl Found {
    fn new(file: &File<'_>, raw: &judge::Raw, level: Level) -> Self {
        Self { finding: finding(file, raw, level), range: raw.range.clone(), words: raw.words.clone() }
    }
}

/// Whether the text says of something in it that it does not show what it does.
fn is_opaque(found: &[(judge::Raw, Level)]) -> bool {
    found.iter().any(|(raw, _)| raw.rule.id == RuleId::OpaqueCode)
}

fn finding(file: &File<'_>, raw: &judge::Raw, level: Level) -> Finding {
    let source = &file.script.source;
    let whole = raw.range.is_empty();
    let place = if whole { Place::File(source.file.clone()) } else { Place::at(source, raw.range.clone()) };
    Finding {
        rule: raw.rule.id,
        level,
        subject: Subject::Text { place, scope: raw.scope },
        evidence: Evidence::Text,
        message: raw.message.clone(),
        help: raw.rule.remediation.to_owned(),
        allowed: None,
    }
}
