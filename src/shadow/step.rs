//! The observed effects of one step of the chain, and of each of its statements.

use std::collections::BTreeMap;
use std::ops::Range;

use super::attributed::{Attributed, JudgedChange};
use super::beyond::OutsideEffect;
use super::data::DataChange;
use super::reverse::Reversed;
use super::watch::{RowUsage, StatementTrace, Table};
use crate::error::Failure;
use crate::ident::SchemaName;
use crate::postgres::catalog::Change;
use crate::queries::{Break, Unchecked};
use crate::sql::Scope;

/// The observed effects of a step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its index in the chain.
    pub index: usize,
    /// Its statements, up to the first that failed.
    pub statements: Vec<ObservedStatement>,
    /// Its changes, each with the statement that made it.
    pub changes: Vec<Attributed<JudgedChange>>,
    /// Its losses of data.
    pub lost: Vec<Attributed<DataChange>>,
    /// The queries of the running release that it broke.
    pub broken: Vec<Attributed<Break>>,
    /// The queries of the release that could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// How a tenant that is created after the step differs from a migrated one. Only set for the last step.
    pub(super) new_tenant: Vec<String>,
    /// The result of its down migration, if it has one.
    pub reversed: Option<Reversed>,
    /// The effects of a step without a transaction outside of its units' schemas.
    pub(super) beyond: Vec<(Scope, OutsideEffect)>,
    /// The extensions that it created outside of every unit's search path, each with its schema.
    pub unreachable: Vec<(String, String)>,
    /// Whether a trigger may be deferred to COMMIT.
    pub(super) has_deferred: bool,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Why it failed on the sample rows; it succeeded without them.
    pub failed_on_rows: Option<Failure>,
    /// Its statements that were not run, which its file accepts: the bytes, the name for an Allow line, and the reason.
    pub(super) not_observed: Vec<(Range<usize>, String, String)>,
    /// Whether it ran without sample rows, so that its effects on rows are unknown.
    pub without_rows: bool,
    /// Whether its tenant part was not run, since no template has a version that old.
    pub no_tenants: bool,
    /// Why the shadow, of which this was the last step, could not be cleaned up.
    pub cleanup_failure: Option<Failure>,
}

/// The observed effects of a statement.
#[derive(Debug, Clone)]
pub struct ObservedStatement {
    /// Its byte range in the file.
    pub range: Range<usize>,
    /// Its scope.
    pub scope: Scope,
    /// Its locks and costs.
    pub trace: StatementTrace,
    /// Whether it may have effects that the sample does not show.
    pub may_hide_effects: bool,
    /// Why it cannot run a second time, though it claims to.
    pub(super) unrepeatable: Option<String>,
    /// Its effects outside of the unit's schema.
    pub(super) beyond: Vec<OutsideEffect>,
    pub(super) changes: Vec<(SchemaName, Vec<Change>)>,
    pub(super) lost: Vec<DataChange>,
    /// How it used the tables that existed before the file.
    pub(super) uses: BTreeMap<Table, RowUsage>,
}

impl Step {
    /// An empty record of the step at `index`.
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
            beyond: Vec::new(),
            unreachable: Vec::new(),
            has_deferred: false,
            failure: None,
            failed_on_rows: None,
            not_observed: Vec::new(),
            without_rows: false,
            no_tenants: false,
            cleanup_failure: None,
        }
    }

    /// Whether it updated or deleted existing rows.
    pub(super) fn changes_rows(&self) -> bool {
        self.statements.iter().any(|seen| seen.uses.values().any(|it| it.changed > 0))
    }
}
