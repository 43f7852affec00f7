//! The differences of two snapshots: typed changes in the order of objects. Parts of an added or removed object
//! are not listed.

use std::collections::BTreeSet;

use super::model::{Kind, Object, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot, Texts};
use crate::ident::SchemaName;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub object: ObjectKey,
    /// The part of it, if the change is of a part.
    pub part: Option<PartKey>,
    /// What changed.
    pub what: What,
}

/// The kind of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Added {
        /// Its properties.
        properties: Properties,
        /// Whether a call may match this function as well as an existing one of the same name.
        overloads: Overloads,
    },
    /// It was removed.
    Removed {
        /// Its properties before.
        properties: Properties,
    },
    /// A property has another value.
    Changed {
        /// The property.
        property: Property,
        /// The value before; `None` is the default.
        from: Option<String>,
        /// Its value now; `None` is the default.
        to: Option<String>,
        /// All properties now.
        now: Properties,
    },
    /// The remaining columns are in another order.
    Reordered {
        /// Their order before.
        from: Vec<String>,
        /// Their order now.
        to: Vec<String>,
    },
}

/// Whether a call may match two functions of one name (manual, chapter Functions, Type Conversion).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overloads {
    /// No call matches both.
    #[default]
    No,
    /// A call with untyped literals may match both.
    Perhaps,
    /// A call without some arguments matches both.
    Surely,
}

impl Overloads {
    /// Compares two argument lists as the server prints them.
    fn of(one: &str, other: &str) -> Self {
        let arity = |arguments: &str| {
            let mut depth = 0;
            let commas = arguments.chars().filter(|c| {
                depth += i32::from("([".contains(*c)) - i32::from(")]".contains(*c));
                *c == ',' && depth == 0
            });
            let most = if arguments.trim().is_empty() { 0 } else { commas.count() + 1 };
            (most - arguments.matches(" DEFAULT ").count().min(most), most)
        };
        let ((least, most), (other_least, other_most)) = (arity(one), arity(other));
        match (least <= other_most && other_least <= most, least < most || other_least < other_most) {
            (false, _) => Self::No,
            (true, false) => Self::Perhaps,
            (true, true) => Self::Surely,
        }
    }
}

impl Change {
    /// The differences of `after` from `before`.
    pub fn between(before: &SchemaSnapshot, after: &SchemaSnapshot) -> Vec<Self> {
        let keys: BTreeSet<_> = before.objects.keys().chain(after.objects.keys()).collect();
        let mut changes = Vec::new();
        for key in keys {
            match (before.objects.get(key), after.objects.get(key)) {
                (Some(old), Some(new)) => compare_objects(key, old, new, &mut changes),
                (Some(old), None) => changes.push(Self::of(key, None, removed(&old.properties))),
                (None, Some(new)) => {
                    changes.push(Self::of(key, None, added(key, new, before, after)));
                }
                (None, None) => {}
            }
        }
        changes
    }

    /// The differences of schemas with these names. An object or a word that has one of the names is no difference.
    pub fn between_tenants(
        before: &SchemaSnapshot,
        after: &SchemaSnapshot,
        names: &[&SchemaName],
    ) -> Vec<Self> {
        let changes = Self::between(before, after);
        if changes.is_empty() {
            return changes;
        }
        let neutral = |snapshot: &SchemaSnapshot| {
            let start = snapshot.clone();
            names.iter().fold(start, |snapshot, name| snapshot.without_name(name, Texts::Ignored))
        };
        let remaining = Self::between(&neutral(before), &neutral(after));
        let is_same = |one: &Self, other: &Self| {
            let property = |change: &Self| match change.what {
                What::Changed { property, .. } => Some(property),
                _ => None,
            };
            one.object == other.object && one.part == other.part && property(one) == property(other)
        };
        // With their own texts, which a person can find.
        changes.into_iter().filter(|change| remaining.iter().any(|other| is_same(change, other))).collect()
    }

    /// Whether only an owner or privileges changed.
    pub fn is_access(&self) -> bool {
        matches!(&self.what, What::Changed { property, .. } if property.is_access())
    }

    /// The change with other texts: `name` replaces each name, `value` each value of a property.
    #[must_use]
    pub fn with_text(&self, name: impl Fn(&str) -> String, value: impl Fn(&str) -> String) -> Self {
        let names = |names: &[String]| names.iter().map(|column| name(column)).collect();
        let values = |properties: &Properties| properties.map(&value);
        let optional = |text: &Option<String>| text.as_deref().map(&value);
        let what = match &self.what {
            What::Added { properties, overloads } => {
                What::Added { properties: values(properties), overloads: *overloads }
            }
            What::Removed { properties } => What::Removed { properties: values(properties) },
            What::Changed { property, from, to, now } => What::Changed {
                property: *property,
                from: optional(from),
                to: optional(to),
                now: values(now),
            },
            What::Reordered { from, to } => What::Reordered { from: names(from), to: names(to) },
        };
        let object = ObjectKey { kind: self.object.kind, name: name(&self.object.name) };
        let part = self.part.as_ref().map(|part| PartKey { kind: part.kind, name: name(&part.name) });
        Self { object, part, what }
    }

    fn of(object: &ObjectKey, part: Option<&PartKey>, what: What) -> Self {
        Self { object: object.clone(), part: part.cloned(), what }
    }
}

/// A new object. For a partition, `Property::Check` names a check constraint that its parent does not have.
fn added(key: &ObjectKey, new: &Object, before: &SchemaSnapshot, after: &SchemaSnapshot) -> What {
    let arguments =
        |object: &Object| object.properties.get(Property::Arguments).unwrap_or_default().to_owned();
    let same_name = before.objects.iter().filter(|(other, _)| {
        is_called(key.kind) && is_called(other.kind) && other.bare_name() == key.bare_name()
    });
    let overloads = same_name.map(|(_, other)| Overloads::of(&arguments(new), &arguments(other)));
    let overloads = overloads.max_by_key(|overloads| *overloads as u8).unwrap_or_default();
    let mut properties = new.properties.clone();
    let parent = new.properties.get(Property::PartitionOf);
    let parent = parent.and_then(|name| after.object(Kind::Table, name.rsplit('.').next().unwrap_or(name)));
    let is_own_check = |(part, own): &(&PartKey, &Properties)| {
        let is_check = part.kind == PartKind::Constraint && own.get(Property::Type) == Some("check");
        let is_inherited = |parent: &Object| {
            parent
                .parts
                .values()
                .any(|other| other.get(Property::Definition) == own.get(Property::Definition))
        };
        is_check && parent.is_some_and(|parent| !is_inherited(parent))
    };
    if let Some((part, _)) = new.parts.iter().find(is_own_check) {
        properties.set(Property::Check, part.name.clone());
    }
    What::Added { properties, overloads }
}

pub(super) fn is_called(kind: Kind) -> bool {
    matches!(kind, Kind::Function | Kind::Procedure | Kind::Aggregate)
}

fn removed(properties: &Properties) -> What {
    What::Removed { properties: properties.clone() }
}

fn compare_objects(key: &ObjectKey, old: &Object, new: &Object, changes: &mut Vec<Change>) {
    properties(key, None, &old.properties, &new.properties, changes);
    let parts: BTreeSet<_> = old.parts.keys().chain(new.parts.keys()).collect();
    for part in parts {
        match (old.parts.get(part), new.parts.get(part)) {
            (Some(before), Some(after)) => properties(key, Some(part), before, after, changes),
            (Some(before), None) => changes.push(Change::of(key, Some(part), removed(before))),
            (None, Some(after)) => {
                let mut properties = after.clone();
                // A policy has no effect without row security on its table.
                if let (PartKind::Policy, Some(security)) =
                    (part.kind, new.properties.get(Property::RowSecurity))
                {
                    properties.set(Property::RowSecurity, security.to_owned());
                }
                changes.push(Change::of(
                    key,
                    Some(part),
                    What::Added { properties, overloads: Overloads::No },
                ));
            }
            (None, None) => {}
        }
    }
    let (from, to) = (order(old, new), order(new, old));
    if from != to {
        changes.push(Change::of(key, None, What::Reordered { from, to }));
    }
}

/// The columns of `object` that `other` has too, in order. A changed position alone is not a change: columns
/// after a removed one move up.
fn order(object: &Object, other: &Object) -> Vec<String> {
    let mut columns: Vec<(usize, &str)> = object
        .parts
        .iter()
        .filter(|(key, _)| key.kind == PartKind::Column && other.parts.contains_key(key))
        .map(|(key, properties)| {
            let position = properties.get(Property::Position).and_then(|text| text.parse().ok());
            (position.unwrap_or_default(), key.name.as_str())
        })
        .collect();
    columns.sort_unstable();
    columns.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn properties(
    object: &ObjectKey,
    part: Option<&PartKey>,
    before: &Properties,
    after: &Properties,
    changes: &mut Vec<Change>,
) {
    let named: BTreeSet<_> = before.iter().chain(after.iter()).map(|(property, _)| property).collect();
    let differs = |property: &Property| before.get(*property) != after.get(*property);
    // Another definition usually uses other functions.
    let is_redefined = named.iter().filter(|property| property.is_expression()).any(differs);
    for property in named {
        let (from, to) = (before.get(property), after.get(property));
        // A changed position is reported as another order; other columns are part of a definition.
        let is_compared = match property {
            Property::Position | Property::Columns => false,
            Property::Uses => !is_redefined,
            _ => true,
        };
        if is_compared && from != to {
            let what = What::Changed {
                property,
                from: from.map(str::to_owned),
                to: to.map(str::to_owned),
                now: after.clone(),
            };
            changes.push(Change::of(object, part, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str]) -> SchemaSnapshot {
        let mut object = Object::default();
        for (index, name) in columns.iter().enumerate() {
            let key = PartKey { kind: PartKind::Column, name: (*name).to_owned() };
            let position = (index + 1).to_string();
            object.parts.insert(
                key,
                Properties::from([(Property::Type, "text"), (Property::Position, position.as_str())]),
            );
        }
        let key = ObjectKey { kind: Kind::Table, name: "t".to_owned() };
        SchemaSnapshot { objects: [(key, object)].into() }
    }

    fn lines(before: &SchemaSnapshot, after: &SchemaSnapshot) -> Vec<String> {
        Change::between(before, after)
            .iter()
            .map(|change| format!("{}: {}", change.object, change.line()))
            .collect()
    }

    #[test]
    fn equal_snapshots_have_no_difference() {
        assert!(lines(&table(&["a", "b"]), &table(&["a", "b"])).is_empty());
    }

    #[test]
    fn a_removed_column_does_not_reorder_the_others() {
        assert_eq!(lines(&table(&["a", "b", "c"]), &table(&["a", "c"])), ["table t: column removed: b"]);
        assert_eq!(lines(&table(&["a", "c"]), &table(&["a", "b", "c"])), ["table t: column added: b text"]);
    }

    #[test]
    fn another_order_is_one_change() {
        assert_eq!(
            lines(&table(&["a", "b", "c"]), &table(&["a", "c", "b"])),
            ["table t: columns are in another order: a, c, b instead of a, b, c"]
        );
    }

    #[test]
    fn columns_of_a_removed_table_are_not_listed() {
        assert_eq!(lines(&table(&["a"]), &SchemaSnapshot::default()), ["table t: removed"]);
        assert_eq!(lines(&SchemaSnapshot::default(), &table(&["a"])), ["table t: added"]);
    }

    #[test]
    fn an_overload_of_an_existing_function_is_detected() {
        let functions = |names: &[&str]| SchemaSnapshot {
            objects: names
                .iter()
                .map(|name| (ObjectKey { kind: Kind::Function, name: (*name).to_owned() }, Object::default()))
                .collect(),
        };
        let changes =
            Change::between(&functions(&["f(integer)"]), &functions(&["f(integer)", "f(text)", "g()"]));
        let overloads: Vec<_> = changes
            .iter()
            .map(|change| matches!(change.what, What::Added { overloads: Overloads::Perhaps, .. }))
            .collect();
        assert_eq!(overloads, [true, false]);
    }
}
