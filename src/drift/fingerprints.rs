//! Reads the fingerprints of all schemas in pages, on up to two connections.

use std::cell::RefCell;

use crate::error::Failure;
use crate::executor::worker_pool::{self, WorkerPool};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::{self, Fingerprints, PAGE};

/// The maximum number of connections. It is low, since the queries load the server, which may be in use.
const CONNECTIONS: usize = 2;

/// Reads the fingerprints of `schemas`.
pub(super) async fn take(
    connection: &mut Connection,
    schemas: &[SchemaName],
) -> Result<Fingerprints, Failure> {
    let pages = RefCell::new(schemas.chunks(PAGE));
    let taken = RefCell::new(Ok(Fingerprints::new()));
    let is_over = || pages.borrow().len() == 0 || taken.borrow().is_err();
    let jobs = CONNECTIONS.min(pages.borrow().len());
    let worker_pool = WorkerPool::new(jobs, jobs);
    worker_pool::run(connection, worker_pool, is_over, async |own: &mut Connection| {
        while let Some(page) = next(&pages, &taken) {
            let prints = catalog::fingerprints(own, page).await;
            let mut taken = taken.borrow_mut();
            match (&mut *taken, prints) {
                (Ok(all), Ok(more)) => all.extend(more),
                (Ok(_), Err(failure)) => *taken = Err(failure),
                (Err(_), _) => {}
            }
        }
    })
    .await;
    taken.into_inner()
}

/// The next page; `None` after the last page or after a failure.
fn next<'a>(
    pages: &RefCell<std::slice::Chunks<'a, SchemaName>>,
    taken: &RefCell<Result<Fingerprints, Failure>>,
) -> Option<&'a [SchemaName]> {
    if taken.borrow().is_err() { None } else { pages.borrow_mut().next() }
}
