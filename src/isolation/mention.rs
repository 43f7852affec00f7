//! Decides what the texts of facts say: whether one that contains another tenant's schema name refers to the schema, and what the
//! code of views and functions does.

use super::{Fact, Kind, tree};
use crate::sql::{Mention, mention, reads_nothing, runs_other_text};

/// The certainty of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// The text refers to the schema.
    Certain,
    /// The text may refer to the schema.
    Possible,
}

/// The certainty of `fact`; `None` if the text does not refer to the schema.
pub(super) fn of(fact: &Fact) -> Option<Certainty> {
    let certain_if = |found: bool| found.then_some(Certainty::Certain);
    match fact.kind {
        Kind::LeakyView => return certain_if(tree::asks(fact.what.as_deref().unwrap_or_default())),
        Kind::DefinerOpen => return certain_if(!fact.what.as_deref().is_some_and(reads_nothing)),
        Kind::DefinerDynamic => {
            let runs = |body: &str| runs_other_text(body, fact.other.as_deref());
            return certain_if(fact.what.as_deref().is_none_or(runs));
        }
        _ => {}
    }
    let (Some(text), Some(name)) = (&fact.what, &fact.other) else { return Some(Certainty::Certain) };
    let found = match fact.kind {
        Kind::Names => mention(text, name)?,
        // A plain string, such as the value of a state, may equal a tenant's schema name by chance, so it does not count.
        Kind::Expression => mention(text, name).filter(|found| *found == Mention::AsSchema)?,
        // The SQL query that returned the fact has found the name in the list of schemas.
        Kind::Setting if text.starts_with("search_path=") => Mention::AsSchema,
        Kind::Setting => Mention::InString,
        _ => return Some(Certainty::Certain),
    };
    // The name may be that of another object, such as a table.
    let is_ambiguous = fact.target.as_deref() == Some("ambiguous");
    Some(if found == Mention::AsSchema && !is_ambiguous { Certainty::Certain } else { Certainty::Possible })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: Kind, text: &str, target: Option<&str>) -> Option<Certainty> {
        of(&Fact {
            kind,
            schema: Some("org_a".to_owned()),
            object: "function f()".to_owned(),
            who: None,
            other: Some("org_b".to_owned()),
            what: Some(text.to_owned()),
            target: target.map(str::to_owned),
        })
    }

    #[test]
    fn certain_mentions_deny_and_possible_ones_warn() {
        assert_eq!(named(Kind::Names, "SELECT 1 FROM org_b.t", None), Some(Certainty::Certain));
        assert_eq!(
            named(Kind::Names, "SELECT org_b.id FROM org_b", Some("ambiguous")),
            Some(Certainty::Possible)
        );
        assert_eq!(named(Kind::Names, "RAISE 'org_b'", None), Some(Certainty::Possible));
        assert_eq!(named(Kind::Names, "-- org_b.t", None), None);
        assert_eq!(named(Kind::Expression, "'org_b'::text", None), None);
        assert_eq!(named(Kind::Expression, "'org_b.t'::text", None), Some(Certainty::Certain));
        assert_eq!(named(Kind::Setting, "search_path=org_b", None), Some(Certainty::Certain));
        assert_eq!(named(Kind::Setting, "application_name=org_b", None), Some(Certainty::Possible));
    }
}
