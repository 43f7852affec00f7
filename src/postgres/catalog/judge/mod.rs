//! Judges a change of the catalog: whether the running release loses data, fails to read or write, or gets different results.
//! Each hazard names the rule that `verify` applies to the same change in a migration's text, so one policy covers both.

mod access;
mod code;
mod column;
mod constraint;
mod key;
mod table;

use super::difference::{Change, What};
use super::model::{Kind, Object, PartKind, Property, SchemaSnapshot};
use crate::verify::{Level, RuleId};

/// The effect of a change on the running release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Rows or values are lost.
    pub data: Option<Hazard>,
    /// Reads of the running release fail or return different results.
    pub old_readers: Option<Hazard>,
    /// Writes of the running release fail or have a different effect.
    pub old_writers: Option<Hazard>,
    /// Statements return the same results, but may be slower.
    pub plans: Option<Hazard>,
}

/// One hazard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hazard {
    /// Deny if the hazard is certain enough to refuse the change, else warn.
    pub level: Level,
    /// The rule of `verify` for the same change in a statement.
    pub rule: RuleId,
    /// The reason: a predicate whose subject is the change.
    pub why: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "the callers assign it to optional fields")]
fn deny(rule: RuleId, why: &'static str) -> Option<Hazard> {
    Some(Hazard { level: Level::Deny, rule, why })
}

#[expect(clippy::unnecessary_wraps, reason = "the callers assign it to optional fields")]
fn warn(rule: RuleId, why: &'static str) -> Option<Hazard> {
    Some(Hazard { level: Level::Warn, rule, why })
}

/// Two snapshots of a schema and their differences.
#[derive(Debug, Clone, Copy)]
pub struct Difference<'a> {
    /// The schema before.
    pub before: &'a SchemaSnapshot,
    /// The schema after.
    pub after: &'a SchemaSnapshot,
    /// All changes between them.
    pub changes: &'a [Change],
}

impl<'a> Difference<'a> {
    /// The changed object as it was before.
    fn object_before(&self, change: &Change) -> Option<&'a Object> {
        self.before.objects.get(&change.object)
    }

    /// The changed object as it is after the change.
    fn object_after(&self, change: &Change) -> Option<&'a Object> {
        self.after.objects.get(&change.object)
    }
}

impl Effect {
    /// Judges `change`, one of the simultaneous changes `all`.
    pub fn of(change: &Change, all: &Difference<'_>) -> Self {
        if let What::Changed { property, from, to, .. } = &change.what {
            match property {
                Property::Comment => return Self::default(),
                Property::Owner | Property::Privileges | Property::DefaultPrivileges => {
                    return access::judge(change.object.kind, *property, from.as_deref(), to.as_deref());
                }
                _ => {}
            }
        }
        match change.part.as_ref().map(|part| part.kind) {
            Some(PartKind::Column) => column::judge(change, all),
            Some(PartKind::Constraint) => constraint::judge(change, all),
            Some(PartKind::Index) => constraint::judge_index(change, all),
            Some(PartKind::Trigger) => table::trigger(change),
            Some(PartKind::Rule) => table::rule(change),
            Some(PartKind::Policy) => table::policy(change),
            None => match change.object.kind {
                Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => {
                    table::judge(change)
                }
                Kind::Schema => table::schema(change),
                _ => code::judge(change),
            },
        }
    }

    /// The hazards, the most severe first.
    pub fn harms(&self) -> impl Iterator<Item = Hazard> {
        let mut harms: Vec<_> =
            [self.data, self.old_readers, self.old_writers, self.plans].into_iter().flatten().collect();
        harms.sort_by_key(|harm| harm.level);
        harms.into_iter()
    }

    /// The most severe level; `None` without hazards.
    pub fn level(&self) -> Option<Level> {
        self.harms().map(|harm| harm.level).min()
    }

    fn readers(harm: Option<Hazard>) -> Self {
        Self { old_readers: harm, ..Self::default() }
    }

    fn writers(harm: Option<Hazard>) -> Self {
        Self { old_writers: harm, ..Self::default() }
    }

    fn both(harm: Option<Hazard>) -> Self {
        Self { old_readers: harm, old_writers: harm, ..Self::default() }
    }

    fn plans(harm: Option<Hazard>) -> Self {
        Self { plans: harm, ..Self::default() }
    }

    fn with_data(self, harm: Option<Hazard>) -> Self {
        Self { data: harm, ..self }
    }
}

#[cfg(test)]
mod tests;
