//! Parses the text of a file into statements with spans, and classifies each statement: the names in it, its scope,
//! whether it may run in a transaction, and whether Tenure executes it itself. Text for the server is rendered here too.
//! No versions, migration chains or database access belong here.

mod code;
mod column_options;
mod condition;
mod definer;
mod dump;
mod error;
mod expected;
mod index;
mod mentions;
mod names;
mod one_transaction;
mod order;
mod own;
mod own_name;
mod parameter;
mod placeholder;
mod plpgsql;
mod qualify;
mod query;
mod query_statistics;
mod renamed;
mod repeatable;
mod scope;
mod scoped_names;
mod script;
mod session;
mod single_tenant;
mod superuser;
mod syntax;
mod text_names;
mod transaction;
mod tree;
mod unicode_escape;
mod unreadable;
mod validate;

use std::ops::Range;

pub use code::{Code, Guard, Runs};
pub use column_options::without_server_options;
pub use condition::Condition;
pub use definer::{reads_nothing, runs_other_text};
pub use dump::dumped_statements;
pub use error::SqlError;
pub use expected::{TenantObjects, expect_in_order};
pub use index::{IndexParts, TableInDefinition};
pub use mentions::{Mention, mention};
pub use names::{MAX_NAME_BYTES, Name, NameRole, RELATIONS, normalized, shortest_form};
pub use own::{SEQUENCE as OWN_SEQUENCE, TABLES as OWN_TABLES};
pub use own_name::{OwnName, with_placeholder};
pub use parameter::{ParameterKind, ParameterUse, ParameterValues, TemplateParameter, opening_lines};
pub use placeholder::{
    ORG_ROLE, ORG_SCHEMA, Rendered, STAND_IN, Substitution, TenantNames, is_org_schema, names_org_schema,
};
pub use qualify::Lookup;
pub use query::{Destination, Parameter};
pub use query_statistics::cast_typed_parameters;
pub use renamed::Renamed;
pub use scope::{Scope, ScopeClue};
pub use scoped_names::ScopedNames;
pub use script::{Comment, IndexAction, Script, Statement, mentions};
pub use session::empties_search_path;
pub use text_names::{TablePart, TargetKind, TextNames};

pub use single_tenant::tenant_schema_ranges;
pub use superuser::{SuperuserAction, SuperuserStatement, roles_created_by_code, roles_named};
pub use transaction::{Body, FileKind, MetadataFilter, extension_acts_on_server_host};
pub use tree::{Kinds, Node, Token};

/// The stack size, in bytes, of a thread that parses, verifies or drops files. The deepest tree that
/// the parser accepts uses a third of it in a debug build, and far less in a release build.
pub const STACK: usize = 128 << 20;

/// A byte range of one file of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The index of the file. A template has several files, a migration one.
    pub file: usize,
    /// The bytes of its text.
    pub range: Range<usize>,
}
