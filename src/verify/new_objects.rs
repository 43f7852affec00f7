//! The objects that a file has created so far, which no release uses yet, so that rules can skip them. An object counts as
//! old unless it is certainly new: `IF NOT EXISTS` and `OR REPLACE` are not proof, nor is an unqualified name after a change
//! of the search path.

use std::collections::{HashMap, HashSet};

use squawk_syntax::SyntaxKind;

use super::schema::{Routine, SchemaRef};
use crate::sql::{Name, NameRole, Node, RELATIONS, Scope, Script, Statement};

/// The objects that a file or a template has created.
#[derive(Debug, Default)]
pub(super) struct NewObjects<'a> {
    platform: &'a str,
    in_template: bool,
    /// The kind of the creating statement for each object.
    objects: HashMap<Key, SyntaxKind>,
    path_changed: bool,
    /// Whether a new table is the partition or the child of another one.
    joined: bool,
    /// The unqualified names of all routines that the file defines, new or not.
    defined: HashSet<String>,
}

/// Identifies an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    space: Space,
    home: SchemaRef,
    /// A routine's name ends with its parameter types, in parentheses.
    name: String,
}

/// A namespace. Tables, views, indexes, sequences and types share one, since each relation is also a type (manual, chapter
/// 52: the unique keys of `pg_class` and `pg_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Space {
    Relation,
    Routine,
    Schema,
}

impl<'a> NewObjects<'a> {
    /// No objects. In a template, `IF NOT EXISTS` creates objects too, since the schema is new.
    pub(super) fn new(platform: &'a str, in_template: bool) -> Self {
        Self { platform, in_template, ..Self::default() }
    }

    /// Whether `name`, in the statement `node`, is certainly a new object.
    pub(super) fn holds(&self, name: &Name, node: Node<'_>, scope: Option<Scope>) -> bool {
        if self.in_fresh_schema(name) {
            return true;
        }
        let Some(wanted) = self.key(name, signature(name, node), scope) else { return false };
        if wanted.space != Space::Routine || wanted.name.ends_with(')') {
            return self.objects.contains_key(&wanted);
        }
        // The server accepts a name without parameters only if it is unique.
        self.objects.keys().any(|key| {
            (key.space, &key.home) == (wanted.space, &wanted.home)
                && key.name.strip_prefix(&wanted.name).is_some_and(|rest| rest.starts_with('('))
        })
    }

    /// Whether `name` is certainly a new table: a new view may contain rows of an old table.
    pub(super) fn holds_table(&self, name: &Name, scope: Option<Scope>) -> bool {
        let is_table = |kind: &SyntaxKind| TABLES.contains(kind);
        self.in_fresh_schema(name)
            || self.key(name, None, scope).is_some_and(|key| self.objects.get(&key).is_some_and(is_table))
    }

    /// Whether the file defined a routine of that name, in any schema.
    pub(super) fn defines(&self, name: &Name) -> bool {
        self.defined.contains(&name.name)
    }

    /// Adds the object that a statement creates; removes those that it drops, renames or moves. `proven`: no object had that
    /// name before.
    pub(super) fn learn(
        &mut self,
        statement: &Statement,
        script: &Script,
        node: Node<'_>,
        scope: Option<Scope>,
        proven: bool,
    ) {
        self.path_changed |= statement.changes_search_path;
        let made = statement.names.iter().find(|name| name.role == NameRole::Created);
        let targets = || statement.names.iter().filter(|name| name.role == NameRole::Target);
        self.defined.extend(made.filter(|name| ROUTINES.contains(&name.kind)).map(|name| name.name.clone()));
        if CREATES.contains(&statement.kind) {
            let unproven = node.has_child(&[SyntaxKind::IF_NOT_EXISTS, SyntaxKind::OR_REPLACE]);
            let Some(name) = made.filter(|_| !unproven || proven || self.in_template) else { return };
            // The partition receives rows that are written to the parent.
            let parent = node.child(SyntaxKind::PARTITION_OF).is_some();
            if parent && !targets_of_partition(statement).all(|name| self.holds_table(name, scope)) {
                return;
            }
            let parameters = ROUTINES.contains(&name.kind).then(|| parameters(node));
            let Some(mut key) = self.key(name, parameters, scope) else { return };
            if script.contains(&[SyntaxKind::TEMP]) && node.contains(&[SyntaxKind::TEMP]) {
                key.home = SchemaRef::Temporary;
            } else if let (SyntaxKind::CREATE_INDEX, Some(table)) = (statement.kind, targets().next()) {
                // An index is in its table's schema.
                let Some(home) = self.home(table, scope) else { return };
                key.home = home;
            }
            self.joined |= parent || node.has_child(&[SyntaxKind::INHERITS]);
            self.objects.insert(key, statement.kind);
        } else if drops_its_targets(statement.kind) || (script.contains(MOVES) && node.contains(MOVES)) {
            let mut tables = statement.names.iter().filter(|name| RELATIONS.contains(&name.kind));
            if node.contains(JOINS) {
                // A new table gets the rows of another one, which is new too.
                if tables.all(|name| self.holds_table(name, scope)) {
                    self.joined = true;
                    return;
                }
                // Its new parent gets the old rows too.
                if self.joined {
                    self.objects.retain(|_, kind| !TABLES.contains(kind));
                }
            }
            let old: Vec<Key> =
                targets().filter_map(|name| self.key(name, signature(name, node), scope)).collect();
            for key in old {
                if let (Some(kind), Some(new)) = (self.objects.remove(&key), made) {
                    self.objects.insert(Key { name: new.name.clone(), ..key }, kind);
                }
            }
        }
    }

    /// Whether the object is in a template's own schema, where all objects are new.
    fn in_fresh_schema(&self, name: &Name) -> bool {
        self.in_template && name.in_tenant_schema()
    }

    fn key(&self, name: &Name, parameters: Option<String>, scope: Option<Scope>) -> Option<Key> {
        let space = match name.kind {
            SyntaxKind::SCHEMA | SyntaxKind::SCHEMA_REF => Space::Schema,
            kind if ROUTINES.contains(&kind) => Space::Routine,
            _ => Space::Relation,
        };
        let home = self.home(name, scope)?;
        let key = Key { space, home, name: format!("{}{}", name.name, parameters.unwrap_or_default()) };
        let temporary = Key { home: SchemaRef::Temporary, ..key.clone() };
        let hidden = name.schema.is_none() && self.objects.contains_key(&temporary);
        Some(if hidden { temporary } else { key })
    }

    fn home(&self, name: &Name, scope: Option<Scope>) -> Option<SchemaRef> {
        Some(match (name.schema.as_deref(), scope) {
            (Some(_), _) if name.in_tenant_schema() => SchemaRef::Tenant,
            (Some("pg_temp"), _) => SchemaRef::Temporary,
            (Some(schema), _) if schema == self.platform => SchemaRef::Platform,
            (Some(schema), _) => SchemaRef::Named(schema.to_owned()),
            (None, _) if self.path_changed => return None,
            (None, Some(Scope::Tenant)) => SchemaRef::Tenant,
            (None, Some(Scope::Platform)) => SchemaRef::Platform,
            (None, None) if self.in_template => SchemaRef::Tenant,
            (None, None) => SchemaRef::Bare,
        })
    }
}

/// The parent of the partition that the statement creates.
fn targets_of_partition(statement: &Statement) -> impl Iterator<Item = &Name> {
    statement.names.iter().filter(|name| name.kind == SyntaxKind::TABLE_NAME_REF).take(1)
}

/// The parameter types with which a statement refers to the routine `name`: `DROP FUNCTION f(int)`.
fn signature(name: &Name, node: Node<'_>) -> Option<String> {
    let is_routine = ROUTINES.contains(&name.kind);
    let types = is_routine.then(|| super::schema::signature(name, node)).flatten()?;
    Some(format!("({})", types.join(",")))
}

/// The parameter types of the routine that `node` creates.
fn parameters(node: Node<'_>) -> String {
    format!("({})", Routine::of(node).inputs.join(","))
}

/// Whether the statement's targets are dropped. The target of `DROP POLICY` is the table, which remains.
fn drops_its_targets(kind: SyntaxKind) -> bool {
    is_drop(kind)
        && !matches!(kind, SyntaxKind::DROP_POLICY | SyntaxKind::DROP_RULE | SyntaxKind::DROP_TRIGGER)
}

/// Whether statements of this kind create objects.
pub(super) fn is_create(kind: SyntaxKind) -> bool {
    CREATES.contains(&kind)
}

/// Whether statements of this kind drop objects.
pub(super) fn is_drop(kind: SyntaxKind) -> bool {
    format!("{kind:?}").starts_with("DROP_")
}

const TABLES: &[SyntaxKind] =
    &[SyntaxKind::CREATE_TABLE, SyntaxKind::CREATE_TABLE_AS, SyntaxKind::SELECT_INTO];

const CREATES: &[SyntaxKind] = &[
    SyntaxKind::CREATE_DOMAIN,
    SyntaxKind::CREATE_FOREIGN_TABLE,
    SyntaxKind::CREATE_FUNCTION,
    SyntaxKind::CREATE_INDEX,
    SyntaxKind::CREATE_MATERIALIZED_VIEW,
    SyntaxKind::CREATE_PROCEDURE,
    SyntaxKind::CREATE_SCHEMA,
    SyntaxKind::CREATE_SEQUENCE,
    SyntaxKind::CREATE_TABLE,
    SyntaxKind::CREATE_TABLE_AS,
    SyntaxKind::CREATE_TYPE,
    SyntaxKind::CREATE_VIEW,
    SyntaxKind::SELECT_INTO,
];

const ROUTINES: &[SyntaxKind] = &[
    SyntaxKind::AGGREGATE_NAME,
    SyntaxKind::FUNCTION_NAME,
    SyntaxKind::FUNCTION_NAME_REF,
    SyntaxKind::PROCEDURE_NAME,
    SyntaxKind::PROCEDURE_NAME_REF,
    SyntaxKind::ROUTINE_NAME_REF,
];

const JOINS: &[SyntaxKind] = &[SyntaxKind::ATTACH_PARTITION, SyntaxKind::INHERIT_TABLE];

/// After these, a name refers to another object, or a new table contains old rows.
const MOVES: &[SyntaxKind] = &[
    SyntaxKind::ATTACH_PARTITION,
    SyntaxKind::DOMAIN_RENAME_TO,
    SyntaxKind::FUNCTION_RENAME_TO,
    SyntaxKind::INDEX_RENAME_TO,
    SyntaxKind::INHERIT_TABLE,
    SyntaxKind::PROCEDURE_RENAME_TO,
    SyntaxKind::ROUTINE_RENAME_TO,
    SyntaxKind::SCHEMA_RENAME_TO,
    SyntaxKind::SEQUENCE_RENAME_TO,
    SyntaxKind::SET_SCHEMA,
    SyntaxKind::TABLE_RENAME_TO,
    SyntaxKind::TYPE_RENAME_TO,
    SyntaxKind::VIEW_RENAME_TO,
];
