//! Changes that only repeat a new name: after `ALTER TABLE orders RENAME TO purchases`, the server prints the new name in the
//! definitions of views, keys, indexes and functions, which still use the same table.

use super::attributed::{Attributed, JudgedChange};
use crate::chain::Migration;
use crate::postgres::catalog::{Change, Kind, What};
use crate::sql::{Renamed, normalized};

/// What the statement of an effect renames.
fn renamed_by<T>(migration: &Migration, caused: &Attributed<T>) -> Option<Renamed> {
    let range = caused.statement.as_ref()?;
    let (statement, _) = migration.statements.iter().find(|(statement, _)| statement.range == *range)?;
    statement.renamed(&migration.script)
}

/// Whether the statement gives another name to a value of an enum type.
pub(super) fn relabels<T>(migration: &Migration, caused: &Attributed<T>) -> bool {
    renamed_by(migration, caused).is_some_and(|renamed| renamed.is_label)
}

/// Whether the change is that of the renamed object or part itself, which the text shows.
pub(super) fn is_itself(migration: &Migration, caused: &Attributed<JudgedChange>) -> bool {
    renamed_by(migration, caused).is_some_and(|renamed| is_of(&renamed, caused))
}

fn is_of(renamed: &Renamed, caused: &Attributed<JudgedChange>) -> bool {
    let is_it = |name: &str| name == renamed.from || name == renamed.to;
    let change = &caused.what.change;
    let is_object = is_it(change.object.bare_name());
    match &change.part {
        Some(part) => is_it(&part.name) && matches!(change.what, What::Removed { .. } | What::Added { .. }),
        None if change.object.kind == Kind::Schema => is_it(&caused.schema_name),
        None => is_object && matches!(change.what, What::Removed { .. } | What::Added { .. }),
    }
}

/// Whether the change, one of `all`, only follows from the new name or schema that its statement gives to another object.
pub(super) fn explain(
    migration: &Migration,
    caused: &Attributed<JudgedChange>,
    all: &[Attributed<JudgedChange>],
) -> bool {
    let Some(renamed) = renamed_by(migration, caused) else { return false };
    if is_of(&renamed, caused) {
        return false;
    }
    let change = &caused.what.change;
    // The objects of a renamed schema are gone with it.
    if matches!(change.what, What::Removed { .. }) && caused.schema_name == renamed.from {
        return true;
    }
    let same = |before: &str, after: &str| says_same(&renamed, before, after);
    // The arguments of a function are a part of its name.
    let has_other = |is_other: &dyn Fn(&Change) -> bool| {
        all.iter()
            .any(|other| other.what.change.object.kind == change.object.kind && is_other(&other.what.change))
    };
    match &change.what {
        What::Changed { from, to, .. } => {
            same(from.as_deref().unwrap_or_default(), to.as_deref().unwrap_or_default())
        }
        What::Removed { .. } => has_other(&|other| {
            matches!(other.what, What::Added { .. }) && same(&change.object.name, &other.object.name)
        }),
        What::Added { .. } => has_other(&|other| {
            matches!(other.what, What::Removed { .. }) && same(&other.object.name, &change.object.name)
        }),
        What::Reordered { .. } => false,
    }
}

/// Whether two definitions are the same, apart from the name.
fn says_same(renamed: &Renamed, before: &str, after: &str) -> bool {
    let of = |text: &str| -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for word in words_of(text) {
            let name = if renamed.is_label { word.to_owned() } else { normalized(word) };
            let is_it = name == renamed.from || name == renamed.to;
            let last =
                |back: usize| words.len().checked_sub(back).and_then(|at| words.get(at)).map(String::as_str);
            if is_it && last(1) == Some(".") {
                // The qualifying schema may be the new one.
                words.truncate(words.len().saturating_sub(2));
            } else if is_it && last(1) == Some("AS") && last(2) == Some(renamed.to.as_str()) {
                // A view keeps the name of its column: `mail AS email`.
                words.pop();
                continue;
            }
            words.push(if is_it { renamed.to.clone() } else { word.to_owned() });
        }
        words
    };
    of(before) == of(after)
}

/// The words and the other characters of a definition, without white space.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let quoted = |rest: &str| rest[1..].find(first).map_or(rest.len(), |at| at + 2);
        let end = match first {
            // The name in `nextval('public.numbers'::regclass)` is one of an object.
            '\'' if rest[quoted(rest)..].starts_with("::regclass") => 1,
            '"' | '\'' => quoted(rest),
            '{' => rest.find('}').map_or(rest.len(), |at| at + 1),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_may_differ() {
        let renamed = Renamed { from: "orders".to_owned(), to: "Purchases".to_owned(), is_label: false };
        for (before, after, expected) in [
            ("FOREIGN KEY (a) REFERENCES orders(id)", "FOREIGN KEY (a) REFERENCES \"Purchases\"(id)", true),
            (
                "SELECT orders.id FROM {org_schema}.orders",
                "SELECT \"Purchases\".id FROM archive.\"Purchases\"",
                true,
            ),
            ("SELECT a.orders FROM a", "SELECT a.\"Purchases\" AS orders FROM a", true),
            ("nextval('orders'::regclass)", "nextval('archive.\"Purchases\"'::regclass)", true),
            ("REFERENCES orders(id)", "REFERENCES \"Purchases\"(number)", false),
            ("REFERENCES orders(id)", "REFERENCES orders(id)", true),
            ("REFERENCES invoices(id)", "REFERENCES \"Purchases\"(id)", false),
            ("CHECK (note <> 'orders')", "CHECK (note <> 'Purchases')", false),
        ] {
            assert_eq!(says_same(&renamed, before, after), expected, "{before} → {after}");
        }
        let label = Renamed { from: "'new'".to_owned(), to: "'open'".to_owned(), is_label: true };
        assert!(says_same(&label, "'new'::status", "'open'::status"));
        assert!(!says_same(&label, "new", "open"));
    }
}
