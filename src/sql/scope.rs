//! The scope of a statement: the platform, where it runs once, or each tenant. Statements on objects outside schemas
//! always have platform scope.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use squawk_syntax::SyntaxKind;

use super::tree::{Kinds, Node};

/// The schemas that a statement runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The shared platform schema, once.
    Platform,
    /// Each tenant's schema.
    Tenant,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "platform",
            Self::Tenant => "tenant",
        })
    }
}

/// The scope that follows from the names in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeClue {
    /// The names determine the scope.
    Certain(Scope),
    /// The statement names no object (`SET LOCAL …`): it gets the scope of its neighbours.
    Inherited,
    /// The names do not determine the scope, or contradict each other; the text is the reason.
    Unclear(String),
}

/// Where the objects of a statement are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectLocation {
    Schema,
    /// The created object is temporary.
    Session,
    /// Objects of the database or the server, outside schemas.
    Database,
}

impl ObjectLocation {
    pub(super) fn of(statement: Node<'_>, all: &Kinds) -> Self {
        if is_global(statement) {
            Self::Database
        } else if all.contains(&[SyntaxKind::TEMP]) && statement.contains(&[SyntaxKind::TEMP]) {
            Self::Session
        } else {
            Self::Schema
        }
    }
}

/// Whether the statement acts on an object of the database or the server that is in no schema.
fn is_global(statement: Node<'_>) -> bool {
    let holds = |kinds: &[SyntaxKind]| statement.children().any(|child| kinds.contains(&child.kind()));
    match statement.kind() {
        SyntaxKind::COMMENT_ON | SyntaxKind::SECURITY_LABEL => holds(GLOBAL_OBJECTS),
        // Role membership, or privileges on such an object.
        SyntaxKind::GRANT | SyntaxKind::REVOKE => statement
            .children()
            .find(|child| child.kind() == SyntaxKind::ON_PRIVILEGE_OBJECTS_CLAUSE)
            .is_none_or(|on| on.children().any(|child| GLOBAL_OBJECTS.contains(&child.kind()))),
        // For the objects that a role creates in any schema.
        SyntaxKind::ALTER_DEFAULT_PRIVILEGES => !holds(&[SyntaxKind::IN_SCHEMAS]),
        kind => GLOBAL.contains(&kind),
    }
}

const GLOBAL_OBJECTS: &[SyntaxKind] = &[
    SyntaxKind::OBJECT_ACCESS_METHOD,
    SyntaxKind::OBJECT_CAST,
    SyntaxKind::OBJECT_DATABASE,
    SyntaxKind::OBJECT_EVENT_TRIGGER,
    SyntaxKind::OBJECT_EXTENSION,
    SyntaxKind::OBJECT_FOREIGN_DATA_WRAPPER,
    SyntaxKind::OBJECT_LANGUAGE,
    SyntaxKind::OBJECT_LARGE_OBJECT,
    SyntaxKind::OBJECT_PUBLICATION,
    SyntaxKind::OBJECT_ROLE,
    SyntaxKind::OBJECT_SERVER,
    SyntaxKind::OBJECT_SUBSCRIPTION,
    SyntaxKind::OBJECT_TABLESPACE,
    SyntaxKind::PRIVILEGE_DATABASE,
    SyntaxKind::PRIVILEGE_FOREIGN_DATA_WRAPPER,
    SyntaxKind::PRIVILEGE_FOREIGN_SERVER,
    SyntaxKind::PRIVILEGE_LANGUAGE,
    SyntaxKind::PRIVILEGE_LARGE_OBJECT,
    SyntaxKind::PRIVILEGE_PARAMETER,
    SyntaxKind::PRIVILEGE_TABLESPACE,
];

/// Statements on such objects.
const GLOBAL: &[SyntaxKind] = &[
    SyntaxKind::ALTER_DATABASE,
    SyntaxKind::ALTER_EVENT_TRIGGER,
    SyntaxKind::ALTER_EXTENSION,
    SyntaxKind::ALTER_FOREIGN_DATA_WRAPPER,
    SyntaxKind::ALTER_GROUP,
    SyntaxKind::ALTER_LANGUAGE,
    SyntaxKind::ALTER_LARGE_OBJECT,
    SyntaxKind::ALTER_PUBLICATION,
    SyntaxKind::ALTER_ROLE,
    SyntaxKind::ALTER_SERVER,
    SyntaxKind::ALTER_SUBSCRIPTION,
    SyntaxKind::ALTER_SYSTEM,
    SyntaxKind::ALTER_TABLESPACE,
    SyntaxKind::ALTER_USER,
    SyntaxKind::ALTER_USER_MAPPING,
    SyntaxKind::CREATE_ACCESS_METHOD,
    SyntaxKind::CREATE_DATABASE,
    SyntaxKind::CREATE_EVENT_TRIGGER,
    SyntaxKind::CREATE_EXTENSION,
    SyntaxKind::CREATE_FOREIGN_DATA_WRAPPER,
    SyntaxKind::CREATE_GROUP,
    SyntaxKind::CREATE_LANGUAGE,
    SyntaxKind::CREATE_PUBLICATION,
    SyntaxKind::CREATE_ROLE,
    SyntaxKind::CREATE_SERVER,
    SyntaxKind::CREATE_SUBSCRIPTION,
    SyntaxKind::CREATE_TABLESPACE,
    SyntaxKind::CREATE_USER,
    SyntaxKind::CREATE_USER_MAPPING,
    SyntaxKind::DROP_ACCESS_METHOD,
    SyntaxKind::DROP_DATABASE,
    SyntaxKind::DROP_EVENT_TRIGGER,
    SyntaxKind::DROP_EXTENSION,
    SyntaxKind::DROP_FOREIGN_DATA_WRAPPER,
    SyntaxKind::DROP_GROUP,
    SyntaxKind::DROP_LANGUAGE,
    SyntaxKind::DROP_OWNED,
    SyntaxKind::DROP_PUBLICATION,
    SyntaxKind::DROP_ROLE,
    SyntaxKind::DROP_SERVER,
    SyntaxKind::DROP_SUBSCRIPTION,
    SyntaxKind::DROP_TABLESPACE,
    SyntaxKind::DROP_USER,
    SyntaxKind::DROP_USER_MAPPING,
    SyntaxKind::REASSIGN,
];
