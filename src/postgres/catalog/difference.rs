//! The difference of two photographs: a list of typed changes, in order of objects. Parts of an object that
//! is new or gone are not listed: the object says it.

use std::collections::BTreeSet;

use super::model::{Kind, Object, ObjectKey, PartKey, PartKind, Properties, Property, SchemaSnapshot};

/// One thing that is not the same after as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub object: ObjectKey,
    /// Its part, if it is one of them.
    pub part: Option<PartKey>,
    /// What about it.
    pub what: What,
}

/// What happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was not there before.
    Added {
        /// As it is now.
        properties: Properties,
        /// Whether a call may mean this function as well as one of the same name that was there before.
        overloads: Overloads,
    },
    /// It is no longer there.
    Removed {
        /// As it was.
        properties: Properties,
    },
    /// A property has another value.
    Changed {
        /// Which.
        property: Property,
        /// Its value before; `None` is the default.
        from: Option<String>,
        /// Its value now.
        to: Option<String>,
        /// All that is said of it now.
        now: Properties,
    },
    /// The columns that stayed are in another order.
    Reordered {
        /// Their order before.
        from: Vec<String>,
        /// Their order now.
        to: Vec<String>,
    },
}

/// Whether two functions of one name may be mixed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overloads {
    /// No call fits both.
    #[default]
    No,
    /// One that gives literals without types may.
    Perhaps,
    /// One that leaves arguments out does.
    Surely,
}

impl Overloads {
    /// Of two lists of arguments as the server writes them.
    fn of(one: &str, other: &str) -> Self {
        let arity = |arguments: &str| {
            let mut depth = 0;
            let commas = arguments.chars().filter(|letter| {
                depth += i32::from("([".contains(*letter)) - i32::from(")]".contains(*letter));
                *letter == ',' && depth == 0
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
    /// What is different in `after`.
    pub fn between(before: &SchemaSnapshot, after: &SchemaSnapshot) -> Vec<Self> {
        let keys: BTreeSet<_> = before.objects.keys().chain(after.objects.keys()).collect();
        let mut changes = Vec::new();
        for key in keys {
            match (before.objects.get(key), after.objects.get(key)) {
                (Some(old), Some(new)) => both(key, old, new, &mut changes),
                (Some(old), None) => changes.push(Self::of(key, None, removed(&old.properties))),
                (None, Some(new)) => {
                    changes.push(Self::of(key, None, added(key, new, before, after)));
                }
                (None, None) => {}
            }
        }
        changes
    }

    /// Whether it is only about who owns a thing, or may do what with it.
    pub fn is_access(&self) -> bool {
        matches!(&self.what, What::Changed { property, .. } if property.is_access())
    }

    fn of(object: &ObjectKey, part: Option<&PartKey>, what: What) -> Self {
        Self { object: object.clone(), part: part.cloned(), what }
    }
}

/// A new object. Of a partition it is told whether it takes less than the table above.
fn added(key: &ObjectKey, new: &Object, before: &SchemaSnapshot, after: &SchemaSnapshot) -> What {
    let arguments =
        |object: &Object| object.properties.get(Property::Arguments).unwrap_or_default().to_owned();
    let same_name = before.objects.iter().filter(|(other, _)| {
        is_called(key.kind) && is_called(other.kind) && other.bare_name() == key.bare_name()
    });
    let overloads = same_name.map(|(_, other)| Overloads::of(&arguments(new), &arguments(other)));
    let overloads = overloads.max_by_key(|overloads| *overloads as u8).unwrap_or_default();
    let mut properties = new.properties.clone();
    let above = new.properties.get(Property::PartitionOf);
    let above = above.and_then(|name| after.object(Kind::Table, name.rsplit('.').next().unwrap_or(name)));
    let narrower = |(part, said): &(&PartKey, &Properties)| {
        let is_check = part.kind == PartKind::Constraint && said.get(Property::Type) == Some("check");
        let is_above = |above: &Object| {
            above
                .parts
                .values()
                .any(|other| other.get(Property::Definition) == said.get(Property::Definition))
        };
        is_check && above.is_some_and(|above| !is_above(above))
    };
    if let Some((part, _)) = new.parts.iter().find(narrower) {
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

fn both(key: &ObjectKey, old: &Object, new: &Object, changes: &mut Vec<Change>) {
    properties(key, None, &old.properties, &new.properties, changes);
    let parts: BTreeSet<_> = old.parts.keys().chain(new.parts.keys()).collect();
    for part in parts {
        match (old.parts.get(part), new.parts.get(part)) {
            (Some(before), Some(after)) => properties(key, Some(part), before, after, changes),
            (Some(before), None) => changes.push(Change::of(key, Some(part), removed(before))),
            (None, Some(after)) => {
                let mut properties = after.clone();
                // Without row security on its table a policy does nothing.
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

/// The columns of `object` that `other` has too, in their order. The bare position is no change of its own:
/// what stands behind a column that is gone moves up.
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
    for property in named {
        let (from, to) = (before.get(property), after.get(property));
        // Another position is another order, or nothing; other columns are another definition.
        let is_said = !matches!(property, Property::Position | Property::Columns);
        if is_said && from != to {
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
    fn what_is_equal_has_no_difference() {
        assert!(lines(&table(&["a", "b"]), &table(&["a", "b"])).is_empty());
    }

    #[test]
    fn a_column_that_is_gone_does_not_move_the_others() {
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
    fn a_table_that_is_gone_says_it_for_its_columns() {
        assert_eq!(lines(&table(&["a"]), &SchemaSnapshot::default()), ["table t: removed"]);
        assert_eq!(lines(&SchemaSnapshot::default(), &table(&["a"])), ["table t: added"]);
    }

    #[test]
    fn a_function_beside_one_of_its_name_is_told_apart() {
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
