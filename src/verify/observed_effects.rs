//! Effects of a file that were observed on a shadow or on the queries of the running release. They add findings that the text
//! does not show, and accept findings about code whose effects were observed to be harmless.

use std::ops::Range;

use super::finding::{Evidence, Level};
use super::judge::RawFinding;
use super::policy::Policy;
use super::rule::Impact;
use super::rule_id::RuleId;
use super::rules::{no_where, shadow, squawk};
use super::{File, Found};
use crate::sql::Scope;

/// The observed effects of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedEffects {
    /// The byte ranges of the statements whose effects were observed completely.
    pub seen: Vec<Range<usize>>,
    /// The effects to report.
    pub observed: Vec<ObservedEffect>,
    /// Whether destructive statements of the file may pass, since no query of the running release needs the objects that they
    /// drop or change.
    pub unneeded: bool,
}

/// An observed effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEffect {
    /// The rule that reports it; one of [`crate::verify::RULES`].
    pub rule: RuleId,
    /// Its level, unless the policy sets a milder one.
    pub level: Level,
    /// The statement that caused it; empty if unknown.
    pub range: Range<usize>,
    /// The message.
    pub message: String,
    /// The names that an Allow line may use: the object's, then its part's.
    pub words: Vec<String>,
    /// The scope of the statement.
    pub scope: Option<Scope>,
    /// Whether it happened in another schema than the statement's own.
    pub elsewhere: bool,
    /// The kind of evidence.
    pub evidence: Evidence,
}

/// The reason for accepting opaque code.
const EFFECTS_OBSERVED: &str = "the shadow observed all of its effects";

/// Added to the help of a finding from text that the shadow did not confirm.
const NO_HARM: &str =
    "; on the shadow it did no harm: if the same is true for your data, accept it with an Allow line";

/// The reason for accepting a destructive statement.
const UNNEEDED: &str =
    "no query of the running release needs the objects that it changes (verify.contract = \"queries\")";

impl ObservedEffects {
    /// The findings for effects that `found`, the findings from text, do not include.
    pub(super) fn findings(
        &self,
        file: &File<'_>,
        policy: &Policy,
        found: &[(RawFinding, Level)],
    ) -> Vec<Found> {
        let new =
            self.observed.iter().filter(|observed| !found.iter().any(|(raw, _)| includes(raw, observed)));
        new.filter_map(|observed| {
            let rule = observed.rule.rule();
            // The policy may set a milder level than the effect's, and the effect's may be milder than the rule's.
            let level = policy.level(rule)?.max(observed.level);
            let raw = RawFinding {
                rule,
                range: observed.range.clone(),
                message: observed.message.clone(),
                scope: observed.scope,
                words: observed.words.clone(),
                in_code: false,
            };
            let mut found = Found::new(file, &raw, level);
            found.finding.evidence = observed.evidence;
            Some(found)
        })
        .collect()
    }

    /// Accepts a finding if the effects of the code were observed, or if no query needs the object. Otherwise extends the help.
    pub(super) fn accept_observed(&self, found: &mut Found) {
        let Found { finding, range, in_code, .. } = found;
        let within = |whole: &Range<usize>| whole.start <= range.start && range.end <= whole.end;
        let Some(statement) = self.seen.iter().find(|whole| within(whole)) else { return };
        if finding.allowed.is_some() || finding.level != Level::Deny || finding.evidence == Evidence::Queries
        {
            return;
        }
        let is_text = finding.evidence == Evidence::Text;
        // An effect without a known cause counts for every statement.
        let harmed = |observed: &ObservedEffect| {
            observed.level == Level::Deny && (observed.range == *statement || observed.range.is_empty())
        };
        if finding.rule == RuleId::OpaqueCode || *in_code {
            // Each of its effects is a finding of its own.
            finding.allowed = Some(EFFECTS_OBSERVED.to_owned());
            finding.evidence = Evidence::Effect;
        } else if self.unneeded && concerns_definitions(finding.rule) {
            finding.allowed = Some(UNNEEDED.to_owned());
            finding.evidence = Evidence::Queries;
        } else if is_text && !self.observed.iter().any(harmed) {
            finding.help.push_str(NO_HARM);
        }
    }
}

/// Whether the rule concerns definitions rather than rows.
fn concerns_definitions(id: RuleId) -> bool {
    let of_rows = [no_where::ROWS, squawk::data::ROWS, &shadow::ROWS[..2]];
    let reads = [Impact::OldReaders, Impact::OldWriters];
    let impact = id.rule().impact.iter().any(|it| reads.contains(it));
    impact && !of_rows.iter().any(|rows| rows.iter().any(|row| row.id == id))
}

/// Whether a finding from text includes the effect: it has the same rule, or the same impact on the same object.
fn includes(raw: &RawFinding, observed: &ObservedEffect) -> bool {
    let same_place = observed.range.start <= raw.range.start && raw.range.end <= observed.range.end;
    if !same_place
        || raw.in_code
        || raw.rule.id == RuleId::OpaqueCode
        || observed.evidence != Evidence::Effect
    {
        return false;
    }
    let rule = observed.rule.rule();
    let same_rule = rule.id == raw.rule.id;
    // A finding about a dropped definition does not include the loss of rows.
    let of_rows = !concerns_definitions(rule.id) && concerns_definitions(raw.rule.id);
    if observed.elsewhere || (of_rows && !same_rule) {
        return false;
    }
    let same_danger = raw.rule.impact.iter().any(|impact| rule.impact.contains(impact));
    let named = observed.words.iter().all(|word| raw.words.contains(word));
    let as_grave = raw.rule.level == Level::Deny || observed.level == Level::Warn;
    named && (same_rule || (same_danger && as_grave))
}
