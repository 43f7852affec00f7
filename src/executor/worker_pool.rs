//! Runs parallel workers, each with its own connection. Used by `migrate up` and `tenant create --from`.

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::postgres::Connection;

/// Delay before each further worker connects: small jobs finish earlier.
const STAGGER: Duration = Duration::from_millis(15);

/// From this number of tasks on, workers connect without a delay.
const MANY: usize = 100;

/// Number of schemas after which a connection is replaced: a backend's caches grow with every table it uses.
const SCHEMAS_A_CONNECTION: usize = 3_000;

/// The size of a worker pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerPool {
    /// Number of workers.
    pub(crate) jobs: usize,
    /// Approximate number of tasks.
    pub(crate) tasks: usize,
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
    let others = (1..worker_pool.jobs).map(|number| {
        let (connector, is_over, work) = (&connector, &is_over, &work);
        async move {
            tokio::time::sleep(stagger * u32::try_from(number).unwrap_or(u32::MAX)).await;
            if is_over() {
                return;
            }
            // Without a free connection slot, the other workers do the work.
            let Ok(mut own) = connector.open_without_retry().await else { return };
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
