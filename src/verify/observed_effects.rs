//! What others saw a file do: on a shadow, or to the queries of the running release. It finds what the text
//! hides, and clears what the text only does not show.

use std::ops::Range;

use super::finding::{Evidence, Finding, Level};
use super::judge::Raw;
use super::policy::Policy;
use super::rule::Impact;
use super::rule_id::RuleId;
use super::rules::{no_where, shadow, squawk};
use super::{File, Found};
use crate::sql::Scope;

/// What was seen of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedEffects {
    /// The statements, by their bytes, of which all that they do was seen.
    pub seen: Vec<Range<usize>>,
    /// What was seen that somebody should know.
    pub observed: Vec<ObservedEffect>,
    /// Whether all statements of the file that act destructively may pass, since no query of the running release
    /// needs what they take away.
    pub unneeded: bool,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEffect {
    /// The rule that says the same of a text.
    pub rule: RuleId,
    /// How much it weighs where the policy is not milder.
    pub level: Level,
    /// The statement that did it; empty where that is not known.
    pub range: Range<usize>,
    /// What was seen.
    pub message: String,
    /// The names that an Allow line may call it by: of the object, then of its part.
    pub words: Vec<String>,
    /// Whose the statement is.
    pub scope: Option<Scope>,
    /// Whether it happened in another schema than the one that the statement is for, where no text shows it.
    pub elsewhere: bool,
    /// How it is known.
    pub evidence: Evidence,
}

/// The reason why code that no text shows passes.
const CLEARED: &str = "the shadow shows all that it does";

/// Said of what the text denies and the shadow does not.
const NO_HARM: &str =
    "; on the shadow it did no harm, so if the same holds for your data, accept it by an Allow line";

/// The reason why what nobody needs may go.
const UNNEEDED: &str =
    "no query of the running release needs what it takes away (verify.contract = \"queries\")";

impl ObservedEffects {
    /// What was seen and is no finding of the text's yet: `found` are those, each with its words.
    pub(super) fn findings(&self, file: &File<'_>, policy: &Policy, found: &[(Raw, Level)]) -> Vec<Found> {
        let new = self.observed.iter().filter(|observed| !found.iter().any(|(raw, _)| tells(raw, observed)));
        new.filter_map(|observed| {
            let rule = observed.rule.rule();
            // A policy may make it milder than what was seen, and what was seen milder than the rule.
            let level = policy.level(rule)?.max(observed.level);
            let raw = Raw {
                rule,
                range: observed.range.clone(),
                message: observed.message.clone(),
                scope: observed.scope,
                words: observed.words.clone(),
            };
            let mut found = Found::new(file, &raw, level);
            found.finding.evidence = observed.evidence;
            Some(found)
        })
        .collect()
    }

    /// Accepts what the text could not show and was seen, and what nobody needs; says of the rest what was
    /// seen.
    pub(super) fn clear(&self, finding: &mut Finding, range: &Range<usize>) {
        let within = |whole: &Range<usize>| whole.start <= range.start && range.end <= whole.end;
        let Some(statement) = self.seen.iter().find(|whole| within(whole)) else { return };
        if finding.allowed.is_some() || finding.level != Level::Deny || finding.evidence == Evidence::Queries
        {
            return;
        }
        let is_text = finding.evidence == Evidence::Text;
        // What nobody can be shown to have done, each may have done.
        let harmed = |observed: &ObservedEffect| {
            observed.level == Level::Deny && (observed.range == *statement || observed.range.is_empty())
        };
        if finding.rule == RuleId::OpaqueCode {
            // What it does is a finding of its own.
            finding.allowed = Some(CLEARED.to_owned());
            finding.evidence = Evidence::Effect;
        } else if self.unneeded && takes_definitions(finding.rule) {
            finding.allowed = Some(UNNEEDED.to_owned());
            finding.evidence = Evidence::Queries;
        } else if is_text && !self.observed.iter().any(harmed) {
            finding.help.push_str(NO_HARM);
        }
    }
}

/// Whether the rule is about what is defined, and not about the rows in it.
fn takes_definitions(id: RuleId) -> bool {
    let of_rows = [no_where::ROWS, squawk::data::ROWS, &shadow::ROWS[..2]];
    let reads = [Impact::OldReaders, Impact::OldWriters];
    let impact = id.rule().impact.iter().any(|it| reads.contains(it));
    impact && !of_rows.iter().any(|rows| rows.iter().any(|row| row.id == id))
}

/// Whether a finding of the text says it already: under the same rule, or of the same thing that it would lose
/// or break in another way.
fn tells(raw: &Raw, observed: &ObservedEffect) -> bool {
    let same_place = observed.range.start <= raw.range.start && raw.range.end <= observed.range.end;
    if !same_place || raw.rule.id == RuleId::OpaqueCode || observed.evidence != Evidence::Effect {
        return false;
    }
    let rule = observed.rule.rule();
    let same_rule = rule.id == raw.rule.id;
    // That a definition goes says nothing of the rows, once it may go.
    let of_rows = !takes_definitions(rule.id) && takes_definitions(raw.rule.id);
    if observed.elsewhere || (of_rows && !same_rule) {
        return false;
    }
    let same_danger = raw.rule.impact.iter().any(|impact| rule.impact.contains(impact));
    let named = observed.words.iter().all(|word| raw.words.contains(word));
    let as_grave = raw.rule.level == Level::Deny || observed.level == Level::Warn;
    named && (same_rule || (same_danger && as_grave))
}
