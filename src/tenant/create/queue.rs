//! The tenants that are still to be made, shared by the workers. One thread runs them all.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::NewTenant;
use super::Provisioned;
use crate::chain::Version;
use crate::error::{Code, Failure};
use crate::event::{Event, Sink};
use crate::executor::Stop;
use crate::template::{BoundParameters, Template};
use crate::tenant::provisioning::TenantRecord;
use crate::tenant::{Created, FailedTenant};

/// How long a worker without work waits before it asks again, while others may give some back.
const IDLE: Duration = Duration::from_millis(2);

/// A tenant to be made.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// Where it stands in the list.
    pub(super) index: usize,
    pub(super) tenant: TenantRecord,
    pub(super) template: &'a Template,
    /// The values of the template's parameters.
    pub(super) filled: BoundParameters,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// How often the platform moved under it.
    pub(super) moves: usize,
    /// Whether its schema is there already, and only steps are to come.
    pub(super) begun: bool,
}

/// What a worker is to do next.
pub(super) enum Next<'a> {
    Make(Box<Task<'a>>),
    Wait(Duration),
    End,
}

/// What is left, and what became of the others.
pub(super) struct Queue<'a> {
    wanted: &'a [NewTenant],
    results: Vec<Option<Result<Provisioned, Failure>>>,
    tasks: VecDeque<Task<'a>>,
    delayed: Vec<(Instant, Task<'a>)>,
    /// Tasks that workers have in hand.
    in_hand: usize,
    /// Slugs that stand in the list once more, each with where it stands first.
    repeats: Vec<(usize, usize)>,
    /// Where the platform is.
    pub(super) at: Version,
    pub(super) sink: &'a mut dyn Sink,
}

impl<'a> Queue<'a> {
    pub(super) fn new(wanted: &'a [NewTenant], at: Version, sink: &'a mut dyn Sink) -> Self {
        Self {
            wanted,
            results: wanted.iter().map(|_| None).collect(),
            tasks: VecDeque::new(),
            delayed: Vec::new(),
            in_hand: 0,
            repeats: Vec::new(),
            at,
            sink,
        }
    }

    /// How many wait to be made.
    pub(super) fn waiting(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn add(&mut self, task: Task<'a>) {
        self.tasks.push_back(task);
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

    /// Whether a further worker would find nothing to do.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn next(&mut self, stop: &Stop) -> Next<'a> {
        if stop.asked() {
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

    /// A worker gives a task back, to be tried at once or after a pause.
    pub(super) fn give_back(&mut self, task: Task<'a>, pause: Option<Duration>) {
        self.in_hand -= 1;
        match pause {
            Some(pause) => self.delayed.push((Instant::now() + pause, task)),
            None => self.tasks.push_front(task),
        }
    }

    /// A worker is done with a task.
    pub(super) fn finish(&mut self, index: usize, result: Result<Provisioned, Failure>) {
        self.in_hand -= 1;
        self.settle(index, result);
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
