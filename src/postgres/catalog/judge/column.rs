//! Columns of tables, views and composite types.

use super::{Difference, Effect, deny, warn};
use crate::postgres::catalog::difference::{Change, What};
use crate::postgres::catalog::model::{Kind, PartKind, Properties, Property};
use crate::sql::normalized;
use crate::verify::{RuleId, TypeConversion};

pub(super) fn judge(change: &Change, all: &Difference<'_>) -> Effect {
    let holds_rows = matches!(change.object.kind, Kind::Table);
    match &change.what {
        What::Added { properties, .. } => added(change.object.kind, properties),
        What::Removed { .. } => {
            let harm = deny(RuleId::DropColumn, "drops a column that the running release may read or write");
            let lost = deny(RuleId::DropColumn, "removes the values of a column");
            Effect::both(harm).with_data(lost.filter(|_| holds_rows))
        }
        What::Changed { property: Property::NotNull, from: None, .. } if proves_not_null(change, all) => {
            Effect::default()
        }
        What::Changed { property: Property::Type, from: Some(from), to: Some(to), .. } => {
            retyped(from, to, all, holds_rows)
        }
        What::Changed { property, from, to, now } => changed(*property, from.as_deref(), to.as_deref(), now),
        What::Reordered { .. } => Effect::default(),
    }
}

fn added(kind: Kind, properties: &Properties) -> Effect {
    let fills = [Property::Default, Property::Generated, Property::Identity];
    let is_filled = fills.iter().any(|property| properties.has(*property));
    match kind {
        Kind::Table if properties.has(Property::NotNull) && !is_filled => Effect::writers(deny(
            RuleId::AddRequiredColumn,
            "requires a value that the running release does not write",
        )),
        Kind::CompositeType => {
            Effect::both(warn(RuleId::DropType, "changes the fields of a value of this type"))
        }
        _ => Effect::default(),
    }
}

/// Whether a validated CHECK constraint of the table as it was before allows no NULL in the column.
fn proves_not_null(change: &Change, all: &Difference<'_>) -> bool {
    let Some((table, column)) = all.object_before(change).zip(change.part.as_ref()) else { return false };
    let mut constraints = table
        .parts
        .iter()
        .filter(|(part, own)| part.kind == PartKind::Constraint && !own.has(Property::Validated));
    constraints.any(|(_, own)| {
        own.get(Property::Definition).and_then(required_column).as_ref() == Some(&column.name)
    })
}

/// The column `c` of the definition `CHECK ((c IS NOT NULL))`.
pub(super) fn required_column(definition: &str) -> Option<String> {
    let column = definition.strip_prefix("CHECK ((")?.strip_suffix(" IS NOT NULL))")?;
    let is_one = column.starts_with('"') || column.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_one.then(|| normalized(column))
}

fn changed(property: Property, from: Option<&str>, to: Option<&str>, now: &Properties) -> Effect {
    match property {
        Property::NotNull => match (from, to) {
            (None, Some(_)) => Effect::writers(deny(RuleId::SetNotNull, "refuses rows without a value")),
            (Some(_), None) => Effect::readers(warn(
                RuleId::DropNotNull,
                "allows NULL, which the running release may not expect to read",
            )),
            // New rows must have a value, whether the constraint is validated or not.
            _ => Effect::default(),
        },
        Property::Default => match (from, to) {
            (Some(_), None) if now.has(Property::NotNull) => {
                Effect::writers(deny(RuleId::DropDefault, "makes an INSERT fail that leaves the column out"))
            }
            (Some(_), None) => {
                let why = "makes an INSERT that leaves the column out write NULL";
                Effect {
                    old_readers: warn(RuleId::DropDefault, why),
                    ..Effect::writers(warn(RuleId::DropDefault, why))
                }
            }
            (Some(_), Some(_)) => Effect::writers(warn(
                RuleId::ChangeDefault,
                "makes an INSERT that leaves the column out write another value",
            )),
            (None, _) => Effect::default(),
        },
        Property::Generated => match (from, to) {
            (None, _) => {
                Effect::both(deny(RuleId::ChangeGenerated, "refuses a value that the running release writes"))
            }
            (Some(_), None) => {
                Effect::both(deny(RuleId::ChangeGenerated, "leaves a column empty that the server filled"))
            }
            (Some(_), Some(_)) => Effect::readers(warn(RuleId::ChangeGenerated, "computes another value")),
        },
        Property::Identity => match to {
            Some("always") => Effect::writers(deny(
                RuleId::ChangeIdentity,
                "refuses a value that the running release writes",
            )),
            None => {
                Effect::writers(deny(RuleId::ChangeIdentity, "no longer draws a number for who writes none"))
            }
            Some(_) => Effect::default(),
        },
        // Of a new identity, the sequence is new too.
        Property::IdentitySequence => match (from, to) {
            (Some(from), Some(to)) if !same_numbers(from, to) => Effect::writers(warn(
                RuleId::ChangeSequence,
                "changes the numbers that the running release draws",
            )),
            _ => Effect::default(),
        },
        Property::Collation => Effect::readers(warn(
            RuleId::ChangeColumnType,
            "changes how values are compared and in which order they come",
        )),
        // Storage settings affect neither readers nor writers.
        _ => Effect::default(),
    }
}

/// Whether two sequences differ only in how many numbers a session draws at once.
fn same_numbers(from: &str, to: &str) -> bool {
    let of = |text: &str| {
        text.split_once(" cache ").map(|(numbers, rest)| {
            (numbers.to_owned(), rest.split_once(' ').map(|(_, cycle)| cycle.to_owned()))
        })
    };
    of(from) == of(to)
}

fn retyped(from: &str, to: &str, all: &Difference<'_>, holds_rows: bool) -> Effect {
    const RULE: RuleId = RuleId::ChangeColumnType;
    let name = from.rsplit('.').next().unwrap_or(from);
    let domain = all.before.object(Kind::Domain, &normalized(name));
    // A value of a domain is one of its base type.
    if domain.is_some_and(|domain| domain.properties.get(Property::Type) == Some(to)) {
        return Effect::default();
    }
    match TypeConversion::between(from, to) {
        TypeConversion::Same | TypeConversion::Widens => Effect::default(),
        TypeConversion::Rewrites => {
            Effect::plans(warn(RuleId::RewriteColumnType, "rewrites the table; every old value fits"))
        }
        TypeConversion::Impact => {
            let effect = Effect::both(deny(RULE, "changes values, or refuses some that were accepted"));
            effect.with_data(warn(RULE, "may have lost part of the values").filter(|_| holds_rows))
        }
    }
}
