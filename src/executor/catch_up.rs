//! Migrates a new tenant from its template's version to the platform's version with the same units as existing
//! tenants, so that both are equal.

use std::ops::Range;

use tokio_util::sync::CancellationToken;

use super::observer::StatementObserver;
use super::request::Request;
use super::tenant_executor::TenantExecutor;
use super::unit::Part;
use super::{Allowed, RetryPolicy};
use crate::chain::{Chain, Reach, Version};
use crate::error::{Code, Failure};
use crate::event::Silent;
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::batch::Run;

/// Runs the pending tenant parts of `steps` (positions in the chain) on `schema`. Other runs may work on the same
/// schema; each unit is run once. The steps were verified when the platform ran them.
pub(crate) async fn catch_up(
    connection: &mut Connection,
    (run, chain): (&Run, &Chain),
    schema: &SchemaName,
    steps: Range<usize>,
    (retry_policy, observer): (RetryPolicy, Option<&dyn StatementObserver>),
) -> Result<(), Failure> {
    let request = Request::plain(&Version::ZERO, Reach::Tenants, run.limits, retry_policy);
    let pass = TenantExecutor {
        run,
        chain,
        request: &request,
        only: std::slice::from_ref(schema),
        allowed: &Allowed::default(),
        observer,
        // Creating a tenant is not interrupted halfway.
        stop: &CancellationToken::new(),
        steps,
        part: Part::NewTenant,
        jobs: 1,
        tenants: 1,
        limit: None,
    };
    let started = pass
        .start(connection, None)
        .await
        .map_err(|server_error| server_error.failure("reading the tenants"))?;
    let stats = pass.run(started, connection, (&mut Silent, None)).await;
    match stats.failures.into_iter().next() {
        Some(failed) => Err(failed.failure),
        None if stats.is_cut => {
            Err(Failure::new(Code::Interrupted, format!("creating {schema} was not finished")))
        }
        None => Ok(()),
    }
}
