//! What was seen of one step of the chain, and of each of its statements.

use std::collections::BTreeMap;
use std::ops::Range;

use super::attributed::Attributed;
use super::beyond::Beyond;
use super::data::DataChange;
use super::reverse::Reversed;
use super::watch::{StatementTrace, Table, Use};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::catalog::Change;
use crate::queries::{Break, Unchecked};
use crate::sql::Scope;

/// One step of the chain, as the shadow saw it.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands in the chain.
    pub index: usize,
    /// Its statements, as far as they were watched.
    pub statements: Vec<Seen>,
    /// What it changed in all, each with the statement that did it.
    pub changes: Vec<Attributed<Change>>,
    /// What it did to rows.
    pub lost: Vec<Attributed<DataChange>>,
    /// What it did to queries of the running release.
    pub broken: Vec<Attributed<Break>>,
    /// What of the release says nothing about it.
    pub unchecked: Vec<Unchecked>,
    /// How a tenant that is made at its end differs from one that was migrated; of the last step that was watched.
    pub(super) new_tenant: Vec<String>,
    /// What became of undoing it, where the chain has a file that does.
    pub reversed: Option<Reversed>,
    /// Extensions that it made where no unit finds them, each with its schema.
    pub unreachable: Vec<(String, String)>,
    /// Whether triggers may wait for COMMIT in it.
    pub(super) has_deferred: bool,
    /// Why it could not be run.
    pub failure: Option<Failure>,
    /// Why it could not be run on the sample rows, though it could without them.
    pub failed_on_rows: Option<Failure>,
    /// Whether it ran without sample rows, so that nobody can say what it does to any.
    pub without_rows: bool,
    /// Whether it has a part of tenants that was not run, since no template reaches back to where it begins.
    pub no_tenants: bool,
    /// Why the shadow, of which this was the last step, could not be thrown away.
    pub left: Option<Failure>,
}

/// One statement, watched.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Where it stands in the file.
    pub range: Range<usize>,
    /// Whose it is.
    pub scope: Scope,
    /// Locks and costs.
    pub trace: StatementTrace,
    /// Whether it may have done what the sample does not show.
    pub blind: bool,
    /// Why it cannot be run again, though it says so.
    pub(super) unrepeatable: Option<String>,
    /// What it did elsewhere.
    pub(super) beyond: Vec<Beyond>,
    pub(super) changes: Vec<(SchemaName, Vec<Change>)>,
    pub(super) lost: Vec<DataChange>,
    /// How it used the tables that were there before the file.
    pub(super) uses: BTreeMap<Table, Use>,
}

impl Step {
    /// The step at `index`, of which nothing was seen yet.
    pub(super) fn new(index: usize) -> Self {
        Self {
            index,
            statements: Vec::new(),
            changes: Vec::new(),
            lost: Vec::new(),
            broken: Vec::new(),
            unchecked: Vec::new(),
            new_tenant: Vec::new(),
            reversed: None,
            unreachable: Vec::new(),
            has_deferred: false,
            failure: None,
            failed_on_rows: None,
            without_rows: false,
            no_tenants: false,
            left: None,
        }
    }

    /// Whether rows that were there were changed or taken away.
    pub(super) fn changes_rows(&self) -> bool {
        self.statements.iter().any(|seen| seen.uses.values().any(|it| it.changed > 0))
    }
}
