//! Functions, types, sequences and the rest.

use super::{Effect, deny, warn};
use crate::postgres::catalog::difference::{Change, Overloads, What, is_called};
use crate::postgres::catalog::model::{Kind, Property, members};
use crate::verify::{RuleId, is_builtin_function};

pub(super) fn judge(change: &Change) -> Effect {
    let kind = change.object.kind;
    match &change.what {
        What::Added { overloads: Overloads::Surely, .. } => Effect::both(deny(
            RuleId::AmbiguousOverload,
            "makes calls ambiguous that fit the function of the same name and this one",
        )),
        What::Added { overloads: Overloads::Perhaps, .. } => Effect::both(warn(
            RuleId::AddOverload,
            "may make calls ambiguous, or take them over from the function of the same name",
        )),
        What::Added { .. } if is_called(kind) && is_builtin_function(change.object.bare_name()) => {
            Effect::both(deny(
                RuleId::ReplaceObject,
                "may take calls over from the server's function of that name",
            ))
        }
        What::Added { .. } | What::Reordered { .. } => Effect::default(),
        What::Removed { .. } => removed(kind),
        What::Changed { property, from, to, .. } => changed(kind, *property, from.as_deref(), to.as_deref()),
    }
}

fn removed(kind: Kind) -> Effect {
    let rule = match kind {
        Kind::Function | Kind::Procedure | Kind::Aggregate => RuleId::DropFunction,
        Kind::Sequence => RuleId::DropSequence,
        Kind::Domain => RuleId::DropDomain,
        Kind::Enum | Kind::CompositeType | Kind::Range => RuleId::DropType,
        Kind::Extension => RuleId::DropExtension,
        Kind::Statistics => return Effect::plans(warn(RuleId::DropObject, "makes the planner know less")),
        _ => RuleId::DropObject,
    };
    Effect::both(deny(rule, "removes what the running release may use"))
}

fn changed(kind: Kind, property: Property, from: Option<&str>, to: Option<&str>) -> Effect {
    match kind {
        Kind::Function | Kind::Procedure | Kind::Aggregate | Kind::Operator => function(property),
        Kind::Enum => labels(from, to),
        Kind::Domain => domain(property, from, to),
        Kind::Sequence => match property {
            // A session that draws more numbers at once only leaves larger gaps.
            Property::OwnedBy | Property::Cache => Effect::default(),
            _ => Effect::writers(warn(
                RuleId::ChangeSequence,
                "changes the numbers that the running release draws",
            )),
        },
        Kind::Extension => {
            Effect::both(warn(RuleId::ChangeExtension, "may change functions that are in use"))
        }
        Kind::Statistics => Effect::default(),
        _ => Effect::both(deny(RuleId::DropType, "makes its values mean something else")),
    }
}

fn function(property: Property) -> Effect {
    match property {
        Property::Arguments => Effect::both(deny(
            RuleId::DropFunction,
            "makes calls fail that name an argument or leave one out",
        )),
        Property::Result => Effect::both(deny(RuleId::DropFunction, "makes calls give another type")),
        Property::Cost | Property::Rows | Property::Parallel | Property::Leakproof => {
            Effect::plans(warn(RuleId::ReplaceObject, "makes the planner choose anew"))
        }
        _ => Effect::both(warn(RuleId::ReplaceObject, "changes an object that the running release uses")),
    }
}

fn labels(from: Option<&str>, to: Option<&str>) -> Effect {
    let (from, to) = (from.map(members).unwrap_or_default(), to.map(members).unwrap_or_default());
    if from.iter().any(|label| !to.contains(label)) {
        return Effect::both(deny(
            RuleId::RenameObject,
            "removes a value that the running release reads and writes",
        ));
    }
    let kept: Vec<_> = to.into_iter().filter(|label| from.contains(label)).collect();
    if kept == from {
        // The running release never writes a new value; its handling of an unknown value is not judged.
        return Effect::default();
    }
    Effect::readers(deny(
        RuleId::ChangeColumnType,
        "changes which value is greater and in which order rows come",
    ))
}

fn domain(property: Property, from: Option<&str>, to: Option<&str>) -> Effect {
    match (property, from, to) {
        (Property::NotNull, None, _) => Effect::writers(deny(RuleId::ChangeDomain, "refuses NULL")),
        (Property::NotNull, _, _) => Effect::readers(warn(RuleId::DropNotNull, "lets NULL in")),
        (Property::Default, _, _) => Effect::writers(warn(
            RuleId::ChangeDomain,
            "makes an INSERT that leaves a column out write another value",
        )),
        _ => Effect::both(deny(RuleId::ChangeDomain, "makes its values mean something else")),
    }
}
