//! Tasks that several workers share: some are ready, others wait until a pause is over. One thread runs all workers, so a
//! plain cell around the queue is enough.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::worker_pool::{self, ConnectionRecycler, WorkerPool};
use crate::postgres::Connection;

/// The tasks.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    ready: VecDeque<T>,
    delayed: Vec<(Instant, T)>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { ready: VecDeque::new(), delayed: Vec::new() }
    }
}

impl<T> FromIterator<T> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(tasks: I) -> Self {
        Self { ready: tasks.into_iter().collect(), delayed: Vec::new() }
    }
}

impl<T> Extend<T> for Queue<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, tasks: I) {
        self.ready.extend(tasks);
    }
}

impl<T> Queue<T> {
    /// Adds a task that is taken next.
    pub(crate) fn push_front(&mut self, task: T) {
        self.ready.push_front(task);
    }

    /// Adds a task that is taken after a pause, before the others.
    pub(crate) fn delay(&mut self, task: T, pause: Duration) {
        self.delayed.push((Instant::now() + pause, task));
    }

    /// How many tasks are ready. Those whose pause is over come first.
    pub(crate) fn ready(&mut self) -> usize {
        let now = Instant::now();
        for (_, task) in self.delayed.extract_if(.., |(at, _)| *at <= now) {
            self.ready.push_front(task);
        }
        self.ready.len()
    }

    /// Takes the next task that is ready.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.ready();
        self.ready.pop_front()
    }

    /// How long until the pause of a task is over, if one has a pause.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let now = Instant::now();
        self.delayed.iter().map(|(at, _)| at.saturating_duration_since(now)).min()
    }

    /// Whether no task is ready: a further worker would find nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Whether no task is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }
}

/// Does `work` with each task, by up to `jobs` workers with a connection each, until no task is left or `stop` is
/// cancelled. A worker may put the task back.
pub(crate) async fn work<T>(
    connection: &mut Connection,
    queue: &RefCell<Queue<T>>,
    jobs: usize,
    stop: &CancellationToken,
    work: impl AsyncFn(&mut Connection, T),
) {
    let tasks = queue.borrow_mut().ready();
    let is_over = || stop.is_cancelled() || queue.borrow().is_idle();
    let worker_pool = WorkerPool { jobs: jobs.min(tasks), tasks };
    worker_pool::run(connection, worker_pool, is_over, async |own: &mut Connection| {
        let mut recycler = ConnectionRecycler::default();
        while !stop.is_cancelled() {
            let next = queue.borrow_mut().pop();
            match next {
                Some(task) => {
                    work(own, task).await;
                    recycler.add(1, own).await;
                }
                None => {
                    let Some(pause) = queue.borrow().wait() else { break };
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
            }
        }
    })
    .await;
}
