//! Decides whether a text that contains another tenant's schema name refers to the schema.

use super::{Fact, Kind};
use crate::sql::{Mention, mention};

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
