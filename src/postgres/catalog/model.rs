//! The snapshot of a schema: objects by kind and name, their parts, and their properties. Ordered maps; pure.

use std::collections::BTreeMap;
use std::fmt;

use crate::ident::{SchemaName, without_word};
use crate::sql::ORG_SCHEMA;

macro_rules! names {
    ($(#[$meta:meta])* $type:ident { $($variant:ident $name:literal)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the name of each variant describes it")]
        pub enum $type { $($variant,)* }

        impl $type {
            /// All variants.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The variant with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

names! {
    /// The kind of an object.
    Kind {
        Schema "schema"
        Table "table"
        View "view"
        MaterializedView "materialized view"
        ForeignTable "foreign table"
        Sequence "sequence"
        Function "function"
        Procedure "procedure"
        Aggregate "aggregate"
        Operator "operator"
        Enum "enum"
        CompositeType "composite type"
        Domain "domain"
        Range "range"
        Collation "collation"
        Statistics "statistics"
        Extension "extension"
    }
}

names! {
    /// The kind of a part of an object.
    PartKind {
        Column "column"
        Constraint "constraint"
        Index "index"
        Trigger "trigger"
        Rule "rule"
        Policy "policy"
    }
}

names! {
    /// A property of an object or a part. A missing property has its default.
    Property {
        Type "type"
        NotNull "not null"
        Default "default"
        Generated "generated"
        Identity "identity"
        IdentitySequence "sequence"
        Collation "collation"
        Storage "storage"
        Compression "compression"
        StatisticsTarget "statistics target"
        Position "position"
        Columns "columns"
        Definition "definition"
        Validated "validated"
        Valid "valid"
        Unique "unique"
        Enabled "enabled"
        Command "command"
        Permissive "permissive"
        Roles "roles"
        Using "using"
        Check "check"
        Persistence "persistence"
        PartitionKey "partition key"
        PartitionOf "partition of"
        PartitionBound "partition bound"
        Inherits "inherits"
        OfType "of type"
        AccessMethod "access method"
        Options "options"
        RowSecurity "row security"
        ReplicaIdentity "replica identity"
        Populated "populated"
        Server "server"
        Start "start"
        Increment "increment"
        Min "min"
        Max "max"
        Cache "cache"
        Cycle "cycle"
        OwnedBy "owned by"
        Arguments "arguments"
        Result "result"
        Language "language"
        Window "window"
        Volatility "volatility"
        Strict "strict"
        Security "security"
        Leakproof "leakproof"
        Parallel "parallel"
        Cost "cost"
        Rows "rows"
        Library "library"
        Aggregate "aggregate"
        Body "body"
        Uses "uses"
        Labels "labels"
        Provider "provider"
        Locale "locale"
        LetterTypes "ctype"
        CollationRules "rules"
        Deterministic "deterministic"
        Version "version"
        InSchema "schema"
        Comment "comment"
        Owner "owner"
        Privileges "privileges"
        DefaultPrivileges "default privileges"
    }
}

impl Property {
    /// Whether its value contains expressions or queries.
    pub(super) const fn is_expression(self) -> bool {
        matches!(
            self,
            Self::Default
                | Self::Generated
                | Self::Definition
                | Self::Using
                | Self::Check
                | Self::PartitionKey
                | Self::Arguments
        )
    }

    /// Whether it is an owner or a privilege. Roles belong to a server, not to the files of a project.
    pub const fn is_access(self) -> bool {
        matches!(self, Self::Owner | Self::Privileges | Self::DefaultPrivileges)
    }
}

/// Separates the properties of a line.
pub(super) const PROPERTY_SEPARATOR: char = '\x1f';
/// Separates the members of a list.
pub(super) const MEMBER_SEPARATOR: char = '\x1e';

/// The properties of an object or a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<Property, String>);

impl Properties {
    /// Parses `name=value` pairs. Text that is not a property belongs to the value before it, since a body may
    /// contain any character.
    pub(super) fn read(&mut self, text: &str) {
        let mut last = None;
        for piece in text.split(PROPERTY_SEPARATOR) {
            let known = piece
                .split_once('=')
                .and_then(|(name, value)| Some((Property::from_name(name)?, value)))
                .filter(|(property, _)| !self.0.contains_key(property));
            if let Some((property, value)) = known {
                self.0.insert(property, value.to_owned());
                last = Some(property);
            } else if let Some(value) = last.and_then(|property| self.0.get_mut(&property)) {
                value.push(PROPERTY_SEPARATOR);
                value.push_str(piece);
            }
        }
    }

    /// The value, if it is not the default.
    pub fn get(&self, property: Property) -> Option<&str> {
        self.0.get(&property).map(String::as_str)
    }

    /// The members of a list value; empty for the default.
    pub fn list(&self, property: Property) -> Vec<&str> {
        self.get(property).map(members).unwrap_or_default()
    }

    /// Whether it differs from the default.
    pub fn has(&self, property: Property) -> bool {
        self.0.contains_key(&property)
    }

    /// All properties that differ from their default.
    pub fn iter(&self) -> impl Iterator<Item = (Property, &str)> {
        self.0.iter().map(|(property, value)| (*property, value.as_str()))
    }

    /// Replaces `name`, as a word, with the placeholder of the schema's own name: in all values, or only outside of strings in
    /// expressions, where the server prints names.
    fn without_name(&self, name: &str, texts: Texts) -> Self {
        let value = |property: Property, text: &str| match texts {
            _ if property.is_access() || property == Property::Roles => {
                without_word(text, name, ORG_SCHEMA, char::is_alphanumeric)
            }
            Texts::Compared if !property.is_expression() => text.to_owned(),
            Texts::Compared => {
                let pieces = text.split('\'').enumerate().map(|(nth, piece)| match nth % 2 {
                    0 => without_word(piece, name, ORG_SCHEMA, is_in_word),
                    _ => piece.to_owned(),
                });
                pieces.collect::<Vec<_>>().join("'")
            }
            Texts::Ignored => without_word(text, name, ORG_SCHEMA, is_in_word),
        };
        Self(self.0.iter().map(|(property, text)| (*property, value(*property, text))).collect())
    }

    pub(super) fn map(&self, value: impl Fn(&str) -> String) -> Self {
        Self(self.0.iter().map(|(property, text)| (*property, value(text))).collect())
    }

    pub(super) fn set(&mut self, property: Property, value: String) {
        self.0.insert(property, value);
    }
}

impl<const N: usize> From<[(Property, &str); N]> for Properties {
    fn from(pairs: [(Property, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(property, value)| (property, value.to_owned())).collect())
    }
}

/// Whether texts of users that contain a name are compared: strings, bodies and comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// They are.
    Compared,
    /// The name is replaced in them, too.
    Ignored,
}

fn is_in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// The members of a list.
pub(super) fn members(value: &str) -> Vec<&str> {
    value.split(MEMBER_SEPARATOR).collect()
}

/// An object's kind and name. The name of a function contains its argument types: `total(integer)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: Kind,
    /// The name in its schema.
    pub name: String,
}

impl ObjectKey {
    /// The name without argument types.
    pub fn bare_name(&self) -> &str {
        match self.kind {
            Kind::Function | Kind::Procedure | Kind::Aggregate | Kind::Operator => {
                self.name.split_once('(').map_or(self.name.as_str(), |(name, _)| name)
            }
            _ => &self.name,
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            // Its name is a placeholder.
            Kind::Schema => f.write_str("schema"),
            kind => write!(f, "{kind} {}", self.name),
        }
    }
}

/// A part's kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// The kind.
    pub kind: PartKind,
    /// The name.
    pub name: String,
}

/// An object of a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Its properties.
    pub properties: Properties,
    /// Its columns, constraints, indexes, triggers, rules, policies.
    pub parts: BTreeMap<PartKey, Properties>,
}

/// The contents of a schema at one moment, and the extensions of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaSnapshot {
    /// Objects by kind and name.
    pub objects: BTreeMap<ObjectKey, Object>,
}

impl SchemaSnapshot {
    /// Whether the schema existed.
    pub fn has_schema(&self) -> bool {
        self.objects.keys().any(|key| key.kind == Kind::Schema)
    }

    /// Finds an object by kind and name.
    pub fn object(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&ObjectKey { kind, name: name.to_owned() })
    }

    /// The snapshot without the name of a schema. A snapshot leaves out its own schema's name, but a table, an alias or a word in a
    /// text may have the same name: it is left out there, too, so compare with a snapshot that lacks the same names.
    #[must_use]
    pub fn without_name(&self, schema: &SchemaName, texts: Texts) -> Self {
        let own = |properties: &Properties| properties.without_name(schema.as_str(), texts);
        let object = |object: &Object| Object {
            properties: own(&object.properties),
            parts: object.parts.iter().map(|(part, properties)| (part.clone(), own(properties))).collect(),
        };
        Self { objects: self.objects.iter().map(|(key, it)| (key.clone(), object(it))).collect() }
    }

    /// Removes the objects for which `is_excluded` is true, such as Tenure's own tables.
    #[must_use]
    pub fn without(mut self, is_excluded: impl Fn(&ObjectKey) -> bool) -> Self {
        self.objects.retain(|key, _| !is_excluded(key));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parsed() {
        let mut properties = Properties::default();
        properties.read("type=text\x1fdefault='a=b'::text\x1flabels=x\x1ey");
        properties.read("comment=one\x1ftwo\x1fno such=three");
        assert_eq!(properties.get(Property::Type), Some("text"));
        assert_eq!(properties.get(Property::Default), Some("'a=b'::text"));
        assert_eq!(properties.list(Property::Labels), ["x", "y"]);
        assert_eq!(properties.get(Property::Comment), Some("one\x1ftwo\x1fno such=three"));
        assert!(!properties.has(Property::NotNull));
    }

    #[test]
    fn a_body_with_separators_changes_no_other_property() {
        let mut properties = Properties::default();
        properties.read("comment=c\x1fbody=x\x1fcomment=y");
        assert_eq!(properties.get(Property::Comment), Some("c"));
        assert_eq!(properties.get(Property::Body), Some("x\x1fcomment=y"));
    }

    #[test]
    fn a_name_is_replaced_as_a_word() {
        let replaced = |text: &str| without_word(text, "org_a", ORG_SCHEMA, is_in_word);
        for (text, expected) in [
            ("org_a.id, x.org_a", "{org_schema}.id, x.{org_schema}"),
            ("\"org_a\".\"org_a", "{org_schema}.\"{org_schema}"),
            ("org_ab my_org_a org_a$ borg_a_idx", "org_ab my_org_a org_a$ borg_a_idx"),
            ("org_aorg_a org_a", "org_aorg_a {org_schema}"),
            ("org_a", "{org_schema}"),
        ] {
            assert_eq!(replaced(text), expected);
        }
        let properties = Properties::from([(Property::Check, "a.b = 'a'"), (Property::Comment, "a")]);
        let expected =
            Properties::from([(Property::Check, "{org_schema}.b = 'a'"), (Property::Comment, "a")]);
        assert_eq!(properties.without_name("a", Texts::Compared), expected);
    }

    #[test]
    fn every_name_is_unique() {
        for property in Property::ALL {
            assert_eq!(Property::from_name(property.as_str()), Some(*property));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.as_str()), Some(*kind));
        }
        assert_eq!(PartKind::from_name("nothing"), None);
    }

    #[test]
    fn bare_names_have_no_argument_types() {
        let key = |kind, name: &str| ObjectKey { kind, name: name.to_owned() };
        assert_eq!(key(Kind::Function, "f(integer, text)").bare_name(), "f");
        assert_eq!(key(Kind::Table, "a(b").bare_name(), "a(b");
        assert_eq!(key(Kind::Schema, "{org_schema}").to_string(), "schema");
    }
}
