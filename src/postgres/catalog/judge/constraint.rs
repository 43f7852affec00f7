//! Constraints and indexes. A constraint only on columns that the same change adds does not affect the running release.

use super::{Effect, deny, warn};
use crate::postgres::catalog::difference::{Change, What};
use crate::postgres::catalog::model::{PartKey, PartKind, Properties, Property};
use crate::verify::RuleId;

pub(super) fn judge(change: &Change, all: &[Change]) -> Effect {
    match &change.what {
        What::Added { properties, .. } => added(change, properties, all),
        What::Removed { properties } if goes_with_columns(change, properties, all) => Effect::default(),
        What::Removed { properties } => match properties.get(Property::Type) {
            Some("primary key" | "unique" | "exclusion") => Effect {
                old_readers: warn(RuleId::DropUnique, "lets rows in that are equal"),
                ..Effect::writers(deny(
                    RuleId::DropUnique,
                    "makes ON CONFLICT fail where it names what is gone",
                ))
            },
            Some("foreign key") if acts(properties) => Effect::both(warn(
                RuleId::DropAction,
                "deletes or updates no row along with another, and lets rows in that refer to nothing",
            )),
            Some("foreign key") => {
                Effect::both(warn(RuleId::DropConstraint, "lets rows in that refer to nothing"))
            }
            _ => Effect::readers(warn(
                RuleId::DropConstraint,
                "lets values in that the running release may not expect",
            )),
        },
        What::Changed { property, to, now, .. } => match property {
            Property::Validated | Property::Options => Effect::default(),
            Property::Valid => Effect::plans(
                warn(RuleId::DropObject, "leaves an index that is not used").filter(|_| to.is_some()),
            ),
            _ => Effect::writers(deny(rule(now), "may refuse what the running release writes")),
        },
        What::Reordered { .. } => Effect::default(),
    }
}

/// Whether all its columns were removed too: those changes are reported instead.
fn goes_with_columns(change: &Change, properties: &Properties, all: &[Change]) -> bool {
    let columns = properties.list(Property::Columns);
    let is_gone = |name: &&str| {
        all.iter().any(|other| {
            let is_it = |part: &PartKey| part.kind == PartKind::Column && part.name == **name;
            other.object == change.object
                && other.part.as_ref().is_some_and(is_it)
                && matches!(other.what, What::Removed { .. })
        })
    };
    !columns.is_empty() && columns.iter().all(is_gone)
}

/// Whether the foreign key has a referential action that changes this table's rows.
fn acts(key: &Properties) -> bool {
    let text = key.get(Property::Definition).unwrap_or_default();
    ["ON DELETE CASCADE", "ON DELETE SET", "ON UPDATE CASCADE", "ON UPDATE SET"]
        .iter()
        .any(|action| text.contains(action))
}

fn rule(constraint: &Properties) -> RuleId {
    match constraint.get(Property::Type) {
        Some("foreign key") => RuleId::AddForeignKey,
        Some("check") => RuleId::AddCheck,
        _ => RuleId::AddUnique,
    }
}

fn added(change: &Change, properties: &Properties, all: &[Change]) -> Effect {
    if properties.get(Property::Definition).is_some_and(|text| text.ends_with(" NOT ENFORCED")) {
        return Effect::default();
    }
    let is_unique = matches!(properties.get(Property::Type), Some("primary key" | "unique" | "exclusion"));
    if spares_old_writers(change, properties, is_unique, all) {
        return Effect::default();
    }
    Effect::writers(deny(rule(properties), "refuses rows that the running release may write"))
}

/// Whether all columns are new with the change, and rows written without them satisfy the constraint. NULL satisfies it, except
/// under NULLS NOT DISTINCT; a constant default gives every row the same value.
fn spares_old_writers(change: &Change, constraint: &Properties, is_unique: bool, all: &[Change]) -> bool {
    let columns = constraint.list(Property::Columns);
    let is_null_once =
        constraint.get(Property::Definition).is_some_and(|text| text.contains("NULLS NOT DISTINCT"));
    !columns.is_empty()
        && columns.iter().all(|name| {
            added_column(change, name, all).is_some_and(|column| {
                let draws = column.has(Property::Identity)
                    || column
                        .get(Property::Default)
                        .is_some_and(|text| text.contains("nextval(") || text.contains("uuid"));
                let is_null = !column.has(Property::Default) && !column.has(Property::Generated);
                !is_unique || draws || (is_null && !is_null_once)
            })
        })
}

fn added_column<'a>(change: &Change, name: &str, all: &'a [Change]) -> Option<&'a Properties> {
    all.iter().find_map(|other| match (&other.part, &other.what) {
        (Some(part), What::Added { properties, .. })
            if other.object == change.object && part.kind == PartKind::Column && part.name == name =>
        {
            Some(properties)
        }
        _ => None,
    })
}

pub(super) fn judge_index(change: &Change, all: &[Change]) -> Effect {
    const SLOW: &str = "removes an index that the running release's queries may need to be fast";
    match &change.what {
        What::Added { properties, .. } => {
            if properties.has(Property::Unique) && !spares_old_writers(change, properties, true, all) {
                Effect::writers(deny(RuleId::AddUnique, "refuses rows that the running release may write"))
            } else if properties.has(Property::Valid) {
                Effect::plans(warn(RuleId::DropObject, "leaves an index that is not used"))
            } else {
                Effect::default()
            }
        }
        What::Removed { properties } if goes_with_columns(change, properties, all) => Effect::default(),
        What::Removed { properties } => {
            let plans = warn(RuleId::DropObject, SLOW);
            if properties.has(Property::Unique) {
                let on_conflict =
                    deny(RuleId::DropUnique, "makes ON CONFLICT fail where it names what is gone");
                Effect {
                    plans,
                    old_readers: warn(RuleId::DropUnique, "lets rows in that are equal"),
                    ..Effect::writers(on_conflict)
                }
            } else {
                Effect::plans(plans)
            }
        }
        What::Changed { property, to, now, .. } => match property {
            Property::Unique if to.is_some() => {
                Effect::writers(deny(RuleId::AddUnique, "refuses rows that the running release may write"))
            }
            Property::Unique => Effect::writers(deny(
                RuleId::DropUnique,
                "makes ON CONFLICT fail where it names what is gone",
            )),
            Property::Definition if now.has(Property::Unique) => Effect {
                plans: warn(RuleId::DropObject, SLOW),
                ..Effect::writers(deny(RuleId::AddUnique, "may refuse what the running release writes"))
            },
            Property::Definition => Effect::plans(warn(RuleId::DropObject, SLOW)),
            Property::Valid if to.is_some() => {
                Effect::plans(warn(RuleId::DropObject, "leaves an index that is not used"))
            }
            _ => Effect::default(),
        },
        What::Reordered { .. } => Effect::default(),
    }
}
