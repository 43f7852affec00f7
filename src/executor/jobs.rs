//! How many connections a pass over the tenants uses, if nobody says.

use super::{RetryPolicy, retry};
use crate::error::Failure;
use crate::postgres::Connection;

/// More connections than this gain nothing that a server with tenants to serve could spare.
const MOST: usize = 16;

/// A core drives about so many connections, since most of a unit's time is the server's.
const PER_CORE: usize = 4;

/// Slots that are never taken: somebody has to be able to look.
const SPARED: usize = 3;

/// At most [`MOST`], what this machine's cores can drive, and what the server has free.
pub(crate) async fn default(connection: &mut Connection) -> Result<usize, Failure> {
    let sql = "SELECT current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
               - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS free";
    let doing = "counting free connections";
    let sets = retry::ask(connection, sql, doing, RetryPolicy::USUAL).await?;
    let free = match sets.first().and_then(|rows| rows.first()) {
        Some(row) => usize::try_from(row.integer("free")?).unwrap_or_default(),
        None => 0,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // The connection that asks is one of the workers' already.
    Ok(MOST.min(cores * PER_CORE).min((free + 1).saturating_sub(SPARED)).max(1))
}
