//! Owners and privileges.

use super::{Effect, deny, warn};
use crate::postgres::catalog::model::{Kind, Property, members};
use crate::verify::RuleId;

pub(super) fn judge(kind: Kind, property: Property, from: Option<&str>, to: Option<&str>) -> Effect {
    match property {
        Property::Owner => {
            let harm = warn(
                RuleId::ChangeRole,
                "takes the owner's rights from a role that the running release may use",
            );
            Effect::both(harm)
        }
        Property::DefaultPrivileges => Effect::default(),
        _ => privileges(kind, from, to),
    }
}

/// The list contains differences from the owner's default privileges. A removed grant and a new "revoked" entry are both losses.
fn privileges(kind: Kind, from: Option<&str>, to: Option<&str>) -> Effect {
    let (from, to) = (from.map(members).unwrap_or_default(), to.map(members).unwrap_or_default());
    let is_loss = |entry: &&str| entry.starts_with("revoked from ");
    let gone = from.iter().filter(|entry| !to.contains(entry) && !is_loss(entry));
    let revoked = to.iter().filter(|entry| !from.contains(entry) && is_loss(entry));
    let lost: Vec<_> = gone.chain(revoked).collect();
    let reads = |entry: &str| entry.contains(": SELECT");
    let is_relation = matches!(kind, Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable);
    let harm = deny(RuleId::Revoke, "takes a right away that the running release may need");
    Effect {
        old_readers: if lost.iter().any(|entry| !is_relation || reads(entry)) { harm } else { None },
        old_writers: if lost.iter().any(|entry| !is_relation || !reads(entry)) { harm } else { None },
        ..Effect::default()
    }
}
