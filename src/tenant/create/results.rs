//! A tenant to create, and the outcomes of all tenants. The workers run on one thread.

use std::collections::BTreeMap;

use super::Provisioned;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::ident::{DisplayName, Identifier};
use crate::postgres::metadata::registry::ExistingRow;
use crate::template::{BoundParameters, Template};
use crate::tenant::NewTenant;
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::{Created, FailedTenant};

/// A tenant to create.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// Its index in the list.
    pub(super) index: usize,
    pub(super) tenant: TenantRecord,
    pub(super) template: &'a Template,
    /// The values of the template's parameters.
    pub(super) filled: BoundParameters,
    /// The number of attempts.
    pub(super) attempts: u32,
    /// The number of platform migrations during the attempts.
    pub(super) moves: usize,
    /// Whether the schema exists, and only steps remain.
    pub(super) begun: bool,
    /// The display name, if one was requested.
    pub(super) named: Option<DisplayName>,
    /// The values of other columns of the registry, as SQL.
    pub(super) columns: BTreeMap<Identifier, String>,
    /// The registry row that existed before, if there is one.
    pub(super) completes: Option<ExistingRow>,
}

/// The outcomes.
pub(super) struct Results<'a> {
    requested: &'a [NewTenant],
    outcomes: Vec<Option<Result<Provisioned, Failure>>>,
    /// The indexes of duplicate slugs, each with the index of the first.
    duplicates: Vec<(usize, usize)>,
    /// The platform's version.
    pub(super) at: Version,
    pub(super) sink: &'a mut dyn Sink,
}

impl<'a> Results<'a> {
    pub(super) fn new(requested: &'a [NewTenant], at: Version, sink: &'a mut dyn Sink) -> Self {
        Self {
            requested,
            outcomes: requested.iter().map(|_| None).collect(),
            duplicates: Vec::new(),
            at,
            sink,
        }
    }

    /// Records that the slug at `index` duplicates that at `first`.
    pub(super) fn add_duplicate(&mut self, index: usize, first: usize) {
        self.duplicates.push((index, first));
    }

    pub(super) fn duplicates(&self) -> Vec<(usize, usize)> {
        self.duplicates.clone()
    }

    pub(super) fn result(&self, index: usize) -> Option<Result<Provisioned, Failure>> {
        self.outcomes.get(index).cloned().flatten()
    }

    /// Records the outcome for the tenant at `index`.
    pub(super) fn settle(&mut self, index: usize, result: Result<Provisioned, Failure>) {
        let slug = &self.requested[index].slug;
        match &result {
            Ok(_) => self.sink.take(&Event::TenantDone { slug }),
            Err(failure) => self.sink.take(&Event::TenantFailed { slug, failure }),
        }
        self.outcomes[index] = Some(result);
    }

    /// Records an interruption for the tenants without an outcome.
    pub(super) fn interrupt_remaining(&mut self) {
        for index in 0..self.requested.len() {
            if self.outcomes[index].is_none() {
                let failure = Failure::new(Code::Interrupted, "interrupted before this tenant was created")
                    .hint("run the command again with --if-not-exists to create the rest");
                self.settle(index, Err(failure));
            }
        }
    }

    /// The outcomes, in the order of the list.
    pub(super) fn outcome(&self) -> Created {
        let mut outcome = Created::default();
        for (tenant, result) in self.requested.iter().zip(&self.outcomes) {
            match result {
                Some(Ok(Provisioned::New(tenant))) => outcome.created.push(tenant.clone()),
                Some(Ok(Provisioned::Existing(tenant))) => outcome.existing.push(tenant.clone()),
                Some(Err(failure)) => {
                    outcome
                        .failures
                        .push(FailedTenant { slug: tenant.slug.clone(), failure: failure.clone() });
                }
                None => {}
            }
        }
        outcome
    }
}
