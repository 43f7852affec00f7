//! Constraints and indexes. A constraint only on columns that the same change adds does not affect the running release.

use super::column::required_column;
use super::key::{Key, keys};
use super::{Difference, Effect, deny, warn};
use crate::postgres::catalog::difference::{Change, What};
use crate::postgres::catalog::model::{PartKey, PartKind, Properties, Property};
use crate::verify::RuleId;

pub(super) fn judge(change: &Change, all: &Difference<'_>) -> Effect {
    match &change.what {
        What::Added { properties, .. } => added(change, properties, all),
        What::Removed { properties }
            if goes_with_columns(change, properties, all) || is_kept(change, properties, all) =>
        {
            Effect::default()
        }
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
        What::Changed { property, from, to, now } => match property {
            // The definition shows other columns.
            Property::Validated | Property::Options | Property::Columns => Effect::default(),
            Property::Valid => Effect::plans(
                warn(RuleId::DropObject, "leaves an index that is not used").filter(|_| to.is_some()),
            ),
            Property::Definition => redefined(change, from.as_deref().zip(to.as_deref()), now, all),
            _ => Effect::writers(deny(rule(now), "may refuse what the running release writes")),
        },
        What::Reordered { .. } => Effect::default(),
    }
}

/// Whether a foreign key or check has the same effect under another name afterwards.
fn is_kept(change: &Change, old: &Properties, all: &Difference<'_>) -> bool {
    let definition = |own: &Properties| own.get(Property::Definition).unwrap_or_default().to_owned();
    let (of_type, text) = (old.get(Property::Type), definition(old));
    let same = |own: &Properties| {
        let other = definition(own);
        own.get(Property::Type) == of_type
            && reference(&other) == reference(&text)
            && ACTIONS.iter().all(|action| !text.contains(action) || other.contains(action))
    };
    let mut kept = all.object_after(change).into_iter().flat_map(|table| &table.parts);
    matches!(of_type, Some("foreign key" | "check"))
        && kept.any(|(part, own)| part.kind == PartKind::Constraint && same(own))
}

/// The effect of another definition of the same constraint.
fn redefined(change: &Change, texts: Option<(&str, &str)>, now: &Properties, all: &Difference<'_>) -> Effect {
    let refuses = Effect::writers(deny(rule(now), "may refuse what the running release writes"));
    let Some((from, to)) = texts else { return refuses };
    match now.get(Property::Type) {
        Some("foreign key") if reference(from) == reference(to) => {
            let lost = ACTIONS.iter().any(|action| from.contains(action) && !to.contains(action));
            let why = "deletes or updates no row along with another";
            Effect::both(warn(RuleId::DropAction, why).filter(|_| lost))
        }
        Some("check") if allows_more(from, to) => Effect::default(),
        Some("primary key" | "unique") => rekeyed(change, now, all),
        _ => refuses,
    }
}

/// The effect of another key under the same name.
fn rekeyed(change: &Change, now: &Properties, all: &Difference<'_>) -> Effect {
    let before = all.object_before(change).zip(change.part.as_ref());
    let before = before.and_then(|(table, part)| Key::of(table.parts.get(part)?));
    match before.zip(Key::of(now)) {
        Some((before, now)) if before.is_as_target(&now) && before.implies(&now) => Effect::default(),
        Some((before, now)) if before.implies(&now) => {
            Effect::writers(deny(RuleId::DropUnique, "makes ON CONFLICT fail where it names what is gone"))
        }
        _ => Effect::writers(deny(RuleId::AddUnique, "may refuse what the running release writes")),
    }
}

/// A foreign key without its actions and deferral, which refuse no other rows.
fn reference(definition: &str) -> &str {
    let ends = [" ON DELETE ", " ON UPDATE ", " DEFERRABLE", " NOT DEFERRABLE"];
    let end = ends.iter().filter_map(|end| definition.find(end)).min();
    &definition[..end.unwrap_or(definition.len())]
}

/// Whether two checks `c = ANY (ARRAY[…])` differ only in that the second one accepts more values.
fn allows_more(from: &str, to: &str) -> bool {
    let parts = |text: &str| -> Option<(String, Vec<String>, String)> {
        let (start, rest) = text.split_once(" = ANY (ARRAY[")?;
        let (list, end) = rest.rsplit_once(']')?;
        // A list in a string or another array would be split wrongly; both sides then differ.
        Some((start.to_owned(), list.split(", ").map(str::to_owned).collect(), end.to_owned()))
    };
    parts(from).zip(parts(to)).is_some_and(|(from, to)| {
        from.0 == to.0 && from.2 == to.2 && from.1.iter().all(|value| to.1.contains(value))
    })
}

/// Whether all its columns were removed too: those changes are reported instead.
fn goes_with_columns(change: &Change, properties: &Properties, all: &Difference<'_>) -> bool {
    let columns = properties.list(Property::Columns);
    let is_gone = |name: &&str| {
        all.changes.iter().any(|other| {
            let is_it = |part: &PartKey| part.kind == PartKind::Column && part.name == **name;
            other.object == change.object
                && other.part.as_ref().is_some_and(is_it)
                && matches!(other.what, What::Removed { .. })
        })
    };
    !columns.is_empty() && columns.iter().all(is_gone)
}

/// The referential actions that change the rows of the referencing table.
const ACTIONS: &[&str] = &["ON DELETE CASCADE", "ON DELETE SET", "ON UPDATE CASCADE", "ON UPDATE SET"];

/// Whether the foreign key has such an action.
fn acts(key: &Properties) -> bool {
    let text = key.get(Property::Definition).unwrap_or_default();
    ACTIONS.iter().any(|action| text.contains(action))
}

fn rule(constraint: &Properties) -> RuleId {
    match constraint.get(Property::Type) {
        Some("foreign key") => RuleId::AddForeignKey,
        Some("check") => RuleId::AddCheck,
        _ => RuleId::AddUnique,
    }
}

fn added(change: &Change, properties: &Properties, all: &Difference<'_>) -> Effect {
    if properties.get(Property::Definition).is_some_and(|text| text.ends_with(" NOT ENFORCED"))
        || is_known(change, properties, all)
        || spares_old_writers(change, properties, all)
    {
        return Effect::default();
    }
    Effect::writers(deny(rule(properties), "refuses rows that the running release may write"))
}

/// Whether the table as it was before refuses the same rows already.
fn is_known(change: &Change, new: &Properties, all: &Difference<'_>) -> bool {
    let Some(table) = all.object_before(change) else { return false };
    if let Some(key) = Key::of(new) {
        return keys(table).any(|known| known.implies(&key));
    }
    let definition = new.get(Property::Definition).unwrap_or_default();
    let required = required_column(definition).map(|name| PartKey { kind: PartKind::Column, name });
    let is_required = required.is_some_and(|column| {
        table.parts.get(&column).and_then(|column| column.get(Property::NotNull)) == Some("yes")
    });
    is_required
        || table.parts.iter().any(|(part, known)| {
            part.kind == PartKind::Constraint
                && known.get(Property::Type) == new.get(Property::Type)
                && reference(known.get(Property::Definition).unwrap_or_default()) == reference(definition)
        })
}

/// Whether rows that are written without the new columns satisfy the constraint. NULL satisfies it, except under NULLS NOT
/// DISTINCT or MATCH FULL; a constant default gives every row the same value. One column with NULL is enough for a key.
fn spares_old_writers(change: &Change, constraint: &Properties, all: &Difference<'_>) -> bool {
    let columns = constraint.list(Property::Columns);
    let definition = constraint.get(Property::Definition).unwrap_or_default();
    let counts_null =
        ["NULLS NOT DISTINCT", "MATCH FULL", "PRIMARY KEY"].iter().any(|words| definition.contains(words));
    let is_foreign_key = constraint.get(Property::Type) == Some("foreign key");
    let is_check = constraint.get(Property::Type) == Some("check");
    let is_null = |column: &Properties| {
        ![Property::Default, Property::Generated, Property::NotNull, Property::Identity]
            .iter()
            .any(|it| column.has(*it))
    };
    let draws = |column: &Properties| {
        let default = column.get(Property::Default);
        column.has(Property::Identity)
            || default.is_some_and(|text| text.contains("nextval(") || text.contains("uuid"))
    };
    let new = |name: &str| added_column(change, name, all);
    let all_new = !columns.is_empty() && columns.iter().all(|name| new(name).is_some());
    if is_check {
        return all_new;
    }
    columns.iter().any(|name| new(name).is_some_and(|column| is_null(column) && !counts_null))
        || (all_new && is_foreign_key)
        || (!is_foreign_key && columns.iter().any(|name| new(name).is_some_and(draws)))
}

fn added_column<'a>(change: &Change, name: &str, all: &Difference<'a>) -> Option<&'a Properties> {
    all.changes.iter().find_map(|other| match (&other.part, &other.what) {
        (Some(part), What::Added { properties, .. })
            if other.object == change.object && part.kind == PartKind::Column && part.name == name =>
        {
            Some(properties)
        }
        _ => None,
    })
}

pub(super) fn judge_index(change: &Change, all: &Difference<'_>) -> Effect {
    const SLOW: &str = "removes an index that the running release's queries may need to be fast";
    match &change.what {
        What::Added { properties, .. } => {
            let is_refused =
                || !is_known(change, properties, all) && !spares_old_writers(change, properties, all);
            if properties.has(Property::Unique) && is_refused() {
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
            let key = Key::of(properties);
            let mut kept = all.object_after(change).into_iter().flat_map(keys);
            if key.is_some_and(|key| kept.any(|kept| key.is_as_target(&kept) && kept.implies(&key))) {
                Effect::default()
            } else if properties.has(Property::Unique) {
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
        What::Changed { property, from, to, now } => match property {
            Property::Unique if to.is_some() => {
                Effect::writers(deny(RuleId::AddUnique, "refuses rows that the running release may write"))
            }
            Property::Unique => Effect::writers(deny(
                RuleId::DropUnique,
                "makes ON CONFLICT fail where it names what is gone",
            )),
            Property::Definition if keeps_order(from.as_deref(), to.as_deref()) => Effect::default(),
            Property::Definition if now.has(Property::Unique) => {
                Effect { plans: warn(RuleId::DropObject, SLOW), ..rekeyed(change, now, all) }
            }
            Property::Definition => Effect::plans(warn(RuleId::DropObject, SLOW)),
            Property::Valid if to.is_some() => {
                Effect::plans(warn(RuleId::DropObject, "leaves an index that is not used"))
            }
            _ => Effect::default(),
        },
        What::Reordered { .. } => Effect::default(),
    }
}

/// Whether two definitions of an index differ only in storage parameters (manual, CREATE INDEX).
fn keeps_order(from: Option<&str>, to: Option<&str>) -> bool {
    let of = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        let Some((before, rest)) = text.split_once(" WITH (") else { return text.to_owned() };
        format!("{before}{}", rest.split_once(')').map_or("", |(_, after)| after))
    };
    of(from) == of(to)
}
