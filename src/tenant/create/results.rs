//! A tenant to be made, and what became of all of them. One thread runs all workers.

use super::super::NewTenant;
use super::Provisioned;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::template::{Filled, Template};
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::{Created, FailedTenant};

/// A tenant to be made.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// Where it stands in the list.
    pub(super) index: usize,
    pub(super) tenant: TenantRecord,
    pub(super) template: &'a Template,
    /// The values of the template's parameters.
    pub(super) filled: Filled,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// How often the platform moved under it.
    pub(super) moves: usize,
    /// Whether its schema is there already, and only steps are to come.
    pub(super) begun: bool,
}

/// What became of each tenant.
pub(super) struct Results<'a> {
    wanted: &'a [NewTenant],
    results: Vec<Option<Result<Provisioned, Failure>>>,
    /// Slugs that stand in the list once more, each with where it stands first.
    repeats: Vec<(usize, usize)>,
    /// Where the platform is.
    pub(super) at: Version,
    pub(super) sink: &'a mut dyn Sink,
}

impl<'a> Results<'a> {
    pub(super) fn new(wanted: &'a [NewTenant], at: Version, sink: &'a mut dyn Sink) -> Self {
        Self { wanted, results: wanted.iter().map(|_| None).collect(), repeats: Vec::new(), at, sink }
    }

    /// The slug at `index` stands at `first` already.
    pub(super) fn repeat(&mut self, index: usize, first: usize) {
        self.repeats.push((index, first));
    }

    pub(super) fn repeats(&self) -> Vec<(usize, usize)> {
        self.repeats.clone()
    }

    pub(super) fn result(&self, index: usize) -> Option<Result<Provisioned, Failure>> {
        self.results.get(index).cloned().flatten()
    }

    /// What became of the tenant at `index`.
    pub(super) fn settle(&mut self, index: usize, result: Result<Provisioned, Failure>) {
        let slug = &self.wanted[index].slug;
        match &result {
            Ok(_) => self.sink.take(&Event::TenantDone { slug }),
            Err(failure) => self.sink.take(&Event::TenantFailed { slug, failure }),
        }
        self.results[index] = Some(result);
    }

    /// Those that were not begun when the command was interrupted.
    pub(super) fn interrupt_the_rest(&mut self) {
        for index in 0..self.wanted.len() {
            if self.results[index].is_none() {
                let failure =
                    Failure::new(Code::Interrupted, "the command was interrupted before this tenant")
                        .hint("run it again with --if-not-exists to make the rest");
                self.settle(index, Err(failure));
            }
        }
    }

    /// All that is known, in the order of the list.
    pub(super) fn outcome(&self) -> Created {
        let mut outcome = Created::default();
        for (tenant, result) in self.wanted.iter().zip(&self.results) {
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
