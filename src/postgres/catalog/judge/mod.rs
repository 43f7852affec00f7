//! A change, judged: does the release that is still running lose data by it, fail to read or to write, or
//! get something else than it expects? Each harm names the rule that the same change has in a file's text,
//! so one policy serves both.

mod access;
mod code;
mod column;
mod constraint;
mod conversion;
mod table;

pub use self::conversion::Conversion;
use super::difference::{Change, What};
use super::model::{Kind, PartKind, Property};
use crate::verify::{Level, RuleId};

/// What a change does to who relied on how it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Rows or values are lost.
    pub data: Option<Hazard>,
    /// The running release's reads fail, or mean something else.
    pub old_readers: Option<Hazard>,
    /// Its writes do.
    pub old_writers: Option<Hazard>,
    /// Its statements give the same, but may take longer.
    pub plans: Option<Hazard>,
}

/// One harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hazard {
    /// Certain enough to refuse it, or only to be told.
    pub level: Level,
    /// The rule of `verify` that says the same of a statement.
    pub rule: RuleId,
    /// Why, as the end of a sentence that begins with the change.
    pub why: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "it fills a place that may be empty")]
fn deny(rule: RuleId, why: &'static str) -> Option<Hazard> {
    Some(Hazard { level: Level::Deny, rule, why })
}

#[expect(clippy::unnecessary_wraps, reason = "it fills a place that may be empty")]
fn warn(rule: RuleId, why: &'static str) -> Option<Hazard> {
    Some(Hazard { level: Level::Warn, rule, why })
}

impl Effect {
    /// Judges `change`, one of `all` that were made at once.
    pub fn of(change: &Change, all: &[Change]) -> Self {
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
            Some(PartKind::Column) => column::judge(change),
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

    /// The harms, the gravest of equals first.
    pub fn harms(&self) -> impl Iterator<Item = Hazard> {
        let mut harms: Vec<_> =
            [self.data, self.old_readers, self.old_writers, self.plans].into_iter().flatten().collect();
        harms.sort_by_key(|harm| harm.level);
        harms.into_iter()
    }

    /// The gravest level; `None` where nobody is harmed.
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
