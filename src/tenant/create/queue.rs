//! The queue of tenants to create, shared by the workers, which run on one thread.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::super::NewTenant;
use super::Provisioned;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::template::{BoundParameters, Template};
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::{Created, FailedTenant};

/// How long a worker waits for a task while other workers may return one.
const IDLE: Duration = Duration::from_millis(2);

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
}

/// The next action of a worker.
pub(super) enum Next<'a> {
    Make(Box<Task<'a>>),
    Wait(Duration),
    End,
}

/// The remaining tasks, and the outcomes of the others.
pub(super) struct Queue<'a> {
    requested: &'a [NewTenant],
    results: Vec<Option<Result<Provisioned, Failure>>>,
    tasks: VecDeque<Task<'a>>,
    delayed: Vec<(Instant, Task<'a>)>,
    /// The number of tasks that workers hold.
    in_hand: usize,
    /// The indexes of duplicate slugs, each with the index of the first.
    duplicates: Vec<(usize, usize)>,
    /// The platform's version.
    pub(super) at: Version,
    pub(super) sink: &'a mut dyn Sink,
}

impl<'a> Queue<'a> {
    pub(super) fn new(requested: &'a [NewTenant], at: Version, sink: &'a mut dyn Sink) -> Self {
        Self {
            requested,
            results: requested.iter().map(|_| None).collect(),
            tasks: VecDeque::new(),
            delayed: Vec::new(),
            in_hand: 0,
            duplicates: Vec::new(),
            at,
            sink,
        }
    }

    /// The number of tasks in the queue.
    pub(super) fn waiting(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn add(&mut self, task: Task<'a>) {
        self.tasks.push_back(task);
    }

    /// Records that the slug at `index` duplicates that at `first`.
    pub(super) fn add_duplicate(&mut self, index: usize, first: usize) {
        self.duplicates.push((index, first));
    }

    pub(super) fn duplicates(&self) -> Vec<(usize, usize)> {
        self.duplicates.clone()
    }

    pub(super) fn result(&self, index: usize) -> Option<Result<Provisioned, Failure>> {
        self.results.get(index).cloned().flatten()
    }

    /// Whether a new worker would find no task.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn next(&mut self, stop: &CancellationToken) -> Next<'a> {
        if stop.is_cancelled() {
            return Next::End;
        }
        let now = Instant::now();
        if let Some(due) = self.delayed.iter().position(|(at, _)| *at <= now) {
            let (_, task) = self.delayed.swap_remove(due);
            self.tasks.push_front(task);
        }
        if let Some(task) = self.tasks.pop_front() {
            self.in_hand += 1;
            return Next::Make(Box::new(task));
        }
        match self.delayed.iter().map(|(at, _)| at.saturating_duration_since(now)).min() {
            Some(pause) => Next::Wait(pause),
            None if self.in_hand > 0 => Next::Wait(IDLE),
            None => Next::End,
        }
    }

    /// Returns a task to the queue, for now or after a pause.
    pub(super) fn give_back(&mut self, task: Task<'a>, pause: Option<Duration>) {
        self.in_hand -= 1;
        match pause {
            Some(pause) => self.delayed.push((Instant::now() + pause, task)),
            None => self.tasks.push_front(task),
        }
    }

    /// Records the outcome of a task that a worker holds.
    pub(super) fn finish(&mut self, index: usize, result: Result<Provisioned, Failure>) {
        self.in_hand -= 1;
        self.settle(index, result);
    }

    /// Records the outcome for the tenant at `index`.
    pub(super) fn settle(&mut self, index: usize, result: Result<Provisioned, Failure>) {
        let slug = &self.requested[index].slug;
        match &result {
            Ok(_) => self.sink.take(&Event::TenantDone { slug }),
            Err(failure) => self.sink.take(&Event::TenantFailed { slug, failure }),
        }
        self.results[index] = Some(result);
    }

    /// Records an interruption for the tenants without an outcome.
    pub(super) fn interrupt_remaining(&mut self) {
        for index in 0..self.requested.len() {
            if self.results[index].is_none() {
                let failure = Failure::new(Code::Interrupted, "interrupted before this tenant was created")
                    .hint("run the command again with --if-not-exists to create the rest");
                self.settle(index, Err(failure));
            }
        }
    }

    /// The outcomes, in the order of the list.
    pub(super) fn outcome(&self) -> Created {
        let mut outcome = Created::default();
        for (tenant, result) in self.requested.iter().zip(&self.results) {
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
