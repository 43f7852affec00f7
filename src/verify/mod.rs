//! Verification of a file by its text: would it break the release that is still running? Rules look at
//! one statement after the other and spare what the file itself has made; the policy gives each
//! finding its level; `-- Allow:` lines accept some. What cannot be judged is denied, never passed.
//!
//! The story: [`verify`] → `judge` (rules → raw findings) → `Policy` (levels) → `allow` (accepted) → sorted.

mod allow;
mod finding;
mod judge;
mod made;
mod policy;
mod rule;
mod rules;
mod schema;
mod spared;
mod subject;
#[cfg(test)]
mod tests;

use crate::error::Place;
use crate::sql::{Scope, Script, Statement};

pub use finding::{Evidence, Finding, Level, RuleId, Summary};
pub use policy::{Policy, PolicyError};
pub use rule::{Breaks, EXAMPLES_ACT_ON, RULES, Rule, find};
pub use schema::Schema;

/// A file to verify.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its text, parsed.
    pub script: &'a Script,
    /// The statements to judge, in order: those that Tenure does itself are not among them. Each with
    /// its scope, where that is known.
    pub statements: &'a [(&'a Statement, Option<Scope>)],
    /// What it is.
    pub kind: Kind<'a>,
    /// The schemas as they are before the file runs, as far as that is known.
    pub before: &'a Schema,
    /// The platform schema: `users` in a platform statement and `platform.users` are one table.
    pub platform: &'a str,
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
    let (allows, wrong) = allow::allows(file.script);
    let mut raws: Vec<_> = judge::guarded(|| judge::raw_findings(file), file.script).into_iter().collect();
    raws.sort_by_key(|raw| (raw.range.start, raw.range.end));
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    let mut words = Vec::new();
    for raw in raws {
        if let Some(level) = policy.level(raw.rule) {
            findings.push((raw.range.start, finding(file, &raw, level)));
            words.push(raw.words);
        }
    }
    let mut wrong = wrong;
    for allow in &allows {
        let accepted = findings.iter_mut().zip(&words).find(|((_, finding), words)| {
            finding.allowed.is_none()
                && finding.rule.as_str() == allow.rule
                && allow.object.iter().all(|part| words.contains(part))
        });
        match accepted {
            Some(((_, finding), _)) => finding.allowed = Some(allow.because.clone()),
            None => wrong.push(allow::unused(allow)),
        }
    }
    for (rule, range, message) in wrong {
        if let Some(level) = policy.level(rule) {
            let start = range.start;
            let raw = judge::Raw { rule, range, message, scope: None, words: Vec::new() };
            findings.push((start, finding(file, &raw, level)));
        }
    }
    findings.sort_by_key(|(start, _)| *start);
    findings.into_iter().map(|(_, finding)| finding).collect()
}

fn finding(file: &File<'_>, raw: &judge::Raw, level: Level) -> Finding {
    let source = &file.script.source;
    let whole = raw.range.is_empty();
    Finding {
        rule: raw.rule.id,
        level,
        place: if whole { Place::File(source.file.clone()) } else { Place::at(source, raw.range.clone()) },
        scope: raw.scope,
        evidence: Evidence::Text,
        message: raw.message.clone(),
        help: raw.rule.instead.to_owned(),
        allowed: None,
    }
}
