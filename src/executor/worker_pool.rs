//! Several connections side by side, for work that comes from one queue: what `migrate up` and
//! `tenant create --from` share.

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::postgres::Connection;

/// A further worker waits so long before it connects: small work is done by then.
const STAGGER: Duration = Duration::from_millis(15);

/// Work of so many tasks is not small.
const MANY: usize = 100;

/// A backend's caches grow with every table that it touches, so a connection is replaced after so many
/// schemas.
const SCHEMAS_A_CONNECTION: usize = 3_000;

/// How much there is to do, and by how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerPool {
    /// Workers.
    pub(crate) jobs: usize,
    /// Tasks, about.
    pub(crate) tasks: usize,
}

/// Lets the workers run until each of them ends. The first one uses `connection`; a further one opens
/// its own, unless `is_over` says by then that nothing is left.
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
            // A server that has no slot for a further worker has the first one.
            let Ok(mut own) = connector.open_without_retry().await else { return };
            work(&mut own).await;
            own.close().await;
        }
    });
    let others = join_all(others.collect::<Vec<_>>());
    join(work(connection), others).await;
}

/// How many schemas a connection has touched.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRecycler(usize);

impl ConnectionRecycler {
    /// Counts `schemas` more, and replaces the connection where it has seen enough.
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
