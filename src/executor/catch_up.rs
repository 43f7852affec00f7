//! A schema that is being made, brought from its template's version to the platform's by the units that bring every
//! tenant there: a new tenant has what a migrated one has, also where one transaction would make something else.

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

/// Runs the tenant parts of `steps`, positions in the chain, on `schema`, those that its version row says are to come.
/// Each unit happens once, whoever runs it: another runner may be at the same schema. Those steps were verified when
/// the platform took them.
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
        // A tenant whose making has begun is finished.
        stop: &CancellationToken::new(),
        steps,
        part: Part::NewTenant,
        jobs: 1,
        tenants: 1,
        limit: None,
    };
    let stats = pass.run(connection, &mut Silent).await;
    match stats.failures.into_iter().next() {
        Some(failed) => Err(failed.failure),
        None if stats.is_cut => Err(Failure::new(Code::Interrupted, format!("{schema} was not finished"))),
        None => Ok(()),
    }
}
