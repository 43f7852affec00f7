//! Finds texts that contain a schema's old name after it was renamed. The server's references follow a rename; a function body, a
//! string in a default and a comment are text and do not. Inside of the schema the search is complete: its snapshots before and
//! after the rename, which leave the schema's own name out, differ exactly where the old name remains. Search paths of functions follow
//! the rename: a function with its owner's privileges needs one.

use std::collections::BTreeSet;

use crate::error::{Code, Failure};
use crate::ident::{SchemaName, literal};
use crate::postgres::Connection;
use crate::postgres::catalog::{self, Change, Property, SchemaSnapshot, Texts, Transaction, What};
use crate::postgres::metadata::version_rows;
use crate::tenant::operation;

const OUTSIDE: &str = include_str!("name_references.sql");

/// Renames schema `old` in the open transaction and lists the texts that still contain the old name, in this schema and in
/// others, sorted: `function f(integer): body`. The transaction stays open, unless the function fails.
pub(in crate::tenant) async fn of(
    connection: &mut Connection,
    platform: &SchemaName,
    old: &SchemaName,
    new: &SchemaName,
) -> Result<Vec<String>, Failure> {
    let mut lines = inside(connection, platform, old, new).await?;
    lines.extend(outside(connection, new, old).await?);
    Ok(lines.into_iter().collect())
}

/// The same for texts in the schema itself; for a copy, the name in other schemas refers to the original.
pub(in crate::tenant) async fn inside(
    connection: &mut Connection,
    platform: &SchemaName,
    old: &SchemaName,
    new: &SchemaName,
) -> Result<BTreeSet<String>, Failure> {
    let before = catalog::snapshot_as(connection, old, Transaction::Current).await?;
    let rename = format!("ALTER SCHEMA {} RENAME TO {}", old.quoted(), new.quoted());
    connection.run(&rename).await.map_err(|server_error| {
        let mut failure = server_error.failure(&format!("renaming schema {old}"));
        match server_error.sqlstate() {
            Some("3F000") => {
                failure.code = Code::SchemaUnknown;
                failure.hint = Some(operation::SCHEMA_GONE.to_owned());
            }
            Some("42P06") => failure.code = Code::TenantExists,
            _ => {}
        }
        failure
    })?;
    follow_settings(connection, platform, new, (old, new)).await?;
    let after = catalog::snapshot_as(connection, new, Transaction::Current).await?;
    // In expressions, the server's references follow the rename; another object or alias may have the same name.
    let text = |snapshot: &SchemaSnapshot| {
        snapshot.without_name(old, Texts::Compared).without_name(new, Texts::Compared)
    };
    Ok(Change::between(&text(&before), &text(&after)).iter().filter_map(reference_text).collect())
}

/// Changes the search paths of functions in `schema` that contain the name `old` to `new`.
pub(in crate::tenant) async fn follow_settings(
    connection: &mut Connection,
    platform: &SchemaName,
    schema: &SchemaName,
    (old, new): (&SchemaName, &SchemaName),
) -> Result<(), Failure> {
    let sql = version_rows::follow_settings(platform, schema, old, new);
    let ran = connection.run(&sql).await;
    ran.map_err(|server_error| server_error.failure_on(new, "changing the search paths of functions"))
}

/// The texts in `schema` and in others that contain `name`, for a schema that already has another name.
pub(in crate::tenant) async fn holding(
    connection: &mut Connection,
    schema: &SchemaName,
    name: &SchemaName,
) -> Result<Vec<String>, Failure> {
    let snapshot = catalog::snapshot_as(connection, schema, Transaction::Current).await?;
    let mut lines = holders(&snapshot, name.as_str());
    lines.extend(outside(connection, schema, name).await?);
    Ok(lines.into_iter().collect())
}

/// The failure for such texts: the rename would break them.
pub(in crate::tenant) fn failure(name: &SchemaName, lines: &[String]) -> Failure {
    let named = lines.join(", ");
    let mut failure = Failure::new(
        Code::NameInText,
        format!("these texts contain the name {name} and do not follow a rename: {named}"),
    )
    .hint("remove the name from them in a tenant migration, for example by relying on the search path");
    failure.schema = Some(name.as_str().to_owned());
    failure
}

/// The text that a difference shows. Privileges are excluded: a role's name may equal the schema's.
fn reference_text(change: &Change) -> Option<String> {
    let what = match &change.what {
        What::Changed { property: Property::Roles, .. } => return None,
        What::Changed { property, .. } if property.is_access() => return None,
        What::Changed { property, .. } => property.as_str(),
        What::Added { .. } | What::Removed { .. } | What::Reordered { .. } => "definition",
    };
    Some(match &change.part {
        Some(part) => format!("{}: {what} of {} {}", change.object, part.kind, part.name),
        None => format!("{}: {what}", change.object),
    })
}

fn holders(snapshot: &SchemaSnapshot, name: &str) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (key, object) in &snapshot.objects {
        let parts = object.parts.iter().map(|(part, properties)| (Some(part), properties));
        for (part, properties) in std::iter::once((None, &object.properties)).chain(parts) {
            for (property, value) in properties.iter() {
                let is_text = !property.is_access() && property != Property::Roles;
                if is_text && has_word(value, name) {
                    lines.insert(match part {
                        Some(part) => format!("{key}: {property} of {} {}", part.kind, part.name),
                        None => format!("{key}: {property}"),
                    });
                }
            }
        }
    }
    lines
}

/// Whether `text` contains `word` with no letter, digit, `_` or `$` next to it.
fn has_word(text: &str, word: &str) -> bool {
    let belongs = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(belongs) && !text[at + word.len()..].starts_with(belongs))
}

async fn outside(
    connection: &mut Connection,
    own: &SchemaName,
    name: &SchemaName,
) -> Result<Vec<String>, Failure> {
    // A stored expression tree prints the bytes of a constant as signed decimals.
    let bytes: Vec<String> = name.as_str().bytes().map(|byte| byte.cast_signed().to_string()).collect();
    let [own, word, bytes] = [own.as_str(), name.as_str(), &bytes.join(" ")].map(literal);
    let sql = format!(
        "SAVEPOINT tenure_residue; SET LOCAL search_path = ''; SET LOCAL jit = off; \
         WITH given (own, name, bytes) AS (VALUES ({own}, {word}, {bytes})), {OUTSIDE}; \
         ROLLBACK TO SAVEPOINT tenure_residue"
    );
    let doing = format!("searching texts for the name {name}");
    let sets = connection.query_batch(&sql).await.map_err(|server_error| server_error.failure(&doing))?;
    sets.iter().flatten().map(|row| row.text("line")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_inside_of_a_longer_one_does_not_match() {
        for text in ["org_a", "SELECT * FROM org_a.t", "\"org_a\"", "'org_a.t'", "x org_a, y"] {
            assert!(has_word(text, "org_a"), "{text}");
        }
        for text in ["", "org_ab", "my_org_a", "org_a_idx", "org_a$", "forg_a"] {
            assert!(!has_word(text, "org_a"), "{text}");
        }
    }
}
