//! Columns of tables, views and composite types.

use super::{Conversion, Effect, deny, warn};
use crate::postgres::catalog::difference::{Change, What};
use crate::postgres::catalog::model::{Kind, Properties, Property};
use crate::verify::RuleId;

pub(super) fn judge(change: &Change) -> Effect {
    let holds_rows = matches!(change.object.kind, Kind::Table);
    match &change.what {
        What::Added { properties, .. } => added(change.object.kind, properties),
        What::Removed { .. } => {
            let harm = deny(RuleId::DropColumn, "drops a column that the running release may read or write");
            let lost = deny(RuleId::DropColumn, "removes the values of a column");
            Effect::both(harm).with_data(lost.filter(|_| holds_rows))
        }
        What::Changed { property, from, to, now } => {
            changed(*property, from.as_deref(), to.as_deref(), now, holds_rows)
        }
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

fn changed(
    property: Property,
    from: Option<&str>,
    to: Option<&str>,
    now: &Properties,
    holds_rows: bool,
) -> Effect {
    match property {
        Property::Type => retyped(from.unwrap_or_default(), to.unwrap_or_default(), holds_rows),
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
                RuleId::DropDefault,
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
        Property::IdentitySequence => Effect::writers(warn(
            RuleId::ChangeSequence,
            "changes the numbers that the running release draws",
        )),
        Property::Collation => Effect::readers(warn(
            RuleId::ChangeColumnType,
            "changes how values are compared and in which order they come",
        )),
        // Storage settings affect neither readers nor writers.
        _ => Effect::default(),
    }
}

fn retyped(from: &str, to: &str, holds_rows: bool) -> Effect {
    const RULE: RuleId = RuleId::ChangeColumnType;
    match Conversion::between(from, to) {
        Conversion::Wider => Effect::default(),
        Conversion::Decoded => Effect::readers(warn(
            RULE,
            "gives clients that decode by type another type than they were built for",
        )),
        Conversion::Narrower => {
            let effect =
                Effect::both(deny(RULE, "refuses or shortens values that the running release writes"));
            effect.with_data(warn(RULE, "may have shortened values").filter(|_| holds_rows))
        }
        Conversion::Other => {
            let effect = Effect::both(deny(RULE, "makes the column's values mean something else"));
            effect.with_data(warn(RULE, "may have lost part of the values").filter(|_| holds_rows))
        }
    }
}
