//! The text of a change, in one line.

use super::difference::{Change, What};
use super::model::{PartKind, Property, members};

/// Longer values are not printed.
const MAX_CHARS: usize = 60;

impl Change {
    /// `column removed: settings`, `column name: type changed from text to integer`, `removed`.
    pub fn line(&self) -> String {
        match (&self.what, &self.part) {
            (What::Added { .. }, None) => "added".to_owned(),
            (What::Removed { .. }, None) => "removed".to_owned(),
            (What::Added { properties, .. }, Some(part)) => {
                let kind = match part.kind {
                    PartKind::Column => properties.get(Property::Type).map(|text| format!(" {text}")),
                    _ => None,
                };
                format!("{} added: {}{}", part.kind, part.name, kind.unwrap_or_default())
            }
            (What::Removed { .. }, Some(part)) => format!("{} removed: {}", part.kind, part.name),
            (What::Changed { property, from, to, .. }, part) => {
                let what = changed(*property, from.as_deref(), to.as_deref());
                part.as_ref().map_or(what.clone(), |part| format!("{} {}: {what}", part.kind, part.name))
            }
            (What::Reordered { from, to }, _) => {
                let (from, to) = (from.join(", "), to.join(", "));
                if from.len() + to.len() > 2 * MAX_CHARS {
                    "columns are in another order".to_owned()
                } else {
                    format!("columns are in another order: {to} instead of {from}")
                }
            }
        }
    }
}

fn changed(property: Property, from: Option<&str>, to: Option<&str>) -> String {
    if is_list(property) {
        return list(property, from, to);
    }
    let short = |value: &str| value.chars().count() <= MAX_CHARS && !value.contains(char::is_control);
    match (from, to) {
        (Some(from), Some(to)) if short(from) && short(to) => {
            format!("{property} changed from {from} to {to}")
        }
        (Some(from), Some(to)) => match first_difference(from, to) {
            Some(line) => format!("{property} changed, first in its line {line}"),
            None => format!("{property} changed"),
        },
        (None, Some("no")) => format!("not {property}"),
        (Some("no"), None) => property.to_string(),
        // `not null added` is clearer than `not null: yes`.
        (None, Some("yes")) => format!("{property} added"),
        (Some("yes"), None) => format!("{property} removed"),
        (None, Some(to)) if short(to) => format!("{property} added: {to}"),
        (Some(from), None) if short(from) => format!("{property} removed: {from}"),
        (None, _) => format!("{property} added"),
        (Some(_), None) => format!("{property} removed"),
    }
}

fn is_list(property: Property) -> bool {
    matches!(
        property,
        Property::Privileges
            | Property::DefaultPrivileges
            | Property::Labels
            | Property::Options
            | Property::Roles
            | Property::Columns
            | Property::Uses
    )
}

/// The added and removed members of a list.
fn list(property: Property, from: Option<&str>, to: Option<&str>) -> String {
    let (from, to) = (from.map(members).unwrap_or_default(), to.map(members).unwrap_or_default());
    let only = |one: &[&str], other: &[&str]| -> Vec<String> {
        one.iter().filter(|member| !other.contains(member)).map(|member| (*member).to_owned()).collect()
    };
    let (added, removed) = (only(&to, &from), only(&from, &to));
    let mut parts = Vec::new();
    if !added.is_empty() {
        parts.push(format!("{property} added: {}", added.join(", ")));
    }
    if !removed.is_empty() {
        parts.push(format!("{property} removed: {}", removed.join(", ")));
    }
    if parts.is_empty() {
        parts.push(format!("{property} in another order: {} instead of {}", to.join(", "), from.join(", ")));
    }
    parts.join("; ")
}

/// The first line that differs, from 1, if one text has several lines.
fn first_difference(from: &str, to: &str) -> Option<usize> {
    if !from.contains('\n') && !to.contains('\n') {
        return None;
    }
    let same = from.lines().zip(to.lines()).take_while(|(one, other)| one == other).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_described() {
        insta::assert_snapshot!(changed(Property::Type, Some("text"), Some("integer")), @"type changed from text to integer");
        insta::assert_snapshot!(changed(Property::NotNull, None, Some("yes")), @"not null added");
        insta::assert_snapshot!(changed(Property::NotNull, Some("yes"), None), @"not null removed");
        insta::assert_snapshot!(changed(Property::Enabled, None, Some("no")), @"not enabled");
        insta::assert_snapshot!(changed(Property::Validated, Some("no"), None), @"validated");
        insta::assert_snapshot!(changed(Property::Default, None, Some("now()")), @"default added: now()");
        insta::assert_snapshot!(changed(Property::Body, Some("a\nb\nc"), Some("a\nx\nc")), @"body changed, first in its line 2");
        insta::assert_snapshot!(changed(Property::Definition, Some(&"a".repeat(80)), Some("b")), @"definition changed");
    }

    #[test]
    fn lists_are_described_by_added_and_removed_members() {
        insta::assert_snapshot!(changed(Property::Privileges, None, Some("reader: SELECT")), @"privileges added: reader: SELECT");
        insta::assert_snapshot!(changed(Property::Labels, Some("a\u{1e}b"), Some("b\u{1e}c")), @"labels added: c; labels removed: a");
        insta::assert_snapshot!(changed(Property::Labels, Some("a\u{1e}b"), Some("b\u{1e}a")), @"labels in another order: b, a instead of a, b");
    }
}
