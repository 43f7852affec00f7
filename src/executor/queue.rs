//! A queue of tasks that several workers share. A task can be delayed. The workers run on one thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::worker_pool::{self, ConnectionRecycler, WorkerPool};
use crate::postgres::Connection;

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
    /// Adds a task to the front.
    pub(crate) fn push_front(&mut self, task: T) {
        self.ready.push_front(task);
    }

    /// Adds a task that is not ready before the end of `pause`.
    pub(crate) fn delay(&mut self, task: T, pause: Duration) {
        self.delayed.push((Instant::now() + pause, task));
    }

    /// The number of ready tasks. Moves delayed tasks whose pause is over to the front.
    pub(crate) fn ready(&mut self) -> usize {
        let now = Instant::now();
        for (_, task) in self.delayed.extract_if(.., |(at, _)| *at <= now) {
            self.ready.push_front(task);
        }
        self.ready.len()
    }

    /// Takes the next ready task.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.ready();
        self.ready.pop_front()
    }

    /// The number of tasks whose pause is not over.
    pub(crate) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// The time until the next delayed task is ready; `None` if no task is delayed.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let now = Instant::now();
        self.delayed.iter().map(|(at, _)| at.saturating_duration_since(now)).min()
    }

    /// Whether no task is ready, so that another worker would have no work.
    pub(crate) fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Whether no task remains.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }
}

/// Runs `work` on each task with up to `jobs` workers, each with its own connection, until no task remains or `stop` is
/// cancelled. `work` may put its task back.
pub(crate) async fn work<T>(
    connection: &mut Connection,
    queue: &RefCell<Queue<T>>,
    jobs: usize,
    stop: &CancellationToken,
    work: impl AsyncFn(&mut Connection, T),
) {
    let tasks = queue.borrow_mut().ready();
    let is_over = || stop.is_cancelled() || queue.borrow().is_idle();
    let worker_pool = WorkerPool::new(jobs.min(tasks), tasks);
    worker_pool::run(connection, worker_pool, is_over, async |own: &mut Connection| {
        let mut recycler = ConnectionRecycler::default();
        while !stop.is_cancelled() {
            let next = queue.borrow_mut().pop();
            if let Some(task) = next {
                work(own, task).await;
                recycler.add(1, own).await;
            } else {
                let Some(pause) = queue.borrow().wait() else { break };
                stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
        }
    })
    .await;
}
