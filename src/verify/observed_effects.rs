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
    /// The names that an Allow line may use: the object's, its schema's unless it is the statement's own, its part's.
    pub words: Vec<String>,
    /// The kind of the part; its name is the last of the words.
    pub part: Option<ObservedPart>,
    /// Whether something is gone.
    pub removes: bool,
    /// Whether the text shows it exactly: its statement only gives the object another name.
    pub renames: bool,
    /// The scope of the statement.
    pub scope: Option<Scope>,
    /// Whether it happened in another schema than the statement's own.
    pub elsewhere: bool,
    /// The kind of evidence.
    pub evidence: Evidence,
}

/// The kind of a changed part of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedPart {
    /// An index, which a statement may name without its table.
    Index,
    /// A constraint, whose name the server may have chosen.
    Constraint,
    /// Anything else.
    Other,
}

impl ObservedEffect {
    /// An effect on a shadow in the statement's own schema, without names.
    pub fn new(rule: RuleId, level: Level, range: Range<usize>, message: String) -> Self {
        Self {
            rule,
            level,
            range,
            message,
            words: Vec::new(),
            part: None,
            removes: false,
            renames: false,
            scope: None,
            elsewhere: false,
            evidence: Evidence::Effect,
        }
    }
}

impl ObservedEffect {
    /// The object and its part for an Allow line. The name of a query is one word.
    fn object(&self) -> Vec<String> {
        let object = if self.evidence == Evidence::Queries { None } else { self.words.first() };
        let has_part = self.part.is_some() || self.evidence == Evidence::Queries;
        object.into_iter().chain(self.words.last().filter(|_| has_part)).cloned().collect()
    }

    /// The names without that of the part.
    fn object_words(&self) -> &[String] {
        let ends_with_part = self.part.is_some() || !concerns_definitions(self.rule);
        match self.words.split_last() {
            Some((_, object)) if ends_with_part && !object.is_empty() => object,
            _ => &self.words,
        }
    }
}

/// The reason for accepting opaque code.
const EFFECTS_OBSERVED: &str = "the shadow observed all of its effects";

/// Added to the help of a finding about code in a branch.
const MAY_BE_SKIPPED: &str = "; the shadow cannot show it, since another database may take another branch";

/// Added to the help of a finding from text that the shadow did not confirm.
const NO_HARM: &str =
    "; on the shadow it did no harm: if the same is true for your data, accept it with an Allow line";

/// The reason for accepting a destructive statement.
const UNNEEDED: &str =
    "no query of the running release needs the objects that it changes (verify.contract = \"queries\")";

impl ObservedEffects {
    /// Adds each effect to the finding from text about the same danger, so that a statement has one finding and needs one Allow
    /// line. Appends findings for the other effects.
    pub(super) fn merge(&self, file: &File<'_>, policy: &Policy, found: &mut Vec<Found>) {
        let of_text = found.len();
        for observed in &self.observed {
            if let Some(at) = shown_by(&found[..of_text], observed) {
                // The text may be that of a routine which the statement uses.
                let (own, by) = (&found[at].range, &observed.range);
                let is_here = by.is_empty() || (by.start <= own.start && own.end <= by.end);
                let line = file.script.source.position(by.start).line;
                let by = if is_here { String::new() } else { format!(", by the statement in line {line}") };
                found[at].finding.observed.push(format!("{}{by}", observed.message));
                continue;
            }
            let rule = observed.rule.rule();
            let Some(level) = policy.level(rule).filter(|_| !observed.renames) else { continue };
            let raw = RawFinding {
                rule,
                range: observed.range.clone(),
                message: observed.message.clone(),
                scope: observed.scope,
                words: observed.words.clone(),
                object: observed.object(),
                in_code: false,
                shadow_shows: false,
            };
            // The policy may set a milder level than the effect's, and the effect's may be milder than the rule's.
            let mut own = Found::new(file, &raw, level.max(observed.level));
            own.finding.evidence = observed.evidence;
            found.push(own);
        }
    }

    /// Accepts a finding if the effects of the code were observed, or if no query needs the object. Otherwise extends the help.
    pub(super) fn accept_observed(&self, found: &mut Found) {
        let Found { finding, range, in_code, shadow_shows, .. } = found;
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
        // No query shows the loss of rows.
        let loses_rows = || self.observed.iter().any(|it| harmed(it) && !concerns_definitions(it.rule));
        let of_code = finding.rule == RuleId::OpaqueCode || *in_code;
        if is_text && of_code && *shadow_shows && finding.observed.is_empty() {
            // Each of its effects is in another finding.
            finding.allowed = Some(EFFECTS_OBSERVED.to_owned());
            finding.evidence = Evidence::Effect;
        } else if self.unneeded && concerns_definitions(finding.rule) && !(is_text && loses_rows()) {
            finding.allowed = Some(UNNEEDED.to_owned());
            finding.evidence = Evidence::Queries;
        } else if is_text && of_code && finding.observed.is_empty() {
            finding.help.push_str(MAY_BE_SKIPPED);
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

/// Rules about definitions whose change moves or removes rows, too.
const MOVE_ROWS: &[RuleId] = &[RuleId::DetachPartition, RuleId::ChangeColumnType, RuleId::RenameTable];

/// The index of the finding from text that is about the effect: it has the same rule, or the same impact, on the same object.
fn shown_by(found: &[Found], observed: &ObservedEffect) -> Option<usize> {
    if observed.elsewhere || observed.evidence != Evidence::Effect {
        return None;
    }
    let rule = observed.rule.rule();
    let of_rows = !concerns_definitions(rule.id);
    let is_there = |one: &&(usize, &Found)| {
        let Found { finding, range, .. } = one.1;
        observed.range.start <= range.start
            && range.end <= observed.range.end
            && finding.rule != RuleId::OpaqueCode
    };
    let is_same_rule = |one: &Found| one.finding.rule == rule.id;
    let is_as_grave = |one: &Found| {
        let of_text = one.finding.rule.rule();
        // A finding about a definition does not include the loss of rows.
        let includes_rows = of_text.impact.contains(&Impact::Data) || MOVE_ROWS.contains(&of_text.id);
        let is_less = of_rows && concerns_definitions(of_text.id) && (one.in_code || !includes_rows);
        let shares = of_text.impact.iter().any(|impact| rule.impact.contains(impact));
        let moves = of_rows && MOVE_ROWS.contains(&of_text.id);
        (shares || moves) && !is_less && (of_text.level == Level::Deny || observed.level == Level::Warn)
    };
    // The objects are not named.
    let is_unnamed = |one: &Found| match one.finding.rule {
        RuleId::DropCascade => observed.removes,
        RuleId::TruncateCascade => observed.rule == RuleId::DeletesRows,
        // The sequence of an identity column.
        RuleId::ChangeIdentity => observed.rule == RuleId::ChangeSequence,
        _ => false,
    };
    let (names, object) = (observed.words.as_slice(), observed.object_words());
    let has = |one: &Found, words: &[String]| words.iter().all(|word| one.words.contains(word));
    // The text may omit the name of a part: the server chooses that of a constraint, and a statement on rows or ON ALL
    // names only the table. In code, another statement may be the cause.
    let has_object = |one: &Found| {
        let may_omit = matches!(observed.part, Some(ObservedPart::Constraint | ObservedPart::Index));
        let is_of_rows = of_rows && !concerns_definitions(one.finding.rule);
        (!one.in_code || may_omit || is_of_rows) && has(one, object)
    };
    let has_index = |one: &Found| {
        observed.part == Some(ObservedPart::Index)
            && has(one, names.get(names.len().saturating_sub(1)..).unwrap_or_default())
    };
    let all: Vec<(usize, &Found)> = found.iter().enumerate().collect();
    let here: Vec<(usize, &Found)> = all.iter().copied().filter(|one| is_there(&one)).collect();
    let find = |among: &[(usize, &Found)], fits: &dyn Fn(&Found) -> bool| {
        among.iter().find(|(_, one)| fits(one)).map(|(at, _)| *at)
    };
    find(&here, &|one| is_same_rule(one) && has(one, names))
        .or_else(|| find(&here, &|one| is_as_grave(one) && has(one, names)))
        .or_else(|| find(&here, &|one| is_same_rule(one) && (has_object(one) || has_index(one))))
        .or_else(|| find(&here, &|one| is_as_grave(one) && has_object(one)))
        .or_else(|| find(&here, &is_unnamed))
        // The statement names the object, and the effect is only a warning or the new name itself.
        .or_else(|| {
            let is_warned = |one: &Found| {
                !rule.impact.contains(&Impact::Verification)
                    && observed.level == Level::Warn
                    && !one.in_code
                    && (has(one, object) || has_index(one))
            };
            find(&here, &|one| observed.renames || is_warned(one))
        })
        // The text of a body, or another statement of the file, shows it.
        .or_else(|| find(&all, &|one| one.in_code && is_as_grave(one) && of_rows && has(one, object)))
        .or_else(|| {
            find(&all, &|one| !one.in_code && is_same_rule(one) && (has(one, names) || has_index(one)))
        })
}
