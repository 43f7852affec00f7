//! The text of a file as statements with spans: parsed by `squawk-syntax`, with what Tenure itself has
//! to know of each: which names it makes or touches, whether it may run in a transaction, whether it
//! is the file's own BEGIN, COMMIT or version row. This layer knows no version, no chain, no database.

mod column_options;
mod error;
mod escaped;
mod expected;
mod exported;
mod index;
mod known;
mod mentions;
mod named;
mod names;
mod one_transaction;
mod order;
mod own;
mod parameter;
mod placeholder;
mod qualify;
mod query;
mod refused;
mod repeat;
mod scope;
mod script;
mod session;
mod single_tenant;
mod syntax;
mod transaction;
mod tree;
mod unread;

use std::ops::Range;

pub use column_options::without_server_options;
pub use error::SqlError;
pub use expected::{TenantObjects, expect_in_order};
pub use exported::mended;
pub use index::{IndexParts, TableInDefinition};
pub use known::Known;
pub use mentions::{Mention, mention};
pub use named::{Named, TargetKind};
pub use names::{Name, RELATIONS, Role, normalized};
pub use own::{SEQUENCE as OWN_SEQUENCE, TABLES as OWN_TABLES};
pub use parameter::{ParameterKind, TemplateParameter, Use, Values, opening_lines};
pub use placeholder::{Filling, ORG_SCHEMA, Rendered, is_org_schema, names_org_schema};
pub use qualify::Lookup;
pub use query::{Destination, Parameter};
pub use scope::{Scope, ScopeClue};
pub use script::{Comment, IndexWork, Script, Statement};

pub use single_tenant::single_tenants;
pub use transaction::{Body, Bookkeeping, FileKind};
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
