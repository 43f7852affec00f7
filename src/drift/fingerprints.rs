//! The fingerprints of the whole fleet, page by page, on two connections where there is a second one.

use std::cell::RefCell;

use crate::error::Failure;
use crate::executor::worker_pool::{self, WorkerPool};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::catalog::{self, Fingerprints};

/// So many schemas a question: the server sorts what they hold in memory.
const PAGE: usize = 500;

/// The server's cores do the work; a live one has others to serve.
const CONNECTIONS: usize = 2;

/// Takes them all.
pub(super) async fn take(
    connection: &mut Connection,
    schemas: &[SchemaName],
) -> Result<Fingerprints, Failure> {
    let pages = RefCell::new(schemas.chunks(PAGE));
    let taken = RefCell::new(Ok(Fingerprints::new()));
    let is_over = || pages.borrow().len() == 0 || taken.borrow().is_err();
    let jobs = CONNECTIONS.min(pages.borrow().len());
    let worker_pool = WorkerPool { jobs, tasks: jobs };
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

/// The next page, unless one failed already.
fn next<'a>(
    pages: &RefCell<std::slice::Chunks<'a, SchemaName>>,
    taken: &RefCell<Result<Fingerprints, Failure>>,
) -> Option<&'a [SchemaName]> {
    if taken.borrow().is_err() { None } else { pages.borrow_mut().next() }
}
