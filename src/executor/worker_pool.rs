//! Runs parallel workers, each with its own connection. Used by `migrate up` and `tenant create --from`.

use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::task::JoinHandle;

use crate::error::Failure;
use crate::postgres::Connection;

/// Delay before each further worker connects: small jobs finish earlier.
const STAGGER: Duration = Duration::from_millis(15);

/// From this number of tasks on, workers connect without a delay.
const MANY: usize = 100;

/// Number of schemas after which a connection is replaced: a backend's caches grow with every table it uses.
const SCHEMAS_A_CONNECTION: usize = 3_000;

/// A worker pool.
#[derive(Debug)]
pub(crate) struct WorkerPool {
    /// Number of workers.
    jobs: usize,
    /// Approximate number of tasks.
    tasks: usize,
    /// The connections that are being opened, each for one of the further workers.
    opening: Vec<JoinHandle<Result<Connection, Failure>>>,
}

impl WorkerPool {
    /// A pool of `jobs` workers for about `tasks` tasks.
    pub(crate) fn new(jobs: usize, tasks: usize) -> Self {
        Self { jobs, tasks, opening: Vec::new() }
    }

    /// Like [`Self::new`]; begins to open the connections of the further workers if there are many tasks.
    pub(super) fn open(connection: &Connection, jobs: usize, tasks: usize) -> Self {
        let further = if tasks < MANY { 0..0 } else { 1..jobs };
        let open = |_worker| {
            let connector = connection.connector();
            tokio::spawn(async move { connector.open_without_retry().await })
        };
        Self { opening: further.map(open).collect(), ..Self::new(jobs, tasks) }
    }

    /// Closes the connections of a pool that does not run.
    pub(super) async fn close(self) {
        for opening in self.opening {
            if let Ok(Ok(connection)) = opening.await {
                connection.close().await;
            }
        }
    }

    /// The number of workers.
    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }
}

/// Runs the workers until all end. The first one uses `connection`; each further one opens its own unless `is_over`
/// returns true by then.
pub(crate) async fn run(
    connection: &mut Connection,
    worker_pool: WorkerPool,
    is_over: impl Fn() -> bool,
    work: impl AsyncFn(&mut Connection),
) {
    let connector = connection.connector();
    let stagger = if worker_pool.tasks < MANY { STAGGER } else { Duration::ZERO };
    let mut opening = worker_pool.opening.into_iter();
    let others = (1..worker_pool.jobs).map(|number| {
        let (connector, is_over, work, opening) = (&connector, &is_over, &work, opening.next());
        async move {
            let opened = if let Some(opening) = opening {
                opening.await.ok().and_then(Result::ok)
            } else {
                tokio::time::sleep(stagger * u32::try_from(number).unwrap_or(u32::MAX)).await;
                if is_over() {
                    return;
                }
                connector.open_without_retry().await.ok()
            };
            // Without a free connection slot, the other workers do the work.
            let Some(mut own) = opened else { return };
            work(&mut own).await;
            own.close().await;
        }
    });
    let others = join_all(others.collect::<Vec<_>>());
    join(work(connection), others).await;
}

/// Counts the schemas that a connection has used.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRecycler(usize);

impl ConnectionRecycler {
    /// Adds `schemas` and replaces the connection when the limit is reached.
    pub(crate) async fn add(&mut self, schemas: usize, connection: &mut Connection) {
        self.0 += schemas;
        if self.0 < SCHEMAS_A_CONNECTION {
            return;
        }
        self.0 = 0;
        if let Ok(fresh) = connection.open_another().await {
            std::mem::replace(connection, fresh).close().await;
        }
    }
}
