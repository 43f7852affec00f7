//! Tables and views, and objects that act on their rows implicitly: triggers, rules, policies.

use std::collections::BTreeSet;

use super::{Effect, deny, warn};
use crate::postgres::catalog::difference::{Change, What};
use crate::postgres::catalog::model::{Kind, Property, members};
use crate::verify::{RuleId, appends_columns};

pub(super) fn judge(change: &Change) -> Effect {
    let kind = change.object.kind;
    match &change.what {
        // From now on, rows that are written to the parent go into the partition.
        What::Added { properties, .. }
            if properties.has(Property::PartitionOf) && properties.has(Property::Check) =>
        {
            Effect::writers(deny(RuleId::AddCheck, "refuses rows that the table above took"))
        }
        What::Added { .. } => Effect::default(),
        What::Removed { .. } => {
            let rule = if kind == Kind::Table { RuleId::DropTable } else { RuleId::DropView };
            let lost = deny(RuleId::DropTable, "removes the rows of a table").filter(|_| kind == Kind::Table);
            Effect::both(deny(rule, "removes what the running release may read and write")).with_data(lost)
        }
        What::Reordered { .. } => Effect::both(deny(
            RuleId::ChangeColumnType,
            "changes which value stands where for SELECT * and for INSERT without a list of columns",
        )),
        What::Changed { property, from, to, .. } => changed(kind, *property, from.as_deref(), to.as_deref()),
    }
}

fn changed(kind: Kind, property: Property, from: Option<&str>, to: Option<&str>) -> Effect {
    const REPLACED: &str = "changes an object that the running release uses";
    match property {
        Property::Definition if appends_columns(from.unwrap_or_default(), to.unwrap_or_default()) => {
            Effect::default()
        }
        Property::Definition if kind == Kind::View => Effect::both(warn(RuleId::ReplaceObject, REPLACED)),
        Property::Definition => Effect::readers(warn(RuleId::ReplaceObject, REPLACED)),
        Property::Populated if to.is_some() => {
            Effect::readers(deny(RuleId::ReplaceObject, "makes every read fail until it is filled"))
        }
        Property::Persistence if to.is_some() => Effect::default()
            .with_data(deny(RuleId::SetUnlogged, "makes the rows vanish when the server crashes")),
        Property::RowSecurity if to.is_some() => {
            Effect::both(deny(RuleId::RowSecurity, "hides rows, or refuses them, by other rules than before"))
        }
        Property::RowSecurity => Effect::readers(deny(RuleId::RowSecurity, "shows rows that were hidden")),
        Property::PartitionOf | Property::PartitionBound | Property::PartitionKey => {
            Effect::both(deny(RuleId::DetachPartition, "changes in which table rows are found"))
        }
        Property::Inherits if to.is_none() || from.is_some() => {
            Effect::readers(deny(RuleId::DetachPartition, "takes rows out of the table above"))
        }
        Property::Inherits => Effect::readers(warn(RuleId::DetachPartition, "adds rows to the table above")),
        Property::ReplicaIdentity => match to {
            Some("nothing") => Effect::writers(deny(
                RuleId::PublishWithoutKey,
                "refuses UPDATE and DELETE where the table is published",
            )),
            _ => Effect::default(),
        },
        Property::Options if keeps_meaning(from, to) => Effect::default(),
        Property::Options => Effect::both(deny(
            RuleId::ChangeView,
            "changes whose privileges it uses, or what can be written through it",
        )),
        Property::Server | Property::OfType => Effect::both(warn(RuleId::ReplaceObject, REPLACED)),
        _ => Effect::default(),
    }
}

/// Whether the changed options only concern storage, vacuum and the planner (manual, CREATE TABLE, "Storage Parameters", and
/// CREATE VIEW).
fn keeps_meaning(from: Option<&str>, to: Option<&str>) -> bool {
    let of = |text: Option<&str>| -> BTreeSet<String> {
        text.map(members).unwrap_or_default().into_iter().map(str::to_owned).collect()
    };
    let (from, to) = (of(from), of(to));
    let is_named = |option: &str, names: &[&str]| names.contains(&option.split('=').next().unwrap_or(option));
    from.symmetric_difference(&to).all(|option| {
        // A dropped check lets more rows in, as a dropped constraint does.
        !is_named(option, &["security_invoker", "check_option"])
            || (is_named(option, &["check_option"])
                && !to.iter().any(|kept| is_named(kept, &["check_option"])))
    })
}

pub(super) fn schema(change: &Change) -> Effect {
    match change.what {
        What::Removed { .. } => {
            Effect::both(deny(RuleId::DropSchema, "removes all that the running release uses in it"))
                .with_data(deny(RuleId::DropSchema, "removes its tables' rows"))
        }
        _ => Effect::default(),
    }
}

pub(super) fn trigger(change: &Change) -> Effect {
    Effect::writers(match &change.what {
        What::Added { .. } => {
            warn(RuleId::CreateTrigger, "does more, or something else, when the running release writes")
        }
        What::Removed { .. } => {
            warn(RuleId::DropTrigger, "removes a trigger or rule that the running release may rely on")
        }
        What::Changed { property: Property::Enabled, .. } => {
            warn(RuleId::DisableTrigger, "switches work off or on that the running release may rely on")
        }
        _ => warn(RuleId::ReplaceObject, "does something else when the running release writes"),
    })
}

pub(super) fn rule(change: &Change) -> Effect {
    Effect::both(match &change.what {
        What::Removed { .. } => warn(RuleId::DropObject, "stops what the running release may rely on"),
        _ => deny(RuleId::CreateRule, "makes the running release's statements do something else"),
    })
}

pub(super) fn policy(change: &Change) -> Effect {
    // A policy has no effect until row security is enabled, which is a separate change.
    if let What::Added { properties, .. } = &change.what
        && !properties.has(Property::RowSecurity)
    {
        return Effect::default();
    }
    Effect::both(deny(RuleId::ChangePolicy, "changes which rows the running release sees and may write"))
}
