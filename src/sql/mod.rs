//! The text of a file as statements with spans: parsed by `squawk-syntax`, with what Tenure itself has
//! to know of each: which names it makes or touches, whether it may run in a transaction, whether it
//! is the file's own BEGIN, COMMIT or version row. This layer knows no version, no chain, no database.

mod column_options;
mod error;
mod expected;
mod index;
mod mentions;
mod names;
mod one_transaction;
mod order;
mod own;
mod parameter;
mod placeholder;
mod qualify;
mod query;
mod query_statistics;
mod repeatable;
mod scope;
mod scoped_names;
mod script;
mod session;
mod single_tenant;
mod syntax;
mod text_names;
mod transaction;
mod tree;
mod unicode_escape;
mod unreadable;
mod validate;

use std::ops::Range;

pub use column_options::without_server_options;
pub use error::SqlError;
pub use expected::{TenantObjects, expect_in_order};
pub use index::{IndexParts, TableInDefinition};
pub use mentions::{Mention, mention};
pub use names::{Name, NameRole, RELATIONS, normalized};
pub use own::TABLES as OWN_TABLES;
pub use parameter::{ParameterKind, ParameterUse, ParameterValues, TemplateParameter, opening_lines};
pub use placeholder::{ORG_SCHEMA, Rendered, Substitution, is_org_schema, names_org_schema};
pub use qualify::Lookup;
pub use query::{Destination, Parameter};
pub use query_statistics::cast_typed_parameters;
pub use scope::{Scope, ScopeClue};
pub use scoped_names::ScopedNames;
pub use script::{Comment, IndexAction, Script, Statement};
pub use text_names::{TargetKind, TextNames};

pub use single_tenant::tenant_schema_ranges;
pub use transaction::{Body, FileKind, MetadataFilter};
pub use tree::{Kinds, Node, Token};

/// The stack of a thread that parses, judges or drops files. Only what is used of it is memory: the deepest
/// tree that is let pass takes a third of it in a debug build, far less in a release.
pub const STACK: usize = 128 << 20;

/// Some bytes of the `file`-th file of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file's index: a template has several files, a migration one.
    pub file: usize,
    /// Bytes of its text.
    pub range: Range<usize>,
}
